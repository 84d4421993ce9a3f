# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 3600
# stress-ng of Debian: twelve stressors, 60 s each, verified, on two vCPUs; dmesg clean.
. tests/system/lib.bash
[[ -r $O/debian.cpio ]] || { echo "no $O/debian.cpio: make debian"; exit 77; }
export INITRD=$O/debian.cpio MEM=2G CPUS=2 VCPUS=2 ACCEL=tcg,thread=multi
TIMEOUT=3000 guest \
	'for s in cpu vm mmap fork pipe signal switch clock fault mprotect mremap madvise; do
	stress-ng --temp-path /tmp --$s 2 -t '"${STRESS_SECONDS:-60}"'s --verify 2>&1 | tail -1
done; '"$DMESG"
echo "$out"
[[ $rc == 0 ]] || fail "status $rc"
[[ $(grep -c 'successful run completed' <<<"$out") == 12 ]] || fail "not all stressors ended well"
