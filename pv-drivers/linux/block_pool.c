// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus block front end: the pool of a queue (block_pool.h). A request gets the longest
 * runs of free pages that there are, lowest first; if it has more runs than fit into it,
 * some more pages for the list of them.
 */
#include <linux/parvus.h>
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "block_pool.h"

int block_pool_init(struct block_pool *pool, struct page **page, unsigned int pages)
{
	*pool = (struct block_pool) {
		.page = page,
		.pages = pages,
		.free = pages,
		.used = bitmap_zalloc(pages, GFP_KERNEL),
		.run = kvcalloc(pages, sizeof(*pool->run), GFP_KERNEL),
	};
	return pool->used && pool->run ? 0 : -ENOMEM;
}

void block_pool_free(struct block_pool *pool)
{
	bitmap_free(pool->used);
	kvfree(pool->run);
}

/* A run of up to @pages, the longest that begins at the first free page. */
static unsigned int run_get(struct block_pool *pool, unsigned int pages, unsigned int *first)
{
	unsigned int start = pool->lowest, end;

	if (pages > 1) {
		start = bitmap_find_next_zero_area(pool->used, pool->pages, start, pages, 0);
		if (start < pool->pages) {
			end = start + pages;
			goto found;
		}
	}
	start = find_next_zero_bit(pool->used, pool->pages, pool->lowest);
	pool->lowest = start;
	end = start + 1;
	if (pages > 1)
		end = find_next_bit(pool->used, min(pool->pages, start + pages), end);
found:
	bitmap_set(pool->used, start, end - start);
	if (start == pool->lowest)
		pool->lowest = end;
	pool->free -= end - start;
	*first = start;
	return end - start;
}

static void run_put(struct block_pool *pool, unsigned int first, unsigned int pages)
{
	bitmap_clear(pool->used, first, pages);
	pool->free += pages;
	pool->lowest = min(pool->lowest, first);
}

/* block_pool_put - give back what block_pool_get() gave */
void block_pool_put(struct block_pool *pool, struct block_place *place)
{
	unsigned int i, page = place->first;

	for (i = 0; i < place->runs; i++) {
		run_put(pool, page, pool->run[page].pages);
		page = pool->run[page].next;
	}
	if (place->table_pages)
		run_put(pool, place->table, place->table_pages);
	place->runs = 0;
	place->table_pages = 0;
}

/**
 * block_pool_get - pages for @bytes of data, and for the list of runs if there are many
 *
 * False: there is no room now; then nothing was taken.
 */
bool block_pool_get(struct block_pool *pool, struct block_place *place, unsigned int bytes)
{
	unsigned int left = DIV_ROUND_UP(bytes, PAGE_SIZE), first, n, last = 0, table;

	place->pages = left;
	place->runs = 0;
	place->table_pages = 0;
	if (left > pool->free)
		return false;
	while (left) {
		n = run_get(pool, left, &first);
		pool->run[first].pages = n;
		if (place->runs++)
			pool->run[last].next = first;
		else
			place->first = first;
		last = first;
		left -= n;
	}
	if (place->runs <= PARVUS_BLOCK_INLINE)
		return true;
	n = DIV_ROUND_UP(place->runs * sizeof(struct parvus_block_segment), PAGE_SIZE);
	table = bitmap_find_next_zero_area(pool->used, pool->pages, pool->lowest, n, 0);
	if (table >= pool->pages) {
		block_pool_put(pool, place);
		return false;
	}
	bitmap_set(pool->used, table, n);
	pool->free -= n;
	place->table = table;
	place->table_pages = n;
	return true;
}

/* block_pool_segments - the segments of a request: in @r, or in the list in the pool */
void block_pool_segments(struct block_pool *pool, const struct block_place *place,
			 struct parvus_block_request *r, unsigned int bytes)
{
	struct parvus_block_segment *s = r->segment;
	unsigned int i, page = place->first;

	r->segments = place->runs;
	for (i = 0; i < place->runs; i++, s++) {
		unsigned int n = min_t(unsigned int, bytes, pool->run[page].pages * PAGE_SIZE);

		/* the pages of the list are not in a row in our addresses */
		if (place->table_pages && offset_in_page(i * sizeof(*s)) == 0)
			s = page_address(pool->page[place->table + i * sizeof(*s) / PAGE_SIZE]);
		s->offset = page << PAGE_SHIFT;
		s->bytes = n;
		bytes -= n;
		page = pool->run[page].next;
	}
	if (place->table_pages) {
		r->segment[0].offset = place->table << PAGE_SHIFT;
		r->segment[0].bytes = place->runs * sizeof(*s);
	}
}
