# SPDX-License-Identifier: GPL-2.0-only
# @timeout 1200
# Domain 0 drives the devices of machines: q35 (NVMe, AHCI, virtio-blk, virtio-scsi, a USB disk and
# a keyboard at xHCI, e1000e, virtio-net), the same with lines instead of messages, i440fx with IDE.
# Every disk is read and written, every interface gets an address and an answer, interrupts come
# to every CPU, and neither kernel warns. FULL: GRUB on UEFI, 6 GiB, an IOMMU beside.
. tests/system/lib.bash

half=$((4 << 20))	# bytes that are read; copied to behind them

# disk NAME: a file that says who it is, with something behind
disk() {
	{
		printf '%-511s\n' "disk $1"
		head -c $((half - 512)) /dev/urandom
		head -c $half /dev/zero
	} >"$work/$1.img"
	echo "-drive if=none,id=$1,format=raw,file=$work/$1.img"
}

# In domain 0; prints "disk NAME MD5" and "answered INTERFACE".
cat >"$work/look" <<'END'
fail() { echo "FAILED: $*"; cat /proc/interrupts; dmesg | tail -40; exit 1; }
cat >/tmp/lease <<'LEASE'
#!/bin/sh
[ "$1" = bound ] && ip addr add "$ip/24" dev "$interface" && echo "$serverid" >/tmp/server
LEASE
chmod 755 /tmp/lease
n=0	# the kernel looks at a USB disk a second after it saw it
until ls -l /sys/block | grep -q usb || [ $((n += 1)) = 100 ]; do usleep 100000; done
for b in /sys/block/nvme*n* /sys/block/sd* /sys/block/vd*; do
	[ -d "$b" ] || continue
	d=/dev/${b##*/}
	read -r name <"$d"
	case $name in "disk "*) ;; *) continue ;; esac
	for cpu in 1 2; do
		taskset $cpu dd if=$d of=/dev/null bs=64k count=64 iflag=direct 2>/dev/null ||
			fail "$name: cannot be read"
	done
	echo "$name $(dd if=$d bs=64k count=64 2>/dev/null | md5sum | cut -d' ' -f1)"
	dd if=$d of=$d bs=64k count=64 seek=64 conv=notrunc,fsync 2>/dev/null ||
		fail "$name: cannot be written"
done
for n in /sys/class/net/*; do
	n=${n##*/}
	[ -e /sys/class/net/$n/device ] || continue
	ip link set $n up
	rm -f /tmp/server
	udhcpc -n -q -f -t 10 -i $n -s /tmp/lease >/tmp/dhcp 2>&1 ||
		fail "$n: no lease: $(cat /tmp/dhcp)"
	ping -c 5 -i 0.2 -I $n "$(cat /tmp/server)" >/tmp/ping 2>&1 || fail "$n: $(cat /tmp/ping)"
	echo "answered"
	ip addr flush dev $n
	ip link set $n down
done
# sums of what devices sent to each CPU
awk '/PARVUS-/ { for (i = 2; i <= 3; i++) n[i] += $i } END { exit !(n[2] && n[3]) }' \
	/proc/interrupts || fail "a CPU had no interrupt of a device"
awk '/^(ERR|MIS):/ && $2 { exit 1 }' /proc/interrupts || fail "interrupts were lost"
dmesg | grep -iE 'nobody cared|no irq handler|Call Trace|WARNING|BUG:|unchecked|parvus: TARGET' &&
	fail "the kernel warns"
exit 0
END

# machine NAME SETTING=VALUE... -- DISKS NICS: what the look finds there
machine() {
	local name=$1 disks=() settings=() d sum
	shift
	while [[ $1 != -- ]]; do settings+=("$1"); shift; done
	shift
	read -ra disks <<<"$1"
	for d in "${settings[@]}"; do export "${d?}"; done
	DEMO=0 CPUS=2 MEM=${MEM:-1G} DOM0_MEM=${DOM0_MEM:-512M} TIMEOUT=280 \
		domain0 "$(cat "$work/look")"
	[[ $rc == 0 ]] || fail "$name: status $rc: $out"
	[[ $(grep -c '^answered' <<<"$out") == "$2" ]] || fail "$name: $2 interfaces: $out"
	for d in "${disks[@]}"; do
		sum=$(head -c $half "$work/$d.img" | md5sum | cut -d' ' -f1)
		grep -qx "disk $d *$sum" <<<"$out" || fail "$name: $d is not $sum: $out"
		[[ $(tail -c $half "$work/$d.img" | md5sum | cut -d' ' -f1) == "$sum" ]] ||
			fail "$name: $d was not written"
	done
	for d in "${settings[@]}"; do unset "${d%%=*}"; done
	echo "$name: good"
}

net() { echo "-netdev user,id=$1,net=10.0.$3.0/24 -device $2,netdev=$1"; }
common="$(disk vblk) -device virtio-blk-pci,drive=vblk $(disk vscsi)
	-device virtio-scsi-pci,id=vs -device scsi-hd,bus=vs.0,drive=vscsi
	-device qemu-xhci,id=xhci $(disk usb) -device usb-storage,bus=xhci.0,drive=usb
	-device usb-kbd,bus=xhci.0 $(net u0 e1000e 2) $(net u1 virtio-net-pci 3)"
q35="-M q35 ${common//[$'\n\t']/ } $(disk ahci) -device ide-hd,drive=ahci,bus=ide.0"
pc="-M pc ${common//[$'\n\t']/ } $(disk ide) -device ide-hd,drive=ide,bus=ide.0"
nvme="$(disk nvme) -device nvme,drive=nvme,serial=a"
all="vblk vscsi usb"

machine q35 QEMU_ARGS="$q35 $nvme" -- "$all ahci nvme" 2
# without the NVMe disk: QEMU's lowers its line late, which natively, too, costs twenty interrupts
# for one, and under load so many that Linux takes the line away
machine nomsi QEMU_ARGS="$q35" ARGS=pci=nomsi -- "$all ahci" 2
machine i440fx QEMU_ARGS="$pc $nvme" -- "$all ide nvme" 2
if [[ -n ${FULL:-} ]]; then
	machine uefi QEMU_ARGS="$q35 $nvme" BOOT=uefi -- "$all ahci nvme" 2
	machine large QEMU_ARGS="$q35 $nvme" MEM=6G DOM0_MEM=4600M -- "$all ahci nvme" 2
	machine iommu QEMU_ARGS="$q35 $nvme -device intel-iommu" ARGS=intel_iommu=on \
		-- "$all ahci nvme" 2
fi
