#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The way out of ring 0 is not assumed to work (rules 62, 63): each guest-bound IRETQ is in the
# exception table, and when a selector of its frame goes bad at the last moment, the guest has the
# fault and the machine goes on; each SYSRET stands behind an rcx that was sign-extended or
# checked; what is accessed by guest address is outside of the hole (rule 28); the number of a
# hypercall is masked (rule 26); a stack that overflows meets its guard page, and a record says so.
# @timeout 300
. tests/system/lib.bash
python3 tests/system/prog/return_path.py || exit 1
