// SPDX-License-Identifier: MIT
/*
 * The layout of every structure of the ABI, by size and offset. Compiled as C11 and as
 * C++; a difference is a compile error. The members listed must fill their structure
 * to the byte, so one that is not listed, or hidden padding, is an error too.
 * With ABI_SNAPSHOT the same list prints what the compiler made of it (check/run).
 */
#include <stddef.h>
#include <parvus/mmu.h>
#include <parvus/start.h>
#include <parvus/types.h>
#include <parvus/vcpu.h>

#ifdef __cplusplus
#define ASSERT(condition, text) static_assert(condition, text)
#else
#define ASSERT(condition, text) _Static_assert(condition, text)
#endif
#define SIZEOF(member)	sizeof(((T *)0)->member)

#ifdef ABI_SNAPSHOT
#define BEGIN(name)	{ typedef struct name T; const char *of = "struct " #name; \
	printf("%s size %zu\n", of, sizeof(T));
#define MEMBER(name, offset, bytes) \
	printf("%s.%s offset %zu size %zu\n", of, #name, offsetof(T, name), SIZEOF(name));
#define END(bytes)	}
#else
/* sum: one array of bytes for each member, without alignment */
#define BEGIN(name)	{ typedef struct name T; struct sum {
#define MEMBER(name, offset, bytes) unsigned char name[bytes]; \
	ASSERT(offsetof(T, name) == (offset), "offset of " #name); \
	ASSERT(SIZEOF(name) == (bytes), "size of " #name);
#define END(bytes)	}; ASSERT(sizeof(T) == (bytes), "size of the structure"); \
	ASSERT(sizeof(struct sum) == (bytes), "members listed do not fill the structure"); }
#endif

static inline void layout(void)
{
	/* parvus/start.h */
	BEGIN(parvus_entry_note)
		MEMBER(size, 0, 4)
		MEMBER(abi_version, 4, 4)
		MEMBER(entry, 8, 8)
		MEMBER(root, 16, 8)
		MEMBER(features_required, 24, 8)
		MEMBER(reserved, 32, 16)
	END(48)
	BEGIN(parvus_memory_range)
		MEMBER(start, 0, 8)
		MEMBER(size, 8, 8)
		MEMBER(type, 16, 4)
		MEMBER(reserved, 20, 4)
	END(24)
	BEGIN(parvus_start_info)
		MEMBER(magic, 0, 8)
		MEMBER(size, 8, 4)
		MEMBER(version, 12, 4)
		MEMBER(domain, 16, 4)
		MEMBER(vcpus, 20, 4)
		MEMBER(flags, 24, 8)
		MEMBER(features, 32, 32)
		MEMBER(cmdline, 64, 8)
		MEMBER(initrd, 72, 8)
		MEMBER(initrd_size, 80, 8)
		MEMBER(ram_size, 88, 8)
		MEMBER(max_gfn, 96, 8)
		MEMBER(tsc_khz, 104, 8)
		MEMBER(wall_sec, 112, 8)
		MEMBER(wall_nsec, 120, 4)
		MEMBER(memory_ranges, 124, 4)
		MEMBER(generation_id, 128, 16)
		MEMBER(rsdp, 144, 8)
		MEMBER(reserved, 152, 64)
		MEMBER(memory, 216, 1536)
	END(1752)

	/* parvus/vcpu.h */
	BEGIN(parvus_vcpu_area)
		MEMBER(irq_enabled, 0, 1)
		MEMBER(pending, 1, 1)
		MEMBER(nmi_blocked, 2, 1)
		MEMBER(reserved0, 3, 5)
		MEMBER(cr2, 8, 8)
		MEMBER(sp0, 16, 8)
		MEMBER(user_gs_base, 24, 8)
		MEMBER(ret, 32, 32)
		MEMBER(steal_ns, 64, 8)
		MEMBER(reserved1, 72, 56)
		MEMBER(reserved2, 128, 384)
	END(PARVUS_VCPU_AREA_SIZE)
	BEGIN(parvus_callbacks)
		MEMBER(size, 0, 4)
		MEMBER(version, 4, 4)
		MEMBER(syscall_entry, 8, 8)
		MEMBER(crit_start, 16, 8)
		MEMBER(crit_end, 24, 8)
		MEMBER(crit_resume, 32, 8)
		MEMBER(df_stack, 40, 8)
		MEMBER(reserved, 48, 16)
	END(64)
	BEGIN(parvus_trap)
		MEMBER(address, 0, 8)
		MEMBER(vector, 8, 1)
		MEMBER(dpl, 9, 1)
		MEMBER(flags, 10, 1)
		MEMBER(reserved0, 11, 5)
	END(16)
	BEGIN(parvus_vcpu_context)
		MEMBER(size, 0, 4)
		MEMBER(version, 4, 4)
		MEMBER(rip, 8, 8)
		MEMBER(rsp, 16, 8)
		MEMBER(rdi, 24, 8)
		MEMBER(rsi, 32, 8)
		MEMBER(root, 40, 8)
		MEMBER(gs_base, 48, 8)
		MEMBER(area_gpa, 56, 8)
		MEMBER(reserved, 64, 64)
	END(128)
	BEGIN(parvus_multicall)
		MEMBER(nr, 0, 8)
		MEMBER(args, 8, 48)
		MEMBER(result, 56, 8)
	END(64)
	BEGIN(parvus_vcpu_stats)
		MEMBER(size, 0, 4)
		MEMBER(version, 4, 4)
		MEMBER(crossings, 8, 8)
		MEMBER(syscalls, 16, 8)
		MEMBER(user_returns, 24, 8)
		MEMBER(kernel_returns, 32, 8)
		MEMBER(root_switches, 40, 8)
		MEMBER(page_faults, 48, 8)
		MEMBER(page_faults_guest, 56, 8)
		MEMBER(fills, 64, 8)
		MEMBER(prefills, 72, 8)
		MEMBER(resyncs, 80, 8)
		MEMBER(flushes, 88, 8)
		MEMBER(flushes_full, 96, 8)
		MEMBER(shootdowns, 104, 8)
		MEMBER(evictions, 112, 8)
		MEMBER(emulations, 120, 8)
		MEMBER(exceptions, 128, 8)
		MEMBER(vectors, 136, 8)
		MEMBER(switches, 144, 8)
		MEMBER(run_ns, 152, 8)
		MEMBER(reserved, 160, 32)
		MEMBER(hypercalls, 192, 512)
	END(704)
	BEGIN(parvus_debug_info)
		MEMBER(size, 0, 4)
		MEMBER(version, 4, 4)
		MEMBER(frames_total, 8, 8)
		MEMBER(frames_free, 16, 8)
		MEMBER(domains, 24, 8)
		MEMBER(warnings, 32, 8)
		MEMBER(reserved, 40, 24)
	END(64)
}
