# SPDX-License-Identifier: GPL-2.0-only
# @timeout 900
# Disks of a domain U that domain 0 serves: data is right at all sizes and block sizes, also
# when the back end is torn away twenty times; read-only, discard and zeroes, resize, limits,
# removal with I/O under way; neither end believes a lying other one, and other disks go on.
. tests/system/lib.bash

abi="-Ipv-abi/include -Ipv-drivers/ring -I$O/gen"
mkdir -p "$work/root/usr/bin"
for p in disk blockio diskpeer; do
	program $p "$abi"
	cp "$O/tests/prog/$p" "$work/root/usr/bin"
done
export ARGS="brd.rd_nr=64 brd.rd_size=32768 ${ARGS:-}"
TIMEOUT=${TIMEOUT:-800} control "$(cat <<'END'
# the programs in the domain's small user space, too
{
	dd if=listen bs=512 conv=sync 2>/dev/null
	(cd / && printf '%s\n' usr usr/bin usr/bin/disk usr/bin/blockio usr/bin/diskpeer |
		cpio -o -H newc 2>/dev/null)
} >listen.new
mv listen.new listen
B=/sys/bus/parvus/drivers/block-back

create() { # INDEX KEY=VALUE...: a disk for domain a; its id in $id
	id=$(disk create "$a" 0 "$@") || fail "disk create $*: $id"
	until_true 20 "connected $id"
}
connected() { [ "$(disk state "$1")" = "connected connected" ]; }
guest() { # COMMAND: in the domain; it has to work
	ask a "$@" >said || fail "a: $*: $(cat said)"
	cat said
}
is() { [ "$2" = "$3" ] || fail "$1: $2, not $3"; }
most() { [ "$2" -le "$3" ] && [ "$2" -ge $(($3 / 3)) ] || fail "$1: $2, not about $3"; }

domain a 128 vcpus=2
a=$(parvus domid a)

step "data"
create 0 name=xvda dev=/dev/ram0
one=$id
is size "$(guest cat /sys/block/xvda/size)" 65536
guest 'blockio keep /dev/xvda 3 && blockio same /dev/xvda 3'
blockio same /dev/ram0 3 || fail "the ram disk has something else"
guest 'blockio verify /dev/xvda 4 4 7'
guest 'mke2fs /dev/xvda >/dev/null 2>&1; mkdir /m; mount /dev/xvda /m &&
cp /usr/bin/disk /m && umount /m'
guest 'mount /dev/xvda /m && cmp /m/disk /usr/bin/disk && umount /m'

step "torn away"
ask a 'blockio verify /dev/xvda 10 4 8' >verify &
v=$!
sleep 1
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	usleep $((i * 37000 % 190000))
	echo $one-back >$B/unbind || fail "unbind $i"
	usleep $((i * 23000 % 70000))
	echo $one-back >$B/bind || fail "bind $i"
done
wait $v
grep 'blockio ok' verify || fail "torn away: $(cat verify)"

step "sixty at once"
for i in $(seq 4 63); do
	dd if=/etc/passwd of=/dev/ram$i 2>/dev/null
	echo "disk $i" | dd of=/dev/ram$i bs=512 seek=1 conv=sync 2>/dev/null
done
many=
for i in $(seq 4 63); do
	many="$many $(disk create "$a" 0 $i name=xvdm$i dev=/dev/ram$i)" || fail "disk $i"
done
for id in $many; do
	until_true 20 "connected $id"
done
guest 'for i in $(seq 4 63); do d=/dev/xvdm$i && dd if=$d bs=512 skip=1 count=1 2>/dev/null |
grep -q "^disk $i$" && echo seen $i >s && dd if=s of=$d bs=512 seek=2 conv=sync 2>/dev/null &&
sync $d || echo no $i; done'
is "of sixty disks" "$(cat said)" ""
for i in $(seq 4 63); do
	dd if=/dev/ram$i bs=512 skip=2 count=1 2>/dev/null | grep -q "^seen $i$" || fail "disk $i"
