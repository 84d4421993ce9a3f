// SPDX-License-Identifier: GPL-2.0-only
/* Formatting and sizes (hypervisor/lib.c). */
#include "native.h"

START_TEST(formats)
{
	char b[64];

	ck_assert_int_eq(hv_snprintf(b, sizeof(b), "%d %u %x", -5, 7u, 0xabcu), 8);
	ck_assert_str_eq(b, "-5 7 abc");
	hv_snprintf(b, sizeof(b), "%08lx|%5d|%05d|%s|%c", 0x1234ul, 42, -42, "x", 'y');
	ck_assert_str_eq(b, "00001234|   42|-0042|x|y");
	hv_snprintf(b, sizeof(b), "%.*s|%4s|%%", 2, "abcdef", "z");
	ck_assert_str_eq(b, "ab|   z|%");
	hv_snprintf(b, sizeof(b), "%lu %ld", ~0ul, (long)(1ul << 63));
	ck_assert_str_eq(b, "18446744073709551615 -9223372036854775808");
}
END_TEST

START_TEST(cuts_at_the_end)
{
	char b[8] = "1234567";

	ck_assert_int_eq(hv_snprintf(b, 4, "%s", "abcdef"), 6);
	ck_assert_str_eq(b, "abc");
	ck_assert_int_eq(b[4], '5');
	ck_assert_int_eq(hv_snprintf(b, 1, "%d", 123), 3);
	ck_assert_str_eq(b, "");
	ck_assert_int_eq(hv_snprintf(NULL, 0, "%d", 123), 3);
}
END_TEST

START_TEST(sizes)
{
	static const struct { const char *s; u64 v; } good[] = {
		{ "0", 0 }, { "64M", 64 << 20 }, { "2g", 2ull << 30 }, { "0x10k", 16 << 10 },
		{ "4095", 4095 }, { "18446744073709551615", ~0ull }, { "0xffffffffffffffff", ~0ull },
	};
	static const char *const bad[] = { "", "M", "12MM", "1.5G", "-1", " 1", "1 ", "0x", "0xg",
		"18446744073709551616", "17179869184G", "9999999999999999999999", "12T" };
	unsigned int i;
	u64 v;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		ck_assert_msg(parse_size(good[i].s, strlen(good[i].s), &v), "%s", good[i].s);
		ck_assert_uint_eq(v, good[i].v);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(!parse_size(bad[i], strlen(bad[i]), &v), "'%s' accepted", bad[i]);
	ck_assert(parse_size("128M,rest", 4, &v) && v == 128 << 20);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lib");
	TCase *t = tcase_create("lib");

	tcase_add_test(t, formats);
	tcase_add_test(t, cuts_at_the_end);
	tcase_add_test(t, sizes);
	suite_add_tcase(s, t);
	return run_suite(s);
}
