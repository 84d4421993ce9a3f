// SPDX-License-Identifier: GPL-2.0-only
/* microcode.c: made-up files of both vendors: the right update is found, and nothing outside. */
#include "native.h"
#include <boot/bundle.h>

#define CPU	0x306c3u
#define BIT	4u		/* of this platform */
#define NAME	0x8012u		/* AMD's short name of it */

static u32 file[4096];
static u32 words;

static void put(u32 w) { file[words++] = w; }

/* An update of Intel's of @data words, with @more further signatures; returns where it begins. */
static u32 intel(u32 revision, u32 signature, u32 flags, u32 data, u32 more)
{
	u32 at = words, i, sum = 0;

	put(1);
	put(revision);
	put(0x12312020);
	put(signature);
	put(0);
	put(1);
	put(flags);
	put(data * 4);
	put((12 + data + (more ? 5 + 3 * more : 0)) * 4);
	for (i = 0; i < 3; i++)
		put(0);
	for (i = 0; i < data; i++)
		put(revision);
	if (more) {
		put(more);
		for (i = 0; i < 4; i++)
			put(0);
		for (i = 0; i < more; i++) {
			put(0x100 + i);
			put(1u << i);
			put(0);
		}
	}
	for (i = at; i < words; i++)
		sum += file[i];
	file[at + 4] = -sum;
	return at;
}

static void resum(u32 at)
{
	u32 i, sum = 0;

	file[at + 4] = 0;
	for (i = at; i < at + file[at + 8] / 4; i++)
		sum += file[i];
	file[at + 4] = -sum;
}

/* Of a copy that ends where it ends: which word of it; 0: none. */
static u32 chosen(bool amd, u32 bytes, u32 signature, u32 flags, u32 *revision)
{
	u8 *copy = malloc(bytes + !bytes);
	const u8 *p;
	u32 at;

	memcpy(copy, file, bytes);
	p = amd ? microcode_amd(copy, bytes, signature, revision) :
		  microcode_intel(copy, bytes, signature, flags, revision);
	at = p ? (u32)(p - copy) / 4 : 0;
	free(copy);
	return at;
}

static u32 of_intel(u32 signature, u32 flags, u32 had)
{
	return chosen(false, words * 4, signature, flags, &had);
}

START_TEST(intel_best)
{
	u32 a = intel(5, CPU, BIT, 100, 0), b = intel(9, CPU, BIT | 1, 20, 0), had = 0;

	intel(7, CPU, BIT, 16, 0);
	intel(99, CPU + 1, BIT, 16, 0);
	intel(98, CPU, BIT << 1, 16, 0);
	ck_assert_uint_eq(of_intel(CPU, BIT, 0), b + 12);
	ck_assert_uint_eq(chosen(false, words * 4, CPU, BIT, &had), b + 12);
	ck_assert_uint_eq(had, 9);
	ck_assert_uint_eq(of_intel(CPU, BIT, 8), b + 12);
	ck_assert_uint_eq(of_intel(CPU, BIT, 9), 0);
	ck_assert_uint_eq(of_intel(CPU, 2, 0), 0);
	ck_assert_uint_eq(of_intel(CPU + 2, BIT, 0), 0);
	ck_assert_uint_eq(chosen(false, 112 * 4, CPU, BIT, &(u32){ 0 }), a + 12);
	ck_assert_uint_eq(chosen(false, 112 * 4 - 1, CPU, BIT, &(u32){ 0 }), 0);
	ck_assert_uint_eq(chosen(false, 0, CPU, BIT, &(u32){ 0 }), 0);
}
END_TEST

/* Signatures behind the data; and the lengths that old files do not say. */
START_TEST(intel_more)
{
	u32 at = intel(5, CPU, BIT, 10, 3), i;

	ck_assert_uint_eq(of_intel(CPU, BIT, 0), at + 12);
	for (i = 0; i < 3; i++) {
		ck_assert_uint_eq(of_intel(0x100 + i, 1u << i, 0), at + 12);
		ck_assert_uint_eq(of_intel(0x100 + i, 2u << i, 0), 0);
	}
	file[at + 12 + 10] = ~0u;	/* says it has more than there are */
	resum(at);
	ck_assert_uint_eq(of_intel(0x102, 4, 0), at + 12);
	ck_assert_uint_eq(of_intel(0x103, 8, 0), 0);
	words = 0;
	at = intel(5, CPU, BIT, 500, 0);
	file[at + 7] = 0;
	file[at + 8] = 2048;
	resum(at);
	file[at + 4] += file[at + 8];
	file[at + 8] = 0;
	ck_assert_uint_eq(of_intel(CPU, BIT, 0), at + 12);
}
END_TEST

