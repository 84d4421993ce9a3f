// SPDX-License-Identifier: GPL-2.0-only
/* The ELF loader against good, bad and random files (hypervisor/elf.c). */
#include "native.h"
#include <hv/elf.h>

#define SIZE 1024u

static u8 file[SIZE];
static struct { u64 gpa, bytes; const void *from; } copied[8];
static unsigned int copies;

static void put16(unsigned int at, u16 v) { memcpy(file + at, &v, 2); }
static void put32(unsigned int at, u32 v) { memcpy(file + at, &v, 4); }
static void put64(unsigned int at, u64 v) { memcpy(file + at, &v, 8); }

/* One load segment of 256 bytes and 4096 in memory at 2 MiB, one note. */
static void good(void)
{
	memset(file, 0, SIZE);
	memcpy(file, "\177ELF\2\1\1", 7);
	put16(16, 2);
	put16(18, 62);
	put64(32, 64);		/* phoff */
	put16(54, 56);
	put16(56, 2);
	put32(64, 1);		/* PT_LOAD */
	put64(64 + 8, 512);
	put64(64 + 16, 0xffffffff80200000);
	put64(64 + 24, 0x200000);
	put64(64 + 32, 256);
	put64(64 + 40, 4096);
	put32(120, 4);		/* PT_NOTE */
	put64(120 + 8, 256);
	put64(120 + 32, 12 + 8 + 48);
	put32(256, 7);
	put32(260, 48);
	put32(264, 1);
	memcpy(file + 268, "Parvus", 7);
	put32(276, 48);
	put32(280, 1);
	put64(284, 0xffffffff80200010);
	put64(292, 0x200000);
}

static int copy(void *arg, u64 gpa, const void *from, u64 bytes)
{
	(void)arg;
	ck_assert(copies < ARRAY_SIZE(copied));
	if (from)
		ck_assert((const u8 *)from >= file && (const u8 *)from + bytes <= file + SIZE);
	copied[copies].gpa = gpa;
	copied[copies].from = from;
	copied[copies++].bytes = bytes;
	return 0;
}

START_TEST(loads)
{
	struct elf_image e;

	good();
	ck_assert_ptr_null(elf_parse(file, SIZE, &e));
	ck_assert_uint_eq(e.low, 0x200000);
	ck_assert_uint_eq(e.high, 0x201000);
	ck_assert_uint_eq(e.note.entry, 0xffffffff80200010);
	copies = 0;
	ck_assert_int_eq(elf_load(&e, copy, NULL), 0);
	ck_assert_uint_eq(copies, 2);
	ck_assert(copied[0].gpa == 0x200000 && copied[0].bytes == 256 && copied[0].from == file + 512);
	ck_assert(copied[1].gpa == 0x200100 && copied[1].bytes == 4096 - 256 && !copied[1].from);
}
END_TEST

/* One field at a time made bad: offset, width, value. */
static const struct { unsigned int at, width; u64 value; } bad[] = {
	{ 0, 4, 0 }, { 4, 1, 1 }, { 5, 1, 2 }, { 16, 2, 3 }, { 18, 2, 3 }, { 32, 8, SIZE }, { 32, 8, ~0ull },
	{ 54, 2, 32 }, { 56, 2, 0 }, { 56, 2, 65535 }, { 56, 2, 64 }, { 72, 8, SIZE }, { 72, 8, ~0ull - 100 },
	{ 96, 8, SIZE }, { 96, 8, 5000 }, { 96, 8, ~0ull }, { 104, 8, 100 }, { 104, 8, ~0ull },
	{ 88, 8, ~0ull }, { 88, 8, 1ull << 46 }, { 128, 8, SIZE }, { 152, 8, 10 }, { 256, 4, 6 },
	{ 256, 4, ~0u }, { 260, 4, 16 }, { 260, 4, ~0u }, { 264, 4, 2 }, { 268, 1, 'p' }, { 276, 4, 40 },
	{ 280, 4, 99 }, { 292, 8, 0x200010 }, { 292, 8, 0x100000 }, { 292, 8, 0x201000 }, { 300, 8, 1ull << 63 },
};

START_TEST(refuses)
{
	struct elf_image e;

	good();
	memcpy(file + bad[_i].at, &bad[_i].value, bad[_i].width);
	ck_assert_msg(elf_parse(file, SIZE, &e), "accepted: %lx at %u", (unsigned long)bad[_i].value, bad[_i].at);
}
END_TEST

START_TEST(truncated)
{
	struct elf_image e;
	unsigned int n;

	good();
	for (n = 0; n < 768; n++) {
		u8 *cut = malloc(n ? n : 1);

		memcpy(cut, file, n);
		ck_assert(elf_parse(cut, n, &e));
		free(cut);
	}
}
END_TEST

START_TEST(noise)
{
	struct elf_image e;
	int n;

	random_seed(7);
	for (n = 0; n < 100000; n++) {
		unsigned int k;

		good();
		for (k = 0; k <= random_below(4); k++)
			file[random_below(340)] = (u8)random_u64();
		if (!elf_parse(file, SIZE, &e)) {
			copies = 0;
			elf_load(&e, copy, NULL);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("elf");
	TCase *t = tcase_create("elf");

	tcase_add_test(t, loads);
	tcase_add_loop_test(t, refuses, 0, ARRAY_SIZE(bad));
	tcase_add_test(t, truncated);
	tcase_add_test(t, noise);
	suite_add_tcase(s, t);
	return run_suite(s);
}
