/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor's portable parts on a fake machine: RAM is an array, pCPUs are an
 * index that the test sets, and a TLB per pCPU records what an access could use.
 */
#ifndef NATIVE_H
#define NATIVE_H

#include <check.h>
#include <stdlib.h>
#include <hv/arch_mmu.h>
#include <hv/domain.h>
#include <hv/frame.h>
#include <hv/lib.h>
#include <hv/log.h>
#include <hv/sched.h>
#include <hv/shadow.h>
#include <hv/timer.h>

#define RAM_FRAMES	24576u		/* 96 MiB */
#define FAKE_CPUS	3u

/* A fresh machine: all RAM free, no domain, empty TLBs. */
void machine_reset(void);

extern unsigned int this_cpu;
extern struct vcpu *running[FAKE_CPUS];
extern u64 fake_now;
extern unsigned int panics_expected;	/* panic() longjmps instead of aborting */

/* The TLB of a pCPU: what it may use without looking at tables again. */
struct tlb_entry {
	u64 va;		/* page */
	u64 entry;	/* the leaf, 4 KiB resolved */
	bool kernel;	/* which root */
};
#define TLB 64u
extern struct tlb_entry tlb[FAKE_CPUS][TLB];

/*
 * A guest access on this pCPU, as the hardware does it: the TLB, then the root's tables.
 * True and the mfn if it is permitted.
 */
bool hw_access(u64 va, bool write, bool kernel, u64 *mfn);

u64 random_u64(void);
void random_seed(u64 seed);
static inline u64 random_below(u64 n) { return random_u64() % n; }

int run_suite(Suite *s);

#endif