/* What is wrong ends the file: what comes behind is not believed either. */
START_TEST(intel_bad)
{
	static const struct { u32 word, value; } bad[] = {
		{ 0, 0 }, { 0, 2 }, { 5, 0 }, { 7, 17 }, { 7, 80 * 4 }, { 7, ~3u },
		{ 8, 0 }, { 8, 44 }, { 8, 46 * 4 + 2 }, { 8, 1000 * 4 }, { 8, ~3u },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		words = 0;
		intel(5, CPU, BIT, 20, 0);
		intel(9, CPU, BIT, 20, 0);
		ck_assert_uint_eq(of_intel(CPU, BIT, 0), 32 + 12);
		/* the sum is right, as far as it is asked for */
		file[4] += file[bad[i].word] - bad[i].value;
		file[bad[i].word] = bad[i].value;
		ck_assert_uint_eq(of_intel(CPU, BIT, 0), 0);
	}
	words = 0;
	intel(5, CPU, BIT, 20, 0);
	file[20]++;		/* its sum */
	ck_assert_uint_eq(of_intel(CPU, BIT, 0), 0);
}
END_TEST

/* A container with a table of two CPUs, the second with @name; then updates. */
static void amd(u32 signature, u32 name)
{
	put(0x00414d44);
	put(0);
	put(3 * 16);
	put(0x500f10);
	put(0);
	put(0);
	put(0x7777);
	put(signature);
	put(0);
	put(0);
	put(name | 0xabcd0000);
	for (u32 i = 0; i < 4; i++)
		put(0);
}

static u32 amd_update(u32 revision, u32 name, u32 data)
{
	u32 at = words + 2;

	put(1);
	put((16 + data) * 4);
	put(0x20200101);
	put(revision);
	for (u32 i = 2; i < 6; i++)
		put(0);
	put(name | 0x12340000);
	for (u32 i = 7; i < 16 + data; i++)
		put(revision);
	return at;
}

static u32 of_amd(u32 signature, u32 had)
{
	return chosen(true, words * 4, signature, 0, &had);
}

START_TEST(amd_best)
{
	u32 a, b, c, had = 1, end;

	amd(CPU, NAME);
	a = amd_update(5, NAME, 10);
	end = words;
	amd_update(50, NAME + 1, 10);
	amd_update(4, NAME, 10);
	ck_assert_uint_eq(of_amd(CPU, 0), a);
	ck_assert_uint_eq(of_amd(CPU, 5), 0);
	ck_assert_uint_eq(of_amd(CPU + 1, 0), 0);
	/* another container: its table counts for its updates alone */
	amd(CPU + 3, NAME);
	c = amd_update(60, NAME, 0);
	amd(CPU, NAME + 7);
	b = amd_update(8, NAME + 7, 0);
	amd_update(70, NAME, 0);
	ck_assert_uint_eq(chosen(true, words * 4, CPU, 0, &had), b);
	ck_assert_uint_eq(had, 8);
	ck_assert_uint_eq(of_amd(CPU + 3, 0), c);
	ck_assert_uint_eq(chosen(true, end * 4, CPU, 0, &(u32){ 0 }), a);
	ck_assert_uint_eq(chosen(true, end * 4 - 4, CPU, 0, &(u32){ 0 }), 0);
}
END_TEST

START_TEST(amd_bad)
{
	u32 at;

	amd(CPU, NAME);
	at = amd_update(5, NAME, 10);
	file[at - 1] += 2;		/* bytes that are no words */
	ck_assert_uint_eq(of_amd(CPU, 0), 0);
	file[at - 1] = ~3u;
	ck_assert_uint_eq(of_amd(CPU, 0), 0);
	file[at - 1] = 60;		/* too short for its header */
	ck_assert_uint_eq(of_amd(CPU, 0), 0);
	words = 0;
	amd(CPU, 0);			/* no name at all */
	amd_update(5, 0, 10);
	ck_assert_uint_eq(of_amd(CPU, 0), 0);
	words = 0;
	amd_update(5, NAME, 10);	/* nobody has said whom that is for */
	ck_assert_uint_eq(of_amd(CPU, 0), 0);
}
END_TEST

/* Whatever is in the file: what is chosen lies in it, and the sanitizer sees each step. */
START_TEST(mutations)
{
	unsigned int n, found = 0;

	random_seed(1);
	for (n = 0; n < 40000; n++) {
		bool is_amd = chance(2);
		u32 i, bytes, at, had = 0;

		words = 0;
		if (is_amd) {
			amd(CPU, NAME);
			amd_update(5, NAME, 10);
			amd_update(7, NAME, 3);
		} else {
			intel(5, CPU, BIT, 10, 2);
			at = intel(7, CPU, BIT, 20, 0);
		}
		for (i = below(4); i; i--)
			file[below(words)] = chance(2) ? (u32)random_u64() : (u32)below(200) * 4;
		if (!is_amd && chance(2)) {
			u32 sum = 0;

			for (file[4] = 0, i = 0; i < words && i * 4 < file[8]; i++)
				sum += file[i];
			file[4] = -sum;
		}
		bytes = words * 4 - (chance(3) ? (u32)below(words * 4) : 0);
		at = chosen(is_amd, bytes, CPU, BIT, &had);
		EXPECT(at * 4 <= bytes, "outside");
		EXPECT(!at == !had, "revision %u of word %u", had, at);
		found += !!at;
	}
	ck_assert_uint_gt(found, 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("microcode");
	TCase *t = tcase_create("microcode");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, intel_best);
	tcase_add_test(t, intel_more);
	tcase_add_test(t, intel_bad);
	tcase_add_test(t, amd_best);
	tcase_add_test(t, amd_bad);
	tcase_add_test(t, mutations);
	suite_add_tcase(s, t);
	return native_main(s);
}
