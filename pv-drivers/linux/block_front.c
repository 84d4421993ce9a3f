// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus block front end: a disk that another domain serves (parvus/block.h). Each
 * hardware queue of blk-mq has a queue of the link, with as many tags as the rings have
 * entries; data is copied between the pages of a request and the pool.
 *
 * The back end may go away and come again. I/O waits meanwhile, and what was not
 * answered is issued again: the data of a write is in its pages until it ends. Only
 * when the device itself is removed does I/O fail. A back end that goes to CLOSING wants
 * the disk back: it goes when nobody has it open, and the link is used until then.
 *
 * The back end is not trusted either: an answer ends a request that is under way, once,
 * or closes the device. Where data lies in the pool is known here alone.
 */
#include <linux/bitmap.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/ctype.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/parvus_link.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <parvus/block.h>
#include "parvus_bus.h"

#define FRONT_RING_PAGES	3u	/* 128 entries */
#define FRONT_QUEUES		4u	/* of a disk, if it is not said otherwise */
#define FRONT_POOL_PAGES	1024u	/* of a disk, if there is memory for it */
#define FRONT_POOL_LEAST	64u	/* of a queue */
#define FRONT_COPY_LOCKED	PAGE_SIZE	/* to the pool, interrupts off, at most */
#define FRONT_COPY_INTERRUPT	(128u << 10)	/* from the pool, in interrupts, most */
#define FRONT_RETRY		HZ	/* after a link that could not be made */

static unsigned int queues;
module_param(queues, uint, 0444);
MODULE_PARM_DESC(queues, "queues of a disk, at most; 0 = one for each CPU, up to 4");

static unsigned int wait = 10;
module_param(wait, uint, 0444);
MODULE_PARM_DESC(wait, "seconds that the boot waits for disks to come, at most");

/* A run of pages in the pool, kept at the index of its first page. */
struct front_run {
	u16 pages;
	u16 next;		/* page that the next run of the request begins at */
};

struct front_queue {
	struct block_front *front;
	struct parvus_queue *q;
	u32 count;			/* entries of a ring */
	struct parvus_consumer responses;	/* of the interrupt */

	spinlock_t lock;		/* all below */
	struct parvus_producer requests;
	u32 issued;			/* requests without an answer */
	bool stopped;			/* somebody waits for pool or ring */
	unsigned long *used;		/* pages of the pool */
	struct front_run *run;
	unsigned int lowest;		/* no page below is free */
	unsigned int free;
	struct list_head slow;		/* requests that wait for their data to be copied */
};

/* Of a request that is under way. */
struct front_request {
	struct front_queue *fq;		/* NULL = not issued */
	struct list_head list;		/* in slow */
	blk_status_t status;
	u16 first;			/* page of its first run */
	u16 runs;
	u16 pages;			/* 0 = no data */
	u16 table;			/* page of the list of segments */
	u16 table_pages;
};

struct block_front {
	struct parvus_dev *dev;
	struct mutex lock;		/* callbacks against the work items */
	struct parvus_block_info info;	/* of the back end, checked */
	struct parvus_queues *qs;
	struct front_queue *queue;	/* qs->count */
	struct gendisk *disk;		/* NULL = never connected */
	struct blk_mq_tag_set tags;
	struct request **issued;	/* by id, which is hardware queue * depth + tag */
	unsigned int bytes;		/* of one request, at most, as the disk was made */
	bool coming;			/* counted in fronts_coming */
	bool added;			/* the disk is one of the system's */
	bool quiet;			/* the disk's queues are quiesced */
	bool dead;			/* I/O fails */
	bool closing;			/* the back end is */
	bool leaving;			/* under open_mutex: nobody opens the disk any more */
	struct work_struct add_work;
	struct work_struct close_work;
	struct work_struct lie_work;
	struct delayed_work retry_work;
};

static atomic_t fronts_coming;		/* devices without a disk yet */
static DECLARE_WAIT_QUEUE_HEAD(fronts_wait);

/* the pool: all with the queue's lock held */

/* A run of up to @pages, the longest that begins at the first free page. */
static unsigned int front_run_get(struct front_queue *fq, unsigned int pages, unsigned int *first)
{
	unsigned int total = fq->q->pool_pages, start = fq->lowest, end;

	if (pages > 1) {
		start = bitmap_find_next_zero_area(fq->used, total, start, pages, 0);
		if (start < total) {
			end = start + pages;
			goto found;
		}
	}
	start = find_next_zero_bit(fq->used, total, fq->lowest);
	fq->lowest = start;
	end = start + 1;
	if (pages > 1)
		end = find_next_bit(fq->used, min(total, start + pages), end);
found:
	bitmap_set(fq->used, start, end - start);
	if (start == fq->lowest)
		fq->lowest = end;
	fq->free -= end - start;
	*first = start;
	return end - start;
}

static void front_run_put(struct front_queue *fq, unsigned int first, unsigned int pages)
{
	bitmap_clear(fq->used, first, pages);
	fq->free += pages;
	fq->lowest = min(fq->lowest, first);
}

