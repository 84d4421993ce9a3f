# SPDX-License-Identifier: GPL-2.0-only
# What the toolstack says and takes beside its commands: manual pages without a warning of groff's
# in which each command has its place, completion by bash of commands, their options, domains,
# disks and files, and scripts without a warning of shellcheck's. A mistake of each kind is seen.
. tests/system/fake.bash
mkdir -p "$PARVUS_FAKE" "$work/bin"
"$parvus" list >/dev/null || fail list
ln -s "$parvus" "$work/bin/parvus"
export PATH=$work/bin:$PATH

# --- manual pages
command -v man >/dev/null || { echo "no man: apt install man-db groff"; exit 99; }
mapfile -t pages < <(find tools -name '*.[158]' | sort)
((${#pages[@]} > 5)) || fail "only ${#pages[@]} pages"
lint() { LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null; }
for page in "${pages[@]}"; do
	[[ -z $(lint "$page") ]] || fail "$page: $(lint "$page")"
done
printf '.TH X 1\n.SH NAME\nx \\- y\n.zz\n\\*[none]\n' >"$work/x.1"
[[ -n $(lint "$work/x.1") ]] || fail "a page with a mistake has no warning"
"$parvus" help | sed -n 's/^  \([a-z-]*\) .*/\1/p' >"$work/commands"
(($(wc -l <"$work/commands") > 50)) || fail "commands: $(cat "$work/commands")"
while read -r c; do
	grep -qE "^\.(It )?Ic ([a-z-]+ , )*$c( |$)|^\.It Ic .*\b$c\b" tools/parvus/parvus.1 ||
		fail "parvus.1 has no $c"
done <"$work/commands"

# --- completion
compopt() { :; }	# there is no terminal here
. tools/parvus/completion.bash
touch "$PARVUS_FAKE/bridge-br0" "$work/disk.img"
P create -q "$work/web.cfg"
P create -q "$work/web.cfg" name=two
truncate -s 1M "$work/disk.img"
P block-attach web "$work/disk.img,raw,xvdb,w"
P network-attach web bridge=br0
offers() { # WANTED WORD...: behind the last word
	local wanted=$1
	shift
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_parvus 2>"$work/err"
	[[ ! -s $work/err && $(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ') == \
		"$wanted " ]] || fail "$*: ${COMPREPLY[*]}, not $wanted: $(cat "$work/err")"
}
offers "$(sort "$work/commands" | tr '\n' ' ' | sed 's/ $//')" parvus ''
offers "domid domname" parvus dom
offers "sysrq" xl sy
offers "list" parvus help lis
offers "--json" parvus list --j
offers "--timeout" parvus shutdown --t
offers "Domain-0 two web" parvus pause ''
offers "web" parvus console w
offers "xvdb" parvus block-detach web ''
offers "0" parvus network-detach web ''
offers "$work/web.cfg" parvus create "$work/we"
offers "$work/disk.img" parvus block-attach web "$work/dis"
offers "start status stop" parvus network-nat ''
offers "power" parvus trigger web p
offers "Domain-0 two web" parvus trigger ''
offers "" parvus trigger web w
offers "hypercall" parvus trace -e hy
offers "" parvus dmesg ''
P destroy web
P destroy two
clean

# --- scripts: variables may come from whoever starts or reads them (SC2154, SC2034), and options of
# QEMU and of programs like it have commas (SC2054); words of a command are meant to be words
# (SC2046); what runs in a Debian guest goes on whatever fails
command -v shellcheck >/dev/null || { echo "no shellcheck: apt install shellcheck"; exit 77; }
mapfile -t scripts < <(grep -rlE '^#!/bin/(ba)?sh|^# shellcheck shell=' tools packages \
	guest-patches pv-abi pv-drivers tests/run tests/mutants/run tests/static/run |
	grep -v ^tools/debian/)
((${#scripts[@]} > 35)) || fail "only ${#scripts[@]} scripts"
check() { shellcheck -x -S warning -e SC2154,SC2034,SC2046,SC2054 "$@"; }
check "${scripts[@]}" || fail "shellcheck"
check -s bash tools/*/completion.bash || fail "shellcheck of completion"
# shellcheck disable=SC2016
printf '#!/bin/sh\ncd /x\nrm -r $1\n' >"$work/bad"
check "$work/bad" >/dev/null && fail "a script with a mistake has no warning"
exit 0
