#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What has broken down is there after a reset: a panic of the hypervisor, by its own panic=reboot
# or by bootwatch=, and one of domain 0, whose last lines are kept with it. The next start reads it
# by "parvus dmesg --previous", a kernel of the bare machine as a record of its ramoops. A panic is
# on the screen, too; NMIs are logged.
# @timeout 500
. tests/system/lib.bash
record=$work/record
python3 tests/system/prog/record.py "$record" || exit 1

# Linux alone, on a machine that has that in its memory
DEMO=0 NATIVE=1 QEMU_ARGS="-device loader,file=$record,addr=0x90000,force-raw=on" \
	ARGS="ramoops.mem_address=0x90000 ramoops.mem_size=0x8000 ramoops.record_size=0x8000 \
		ramoops.console_size=0 ramoops.ftrace_size=0 ramoops.pmsg_size=0" \
	guest 'mount -t pstore pstore /root && cat /root/dmesg-ramoops-0'
[[ $rc == 0 && $out == *'panic: machine check in bank'* && $out == *'parvus: panic'* ]] ||
	fail "pstore: status $rc: $out"

# Domain 0 panics once, and finds it when it comes again; -c forgets it.
show='if parvus dmesg --previous -c >/tmp/last; then
	cat /tmp/last
	parvus dmesg --previous && exit 3
	parvus dmesg --previous --json && exit 4
	exit 0
fi
echo "before the end" >/dev/kmsg
echo c >/proc/sysrq-trigger'
DEMO=0 HV_ARGS=panic=reboot QEMU_ARGS="-action reboot=reset" domain0 "$show"
[[ $rc == 0 ]] || fail "domain 0: status $rc: $out"
for part in 'Broke down at 20' 'Parvus, ABI' 'd0) guest: .*before the end' \
	'guest: panic: sysrq triggered crash' 'guest: .*Call Trace' \
	'parvus: end domain=0 .*reason=crash .*why="panic: sysrq'; do
	grep -q "$part" <<<"$out" || fail "no '$part' in: $out"
done
[[ $(grep -ac 'Parvus, ABI' "$work/debug") == 2 ]] || fail "not two starts"

# What is in memory may be anything.
. tests/system/fake.bash
export PARVUS_MEM=$work/mem
bad "cannot open $PARVUS_MEM" dmesg -p
bytes() { printf "$1" | dd of="$PARVUS_MEM" bs=1 seek="$2" conv=notrunc status=none; }
truncate -s $((0x98000)) "$PARVUS_MEM"
bad "no start before this one has left a record" dmesg -p
dd if="$record" of="$PARVUS_MEM" bs=4096 seek=$((0x90)) conv=notrunc status=none
P dmesg -p | grep -q 'panic: machine check in bank' || fail "the record in a file"
P dmesg -p --json | grep -q '"time"' || fail "as JSON"
bad "does not go with" dmesg -p -f
bytes '\xff\xff\xff\xff' $((0x90008))
bad "no start before this one" dmesg -p
bytes '\x20\0\0\0' $((0x90008))
bytes '\x21\0\0\0' $((0x90004))
bad "no start before this one" dmesg -p
bytes '\0\0\0\0' $((0x90004))
bytes '====x' $((0x9000c))
bad "is damaged" dmesg -p
# a ring that begins in its middle, with bytes that are not for a terminal
bytes 'b\nc\033d' $((0x9000c))
bytes '====7.000000-D\n\0a' $((0x90011))
bytes '\x05\0\0\0\x16\0\0\0' $((0x90004))
[[ $(P dmesg -p) == *'1970-01-01 00:00:07 UTC'*$'\n?ab\nc?d' ]] || fail "a ring: $(P dmesg -p)"
P dmesg -p -c >/dev/null
bad "no start before this one" dmesg -p
truncate -s $((0x90010)) "$PARVUS_MEM"
bad "cannot read the machine's memory" dmesg -p
exit 0
