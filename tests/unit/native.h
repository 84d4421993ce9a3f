/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fake machine of the unit tests: RAM that is an array, pCPUs that are entries of
 * another, all driven from one thread. Each test of Check runs in a process of its own,
 * so that the state of the hypervisor's files begins anew.
 */
#ifndef UNIT_NATIVE_H
#define UNIT_NATIVE_H

/* First of all includes: the C library knows nothing of the macros of core/types.h. */
#include <check.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <core/arch.h>
#include <core/domain.h>
#include <core/frame.h>
#include <core/handlers.h>
#include <core/log.h>
#include <core/memory.h>
#include <core/vcpu.h>
#include <x86/paging.h>

/* RAM of @frames frames; the allocator gets all but the first @hole. */
void native_boot(u64 frames, u64 hole);

/* The log, line by line: the last one as it went to the debug port, and the last warning. */
extern char native_log[512], native_warning[512];
/* Is that anywhere in the log? */
bool native_logged(const char *part);
/* Warnings since the test began; each is also printed. */
unsigned int native_warnings(void);

/* What came out of the serial line; and what comes in. */
extern char native_serial[512];
extern const char *native_serial_in;

/* What arch_irq_line_set() was told last, and of each line. */
extern u32 native_line, native_line_writes;
extern bool native_line_masked[24], native_line_level[24];

/* The pCPUs of a mask that have WORK_RESCHED; it is taken away. */
u64 native_resched(u64 mask);

/* Interrupts that arch_kick_cpu() sent; and called with each. */
extern unsigned int native_kicks;
extern void (*native_on_kick)(unsigned int cpu);
extern u64 native_shown[MAX_DOMAINS];	/* the one frame that a domain's view shows; by number */

/* How often the machine was switched off, and whether it was to come again. */
extern unsigned int native_power_offs;
extern bool native_rebooted;
/* How often the end of the log was kept for the next start. */
extern unsigned int native_records;

/* The clock, the frame that is a device, and what a pCPU's timer was set to last. */
extern u64 native_now, native_wall, native_open_frame, native_timer[NATIVE_CPUS];

/*
 * The allocation of memory, or claim of it, that fails, and the access to guest memory that finds
 * none, counted down; 0 = none. Those behind it go as they would, or fail as well; and how many
 * failed (test_injection.c).
 */
extern unsigned int native_alloc_fail, native_access_fail, native_failed;
extern bool native_fail_on;
extern void (*native_on_alloc)(void);	/* called before each of the former, failing or not */

/* arch_vcpu_init() fails from this call on (counted down); 0 = never. */
extern unsigned int native_vcpu_fail;

/* What arch_context_load(), _save() and arch_vector_deliver() were called for. */
extern unsigned int native_loads, native_saves, native_delivers;
/* The last hypercall that is the machine's (x86/): what it was given. They return 77. */
extern const char *native_called;
extern u64 native_args[2];
extern const void *native_regs;
/* Called by arch_halt(), which has to give it something to do. */
extern void (*native_on_halt)(void);

/* ck_assert_msg() tells the parent of each time it holds; in hot loops only failures matter. */
#define EXPECT(c, ...) do { \
	if (!(c)) \
		ck_abort_msg(__VA_ARGS__); \
} while (0)

/* Run @statement, which must end in a panic whose text has @part in it. */
extern jmp_buf native_panic_to;
extern bool native_panic_wanted;
extern char native_panic_text[512];
#define ck_assert_panics(part, statement) do { \
	native_panic_wanted = true; \
	if (!setjmp(native_panic_to)) { \
		statement; \
		ck_abort_msg("no panic"); \
	} \
	native_panic_wanted = false; \
	ck_assert_msg(strstr(native_panic_text, part) != NULL, "panic: %s", native_panic_text); \
} while (0)

/* ONLY=name in the environment: no other test than that one. */
bool native_wanted(const char *test);
#undef tcase_add_test
#define tcase_add_test(tc, test) ({ \
	if (native_wanted(#test)) \
		tcase_add_test_raise_signal(tc, test, 0); \
})

