# SPDX-License-Identifier: GPL-2.0-only
# Debian packages, into $(O)/deb. KERNEL=DIR: the kernel to pack (vmlinux, bzImage, System.map,
# linux-headers, and modules if it has some); the small one without it, which "make test" uses.
KERNEL ?= $(O)

.PHONY: deb deps-deb machine-kernel deps-machine
deps-deb:
	@tools/deps build run tools deb
# The kernel for machines, which is built once a release: make deb KERNEL=$(O)/machine
deps-machine:
	@tools/deps build machine
machine-kernel: deps-machine $(ABI_GEN)
	@ABI_GEN_DIR=$(O)/gen packages/kernel/build $(O)/machine
deb: deps-deb
	@$(MAKE) hypervisor tools $(O)/initramfs.cpio \
		$(if $(filter $(O),$(KERNEL)),guest-kernel)
	@packages/build $(O) $(KERNEL)
