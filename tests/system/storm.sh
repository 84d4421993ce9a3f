# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# An interrupt line that storms, with a domain 0 that serves it at once and for ever, leaves a
# domain U on the same CPU 80 % of its instructions; both are counted by virtual time.
. tests/system/lib.bash

# machine calm|storm: $turns of domain U's loop between the 2nd and the 4th second; $came, $storms
machine() {
	cp "$O/tests/guest/line_storm" "$O/tests/guest/load" "$work" || exit 99
	cat >"$work/manifest" <<-END
		domain=zero kernel=line_storm mem=16M control=1 cmdline="$1 2 4"
		domain=busy kernel=load mem=16M cmdline="spin 2 4"
	END
	(cd "$work" && printf '%s\n' manifest line_storm load | cpio -o -H newc --quiet) \
		>"$work/bundle"
	out=$(BUNDLE=$work/bundle MEM=96M CPUS=1 ICOUNT=shift=0 DEBUG_LOG=$work/debug \
		QEMU_ARGS="-serial null" CMD=bundle TIMEOUT=140 tools/run 2>&1) ||
		fail "$1: status $?: $out"
	grep -a 'warning:' "$work/debug" && fail "$1: the hypervisor warned"
	turns=$(sed -n 's/.*d1: load: ran .* turns \([0-9]*\).*/\1/p' "$work/debug")
	came=$(sed -n 's/.*storm: \([0-9]*\) came, .*/\1/p' <<<"$out")
	storms=$(sed -n 's/.* came, \([0-9]*\) storms.*/\1/p' <<<"$out")
	[[ $turns =~ ^[0-9]+$ && $storms =~ ^[0-9]+$ ]] || fail "$1: $out $(tail -20 "$work/debug")"
	echo "$1: $turns turns, $came interrupts, $storms storms"
	leak
}

machine calm
((came == 0 && storms == 0)) || fail "a calm line"
calm=$turns
machine storm
((storms > 10)) || fail "only $storms storms"
grep -aq 'line 3: it storms' "$work/debug" || fail "nobody was told: $(tail "$work/debug")"
((turns * 100 >= calm * 80)) || fail "$turns turns beside a storm, $calm without"
