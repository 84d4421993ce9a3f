#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# While a guest runs, nothing of another domain is mapped (rule 80). Both live roots of a CPU are
# walked, all levels, and each leaf held against the list of what may be there; and a load in ring
# 0, while one domain's roots are loaded, asks the MMU for each page of another domain, without a
# handler that would fill it. With isolation=off both find what they look for. By QEMU's
# monitor and gdb stub, with no code of the hypervisor's.
# @timeout 600
. tests/system/lib.bash
python3 tests/system/prog/walls.py || exit 1
