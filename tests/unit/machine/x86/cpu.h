/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What view.c needs of x86/, for test_view.c: a pCPU whose CR3 is a number, and RAM that is
 * native.c's. A root that is loaded is in use by the model of TLBs, but hv_root.
 */
#ifndef UNIT_MACHINE_CPU_H
#define UNIT_MACHINE_CPU_H

#include <core/vcpu.h>

#define HV_BASE		0xffff800000000000ull
#define HV_P		1ull
#define HV_W		2ull
#define HV_PS		128ull
#define HV_NX		(1ull << 63)
#define PAGE_OF(p)	((void *)((u64)(p) & PAGE_MASK))

struct pcpu {
	unsigned int cpu;
	struct vcpu *current;
	bool full;
	u64 n_root_switches, cr3;
	struct mmu_root root;
	u64 *area_entry, *way_in;
};
extern struct pcpu *pcpus[MAX_CPUS];
extern unsigned int cpus_online;
extern struct cpu_features { bool user_bare; } cpu_features;
extern u64 hv_root;
extern char boot_end[], entry_end[], image_end[], secret_start[], secret_end[];

struct pcpu *this_pcpu(void);
void write_cr3(u64 root);
static inline u64 read_cr3(void) { return this_pcpu()->cr3; }
static inline u64 mode_root(const struct pcpu *p) { return 16 + p->cpu; }
static inline void invlpg(u64 va) { arch_tlb_flush_page(va); }
static inline void pcpu_add_work(struct pcpu *p, u32 bits) { cpu_work_add(arch_cpu(p->cpu), bits); }
static inline u64 cpu_area(unsigned int cpu) { return CPU_AREA_BASE + (u64)cpu * CPU_AREA_SIZE; }

static inline void *phys_to_virt(u64 pa)
{
	return (char *)frame_map(_mfn(pa >> PAGE_SHIFT)) + (pa & ~PAGE_MASK);
}
static inline u64 virt_to_phys(const void *p)
{
	return mfn_x(frame_of(p)) << PAGE_SHIFT | ((u64)p & ~PAGE_MASK);
}

u64 paging_data(void);
u64 paging_leaf(u64 va);
u64 *paging_entry(u64 va);
void paging_fill_roots(struct pcpu *p);
const volatile char *desc_idt(void);
const volatile void *apic_page(void);

/* view.c's own */
void view_start(bool isolate);
void view_load(struct pcpu *p, const struct domain *d);
bool view_fault(struct pcpu *p, u64 va);
void view_restore(struct pcpu *p);
void view_root_is(struct pcpu *p, u64 root);
void view_settle(struct pcpu *p);

#endif
