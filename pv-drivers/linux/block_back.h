/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus block back end: what its parts share: block_back.c (the device that is served, and
 * what becomes of it) and block_serve.c (queues and requests).
 */
#ifndef PARVUS_BLOCK_BACK_H
#define PARVUS_BLOCK_BACK_H

#include <linux/bio.h>
#include <linux/parvus_compat.h>
#include <linux/parvus_link.h>
#include <parvus/block.h>
#include "limit.h"

struct back_queue;

struct back_stats {
	u64 requests[PARVUS_BLOCK_WRITE_ZEROES + 1];
	u64 bytes[PARVUS_BLOCK_WRITE_ZEROES + 1];
	u64 errors;
};

struct back_limits {
	spinlock_t lock;
	struct parvus_limit requests, bytes;
};

struct block_back {
	struct parvus_link_end end;		/* its lock: of all but limits */
	struct parvus_block_config config;
	struct parvus_bdev disk;	/* not open = no medium */
	bool opened;			/* it is what config says */
	u32 pool_pages;			/* of a queue, at most */
	struct parvus_block_info info;
	struct back_queue *queue[PARVUS_LINK_QUEUES];
	struct back_stats stats;	/* of queues that are gone */
	struct back_limits limits;
};

static inline struct block_back *to_back(struct parvus_link_end *end)
{
	return container_of(end, struct block_back, end);
}

/* block_serve.c */
int back_serve_init(void);
void back_limits_set(struct back_limits *l, const struct parvus_block_config *config);
int back_connect(struct parvus_link_end *end);
int back_connected(struct parvus_link_end *end);
void back_disconnect(struct parvus_link_end *end);
irqreturn_t back_interrupt(int irq, void *data);
void back_pause(struct block_back *back);
void back_resume(struct block_back *back);
void back_stats_sum(struct block_back *back, struct back_stats *sum);

#endif
