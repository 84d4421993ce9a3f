# SPDX-License-Identifier: GPL-2.0-only
# What the pages of the ABI say is held by something: tests that they name exist, each call has
# one, each error that the headers state for a call is expected by a micro guest, and the
# operations of control_op are in the states, and on the structures, that the hypervisor's own
# table says. And a lie of each kind is seen.
set -u
cd "${TREE:-.}" || exit 99

exists() { # KIND NAME: such a test is there
	case $1 in
	unit) [[ -f tests/unit/$2.c ]] ;;
	guest) [[ -f tests/guest/$2.c ]] ;;
	fuzz) [[ -f tests/fuzz/$2.c ]] ;;
	system) [[ -f tests/system/$2.sh ]] ;;
	esac
}

names() {
	local file kind name
	while IFS=:/ read -r file kind name; do
		exists "$kind" "$name" || echo "docs/$file names $kind/$name, which is no test"
	done < <(cd docs && grep -oE '`(unit|guest|system|fuzz)/[a-z0-9_]+`' ./*.md |
		sed 's,^\./,,' | tr -d '`' | sort -u)
	awk 'function done() { if (call && !held) print "docs/abi.md: no test is named for " call }
		/^### `/ { done(); call = $2; held = 0 }
		/`(unit|guest|system)\/|It has no test: / { held = 1 }
		END { done() }' docs/abi.md
}

# Errors that no guest can bring about by itself, or not without somebody else's help.
cannot="mmu_switch:ENOMEM timer_set:ENOMEM"
errors() {
	local call error
	# a statement that makes the call and names the error
	perl -0777 -ne 'for my $s (split /;/) {
		my @calls = $s =~ /\b(?:parvus_|PARVUS_HC_)(\w+)/g;
		for my $e ($s =~ /\bPARVUS_(E[A-Z0-9]+)\b/g) { print "$_ $e\n" for @calls }
	}' tests/guest/*.c | sort -u >"$tmp/expected"
	while read -r call error; do
		[[ $call == *_op || " $cannot " == *" $call:$error "* ]] && continue
		grep -qx "$call $error" "$tmp/expected" ||
			echo "no micro guest expects $error of $call"
	done < <(pv-abi/reference.py errors)
}

control() {
	sed -nE 's/^\t(PLAIN|ON)\(([A-Z]+), (\w+), \w+, (.*)\),$/\1 \2 \3 \4/p' \
		hypervisor/core/control.c |
		awk '{
			any = $1 == "ON" || $2 ~ /^(INFO|NEXT|DESTROY)$/
			state = /BUILDING/ ? "BUILDING" : any ? "any" : ""
			print $2, $3, state (/DOMAIN0/ || $2 ~ /^(INFO|NEXT)$/ ? ", domain 0" : "")
		}' >"$tmp/code"
	awk -F '|' '/^\| [0-9]+ \| `[A-Z]+` \| `parvus_/ {
		gsub(/[` ]/, "", $3); gsub(/[` ]/, "", $4); gsub(/^ +| +$/, "", $5)
		print $3, $4, $5
	}' docs/control.md >"$tmp/page"
	(($(wc -l <"$tmp/code") > 20)) ||
		echo "hypervisor/core/control.c: its table of operations is not found"
	diff "$tmp/code" "$tmp/page" |
		sed -n 's/^</control.c says:/p; s/^>/docs\/control.md says:/p'
}

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
check() { names; errors; control; }
check >"$tmp/found"
cat "$tmp/found"
[[ -s $tmp/found ]] && exit 1
[[ -n ${TREE:-} ]] && exit 0

seen() { # WHAT FILE SED-SCRIPT
	rm -rf "$tmp/copy"
	mkdir -p "$tmp/copy/hypervisor/core" "$tmp/copy/tests" || exit 99
	cp -r pv-abi docs "$tmp/copy" && cp hypervisor/core/control.c "$tmp/copy/hypervisor/core" &&
		cp -r tests/guest tests/unit tests/system tests/fuzz "$tmp/copy/tests" || exit 99
	sed -i "$3" "$tmp/copy/$2" || exit 99
	cmp -s "$2" "$tmp/copy/$2" && { echo "the change does not fit $2 any more: $1"; exit 99; }
	TREE=$tmp/copy bash tests/system/reference.sh >"$tmp/out" 2>&1
	[[ $? == 1 && -s $tmp/out ]] || { echo "not seen: $1"; exit 1; }
}
seen "a test that is gone" docs/abi.md 's,`guest/storm`,`guest/stormy`,'
seen "a call without a test" docs/abi.md '/^### `yield`/,/^### `block`/s/Tests:.*//'
seen "an error that nobody expects" tests/guest/hypercall_args.c '/parvus_debug_info(pa/d'
seen "a state that is not the hypervisor's" hypervisor/core/control.c \
	's/\(ON(OFFER.*\)BUILDING/\1ANY_STATE/'
seen "a structure that is not the hypervisor's" docs/control.md \
	's/| `REGS` | `parvus_control_regs`/| `REGS` | `parvus_control_vcpu`/'
seen "domain 0 may, the page says" docs/control.md 's/\(`MEMORY`.*\)any/\1any, domain 0/'
exit 0
