# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# Rule 69: whatever a guest has built up, no stay in ring 0 takes more than 200,000 instructions
# without interrupts. Instructions are counted, so the TSC counts them; with probe=1 a timer is due
# every 20,000 ticks, and the hypervisor says at its end how late one was at the most.
. tests/system/lib.bash

MOST=200000
mem=960		# MiB; the shadow pool has a page for each 100 of it
stay() { # MODE: a guest alone on one CPU
	local ticks
	cp "$O/tests/guest/long" "$work/kernel" || exit 99
	echo "domain=long kernel=kernel mem=${mem}M cmdline=\"$1\"" >"$work/manifest"
	(cd "$work" && printf '%s\n' manifest kernel | cpio -o -H newc --quiet) >"$work/bundle"
	out=$(BUNDLE=$work/bundle MACHINE_MEM=$((mem + 64))M CPUS=1 ICOUNT=shift=0 HV_ARGS=probe=1 \
		DEBUG_LOG=$work/debug CMD=bundle TIMEOUT=200 tools/run 2>&1) ||
		fail "$1: status $?: $out"
	grep -a 'warning:' "$work/debug" && fail "$1: the hypervisor warned"
	ticks=$(sed -n 's/.*a timer was \([0-9]*\) ticks late.*/\1/p' "$work/debug")
	[[ $ticks =~ ^[0-9]+$ ]] || fail "$1: no figure: $(cat "$work/debug")"
	echo "$1: $ticks"
	((ticks <= MOST)) || long+=" $1"
}
long=
for mode in ${*:-sweep end evict release ids list touch copy}; do
	stay "$mode"
done
[[ -z $long ]] || fail "more than $MOST instructions:$long"
