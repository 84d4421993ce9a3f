/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What shadow.c needs of the machine: implemented by x86/mmu.c, and by the
 * fake MMU of the native harness, which records every (pCPU, va, mfn, rights)
 * that a TLB may hold.
 *
 * Protocol of a shootdown (review rules 1 and 4). A pCPU is *exposed* while it
 * runs a guest or touches guest memory by guest address; C code of the
 * hypervisor is not exposed. A flusher first clears entries and raises the
 * generation of the address space, full barrier, then looks at the pCPUs that
 * have it loaded: an exposed one gets an IPI and is waited for until it has
 * served (or has stopped being exposed); one that is not exposed will compare
 * generations before it becomes exposed again, and needs no IPI. A pCPU that
 * becomes exposed sets its flag, full barrier, then compares generations.
 * No lock is held while waiting; the waiter is itself not exposed.
 */
#ifndef CORE_ARCH_MMU_H
#define CORE_ARCH_MMU_H

#include <core/types.h>
#include <core/limits.h>

struct aspace;
struct vcpu;

/* A pCPU's pair of top-level tables; each is private to the pCPU (rule 24). */
struct mmu_root {
	mfn_t kernel;		/* seen in virtual kernel mode: user half (NX) + kernel half */
	mfn_t user;		/* seen in virtual user mode: user half alone */
	u64 *kernel_table;	/* their contents, mapped for good */
	u64 *user_table;
};

unsigned int arch_this_cpu(void);
unsigned int arch_cpus(void);	/* online: 0 .. arch_cpus() - 1 */
/* The vCPU that runs on this pCPU, or NULL. */
struct vcpu *arch_current(void);
struct mmu_root *arch_mmu_root(unsigned int cpu);

/* This pCPU uses its roots from now on, and nothing cached before; or uses them no more. */
void arch_roots_enter(void);
void arch_roots_leave(void);

/* Hardware TLB of this pCPU. Both roots, no guest entry is global. */
void arch_tlb_flush_page(u64 va);
void arch_tlb_flush_all(void);

bool arch_cpu_exposed(unsigned int cpu);
/* Ask a pCPU to call shadow_serve() before it is exposed again. */
void arch_request(unsigned int cpu);
/* Send HV_VECTOR_KICK to the pCPUs of a mask. */
void arch_kick(u64 cpu_mask);

extern bool arch_1g_pages;
/* Bits of a guest entry above the physical address width: reserved (inject PF_RESERVED). */
extern u64 arch_reserved_bits;

#endif
