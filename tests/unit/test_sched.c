// SPDX-License-Identifier: GPL-2.0-only
/*
 * sched.c over simulated time: shares by weight, bounded credit of sleepers, the race of
 * block and wake, stealing, affinity, yield.
 */
#include "native.h"
#include <hv/limits.h>
#include <hv/sched.h>

#define MS		1000000ull
#define MAX_V		16u

static struct vcpu v[MAX_V];
static struct vcpu *running[4];
static u64 now = 1000 * MS;

static void setup(void)
{
	unsigned int i;

	for (i = 0; i < MAX_V; i++) {
		memset(&v[i], 0, sizeof(v[i]));
		v[i].id = i;
		v[i].sched.affinity = ~0ull;
		v[i].sched.weight = 256;
	}
}

static void cpus(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		sched_init_cpu(i);
}

/* Start a vCPU on a pCPU's queue. */
static void start(struct vcpu *x, unsigned int cpu)
{
	x->sched.cpu = cpu;
	ck_assert(sched_start(x));
	ck_assert_int_eq(x->state, VCPU_STARTING);
	ck_assert_uint_eq(sched_wake(x, now), MAX_CPUS);	/* not before it is set up */
	sched_started(x);
	ck_assert_int_eq(x->state, VCPU_BLOCKED);
	ck_assert_uint_ne(sched_wake(x, now), MAX_CPUS);
}

/* What schedule() of arch/x86/vcpu.c does. */
static struct vcpu *pick(unsigned int cpu)
{
	struct vcpu *prev = running[cpu], *next = sched_pick(cpu, prev, now);

	if (prev && prev != next) {
		if (prev->state == VCPU_STOPPED)
			__atomic_store_n(&prev->on_cpu, false, __ATOMIC_SEQ_CST);
		else
			sched_left(prev);
	}
	if (next) {
		EXPECT(next->state == VCPU_RUNNING && next->on_cpu && next->sched.cpu == cpu,
		       "vcpu %u is picked, state %u", next->id, next->state);
	}
	running[cpu] = next;
	return next;
}

/* Time passes in small steps; each pCPU looks at its slice as the timer would make it. */
static void run(unsigned int ncpus, u64 ns)
{
	u64 end = now + ns;
	unsigned int cpu;

	for (; now < end; now += MS / 4)
		for (cpu = 0; cpu < ncpus; cpu++)
			if (!running[cpu] || sched_should_preempt(cpu, running[cpu], now))
				pick(cpu);
	/* charge what runs */
	for (cpu = 0; cpu < ncpus; cpu++)
		pick(cpu);
}

static void near(u64 got, u64 want, unsigned int percent)
{
	ck_assert_msg(got * 100 >= want * (100 - percent) && got * 100 <= want * (100 + percent),
		      "%lu us, not %lu us", got / 1000, want / 1000);
}

START_TEST(equal_shares)
{
	unsigned int i;

	cpus(1);
	for (i = 0; i < 3; i++)
		start(&v[i], 0);
	run(1, 3000 * MS);
	for (i = 0; i < 3; i++)
		near(v[i].stats.run_ns, 1000 * MS, 2);
}
END_TEST

START_TEST(shares_by_weight)
{
	cpus(1);
	sched_set_weight(&v[0], 512);
	sched_set_weight(&v[1], 256);
	sched_set_weight(&v[2], 128);
	start(&v[0], 0);
	start(&v[1], 0);
	start(&v[2], 0);
	run(1, 7000 * MS);
	near(v[0].stats.run_ns, 4000 * MS, 3);
	near(v[1].stats.run_ns, 2000 * MS, 3);
	near(v[2].stats.run_ns, 1000 * MS, 3);
}
END_TEST

START_TEST(late_comer)
{
	cpus(1);
	start(&v[0], 0);
	run(1, 10000 * MS);
	/* it gets its share from now on, not what it missed */
	start(&v[1], 0);
	run(1, 1000 * MS);
	near(v[1].stats.run_ns, 500 * MS, 3);
}
END_TEST

static void sleep_now(unsigned int cpu)
{
	ck_assert(sched_block(running[cpu]));
	pick(cpu);
}

