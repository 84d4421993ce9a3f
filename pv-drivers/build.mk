# SPDX-License-Identifier: GPL-2.0-only
# Drivers for Linux are built with the guest kernel; what is here makes new ones.

.PHONY: new-driver
new-driver:
	@tools/new-driver "$(NAME)" $(CLASS)
