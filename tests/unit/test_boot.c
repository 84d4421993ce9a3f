// SPDX-License-Identifier: GPL-2.0-only
/*
 * multiboot.c: what boot loaders hand over, made up. All of it is copied, for a loader's memory is
 * not kept (rule 116); and what of it is domain 0's command line (options.c).
 */
#include "native.h"
#include <boot/boot.h>

struct firmware firmware;
static _Alignas(8) u8 info[8192];
static u32 used;
static bool vga_text;

bool screen_vga_text(void) { return vga_text; }

static void *tag(u32 kind, const void *data, u32 bytes)
{
	u32 *t = (u32 *)(info + used);

	t[0] = kind;
	t[1] = 8 + bytes;
	memcpy(t + 2, data, bytes);
	used += ROUND_UP(8 + bytes, 8u);
	ck_assert_uint_lt(used, sizeof(info));
	return t;
}

static void module(u32 start, u32 end, const char *text)
{
	u8 data[4096];

	memcpy(data, &start, 4);
	memcpy(data + 4, &end, 4);
	memcpy(data + 8, text, strlen(text) + 1);
	tag(3, data, 8 + (u32)strlen(text) + 1);
}

/* Hand over what the tags say, and use the loader's memory for something else. */
static void multiboot2(void)
{
	tag(0, "", 0);
	*(u32 *)info = used;
	ck_assert(boot_parse(0x36d76289, virt_to_phys(info)));
	memset(info, 0xee, sizeof(info));
}

START_TEST(three_modules)
{
	u64 map[2 + 6] = { 24, 0x1000, 0x9e000, 1, 0x100000, 0x7ff00000, 1 };
	u8 rsdp1[20], rsdp2[36];

	memset(rsdp1, 0x11, sizeof(rsdp1));
	memset(rsdp2, 0x22, sizeof(rsdp2));
	used = 8;
	tag(1, "log=com1 dom0_mem=1G", 21);
	tag(6, map, 8 + 48);
	tag(15, rsdp2, sizeof(rsdp2));
	tag(14, rsdp1, sizeof(rsdp1));	/* older, and no reason to forget the other one */
	tag(77, "unknown", 8);
	module(0x200000, 0x300000, "root=/dev/vda1 ro");
	module(0x300000, 0x380000, "not this one");
	multiboot2();
	ck_assert_str_eq(boot_info.cmdline, "log=com1 dom0_mem=1G");
	ck_assert_uint_eq(boot_info.modules, 2);
	ck_assert_uint_eq(boot_info.module[0].start, 0x200000);
	ck_assert_uint_eq(boot_info.module[1].end, 0x380000);
	ck_assert_str_eq(boot_first_args(), "root=/dev/vda1 ro");
	ck_assert_uint_eq(boot_info.ranges, 2);
	ck_assert_uint_eq(boot_info.range[1].end, 0x80000000);
	ck_assert_mem_eq(phys_to_virt(boot_info.rsdp), rsdp2, sizeof(rsdp2));
}
END_TEST

START_TEST(old_rsdp)
{
	u8 rsdp1[20], zeroes[16] = { 0 };

	memset(rsdp1, 0x11, sizeof(rsdp1));
	used = 8;
	tag(14, rsdp1, sizeof(rsdp1));
	multiboot2();
	ck_assert_mem_eq(phys_to_virt(boot_info.rsdp), rsdp1, sizeof(rsdp1));
	ck_assert_mem_eq((u8 *)phys_to_virt(boot_info.rsdp) + 20, zeroes, sizeof(zeroes));
	ck_assert_uint_eq(boot_info.modules, 0);
	ck_assert_str_eq(boot_first_args(), "");
}
END_TEST

