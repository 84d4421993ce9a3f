// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor's own page tables, which boot/paging.c builds, and the roots of guests.
 *
 * All RAM is at HV_BASE + physical address, supervisor and never executable, the image with the
 * rights of its sections; device memory is mapped uncached at the same offset. The roots of guests
 * have what view.c shows of it, or, with isolation=off, a copy of the 16 entries that lead here.
 */
#include <x86/pv.h>

u64 hv_root;

u64 paging_data(void) { return HV_P | HV_W | (cpu_features.nx ? HV_NX : 0); }

void *paging_page(void)
{
	void *page = hv_alloc(PAGE_SIZE);

	BUG_ON(!page);
	return page;
}

/* The table that an entry points to; an empty entry gets a new one. */
static u64 *next_table(u64 *entry, void *(*page)(void))
{
	if (!(*entry & HV_P))
		*entry = virt_to_phys(page()) | HV_P | HV_W;
	BUG_ON(*entry & HV_PS);
	return phys_to_virt(*entry & HV_ADDR);
}

u64 *paging_entry_of(u64 va, u64 size, void *(*page)(void))
{
	u64 *t = phys_to_virt(hv_root);
	unsigned int shift;

	for (shift = 39; 1ull << shift > size; shift -= 9)
		t = next_table(&t[va >> shift & 511], page);
	return &t[va >> shift & 511];
}

u64 *paging_entry(u64 va) { return paging_entry_of(va, PAGE_SIZE, paging_page); }

void paging_map(u64 pa, u64 end, u64 flags, u64 step, void *(*page)(void))
{
	for (; pa < end; pa += step)
		*paging_entry_of(pa + HV_BASE, step, page) =
			pa | flags | (step > PAGE_SIZE ? HV_PS : 0);
}

/*
 * A device may lie below the top of RAM, in the hole under 4 GiB. There boot/paging.c mapped
 * whole GiB as RAM where the CPU can. The table that takes such an entry's place is complete
 * before it is seen: these tables may lie in that GiB, and so may this stack.
 */
static void split_gb(u64 *entry)
{
	u64 *l2 = paging_page(), i;

	for (i = 0; i < 512; i++)
		l2[i] = *entry + i * MIB(2);
	WRITE_ONCE(*entry, virt_to_phys(l2) | HV_P | HV_W);
}

void *mmio_map(u64 pa, u64 bytes)
{
	u64 start = ROUND_DOWN(pa, MIB(2)), end = ROUND_UP(pa + bytes, MIB(2));
	u64 gb, *l3;

	for (gb = ROUND_DOWN(start, GIB(1)); gb < end; gb += GIB(1)) {
		l3 = paging_entry_of(gb + HV_BASE, GIB(1), paging_page);
		if (*l3 & HV_PS)
			split_gb(l3);
	}
	paging_map(start, end, paging_data() | HV_PCD | HV_PWT, MIB(2), paging_page);
	write_cr3(read_cr3());
	return phys_to_virt(pa);
}

u64 paging_leaf(u64 va)
{
	u64 *t = phys_to_virt(hv_root), e;
	unsigned int shift = 39;

	while ((e = t[va >> shift & 511]) & HV_P && shift > 12 && !(e & HV_PS && shift < 39)) {
		t = phys_to_virt(e & HV_ADDR);
		shift -= 9;
	}
	BUG_ON(!(e & HV_P));
	return (va - HV_BASE) | (e & (HV_P | HV_W | HV_PWT | HV_PCD | HV_NX));
}

/* ---- what core/arch.h asks of frames, roots and the hardware TLB ---- */

u64 arch_reserved_bits;
bool arch_1g_pages;

/* The pairs of roots of a CPU: the software TLB fills the guest's slots, view.c ours (256..271). */
void mmu_init_cpu(struct pcpu *p)
{
	u64 at = cpu_area(p->cpu) + CPU_AREA_ROOTS, pcid = cpu_features.cr3_keep, i;

	p->area_entry = paging_entry(cpu_area(p->cpu) + CPU_AREA_VCPU);
	*p->area_entry = paging_data() & HV_NX;
	for (i = 0; i < ROOT_PAIRS; i++, at += 2 * PAGE_SIZE) {
		p->root[i].kernel_table = (u64 *)at;
		p->root[i].user_table = (u64 *)(at + PAGE_SIZE);
		p->pairs[i].kernel_cr3 = (*paging_entry(at) & HV_ADDR) | (pcid ? 2 * i + 2 : 0);
		p->pairs[i].user_cr3 = (*paging_entry(at + PAGE_SIZE) & HV_ADDR) |
				       (pcid ? 2 * i + 3 : 0);
	}
	p->full = true;
	p->kernel_cr3 = p->user_cr3 = hv_root;
	arch_1g_pages = cpu_features.gb_pages;
	arch_reserved_bits = 0x000fffffffffffffull & ~((1ull << cpu_features.phys_bits) - 1);
	if (!cpu_features.nx)
		arch_reserved_bits |= 1ull << 63;
}

/* What is no RAM and not ours is for devices; whoever has an APIC could stop every CPU. */
bool arch_frame_open(u64 n)
{
	const struct frame_info *f = frame_info(_mfn(n));
	u64 lapic = (rdmsr(MSR_APIC_BASE) & ~arch_reserved_bits & HV_ADDR) >> PAGE_SHIFT;

	if (n >= 1ull << (cpu_features.phys_bits - PAGE_SHIFT) || (f && f->type != FRAME_NONE))
		return false;
	for (unsigned int i = 0; i < firmware.ioapics; i++)
		if (n == firmware.ioapic[i].at >> PAGE_SHIFT)
			return false;
	/* what is written to the MiB around a local APIC may be an interrupt message */
	return n >> 8 != lapic >> 8 && n >> 8 != firmware.lapic >> 20;
}

u32 arch_cpu_id(unsigned int cpu) { return pcpus[cpu]->apic_id; }
void arch_halt(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }
void arch_stop(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void arch_fast_paths(bool may)
{
	for (unsigned int cpu = 0; cpu < cpus_online; cpu++) {
		WRITE_ONCE(pcpus[cpu]->fast, may && pcpus[cpu]->has_fsgsbase);
		pcpu_kick(cpu, WORK_VECTORS);	/* then it writes its exit_slow anew */
	}
}

/* ---- the end of boot ---- */

/*
 * Called by boot_main() on this CPU's own stack, for boot's stack is in what goes. No other
 * room refers to boot/ (hypervisor.lds), and no domain has run yet. A stray call must not find
 * old code: the pages lose their execute right, and hold INT3 until they are allocated. The
 * other CPUs wait for smp_go and flush then (secondary_main), before they touch a frame.
 */
void boot_discard(void)
{
	u64 start = virt_to_phys(image_start), end = virt_to_phys(boot_end);

	paging_map(start, end, paging_data(), PAGE_SIZE, paging_page);
	write_cr3(hv_root);
	memset(image_start, 0xcc, end - start);
	frames_add(_mfn(start >> PAGE_SHIFT), (end - start) >> PAGE_SHIFT);
	log_info("boot: %lu KiB given back", (end - start) >> 10);
	smp_store_release(&smp_go, true);
	for (unsigned int i = 1; i < cpus_online; i++)
		arch_kick_cpu(i);
	idle_forever();
}