done
for id in $many; do
	disk remove "$id" || fail "disk remove $id"
done
until_true 20 '[ "$(guest "ls /sys/block | grep -c xvdm || true")" = 0 ]'

step "read-only, 4096-byte blocks, no medium"
dd if=/dev/zero of=img bs=1M count=16 2>/dev/null
losetup -f >/dev/null	# makes one
losetup -r /dev/loop0 img || fail losetup
create 1 name=xvdb dev=/dev/loop0 flags=1
guest 'cat /sys/block/xvdb/ro; blockio zeroes /dev/xvdb 0 16777216
dd if=/etc/passwd of=/dev/xvdb 2>/dev/null; [ $? != 0 ]'
is read-only "$(guest cat /sys/block/xvdb/ro)" 1
create 2 name=xvdc dev=none flags=2
empty=$id
is "no medium" "$(guest cat /sys/block/xvdc/size)" 0
disk configure $empty name=xvdc dev=/dev/loop0 flags=2 || fail configure
until_true 5 '[ "$(ask a cat /sys/block/xvdc/size)" = 32768 ]'
guest 'blockio zeroes /dev/xvdc 0 16777216'
disk configure $empty name=xvdc dev=none flags=2 || fail configure
until_true 5 '[ "$(ask a cat /sys/block/xvdc/size)" = 0 ]'

step "discard and zeroes"
dd if=/dev/zero of=img2 bs=1M count=16 2>/dev/null
losetup -f >/dev/null
losetup /dev/loop1 img2 || fail losetup
disk loop-block /dev/loop1 4096 || fail "block size"
create 3 name=xvdd dev=/dev/loop1
loop=$id
is "logical block" "$(guest cat /sys/block/xvdd/queue/logical_block_size)" 4096
guest 'blockio verify /dev/xvdd 3 2 9 && blockio keep /dev/xvdd 4'
guest 'blockio zero /dev/xvdd 1048576 2097152 && blockio zeroes /dev/xvdd 1048576 2097152'
guest 'blockio discard /dev/xvdd 8388608 4194304 && blockio zeroes /dev/xvdd 8388608 4194304'
[ "$(du -k img2 | cut -f1)" -lt 14000 ] || fail "discard has freed nothing: $(du -k img2)"
grep -q '^discard [1-9]' /sys/bus/parvus/devices/$loop-back/statistics || fail "no discards"

step "resize"
dd if=/dev/zero of=img2 bs=1M count=1 seek=23 conv=notrunc 2>/dev/null
disk loop-size /dev/loop1 || fail "loop size"
disk configure $loop name=xvdd dev=/dev/loop1 || fail configure
until_true 5 '[ "$(ask a cat /sys/block/xvdd/size)" = 49152 ]'
guest 'blockio verify /dev/xvdd 1 2 9'

step "limits"
disk configure $one name=xvda dev=/dev/ram0 iops=50
n=$(guest 'blockio read /dev/xvda 4096')
most "requests in a second" "$n" 60
disk configure $one name=xvda dev=/dev/ram0 bps=1048576
n=$(guest 'blockio write /dev/xvda 65536')
most "64 KiB in a second" "$n" 20
disk configure $one name=xvda dev=/dev/ram0
n=$(guest 'blockio read /dev/xvda 4096')
[ "$n" -gt 150 ] || fail "without a limit $n"

step "removal under I/O"
ask a 'blockio verify /dev/xvdd 30 2 1; echo status $?' >verify &
v=$!
sleep 1
disk remove $loop
wait $v
grep -q 'status 1' verify || fail "removal: $(cat verify)"
until_true 5 '! ask a ls /sys/block | grep -q xvdd'
losetup -d /dev/loop1 || fail "somebody has the loop device"
create 3 name=xvdd dev=/dev/ram3
guest 'mke2fs /dev/xvdd >/dev/null 2>&1; mount /dev/xvdd /m && cp /usr/bin/disk /m && echo ok'
disk remove $id
until_true 5 '! ask a ls /sys/block | grep -q xvdd'
guest 'umount /m; echo gone'