/* A text without an end in sight stays in its room. */
START_TEST(long_text)
{
	char text[3000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	used = 8;
	module(0x200000, 0x300000, text);
	multiboot2();
	ck_assert_uint_eq(strlen(boot_info.first_text), MAX_CMDLINE - 1);
	ck_assert_uint_eq(boot_info.module[0].end, 0x300000);
}
END_TEST

/*
 * Sizes that lead back to where they stand: reading ends. A tag that says it goes beyond the end of
 * all of them is none.
 */
START_TEST(sizes_that_wrap)
{
	u32 *t;

	used = 8;
	tag(1, "debug=1", 8);
	t = tag(77, "", 0);
	t[1] = 0xfffffff9;
	multiboot2();
	ck_assert_str_eq(boot_info.cmdline, "debug=1");

	used = 8;
	t = tag(6, "", 0);
	t[1] = 0xfffffff8;
	t[2] = 24;
	multiboot2();
	ck_assert_uint_eq(boot_info.ranges, 0);
}
END_TEST

/* A tag of a frame buffer as GRUB makes it. */
struct framebuffer {
	u64 address;
	u32 pitch, width, height;
	u8 bits, kind, reserved[2], color[6];
} __attribute__((packed));

static const struct parvus_screen *screen(const struct framebuffer *f, u32 bytes)
{
	u64 map[] = { 24, 0x1000, 0x9e000, 1, 0x100000, 0x7fe00000, 1, 0x90100000, 4096, 1 };

	memset(&firmware, 0, sizeof(firmware));
	memset(&boot_info, 0, sizeof(boot_info));
	used = 8;
	tag(6, map, sizeof(map));
	if (f)
		tag(8, f, bytes);
	multiboot2();
	screen_find();
	return &firmware.screen;
}

static const struct framebuffer pixels = { 0xfd000000, 4096, 1024, 768, 32, 1, { 0, 0 },
	{ 16, 8, 8, 8, 0, 8 } };
static const struct framebuffer text = { 0xb8000, 160, 80, 25, 16, 2, { 0, 0 }, { 0 } };

START_TEST(screens)
{
	struct framebuffer small[] = {
		{ 0xe0000000, 2048, 1024, 768, 16, 1, { 0, 0 }, { 11, 5, 5, 6, 0, 5 } },
		{ 0xe0000000, 1280, 640, 480, 15, 1, { 0, 0 }, { 10, 5, 5, 5, 0, 5 } },
		{ 0xe0000000, 1920, 640, 480, 24, 1, { 0, 0 }, { 16, 8, 8, 8, 0, 8 } },
		{ 0x180000000, 7680, 1920, 1080, 32, 1, { 0, 0 }, { 0, 8, 8, 8, 16, 8 } },
		{ 0xe0000000, 4096, 1024, 768, 32, 1, { 0, 0 }, { 20, 10, 10, 10, 0, 10 } },
	};
	const struct parvus_screen *s = screen(&pixels, sizeof(pixels));

	ck_assert_uint_eq(s->address, 0xfd000000);
	ck_assert_uint_eq(s->pitch, 4096);
	ck_assert(s->width == 1024 && s->height == 768);
	ck_assert(s->kind == PARVUS_SCREEN_PIXELS && s->bits == 32);
	ck_assert(s->red_at == 16 && s->red_bits == 8 && s->green_at == 8 && s->green_bits == 8);
	ck_assert(s->blue_at == 0 && s->blue_bits == 8);
	for (unsigned int i = 0; i < ARRAY_SIZE(small); i++) {
		s = screen(&small[i], sizeof(small[i]));
		ck_assert_msg(s->kind == PARVUS_SCREEN_PIXELS, "%u", i);
		ck_assert_uint_eq(s->address, small[i].address);
	}
	/* a tag goes before what VGA says; of a text one nothing behind it is read */
	vga_text = true;
	s = screen(&text, 24);
	ck_assert(s->kind == PARVUS_SCREEN_TEXT && s->width == 80 && s->height == 25);
	ck_assert(s->address == 0xb8000 && !s->red_bits);
	ck_assert_uint_eq(screen(&pixels, sizeof(pixels))->kind, PARVUS_SCREEN_PIXELS);
	s = screen(NULL, 0);
	ck_assert(s->kind == PARVUS_SCREEN_TEXT && s->width == 80 && s->height == 25);
	ck_assert(s->address == 0xb8000 && s->pitch == 160 && s->bits == 16);
	vga_text = false;
	ck_assert_uint_eq(screen(NULL, 0)->kind, 0);
}
END_TEST

/* Each is refused whole, with a line; nothing of it is left. */
START_TEST(screens_that_lie)
{
	static const struct {
		const char *why;
		struct framebuffer f;
	} wrong[] = {
		{ "in RAM", { 0x1000000, 4096, 1024, 768, 32, 1, { 0 }, { 16, 8, 8, 8, 0, 8 } } },
		{ "behind RAM in one piece", { 0x7ff00000, 4096, 1024, 768, 32, 1, { 0 },
			{ 16, 8, 8, 8, 0, 8 } } },
		{ "before RAM in one piece", { 0x8fe00000, 4096, 1024, 768, 32, 1, { 0 },
			{ 16, 8, 8, 8, 0, 8 } } },
		{ "nowhere", { 0, 4096, 1024, 768, 32, 1, { 0 }, { 16, 8, 8, 8, 0, 8 } } },
		{ "out of reach", { 1ull << 52, 4096, 1024, 768, 32, 1, { 0 },
			{ 16, 8, 8, 8, 0, 8 } } },
		{ "behind the direct map", { MAX_MACHINE_MEM - 4096, 4096, 1024, 768, 32, 1, { 0 },
			{ 16, 8, 8, 8, 0, 8 } } },
		{ "it wraps", { ~0ull - 4096, 4096, 1024, 768, 32, 1, { 0 },
			{ 16, 8, 8, 8, 0, 8 } } },
		{ "rows overlap", { 0xfd000000, 4095, 1024, 768, 32, 1, { 0 },
			{ 16, 8, 8, 8, 0, 8 } } },
		{ "no width", { 0xfd000000, 4096, 0, 768, 32, 1, { 0 }, { 16, 8, 8, 8, 0, 8 } } },
		{ "a width of 32 bits", { 0xfd000000, 4096, 0x10400, 768, 32, 1, { 0 },
			{ 16, 8, 8, 8, 0, 8 } } },
		{ "a height of 32 bits", { 0xfd000000, 4096, 1024, 0x10300, 32, 1, { 0 },
			{ 16, 8, 8, 8, 0, 8 } } },
		{ "no height", { 0xfd000000, 4096, 1024, 0, 32, 1, { 0 }, { 16, 8, 8, 8, 0, 8 } } },
		{ "a pitch of 17 bits", { 0xfd000000, 65536, 1024, 768, 32, 1, { 0 },
			{ 16, 8, 8, 8, 0, 8 } } },
		{ "8 bits", { 0xfd000000, 4096, 1024, 768, 8, 1, { 0 }, { 5, 3, 2, 3, 0, 2 } } },
		{ "64 bits", { 0xfd000000, 8192, 1024, 768, 64, 1, { 0 }, { 16, 8, 8, 8, 0, 8 } } },
		{ "17 bits", { 0xfd000000, 4096, 1024, 768, 17, 1, { 0 }, { 11, 5, 5, 6, 0, 5 } } },
		{ "no bits", { 0xfd000000, 4096, 1024, 768, 0, 1, { 0 }, { 0 } } },
		{ "red outside", { 0xfd000000, 4096, 1024, 768, 32, 1, { 0 },
			{ 25, 8, 8, 8, 0, 8 } } },
		{ "no green", { 0xfd000000, 4096, 1024, 768, 32, 1, { 0 },
			{ 16, 8, 8, 0, 0, 8 } } },
		{ "blue of 32 bits", { 0xfd000000, 4096, 1024, 768, 32, 1, { 0 },
			{ 16, 8, 8, 8, 0, 32 } } },
		{ "a palette", { 0xfd000000, 1024, 1024, 768, 8, 0, { 0 }, { 0 } } },
		{ "an unknown kind", { 0xfd000000, 4096, 1024, 768, 32, 3, { 0 },
			{ 16, 8, 8, 8, 0, 8 } } },
		{ "text elsewhere", { 0x9f000, 160, 80, 25, 16, 2, { 0 }, { 0 } } },
		{ "text beyond VGA", { 0xbffff, 160, 80, 25, 16, 2, { 0 }, { 0 } } },
		{ "text with a pitch", { 0xb8000, 256, 80, 25, 16, 2, { 0 }, { 0 } } },
		{ "text of 8 bits", { 0xb8000, 160, 80, 25, 8, 2, { 0 }, { 0 } } },
	};
	static const struct parvus_screen none;
	u64 warned = log_warnings();

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		ck_assert_msg(!memcmp(screen(&wrong[i].f, sizeof(wrong[i].f)), &none, sizeof(none)),
			      "%s", wrong[i].why);
		ck_assert_uint_eq(log_warnings(), ++warned);
	}
	/* too short for its colours, for anything */
	ck_assert_uint_eq(screen(&pixels, 29)->kind, 0);
	ck_assert_uint_eq(screen(&text, 23)->kind, 0);
	ck_assert_uint_eq(log_warnings(), warned + 2);
	/* then VGA is asked */
	vga_text = true;
	ck_assert_uint_eq(screen(&wrong[0].f, sizeof(wrong[0].f))->address, 0xb8000);
	vga_text = false;
}
END_TEST

