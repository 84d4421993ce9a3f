# SPDX-License-Identifier: GPL-2.0-only
# Tests: unit (native, sanitized), guest (micro guests), system (Linux).

GUEST_O      := $(O)/tests/guest
GUEST_NAMES  := $(basename $(notdir $(wildcard tests/guest/*.c)))
GUEST_CFLAGS := -std=gnu11 -O2 -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-strict-aliasing \
	-fno-asynchronous-unwind-tables -Wall -Wextra -Werror -Ipv-abi/include -Ipv-drivers/ring \
	-I$(O)/gen
GUEST_LOADS  := canary cpuid hostile idle keeper line_storm load paths retries sends worst
GUEST_LIB    := $(GUEST_O)/lib/start.o $(GUEST_O)/lib/lib.o $(GUEST_O)/lib/common.o

$(GUEST_O)/lib/start.o: tests/guest/lib/start.S $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<
$(GUEST_O)/%.o: tests/guest/%.c tests/guest/lib/guest.h $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<
$(GUEST_O)/%: $(GUEST_O)/%.o $(GUEST_LIB) tests/guest/lib/guest.lds
	@$(CC) -nostdlib -static -no-pie -Wl,--build-id=none,-z,max-page-size=4096,-z,noexecstack \
		-Wl,--no-warn-rwx-segments,-T,tests/guest/lib/guest.lds -o $@ $< $(GUEST_LIB)
$(addprefix $(GUEST_O)/,$(GUEST_LOADS)): $(GUEST_O)/%: \
		$(GUEST_O)/lib/%.o $(GUEST_LIB) tests/guest/lib/guest.lds
	@$(CC) -nostdlib -static -no-pie -Wl,--build-id=none,-z,max-page-size=4096,-z,noexecstack \
		-Wl,--no-warn-rwx-segments,-T,tests/guest/lib/guest.lds -o $@ $< $(GUEST_LIB)
# Of 1 GiB, which its first tables map whole.
$(GUEST_O)/lib/start_large.o: tests/guest/lib/start.S $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(GUEST_CFLAGS) -DEXTENTS=480 -MMD -MP -c -o $@ $<
$(GUEST_O)/long: $(GUEST_O)/lib/long.o $(GUEST_O)/lib/start_large.o $(GUEST_LIB) \
		tests/guest/lib/guest.lds
	@$(CC) -nostdlib -static -no-pie -Wl,--build-id=none,-z,max-page-size=4096,-z,noexecstack \
		-Wl,--no-warn-rwx-segments,-T,tests/guest/lib/guest.lds -o $@ \
		$(filter-out %/start.o,$(filter %.o,$^))
.SECONDARY:

UNIT_O      := $(O)/tests/unit
UNIT_NAMES  := $(basename $(notdir $(wildcard tests/unit/test_*.c)))
# core/ and mmu/ as they are, and what else is portable; native.c is the machine below them.
UNIT_HV     := $(basename $(patsubst hypervisor/%,%,$(wildcard hypervisor/core/*.c))) mmu/shadow \
	x86/decode x86/roots boot/elf boot/bundle boot/multiboot boot/options \
	boot/microcode
UNIT_CFLAGS := -std=gnu11 -g -O1 -DHV_NATIVE -fms-extensions -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer -Wall -Wextra -Werror \
	-Ihypervisor -Itests/unit -Ipv-abi/include -Ipv-drivers/ring -Ipv-drivers/common -I$(O)/gen
UNIT_OBJS   := $(patsubst %,$(UNIT_O)/hv/%.o,$(UNIT_HV)) $(UNIT_O)/native.o

# What a test can make fail goes by native.c.
UNIT_NAMED_core/page_alloc   := alloc_frames alloc_claimed frames_claim hv_alloc hv_alloc_own \
	hv_alloc_claimed hv_alloc_public
UNIT_NAMED_core/guest_access := guest_read guest_write guest_map guest_copy_frame
UNIT_NAMED = $(foreach n,$(UNIT_NAMED_$*),-D$(n)=real_$(n))
$(UNIT_O)/hv/%.o: hypervisor/%.c $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(UNIT_CFLAGS) $(UNIT_NAMED) -MMD -MP -c -o $@ $<
$(UNIT_O)/%.o: tests/unit/%.c $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(UNIT_CFLAGS) -MMD -MP -c -o $@ $<
$(UNIT_O)/test_%: $(UNIT_O)/test_%.o $(UNIT_OBJS)
	@$(CC) $(UNIT_CFLAGS) -o $@ $^ $$(pkg-config --libs check)

# Parts of x86/, with the machine that they need (tests/unit/machine).
$(UNIT_O)/test_view.o $(UNIT_O)/test_smp.o: UNIT_CFLAGS := -Itests/unit/machine $(UNIT_CFLAGS)

# Tables of firmware are packed, and x86 does not mind.
$(UNIT_O)/test_acpi.o: UNIT_CFLAGS += -fno-sanitize=alignment

# It includes mmu/shadow.c, with accesses of its own.
$(UNIT_O)/test_tlb_schedules: $(UNIT_O)/test_tlb_schedules.o \
		$(filter-out %/mmu/shadow.o,$(UNIT_OBJS))
	@$(CC) $(UNIT_CFLAGS) -o $@ $^ $$(pkg-config --libs check)

# A part of a driver for Linux, with the little of Linux that it needs (tests/unit/kernel).
$(UNIT_O)/linux/%.o: pv-drivers/linux/%.c $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(UNIT_CFLAGS) -Itests/unit/kernel -Ipv-drivers/linux/include -MMD -c -o $@ $<
UNIT_LINUX := block_front block_pool link_state screen
$(UNIT_LINUX:%=$(UNIT_O)/test_%.o): UNIT_CFLAGS += -Itests/unit/kernel -Ipv-drivers/linux/include
$(UNIT_LINUX:%=$(UNIT_O)/test_%): $(UNIT_O)/test_%: $(UNIT_O)/test_%.o $(UNIT_O)/linux/%.o
	@$(CC) $(UNIT_CFLAGS) -o $@ $^ $$(pkg-config --libs check)
$(UNIT_O)/test_block_front: $(UNIT_O)/linux/block_pool.o
$(UNIT_O)/linux/block_front.o: UNIT_CFLAGS += -Wno-unused-parameter
# And of the port to Linux (tests/unit/port).
$(UNIT_O)/test_port.o: UNIT_CFLAGS := -Itests/unit/port $(UNIT_CFLAGS) -Wno-unused-parameter
$(UNIT_O)/test_port: $(UNIT_O)/test_port.o
	@$(CC) $(UNIT_CFLAGS) -o $@ $^ $$(pkg-config --libs check)

# The toolstack against a hypervisor that is a file (tests/tools/fake.h): unit tests, and the
# whole parvus command for tests/system/toolstack.sh.
TT_O      := $(O)/tests/tools
TT_CFLAGS  = $(TOOLS_CFLAGS) -O1 -U_FORTIFY_SOURCE -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer -Itests/tools -Itools/parvus
TT_LIB     = $(patsubst tools/libparvus/%.c,$(TT_O)/lib/%.o,$(filter-out %/sys.c,$(LIB_C))) \
	$(TT_O)/fake.o
TT_MON     = $(patsubst tools/%.c,$(TT_O)/%.o,$(MON_C))
TT_CMD     = $(patsubst tools/parvus/%.c,$(TT_O)/command/%.o,$(CMD_C)) $(TT_O)/agent/tree.o
$(TT_O)/lib/%.o: tools/libparvus/%.c
	@mkdir -p $(@D)
	@$(CC) $(TT_CFLAGS) -MMD -MP -c -o $@ $<
$(TT_O)/command/%.o: tools/parvus/%.c | $(O)/tools/hypercall_names.h
	@mkdir -p $(@D)
	@$(CC) $(TT_CFLAGS) -MMD -MP -c -o $@ $<
$(TT_O)/agent/%.o: tools/agent/%.c
	@mkdir -p $(@D)
	@$(CC) $(TT_CFLAGS) -MMD -MP -c -o $@ $<
$(TT_O)/monitor/%.o: tools/monitor/%.c
	@mkdir -p $(@D)
	@$(CC) $(TT_CFLAGS) -MMD -MP -c -o $@ $<
$(TT_O)/%.o: tests/tools/%.c
	@mkdir -p $(@D)
	@$(CC) $(TT_CFLAGS) -MMD -MP -c -o $@ $<
$(UNIT_O)/test_tool_%.o: tests/unit/test_tool_%.c
	@mkdir -p $(@D)
	@$(CC) $(TT_CFLAGS) -MMD -MP -c -o $@ $<
.SECONDEXPANSION:
$(UNIT_O)/test_tool_%: $(UNIT_O)/test_tool_%.o $$(TT_LIB)
	@$(CC) $(TT_CFLAGS) -o $@ $^ $(TOOLS_LIBS) $$(pkg-config --libs check)
# Back ends that are programs, with a front end and a registry that the test itself plays.
$(TT_O)/user/%.o: pv-drivers/user/%.c
	@mkdir -p $(@D)
	@$(CC) $(TT_CFLAGS) -Ipv-drivers/ring -Ipv-drivers/common -MMD -MP -c -o $@ $<
$(UNIT_O)/test_backend.o: tests/unit/test_backend.c
	@mkdir -p $(@D)
	@$(CC) $(TT_CFLAGS) -Ipv-drivers/ring -Ipv-drivers/user -MMD -MP -c -o $@ $<
$(UNIT_O)/test_backend: $(UNIT_O)/test_backend.o $(TT_O)/user/block.o $(TT_O)/lib/backend.o \
		$(TT_O)/lib/error.o
	@$(CC) $(TT_CFLAGS) -o $@ $^ $$(pkg-config --libs check)
$(UNIT_O)/test_tree.o: tests/unit/test_tree.c
	@mkdir -p $(@D)
	@$(CC) $(TT_CFLAGS) -MMD -MP -c -o $@ $<
$(UNIT_O)/test_tree: $(UNIT_O)/test_tree.o $(TT_O)/agent/tree.o
	@$(CC) $(TT_CFLAGS) -o $@ $^ -pthread $$(pkg-config --libs check)
$(TT_O)/parvus-fake: $$(TT_CMD) $$(TT_LIB)
	@$(CC) $(TT_CFLAGS) -o $@ $^ $(PARVUS_LIBS)
$(TT_O)/monitor-fake: $$(TT_MON) $$(TT_LIB)
	@$(CC) $(TT_CFLAGS) -o $@ $^ $(TOOLS_LIBS)
$(TT_O)/parvus-device-fake: $(TT_O)/user/parvus-device.o $$(TT_LIB)
	@$(CC) $(TT_CFLAGS) -o $@ $^ $(TOOLS_LIBS)
$(TT_O)/fake_guest: $(TT_O)/fake_guest.o $(TT_O)/fake.o
	@$(CC) $(TT_CFLAGS) -o $@ $^

# Fuzz targets (tests/fuzz/lib/fuzz.h): once over their seeds in make test; make fuzz lets
# libFuzzer go on from there, F=TARGET... chooses, each for FUZZ_SECONDS.
FUZZ_O       := $(O)/tests/fuzz
FUZZ_NAMES   := $(basename $(notdir $(wildcard tests/fuzz/*.c)))
FUZZ_CFLAGS  := -std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer -Wall -Wextra -Werror -Itests/fuzz -Ipv-abi/include \
	-Ipv-drivers/ring -Ipv-drivers/common -I$(O)/gen
FUZZ_SECONDS ?= 60
CLANG        ?= clang

# What a target is built from beside its own file: of the hypervisor, and of the toolstack, whose
# objects are those of the unit tests, and a second set that clang makes for libFuzzer.
FUZZ_HV_kernel   := boot/elf core/lib
FUZZ_HV_manifest := boot/bundle core/lib
FUZZ_HV_decode   := x86/decode core/lib
FUZZ_HV_guest    := $(UNIT_HV)
FUZZ_UNIT_guest  := native
FUZZ_LIBS_guest   = $$(pkg-config --libs check)
FUZZ_HV_context  := $(UNIT_HV)
FUZZ_UNIT_context := native
FUZZ_LIBS_context = $$(pkg-config --libs check)
FUZZ_TT          := config image stream
FUZZ_HV_CFLAGS   := -DHV_NATIVE -fms-extensions -Ihypervisor -Itests/unit
FUZZ_TT_CFLAGS   := -D_GNU_SOURCE -Itools/libparvus
FUZZ_EXTRA        = $(if $(FUZZ_HV_$*),$(FUZZ_HV_CFLAGS)) \
	$(if $(filter $*,$(FUZZ_TT)),$(FUZZ_TT_CFLAGS))
$(FUZZ_O)/%.o: tests/fuzz/%.c $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(FUZZ_CFLAGS) $(FUZZ_EXTRA) -MMD -MP -c -o $@ $<
.SECONDEXPANSION:
$(FUZZ_O)/%: $(FUZZ_O)/%.o $(FUZZ_O)/lib/once.o \
		$$(addsuffix .o,$$(addprefix $(UNIT_O)/hv/,$$(FUZZ_HV_$$*))) \
		$$(addsuffix .o,$$(addprefix $(UNIT_O)/,$$(FUZZ_UNIT_$$*))) \
		$$(if $$(filter $$*,$(FUZZ_TT)),$$(TT_LIB))
	@$(CC) $(FUZZ_CFLAGS) -o $@ $^ $(if $(filter $*,$(FUZZ_TT)),$(TOOLS_LIBS)) $(FUZZ_LIBS_$*)
FUZZ_CLANG        = $(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP
$(FUZZ_O)/libfuzzer/hv/%.o: hypervisor/%.c $(ABI_GEN)
	@mkdir -p $(@D)
	@$(FUZZ_CLANG) -w $(FUZZ_HV_CFLAGS) $(UNIT_NAMED) -c -o $@ $<
$(FUZZ_O)/libfuzzer/unit/%.o: tests/unit/%.c $(ABI_GEN)
	@mkdir -p $(@D)
	@$(FUZZ_CLANG) -w $(FUZZ_HV_CFLAGS) -c -o $@ $<
$(FUZZ_O)/libfuzzer/tools/%.o: tools/libparvus/%.c
	@mkdir -p $(@D)
	@$(FUZZ_CLANG) -w $(FUZZ_TT_CFLAGS) -c -o $@ $<
$(FUZZ_O)/libfuzzer/fake.o: tests/tools/fake.c
	@mkdir -p $(@D)
	@$(FUZZ_CLANG) -w $(FUZZ_TT_CFLAGS) -Itests/tools -c -o $@ $<
FUZZ_TT_OBJS      = $(FUZZ_O)/libfuzzer/fake.o $(patsubst tools/libparvus/%.c,\
	$(FUZZ_O)/libfuzzer/tools/%.o,$(filter-out %/sys.c,$(LIB_C)))
$(FUZZ_O)/libfuzzer/%: tests/fuzz/%.c $(ABI_GEN) \
		$$(addsuffix .o,$$(addprefix $(FUZZ_O)/libfuzzer/hv/,$$(FUZZ_HV_$$*))) \
		$$(addsuffix .o,$$(addprefix $(FUZZ_O)/libfuzzer/unit/,$$(FUZZ_UNIT_$$*))) \
		$$(if $$(filter $$*,$(FUZZ_TT)),$$(FUZZ_TT_OBJS))
	@mkdir -p $(@D)
	@$(CLANG) $(FUZZ_CFLAGS) $(FUZZ_EXTRA) $(if $(FUZZ_HV_$*),-w) \
		-fsanitize=fuzzer -MMD -MP -MF $@.d -MT $@ -o $@ $< $(filter %.o,$^) \
		$(if $(filter $*,$(FUZZ_TT)),$(TOOLS_LIBS)) $(FUZZ_LIBS_$*)
.PHONY: fuzz fuzz-hostile
fuzz: deps-full
	@$(MAKE) $(addprefix fuzz-,$(or $(F),$(FUZZ_NAMES) hostile))
# Whole guests that do everything wrong: not libFuzzer's.
fuzz-hostile: hypervisor $(addprefix $(GUEST_O)/,$(GUEST_LOADS))
	@echo "  FUZZ    hostile"
	@O=$(O) HOSTILE_SECONDS=$(FUZZ_SECONDS) bash tests/system/hostile.sh
fuzz-%: $(FUZZ_O)/libfuzzer/%
	@mkdir -p $(FUZZ_O)/corpus/$*
	@echo "  FUZZ    $*"
	@$< -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -print_final_stats=1 \
		-artifact_prefix=$(FUZZ_O)/$*- $(FUZZ_O)/corpus/$* tests/fuzz/seeds/$*

.PHONY: test test-full tests-built test-unit test-guest soak
soak: deps-full
	@$(MAKE) tests-built guest-kernel $(O)/initramfs.cpio $(O)/domain0.cpio debian-disk
	@O=$(O) FULL=1 tests/run system/soak
tests-built: hypervisor bench-micro \
	$(addprefix $(GUEST_O)/,$(GUEST_NAMES) $(GUEST_LOADS) long) \
	$(addprefix $(UNIT_O)/,$(UNIT_NAMES)) $(addprefix $(FUZZ_O)/,$(FUZZ_NAMES)) \
	tools $(TT_O)/parvus-fake $(TT_O)/monitor-fake $(TT_O)/parvus-device-fake \
	$(TT_O)/fake_guest

# Everything, as .ci/run does it. T=PATTERN chooses tests by name.
# Packages first, then what needs them: prerequisites of one rule have no reliable order.
# Where T names micro guests, unit tests and fuzz targets alone, these are built, and no kernel.
tests_of = $(basename $(notdir $(wildcard $(patsubst %,tests/%.c,$(filter $(1)/%,$(T))))))
ifeq ($(and $(T),$(if $(filter-out guest/% unit/% fuzz/%,$(T)),,few)),few)
TESTS_NEED := $(if $(filter guest/%,$(T)),hypervisor $(GUEST_O)/canary) \
	$(addprefix $(GUEST_O)/,$(filter $(GUEST_NAMES),$(call tests_of,guest))) \
	$(addprefix $(UNIT_O)/,$(filter $(UNIT_NAMES),$(call tests_of,unit))) \
	$(addprefix $(FUZZ_O)/,$(filter $(FUZZ_NAMES),$(call tests_of,fuzz)))
else
TESTS_NEED := tests-built guest-kernel $(O)/initramfs.cpio $(O)/domain0.cpio debian-disk
endif
test: deps-test
	@$(MAKE) $(TESTS_NEED)
	@O=$(O) tests/run $(T)
test-unit: deps-test
	@$(MAKE) tests-built
	@O=$(O) tests/run 'unit/*'
test-guest: deps-test
	@$(MAKE) tests-built
	@O=$(O) tests/run 'guest/*'
# The kernel's self-tests natively and as a guest (docs/conformance.md): hours, and it goes on where
# it was stopped. PART=... MACHINES=... choose, FRESH=1 begins anew.
.PHONY: conformance
conformance: deps-conformance
	@$(MAKE) hypervisor guest-kernel $(O)/initramfs.cpio
	@O=$(O) tests/conformance/run $(PART)
# Each rule of docs/rules.md is broken, one mutant at a time, and its test must go red (an hour
# at most, and it goes on where it was stopped). M=PATTERN chooses by name, rule or test.
.PHONY: mutants coverage check-static
mutants: deps-full
	@$(MAKE) tests-built
	@O=$(O) tests/mutants/run $(M)
# Which lines of ring 0 are executed by the suite: at least 90 of 100.
coverage: deps-test
	@$(MAKE) tests-built guest-kernel $(O)/initramfs.cpio $(O)/domain0.cpio \
		$(O)/coverage/executed.so
	@O=$(O) tests/coverage/run
$(O)/coverage/executed.so: tests/coverage/executed.c
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -o $@ $<
# cppcheck, sparse, clang-tidy; the first two are in make test (system/static).
check-static: deps-static
	@$(MAKE) hypervisor tools
	@O=$(O) tests/static/run $(C)
# Hours of it: long stress, ten boots of each kind, Debian user space, boot loaders.
test-full: deps-full
	@$(MAKE) tests-built guest-kernel $(O)/initramfs.cpio $(O)/domain0.cpio debian debian-disk \
		debian-host
	@O=$(O) FULL=1 tests/run $(T)

-include $(wildcard $(FUZZ_O)/*.d $(FUZZ_O)/*/*.d $(TT_O)/*.d $(TT_O)/*/*.d $(GUEST_O)/*.d \
	$(GUEST_O)/lib/*.d $(UNIT_O)/*.d $(UNIT_O)/hv/*/*.d $(UNIT_O)/linux/*.d)
