// SPDX-License-Identifier: GPL-2.0-only
/* The scheduler on a clock of the test's own (hypervisor/sched.c). */
#include "native.h"

#define MS 1000000ull
static struct vcpu v[8];

static void setup_cpus(unsigned int cpus)
{
	machine_reset();
	memset(v, 0, sizeof(v));
	sched_reset();
	for (unsigned int c = 0; c < cpus; c++)
		sched_init_cpu(c);
	for (unsigned int i = 0; i < ARRAY_SIZE(v); i++) {
		v[i].sched.weight = 256;
		v[i].sched.affinity = ~0ull;
		v[i].sched.cpu = i % cpus;
	}
}

static void begin(struct vcpu *x, u64 now)
{
	ck_assert(sched_start(x));
	ck_assert_uint_ne(sched_wake(x, now), MAX_CPUS);
}

/* Run one pCPU for a time in slices; everybody is a hog. */
static struct vcpu *spin(unsigned int cpu, struct vcpu *cur, u64 *now, u64 until)
{
	while (*now < until) {
		struct vcpu *next = sched_pick(cpu, cur, *now);

		if (cur && next != cur)
			sched_left(cur);
		cur = next;
		ck_assert_ptr_nonnull(cur);
		do
			*now += MS / 4;
		while (!sched_should_preempt(cpu, cur, *now) && *now < until);
	}
	return cur;
}

START_TEST(fair_by_weight)
{
	static const u64 weights[] = { 256, 512, 1024 };
	u64 now = 1000, total = 0;

	setup_cpus(1);
	for (int i = 0; i < 3; i++) {
		sched_set_weight(&v[i], weights[i]);
		begin(&v[i], now);
	}
	spin(0, NULL, &now, 7000 * MS);
	for (int i = 0; i < 3; i++)
		total += v[i].stats.run_ns;
	for (int i = 0; i < 3; i++) {
		u64 want = total * weights[i] / 1792;

		ck_assert_msg(v[i].stats.run_ns > want * 95 / 100 && v[i].stats.run_ns < want * 105 / 100,
			      "weight %lu ran %lu of %lu", (unsigned long)weights[i],
			      (unsigned long)v[i].stats.run_ns, (unsigned long)total);
	}
}
END_TEST

START_TEST(sleeper_preempts_but_saves_nothing)
{
	u64 now = 1000, before;
	struct vcpu *cur;

	setup_cpus(1);
	begin(&v[0], now);
	begin(&v[1], now);
	cur = spin(0, NULL, &now, 100 * MS);
	/* v1 sleeps for a second */
	while (cur != &v[1]) {
		struct vcpu *next;

		now += 10 * MS;
		next = sched_pick(0, cur, now);
		if (next != cur)
			sched_left(cur);
		cur = next;
	}
	ck_assert(sched_block(cur));
	cur = sched_pick(0, cur, now);
	sched_left(&v[1]);
	ck_assert_ptr_eq(cur, &v[0]);
	cur = spin(0, cur, &now, now + 1000 * MS);
	ck_assert_uint_ne(sched_wake(&v[1], now), MAX_CPUS);
	now += SLICE_NS / 2;
	ck_assert(sched_should_preempt(0, cur, now + SLICE_NS));
	/* it gets its share from now on, not the second that it slept */
	before = v[1].stats.run_ns;
	cur = spin(0, cur, &now, now + 200 * MS);
	ck_assert_uint_lt(v[1].stats.run_ns - before, 115 * MS);
	ck_assert_uint_gt(v[1].stats.run_ns - before, 85 * MS);
}
END_TEST

