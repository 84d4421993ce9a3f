# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 900
# GRUB loads the CD image by multiboot 2, on BIOS and on UEFI: a single guest, and domain 0, whose
# kernel lies where UEFI has firmware, from a bundle and from plain modules.
. tests/system/lib.bash
command -v grub-mkrescue >/dev/null || { echo "no grub-mkrescue"; exit 77; }
export CPUS=2 VCPUS=2 MEM=512M
# the command is in the image, as everything else
for BOOT in iso uefi; do
	export BOOT
	TIMEOUT=200 guest 'uname -r; nproc; exit 5'
	[[ $rc == 5 && $out == *$'6.1.'*$'\n2'* ]] || fail "BOOT=$BOOT: status $rc: $out"
	MEM=1G TIMEOUT=200 domain0 'parvus run -- uname -r; exit 6'
	[[ $rc == 6 && $out == *$'6.1.'* ]] || fail "BOOT=$BOOT, domain 0: status $rc: $out"
	PLAIN=1 MEM=1G TIMEOUT=200 domain0 'parvus run -- uname -r; exit 7'
	[[ $rc == 7 && $out == *$'6.1.'* ]] || fail "BOOT=$BOOT, modules: status $rc: $out"
done
