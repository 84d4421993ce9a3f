# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# parvus-boot on files of its own: what check says of each machine that it should warn of, a try
# that is good and one that fails, commit, an upgrade that leaves the committed pair alone,
# rollback. A power cut after any step of commit, rollback or try (each program that it starts is
# the last one, once before it does its work and once after it) leaves an environment block and a
# pair that GRUB can follow. The real GRUB's part is system/grub_choice, a whole machine's
# system/host.
. tests/system/lib.bash
for p in grub-editenv grub-script-check grub-mkconfig; do
	command -v $p >/dev/null || { echo "no $p: apt install grub-common grub2-common"; exit 77; }
done
tool=$PWD/tools/boot/parvus-boot
script=$PWD/tools/boot/21_linux_parvus
real_path=$PATH
export PARVUS_BOOT_ROOT=$work/r
R=$PARVUS_BOOT_ROOT
V=6.1.7-parvus

# ---- a machine of files: BIOS, one virtio disk, one card
mkdir -p "$R"/{proc/tty/driver,sys/class/dmi/id,boot/grub/i386-pc,lib/modules/$V} "$work/bin"
mkdir -p "$R"/sys/devices/pci0/virtio1/{block/vda/vda1,net/eth0} "$R"/sys/class/{block,net}
mkdir -p "$R"/sys/bus/virtio/drivers/virtio_blk "$R"/sys/module/{virtio_blk,virtio_pci,virtio_net}
d=$R/sys/devices/pci0
echo 1 >"$d/virtio1/block/vda/vda1/partition"
ln -s "$d/virtio1/block/vda/vda1" "$R/sys/class/block/vda1"
ln -s "$d/virtio1/block/vda" "$R/sys/class/block/vda"
for at in virtio1:virtio_blk .:virtio_pci; do
	mkdir -p "$d/drv-${at#*:}"
	ln -s "$R/sys/module/${at#*:}" "$d/drv-${at#*:}/module"
	ln -s "$d/drv-${at#*:}" "$d/${at%:*}/driver"
done
mkdir -p "$R/sys/class/net/eth0"
ln -s "$d/virtio1/net/eth0" "$R/sys/class/net/eth0/device"
ln -s "$d/drv-virtio_net" "$d/virtio1/net/eth0/driver"
mkdir -p "$d/drv-virtio_net"
ln -s "$R/sys/module/virtio_net" "$d/drv-virtio_net/module"
printf 'kernel/builtin/%s.ko\n' virtio_blk virtio_pci virtio_net ext4 \
	>"$R/lib/modules/$V/modules.builtin"
echo 'flags : fpu constant_tsc nx' >"$R/proc/cpuinfo"
echo 'MemTotal: 4194304 kB' >"$R/proc/meminfo"
echo 'BOOT_IMAGE=/boot/vmlinuz root=UUID=1 ro' >"$R/proc/cmdline"
echo '0: uart:16550A port:000003F8 irq:4' >"$R/proc/tty/driver/serial"
: >"$R/boot/grub/i386-pc/multiboot2.mod"
fake() { printf '#!/bin/sh\n%s\n' "$2" >"$work/bin/$1"; chmod 755 "$work/bin/$1"; }
fake findmnt 'case $* in *SOURCE*) echo /dev/vda1 ;; *) echo ext4 ;; esac'
fake grub-probe \
	"case \$* in *abstraction*) cat $work/abstraction ;; *) cat $work/fs ;; esac 2>/dev/null"
fake ip 'echo default via 10.0.2.2 dev eth0'
fake parvus '[ "$*" = info ] && echo up >>'"$work/watch"
: >"$work/abstraction"
echo ext2 >"$work/fs"

