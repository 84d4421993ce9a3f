# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 5400
# The hostile guests (system/hostile) for 20 minutes beside a canary: in QEMU, whose TCG is fast,
# then in Bochs, which checks segment limits, MSRs and reserved bits as hardware does. A second of
# Bochs's guests takes some four of ours.
. tests/system/lib.bash
. tests/system/hostile.bash
(hostile qemu 1200) || exit 1
command -v bochs >/dev/null || { echo "no bochs"; exit 77; }
hostile bochs 300
