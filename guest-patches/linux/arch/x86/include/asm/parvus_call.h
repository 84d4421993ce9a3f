/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rest of the kernel knows of Parvus: hypercalls, and the TLB hooks. Those sit
 * where an address space loses rights (tlb.c), because the hypervisor keeps translations
 * of address spaces that no CPU has loaded.
 *
 * A hypercall is SYSCALL in kernel mode: number in rax, arguments in rdi rsi rdx
 * r10 r8 r9, result in rax; rcx and r11 are lost.
 */
#ifndef _ASM_X86_PARVUS_CALL_H
#define _ASM_X86_PARVUS_CALL_H

#include <linux/types.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>

struct mm_struct;
struct cpumask;

#ifdef CONFIG_PARVUS_GUEST
static __always_inline bool parvus_guest(void)
{
	return static_cpu_has(X86_FEATURE_PARVUS);
}
#else
static __always_inline bool parvus_guest(void) { return false; }
#endif

void parvus_flush_mm_range(struct mm_struct *mm, unsigned long start, unsigned long end,
			   unsigned int stride_shift, bool freed_tables);
void parvus_flush_kernel_range(unsigned long start, unsigned long end);
void parvus_flush_all(void);
void parvus_flush_batch(struct cpumask *cpus);
int parvus_gsi_to_irq(u32 gsi);		/* acpi/boot.c: the irq of a line, or a negative errno */

/* entry.S: the instruction itself, so that objtool sees the stack unchanged across it. */
void parvus_syscall(void);

#define PARVUS_CALL(nr, inputs...) ({						\
	long ret_ = (nr);							\
										\
	asm volatile("call parvus_syscall" : "+a" (ret_), ASM_CALL_CONSTRAINT	\
		     : inputs : "rcx", "r11", "memory");			\
	ret_; })

static __always_inline long parvus_call6(unsigned long nr, unsigned long a0, unsigned long a1,
					 unsigned long a2, unsigned long a3, unsigned long a4,
					 unsigned long a5)
{
	register unsigned long r10 asm("r10") = a3;
	register unsigned long r8 asm("r8") = a4;
	register unsigned long r9 asm("r9") = a5;

	return PARVUS_CALL(nr, "D" (a0), "S" (a1), "d" (a2), "r" (r10), "r" (r8), "r" (r9));
}

static __always_inline long parvus_call0(unsigned long nr)
{
	return PARVUS_CALL(nr);
}

static __always_inline long parvus_call1(unsigned long nr, unsigned long a0)
{
	return PARVUS_CALL(nr, "D" (a0));
}

static __always_inline long parvus_call2(unsigned long nr, unsigned long a0, unsigned long a1)
{
	return PARVUS_CALL(nr, "D" (a0), "S" (a1));
}

static __always_inline long parvus_call3(unsigned long nr, unsigned long a0, unsigned long a1,
					 unsigned long a2)
{
	return PARVUS_CALL(nr, "D" (a0), "S" (a1), "d" (a2));
}

static __always_inline long parvus_call4(unsigned long nr, unsigned long a0, unsigned long a1,
					 unsigned long a2, unsigned long a3)
{
	register unsigned long r10 asm("r10") = a3;

	return PARVUS_CALL(nr, "D" (a0), "S" (a1), "d" (a2), "r" (r10));
}

#endif
