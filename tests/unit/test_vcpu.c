// SPDX-License-Identifier: GPL-2.0-only
/*
 * core/vcpu.c and core/pcpu.c: whom a raised vector or a wake-up interrupts, in each state of
 * a vCPU; what a pCPU does with its work; start, block, stop; the end of a domain.
 */
#include "native.h"
#include <core/sched.h>

static struct domain *d;
static struct vcpu *v, *w;
static struct regs regs;

static void setup(void)
{
	unsigned int i;

	native_boot(4 * EXTENT_FRAMES, 1);
	native_now = 1000000;
	for (i = 0; i < NATIVE_CPUS; i++) {
		EXPECT(!timer_init_cpu(i), "no memory");
		sched_init_cpu(i);
	}
	d = native_domain("d", 512, 512, 2);
	EXPECT(d && !domain_populate(d, _gfn(0), 512), "no memory");
	v = d->vcpus[0];
	w = d->vcpus[1];
	v->sched.affinity[0] = w->sched.affinity[0] = 1;
	w->sched.cpu = 0;
	EXPECT(!domain_start(d, 0x1000, 0x4000, 0x5678), "no start");
}

/* The pCPU looks at its work, as on every way out. */
static void work_on(unsigned int cpu)
{
	unsigned int me = native_this_cpu;

	native_this_cpu = cpu;
	pcpu_work(&regs);
	native_this_cpu = me;
}

static void start_vcpu(u64 n, u64 rip)
{
	struct parvus_vcpu_context *c = guest_map(d, 0x6000, sizeof(*c), 64);

	*c = (struct parvus_vcpu_context){ .size = sizeof(*c), .version = 1, .rip = rip,
					   .root = 0x4000, .rdi = 7, .rsi = 8, .gs_base = 0x9000 };
	ck_assert_int_eq(hc_vcpu_start(v, n, 0x6000), 0);
}

START_TEST(created)
{
	ck_assert_int_eq(v->state, VCPU_BLOCKED);
	ck_assert_int_eq(w->state, VCPU_STOPPED);
	ck_assert_uint_eq(v->own->regs.rip, 0x1000);
	ck_assert_uint_eq(v->own->regs.rsi, 0x5678);
	ck_assert_uint_eq(d->alive_vcpus, 1);
	ck_assert_int_eq(d->state, DOMAIN_RUNNING);
	ck_assert_int_eq(domain_start(d, 0x1000, 0x4000, 0), -PARVUS_EBUSY);
	ck_assert_int_eq(domain_start(d, 1ull << 47, 0x4000, 0), -PARVUS_EINVAL);
	ck_assert_int_eq(domain_start(d, 0x1000, 0x4001, 0), -PARVUS_EINVAL);
	ck_assert_int_eq(domain_start(d, 0x1000, 512 << PAGE_SHIFT, 0), -PARVUS_EFAULT);
}
END_TEST

