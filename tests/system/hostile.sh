# SPDX-License-Identifier: GPL-2.0-only
# @timeout 120
# Two guests that do everything wrong (tests/guest/lib/hostile.c), made anew with the next seed as
# they end, beside a canary: the machine goes on, the canary keeps its memory and its calls work,
# and all that the guests had is free afterwards. SEED=N repeats a run, HOSTILE_SECONDS is how long
# it takes; on Bochs with HOSTILE_ON=bochs.
. tests/system/lib.bash
. tests/system/hostile.bash
hostile "${HOSTILE_ON:-qemu}" "${HOSTILE_SECONDS:-12}"
hostile_calls
