# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 2400
# The kernel for machines (make machine-kernel) as domain 0 of a q35, which finds disks on NVMe,
# AHCI and virtio, and networks on e1000e and virtio, by its modules; as domain U below it, where a
# Debian (make machine-disk) uses what hosts of containers and servers use. Each try that fails is
# told; kexec is refused by name; neither kernel warns.
. tests/system/lib.bash
. tests/system/machines.bash

m=$O/machine
[[ -r $m/vmlinux && -r $m/bzImage && -r $m/modules/modules.dep ]] ||
	{ echo "no kernel in $m: make machine-kernel"; exit 77; }
[[ -r $O/machine-disk.img ]] || { echo "no $O/machine-disk.img: make machine-disk"; exit 77; }
V=$(cat "$m/linux-headers/include/config/kernel.release") || fail "$m: no release"

# ---- modules for both: all on a disk, those of domain 0's machine in its initramfs
mkdir -p "$work/all/lib/modules" "$work/root/lib/modules/$V"
ln -s "$(realpath "$m/modules")" "$work/all/lib/modules/$V"
wanted="loop ahci sd_mod virtio_pci virtio_blk virtio_net virtio_scsi e1000e xhci_pci usb_storage usbhid
	af_packet"
for name in $wanted; do
	modprobe -d "$work/all" -S "$V" --show-depends "$name" || fail "no module $name"
done >"$work/depends"
sed -n 's/^insmod //p' "$work/depends" | awk '!had[$1]++ { print $1 }' >"$work/files"
while read -r f; do
	cp "$f" "$work/root/lib/modules/$V/" || exit 99
	echo "/lib/modules/$V/${f##*/}"
done <"$work/files" >"$work/root/order"
mkdir "$work/disk"
cp -R "$m/modules" "$work/disk/$V"
cp "$m/bzImage" "$work/disk/bzImage"
mke2fs -q -t ext4 -L modules -d "$work/disk" "$work/modules.img" 1G || exit 99
rm -r "$work/disk"
cp "$m/bzImage" "$work/root/machine"

