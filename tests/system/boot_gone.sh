# SPDX-License-Identifier: GPL-2.0-only
# @timeout 100
# What runs once is gone when the first guest runs: on every CPU the pages of boot/ are plain
# data without the execute right, or nothing, where the guest that sleeps is loaded still; with
# nothing of the code in them, and all of them went to the allocator. And no other room can call
# it: the link of an object that does fails.
. tests/system/lib.bash

symbol() { nm "$O/parvus.elf" | awk -v s="$1" '$3 == s { print $1 }'; }
page() { printf '%x' $((0x${1:4} & ~4095)); }	# without the upper 16 bits: bash has signed numbers
start=$(symbol image_start) end=$(symbol boot_end) main=$(symbol boot_main) \
	entry=$(symbol syscall_entry)
[[ -n $start && -n $end && -n $main && -n $entry ]] || fail "a symbol is missing"
pages=$(((0x${end:4} - 0x${start:4}) / 4096))
((pages >= 10)) || fail "boot/ has $pages pages"

# A guest that blocks for ever, and QEMU's monitor at two pipes.
cp "$O/tests/guest/idle" "$work/kernel"
echo 'domain=idle kernel=kernel mem=16M cmdline="idle"' >"$work/manifest"
(cd "$work" && printf '%s\n' manifest kernel | cpio -o -H newc --quiet) >"$work/bundle"
mkfifo "$work/mon.in" "$work/mon.out"
"${QEMU:-qemu-system-x86_64}" -accel tcg -cpu max -smp 2 -m 128 -no-reboot -nodefaults \
	-display none \
	-debugcon "file:$work/debug" -chardev "pipe,id=mon,path=$work/mon" -mon mon \
	-kernel "$O/parvus.elf" -initrd "$work/bundle" </dev/null &
qemu=$!
trap 'kill "$qemu" 2>/dev/null; rm -rf "$work"' EXIT
exec 3>"$work/mon.in"
cat "$work/mon.out" >"$work/mon" &
for ((i = 0; i < 300; i++)); do
	grep -aq 'given back' "$work/debug" 2>/dev/null && break
	sleep 0.1
done
grep -aq "boot: $((pages * 4)) KiB given back" "$work/debug" || fail "no word of $((pages * 4)) KiB"
sleep 1
{
	printf 'cpu 0\ninfo tlb\ncpu 1\ninfo tlb\n'
	echo "x/16bx 0x$main"
	echo quit
} >&3
wait "$qemu"
tr -d '\r' <"$work/mon" >"$work/text"

# In "info tlb" of QEMU X is the NX bit: "ffff800000100000: 0000000000100000 X---DA--W".
for ((p = 0; p < pages; p++)); do
	at=ffff$(printf '%012x' $((0x${start:4} + p * 4096)))
	there=$(grep -c "^$at: " "$work/text")
	[[ $there -ge 1 && $(grep -c "^$at: [0-9a-f]* X[^ ]*W" "$work/text") == "$there" ]] ||
		fail "not plain data on each CPU: $(grep "^$at:" "$work/text")"
done
[[ $(grep -c "^ffff$(printf '%012x' $((0x$(page "$entry")))): [0-9a-f]* -[^ ]*-$" "$work/text") == \
	2 ]] ||
	fail "the text of ring 0 is not what it should be, or this test cannot read the list"
objcopy -O binary --only-section=.boot.text "$O/parvus.elf" "$work/boot.text"
was=$(od -An -v -tx1 -j $((0x${main:4} - 0x${start:4})) -N 16 "$work/boot.text" | tr -d ' \n')
is=$(sed -n "s/^$main: 0x/0x/p; s/^$(printf '%016x' $((0x$main + 8))): 0x/0x/p" "$work/text" |
	sed 's/0x//g' | tr -d ' \n')
[[ ${#was} == 32 && ${#is} == 32 ]] || fail "cannot compare '$was' with '$is'"
[[ $was != "$is" ]] || fail "boot_main() is still there"

# The link: as it is, and with one object of another room that knows a function of boot/.
read -r -a objects <"$O/parvus.elf.objects"
link() {
	gcc -nostdlib -static -no-pie -Wl,--build-id=none,--no-warn-rwx-segments \
		-Wl,-T,hypervisor/x86/hypervisor.lds -o "$work/linked" "${objects[@]}" "$@" \
		2>"$work/err"
}
link || fail "does not link: $(<"$work/err")"
for use in 'void boot_main(void); void stray(void); void stray(void) { boot_main(); }' \
	'extern char boot_info[]; char *stray = boot_info;'; do
	echo "$use" >"$work/stray.c"
	gcc -c -fpie -mcmodel=small -o "$work/stray.o" "$work/stray.c" || exit 99
	link "$work/stray.o" && fail "it links: $use"
	grep -q 'prohibited cross reference' "$work/err" || fail "another error: $(<"$work/err")"
done
exit 0
