# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# bootloader = "pygrub" on the real hypervisor: in domain 0 the reader is in its sandbox, a domain
# starts from the kernel, the ramdisk and the arguments of its own ext4, changes its menu, reboots,
# and starts as the menu says then; from a disk without a kernel the packaged one starts, and why.
. tests/system/lib.bash
command -v mke2fs >/dev/null || PATH=$PATH:/usr/sbin:/sbin
command -v mke2fs >/dev/null || { echo "no mke2fs: apt install e2fsprogs"; exit 99; }
tree=$work/tree
mkdir -p "$tree/boot/grub" "$work/root" "$work/rd"
cp "$O/bzImage" "$tree/boot/vmlinuz-own" || exit 99
cat >"$work/rd/cmd" <<'END'
case $(cat /proc/cmdline) in
*from=first*)
	mkdir /m && mount -t ext4 /dev/xvda /m &&
		sed -i s/from=first/from=second/ /m/boot/grub/grub.cfg && umount /m && reboot -f
	exit 7 ;;
*from=second*" and=all"*) exit 0 ;;
esac
exit 9
END
{ cat "$O/initramfs.cpio"; (cd "$work/rd" && echo cmd | cpio -o -H newc --quiet); } \
	>"$tree/boot/initrd-own"
cat >"$tree/boot/grub/grub.cfg" <<'END'
set default="0"
menuentry 'its own' --class debian {
	search --no-floppy --fs-uuid --set=root 12345678
	linux	/boot/vmlinuz-own console=hvc0 quiet loglevel=4 panic=-1 from=first and=all
	initrd	/boot/initrd-own
}
END
truncate -s 20M "$work/root/own.img"
mke2fs -q -F -t ext4 -d "$tree" "$work/root/own.img" || exit 99
control "$(cat <<'END'
step "the reader"
reader=/usr/lib/parvus/guest-boot
[ -x $reader ] || fail "no $reader in domain 0"
$reader 3</own.img | head -n 1 >line
case $(cat line) in
"kernel "*" ramdisk "*" of its own") ;;
*) fail "the reader says: $(cat line)" ;;
esac
# what it is while nobody takes what it says
mkfifo pipe
$reader 3</own.img >pipe &
child=$!
exec 4<pipe
until_true 30 'grep -q "^Seccomp:.2" /proc/'$child'/status'
grep -q "^Uid:.65534.65534.65534.65534" /proc/$child/status && grep -q "^NoNewPrivs:.1" \
	/proc/$child/status && grep -q "^CapEff:.0000000000000000" /proc/$child/status ||
	fail "its sandbox: $(cat /proc/$child/status)"
[ "$(readlink /proc/$child/root)" != / ] || fail "its root"
[ "$(readlink /proc/$child/ns/net)" != "$(readlink /proc/self/ns/net)" ] || fail "its network"
kill -9 $child
exec 4<&-

step "a domain of it"
cat >own.cfg <<'END_OF_CONFIGURATION'
name = "own"
memory = 96
bootloader = "pygrub"
disk = ["file:/own.img,xvda,w"]
on_poweroff = "preserve"
on_crash = "preserve"
END_OF_CONFIGURATION
P create -q own.cfg
grep -qF "own: the kernel is its own, of /own.img" err || fail "not told: $(cat err)"
first=$(parvus domid own)
until_true 90 '[ "$(parvus domid own 2>/dev/null || echo 0)" -gt '"$first ]"
ended own 90
grep -q "the kernel is its own, of" /var/log/parvus/monitor-own.log ||
	fail "the log: $(cat /var/log/parvus/monitor-own.log)"
P destroy own

step "no kernel on it"
truncate -s 1M empty.img
P create -q own.cfg "disk=['file:/tmp/empty.img,xvda,w']"
grep -q "empty.img: no ext2, ext3 or ext4 is on it; the kernel is /usr/lib/parvus/vmlinuz" err ||
	fail "not told: $(cat err)"
P destroy own
END
)"
exit 0