# ---- the script of GRUB, in a grub-mkconfig that has nothing else
cat >"$work/lib" <<'END'
make_system_path_relative_to_its_root() { echo "${1#"$PARVUS_BOOT_ROOT"}"; }
prepare_grub_to_access_device() { echo "search --fs-uuid --set=root 1"; }
grub_quote() { sed "s/'/'\\\\''/g"; }
END
mkdir -p "$work/share"
mv "$work/lib" "$work/share/grub-mkconfig_lib"
mkcfg() {
	{
		echo "set timeout=1"
		GRUB_DEVICE=/dev/vda1 GRUB_DEVICE_UUID=1-2 GRUB_DEVICE_BOOT=/dev/vda1 GRUB_FS=ext2 \
			GRUB_CMDLINE_LINUX="console=ttyS0 quiet" GRUB_CMDLINE_LINUX_DEFAULT="" \
			GRUB_DISTRIBUTOR=Debian pkgdatadir=$work/share "$@" sh "$script" 2>/dev/null
	} >"$R/boot/grub/grub.cfg"
	grub-script-check "$R/boot/grub/grub.cfg" ||
		fail "GRUB cannot read what 21_linux_parvus says"
}
install_version() { # HYPERVISOR CONTENT: as dpkg does, by new files
	rm -f "$R"/boot/parvus-*.elf.gz "$R/boot/parvus-linux-$V.gz" "$R/boot/initrd.img-$V"
	echo "hypervisor $2" >"$R/boot/parvus-$1.elf.gz"
	echo "linux $2" >"$R/boot/parvus-linux-$V.gz"
	echo "initrd $2" >"$R/boot/initrd.img-$V"
	mkcfg
}
B() { PATH=$work/bin:$real_path sh "$tool" "$@" >"$work/out" 2>"$work/err"; }
good() { B "$@" || fail "parvus-boot $*: $(cat "$work/out" "$work/err")"; }
bad() { # TEXT ARG...
	local text=$1
	shift
	B "$@" && fail "parvus-boot $*: no failure"
	grep -qF -- "$text" "$work/err" "$work/out" ||
		fail "parvus-boot $*: $(cat "$work/out" "$work/err"), not: $text"
}
var() { grub-editenv "$R/boot/grub/grubenv" list | sed -n "s/^$1=//p"; }
says() { grep -qE -- "$1" "$work/out" || fail "not said: $1: $(cat "$work/out")"; }

# nothing is installed
mkcfg
grep -q menuentry "$R/boot/grub/grub.cfg" && fail "an entry for nothing"
bad "no entry for Parvus" check
bad "nothing to try" try --force
bad "unknown command" frob
bad "unknown option --x" try --x
install_version 0.1 one
args="root=UUID=1-2 ro quiet console=tty0 console=hvc0 panic=10 parvus.boot=try"
grep -q "module2 /boot/parvus-linux-$V.gz $args;" \
	"$R/boot/grub/grub.cfg" || fail "$(grep module2 "$R/boot/grub/grub.cfg")"
mkcfg env GRUB_CMDLINE_PARVUS_LINUX=single GRUB_CMDLINE_PARVUS=dom0_mem=1G
grep -q 'root=UUID=1-2 ro single console' "$R/boot/grub/grub.cfg" ||
	fail "GRUB_CMDLINE_PARVUS_LINUX"
grep -q 'elf.gz .*bootwatch=600 dom0_mem=1G;' "$R/boot/grub/grub.cfg" || fail "GRUB_CMDLINE_PARVUS"
install_version 0.1 one

# ---- check: each thing that may be in the way, alone
good check
says "Nothing is in the way"
says 'root disk +/dev/vda1 \(ext4\) by virtio_blk virtio_pci ext4'
in_the_way() { # TEXT FILE CONTENT: with that content in that file
	local keep=
	[[ -e $2 ]] && keep=$(cat "$2"; echo x)
	mkdir -p "${2%/*}"
	printf "$3" >"$2"
	bad "$1" check
	bad "not tried" try
	[[ -z $(var next_entry 2>/dev/null) ]] || fail "a try in spite of: $1"
	if [[ -n $keep ]]; then printf %s "${keep%x}" >"$2"; else rm "$2"; fi
}
noted() { # TEXT FILE CONTENT
	local keep=
	[[ -e $2 ]] && keep=$(cat "$2"; echo x)
	printf "$3" >"$2"
	good check
	says "note +$1"
	if [[ -n $keep ]]; then printf %s "${keep%x}" >"$2"; else rm "$2"; fi
}
in_the_way "is on LVM" "$work/abstraction" 'lvm\n'
in_the_way "is on a RAID" "$work/abstraction" 'diskfilter mdraid1x\n'
in_the_way "is on btrfs" "$work/fs" 'btrfs\n'
in_the_way "is on zfs" "$work/fs" 'zfs\n'
in_the_way "256 MiB; Parvus and a domain 0 need" "$R/proc/meminfo" 'MemTotal: 262144 kB\n'
in_the_way "Hyper-V" "$R/sys/class/dmi/id/sys_vendor" 'Microsoft Corporation\n'
in_the_way "a guest of Xen" "$R/sys/hypervisor/type" 'xen\n'
in_the_way "has no virtio_blk virtio_pci for /" "$R/lib/modules/$V/modules.builtin" \
	'kernel/builtin/ext4.ko\nkernel/x/virtio_net.ko\n'
