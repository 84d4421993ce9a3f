# SPDX-License-Identifier: GPL-2.0-only
# @timeout 240
# A front end that always has more to do than domain 0 can do starves nobody there, with one CPU for
# its kernel, the back end, and programs: of a disk and of an interface that the kernel serves, of
# a disk that a program serves. A program that wants the CPU as well has its share of it, and
# nothing that works for the front end goes before all programs. (The entropy device:
# system/skeleton. Rule 105.)
. tests/system/lib.bash

abi="-Ipv-abi/include -Ipv-drivers/ring -I$O/gen"
mkdir -p "$work/root/usr/bin"
for p in diskpeer netevil; do
	program $p "$abi"
	cp "$O/tests/prog/$p" "$work/root/usr/bin"
done
export CPUS=2 ARGS="brd.rd_nr=1 brd.rd_size=32768 ${ARGS:-}"
TIMEOUT=${TIMEOUT:-220} control "$(cat <<'END'
{
	dd if=listen bs=512 conv=sync 2>/dev/null
	(cd / && printf '%s\n' usr usr/bin usr/bin/diskpeer usr/bin/netevil |
		cpio -o -H newc 2>/dev/null)
} >listen.new
mv listen.new listen
D=/sys/bus/parvus/devices
device() { # CLASS INDEX: its id
	for d in $D/*-back; do
		[ "$(cat $d/class)" = $1 ] && [ "$(cat $d/index)" = $2 ] && basename $d -back
	done
}
state() { cat $D/$1-back/state; }

parvus network-nat start 2>/dev/null || fail "network-nat start"
warm
before=$(account)
dd if=/dev/zero of=b.img bs=1M count=4 2>/dev/null
domain u 96 "disk=['/dev/ram0,raw,xvda,rw','vdev=xvdb,backendtype=program,target=$PWD/b.img']
vif=['']"
until_true 20 "ask u '[ -b /dev/xvda ] && [ -b /dev/xvdb ] && [ -d /sys/class/net/eth0 ]'"
echo 0 >/sys/devices/system/cpu/cpu1/online	# all have to share one

greedy() { # WHAT DRIVER PROGRAM ID
	ask u "echo $4-front >/sys/bus/parvus/drivers/$2/unbind" >said || fail "unbind: $(cat said)"
	until_true 10 "[ \"\$(state $4)\" = ready ]"
	ask u "$3 front $4 greedy" >greedy.out &
	asking=$!
	until_true 20 "[ \"\$(cat $D/$4-back/peer_state)\" = connected ]"
	share 5 >share.out
	read -r own real <share.out
	kill -0 $asking 2>/dev/null || fail "$1: no program had a turn until it was over"
	wait $asking || fail "$1: greedy: $(cat greedy.out)"
	echo "$1: $(head -1 greedy.out); a program has $own of 100, real-time threads $real"
	[ "$(sed -n 's/ .*//p' greedy.out | head -1)" -gt 100 ] || fail "$1: $(cat greedy.out)"
	[ $own -ge 20 ] || fail "$1: a program has $own of 100 of the CPU"
	[ $real -le 3 ] || fail "$1: threads that go before all programs have $real of 100"
}
step "a disk that the kernel serves"
greedy disk block-front diskpeer "$(device 2 0)"
step "a disk that a program serves"
greedy program block-front diskpeer "$(device 2 1)"
step "an interface"
greedy interface network-front netevil "$(device 3 0)"

echo 1 >/sys/devices/system/cpu/cpu1/online
P destroy u
until_true 10 'gone u'
balanced "$before"
END
)"
