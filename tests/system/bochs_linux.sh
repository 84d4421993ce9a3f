# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# Linux on Bochs, to its user space and to its end, with two CPUs: x2APIC, the TSC deadline timer,
# SMAP, segment limits and reserved bits as hardware checks them. Some 620 million instructions a
# CPU, which take some 20 seconds.
. tests/system/lib.bash
command -v bochs >/dev/null || { echo "no bochs"; exit 77; }
command -v grub-mkrescue >/dev/null || { echo "no grub-mkrescue"; exit 77; }

# A later model has AVX-512, whose sizes Bochs and Linux disagree about, on the bare machine too.
model=broadwell_ult
mkdir "$work/extra"
cat >"$work/extra/cmd" <<'END'
echo "cpus $(grep -c ^processor /proc/cpuinfo)"
for i in 1 2; do sha256sum /bin/busybox & done | uniq -c
wait
dmesg | grep -i -A20 'WARNING: CPU\|call trace\|BUG:\|Oops' && exit 1
exit 3
END
cp "$O/vmlinux" "$work/kernel" || exit 99
(cd "$work/extra" && echo cmd | cpio -o -H newc --quiet) | cat "$O/initramfs.cpio" - >"$work/initrd"
echo "domain=linux mem=96M kernel=kernel initrd=initrd vcpus=2" \
	'cmdline="console=hvc0 quiet loglevel=4 panic=-1"' >"$work/manifest"
(cd "$work" && printf '%s\n' manifest kernel initrd | cpio -o -H newc --quiet) >"$work/bundle"
CPU=$model CPUS=2 TIMEOUT=280 tools/bochs "$work/bundle" >"$work/debug" 2>"$work/err"
rc=$?
tr -d '\r' <"$work/err" >"$work/console"
cat "$work/console"
grep -q '^parvus: end .*name=linux reason=poweroff status=3 ' "$work/debug" ||
	{ cat "$work/debug"; fail "status $rc"; }
grep -qx 'cpus 2' "$work/console" || fail "not two CPUs"
grep -q "^ *2 $(busybox sha256sum "$(command -v busybox)" | cut -d' ' -f1)" "$work/console" ||
	fail "a wrong sum"
grep -a 'warning:' "$work/debug" && fail "the hypervisor warned"
leak
