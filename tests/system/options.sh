# SPDX-License-Identifier: GPL-2.0-only
# @timeout 200
# The hypervisor's command line says what domain 0 gets, whatever its bundle says; what nobody knows
# is named in the log, and the machine starts.
. tests/system/lib.bash

HV_ARGS="dom0_vcpus=1 dom0_mem=50%,min:128M,max:200M" CPUS=2 DOM0_MEM=256M DEMO=0 \
	domain0 'nproc; sed -n "s/^MemTotal: *//p" /proc/meminfo'
[[ $rc == 0 && $out =~ ^1$'\n'([0-9]+)' kB'$ ]] || fail "status $rc: $out"
((BASH_REMATCH[1] > 150 * 1024 && BASH_REMATCH[1] < 200 * 1024)) ||
	fail "domain 0 has ${BASH_REMATCH[1]} KiB of 200 MiB"
grep -aq 'd0 Domain-0: 200 MiB, 1 vCPU, ' "$work/debug" || fail "$(grep -a Domain-0 "$work/debug")"

# tools/run says what it knows; past it, the hypervisor does
cp "$O/tests/guest/timer" "$work/kernel" || exit 99
echo 'domain=options kernel=kernel mem=16M' >"$work/manifest"
(cd "$work" && printf '%s\n' manifest kernel | cpio -o -H newc --quiet) >"$work/bundle"
BUNDLE=$work/bundle MACHINE_MEM=128M DEBUG_LOG=$work/debug TIMEOUT=100 CPUS=1 \
	QEMU_ARGS="-append colour=red" tools/run >"$work/out" 2>&1 </dev/null
grep -aq "end domain=0 .*reason=poweroff status=0" "$work/debug" || fail "$(cat "$work/out")"
[[ $(grep -a 'warning: ' "$work/debug") == *'boot: unknown option: colour=red' ]] ||
	fail "warnings: $(grep -a 'warning: ' "$work/debug")"
exit 0
