// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus guest: time. The hypervisor's time is a pvclock record per vCPU: sched_clock(), the
 * one-shot timer, and the clock source "parvus", which the vDSO reads without a trap. Where the
 * hypervisor says that the TSC may be the clock, Linux's own "tsc" comes before it, 28 instructions
 * shorter. It counts the same TSC at the same rate, rounded as on a bare machine (0.24 us a second
 * at most; more bits would wrap within a pause of seconds). The timer is armed by differences and
 * does not notice. Such a domain is not saved; the record of any other is written anew whenever it
 * stood still, on whatever machine it goes on.
 */
#include <linux/init.h>
#include <linux/clockchips.h>
#include <linux/clocksource.h>
#include <linux/cpuhotplug.h>
#include <linux/interrupt.h>
#include <linux/memblock.h>
#include <linux/pvclock_gtod.h>
#include <linux/sched/clock.h>
#include <linux/timekeeper_internal.h>
#include <asm/fixmap.h>
#include <asm/idtentry.h>
#include <asm/irq_regs.h>
#include <asm/hardirq.h>
#include <asm/apic.h>
#include <asm/desc.h>
#include <asm/pvclock.h>
#include <asm/tsc.h>
#include <asm/vgtod.h>
#include <asm/x86_init.h>
#include "parvus_arch.h"
#include <parvus/control.h>

/* The first page holds the record that the vDSO maps. */
static struct pvclock_vsyscall_time_info parvus_clock[NR_CPUS] __bss_decrypted
	__aligned(PAGE_SIZE);
static u64 parvus_sched_clock_offset __ro_after_init;

static bool parvus_stable __ro_after_init;	/* a record holds on every CPU: the first is read */

static inline struct pvclock_vcpu_time_info *parvus_this_clock(void)
{
	return &parvus_clock[raw_smp_processor_id()].pvti;
}

static noinstr u64 parvus_clock_read(void)
{
	const struct pvclock_vcpu_time_info *first = &parvus_clock[0].pvti;
	unsigned int version;
	u64 ns;

	while (likely(parvus_stable)) {
		version = pvclock_read_begin(first);
		ns = __pvclock_read_cycles(first, rdtsc_ordered());
		if (likely(!pvclock_read_retry(first, version)))
			return ns;
	}
	preempt_disable_notrace();
	ns = pvclock_clocksource_read(parvus_this_clock());
	preempt_enable_notrace();
	return ns;
}

static u64 parvus_clocksource_read(struct clocksource *cs) { return parvus_clock_read(); }
static u64 parvus_sched_clock(void) { return parvus_clock_read() - parvus_sched_clock_offset; }

static int parvus_clocksource_enable(struct clocksource *cs)
{
	vclocks_set_used(VDSO_CLOCKMODE_PVCLOCK);
	return 0;
}

/* What the vCPU wanted to run and did not, of "st" in top; the hypervisor counts it. */
static u64 parvus_steal_clock(int cpu) { return READ_ONCE(per_cpu(parvus_area, cpu).steal_ns); }

static struct clocksource parvus_clocksource = {
	.name = "parvus",
	.read = parvus_clocksource_read,
	.rating = 400,
	.mask = CLOCKSOURCE_MASK(64),
	.flags = CLOCK_SOURCE_IS_CONTINUOUS,
	.enable = parvus_clocksource_enable,
};

void parvus_init_clock_cpu(void)
{
	unsigned int cpu = smp_processor_id();

	parvus_call2(PARVUS_HC_clock_register, cpu, __pa_symbol(&parvus_clock[cpu].pvti));
}

static unsigned long parvus_tsc_khz(void)
{
	setup_force_cpu_cap(X86_FEATURE_TSC_KNOWN_FREQ);
	return parvus_start->tsc_khz;
}

static void parvus_get_wallclock(struct timespec64 *now)
{
	s64 base = parvus_call0(PARVUS_HC_wall_read);

	if (base < 0)	/* a hypervisor that does not know it */
		base = parvus_start->wall_sec * NSEC_PER_SEC + parvus_start->wall_nsec;
	*now = ns_to_timespec64(base + parvus_clock_read());
}

/*
 * Domain 0's time of day is that of all domains: when it is set, and every 11 minutes, as NTP
 * moves it slowly (Linux writes a clock of the machine as often, kernel/time/ntp.c). The
 * timekeeper's lock is held, so its own ways to read the clock are closed.
 */
