#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The TSC's rate, measured by the clock that a machine has: the PM timer, where ACPI names one, and
# else the PIT. They agree. What says it without a measurement has to be made up: unit/test_tsc.
# @timeout 200
. tests/system/lib.bash
python3 tests/system/prog/tsc.py || exit 1
