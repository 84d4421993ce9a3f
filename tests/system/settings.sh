# SPDX-License-Identifier: GPL-2.0-only
# Bad settings give one clear line on stderr and a status that is not 0; nothing is started.
# The command's own status comes through, and ARGS reaches the kernel.
. tests/system/lib.bash

bad() { # NAME=VALUE...: what tools/run says must name the setting
	local err rc name=${1%%=*}
	err=$(env CMD=true "$@" timeout 20 tools/run 2>&1 >/dev/null)
	rc=$?
	[[ $rc != 0 ]] || fail "$*: accepted"
	[[ $(wc -l <<<"$err") == 1 && $err == *"$name"* ]] || fail "$*: says: $err"
}
bad CPUS=0
bad CPUS=two
bad CPUS=65
bad VCPUS=-1
bad VCPUS=999
bad MEM=lots
bad MEM=1M
bad MEM=99999G
bad CPU=nonsense
# A KVM that interprets ring 0 is none: the machine's own emulator says which instruction it lacks.
ACCEL=kvm CMD=true tools/run >/dev/null 2>&1 || bad ACCEL=kvm
bad BOOT=floppy
bad INITRD=/nonexistent
bad KERNEL=/nonexistent
bad BUNDLE=/nonexistent
bad ICOUNT=shift=11
bad ICOUNT=shift=x
bad TIMEOUT=x
bad INITRD=/dev/zero
bad INITRD="$work"
mkfifo "$work/fifo"
bad KERNEL="$work/fifo"
bad BUNDLE="$work/fifo"
bad HV_ARGS=frobnicate
bad HV_ARGS="debug=1 loud=1"
bad HV_ARGS="loglevel=loud"
bad HV_ARGS="debug"
HV_ARGS="debug=1 loglevel=debug smt=on isolation=off" tools/run --check || fail "HV_ARGS that are right"
err=$(QEMU=qemu-system-nowhere CMD=true tools/run 2>&1) && fail "a missing QEMU is accepted"
[[ $(wc -l <<<"$err") == 1 && $err == *missing* ]] || fail "a missing QEMU: $err"
err=$(O=/proc/nowhere CMD=true tools/run 2>&1) && fail "an unwritable build folder is accepted"
[[ $(wc -l <<<"$err") == 1 && $err == *"cannot write"* ]] || fail "unwritable folder: $err"

for status in 0 1 42 255; do
	guest "exit $status"
	[[ $rc == "$status" ]] || fail "status $status came back as $rc"
done
ARGS="parvus.test=hello" guest 'cat /proc/cmdline'
[[ $out == *parvus.test=hello* ]] || fail "ARGS did not arrive: $out"
guest 'echo out; echo err >&2'
[[ $out == $'out\nerr' ]] || fail "output is: $out"
guest 'echo c >/proc/sysrq-trigger'
[[ $rc == 126 ]] || fail "a guest's panic gave status $rc"
NATIVE=1 guest 'ls -d /sys/hypervisor; exit 9'
[[ $rc == 9 ]] || fail "NATIVE=1: status $rc: $out"