START_TEST(block_and_wake)
{
	struct vcpu *cur;

	setup_cpus(1);
	begin(&v[0], 1);
	cur = sched_pick(0, NULL, 1);
	ck_assert_ptr_eq(cur, &v[0]);
	/* something is pending: no sleep */
	vcpu_raise(cur, 40);
	ck_assert(!sched_block(cur));
	ck_assert_int_eq(cur->state, VCPU_RUNNING);
	cur->vectors[0] = 0;
	/* woken before it left the CPU: it stays */
	ck_assert(sched_block(cur));
	ck_assert_uint_eq(sched_wake(cur, 2), MAX_CPUS);
	ck_assert_ptr_eq(sched_pick(0, cur, 3), cur);
	/* woken between the choice of another and the end of its own saving: queued again */
	ck_assert(sched_block(cur));
	ck_assert_ptr_null(sched_pick(0, cur, 4));
	ck_assert_uint_eq(sched_wake(cur, 5), MAX_CPUS);
	ck_assert(sched_left(cur));
	ck_assert_ptr_eq(sched_pick(0, NULL, 6), cur);
	/* woken twice: once is enough */
	ck_assert(sched_block(cur));
	ck_assert_ptr_null(sched_pick(0, cur, 7));
	ck_assert(!sched_left(cur));
	ck_assert_uint_eq(sched_wake(cur, 8), 0);
	ck_assert_uint_eq(sched_wake(cur, 8), MAX_CPUS);
	/* stopped in the queue: gone from it */
	sched_stop(cur);
	ck_assert_ptr_null(sched_pick(0, NULL, 9));
	ck_assert(sched_start(cur));
	ck_assert(!sched_start(cur));
}
END_TEST

START_TEST(spreads_steals_and_obeys_affinity)
{
	struct vcpu *a, *b;

	setup_cpus(2);
	for (int i = 0; i < 3; i++) {
		v[i].sched.cpu = 0;
		begin(&v[i], 1);
	}
	a = sched_pick(0, NULL, 2);
	b = sched_pick(1, NULL, 2);
	ck_assert(a && b && a != b);
	/* the third waits somewhere; a CPU that runs dry takes it */
	ck_assert(sched_block(b));
	b = sched_pick(1, b, 3);
	ck_assert_ptr_nonnull(b);
	/* one that is still being saved elsewhere cannot be taken */
	setup_cpus(2);
	v[0].sched.cpu = v[1].sched.cpu = 0;
	sched_set_affinity(&v[0], 1);
	sched_set_affinity(&v[1], 1);
	begin(&v[0], 1);
	begin(&v[1], 1);
	a = sched_pick(0, NULL, 2);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_null(sched_pick(1, NULL, 2));	/* affinity */
	sched_set_affinity(&v[0], 3);
	sched_set_affinity(&v[1], 3);
	b = sched_pick(0, a, 50 * MS);
	ck_assert_ptr_ne(b, a);
	ck_assert_ptr_null(sched_pick(1, NULL, 50 * MS));
	sched_left(a);
	ck_assert_ptr_eq(sched_pick(1, NULL, 50 * MS), a);
}
END_TEST

START_TEST(yields)
{
	struct vcpu *a, *b;

	setup_cpus(1);
	begin(&v[0], 1);
	begin(&v[1], 1);
	a = sched_pick(0, NULL, 2);
	for (int i = 0; i < 20; i++) {
		sched_yield_to(0, a, 3 + (u64)i);
		b = sched_pick(0, a, 3 + (u64)i);
		ck_assert_ptr_ne(a, b);
		sched_left(a);
		a = b;
	}
	ck_assert_uint_ne(sched_slice_end(0, a, 100), 0);
	sched_stop(&v[a == &v[0]]);
	ck_assert_uint_eq(sched_slice_end(0, a, 100), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sched");
	TCase *c = tcase_create("sched");

	tcase_add_test(c, fair_by_weight);
	tcase_add_test(c, sleeper_preempts_but_saves_nothing);
	tcase_add_test(c, block_and_wake);
	tcase_add_test(c, spreads_steals_and_obeys_affinity);
	tcase_add_test(c, yields);
	suite_add_tcase(s, c);
	return run_suite(s);
}
