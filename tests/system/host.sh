# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 7000
# The promise, on a disk with Debian 12 that knows nothing of Parvus, by BIOS and by UEFI: the
# packages are installed, check is content, a try of a hypervisor that panics is started once, and
# the start after it is the old system, which says that the try failed; removed, grub.cfg is to the
# byte what it was. Power cuts at 10 random moments of install and commit (SEED repeats them): the
# next start is the old system, dpkg can go on, and removal leaves the same grub.cfg.
. tests/system/lib.bash
disk=$(realpath "$O/debian-host.qcow2" 2>/dev/null)
[[ -r $disk ]] || { echo "no $O/debian-host.qcow2: make debian-host"; exit 77; }
PATH=$PATH:/usr/sbin:/sbin
seed=${SEED:-$RANDOM}
RANDOM=$seed
echo "SEED=$seed"
mkdir "$work/run" "$work/out"
cp -a "$O/tools" "$O/gen" "$work/out/" || exit 99
for f in parvus.elf initramfs.cpio vmlinux bzImage System.map linux-headers; do
	ln -s "$(realpath "$O/$f")" "$work/out/$f"
done
DEB_LEVEL=1 packages/build "$work/out" "$work/out" >"$work/log" 2>&1 ||
	{ tail "$work/log"; exit 99; }
mkdir "$work/debs"
mv "$work"/out/deb/parvus-{hypervisor,tools}*.deb "$work"/out/deb/libparvus0*.deb \
	"$work"/out/deb/linux-image*.deb "$work/debs/"

# machine SCRIPT: a start of the disk $work/disk, with SCRIPT to be run in it; sets $pid
machine() {
	rm -rf "$work/run"
	mkdir "$work/run"
	cp "$work"/debs/*.deb "$work/run/"
	printf '%s\n' "$1" >"$work/run/run"
	rm -f "$work/run.img" "$work/console" "$work/debug"
	truncate -s 96M "$work/run.img"
	mke2fs -q -F -t ext2 -d "$work/run" "$work/run.img" >/dev/null || exit 99
	local firmware=()
	if [[ $how == uefi ]]; then
		[[ -e $work/vars ]] || cp /usr/share/OVMF/OVMF_VARS_4M.fd "$work/vars"
		firmware=(-drive \
			"if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"
			-drive "if=pflash,format=raw,file=$work/vars")
	fi
	qemu-system-x86_64 -M q35 -accel tcg -cpu max -m 1G -display none -nodefaults -no-reboot \
		"${firmware[@]}" -serial "file:$work/console" -debugcon "file:$work/debug" \
		-drive "if=virtio,file=$work/disk" -drive \
			"if=virtio,format=raw,file=$work/run.img" &
	pid=$!
}
reset() { kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null; }
# until_says SECONDS TEXT: on the console or the debug port
until_says() {
	local i
	for ((i = 0; i < $1 * 2; i++)); do
		grep -aqs -- "$2" "$work/console" "$work/debug" && return 0
		kill -0 $pid 2>/dev/null || break
		sleep 0.5
	done
	grep -aqs -- "$2" "$work/console" "$work/debug"
}
# old SCRIPT: the machine starts its old system, and the script ends well
old() {
	machine "set -e
[ ! -e /sys/hypervisor/type ]
$1"
	until_says 900 '^host: [0-9]' ||
		{ tail -20 "$work/console"; reset; fail "$how: the old system does not come up"; }
	grep -aq '^host: 0' "$work/console" || { tail -40 "$work/console"; reset; fail "$how: $1"; }
	for ((i = 0; i < 120; i++)); do kill -0 $pid 2>/dev/null || break; sleep 0.5; done
	reset
}
install='dpkg -i ./*.deb'
removed='dpkg -P parvus-hypervisor parvus-tools libparvus0 \
	$(dpkg-query -Wf "\${Package}\n" "linux-image-*-parvus")
md5sum -c /root/grub.md5
[ -z "$(ls /boot | grep parvus)" ]
[ -z "$(ls /etc/grub.d | grep parvus)" ]
[ -z "$(ls /etc/parvus /usr/lib/parvus /lib/modules/*parvus* 2>/dev/null)" ]
grub-editenv list | grep parvus && exit 1
ls /boot | diff /root/boot -'
remember='update-grub
md5sum /boot/grub/grub.cfg >/root/grub.md5
ls /boot >/root/boot'

for how in bios uefi; do
	[[ $how == uefi && ! -r /usr/share/OVMF/OVMF_CODE_4M.fd ]] && { echo "no OVMF"; continue; }
	qemu-img create -q -f qcow2 -F qcow2 -b "$disk" "$work/disk" || exit 99
	old "$remember
$install
parvus-boot check
parvus-boot status | grep 'default: *the old system'
# a hypervisor that panics: what is installed has no kernel that it could run
parvus-boot try --no-initrd
parvus-boot status | grep 'next: *a try'"
	machine "true"
	until_says 300 'panic' ||
		{ tail -20 "$work/console"; reset; fail "$how: the try is not started"; }
	reset
	echo "$how: a try that panics"
	old "parvus-boot status | grep 'last try: *failed'
parvus-boot commit && exit 1
parvus-boot rollback
$removed"
	echo "$how: removed, grub.cfg is as it was"
	rm -f "$work/disk"
done

# ---- power cuts, by BIOS
how=bios
qemu-img create -q -f qcow2 -F qcow2 -b "$disk" "$work/base" || exit 99
mv "$work/base" "$work/disk"
old "$remember"
mv "$work/disk" "$work/base"
for ((cut = 0; cut < 10; cut++)); do
	rm -f "$work/disk"
	qemu-img create -q -f qcow2 -F qcow2 -b "$work/base" "$work/disk" || exit 99
	machine "echo 'host: begins'
$install && parvus-boot commit --force && echo 'host: committed'
sleep 1000"
	until_says 900 '^host: begins' || { reset; fail "the old system does not come up"; }
	moment=$((RANDOM % 400))
	for ((i = 0; i < moment; i++)); do
		grep -aq '^host: committed' "$work/console" && break
		sleep 0.1
	done
	committed=
	grep -aq '^host: committed' "$work/console" && committed=1
	reset
	echo "cut $cut after $i/10 s${committed:+, committed}"
	if [[ $committed ]]; then
		# it is started, panics, and at the next reset gives way
		machine "true"
		until_says 300 'panic' ||
			{ tail -20 "$work/console"; reset; fail \
			"what was committed is not started"; }
		reset
	fi
	old "dpkg --configure -a || $install
$install
parvus-boot check
parvus-boot rollback
$removed"
done
exit 0