static void front_pages_put(struct front_queue *fq, struct front_request *fr)
{
	unsigned int i, page = fr->first;

	for (i = 0; i < fr->runs; i++) {
		front_run_put(fq, page, fq->run[page].pages);
		page = fq->run[page].next;
	}
	if (fr->table_pages)
		front_run_put(fq, fr->table, fr->table_pages);
	fr->runs = 0;
	fr->table_pages = 0;
}

/* Pages for the data, and for the list of runs if there are many. */
static bool front_pages_get(struct front_queue *fq, struct front_request *fr, unsigned int bytes)
{
	unsigned int left = DIV_ROUND_UP(bytes, PAGE_SIZE), first, n, last = 0, table;

	fr->pages = left;
	fr->runs = 0;
	fr->table_pages = 0;
	if (left > fq->free)
		return false;
	while (left) {
		n = front_run_get(fq, left, &first);
		fq->run[first].pages = n;
		if (fr->runs++)
			fq->run[last].next = first;
		else
			fr->first = first;
		last = first;
		left -= n;
	}
	if (fr->runs <= PARVUS_BLOCK_INLINE)
		return true;
	n = DIV_ROUND_UP(fr->runs * sizeof(struct parvus_block_segment), PAGE_SIZE);
	table = bitmap_find_next_zero_area(fq->used, fq->q->pool_pages, fq->lowest, n, 0);
	if (table >= fq->q->pool_pages) {
		front_pages_put(fq, fr);
		return false;
	}
	bitmap_set(fq->used, table, n);
	fq->free -= n;
	fr->table = table;
	fr->table_pages = n;
	return true;
}

/* The segments of a request: in @r, or in the list in the pool. */
static void front_segments(struct front_queue *fq, const struct front_request *fr,
			   struct parvus_block_request *r, unsigned int bytes)
{
	struct parvus_block_segment *s = r->segment;
	unsigned int i, page = fr->first;

	r->segments = fr->runs;
	for (i = 0; i < fr->runs; i++, s++) {
		unsigned int n = min_t(unsigned int, bytes, fq->run[page].pages * PAGE_SIZE);

		/* the pages of the list are not in a row in our addresses */
		if (fr->table_pages && offset_in_page(i * sizeof(*s)) == 0)
			s = page_address(fq->q->pool[fr->table + i * sizeof(*s) / PAGE_SIZE]);
		s->offset = page << PAGE_SHIFT;
		s->bytes = n;
		bytes -= n;
		page = fq->run[page].next;
	}
	if (fr->table_pages) {
		r->segment[0].offset = fr->table << PAGE_SHIFT;
		r->segment[0].bytes = fr->runs * sizeof(*s);
	}
}

/* Copy between the request's pages and its place in the pool. */
static void front_copy(struct front_queue *fq, struct request *rq, bool to_pool)
{
	struct front_request *fr = blk_mq_rq_to_pdu(rq);
	unsigned int page = fr->first, left = fq->run[page].pages, start = page, offset = 0;
	struct req_iterator iter;
	struct bio_vec bv;

	rq_for_each_bvec(bv, rq, iter) {
		void *data = bvec_virt(&bv);
		unsigned int len = bv.bv_len;

		while (len) {
			unsigned int n = min_t(unsigned int, len, PAGE_SIZE - offset);
			void *pool;

			if (!left) {
				start = page = fq->run[start].next;
				left = fq->run[start].pages;
			}
			pool = page_address(fq->q->pool[page]) + offset;
			if (to_pool)
				memcpy(pool, data, n);
			else
				memcpy(data, pool, n);
			data += n;
			len -= n;
			offset += n;
			if (offset == PAGE_SIZE) {
				offset = 0;
				page++;
				left--;
			}
		}
	}
}

/* issuing */

static u32 front_id(const struct block_front *f, const struct request *rq)
{
	return rq->mq_hctx->queue_num * f->tags.queue_depth + rq->tag;
}

/* What is to be done, without the place of data. */
static blk_status_t front_describe(const struct block_front *f, struct request *rq,
				   struct parvus_block_request *r)
{
	*r = (struct parvus_block_request) {
		.id = front_id(f, rq),
		.sector = blk_rq_pos(rq),
		.sectors = blk_rq_sectors(rq),
	};
	switch (req_op(rq)) {
	case REQ_OP_READ:
		r->op = PARVUS_BLOCK_READ;
		return BLK_STS_OK;
	case REQ_OP_WRITE:
		r->op = PARVUS_BLOCK_WRITE;
		r->flags = rq->cmd_flags & REQ_FUA ? PARVUS_BLOCK_FUA : 0;
		return BLK_STS_OK;
	case REQ_OP_FLUSH:
		r->op = PARVUS_BLOCK_FLUSH;
		r->sector = r->sectors = 0;
		return BLK_STS_OK;
	case REQ_OP_DISCARD:
		r->op = PARVUS_BLOCK_DISCARD;
		/* another back end may do less than the one that it was made for */
		return r->sectors <= f->info.discard_sectors ? BLK_STS_OK : BLK_STS_NOTSUPP;
	case REQ_OP_WRITE_ZEROES:
		r->op = PARVUS_BLOCK_WRITE_ZEROES;
		r->flags = rq->cmd_flags & REQ_NOUNMAP ? 0 : PARVUS_BLOCK_UNMAP;
		return r->sectors <= f->info.zeroes_sectors ? BLK_STS_OK : BLK_STS_NOTSUPP;
	default:
		return BLK_STS_NOTSUPP;
	}
}

