# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# Memory of domain Us: a frame costs when it is touched, balloons follow mem-set, mem-max
# limits, overcommit is asked for, and who finds no frame waits for one. Before a guest kills a
# program it takes some of its balloon again, up to mem-max and what nobody was promised.
. tests/system/lib.bash

MEM=1G DOM0_MEM=256M control "$(cat <<'END'
kib() { field "$1" $2; }
guest_total() { ask u 'sed -n "s/^MemTotal: *\([0-9]*\).*/\1/p" /proc/meminfo'; }
warm
before=$(account)
free=$(kib free_memory_kib)

step "1024 MiB that are not used cost little"
P create -q name=u kernel=$K ramdisk=listen memory=1024 overcommit=1 \
	extra="console=hvc0 quiet loglevel=4 panic=-1"
ask u true || fail "no answer"
touched=$(kib touched_kib u)
cost=$((free - $(kib free_memory_kib)))
echo "touched $touched KiB, the machine has $cost KiB less"
[ $touched -lt 204800 ] || fail "touched $touched KiB"
[ $cost -lt 204800 ] || fail "the machine has $cost KiB less"
[ $((cost + 20480)) -gt $touched ] || fail "touched $touched KiB cost only $cost"
[ "$(kib memory_kib u)" = 1048576 ] || fail "memory: $(kib memory_kib u)"
P destroy u
balanced "$before"

step "mem-set down and up, mem-max"
domain u 256
full=$(guest_total)
ask u 'dd if=/dev/zero of=/tmp/x bs=1M count=100 2>/dev/null; rm /tmp/x'
used=$(kib free_memory_kib)
P mem-set u 64
until_true 30 '[ "$(kib memory_kib u)" = 65536 ]'
small=$(guest_total)
[ $((full - small)) -gt 190000 ] || fail "the guest has $small of $full KiB"
[ $(($(kib free_memory_kib) - used)) -gt 60000 ] && [ $(kib touched_kib u) -le 65536 ] ||
	fail "the machine got $(($(kib free_memory_kib) - used)) KiB"
[ "$(ask u 'cat /sys/hypervisor/parvus/memory/current')" = 65536 ] ||
	fail "the guest sees another number"
ask u 'dd if=/dev/zero of=/tmp/x bs=1M count=20 2>/dev/null; rm /tmp/x' || fail "no 20 MiB in 64"
P mem-set u 256m
until_true 30 '[ "$(kib memory_kib u)" = 262144 ]'
[ "$(guest_total)" = "$full" ] || fail "$(guest_total) KiB came back, not $full"
ask u 'dd if=/dev/zero of=/tmp/x bs=1M count=100 2>/dev/null; md5sum </tmp/x; rm /tmp/x' |
	grep -q 2f282b84e7e608d5852449ed940bfc51 ||
	fail "memory that came back is not good"
bad 1 "may have 256 MiB at most" mem-set u 257
bad 1 "has 256 MiB now: mem-set first" mem-max u 255
P mem-set u 128
until_true 30 '[ "$(kib memory_kib u)" = 131072 ]'
P mem-max u 128
bad 1 "may have 128 MiB at most" mem-set u 129
P mem-max u 200
P mem-set u 200
until_true 30 '[ "$(kib memory_kib u)" = 204800 ]'
bad 1 "is the control domain" mem-set 0 100
P destroy u
balanced "$before"

step "maxmem above memory"
domain u 64 maxmem=160
until_true 30 '[ "$(kib memory_kib u)" = 65536 ]'
small=$(guest_total)
# what it gave back may be promised to others; then it is told no
rest=$((($(kib free_memory_kib) - $(kib claimed_memory_kib)) / 1024 - 60))
domain f $rest -p
bad 1 "are more than what is free and not promised" mem-set u 160
P destroy f
P mem-set u 160
until_true 30 '[ "$(kib memory_kib u)" = 163840 ]'
[ $(($(guest_total) - small)) -gt 90000 ] || fail "it did not grow: $small, $(guest_total)"
P destroy u
balanced "$before"

step "who would kill a program for want of memory takes some back first"
eats() {
	ask u 'echo 1 >/proc/sys/vm/overcommit_memory'
	ask u "dd if=/dev/zero of=/dev/null bs=${1}M count=1 2>&1; dmesg | grep 'Out of memory'"
}
domain u 64 maxmem=192
until_true 30 '[ "$(kib memory_kib u)" = 65536 ]'
eats 100 >said.u
grep -q '1+0 records out' said.u && ! grep -q 'Out of memory' said.u || fail "$(cat said.u)"
[ "$(kib memory_kib u)" -gt 65536 ] || fail "100 MiB fit into 64"
P mem-set u 64		# what it took is not its own
until_true 60 '[ "$(kib memory_kib u)" = 65536 ]'
# what others were promised is theirs
rest=$((($(kib free_memory_kib) - $(kib claimed_memory_kib)) / 1024 - 12))
domain f $rest -p
eats 100 >said.u || true
grep -q 'Out of memory' said.u || fail "without a frame to be had: $(cat said.u)"
P destroy f
# and beyond mem-max there is nothing
ask u 'dmesg -c >/dev/null'
P mem-set u 64
until_true 60 '[ "$(kib memory_kib u)" = 65536 ]'
P mem-max u 64
eats 100 >said.u || true
grep -q 'Out of memory' said.u || fail "above mem-max: $(cat said.u)"
[ "$(kib memory_kib u)" = 65536 ] || fail "it has $(kib memory_kib u) KiB"
P destroy u
balanced "$before"

step "promises: what is not free is refused, or asked for"
bad 1 "are free and not promised (overcommit=1 to do it all the same)" \
	create name=big kernel=/idle memory=1000
domain a 500 -p
[ "$(kib promised_memory_kib)" -gt 450000 ] || fail "promised: $(kib promised_memory_kib)"
bad 1 "are free and not promised" create name=b kernel=/idle memory=500
[ "$(field domains)" = 2 ] || fail "something was left"

step "who finds no frame waits, and goes on when there is one"
P destroy a
domain b 400
domain c 500 --overcommit
fill='mount -o remount,size=100% /tmp; dd if=/dev/zero of=/tmp/x bs=1M count='
echo "${fill}300; echo filled; cat /tmp/x | md5sum" >fill.b
echo "${fill}400; echo filled; cat /tmp/x | md5sum" >fill.c
# c takes all that nobody claimed, and waits; what b was given is its own all the same
parvus console c <fill.c >said.c 2>&1 &
until_true 30 '[ "$(kib waits_for_memory c)" = true ]'
parvus console b <fill.b >said.b 2>&1 &
until_true 60 "grep -q '^[0-9a-f]\{32\}  -' said.b"
[ "$(kib waits_for_memory b)" = false ] || fail "b waits for memory"
waits=c other=b
P list -v $waits | grep -q 'waits for memory$' || fail "list -v: $(parvus list -v)"
grep -q ^filled said.$waits && fail "$waits has all"
P destroy $other
until_true 30 '[ "$(kib waits_for_memory $waits)" = false ]'
until_true 60 "grep -q '^[0-9a-f]\{32\}  -' said.$waits"
sum=$(sed -n 's/^\([0-9a-f]\{32\}\)  -.*/\1/p' said.$waits)
[ "$sum" = "$(dd if=/dev/zero bs=1M count=$([ $waits = b ] && echo 300 || echo 400) 2>/dev/null |
	md5sum | cut -d' ' -f1)" ] ||
	fail "the memory that came late is not good: $sum"
P destroy $waits
balanced "$before"
END
)"
