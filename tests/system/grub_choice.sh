# SPDX-License-Identifier: GPL-2.0-only
# @timeout 400
# The real GRUB (by PXE, its files on a disk) does what parvus-boot means: a try once, then the old
# system; the committed pair; the old system after a committed start of which nobody said that it
# is good, and again after that; the machine restarts, into the old system, where a file of the
# try or of the pair is missing. The hypervisor that is started is ours, without a kernel that it
# could run: it says so, by one line.
. tests/system/lib.bash
for p in grub-editenv grub-script-check grub-mkimage mke2fs debugfs; do
	PATH=$PATH:/usr/sbin:/sbin command -v $p >/dev/null || { echo "no $p"; exit 77; }
done
[[ -r /usr/lib/grub/i386-pc/multiboot2.mod ]] || { echo "no grub-pc-bin"; exit 77; }
mkdir "$work/bin"
printf '#!/bin/sh\n' >"$work/bin/parvus"	# what "good" asks: the toolstack works
chmod 755 "$work/bin/parvus"
PATH=$work/bin:$PATH:/usr/sbin:/sbin
[[ -r $O/parvus.elf ]] || { echo "no $O/parvus.elf"; exit 99; }
tool=$PWD/tools/boot/parvus-boot
export PARVUS_BOOT_ROOT=$work/r
R=$PARVUS_BOOT_ROOT
V=6.1.7-parvus
mkdir -p "$R"/{proc,boot/grub} "$work"/{share,tftp}
echo 'flags : fpu' >"$R/proc/cpuinfo"
echo 'MemTotal: 4194304 kB' >"$R/proc/meminfo"
echo 'root=x' >"$R/proc/cmdline"
objcopy --strip-debug "$O/parvus.elf" "$work/hv" || exit 99
gzip -c "$work/hv" >"$R/boot/parvus-0.1.elf.gz"
echo kernel | gzip >"$R/boot/parvus-linux-$V.gz"
echo initrd >"$R/boot/initrd.img-$V"
cat >"$work/share/grub-mkconfig_lib" <<'END'
make_system_path_relative_to_its_root() { echo "${1#"$PARVUS_BOOT_ROOT"}"; }
prepare_grub_to_access_device() { echo "set root=hd0"; }
grub_quote() { sed "s/'/'\\\\''/g"; }
END
{
	# as 00_header of Debian's GRUB has it
	cat <<'END'
serial --unit=0
terminal_output serial
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="0"
fi
if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
set timeout=0
menuentry 'Old' $menuentry_id_option 'old' {
	echo "the old system"
	sleep 1
	halt
}
END
	GRUB_DEVICE=/dev/vda1 GRUB_DEVICE_UUID=1-2 GRUB_DEVICE_BOOT=/dev/vda1 GRUB_FS=ext2 \
		GRUB_CMDLINE_LINUX="" GRUB_CMDLINE_LINUX_DEFAULT="" GRUB_CMDLINE_PARVUS="log=com1" \
		pkgdatadir=$work/share sh tools/boot/21_linux_parvus 2>/dev/null
} >"$R/boot/grub/grub.cfg"
B() { sh "$tool" "$@" >"$work/out" 2>&1 || fail "parvus-boot $*: $(cat "$work/out")"; }
# modules in the image: the network is as slow as its packets are many
cat >"$work/first.cfg" <<'END'
set root=hd0
set prefix=(hd0)/boot/grub
configfile (hd0)/boot/grub/grub.cfg
END
grub-mkimage -O i386-pc-pxe -p '(hd0)/boot/grub' -c "$work/first.cfg" -o "$work/tftp/grub" \
	biosdisk all_video \
	ext2 normal configfile loadenv test echo sleep halt reboot serial terminal gzio multiboot2 \
		boot \
	minicmd || exit 99

# start: one start of the machine by what is on the files, which then are as GRUB leaves them;
# sets $started (restarted: the old system,
# after GRUB could not load Parvus)
start() {
	local i pid
	rm -f "$work/disk"
	truncate -s 16M "$work/disk"
	mke2fs -q -F -t ext2 -d "$R" "$work/disk" || exit 99
	rm -f "$work/console"
	qemu-system-x86_64 -accel tcg -cpu max -m 256 -display none -nodefaults \
		-serial "file:$work/console" -drive "if=ide,format=raw,file=$work/disk" \
		-netdev "user,id=n,tftp=$work/tftp,bootfile=/grub" -device \
			e1000,netdev=n,bootindex=1 &
	pid=$!
	started=nothing
	for ((i = 0; i < 900; i++)); do
		grep -aq 'the old system' "$work/console" 2>/dev/null && { started=old; break; }
		grep -aq 'no domain 0: shorter than an ELF header' "$work/console" 2>/dev/null &&
			{ started=parvus; break; }
		kill -0 $pid 2>/dev/null || break
		sleep 0.1
	done
	line=$(grep -a 'Parvus, ABI' "$work/console" | tr -d '\r')
	grep -aq 'the old system' "$work/console" && started=old
	[[ $started == old ]] && grep -aq 'cannot be loaded' "$work/console" && started=restarted
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	debugfs -R "dump /boot/grub/grubenv $R/boot/grub/grubenv" "$work/disk" 2>/dev/null
}
starts() { start; [[ $started == "$1" ]] ||
	{ tail -5 "$work/console"; fail "$started, not $1: $2"; }; }

starts old "as ever"
B try --force --no-initrd
starts parvus "a try"
[[ $line == *"reboot=yes panic=reboot bootwatch=600 log=com1"* ]] || fail "command line: $line"
starts old "after the try"
B status
grep -q '^last try: *failed' "$work/out" || fail "$(cat "$work/out")"
B commit --force
starts parvus "committed"
starts old "it did not come up"
starts old "still"
B commit --force
starts parvus "committed again"
mkdir -p "$R/sys/hypervisor"
echo "x parvus.boot=committed" >"$R/proc/cmdline"
B good
starts parvus "it was good"
B good
rm "$R"/boot/parvus/pair-*/linux.gz
starts restarted "a pair without its kernel"
starts old "after that"
B rollback
starts old "rollback"
B try --force --no-initrd
rm "$R/boot/parvus-linux-$V.gz"
starts restarted "a try without its kernel"
starts old "after that"
exit 0
