// SPDX-License-Identifier: GPL-2.0-only
/*
 * core/clock.c: a domain's clock stands still while the domain does, goes on from there, and its
 * timers and records with it; core/control.c's numbers that are asked for.
 */
#include "native.h"
#include <core/event.h>
#include <core/hypercall.h>
#include <core/sched.h>
#include <parvus/control.h>
#include <parvus/event.h>

#define MS	1000000ull
#define RECORD	0x2000u		/* gpa of the clock's record */
#define FIRST	(1000 * MS)

static struct domain *d;
static struct vcpu *v;

/* CPU 0 gives its vCPU up, if it has one, and takes who may run. */
static void schedule(void)
{
	struct vcpu *prev = v->on_cpu ? v : NULL, *next = sched_pick(0, prev, native_now);

	if (prev && next != prev)
		sched_left(0, prev, native_now);
	arch_this()->current = next;
}

static void setup(void)
{
	native_boot(4 * EXTENT_FRAMES, 1);
	native_now = FIRST;
	for (unsigned int i = 0; i < NATIVE_CPUS; i++) {
		EXPECT(!timer_init_cpu(i), "no memory");
		sched_init_cpu(i);
	}
	d = native_domain("d", 512, 512, 2);
	EXPECT(d && !domain_populate(d, _gfn(0), 512), "no memory");
	v = d->vcpus[0];
	v->sched.affinity[0] = 1;
	EXPECT(!domain_start(d, 0x1000, 0x4000, 0), "no start");
	native_this_cpu = 0;
	vcpu_raise(v, 40);
	schedule();
	ck_assert(v->on_cpu);
}

static u64 pins(u64 gfn)
{
	return (frame_info(gfn_entry_mfn(gfn_lookup(d, _gfn(gfn))))->word & FRAME_PINNED) /
	       FRAME_PIN;
}

/* The offset that the record tells of; the fake machine puts it at its place in words. */
static s64 told(void)
{
	s64 offset;

	ck_assert_int_eq(guest_read(d, RECORD + 8, &offset, sizeof(offset)), 0);
	return offset;
}

static void pause_at(u64 now)
{
	native_now = now;
	domain_pause(d, PAUSE_CONTROL);
	schedule();
}

static void unpause_at(u64 now)
{
	native_now = now;
	domain_unpause(d, PAUSE_CONTROL);
	schedule();
}

START_TEST(stands_still)
{
	ck_assert_int_eq(hc_clock_register(v, 0, RECORD), 0);
	native_wall = 77 * MS;
	ck_assert_int_eq(hc_wall_read(v), 77 * (s64)MS);
	for (unsigned int i = 1; i <= 3; i++) {
		u64 from = native_now + 10 * MS, gone = 45000 * MS;

		ck_assert_uint_eq(clock_stands(d), native_now - (i - 1) * gone);
		pause_at(from);
		native_now += gone / 2;
		ck_assert_uint_eq(clock_stands(d), from - (i - 1) * gone);
		unpause_at(from + gone);
		ck_assert(!d->clock_stopped);
		ck_assert_uint_eq(clock_stands(d), from - (i - 1) * gone);
		ck_assert_int_eq(told(), (s64)(i * gone));
		/* the time of day went on */
		ck_assert_int_eq(hc_wall_read(v), (s64)(77 * MS + i * gone));
	}
}
END_TEST

/* It runs on until the last vCPU has left: nobody sees it go back. */
START_TEST(runs_until_all_left)
{
	native_now = FIRST + 10 * MS;
	domain_pause(d, PAUSE_CONTROL);
	native_now = FIRST + 13 * MS;
	schedule();
	ck_assert(!v->on_cpu);
	unpause_at(FIRST + 20 * MS);
	ck_assert_int_eq(d->clock_offset, 7 * (s64)MS);

	/* one that was over before anybody left */
	native_now = FIRST + 30 * MS;
	domain_pause(d, PAUSE_CONTROL);
	native_now = FIRST + 31 * MS;
	domain_unpause(d, PAUSE_CONTROL);
	ck_assert_int_eq(d->clock_offset, 7 * (s64)MS);
	ck_assert(!d->clock_stopped);
}
END_TEST

/* Two reasons at once: from the first to the last. */
START_TEST(two_reasons)
{
	pause_at(FIRST + 10 * MS);
	native_now += 5 * MS;
	domain_pause(d, PAUSE_MEMORY);
	unpause_at(FIRST + 20 * MS);
	ck_assert_int_eq(d->clock_offset, 0);
	native_now += 5 * MS;
	domain_unpause(d, PAUSE_MEMORY);
	ck_assert_int_eq(d->clock_offset, 15 * (s64)MS);
}
END_TEST

static bool timer_raised(void)
{
	bool is = v->vectors[PARVUS_VECTOR_TIMER / 64] >> PARVUS_VECTOR_TIMER % 64 & 1;

	memset(v->vectors, 0, sizeof(v->vectors));
	return is;
}

