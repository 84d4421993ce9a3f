# SPDX-License-Identifier: GPL-2.0-only @timeout 300 Measures against CPUs that leak
# (x86/measures.h), by what stands in the image: VERW before each way to a guest, LFENCE behind
# each SWAPGS that depends on who was interrupted, CLAC before C, no indirect branch but in the
# thunks, all of them in the list that boot works through, bit 63 behind each load of a root.
# smt=off starts one thread of each core; parvus info says what is on.
. tests/system/lib.bash

code=$work/code
objdump -d --no-show-raw-insn "$O/parvus.elf" | sed -n 's/^ *\(ffff[0-9a-f]*\):\t */\1 /p' >"$code"
symbol() { nm "$O/parvus.elf" | sed -n "s/ [A-Za-z] $1\$//p"; }
awk -v boot_end="$(symbol boot_end)" -v entry="$(symbol syscall_entry)" \
	-v entry_end="$(symbol trap_stubs)" '
	{ at = $1; sub(/^[^ ]* /, ""); insn[NR] = $0; addr[NR] = at }
	END {
		for (i = 1; i <= NR; i++) {
			after_swapgs = insn[i - 1] ~ /^swapgs/
			if (insn[i] ~ /^sysretq/ || (insn[i] ~ /^iretq/ && after_swapgs)) {
				exits++
				found = 0
				for (j = i - 1; j >= i - 6; j--)
					found += insn[j] ~ /^verw/
				if (!found)
					print "no VERW before " insn[i] " at " addr[i]
			}
			if (insn[i] ~ /^swapgs/ && insn[i - 1] ~ /^(je|jz) / &&
			    addr[i] >= entry && addr[i] < entry_end) {
				entries++
				if (insn[i + 1] !~ /^lfence/)
					print "no LFENCE behind SWAPGS at " addr[i]
			}
			if (insn[i] ~ /^cld/ && addr[i] >= entry && addr[i] < entry_end) {
				closes += insn[i + 1] ~ /^clac/
				if (insn[i + 1] !~ /^clac/)
					print "no CLAC on the way in at " addr[i]
			}
			# what was to be forgotten is: bit 63 is set behind the load (rule 88)
			if (insn[i] ~ /^mov +%r[a-z]+,%cr3/ && insn[i - 1] ~ /^mov +%gs:0x/) {
				loads++
				if (insn[i + 1] !~ /^orb +\$0x80,%gs:0x[0-9a-f]*[7f]$/)
					print "no bit 63 behind " insn[i] " at " addr[i]
			}
			# a thunk: what is behind jmp, and skipped by the jmp before it
			if (insn[i] ~ /^(jmp|call) +\*/ && addr[i] >= boot_end) {
				thunks++
				if (insn[i - 1] !~ /^jmp/ || insn[i + 2] !~ /^pause/)
					print "an indirect branch at " addr[i] ": " insn[i]
			}
		}
		print "found", exits + 0, entries + 0, thunks + 0, closes + 0, loads + 0
	}' "$code" >"$work/said"
grep -v '^found' "$work/said" && fail "a measure is missing"
read -r _ exits entries thunks closes loads <"$work/said"
((exits >= 6 && entries >= 2 && thunks == 15 && closes == 3 && loads == 6)) ||
	fail "$(cat "$work/said")"

cpus() { # ARGUMENT: with two threads of one core
	CPU=max,vendor=GenuineIntel GUEST=1 CPUS=2 QEMU_ARGS="-smp 2,cores=1,threads=2" \
		HV_ARGS=$1 domain0 true
	[[ $rc == 0 ]] || fail "$1: status $rc"
	sed -n 's/.*smp: \([0-9]*\) CPUs.*/\1/p' "$work/debug"
}
[[ $(cpus smt=off) == 1 ]] || fail "smt=off: $(cpus smt=off) CPUs"
[[ $(cpus smt=on) == 2 ]] || fail "smt=on: $(cpus smt=on) CPUs"
[[ $(cpus "") == 1 ]] || fail "a CPU with MDS: $(cpus "") CPUs"

info() { # MODEL [ARGUMENT]
	CPU=$1 HV_ARGS=${2:-} domain0 'parvus info | grep ^measure_'
	[[ $rc == 0 ]] || fail "$1: status $rc"
	tr -s ' \n' ' ' <<<"$out"
}
said=$(info max)
[[ $said == *"verw : not affected"*"branches : on"*"roots : not affected"*"smap : absent"* ]] ||
	fail "max: $said"
said=$(info max,vendor=GenuineIntel)
[[ $said == *"verw : no microcode"*"branches : on"*"roots : on"* ]] || fail "Intel: $said"
said=$(info max,vendor=GenuineIntel "isolation=kernel pcid=on")
[[ $said == *"roots : off"* ]] || fail "Intel, isolation=kernel: $said"
grep -aq 'mmu: PCID is absent' "$work/debug" || fail "pcid=on, in QEMU, which has none: not said"
exit 0
