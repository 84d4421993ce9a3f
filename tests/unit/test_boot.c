// SPDX-License-Identifier: GPL-2.0-only
/*
 * multiboot.c: what boot loaders hand over, made up. All of it is copied, for a loader's memory is
 * not kept (rule 116); and what of it is domain 0's command line (options.c).
 */
#include "native.h"
#include <boot/boot.h>

static _Alignas(8) u8 info[8192];
static u32 used;

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
	tcase_add_test(t, pvh);
	tcase_add_test(t, file_names);
	suite_add_tcase(s, t);
	return native_main(s);
}
