# SPDX-License-Identifier: GPL-2.0-only
# Debian packages, into $(O)/deb. KERNEL=DIR: the kernel to pack (vmlinux, bzImage, System.map,
# linux-headers, and modules if it has some); the small one without it, which "make test" uses.
KERNEL ?= $(O)

.PHONY: deb deps-deb
deps-deb:
	@tools/deps build run tools deb
deb: deps-deb
	@$(MAKE) hypervisor tools $(O)/initramfs.cpio \
		$(if $(filter $(O),$(KERNEL)),guest-kernel)
	@packages/build $(O) $(KERNEL)
