// SPDX-License-Identifier: GPL-2.0-only
/* lib.c: formatting against the C library's own, and sizes as people write them. */
#include "native.h"
#include <limits.h>
#include <core/lib.h>
#include <core/atomic.h>

/* The same format, the same arguments, the same bytes and length. */
#define SAME(...) do { \
	char a_[256], b_[256]; \
	int x_ = hv_snprintf(a_, sizeof(a_), __VA_ARGS__), \
		y_ = snprintf(b_, sizeof(b_), __VA_ARGS__); \
	ck_assert_str_eq(a_, b_); \
	ck_assert_int_eq(x_, y_); \
} while (0)

START_TEST(numbers)
{
	SAME("%d %d %d", 0, 1, -1);
	SAME("%d %d", INT_MAX, INT_MIN);
	SAME("%ld %ld", LONG_MAX, LONG_MIN);
	SAME("%u %lu", UINT_MAX, ULONG_MAX);
	SAME("%x %lx %llx", 0xdeadbeefu, 0x123456789abcdeful, 0xffffffffffffffffull);
	SAME("%zu", (size_t)77);
	SAME("%lld", -5ll);
}
END_TEST

START_TEST(width_and_padding)
{
	SAME("[%5d][%05d][%2d]", 42, 42, 12345);
	SAME("[%6d][%06d]", -42, -42);
	SAME("[%16lx][%016lx]", 0xabcul, 0xabcul);
	SAME("[%10s][%2s]", "abc", "abcdef");
	SAME("[%.*s]", 3, "abcdef");
	SAME("[%.*s]", 0, "abcdef");
	SAME("[%.*s]", 10, "abc");
}
END_TEST

START_TEST(others)
{
	SAME("%u %%", 1);
	SAME("%s", "");
}
END_TEST

START_TEST(short_buffers)
{
	char out[8] = "xxxxxxx", one = 'x';
	int n;

	n = hv_snprintf(out, 4, "abcdef");
	ck_assert_int_eq(n, 6);
	ck_assert_str_eq(out, "abc");
	ck_assert_int_eq(out[4], 'x');
	n = hv_snprintf(&one, 1, "abc");
	ck_assert_int_eq(n, 3);
	ck_assert_int_eq(one, 0);
	one = 'x';
	n = hv_snprintf(&one, 0, "abc");
	ck_assert_int_eq(n, 3);
	ck_assert_int_eq(one, 'x');
	n = hv_snprintf(out, 6, "%s", "abcde");
	ck_assert_int_eq(n, 5);
	ck_assert_str_eq(out, "abcde");
}
END_TEST

/* A format that ends in the middle must not be read beyond its end (ASan sees it). */
START_TEST(broken_formats)
{
	static const char *const formats[] = { "%", "a%", "%0", "%5", "%05", "%l", "%ll", "%z",
					       "%q", "%5q" };
	char out[32];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		size_t n = strlen(formats[i]) + 1;
		char *f = malloc(n);
		int (*print)(char *, size_t, const char *, ...) = hv_snprintf;

		memcpy(f, formats[i], n);
		print(out, sizeof(out), f);
		ck_assert_uint_lt(strlen(out), sizeof(out));
		free(f);
	}
}
END_TEST

static bool size_of(const char *s, u64 *v) { return parse_size(s, strlen(s), v); }

START_TEST(sizes)
{
	static const struct {
		const char *s;
		u64 v;
	} good[] = {
		{ "0", 0 }, { "1", 1 }, { "007", 7 }, { "64M", MIB(64) }, { "64m", MIB(64) },
		{ "0x10k", 16 << 10 }, { "0X10K", 16 << 10 }, { "2G", GIB(2) },
		{ "0xabcdef", 0xabcdef }, { "0xABCDEF", 0xabcdef },
		{ "18446744073709551615", ~0ull }, { "0xffffffffffffffff", ~0ull },
		{ "17179869183G", 17179869183ull << 30 }, { "0G", 0 },
	};
	u64 v;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		ck_assert_msg(size_of(good[i].s, &v), "%s", good[i].s);
		ck_assert_uint_eq(v, good[i].v);
	}
}
END_TEST

START_TEST(bad_sizes)
{
	static const char *const bad[] = {
		"", " ", "M", "x", "0x", "0xg", "-1", "+1", " 1", "1 ", "1MM", "1MB", "1T", "1.5G",
		"64Mx", "18446744073709551616", "0x10000000000000000", "17179869184G",
		"99999999999999999999999", "a", "f0", "0x1h",
	};
	u64 v = 4711;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(!size_of(bad[i], &v), "\"%s\" is taken as %lu", bad[i], v);
	ck_assert_uint_eq(v, 4711);
}
END_TEST

/* The length rules, not a zero at the end. */
START_TEST(size_length)
{
	u64 v;
	char *s = malloc(3);

	memcpy(s, "123", 3);
	ck_assert(parse_size(s, 3, &v));
	ck_assert_uint_eq(v, 123);
	ck_assert(parse_size(s, 1, &v));
	ck_assert_uint_eq(v, 1);
	ck_assert(!parse_size(s, 0, &v));
	memcpy(s, "0x1", 3);
	ck_assert(parse_size(s, 3, &v));
	ck_assert_uint_eq(v, 1);
	ck_assert(!parse_size(s, 2, &v));
	free(s);
}
END_TEST

/* What bounds an index even where a branch was guessed wrong (rule 26). */
START_TEST(masks)
{
	static const u64 n[] = { 1, 2, 3, 64, 1024, 1ull << 32, 1ull << 63, ~0ull };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(n); i++) {
		ck_assert_uint_eq(index_mask(0, n[i]), ~0ull);
		ck_assert_uint_eq(index_mask(n[i] - 1, n[i]), ~0ull);
		ck_assert_uint_eq(index_mask(n[i], n[i]), 0);
		ck_assert_uint_eq(index_mask(~0ull, n[i]), 0);
	}
	ck_assert_uint_eq(index_mask(0, 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lib");
	TCase *t = tcase_create("lib");

	tcase_add_test(t, numbers);
	tcase_add_test(t, width_and_padding);
	tcase_add_test(t, others);
	tcase_add_test(t, short_buffers);
	tcase_add_test(t, broken_formats);
	tcase_add_test(t, sizes);
	tcase_add_test(t, bad_sizes);
	tcase_add_test(t, size_length);
	tcase_add_test(t, masks);
	suite_add_tcase(s, t);
	return native_main(s);
}
