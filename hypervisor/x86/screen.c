// SPDX-License-Identifier: GPL-2.0-only
/*
 * The screen as the boot loader left it: the first words of the log, until domains run, and the
 * last ones, white on blue, when something has broken down or the machine ends. Between them it is
 * domain 0's. Characters as VGA has them, or pixels and a font (tools/screen-font), 8 x 16.
 */
#include <x86/pv.h>
#include <screen-font.h>

static bool is_text(void) { return firmware.screen.kind == PARVUS_SCREEN_TEXT; }
static u32 columns(void) { return firmware.screen.width / (is_text() ? 1 : 8); }
static u32 cells(void) { return columns() * (firmware.screen.height / (is_text() ? 1 : 16)); }

/* VGA's graphics controller, register 6: bit 0 is 0, the memory at b8000. No VGA: all ones. */
bool screen_vga_text(void)
{
	outb(0x3ce, 6);
	return (inb(0x3cf) & 0x0d) == 0x0c;
}

static void draw(u32 column, u32 row, u8 c, bool last)
{
	const struct parvus_screen *s = &firmware.screen;
	u8 *at = phys_to_virt(s->address);
	u32 bytes = (s->bits + 7u) / 8, ink = ~0u, color;
	u32 paper = last ? ((1u << s->blue_bits) - 1) << s->blue_at : 0;

	if (is_text()) {
		((volatile u16 *)at)[row * s->pitch / 2 + column] = (last ? 0x1f00 : 0x700) | c;
		return;
	}
	at += (u64)row * 16 * s->pitch + column * 8 * bytes;
	for (u32 y = 0; y < 16; y++, at += s->pitch)
		for (u32 x = 0; x < 8; x++) {
			color = screen_font[c - ' '][y] << x & 0x80 ? ink : paper;
			memcpy(at + x * bytes, &color, bytes);
		}
}

/* What comes below its end is not there: the first words of what broke down count. */
void screen_put(char c)
{
	u32 *at = &firmware.screen_at;

	/* above 4 GiB nothing is mapped before there are tables of ours */
	if (firmware.screen.address >> 32 && !hv_root)
		return;
	do {
		if (*at >= cells())
			return;
		draw(*at % columns(), *at / columns(), c >= ' ' && c <= '~' ? (u8)c : ' ',
		     READ_ONCE(smp_go) || panicking());
	} while (++*at % columns() && c == '\n');
}

/* Last words begin at the top, wherever domain 0 has scrolled to (CRTC, start address). */
void screen_last(void)
{
	firmware.screen_at = 0;
	for (u16 reg = 0x0c; is_text() && reg <= 0x0d; reg++)
		outw(0x3d4, reg);
}

/* The machine ends: as many of the last lines of the log as there is room for. */
void screen_end(void)
{
	u64 from = 0, end;
	char text[1600];
	u32 n, i = 0;

	log_read(&from, text, 0, &end);
	from = end - min(end, sizeof(text));
	n = log_read(&from, text, sizeof(text), &end);
	do {
		while (i < n && text[i++] != '\n')
			;
		screen_last();
		for (u32 at = i; at < n; at++)
			screen_put(text[at]);
	} while (i < n && firmware.screen_at >= cells());
	while (firmware.screen_at < cells())
		screen_put('\n');
}
