# SPDX-License-Identifier: GPL-2.0-only
# The hypervisor: one image, linked twice (multiboot 1 and 2; PVH).

HV_O      := $(O)/hypervisor
HV_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fpie -mcmodel=small -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fvisibility=hidden \
	-fno-strict-aliasing -fno-common -fms-extensions -fno-omit-frame-pointer \
	-fno-asynchronous-unwind-tables \
	-mindirect-branch=thunk-extern -mindirect-branch-register -fno-jump-tables \
	-ffile-prefix-map=$(CURDIR)/= \
	-Wall -Wextra -Wshadow -Wundef -Wmissing-prototypes -Wstrict-prototypes -Werror \
	-Ihypervisor -Ipv-abi/include -I$(O)/gen -I$(HV_O)
# mmu/shadow.c includes the other files of its folder: one unit.
HV_C      := $(sort hypervisor/mmu/shadow.c $(wildcard hypervisor/core/*.c hypervisor/x86/*.c \
	hypervisor/boot/*.c))
HV_C      := $(filter-out %/asm_offsets.c,$(HV_C))
HV_OBJS   := $(patsubst hypervisor/%.c,$(HV_O)/%.o,$(HV_C)) $(HV_O)/x86/entry.o
HV_LINK    = $(CC) -nostdlib -static -no-pie -Wl,--build-id=none,-z,max-page-size=4096 \
	-Wl,-z,noexecstack,--no-warn-rwx-segments,-T,hypervisor/x86/hypervisor.lds

# BENCH=1: with the baselines of the benchmark (tools/bench/hypervisor.c), parvus-bench.elf.
# Never to be run for real.
HV_BENCH  := $(patsubst %,$(HV_O)/bench/%.o,core/hypercall x86/emulate x86/traps baselines)
HV_BENCH_OBJS := $(filter-out $(subst /bench/,/,$(HV_BENCH)),$(HV_OBJS)) $(HV_BENCH)

.PHONY: hypervisor
hypervisor: $(O)/parvus.elf $(O)/parvus-pvh.elf $(if $(BENCH),$(O)/parvus-bench.elf)

$(HV_O)/asm-offsets.h: hypervisor/x86/asm_offsets.c $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(HV_CFLAGS) -MMD -MP -MT $@ -MF $(@:.h=.d) -S -o $(@:.h=.s) $<
	@awk '/^->/ { sub(/^->/, ""); sub(/\$$/, "", $$2); print "#define " $$1 " " $$2 }' \
		$(@:.h=.s) >$@

# The font that the screen's pixels are drawn with: of a package, for none is ours.
HV_FONT := /usr/share/consolefonts/Unifont-APL8x16.psf.gz
$(HV_FONT):
	@echo "$@ is missing: tools/deps build" >&2; false
$(HV_O)/screen-font.h: $(HV_FONT) tools/screen-font
	@mkdir -p $(@D)
	@zcat $< | tools/screen-font >$@
$(HV_O)/x86/screen.o: $(HV_O)/screen-font.h

$(HV_O)/%.o: hypervisor/%.c $(ABI_GEN)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(HV_CFLAGS) -MMD -MP -c -o $@ $<

$(HV_O)/bench/%.o: hypervisor/%.c $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(HV_CFLAGS) -DCONFIG_BENCH -MMD -MP -c -o $@ $<

$(HV_O)/bench/baselines.o: tools/bench/hypervisor.c $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(HV_CFLAGS) -DCONFIG_BENCH -MMD -MP -c -o $@ $<

$(HV_O)/%.o: hypervisor/%.S $(HV_O)/asm-offsets.h
	@mkdir -p $(@D)
	@echo "  AS      $<"
	@$(CC) $(HV_CFLAGS) -MMD -MP -c -o $@ $<

$(HV_O)/boot/boot-pvh.o: hypervisor/boot/boot.S $(HV_O)/asm-offsets.h
	@mkdir -p $(@D)
	@$(CC) $(HV_CFLAGS) -DBOOT_PVH -MMD -MP -c -o $@ $<

HV_LINKED_BY := hypervisor/x86/hypervisor.lds hypervisor/x86/symbols.awk
# Link, take the symbols, link again with their table for backtraces.
define hv_link
	@echo "  LD      $@"
	@awk -f hypervisor/x86/symbols.awk </dev/null >$@.sym.c
	@$(CC) $(HV_CFLAGS) -c -o $@.sym.o $@.sym.c
	@$(HV_LINK) -o $@.tmp $(1) $@.sym.o
	@nm -n $@.tmp | awk -f hypervisor/x86/symbols.awk >$@.sym.c
	@$(CC) $(HV_CFLAGS) -c -o $@.sym.o $@.sym.c
	@$(HV_LINK) -o $@.tmp $(1) $@.sym.o
	@echo $(1) $@.sym.o >$@.objects
	@mv $@.tmp $@
endef

$(O)/parvus.elf: $(HV_OBJS) $(HV_O)/boot/boot.o $(HV_LINKED_BY)
	$(call hv_link,$(HV_OBJS) $(HV_O)/boot/boot.o)

$(O)/parvus-pvh.elf: $(HV_OBJS) $(HV_O)/boot/boot-pvh.o $(HV_LINKED_BY)
	$(call hv_link,$(HV_OBJS) $(HV_O)/boot/boot-pvh.o)

$(O)/parvus-bench.elf: $(HV_BENCH_OBJS) $(HV_O)/boot/boot.o $(HV_LINKED_BY)
	$(call hv_link,$(HV_BENCH_OBJS) $(HV_O)/boot/boot.o)

-include $(HV_BENCH:.o=.d) $(HV_OBJS:.o=.d) $(HV_O)/asm-offsets.d