/* As long to go as before; what ran out by the machine's clock waits for its own: it comes once. */
START_TEST(timers_wait)
{
	timer_raised();
	ck_assert_int_eq(hc_timer_set(v, FIRST + 30 * MS), 0);
	ck_assert_uint_eq(timer_next(0), FIRST + 30 * MS);
	pause_at(FIRST + 10 * MS);
	native_now = FIRST + 100 * MS;
	timer_run(0, native_now);
	ck_assert(!timer_raised());
	unpause_at(FIRST + 110 * MS);
	ck_assert_uint_eq(timer_next(0), FIRST + 130 * MS);
	timer_run(0, FIRST + 130 * MS - 1);
	ck_assert(!timer_raised());
	native_now = FIRST + 130 * MS;
	timer_run(0, native_now);
	ck_assert(timer_raised());
	ck_assert_uint_eq(v->deadline, 0);
	ck_assert_uint_eq(timer_next(0), 0);

	/* one that is set in the new time, one that was not armed, one that is far away */
	ck_assert_int_eq(hc_timer_set(v, FIRST + 40 * MS), 0);
	ck_assert_uint_eq(timer_next(0), FIRST + 140 * MS);
	ck_assert_int_eq(hc_timer_set(v, 0), 0);
	pause_at(FIRST + 200 * MS);
	unpause_at(FIRST + 300 * MS);
	ck_assert_uint_eq(timer_next(0), 0);
	ck_assert_int_eq(hc_timer_set(v, ~0ull), 0);
	ck_assert_uint_eq(timer_next(0), CLOCK_MAX + 200 * MS);
	ck_assert_int_eq(hc_timer_set(v, 1), 0);
	native_now += MS;
	timer_run(0, native_now);
	ck_assert(timer_raised());
}
END_TEST

/* A timer that is due while its vCPU is on its way out of the CPU is that vCPU's. */
START_TEST(timer_on_the_way_out)
{
	timer_raised();
	ck_assert_int_eq(hc_timer_set(v, FIRST + 10 * MS), 0);
	native_now = FIRST + 10 * MS;
	domain_pause(d, PAUSE_CONTROL);
	timer_run(0, native_now);
	ck_assert(timer_raised());
}
END_TEST

/* Domain 0's, and that of a guest that counts by the TSC, goes on. */
START_TEST(tsc)
{
	d->tsc_clock = true;
	pause_at(FIRST + 10 * MS);
	unpause_at(FIRST + 100 * MS);
	ck_assert_int_eq(d->clock_offset, 0);
	ck_assert(features_word0(d) & PARVUS_FEATURE_TSC_CLOCK);
	ck_assert(!(features_word0(NULL) & PARVUS_FEATURE_TSC_CLOCK));
}
END_TEST

/* As a restore does it: time may be less or more than the machine's. */
START_TEST(given)
{
	static const u64 times[] = { 5 * MS, FIRST + 1, CLOCK_MAX - 1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(times); i++) {
		pause_at(native_now + 10 * MS);
		clock_set(d, times[i]);
		v->sched.charged = 0;
		unpause_at(native_now + 70 * MS);
		ck_assert_uint_eq(clock_stands(d), times[i]);
		ck_assert_int_eq(hc_timer_set(v, times[i] + MS), 0);
		ck_assert_uint_eq(timer_next(0),
				  native_now + (times[i] + MS > CLOCK_MAX ? 1 : MS));
	}
}
END_TEST

/* The guest is told each time, on its port or when it makes one. */
START_TEST(is_told)
{
	ck_assert(!(event_virqs(d) >> PARVUS_VIRQ_RESUME & 1));
	pause_at(FIRST + 10 * MS);
	ck_assert(!(event_virqs(d) >> PARVUS_VIRQ_RESUME & 1));
	unpause_at(FIRST + 11 * MS);
	ck_assert(event_virqs(d) >> PARVUS_VIRQ_RESUME & 1);
}
END_TEST

/* What is registered is pinned, and no more than that: of a record, of an area. */
START_TEST(pins_end)
{
	struct vcpu *w = d->vcpus[1];

	ck_assert_int_eq(hc_clock_register(v, 0, RECORD), 0);
	ck_assert_int_eq(hc_clock_register(v, 1, RECORD + 64), 0);
	ck_assert_uint_eq(pins(2), 2);
	ck_assert_int_eq(hc_clock_register(v, 0, 0x3000), 0);
	ck_assert_int_eq(hc_clock_register(v, 1, 0x3040), 0);
	ck_assert_uint_eq(pins(2), 0);
	ck_assert_uint_eq(pins(3), 2);
	ck_assert_int_eq(hc_clock_register(v, 0, 600 * PAGE_SIZE), -PARVUS_EFAULT);
	ck_assert_uint_eq(pins(3), 2);
	ck_assert_int_eq(hc_area_register(v, 0, 0x5000, 512, 1), 0);
	ck_assert_int_eq(hc_area_register(v, 1, 0x5200, 512, 1), 0);
	ck_assert_uint_eq(pins(5), 2);
	ck_assert_int_eq(hc_area_register(v, 0, 0x7000, 512, 1), 0);
	ck_assert_int_eq(hc_area_register(v, 1, 0x5400, 512, 1), 0);
	ck_assert_uint_eq(pins(5), 1);
	ck_assert_int_eq(w->state, VCPU_STOPPED);
	ck_assert_int_eq(hc_area_register(w, 0, 0x5000, 512, 1), -PARVUS_EBUSY);
	ck_assert_int_eq(domain_release(d, v, 2, 1), 0);
	ck_assert_int_eq(domain_release(d, v, 5, 1), -PARVUS_EBUSY);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("clock");
	TCase *c = tcase_create("clock");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, stands_still);
	tcase_add_test(c, runs_until_all_left);
	tcase_add_test(c, two_reasons);
	tcase_add_test(c, timers_wait);
	tcase_add_test(c, timer_on_the_way_out);
	tcase_add_test(c, tsc);
	tcase_add_test(c, given);
	tcase_add_test(c, is_told);
	tcase_add_test(c, pins_end);
	suite_add_tcase(s, c);
	return native_main(s);
}
