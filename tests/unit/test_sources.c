// SPDX-License-Identifier: GPL-2.0-only
/*
 * The addresses that a front end sends from (pv-drivers/common/sources.h): 64 pass, the next
 * one does not until one of them was silent for the time that it is kept; those that go on
 * sending stay. At random, beside a model.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "sources.h"

#define AGE	300u

static struct parvus_sources s;

START_TEST(as_many)
{
	unsigned int i;

	memset(&s, 0, sizeof(s));
	for (i = 1; i <= PARVUS_SOURCES; i++)
		ck_assert(parvus_source_seen(&s, i, 1000, AGE));
	ck_assert(!parvus_source_seen(&s, 100, 1000, AGE));
	ck_assert(!parvus_source_seen(&s, 100, 1000 + AGE - 1, AGE));
	for (i = 1; i <= PARVUS_SOURCES; i++)
		ck_assert(parvus_source_seen(&s, i, 1000, AGE));
	ck_assert_uint_eq(s.count, PARVUS_SOURCES);
}
END_TEST

/* One is silent: its place is the next one's, once. */
START_TEST(ages)
{
	unsigned int i, start = (unsigned int)-100;	/* the clock wraps meanwhile */

	memset(&s, 0, sizeof(s));
	for (i = 1; i <= PARVUS_SOURCES; i++)
		ck_assert(parvus_source_seen(&s, i, start, AGE));
	for (i = 1; i <= PARVUS_SOURCES; i++)
		if (i != 7)
			ck_assert(parvus_source_seen(&s, i, start + AGE - 1, AGE));
	ck_assert(!parvus_source_seen(&s, 100, start + AGE - 1, AGE));
	ck_assert(parvus_source_seen(&s, 100, start + AGE, AGE));
	ck_assert(!parvus_source_seen(&s, 101, start + AGE, AGE));
	ck_assert(!parvus_source_seen(&s, 7, start + AGE, AGE));
	for (i = 1; i <= PARVUS_SOURCES; i++)
		ck_assert_int_eq(parvus_source_seen(&s, i, start + AGE, AGE), i != 7);
}
END_TEST

START_TEST(fresh)
{
	memset(&s, 0, sizeof(s));
	ck_assert(!parvus_source_fresh(&s, 5, 10));
	ck_assert(parvus_source_seen(&s, 5, 10, AGE));
	ck_assert(parvus_source_seen(&s, 6, 10, AGE));
	ck_assert(parvus_source_fresh(&s, 5, 10) && parvus_source_fresh(&s, 6, 10));
	ck_assert(!parvus_source_fresh(&s, 5, 11));	/* has to be written down */
	ck_assert(!parvus_source_fresh(&s, 7, 10));
}
END_TEST

START_TEST(random_ones)
{
	static unsigned int last[200];		/* 0: not known */
	unsigned int now = 1, i, a, known, oldest;

	memset(&s, 0, sizeof(s));
	for (i = 0; i < 20000; i++) {
		int want;

		now += rand() % 8 == 0;
		a = 1 + (unsigned int)rand() % (rand() % 4 ? 60 : 199);
		oldest = known = 0;
		for (unsigned int k = 1; k < 200; k++) {
			known += last[k] != 0;
			if (last[k] && (!oldest || last[k] < last[oldest]))
				oldest = k;
		}
		want = last[a] || known < PARVUS_SOURCES || now - last[oldest] >= 10;
		ck_assert_int_eq(parvus_source_seen(&s, a, now, 10), want);
		if (!want)
			continue;
		/* which of several that are equally old went does not matter */
		if (!last[a] && known == PARVUS_SOURCES) {
			for (unsigned int k = 1; k < 200; k++) {
				unsigned int there = 0;

				for (unsigned int j = 0; j < s.count; j++)
					there |= s.entry[j].address == k;
				if (last[k] && !there) {
					ck_assert_uint_eq(last[k], last[oldest]);
					last[k] = 0;
					known--;
				}
			}
			ck_assert_uint_eq(known, PARVUS_SOURCES - 1);
		}
		last[a] = now;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sources");
	TCase *t = tcase_create("sources");
	SRunner *r;
	int failed;

	tcase_add_test(t, as_many);
	tcase_add_test(t, ages);
	tcase_add_test(t, fresh);
	tcase_add_test(t, random_ones);
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
