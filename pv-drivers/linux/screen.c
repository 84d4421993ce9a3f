// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domain 0's screen: vgacon takes one of characters, vesafb one of pixels, whoever has set its mode
 * (BIOS or UEFI), efifb one above 4 GiB, which vesafb cannot name; simplefb and simpledrm, where
 * the kernel has them, either.
 */
#include <linux/init.h>
#include <linux/minmax.h>
#include "screen.h"

static void __init characters(struct screen_info *to, const struct parvus_screen *from)
{
	/* what the hypervisor wrote scrolls up: this goes on in the last row */
	to->orig_y = from->height - 1;
	to->orig_video_mode = 3;
	to->orig_video_cols = from->width;
	to->orig_video_lines = from->height;
	to->orig_video_ega_bx = 3;
	to->orig_video_isVGA = 1;
	to->orig_video_points = 16;
}

static void __init pixels(struct screen_info *to, const struct parvus_screen *from)
{
	u32 bytes = from->pitch * from->height;

	to->orig_video_isVGA = VIDEO_TYPE_VLFB;
	to->lfb_size = DIV_ROUND_UP(bytes, 65536);
	if (from->address >> 32) {
		to->orig_video_isVGA = VIDEO_TYPE_EFI;
		to->capabilities = VIDEO_CAPABILITY_64BIT_BASE;
		to->lfb_size = bytes;
	}
	to->lfb_base = from->address;
	to->ext_lfb_base = from->address >> 32;
	to->lfb_width = from->width;
	to->lfb_height = from->height;
	to->lfb_linelength = from->pitch;
	to->lfb_depth = from->bits;
	to->red_pos = from->red_at;
	to->red_size = from->red_bits;
	to->green_pos = from->green_at;
	to->green_size = from->green_bits;
	to->blue_pos = from->blue_at;
	to->blue_size = from->blue_bits;
	/* what is above the colours; sysfb knows a format by it, too */
	to->rsvd_pos = max3(from->red_at + from->red_bits, from->green_at + from->green_bits,
			    from->blue_at + from->blue_bits);
	to->rsvd_size = from->bits - to->rsvd_pos;
	if (!to->rsvd_size)
		to->rsvd_pos = 0;
}

void __init parvus_screen_info(struct screen_info *to, const struct parvus_screen *from)
{
	if (from->kind == PARVUS_SCREEN_TEXT)
		characters(to, from);
	else if (from->kind == PARVUS_SCREEN_PIXELS)
		pixels(to, from);
}
