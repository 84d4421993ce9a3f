# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# The scheduler's promises between domains, by virtual time (instructions are counted): shares
# by weight, caps, and that a domain that sleeps has the CPU within a slice of its timer.
. tests/system/lib.bash

# machine SHIFT "MANIFEST WORDS"...: run these domains of the load guest; what each says goes
# to ran[name], stolen[name], late[name], ticks[name]
declare -A ran stolen late ticks
machine() {
	local shift=$1 line name said i=0
	shift
	cp "$O/tests/guest/load" "$work/kernel" || exit 99
	for line; do echo "kernel=kernel mem=16M $line"; done >"$work/manifest"
	(cd "$work" && printf '%s\n' manifest kernel | cpio -o -H newc --quiet) >"$work/bundle"
	out=$(BUNDLE=$work/bundle MEM=96M CPUS=1 ICOUNT=shift=$shift DEBUG_LOG=$work/debug \
		CMD=bundle TIMEOUT=200 tools/run 2>&1) || fail "status $?: $out"
	grep -a 'warning:' "$work/debug" && fail "the hypervisor warned"
	for line; do
		name=${line%% *}
		name=${name#domain=}
		# the first domain has the serial line, the others write to the log
		if ((i)); then
			said=$(grep -a "d$i: load: ran" "$work/debug")
		else
			said=$(grep -a '^load: ran' <<<"$out")
		fi
		i=$((i + 1))
		read -r ran[$name] stolen[$name] late[$name] ticks[$name] < <(
			sed 's/.*ran \(.*\) stolen \(.*\) late \([0-9]*\) of \([0-9]*\).*/\1 \2 \3 \4/' \
				<<<"$said")
		[[ ${ticks[$name]} =~ ^[0-9]+$ ]] || fail "$name said: $said"
		echo "$name: ran ${ran[$name]} stolen ${stolen[$name]}" \
			"late ${late[$name]} of ${ticks[$name]}"
	done
}
near() { # WHAT GOT WANT: within 5 %
	(($2 * 100 >= $3 * 95 && $2 * 100 <= $3 * 105)) || fail "$1: $2, not $3"
}

echo "weights 256 and 512"
machine 6 'domain=one weight=256 cmdline="spin 1 21"' 'domain=two weight=512 cmdline="spin 1 21"'
near "one of three" $((ran[one] * 3)) 20000000000
near "two of three" $((ran[two] * 3)) 40000000000
near "what one did not run was stolen" $((stolen[one] + ran[one])) 20000000000

echo "cap 50 alone, and cap 25 beside a hog"
machine 6 'domain=half cap=50 cmdline="spin 1 21"'
near "half of a CPU" "${ran[half]}" 10000000000
machine 6 'domain=quarter cap=25 vcpus=2 cmdline="spin 1 11"' 'domain=hog cmdline="spin 1 11"'
near "a quarter of a CPU" "${ran[quarter]}" 2500000000
near "the rest" "${ran[hog]}" 7500000000

echo "a timer of 1 ms beside hogs"
machine 3 'domain=timer cmdline="tick 1 3"' 'domain=hoga cmdline="spin 1 4"' \
	'domain=hogb weight=4096 cmdline="spin 1 4"'
((ticks[timer] > 500)) || fail "only ${ticks[timer]} timers in 2 s"
((late[timer] <= 5000000)) || fail "a timer came ${late[timer]} ns late, more than a slice"
