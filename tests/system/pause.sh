# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# A domain that is paused for longer than Linux believes any CPU to be away: its clock stood still
# with it, so that it complains of nothing; its time of day is right at once when it goes on; its
# sleepers have as long to sleep as they had. Domain 0, whose clock goes on, takes the TSC for it.
. tests/system/lib.bash
export MEM=1G CPUS=2 VCPUS=2
control '
must() { "$@" || fail "$*"; }
between() { [ "$2" -ge "$1" ] && [ "$2" -le "$3" ]; }	# LEAST VALUE MOST
up() { ask "$1" "cut -d. -f1 /proc/uptime"; }
source=/sys/devices/system/clocksource/clocksource0
domain a 64
[ "$(cat $source/current_clocksource)" = tsc ] ||
	fail "domain 0: $(cat $source/current_clocksource)"
[ "$(ask a "cat $source/current_clocksource")" = parvus ] || fail "clock source"
[ "$(ask a "cat $source/available_clocksource" | tr -d " ")" = parvus ] || fail "a has more"
ask a "dmesg -n 1; (while :; do :; done) & (sleep 20; echo 1 >/tmp/slept) & true"
was=$(up a)
step "45 seconds"
P pause a
sleep 45
P unpause a
must between "$was" "$(up a)" $((was + 15))
must between $(($(date +%s) - 1)) "$(ask a "date +%s")" $(($(date +%s) + 1))
[ -z "$(ask a "cat /tmp/slept 2>/dev/null")" ] || fail "it slept while it was paused"
until_true 60 "ask a \"cat /tmp/slept\" | grep -q 1"
step "what its kernel says"
ask a "dmesg" >/tmp/said
! grep -iE "stall|clocksource.*(skew|unstable)|hung|time.*backward|BUG|WARN" /tmp/said ||
	fail "it complains"
grep -q "parvus-resume" /proc/interrupts && fail "domain 0 was never paused"
ask a "grep parvus-resume /proc/interrupts" | grep -q "[1-9]" || fail "it was not told"
P destroy a
'
exit 0