in_the_way "has no ext4 for /" "$R/lib/modules/$V/modules.builtin" \
	'k/virtio_blk.ko\nk/virtio-pci.ko\nk/virtio_net.ko\n'
in_the_way "has no virtio_net for eth0" "$R/lib/modules/$V/modules.builtin" \
	'k/virtio_blk.ko\nk/virtio-pci.ko\nk/ext4.ko\n'
noted "serial +no serial console" "$R/proc/tty/driver/serial" '0: uart:unknown port:000003F8\n'
noted "memory +1024 MiB" "$R/proc/meminfo" 'MemTotal: 1048576 kB\n'
noted "paging" "$R/proc/cpuinfo" 'flags : fpu la57 constant_tsc\n'
noted "clock" "$R/proc/cpuinfo" 'flags : fpu\n'
noted "hibernation" "$R/proc/cmdline" 'root=UUID=1 resume=UUID=2\n'
noted "below +a guest of VMware" "$R/sys/class/dmi/id/sys_vendor" 'VMware, Inc.\n'
mv "$R/boot/grub/i386-pc/multiboot2.mod" "$work/"
bad "no $R/boot/grub/i386-pc/multiboot2.mod" check
mkdir -p "$R/sys/firmware/efi/efivars" "$R/boot/grub/x86_64-efi"
mv "$work/multiboot2.mod" "$R/boot/grub/x86_64-efi/"
good check
secure=$R/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
in_the_way "Secure Boot  is on" "$secure" '\6\0\0\0\1'
printf '\6\0\0\0\0' >"$secure"
good check
# a mirror of a disk that has a driver and one that has none
mkdir -p "$R"/sys/devices/virtual/block/md0/{md,slaves} "$R"/sys/devices/pci1/{drv,block/sdx}
echo raid1 >"$R/sys/devices/virtual/block/md0/md/level"
ln -s "$R/sys/devices/virtual/block/md0" "$R/sys/class/block/md0"
mkdir -p "$R/sys/module/megaraid_sas"
ln -s "$R/sys/module/megaraid_sas" "$R/sys/devices/pci1/drv/module"
ln -s "$R/sys/devices/pci1/drv" "$R/sys/devices/pci1/driver"
ln -s "$R/sys/devices/pci1/block/sdx" "$R/sys/class/block/sdx"
ln -s "$R/sys/class/block/sdx" "$R/sys/devices/virtual/block/md0/slaves/sdx"
ln -s "$R/sys/class/block/vda" "$R/sys/devices/virtual/block/md0/slaves/vda"
fake findmnt 'case $* in *SOURCE*) echo /dev/md0 ;; *) echo ext4 ;; esac'
bad "has no megaraid_sas raid1 sd_mod for /" check
fake findmnt 'case $* in *SOURCE*) echo /dev/vda1 ;; *) echo ext4 ;; esac'

# ---- what GRUB does with the block, as grub.cfg says it (the real one: system/grub_choice)
grub() { # sets $started: old, try, or the pair
	local next default start
	next=$(var next_entry) default=$(var parvus_default) start=$(var parvus_start)
	started=old
	if [[ -n $next ]]; then
		grub-editenv "$R/boot/grub/grubenv" unset next_entry
		[[ $next == parvus ]] && started=try
	elif [[ -n $default && $start == pending ]]; then
		grub-editenv "$R/boot/grub/grubenv" set parvus_start=failed
	elif [[ -n $default && $start != failed ]]; then
		started=$default
	fi
	case $started in
	try)
		grub-editenv "$R/boot/grub/grubenv" set parvus_try=started
		echo "root=x parvus.boot=try" >"$R/proc/cmdline"
		echo parvus >"$R/sys/hypervisor/type"
		;;
	old)
		echo "root=x" >"$R/proc/cmdline"
		rm -f "$R/sys/hypervisor/type"
		;;
	*)
		grub-editenv "$R/boot/grub/grubenv" set parvus_start=pending
		[[ $(cat "$R/boot/parvus/$started"/{hypervisor.gz,linux.gz,initrd.img} |
			cut -d' ' -f1 |
			tr '\n' ' ') == "hypervisor linux initrd " ]] ||
				fail "$started is not whole: $(head "$R/boot/parvus/$started"/*)"
		grub-script-check "$R/boot/parvus/$started/boot.cfg" || fail "$started: boot.cfg"
		for f in "multiboot2 /boot/parvus/$started/hypervisor.gz " \
			"module2 /boot/parvus/$started/linux.gz root=.*parvus.boot=committed;" \
			"module2 --nounzip /boot/parvus/$started/initrd.img;"; do
			grep -q "$f" "$R/boot/parvus/$started/boot.cfg" ||
				fail "$f: $(cat "$R/boot/parvus/$started/boot.cfg")"
		done
		echo "root=x parvus.boot=committed" >"$R/proc/cmdline"
		echo parvus >"$R/sys/hypervisor/type"
		;;
	esac
}
starts() { grub; [[ $started == "$1" ]] || fail "GRUB starts $started, not $1 ($2)"; }

