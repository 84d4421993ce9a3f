# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 600
# Micro guests in Bochs, with one CPU and with two: x2APIC, the TSC deadline timer, and
# faults at what QEMU's TCG lets pass; PCIDs, though the CPU flushes all with each load of CR3.
# One old CPU model: the memory-mapped APIC there.
. tests/system/lib.bash
command -v bochs >/dev/null || { echo "no bochs"; exit 77; }
command -v grub-mkrescue >/dev/null || { echo "no grub-mkrescue"; exit 77; }

boot() { # GUEST CPUS MODEL [HV_ARGS]
	local vcpus
	vcpus=$(sed -n 's|^ \* @vcpus \(.*\)|\1|p' "tests/guest/$1.c")
	cp "$O/tests/guest/$1" "$work/kernel" || exit 99
	echo "domain=$1 kernel=kernel mem=16M vcpus=${vcpus:-1}" >"$work/manifest"
	(cd "$work" && printf '%s\n' manifest kernel | cpio -o -H newc --quiet) >"$work/bundle"
	CPUS=$2 CPU=$3 TIMEOUT=60 tools/bochs "$work/bundle" "${4-}" >"$work/debug" 2>"$work/err"
	local rc=$?
	((rc == 0)) || { cat "$work/debug" "$work/err"; fail "$1 on $2 CPUs ($3): status $rc"; }
	grep -a 'warning:' "$work/debug" && fail "$1 on $2 CPUs ($3): the hypervisor warned"
	grep -aq "smp: $2 CPUs" "$work/debug" || fail "$1 ($3): not $2 CPUs"
	leak
}

for name in hypercall_regs exceptions timer vcpus return_frames segments user_alignment user_tsc; do
	boot $name 1 corei7_icelake_u
	boot $name 2 corei7_icelake_u
	[[ $name == user_tsc ]] || boot $name 2 core2_penryn_t9600	# it has no RDTSCP
done
for name in mmu_flush smp_flush user_mode vcpus return_frames segments; do
	boot $name 2 corei7_icelake_u pcid=on
	grep -aq 'PCID is on' "$work/debug" || fail "$name: no PCID"
done
