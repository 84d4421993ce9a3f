# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 400
# What xen-create-image makes, unmodified, starts on the real hypervisor: its images and its
# configuration, as they are, in domain 0, by the kernel and the ramdisk that are in the image
# (bootloader = 'pygrub', /vmlinuz), with the disk and the swap space as partitions and a bridge.
. tests/system/programs.bash
debs "${xen_tools[@]}"
rooted
mkdir "$work/over" "$work/tree" "$work/tree/etc" "$work/tree/etc/ssh" "$work/rd"
mkdir -p "$work/debs/etc/xen" "$work/debs/usr/local/bin"
ln -s "$parvus" "$work/debs/usr/local/bin/xl"
bed true 2>"$work/err" || { echo "no overlays here: $(cat "$work/err")"; exit 77; }
for d in bin boot dev proc sys tmp root var usr; do mkdir "$work/tree/$d"; done
cat >"$work/rd/cmd" <<'END'
mkdir /m && mount -o ro /dev/xvda2 /m && [ -r /m/boot/vmlinuz-own ] &&
	[ "$(cat /m/etc/hostname)" = tools.example.org ] && swapon /dev/xvda1 &&
	[ -d /sys/class/net/eth0 ]
END
cp "$O/bzImage" "$work/tree/boot/vmlinuz-own" || exit 99
{ cat "$O/initramfs.cpio"; (cd "$work/rd" && echo cmd | cpio -o -H newc --quiet); } \
	>"$work/tree/boot/initrd-own"
ln -s boot/vmlinuz-own "$work/tree/vmlinuz"
ln -s boot/initrd-own "$work/tree/initrd.img"
printf '#!/bin/sh\n' >"$work/tree/bin/ls"
chmod 755 "$work/tree/bin/ls"
echo tools.example.org >"$work/tree/etc/hostname"
# nothing is customized: that runs programs of the tree
rm -r "$work/debs/usr/share/xen-tools"/*.d
mkdir "$work/debs/usr/share/xen-tools/bookworm.d"
mkdir -p "$work/root/var/xen"
bed bash -c '
	mkdir /var/xen
	xen-create-image --hostname=tools.example.org --dir=/var/xen --install-method=copy \
		--install-source="$0/tree" --dist=bookworm --fs=ext3 --dhcp --bridge=br0 \
		--memory=96M --size=24M --swap=8M --nohosts --mirror=http://none --force \
		--genpass=0 >"$0/out" 2>&1 || exit 1
	cp -r /var/xen/domains "$0/root/var/xen/" && cp /etc/xen/tools.example.org.cfg "$0/root/"' \
	"$work" || fail "xen-create-image: $(cat "$work/out")"
grep -q "^bootloader = 'pygrub'" "$work/root/tools.example.org.cfg" ||
	fail "another image: $(cat "$work/root/tools.example.org.cfg")"
control "$(cat <<'END'
ip link add br0 type bridge && ip link set br0 up || fail "no bridge"
P create -q /tools.example.org.cfg
grep -qF "the kernel is /vmlinuz, of /var/xen/domains/tools.example.org/disk.img" err ||
	fail "not its own kernel: $(cat err)"
until_true 120 'grep -q "domain 1: ended" /var/log/parvus/monitor-tools.example.org.log'
grep -q "ended: poweroff, status 0" /var/log/parvus/monitor-tools.example.org.log ||
	fail "it has not found what it was given: $(says tools.example.org)"
END
)"
exit 0
