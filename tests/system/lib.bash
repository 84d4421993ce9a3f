# SPDX-License-Identifier: GPL-2.0-only
# What system tests share. A test runs from the root of the tree; it exits 0 for success,
# 77 to skip, 99 if it could not be run.
set -u
O=${O:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# How long tests/run waits for this test; a machine that does not end is stopped before.
limit=$(sed -n 's/^# @timeout \([0-9]*\).*/\1/p' "$0" 2>/dev/null)
limit=${limit:-300}

fail() { echo "FAILED: $*"; exit 1; }

# guest COMMAND: run it in a guest without a domain 0 under tools/run with the caller's settings;
# output in $out, status in $rc. A hypervisor warning or lost frames fail the test.
guest() { GUEST=1 domain0 "$1"; }

# domain0 COMMAND: the same in domain 0
domain0() {
	out=$(CMD=$1 DEBUG_LOG=$work/debug TIMEOUT=${TIMEOUT:-$((limit - 20))} tools/run \
		2>"$work/err")
	rc=$?
	[[ -s $work/err ]] && cat "$work/err"
	if [[ -z ${NATIVE:-} && -r $work/debug ]]; then
		grep -a 'warning:' "$work/debug" && fail "the hypervisor warned"
		leak
	fi
	return 0
}

# control SCRIPT [ARCHIVE...]: run it in domain 0 behind tests/system/domain0.ash, with the idle
# guest, what is in $work/root and the archives beside, and without the demo domain. Its
# failure is the test's.
control() {
	mkdir -p "$work/root"
	cp tests/system/domain0.ash "$O/tests/guest/idle" "$work/root" || exit 99
	cat "$O/domain0.cpio" "${@:2}" >"$work/initrd"
	(cd "$work/root" && find . | cpio -o -H newc --quiet) >>"$work/initrd"
	INITRD=$work/initrd DEMO=0 domain0 ". /domain0.ash
$1
clean_dmesg
echo control-script-ended"
	echo "$out"
	[[ $rc == 0 && $out == *control-script-ended* ]] || fail "status $rc"
}

# network SCRIPT [PROGRAM...]: control, with tests/system/network.ash for SCRIPT to read, and the
# programs for interfaces, and these
network() {
	local p
	mkdir -p "$work/root/usr/bin"
	for p in vif netload "${@:2}"; do
		program "$p" "-Ipv-abi/include -I$O/gen"
		cp "$O/tests/prog/$p" "$work/root/usr/bin/" || exit 99
	done
	cp tests/system/network.ash "$work/root/" || exit 99
	export CPUS=2 MEM=1G TIMEOUT=380
	control "$1"
}

# debian SCRIPT: control, in a domain 0 that has Debian's programs for disks and networks, and
# debian_domain of domain0.ash. There is no disk in domain 0: the image stands in the memory of
# a PCI device, copied on write. The firmware puts 1 GiB of it right above the RAM below 4 GiB.
debian() {
	[[ -r $O/debian.img && -r $O/debian-programs.cpio ]] ||
		{ echo "no $O/debian.img: make debian-disk"; exit 77; }
	program memdisk
	mkdir -p "$work/root/usr/bin"
	cp "$O/tests/prog/memdisk" "$work/root/usr/bin/"
	export MEM=${MEM:-4G} DOM0_MEM=${DOM0_MEM:-1400M} CPUS=2 VCPUS=2
	export QEMU_ARGS="-M pc,max-ram-below-4g=2G -device ivshmem-plain,memdev=disk
-object memory-backend-file,id=disk,mem-path=$O/debian.img,size=1G,share=off"
	QEMU_ARGS=${QEMU_ARGS//$'\n'/ }
	control "$1" "$O/debian-programs.cpio"
}

leak() {
	local record free of
	record=$(grep -a '^parvus: end ' "$work/debug" | tail -1)
	[[ -n $record ]] || { echo "$out"; tail -20 "$work/debug"; fail "no end record"; }
	free=$(sed 's/.* free_frames=\([0-9]*\).*/\1/' <<<"$record")
	of=$(sed 's/.* of=\([0-9]*\).*/\1/' <<<"$record")
	[[ $free == "$of" ]] || fail "free frames: $of before the domain, $free after"
}

# What must not be in a guest's dmesg; prints what is.
DMESG='call trace|unchecked msr|unchecked (read|write)|WARNING:|BUG:|rcu:.*(stall|detected)|'
DMESG+='clocksource:.*(unstable|skew)|hung task|Oops:|general protection fault:.*#'
DMESG="dmesg | grep -iE -A15 \"$DMESG\" && exit 1; exit 0"

# program NAME: build tests/system/prog/NAME.c as a static program
program() {
	mkdir -p "$O/tests/prog"
	gcc -O2 -static -Wall -Werror -pthread ${2:-} -o "$O/tests/prog/$1" \
		"tests/system/prog/$1.c" || exit 99
}

# user_space PROGRAM...: the small user space with these programs in /usr/bin, as $INITRD
user_space() {
	mkdir -p "$work/root/usr/bin"
	local p
	for p; do cp "$O/tests/prog/$p" "$work/root/usr/bin/"; done
	pack
}

# add what is in $work/root to the small user space
pack() {
	cp "$O/initramfs.cpio" "$work/initrd"
	(cd "$work/root" && find . | cpio -o -H newc --quiet) >>"$work/initrd"
	export INITRD=$work/initrd
}
