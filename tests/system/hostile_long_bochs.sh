# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 2400
# The hostile guests (system/hostile) for 20 minutes beside a canary, in Bochs, which checks segment
# limits, MSRs and reserved bits as hardware does. A second of its guests takes some four of an idle
# machine, many more of a busy one: each machine says how many, and the next is as long as half of
# what is left, or all if that is little, to its last look at the accounts.
. tests/system/lib.bash
. tests/system/hostile.bash
command -v bochs >/dev/null || { echo "no bochs"; exit 77; }
command -v grub-mkrescue >/dev/null || { echo "no grub-mkrescue"; exit 77; }
all=${HOSTILE_SECONDS:-1200}	# ours
begin=$SECONDS
theirs=5
hostile bochs $theirs 300
while ((left = all - (SECONDS - begin), left > 0)); do
	each=$(((SECONDS - begin) * 100 / theirs))	# hundredths of ours for a second of theirs
	n=$((left * 100 / (left > all / 4 ? 2 : 1) / each + 1))
	n=$((n < 5 ? 5 : n))
	hostile bochs $n $((all * 3 / 2 + 120))
	theirs=$((theirs + n))
done
echo "$((SECONDS - begin)) seconds, of which $theirs of the guests'"
hostile_calls
