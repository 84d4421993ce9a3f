// SPDX-License-Identifier: GPL-2.0-only
/*
 * core/console.c: the first domain has the serial line in both directions, what others write
 * goes to the log by lines; a bad buffer loses no input, and an heir gets the line.
 */
#include "native.h"
#include <core/domain.h>

#define GPA	0x2000ull

static struct domain *a, *b;
static char *text[2];

static struct domain *domain_new(unsigned int n)
{
	struct domain *d = native_domain("d", 512, 512, 1);

	EXPECT(d && !domain_populate(d, _gfn(0), 16), "no memory");
	text[n] = guest_map(d, GPA, PAGE_SIZE, 4096);
	console_domain_new(d);
	return d;
}

static void setup(void)
{
	native_boot(8 * EXTENT_FRAMES, 1);
	native_now = 5000000000ull;
	a = domain_new(0);
	b = domain_new(1);
}

static s64 write_to(struct domain *d, const char *s)
{
	memcpy(text[d == b], s, strlen(s));
	return hc_console_write(d->vcpus[0], GPA, strlen(s));
}

static s64 read_from(struct domain *d, u64 n)
{
	memset(text[d == b], 0, 300);
	return hc_console_read(d->vcpus[0], GPA, n);
}

START_TEST(written)
{
	ck_assert_int_eq(write_to(a, "0123456789abcdefghi"), 16);	/* what a FIFO holds */
	ck_assert_str_eq(native_serial, "0123456789abcdef");
	ck_assert_int_eq(write_to(b, "half a "), 7);
	ck_assert(!native_logged("half"));
	ck_assert_int_eq(write_to(b, "line\r\n\x1b"), 7);
	ck_assert(native_logged("d1: half a line\n"));
	ck_assert_str_eq(native_serial, "0123456789abcdef");
	ck_assert_int_eq(hc_console_write(a->vcpus[0], 16 << PAGE_SHIFT, 1), -PARVUS_EFAULT);
	ck_assert_int_eq(hc_console_write(a->vcpus[0], GPA, 0), 0);
	/* what is left of a line when it goes */
	write_to(b, "last words");
	console_domain_gone(b);
	ck_assert(native_logged("d1: last words\n"));
}
END_TEST

START_TEST(typed)
{
	unsigned int i;

	native_serial_in = "hello";
	console_input();
	ck_assert_int_eq(read_from(b, 10), 0);
	ck_assert_int_eq(hc_console_read(a->vcpus[0], 16 << PAGE_SHIFT, 10), -PARVUS_EFAULT);
	ck_assert_int_eq(read_from(a, 2), 2);
	ck_assert_str_eq(text[0], "he");
	ck_assert_int_eq(read_from(a, 10), 3);
	ck_assert_str_eq(text[0], "llo");
	ck_assert_int_eq(read_from(a, 10), 0);
	/* a guest that has no handler for events is not raised one */
	ck_assert_uint_eq(a->vcpus[0]->vectors[3] | a->vcpus[0]->vectors[0], 0);
	a->takes_events = true;
	/* what nobody reads is dropped beyond 1 KiB */
	for (i = 0; i < 150; i++) {
		native_serial_in = "0123456789";
		console_input();
	}
	ck_assert(a->vcpus[0]->vectors[PARVUS_VECTOR_EVENT / 64] >> PARVUS_VECTOR_EVENT % 64 & 1);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(read_from(a, 1000), 256);
	ck_assert_int_eq(read_from(a, 1000), 0);
}
END_TEST

START_TEST(inherited)
{
	console_domain_gone(a);
	native_serial_in = "x";
	console_input();
	ck_assert_int_eq(read_from(b, 1), 0);	/* it does not pass to who was there before */
	ck_assert_int_eq(write_to(b, "b\n"), 2);
	ck_assert_str_eq(native_serial, "");
	b = domain_new(1);
	ck_assert_int_eq(write_to(b, "c"), 1);
	ck_assert_str_eq(native_serial, "c");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("console");
	TCase *c = tcase_create("console");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, written);
	tcase_add_test(c, typed);
	tcase_add_test(c, inherited);
	suite_add_tcase(s, c);
	return native_main(s);
}
