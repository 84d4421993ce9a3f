# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 2400
# All mutants whose test is a unit test or a fuzz target (make mutants).
. tests/system/lib.bash
tests/mutants/run 'unit/*' 'fuzz/*' || fail "see above"
exit 0
