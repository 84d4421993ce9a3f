// SPDX-License-Identifier: GPL-2.0-only
/*
 * timer.c and the TSC of a deadline: against a plain array of deadlines; heap order, cancel,
 * re-arm, other pCPU, full.
 */
#include "native.h"
#include <x86/cpu.h>

static struct timer t[TIMERS_PER_CPU + 2];
static unsigned int fired[64], fires;

static void fire(struct timer *x)
{
	ck_assert_uint_eq(x->deadline, 0);
	ck_assert_uint_eq(x->heap_index, 0);
	if (fires < ARRAY_SIZE(fired))
		fired[fires] = (unsigned int)(x - t);
	fires++;
}

static void setup(void)
{
	unsigned int i;

	native_boot(2 * EXTENT_FRAMES, 1);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(timer_init_cpu(i), 0);
	for (i = 0; i < ARRAY_SIZE(t); i++)
		t[i].fire = fire;
}

START_TEST(order)
{
	static const u64 deadlines[] = { 50, 10, 40, 30, 20, 60, 5, 45 };
	unsigned int i;
	u64 last = 0;

	ck_assert_uint_eq(timer_next(0), 0);
	for (i = 0; i < ARRAY_SIZE(deadlines); i++)
		ck_assert_int_eq(timer_set(&t[i], 0, deadlines[i]), 0);
	ck_assert_uint_eq(timer_next(0), 5);
	timer_run(0, 4);
	ck_assert_uint_eq(fires, 0);
	timer_run(0, 30);
	ck_assert_uint_eq(fires, 4);
	for (i = 0; i < 4; i++) {
		ck_assert_uint_gt(deadlines[fired[i]], last);
		last = deadlines[fired[i]];
	}
	ck_assert_uint_eq(timer_next(0), 40);
	timer_run(0, 1000);
	ck_assert_uint_eq(fires, 8);
	ck_assert_uint_eq(timer_next(0), 0);
}
END_TEST

START_TEST(cancel)
{
	timer_cancel(&t[0]);		/* never armed */
	timer_set(&t[0], 0, 10);
	timer_set(&t[1], 0, 20);
	timer_cancel(&t[0]);
	ck_assert_uint_eq(timer_next(0), 20);
	timer_cancel(&t[0]);		/* twice */
	timer_run(0, 100);
	ck_assert_uint_eq(fires, 1);
	ck_assert_uint_eq(fired[0], 1);
	timer_cancel(&t[1]);		/* has fired */
	ck_assert_int_eq(timer_set(&t[1], 0, 200), 0);
	timer_run(0, 200);
	ck_assert_uint_eq(fires, 2);
}
END_TEST

START_TEST(rearm)
{
	timer_set(&t[0], 0, 10);
	timer_set(&t[1], 0, 20);
	timer_set(&t[2], 0, 30);
	timer_set(&t[0], 0, 25);	/* later */
	ck_assert_uint_eq(timer_next(0), 20);
	timer_set(&t[2], 0, 5);		/* earlier */
	ck_assert_uint_eq(timer_next(0), 5);
	timer_run(0, 100);
	ck_assert_uint_eq(fires, 3);
	ck_assert_uint_eq(fired[0], 2);
	ck_assert_uint_eq(fired[1], 1);
	ck_assert_uint_eq(fired[2], 0);
}
END_TEST

START_TEST(other_cpu)
{
	timer_set(&t[0], 0, 10);
	timer_set(&t[1], 0, 15);
	timer_set(&t[0], 2, 20);
	ck_assert_uint_eq(timer_next(0), 15);
	ck_assert_uint_eq(timer_next(2), 20);
	ck_assert_uint_eq(timer_next(1), 0);
	timer_run(0, 100);
	ck_assert_uint_eq(fires, 1);
	timer_run(2, 100);
	ck_assert_uint_eq(fires, 2);
	ck_assert_uint_eq(fired[1], 0);
	timer_set(&t[0], 1, 30);
	timer_cancel(&t[0]);
	ck_assert_uint_eq(timer_next(1), 0);
}
END_TEST

START_TEST(full)
{
	unsigned int i;

	for (i = 0; i < TIMERS_PER_CPU; i++)
		ck_assert_int_eq(timer_set(&t[i], 0, 1000 + (i * 7919u) % 4096), 0);
	ck_assert_int_eq(timer_set(&t[i], 0, 1), -PARVUS_ENOMEM);
	ck_assert_uint_eq(t[i].heap_index, 0);
	ck_assert_uint_eq(timer_next(0), 1000);
	/* one that is in may move; one that leaves makes room */
	ck_assert_int_eq(timer_set(&t[5], 0, 2), 0);
	ck_assert_uint_eq(timer_next(0), 2);
	timer_cancel(&t[7]);
	ck_assert_int_eq(timer_set(&t[i], 0, 1), 0);
	ck_assert_uint_eq(timer_next(0), 1);
	/* from a pCPU with room to a full one: refused, and armed nowhere */
	ck_assert_int_eq(timer_set(&t[i + 1], 1, 50), 0);
	ck_assert_int_eq(timer_set(&t[i + 1], 0, 50), -PARVUS_ENOMEM);
	ck_assert_uint_eq(timer_next(1), 0);
	timer_cancel(&t[i + 1]);
	timer_run(0, ~0ull);
	ck_assert_uint_eq(fires, TIMERS_PER_CPU);
	ck_assert_uint_eq(timer_next(0), 0);
}
END_TEST

