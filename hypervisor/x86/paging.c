// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor's own page tables, which boot/paging.c builds, and the roots of guests.
 *
 * All RAM is at HV_BASE + physical address, supervisor and never executable, the image with
 * the rights of its sections; device memory is mapped uncached at the same offset. The roots
 * of guests have only what view.c shows of it, but with isolation=off, where they have a copy of
 * the 16 entries that lead here.
 */
#include <x86/pv.h>
#include <core/log.h>

#define ADDR	0x000ffffffffff000ull

u64 hv_root;

u64 paging_data(void)
{
	return HV_P | HV_W | (cpu_features.nx ? HV_NX : 0);
}

/* The table that an entry points to; an empty entry gets a new one. */
static u64 *next_table(u64 *entry, void *(*page)(void))
{
	void *table;

	if (!(*entry & HV_P)) {
		table = page();
		BUG_ON(!table);
		*entry = virt_to_phys(table) | HV_P | HV_W;
	}
	BUG_ON(*entry & HV_PS);
	return phys_to_virt(*entry & ADDR);
}

void paging_map(u64 pa, u64 end, u64 flags, u64 step, void *(*page)(void))
{
	u64 va, *l3, *l2, *l1, *root = phys_to_virt(hv_root);

	for (; pa < end; pa += step) {
		va = pa + HV_BASE;
		l3 = next_table(&root[va >> 39 & 511], page);
		if (step == GIB(1)) {
			l3[va >> 30 & 511] = pa | flags | HV_PS;
			continue;
		}
		l2 = next_table(&l3[va >> 30 & 511], page);
		if (step == MIB(2)) {
			l2[va >> 21 & 511] = pa | flags | HV_PS;
			continue;
		}
		l1 = next_table(&l2[va >> 21 & 511], page);
		l1[va >> 12 & 511] = pa | flags;
	}
}

static void *table_page(void) { return hv_alloc(PAGE_SIZE); }

/*
 * A device may lie below the top of RAM, in the hole under 4 GiB. There boot/paging.c mapped
 * whole GiB as RAM where the CPU can. The table that takes such an entry's place is complete
 * before it is seen: these tables may lie in that GiB, and so may this stack.
 */
static void split_gb(u64 *entry)
{
	u64 *l2 = table_page(), i;

	BUG_ON(!l2);
	for (i = 0; i < 512; i++)
		l2[i] = *entry + i * MIB(2);
	WRITE_ONCE(*entry, virt_to_phys(l2) | HV_P | HV_W);
}

void *mmio_map(u64 pa, u64 bytes)
{
	u64 start = ROUND_DOWN(pa, MIB(2)), end = ROUND_UP(pa + bytes, MIB(2));
	u64 *l3 = next_table((u64 *)phys_to_virt(hv_root) + 256, table_page), gb;

	for (gb = start >> 30; gb <= (end - 1) >> 30; gb++)
		if (l3[gb] & HV_PS)
			split_gb(&l3[gb]);
	paging_map(start, end, paging_data() | HV_PCD | HV_PWT, MIB(2), table_page);
	write_cr3(read_cr3());
	return phys_to_virt(pa);
}

u64 *paging_entry(u64 va)
{
	u64 *root = phys_to_virt(hv_root), *l3, *l2, *l1;

	l3 = next_table(&root[va >> 39 & 511], table_page);
	l2 = next_table(&l3[va >> 30 & 511], table_page);
	l1 = next_table(&l2[va >> 21 & 511], table_page);
	return &l1[va >> 12 & 511];
}

u64 paging_leaf(u64 va)
{
	u64 *t = phys_to_virt(hv_root), e;
	unsigned int shift = 39;

	while ((e = t[va >> shift & 511]) & HV_P && shift > 12 && !(e & HV_PS && shift < 39)) {
		t = phys_to_virt(e & ADDR);
		shift -= 9;
	}
	BUG_ON(!(e & HV_P));
	return (va - HV_BASE) | (e & (HV_P | HV_W | HV_PWT | HV_PCD | HV_NX));
}

void paging_fill_roots(struct pcpu *p)
{
	const u64 *from = (u64 *)phys_to_virt(hv_root) + 256;

	for (unsigned int i = 0; i < ROOT_PAIRS; i++) {
		memcpy(&p->root[i].kernel_table[256], from, 16 * sizeof(u64));
		memcpy(&p->root[i].user_table[256], from, 16 * sizeof(u64));
	}
}

/* ---- what core/arch.h asks of frames, roots and the hardware TLB ---- */

u64 arch_reserved_bits;
bool arch_1g_pages;

/*
 * The pairs of roots of a CPU, whatever runs there: the software TLB fills their lower and guest
 * slots, view.c ours (256..271).
 */
void mmu_init_cpu(struct pcpu *p)
{
	u64 at = cpu_area(p->cpu) + CPU_AREA_ROOTS, pcid = cpu_features.cr3_keep, i;

	p->area_entry = paging_entry(cpu_area(p->cpu) + CPU_AREA_VCPU);
	*p->area_entry = paging_data() & HV_NX;
	for (i = 0; i < ROOT_PAIRS; i++, at += 2 * PAGE_SIZE) {
		p->root[i].kernel_table = (u64 *)at;
		p->root[i].user_table = (u64 *)(at + PAGE_SIZE);
		p->pairs[i].kernel_cr3 = (*paging_entry(at) & ADDR) | (pcid ? 2 * i + 2 : 0);
		p->pairs[i].user_cr3 = (*paging_entry(at + PAGE_SIZE) & ADDR) |
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
	u64 base = rdmsr(MSR_APIC_BASE) & ~arch_reserved_bits & 0x000ffffffffff000ull;
	u64 lapic = base >> PAGE_SHIFT;

	if (n >= 1ull << (cpu_features.phys_bits - PAGE_SHIFT) || (f && f->type != FRAME_NONE))
		return false;
	for (unsigned int i = 0; i < firmware.ioapics; i++)
		if (n == firmware.ioapic[i].at >> PAGE_SHIFT)
			return false;
	/* what is written to the MiB around a local APIC may be an interrupt message */
	return n >> 8 != lapic >> 8 && n >> 8 != firmware.lapic >> 20;
}

u32 arch_cpu_id(unsigned int cpu) { return pcpus[cpu]->apic_id; }
void arch_halt(void) { halt_once(); }
void arch_stop(void) { halt_forever(); }

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

	paging_map(start, end, paging_data(), PAGE_SIZE, table_page);
	write_cr3(hv_root);
	memset(image_start, 0xcc, end - start);
	frames_add(_mfn(start >> PAGE_SHIFT), (end - start) >> PAGE_SHIFT);
	log_info("boot: %lu KiB given back", (end - start) >> 10);
	smp_store_release(&smp_go, true);
	idle_forever();
}
