/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What view.c needs of x86/, for test_view.c: native.c's pCPU, with its CR3 and RAM. The rest of
 * x86/'s headers is the real ones.
 */
#ifndef UNIT_MACHINE_PV_H
#define UNIT_MACHINE_PV_H

#define pcpu		native_cpu
#define phys_to_virt	machine_virt
#define virt_to_phys	machine_phys
#define paging_fill_roots machine_fill_roots

extern struct pcpu *pcpus[MAX_CPUS];
extern unsigned int cpus_online;

static inline struct pcpu *this_pcpu(void) { return &native_cpus[native_this_cpu]; }
static inline u64 *mode_root(struct pcpu *p) { return &p->kernel_cr3; }
static inline void pcpu_add_work(struct pcpu *p, u32 bits) { cpu_work_add(arch_cpu(p->cpu), bits); }
static inline u64 cpu_area(unsigned int cpu) { return CPU_AREA_BASE + (u64)cpu * CPU_AREA_SIZE; }

static inline void *machine_virt(u64 pa)
{
	return (char *)frame_map(_mfn(pa >> PAGE_SHIFT)) + (pa & ~PAGE_MASK);
}
static inline u64 machine_phys(const void *p)
{
	return mfn_x(frame_of(p)) << PAGE_SHIFT | ((u64)p & ~PAGE_MASK);
}

void machine_fill_roots(struct pcpu *p);
const volatile char *desc_idt(void);
const volatile void *apic_page(void);

/* view.c's own */
void view_start(bool isolate);
bool view_fault(struct pcpu *p, u64 va);
void view_root_is(struct pcpu *p, u64 *root);
void view_settle(struct pcpu *p);

#endif
