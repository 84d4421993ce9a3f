// SPDX-License-Identifier: GPL-2.0-only
/* Starting the other CPUs: INIT, start-up IPI, one at a time; by boot.S to secondary_main(). */
#include <x86/pv.h>
#include <core/sched.h>

struct pcpu *pcpus[MAX_CPUS];
unsigned int cpus_online;
bool smp_go;
struct pcpu *secondary_pcpu;	/* boot.S: whose CPU starts */

/* One of the CPU's own pages, zeroed. A CPU that did not start leaves its pages to the next. */
static void area_map(u64 at)
{
	static u64 mapped;	/* end of what is */

	if (at < mapped) {
		memset((void *)at, 0, PAGE_SIZE);
		return;
	}
	*paging_entry(at) = virt_to_phys(paging_page()) | paging_data();
	mapped = at + PAGE_SIZE;
}

/* By the boot CPU, for itself and for each that will start. What is given is never freed. */
struct pcpu *pcpu_new(unsigned int cpu, u32 id)
{
	u64 area = cpu_area(cpu), at;
	struct pcpu *p = (struct pcpu *)(area + CPU_AREA_PCPU);

	for (at = CPU_AREA_STACK; at < CPU_AREA_STACK_TOP; at += PAGE_SIZE)
		area_map(area + at);
	for (unsigned int i = 1; i <= IST_STACKS; i++)
		area_map(area + CPU_AREA_IST(i));
	for (at = CPU_AREA_DESC; at < CPU_AREA_VCPU; at += PAGE_SIZE)
		area_map(area + at);
	p->self = p;
	p->cpu = cpu;
	p->apic_id = id;
	p->stack_top = area + CPU_AREA_STACK_TOP;
	p->frame = p->stack_top - sizeof(struct regs);
	p->has_fsgsbase = p->fast = cpu_features.fsgsbase;
	p->kernel_mode = 1;
	mmu_init_cpu(p);
	pcpus[cpu] = p;
	BUG_ON(timer_init_cpu(cpu));
	return p;
}

static void delay_us(u64 us)
{
	u64 end = rdtsc() + us * found_clock.tsc_khz / 1000;

	while (rdtsc() < end)
		cpu_relax();
}

/* INIT, 10 ms, start-up IPI, and a second one if it is slow (SDM vol. 3, 9.4.4). */
static void start_one(u64 pa, struct pcpu *p)
{
	unsigned int wait, tries;

	secondary_pcpu = p;
	smp_mb();
	apic_send(p->apic_id, 0x4500);		/* INIT */
	delay_us(10000);
	for (tries = 0; tries < 2 && !READ_ONCE(p->online); tries++) {
		apic_send(p->apic_id, 0x4600 | (u32)(pa >> 12));
		for (wait = 0; wait < (tries ? 5000 : 20) && !READ_ONCE(p->online); wait++)
			delay_us(100);
	}
}

#define TSC_ROUNDS	32u

/* Is its TSC in step, between two of ours each round? For clocks without traps (rule 45). */
static bool tsc_in_step(struct pcpu *p)
{
	bool ok = true;

	for (u32 i = 1; i <= TSC_ROUNDS; i++) {
		u64 before = rdtsc(), after;

		smp_store_release(&p->tsc_ask, i);
		while (smp_load_acquire(&p->tsc_answer) != i)
			cpu_relax();
		after = rdtsc();
		ok &= p->tsc_sample >= before && p->tsc_sample <= after;
	}
	return ok;
}

/* The other side of tsc_in_step(), on the CPU that is asked. */
static void tsc_answer(struct pcpu *p)
{
	for (u32 i = 1; i <= TSC_ROUNDS; i++) {
		while (smp_load_acquire(&p->tsc_ask) != i)
			cpu_relax();
		p->tsc_sample = rdtsc();
		smp_store_release(&p->tsc_answer, i);
	}
}

/* From boot.S. It is online only when its registers are set: the boot CPU counts on it then. */
void secondary_main(struct pcpu *p);
void secondary_main(struct pcpu *p)
{
	wrmsr(MSR_GS_BASE, (u64)p);	/* whoever takes a lock asks which CPU this is */
	microcode_load();
	cpu_init();
	desc_init_cpu(p);
	apic_init_cpu();
	smp_store_release(&p->online, true);
	tsc_answer(p);
	while (!smp_load_acquire(&smp_go))	/* hundreds that spin would hold up the boot CPU */
		arch_halt();
	write_cr3(hv_root);	/* boot's translations go: its frames may be anybody's now */
	idle_forever();
}

/* @pa: the page with the way from real mode, 0 = there is none, and we stay alone. */
void smp_init(u64 pa)
{
	u32 me = apic_id();

	pcpus[0]->apic_id = me;
	pcpus[0]->online = true;
	for (unsigned int i = 0; i < firmware.cpus && pa; i++) {
		u32 id = firmware.cpu_apic_id[i];
		struct pcpu *p;

		if (id == me || id & cpu_features.threads_off)
			continue;
		p = pcpu_new(cpus_online, id);
		start_one(pa, p);
		if (!READ_ONCE(p->online)) {
			log_warn("smp: CPU with APIC id %u does not start", id);
			apic_send(id, 0x4500);	/* and must not later, when boot/ is gone */
			pcpus[cpus_online] = NULL;
			continue;
		}
		sched_init_cpu(cpus_online++);
		if (!tsc_in_step(p)) {
			if (found_clock.stable)
				log_info("smp: the TSC of CPU %u is not in step", p->cpu);
			found_clock.stable = false;
		}
	}
	log_info("smp: %u CPUs", cpus_online);
}
