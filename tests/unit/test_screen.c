// SPDX-License-Identifier: GPL-2.0-only
/* What Linux is told of domain 0's screen (pv-drivers/linux/screen.c). */
#include <check.h>
#include "../../pv-drivers/linux/screen.h"

static struct screen_info told(const struct parvus_screen *from)
{
	struct screen_info to = { 0 };

	parvus_screen_info(&to, from);
	return to;
}

START_TEST(none)
{
	static const struct screen_info nothing;
	struct screen_info to = told(&(struct parvus_screen){ 0 });

	ck_assert(!memcmp(&to, &nothing, sizeof(to)));
	to = told(&(struct parvus_screen){ .kind = 3, .address = 0xfd000000, .width = 1 });
	ck_assert(!memcmp(&to, &nothing, sizeof(to)));
}
END_TEST

/* vgacon takes a screen with lines and columns that is no frame buffer, in a mode of colour. */
START_TEST(characters)
{
	struct screen_info to = told(&(struct parvus_screen){ .kind = PARVUS_SCREEN_TEXT,
		.address = 0xb8000, .pitch = 160, .width = 80, .height = 25, .bits = 16 });

	ck_assert_uint_eq(to.orig_video_isVGA, 1);
	ck_assert_uint_eq(to.orig_video_mode, 3);
	ck_assert_uint_eq(to.orig_video_cols, 80);
	ck_assert_uint_eq(to.orig_video_lines, 25);
	ck_assert_uint_eq(to.orig_video_points, 16);
	ck_assert_uint_eq(to.orig_y, 24);	/* below what is there */
	ck_assert_uint_ne(to.orig_video_ega_bx, 0x10);
	ck_assert_uint_eq(to.lfb_base | to.lfb_width, 0);
}
END_TEST

START_TEST(pixels)
{
	struct parvus_screen s = { .kind = PARVUS_SCREEN_PIXELS, .address = 0xfd000000,
		.pitch = 4096, .width = 1024, .height = 768, .bits = 32,
		.red_at = 16, .red_bits = 8, .green_at = 8, .green_bits = 8, .blue_bits = 8 };
	struct screen_info to = told(&s);

	ck_assert_uint_eq(to.orig_video_isVGA, VIDEO_TYPE_VLFB);
	ck_assert_uint_eq(to.lfb_base, 0xfd000000);
	ck_assert_uint_eq(to.lfb_size, 48);	/* of 64 KiB */
	ck_assert_uint_eq(to.lfb_linelength, 4096);
	ck_assert(to.lfb_width == 1024 && to.lfb_height == 768 && to.lfb_depth == 32);
	ck_assert(to.red_pos == 16 && to.red_size == 8 && to.green_pos == 8 && to.green_size == 8);
	ck_assert(to.blue_pos == 0 && to.blue_size == 8);
	ck_assert(to.rsvd_pos == 24 && to.rsvd_size == 8);	/* sysfb knows x8r8g8b8 by it */
	ck_assert_uint_eq(to.ext_lfb_base | to.capabilities, 0);

	s = (struct parvus_screen){ .kind = PARVUS_SCREEN_PIXELS, .address = 0x4000000000,
		.pitch = 1300, .width = 640, .height = 480, .bits = 16, .red_at = 11, .red_bits = 5,
		.green_at = 5, .green_bits = 6, .blue_at = 0, .blue_bits = 5 };
	to = told(&s);
	/* vesafb has no room for that address */
	ck_assert_uint_eq(to.orig_video_isVGA, VIDEO_TYPE_EFI);
	ck_assert_uint_eq(to.capabilities, VIDEO_CAPABILITY_64BIT_BASE);
	ck_assert(to.lfb_base == 0 && to.ext_lfb_base == 0x40);
	ck_assert_uint_eq(to.lfb_size, 1300 * 480);
	ck_assert(to.rsvd_pos == 0 && to.rsvd_size == 0);

	s.address = 0xe0000000;
	ck_assert_uint_eq(told(&s).lfb_size, 10);	/* 9.52 */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("screen");
	TCase *t = tcase_create("screen");
	SRunner *r;
	int failed;

	tcase_add_test(t, none);
	tcase_add_test(t, characters);
	tcase_add_test(t, pixels);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
