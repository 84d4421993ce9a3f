# SPDX-License-Identifier: GPL-2.0-only
# The guest kernel; guest-patches/build knows when it is up to date.

.PHONY: guest-kernel refresh-patches
guest-kernel: $(ABI_GEN)
	@ABI_GEN_DIR=$(O)/gen guest-patches/build $(O)
refresh-patches:
	@guest-patches/refresh
