// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool of a block front end (pv-drivers/linux/block_pool.c): no page is ever two
 * requests', segments say where the data is, in the order of the data, and what is put is
 * free again; also when the pool is in pieces, and when it is full.
 */
#include <check.h>
#include <string.h>
#include "../../pv-drivers/linux/block_pool.h"

#define PAGES	600u
#define PLACES	64u

static struct block_pool pool;
static struct page *page[PAGES];
static unsigned char *memory;
static unsigned int owner[PAGES];	/* 0: nobody's */

static void setup(void)
{
	unsigned int i;

	memory = aligned_alloc(PAGE_SIZE, PAGES * PAGE_SIZE);
	/* pages that follow each other in the pool do not in memory */
	for (i = 0; i < PAGES; i++)
		page[i] = (struct page *)(memory + i * 7 % PAGES * PAGE_SIZE);
	memset(owner, 0, sizeof(owner));
	ck_assert_int_eq(block_pool_init(&pool, page, PAGES), 0);
}

static void teardown(void)
{
	block_pool_free(&pool);
	free(memory);
}

static void own(unsigned int at, unsigned int pages, unsigned int from, unsigned int to)
{
	for (; pages--; at++) {
		ck_assert_uint_lt(at, PAGES);
		ck_assert_uint_eq(owner[at], from);
		owner[at] = to;
	}
}

/* The pages of a request, as its segments say, are @from's and become @to's. */
static void walk(const struct block_place *place, unsigned int bytes, unsigned int from,
		 unsigned int to)
{
	struct parvus_block_request r = { 0 };
	const struct parvus_block_segment *s = r.segment;
	unsigned int i, sum = 0, per = PAGE_SIZE / sizeof(*s);

	block_pool_segments(&pool, place, &r, bytes);
	ck_assert_uint_eq(r.segments, place->runs);
	ck_assert_uint_ge(r.segments, 1);
	ck_assert_int_eq(r.segments > PARVUS_BLOCK_INLINE, place->table_pages > 0);
	if (place->table_pages) {
		ck_assert_uint_eq(r.segment[0].bytes, r.segments * sizeof(*s));
		ck_assert_uint_eq(r.segment[0].offset, place->table * PAGE_SIZE);
		own(place->table, place->table_pages, from, to);
	}
	for (i = 0; i < r.segments; i++, s++) {
		if (place->table_pages && i % per == 0)
			s = page_address(page[place->table + i / per]);
		ck_assert_uint_eq(s->offset % PAGE_SIZE, 0);
		/* only the last piece may end inside a page */
		ck_assert(s->bytes && (s->bytes % PAGE_SIZE == 0 || i == r.segments - 1u));
		own(s->offset / PAGE_SIZE, DIV_ROUND_UP(s->bytes, PAGE_SIZE), from, to);
		sum += s->bytes;
	}
	ck_assert_uint_eq(sum, bytes);
}

static unsigned int used(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < PAGES; i++) {
		n += owner[i] != 0;
		ck_assert_int_eq(test_bit(i, pool.used), owner[i] != 0);
		ck_assert(owner[i] || i >= pool.lowest);
	}
	return n;
}

START_TEST(whole)
{
	struct block_place place;

	ck_assert(!block_pool_get(&pool, &place, PAGES * PAGE_SIZE + 1));
	ck_assert(block_pool_get(&pool, &place, PAGES * PAGE_SIZE));
	ck_assert_uint_eq(place.runs, 1);
	walk(&place, PAGES * PAGE_SIZE, 0, 1);
	ck_assert_uint_eq(pool.free, 0);
	block_pool_put(&pool, &place);
	ck_assert_uint_eq(pool.free, PAGES);
}
END_TEST

/* Every other page is free: as many runs as pages, and a list of them. */
START_TEST(pieces)
{
	struct block_place hole[PAGES / 2], place;
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		struct block_place *p = i % 2 ? &place : &hole[i / 2];

		ck_assert(block_pool_get(&pool, p, 512));
		ck_assert_uint_eq(p->first, i);
	}
	for (i = 0; i < PAGES / 2; i++)
		block_pool_put(&pool, &hole[i]);
	ck_assert_uint_eq(pool.free, PAGES / 2);
	/* all of it leaves no page for the list */
	ck_assert(!block_pool_get(&pool, &place, PAGES / 2 * PAGE_SIZE));
	ck_assert_uint_eq(pool.free, PAGES / 2);
	ck_assert(block_pool_get(&pool, &place, 100 * PAGE_SIZE - 3584));
	ck_assert_uint_eq(place.runs, 100);
	walk(&place, 100 * PAGE_SIZE - 3584, 0, 1);
	ck_assert_uint_eq(pool.free, PAGES / 2 - 101);
}
END_TEST

/* Requests of all sizes come and go. */
START_TEST(many)
{
	struct block_place place[PLACES] = { 0 };
	unsigned int bytes[PLACES] = { 0 }, i, n, free, got = 0, lists = 0;

	srand(7);
	for (n = 0; n < 3000; n++) {
		i = rand() % PLACES;
		if (bytes[i]) {
			walk(&place[i], bytes[i], i + 1, 0);
			block_pool_put(&pool, &place[i]);
			bytes[i] = 0;
		} else {
			unsigned int want = (1 + rand() % (rand() % 2 ? 8 : 400)) * 512;

			free = pool.free;
			if (!block_pool_get(&pool, &place[i], want)) {
				ck_assert_uint_eq(pool.free, free);
				continue;
			}
			bytes[i] = want;
			walk(&place[i], want, 0, i + 1);
			got++;
			lists += place[i].table_pages != 0;
		}
		if (n % 16 == 0)
			ck_assert_uint_eq(used(), PAGES - pool.free);
	}
	ck_assert_uint_gt(got, 1000);
	ck_assert_uint_gt(lists, 5);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("block_pool");
	TCase *t = tcase_create("block_pool");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, whole);
	tcase_add_test(t, pieces);
	tcase_add_test(t, many);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