static int parvus_clock_told(struct notifier_block *nb, unsigned long was_set, void *data)
{
	static struct parvus_control_clock c __aligned(32) = { .size = sizeof(c), .version = 1 };
	const struct timekeeper *tk = data;
	const struct tk_read_base *r = &tk->tkr_mono;
	static u64 next;
	u64 now = parvus_clock_read();
	s64 ns;

	if (!was_set && now < next)
		return NOTIFY_OK;
	next = now + 11 * 60 * NSEC_PER_SEC;
	ns = (((r->clock->read(r->clock) - r->cycle_last) & r->mask) * r->mult + r->xtime_nsec) >>
	     r->shift;
	ns += tk->xtime_sec * NSEC_PER_SEC - now;
	if (ns < 0)
		return NOTIFY_OK;
	c.wall_sec = div_u64_rem(ns, NSEC_PER_SEC, &c.wall_nsec);
	parvus_call2(PARVUS_HC_control_op, PARVUS_CONTROL_CLOCK, __pa_symbol(&c));
	return NOTIFY_OK;
}

static struct notifier_block parvus_clock_block = { .notifier_call = parvus_clock_told };

static int parvus_set_wallclock(const struct timespec64 *now) { return -ENODEV; }

/* clock events */

static DEFINE_PER_CPU(struct clock_event_device, parvus_timer);

static int parvus_timer_shutdown(struct clock_event_device *evt)
{
	parvus_call1(PARVUS_HC_timer_set, 0);
	return 0;
}

static int parvus_timer_next(unsigned long delta, struct clock_event_device *evt)
{
	return parvus_call1(PARVUS_HC_timer_set, parvus_clock_read() + delta) ? -ETIME : 0;
}

DEFINE_IDTENTRY_SYSVEC(sysvec_parvus_timer)
{
	struct clock_event_device *evt = this_cpu_ptr(&parvus_timer);
	struct pt_regs *old = set_irq_regs(regs);

	inc_irq_stat(apic_timer_irqs);
	if (evt->event_handler)
		evt->event_handler(evt);
	set_irq_regs(old);
}

void parvus_start_timer_cpu(void)
{
	struct clock_event_device *evt = this_cpu_ptr(&parvus_timer);

	evt->name = "parvus";
	evt->features = CLOCK_EVT_FEAT_ONESHOT;
	evt->max_delta_ns = 0xffffffff;
	evt->max_delta_ticks = 0xffffffff;
	evt->min_delta_ns = 5000;
	evt->min_delta_ticks = 5000;
	evt->mult = 1;
	evt->shift = 0;
	evt->rating = 500;
	evt->set_state_shutdown = parvus_timer_shutdown;
	evt->set_state_oneshot_stopped = parvus_timer_shutdown;
	evt->set_next_event = parvus_timer_next;
	evt->cpumask = cpumask_of(smp_processor_id());
	clockevents_register_device(evt);
}

static int parvus_timer_dying(unsigned int cpu) { return parvus_timer_shutdown(NULL); }

static int __init parvus_clock_late(void)
{
	if (!parvus_start)
		return 0;
	if (parvus_stable)
		parvus_clocksource.vdso_clock_mode = VDSO_CLOCKMODE_PVCLOCK;
	if (parvus_start->features[0] & PARVUS_FEATURE_TSC_CLOCK)
		parvus_clocksource.rating = 299;	/* below "tsc" */
	if (parvus_control_domain())
		pvclock_gtod_register_notifier(&parvus_clock_block);
	static_key_slow_inc(&paravirt_steal_enabled);
	static_key_slow_inc(&paravirt_steal_rq_enabled);
	cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "x86/parvus:timer", NULL,
				  parvus_timer_dying);
	return clocksource_register_hz(&parvus_clocksource, NSEC_PER_SEC);
}
early_initcall(parvus_clock_late);

/*
 * Static calls can be patched from setup_arch() on. What the CPU says of its TSC does not count if
 * the hypervisor saw them out of step, or the domain may be saved: no watchdog has to find it out.
 */
void __init parvus_init_sched_clock(void)
{
	paravirt_set_sched_clock(parvus_sched_clock);
	static_call_update(pv_steal_clock, parvus_steal_clock);
	if (!(parvus_start->features[0] & PARVUS_FEATURE_TSC_CLOCK))
		mark_tsc_unstable("the hypervisor: it may jump");
}

void __init parvus_init_time(void)
{
	parvus_call2(PARVUS_HC_clock_register, 0, __pa_symbol(&parvus_clock[0].pvti));
	pvclock_set_pvti_cpu0_va(parvus_clock);
	pvclock_set_flags(PVCLOCK_TSC_STABLE_BIT);
	parvus_stable = parvus_start->features[0] & PARVUS_FEATURE_CLOCK_STABLE;
	parvus_sched_clock_offset = parvus_clock_read();

	x86_init.timers.timer_init = parvus_start_timer_cpu;
	x86_init.timers.setup_percpu_clockev = x86_init_noop;
	x86_init.timers.wallclock_init = x86_init_noop;
	x86_cpuinit.setup_percpu_clockev = x86_init_noop;
	x86_platform.calibrate_tsc = parvus_tsc_khz;
	x86_platform.calibrate_cpu = parvus_tsc_khz;
	x86_platform.get_wallclock = parvus_get_wallclock;
	x86_platform.set_wallclock = parvus_set_wallclock;
}
