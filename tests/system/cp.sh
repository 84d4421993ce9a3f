# SPDX-License-Identifier: GPL-2.0-only
# @timeout 600
# parvus cp into a domain and out of it: files of all sizes and bytes, folders with modes, links
# and odd names, files that say no size; what is wrong is one line, and whatever ends it, ^C and
# SIGKILL, nothing half-made stays at either end.
. tests/system/lib.bash

control "$(cat <<'END'
domain web 64
until_true 60 "parvus cp web:/proc/version v >/dev/null 2>&1"
sum() { md5sum <"$1" | cut -d' ' -f1; }
left() { # none of the parts, here and there
	[ -z "$(find /tmp -name '.parvus-cp.*')" ] || fail "left here: $(find /tmp -name '.par*')"
	[ "$(ask web 'find / /tmp -xdev -name ".parvus-cp.*" | wc -l')" = 0 ] || fail "left there"
}
[ "$(cat v)" = "$(ask web cat /proc/version)" ] || fail "/proc/version: $(cat v)"
devices() { parvus device-list web | grep -c STRM; parvus device-list web | grep -c 0x5354524d; }

step "files of all sizes, there and back"
for n in 0 1 4095 16384 65536 65537 3000001; do
	head -c $n /dev/urandom >file
	P cp file web:/tmp/in
	P cp web:/tmp/in back
	[ "$(sum file)" = "$(sum back)" ] || fail "$n bytes: $(ls -l file back)"
	[ "$(ask web 'md5sum </tmp/in | cut -d" " -f1')" = "$(sum file)" ] || fail "$n bytes there"
done
P cp --json web:/tmp/in back | tr -d ' \n' | grep -q '"bytes":3000001,"entries":1' || fail "json"

step "modes, folders, links, odd names"
mkdir -p "tree/a b/-c" tree/empty tree/closed
printf 'x\0y\n' >"tree/a b/-c/$(printf 'new\nline')"
echo one >tree/ro; chmod 400 tree/ro
echo two >tree/prog; chmod 751 tree/prog
echo in >tree/closed/in; chmod 500 tree/closed
ln -s ../none tree/link
: >"tree/it's \$HOME"
chmod 705 tree
list() { (cd "$1" && find . | sort | tr '\n' ' ' && find . -type f -exec md5sum {} + | sort &&
	ls -lR . | awk '{ print $1 }' | sort && readlink link); }
P cp tree web:/root
P cp web:tree tree2
[ "$(list tree)" = "$(list tree2)" ] || fail "$(list tree; echo ---; list tree2)"
[ "$(ask web 'stat -c %a /root/tree /root/tree/ro /root/tree/prog /root/tree/closed' |
	tr '\n' ' ')" = "705 400 751 500 " ] || fail "modes there"
mkdir dir
P cp --recursive --max 1g --timeout 30 web:/root/tree/ dir
[ "$(list tree)" = "$(list dir/tree)" ] || fail "into a folder"
P cp web:/root/tree/prog dir	# and a file, which is replaced as a whole
echo other >other
P cp other web:/root/tree/prog
P cp web:/root/tree/prog dir/prog
[ "$(cat dir/prog)" = other ] || fail "replaced: $(cat dir/prog)"
left

step "what is wrong is one line"
bad 1 "DOMAIN:PATH is expected for one of the two" cp a b
bad 1 "not for both" cp web:a web:b
bad 1 "there is no domain named none" cp none:a b
bad 1 "cp: none: No such file" cp none web:/tmp
bad 1 "in the domain: /none: No such file" cp web:/none x
bad 1 "in the domain: /tmp/no/: there is no such folder" cp file web:/tmp/no/
bad 1 "in the domain: /tmp/no/: No such file" cp file web:/tmp/no/in
bad 1 "in the domain: /dev/zero: is no file and no folder" cp web:/dev/zero x
bad 1 "in the domain: tree: is there already, and is a folder" cp tree web:/root
bad 1 "cp: tree: is there already, and is a folder" cp web:tree .
bad 1 "more than 1048576 bytes" cp -m 1 web:/tmp/in x
bad 1 "more than 1048576 bytes" cp -m 1 file web:/tmp/x
mkfifo fifo
bad 1 "fifo: is no file and no folder" cp fifo web:/tmp/x
bad 1 "domain 0 is this one" cp Domain-0:/etc/passwd x
P pause web
bad 1 "is paused" cp web:/tmp/in x
P unpause web
[ ! -e x ] && [ "$(ask web '[ -e /tmp/x ] || echo none')" = none ] || fail "something was made"
left

step "ended in the middle"
ask web 'mkdir /tmp/full; mount -t tmpfs -o size=1m tmpfs /tmp/full' >/dev/null
bad 1 "No space left" cp file web:/tmp/full/in
[ "$(ask web 'ls -A /tmp/full | wc -l')" = 0 ] || fail "left in the full file system"
dd if=/dev/zero of=large bs=1M count=40 2>/dev/null
for signal in INT TERM KILL; do
	parvus cp large web:/dev/shm/large 2>cp.err & pid=$!
	until_true 20 "ask web 'find /dev/shm -name .parvus-cp.* -size +100k | wc -l' | grep -q 1"
	kill -$signal $pid
	wait $pid && fail "SIG$signal: it succeeded"
	[ $signal = KILL ] || grep -q "stopped: /dev/shm/large is as it was" cp.err ||
		fail "$(cat cp.err)"
	until_true 20 "[ \"\$(ask web 'ls -A /dev/shm | wc -l')\" = 0 ]"
done
P cp file web:/dev/shm/large	# and the next one goes as if nothing had been
[ "$(parvus device-list web | wc -l)" = 1 ] || fail "devices: $(parvus device-list web)"
rm file large
mkdir out
ask web 'dd if=/dev/zero of=/dev/shm/large bs=1M count=24 2>/dev/null' >/dev/null
parvus cp web:/dev/shm/large out 2>cp.err & pid=$!
until_true 20 "find out -name '.parvus-cp.*' -size +100 | grep -q ."
kill -INT $pid
wait $pid && fail "SIGINT: it succeeded"
[ -z "$(ls -A out)" ] || fail "left: $(ls -A out)"
# the domain ends in the middle
parvus cp web:/dev/shm/large out 2>cp.err & pid=$!
until_true 20 "find out -name '.parvus-cp.*' -size +100 | grep -q ."
P destroy web
wait $pid && fail "it succeeded without a domain"
[ "$(wc -l <cp.err)" = 1 ] && [ -z "$(ls -A out)" ] || fail "$(cat cp.err; ls -A out)"

step "no agent"
ramdisk none "killall parvus-agent; echo NOBODY; sleep 1000"
P create -q name=none kernel=$K ramdisk=none memory=48 extra="console=hvc0 quiet panic=-1"
until_true 60 "says none | grep -q NOBODY"
bad 1 "parvus-agent has to run there" cp none:/etc/passwd x
[ "$(parvus device-list none | wc -l)" = 1 ] || fail "devices: $(parvus device-list none)"
P destroy none
END
)"
