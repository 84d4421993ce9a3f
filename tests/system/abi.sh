# SPDX-License-Identifier: GPL-2.0-only
# The ABI is the one promised (pv-abi/check/run), and a change of it does not go unseen: of a
# call's number or arguments, a value, a member, hidden padding, a header that needs another,
# what the headers or the pages in docs say about a call, a member or an error.
pv-abi/check/run || exit 1

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
seen() { # WHAT FILE SED-SCRIPT [pages]: the check of a copy changed so fails
	rm -rf "$tmp/copy"
	mkdir "$tmp/copy" || exit 99
	cp -r pv-abi docs "$tmp/copy" || exit 99
	sed -i "$3" "$tmp/copy/$2" || exit 99
	if cmp -s "$2" "$tmp/copy/$2"; then
		echo "the change does not fit $2 any more: $1"
		exit 99
	fi
	if "$tmp/copy/pv-abi/check/run" "${4:-check}" >"$tmp/out" 2>&1; then
		echo "not seen: $1"
		exit 1
	fi
	grep -q '^abi: ' "$tmp/out" || { echo "nothing said: $1"; exit 1; }
}
h=pv-abi/include/parvus
seen "two calls change places" pv-abi/hypercalls.tbl \
	's/^24 \( *\)yield/24 \1block/; s/^25 \( *\)block/25 \1yield/'
seen "a gap in the numbers" pv-abi/hypercalls.tbl '/^24 /d'
seen "an argument" pv-abi/hypercalls.tbl '/^27 /s/deadline/deadline,flags/'
seen "who may call" pv-abi/hypercalls.tbl '/^44 /s/debug  /any    /'
seen "a value" $h/start.h 's/VECTOR_TIMER\t0xecu/VECTOR_TIMER\t0xedu/'
seen "a new value" $h/types.h '/PARVUS_ENOSYS/a#define PARVUS_EPIPE 32'
seen "two members change places" $h/vcpu.h \
	's/uint64_t sp0;/uint64_t tmp;/; s/uint64_t cr2;/uint64_t sp0;/
	s/uint64_t tmp;/uint64_t cr2;/'
seen "a member in reserved room" $h/vcpu.h \
	's/uint64_t reserved1\[7\];/uint64_t idle_ns, reserved1[7];/'
seen "hidden padding" $h/vcpu.h 's/uint8_t reserved0\[5\];.*//'
seen "a structure that nobody listed" $h/mmu.h '/^#endif/istruct parvus_new { uint64_t a; };'
seen "a header that is not complete" $h/mmu.h \
	's/#include <parvus.types.h>//; $istatic inline uint32_t f(void) { return 1; }'
seen "a C++ keyword" $h/vcpu.h 's/uint64_t nr;/uint64_t new;/'
seen "another text in the table" pv-abi/hypercalls.tbl '/^24 /s/Give/Leave/' pages
seen "a call without a section" docs/abi.md '/^### `yield`/d' pages
seen "a table without its end" docs/abi.md '/^<!-- end -->/d' pages
seen "a call without its table" docs/abi.md '/^<!-- generated: call yield -->/,/^<!-- end -->/d' \
	pages
seen "a structure without its table" docs/control.md \
	'/^<!-- generated: struct parvus_control_cpu/,/^<!-- end -->/d' pages
seen "another meaning of a member" $h/vcpu.h \
	's/ns that the vCPU wanted to run/us that the vCPU wanted to run/' pages
seen "another writer" $h/memory.h 's/request;\t.\* \[H\]/request;\t\/* [G]/' pages
seen "a member without a writer" $h/memory.h 's/request;\t.\* \[H\]/request;\t\/*/' pages
seen "a member without a meaning" $h/vcpu.h 's,int64_t result;.*,int64_t result;,' pages
seen "an argument that nobody describes" $h/mmu.h '/^ \* @gen_gpa: /d' pages
seen "an error that is none" $h/mmu.h 's/^ \* -ENOMEM: a new id/ * -ENOROOM: a new id/' pages
seen "an error that is gone" $h/mmu.h '/^ \* -ENOMEM: a new id/d' pages
seen "a cause in the page alone" docs/abi.md \
	's/more than 2 MiB/more than 1 MiB/; s/@size is/it is/
	s/`size` is below 8/`size` is below 4/' pages
seen "a state of control_op" $h/control.h 's/^ \* state: BUILDING/ * state: any/' pages
exit 0