# ---- in domain U
cat >"$work/root/inside" <<'END'
mkdir -p /try && cd /try
bad=0
try() { # NAME FUNCTION-OF-THAT-NAME in a shell of its own
	if (set -eu; $1) >out.$1 2>&1 </dev/null; then
		echo "@ works: $1"
	else
		echo "@ FAILS: $1: $(tail -4 out.$1 | tr '\n' ' ')"
		bad=1
	fi
}
file() { truncate -s "$2" "$1.img"; mkdir -p "$1"; }
modules() { [ -s "/lib/modules/$(uname -r)/modules.dep" ]; }
units() {
	systemctl --failed --no-legend
	[ -z "$(systemctl --failed --no-legend)" ]
}
overlay() {
	mkdir -p low up work over
	echo low >low/a
	mount -t overlay overlay -o lowerdir=low,upperdir=up,workdir=work over
	echo up >over/a
	[ "$(cat low/a) $(cat up/a)" = "low up" ]
	umount over
}
namespaces() {
	[ "$(unshare --user --map-root-user --pid --fork --mount-proc --net --uts --ipc --cgroup \
		sh -c 'echo $$ $(id -u)')" = "1 0" ]
	# by somebody who is not root
	[ "$(setpriv --reuid 65534 --regid 65534 --clear-groups unshare -Ur id -u)" = 0 ]
}
nft_rules() {
	nft add table inet try
	nft add chain inet try in '{ type filter hook input priority 0; }'
	nft add rule inet try in ct state established counter accept
	nft add set inet try names '{ type ipv4_addr; flags interval; }'
	nft add element inet try names '{ 10.0.0.0/8 }'
	nft add table ip nat
	nft add chain ip nat post '{ type nat hook postrouting priority 100; }'
	nft add rule ip nat post oifname nowhere masquerade
	nft list ruleset | grep -q 'ct state established'
	nft list ruleset | grep -q masquerade
	nft flush ruleset
}
xtables() {
	iptables-legacy -A INPUT -m conntrack --ctstate ESTABLISHED -m comment --comment x -j ACCEPT
	iptables-legacy -t nat -A POSTROUTING -o nowhere -j MASQUERADE
	iptables-legacy -S | grep -q ESTABLISHED
	iptables-legacy -F && iptables-legacy -t nat -F
	iptables-nft -A INPUT -p tcp -m multiport --dports 1,2 -j DROP
	iptables-nft -S | grep -q multiport
	iptables-nft -F
}
wireguard() {
	ip netns add far
	for n in 1 2; do wg genkey >key$n; wg pubkey <key$n >pub$n; done
	ip link add wg1 type wireguard
	ip link add wg2 type wireguard
	wg set wg1 private-key key1 listen-port 5001 peer "$(cat pub2)" \
		allowed-ips 10.9.0.2/32 endpoint 127.0.0.1:5002
	wg set wg2 private-key key2 listen-port 5002 peer "$(cat pub1)" \
		allowed-ips 10.9.0.1/32 endpoint 127.0.0.1:5001
	ip link set wg2 netns far
	ip addr add 10.9.0.1/24 dev wg1
	ip link set wg1 up
	ip -n far addr add 10.9.0.2/24 dev wg2
	ip -n far link set wg2 up
	ping -c 3 -W 10 10.9.0.2
	wg show wg1 | grep -q 'latest handshake'
	ip link del wg1
	ip netns del far
}
nfs() {
	mkdir -p /srv/nfs nfs
	echo served >/srv/nfs/a
	echo '/srv/nfs 127.0.0.1(rw,no_root_squash,insecure,fsid=0,no_subtree_check)' >/etc/exports
	systemctl start rpcbind nfs-server
	timeout 120 mount -t nfs4 127.0.0.1:/ nfs
	[ "$(cat nfs/a)" = served ]
	dd if=/dev/urandom of=nfs/b bs=64k count=16 conv=fsync
	cmp nfs/b /srv/nfs/b
	umount nfs
	timeout 120 mount -t nfs -o vers=3,nolock 127.0.0.1:/srv/nfs nfs
	[ "$(cat nfs/a)" = served ]
	umount nfs
	systemctl stop nfs-server
}
nspawn() {
	mkdir -p box/bin box/etc box/usr
	cp /bin/busybox box/bin/sh
	: >box/etc/os-release
	[ "$(timeout 120 systemd-nspawn -q -D box --private-network --pipe \
		/bin/sh -c 'echo $$ inside' | tail -1 | tr -d '\r' | grep -c inside)" = 1 ]
}
crypt() {
	file crypt 64M
	echo secret | cryptsetup -q luksFormat --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
		crypt.img -
	echo secret | cryptsetup open crypt.img try -
	mke2fs -q -t ext4 /dev/mapper/try
	mount /dev/mapper/try crypt
	echo "in the dark" >crypt/text
	umount crypt
	cryptsetup close try
	! grep -aq "in the dark" crypt.img
	echo secret | cryptsetup open crypt.img try -
	mount /dev/mapper/try crypt
	[ "$(cat crypt/text)" = "in the dark" ]
	umount crypt
	cryptsetup close try
}
some_fs() { # TYPE PROGRAM...
	fs=$1
	shift
	file "$fs" 512M
	"$@" "$fs.img"
	mount -t "$fs" -o loop "$fs.img" "$fs"
	dd if=/dev/urandom of="$fs/a" bs=64k count=64
	sum=$(md5sum <"$fs/a")
	umount "$fs"
	mount -t "$fs" -o loop "$fs.img" "$fs"
	[ "$(md5sum <"$fs/a")" = "$sum" ]
	umount "$fs"
	rm "$fs.img"
}
xfs() { some_fs xfs mkfs.xfs -q; }
btrfs() { some_fs btrfs mkfs.btrfs -q; }
vfat() { some_fs vfat mkfs.vfat; }
raid() {
	for n in 1 2; do
		truncate -s 64M raid$n.img
		[ -b /dev/loop1$n ] || mknod /dev/loop1$n b 7 1$n
		losetup /dev/loop1$n raid$n.img
	done
	mdadm --create /dev/md9 --run --level=1 --raid-devices=2 /dev/loop11 /dev/loop12
	mke2fs -q -t ext4 /dev/md9
	mdadm --detail /dev/md9 | grep -q 'Raid Level : raid1'
	mdadm --stop /dev/md9
	losetup -d /dev/loop11 /dev/loop12
}
snapshot() {
	truncate -s 64M thin.img
	loop=$(losetup -f --show thin.img)
	dmsetup create try --table "0 65536 linear $loop 0"
	mke2fs -q -t ext4 /dev/mapper/try
	dmsetup remove try
	losetup -d "$loop"
}
fuse() {
	file fuse 64M
	mke2fs -q -t ext4 fuse.img
	fuse2fs fuse.img fuse
	echo user >fuse/a
	[ "$(cat fuse/a)" = user ]
	umount fuse
}
huge() {
	mkdir -p huge
	echo 8 >/proc/sys/vm/nr_hugepages
	[ "$(awk '/^HugePages_Total/ { print $2 }' /proc/meminfo)" = 8 ]
	mount -t hugetlbfs none huge
	fallocate -l 8M huge/a
	[ "$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)" = 4 ]
	rm huge/a
	umount huge
	echo 0 >/proc/sys/vm/nr_hugepages
}
kprobe() {
	t=/sys/kernel/tracing
	mountpoint -q $t || mount -t tracefs none $t
	echo 'p:opened do_sys_openat2' >$t/kprobe_events
	echo 'r:closed do_sys_openat2 ret=$retval' >>$t/kprobe_events
	echo 1 >$t/events/kprobes/enable
	cat /etc/hostname
	echo 0 >$t/events/kprobes/enable
	grep -q 'opened:' $t/trace
	grep -q 'closed:.*ret=' $t/trace
	echo >$t/kprobe_events
	# not at the start of the function: no ftrace, but an INT3 and a single step
	echo 'p:step do_sys_openat2+4' >$t/kprobe_events || return 0
	echo 1 >$t/events/kprobes/enable
	cat /etc/hostname
	echo 0 >$t/events/kprobes/enable
	grep -q 'step:' $t/trace
	echo >$t/kprobe_events
	echo do_sys_openat2 >$t/set_ftrace_filter
	echo function >$t/current_tracer
	cat /etc/hostname
	grep -q 'do_sys_openat2 <-' $t/trace
	echo nop >$t/current_tracer
}
steal() { awk '$1 == "cpu" { exit NF < 9 }' /proc/stat; }
kexec_refused() {
	! kexec -l /lib/modules/bzImage --append=x
	dmesg | grep -q 'parvus: no kexec'
}
quiet() {
	! dmesg -l emerg,alert,crit,err | grep .
	! dmesg | grep -iE 'call trace|unchecked|WARNING:|BUG:|rcu:.*(stall|detected)|Oops:'
}
for f in modules units overlay namespaces nft_rules xtables wireguard nfs nspawn crypt xfs btrfs \
	vfat raid snapshot fuse huge kprobe steal kexec_refused quiet; do
	try $f