static bool front_has_data(const struct parvus_block_request *r)
{
	return r->op <= PARVUS_BLOCK_WRITE;
}

/*
 * With the lock held. False: the ring is full. An answer may still lie in the other ring
 * unseen, so that no more may be under way than it has entries.
 */
static bool front_room(struct front_queue *fq)
{
	if (fq->issued < fq->count && parvus_producer_room(&fq->requests))
		return true;
	if (fq->issued)
		return false;	/* an answer will come */
	return !parvus_producer_sleep(&fq->requests, 1) && !parvus_producer_broken(&fq->requests);
}

static void front_lie(struct front_queue *fq, const char *what)
{
	dev_warn_ratelimited(&fq->front->dev->dev, "the back end lies: %s\n", what);
	schedule_work(&fq->front->lie_work);
}

/* Without room: the hardware queue rests until an answer has made some. */
static blk_status_t front_busy(struct front_queue *fq, struct blk_mq_hw_ctx *hctx)
{
	fq->stopped = true;
	blk_mq_stop_hw_queue(hctx);
	if (parvus_producer_broken(&fq->requests))
		front_lie(fq, "index of the request ring");
	return BLK_STS_DEV_RESOURCE;
}

static blk_status_t front_queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	struct block_front *f = hctx->queue->queuedata;
	struct request *rq = bd->rq;
	struct front_request *fr = blk_mq_rq_to_pdu(rq);
	struct parvus_block_request r;
	struct front_queue *fq;
	blk_status_t status;
	unsigned long flags;
	bool tell = false;

	if (f->dead)
		return BLK_STS_IOERR;
	fq = &f->queue[hctx->queue_num % f->qs->count];
	status = front_describe(f, rq, &r);
	if (status)
		return status;
	blk_mq_start_request(rq);
	fr->pages = 0;
	spin_lock_irqsave(&fq->lock, flags);
	if (front_has_data(&r)) {
		unsigned int bytes = blk_rq_bytes(rq);
		bool apart = bytes > FRONT_COPY_LOCKED && r.op == PARVUS_BLOCK_WRITE;

		if (!front_pages_get(fq, fr, bytes))
			goto busy;
		if (apart)
			spin_unlock_irqrestore(&fq->lock, flags);
		if (r.op == PARVUS_BLOCK_WRITE)
			front_copy(fq, rq, true);
		front_segments(fq, fr, &r, bytes);
		if (apart)
			spin_lock_irqsave(&fq->lock, flags);
	}
	if (!front_room(fq)) {
		if (fr->pages)
			front_pages_put(fq, fr);
		goto busy;
	}
	fr->fq = fq;
	fq->issued++;
	WRITE_ONCE(f->issued[r.id], rq);
	parvus_produce(&fq->requests, &r);
	if (bd->last)
		tell = parvus_publish(&fq->requests);
	spin_unlock_irqrestore(&fq->lock, flags);
	if (tell)
		parvus_queue_notify(fq->q);
	return BLK_STS_OK;
busy:
	status = front_busy(fq, hctx);
	tell = parvus_publish(&fq->requests);
	spin_unlock_irqrestore(&fq->lock, flags);
	if (tell)
		parvus_queue_notify(fq->q);
	return status;
}

static void front_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct block_front *f = hctx->queue->queuedata;
	struct front_queue *fq;
	unsigned long flags;
	bool tell;

	if (f->dead)
		return;
	fq = &f->queue[hctx->queue_num % f->qs->count];
	spin_lock_irqsave(&fq->lock, flags);
	tell = parvus_publish(&fq->requests);
	spin_unlock_irqrestore(&fq->lock, flags);
	if (tell)
		parvus_queue_notify(fq->q);
}

/* answers */

static blk_status_t front_status(int status)
{
	switch (status) {
	case 0:
		return BLK_STS_OK;
	case -PARVUS_BLOCK_EOPNOTSUPP:
		return BLK_STS_NOTSUPP;
	case -PARVUS_ENOSPC:
		return BLK_STS_NOSPC;
	default:
		return BLK_STS_IOERR;
	}
}

/* The request that is under way in this queue with that id, which is no more from now on. */
static struct request *front_take(struct front_queue *fq, u32 id)
{
	struct block_front *f = fq->front;
	struct front_request *fr;
	struct request *rq;

	/* before the disk is there nothing is issued */
	if (!f->disk || id >= f->tags.nr_hw_queues * f->tags.queue_depth)
		return NULL;
	rq = READ_ONCE(f->issued[id]);
	if (!rq)
		return NULL;
	fr = blk_mq_rq_to_pdu(rq);
	if (fr->fq != fq)
		return NULL;
	WRITE_ONCE(f->issued[id], NULL);
	return rq;
}

