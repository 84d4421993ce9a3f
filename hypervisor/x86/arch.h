/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Per-pCPU state, and the inline half of core/arch.h, which alone includes this. In ring 0 GS base
 * points to struct pcpu; entry.S reaches its first members by generated offsets (asm_offsets.c).
 * Each pCPU writes its own; what others may read or write is marked [any].
 */
#pragma once

#include <x86/cpu_area.h>
#include <x86/roots.h>

/* pcpu.exit_slow, bits: what the assembly's iret and sysret have to do first. */
#define EXIT_PREFILL	1u	/* a call of C for the prefill */
#define EXIT_SLOW	2u	/* or all of it in C: a vector waits, or there is no FSGSBASE */

struct pcpu {
	struct pcpu *self;
	u64 scratch[6];		/* entry.S, before there is a stack */
	u64 stack_top;		/* struct regs lies right below */
	u64 frame;		/* there */
	union { struct roots; struct roots roots; };
	u64 syscall_entry;	/* of current's domain, sign-extended from bit 47 */
	u64 kernel_gs_base;	/* of current */
	u8 kernel_mode;		/* virtual mode of current: 1 = guest kernel */
	u8 exit_slow;		/* EXIT_* */
	bool stack_old;		/* below struct regs is what another domain left (entry.S) */
	/* counters bumped by entry.S for current; folded into its stats in C */
	u64 n_crossings, n_syscalls, n_user_returns, n_kernel_returns;
	struct mmu_root root[ROOT_PAIRS];
	u64 *area_entry;	/* that maps CPU_AREA_VCPU */
	u64 *way_in;		/* entries of its area in a bare user root; NULL: it is not bare */
	void *tss;
	u64 *gdt;
	u64 timer_deadline;	/* TSC value the hardware is armed for, not past then; 0 = off */
	u64 timer_late;		/* ticks that it was late at the most */
	u64 last_serial;	/* of the domain that ran last */
	u32 nmis;		/* that came */
	u8 nmi_reason;		/* of the last one, by port 61 */
	bool nmi_due;		/* to be logged; arch_work()'s, as is */
	bool console_due;	/* the serial line has input; arch_work()'s */
	u32 eois_due;		/* of level lines in irqs_due (ioapic.c) */
	u64 irqs_due[4];	/* vectors of devices that came, also arch_work()'s */
	struct vcpu *fpu_owner;
	u64 xcr0;		/* what the register holds */
	u64 tsd;		/* CR4_TSD as the register holds it */
	bool debug_live;	/* debug registers are not at rest */
	bool online;
	u32 tsc_ask, tsc_answer;	/* bring-up: is its TSC in step? */
	u64 tsc_sample;
	/* a fault of ring 0 on guest memory that is retried: where, in which entry, how often */
	u64 retry_rip, retry_crossing;
	u32 retries;
	u64 refused;		/* error code of the last guest-bound IRET that faulted */
	u64 check_addr[8];	/* of frames that machine checks named, + 1; mcheck.c's */

	/* what other CPUs may look at, whatever runs there */
	u32 apic_id __attribute__((aligned(4096)));
	u8 has_fsgsbase;
	u8 fast;		/* assembly may serve alone: there is FSGSBASE, no trace [any] */
	union {		/* what core/ knows; its members are ours (-fms-extensions) */
		struct cpu;
		struct cpu common;
	};
	u64 mmu[MMU_CPU_BYTES / 8];	/* tlb.c's */
};

BUILD_ASSERT(sizeof(struct pcpu) == 2 * PAGE_SIZE &&
	     CPU_AREA_PCPU + offsetof(struct pcpu, apic_id) == CPU_AREA_PUBLIC);

static inline u64 cpu_area(unsigned int cpu) { return CPU_AREA_BASE + (u64)cpu * CPU_AREA_SIZE; }

extern struct pcpu *pcpus[MAX_CPUS];
extern unsigned int cpus_online;	/* numbered 0..cpus_online-1 */

static inline struct pcpu *this_pcpu(void)
{
	struct pcpu *p;

	__asm__("mov %%gs:%c1, %0" : "=r"(p) : "i"(offsetof(struct pcpu, self)));
	return p;
}

static inline void pcpu_add_work(struct pcpu *p, u32 bits) { cpu_work_add(&p->common, bits); }

/* ---- core/arch.h ---- */

/* Slot 270. What of it tells of addresses without RAM is zero, and cannot be written. */
#define frame_table	((struct frame_info *)0xffff870000000000ull)

/* The direct map (x86/paging.h). */
static inline void *arch_frame_map(mfn_t mfn)
{
	return (void *)((mfn_x(mfn) << PAGE_SHIFT) + 0xffff800000000000ull);
}
static inline mfn_t arch_frame_of(const void *p)
{
	return _mfn(((u64)p - 0xffff800000000000ull) >> PAGE_SHIFT);
}

#define KEEPS_REGISTERS		__attribute__((no_caller_saved_registers))
static inline void arch_lock_wait(struct spinlock *l, u32 ticket)
{
	__asm__ inline volatile("push %%rdi; push %%rsi; lea %0, %%rdi; mov %1, %%esi\n\t"
				"call lock_wait; pop %%rsi; pop %%rdi"
				: : "m"(*(char *)l), "a"(ticket) : "memory", "cc");
}

static inline struct cpu *arch_this(void) { return &this_pcpu()->common; }
static inline struct cpu *arch_cpu(unsigned int cpu) { return &pcpus[cpu]->common; }
static inline unsigned int arch_this_cpu(void) { return this_pcpu()->cpu; }
static inline struct vcpu *arch_current(void) { return this_pcpu()->current; }
static inline unsigned int arch_cpus(void) { return cpus_online; }
static inline struct mmu_root *arch_mmu_root(unsigned int cpu) { return pcpus[cpu]->root; }
static inline void *arch_mmu_cpu(unsigned int cpu) { return pcpus[cpu]->mmu; }
static inline struct roots *arch_roots(void) { return &this_pcpu()->roots; }
static inline u32 arch_breathe(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
	return READ_ONCE(this_pcpu()->common.work);
}
