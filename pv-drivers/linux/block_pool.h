/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus block front end: which pages of a queue's pool have the data of which request.
 * Callers hold the queue's lock. Knows nothing of queues and requests of Linux, so that a
 * unit test has it natively (tests/unit/test_block_pool.c).
 */
#ifndef PARVUS_BLOCK_POOL_H
#define PARVUS_BLOCK_POOL_H

#include <linux/types.h>
#include <parvus/block.h>

struct page;

/* A run of pages in the pool, kept at the index of its first page. */
struct block_run {
	u16 pages;
	u16 next;		/* page that the next run of the request begins at */
};

struct block_pool {
	struct page **page;
	unsigned int pages;
	unsigned int lowest;	/* no page below is free */
	unsigned int free;
	unsigned long *used;	/* a bit for each page */
	struct block_run *run;
};

/* What one request has of it. */
struct block_place {
	u16 first;		/* page of its first run */
	u16 runs;
	u16 pages;		/* 0 = no data */
	u16 table;		/* page of the list of segments */
	u16 table_pages;
};

int block_pool_init(struct block_pool *pool, struct page **page, unsigned int pages);
void block_pool_free(struct block_pool *pool);
bool block_pool_get(struct block_pool *pool, struct block_place *place, unsigned int bytes);
void block_pool_put(struct block_pool *pool, struct block_place *place);
void block_pool_segments(struct block_pool *pool, const struct block_place *place,
			 struct parvus_block_request *r, unsigned int bytes);

#endif
