# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# The entropy devices of pv-drivers/skeleton: modules are built against the kernel's headers, the
# checks are tried natively, then the pair in domain U and domain 0 (pv-drivers/skeleton/test.sh).
make -C pv-drivers/skeleton O="$(realpath "${O:-build}")" test
