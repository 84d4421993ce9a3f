/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rest of arch/x86 knows of Parvus: the TLB hooks. They sit where an
 * address space loses rights (tlb.c), because the hypervisor keeps translations
 * of address spaces that no CPU has loaded.
 */
#ifndef _ASM_X86_PARVUS_H
#define _ASM_X86_PARVUS_H

#include <linux/types.h>
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

#endif