/* Its data was copied, or has none: it ends, and who waits for room goes on. */
static void front_finish(struct front_queue *fq, struct request *rq)
{
	struct front_request *fr = blk_mq_rq_to_pdu(rq);
	unsigned long flags;
	bool stopped;

	spin_lock_irqsave(&fq->lock, flags);
	if (fr->pages)
		front_pages_put(fq, fr);
	fr->fq = NULL;
	fq->issued--;
	stopped = fq->stopped;
	fq->stopped = false;
	spin_unlock_irqrestore(&fq->lock, flags);
	/* here, and not in a soft interrupt: nothing is left that takes long */
	blk_mq_end_request(rq, fr->status);
	if (stopped)
		blk_mq_start_stopped_hw_queues(fq->front->disk->queue, true);
}

/* What the back end could not do after all is not asked of it again. */
static void front_unsupported(struct request *rq)
{
	if (req_op(rq) == REQ_OP_DISCARD)
		blk_queue_max_discard_sectors(rq->q, 0);
	if (req_op(rq) == REQ_OP_WRITE_ZEROES)
		blk_queue_max_write_zeroes_sectors(rq->q, 0);
}

/* False: it was a lie. */
static bool front_answer(struct front_queue *fq, const struct parvus_block_response *a)
{
	struct request *rq = front_take(fq, a->id);
	struct front_request *fr;

	if (!rq) {
		front_lie(fq, "an answer to no request");
		return false;
	}
	fr = blk_mq_rq_to_pdu(rq);
	fr->status = front_status(a->status);
	if (fr->status == BLK_STS_NOTSUPP)
		front_unsupported(rq);
	if (!fr->status && req_op(rq) == REQ_OP_READ) {
		if (blk_rq_bytes(rq) > FRONT_COPY_INTERRUPT) {
			spin_lock(&fq->lock);
			list_add_tail(&fr->list, &fq->slow);
			spin_unlock(&fq->lock);
			return true;
		}
		front_copy(fq, rq, false);
	}
	front_finish(fq, rq);
	return true;
}

/* The other end made room, and nothing is under way whose answer would tell who waits. */
static void front_room_made(struct front_queue *fq)
{
	bool stopped;

	spin_lock(&fq->lock);
	stopped = fq->stopped && !fq->issued;
	if (stopped)
		fq->stopped = false;
	spin_unlock(&fq->lock);
	if (stopped)
		blk_mq_start_stopped_hw_queues(fq->front->disk->queue, true);
}

static irqreturn_t front_interrupt(int irq, void *data)
{
	struct parvus_queue *q = data;
	struct front_queue *fq = q->data;
	struct parvus_block_response a;

	do {
		while (parvus_consume(&fq->responses, &a)) {
			if (!front_answer(fq, &a))
				return IRQ_HANDLED;	/* and no more of it */
			if (parvus_release(&fq->responses))
				parvus_queue_notify(q);
		}
		if (parvus_consumer_broken(&fq->responses)) {
			front_lie(fq, "index of the ring of answers");
			return IRQ_HANDLED;
		}
	} while (!parvus_consumer_sleep(&fq->responses));
	if (READ_ONCE(fq->stopped))
		front_room_made(fq);
	parvus_queue_done(q);
	return list_empty(&fq->slow) ? IRQ_HANDLED : IRQ_WAKE_THREAD;
}

/* Long copies, where interrupts are on. */
static irqreturn_t front_thread(int irq, void *data)
{
	struct parvus_queue *q = data;
	struct front_queue *fq = q->data;
	struct front_request *fr;
	struct request *rq;

	for (;;) {
		spin_lock_irq(&fq->lock);
		fr = list_first_entry_or_null(&fq->slow, struct front_request, list);
		if (fr)
			list_del(&fr->list);
		spin_unlock_irq(&fq->lock);
		if (!fr)
			return IRQ_HANDLED;
		rq = blk_mq_rq_from_pdu(fr);
		front_copy(fq, rq, false);
		front_finish(fq, rq);
	}
}

static const struct blk_mq_ops front_mq_ops = {
	.queue_rq = front_queue_rq,
	.commit_rqs = front_commit_rqs,
};

/* what the back end says */

static int front_read_info(struct block_front *f, struct parvus_block_info *info)
{
	struct parvus_device *record = kmalloc(sizeof(*record), GFP_KERNEL);
	int err = record ? parvus_device_read(f->dev, record) : -ENOMEM;

	if (!err)
		memcpy(info, record->back_blob, sizeof(*info));
	kfree(record);
	if (err)
		return err;
	if (info->link.version != PARVUS_LINK_VERSION || !info->link.queues ||
	    !is_power_of_2(info->logical_block) || info->logical_block < SECTOR_SIZE ||
	    info->logical_block > 4096 || info->bytes < PAGE_SIZE ||
	    info->link.pool_pages < 2 || info->sectors >> (63 - SECTOR_SHIFT))
		return -EPROTO;
	info->sectors = rounddown(info->sectors, (u64)(info->logical_block >> SECTOR_SHIFT));
	if (!is_power_of_2(info->physical_block) || info->physical_block < info->logical_block ||
	    info->physical_block > 1u << 20)
		info->physical_block = info->logical_block;
	info->optimal_io = rounddown(min(info->optimal_io, 1u << 30), info->logical_block);
	if (!is_power_of_2(info->discard_granularity) ||
	    info->discard_granularity < info->logical_block)
		info->discard_granularity = info->logical_block;
	if (!(info->link.features & PARVUS_BLOCK_HAS_DISCARD))
		info->discard_sectors = 0;
	if (!(info->link.features & PARVUS_BLOCK_HAS_WRITE_ZEROES))
		info->zeroes_sectors = 0;
	info->bytes = min(info->bytes, PARVUS_BLOCK_BYTES);
	return 0;
}

