// SPDX-License-Identifier: GPL-2.0-only
/*
 * sched.c over simulated time: shares by weight, bounded credit of sleepers, the race of
 * block and wake, stealing, balance between pCPUs, affinity, yield, pauses, caps, figures.
 */
#include "native.h"
#include <pthread.h>
#include <time.h>
#include <core/limits.h>
#include <core/sched.h>

#define MS		1000000ull
#define MAX_V		16u

static struct vcpu v[MAX_V];
static struct domain d[MAX_V];		/* one for each vCPU unless a test joins them */
static struct vcpu *running[4];
static u64 now = 1000 * MS;

static int set_affinity(struct vcpu *x, u64 mask, u64 at)
{
	return sched_set_affinity(x, (const u64[PARVUS_CPU_WORDS]){ mask }, at);
}

static void setup(void)
{
	unsigned int i;

	for (i = 0; i < MAX_V; i++) {
		memset(&v[i], 0, sizeof(v[i]));
		memset(&d[i], 0, sizeof(d[i]));
		d[i].id = (u16)i;
		d[i].vcpu_count = 1;
		d[i].vcpus[0] = &v[i];
		v[i].domain = &d[i];
		v[i].id = i;
		v[i].sched.affinity[0] = ~0ull;
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

/* The same, of a domain that is paused. */
static void start_held(struct vcpu *x)
{
	ck_assert(sched_start(x));
	sched_started(x);
	ck_assert_uint_eq(sched_wake(x, now), MAX_CPUS);
	ck_assert(x->state == VCPU_RUNNABLE && x->sched.held);
}

/* All vCPUs of [from, from + n) into the domain of the first. */
static struct domain *join(unsigned int from, unsigned int n)
{
	unsigned int i;

	d[from].vcpu_count = n;
	for (i = 0; i < n; i++) {
		d[from].vcpus[i] = &v[from + i];
		v[from + i].domain = &d[from];
		v[from + i].id = i;
	}
	return &d[from];
}

/* Is one on a pCPU, or are its registers still there? */
static bool domain_any_running(const struct domain *dom)
{
	unsigned int i;

	for (i = 0; i < dom->vcpu_count; i++)
		if (smp_load_acquire(&dom->vcpus[i]->on_cpu))
			return true;
	return false;
}

static void kick(unsigned int cpu)
{
	if (cpu != MAX_CPUS)
		pcpu_kick(cpu, WORK_RESCHED);
}

/* What schedule() of core/pcpu.c does. */
static struct vcpu *pick(unsigned int cpu)
{
	struct vcpu *prev = running[cpu], *next = sched_pick(cpu, prev, now);

	if (prev && prev != next) {
		if (prev->state == VCPU_STOPPED)
			__atomic_store_n(&prev->on_cpu, false, __ATOMIC_SEQ_CST);
		else
			kick(sched_left(cpu, prev, now));
	}
	if (next) {
		EXPECT(next->sched.affinity[0] >> cpu & 1, "vcpu %u is picked outside its mask",
		       next->id);
		EXPECT(!next->domain->sched.paused || next->domain->ended, "vcpu %u runs paused",
		       next->id);
		EXPECT(next->state == VCPU_RUNNING && next->on_cpu && next->sched.cpu == cpu,
		       "vcpu %u is picked, state %u", next->id, next->state);
	}
	running[cpu] = next;
	return next;
}

/*
 * Time passes in small steps; each pCPU looks at its queue when its timer says so or when it
 * is kicked, and not before.
 */
static u64 timer[4];
static u64 step = MS / 4;
static void run(unsigned int ncpus, u64 ns)
{
	u64 end = now + ns;
	unsigned int cpu;

	for (cpu = 0; cpu < ncpus; cpu++)
		pcpu_kick(cpu, WORK_RESCHED);
	for (; now < end; now += step)
		for (cpu = 0; cpu < ncpus; cpu++) {
			bool kicked = native_resched(1ull << cpu),
			     due = timer[cpu] && timer[cpu] <= now;

			if (due)
				sched_tick(cpu, now);
			kicked |= !!native_resched(1ull << cpu);
			if (!kicked && !due)
				continue;
			if (!running[cpu] || sched_should_preempt(cpu, running[cpu], now))
				pick(cpu);
			timer[cpu] = sched_slice_end(cpu, running[cpu], now);
			EXPECT(!timer[cpu] == sched_endless(cpu, running[cpu]), "an end or none");
		}
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
	sched_set_weight(&d[0], 512);
	sched_set_weight(&d[1], 256);
	sched_set_weight(&d[2], 128);
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

/* Rule 73: one that stops before its slice ends, and is started again at once, owes what it ran. */
START_TEST(debt_over_stop)
{
	u64 end = now + 4000 * MS;
	unsigned int i;

	cpus(1);
	sched_set_weight(&d[3], 16);
	for (i = 0; i < 4; i++)
		start(&v[i], 0);
	while (now < end) {
		struct vcpu *ran = pick(0);

		now += MS;
		if (ran != &v[3])
			continue;
		sched_stop(ran);
		pick(0);
		start(ran, 0);
	}
	near(v[3].stats.run_ns, 4000 * MS * 16 / (3 * 256 + 16), 10);
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
	ck_assert_uint_eq(sched_wake(&v[0], now), 0);
	ck_assert_uint_eq(sched_left(0, &v[0], now), 0);
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

/* Asleep with its registers on an idle pCPU: woken it goes on there, and sleep is no run. */
START_TEST(sleeps_where_it_is)
{
	u64 ran;

	cpus(2);
	start(&v[0], 0);
	ck_assert_ptr_eq(pick(0), &v[0]);
	now += MS;
	ck_assert(!sched_stays(0, &v[0]));	/* it runs */
	ck_assert(sched_block(&v[0]));
	ck_assert_ptr_null(sched_pick(0, &v[0], now));
	ck_assert(sched_stays(0, &v[0]) && v[0].on_cpu);
	ran = v[0].stats.run_ns;
	now += 500 * MS;
	ck_assert_uint_eq(sched_wake(&v[0], now), 0);
	ck_assert_uint_eq(sched_wake(&v[0], now), MAX_CPUS);
	now += MS;
	ck_assert_ptr_eq(sched_pick(0, &v[0], now), &v[0]);
	ck_assert_uint_eq(v[0].stats.run_ns, ran);
	ck_assert_uint_eq(v[0].stats.steal_ns, MS);
	now += 2 * MS;
	ck_assert(sched_block(&v[0]));
	ck_assert_ptr_null(sched_pick(0, &v[0], now));
	ck_assert_uint_eq(v[0].stats.run_ns, ran + 2 * MS);
	/* who has to be off the pCPU does not stay */
	ck_assert(sched_stays(0, &v[0]));
	sched_pause(&d[0]);
	ck_assert(native_resched(1) && !sched_stays(0, &v[0]));
	sched_unpause(&d[0], now);
	ck_assert(sched_stays(0, &v[0]));
	set_affinity(&v[0], 2, now);
	ck_assert(native_resched(1) && !sched_stays(0, &v[0]));
	set_affinity(&v[0], 3, now);
	d[0].ended = 1;
	ck_assert(!sched_stays(0, &v[0]));
	d[0].ended = 0;
	/* it has no more credit than who slept elsewhere */
	start(&v[1], 1);
	ck_assert_ptr_eq(running[1] = sched_pick(1, NULL, now), &v[1]);
	now += 10000 * MS;
	ck_assert_ptr_eq(sched_pick(1, &v[1], now), &v[1]);
	sched_wake(&v[0], now);
	ck_assert_ptr_eq(sched_pick(0, &v[0], now), &v[0]);
	ck_assert_uint_ge(v[0].sched.vruntime + SLICE_NS, v[1].sched.vruntime);
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
	v[2].sched.affinity[0] = 3;
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
		v[i].sched.affinity[0] = 1;
		start(&v[i], 0);
		ck_assert_int_eq(set_affinity(&v[i], i == 1 ? 1 : 3, now), 0);
	}
	pick(0);
	ck_assert_ptr_nonnull(pick(1));
	ck_assert_ptr_ne(running[1], running[0]);
	ck_assert_ptr_ne(running[1], &v[1]);
	run(2, 3000 * MS);
	/* all run; together they had both pCPUs all the time */
	near(v[0].stats.run_ns + v[1].stats.run_ns + v[2].stats.run_ns + v[3].stats.run_ns,
	     6000 * MS, 1);
	for (i = 0; i < 4; i++)
		ck_assert_uint_gt(v[i].stats.run_ns, 500 * MS);
}
END_TEST

/* What is still on another pCPU's stack is not taken. */
START_TEST(no_theft_of_a_running_context)
{
	cpus(2);
	v[0].sched.affinity[0] = v[1].sched.affinity[0] = 1;
	start(&v[0], 0);
	start(&v[1], 0);
	pick(0);
	set_affinity(&v[0], 3, now);
	set_affinity(&v[1], 1, now);
	now += 10 * SLICE_NS;
	/* pCPU 0 went over to v1, v0 is queued and its registers not saved yet */
	ck_assert_ptr_eq(sched_pick(0, &v[0], now), &v[1]);
	ck_assert_ptr_null(sched_pick(1, NULL, now));
	sched_left(0, &v[0], now);
	ck_assert_ptr_eq(sched_pick(1, NULL, now), &v[0]);
	ck_assert_uint_eq(v[0].sched.cpu, 1);
}
END_TEST

START_TEST(affinity)
{
	unsigned int n;

	cpus(3);
	for (n = 0; n < 6; n++) {
		v[n].sched.affinity[0] = 1ull << n % 3;
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

/* CPUs beyond the first word of a set. */
START_TEST(many_cpus)
{
	u64 none[PARVUS_CPU_WORDS] = { 0, 0, 0, 1ull << 63 }, last[PARVUS_CPU_WORDS] = { 0 };

	for (unsigned int i = 0; i < 200; i++)
		sched_init_cpu(i);
	v[0].sched.affinity[0] = 1;
	ck_assert_int_eq(sched_set_affinity(&v[0], none, now), -PARVUS_EINVAL);
	ck_assert_uint_eq(v[0].sched.affinity[0], 1);
	last[3] = 1ull << 7;
	ck_assert_int_eq(sched_set_affinity(&v[0], last, now), 0);
	v[0].state = VCPU_BLOCKED;
	ck_assert_uint_eq(sched_wake(&v[0], now), 199);
	ck_assert_ptr_null(sched_pick(7, NULL, now));
	ck_assert_ptr_null(sched_pick(71, NULL, now));
	ck_assert_ptr_eq(sched_pick(199, NULL, now), &v[0]);
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
	now += 100 * SLICE_NS;
	ck_assert(!sched_should_preempt(0, &v[0], now));
	v[0].sched.run_start = now;
	start(&v[1], 0);
	end = sched_slice_end(0, &v[0], now);
	ck_assert_uint_eq(end, now + SLICE_NS);
	/* never in the past, or the timer would fire without end */
	ck_assert_uint_gt(sched_slice_end(0, &v[0], end + SLICE_NS), end + SLICE_NS);
	ck_assert(sched_should_preempt(0, &v[0], end));
}
END_TEST

/* Three hogs, two pCPUs: each gets two thirds, nobody is left behind on a shared one. */
START_TEST(three_on_two)
{
	unsigned int i;
	struct sched_cpu_stats c;

	cpus(2);
	for (i = 0; i < 3; i++)
		start(&v[i], i % 2);
	run(2, 20000 * MS);
	for (i = 0; i < 3; i++)
		near(v[i].stats.run_ns, 20000 * MS * 2 / 3, 10);
	sched_cpu_stats(0, now, &c);
	near(c.busy_ns, 20000 * MS, 1);
	/* balance is no storm of migrations */
	ck_assert_uint_le(c.switches, 20000 / 5 * 2);
}
END_TEST

/* Two domains of two vCPUs, weights 1 : 2, all of them hogs, on one pCPU and on two. */
START_TEST(domains_by_weight)
{
	unsigned int i, n = (unsigned int)_i;

	cpus(n);
	join(0, 2);
	join(2, 2);
	sched_set_weight(&d[0], 256);
	sched_set_weight(&d[2], 512);
	for (i = 0; i < 4; i++)
		start(&v[i], i % n);
	run(n, 20000 * MS);
	near((v[2].stats.run_ns + v[3].stats.run_ns) * 3, 40000 * MS * n, 5);
	for (i = 0; i < 4; i++)
		near(v[i].stats.run_ns * 6, (i < 2 ? 20000 : 40000) * MS * n, 10);
}
END_TEST

/* A weight that no pCPU can fulfil: it has one to itself, the others share what is left. */
START_TEST(heavy_one)
{
	unsigned int i;

	cpus(2);
	sched_set_weight(&d[0], 16384);
	for (i = 0; i < 3; i++)
		start(&v[i], i % 2);
	run(2, 20000 * MS);
	near(v[0].stats.run_ns, 20000 * MS, 3);
	near(v[1].stats.run_ns, 10000 * MS, 5);
	near(v[2].stats.run_ns, 10000 * MS, 5);
	/* it goes: both share both, none has to make good for the time before */
	ck_assert(running[0] == &v[0] || running[1] == &v[0]);
	i = running[1] == &v[0];
	ck_assert(sched_block(&v[0]));
	pick(i);
	start(&v[3], 0);
	for (i = 0; i < 4; i++)
		v[i].stats.run_ns = 0;
	run(2, 3000 * MS);
	for (i = 1; i < 4; i++)
		near(v[i].stats.run_ns, 2000 * MS, 10);
}
END_TEST

START_TEST(weight_changes)
{
	unsigned int i;

	cpus(1);
	for (i = 0; i < 3; i++)
		start(&v[i], 0);
	run(1, 1000 * MS);
	sched_set_weight(&d[0], 1024);	/* running or queued, all of them some time */
	sched_set_weight(&d[1], 16);
	run(1, 5 * MS);
	sched_set_weight(&d[1], 1024);
	sched_set_weight(&d[2], 512);
	for (i = 0; i < 3; i++)
		v[i].stats.run_ns = 0;
	run(1, 5000 * MS);
	near(v[0].stats.run_ns, 2000 * MS, 5);
	near(v[1].stats.run_ns, 2000 * MS, 5);
	near(v[2].stats.run_ns, 1000 * MS, 5);
}
END_TEST

/* What a light one ran ahead is less time for a heavy one. */
START_TEST(weight_grows)
{
	cpus(1);
	sched_set_weight(&d[0], 16);
	start(&v[0], 0);
	start(&v[1], 0);
	while (v[0].stats.run_ns < 20 * MS || running[0] != &v[1])
		run(1, MS);
	sched_set_weight(&d[0], 4096);
	v[0].stats.run_ns = 0;
	run(1, 8 * SLICE_NS);
	ck_assert_msg(v[0].stats.run_ns >= 5 * SLICE_NS, "%lu us", v[0].stats.run_ns / 1000);
}
END_TEST

/* Queues drifted apart: who comes from one ahead, or to one whose time stood still, pays not. */
START_TEST(queues_apart)
{
	cpus(2);
	v[0].sched.affinity[0] = 1;
	v[1].sched.affinity[0] = v[2].sched.affinity[0] = 2;
	start(&v[0], 0);
	start(&v[1], 1);
	start(&v[2], 1);
	run(2, 10000 * MS);
	if (_i == 0) {
		ck_assert_int_eq(set_affinity(&v[0], 2, now), 0);
		v[0].stats.run_ns = 0;
		run(2, 900 * MS);
		near(v[0].stats.run_ns, 300 * MS, 20);
		return;
	}
	ck_assert(sched_block(&v[0]));
	if (_i == 1) {
		pick(0);	/* idle; then one is moved there, or taken by it */
		while (running[1] != &v[2])
			run(2, MS);
		ck_assert_int_eq(set_affinity(&v[1], 1, now), 0);
	} else {
		ck_assert_int_eq(set_affinity(&v[1], 3, now), 0);
		ck_assert_int_eq(set_affinity(&v[2], 3, now), 0);
		ck_assert_ptr_nonnull(pick(0));
	}
	v[3].sched.affinity[0] = 1;
	start(&v[3], 0);
	run(2, 600 * MS);
	ck_assert_msg(v[3].stats.run_ns >= 200 * MS, "%lu us", v[3].stats.run_ns / 1000);
}
END_TEST

START_TEST(pause)
{
	u64 ran;

	cpus(1);
	join(0, 3);
	start(&v[0], 0);
	start(&v[1], 0);
	start(&v[3], 0);
	run(1, 100 * MS);
	while (running[0] != &v[0])
		run(1, MS);
	native_resched(~0ull);
	sched_pause(&d[0]);
	ck_assert_uint_eq(native_resched(~0ull), 1);		/* v0 is told */
	ck_assert(v[1].sched.held && !v[1].sched.queued);
	ck_assert(domain_any_running(&d[0]));
	ck_assert(sched_should_preempt(0, &v[0], now));
	pick(0);
	ck_assert_ptr_eq(running[0], &v[3]);
	ck_assert(!domain_any_running(&d[0]));
	ran = v[0].stats.run_ns + v[1].stats.run_ns;
	/* wake-ups are remembered, one that is started too */
	start_held(&v[2]);
	ck_assert_uint_eq(sched_wake(&v[1], now), MAX_CPUS);
	run(1, 1000 * MS);
	ck_assert_uint_eq(ran, v[0].stats.run_ns + v[1].stats.run_ns + v[2].stats.run_ns);
	native_resched(~0ull);
	sched_unpause(&d[0], now);
	ck_assert_uint_eq(native_resched(~0ull), 1);
	v[2].stats.steal_ns = 0;
	run(1, 400 * MS);
	near(v[0].stats.run_ns + v[1].stats.run_ns - ran, 200 * MS, 15);
	near(v[2].stats.run_ns, 100 * MS, 15);
	near(v[2].stats.steal_ns, 300 * MS, 10);	/* the pause is not stolen time */
	/* unpaused before it left: it stays */
	while (running[0] != &v[0])
		run(1, MS);
	sched_pause(&d[0]);
	sched_unpause(&d[0], now);
	ck_assert_int_eq(v[0].state, VCPU_RUNNING);
	ck_assert(v[1].sched.queued && v[2].sched.queued);
	/* between sched_pick() and sched_left(): the pCPU that has its registers gets it back */
	sched_pause(&d[0]);
	sched_stop(&v[3]);
	ck_assert_ptr_null(sched_pick(0, &v[0], now));
	ck_assert(domain_any_running(&d[0]));
	native_resched(~0ull);
	sched_unpause(&d[0], now);
	ck_assert(v[0].sched.queued);
	ck_assert_uint_eq(native_resched(~0ull), 1);
	sched_left(0, &v[0], now);
	running[0] = NULL;
	ck_assert_ptr_nonnull(pick(0));
}
END_TEST

/* Paused before it ran; a sleeper that is woken while paused; a sleeper that is not. */
START_TEST(paused_from_the_start)
{
	cpus(2);
	join(0, 3);
	d[0].sched.paused = true;
	start_held(&v[0]);
	ck_assert_ptr_null(pick(0));
	ck_assert_ptr_null(pick(1));
	sched_unpause(&d[0], now);
	ck_assert_ptr_eq(pick(0), &v[0]);
	start(&v[1], 1);
	ck_assert_ptr_eq(pick(1), &v[1]);
	ck_assert(sched_block(&v[0]) && sched_block(&v[1]));
	pick(0);
	pick(1);
	sched_pause(&d[0]);
	sched_pause(&d[0]);	/* twice is once */
	ck_assert_uint_eq(sched_wake(&v[0], now), MAX_CPUS);
	ck_assert_uint_eq(sched_wake(&v[0], now), MAX_CPUS);
	ck_assert_ptr_null(pick(0));
	sched_unpause(&d[0], now);
	ck_assert_ptr_eq(pick(0), &v[0]);
	ck_assert_int_eq(v[1].state, VCPU_BLOCKED);
	/* about to sleep when the pause comes, woken before it left */
	ck_assert(sched_block(&v[0]));
	sched_pause(&d[0]);
	sched_wake(&v[0], now);
	ck_assert_ptr_null(pick(0));
	ck_assert(v[0].sched.held);
	sched_unpause(&d[0], now);
	ck_assert_ptr_eq(pick(0), &v[0]);
}
END_TEST

/* A domain that ends while it is paused, or out of its cap: vcpu_wake() gets all of it out. */
START_TEST(end_of_the_paused)
{
	unsigned int i;

	cpus(1);
	join(0, 3);
	for (i = 0; i < 3; i++)
		start(&v[i], 0);
	ck_assert_ptr_eq(pick(0), &v[0]);
	ck_assert(sched_block(&v[0]));		/* one sleeps, two are held */
	if (_i)
		sched_pause(&d[0]);
	else
		d[0].sched.out = true;
	pick(0);
	ck_assert_ptr_null(running[0]);
	d[0].ended = 2;
	for (i = 0; i < 3; i++) {
		sched_wake(&v[i], now);
		ck_assert_ptr_nonnull(pick(0));
		sched_stop(running[0]);
		ck_assert(!running[0]->sched.held && !running[0]->sched.queued);
	}
	ck_assert_ptr_null(pick(0));
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(v[i].state, VCPU_STOPPED);
}
END_TEST

static const struct { u32 percent; unsigned int vcpus, cpus; u64 want; } cap_table[] = {
	{ 50, 1, 1, 50 }, { 1, 1, 1, 1 }, { 7, 2, 1, 7 }, { 150, 3, 2, 150 }, { 150, 4, 4, 150 },
	{ 25, 4, 4, 25 }, { 90, 4, 4, 90 }, { 300, 2, 4, 200 }, { 200, 2, 2, 200 },
	{ 6400, 1, 1, 100 },
};

/* Alone on the machine and beside hogs that would take all they get. */
START_TEST(caps)
{
	unsigned int i, n, vcpus = cap_table[_i].vcpus, ncpus = cap_table[_i].cpus;
	u64 sum, hogs;

	step = MS / 16;
	cpus(ncpus);
	join(0, vcpus);
	sched_set_cap(&d[0], cap_table[_i].percent, now);
	for (i = 0; i < vcpus; i++)
		start(&v[i], i % ncpus);
	for (n = 0; n < 2; n++) {
		run(ncpus, 1000 * MS);
		for (sum = i = 0; i < vcpus; i++)
			sum += v[i].stats.run_ns;
		near(sum, cap_table[_i].want * 10 * MS, 5);
		/* idle for a while: nothing is saved up */
		sched_pause(&d[0]);
		run(ncpus, 5000 * MS);
		sched_unpause(&d[0], now);
		for (i = 0; i < vcpus; i++)
			v[i].stats.run_ns = 0;
	}
	if (cap_table[_i].want >= 50 * ncpus)
		return;
	for (i = 0; i < ncpus; i++)
		start(&v[8 + i], i);
	run(ncpus, 1000 * MS);
	for (sum = hogs = i = 0; i < vcpus; i++)
		sum += v[i].stats.run_ns;
	for (i = 0; i < ncpus; i++)
		hogs += v[8 + i].stats.run_ns;
	near(sum, cap_table[_i].want * 10 * MS, 5);
	near(hogs + sum, ncpus * 1000 * MS, 1);
	for (i = 0; i < vcpus; i++)	/* nor do some of them have it all */
		near(v[i].stats.run_ns * vcpus, sum, 25);
}
END_TEST

START_TEST(cap_changes)
{
	cpus(1);
	start(&v[0], 0);
	sched_set_cap(&d[0], 10, now);
	run(1, 1003 * MS);
	near(v[0].stats.run_ns, 100 * MS, 5);
	ck_assert(d[0].sched.out);
	native_resched(~0ull);
	sched_set_cap(&d[0], 0, now);		/* out of budget: on at once */
	ck_assert_uint_eq(native_resched(~0ull), 1);
	v[0].stats.run_ns = 0;
	run(1, 1000 * MS);
	near(v[0].stats.run_ns, 1000 * MS, 1);
	sched_set_cap(&d[0], 40, now);
	v[0].stats.run_ns = 0;
	run(1, 1000 * MS);
	near(v[0].stats.run_ns, 400 * MS, 5);
	sched_domain_gone(&d[0]);
	sched_tick(0, now + 1000 * MS);		/* looks at it no more */
	ck_assert(d[0].sched.out || !v[0].sched.held);
}
END_TEST

START_TEST(affinity_changes)
{
	cpus(3);
	v[0].sched.affinity[0] = v[1].sched.affinity[0] = 1;
	start(&v[0], 0);
	start(&v[1], 0);
	ck_assert_int_eq(set_affinity(&v[0], 0, now), -PARVUS_EINVAL);
	ck_assert_int_eq(set_affinity(&v[0], 8, now), -PARVUS_EINVAL);
	ck_assert_uint_eq(v[0].sched.affinity[0], 1);
	run(1, 20 * MS);
	while (running[0] != &v[1])
		run(1, MS);
	/* queued: it moves at once, and its new pCPU is told */
	native_resched(~0ull);
	ck_assert_int_eq(set_affinity(&v[0], 4, now), 0);
	ck_assert_uint_eq(native_resched(~0ull), 4);
	ck_assert_ptr_eq(pick(2), &v[0]);
	/* running: it is told to leave; who leaves last says where it is */
	native_resched(~0ull);
	ck_assert_int_eq(set_affinity(&v[0], 2, now), 0);
	ck_assert_uint_eq(native_resched(~0ull), 4);
	ck_assert(sched_should_preempt(2, &v[0], now));
	ck_assert_ptr_null(sched_pick(2, &v[0], now));
	ck_assert_ptr_null(sched_pick(1, NULL, now));
	ck_assert_uint_eq(sched_left(2, &v[0], now), 1);
	running[2] = NULL;
	ck_assert_ptr_eq(pick(1), &v[0]);
	/* queued with its registers still on the stack: the pCPU that gets it is told afterwards */
	now += SLICE_NS;
	v[2].sched.affinity[0] = 2;
	start(&v[2], 1);
	now += 10 * SLICE_NS;
	ck_assert_ptr_eq(sched_pick(1, &v[0], now), &v[2]);
	running[1] = &v[2];
	ck_assert_int_eq(set_affinity(&v[0], 4, now), 0);
	ck_assert_ptr_null(sched_pick(2, NULL, now));
	ck_assert_uint_eq(sched_left(1, &v[0], now), 2);
	ck_assert_ptr_eq(pick(2), &v[0]);
	/* asleep, even on its way: where it wakes is where it may */
	ck_assert(sched_block(&v[0]));
	ck_assert_int_eq(set_affinity(&v[0], 3, now), 0);
	ck_assert_uint_eq(sched_wake(&v[0], now), MAX_CPUS);
	pick(2);
	ck_assert_uint_le(v[0].sched.cpu, 1);
	ck_assert(v[0].sched.queued);
}
END_TEST

START_TEST(figures)
{
	struct sched_cpu_stats c;

	cpus(1);
	pick(0);
	now += 100 * MS;
	start(&v[0], 0);
	start(&v[1], 0);
	now += 2 * MS;
	pick(0);
	now += 5 * MS;
	/* in the middle of a run */
	ck_assert_uint_eq(running[0]->stats.run_ns, 0);
	ck_assert_uint_eq(sched_run_ns(running[0], now), 5 * MS);
	sched_cpu_stats(0, now, &c);
	ck_assert_uint_eq(c.idle_ns, 102 * MS);
	ck_assert_uint_eq(c.busy_ns, 5 * MS);
	ck_assert_uint_eq(c.switches, 1);
	ck_assert_uint_eq(v[0].stats.steal_ns + v[1].stats.steal_ns, 2 * MS);
	pick(0);
	pick(0);	/* equal: whoever it is, one switch at most is one more */
	now += 8 * MS;
	pick(0);
	sched_cpu_stats(0, now, &c);
	ck_assert_uint_eq(c.busy_ns, 13 * MS);
	ck_assert_uint_eq(v[0].stats.run_ns + v[1].stats.run_ns, 13 * MS);
	/* each ns since the start is run or stolen, of both */
	ck_assert_uint_eq(v[0].stats.run_ns + v[0].stats.steal_ns + v[1].stats.run_ns +
				  v[1].stats.steal_ns + (now - v[running[0] == &v[0]].sched.ready),
			  30 * MS);
}
END_TEST

/* A domain that slept has its pCPU within a slice though hogs fill all of them. */
START_TEST(timer_beside_hogs)
{
	unsigned int i, n;
	u64 worst = 0, from;

	step = MS / 16;
	cpus(2);
	for (i = 0; i < 6; i++)
		start(&v[i], i % 2);
	start(&v[6], 0);
	sched_set_weight(&d[0], 4096);
	for (n = 0; n < 300; n++) {
		for (from = now; running[0] != &v[6] && running[1] != &v[6];)
			run(2, step);
		worst = n > 3 ? max(worst, now - from) : 0;
		i = running[1] == &v[6];
		now += MS / 10;
		ck_assert(sched_block(&v[6]));
		pick(i);
		run(2, MS);
		kick(sched_wake(&v[6], now));
	}
	ck_assert_msg(worst <= SLICE_NS, "%lu us", worst / 1000);
}
END_TEST

/* Anything at any time: nobody runs twice, outside its mask or paused, nobody is forgotten. */
static void random_run(u64 seed)
{
	static struct vcpu *leaving[3];
	unsigned int n, i, cpu;

	memset(running, 0, sizeof(running));
	memset(leaving, 0, sizeof(leaving));
	for (i = 0; i < MAX_V; i++)
		sched_domain_gone(&d[i]);
	setup();
	cpus(3);
	join(0, 3);
	join(4, 2);
	for (i = 0; i < 8; i++) {
		sched_set_weight(v[i].domain, 64 << below(5));
		start(&v[i], i % 3);
	}
	for (n = 0; n < 30000; n++) {
		struct vcpu *x = &v[below(8)];

		now += below(MS);
		cpu = (unsigned int)below(3);
		/* one that was about to leave does, some time before its pCPU picks again */
		if (leaving[cpu] && chance(2)) {
			kick(sched_left(cpu, leaving[cpu], now));
			leaving[cpu] = NULL;
		}
		switch (below(14)) {
		case 0:
			if (running[cpu] && running[cpu]->state == VCPU_RUNNING)
				sched_block(running[cpu]);
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
			ck_assert_int_eq(set_affinity(x, 1 + below(7), now), 0);
			break;
		case 5:
			sched_pause(x->domain);
			break;
		case 6:
		case 7:
			sched_unpause(x->domain, now);
			break;
		case 8:
			sched_set_cap(x->domain, chance(2) ? 0 : 1 + (u32)below(200), now);
			break;
		case 9:
			sched_set_weight(x->domain, 16 << below(9));
			break;
		case 10:
			sched_tick(cpu, now);
			break;
		default:
			if (!leaving[cpu]) {
				struct vcpu *prev = running[cpu];

				running[cpu] = sched_pick(cpu, prev, now);
				leaving[cpu] = prev != running[cpu] ? prev : NULL;
				x = running[cpu];
				EXPECT(!x || (x->sched.affinity[0] >> cpu & 1 &&
					      !x->domain->sched.paused),
				       "seed %lu step %u: may not run here", (unsigned long)seed,
				       n);
			}
		}
		for (cpu = 0; cpu < 3; cpu++)
			for (i = 0; i < 3; i++)
				EXPECT(!running[cpu] || ((i == cpu || running[cpu] != running[i]) &&
							 running[cpu] != leaving[i] &&
							 !running[cpu]->sched.queued),
				       "seed %lu step %u: runs twice", (unsigned long)seed, n);
		for (i = 0; i < 8; i++) {
			x = &v[i];
			EXPECT(!x->sched.queued || (x->sched.affinity[0] >> x->sched.cpu & 1),
			       "seed %lu step %u: queued outside its mask", (unsigned long)seed, n);
			EXPECT(!(x->sched.queued && x->domain->sched.paused),
			       "seed %lu step %u: queued and paused", (unsigned long)seed, n);
			EXPECT(x->state != VCPU_RUNNABLE || x->sched.queued != x->sched.held,
			       "seed %lu step %u: lost", (unsigned long)seed, n);
		}
	}
	for (cpu = 0; cpu < 3; cpu++)
		if (leaving[cpu])
			kick(sched_left(cpu, leaving[cpu], now));
	for (i = 0; i < 8; i++) {
		set_affinity(&v[i], 7, now);
		sched_set_weight(v[i].domain, 256);
		sched_set_cap(v[i].domain, 0, now);
		sched_unpause(v[i].domain, now);
	}
	/* all awake: all run within a while, and soon as fairly as if nothing had been */
	for (cpu = 0; cpu < 3; cpu++)
		pick(cpu);
	for (i = 0; i < 8; i++)
		sched_wake(&v[i], now);
	run(3, 5000 * MS);
	for (i = 0; i < 8; i++)
		v[i].stats.run_ns = 0;
	run(3, 8000 * MS);
	for (i = 0; i < 8; i++)
		EXPECT(v[i].stats.run_ns > 2700 * MS && v[i].stats.run_ns < 3300 * MS,
		       "seed %lu: vcpu %u ran %lu us, state %u", (unsigned long)seed,
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

/*
 * The same with a thread for each pCPU, which sleeps until it is kicked or its timer is due,
 * and one for the rest of the world: the races of moves, pauses and kicks.
 */
static u32 stop, owners[MAX_V];

static u64 clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

static void *cpu_thread(void *arg)
{
	unsigned int cpu = (unsigned int)(u64)arg, n = 0;
	struct vcpu *prev = NULL, *next;
	u64 due = 0;

	native_this_cpu = 1 + cpu;	/* the test itself is 0 */
	while (!READ_ONCE(stop)) {
		bool kicked = native_resched(1ull << cpu);

		if (!kicked && !(due && due <= clock_ns()) && !(prev && n++ % 64 == 0)) {
			sched_yield();
			continue;
		}
		sched_tick(cpu, clock_ns());
		if (prev && n % 7 == 0)
			sched_block(prev);
		if (!prev || prev->state != VCPU_RUNNING ||
		    sched_should_preempt(cpu, prev, clock_ns())) {
			next = sched_pick(cpu, prev, clock_ns());
			if (prev && prev != next) {
				EXPECT(atomic_xchg_u32(&owners[prev - v], 0) == cpu + 1, "owner");
				kick(sched_left(cpu, prev, clock_ns()));
			}
			if (next && next != prev)
				EXPECT(!atomic_xchg_u32(&owners[next - v], cpu + 1),
				       "vcpu %ld runs twice", next - v);
			prev = next;
		}
		due = sched_slice_end(cpu, prev, clock_ns());
	}
	running[cpu] = prev;
	return NULL;
}

START_TEST(threads)
{
	pthread_t thread[3];
	u64 end, rounds = 0, quiet = 0;
	unsigned int i;

	now = clock_ns();
	cpus(3);
	join(0, 4);
	join(4, 2);
	for (i = 0; i < 8; i++)
		start(&v[i], i % 3);
	for (i = 0; i < 3; i++)
		pcpu_kick(i, WORK_RESCHED);
	for (i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, cpu_thread, (void *)(u64)i);
	for (end = clock_ns() + 3000 * MS; clock_ns() < end; rounds++) {
		struct vcpu *x = &v[below(8)];
		struct domain *dom = x->domain;
		u64 patience = clock_ns() + 2000 * MS;

		kick(sched_wake(x, clock_ns()));
		switch (below(6)) {
		case 0:
			sched_pause(dom);
			while (domain_any_running(dom)) {
				EXPECT(clock_ns() < patience, "it does not leave");
				sched_yield();
			}
			for (i = 0; i < dom->vcpu_count; i++) {
				kick(sched_wake(dom->vcpus[i], clock_ns()));
				EXPECT(!READ_ONCE(owners[dom->vcpus[i] - v]) &&
					       !dom->vcpus[i]->sched.queued,
				       "runs or is queued though paused");
			}
			EXPECT(!domain_any_running(dom), "runs again");
			quiet++;
			sched_unpause(dom, clock_ns());
			break;
		case 1:
			set_affinity(x, 1 + below(7), clock_ns());
			break;
		case 2:
			sched_set_weight(dom, 16 << below(9));
			break;
		case 3:
			sched_set_cap(dom, chance(2) ? 0 : 1 + (u32)below(200), clock_ns());
			break;
		}
	}
	ck_assert_uint_gt(rounds, 100);
	ck_assert_uint_gt(quiet, 10);
	/* every bar lifted, all are awake again and again: each of them runs */
	for (i = 0; i < 8; i++) {
		sched_set_cap(v[i].domain, 0, clock_ns());
		sched_set_weight(v[i].domain, 256);
		v[i].stats.steal_ns = v[i].stats.run_ns = 0;
	}
	for (end = clock_ns() + 1500 * MS; clock_ns() < end; sched_yield())
		kick(sched_wake(&v[below(8)], clock_ns()));
	WRITE_ONCE(stop, 1);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < 8; i++)
		ck_assert_msg(v[i].stats.run_ns > 0,
			      "vcpu %u ran no more, state %u, cpu %u, queued %d", i, v[i].state,
			      v[i].sched.cpu, v[i].sched.queued);
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
	tcase_add_test(c, debt_over_stop);
	tcase_add_test(c, sleeper_has_bounded_credit);
	tcase_add_test(c, credit_against_a_lone_hog);
	tcase_add_test(c, wake_up_latency);
	tcase_add_test(c, block_and_wake);
	tcase_add_test(c, sleeps_where_it_is);
	tcase_add_test(c, start_and_stop);
	tcase_add_test(c, wakes_on_an_idle_cpu);
	tcase_add_test(c, steals);
	tcase_add_test(c, no_theft_of_a_running_context);
	tcase_add_test(c, affinity);
	tcase_add_test(c, many_cpus);
	tcase_add_test(c, yields);
	tcase_add_test(c, slices);
	tcase_add_test(c, three_on_two);
	tcase_add_loop_test(c, domains_by_weight, 1, 3);
	tcase_add_test(c, heavy_one);
	tcase_add_test(c, weight_changes);
	tcase_add_test(c, weight_grows);
	tcase_add_loop_test(c, queues_apart, 0, 3);
	tcase_add_test(c, pause);
	tcase_add_test(c, paused_from_the_start);
	tcase_add_loop_test(c, end_of_the_paused, 0, 2);
	tcase_add_loop_test(c, caps, 0, ARRAY_SIZE(cap_table));
	tcase_add_test(c, cap_changes);
	tcase_add_test(c, affinity_changes);
	tcase_add_test(c, figures);
	tcase_add_test(c, timer_beside_hogs);
	tcase_add_test(c, random_use);
	tcase_add_test(c, threads);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	return native_main(s);
}
