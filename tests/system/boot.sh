# SPDX-License-Identifier: GPL-2.0-only
# @timeout 900
# Linux boots and works with 1 and 2 vCPUs, on a full CPU model and on one without SMEP,
# FSGSBASE and 1 GiB pages, with one and with several host threads, by multiboot 1 and by
# PVH, and with more vCPUs than CPUs. dmesg is clean, all frames come back. FULL: ten each.
. tests/system/lib.bash

check='uname -srm; nproc; grep -c ^processor /proc/cpuinfo; cat /sys/hypervisor/type; '$DMESG
boot() { # VCPUS, then settings
	local n=$1 want
	shift
	guest "$check" || exit 1
	want=$(printf 'Linux 6.1.%s x86_64\n%d\n%d\nparvus' X "$n" "$n")
	[[ $rc == 0 && $(sed 's/^Linux 6\.1\.[^ ]* /Linux 6.1.X /' <<<"$out") == "$want" ]] ||
		fail "VCPUS=$VCPUS CPU=$CPU ACCEL=$ACCEL BOOT=$BOOT CPUS=$CPUS: status $rc, output:
$out"
}
rounds=1
[[ -n ${FULL:-} ]] && rounds=10
for ((round = 0; round < rounds; round++)); do
	for CPU in max qemu64; do
		for VCPUS in 1 2; do
			export CPU VCPUS CPUS=2 ACCEL=tcg,thread=multi BOOT=mb1
			boot $VCPUS
		done
	done
	export CPU=max VCPUS=2 CPUS=2 ACCEL=tcg,thread=single BOOT=mb1
	boot 2
	export VCPUS=1 CPUS=1 BOOT=pvh
	boot 1
	export VCPUS=4 CPUS=2 ACCEL=tcg BOOT=pvh
	boot 4
done
