// SPDX-License-Identifier: GPL-2.0-only
/* The hardware side of the software TLB (core/arch_mmu.h). */
#include <boot/boot.h>
#include <x86/cpu.h>
#include <x86/percpu.h>
#include <x86/pv.h>
#include <core/frame.h>
#include <core/log.h>
#include <core/platform.h>

u64 arch_reserved_bits;
bool arch_1g_pages;

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

bool machine_frame_open(u64 n)
{
	const struct frame_info *f = frame_info(_mfn(n));
	u64 lapic = (rdmsr(MSR_APIC_BASE) & ~arch_reserved_bits & 0x000ffffffffff000ull) >> PAGE_SHIFT;
	unsigned int i;

	if (n >= 1ull << (cpu_features.phys_bits - PAGE_SHIFT) || (f && f->type != FRAME_NONE))
		return false;
	for (i = 0; i < ioapics; i++)
		if (n == ioapic_list[i] >> PAGE_SHIFT)
			return false;
	/* what is written to the MiB around a local APIC may be an interrupt message */
	return n >> 8 != lapic >> 8 && n >> 8 != lapic_phys >> 20;
}

mfn_t frame_of(const void *p) { return _mfn(virt_to_phys(p) >> PAGE_SHIFT); }

unsigned int arch_cpus(void) { return cpus_online; }
unsigned int arch_this_cpu(void) { return this_pcpu()->cpu; }
struct vcpu *arch_current(void) { return this_pcpu()->current; }
struct mmu_root *arch_mmu_root(unsigned int cpu) { return &pcpus[cpu]->root; }
void arch_tlb_flush_page(u64 va) { invlpg(va); }

static void root_write(u64 cr3)
{
	this_pcpu()->n_root_switches++;
	write_cr3(cr3);
}
void arch_roots_enter(void) { root_write(this_pcpu()->kernel_cr3); }
void arch_roots_leave(void) { root_write(hv_root); }
void arch_tlb_flush_all(void) { root_write(read_cr3()); }
bool arch_cpu_exposed(unsigned int cpu) { return READ_ONCE(pcpus[cpu]->exposed); }

void arch_request(unsigned int cpu) { pcpu_add_work(pcpus[cpu], WORK_SERVE); }

void arch_kick(u64 mask)
{
	unsigned int cpu;

	for_each_bit(cpu, mask)
		apic_send_kick(cpu);
}
