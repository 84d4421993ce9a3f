# SPDX-License-Identifier: GPL-2.0-only
# Each room of hypervisor/ keeps its rule:
#   core  includes nothing of x86/ or boot/ but for core/arch.h, has no assembly, and calls the
#         machine by arch_* and hc_* alone
#   mmu   the same
#   x86   all assembly but for barrier(), index_mask() and what boot/ has to begin with
#   boot  named by no other room: it is gone when the first guest runs
# Read from the sources' #include lines and from the symbols of the objects. And each rule is
# seen broken once.
. tests/system/lib.bash

# What core/ and mmu/ may name of x86/ besides: the data of the inlines of x86/arch.h, and what a
# C library has.
# and what the compiler calls by itself: string functions, thunks of indirect branches
ALLOWED='^(arch_.*|hc_.*|pcpus|cpus_online|mem(cpy|move|set|cmp)|strlen|__x86_indirect_thunk_.*)$'

# TREE: one line "ROOM: FILE: what is wrong" each
includes() (
	cd "$1/hypervisor" || exit 99
	grep -oE '^[ 	]*#[ 	]*include[ 	]*[<"][^>"]*[>"]' core/*.[ch] mmu/*.[ch] |
		sed -E 's/^([^:]*):[ 	]*#[ 	]*include[ 	]*/\1:/' |
		grep -vE '^[^:]*:<(core|mmu|parvus)/|^[^:]*:<std[a-z]*\.h>$|^core/lib\.h:<string\.h>$|^mmu/[^:]*:"[^/]*"$' |
		grep -vE '^core/(arch\.h:<(x86/arch|native_arch)|atomic\.h:<native_atomic)\.h>$' |
		sed 's|^\([a-z]*\)/|\1: &|; s/:\([<"]\)/: includes \1/'
	grep -nE '^[ 	]*#[ 	]*include[ 	]*[<"]boot/' core/* mmu/* x86/* | sed 's/^/boot: /'
	# assembly: the word, outside of a comment
	grep -nwE '__asm__|asm' core/*.[ch] mmu/*.[ch] |
		grep -vE '^core/atomic.h:[0-9]+:#define barrier\(\)[^;]*"" ::: "memory"\)$' |
		grep -vE '^core/atomic.h:[0-9]+:	__asm__\("cmp %2, %1; sbb %0, %0" ' |
		sed 's/^/x86: /'
	grep -lwE '__asm__|asm' boot/*.[ch] | grep -v '^boot/start.c$' | sed 's/^/x86: /'
)

# FILE of lines "ROOM U|D SYMBOL": who names whom
symbols() {
	awk -v allowed="$ALLOWED" '
	FNR == NR { if ($2 == "D") at[$3] = at[$3] " " $1; next }
	$2 != "U" { next }
	{
		boot = at[$3] ~ /boot/ && at[$3] !~ /core|mmu|x86/
		x86 = at[$3] ~ /x86/ && at[$3] !~ /core|mmu/
	}
	boot && $1 != "boot" { print "boot: " $1 " names " $3 }
	x86 && ($1 == "core" || $1 == "mmu") && $3 !~ allowed {
		print $1 ": names " $3
	}' "$1" "$1" | sort -u
}

for room in core mmu x86 boot; do
	nm "$O/hypervisor/$room"/*.o | awk -v room="$room" '
		NF == 2 && $1 == "U" { print room, "U", $2 }
		NF == 3 && $2 ~ /[A-Z]/ { print room, "D", $3 }'
done | sort -u >"$work/symbols"
(($(grep -c ' D ' "$work/symbols") > 300)) || { echo "no objects in $O/hypervisor"; exit 99; }

{ includes .; symbols "$work/symbols"; } >"$work/out"
[[ -s $work/out ]] && { cat "$work/out"; fail "a room does not keep its rule"; }

seen() { # ROOM FILE TEXT: with a line more in the file, a rule of the room is broken
	rm -rf "$work/copy"
	mkdir "$work/copy" && cp -r hypervisor "$work/copy" || exit 99
	printf '%b\n' "$3" >>"$work/copy/hypervisor/$2"
	includes "$work/copy" >"$work/out"
	grep -q "^$1: .*${2##*/}" "$work/out" || fail "not seen in $2: $3"
}
names() { # ROOM WHO SYMBOL: a room names a symbol
	{ cat "$work/symbols"; echo "$2 U $3"; } >"$work/more"
	symbols "$work/more" | grep -q "^$1: .*names $3" || fail "not seen: $2 names $3"
}
seen core core/event.c '#include <x86/cpu.h>'
seen core core/arch.h '#include <x86/cpu.h>'
seen core core/vcpu.h ' # include "../boot/boot.h"'
seen mmu mmu/shadow.c '#include <x86/cpu.h>'
seen mmu mmu/shadow.h '#include "../x86/cpu.h"'
seen boot x86/pv.c '#include <boot/boot.h>'
seen boot core/domain.c '#include <boot/bundle.h>'
seen x86 core/lib.c 'static inline void f(void) { __asm__ volatile("nop"); }'
seen x86 mmu/shadow.c 'static void f(void) { asm("invlpg (%0)"); }'
seen x86 core/atomic.h '#define barrier() __asm__ __volatile__("mfence" ::: "memory")'
seen x86 boot/elf.c 'static void f(void) { __asm__("cli"); }'
names boot x86 acpi_init
names boot core elf_parse
names core core apic_eoi
names mmu mmu serial_init
exit 0
