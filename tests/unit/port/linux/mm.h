/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The little of Linux that the port's mmu.c needs (guest-patches/linux/arch/x86/parvus), so that a
 * unit test has that file as it is: CPUs that are entries of an array, hypercalls that are written
 * down (test_port.c). The other headers of this folder include this one.
 */
#ifndef UNIT_PORT_H
#define UNIT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <parvus/hypercalls.h>
#include <parvus/vcpu.h>

typedef uint32_t u32;
typedef uint64_t u64;

#define __init
#define READ_ONCE(x)		(*(volatile __typeof__(x) *)&(x))
#define smp_mb()		__sync_synchronize()
#define preempt_disable()	((void)0)
#define preempt_enable()	((void)0)
#define PAGE_SIZE		4096ul
#define TASK_SIZE_MAX		0x7ffffffff000ul
#define TLB_FLUSH_ALL		-1ul
#define CR3_ADDR_MASK		0x000ffffffffff000ul

/* ---- CPUs: a variable of each is one, or goes by port_cpu ---- */

#define PORT_CPUS		4u
extern unsigned int port_cpu;
#define DEFINE_PER_CPU(type, name)		type name
#define DECLARE_PER_CPU_ALIGNED(type, name)	extern type name
#define this_cpu_read(x)	(x)
#define this_cpu_write(x, v)	((x) = (v))
#define this_cpu_ptr(p)		(p)
#define per_cpu_ptr_to_phys(p)	((unsigned long)(p))
#define per_cpu(x, cpu) (*({ \
	unsigned int me_ = port_cpu; \
	port_cpu = (cpu); \
	__typeof__(x) *p_ = &(x); \
	port_cpu = me_; \
	p_; \
}))

struct cpumask { unsigned long bits[1]; };
#define cpumask_bits(m)		((m)->bits)
#define cpumask_empty(m)	(!(m)->bits[0])
#define cpumask_clear(m)	((void)((m)->bits[0] = 0))
#define for_each_cpu(cpu, m) \
	for ((cpu) = 0; (cpu) < PORT_CPUS; (cpu)++) \
		if ((m)->bits[0] >> (cpu) & 1)

/* ---- address spaces ---- */

struct mm_struct {
	void *pgd;
	struct { u64 ctx_id, tlb_gen; } context;
	struct cpumask cpus;
};
#define mm_cpumask(mm)		(&(mm)->cpus)
#define inc_mm_tlb_gen(mm)	(++(mm)->context.tlb_gen)
#define LOADED_MM_SWITCHING	((struct mm_struct *)1ul)
struct port_tlbstate {
	struct mm_struct *loaded_mm;
	struct { u64 ctx_id, tlb_gen; } ctxs[1];
};
extern struct port_tlbstate port_tlbstate[PORT_CPUS];
#define cpu_tlbstate		(port_tlbstate[port_cpu])
extern char init_top_pgt[];
#define __pa(p)			((unsigned long)(p))
#define __pa_symbol(p)		((unsigned long)(p))

struct mmu_gather;
struct flush_tlb_info;
void tlb_remove_table(struct mmu_gather *tlb, void *table);
#define __PV_IS_CALLEE_SAVE(f)	(f)
extern struct port_ops {
	struct {
		unsigned long (*read_cr2)(void);
		void (*write_cr2)(unsigned long value);
		unsigned long (*read_cr3)(void);
		void (*write_cr3)(unsigned long value);
		void (*flush_tlb_user)(void);
		void (*flush_tlb_kernel)(void);
		void (*flush_tlb_one_user)(unsigned long va);
		void (*flush_tlb_multi)(const struct cpumask *cpus,
					const struct flush_tlb_info *info);
		void (*tlb_remove_table)(struct mmu_gather *tlb, void *table);
		void (*exit_mmap)(struct mm_struct *mm);
	} mmu;
} pv_ops;

/* ---- hypercalls ---- */

long parvus_call6(unsigned long nr, unsigned long a0, unsigned long a1, unsigned long a2,
		  unsigned long a3, unsigned long a4, unsigned long a5);
#define parvus_call2(nr, a, b)	parvus_call6(nr, a, b, 0, 0, 0, 0)
#define parvus_call1(nr, a)	parvus_call6(nr, a, 0, 0, 0, 0, 0)

void parvus_flush_mm_range(struct mm_struct *mm, unsigned long start, unsigned long end,
			   unsigned int stride_shift, bool freed_tables);
void parvus_flush_kernel_range(unsigned long start, unsigned long end);
void parvus_flush_all(void);
void parvus_flush_batch(struct cpumask *cpus);

#endif
