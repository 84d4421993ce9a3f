# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 14000
# The promise, on a disk with Debian 12 that knows nothing of Parvus, by BIOS and by UEFI: the
# packages are installed, check is content, a try is the same system, now as domain 0: its disks,
# its interface with its address, its login; a domain U reads a disk of it and is answered through
# its bridge. Committed, it comes again, with the domain in /etc/parvus/auto, and once more after an
# upgrade that nobody has committed. Starts that fail come back by themselves, without a hand at the
# machine: a root that is not there, a kernel that crashes on its way up, one that hangs. Removed,
# grub.cfg is to the byte what it was. Then power cuts at CUTS=10 random moments of install and
# commit (SEED repeats them): the machine starts, dpkg can go on, and removal leaves the same
# grub.cfg. HOW="bios uefi cuts" chooses; DEBS=FOLDER has packages that were made before, DISK=FILE
# a disk.
. tests/system/lib.bash
disk=$(realpath "${DISK:-$O/debian-host.qcow2}" 2>/dev/null)
[[ -r $disk ]] || { echo "no $O/debian-host.qcow2: make debian-host"; exit 77; }
PATH=$PATH:/usr/sbin:/sbin
ovmf=/usr/share/OVMF
seed=${SEED:-$RANDOM}
RANDOM=$seed
echo "SEED=$seed"
mkdir "$work/out" "$work/debs"
if [[ -n ${DEBS:-} ]]; then
	cp -R "$DEBS"/* "$work/debs/" || exit 99
else
	cp -a "$O/tools" "$O/gen" "$work/out/" || exit 99
	for f in parvus.elf initramfs.cpio vmlinux bzImage System.map linux-headers; do
		ln -s "$(realpath "$O/$f")" "$work/out/$f"
	done
	DEB_LEVEL=1 packages/build "$work/out" "$work/out" >"$work/log" 2>&1 ||
		{ tail "$work/log"; exit 99; }
	mv "$work"/out/deb/parvus-{hypervisor,tools}*.deb "$work"/out/deb/libparvus0*.deb \
		"$work"/out/deb/linux-image*.deb "$work/debs/"
	DEB_VERSION=0.1+2 PARTS=tools DEB_LEVEL=1 packages/build "$work/out" "$work/out" \
		>"$work/log" 2>&1 || { tail "$work/log"; exit 99; }
	mkdir "$work/debs/second"
	mv "$work"/out/deb/parvus-{hypervisor,tools}*.deb "$work"/out/deb/libparvus0*.deb \
		"$work/debs/second/"
fi

# What each start runs, of either system, when it has come up.
cat >"$work/run" <<'END'
set -eu
n=$(($(cat /root/starts 2>/dev/null || echo 0) + 1))
echo $n >/root/starts
sync
trap 'echo "host: start $n ends with status $?"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
on_parvus() { [ "$(cat /sys/hypervisor/type 2>/dev/null)" = parvus ]; }
# says TEXT: parvus-boot status does, within three minutes (the service comes after us)
says() {
	for i in $(seq 60); do
		parvus-boot status >/tmp/status
		grep -q "$1" /tmp/status && return
		sleep 3
	done
	fail "parvus-boot status does not say $1: $(cat /tmp/status)"
}
restart() {
	touch /run/stay
	systemctl --no-block reboot
}
# what somebody finds who logs in: names, disks, interfaces and their addresses
facts() {
	for i in $(seq 60); do
		ip -o -4 address show dev br0 2>/dev/null | grep -q 'inet ' && break
		sleep 3
	done
	hostname
	cat /etc/machine-id
	id -un
	findmnt -no UUID,FSTYPE /
	lsblk -no NAME,SIZE,UUID /dev/vda /dev/sda
	md5sum /dev/sda
	for i in /sys/class/net/*; do
		[ ! -e "$i/device" ] || echo "${i##*/} $(cat "$i/address")"
	done
	ip -o -4 address show dev br0 | sed 's/.*inet \([^ ]*\).*/\1/'
	date +%F
}
same() {
	facts >/tmp/facts
	diff /root/facts /tmp/facts || fail "not the same system"
}
installed() {
	dpkg -i ./*.deb
	parvus-boot check
}
removed() {
	dpkg -P parvus-hypervisor parvus-tools libparvus0 \
		$(dpkg-query -Wf '${Package}\n' 'linux-image-*-parvus')
	md5sum -c /root/grub.md5
	for f in /boot/*parvus* /etc/grub.d/*parvus* /etc/parvus /usr/lib/parvus \
		/lib/modules/*parvus* /var/lib/parvus; do
		[ ! -e "$f" ] || fail "$f is left"
	done
	! grub-editenv list | grep parvus || fail "grubenv has something left"
	ls /boot | diff /root/boot -
}
remember() {
	update-grub
	md5sum /boot/grub/grub.cfg >/root/grub.md5
	ls /boot >/root/boot
}
# broken HOW: domain 0 of the next start crashes or hangs on its way up
broken() {
	cat >/etc/systemd/system/broken.service <<-UNIT
		[Unit]
		DefaultDependencies=no
		ConditionPathExists=/sys/hypervisor/type
		After=local-fs.target
		Before=basic.target
		[Service]
		Type=oneshot
		ExecStart=/root/broken
		TimeoutStartSec=infinity
		[Install]
		WantedBy=basic.target
	UNIT
	printf '#!/bin/sh\nrm /etc/systemd/system/basic.target.wants/broken.service\nsync\n%s\n' \
		"$1" >/root/broken
	chmod 755 /root/broken
	systemctl enable broken.service
}
option() { # LINE: of the configuration of GRUB's entry
	sed -i "/^export ${1%%=*}=/d" /etc/default/grub.d/parvus.cfg
	echo "export $1" >>/etc/default/grub.d/parvus.cfg
	parvus-boot update
}
END

# The script of a start that is the only one, and the seven of a whole story.
once() { cat "$work/run"; printf '%s\n' "$1"; }
story=$(cat <<'END'
case $n in
1)	! on_parvus
	printf '[NetDev]\nName=br0\nKind=bridge\nMACAddress=none\n' >/etc/systemd/network/br0.netdev
	printf '[Match]\nOriginalName=br0\n[Link]\nMACAddressPolicy=none\n' \
		>/etc/systemd/network/br0.link
	printf '[Match]\nType=ether\nName=en*\n[Network]\nBridge=br0\n' \
		>/etc/systemd/network/br0-port.network
	printf '[Match]\nName=br0\n[Network]\nDHCP=yes\n' >/etc/systemd/network/br0.network
	systemctl enable --now systemd-networkd
	facts >/root/facts
	cat /root/facts
	[ "$(wc -l </root/facts)" -ge 11 ] || fail "the old system is not what it should be"
	remember
	installed
	# emulated, on a machine that has other things to do, ten minutes are few
	option 'GRUB_PARVUS_BOOTWATCH=3000'
	says 'default: *the old system'
	parvus-boot try
	says 'next: *a try'
	restart
	;;
2)	on_parvus
	same
	parvus info
	[ "$(parvus list | wc -l)" = 2 ] || fail "$(parvus list)"
	head -c 3000000 /dev/urandom >/root/u.img
	truncate -s 4M /root/u.img
	parvus run --disk /root/u.img,raw,xvda,rw --disk phy:/dev/sda,xvdb,r \
		--network bridge=br0 -- '
		md5sum /dev/xvda /dev/xvdb; echo written | dd of=/dev/xvda conv=notrunc
		sync
		i=0
		until ip -4 address show dev eth0 | grep -q inet; do
			[ $((i += 1)) -lt 60 ] || exit 1
			sleep 1
		done
		ping -c 5 10.0.2.2' >/tmp/u || fail "the domain U: $(cat /tmp/u)"
	cat /tmp/u
	grep -q "^$(md5sum </dev/sda | cut -d' ' -f1) */dev/xvdb" /tmp/u ||
		fail "the domain read another disk"
	grep -q ' 0% packet loss' /tmp/u || fail "the domain has no network"
	[ "$(head -c 7 /root/u.img)" = written ] || fail "the domain did not write"
	systemctl is-active serial-getty@hvc0
	says 'last try: *good'
	parvus-boot commit
	says 'default: *Parvus'
	cat >/etc/parvus/auto/web.cfg <<-CFG
		name = "web"
		kernel = "/usr/lib/parvus/vmlinuz"
		ramdisk = "/usr/lib/parvus/initramfs.cpio"
		memory = 128
		extra = "console=hvc0"
	CFG
	restart
	;;
3)	on_parvus
	grep -q 'parvus.boot=committed' /proc/cmdline
	same
	parvus list
	parvus list web >/dev/null || fail "web was not started"
	says 'now: *Parvus (committed)'
	for i in $(seq 60); do
		! grub-editenv list | grep parvus_start || { sleep 3; continue; }
		break
	done
	! grub-editenv list | grep parvus_start
	# an upgrade is not started before it is tried, and committed
	dpkg -i second/*.deb
	says 'installed: *Parvus 0.1+2, '
	says 'default: *Parvus 0.1, '
	# a root that is not there: the initrd gives up
	option 'GRUB_CMDLINE_PARVUS_LINUX="root=LABEL=nowhere rootdelay=5"'
	parvus-boot try
	restart
	;;
4)	on_parvus		# what is committed, not the upgrade
	grep -q 'parvus.boot=committed' /proc/cmdline
	says 'last try: *failed'
	says 'default: *Parvus 0.1, '
	parvus dmesg --previous | tail -20
	# this one will not come up a second time
	broken 'echo c >/proc/sysrq-trigger'
	restart
	;;
5)	! on_parvus
	same
	says 'its last start did not come up'
	says 'default: *Parvus'
	modprobe ramoops mem_address=0x90000 mem_size=0x8000 record_size=0x8000 \
		console_size=0 ftrace_size=0 pmsg_size=0
	mountpoint -q /sys/fs/pstore || mount -t pstore pstore /sys/fs/pstore
	cat /sys/fs/pstore/dmesg-ramoops-0 /var/lib/systemd/pstore/*/* 2>/dev/null >/tmp/record || :
	grep -q 'sysrq triggered crash' /tmp/record || fail "no record: $(tail -5 /tmp/record)"
	option 'GRUB_CMDLINE_PARVUS_LINUX=""'
	option 'GRUB_PARVUS_BOOTWATCH=150'
	broken 'sleep infinity'
	parvus-boot try
	restart
	;;