START_TEST(sleeper_has_bounded_credit)
{
	u64 from, got;

	cpus(1);
	start(&v[0], 0);
	start(&v[1], 0);
	while (running[0] != &v[1])
		run(1, MS);
	sleep_now(0);
	ck_assert_ptr_eq(running[0], &v[0]);
	run(1, 20000 * MS);
	/* it comes back: soon on the pCPU, but not for twenty seconds */
	ck_assert_uint_eq(sched_wake(&v[1], now), 0);
	from = v[1].stats.run_ns;
	ck_assert(sched_should_preempt(0, &v[0], now + SLICE_NS));
	run(1, 100 * MS);
	got = v[1].stats.run_ns - from;
	ck_assert_msg(got <= 50 * MS + 2 * SLICE_NS && got >= 45 * MS, "%lu us", got / 1000);
}
END_TEST

/* A hog does not keep one that wakes up for little waiting. */
START_TEST(wake_up_latency)
{
	unsigned int n;
	u64 waited = 0;

	cpus(1);
	start(&v[0], 0);
	start(&v[1], 0);
	while (running[0] != &v[1])
		run(1, MS);
	sleep_now(0);
	for (n = 0; n < 100; n++) {
		u64 from;

		run(1, 20 * MS);
		sched_wake(&v[1], now);
		for (from = now; running[0] != &v[1]; now += MS / 4)
			if (sched_should_preempt(0, running[0], now))
				pick(0);
		waited += now - from;
		run(1, MS / 4);
		if (running[0] == &v[1])
			sleep_now(0);
	}
	ck_assert_msg(waited / 100 <= SLICE_NS, "%lu us", waited / 100000);
}
END_TEST

START_TEST(block_and_wake)
{
	cpus(1);
	start(&v[0], 0);
	ck_assert_ptr_eq(pick(0), &v[0]);
	/* something pending: no sleep */
	v[0].vectors[1] = 4;
	ck_assert(!sched_block(&v[0]));
	ck_assert_int_eq(v[0].state, VCPU_RUNNING);
	v[0].vectors[1] = 0;
	/* a wake-up between block and the change of context: it stays, queued once */
	ck_assert(sched_block(&v[0]));
	ck_assert_uint_eq(sched_wake(&v[0], now), MAX_CPUS);
	ck_assert_int_eq(v[0].state, VCPU_RUNNING);
	ck_assert_ptr_eq(pick(0), &v[0]);
	/* between sched_pick(), which found it blocked, and sched_left() */
	ck_assert(sched_block(&v[0]));
	ck_assert_ptr_null(sched_pick(0, &v[0], now));
	ck_assert_uint_eq(sched_wake(&v[0], now), MAX_CPUS);
	ck_assert(sched_left(&v[0]));
	ck_assert(!v[0].on_cpu);
	running[0] = NULL;
	ck_assert_ptr_eq(pick(0), &v[0]);
	/* after it: queued by the wake-up, once */
	sleep_now(0);
	ck_assert_ptr_null(running[0]);
	ck_assert_uint_eq(sched_wake(&v[0], now), 0);
	ck_assert_uint_eq(sched_wake(&v[0], now), MAX_CPUS);
	ck_assert_ptr_eq(pick(0), &v[0]);
	ck_assert_uint_eq(sched_wake(&v[0], now), MAX_CPUS);
	ck_assert_uint_eq(sched_slice_end(0, &v[0], now), 0);
}
END_TEST

START_TEST(start_and_stop)
{
	cpus(1);
	ck_assert_uint_eq(sched_wake(&v[0], now), MAX_CPUS);	/* stopped: no wake-up */
	start(&v[0], 0);
	start(&v[1], 0);
	ck_assert(!sched_start(&v[0]));
	ck_assert_ptr_eq(pick(0), &v[0]);
	sched_stop(&v[1]);			/* in the queue */
	sched_stop(&v[0]);			/* running */
	ck_assert(!sched_start(&v[0]));		/* its registers are still on the stack */
	ck_assert_ptr_null(pick(0));
	ck_assert(sched_start(&v[0]));
	sched_started(&v[0]);
	ck_assert_uint_eq(sched_wake(&v[0], now), 0);
	ck_assert_ptr_eq(pick(0), &v[0]);
}
END_TEST

