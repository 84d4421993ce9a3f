#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# CPUID of a program, where the CPU can make it fault (rule 38): it sees what its kernel sees, its
# step stays a step, and the kernel may have the fault instead. The CPU of no emulator can, so the
# hypervisor is told that it can, and CPUID put where the program faulted by another instruction.
# @timeout 120
. tests/system/lib.bash
python3 tests/system/prog/cpuid.py || exit 1
