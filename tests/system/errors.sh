#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# With loglevel=debug the log names the place where each error of a call was born; without it says
# nothing of them. A guest that makes errors without end does not fill the log: they are
# counted as lines of guests are.
# @timeout 120
. tests/system/lib.bash

run() { # LEVEL: the guest of all bad inputs; the log is in $work/debug
	cp "$O/tests/guest/hypercall_args" "$work/kernel" || exit 99
	echo "domain=bad kernel=kernel mem=16M" >"$work/manifest"
	(cd "$work" && printf '%s\n' manifest kernel | cpio -o -H newc --quiet) >"$work/bundle"
	BUNDLE=$work/bundle MEM=96M CPUS=1 HV_ARGS="debug=1 loglevel=$1" DEBUG_LOG=$work/debug \
		TIMEOUT=60 CMD=bundle tools/run >"$work/out" 2>&1 || fail "$1: $(cat "$work/out")"
}

run debug
births=$(grep -acE 'error -[0-9]+: hypervisor/\w+/\w+\.c:[0-9]+ \w+\(\)$' "$work/debug")
((births >= 20)) || fail "$births errors have a place"
((births <= 2000)) || fail "$births lines of errors: nothing bounds them"
for place in core/hypercall.c core/vcpu.c x86/calls.c mmu/calls.c; do
	grep -aq "error -[0-9]*: hypervisor/$place:" "$work/debug" || fail "no error of $place"
done
# the line that is named is one that says so
while read -r file line; do
	sed -n "$((line - 1)),$((line + 1))p" "$file" | grep -q 'hv_error(' ||
		fail "$file:$line has no error"
done < <(sed -nE 's/.*error -[0-9]+: (hypervisor[^:]*):([0-9]+) .*/\1 \2/p' "$work/debug" | sort -u)
run info
! grep -a 'error -' "$work/debug" || fail "errors are named without being asked for"
