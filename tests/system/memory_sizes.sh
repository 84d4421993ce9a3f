# SPDX-License-Identifier: GPL-2.0-only
# @timeout 400
# Machines of any size boot, run a guest, and hand out all memory that they have: every size has
# its hole below 4 GiB elsewhere (RAM up to 3.5 GiB shares a GiB with the APICs), and large ones
# must not pay for what nobody uses. FULL: 256 MiB to 8 GiB in steps of 100 MiB, both chipsets.
. tests/system/lib.bash

cp "$O/tests/guest/timer" "$work/kernel" || exit 99
echo 'domain=sizes kernel=kernel mem=16M' >"$work/manifest"
(cd "$work" && printf '%s\n' manifest kernel | cpio -o -H newc --quiet) >"$work/bundle"

# boots MIB MACHINE [SETTING=VALUE...]: it runs, and of its memory all but 2 % is free
boots() {
	local mib=$1 machine=$2 free of
	BUNDLE=$work/bundle MACHINE_MEM=$mib DEBUG_LOG=$work/debug TIMEOUT=100 CPUS=2 \
		QEMU_ARGS="-M $machine" env "${@:3}" tools/run >"$work/out" 2>&1 </dev/null
	grep -aq "end domain=0 .*reason=poweroff status=0" "$work/debug" ||
		fail "$mib, $machine ${*:3}: $(tail -n 3 "$work/debug" "$work/out")"
	read -r free of < <(sed -n \
		's/.*memory: \([0-9]*\) MiB free of \([0-9]*\) MiB.*/\1 \2/p' "$work/debug")
	((free > (${mib%M} - 16) * 98 / 100)) || fail "$mib, $machine: $free MiB free of $of"
}
sizes="256 600 1500 2047 2800 3071 3100 3400 3583 3584 4600 8192"
[[ -n ${FULL:-} ]] && sizes=$(seq 256 100 8192)
for mib in $sizes; do
	boots "${mib}M" pc
done
for mib in ${FULL:+$sizes} 2800 3400; do
	boots "${mib}M" q35
done