6)	! on_parvus
	says 'last try: *failed'
	! parvus-boot commit
	rm -r /etc/parvus/auto/web.cfg
	parvus-boot rollback
	removed
	echo "host: all is as it was"
	;;
*)	fail "one start too many"
esac
END
)

# machine SCRIPT: the disk $work/disk is started, with SCRIPT to be run when it is up; sets $pid
machine() {
	rm -rf "${work:?}/media"
	mkdir "$work/media"
	cp -R "$work"/debs/* "$work/media/"
	once "$1" >"$work/media/run"
	rm -f "$work/run.img" "$work/console" "$work/debug"
	truncate -s 96M "$work/run.img"
	mke2fs -q -F -t ext4 -d "$work/media" "$work/run.img" >/dev/null || exit 99
	[[ -e $work/sda ]] || { head -c 8M /dev/urandom >"$work/sda"; }
	local firmware=()
	if [[ $how == uefi ]]; then
		[[ -e $work/vars ]] || cp $ovmf/OVMF_VARS_4M.fd "$work/vars"
		firmware=(-drive \
			"if=pflash,format=raw,readonly=on,file=$ovmf/OVMF_CODE_4M.fd"
			-drive "if=pflash,format=raw,file=$work/vars")
	fi
	qemu-system-x86_64 -M q35 -accel tcg -cpu max -smp 2 -m 2G -display none -nodefaults \
		"${firmware[@]}" -serial "file:$work/console" -debugcon "file:$work/debug" \
		-drive "if=none,id=vda,file=$work/disk" \
		-device virtio-blk-pci,drive=vda,bootindex=0 \
		-drive "if=virtio,format=raw,file=$work/run.img" \
		-drive "if=none,id=sda,format=raw,file=$work/sda" \
		-device ide-hd,drive=sda,bus=ide.0 \
		-netdev user,id=n -device virtio-net-pci,netdev=n &
	pid=$!
}
reset() { kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null; }
# until_says SECONDS TEXT: on the console or the debug port
until_says() {
	local i
	for ((i = 0; i < $1 * 2; i++)); do
		grep -aqs -- "$2" "$work/console" "$work/debug" && return 0
		grep -aqs '^FAILED' "$work/console" && return 1
		kill -0 $pid 2>/dev/null || break
		sleep 0.5
	done
	grep -aqs -- "$2" "$work/console" "$work/debug"
}
last() { tr '\r' '\n' <"$work/console" | grep -av '^$' | tail -"$1"; tail -10 "$work/debug"; }
# ends SCRIPT: one start that runs the script, which ends well and the machine off
ends() {
	machine "$1"
	until_says 900 '^host: [0-9]' || { last 20; reset; fail "$how: it does not come up"; }
	grep -aq '^host: 0' "$work/console" || { last 40; reset; fail "$how: $1"; }
	for ((i = 0; i < 240; i++)); do kill -0 $pid 2>/dev/null || break; sleep 0.5; done
	reset
}

for how in ${HOW:-bios uefi}; do
	[[ $how == cuts ]] && continue
	[[ $how == uefi && ! -r $ovmf/OVMF_CODE_4M.fd ]] && { echo "no OVMF"; continue; }
	rm -f "$work/disk"
	qemu-img create -q -f qcow2 -F qcow2 -b "$disk" "$work/disk" || exit 99
	machine "$story"
	for what in "installed, and tried" "the same as domain 0, with a domain U, and committed" \
		"again, with the domain of auto" "a root that is not there" \
		"a kernel that crashes" "a kernel that hangs"; do
		n=$((${n:-0} + 1))
		until_says 1800 "^host: start $n ends with status 0" ||
			{ last 60; reset; fail "$how: start $n ($what)"; }
		echo "$how: start $n at $SECONDS s: $what"
	done
	grep -aq '^host: all is as it was' "$work/console" ||
		{ last 60; reset; fail "$how: no end"; }
	n=0
	reset
done
[[ " ${HOW:-cuts} " == *" cuts "* ]] || exit 0

# ---- power cuts, by BIOS
how=bios
rm -f "$work/disk"
qemu-img create -q -f qcow2 -F qcow2 -b "$disk" "$work/disk" || exit 99
ends "remember"
mv "$work/disk" "$work/base"
for ((cut = 0; cut < ${CUTS:-10}; cut++)); do
	rm -f "$work/disk"
	qemu-img create -q -f qcow2 -F qcow2 -b "$work/base" "$work/disk" || exit 99
	machine "echo 'host: begins'
dpkg -i ./*.deb
parvus-boot commit --force
echo 'host: committed'
sleep 1000"
	until_says 900 '^host: begins' ||
		{ last 20; reset; fail "the old system does not come up"; }
	moment=$((RANDOM % 400))
	for ((i = 0; i < moment; i++)); do
		grep -aq '^host: committed' "$work/console" && break
		sleep 0.1
	done
	committed=
	grep -aq '^host: committed' "$work/console" && committed=1
	reset
	echo "cut $cut after $i/10 s${committed:+, committed}"
	# what was committed is started; what was not, maybe
	ends "${committed:+on_parvus}
! on_parvus || { parvus-boot rollback; exit 0; }"
	ends "! on_parvus
dpkg --configure -a || :
installed
parvus-boot rollback
removed"
done
exit 0
