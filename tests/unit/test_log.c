// SPDX-License-Identifier: GPL-2.0-only
/* core/log.c: the last 64 KiB of the log by position, whatever a reader asks for. */
#include "native.h"
#include <core/log.h>

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

int main(void)
{
	Suite *s = suite_create("log");
	TCase *c = tcase_create("log");

	tcase_add_test(c, before_the_first_turn);
	tcase_add_test(c, overwritten);
	suite_add_tcase(s, c);
	return native_main(s);
}
