# SPDX-License-Identifier: GPL-2.0-only
# "make help" lists the targets; most folders have their rules in a build.mk (pv-drivers/user:
# tools/build.mk).

O ?= build
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
# What is said on the command line for tools/run is text: a $ in it is the shell's, not make's.
define as_text
ifeq ($(origin $(1)),command line)
override $(1) := $$(value $(1))
export $(1)
endif
endef
$(foreach s,CMD ARGS HV_ARGS QEMU_ARGS INITRD KERNEL BUNDLE,$(eval $(call as_text,$(s))))
ifneq ($(words $(CURDIR) $(O)),2)
$(error make cannot do with a blank in the path of the tree or of O: $(CURDIR), $(O))
endif
.PHONY: all help clean
ifeq ($(filter help clean lines,$(MAKECMDGOALS)),)
ifneq ($(shell mkdir -p $(O) 2>/dev/null && test -w $(O) && echo ok),ok)
$(error cannot write to the build folder $(O))
endif
endif
all:
	@$(MAKE) deps-build deps-tools
	@$(MAKE) hypervisor tools guest-kernel

include pv-abi/build.mk
include hypervisor/build.mk
include $(filter-out pv-abi/build.mk hypervisor/build.mk,$(wildcard */build.mk))

help:
	@echo 'Parvus: targets of make'
	@echo '  run              boot Parvus with domain 0 in QEMU; a shell, or CMD="..."'
	@echo '  test             all tests that .ci/run runs; T=PATTERN chooses by name'
	@echo '                   (T="guest/vif unit/*": no kernel is built for these)'
	@echo '  test-unit, test-guest   native unit tests; micro guests'
	@echo '  fuzz             libFuzzer on what checks a peer; F=TARGET, FUZZ_SECONDS=60'
	@echo '  test-full        the long ones too: stress, ten boots each, boot loaders, Debian'
	@echo '  mutants          break each rule of docs/rules.md, see its test go red;'
	@echo '                   M=NAME, RULE or TEST'
	@echo '  coverage         which lines of ring 0 the suite executes: $(O)/coverage'
	@echo '  check-static     cppcheck, sparse and clang-tidy; C=CHECKER'
	@echo '  conformance      the kernel self-tests, natively and as a guest: hours;'
	@echo '                   PART= MACHINES='
	@echo '  bench            what operations cost, natively and on Parvus: a report in'
	@echo '                   $(O)/bench; QUICK=1 ONLY=micro,linux'
	@echo '  bench-compare    A=OLD.json B=NEW.json: what became faster or slower'
	@echo '  bench-docs       the tables of docs/performance.md, from the last run'
	@echo '  bench-screenshot the report as Chromium shows it, wide and narrow, light and dark'
	@echo '  bench-micro      its guests, plugin and hypervisor with baselines, for'
	@echo '                   tools/bench/micro'
	@echo '  hypervisor       parvus.elf (multiboot 1 and 2), parvus-pvh.elf;'
	@echo '                   BENCH=1: parvus-bench.elf'
	@echo '  tools            libparvus and the parvus command;'
	@echo '                   install puts them below DESTDIR, PREFIX'
	@echo '  guest-kernel     the patched Linux (about 800 CPU seconds once, then cached)'
	@echo '                   DEBUG=1: one that looks for mistakes, in $(O)/debug'
	@echo '  new-driver NAME=...  a new pair of drivers in pv-drivers/NAME'
	@echo '                   (docs/driver-guide.md)'
	@echo '  refresh-patches  fit the patch series to a new linux-source of Debian'
	@echo '  initramfs        the small BusyBox user space'
	@echo '  debian           a small Debian user space, $(O)/debian.cpio (INITRD= for run)'
	@echo '  debian-disk      Debian with systemd as a disk image, $(O)/debian.img'
	@echo '  debian-host      a disk with Debian 12 and GRUB, for tests of packages'
	@echo '  deb              Debian packages, $(O)/deb; KERNEL=DIR, DEB_VERSION='
	@echo '  machine-kernel   a kernel with the drivers of servers and desktops, for'
	@echo '                   KERNEL=$(O)/machine (about 3000 CPU seconds once, then cached)'
	@echo '  machine-disk     the Debian that tries it, $(O)/machine-disk.img'
	@echo '  iso              a CD image for BIOS and UEFI'
	@echo '  abi-check        headers, layout and numbers against the snapshot;'
	@echo '                   abi-snapshot renews it'
	@echo '  soak             four domains under load for SOAK_SECONDS=1200, others come and go'
	@echo '  docs             rewrite the generated parts of docs/'
	@echo '  lines            sizes, functions, comments, globals and more against budgets.txt'
	@echo '  clean            remove $(O)/ (the kernel cache stays)'
	@echo
	@tools/run --help

clean:
	rm -rf $(O)

# What the tree measures, against budgets.txt.
.PHONY: lines
lines:
	@tools/lines
