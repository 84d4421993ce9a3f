// SPDX-License-Identifier: GPL-2.0-only
/*
 * core/log.c: the last 64 KiB of the log by position, whatever a reader asks for; and how many
 * bytes of it a domain may have: 16 KiB, and 2 KiB a second.
 */
#include "native.h"
#include <core/log.h>

#define GPA	0x2000ull
#define SECOND	1000000000ull

static char expected(u64 pos) { return (char)(pos * 7 % 251 + 1); }
static u64 written;

static void put(u64 n)
{
	char one[2] = { 0 };

	for (; n; n--) {
		one[0] = expected(written++);
		log_raw(one);
	}
}

/* Read; all that comes is what was written there. */
static u32 read_from(u64 from, u32 size, u64 *at)
{
	static char out[LOG_RING + 16];
	u64 end = 0, i;
	u32 n;

	memset(out, 0x5a, sizeof(out));
	n = log_read(&from, out, size, &end);
	ck_assert_uint_le(n, size);
	ck_assert_uint_eq(end, written);
	ck_assert_uint_le(from + n, end);
	for (i = 0; i < n; i++)
		EXPECT(out[i] == expected(from + i), "position %lu", from + i);
	ck_assert_int_eq(out[n], 0x5a);
	*at = from;
	return n;
}

START_TEST(before_the_first_turn)
{
	u64 at;

	ck_assert_uint_eq(read_from(0, 100, &at), 0);
	ck_assert_uint_eq(read_from(5, 100, &at), 0);	/* ahead of all: down to the end */
	ck_assert_uint_eq(at, 0);
	put(10);
	ck_assert_uint_eq(read_from(0, 100, &at), 10);
	ck_assert_uint_eq(read_from(4, 3, &at), 3);
	ck_assert_uint_eq(at, 4);
	ck_assert_uint_eq(read_from(10, 100, &at), 0);
	ck_assert_uint_eq(at, 10);
	ck_assert_uint_eq(read_from(~0ull, 100, &at), 0);
	ck_assert_uint_eq(at, 10);
	ck_assert_uint_eq(read_from(0, 0, &at), 0);
}
END_TEST

START_TEST(overwritten)
{
	u64 at;

	put(LOG_RING);
	ck_assert_uint_eq(read_from(0, LOG_RING + 8, &at), LOG_RING);
	ck_assert_uint_eq(at, 0);
	put(1);
	ck_assert_uint_eq(read_from(0, 8, &at), 8);
	ck_assert_uint_eq(at, 1);	/* moved up to the oldest */
	put(3 * LOG_RING + 77);
	ck_assert_uint_eq(read_from(at, LOG_RING + 8, &at), LOG_RING);
	ck_assert_uint_eq(at, written - LOG_RING);
	/* all of it in pieces */
	for (u64 n = 0, end = written; at < end; at += n)
		ck_assert_uint_gt(n = read_from(at, 2048, &at), 0);
	ck_assert_uint_eq(at, written);
}
END_TEST

static u64 log_end(void)
{
	u64 from = ~0ull, end;
	char c;

	log_read(&from, &c, 0, &end);
	return end;
}

static struct domain *writer(const char *name)
{
	struct domain *d = native_domain(name, 512, 512, 1);

	EXPECT(d && !domain_populate(d, _gfn(0), 16), "no memory");
	memset(guest_map(d, GPA, PAGE_SIZE, 4096), 'x', 256);
	return d;
}

/* As much as it can of long lines; returns the bytes of them in the log. */
static u64 floods(struct domain *d)
{
	u64 before = log_end();

	for (unsigned int i = 0; i < 10000; i++)
		ck_assert_int_eq(hc_log_write(d->vcpus[0], GPA, 255), 0);
	return log_end() - before;
}

START_TEST(guests)
{
	struct domain *a, *b;
	u64 n;

	native_boot(8 * EXTENT_FRAMES, 1);
	native_now = 100 * SECOND;
	a = writer("a");
	b = writer("b");
	n = floods(a);
	ck_assert_uint_ge(n, 16384);
	ck_assert_uint_le(n, 16384 + 400);
	/* another one is heard all the same */
	memcpy(guest_map(b, GPA, PAGE_SIZE, 4096), "of b", 4);
	ck_assert_int_eq(hc_log_write(b->vcpus[0], GPA, 4), 0);
	ck_assert(native_logged("guest: of b\n"));
	ck_assert(!native_logged("were dropped"));
	native_now += SECOND;
	n = floods(a);
	ck_assert_uint_ge(n, 2048 - 400);
	ck_assert_uint_le(n, 2048 + 800);
	ck_assert(native_logged("lines of d0 were dropped\n"));
	native_now += 5 * SECOND;
	n = floods(a);
	ck_assert_uint_ge(n, 5 * 2048 - 400);
	ck_assert_uint_le(n, 5 * 2048 + 800);
	/* who rests has no more than at first */
	native_now += 1000 * SECOND;
	ck_assert_uint_le(floods(a), 16384 + 800);
}
END_TEST

/* What the console of a domain without the serial line says, in short lines. */
START_TEST(consoles)
{
	struct domain *a, *b;
	u64 before;

	native_boot(8 * EXTENT_FRAMES, 1);
	native_now = 100 * SECOND;
	a = writer("a");
	b = writer("b");
	console_domain_new(a);
	console_domain_new(b);
	memset(guest_map(b, GPA, PAGE_SIZE, 4096), '\n', 16);
	memset(guest_map(b, GPA, PAGE_SIZE, 4096), 'y', 3);
	before = log_end();
	for (unsigned int i = 0; i < 100000; i++)
		ck_assert_int_eq(hc_console_write(b->vcpus[0], GPA, 4), 4);
	ck_assert_uint_ge(log_end() - before, 16384);
	ck_assert_uint_le(log_end() - before, 16384 + 400);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *c = tcase_create("log");

	tcase_add_test(c, before_the_first_turn);
	tcase_add_test(c, overwritten);
	tcase_add_test(c, guests);
	tcase_add_test(c, consoles);
	suite_add_tcase(s, c);
	return native_main(s);
}
