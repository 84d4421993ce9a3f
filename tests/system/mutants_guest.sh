# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 2400
# All mutants whose test is a micro guest or a system test (make mutants).
. tests/system/lib.bash
tests/mutants/run 'guest/*' 'system/*' || fail "see above"
exit 0
