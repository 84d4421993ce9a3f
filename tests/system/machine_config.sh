# SPDX-License-Identifier: GPL-2.0-only
# The configuration of the kernel for machines (packages/kernel): Kconfig takes each line of it over
# Debian's for clouds; lines that do not hold are told, all of them, those that switch off, too. No
# kernel is built here. Without a tree of the kernel (it came from the cache) FULL=1 unpacks one.
. tests/system/lib.bash

[[ -r /usr/src/linux-config-6.1/config.amd64_none_cloud-amd64.xz ]] ||
	{ echo "no linux-config-6.1: tools/deps machine"; exit 77; }
for tree in "$O/machine/linux-6.1" "$O/linux-6.1" ''; do
	[[ -x $tree/scripts/kconfig/conf ]] && tree=$(realpath "$tree") && break
done
if [[ -z $tree ]]; then
	[[ -n ${FULL:-} ]] || { echo "no tree of the kernel in $O: FULL=1 unpacks one"; exit 77; }
	tree=$work/out/linux-6.1
	ABI_GEN_DIR=$O/gen packages/kernel/build "$work/out" --check >"$work/log" 2>&1 ||
		fail "the fragment: $(cat "$work/log")"
fi
look() {
	ls -la --time-style=full-iso "$tree/.config" "$tree/Kconfig" "$O"/linux.key 2>/dev/null
}
before=$(look)
TREE=$tree packages/kernel/build "$work/check" --check >"$work/log" 2>&1 ||
	fail "the fragment: $(cat "$work/log")"
[[ $(look) == "$before" ]] || fail "a check wrote into $tree"
# once more by other eyes, of what docs/hardware.md promises
for option in PARVUS_GUEST=y BLK_DEV_NVME=y SATA_AHCI=m MEGARAID_SAS=m SCSI_MPT3SAS=m E1000E=m \
	IGB=m IXGBE=m I40E=m ICE=m MLX5_CORE=m BNX2=m BNXT=m TIGON3=m R8169=m ENA_ETHERNET=m GVE=m \
	USB_XHCI_HCD=m DM_CRYPT=m BTRFS_FS=m XFS_FS=m VFAT_FS=m OVERLAY_FS=m FUSE_FS=m NFSD=m \
	WIREGUARD=m USER_NS=y PID_NS=y HUGETLBFS=y KPROBES=y FRAMEBUFFER_CONSOLE=y \
	PARAVIRT_TIME_ACCOUNTING=y; do
	grep -qx "CONFIG_$option" "$work/check/config" || fail "no $option"
done
! grep -E '^CONFIG_(XEN|X86_5LEVEL|MODIFY_LDT_SYSCALL|X86_16BIT|X86_IOPL_IOPERM|MODULE_SIG)=' \
	"$work/check/config" || fail "a port cannot have that"

# --- an option that is none, one that needs another, one that something needs
mkdir -p "$work/copy/packages/kernel"
for f in guest-patches pv-abi pv-drivers; do ln -s "$PWD/$f" "$work/copy/"; done
cp packages/kernel/build packages/kernel/config "$work/copy/packages/kernel/"
printf 'CONFIG_%s\n' OF_YESTERDAY=y PREEMPT_RT=y >>"$work/copy/packages/kernel/config"
echo "# CONFIG_PARAVIRT_XXL is not set" >>"$work/copy/packages/kernel/config"
TREE=$tree "$work/copy/packages/kernel/build" "$work/red" --check >"$work/log" 2>&1 &&
	fail "options that do not hold are taken"
[[ $(cat "$work/log") == "build: packages/kernel/config: these do not hold: CONFIG_OF_YESTERDAY=y,"\
" CONFIG_PREEMPT_RT=y, CONFIG_PARAVIRT_XXL is set" ]] || fail "$(cat "$work/log")"
packages/kernel/build "$work/red" --chek >"$work/log" 2>&1 && fail "--chek"
[[ $(cat "$work/log") == "build: --chek: --check is expected" ]] || fail "$(cat "$work/log")"
exit 0
