// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local APIC (x2APIC or memory-mapped), its one-shot timer (TSC deadline where the CPU has it), and
 * IPIs. Intel SDM vol. 3, 11.
 */
#include <x86/paging.h>
#include <x86/desc.h>
#include <core/vcpu.h>

enum {	/* offsets of registers, and bits of the timer's */
	APIC_ID = 0x20, APIC_TPR = 0x80, APIC_EOI = 0xb0, APIC_SVR = 0xf0,
	APIC_ICR = 0x300, APIC_ICR2 = 0x310,
	APIC_LVT_TIMER = 0x320, APIC_LVT_PERF = 0x340, APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360, APIC_LVT_ERROR = 0x370,
	APIC_INITIAL = 0x380, APIC_CURRENT = 0x390, APIC_DIVIDE = 0x3e0,
	LVT_MASKED = 0x10000, LVT_DEADLINE = 0x40000,
};

struct firmware firmware = { .lapic = 0xfee00000 };

/* Set at boot. */
static struct {
	volatile u32 *local;	/* NULL: x2APIC */
	u64 tsc_per_tick;	/* TSC ticks per APIC timer tick, 32.32 */
} apic;

/* @reg: the offset in the page; an MSR of x2APIC has 16 of these. */
static u32 apic_read(u32 reg)
{
	return apic.local ? apic.local[reg / 4] : (u32)rdmsr(0x800 + (reg >> 4));
}

static void apic_write(u32 reg, u32 v)
{
	if (apic.local)
		apic.local[reg / 4] = v;
	else
		wrmsr(0x800 + (reg >> 4), v);
}

static void timer_mode_set(void)
{
	apic_write(APIC_LVT_TIMER,
		   HV_VECTOR_TIMER | (cpu_features.tsc_deadline ? LVT_DEADLINE : 0));
	/* the memory-mapped write comes before the first deadline (SDM vol. 3, 11.5.4.1) */
	__asm__ volatile("mfence" : : : "memory");
}

/* Of this CPU; before apic_init_cpu() CPUID knows it, where there is no x2APIC. */
u32 apic_id(void)
{
	u32 a, b, c, d;

	if (!apic.local && !cpu_features.x2apic) {
		cpuid_count(1, 0, &a, &b, &c, &d);
		return b >> 24;
	}
	return apic.local ? apic_read(APIC_ID) >> 24 : apic_read(APIC_ID);
}

const volatile void *apic_page(void) { return apic.local; }
void apic_eoi(void) { apic_write(APIC_EOI, 0); }

/* On each CPU. Without x2APIC the first one maps the page; they come one at a time. */
void apic_init_cpu(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	/* in two steps: from disabled straight to x2APIC is a #GP (SDM vol. 3, 11.12.5) */
	wrmsr(MSR_APIC_BASE, base | 1u << 11);
	if (cpu_features.x2apic)
		wrmsr(MSR_APIC_BASE, base | 3u << 10);
	else if (!apic.local)
		apic.local = mmio_map(firmware.lapic, PAGE_SIZE);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_SVR, 0x100 | HV_VECTOR_SPURIOUS);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, 0x400);	/* NMI */
	apic_write(APIC_LVT_PERF, LVT_MASKED);
	apic_write(APIC_LVT_ERROR, LVT_MASKED);
	apic_write(APIC_DIVIDE, 0xb);		/* by 1 */
	timer_mode_set();
	apic_write(APIC_INITIAL, 0);
}

/* @low: the lower half of the command register: vector, delivery mode, assert. */
void apic_send(u32 dest, u32 low)
{
	if (!apic.local) {
		/* this WRMSR may overtake earlier stores (SDM vol. 3, 11.12.3) */
		__asm__ volatile("mfence; lfence" : : : "memory");
		wrmsr(0x830, (u64)dest << 32 | low);
		return;
	}
	while (apic_read(APIC_ICR) & 1u << 12)
		__builtin_ia32_pause();
	apic_write(APIC_ICR2, dest << 24);
	apic_write(APIC_ICR, low);
}

/* By one write, for it may come between the two of apic_send(). */
void apic_kick_self(void) { apic_write(APIC_ICR, 0x40000 | HV_VECTOR_KICK); }

/* The caller has set what the other CPU shall see, before a full barrier. */
void arch_kick_cpu(unsigned int cpu)
{
	struct vcpu *v = this_pcpu()->current;

	if (v)
		v->stats.ipis++;
	apic_send(pcpus[cpu]->apic_id, 0x4000 | HV_VECTOR_KICK);
}

/* Ticks of the APIC timer and of the TSC in the same window, by time.c. */
void apic_timer_start_count(void)
{
	apic_write(APIC_LVT_TIMER, LVT_MASKED | HV_VECTOR_TIMER);
	apic_write(APIC_INITIAL, 0xffffffff);
}

u32 apic_timer_stop_count(void)
{
	u32 ticks = 0xffffffff - apic_read(APIC_CURRENT);

	apic_write(APIC_INITIAL, 0);
	timer_mode_set();
	return ticks;
}

void apic_timer_set_rate(u64 tsc, u32 ticks)
{
	apic.tsc_per_tick = ticks ? mul_div(tsc, 1ull << 32, ticks) : 1ull << 32;
}

u64 apic_timer_probe;	/* set at boot */

/* The interrupt of what p->timer_deadline says. */
void apic_timer_fired(struct pcpu *p)
{
	u64 now = rdtsc();

	if (p->timer_deadline - 1 < now)	/* neither 0 nor to come: set since it left */
		p->timer_late = max(p->timer_late, now - p->timer_deadline);
	p->timer_deadline = 0;
	if (unlikely(apic_timer_probe))
		apic_timer_arm(0);
}

u64 arch_timer_late(void)
{
	u64 late = 0;

	for (unsigned int i = 0; i < cpus_online; i++)
		late = max(late, READ_ONCE(pcpus[i]->timer_late));
	return late;
}

/* One shot at a TSC value; one that is past fires at once. What is armed already costs nothing. */
void apic_timer_arm(u64 deadline)
{
	struct pcpu *p = this_pcpu();
	u64 now, ticks = 0;

	if (p->timer_deadline == deadline && !apic_timer_probe)
		return;
	now = rdtsc();
	if (unlikely(apic_timer_probe))
		deadline = min(deadline - 1, now + apic_timer_probe - 1) + 1;	/* 0 = none */
	p->timer_deadline = deadline ? max(deadline, now) : 0;
	if (cpu_features.tsc_deadline) {
		wrmsr(MSR_TSC_DEADLINE, deadline);
		return;
	}
	if (deadline) {		/* a far one: fire early, look again, arm again */
		ticks = deadline > now ? min(deadline - now, 0xfffffffull) : 0;
		ticks = min(mul_div(ticks, 1ull << 32, apic.tsc_per_tick) + 1, 0xffffffffull);
	}
	apic_write(APIC_INITIAL, (u32)ticks);
}