/*
 * The TLB of a pCPU, as bad as the architecture allows: it forgets nothing by itself, keeps
 * both roots, and caches upper levels of a walk (Intel SDM vol. 3, 4.10). It does not bear one
 * address in two sizes: real ones then use either, or end the machine (4.10.2.3; rule 6).
 *
 * Each entry has a tag. With PCID (cpu_features.cr3_keep) it is that, and a load of CR3 with bit 63
 * forgets nothing. Without, a load forgets all, but for those of the assembly, from one of the two
 * roots to the other: tag 1 is the user root's. x86/roots.c is what decides, here as in ring 0.
 */
struct tlb_entry {
	u64 va;			/* of the 4 KiB page */
	u64 size;		/* of the mapping that it is a part of */
	u64 mfn;
	unsigned int tag;
	bool user, write, nx;	/* user: of the user root */
};
struct walk_entry {
	u64 va;			/* first address that the table covers */
	u64 table;		/* mfn */
	int level;		/* of the table */
	unsigned int tag;
	bool write, nx;
};
#define TLB_MAX		1024u
#define WALK_MAX	64u
#define TAGS		(2 * ROOT_PAIRS + 2)

struct native_cpu {
	struct cpu;		/* as core/ knows it */
	struct mmu_root root[ROOT_PAIRS];
	union { struct roots; struct roots roots; };
	u64 cr3;
	u64 *area_entry, *way_in;	/* as in struct pcpu: test_view.c */
	u64 area_now;		/* the frame that CPU_AREA_VCPU maps */
	u64 area_of[TAGS];	/* what the TLB has for CPU_AREA_VCPU */
	struct tlb_entry tlb[TLB_MAX];
	unsigned int tlbs;
	struct walk_entry walk[WALK_MAX];
	unsigned int walks;
};
extern struct native_cpu native_cpus[NATIVE_CPUS];
/* The machine has PCID, from now on, and it is on. No vCPU runs. */
void native_pcid(void);
/* Does an entry count? Not those of a pair that is not in use, or that the next load forgets. */
bool native_live(const struct native_cpu *c, unsigned int tag);

/* Called before each smp_store_release(), with its target (core/atomic.h). */
extern void (*native_on_release)(const void *at);
/* Called after each atomic_or_u64() and atomic_and_u64(), with its target. */
extern void (*native_on_or)(const void *at), (*native_on_and)(const void *at);
/* Called before each atomic_inc_u32() and atomic_cmpxchg_u64(); after each load of CR3. */
extern void (*native_before)(const void *at), (*native_on_cr3)(void);

/* Called when a pCPU is kicked, before it serves; no lock is held then. */
extern void (*native_before_serve)(unsigned int cpu);

/* The pCPU is about to run a guest, or stops running one. */
void native_expose(unsigned int cpu);
void native_unexpose(unsigned int cpu);
/* shadow_serve() in the place of @cpu. */
void native_serve(unsigned int cpu);

struct access {
	u64 va;
	bool write, fetch, user;
};
/* What the hardware does with an access: true and the frame, or a page fault. */
bool native_access(unsigned int cpu, struct access a, u64 *mfn);

/* A generator of our own, so that a seed means the same everywhere. */
void random_seed(u64 seed);
u64 random_u64(void);
static inline u64 below(u64 n) { return random_u64() % n; }
static inline bool chance(u64 n) { return !below(n); }

/* The seeds to use: SEED=n in the environment, or 1..@count. The callback prints nothing. */
void for_seeds(unsigned int count, void (*run)(u64 seed));

int native_main(Suite *suite);

extern bool native_fast;	/* arch_fast_paths() */
/* domain_create(), for a maker who is done with it. */
struct domain *native_domain(const char *name, u64 max_gfn, u64 ram, unsigned int vcpus);

#endif
