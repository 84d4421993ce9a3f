#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A machine check that names a frame of a domain ends that domain, with the reason, and no other: a
# domain that sleeps while its CPU idles in ring 0, and one that runs. A lost frame of nobody is
# noted. One of the hypervisor, or one that has destroyed the processor's state, is a panic
# with a record.
# @timeout 240
. tests/system/lib.bash
python3 tests/system/prog/mcheck.py || exit 1
