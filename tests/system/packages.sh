# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 900
# The packages: what each has in it, the same bytes from a copy of the tree elsewhere by another
# user's habits (umask, time zone, language), lintian content, the maintainer scripts. The kernel is
# taken as it was built, and packed once.
. tests/system/lib.bash
for p in dh lintian dpkg-deb; do
	command -v $p >/dev/null || { echo "no $p: tools/deps deb"; exit 77; }
done
[[ -r $O/vmlinux && -r $O/parvus.elf && -r $O/initramfs.cpio ]] ||
	{ echo "no $O/vmlinux: make tests-built guest-kernel"; exit 99; }
export SOURCE_DATE_EPOCH=1700000000 DEB_LEVEL=1
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL

# ---- built once here
mkdir -p "$work/one"
cp -a "$O/tools" "$O/gen" "$work/one/" || exit 99
for f in parvus.elf initramfs.cpio vmlinux bzImage System.map linux-headers; do
	ln -s "$(realpath "$O/$f")" "$work/one/$f"
done
build() { # FOLDER ARGUMENT...
	(cd "$1" && shift && packages/build "$@") >"$work/log" 2>&1 ||
		{ tail -20 "$work/log"; fail "packages/build"; }
}
build . "$work/one" "$work/one"
deb=$work/one/deb
(cd "$deb" && ls ./*.deb) >"$work/names"
linux=$(sed -n 's,^\./linux-image-\(.*\)_.*_amd64.deb,\1,p' "$work/names")
[[ $(sed 's/_.*//; s,^\./,,' "$work/names" | tr '\n' ' ') == \
	"libparvus-dev libparvus0 linux-headers-$linux linux-image-$linux parvus-doc "*\
"parvus-hypervisor parvus-tools parvus-xl-compat " ]] ||
	fail "packages: $(cat "$work/names")"

# ---- once more elsewhere
mkdir "$work/tree"
git ls-files -co --exclude-standard 2>/dev/null | grep -v '^tests/' >"$work/files"
[[ -s $work/files ]] ||
	find . -type f ! -path './build*' ! -path './tests/*' ! -path './.git/*' >"$work/files"
xargs -d '\n' cp --parents -t "$work/tree" <"$work/files" 2>/dev/null
mkdir "$work/tree/out"
for f in vmlinux bzImage System.map linux-headers; do
	ln -s "$(realpath "$O/$f")" "$work/tree/out/$f"
done
(umask 077; cd "$work/tree" &&
	make -s hypervisor tools out/initramfs.cpio O=out) >"$work/log" 2>&1 ||
	{ tail "$work/log"; fail "the copy does not build"; }
(umask 077; export TZ=Pacific/Auckland LANG=de_DE.UTF-8; PARTS=tools build "$work/tree" out out)
for f in "$work"/tree/out/deb/*.deb; do
	cmp "$f" "$deb/${f##*/}" || {
		for d in "$f" "$deb/${f##*/}"; do
			rm -rf "$work/x"
			dpkg-deb -R "$d" "$work/x"
			(cd "$work/x" && find . -type f -exec sha256sum {} + |
				sort -k2) >"$work/sums.${d//\//_}"
		done
		diff "$work"/sums.* | head
		fail "${f##*/} is not the same twice"
	}
done

# ---- lintian
lintian --allow-root --fail-on error,warning --suppress-tags-from-file packages/lintian \
	"$deb"/parvus*.deb "$deb"/libparvus*.deb "$deb"/linux-image*.deb >"$work/lint" 2>&1 ||
	{ cat "$work/lint"; fail "lintian"; }

# ---- what is in them, and whose it is
has() { # PACKAGE FILE...
	local p=$1 f
	shift
	dpkg-deb -c "$deb/$p"_*.deb >"$work/list"
	grep -v ' root/root ' "$work/list" && fail "$p: files of somebody"
	for f; do
		grep -qE " \./$f( -> .*)?\$" "$work/list" ||
			{ cat "$work/list"; fail "$p has no $f"; }
	done
}
has parvus-hypervisor "boot/parvus-0.1.elf.gz" usr/sbin/parvus-boot etc/grub.d/21_linux_parvus \
	usr/lib/parvus/21_linux_parvus lib/systemd/system/parvus-boot-good.service \
	usr/share/man/man8/parvus-boot.8.gz usr/share/bash-completion/completions/parvus-boot \
	etc/default/grub.d/parvus.cfg usr/share/doc/parvus-hypervisor/copyright
