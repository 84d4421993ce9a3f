// SPDX-License-Identifier: GPL-2.0-only
/* lock.c: tickets are served in turn, the order of locks is kept, and checks come and go. */
#include "native.h"
#include <pthread.h>
#include <core/lock.h>

static struct spinlock grant, gfn, other_gfn, last;

static void setup(void)
{
	spin_init(&grant, LOCK_GRANT);
	spin_init(&gfn, LOCK_GFN);
	spin_init(&other_gfn, LOCK_GFN);
	spin_init(&last, LOCK_LOG);
}

#define PANICS(statement, text) do { \
	native_panic_wanted = true; \
	if (!setjmp(native_panic_to)) { \
		statement; \
		ck_abort_msg("no panic: %s", #statement); \
	} \
	native_panic_wanted = false; \
	ck_assert_str_eq(native_panic_text, text); \
} while (0)

START_TEST(in_order)
{
	unsigned int i;

	for (i = 0; i < 70000; i++) {	/* tickets wrap */
		spin_lock(&grant);
		spin_lock(&gfn);
		spin_lock(&last);
		spin_unlock(&gfn);	/* in any order */
		spin_unlock(&grant);
		spin_unlock(&last);
	}
}
END_TEST

START_TEST(wrong_order)
{
	spin_lock(&gfn);
	PANICS(spin_lock(&grant), "lock: grant_domain.lock is taken with domain.gfn_lock held");
}
END_TEST

START_TEST(twice)
{
	spin_lock(&gfn);
	PANICS(spin_lock(&gfn), "lock: domain.gfn_lock is taken with domain.gfn_lock held");
}
END_TEST

START_TEST(two_of_a_kind)
{
	spin_lock(&gfn);
	PANICS(spin_lock(&other_gfn), "lock: domain.gfn_lock is taken with domain.gfn_lock held");
}
END_TEST

START_TEST(not_the_last)
{
	spin_lock(&grant);
	spin_lock(&gfn);
	spin_lock(&last);
	spin_unlock(&last);
	PANICS(spin_lock(&grant), "lock: grant_domain.lock is taken with grant_domain.lock held");
}
END_TEST

START_TEST(other_cpu)
{
	spin_lock(&gfn);
	native_this_cpu = 1;
	spin_lock(&grant);	/* what another CPU holds does not count */
	spin_unlock(&grant);
	native_this_cpu = 0;
	spin_unlock(&gfn);
	spin_lock(&grant);
}
END_TEST

START_TEST(trying)
{
	spin_lock(&gfn);
	ck_assert(spin_trylock(&grant));	/* in any order */
	ck_assert(!spin_trylock(&grant));
	ck_assert(!spin_trylock(&gfn));
	spin_unlock(&gfn);
	spin_unlock(&grant);
	ck_assert(spin_trylock(&grant));
	PANICS(spin_lock(&grant), "lock: grant_domain.lock is taken with grant_domain.lock held");
}
END_TEST

/* A static lock is checked until the options are known; then its first user makes it free. */
START_TEST(unchecked)
{
	static struct spinlock lock = SPINLOCK_INIT(LOCK_BIND);
	struct spinlock made;

	lock_checks = LOCKS_BOOT;
	spin_lock(&lock);
	spin_unlock(&lock);
	ck_assert(lock.checked);
	lock_checks = LOCKS_FREE;
	spin_lock(&lock);
	ck_assert(!lock.checked && !spin_trylock(&lock));
	spin_unlock(&lock);
	ck_assert_uint_eq(lock.next, lock.owner);
	spin_init(&made, LOCK_BIND);
	ck_assert_uint_eq(made.next, made.owner);
	ck_assert(spin_trylock(&made) && !spin_trylock(&made));
	spin_unlock(&made);
	spin_lock(&made);
	spin_lock(&grant);
	spin_lock(&lock);	/* nobody looks */
}
END_TEST

/* Several CPUs count under one lock, which becomes free under their feet. */
static u64 counted;

static void *count(void *arg)
{
	unsigned int i;

	native_this_cpu = (unsigned int)(u64)arg;
	for (i = 0; i < 20000; i++) {
		spin_lock(&gfn);
		WRITE_ONCE(counted, READ_ONCE(counted) + 1);
		spin_unlock(&gfn);
		if (i == 5000 && native_this_cpu == 1)
			WRITE_ONCE(lock_checks, LOCKS_FREE);
	}
	return NULL;
}

START_TEST(at_once)
{
	pthread_t t[2];
	u64 i;

	lock_checks = LOCKS_BOOT;
	for (i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, count, (void *)(i + 1));
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_eq(counted, 40000);
	ck_assert(!gfn.checked);
	ck_assert_uint_eq(gfn.next, gfn.owner);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lock");
	TCase *c = tcase_create("lock");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, in_order);
	tcase_add_test(c, wrong_order);
	tcase_add_test(c, twice);
	tcase_add_test(c, two_of_a_kind);
	tcase_add_test(c, not_the_last);
	tcase_add_test(c, other_cpu);
	tcase_add_test(c, trying);
	tcase_add_test(c, unchecked);
	tcase_add_test(c, at_once);
	suite_add_tcase(s, c);
	return native_main(s);
}