/* What may change while the disk is there. */
static void front_apply(struct block_front *f)
{
	struct request_queue *q = f->disk->queue;
	const struct parvus_block_info *info = &f->info;
	u64 features = info->link.features;

	blk_queue_write_cache(q, features & PARVUS_BLOCK_HAS_FLUSH,
			      features & PARVUS_BLOCK_HAS_FUA);
	blk_queue_max_discard_sectors(q, info->discard_sectors);
	blk_queue_max_write_zeroes_sectors(q, info->zeroes_sectors);
	q->limits.discard_granularity = info->discard_sectors ? info->discard_granularity : 0;
	set_disk_ro(f->disk, info->flags & PARVUS_BLOCK_READONLY);
	set_capacity_and_notify(f->disk, info->sectors);
}

/* The disk as it is now must go on to work with this back end. */
static int front_fits(const struct block_front *f, const struct parvus_block_info *info)
{
	if (!f->disk)
		return 0;
	if (info->logical_block > queue_logical_block_size(f->disk->queue) ||
	    info->bytes < f->bytes)
		return -EMEDIUMTYPE;
	return 0;
}

/* the link */

static unsigned int front_queues(const struct block_front *f)
{
	unsigned int n = queues ?: min(num_online_cpus(), FRONT_QUEUES);

	n = min3(f->info.link.queues, n, PARVUS_LINK_QUEUES);

	return f->disk ? min(n, f->tags.nr_hw_queues) : n;
}

/* About a sixty-fourth of memory for a disk, but what its requests need. */
static unsigned int front_pool_pages(const struct block_front *f, unsigned int n)
{
	unsigned int pages = min(totalram_pages() / 64, FRONT_POOL_PAGES - 1ul);

	pages = max(roundup_pow_of_two(pages + 1) / n, FRONT_POOL_LEAST);
	return clamp(pages, f->bytes / PAGE_SIZE + 1, f->info.link.pool_pages);
}

static int front_queue_init(struct front_queue *fq, struct block_front *f, struct parvus_queue *q)
{
	struct parvus_ring *rings = q->rings;
	void *entries = rings + 2;

	fq->front = f;
	fq->q = q;
	fq->count = parvus_ring_count(q->ring_bytes - 2 * sizeof(struct parvus_ring),
				      sizeof(struct parvus_block_request) +
				      sizeof(struct parvus_block_response));
	fq->free = q->pool_pages;
	fq->used = bitmap_zalloc(q->pool_pages, GFP_KERNEL);
	fq->run = kvcalloc(q->pool_pages, sizeof(*fq->run), GFP_KERNEL);
	if (!fq->used || !fq->run)
		return -ENOMEM;
	spin_lock_init(&fq->lock);
	INIT_LIST_HEAD(&fq->slow);
	parvus_ring_format(&rings[0]);
	parvus_ring_format(&rings[1]);
	parvus_producer_init(&fq->requests, &rings[0], entries, fq->count,
			     sizeof(struct parvus_block_request), 0);
	parvus_consumer_init(&fq->responses, &rings[1],
			     entries + fq->count * sizeof(struct parvus_block_request), fq->count,
			     sizeof(struct parvus_block_response), 0);
	q->data = fq;
	return 0;
}

static void front_link_free(struct block_front *f)
{
	unsigned int i;

	for (i = 0; f->queue && i < f->qs->count; i++) {
		bitmap_free(f->queue[i].used);
		kvfree(f->queue[i].run);
	}
	kfree(f->queue);
	f->queue = NULL;
	parvus_link_free(f->qs);
	f->qs = NULL;
}

static int front_link_make(struct block_front *f)
{
	unsigned int n = front_queues(f), pages = front_pool_pages(f, n), i;
	struct parvus_queues *qs;
	int err = 0;

	/* Many disks share memory and the table of grants: rather a small pool than none. */
	do {
		qs = parvus_link_create(f->dev, n, FRONT_RING_PAGES, pages,
					PARVUS_EVENT_AUTO_MASK);
		pages /= 2;
	} while (IS_ERR(qs) && pages >= FRONT_POOL_LEAST && pages > f->bytes / PAGE_SIZE);
	if (IS_ERR(qs))
		return PTR_ERR(qs);
	f->qs = qs;
	f->queue = kcalloc(n, sizeof(*f->queue), GFP_KERNEL);
	if (!f->queue)
		err = -ENOMEM;
	for (i = 0; i < n && !err; i++) {
		err = front_queue_init(&f->queue[i], f, &qs->queue[i]);
		if (!err && qs->queue[i].pool_pages <= f->bytes / PAGE_SIZE)
			err = -ENOMEM;	/* there are requests that need more */
	}
	if (!err)
		err = parvus_link_start(qs, front_interrupt, front_thread, "block-front");
	if (!err)
		err = parvus_link_publish(qs, f->info.link.features &
					  (PARVUS_BLOCK_HAS_FLUSH | PARVUS_BLOCK_HAS_FUA |
					   PARVUS_BLOCK_HAS_DISCARD |
					   PARVUS_BLOCK_HAS_WRITE_ZEROES), NULL, 0);
	if (err)
		front_link_free(f);
	return err;
}

