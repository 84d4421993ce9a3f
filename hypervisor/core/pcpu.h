/* SPDX-License-Identifier: GPL-2.0-only */
/* A pCPU as core/ and mmu/ know it: what it has to do, and for whom it works. */
#pragma once

#include <core/atomic.h>

struct vcpu;
struct regs;
struct parvus_vcpu_area;

/* cpu.work bits: looked at before every C exit to the guest. */
#define WORK_SERVE	1u	/* serve TLB requests */
#define WORK_RESCHED	2u
#define WORK_VECTORS	4u	/* the running vCPU got a vector */
#define WORK_STOP	8u	/* panic elsewhere: stop */
#define WORK_TIMER	16u
#define WORK_ARCH	32u	/* what an interrupt left for arch_work() */
#define WORK_FORGET	64u	/* an event page has left all views: arch_work() */

/* A part of struct pcpu (x86/arch.h). Each writes its own; others read or write what is [any]. */
struct cpu {
	struct vcpu *current;	/* running vCPU or NULL */
	struct parvus_vcpu_area *area;	/* of current; never NULL while a vCPU runs */
	u64 aspaces;		/* made here: for their numbers (mmu/aspace.c) */
	u32 work;		/* WORK_* [any] */
	u32 cpu;		/* our number */
	u8 exposed;		/* see core/arch.h [any reads] */
	bool idle;		/* [any reads] */
	bool yield;		/* the next reschedule lets others go first */
};

/* One of a pCPU's pairs of top-level tables; each is private to the pCPU (rule 24). */
#define ROOT_PAIRS	16u
#define MMU_CPU_BYTES	2048u	/* what tlb.c knows of them */
struct mmu_root {
	u64 *kernel_table;	/* seen in virtual kernel mode: user half (NX) + kernel half */
	u64 *user_table;	/* seen in virtual user mode: user half alone */
};

/* Also for one's own: an OR without LOCK can lose a bit that another pCPU sets meanwhile. */
static inline void cpu_work_add(struct cpu *c, u32 bits)
{
	__atomic_fetch_or(&c->work, bits, SEQ_CST);
}

/* The timer of this pCPU: for the next of its timers and the end of the slice. */
void pcpu_timer_arm(void);
/* From entry.S, on the way out and not exposed: all that is due, until nothing is. */
void pcpu_work(struct regs *regs);
