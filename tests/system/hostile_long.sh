# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 1500
# The hostile guests (system/hostile) for 20 minutes beside a canary, in QEMU, whose TCG is fast.
# (In Bochs: system/hostile_long_bochs.)
. tests/system/lib.bash
. tests/system/hostile.bash
hostile qemu "${HOSTILE_SECONDS:-1200}"
hostile_calls
