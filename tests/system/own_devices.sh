# SPDX-License-Identifier: GPL-2.0-only
# @timeout 200
# Devices of classes of one's own, by device = [...] and parvus device-attach: made before the
# domain runs, remade when it reboots, served by a program that is kept running, or by whoever
# comes, here or in another domain; detached politely where their class has a flag for it; and
# parvus-device, which shows and makes what no monitor keeps.
. tests/system/fake.bash
device=$(realpath "$O/tests/tools/parvus-device-fake")
[[ -x $device ]] || { echo "no $device: make tests-built"; exit 99; }
export PARVUS_FAKE_GUEST=$guest_bin PARVUS_CLASSES=$work/classes
trap 'kill $(pids) $(cat "$work/servers" 2>/dev/null) 2>/dev/null; sleep 0.1; rm -rf "$work"' EXIT
D() { "$device" "$@" 2>"$work/err" || fail "parvus-device $*: $(cat "$work/err")"; }
dbad() { # TEXT ARG...
	local text=$1
	shift
	"$device" "$@" >"$work/out" 2>"$work/err" && fail "parvus-device $*: status 0"
	[[ $(wc -l <"$work/err") == 1 && $(cat "$work/err") == "parvus-device: "*"$text"* ]] ||
		fail "parvus-device $*: $(cat "$work/err"), not: $text"
}
cat >"$work/serve it" <<'END'
#!/bin/bash
[[ $1 == --device ]] || exit 9
echo $$ >>"$(dirname "$0")/servers"
"$PARVUS_FAKE_GUEST" - back "$2" 2
while "$PARVUS_FAKE_GUEST" - there "$2"; do sleep 0.05; done
END
chmod 755 "$work/serve it"
printf '\1\0\0\0\0\0\0\0abc' >"$work/blob"
printf '# mine\n0x101 counter\n4294967295 last\n5 five\n0x102 2nd\n' >"$PARVUS_CLASSES"
list() { P device-list "$@" | awk 'NR > 1 { print $2, $3, $4, $5, $6, $7 }' | tr '\n' ';'; }

# --- what is wrong is told
while IFS='|' read -r text setting; do
	bad "$text" create -n "$work/web.cfg" "device=['$setting']"
done <<'END'
no class is given, such as class=0x100|index=1
class 0xff is none of one's own: those begin at 0x100|class=0xff
a class is expected: a number such as 0x101, or a name|class=lamp
class block is none of one's own|class=block
index is not a number from 0 to 0xffffffff: "x"|class=0x101,index=x
index is not a number from 0 to 0xffffffff: "4294967296"|class=0x101,index=4294967296
detach is not a number from 0x1|class=0x101,detach=0
is an unknown key (class, index,|class=0x101,colour=red
key=value is expected, not "red"|class=0x101,red
runs here, and backend=other is elsewhere|class=0x101,program=/x,backend=other
config= needs the path of a file|class=0x101,config=
END
bad "class=0x101,index=2 is given twice" create -n "$work/web.cfg" \
	"device=['class=0x101,index=2','class=counter,index=2']"
bad "a list of texts is expected, not the text" create -n "$work/web.cfg" "device='class=0x101'"
truncate -s 257 "$work/large"
bad "the monitor of domain 1: $work/large" create "$work/web.cfg" \
	"device=['class=0x101,config=$work/large']"
bad "0x101 0: cannot run $work/none, which is to serve it: No such file" create "$work/web.cfg" \
	"device=['class=0x101,program=$work/none']"
bad "backend=other: there is no domain named other" create "$work/web.cfg" \
	"device=['class=0x101,backend=other']"
clean
(cd "$work" && P create -n web.cfg "device=['class=counter,config=blob,detach=2']") >"$work/n.cfg"
grep -q "class=0x101,index=0,config=$work/blob,detach=0x2" "$work/n.cfg" ||
	fail "$(cat "$work/n.cfg")"
P create -n "$work/n.cfg" | cmp - "$work/n.cfg" || fail "create -n is not stable"

# --- made with the domain; whoever comes serves it, and nobody waits for that
"$guest_bin" - backs 0
P create -q "$work/web.cfg" "device=['class=counter,index=3,config=$work/blob,detach=2',
	'class=0x200,program=$work/serve it']"
