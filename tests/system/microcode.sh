#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# An update of microcode in an initrd's early cpio is chosen for the CPU and given to each of them,
# before anything else is asked of it; not under another hypervisor. QEMU takes the write of the
# register and does nothing: what a CPU does with it has not been tried (docs/security.md).
# @timeout 200
. tests/system/lib.bash
python3 tests/system/prog/microcode.py || exit 1
