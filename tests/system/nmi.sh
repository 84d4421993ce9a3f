#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# An NMI on every instruction of the ways into ring 0 and out of it (entry.S), one at a time, while
# a guest goes all of them round and round: it comes where it was sent to, on a stack of its own,
# and nothing is lost, neither registers nor GS nor the mode (rule 32). By QEMU's gdb stub and
# monitor.
# @timeout 600
. tests/system/lib.bash
python3 tests/system/prog/nmi.py || exit 1
