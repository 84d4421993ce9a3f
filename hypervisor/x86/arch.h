/* SPDX-License-Identifier: GPL-2.0-only */
/* The inline half of core/arch.h, which alone includes this. */
#ifndef X86_ARCH_H
#define X86_ARCH_H

#include <x86/percpu.h>

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
static inline struct mmu_root *arch_mmu_root(unsigned int cpu) { return &pcpus[cpu]->root; }
static inline u32 arch_breathe(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
	return READ_ONCE(this_pcpu()->common.work);
}

#endif
