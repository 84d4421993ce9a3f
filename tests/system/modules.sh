# SPDX-License-Identifier: GPL-2.0-only
# @timeout 400
# Domain 0 from plain boot modules, as GRUB's entries have them: its kernel with the command line,
# then its initrd; by GRUB's multiboot 2, and by QEMU's multiboot 1, which gives the file's name as
# well. What is no domain 0 is refused, by one line that says why.
. tests/system/lib.bash

export PLAIN=1 CPUS=2 VCPUS=2 DOM0_MEM=300M DEMO=0 ARGS="proof=a,b=c"
check() { # LOADER
	[[ $rc == 6 ]] || fail "$1: status $rc: $out"
	[[ $out =~ ^[^/]*'console=hvc0 '[^/]*proof=a,b=c.*$'\n'2$'\n'([0-9]+)' kB' ]] ||
		fail "$1: $out"
	((BASH_REMATCH[1] > 240 * 1024 && BASH_REMATCH[1] < 300 * 1024)) ||
		fail "$1: domain 0 has ${BASH_REMATCH[1]} KiB of 300 MiB"
	[[ $out == *$'\n6.1.'* ]] || fail "$1: no domain U: $out"
	grep -aq 'd0 Domain-0: 300 MiB, 2 vCPUs, kernel module' "$work/debug" ||
		fail "$1: $(grep -a Domain-0 "$work/debug")"
}
command='cat /proc/cmdline; nproc; sed -n "s/^MemTotal: *//p" /proc/meminfo
parvus run -- uname -r; exit 6'
BOOT=mb1 domain0 "$command"
check QEMU
if command -v grub-mkrescue >/dev/null; then
	BOOT=iso domain0 "$command"
	check GRUB
else
	echo "no grub-mkrescue: not by GRUB"
fi

# 126: a domain was begun, and has an end
refused() { # LINE NAME=VALUE...
	local line=$1
	shift
	(
		export HV_ARGS=panic=reboot DEBUG_LOG=$work/debug TIMEOUT=100 CMD=: "$@"
		tools/run >"$work/out" 2>&1 </dev/null
		echo $? >"$work/rc"
	)
	[[ $(cat "$work/rc") == 12[67] ]] ||
		fail "$line: status $(cat "$work/rc"): $(cat "$work/out")"
	[[ $(grep -ac "boot: " "$work/debug") == 1 ]] ||
		fail "$line: $(grep -a boot: "$work/debug")"
	grep -aqF "boot: the modules are no bundles, and no domain 0: $line" "$work/debug" ||
		fail "$line: $(grep -a boot: "$work/debug")"
}
gzip -1c "$O/tests/guest/idle" >"$work/kernel.gz"
echo "no kernel" | dd of="$work/text" bs=4096 conv=sync status=none
truncate -s 200M "$work/large"
refused "compressed; the loader is to unpack it" KERNEL="$work/kernel.gz"
refused "a bzImage; the kernel's ELF file is needed" KERNEL="$O/bzImage"
refused "not a little-endian ELF64 file" KERNEL="$work/text"
refused "not an x86-64 executable" KERNEL=/bin/sh
refused "kernel and initrd do not fit in its memory" INITRD="$work/large" DOM0_MEM=128M
t=$O/tests/guest/idle
refused "there are more modules than its kernel and its initrd" QEMU_ARGS="-initrd $t,$t,$t"
exit 0