/* The back end is READY: read what it says, make a link, go READY too. */
static void front_begin(struct block_front *f)
{
	struct parvus_block_info info;
	int err;

	if (f->qs)
		return;
	if (f->dev->state != PARVUS_DEVICE_INITIALISING)
		parvus_device_set_state(f->dev, PARVUS_DEVICE_INITIALISING, NULL, 0);
	err = front_read_info(f, &info);
	if (!err)
		err = front_fits(f, &info);
	if (!err) {
		f->info = info;
		err = front_link_make(f);
	}
	if (!err)
		return;
	dev_warn_ratelimited(&f->dev->dev, "no link to the back end: %d\n", err);
	if (err == -ENOMEM)
		schedule_delayed_work(&f->retry_work, FRONT_RETRY);
}

static bool front_requeue(struct request *rq, void *data)
{
	struct front_request *fr = blk_mq_rq_to_pdu(rq);

	if (fr->fq) {
		fr->fq = NULL;
		blk_mq_requeue_request(rq, false);
	}
	return true;
}

/* Without a link: what was issued waits to be issued again. */
static void front_disconnect(struct block_front *f)
{
	unsigned int i;

	if (!f->qs)
		return;
	if (f->disk && !f->quiet) {
		blk_mq_quiesce_queue(f->disk->queue);
		f->quiet = true;
	}
	parvus_link_stop(f->qs);
	if (f->disk) {
		/* answers that have come, but were not copied */
		for (i = 0; i < f->qs->count; i++)
			front_thread(0, &f->qs->queue[i]);
		blk_mq_tagset_busy_iter(&f->tags, front_requeue, NULL);
		memset(f->issued, 0, array3_size(f->tags.nr_hw_queues, f->tags.queue_depth,
						 sizeof(*f->issued)));
	}
	front_link_free(f);
}

static void front_resume(struct block_front *f)
{
	if (!f->quiet)
		return;
	f->quiet = false;
	blk_mq_unquiesce_queue(f->disk->queue);
	blk_mq_start_stopped_hw_queues(f->disk->queue, true);
	blk_mq_kick_requeue_list(f->disk->queue);
}

/* the disk */

static void front_free_disk(struct gendisk *disk)
{
	kfree(disk->private_data);
}

static int front_open(struct block_device *bdev, fmode_t mode)
{
	struct block_front *f = bdev->bd_disk->private_data;

	return f->leaving ? -ENXIO : 0;
}

/* Under open_mutex, as front_open(). The last one has closed it, maybe: look. */
static void front_release(struct gendisk *disk, fmode_t mode)
{
	struct block_front *f = disk->private_data;

	if (READ_ONCE(f->closing) && !READ_ONCE(f->dead))
		schedule_work(&f->close_work);
}

static const struct block_device_operations front_fops = {
	.owner = THIS_MODULE,
	.open = front_open,
	.release = front_release,
	.free_disk = front_free_disk,
};

/* The name that was configured, if it is one; else xvda, xvdb ... by the device's index. */
static void front_name(const struct parvus_dev *dev, char *name)
{
	const struct parvus_block_config *config = (const void *)dev->config;
	char letters[8];
	unsigned int i = 0, n = dev->index + 1;

	strscpy(name, config->name, sizeof(config->name));
	while (islower(name[i]) || (i && isdigit(name[i])))
		i++;
	if (i && !name[i])
		return;
	for (i = sizeof(letters) - 1, letters[i] = 0; n && i; n = (n - 1) / 26)
		letters[--i] = 'a' + (n - 1) % 26;
	snprintf(name, DISK_NAME_LEN, "xvd%s", letters + i);
}

static void front_limits(struct block_front *f)
{
	struct request_queue *q = f->disk->queue;

	blk_queue_logical_block_size(q, f->info.logical_block);
	blk_queue_physical_block_size(q, f->info.physical_block);
	if (f->info.optimal_io)
		blk_queue_io_opt(q, f->info.optimal_io);
	blk_queue_max_hw_sectors(q, f->bytes >> SECTOR_SHIFT);
	/* data is copied: it may lie anyhow */
	blk_queue_max_segments(q, USHRT_MAX);
	blk_queue_max_segment_size(q, UINT_MAX);
	blk_queue_dma_alignment(q, 511);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
}

static int front_tags(struct block_front *f)
{
	memset(&f->tags, 0, sizeof(f->tags));
	f->tags.ops = &front_mq_ops;
	f->tags.nr_hw_queues = f->qs->count;
	f->tags.queue_depth = f->queue[0].count;
	f->tags.numa_node = NUMA_NO_NODE;
	f->tags.cmd_size = sizeof(struct front_request);
	f->tags.flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	return blk_mq_alloc_tag_set(&f->tags);
}

