# SPDX-License-Identifier: GPL-2.0-only
# @timeout 240
# What QEMU's TCG lets pass is checked in Bochs: segment limits, addresses that are not canonical,
# MSRs, reserved bits, alignment, #XM. Micro guests that look there, all in one boot with two CPUs
# (x2APIC, the TSC deadline timer).
. tests/system/lib.bash
command -v bochs >/dev/null || { echo "no bochs"; exit 77; }
command -v grub-mkrescue >/dev/null || { echo "no grub-mkrescue"; exit 77; }

files=()
for name in segment_operands fpu_exceptions privileges software_interrupts tables_large \
	tables_hostile return_frames user_alignment exceptions msr_bases tls_refused segments \
	vm86 xcr0 user_mode double_fault emulate debug_registers; do
	vcpus=$(sed -n 's|^ \* @vcpus \(.*\)|\1|p' "tests/guest/$name.c")
	mem=$(sed -n 's|^ \* @mem \(.*\)|\1|p' "tests/guest/$name.c")
	cp "$O/tests/guest/$name" "$work" || exit 99
	files+=("$name")
	echo "domain=$name kernel=$name mem=${mem:-16M} vcpus=${vcpus:-1}" >>"$work/manifest"
done
(cd "$work" && printf '%s\n' manifest "${files[@]}" | cpio -o -H newc --quiet) >"$work/bundle"
CPUS=2 MEM=512 TIMEOUT=220 tools/bochs "$work/bundle" >"$work/debug" 2>"$work/err"
rc=$?
((rc == 0)) || { cat "$work/debug" "$work/err"; fail "status $rc"; }
grep -a 'warning:' "$work/debug" && fail "the hypervisor warned"
# the last to end leaves as many frames as the first found
of=$(sed -n 's/^parvus: end .* of=\([0-9]*\).*/\1/p' "$work/debug" | sort -n | tail -1)
free=$(sed -n 's/^parvus: end .* free_frames=\([0-9]*\).*/\1/p' "$work/debug" | tail -1)
[[ $free == "$of" ]] || fail "free frames: $of before, $free after"
n=$(grep -ac '^parvus: end .* reason=poweroff status=0 ' "$work/debug")
((n == ${#files[@]})) || fail "$n of ${#files[@]} guests ended well"
