// SPDX-License-Identifier: GPL-2.0-only
/* Frames, roots, the hardware TLB, and kicks (core/arch.h). */
#include <x86/pv.h>
#include <core/log.h>

u64 arch_reserved_bits;
bool arch_1g_pages;

/*
 * The two roots of a CPU, for whatever vCPU runs there: the software TLB fills their lower and
 * guest slots, ours (256..271) stay.
 */
void mmu_init_cpu(struct pcpu *p)
{
	/* top-level tables have to lie anywhere: CR3 takes all address bits in long mode */
	p->root.kernel_table = hv_alloc(PAGE_SIZE);
	p->root.user_table = hv_alloc(PAGE_SIZE);
	BUG_ON(!p->root.kernel_table || !p->root.user_table);
	p->root.kernel = frame_of(p->root.kernel_table);
	p->root.user = frame_of(p->root.user_table);
	paging_fill_root(p->root.kernel_table);
	paging_fill_root(p->root.user_table);
	arch_1g_pages = cpu_features.gb_pages;
	arch_reserved_bits = 0x000fffffffffffffull & ~((1ull << cpu_features.phys_bits) - 1);
	if (!cpu_features.nx)
		arch_reserved_bits |= 1ull << 63;
}

/*
 * What is no RAM and not the hypervisor's: domain 0 drives the devices. The APICs stay ours,
 * for who can send interrupts can stop every CPU.
 */
bool arch_frame_open(u64 n)
{
	const struct frame_info *f = frame_info(_mfn(n));
	u64 base = rdmsr(MSR_APIC_BASE) & ~arch_reserved_bits & 0x000ffffffffff000ull;
	u64 lapic = base >> PAGE_SHIFT;
	unsigned int i;

	if (n >= 1ull << (cpu_features.phys_bits - PAGE_SHIFT) || (f && f->type != FRAME_NONE))
		return false;
	for (i = 0; i < firmware.ioapics; i++)
		if (n == firmware.ioapic[i] >> PAGE_SHIFT)
			return false;
	/* what is written to the MiB around a local APIC may be an interrupt message */
	return n >> 8 != lapic >> 8 && n >> 8 != firmware.lapic >> 20;
}

u32 arch_cpu_id(unsigned int cpu) { return pcpus[cpu]->apic_id; }
void arch_halt(void) { halt_once(); }
void arch_stop(void) { halt_forever(); }
void arch_tlb_flush_page(u64 va) { invlpg(va); }

/* A write of CR3 forgets all translations of a guest: none of them is global. */
static void root_write(u64 cr3)
{
	this_pcpu()->n_root_switches++;
	write_cr3(cr3);
}
void arch_roots_enter(void) { root_write(this_pcpu()->kernel_cr3); }
void arch_roots_leave(void) { root_write(hv_root); }
void arch_tlb_flush_all(void) { root_write(read_cr3()); }

void arch_fast_paths(bool may)
{
	unsigned int cpu;

	for (cpu = 0; cpu < cpus_online; cpu++) {
		WRITE_ONCE(pcpus[cpu]->fast, may && pcpus[cpu]->has_fsgsbase);
		pcpu_kick(cpu, WORK_VECTORS);	/* then it writes its exit_slow anew */
	}
}
