/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus block front end: what its parts share: block_front.c (requests and their link),
 * block_disk.c (the life of the disk) and block_pool.c (where data lies).
 */
#ifndef PARVUS_BLOCK_FRONT_H
#define PARVUS_BLOCK_FRONT_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/parvus_link.h>
#include <parvus/block.h>
#include "block_pool.h"

struct block_front;

struct front_queue {
	struct block_front *front;
	struct parvus_queue *q;
	u32 count;			/* entries of a ring */
	atomic_t looks;			/* asked for at responses; who makes it 1 looks for all */
	bool event;			/* the interrupt came, and is off */
	struct parvus_consumer responses;	/* of the one who looks */

	spinlock_t lock;		/* all below */
	struct parvus_producer requests;
	u32 issued;			/* requests without an answer */
	struct block_pool pool;
	struct list_head slow;		/* requests that wait for their data to be copied */
};

/* Of a request that is under way. */
struct front_request {
	struct front_queue *fq;		/* NULL = not issued */
	struct list_head list;		/* in slow */
	blk_status_t status;
	struct block_place place;
};

struct block_front {
	struct parvus_link_end end;		/* its lock: callbacks against the work items */
	struct parvus_block_info info;	/* of the back end, checked */
	struct front_queue *queue;	/* of the link's queues */
	struct gendisk *disk;		/* NULL = never connected */
	struct blk_mq_tag_set tags;
	struct request **issued;	/* by id, which is hardware queue * depth + tag */
	unsigned int bytes;		/* of one request, at most, as the disk was made */
	bool coming;			/* the boot waits for the disk */
	bool added;			/* the disk is one of the system's */
	bool quiet;			/* the disk's queues are quiesced */
	bool dead;			/* I/O fails */
	bool leaving;			/* under open_mutex: nobody opens the disk any more */
	bool left;			/* the disk is not in the system any more, and has no I/O */
	struct work_struct add_work;
	struct work_struct close_work;
};

static inline struct block_front *to_block_front(struct parvus_link_end *end)
{
	return container_of(end, struct block_front, end);
}

/* block_front.c */
extern const struct blk_mq_ops front_mq_ops;
void front_resume(struct block_front *f);

/* block_disk.c */
void front_disk_init(struct block_front *f);
int front_disk_make(struct block_front *f);
void front_disk_apply(struct block_front *f);
bool front_disk_closing(struct parvus_link_end *end);
void front_disk_end(struct block_front *f);
void front_disk_free(struct block_front *f);

#endif
