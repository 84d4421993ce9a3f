/* SPDX-License-Identifier: GPL-2.0-only */
/* A virtual CPU. While it runs, its registers are at the top of its pCPU's stack. */
#pragma once

#include <mmu/shadow.h>

/* As pushed by x86/entry.S; the tail is the hardware's frame. */
struct regs {
	u64 r15, r14, r13, r12, rbp, rbx;
	u64 r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 vector;		/* exception or interrupt; 0x100 = syscall */
	u64 error;
	u64 rip, cs, rflags, rsp, ss;
};

/*
 * STOPPED -> STARTING -> BLOCKED <-> RUNNABLE <-> RUNNING -> BLOCKED or STOPPED.
 * RUNNABLE is one of: in a queue (sched.queued); held (sched.held: its domain is paused
 * or has used up its cap, and a queue must not have it); for a moment neither, on its way
 * from one queue to another. A wake-up of a vCPU whose domain is barred makes it held, so
 * none is lost. The end of a domain lifts every bar: what is held is queued, and reaped.
 */
enum vcpu_state {
	VCPU_STOPPED,		/* never started, or vcpu_stop */
	VCPU_STARTING,		/* being set up by its starter: nothing wakes it */
	VCPU_RUNNABLE, VCPU_RUNNING, VCPU_BLOCKED,
};

/* What the scheduler keeps per vCPU; sched.c's. */
struct sched_entity {
	struct sched_entity *next, *prev;	/* run queue */
	u64 vruntime;		/* weighted ns */
	u64 run_start;		/* ns at which it got the pCPU */
	u64 charged;		/* ns up to which its run is accounted for */
	u64 ready;		/* ns since which it is runnable */
	u64 weight;
	u32 cpu;		/* the pCPU whose queue it is (or was last) on */
	bool queued, held;	/* RUNNABLE; never both */
	u64 affinity[PARVUS_CPU_WORDS];	/* pCPUs; under its queue's lock */
};

/* timer.c: one-shot timers, a heap per pCPU. The caller arms the hardware for timer_next(). */
#define TIMERS_PER_CPU	4096u
struct timer {
	u64 deadline;		/* ns; 0 = not armed */
	u32 heap_index;		/* place in its pCPU's heap + 1; 0 = none */
	u32 cpu;
	void (*fire)(struct timer *t);
};
int timer_init_cpu(unsigned int cpu);
/* Arm on @cpu for @deadline (absolute ns), moving it if armed. 0 or -PARVUS_ENOMEM. */
int timer_set(struct timer *t, unsigned int cpu, u64 deadline);
/* The same, unless it is armed for that time or before; then it stays where it is. */
int timer_set_before(struct timer *t, unsigned int cpu, u64 deadline);
void timer_cancel(struct timer *t);
/* Fire all that are due, under the heap's lock. fire() may set t->deadline, to be armed again. */
void timer_run(unsigned int cpu, u64 now);
u64 timer_next(unsigned int cpu);	/* earliest deadline on @cpu, 0 = none */

/* What no other domain may learn while it runs; a page of the domain's own (rule 81). */
struct vcpu_own {
	struct parvus_vcpu_area area_none;	/* stands in until one is registered */
	struct regs regs;	/* valid while not running */

	/* virtual CPU state */
	bool kernel_mode;	/* saved value; the live one is in struct pcpu */
	u64 kernel_gs_base;	/* loaded at every entry from user mode */
	u64 live_gs_base, live_fs_base;	/* while not running */
	u64 guest_cr4;		/* what the guest believes */
	u64 dr[8];
	u64 tls[PARVUS_TLS_ENTRIES];	/* validated descriptors */
	u16 ds, es, fs, gs;	/* selectors while not running */
	u64 xcr0, tsc_aux;
	u32 given;		/* context.c's, while its domain is built */
	u64 cpuid_faults;	/* its programs are to have a #GP at CPUID */
	struct vcpu_shadow shadow;
} __attribute__((aligned(64)));
BUILD_ASSERT(sizeof(struct vcpu_own) <= PAGE_SIZE);

/* Of this every CPU may see all. */
struct vcpu {
	struct domain *domain;
	u32 id;			/* within the domain */
	u32 state;		/* enum vcpu_state, under its pCPU's queue lock */
	bool on_cpu;		/* its registers are on a pCPU's stack */
	struct vcpu_own *own;
	void *xsave;		/* XSAVE image, 64-aligned; the domain's own */
	u32 fpu_cpu;		/* whose registers may still hold its FPU state */

	/* the vCPU area: where, and our mapping of it (own->area_none until it is) */
	struct parvus_vcpu_area *area;
	void *clock;		/* its record, or NULL */

	/* pending virtual vectors: set by anyone (atomic), cleared by the vCPU */
	u64 vectors[4];

	struct sched_entity sched;
	struct timer timer;
	u64 deadline;		/* of its domain's clock, while that timer is armed or held */
	struct parvus_vcpu_stats stats;
};
BUILD_ASSERT(sizeof(struct vcpu) <= PAGE_SIZE);

/* Raise a virtual vector (>= 32) and wake the vCPU. Callable from any pCPU. */
void vcpu_raise(struct vcpu *v, u8 vector);
/* Make it look at its pending work: an IPI if it runs, a wake-up if it sleeps. */
void vcpu_wake(struct vcpu *v);

static inline bool vcpu_has_pending(const struct vcpu *v)
{
	/* as they are now, in any order: after READ_ONCE() they would be no operands of OR */
	barrier();
	return v->vectors[0] | v->vectors[1] | v->vectors[2] | v->vectors[3];
}

struct vcpu *vcpu_create(struct domain *d, unsigned int id);
void vcpu_destroy(struct vcpu *v);
/* As at a fresh start in virtual kernel mode, virtual IF = 0, in an anonymous address space. */
void vcpu_reset(struct vcpu *v, u64 rip, u64 rsp, u64 root_gpa);

/* A vCPU argument: the caller, or another of its domain; or NULL. */
struct vcpu *vcpu_arg(struct vcpu *v, u64 n);
int vcpu_area_set(struct vcpu *v, u64 gpa);	/* 0 or -PARVUS_EFAULT */
void clock_timer_fired(struct vcpu *v);	/* clock.c */
/* A mask of vCPUs: @words words at @gpa. 0 or a negative errno; none that does not exist. */
int vcpu_mask_read(struct vcpu *v, u64 gpa, u64 words, u64 *mask);

/* An address that the hardware takes: bits 47 to 63 are equal. */
static inline bool canonical(u64 va) { return (u64)((s64)(va << 16) >> 16) == va; }