START_TEST(wakes_on_an_idle_cpu)
{
	cpus(3);
	start(&v[0], 0);
	pick(0);
	/* its own is busy: another one */
	v[1].sched.cpu = 0;
	ck_assert(sched_start(&v[1]));
	sched_started(&v[1]);
	ck_assert_uint_eq(sched_wake(&v[1], now), 1);
	pick(1);
	ck_assert_ptr_eq(running[1], &v[1]);
	v[2].sched.cpu = 0;
	v[2].sched.affinity = 3;
	ck_assert(sched_start(&v[2]));
	sched_started(&v[2]);
	ck_assert_uint_eq(sched_wake(&v[2], now), 0);	/* the idle one is not allowed */
}
END_TEST

START_TEST(steals)
{
	unsigned int i;

	cpus(2);
	for (i = 0; i < 4; i++) {
		v[i].sched.affinity = 1;
		start(&v[i], 0);
		sched_set_affinity(&v[i], i == 1 ? 1 : 3);
	}
	pick(0);
	ck_assert_ptr_nonnull(pick(1));
	ck_assert_ptr_ne(running[1], running[0]);
	ck_assert_ptr_ne(running[1], &v[1]);
	run(2, 3000 * MS);
	/* all run; together they had both pCPUs all the time */
	near(v[0].stats.run_ns + v[1].stats.run_ns + v[2].stats.run_ns + v[3].stats.run_ns, 6000 * MS, 1);
	for (i = 0; i < 4; i++)
		ck_assert_uint_gt(v[i].stats.run_ns, 500 * MS);
}
END_TEST

/* What is still on another pCPU's stack is not taken. */
START_TEST(no_theft_of_a_running_context)
{
	cpus(2);
	v[0].sched.affinity = v[1].sched.affinity = 1;
	start(&v[0], 0);
	start(&v[1], 0);
	pick(0);
	sched_set_affinity(&v[0], 3);
	sched_set_affinity(&v[1], 1);
	now += 10 * SLICE_NS;
	/* pCPU 0 went over to v1, v0 is queued and its registers not saved yet */
	ck_assert_ptr_eq(sched_pick(0, &v[0], now), &v[1]);
	ck_assert_ptr_null(sched_pick(1, NULL, now));
	sched_left(&v[0]);
	ck_assert_ptr_eq(sched_pick(1, NULL, now), &v[0]);
	ck_assert_uint_eq(v[0].sched.cpu, 1);
}
END_TEST

START_TEST(affinity)
{
	unsigned int n;

	cpus(3);
	for (n = 0; n < 6; n++) {
		v[n].sched.affinity = 1ull << n % 3;
		start(&v[n], n % 3);
	}
	for (n = 0; n < 400; n++) {
		unsigned int cpu;

		run(3, 2 * MS);
		for (cpu = 0; cpu < 3; cpu++)
			EXPECT(running[cpu] && running[cpu]->id % 3 == cpu, "cpu %u", cpu);
	}
	for (n = 0; n < 6; n++)
		near(v[n].stats.run_ns, 400 * MS, 5);
}
END_TEST

START_TEST(yields)
{
	unsigned int n, ran[2] = { 0 };

	cpus(1);
	start(&v[0], 0);
	start(&v[1], 0);
	pick(0);
	for (n = 0; n < 100; n++) {
		struct vcpu *was = running[0];

		now += MS / 10;
		sched_yield_to(0, was, now);
		pick(0);
		ck_assert_ptr_ne(running[0], was);
		ran[running[0]->id]++;
	}
	ck_assert_uint_eq(ran[0], 50);
	/* alone it goes on */
	sched_stop(running[0] == &v[0] ? &v[1] : &v[0]);
	sched_yield_to(0, running[0], now);
	n = running[0]->id;
	ck_assert_ptr_eq(pick(0), &v[n]);
}
END_TEST

