# SPDX-License-Identifier: GPL-2.0-only
# @timeout 900
# What happens to a machine while domain 0 runs: the power button ends domains and domain 0; a disk
# and an interface come and go, on PCI Express and by ACPI; interrupts move between CPUs, and a CPU
# goes and comes, under load, and nothing is lost.
. tests/system/lib.bash
. tests/system/machines.bash

# start SCRIPT QEMU_ARGS: in the background; what domain 0 says is in $work/said
start() {
	rm -f "$work/qmp" "$work/debug"
	DEMO=0 CPUS=2 MEM=1G DOM0_MEM=512M TIMEOUT=280 DEBUG_LOG=$work/debug \
		QEMU_ARGS="$2 -qmp unix:$work/qmp,server=on,wait=off" CMD="$look_functions
there() { # CONDITION: within 30 s
	n=0
	until eval \"\$1\"; do
		[ \$((n += 1)) -lt 300 ] || fail \"never: \$1\"
		usleep 100000
	done
}
$1" tools/run >"$work/said" 2>&1 &
	machine=$!
}
# says TEXT: domain 0 says so within some time
says() {
	local i
	for ((i = 0; i < 1800; i++)); do
		grep -aqx "$1" "$work/said" && return
		kill -0 "$machine" 2>/dev/null || break
		sleep 0.1
	done
	fail "never said: $1: $(cat "$work/said")"
}
# qmp COMMAND KEY=VALUE...
qmp() {
	python3 - "$work/qmp" "$@" <<-'END' || fail "qmp $*"
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.settimeout(60)
		s.connect(sys.argv[1])
		f = s.makefile("rw")
		f.readline()
		arguments = dict(a.split("=", 1) for a in sys.argv[3:])
		for call in ({"execute": "qmp_capabilities"},
		             {"execute": sys.argv[2], "arguments": arguments}):
		    f.write(json.dumps(call) + "\n")
		    f.flush()
		    answer = {"event": ""}
		    while "event" in answer:
		        answer = json.loads(f.readline())
		    if "error" in answer:
		        sys.exit(str(answer))
	END
}
ends() { # with status 0, and all is as it was
	wait "$machine"
	rc=$?
	out=$(cat "$work/said")
	((rc == 0)) || fail "status $rc: $out"
	grep -a 'warning:' "$work/debug" && fail "the hypervisor warned"
	leak
}

echo "the power button"
start 'parvus create -q name=u kernel=/usr/lib/parvus/vmlinuz memory=64 \
	ramdisk=/usr/lib/parvus/initramfs.cpio extra="console=hvc0 quiet" || fail create
there "grep -qs BusyBox /var/log/parvus/console-u.log"
echo RUNS
sleep 200
fail "nobody switched it off"' "-M q35"
says RUNS
qmp system_powerdown
ends
grep -aq 'parvus: end domain=1 name=u reason=poweroff' "$work/debug" ||
	fail "the domain was not asked to go: $(tail -5 "$work/debug")"

echo "a disk and an interface come and go"
hotplug='echo ADD DISK
there "[ -b /dev/nvme0n1 ]"
look_disks
echo REMOVE DISK
there "[ ! -e /dev/nvme0n1 ]"
echo ADD INTERFACE
there "ls -d /sys/class/net/*/device >/dev/null 2>&1"
look_nets
echo REMOVE INTERFACE
there "! ls -d /sys/class/net/*/device >/dev/null 2>&1"
look_warnings
exit 0'
for chipset in "-M q35 -device pcie-root-port,id=bus0,chassis=1,slot=1 `
	`-device pcie-root-port,id=bus1,chassis=2,slot=2" "-M pc"; do
	bus0=bus0 bus1=bus1
	[[ $chipset == *pc ]] && bus0=pci.0 bus1=pci.0
	start "$hotplug" "$chipset $(disk hot) -netdev user,id=u0"
	says "ADD DISK"
	qmp device_add driver=nvme id=disk drive=hot serial=a bus=$bus0
	says "REMOVE DISK"
	qmp device_del id=disk
	says "ADD INTERFACE"
	qmp device_add driver=e1000e id=nic netdev=u0 bus=$bus1
	says "REMOVE INTERFACE"
	qmp device_del id=nic
	ends
	read_right hot
	grep -q '^answered' "$work/said" || fail "no interface: $out"
done

echo "interrupts move, a CPU goes and comes"
start 'n=$(ls -d /sys/class/net/*/device | cut -d/ -f5)
ip link set $n up
udhcpc -n -q -f -t 10 -i $n -s /tmp/lease >/tmp/dhcp 2>&1 || fail "no lease"
ping -c 300 -i 0.05 -I $n "$(cat /tmp/server)" >/tmp/ping 2>&1 &
ping=$!
for d in nvme0n1 sda; do
	while [ ! -e /tmp/end ]; do
		dd if=/dev/$d bs=64k count=64 iflag=direct 2>/dev/null | md5sum
	done >/tmp/sums.$d &
done
rounds=0
while kill -0 $ping 2>/dev/null; do
	for i in $(awk "/PARVUS-/ { sub(\":\", \"\", \$1); print \$1 }" /proc/interrupts); do
		echo $((1 + rounds % 2)) >/proc/irq/$i/smp_affinity 2>/dev/null
	done
	case $((rounds % 8)) in
	3) echo 0 >/sys/devices/system/cpu/cpu1/online || fail "the CPU stays" ;;
	5) echo 1 >/sys/devices/system/cpu/cpu1/online || fail "the CPU does not come" ;;
	esac
	usleep 100000
	: $((rounds += 1))
done
echo 1 >/sys/devices/system/cpu/cpu1/online 2>/dev/null
touch /tmp/end
wait
grep -q "300 packets transmitted, 300 packets received" /tmp/ping || fail "$(tail -2 /tmp/ping)"
for d in nvme0n1 sda; do
	[ "$(sort -u /tmp/sums.$d | wc -l)" = 1 ] || fail "$d: $(sort -u /tmp/sums.$d)"
	[ "$(wc -l </tmp/sums.$d)" -gt 5 ] || fail "$d was hardly read"
	echo "sum $(head -1 /tmp/sums.$d)"
done
[ $rounds -gt 16 ] || fail "only $rounds rounds"
awk "/PARVUS-/ { for (i = 2; i <= 3; i++) n[i] += \$i } END { exit !(n[2] && n[3]) }" \
	/proc/interrupts || fail "a CPU had no interrupt of a device"
look_warnings
exit 0' "-M q35 $(disk nvme) -device nvme,drive=nvme,serial=a $(disk ahci) `
	`-device ide-hd,drive=ahci,bus=ide.0 $(net u0 virtio-net-pci 2)"
ends
for d in nvme ahci; do
	grep -q "^sum $(head -c $half "$work/$d.img" | md5sum | cut -d' ' -f1)" <<<"$out" ||
		fail "$d: wrong: $out"
done
