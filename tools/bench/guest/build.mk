# SPDX-License-Identifier: GPL-2.0-only
# The micro level of the benchmark: the same operations for the bare machine and for a guest.

MICRO_O      := $(O)/bench
MICRO_CFLAGS  = $(GUEST_CFLAGS) -Itests/guest/lib -Ipv-drivers/ring -Itools/bench/guest
MICRO_BOTH   := micro raw
MICRO_BARE   := $(addprefix $(MICRO_O)/bare/,boot.o handlers.o bare.o native.o \
	$(addsuffix .o,$(MICRO_BOTH)))
MICRO_GUEST  := $(addprefix $(MICRO_O)/guest/,handlers.o guest.o calls.o device.o \
	$(addsuffix .o,$(MICRO_BOTH)))

$(MICRO_O)/bare/%.o: tools/bench/guest/%.c $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(MICRO_CFLAGS) -DBARE -MMD -c -o $@ $<
$(MICRO_O)/bare/boot.o: tools/bench/guest/bare.S
	@mkdir -p $(@D)
	@$(CC) $(MICRO_CFLAGS) -MMD -c -o $@ $<
$(MICRO_O)/bare/handlers.o: tools/bench/guest/handlers.S $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(MICRO_CFLAGS) -DBARE -MMD -c -o $@ $<
$(MICRO_O)/guest/%.o: tools/bench/guest/%.c $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(MICRO_CFLAGS) -MMD -c -o $@ $<
$(MICRO_O)/guest/handlers.o: tools/bench/guest/handlers.S $(ABI_GEN)
	@mkdir -p $(@D)
	@$(CC) $(MICRO_CFLAGS) -MMD -c -o $@ $<

MICRO_LINK := -nostdlib -static -no-pie -Wl,--build-id=none,-z,max-page-size=4096 \
	-Wl,-z,noexecstack,--no-warn-rwx-segments
$(O)/bench/native.elf: $(MICRO_BARE) $(GUEST_O)/lib/common.o tools/bench/guest/bare.lds
	@echo "  LD      $@"
	@$(CC) $(MICRO_LINK) -Wl,-T,tools/bench/guest/bare.lds -o $@ $(MICRO_BARE) \
		$(GUEST_O)/lib/common.o
$(O)/bench/guest.elf: $(MICRO_GUEST) $(GUEST_LIB) tests/guest/lib/guest.lds
	@echo "  LD      $@"
	@$(CC) $(MICRO_LINK) -Wl,-T,tests/guest/lib/guest.lds -o $@ $(MICRO_GUEST) $(GUEST_LIB)
$(O)/bench/count.so: tools/bench/plugin/count.c
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -o $@ $<

.PHONY: bench-micro
bench-micro: $(O)/parvus-bench.elf $(O)/parvus.elf $(O)/bench/native.elf $(O)/bench/guest.elf \
	$(O)/bench/count.so
-include $(wildcard $(MICRO_O)/*/*.d)
