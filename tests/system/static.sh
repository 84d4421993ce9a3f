# SPDX-License-Identifier: GPL-2.0-only
# @timeout 900
# The static checkers have nothing to say that is not known, with its reason (tests/static):
# cppcheck and sparse always, clang-tidy, which takes minutes, with FULL=1. And each sees a fault.
. tests/system/lib.bash

checkers=(cppcheck sparse)
[[ -n ${FULL:-} ]] && checkers+=(clang-tidy)
for c in "${checkers[@]}"; do
	command -v "$c" >/dev/null || { echo "no $c"; exit 77; }
done
tests/static/run "${checkers[@]}" || fail "see above"

cat >"$work/fault.c" <<'END'
int global_that_nobody_declares;
int fault(int n);
int fault(int n)
{
	int a[4] = { 0 }, *p = 0;

	if (n == 5)
		return *p;
	return a[n > 9 ? 9 : 4];
}
END
for c in "${checkers[@]}"; do
	tests/static/run "$c" -- "$work/fault.c" >"$work/out" && fail "$c sees no fault"
	grep -q 'fault.c:[0-9]*: \[' "$work/out" || fail "$c: $(cat "$work/out")"
done
exit 0