#define MODEL	200u

static u64 model[MODEL];	/* 0 = not armed */
static unsigned int model_cpu[MODEL];
static u64 now;

static void fire_model(struct timer *x)
{
	size_t k = (size_t)(x - t);

	ck_assert_uint_ne(model[k], 0);
	ck_assert_uint_le(model[k], now);
	model[k] = 0;
}

static u64 model_next(unsigned int cpu)
{
	u64 best = 0;
	unsigned int i;

	for (i = 0; i < MODEL; i++)
		if (model[i] && model_cpu[i] == cpu && (!best || model[i] < best))
			best = model[i];
	return best;
}

static void random_run(u64 seed)
{
	unsigned int n, i, cpu;

	(void)seed;
	for (i = 0; i < MODEL; i++)
		t[i].fire = fire_model;
	for (n = 0; n < 20000; n++) {
		u64 k = below(MODEL);

		cpu = (unsigned int)below(3);
		switch (below(5)) {
		case 0:
			timer_cancel(&t[k]);
			model[k] = 0;
			break;
		case 1:
			now += below(50);
			timer_run(cpu, now);
			ck_assert(!model_next(cpu) || model_next(cpu) > now);
			break;
		default:
			model[k] = now + 1 + below(1000);
			model_cpu[k] = cpu;
			ck_assert_int_eq(timer_set(&t[k], cpu, model[k]), 0);
		}
		for (cpu = 0; cpu < 3; cpu++)
			EXPECT(timer_next(cpu) == model_next(cpu), "next on %u", cpu);
	}
}

START_TEST(random_use) { for_seeds(2, random_run); }
END_TEST

/* Armed for the earlier of two times, wherever it was armed. */
START_TEST(before)
{
	ck_assert_int_eq(timer_set_before(&t[0], 0, 50), 0);
	ck_assert_int_eq(timer_set_before(&t[0], 2, 60), 0);
	ck_assert_uint_eq(timer_next(0), 50);
	ck_assert_uint_eq(timer_next(2), 0);
	ck_assert_int_eq(timer_set_before(&t[0], 2, 40), 0);
	ck_assert_uint_eq(timer_next(0), 0);
	ck_assert_uint_eq(timer_next(2), 40);
	timer_run(2, 40);
	ck_assert_uint_eq(fires, 1);
	ck_assert_int_eq(timer_set_before(&t[0], 2, 90), 0);
	ck_assert_uint_eq(timer_next(2), 90);
}
END_TEST

static void again(struct timer *x)
{
	fires++;
	x->deadline = fires < 5 ? fires * 10 : 0;
}

/* fire() asks for more, among others. */
START_TEST(fires_again)
{
	t[0].fire = again;
	timer_set(&t[0], 0, 1);
	timer_set(&t[1], 0, 25);
	timer_run(0, 1);
	ck_assert_uint_eq(fires, 1);
	ck_assert_uint_eq(timer_next(0), 10);
	timer_run(0, 25);
	ck_assert_uint_eq(fires, 4);
	ck_assert_uint_eq(fired[3], 1);
	ck_assert_uint_eq(timer_next(0), 30);
	timer_cancel(&t[0]);
	ck_assert_uint_eq(timer_next(0), 0);
	timer_set(&t[0], 0, 50);
	timer_run(0, 100);
	ck_assert_uint_eq(fires, 5);
	ck_assert_uint_eq(timer_next(0), 0);
}
END_TEST

/*
 * The TSC of a deadline, for machines faster and longer up than any we have: a guest may ask for
 * any number of nanoseconds, and what does not fit is never, not a division that faults.
 */
START_TEST(deadline_saturates)
{
	static const u64 khz[] = { 100000, 2000000, 3999999, 4000000, 4000001, 6000000, 100000000 };
	static const u64 ns[] = { 0, 1, 999999, 1ull << 61, 1ull << 62, (1ull << 62) + 1, ~0ull / 4,
				  ~0ull / 2, ~0ull - 1, ~0ull };
	static const u64 base[] = { 0, 1, 1ull << 63, ~0ull - 1, ~0ull };
	unsigned int i, j, k;

	for (i = 0; i < ARRAY_SIZE(khz); i++)
		for (j = 0; j < ARRAY_SIZE(ns); j++)
			for (k = 0; k < ARRAY_SIZE(base); k++) {
				unsigned __int128 want =
					(unsigned __int128)ns[j] * khz[i] / 1000000;

				want += (unsigned __int128)base[k] + 1;
				if (want > ~0ull)
					want = ~0ull;
				ck_assert_uint_eq(tsc_at(base[k], ns[j], khz[i]), (u64)want);
			}
	ck_assert_uint_eq(mul_div(~0ull, ~0ull, 1), ~0ull);
	ck_assert_uint_eq(mul_div(1, 1, 0), ~0ull);
	ck_assert_uint_eq(mul_div(10, 10, 3), 33);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("timer");
	TCase *c = tcase_create("timer");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, order);
	tcase_add_test(c, cancel);
	tcase_add_test(c, rearm);
	tcase_add_test(c, before);
	tcase_add_test(c, fires_again);
	tcase_add_test(c, other_cpu);
	tcase_add_test(c, full);
	tcase_add_test(c, random_use);
	tcase_add_test(c, deadline_saturates);
	suite_add_tcase(s, c);
	return native_main(s);
}
