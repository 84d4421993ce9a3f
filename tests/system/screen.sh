# SPDX-License-Identifier: GPL-2.0-only
# @timeout 900
# What stands on the screen: the hypervisor's first words, domain 0's console (vgacon, vesafb), and
# the last words of a panic of either, white on blue. In text mode, found by VGA's registers or said
# by GRUB; in pixels of 32, 24 and 16 bits by GRUB on BIOS; on UEFI, where a frame buffer in memory
# is refused. Pictures of the screen are read by the shapes of their characters: the hypervisor's
# font is the package's, domain 0's Linux's.
. tests/system/lib.bash
parts="text"
if command -v grub-mkrescue >/dev/null && [[ -d /usr/lib/grub/i386-pc ]]; then
	parts+=" grub pixels bios"
	[[ -r /usr/share/OVMF/OVMF_CODE_4M.fd && -d /usr/lib/grub/x86_64-efi ]] && parts+=" uefi"
fi
# shellcheck disable=SC2086
python3 tests/system/prog/screen.py $parts || exit 1
[[ $parts == *uefi* ]] || { echo "no GRUB for BIOS and UEFI, or no OVMF: $parts alone"; exit 77; }
exit 0
