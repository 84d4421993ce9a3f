# SPDX-License-Identifier: GPL-2.0-only
# @timeout 600
# What becomes of one device is not the others' concern, and what passes is not final: a disk
# that hangs while others are attached; ends that find no event port when they connect; a
# front end that lies, to the kernel or to a program, and is not believed by the next one.
. tests/system/lib.bash

abi="-Ipv-abi/include -Ipv-drivers/ring -I$O/gen"
mkdir -p "$work/root/usr/bin"
for p in exhaust diskpeer dm; do
	program $p "$abi"
	cp "$O/tests/prog/$p" "$work/root/usr/bin"
done
export ARGS="brd.rd_nr=2 brd.rd_size=32768 ${ARGS:-}"
TIMEOUT=${TIMEOUT:-560} control "$(cat <<'END'
{
	dd if=listen bs=512 conv=sync 2>/dev/null
	(cd / && printf '%s\n' usr usr/bin usr/bin/exhaust usr/bin/diskpeer |
		cpio -o -H newc 2>/dev/null)
} >listen.new
mv listen.new listen
D=/sys/bus/parvus/devices
U() { ask u "$@" >said || fail "in u: $*: $(cat said)"; cat said; }
there() { until_true 20 "ask u '[ -b /dev/$1 ]'"; }
device() { # CLASS INDEX: its id
	for d in $D/*-back; do
		[ "$(cat $d/class)" = $1 ] && [ "$(cat $d/index)" = $2 ] && basename $d -back
	done
}
state() { cat $D/$1-back/state; }
connected() { [ "$(state $1)" = connected ] && [ "$(cat $D/$1-back/peer_state)" = connected ]; }
front() { # ID bind|unbind [DRIVER]
	U "echo $1-front >/sys/bus/parvus/drivers/${3:-block-front}/$2"
}
reads() { U "dd if=/dev/$1 of=/dev/null bs=4k count=8 iflag=direct 2>/dev/null && echo read"; }

parvus network-nat start 2>/dev/null || fail "network-nat start"
warm
before=$(account)
dm create /dev/ram0 65536 || fail "dm create"
until_true 5 '[ -b /dev/dm-0 ]'
for f in b.img c.img; do dd if=/dev/zero of=$f bs=1M count=4 2>/dev/null; done
domain u 96 "disk=['/dev/dm-0,raw,xvda,rw','/dev/ram1,raw,xvdb,rw','vdev=xvdc,backendtype=program,target=$PWD/b.img']"
for d in xvda xvdb xvdc; do there $d; done
hung=$(device 2 0)
kernel=$(device 2 1)
program=$(device 2 2)

step "a disk that hangs, whose front end goes"
dm suspend || fail "dm suspend"
U 'dd if=/dev/zero of=/dev/xvda bs=4k count=4 oflag=direct >/dev/null 2>&1 & sleep 1'
front $hung unbind
usleep 500000
[ "$(state $hung)" = connected ] || fail "nothing hangs: $(state $hung)"
P block-attach u "$PWD/c.img,raw,xvdd,rw"
there xvdd
reads xvdd
P network-attach u bridge=parvus0
until_true 20 'ask u "[ -d /sys/class/net/eth0 ]"'
P block-detach u xvdd
[ "$(state $hung)" = connected ] || fail "it hangs no more: $(state $hung)"
dm resume || fail "dm resume"
until_true 20 "[ \"\$(state $hung)\" = ready ]"
front $hung bind
until_true 20 "connected $hung"
reads xvda
net=$(device 3 0)
until_true 20 "connected $net"

step "a front end without a port, which passes"
U 'exhaust >/tmp/exhaust 2>&1 & i=0; until grep -q exhausted /tmp/exhaust || [ $i = 100 ]; do usleep 100000; i=$((i + 1)); done; cat /tmp/exhaust'
for d in block:$kernel network:$net; do
	echo ${d#*:}-back >/sys/bus/parvus/drivers/${d%:*}-back/unbind
	sleep 1
	echo ${d#*:}-back >/sys/bus/parvus/drivers/${d%:*}-back/bind
done
kill -9 "$(cat /run/parvus/domains/$(P domid u)/server-2)"
sleep 5
for d in $kernel $program $net; do
	connected $d && fail "device $d has a port"
	[ "$(U "cat $D/$d-front/refused")" = 0 ] || fail "device $d: taken for a lie"
done
U 'killall exhaust'
for d in $kernel $program $net; do until_true 60 "connected $d"; done
reads xvdb
reads xvdc

step "back ends without a port, which passes"
# after the ports are gone: who comes back sooner still finds one
U "(sleep 12; cd /sys/bus/parvus/drivers; for d in block-front/ network-front/; do for i in $kernel $program $net; do [ -e \$d\$i-front ] && echo \$i-front >\$d/unbind && echo \$i-front >\$d/bind; done; done) >/dev/null 2>&1 & true"
exhaust >exhaust.out &
exhausting=$!
until_true 20 'grep -q exhausted exhaust.out'
for d in $kernel $program $net; do until_true 60 \
	"[ \"\$(cat $D/$d-back/peer_state) \$(state $d)\" = 'ready ready' ]"; done
sleep 4
for d in $kernel $program $net; do
	[ "$(state $d) $(cat $D/$d-back/refused)" = "ready 0" ] ||
		fail "device $d: $(state $d), or taken for a lie"
done
kill $exhausting
for d in $kernel $program $net; do until_true 60 "connected $d"; done
reads xvdb
reads xvdc

step "a lie is final, until somebody says otherwise"
for d in $kernel $program; do
	front $d unbind
	until_true 10 "[ \"\$(state $d)\" = ready ]"
	U "timeout 30 diskpeer front $d jump" | grep closed || fail "device $d: $(cat said)"
	front $d bind
	sleep 4
	[ "$(state $d) $(cat $D/$d-back/refused)" = "closed 1" ] || fail "device $d is $(state $d)"
done
# no program that stands by has it, either
/usr/lib/parvus/block-server --device $program 2>server.err &&
	fail "another program serves the liar"
grep -q "not permitted" server.err || fail "$(cat server.err)"
echo 1 >$D/$kernel-back/refused 2>/dev/null && fail "refused at will"
echo 0 >$D/$kernel-back/refused
until_true 20 "connected $kernel"
reads xvdb
echo 0 >$D/$program-back/refused
/usr/lib/parvus/block-server --device $program 2>server.err &
until_true 20 "connected $program"
reads xvdc

P destroy u
until_true 10 'gone u'
dm remove || fail "dm remove"
balanced "$before"
END
)"