done
exit $bad
END

# ---- domain 0
cp "$O/machine-disk.img" "$work/machine-disk.img" || exit 99
export KERNEL=$m/vmlinux MEM=4G DOM0_MEM=1G CPUS=2 VCPUS=2 TIMEOUT=2300
QEMU_ARGS="-M q35 -drive if=none,id=root,format=raw,file=$work/machine-disk.img
	-device virtio-blk-pci,drive=root,addr=8
	-drive if=none,id=mods,format=raw,readonly=on,file=$work/modules.img
	-device virtio-blk-pci,drive=mods,addr=9
	$(disk ahci) -device ide-hd,drive=ahci,bus=ide.0
	$(disk nvme) -device nvme,drive=nvme,serial=a
	-device qemu-xhci,id=xhci $(disk usb) -device usb-storage,drive=usb,bus=xhci.0
	-device usb-kbd,bus=xhci.0 $(net u0 e1000e 2) $(net u1 virtio-net-pci 3)"
export QEMU_ARGS=${QEMU_ARGS//[$'\n\t']/ }
for d in ahci nvme usb; do
	echo "disk $d $(head -c $half "$work/$d.img" | md5sum | cut -d' ' -f1)"
done | sort >"$work/root/sums"
control "uname -r
while read -r f; do insmod \$f || fail \"insmod \$f\"; done </order
until_true 60 '[ -b /dev/vdb ] && [ -n \"\$(ls -d /sys/block/sd[ab])\" ]'
$look_functions
until_true 60 '[ -b /dev/sda ] && [ -b /dev/sdb ]'
$(cat <<'END'
look_disks | sort >found
diff found /sums || fail "disks"
[ "$(look_nets | grep -c answered)" = 2 ] || fail "networks"
grep -c PARVUS-MSI /proc/interrupts
step "domain 0 has its disks and networks"
cp /inside u.cmd
truncate -s 65536 u.cmd
P create -q name=u kernel=/machine memory=1024 vcpus=2 on_poweroff=preserve on_crash=preserve \
	extra="console=hvc0 root=/dev/xvda rw quiet loglevel=4 panic=-1 parvus.cmd=/dev/xvdz" \
	disk="['/dev/vda,raw,xvda,rw','/dev/vdb,raw,xvdb,ro','/tmp/u.cmd,raw,xvdz,ro']"
until_true 1800 '[ -n "$(field reason u)" ] && [ "$(field running u)" = false ]'
says u | grep '^@' || says u | tail -40
[ "$(field reason u) $(field status u)" = "poweroff 0" ] ||
	fail "$(field reason u) $(field status u)"
P destroy u
look_warnings
END
)"
exit 0
