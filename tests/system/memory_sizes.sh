# SPDX-License-Identifier: GPL-2.0-only
# @timeout 600
# Machines of any size boot, run a guest, and hand out all memory that they have: every size has
# its hole below 4 GiB elsewhere (RAM up to 3.5 GiB shares a GiB with the APICs), and large ones
# must not pay for what nobody uses: of 64 GiB, 600 GiB and 1 TiB, which QEMU has as RAM that is not
# there until it is touched, at most 0.5 % are. The last has a hole of a TiB below most of it, as
# AMD's machines have. FULL: 256 MiB to 8 GiB in steps of 100 MiB, both chipsets.
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

# the largest resident size of whatever ran below it, in MiB, after the status
cat >"$work/resident" <<'END'
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(status)
END
# touches GIB: QEMU's own, 320 MiB with its translations, is not the machine's
touches() {
	local mib=$(($1 * 1024)) rss
	rss=$(BUNDLE=$work/bundle MACHINE_MEM=${mib}M DEBUG_LOG=$work/debug TIMEOUT=300 CPUS=2 \
		CPU=max,phys-bits=46 QEMU_ARGS="-object \
		memory-backend-ram,id=all,size=${mib}M,reserve=off -M q35,memory-backend=all" \
		python3 "$work/resident" tools/run 2>"$work/out" </dev/null | tail -n 1)
	grep -aq "end domain=0 .*reason=poweroff status=0" "$work/debug" ||
		fail "$1 GiB: $(tail -n 3 "$work/debug" "$work/out")"
	! grep -a "left out" "$work/debug" || fail "$1 GiB: not all of it is used"
	((rss - 320 <= mib / 200)) || fail "$1 GiB: QEMU has $rss MiB"
	((rss >= mib / 400)) || fail "$1 GiB: QEMU has $rss MiB, which cannot be"
}
for gib in 64 600 1024; do
	touches "$gib"
done