/* A vector raised on a vCPU that sleeps, runs, and is stopped. */
START_TEST(raise_by_state)
{
	native_cpus[0].idle = true;
	native_this_cpu = 1;
	vcpu_raise(v, 40);			/* BLOCKED: woken, and its idle pCPU kicked */
	ck_assert_int_eq(v->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(v->vectors[0], 1ull << 40);
	ck_assert_uint_eq(native_cpus[0].work, WORK_RESCHED);
	ck_assert_uint_eq(native_kicks, 1);
	vcpu_raise(v, 40);			/* it is pending already */
	vcpu_raise(v, 200);			/* RUNNABLE: it will look at that before it runs */
	ck_assert_uint_eq(native_kicks, 1);
	ck_assert_uint_eq(v->vectors[3], 1ull << (200 - 192));
	native_cpus[0].idle = false;
	work_on(0);
	ck_assert_ptr_eq(native_cpus[0].current, v);
	ck_assert_uint_eq(native_loads, 1);
	ck_assert_uint_eq(native_delivers, 1);	/* what was pending when it came */
	ck_assert_uint_eq(regs.rip, 0x1000);
	vcpu_raise(v, 41);			/* RUNNING, its pCPU in C: it looks by itself */
	ck_assert_uint_eq(native_cpus[0].work, WORK_VECTORS);
	ck_assert_uint_eq(native_kicks, 1);
	native_expose(0);
	vcpu_raise(v, 42);			/* in the guest: an interrupt */
	ck_assert_uint_eq(native_kicks, 2);
	native_this_cpu = 0;
	vcpu_raise(v, 43);			/* by itself: none */
	ck_assert_uint_eq(native_kicks, 2);
	vcpu_raise(w, 40);			/* STOPPED: kept, nobody is told */
	ck_assert_uint_eq(w->vectors[0], 1ull << 40);
	ck_assert_int_eq(w->state, VCPU_STOPPED);
	ck_assert_uint_eq(native_cpus[0].work, WORK_VECTORS);
}
END_TEST

START_TEST(wake_by_state)
{
	native_this_cpu = 1;
	vcpu_wake(w);				/* STOPPED: nothing */
	ck_assert_uint_eq(native_cpus[0].work, 0);
	vcpu_wake(v);
	ck_assert_int_eq(v->state, VCPU_RUNNABLE);
	work_on(0);
	native_expose(0);
	vcpu_wake(v);				/* it runs: it is to look at all there is */
	ck_assert_uint_eq(native_cpus[0].work, WORK_RESCHED | WORK_VECTORS);
	ck_assert_uint_eq(native_kicks, 1);
}
END_TEST

/* It sleeps unless something is pending; the other one runs meanwhile. */
START_TEST(block_and_switch)
{
	vcpu_wake(v);
	work_on(0);
	v->vectors[1] = 1;
	ck_assert_int_eq(hc_block(v), 0);
	ck_assert_int_eq(v->state, VCPU_RUNNING);
	ck_assert_uint_eq(v->area->irq_enabled, 1);
	ck_assert_uint_eq(native_cpus[0].work, WORK_VECTORS);
	work_on(0);
	ck_assert_uint_eq(v->vectors[1], 0);
	start_vcpu(1, 0x2000);
	ck_assert_uint_eq(d->alive_vcpus, 2);
	ck_assert_int_eq(hc_vcpu_start(v, 1, 0x6000), -PARVUS_EBUSY);
	ck_assert_int_eq(hc_vcpu_state(v, 1), 1);
	regs.rbx = 5;
	ck_assert_int_eq(hc_block(v), 0);
	ck_assert_int_eq(v->state, VCPU_BLOCKED);
	work_on(0);
	ck_assert_ptr_eq(native_cpus[0].current, w);
	ck_assert_ptr_eq(native_cpus[0].area, w->area);
	ck_assert(regs.rip == 0x2000 && regs.rdi == 7 && regs.rsi == 8 && !regs.rbx);
	ck_assert(v->own->regs.rbx == 5 && !v->on_cpu && w->on_cpu);
	ck_assert_uint_eq(native_saves, 1);
	/* and stops: the first one is woken, and goes on where it was */
	vcpu_wake(v);
	ck_assert_int_eq(hc_vcpu_stop(w), 0);
	work_on(0);
	ck_assert_ptr_eq(native_cpus[0].current, v);
	ck_assert_uint_eq(regs.rbx, 5);
	ck_assert_int_eq(hc_vcpu_state(v, 1), 0);
	ck_assert_uint_eq(d->alive_vcpus, 1);
	ck_assert_int_eq(hc_vcpu_state(v, 2), -PARVUS_EINVAL);
}
END_TEST

/* Nothing to run: it halts until its timer wakes the vCPU that set it. */
static void timer_comes(void)
{
	ck_assert(native_cpus[0].idle);
	ck_assert_uint_eq(native_timer[0], 2000000);
	native_now = 2000000;
	native_cpus[0].work |= WORK_TIMER;
}

START_TEST(idle_until_the_timer)
{
	vcpu_wake(v);
	work_on(0);
	ck_assert_int_eq(hc_timer_set(v, 2000000), 0);
	hc_block(v);
	native_on_halt = timer_comes;
	work_on(0);
	ck_assert(!native_cpus[0].idle);
	ck_assert_ptr_eq(native_cpus[0].current, v);
	ck_assert_uint_eq(native_delivers, 1);
	ck_assert_int_eq(hc_timer_set(v, 3000000), 0);
	ck_assert_int_eq(hc_timer_set(v, 0), 0);
	ck_assert_uint_eq(timer_next(0), 0);
}
END_TEST

/* It sleeps on an idle pCPU: what has to take it off does so, else it goes on where it was. */
static unsigned int halts;
static u64 flushes;

static void halted(void)
{
	native_this_cpu = 1;
	switch (++halts) {
	case 1:		/* all is on the pCPU; a flush comes, and then what wakes it */
		ck_assert_ptr_eq(native_cpus[0].current, v);
		ck_assert(native_cpus[0].idle && v->on_cpu && v->state == VCPU_BLOCKED);
		flushes = native_cpus[0].roots.n_root_switches;
		hc_mmu_flush(w, 0, 0, 0, 0, 0, PARVUS_FLUSH_ALL);
		break;
	case 2:
		ck_assert_uint_gt(native_cpus[0].roots.n_root_switches, flushes);
		vcpu_raise(v, 40);
		break;
	case 3:		/* a pause */
		ck_assert_uint_eq(native_saves, 0);
		sched_pause(d);
		break;
	case 4:
		ck_assert(!v->on_cpu && native_saves == 1 && !native_cpus[0].current);
		sched_unpause(d, native_now);
		vcpu_raise(v, 41);
		break;
	case 5:		/* the end */
		domain_kill(d, "enough");
		break;
	default:
		panic("it idles");
	}
	native_this_cpu = 0;
}

START_TEST(sleeps_loaded)
{
	vcpu_wake(v);
	work_on(0);
	native_on_halt = halted;
	hc_block(v);
	work_on(0);
	ck_assert(native_cpus[0].current == v && v->state == VCPU_RUNNING && halts == 2);
	ck_assert(native_loads == 1 && !native_saves && native_delivers == 1);
	hc_block(v);
	work_on(0);
	ck_assert(native_cpus[0].current == v && halts == 4 && native_loads == 2);
	hc_block(v);
	ck_assert_panics("it idles", work_on(0));
	ck_assert(halts == 6 && !native_cpus[0].current && !domains[0]);
}
END_TEST

/* The last vCPU of a killed domain leaves its pCPU, and takes the domain with it. */
static void nothing_left(void) { panic("it idles"); }

START_TEST(reaped)
{
	vcpu_wake(v);
	work_on(0);
	native_on_halt = nothing_left;
	domain_kill(d, "enough");
	ck_assert_panics("it idles", work_on(0));
	ck_assert_ptr_null(native_cpus[0].current);
	ck_assert_ptr_null(domains[0]);
	ck_assert_uint_eq(native_power_offs, 1);
}
END_TEST

START_TEST(masks)
{
	u64 *mask = guest_map(d, 0x7000, 8, 8);

	*mask = 3;
	ck_assert_int_eq(hc_ipi_send(v, 50, 0x7000, 1), 0);
	ck_assert(v->vectors[0] == 1ull << 50 && w->vectors[0] == 1ull << 50);
	*mask = 4;
	ck_assert_int_eq(hc_ipi_send(v, 50, 0x7000, 1), -PARVUS_EINVAL);
	ck_assert_int_eq(hc_ipi_send(v, 31, 0x7000, 1), -PARVUS_EINVAL);
	ck_assert_int_eq(hc_ipi_send(v, 50, 0x7000, 2), -PARVUS_E2BIG);
	ck_assert_int_eq(hc_ipi_send(v, 50, 512 << PAGE_SHIFT, 1), -PARVUS_EFAULT);
	ck_assert_int_eq(hc_vector_raise(v, 1, 51), 0);
	ck_assert_uint_eq(w->vectors[0], 3ull << 50);
	ck_assert_int_eq(hc_vector_raise(v, 2, 51), -PARVUS_EINVAL);
	ck_assert_int_eq(hc_vector_raise(v, 1, 256), -PARVUS_EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vcpu");
	TCase *c = tcase_create("vcpu");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, created);
	tcase_add_test(c, raise_by_state);
	tcase_add_test(c, wake_by_state);
	tcase_add_test(c, block_and_switch);
	tcase_add_test(c, idle_until_the_timer);
	tcase_add_test(c, sleeps_loaded);
	tcase_add_test(c, reaped);
	tcase_add_test(c, masks);
	suite_add_tcase(s, c);
	return native_main(s);
}
