// SPDX-License-Identifier: GPL-2.0-only
/* The timer heap (hypervisor/timer.c). */
#include "native.h"

#define N 500
static struct timer t[N];
static u64 fired_at[N];
static unsigned int fired;
static u64 last;

static void fire(struct timer *x)
{
	u64 i = (u64)(x - t);

	ck_assert_uint_eq(x->deadline, 0);
	ck_assert_uint_ge(fired_at[i], last);
	last = fired_at[i];
	fired++;
}

static void setup(void)
{
	machine_reset();
	memset(t, 0, sizeof(t));
	fired = 0;
	last = 0;
	for (unsigned int c = 0; c < FAKE_CPUS; c++)
		ck_assert_int_eq(timer_init_cpu(c), 0);
	for (int i = 0; i < N; i++)
		t[i].fire = fire;
}

START_TEST(order)
{
	random_seed(1);
	for (int i = 0; i < N; i++) {
		fired_at[i] = 1 + random_below(100000);
		ck_assert_int_eq(timer_set(&t[i], 0, fired_at[i]), 0);
	}
	for (u64 now = 0; now <= 100000; now += 1000) {
		timer_run(0, now);
		ck_assert(!timer_next(0) || timer_next(0) > now);
	}
	ck_assert_uint_eq(fired, N);
	ck_assert_uint_eq(timer_next(0), 0);
}
END_TEST

START_TEST(rearm_cancel_move)
{
	unsigned int armed = 0;

	random_seed(2);
	for (int n = 0; n < 50000; n++) {
		u64 i = random_below(N);

		switch (random_below(4)) {
		case 0:
			timer_cancel(&t[i]);
			ck_assert_uint_eq(t[i].heap_index, 0);
			break;
		default:
			fired_at[i] = 1 + random_below(1000000);
			ck_assert_int_eq(timer_set(&t[i], (unsigned int)random_below(FAKE_CPUS), fired_at[i]), 0);
		}
	}
	for (int i = 0; i < N; i++)
		armed += t[i].heap_index != 0;
	for (unsigned int c = 0; c < FAKE_CPUS; c++) {
		last = 0;
		timer_run(c, ~0ull);
		ck_assert_uint_eq(timer_next(c), 0);
	}
	ck_assert_uint_eq(fired, armed);
}
END_TEST

START_TEST(not_early)
{
	fired_at[0] = 100;
	timer_set(&t[0], 1, 100);
	timer_run(1, 99);
	timer_run(0, 1000);
	ck_assert_uint_eq(fired, 0);
	timer_run(1, 100);
	ck_assert_uint_eq(fired, 1);
	timer_run(1, 1000);
	ck_assert_uint_eq(fired, 1);
}
END_TEST

START_TEST(full)
{
	struct timer *many = calloc(TIMERS_PER_CPU + 1, sizeof(*many));

	for (unsigned int i = 0; i < TIMERS_PER_CPU; i++)
		ck_assert_int_eq(timer_set(&many[i], 0, i + 1), 0);
	ck_assert_int_eq(timer_set(&many[TIMERS_PER_CPU], 0, 1), -PARVUS_ENOMEM);
	timer_cancel(&many[17]);
	ck_assert_int_eq(timer_set(&many[TIMERS_PER_CPU], 0, 1), 0);
	free(many);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("timer");
	TCase *c = tcase_create("timer");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, order);
	tcase_add_test(c, rearm_cancel_move);
	tcase_add_test(c, not_early);
	tcase_add_test(c, full);
	suite_add_tcase(s, c);
	return run_suite(s);
}