has parvus-tools usr/sbin/parvus usr/sbin/parvus-image usr/sbin/parvus-device \
	usr/lib/parvus/parvus-monitor usr/lib/parvus/block-server usr/lib/parvus/parvus-domains \
	usr/lib/parvus/guest-boot \
	usr/lib/parvus/initramfs.cpio lib/systemd/system/parvus-domains.service etc/parvus/auto/ \
	etc/parvus/parvus.conf usr/share/man/man1/parvus.1.gz usr/share/man/man5/parvus.cfg.5.gz \
	usr/share/man/man8/parvus-image.8.gz usr/share/bash-completion/completions/parvus
has parvus-tools usr/lib/parvus/compat/xenstore-read usr/lib/parvus/compat/xm
has parvus-xl-compat usr/sbin/xl usr/sbin/xm usr/sbin/xentop etc/xen/scripts/vif-bridge \
	etc/xen/auto/ var/log/xen/ usr/share/man/man1/xl.1.gz \
	usr/share/bash-completion/completions/xl
[[ $(dpkg-deb -f "$deb"/parvus-xl-compat_*.deb Conflicts) == xen-utils-common ]] || fail "conflicts"
has libparvus0 usr/lib/x86_64-linux-gnu/libparvus.so.0 usr/share/doc/libparvus0/copyright
has libparvus-dev usr/lib/x86_64-linux-gnu/libparvus.so usr/lib/x86_64-linux-gnu/libparvus.a \
	usr/include/libparvus.h usr/include/parvus/control.h usr/include/parvus/ring_ops.h \
	usr/lib/x86_64-linux-gnu/pkgconfig/libparvus.pc
has parvus-doc usr/share/doc/parvus/install.md usr/share/doc/parvus/abi.md
has "linux-headers-$linux" "usr/src/linux-headers-$linux/Module.symvers" "lib/modules/$linux/build"
has "linux-image-$linux" "boot/parvus-linux-$linux.gz" "boot/config-$linux" \
	"boot/System.map-$linux" "usr/lib/parvus/vmlinuz-$linux" \
		"lib/modules/$linux/modules.builtin" "lib/modules/$linux/modules.builtin.modinfo"
# names that GRUB's own scripts or update-initramfs would take for the machine's kernels
grep -E ' \./boot/(vmlinu|kernel-|initrd)' "$work/list" && fail "GRUB would start it by itself"
dpkg-deb --ctrl-tarfile "$deb"/libparvus0_*.deb | tar -xO ./symbols |
	grep -q '^ parvus_create@LIBPARVUS_0 0.1' ||
	fail "libparvus0 has no symbols"
dpkg-deb --ctrl-tarfile "$deb"/libparvus0_*.deb | tar -xO ./shlibs |
	grep -qx 'libparvus 0 libparvus0 (>= 0.1)' ||
	fail "libparvus0 has no shlibs"
[[ $(dpkg-deb -f "$deb"/parvus-tools_*.deb Depends) == *libjson-c5* ]] ||
	fail "parvus-tools depends on nothing"
# the hypervisor is one that GRUB takes, and drivers that are built in are named
dpkg-deb --fsys-tarfile "$deb"/parvus-hypervisor_*.deb | tar -xO ./boot/parvus-0.1.elf.gz |
	gzip -d >"$work/hv"
! command -v grub-file >/dev/null || grub-file --is-x86-multiboot2 "$work/hv" ||
	fail "no multiboot2 header"
dpkg-deb --fsys-tarfile "$deb/linux-image-${linux}"_*.deb |
	tar -xO "./lib/modules/$linux/modules.builtin" >"$work/builtin"
for m in ext4 nvme virtio_blk ahci sd_mod; do
	grep -q "/$m.ko$" "$work/builtin" || fail "modules.builtin has no $m"
done
# a version of one's own
(cd "$work/tree" && DEB_VERSION=0.1+2 PARTS=tools packages/build out out) >"$work/log" 2>&1 ||
	fail "DEB_VERSION: $(tail -3 "$work/log")"
[[ -r $work/tree/out/deb/parvus-hypervisor_0.1+2_amd64.deb ]] || fail "DEB_VERSION"
(cd "$work/tree" && PARTS=x packages/build out out) >"$work/log" 2>&1 && fail "PARTS=x"
grep -q 'PARTS=x: tools or linux' "$work/log" || fail "PARTS=x: $(cat "$work/log")"
exit 0