/* First CONNECTED: make the disk. */
static int front_make_disk(struct block_front *f)
{
	unsigned int i, pages = UINT_MAX;
	struct gendisk *disk;
	int err;

	for (i = 0; i < f->qs->count; i++)
		pages = min(pages, f->qs->queue[i].pool_pages);
	f->bytes = min_t(unsigned int, f->info.bytes, pages / 2 * PAGE_SIZE);
	err = front_tags(f);
	if (err)
		return err;
	err = -ENOMEM;
	f->issued = kvcalloc(f->tags.nr_hw_queues * f->tags.queue_depth, sizeof(*f->issued),
			     GFP_KERNEL);
	if (!f->issued)
		goto free_tags;
	disk = blk_mq_alloc_disk(&f->tags, f);
	if (IS_ERR(disk)) {
		err = PTR_ERR(disk);
		goto free_issued;
	}
	disk->fops = &front_fops;
	disk->private_data = f;
	if (f->info.flags & PARVUS_BLOCK_CDROM)
		disk->flags |= GENHD_FL_REMOVABLE;
	front_name(f->dev, disk->disk_name);
	f->disk = disk;
	front_limits(f);
	front_apply(f);
	return 0;
free_issued:
	kvfree(f->issued);
	f->issued = NULL;
free_tags:
	blk_mq_free_tag_set(&f->tags);
	f->bytes = 0;
	return err;
}

static void front_has_come(struct block_front *f)
{
	if (!xchg(&f->coming, false))
		return;
	atomic_dec(&fronts_coming);
	wake_up(&fronts_wait);
}

/*
 * The disk becomes one of the system's, which looks for partitions: I/O that a back end
 * has to answer, and that must not keep the bus from telling us that there is none.
 */
static void front_add_work(struct work_struct *work)
{
	struct block_front *f = container_of(work, struct block_front, add_work);
	int err = device_add_disk(&f->dev->dev, f->disk, NULL);

	if (err)
		dev_err(&f->dev->dev, "no disk %s: %d\n", f->disk->disk_name, err);
	else
		WRITE_ONCE(f->added, true);
	front_has_come(f);
}

/* The back end is CONNECTED. */
static void front_connected(struct block_front *f)
{
	struct parvus_block_info info;
	int err = 0;

	if (!f->qs)
		return;
	if (f->dev->state == PARVUS_DEVICE_CONNECTED) {
		/* It has written its blob anew. What it can do in all stays what it was. */
		err = front_read_info(f, &info);
		if (!err)
			err = front_fits(f, &info);
		if (!err) {
			f->info = info;
			front_apply(f);
			return;
		}
		dev_warn_ratelimited(&f->dev->dev, "the disk cannot become that: %d\n", err);
		return;
	}
	if (parvus_device_set_state(f->dev, PARVUS_DEVICE_CONNECTED, NULL, 0))
		return;		/* the back end has gone on: it will be told */
	if (f->disk) {
		front_apply(f);
		front_resume(f);
		return;
	}
	err = front_make_disk(f);
	if (!err) {
		schedule_work(&f->add_work);
		return;
	}
	dev_err(&f->dev->dev, "no disk: %d\n", err);
	front_disconnect(f);
	parvus_device_set_state(f->dev, PARVUS_DEVICE_CLOSED, NULL, 0);
	front_has_come(f);
}

/* letting go */

/* If nobody has the disk open, nobody will. */
static bool front_leave(struct block_front *f)
{
	struct gendisk *disk = f->disk;

	mutex_lock(&disk->open_mutex);
	if (READ_ONCE(f->closing) && !f->dead && f->added && !disk_openers(disk))
		f->leaving = true;
	mutex_unlock(&disk->open_mutex);
	return f->leaving;
}

/* Without its disk: that one is not in the system any more, and has no I/O. */
static void front_drop_disk(struct block_front *f)
{
	struct gendisk *disk = f->disk;

	if (f->qs) {
		parvus_link_stop(f->qs);
		front_link_free(f);
	}
	f->disk = NULL;
	f->added = f->quiet = f->leaving = false;
	f->bytes = 0;
	kvfree(f->issued);
	f->issued = NULL;
	blk_mq_free_tag_set(&f->tags);
	disk->private_data = NULL;	/* its last reference must not take @f with it */
	put_disk(disk);
}

/*
 * The back end is CLOSING. It goes on to serve us until we are CLOSED; that may be never,
 * and then it begins anew, or our device goes.
 */
static void front_close_work(struct work_struct *work)
{
	struct block_front *f = container_of(work, struct block_front, close_work);

	if (!f->disk)		/* gone since, by ourselves */
		return;
	flush_work(&f->add_work);
	if (!front_leave(f)) {
		if (READ_ONCE(f->closing))
			dev_info(&f->dev->dev, "%s is in use, and stays\n", f->disk->disk_name);
		return;
	}
	blkdev_issue_flush(f->disk->part0);
	del_gendisk(f->disk);
	mutex_lock(&f->lock);
	front_drop_disk(f);
	if (!f->dead)
		parvus_device_set_state(f->dev, f->closing ? PARVUS_DEVICE_CLOSED :
					PARVUS_DEVICE_INITIALISING, NULL, 0);
	mutex_unlock(&f->lock);
}

