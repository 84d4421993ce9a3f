# SPDX-License-Identifier: GPL-2.0-only
# The hostile guests for some time: what system/hostile, hostile_long and make fuzz share.

# hostile_bundle SEED SECONDS: keeper and hostile guests, and the canary that outlasts them
hostile_bundle() {
	cp "$O/tests/guest/keeper" "$O/tests/guest/hostile" "$O/tests/guest/canary" "$work" ||
		exit 99
	local how="cmdline=\"seed=$1 seconds=$2\""
	cat >"$work/manifest" <<-END
		domain=keeper kernel=keeper initrd=hostile control=1 mem=16M $how
		domain=canary kernel=canary mem=16M cmdline="seconds=$(($2 + 6))"
	END
	(cd "$work" && printf '%s\n' manifest keeper hostile canary |
		cpio -o -H newc --quiet) >"$work/bundle"
}

# hostile qemu|bochs SECONDS [LIMIT]: run them; a failure prints the seed. SECONDS are the guests':
# Bochs's clock is as fast as the machine that runs it lets it be, so there LIMIT is ours.
hostile() {
	local seed=${SEED:-$((RANDOM * 32768 + RANDOM))} rc name
	hostile_bundle "$seed" "$2"
	echo "SEED=$seed"
	if [[ $1 == bochs ]]; then
		CPUS=2 TIMEOUT=${3:-$(($2 * 20 + 100))} tools/bochs "$work/bundle" debug=1 \
			>"$work/debug" 2>"$work/console"
	else
		# TCG 7.2 ends itself at a PINSR of 256 bits: emit.c.inc, gen_pinsr()
		CPU=max,avx=off BUNDLE=$work/bundle MEM=160M CPUS=2 \
			HV_ARGS="debug=1" DEBUG_LOG=$work/debug \
			TIMEOUT=$(($2 + 60)) CMD=bundle tools/run >"$work/console" 2>"$work/err"
	fi
	rc=$?
	tr -d '\r' <"$work/console" | grep -a 'keeper:\|FAILED'
	grep -a 'd1: canary\|ticks late' "$work/debug"
	# 1 is the end of a hostile guest; these two end well, or all is lost
	for name in keeper canary; do
		grep -aq "^parvus: end .*name=$name reason=poweroff status=0 " "$work/debug" ||
			{ tail -60 "$work/debug"
			# QEMU's own words, but for what it has against addresses of guests
			grep -av 'invalid watchpoint\|^(cpu' "$work/err" 2>/dev/null | tail -20
			fail "SEED=$seed: status $rc, the end of $name"; }
	done
	grep -aq '^parvus: off' "$work/debug" || fail "SEED=$seed: the machine did not go off"
	grep -a 'warning:' "$work/debug" && fail "SEED=$seed: the hypervisor warned"
	leak
	# Bochs's TSC counts instructions; few of the hypervisor's keep interrupts off (rule 69)
	if [[ $1 == bochs ]]; then
		rc=$(sed -n 's/.*a timer was \([0-9]*\) ticks late.*/\1/p' "$work/debug")
		((rc < 5000000)) || fail "SEED=$seed: a timer was $rc ticks late"
	fi
	tr -d '\r' <"$work/console" | grep -a 'keeper: call' >>"$work/calls"
	return 0
}

# Behind all of it: it is no test if a call never gets further than its first check.
hostile_calls() {
	local nr name priv path
	while read -r nr name _ priv path _; do
		[[ $nr == [0-9]* && $path == c && $priv != control ]] || continue
		[[ $name == vcpu_stop || $name == shutdown ]] && continue	# no result
		grep -q "call $nr tried [0-9]* done [1-9]" "$work/calls" ||
			fail "$name never succeeded"
	done <pv-abi/hypercalls.tbl
}
