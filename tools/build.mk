# SPDX-License-Identifier: GPL-2.0-only
# User spaces, running, images.

.PHONY: check-settings run iso initramfs debian debian-disk machine-disk \
	debian-host domain0
domain0: $(O)/domain0.cpio

$(O)/initramfs.cpio: tools/mkinitramfs tools/initramfs/init tools/initramfs/dhcp \
		$(O)/tools/parvus-agent
	@mkdir -p $(@D)
	@echo "  CPIO    $@"
	@O=$(O) tools/mkinitramfs $@
initramfs: $(O)/initramfs.cpio

# Domain 0's user space: the small one, the toolstack, a kernel and the small one for domain Us.
$(O)/domain0.cpio: tools/mkdomain0 $(O)/initramfs.cpio $(O)/tools/parvus-static \
		$(O)/tools/parvus-monitor-static $(O)/tools/block-server \
		$(O)/tools/parvus-device $(O)/tools/channel-server \
		$(O)/tools/guest-boot-static $(wildcard tools/domain0/*) \
		guest-kernel
	@tools/mkdomain0 $@

# The guest kernel with what finds mistakes of drivers, beside the other one and never in its place:
# $(O)/debug/vmlinux (KERNEL= of run), bzImage (kernel= of a domain), linux-headers.
.PHONY: debug-kernel
ifeq ($(origin DEBUG),command line)
ifneq ($(DEBUG),1)
$(error DEBUG=$(DEBUG): DEBUG=1 is expected)
endif
guest-kernel: debug-kernel
endif
debug-kernel: $(ABI_GEN)
	@ABI_GEN_DIR=$(O)/gen tools/debug-kernel $(O)/debug

# Packages first, then what needs them: prerequisites of one rule have no reliable order.
run: check-settings
	@$(MAKE) deps-run
	@$(MAKE) hypervisor guest-kernel $(O)/domain0.cpio \
		$(if $(GUEST)$(NATIVE),$(O)/initramfs.cpio)
	@tools/run

# Before minutes are spent on building.
check-settings:
	@tools/run --check

# A bootable CD with hypervisor and domain 0.
iso: deps-iso
	@$(MAKE) hypervisor guest-kernel $(O)/domain0.cpio
	@tools/bundle $(O)/bundle $(O)/vmlinux $(O)/domain0.cpio \
		"$(if $(DOM0_MEM),$(DOM0_MEM),256M)" "$(if $(VCPUS),$(VCPUS),1)" "$$ARGS"
	@echo "  ISO     $(O)/parvus.iso"
	@tools/mkiso $(O)/parvus.iso "$(O)/parvus.elf $$HV_ARGS" $(O)/bundle

debian: deps-debian
	@tools/debian-image $(O)/debian.cpio
debian-disk: deps-debian
	@tools/debian-disk $(O)/debian
machine-disk: deps-debian
	@tools/debian-disk $(O)/machine-disk machine
# A host for the packages, for make test-full.
debian-host: deps-full
	@tools/debian-host $(O)/debian-host

.PHONY: deps-build deps-run deps-test deps-iso deps-debian deps-full deps-bench deps-screenshot \
	deps-conformance deps-static
deps-build:
	@tools/deps build
deps-run:
	@tools/deps build run tools
deps-test:
	@tools/deps build run test tools debian deb
deps-iso:
	@tools/deps build run iso tools
deps-debian:
	@tools/deps debian
deps-conformance:
	@tools/deps build run conformance
deps-static:
	@tools/deps build tools static
deps-full:
	@tools/deps build run test tools full

# The benchmark: everything below an hour, QUICK=1 below ten minutes (docs/benchmarks.md).
# Disks and network need programs of Debian in domain 0, which debian-disk builds.
.PHONY: bench bench-compare bench-docs bench-screenshot
# ONLY=micro,... builds what these parts need.
comma := ,
BENCH_ONLY := $(subst $(comma), ,$(ONLY))
BENCH_BOOTS := $(if $(ONLY),$(filter-out size micro,$(BENCH_ONLY)),all)
BENCH_DISKS := $(if $(ONLY),$(filter block network machine,$(BENCH_ONLY)),all)
BENCH_MICRO := $(if $(ONLY),$(filter micro,$(BENCH_ONLY)),all)
BENCH_NEEDS := hypervisor $(if $(BENCH_MICRO),bench-micro) \
	$(if $(BENCH_BOOTS),guest-kernel $(O)/initramfs.cpio $(O)/domain0.cpio \
	$(O)/tests/guest/idle $(O)/bench/count.so) $(if $(BENCH_DISKS),debian-disk)
bench: deps-bench $(if $(BENCH_DISKS),deps-debian)
	@$(MAKE) $(BENCH_NEEDS)
	@O=$(O) tools/bench/run $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))
bench-compare:
	@test -n "$(A)" -a -n "$(B)" || \
		{ echo "bench-compare: A=old.json B=new.json are needed" >&2; exit 2; }
	@tools/bench/compare "$(A)" "$(B)"
# The tables of docs/performance.md, from the last run.
bench-docs:
	@tools/bench/docs $(O)/bench/results.json docs/performance.md
# What the report looks like, light and dark; Chromium is of use to nothing else.
bench-screenshot: deps-screenshot
	@O=$(O) tools/bench/screenshot
deps-bench:
	@tools/deps build run tools bench
deps-screenshot:
	@tools/deps screenshot

# The toolstack: libparvus (static and shared) and the parvus command, twice: against the
# shared libraries of Debian, and static for a small domain 0.
TOOLS_VERSION := 0.1
TOOLS_O       := $(O)/tools
TOOLS_CFLAGS  := -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wshadow -Wmissing-prototypes \
	-Wstrict-prototypes -Wno-missing-field-initializers -Werror \
	-fstack-protector-strong -D_FORTIFY_SOURCE=2 -fvisibility=hidden \
	-ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(O)/= \
	-DPARVUS_VERSION='"$(TOOLS_VERSION)"' \
	-Ipv-abi/include -Ipv-drivers/ring -Itools/libparvus -I$(TOOLS_O)
# What libparvus needs; the command needs more.
TOOLS_LIBS    := -lelf -lz -llzma -lzstd -llz4 -lbz2 -lnettle
PARVUS_LIBS   := $(TOOLS_LIBS) -ljson-c -lncurses -ltinfo
LIB_C         := $(wildcard tools/libparvus/*.c)
CMD_C         := $(wildcard tools/parvus/*.c)
MON_C         := $(wildcard tools/monitor/*.c)
LIB_OBJS      := $(LIB_C:tools/%.c=$(TOOLS_O)/%.o)

$(TOOLS_O)/hypercall_names.h: pv-abi/hypercalls.tbl
	@mkdir -p $(@D)
	@awk 'BEGIN { print "static const char *const hypercall_names[] = {" } \
		!/^#/ && NF { print "\t[" $$1 "] = \"" $$2 "\"," } END { print "};" }' $< >$@

$(TOOLS_O)/libparvus/%.o: tools/libparvus/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(TOOLS_CFLAGS) -fPIC -MMD -MP -c -o $@ $<
$(TOOLS_O)/command/%.o: tools/parvus/%.c $(TOOLS_O)/hypercall_names.h
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(TOOLS_CFLAGS) -fPIE -MMD -MP -c -o $@ $<
$(TOOLS_O)/monitor/%.o: tools/monitor/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(TOOLS_CFLAGS) -fPIE -MMD -MP -c -o $@ $<
CMD_OBJS      := $(CMD_C:tools/parvus/%.c=$(TOOLS_O)/command/%.o)
MON_OBJS      := $(MON_C:tools/%.c=$(TOOLS_O)/%.o)

$(TOOLS_O)/libparvus.a: $(LIB_OBJS)
	@echo "  AR      $@"
	@rm -f $@
	@$(AR) rcsD $@ $^
$(TOOLS_O)/libparvus.so.0: $(LIB_OBJS) tools/libparvus/libparvus.map
	@echo "  LD      $@"
	@$(CC) -shared -Wl,-soname,libparvus.so.0,-z,defs,-z,relro,-z,now \
		-Wl,--no-undefined-version,--version-script=tools/libparvus/libparvus.map -o $@ \
		$(LIB_OBJS) $(TOOLS_LIBS)
# What is in a domain, and what the command shares with it.
$(TOOLS_O)/agent/%.o: tools/agent/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(TOOLS_CFLAGS) -fPIE -MMD -MP -c -o $@ $<
$(TOOLS_O)/parvus-agent: $(TOOLS_O)/agent/agent.o $(TOOLS_O)/agent/tree.o
	@echo "  LD      $@"
	@$(CC) -static -Wl,--build-id=none -s -o $@ $^
CMD_OBJS      += $(TOOLS_O)/agent/tree.o
$(TOOLS_O)/parvus: $(CMD_OBJS) $(TOOLS_O)/libparvus.a
	@echo "  LD      $@"
	@$(CC) -pie -Wl,-z,relro,-z,now -o $@ $^ $(PARVUS_LIBS)
$(TOOLS_O)/parvus-static: $(CMD_OBJS) $(TOOLS_O)/libparvus.a
	@echo "  LD      $@"
	@$(CC) -static -o $@ $^ $(PARVUS_LIBS)
# One for each domain; the command finds it in ../lib/parvus.
$(TOOLS_O)/parvus-monitor: $(MON_OBJS) $(TOOLS_O)/libparvus.a
	@echo "  LD      $@"
	@$(CC) -pie -Wl,-z,relro,-z,now -o $@ $^ $(TOOLS_LIBS)
$(TOOLS_O)/parvus-monitor-static: $(MON_OBJS) $(TOOLS_O)/libparvus.a
	@echo "  LD      $@"
	@$(CC) -static -o $@ $^ $(TOOLS_LIBS)

# Back ends that are programs (pv-drivers/user), for domain 0.
USER_O        := $(TOOLS_O)/user
USER_CFLAGS    = $(TOOLS_CFLAGS) -Ipv-drivers/ring -Ipv-drivers/common
$(USER_O)/%.o: pv-drivers/user/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(USER_CFLAGS) -MMD -MP -c -o $@ $<
$(TOOLS_O)/block-server: $(USER_O)/block-server.o $(USER_O)/block.o $(TOOLS_O)/libparvus.a
	@echo "  LD      $@"
	@$(CC) -static -o $@ $^
$(TOOLS_O)/channel-server: $(USER_O)/channel-server.o $(TOOLS_O)/libparvus.a
	@echo "  LD      $@"
	@$(CC) -static -o $@ $^ $(TOOLS_LIBS)
# For domain 0 of those who write drivers.
$(TOOLS_O)/parvus-device: $(USER_O)/parvus-device.o $(TOOLS_O)/libparvus.a
	@echo "  LD      $@"
	@$(CC) -static -o $@ $^ $(TOOLS_LIBS)

# Reads a guest's disk for bootloader = "pygrub", in a sandbox; libparvus starts it.
BOOT_OBJS     := $(patsubst tools/%.c,$(TOOLS_O)/%.o,$(wildcard tools/guest-boot/*.c))
BOOT_LIBS     := -lext2fs -lcom_err
$(TOOLS_O)/guest-boot/%.o: tools/guest-boot/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(TOOLS_CFLAGS) -MMD -MP -c -o $@ $<
$(TOOLS_O)/guest-boot-static: $(BOOT_OBJS)
	@echo "  LD      $@"
	@$(CC) -static -o $@ $^ $(BOOT_LIBS)
$(TOOLS_O)/dynamic/guest-boot: $(BOOT_OBJS)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) -pie -Wl,-z,relro,-z,now -o $@ $^ $(BOOT_LIBS)

.PHONY: tools install deps-tools
deps-tools:
	@tools/deps tools
tools: $(TOOLS_O)/parvus $(TOOLS_O)/parvus-static $(TOOLS_O)/parvus-monitor \
	$(TOOLS_O)/parvus-monitor-static $(TOOLS_O)/libparvus.so.0 $(TOOLS_O)/block-server \
	$(TOOLS_O)/parvus-device $(TOOLS_O)/guest-boot-static $(TOOLS_O)/parvus-agent \
	$(TOOLS_O)/channel-server

# The same for a Debian that has the libraries.
$(TOOLS_O)/dynamic/%: $(TOOLS_O)/%
	@mkdir -p $(@D)
	@$(CC) -pie -Wl,-z,relro,-z,now -Wl,--as-needed -o $@ $(filter %.o %.a,$(DYNAMIC_$*)) \
		$(TOOLS_LIBS)
DYNAMIC_block-server  := $(USER_O)/block-server.o $(USER_O)/block.o $(TOOLS_O)/libparvus.a
DYNAMIC_channel-server := $(USER_O)/channel-server.o $(TOOLS_O)/libparvus.a
DYNAMIC_parvus-device := $(USER_O)/parvus-device.o $(TOOLS_O)/libparvus.a

# Guest kernel and user space for "parvus run" go along if they were built. LIBDIR is that of the
# library; SHARE of what needs no machine (packages/build sets the former).
PREFIX ?= /usr
LIBDIR ?= $(PREFIX)/lib
install: SHARE := $(DESTDIR)$(PREFIX)/share
install:
	@$(MAKE) deps-tools
	@$(MAKE) tools $(TOOLS_O)/dynamic/block-server $(TOOLS_O)/dynamic/parvus-device \
		$(TOOLS_O)/dynamic/guest-boot $(TOOLS_O)/dynamic/channel-server
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(LIBDIR)/pkgconfig $(SHARE)/man/man1 \
		$(DESTDIR)$(PREFIX)/include/parvus $(DESTDIR)$(PREFIX)/lib/parvus \
		$(SHARE)/man/man5 $(SHARE)/man/man8 $(SHARE)/bash-completion/completions \
		$(SHARE)/doc/parvus \
		$(DESTDIR)/etc/parvus $(DESTDIR)/etc/default/grub.d $(DESTDIR)/lib/systemd/system
	install $(TOOLS_O)/parvus $(TOOLS_O)/dynamic/parvus-device tools/host/parvus-image \
		tools/boot/parvus-boot $(DESTDIR)$(PREFIX)/sbin
	install -m 644 $(TOOLS_O)/libparvus.so.0 $(TOOLS_O)/libparvus.a $(DESTDIR)$(LIBDIR)
	ln -sf libparvus.so.0 $(DESTDIR)$(LIBDIR)/libparvus.so
	install -m 644 tools/libparvus/libparvus.h tools/libparvus/libparvus-backend.h \
		$(DESTDIR)$(PREFIX)/include
	install -m 644 pv-abi/include/parvus/*.h pv-drivers/ring/parvus/*.h \
		$(DESTDIR)$(PREFIX)/include/parvus
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(TOOLS_VERSION)|' \
		tools/libparvus/libparvus.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/libparvus.pc
	install -m 644 tools/parvus/*.1 $(SHARE)/man/man1
	install -m 644 tools/parvus/*.5 tools/host/*.5 $(SHARE)/man/man5
	install -m 644 tools/boot/*.8 tools/host/*.8 $(SHARE)/man/man8
	install -m 644 tools/parvus/completion.bash $(SHARE)/bash-completion/completions/parvus
	install -m 644 tools/boot/completion.bash $(SHARE)/bash-completion/completions/parvus-boot
	install $(TOOLS_O)/dynamic/block-server $(TOOLS_O)/dynamic/guest-boot \
		$(TOOLS_O)/dynamic/channel-server \
		$(TOOLS_O)/parvus-monitor $(TOOLS_O)/parvus-agent \
		tools/host/parvus-domains tools/boot/21_linux_parvus $(DESTDIR)$(PREFIX)/lib/parvus
	install -m 644 tools/boot/parvus.cfg $(DESTDIR)/etc/default/grub.d
	install -m 644 tools/host/parvus.conf $(DESTDIR)/etc/parvus
	install -m 644 tools/boot/*.service tools/host/*.service tools/host/*.timer \
		$(DESTDIR)/lib/systemd/system
	install -m 644 README.md CHANGES.md docs/*.md $(SHARE)/doc/parvus
	install -d $(DESTDIR)$(PREFIX)/lib/parvus/compat $(DESTDIR)/etc/xen/scripts
	install tools/compat/xenstore $(DESTDIR)$(PREFIX)/lib/parvus/compat
	for f in read write exists list rm; do \
		ln -sf xenstore $(DESTDIR)$(PREFIX)/lib/parvus/compat/xenstore-$$f; done
	for f in xl xm; do \
		ln -sf ../../../sbin/parvus $(DESTDIR)$(PREFIX)/lib/parvus/compat/$$f; done
	install tools/compat/vif-bridge $(DESTDIR)/etc/xen/scripts
	for f in vmlinuz initramfs.cpio; do \
		[ ! -f $(O)/$$f ] || install -m 644 $(O)/$$f $(DESTDIR)$(PREFIX)/lib/parvus/; done

-include $(LIB_OBJS:.o=.d) $(CMD_OBJS:.o=.d) $(MON_OBJS:.o=.d) $(BOOT_OBJS:.o=.d) \
	$(wildcard $(USER_O)/*.d $(TOOLS_O)/agent/*.d)

include tools/bench/guest/build.mk