bad "no try was found good" commit
good try
good status
says "^next: +a try"
starts try "after try"
good status
says "^last try: +is under way"
starts old "after a try that did not come up"
good status
says "^last try: +failed"
bad "no try was found good" commit
bad "not started by an entry" good
good try
starts try "again"
[[ ! -e $work/watch ]] || fail "bootwatch ends before anything is good"
good good
[[ $(cat "$work/watch") == up ]] || fail "nobody ends bootwatch"
fake parvus 'exit 1'
bad "the toolstack does not work" good
fake parvus exit
starts old "a good try commits nothing"
good status
says "^last try: +good"
good commit
starts pair-1 "after commit"
good status
says "^default: +Parvus 0.1, Linux $V"
good good
starts pair-1 "as it came up"
starts old "as it did not come up"
good status
says "did not come up"
starts old "until the next commit"
good try
starts try "of what has failed"
good good
good commit
starts pair-2 "after commit"
good good

# ---- an upgrade: the pair stays, the new one has to be tried
sum() { cat "$R/boot/parvus/$1"/* | md5sum; }
before=$(sum pair-2)
install_version 0.2 two
[[ $(sum pair-2) == "$before" ]] || fail "the upgrade has changed the committed pair"
starts pair-2 "after the upgrade"
good good
bad "no try was found good" commit
good try
install_version 0.3 three
starts try "0.3, though 0.2 was meant"
good good
bad "no try was found good" commit
starts pair-2 "as nothing was committed"
good status
says "^last try: +failed"	# this is no try
good good
good try
starts try "0.3"
good good
cp -a "$R/boot/initrd.img-$V" "$work/initrd"
echo "initrd made anew" >"$R/boot/initrd.img-$V"
bad "is not what was tried (" commit
cp -a "$work/initrd" "$R/boot/initrd.img-$V"
good commit
starts pair-3 "0.3"
good good
good status
says "^default: +Parvus 0.3"
[[ -d $R/boot/parvus/pair-2 && ! -d $R/boot/parvus/pair-1 ]] || fail "pairs: $(ls "$R/boot/parvus")"
good rollback --previous
starts pair-2 "the one before"
[[ $(sum pair-2) == "$before" ]] || fail "pair-2 was changed"
bad "no pair before" rollback --previous
good rollback
starts old "after rollback"
[[ -z $(ls "$R/boot/parvus") && -z $(var parvus_default) ]] || fail "rollback leaves something"
# the user's own choice is not touched
grub-editenv "$R/boot/grub/grubenv" set saved_entry=mine next_entry=mine
good rollback
[[ $(var saved_entry) == mine && $(var next_entry) == mine ]] || fail "the user's own entries"
grub-editenv "$R/boot/grub/grubenv" unset next_entry
# packages that go
good try
good forget
[[ -z $(var next_entry) ]] || fail "a try of what is gone"
good commit --force
good forget 6.1.8-parvus
[[ -n $(var parvus_default) ]] || fail "forget of another kernel"
good forget $V
[[ -z $(var parvus_default) ]] || fail "forget of the kernel"

# ---- update: by a rename, and nothing if it fails
fake grub-mkconfig 'echo half >$2; exit 1'
cp "$R/boot/grub/grub.cfg" "$work/cfg"
bad "grub.cfg is as it was" update
cmp -s "$work/cfg" "$R/boot/grub/grub.cfg" || fail "a failed update has changed grub.cfg"
echo "menuentry 'Old' --class gnu-linux {" >>"$R/boot/grub/grub.cfg"
fake grub-mkconfig 'echo "menuentry parvus --class parvus {" >$2'
bad "no entry for the old system any more; $R/boot/grub/grub.cfg is as it was" update
tail -1 "$R/boot/grub/grub.cfg" | grep -q Old || fail "an update without the old system is taken"
cp "$work/cfg" "$R/boot/grub/grub.cfg"
fake grub-mkconfig 'echo whole >$2'
chmod 444 "$R/boot/grub/grub.cfg"
inode=$(stat -c %i "$R/boot/grub/grub.cfg")
good update
[[ $(cat "$R/boot/grub/grub.cfg") == whole && $(stat -c %a "$R/boot/grub/grub.cfg") == 444 ]] ||
	fail "update: $(cat "$R/boot/grub/grub.cfg")"
[[ $(stat -c %i "$R/boot/grub/grub.cfg") != "$inode" ]] || fail "update copies over the file"
[[ $(ls "$R/boot/grub") == "$(printf 'grub.cfg\ngrubenv\ni386-pc\nx86_64-efi')" ]] ||
	fail "update leaves $(ls "$R/boot/grub")"
chmod 644 "$R/boot/grub/grub.cfg"
mkcfg

# ---- kexec: three plain modules, and the next reset is the old system's
fake kexec 'printf "%s\n" "$@" >'"$work"'/kexec'
fake systemctl 'echo "$*" >'"$work"'/systemctl'
echo hv | gzip >"$R/boot/parvus-0.3.elf.gz"
good try --kexec
[[ $(cat "$work/systemctl") == kexec ]] || fail "no kexec"
{ read -r a; read -r b; read -r c; read -r k; read -r i; } <"$work/kexec"
[[ $a == -l && $b == --type=multiboot2-x86 &&
	$c == "--command-line=reboot=yes panic=reboot bootwatch=600" &&
	$k == "--module=$R/boot/parvus-linux-$V.gz $args" &&
	$i == "--module=$R/boot/initrd.img-$V" ]] || fail "kexec: $(cat "$work/kexec")"
starts old "the next reset"
good status
says "^last try: +failed"
fake kexec 'exit 1'
bad "kexec does not load" try --kexec
mkdir -p "$R/sys/kernel/security"
echo 'none [integrity] confidentiality' >"$R/sys/kernel/security/lockdown"
bad "locked down" try --kexec
rm "$R/sys/kernel/security/lockdown"
install_version 0.3 three

# ---- power cuts: program number N is the last that runs; before its work, or after it
mkdir "$work/cut"
for p in grub-editenv dd mv cp ln mkdir rm sync sed cat mktemp; do
	cat >"$work/cut/$p" <<END
#!/bin/bash
PATH=$work/bin:$real_path
read -r n <$work/n
n=\$((n + 1))
echo \$n >$work/n
[[ \$n -lt \$CUT ]] && exec $p "\$@"
if [[ \$n == \$CUT && \$AFTER ]]; then $p "\$@"; fi
kill -9 \$VICTIM
exit 9
END
	chmod 755 "$work/cut/$p"
done
power_cut() { # N AFTER COMMAND...: 0 if it was cut
	echo 0 >"$work/n"
	(
		export CUT=$1 AFTER=$2 VICTIM=$BASHPID PATH=$work/cut:$work/bin:$real_path
		shift 2
		exec sh "$tool" "$@" >/dev/null 2>&1
	)
	[[ $? != 0 ]]
} 2>/dev/null
keep() { rm -rf "$work/kept"; cp -a "$R" "$work/kept"; }
back() { rm -rf "$R"; cp -a "$work/kept" "$R"; }
all_cuts() { # NAME ALLOWED COMMAND...: after each cut GRUB starts one of these
	local name=$1 allowed=$2 n after cuts=0 last
	shift 2
	for ((n = 1; ; n++)); do
		last=1
		for after in '' 1; do
			back
			power_cut $n "$after" "$@" && last= cuts=$((cuts + 1))
			grub
			[[ " $allowed " == *" $started "* ]] ||
				fail "$name cut at $n${after:+, after}: GRUB starts $started"
			# it can be done again, to its end
			((n % 4)) && continue
			rm -f "$R/sys/hypervisor/type"
			good rollback
			good try
			starts try "$name, again"
			good good
			good commit
			grub
			[[ $started == pair-* ]] ||
				fail "$name cut at $n: commit afterwards: $started"
		done
		[[ -n $last ]] && break
	done
	((cuts >= 6)) || fail "$name: only $cuts cuts"
	echo "$name: $cuts cuts"
}
good rollback
rm -f "$R/sys/hypervisor/type"
keep
all_cuts try "old try" try --force
good rollback
good try
starts try "for cuts"
good good
keep
all_cuts commit "old pair-1" commit
back
good commit
starts pair-1 "for cuts"
good good
install_version 0.4 four
good try
starts try "for cuts"
good good
keep
all_cuts "second commit" "pair-1 pair-2" commit
back
good commit
keep
all_cuts rollback "old pair-2" rollback
exit 0
