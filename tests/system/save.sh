# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# parvus save, restore, suspend, resume against a hypervisor that is a file: what comes back, and
# that of everything that fails nothing half-made stays: the domain goes on, or is whole in its
# file.
. tests/system/fake.bash

truncate -s 8M "$work/a.img"
mkdir -p "$PARVUS_FAKE"
touch "$PARVUS_FAKE/bridge-br0"
cat >>"$work/web.cfg" <<END
disk = ['$work/a.img,raw,xvda,w']
vif = ['mac=02:00:00:00:00:07,bridge=br0']
END
sav=$work/web.sav
P create -q "$work/web.cfg"
id=$("$parvus" domid web)
G web say "once upon a time"
until_true eval '[[ $(timeout 2 "$parvus" console web </dev/null 2>/dev/null) == *"once upon"* ]]'

# --- there and back
P save web "$sav"
bad "there is no domain named web" domid web
count 0 || fail "the domain is there still"
until_true no_folders
"$parvus" image-info --json "$sav" >"$work/info" || fail "image-info"
python3 - "$work/info" <<'END' || fail "image-info: $(cat "$work/info")"
import json, sys
o = json.load(open(sys.argv[1]))
assert o["name"] == "web" and o["vcpus"] == 2 and o["console_bytes"] > 10, o
assert 0 < o["pages"] <= o["frames"] + 1 < 8192 and o["frames"] + o["demand_frames"] == 8192, o
END
[[ $(stat -c %a "$sav") == 600 ]] || fail "others can read it"
P restore "$sav" >"$work/out"
[[ $(cat "$work/out") == "web is domain $id" ]] || fail "restore says $(cat "$work/out")"
state web "-b----" || fail "it does not run"
[[ $(G web disk 0) == "7 "* ]] || fail "its disk: $(G web disk 0)"
[[ $(G web vif 0 | tr '\n' ' ') == *"br0 1 "* ]] || fail "its interface: $(G web vif 0)"
[[ $(G web cmdline) == "root=/dev/xvda1 ro maxcpus=1" ]] || fail "its memory: $(G web cmdline)"
[[ $(timeout 2 "$parvus" console web </dev/null 2>/dev/null) == *"once upon"* ]] ||
	fail "what it wrote before is lost"
G web say "and then"
until_true eval '[[ $(timeout 2 "$parvus" console web </dev/null 2>/dev/null) == *"and then"* ]]'
[[ ! -e $PARVUS_RUN_DIR/domains/$id/devices && ! -e $PARVUS_RUN_DIR/domains/$id/history ]] ||
	fail "$(ls "$PARVUS_RUN_DIR/domains/$id")"
bad "there is a domain named web already" restore "$sav"
count 1 || fail "a second one is there"
P block-list web >"$work/out"
grep -q "$work/a.img" "$work/out" || fail "$(cat "$work/out")"

# --- through pipes, packed, paused, with another configuration, as JSON
P save -c web "$sav"
state web "-b----" || fail "-c: it does not run"
P save -p --json web "$sav" >"$work/out"
state web "-bp---" || fail "-p: $("$parvus" list)"
grep -q '"stopped_ms":' "$work/out" || fail "$(cat "$work/out")"
P save -c web "$sav"
state web "-bp---" || fail "one that was paused runs: $("$parvus" list)"
P unpause web
P save --compress 3 web - >"$work/packed"
clean
(($(stat -c %s "$work/packed") < $(stat -c %s "$sav"))) || fail "not packed"
# a pipe's configuration is another machine's; so is that of a file that others may write
distrusted() { # FILE
	"$parvus" restore "$1" >"$work/out" 2>"$work/err" <"$work/packed"
	[[ $? == 1 && $(cat "$work/err") == *": its configuration names $work/kernel as "* &&
		$(wc -l <"$work/err") == 1 ]] || fail "$1 is trusted: $(cat "$work/err")"
	clean
}
distrusted -
chmod 646 "$sav"
distrusted "$sav"
chmod 600 "$sav"
"$parvus" restore -p --trust-config - <"$work/packed" >"$work/out" || fail "--trust-config"
state web "--p---" || state web "-bp---" || fail "restore -p: $("$parvus" list)"
P destroy web
clean
sed 's/name = "web"/name = "other"/' "$work/web.cfg" >"$work/other.cfg"
P restore --json "$work/other.cfg" - <"$work/packed" >"$work/out"
grep -q '"name":"other"' "$work/out" || fail "$(cat "$work/out")"
[[ $(G other disk 0) == "7 "* ]] || fail "the disk of another configuration"
P destroy other
clean
# a device that the other configuration has not
grep -v ^vif "$work/web.cfg" >"$work/less.cfg"
bad "has vif 0, which its configuration does not" restore "$work/less.cfg" "$sav"
clean

