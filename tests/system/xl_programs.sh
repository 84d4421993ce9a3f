# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 500
# Programs that have xl in their hands, unmodified, with their packages and an xl that is ours laid
# over this machine's folders, against the hypervisor that is a file: Pacemaker's agent for Xen, by
# the two testers of its own package (ocf-tester and ocft's nine cases), and xen-tools, which makes
# an image, writes its configuration and starts it.
. tests/system/programs.bash
debs resource-agents libxml2-utils "${xen_tools[@]}"
rooted
mkdir "$work/over" "$work/tree" "$work/tree/etc" "$work/tree/etc/ssh"
mkdir -p "$work/debs/etc/xen/vm" "$work/debs/usr/local/bin"
sed 's/^name = .*/name="web"/' "$work/web.cfg" >"$work/debs/etc/xen/vm/xen-f"
ln -s "$parvus" "$work/debs/usr/local/bin/xl"
follow web tools.example.org

bed true 2>"$work/err" || { echo "no overlays here: $(cat "$work/err")"; exit 77; }

bed ocf-tester -n web -o xmfile=/etc/xen/vm/xen-f -o shutdown_timeout=10 \
	/usr/lib/ocf/resource.d/heartbeat/Xen >"$work/out" 2>&1
rc=$?
[[ $rc == 0 && $(cat "$work/out") == *"passed all tests"* ]] ||
	fail "ocf-tester: $rc: $(cat "$work/out")"
"$parvus" list web >/dev/null 2>&1 && P destroy web
clean
bed sh -c 'ocft make Xen && ocft test Xen' >"$work/out" 2>&1
rc=$?
[[ $rc == 0 && $(grep -c "^Xen: .*OK" "$work/out") == 9 ]] ||
	fail "ocft: $rc: $(cat "$work/out")"
"$parvus" list web >/dev/null 2>&1 && P destroy web
clean

# xen-tools: the tree is copied, not fetched; "bootloader = 'pygrub'" finds the image's own kernel
reader=$O/tools/guest-boot-static
[[ -x $reader ]] || { echo "no $reader: make tools"; exit 99; }
cp "$reader" "$PARVUS_LIB_DIR/guest-boot"
for d in bin boot dev proc sys tmp root var usr; do mkdir "$work/tree/$d"; done
cp "$work/kernel" "$work/tree/boot/vmlinuz-own"
cp "$PARVUS_LIB_DIR/initramfs.cpio" "$work/tree/boot/initrd-own"
ln -s boot/vmlinuz-own "$work/tree/vmlinuz"
ln -s boot/initrd-own "$work/tree/initrd.img"
printf '#!/bin/sh\n' >"$work/tree/bin/ls"
chmod 755 "$work/tree/bin/ls"
# nothing is customized: that runs programs of the tree
rm -r "$work/debs/usr/share/xen-tools"/*.d
mkdir "$work/debs/usr/share/xen-tools/bookworm.d"
bed bash -c '
	xen-create-image --hostname=tools.example.org --dir="$0/images" --install-method=copy \
		--install-source="$0/tree" --dist=bookworm --fs=ext3 --dhcp --bridge=br0 \
		--memory=48M --size=24M --swap=8M --nohosts --mirror=http://none --force \
		--genpass=0 --boot \
		>"$0/out" 2>&1
	rc=$?
	cat /etc/xen/tools.example.org.cfg >"$0/made.cfg"
	xen-list-images >"$0/images.list" 2>&1
	xen-delete-image --hostname=tools.example.org --dir="$0/images" >"$0/deleted" 2>&1
	exit $rc' "$work"
rc=$?
[[ $rc == 0 && -s $work/made.cfg ]] ||
	fail "xen-create-image: $rc: $(cat "$work/out"); $(cat "$work/made.cfg")"
grep -q "^bootloader = 'pygrub'" "$work/made.cfg" ||
	fail "another image: $(cat "$work/made.cfg")"
grep -q "^Name: tools.example.org" "$work/images.list" || fail "$(cat "$work/images.list")"
grep -qi "running" "$work/deleted" ||
	fail "xen-delete-image takes what runs: $(cat "$work/deleted")"
until_true state tools.example.org "-b----"
[[ $(P block-list tools.example.org | awk '{ print $1, $NF }' | sed 1d) == \
	"xvda2 "*/disk.img$'\n'"xvda1 "*/swap.img ]] || fail "$(P block-list tools.example.org)"
[[ $(P network-list tools.example.org) == *" vif"*" br0" ]] || fail "its interface"
G tools.example.org wait >/dev/null
[[ $(G tools.example.org file file) == content ]] || fail "not the image's own ramdisk"
[[ $(G tools.example.org cmdline) == *"root=/dev/xvda2 ro"* ]] ||
	fail "$(G tools.example.org cmdline)"
P destroy tools.example.org
clean
exit 0