step "a lying front end"
create 4 name=xvde dev=/dev/ram1
ask a "blockio verify /dev/xvda 40 2 5" >verify &
v=$!
sleep 1
domain b 64
b=$(parvus domid b)
evil=$(disk create "$b" 0 0 name=xvda dev=/dev/ram2)
until_true 20 "connected $evil"
eval "$(forgive $evil-back)" &
ask b "echo $evil-front >/sys/bus/parvus/drivers/block-front/unbind; \
for k in \$(diskpeer front); do echo \$k: \$(timeout 30 diskpeer front $evil \$k 2>&1); done; \
for s in 2 3 4; do echo garbage: \$(timeout 30 diskpeer front $evil garbage \$s 2>&1); done" >said
cat said
[ "$(grep -c ': ' said)" = 35 ] || fail "not all lies were told"
grep '^good:' said | grep -v 'answered 0' && fail "the truth was not believed"
# an index of answers is looked at when the ring seems full, and at the beginning
grep '^answers-jump' said | grep -vE 'answered 0|: closed' && fail "an index of answers"
grep -E '^(end|wrap):' said | grep -v 'answered -22' && fail "beyond the end"
grep -vE '^(good|answers-jump|end|wrap|op|table-race):' said | grep -v ': closed' &&
	fail "a lie was believed"
wait $v
grep 'blockio ok' verify || fail "another disk: $(cat verify)"
P destroy b

step "a lying back end"
id=$(disk create "$a" 0 5 name=xvdf flags=4)
ask a "($(forgive $id-front)) >/dev/null 2>&1 & true"
for k in $(diskpeer back); do
	[ $k = good ] && continue
	diskpeer back $id $k >said 2>&1 &
	p=$!
	ask a '{ sleep 1; blockio loop read /dev/xvdf 4096 500; } >/dev/null 2>&1 & :' >/dev/null
	i=0
	while kill -0 $p 2>/dev/null && [ $i -lt 150 ]; do usleep 100000; i=$((i + 1)); done
	kill $p 2>/dev/null && fail "$k: believed"
	echo "$k: $(cat said)"
	grep -qE 'closed|refused' said || fail "$k: $(cat said)"
done
diskpeer back $id good >said 2>&1 &
p=$!
until_true 10 "connected $id"
guest 'blockio verify /dev/xvdf 3 2 6'
kill -9 $p
wait $p	# until then the device is its own, and nobody else may serve it
diskpeer back $id good >said 2>&1 &
p=$!
until_true 10 "connected $id || ! kill -0 $p"
kill -0 $p || fail "the second back end: $(cat said)"
guest 'blockio keep /dev/xvdf 6 && blockio same /dev/xvdf 6'
kill -9 $p
guest 'dmesg | grep -iE -A15 "call trace|WARNING:|BUG:|Oops:|hung task"; true' >said
[ -s said ] && fail "the domain's kernel complains: $(cat said)"
P destroy a

step "the root on a disk"
mke2fs /dev/ram0 >/dev/null 2>&1
mkdir /m
mount /dev/ram0 /m || fail mount
(cd /m && cpio -idm <$R 2>/dev/null && mkdir -p dev proc sys)
echo 'echo root: $(grep " / " /proc/mounts | tail -1); sync; mount -o remount,ro /' >/m/cmd
umount /m
P create -q -p name=r kernel=$K memory=64 \
	extra="console=hvc0 quiet panic=-1 root=/dev/xvda rw init=/init"
disk create "$(parvus domid r)" 0 0 name=xvda dev=/dev/ram0 >out || fail "$(cat out)"
P unpause r
until_true 30 'gone r'
grep 'root: /dev/root / ext4 rw' /var/log/parvus/console-r.log ||
	fail "$(tail -5 /var/log/parvus/console-r.log)"
END
)"
