# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# Domain 0's time of day is that of all domains: of one that runs when it is set and of a new one;
# not of one that does not want to follow.
. tests/system/lib.bash
export MEM=1G CPUS=2 VCPUS=2
control '
near() { # A B: the same, but for what it takes to ask
	[ $(($1 - $2)) -le 5 ] && [ $(($2 - $1)) -le 5 ]
}
now() { date +%s; }
of() { ask "$1" "date +%s"; }
domain follows 64
domain keeps 64
must() { "$@" || fail "$*"; }
ask keeps "echo 0 >/sys/module/parvus/parameters/follow_clock" || fail "no follow_clock"
must near "$(of follows)" "$(now)"
must near "$(of keeps)" "$(now)"
step "domain 0 sets its clock"
date -s "@$(($(now) + 7200))" >/dev/null || fail "date"
until_true 90 "near \$(of follows) \$(now)"
must near "$(of keeps)" "$(($(now) - 7200))"
step "a new domain"
domain new 64
must near "$(of new)" "$(now)"
step "and back"
date -s "@$(($(now) - 3600))" >/dev/null || fail "date"
until_true 90 "near \$(of follows) \$(now)"
until_true 90 "near \$(of new) \$(now)"
must near "$(of keeps)" "$(($(now) - 3600))"
for n in follows keeps new; do P destroy $n; done
'
exit 0
