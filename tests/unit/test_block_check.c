// SPDX-License-Identifier: GPL-2.0-only
/*
 * The block back end's check of requests (pv-drivers/common/block_check.h): what is good
 * passes, each lie is one, and whatever passes lies in the pool and on the disk.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "native.h"
#include "block_check.h"

#define POOL	(64 * 4096u)

static unsigned char pool[POOL];
static struct parvus_block_segment list[PARVUS_BLOCK_SEGMENTS];

static void copy(const struct block_check *c, void *to, uint32_t offset, uint32_t bytes)
{
	ck_assert_uint_le((uint64_t)offset + bytes, POOL);
	memcpy(to, (unsigned char *)c->pool + offset, bytes);
}

static struct block_check disk(void)
{
	return (struct block_check) {
		.sectors = 2048, .pool_bytes = POOL, .logical_block = 512, .bytes = 128 << 10,
		.discard_sectors = 1024, .zeroes_sectors = 256, .copy = copy, .pool = pool,
	};
}

static struct parvus_block_request write_request(void)
{
	return (struct parvus_block_request){
		.op = PARVUS_BLOCK_WRITE,
		.segments = 2,
		.sector = 2032,
		.sectors = 16,
		.segment = { { .offset = 4096, .bytes = 4096 },
			     { .offset = POOL - 4096, .bytes = 4096 } },
	};
}

static int verdict(struct block_check c, struct parvus_block_request r)
{
	return block_check(&c, &r, list);
}

START_TEST(test_good)
{
	struct parvus_block_request r = write_request();

	ck_assert_int_eq(verdict(disk(), r), 0);
	ck_assert_uint_eq(list[1].offset, POOL - 4096);
	r.flags = PARVUS_BLOCK_FUA;
	ck_assert_int_eq(verdict(disk(), r), 0);
	r = (struct parvus_block_request) { .op = PARVUS_BLOCK_FLUSH };
	ck_assert_int_eq(verdict(disk(), r), 0);
	r = (struct parvus_block_request) { .op = PARVUS_BLOCK_WRITE_ZEROES, .sectors = 256,
					    .flags = PARVUS_BLOCK_UNMAP | PARVUS_BLOCK_FUA };
	ck_assert_int_eq(verdict(disk(), r), 0);
	r = (struct parvus_block_request) { .op = PARVUS_BLOCK_DISCARD, .sectors = 1024 };
	ck_assert_int_eq(verdict(disk(), r), 0);
}
END_TEST

START_TEST(test_table)
{
	struct parvus_block_request r = {
		.op = PARVUS_BLOCK_READ, .segments = 32, .sectors = 32,
		.segment = { { .offset = POOL - 512, .bytes = 256 } },
	};
	struct parvus_block_segment *s = (void *)(pool + POOL - 512);
	int i;

	for (i = 0; i < 32; i++)
		s[i] = (struct parvus_block_segment) { .offset = i * 4096, .bytes = 512 };
	ck_assert_int_eq(verdict(disk(), r), 0);
	ck_assert_uint_eq(list[31].offset, 31 * 4096);
	s[31].offset = POOL;
	ck_assert_int_eq(verdict(disk(), r), BLOCK_CHECK_LIE);
	s[31].offset = 0;
	r.segment[0].offset = POOL;
	ck_assert_int_eq(verdict(disk(), r), BLOCK_CHECK_LIE);
	r.segment[0].offset = 0xfffffe00;
	ck_assert_int_eq(verdict(disk(), r), BLOCK_CHECK_LIE);
	r.segment[0].offset = 0;
	r.segment[0].bytes = 255;
	ck_assert_int_eq(verdict(disk(), r), BLOCK_CHECK_LIE);
	r.segments = 0xffff;
	ck_assert_int_eq(verdict(disk(), r), BLOCK_CHECK_LIE);
}
END_TEST

START_TEST(test_lies)
{
	struct parvus_block_request r = write_request();
	struct block_check c = disk();

#define LIE(change) do { \
	r = write_request(); \
	change; \
	ck_assert_int_eq(verdict(c, r), BLOCK_CHECK_LIE); \
} while (0)
	LIE(r.segments = 0);
	LIE(r.segments = 1);
	LIE(r.sectors = 17);
	LIE(r.sectors |= 1ull << 55);
	LIE(r.flags = PARVUS_BLOCK_UNMAP);
	LIE(r.flags = 0x80);
	LIE(r.segment[0].offset++);
	LIE(r.segment[1].offset += 512);
	LIE(r.segment[0].offset = 0xfffff000);
	LIE(r.segment[0].bytes = 0);
	LIE(r.segment[0].bytes = 4095);
	LIE(r.op = PARVUS_BLOCK_READ; r.flags = PARVUS_BLOCK_FUA);
	LIE(r.op = PARVUS_BLOCK_FLUSH);
	LIE(r.op = PARVUS_BLOCK_DISCARD);
	LIE(r.op = PARVUS_BLOCK_DISCARD; r.segments = 0; r.sectors = 0);
	c.bytes = 4096;
	LIE((void)0);
	c = disk();
	c.logical_block = 4096;
	LIE(r.segment[0].bytes = r.segment[1].bytes = 512; r.sectors = 2);
}
END_TEST

START_TEST(test_errors)
{
	struct parvus_block_request r = write_request();
	struct block_check c = disk();

	r.op = 5;
	ck_assert_int_eq(verdict(c, r), -PARVUS_BLOCK_EOPNOTSUPP);
	r = write_request();
	r.sector = 2033;
	ck_assert_int_eq(verdict(c, r), -PARVUS_EINVAL);
	r.sector = ~0ull;
	ck_assert_int_eq(verdict(c, r), -PARVUS_EINVAL);
	r = write_request();
	c.logical_block = 4096;
	r.sector = 2031;
	ck_assert_int_eq(verdict(c, r), -PARVUS_EINVAL);
	c = disk();
	c.readonly = 1;
	ck_assert_int_eq(verdict(c, write_request()), -PARVUS_EPERM);
	c = disk();
	c.sectors = 0;
	ck_assert_int_eq(verdict(c, write_request()), -PARVUS_BLOCK_EIO);
	c = disk();
	r = (struct parvus_block_request) { .op = PARVUS_BLOCK_WRITE_ZEROES, .sectors = 257 };
	ck_assert_int_eq(verdict(c, r), -PARVUS_E2BIG);
	c.zeroes_sectors = 0;
	ck_assert_int_eq(verdict(c, r), -PARVUS_BLOCK_EOPNOTSUPP);
}
END_TEST

/* Requests that are random in some fields: what passes is inside, in all. */
START_TEST(test_random)
{
	struct block_check c = disk();
	int n, passed = 0;

	srandom(7);
	for (n = 0; n < 300000; n++) {
		struct parvus_block_request r = write_request();
		uint64_t bytes = 0;
		unsigned char *byte = (void *)&r;
		int k = random() % 4;

		r.op = random() % 6;
		r.sector = random() % 4096;
		if (random() % 2)
			r.segments = random() % 8;
		while (k--)
			byte[random() % sizeof(r)] = random();
		if (!(random() % 4))
			((unsigned char *)pool)[random() % 512] = random();
		c.logical_block = random() % 2 ? 512 : 4096;
		if (block_check(&c, &r, list))
			continue;
		passed++;
		ck_assert_uint_le(r.sectors, c.sectors);
		ck_assert_uint_le(r.sector, c.sectors - r.sectors);
		if (r.op > PARVUS_BLOCK_WRITE)
			continue;
		for (k = 0; k < r.segments; k++) {
			ck_assert_uint_le((uint64_t)list[k].offset + list[k].bytes, POOL);
			ck_assert_uint_eq(list[k].offset % 512, 0);
			ck_assert_uint_gt(list[k].bytes, 0);
			bytes += list[k].bytes;
		}
		ck_assert_uint_eq(bytes, r.sectors * 512);
	}
	ck_assert_int_gt(passed, 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("block_check");
	TCase *t = tcase_create("block_check");

	tcase_add_test(t, test_good);
	tcase_add_test(t, test_table);
	tcase_add_test(t, test_lies);
	tcase_add_test(t, test_errors);
	tcase_add_test(t, test_random);
	suite_add_tcase(s, t);
	return native_main(s);
}
