# SPDX-License-Identifier: MIT
# What is generated from hypercalls.tbl, and the check of the ABI.

ABI_GEN := $(O)/gen/parvus/hypercalls.h $(O)/gen/parvus/stubs.h \
	$(O)/gen/core/hypercall_table.h $(O)/gen/core/handlers.h

define abi_gen
	@mkdir -p $(@D)
	@awk -v out=$(1) -f pv-abi/gen.awk pv-abi/hypercalls.tbl >$@.tmp && mv $@.tmp $@
endef

$(O)/gen/parvus/hypercalls.h: pv-abi/hypercalls.tbl pv-abi/gen.awk
	$(call abi_gen,numbers)
$(O)/gen/parvus/stubs.h: pv-abi/hypercalls.tbl pv-abi/gen.awk
	$(call abi_gen,stubs)
$(O)/gen/core/hypercall_table.h: pv-abi/hypercalls.tbl pv-abi/gen.awk
	$(call abi_gen,table)
$(O)/gen/core/handlers.h: pv-abi/hypercalls.tbl pv-abi/gen.awk
	$(call abi_gen,handlers)

# The headers compile alone, and the ABI is the one in check/abi.snapshot.
.PHONY: abi-check abi-snapshot
abi-check:
	@pv-abi/check/run
# Only when a change of the ABI is meant.
abi-snapshot:
	@pv-abi/check/run snapshot

# The generated part of docs/abi.md, in place.
.PHONY: docs docs-abi
docs: docs-abi
docs-abi:
	@pv-abi/check/run docs
