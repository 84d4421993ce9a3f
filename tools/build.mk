# SPDX-License-Identifier: GPL-2.0-only
# User spaces, running, images.

.PHONY: check-settings run iso initramfs debian domain0
domain0: $(O)/domain0.cpio

$(O)/initramfs.cpio: tools/mkinitramfs tools/initramfs/init
	@mkdir -p $(@D)
	@echo "  CPIO    $@"
	@tools/mkinitramfs $@
initramfs: $(O)/initramfs.cpio

# Domain 0's user space: the small one, the toolstack, a kernel and the small one for domain Us.
$(O)/domain0.cpio: tools/mkdomain0 $(O)/initramfs.cpio $(O)/tools/parvus-static $(wildcard tools/domain0/*) guest-kernel
	@tools/mkdomain0 $@

run: check-settings deps-run hypervisor guest-kernel $(O)/domain0.cpio
	@tools/run

# Before minutes are spent on building.
check-settings:
	@tools/run --check

# A bootable CD with hypervisor, kernel and the small user space.
iso: deps-iso hypervisor guest-kernel $(O)/initramfs.cpio
	@tools/bundle $(O)/bundle $(O)/vmlinux $(O)/initramfs.cpio "$(if $(MEM),$(MEM),512M)" "$(if $(VCPUS),$(VCPUS),1)" "$(ARGS)"
	@echo "  ISO     $(O)/parvus.iso"
	@tools/mkiso $(O)/parvus.iso $(O)/parvus.elf $(O)/bundle "$(HV_ARGS)"

debian: deps-debian
	@tools/debian-image $(O)/debian.cpio

.PHONY: deps-%
deps-run:
	@tools/deps build run
deps-test:
	@tools/deps build run test
deps-iso:
	@tools/deps build run iso
deps-debian:
	@tools/deps debian
deps-full:
	@tools/deps build run test full

.PHONY: bench
bench: deps-run hypervisor guest-kernel $(O)/initramfs.cpio $(O)/tests/guest/bench-hypercall
	@tools/bench/run