number=$(P domid web)
[[ $(list web) == "0x101 3 $number closed 0 closed;0x200 0 $number closed 0 ready;" ]] ||
	fail "made: $(list)"
grep -qx 'own 257 3 id [0-9]* nbd -' "$PARVUS_RUN_DIR/domains/$number/state" ||
	fail "the state file"
[[ $(P device-list --json | tr -d ' \n') == \
	'[{"device":'*',"class":257,"class_name":"counter","devid":3,'* ]] ||
	fail "$(P device-list --json)"
# a program that dies comes back, also if it was a monitor before that started it
kill -9 "$(tail -1 "$work/servers")"
until_true eval '[[ $(wc -l <"$work/servers") == 2 ]]'
kill -9 "$(pids)"
until_true eval '[[ $(P list -v web) == *"no monitor"* ]]'
P adopt >/dev/null
kill -9 "$(tail -1 "$work/servers")"
until_true eval '[[ $(wc -l <"$work/servers") == 3 ]]'
# after a reboot they are there again, those that were attached, too, and not those detached
P device-attach web class=0x300 index=7
P device-attach web class=0x400 "program=$work/serve it"
bad "domain $number has 0x300 7 already" device-attach web class=0x300,index=7
bad "0x300 7 of domain $number has no flag that asks its ends to let go (detach=FLAG); --force" \
	device-detach web 0x300 7
bad "domain $number has no device of class 0x300 with index 0" device-detach web 0x300
P device-detach -f web 0x400
bad "a class is expected" device-detach web lamp
G web reboot
until_true eval '[[ $("$parvus" domid web 2>/dev/null) == $((number + 1)) ]]'
n=$((number + 1))
all="0x101 3 $n closed 0 closed;0x200 0 $n closed 0 ready;0x300 7 $n closed 0 closed;"
until_true eval '[[ $(list) == "$all" ]]'
[[ $(wc -l <"$work/servers") == 5 ]] || fail "servers: $(wc -l <"$work/servers")"
# politely: the flag goes into the second word, and the ends let go
P device-detach web counter 3
[[ $(list web) == "0x200 0 $n closed 0 ready;0x300 7 $n closed 0 closed;" ]] ||
	fail "detached: $(list)"
# a restart that lacks something stays
rm "$work/serve it"
G web reboot
until_true state web "---sr-"
until_true eval 'P list -v web | grep -q "cannot restart: 0x200 0: cannot run $work/serve it"'
P destroy web
clean

# --- another domain serves it
"$guest_bin" - backs 1
P create -q "$work/web.cfg" name=back
P create -q "$work/web.cfg" "device=['class=0x101,backend=back']"
back=$(P domid back)
[[ $(list) == "0x101 0 $((back + 1)) closed $back ready;" ]] || fail "in another domain: $(list)"

# --- the program of those who write drivers
[[ $(D --help) == *"create [-b BACKEND] DOMAIN CLASS"* ]] || fail "--help"
[[ $(D classes) == *"     0x101 counter"*"0xffffffff last"* && $(D classes) != *five* &&
	$(D --json classes) == *'{"class":257,"name":"counter"}'* ]] || fail "$(D classes)"
id=$(D create -b back web counter 1 "$work/blob")
[[ $(D list web | awk -v id="$id" '$1 == id { print $2, $3, $6, $8 }') == \
	"0x101 1 $back counter" ]] ||
	fail "$(D list)"
[[ $(D --json list web) == '[{"device":'*'"class_name":"counter"'*'"back_state":"ready"}]' ]] ||
	fail "$(D --json list)"
D configure "$id" "$work/blob"
dbad "$work/large: a file of 1 to 256 bytes is expected" configure "$id" "$work/large"
dbad "domain $((back + 1)) has a device of class 0x101 with index 1 already" create web counter 1
dbad "there is no domain named lost" create lost 0x101
dbad "lamp: a class is expected: a number such as 0x101, or a name" create web lamp
dbad "create: DOMAIN CLASS [INDEX [CONFIG]] is expected (see parvus-device --help)" create web
dbad "frob: create, configure, remove, list or classes is expected" frob
dbad "-b back is of create, not of list" -b back list
dbad "x: the id of a device is expected" remove x
dbad "--frob: an option of --help is expected" --frob list
D remove "$id"
dbad "remove device $id: No such" remove "$id"
P destroy web
P destroy back
clean
exit 0
