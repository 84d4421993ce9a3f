# SPDX-License-Identifier: GPL-2.0-only
# Entropy devices: a domain U reads random bytes that domain 0 sends, from a back end in the kernel
# and from a program; back ends go, also by kill -9, and come; front ends go and come; each end
# closes the device when the other one lies. Started by make test, from the root of the tree.
. tests/system/lib.bash

out=$O/pv-drivers/entropy
mkdir -p "$work/root/drv" "$work/u/drv"
cp "$out/modules/entropy_back.ko" "$out/entropy-server" "$out/entropy-hostile" "$work/root/drv" ||
	exit 99
cp "$out/modules/entropy_front.ko" "$out/entropy-hostile" "$work/u/drv" || exit 99
(cd "$work/u" && find . | cpio -o -H newc --quiet) >"$work/root/drv/u.cpio"

TIMEOUT=${TIMEOUT:-280} control "$(cat <<'END'
class=0x100
cat /drv/u.cpio >>listen	# what every domain U here begins with
index=0
device() { # another one for u; its id in $id
	index=$((index + 1))
	id=$(parvus-device create u $class $index) || fail "parvus-device create"
}
state() { cat /sys/bus/parvus/devices/$id-back/state; }
connected() { until_true 10 '[ "$(state)" = connected ]'; }
U() { ask u "$1" || fail "in u: $1"; }
server() {
	/drv/entropy-server --device $id 2>server.err &
	server=$!
}
reads() { # 4000 bytes in u: none is missing, and they are not always the same ones
	[ "$(U 'head -c 4000 /dev/hwrng | wc -c')" = 4000 ] || fail "u reads too few bytes"
	[ "$(U 'head -c 64 /dev/hwrng | md5sum')" != "$(U 'head -c 64 /dev/hwrng | md5sum')" ] ||
		fail "u reads the same twice"
}

warm
before=$(account)
domain u 64

step "a back end in the kernel"
insmod /drv/entropy_back.ko || fail "insmod entropy_back"
U "insmod /drv/entropy_front.ko"
device
connected
reads

step "no back end: who reads waits; then a program"
rmmod entropy_back
U 'head -c 32 /dev/hwrng >/tmp/waits & sleep 1; [ ! -s /tmp/waits ]'
server
connected
until_true 10 'ask u "[ -s /tmp/waits ]"'
reads

step "kill -9 of the program, again and again"
U 'while [ ! -f /tmp/stop ]; do head -c 1000 /dev/hwrng | wc -c; done >/tmp/many & true'
for i in 1 2 3 4 5 6; do
	usleep 200000
	kill -9 $server
	wait $server 2>/dev/null
	server
	connected
done
U '>/tmp/stop; wait; grep -q 1000 /tmp/many && ! grep -v 1000 /tmp/many'

step "people hear why: it hangs, it goes on, it is away"
reason() { ask u "cat /sys/bus/parvus/devices/$id-front/reason"; }
[ -z "$(reason)" ] || fail "a device that works: $(reason)"
kill -STOP $server
U 'head -c 32 /dev/hwrng >/tmp/late & true'
until_true 30 'reason | grep -q "^hangs: domain 0 does not answer"'
kill -CONT $server
until_true 10 '[ -z "$(reason)" ]'
kill -9 $server
wait $server 2>/dev/null
until_true 10 'reason | grep -q "^away: no back end"'
server
connected
until_true 10 '[ -z "$(reason)" ]'

step "the front end goes and comes"
U "rmmod entropy_front"
until_true 10 '[ "$(state)" = ready ]'
U "insmod /drv/entropy_front.ko"
connected
reads

step "the device goes: the program ends"
parvus-device remove $id || fail "parvus-device remove"
wait $server || fail "the server: status $?: $(cat server.err)"

step "back ends that lie"
for lie in id status index twice version; do
	device
	/drv/entropy-hostile back $lie >lie.out &
	lie_pid=$!
	# who has no answer yet asks this one, or somebody does as soon as it is there
	U 'for i in $(seq 40); do head -c 16 /dev/hwrng >/dev/null 2>&1 && break; usleep 300000; done & true'
	wait $lie_pid || fail "a back end with a false $lie: $(cat lie.out)"
	parvus-device remove $id
done
U "rmmod entropy_front"

step "a greedy front end, of the kernel and of the program, starves nobody"
echo 0 >/sys/devices/system/cpu/cpu1/online	# all have to share one
for kind in kernel program; do
	device
	[ $kind = kernel ] && insmod /drv/entropy_back.ko
	[ $kind = program ] && server
	until_true 10 '[ "$(state)" = ready ]'
	ask u "/drv/entropy-hostile front greedy" >greedy.out &
	asking=$!
	until_true 20 '[ "$(cat /sys/bus/parvus/devices/$id-back/peer_state)" = connected ]'
	share 5 >share.out
	read -r own real <share.out
	kill -0 $asking 2>/dev/null || fail "$kind: no program had a turn until it was over"
	wait $asking || fail "$kind: greedy: $(cat greedy.out)"
	echo "$kind: $(cat greedy.out); a program has $own of 100, real-time threads $real"
	[ $own -ge 20 ] || fail "$kind: a program has $own of 100 of the CPU"
	[ $real -le 3 ] || fail "$kind: threads that go before all programs have $real of 100"
	parvus-device remove $id
	if [ $kind = kernel ]; then rmmod entropy_back; else wait $server; fi
done
echo 1 >/sys/devices/system/cpu/cpu1/online

step "front ends that lie, to the kernel and to the program"
for kind in kernel program; do
	for lie in honest bytes place index directory reference port; do
		device
		[ $kind = kernel ] && insmod /drv/entropy_back.ko
		[ $kind = program ] && server
		until_true 10 '[ "$(state)" = ready ]'
		U "/drv/entropy-hostile front $lie"
		[ $lie = honest ] || [ "$(state)" = closed ] ||
			fail "$kind: a front end with a false $lie: $(state)"
		parvus-device remove $id
		if [ $kind = kernel ]; then
			rmmod entropy_back
		else
			wait $server || fail "the server: status $?: $(cat server.err)"
		fi
	done
done
dmesg | grep -q "closed: domain .* breaks the protocol" || fail "the back end does not say it"
U '! dmesg | grep -iE -A15 "call trace|WARNING:|BUG:|hung task|Oops:"'
P destroy u
until_true 10 'gone u'
balanced "$before"
END
)"
