# SPDX-License-Identifier: GPL-2.0-only
# @timeout 900
# What programs see of the processor is the same natively and as a guest, or explained in
# docs/conformance.md: the matrix of machine.c, and the most telling self-tests of the kernel.
. tests/system/lib.bash

MACHINES="native-2 guest-2" FRESH=1 tests/conformance/run fast || fail "differences"
