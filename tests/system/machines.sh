# SPDX-License-Identifier: GPL-2.0-only
# @timeout 1200
# Domain 0 drives the devices of machines: q35 (NVMe, AHCI, virtio-blk, virtio-scsi, a USB disk and
# a keyboard at xHCI, e1000e, virtio-net), the same with lines instead of messages, i440fx with IDE.
# Every disk is read and written, every interface gets an address and an answer, interrupts come
# to every CPU, and neither kernel warns. Then q35 by GRUB on UEFI, and microvm, which has ACPI, but
# no PCI, or PCI Express without ports. FULL: 6 GiB, an IOMMU beside.
. tests/system/lib.bash
. tests/system/machines.bash

look=$look_functions$(cat <<'END'

n=0	# the kernel looks at a USB disk a second after it saw it
until ls -l /sys/block | grep -q usb || [ $((n += 1)) = 100 ] ||
	[ -z "$(ls /sys/bus/usb/devices)" ]; do usleep 100000; done
look_disks
look_nets
# sums of what devices sent to each CPU
awk '/PARVUS-/ { for (i = 2; i <= 3; i++) n[i] += $i } END { exit !(n[2] && n[3]) }' \
	/proc/interrupts || fail "a CPU had no interrupt of a device"
look_warnings
exit 0
END
)

# machine NAME SETTING=VALUE... -- DISKS NICS: what the look finds there
machine() {
	local name=$1 disks=() settings=() d
	shift
	while [[ $1 != -- ]]; do settings+=("$1"); shift; done
	shift
	read -ra disks <<<"$1"
	for d in "${settings[@]}"; do export "${d?}"; done
	DEMO=0 CPUS=2 MEM=${MEM:-1G} DOM0_MEM=${DOM0_MEM:-512M} TIMEOUT=280 \
		domain0 "$look"
	[[ $rc == 0 ]] || fail "$name: status $rc: $out"
	[[ $(grep -c '^answered' <<<"$out") == "$2" ]] || fail "$name: $2 interfaces: $out"
	for d in "${disks[@]}"; do read_right "$d"; done
	for d in "${settings[@]}"; do unset "${d%%=*}"; done
	echo "$name: good"
}

common="$(disk vblk) -device virtio-blk-pci,drive=vblk $(disk vscsi)
	-device virtio-scsi-pci,id=vs -device scsi-hd,bus=vs.0,drive=vscsi
	-device qemu-xhci,id=xhci $(disk usb) -device usb-storage,bus=xhci.0,drive=usb
	-device usb-kbd,bus=xhci.0 $(net u0 e1000e 2) $(net u1 virtio-net-pci 3)"
q35="-M q35 ${common//[$'\n\t']/ } $(disk ahci) -device ide-hd,drive=ahci,bus=ide.0"
pc="-M pc ${common//[$'\n\t']/ } $(disk ide) -device ide-hd,drive=ide,bus=ide.0"
nvme="$(disk nvme) -device nvme,drive=nvme,serial=a"
all="vblk vscsi usb"
micro="-M microvm,acpi=on,pit=on,pic=on,isa-serial=on,rtc=on"
mmio="$(disk mblk) -device virtio-blk-device,drive=mblk $(disk mscsi)
	-device virtio-scsi-device,id=vs -device scsi-hd,bus=vs.0,drive=mscsi
	$(net u0 virtio-net-device 2) $(net u1 virtio-net-device 3)"
mmio=${mmio//[$'\n\t']/ }

machine q35 QEMU_ARGS="$q35 $nvme" -- "$all ahci nvme" 2
# without the NVMe disk: QEMU's lowers its line late, which natively, too, costs twenty interrupts
# for one, and under load so many that Linux takes the line away
machine nomsi QEMU_ARGS="$q35" ARGS=pci=nomsi -- "$all ahci" 2
machine i440fx QEMU_ARGS="$pc $nvme" -- "$all ide nvme" 2
machine microvm QEMU_ARGS="$micro $mmio" -- "mblk mscsi" 2
machine microvm-pcie QEMU_ARGS="$micro,pcie=on $mmio $nvme" -- "mblk mscsi nvme" 2
machine uefi QEMU_ARGS="$q35 $nvme" BOOT=uefi -- "$all ahci nvme" 2
if [[ -n ${FULL:-} ]]; then
	machine large QEMU_ARGS="$q35 $nvme" MEM=6G DOM0_MEM=4600M -- "$all ahci nvme" 2
	machine iommu QEMU_ARGS="$q35 $nvme -device intel-iommu" ARGS=intel_iommu=on \
		-- "$all ahci nvme" 2
fi
