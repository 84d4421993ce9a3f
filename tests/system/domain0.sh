# SPDX-License-Identifier: GPL-2.0-only
# What "make run" gives: domain 0 at machine addresses with a demo domain beside it; a
# throw-away domain's output and status; the real memory map, and nothing of what is not
# domain 0's. A domain U has no /dev/parvus/control. dmesg is clean in both.
. tests/system/lib.bash

unset GUEST
domain0 'parvus list; parvus run -- uname -a'
[[ $rc == 0 && $out == *$'\nDomain-0 '*$'\ndemo '*$'\nLinux '*'6.1.'*'-parvus '* ]] ||
	fail "status $rc: $out"

# statuses, output without dressing, the memory map
DEMO=0 domain0 'parvus run -- "echo one; echo two; exit 7"; echo $?
parvus run -- "ls -1 /dev/parvus; id -u; '"${DMESG//\"/\\\"}"'" || exit 1
grep -c "System RAM" /proc/iomem; grep -q "^00000000-.*Reserved" /proc/iomem || exit 1
parvus list | wc -l; '"$DMESG"
[[ $rc == 0 && $out == $'one\ntwo\n7\ndevice\nevent\ngrant\n0\n'[1-9]*$'\n2' ]] ||
	fail "status $rc: $out"

# what domain 0 may look at (firmware), and what it may not: the hypervisor's image, local and
# I/O APIC, memory that is free or another domain's
domain0 'for at in 0xf0000 0x100000 0xfee00000 0xfec00000 0x18000000 0x30000000; do
	dd if=/dev/mem bs=4096 skip=$((at / 4096)) count=1 2>/dev/null | wc -c
done'
[[ $rc == 0 && $out == $'4096\n0\n0\n0\n0\n0' ]] || fail "/dev/mem: status $rc: $out"
