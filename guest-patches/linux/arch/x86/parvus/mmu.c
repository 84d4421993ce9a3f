// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus guest: address spaces. Page tables are plain memory; the hypervisor is a
 * large TLB that must be told when a right is taken away, by address space. The
 * id is mm->context.ctx_id, which Linux never reuses; tlb_gen goes along, so
 * that a flush that was skipped here (an mm that runs nowhere) is caught at the
 * next switch to it. See pv-abi parvus/mmu.h.
 */
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/cpumask.h>
#include <asm/mmu_context.h>
#include <asm/paravirt.h>
#include <asm/parvus_call.h>
#include <asm/tlb.h>
#include <asm/tlbflush.h>
#include "parvus_arch.h"

static DEFINE_PER_CPU(unsigned long, parvus_cr3);
static DEFINE_PER_CPU(u64, parvus_batch);	/* a mask on its way to the hypervisor */

static void parvus_write_cr2(unsigned long value) { this_cpu_write(parvus_area.cr2, value); }
static unsigned long parvus_read_cr3(void) { return this_cpu_read(parvus_cr3); }

/*
 * switch_mm_irqs_off() stores (ctx_id, tlb_gen) in ctxs[0] before it writes CR3;
 * others (load_cr3, CPU bring-up) do not, and get the anonymous address space.
 */
static void parvus_write_cr3(unsigned long cr3)
{
	struct mm_struct *loaded = this_cpu_read(cpu_tlbstate.loaded_mm);
	unsigned long root = cr3 & CR3_ADDR_MASK;
	u64 id = 0, gen = 0;

	this_cpu_write(parvus_cr3, cr3);
	if (loaded == LOADED_MM_SWITCHING || (loaded && __pa(loaded->pgd) == root)) {
		id = this_cpu_read(cpu_tlbstate.ctxs[0].ctx_id);
		gen = this_cpu_read(cpu_tlbstate.ctxs[0].tlb_gen);
	}
	parvus_call6(PARVUS_HC_mmu_switch, id, root, 0, gen, 0,
		     id ? PARVUS_SWITCH_NONE : PARVUS_SWITCH_ALL);
}

static void parvus_flush(u64 id, u64 gen, unsigned long start, unsigned long end,
			 unsigned long stride, unsigned int flags)
{
	parvus_call6(PARVUS_HC_mmu_flush, id, gen, start, end, stride, flags);
}

/* In place of flush_tlb_mm_range(), before its ceiling turns a range into everything. */
void parvus_flush_mm_range(struct mm_struct *mm, unsigned long start, unsigned long end,
			   unsigned int stride_shift, bool freed_tables)
{
	u64 gen = inc_mm_tlb_gen(mm);
	unsigned int flags = freed_tables ? PARVUS_FLUSH_FREED_TABLES : 0;

	/* Runs nowhere: the next switch to it sees the generation. */
	if (cpumask_empty(mm_cpumask(mm)))
		return;
	flags |= end == TLB_FLUSH_ALL ? PARVUS_FLUSH_AS : PARVUS_FLUSH_RANGE;
	parvus_flush(mm->context.ctx_id, gen, start, end, 1ul << stride_shift, flags);
}

void parvus_flush_kernel_range(unsigned long start, unsigned long end)
{
	if (end == TLB_FLUSH_ALL)
		parvus_flush(0, 0, 0, 0, 0, PARVUS_FLUSH_KERNEL_ALL);
	else
		parvus_flush(0, 0, start, end, PAGE_SIZE, PARVUS_FLUSH_KERNEL);
}

void parvus_flush_all(void)
{
	parvus_flush(0, 0, 0, 0, 0, PARVUS_FLUSH_ALL);
}

/*
 * Several address spaces lost rights, each raised its tlb_gen. Those that run somewhere are
 * brought up to date now, the others when they run again. Which those are the hypervisor knows:
 * what another CPU has in loaded_mm may be freed while we look at it. A CPU that is between two
 * may have read the generation already that it will switch with: then all is flushed, which a
 * switch finds by itself. One that is not sees ours, since it says SWITCHING before it reads.
 */
void parvus_flush_batch(struct cpumask *cpus)
{
	bool switching = false;
	unsigned int cpu;
	u64 *mask;

	preempt_disable();
	smp_mb();	/* tlb_gen, then who is switching */
	for_each_cpu(cpu, cpus)
		switching |= READ_ONCE(per_cpu(cpu_tlbstate.loaded_mm, cpu)) == LOADED_MM_SWITCHING;
	mask = this_cpu_ptr(&parvus_batch);
	*mask = cpumask_bits(cpus)[0];
	if (switching || parvus_call2(PARVUS_HC_mmu_flush_batch, per_cpu_ptr_to_phys(mask), 1))
		parvus_flush_all();
	preempt_enable();
	cpumask_clear(cpus);
}

static void parvus_flush_tlb_user(void)
{
	parvus_flush(0, 0, 0, TASK_SIZE_MAX, PAGE_SIZE, PARVUS_FLUSH_CURRENT);
}

static void parvus_flush_tlb_one_user(unsigned long addr)
{
	parvus_flush(0, 0, addr, addr + PAGE_SIZE, PAGE_SIZE,
		     (long)addr < 0 ? PARVUS_FLUSH_KERNEL : PARVUS_FLUSH_CURRENT);
}

/* Never reached: the hooks in tlb.c come first. If it is, all CPUs are done by the hypervisor. */
static void parvus_flush_tlb_multi(const struct cpumask *cpus, const struct flush_tlb_info *info)
{
	parvus_flush_all();
}

static void parvus_exit_mmap(struct mm_struct *mm)
{
	parvus_call1(PARVUS_HC_mmu_release, mm->context.ctx_id);
}

void __init parvus_init_mmu(void)
{
	this_cpu_write(parvus_cr3, __pa_symbol(init_top_pgt));
	pv_ops.mmu.read_cr2 = __PV_IS_CALLEE_SAVE(parvus_read_cr2);
	pv_ops.mmu.write_cr2 = parvus_write_cr2;
	pv_ops.mmu.read_cr3 = parvus_read_cr3;
	pv_ops.mmu.write_cr3 = parvus_write_cr3;
	pv_ops.mmu.flush_tlb_user = parvus_flush_tlb_user;
	pv_ops.mmu.flush_tlb_kernel = parvus_flush_all;
	pv_ops.mmu.flush_tlb_one_user = parvus_flush_tlb_one_user;
	pv_ops.mmu.flush_tlb_multi = parvus_flush_tlb_multi;
	/* No IPI stops a lockless walker any more: tables are freed by RCU. */
	pv_ops.mmu.tlb_remove_table = tlb_remove_table;
	pv_ops.mmu.exit_mmap = parvus_exit_mmap;
}
