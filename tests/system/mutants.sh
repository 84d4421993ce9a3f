# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# Each mutant of tests/mutants/LIST applies, each rule has one or says why not, and a few of them,
# which broke what no test saw once, are killed. One that changes nothing lives, and is seen: who
# reports "killed" without a look is caught. All of them: make mutants, or FULL=1.
. tests/system/lib.bash

tests/mutants/run --check || fail "see above"
sample=(table-that-is-foreign limbo-freed-first large-to-small-at-once one-look-at-the-gfn
	gen-before-the-flush load-keeps-seen)
FRESH=1 tests/mutants/run "${sample[@]}" || fail "a mutant lives"

cat >"$work/LIST" <<'END'
9 harmless unit/test_lib:masks
	in hypervisor/core/atomic.h
	- return mask;
	+ return mask | 0;
9 gone unit/test_lib:masks
	in hypervisor/core/atomic.h
	- a line that is not there
9 broken unit/test_lib:masks
	in hypervisor/core/atomic.h
	- return mask;
	+ return musk;
END
for m in "harmless SURVIVED" "gone does.not.apply" "broken does.not.build"; do
	MUTANTS=$work/LIST FRESH=1 tests/mutants/run "${m% *}" >"$work/out" &&
		fail "$m: $(cat "$work/out")"
	grep -q "${m#* }" "$work/out" || fail "$m: $(cat "$work/out")"
done
exit 0
