# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 2400
# The hostile guests (system/hostile) for 20 minutes beside a canary, in Bochs, which checks segment
# limits, MSRs and reserved bits as hardware does. A second of its guests takes some four of an idle
# machine, more of a busy one: the first seconds say how many, and the others are as long as that
# in two machines one after the other, each to its last look at the accounts.
. tests/system/lib.bash
. tests/system/hostile.bash
command -v bochs >/dev/null || { echo "no bochs"; exit 77; }
command -v grub-mkrescue >/dev/null || { echo "no grub-mkrescue"; exit 77; }
all=${HOSTILE_SECONDS:-1200}	# ours
begin=$SECONDS
hostile bochs 5 300
each=$(((SECONDS - begin) * 100 / 5))	# hundredths of ours for a second of theirs
for left in 2 1; do
	n=$(((all - (SECONDS - begin)) * 100 / left / each))
	hostile bochs $((n < 5 ? 5 : n)) $((all * 17 / 20))
done
echo "$((SECONDS - begin)) seconds, of which a guest's last 0.01 * $each"
hostile_calls
