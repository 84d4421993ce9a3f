// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limit of back ends (pv-drivers/common/limit.h): what may be had in a time is rate
 * times time and one burst, whatever the pieces are; a debt is waited for; a limit that
 * is set to what it was goes on, another one begins anew.
 */
#include <check.h>
#include <stdlib.h>
#include "limit.h"

#define MS	1000000ull

/* Bytes that are taken in @ms, in pieces of up to @piece, by somebody who never rests. */
static unsigned long long taken(struct parvus_limit *l, unsigned long long start,
				unsigned int ms, unsigned int piece)
{
	unsigned long long now = start, sum = 0, wait;

	while (now < start + ms * MS) {
		unsigned int n = 1 + rand() % piece;

		wait = parvus_limit_wait(l, now);
		if (wait) {
			/* a moment before that it is too early */
			ck_assert_uint_ne(parvus_limit_wait(l, now + wait - 1), 0);
			ck_assert_uint_eq(parvus_limit_wait(l, now + wait), 0);
			now += wait;
			continue;
		}
		parvus_limit_take(l, now, n);
		sum += n;
	}
	return sum;
}

static const unsigned int pieces[] = { 100, 1500, 65536, 1 << 20 };

START_TEST(rate)
{
	struct parvus_limit l = { 0 };
	unsigned long long sum;

	parvus_limit_set(&l, 1000000, 50 * MS);
	sum = taken(&l, 5000 * MS, 2000, pieces[_i]);
	ck_assert_uint_ge(sum, 2000000);
	/* a burst, and the debt of the last one; each piece is paid for to the ns */
	ck_assert_uint_le(sum, 2000000 + 50000 + 2 * pieces[_i] + 10);
	/* who rests has a burst again, and no more */
	sum = taken(&l, 100000 * MS, 1, 1);
	ck_assert_uint_ge(sum, 50000);
	ck_assert_uint_le(sum, 51002);
}
END_TEST

START_TEST(none)
{
	struct parvus_limit l = { 0 };

	parvus_limit_take(&l, 1, ~0ull);
	ck_assert_uint_eq(parvus_limit_wait(&l, 0), 0);
}
END_TEST

START_TEST(set)
{
	struct parvus_limit l = { 0 };

	parvus_limit_set(&l, 1000, 100 * MS);
	parvus_limit_take(&l, 1000 * MS, 1 << 20);	/* 1048 s */
	ck_assert_uint_eq(parvus_limit_wait(&l, 1000 * MS), 1048576 * MS - 100 * MS);
	parvus_limit_set(&l, 1000, 100 * MS);
	ck_assert_uint_ne(parvus_limit_wait(&l, 1000 * MS), 0);
	parvus_limit_set(&l, 2000, 100 * MS);
	ck_assert_uint_eq(parvus_limit_wait(&l, 1000 * MS), 0);
	/* what is too much for the arithmetic is a long wait, and no short one */
	parvus_limit_set(&l, 1, 0);
	parvus_limit_take(&l, 0, ~0ull);
	ck_assert_uint_ge(parvus_limit_wait(&l, 0), PARVUS_LIMIT_AMOUNT * PARVUS_LIMIT_SECOND);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("limit");
	TCase *t = tcase_create("limit");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, rate, 0, sizeof(pieces) / sizeof(pieces[0]));
	tcase_add_test(t, none);
	tcase_add_test(t, set);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