START_TEST(slices)
{
	u64 end;

	cpus(1);
	start(&v[0], 0);
	pick(0);
	ck_assert_uint_eq(sched_slice_end(0, &v[0], now), 0);
	ck_assert(!sched_should_preempt(0, &v[0], now + 100 * SLICE_NS));
	start(&v[1], 0);
	end = sched_slice_end(0, &v[0], now);
	ck_assert_uint_eq(end, now + SLICE_NS);
	/* never in the past, or the timer would fire without end */
	ck_assert_uint_gt(sched_slice_end(0, &v[0], end + SLICE_NS), end + SLICE_NS);
	ck_assert(sched_should_preempt(0, &v[0], end));
}
END_TEST

/* Anything at any time: nobody runs twice, nobody who is runnable is forgotten. */
static void random_run(u64 seed)
{
	unsigned int n, i, cpu;

	memset(running, 0, sizeof(running));
	setup();
	cpus(3);
	for (i = 0; i < 8; i++) {
		sched_set_weight(&v[i], 64 << below(5));
		start(&v[i], i % 3);
	}
	for (n = 0; n < 30000; n++) {
		struct vcpu *x = &v[below(8)];

		now += below(MS);
		cpu = (unsigned int)below(3);
		switch (below(8)) {
		case 0:
			if (running[cpu] && sched_block(running[cpu]) && chance(2))
				pick(cpu);
			break;
		case 1:
		case 2:
			sched_wake(x, now);
			break;
		case 3:
			if (running[cpu])
				sched_yield_to(cpu, running[cpu], now);
			break;
		case 4:
			sched_set_affinity(x, 1 + below(7));
			break;
		default:
			pick(cpu);
		}
		for (cpu = 0; cpu < 3; cpu++)
			EXPECT(!running[cpu] || (running[cpu] != running[(cpu + 1) % 3] &&
						 !running[cpu]->sched.queued),
			       "seed %lu step %u: runs twice", (unsigned long)seed, n);
	}
	for (i = 0; i < 8; i++) {
		sched_set_affinity(&v[i], 7);
		sched_set_weight(&v[i], 256);
	}
	/* all awake: all run within a while */
	for (cpu = 0; cpu < 3; cpu++)
		pick(cpu);
	for (i = 0; i < 8; i++) {
		sched_wake(&v[i], now);
		v[i].stats.run_ns = 0;
	}
	run(3, 20000 * MS);
	for (i = 0; i < 8; i++)
		EXPECT(v[i].stats.run_ns > 100 * MS, "seed %lu: vcpu %u ran %lu us, state %u", (unsigned long)seed,
		       i, v[i].stats.run_ns / 1000, v[i].state);
}

START_TEST(random_use) { for_seeds(5, random_run); }
END_TEST

/* The running vCPU is charged when it leaves: what it ran so far counts all the same. */
START_TEST(credit_against_a_lone_hog)
{
	u64 before;

	cpus(1);
	start(&v[0], 0);
	start(&v[1], 0);
	run(1, 100 * MS);
	while (running[0] != &v[1]) {
		now += 10 * MS;
		pick(0);
	}
	ck_assert(sched_block(&v[1]));
	ck_assert_ptr_eq(pick(0), &v[0]);
	now += 1000 * MS;	/* no tick: nobody waits */
	ck_assert_uint_ne(sched_wake(&v[1], now), MAX_CPUS);
	before = v[1].stats.run_ns;
	run(1, 200 * MS);
	near(v[1].stats.run_ns - before, 100 * MS, 15);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sched");
	TCase *c = tcase_create("sched");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, equal_shares);
	tcase_add_test(c, shares_by_weight);
	tcase_add_test(c, late_comer);
	tcase_add_test(c, sleeper_has_bounded_credit);
	tcase_add_test(c, credit_against_a_lone_hog);
	tcase_add_test(c, wake_up_latency);
	tcase_add_test(c, block_and_wake);
	tcase_add_test(c, start_and_stop);
	tcase_add_test(c, wakes_on_an_idle_cpu);
	tcase_add_test(c, steals);
	tcase_add_test(c, no_theft_of_a_running_context);
	tcase_add_test(c, affinity);
	tcase_add_test(c, yields);
	tcase_add_test(c, slices);
	tcase_add_test(c, random_use);
	suite_add_tcase(s, c);
	return native_main(s);
}