START_TEST(pvh)
{
	static char line[] = "debug=1", text[] = "vmlinux quiet";
	u64 list[8] = { 0x400000, 0x1000, virt_to_phys(text), 0, 0x500000, 0x2000 };
	u64 map[3] = { 0, 0x8000000, 1 };
	struct {
		u32 magic, version, flags, modules;
		u64 modlist, cmdline, rsdp, memmap;
		u32 memmap_entries, reserved;
	} start = { 0x336ec578, 1, 0, 2, virt_to_phys(list), virt_to_phys(line), 0xe0000,
		    virt_to_phys(map), 1, 0 };

	/* QEMU's microvm leaves Multiboot's magic number in eax */
	ck_assert(boot_parse(0x2badb002, virt_to_phys(&start)));
	memset(text, 'z', sizeof(text));
	memset(line, 'z', sizeof(line));
	ck_assert_str_eq(boot_info.cmdline, "debug=1");
	ck_assert_str_eq(boot_info.first_text, "vmlinux quiet");
	ck_assert_uint_eq(boot_info.modules, 2);
	ck_assert_uint_eq(boot_info.module[0].end, 0x401000);
	ck_assert_uint_eq(boot_info.module[1].start, 0x500000);
	ck_assert_uint_eq(boot_info.rsdp, 0xe0000);
	ck_assert_uint_eq(boot_info.range[0].end, 0x8000000);
	start.magic = 0;
	ck_assert(!boot_parse(1, virt_to_phys(&start)));
}
END_TEST

START_TEST(file_names)
{
	static const char *const texts[][2] = {
		{ "", "" },
		{ "root=/dev/sda1 ro", "root=/dev/sda1 ro" },
		{ "/boot/vmlinux.gz root=/dev/sda1", "root=/dev/sda1" },
		{ "build/vmlinux quiet", "quiet" },
		{ "/boot/vmlinux", "" },
		{ "quiet /x", "quiet /x" },
		{ "ro", "ro" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(texts); i++) {
		snprintf(boot_info.first_text, MAX_CMDLINE, "%s", texts[i][0]);
		ck_assert_str_eq(boot_first_args(), texts[i][1]);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot");
	TCase *t = tcase_create("boot");

	tcase_add_test(t, three_modules);
	tcase_add_test(t, old_rsdp);
	tcase_add_test(t, long_text);
	tcase_add_test(t, sizes_that_wrap);
	tcase_add_test(t, screens);
	tcase_add_test(t, screens_that_lie);
	tcase_add_test(t, pvh);
	tcase_add_test(t, file_names);
	suite_add_tcase(s, t);
	return native_main(s);
}
