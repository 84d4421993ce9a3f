#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# An access of ring 0 to guest memory is tried again when its fault was served, but not for ever: a
# sibling may take away each time what was served (rule 64). Here each try meets another page that
# has no entry yet, which is the same to the hypervisor.
# @timeout 120
. tests/system/lib.bash
python3 tests/system/prog/retries.py || exit 1