# what CPUID shows is given again: op 25
{ cat "$work/web.cfg"; echo 'cpuid = "host,htt=0"'; } >"$work/cpuid.cfg"
G - fail 25 5 0
"$parvus" restore "$work/cpuid.cfg" "$sav" 2>"$work/err" && fail "nobody asked for its cpuid"
[[ $(wc -l <"$work/err") == 1 ]] || fail "cpuid: $(cat "$work/err")"
clean

# --- suspend and resume
P restore "$sav" >/dev/null
P suspend web
state web "-bp---" || fail "suspend: $("$parvus" list)"
P resume web
P suspend --json web >"$work/out"
python3 -m json.tool "$work/out" >/dev/null || fail "suspend --json: $(cat "$work/out")"
P resume --json web >"$work/out"
python3 -m json.tool "$work/out" >/dev/null || fail "resume --json: $(cat "$work/out")"
state web "-b----" || fail "resume: $("$parvus" list)"
bad "is the control domain, which cannot be saved" save 0 "$sav"
bad "is the control domain: it cannot be suspended" suspend 0
bad "is the control domain: it cannot be suspended" resume 0
bad "-: standard output is the saved domain, not JSON" save --json web -
bad "--compress 20: a number from 1 to 19 is expected" save --compress 20 web "$sav"
bad "$work is a directory: the file of a saved domain" restore "$work"
bad "cannot open $work/none: No such file" restore "$work/none"

# --- what fails leaves the domain running, its disk connected, and no file
cp "$sav" "$work/before"
whole() { # WHAT: the domain goes on, and no file is half-made
	until_true state web "-b----"
	until_true eval '[[ ! -e $PARVUS_RUN_DIR/domains/$("$parvus" domid web)/held ]]'
	cmp -s "$sav" "$work/before" || fail "$1: the file before is gone"
	[[ $(ls "$work" | grep -c "web.sav.new") == 0 ]] || fail "$1: $(ls "$work")"
	[[ $(G web disk 0) == "7 "* ]] || fail "$1: $(G web disk 0)"
}
bad "a regular file is expected" save web /dev/full
bad "cannot write $work/none/x.new-" save web "$work/none/x"
whole "no folder"
"$parvus" save web - >/dev/full 2>"$work/err"
[[ $? == 1 && $(cat "$work/err") == *"cannot write standard output: No space left"* ]] ||
	fail "a full disk: $(cat "$work/err")"
whole "a full disk"
# the reader of a pipe goes
(trap '' PIPE; "$parvus" save web - 2>"$work/err") | head -c 100 >"$work/out"
whole "a cut pipe"
# each call of control CONTEXT and COPY, and of the registry: an error, and the tool's death
for op in 26:40 5:12 9:1 39:1; do
	for code in 5 999; do
		for ((skip = 0; skip < ${op#*:}; skip += 1 + skip / 4)); do
			G - fail ${op%:*} $code $skip
			"$parvus" save web "$sav" 2>"$work/err"
			rc=$?
			G - fail 0 0 0
			((rc)) || break
			[[ $code == 999 || $(wc -l <"$work/err") == 1 ]] ||
				fail "op $op skip $skip: $(cat "$work/err")"
			rm -f "$work"/web.sav.new-*	# of one that was killed
			whole "op $op code $code skip $skip"
		done
		((rc)) && continue
		cp "$sav" "$work/before"
		P restore "$sav" >/dev/null
	done
done
# the same of restore: nothing is left, and then it comes back
P save web "$sav"
clean
for op in 25:30 5:12 4:3 1:1 31:1; do
	for code in 5 999; do
		for ((skip = 0; skip < ${op#*:}; skip += 1 + skip / 4)); do
			G - fail ${op%:*} $code $skip
			"$parvus" restore "$sav" >"$work/out" 2>"$work/err"
			rc=$?
			G - fail 0 0 0
			((rc)) || break
			[[ $code == 999 || $(wc -l <"$work/err") == 1 ]] ||
				fail "restore: op $op skip $skip: $(cat "$work/err")"
			clean
		done
		((rc)) && continue
		P save web "$sav"
		clean
	done
done
for n in 0 20 100 5000 20000; do
	head -c $n "$sav" | "$parvus" restore --trust-config - 2>"$work/err"
	[[ $? == 1 && $(wc -l <"$work/err") == 1 ]] || fail "cut at $n: $(cat "$work/err")"
	clean
done
P restore "$sav" >/dev/null
[[ $(G web disk 0) == "7 "* && $(G web cmdline) == root=* ]] || fail "after all that"
P destroy web
clean
exit 0
