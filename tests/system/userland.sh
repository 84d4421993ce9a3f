# SPDX-License-Identifier: GPL-2.0-only
# What programs see: both clock sources without a system call, 32-bit programs by int 0x80 and
# their forbidden instructions, transparent huge pages, memory management under threads and
# forks, signals with FPU state, all on two vCPUs with a clean dmesg.
. tests/system/lib.bash

program vdso
program thp
program mmstress
program fpu
program compat32 "-m32 -nostdlib -ffreestanding -fno-pie -fno-stack-protector -Wno-unused -no-pie"
user_space vdso thp mmstress fpu compat32
export CPUS=2 VCPUS=2 MEM=1G
guest 'set -e
for p in vdso thp "mmstress 4" fpu compat32; do echo "== $p"; $p; done
set +e; '"$DMESG"
echo "$out"
[[ $rc == 0 ]] || fail "status $rc"
[[ $out == *"compat32 ok"* && $out == *"vdso ok"* ]] || fail "a program said nothing"
ARGS=clocksource=parvus CPU=qemu64 guest 'vdso parvus && mmstress 2 && fpu && compat32'
[[ $rc == 0 ]] || fail "qemu64: status $rc: $out"