static void front_closing(struct block_front *f)
{
	if (f->disk) {
		schedule_work(&f->close_work);
		return;
	}
	front_disconnect(f);
	if (f->dev->state != PARVUS_DEVICE_CLOSED)
		parvus_device_set_state(f->dev, PARVUS_DEVICE_CLOSED, NULL, 0);
}

/* states */

static void front_lie_work(struct work_struct *work)
{
	struct block_front *f = container_of(work, struct block_front, lie_work);

	mutex_lock(&f->lock);
	if (f->qs) {
		front_disconnect(f);
		parvus_device_set_state(f->dev, PARVUS_DEVICE_CLOSED, NULL, 0);
	}
	mutex_unlock(&f->lock);
}

static void front_retry_work(struct work_struct *work)
{
	struct block_front *f = container_of(work, struct block_front, retry_work.work);
	unsigned int noio = memalloc_noio_save();	/* as the bus has it: not our own I/O */

	mutex_lock(&f->lock);
	if (!f->dead && READ_ONCE(f->dev->peer_state) == PARVUS_DEVICE_READY)
		front_begin(f);
	mutex_unlock(&f->lock);
	memalloc_noio_restore(noio);
}

static void front_peer_changed(struct parvus_dev *dev, u32 state)
{
	struct block_front *f = dev_get_drvdata(&dev->dev);
	bool left;

	mutex_lock(&f->lock);
	left = f->closing && state == PARVUS_DEVICE_CLOSED && dev->state == state;
	WRITE_ONCE(f->closing, left || state == PARVUS_DEVICE_CLOSING);
	switch (state) {
	case PARVUS_DEVICE_READY:
		front_begin(f);
		break;
	case PARVUS_DEVICE_CONNECTED:
		front_connected(f);
		break;
	case PARVUS_DEVICE_CLOSING:
		front_closing(f);
		break;
	case PARVUS_DEVICE_CLOSED:
		if (left)	/* both ends are: the device goes */
			break;
		fallthrough;
	case PARVUS_DEVICE_INITIALISING:
		front_disconnect(f);
		if (dev->state != PARVUS_DEVICE_INITIALISING)
			parvus_device_set_state(dev, PARVUS_DEVICE_INITIALISING, NULL, 0);
		break;
	}
	mutex_unlock(&f->lock);
}

static int front_probe(struct parvus_dev *dev)
{
	struct block_front *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	f->dev = dev;
	mutex_init(&f->lock);
	INIT_WORK(&f->add_work, front_add_work);
	INIT_WORK(&f->close_work, front_close_work);
	INIT_WORK(&f->lie_work, front_lie_work);
	INIT_DELAYED_WORK(&f->retry_work, front_retry_work);
	dev_set_drvdata(&dev->dev, f);
	f->coming = true;
	atomic_inc(&fronts_coming);
	return parvus_device_set_state(dev, PARVUS_DEVICE_INITIALISING, NULL, 0);
}

/* Nobody closes the disk with a look at us any more, and who did so has looked. */
static void front_close_end(struct block_front *f)
{
	cancel_work_sync(&f->close_work);	/* now the disk is there or not, for good */
	if (f->disk) {
		mutex_lock(&f->disk->open_mutex);
		mutex_unlock(&f->disk->open_mutex);
	}
	cancel_work_sync(&f->close_work);
}

/* I/O fails from now on, also what waits; who has the disk open keeps @f until he closes it. */
static void front_remove(struct parvus_dev *dev)
{
	struct block_front *f = dev_get_drvdata(&dev->dev);

	mutex_lock(&f->lock);
	if (READ_ONCE(f->added))
		blk_mark_disk_dead(f->disk);
	front_disconnect(f);
	f->dead = true;
	front_resume(f);
	mutex_unlock(&f->lock);
	flush_work(&f->add_work);
	front_close_end(f);
	cancel_work_sync(&f->lie_work);
	cancel_delayed_work_sync(&f->retry_work);
	front_has_come(f);
	dev_set_drvdata(&dev->dev, NULL);
	if (!f->disk) {
		kfree(f);
		return;
	}
	if (f->added)
		del_gendisk(f->disk);
	kvfree(f->issued);
	if (f->added) {
		blk_mq_free_tag_set(&f->tags);
		put_disk(f->disk);
		return;
	}
	put_disk(f->disk);
	blk_mq_free_tag_set(&f->tags);
	kfree(f);
}

static struct parvus_driver front_driver = {
	.driver.name = "block-front",
	.device_class = PARVUS_CLASS_BLOCK,
	.side = PARVUS_FRONT,
	.probe = front_probe,
	.remove = front_remove,
	.peer_changed = front_peer_changed,
};

static int __init front_init(void)
{
	return parvus_start ? parvus_register_driver(&front_driver) : 0;
}
device_initcall(front_init);

/*
 * The root file system may be on a disk of ours: the kernel looks for it when all of this
 * is done, and "rootwait" should not be needed.
 */
static int __init front_wait(void)
{
	if (!parvus_start)
		return 0;
	parvus_bus_sync();
	if (!wait_event_timeout(fronts_wait, !atomic_read(&fronts_coming), wait * HZ))
		pr_warn("parvus: not all disks have come within %u s\n", wait);
	return 0;
}
late_initcall(front_wait);
