// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus block back end: serves a block device of this domain to another one
 * (parvus/block.h). Each queue of the link has a thread, which takes requests, checks
 * them (block_check.h) and makes bios on the pages of the pool; data is not copied here.
 * Answers are produced where bios end.
 *
 * The front end is not trusted: a request is copied once, then checked, then done. One
 * that no honest front end sends closes the device for a while. No more requests are
 * begun than there is room for answers.
 *
 * When the other end, the driver's binding or the device goes, the threads stop and the
 * bios under way are waited for; only then does the state change. Requests that were
 * not answered by then are the front end's to issue again. A device that is to be
 * detached is CLOSING, and served, until the front end lets it go.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/parvus_link.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <parvus/block.h>
#include "block_check.h"

#define BACK_VECS		8	/* pieces of a request without an allocation */
#define BACK_BATCH		32	/* requests between two looks at who waits */
#define BACK_POOL_PAGES		1024u	/* of a queue, at most */
#define BACK_POOL_LEAST		64u
#define BACK_ZEROES_SECTORS	65536u	/* 32 MiB, which may have to be written */
#define BACK_BURST_NS		(100 * NSEC_PER_MSEC)	/* that a limit lets run ahead */
#define BACK_PENALTY		HZ	/* closed for that long after a lie */

static unsigned int queues;
module_param(queues, uint, 0644);
MODULE_PARM_DESC(queues, "queues of a disk, at most; 0 = one for each CPU");

static struct bio_set back_bios;

struct back_queue;

struct back_request {
	struct back_request *next;	/* that is free */
	struct back_queue *bq;
	u64 bytes;
	u32 id;
	u8 op;
	struct bio bio;			/* of small requests */
	struct bio_vec vec[BACK_VECS];
};

struct back_stats {
	u64 requests[PARVUS_BLOCK_WRITE_ZEROES + 1];
	u64 bytes[PARVUS_BLOCK_WRITE_ZEROES + 1];
	u64 errors;
};

struct back_queue {
	struct block_back *back;
	struct parvus_queue *q;
	struct task_struct *thread;
	struct parvus_consumer requests;	/* of the thread */
	struct block_check check;		/* of the thread */
	struct parvus_block_segment *list;	/* of the thread */
	u64 wait;			/* ns, that a limit holds the next request back */
	struct back_request *mine;	/* free ones, of the thread */
	u16 *run;			/* of the thread: pages in a row from this one on */
	u32 begun;			/* requests, of the thread; free-running as ended */
	u32 room;			/* requests that may be begun, of the thread */
	bool event;			/* the interrupt came, and is off */
	bool stop;			/* take nothing more, tell nobody */

	spinlock_t lock;		/* all below */
	struct parvus_producer responses;
	struct back_request *free;
	u32 ended;			/* requests that were answered */
	bool starved;			/* the thread waits for one */
	struct back_stats stats;

	wait_queue_head_t idle;
	struct back_request request[];	/* as many as the ring has entries */
};

/* When the next request may begin: limits are kept as times, there is nothing to refill. */
struct back_limits {
	spinlock_t lock;
	u32 iops;
	u64 bytes_per_second;
	u64 next_request, next_bytes;	/* ns */
};

struct block_back {
	struct parvus_dev *dev;
	struct mutex lock;		/* callbacks against the work items; all but limits */
	struct parvus_block_config config;
	struct block_device *bdev;	/* NULL = no medium */
	fmode_t mode;
	bool opened;			/* bdev is what config says */
	u32 pool_pages;			/* of a queue, at most */
	struct parvus_block_info info;
	struct parvus_queues *qs;
	struct back_queue *queue[PARVUS_LINK_QUEUES];
	struct back_stats stats;	/* of queues that are gone */
	struct back_limits limits;
	struct work_struct lie_work;
	struct delayed_work again_work;
};

/* limits */

static void back_limits_set(struct back_limits *l, const struct parvus_block_config *config)
{
	spin_lock(&l->lock);
	l->iops = config->iops;
	l->bytes_per_second = config->bytes_per_second;
	l->next_request = l->next_bytes = 0;
	spin_unlock(&l->lock);
}

static u64 back_limit_wait(u64 next, u64 now)
{
	return next > now + BACK_BURST_NS ? next - now - BACK_BURST_NS : 0;
}

/* 0: begin it, it is accounted for. Else wait so many ns and ask again. */
static u64 back_limits_take(struct back_limits *l, u64 bytes)
{
	u64 now, wait = 0;

	if (!READ_ONCE(l->iops) && !READ_ONCE(l->bytes_per_second))
		return 0;
	now = ktime_get_ns();
	spin_lock(&l->lock);
	if (l->iops)
		wait = back_limit_wait(l->next_request, now);
	if (l->bytes_per_second)
		wait = max(wait, back_limit_wait(l->next_bytes, now));
	if (!wait && l->iops)
		l->next_request = max(l->next_request, now) + NSEC_PER_SEC / l->iops;
	if (!wait && l->bytes_per_second)
		l->next_bytes = max(l->next_bytes, now) +
				mul_u64_u64_div_u64(bytes, NSEC_PER_SEC, l->bytes_per_second);
	spin_unlock(&l->lock);
	return wait;
}

/* answers */

static int back_error(blk_status_t status)
{
	switch (status) {
	case BLK_STS_OK:
		return 0;
	case BLK_STS_NOTSUPP:
		return -PARVUS_BLOCK_EOPNOTSUPP;
	case BLK_STS_NOSPC:
		return -PARVUS_ENOSPC;
	default:
		return -PARVUS_BLOCK_EIO;
	}
}

/*
 * The thread publishes what it produced before it sleeps or after a batch; others do so
 * at once. Who ends the last one of a queue that stops wakes the one who waits for that,
 * and does not look at the queue any more.
 */
static void back_answer(struct back_request *r, int status)
{
	struct parvus_block_response response = { .id = r->id, .status = status };
	struct back_queue *bq = r->bq;
	bool tell = false;
	unsigned long flags;

	spin_lock_irqsave(&bq->lock, flags);
	bq->stats.requests[r->op]++;
	bq->stats.bytes[r->op] += r->bytes;
	bq->stats.errors += status != 0;
	parvus_produce(&bq->responses, &response);
	if (current != bq->thread || !in_task())
		tell = parvus_publish(&bq->responses) && !bq->stop;
	r->next = bq->free;
	bq->free = r;
	if (tell)
		parvus_queue_notify(bq->q);
	if (bq->starved)
		wake_up_process(bq->thread);
	bq->starved = false;
	bq->ended++;
	if (waitqueue_active(&bq->idle))
		wake_up(&bq->idle);
	spin_unlock_irqrestore(&bq->lock, flags);
}

static void back_end_small(struct bio *bio)
{
	struct back_request *r = bio->bi_private;
	int status = back_error(bio->bi_status);

	bio_uninit(bio);
	back_answer(r, status);
}

static void back_end_bio(struct bio *bio)
{
	struct back_request *r = bio->bi_private;
	int status = back_error(bio->bi_status);

	bio_put(bio);
	back_answer(r, status);
}

/* A thread's answers, and room for requests, become visible. */
static void back_publish(struct back_queue *bq)
{
	bool tell;

	tell = parvus_release(&bq->requests);
	spin_lock_irq(&bq->lock);
	tell |= parvus_publish(&bq->responses);
	spin_unlock_irq(&bq->lock);
	if (tell && !READ_ONCE(bq->stop))
		parvus_queue_notify(bq->q);
}

/* doing */

static blk_opf_t back_opf(const struct parvus_block_request *req)
{
	if (req->op == PARVUS_BLOCK_READ)
		return REQ_OP_READ;
	return REQ_OP_WRITE | REQ_SYNC | REQ_IDLE | (req->flags & PARVUS_BLOCK_FUA ? REQ_FUA : 0);
}

/*
 * A bio for the next @pieces of a request. The one before, if there is one, is chained to
 * it and submitted: the last one ends when all have.
 */
static struct bio *back_next_bio(struct back_request *r, struct bio *last, unsigned int pieces,
				 blk_opf_t opf, sector_t sector)
{
	struct block_device *bdev = r->bq->back->bdev;
	struct bio *bio = &r->bio;

	if (!last && pieces <= BACK_VECS) {
		bio_init(bio, bdev, r->vec, BACK_VECS, opf);
	} else {
		bio = bio_alloc_bioset(bdev, bio_max_segs(pieces), opf, GFP_NOIO, &back_bios);
		if (last) {
			bio_chain(last, bio);
			submit_bio(last);
		}
	}
	bio->bi_iter.bi_sector = sector;
	return bio;
}

/* How long the piece at @offset is that lies in a row in memory, of @left bytes. */
static u32 back_piece(const struct back_queue *bq, u32 offset, u32 left)
{
	return min_t(u32, left, bq->run[offset >> PAGE_SHIFT] * PAGE_SIZE - offset_in_page(offset));
}

static unsigned int back_pieces(const struct back_queue *bq, unsigned int segments)
{
	unsigned int i, pieces = 0;

	for (i = 0; i < segments; i++) {
		u32 offset = bq->list[i].offset, left = bq->list[i].bytes, n;

		for (; left; left -= n, offset += n, pieces++)
			n = back_piece(bq, offset, left);
	}
	return pieces;
}

/* READ, WRITE: bios on the pages of the segments. */
static void back_data(struct back_request *r, const struct parvus_block_request *req)
{
	struct back_queue *bq = r->bq;
	unsigned int i, pieces = back_pieces(bq, req->segments);
	sector_t sector = req->sector;
	blk_opf_t opf = back_opf(req);
	struct bio *bio = NULL;

	for (i = 0; i < req->segments; i++) {
		u32 offset = bq->list[i].offset, left = bq->list[i].bytes;

		while (left) {
			struct page *page = bq->q->pool[offset >> PAGE_SHIFT];
			u32 n = back_piece(bq, offset, left);

			if (!bio || !bio_add_page(bio, page, n, offset_in_page(offset))) {
				bio = back_next_bio(r, bio, pieces, opf, sector);
				continue;
			}
			sector += n >> SECTOR_SHIFT;
			offset += n;
			left -= n;
			pieces--;
		}
	}
	bio->bi_private = r;
	bio->bi_end_io = bio == &r->bio ? back_end_small : back_end_bio;
	submit_bio(bio);
}

static void back_flush(struct back_request *r)
{
	bio_init(&r->bio, r->bq->back->bdev, NULL, 0, REQ_OP_WRITE | REQ_PREFLUSH);
	r->bio.bi_private = r;
	r->bio.bi_end_io = back_end_small;
	submit_bio(&r->bio);
}

/* DISCARD, WRITE_ZEROES: the block layer knows how to cut them. */
static void back_clear(struct back_request *r, const struct parvus_block_request *req)
{
	struct block_device *bdev = r->bq->back->bdev;
	struct bio *bio = NULL;
	int ret;

	if (req->op == PARVUS_BLOCK_DISCARD) {
		ret = __blkdev_issue_discard(bdev, req->sector, req->sectors, GFP_NOIO, &bio);
	} else {
		unsigned int flags = req->flags & PARVUS_BLOCK_UNMAP ? 0 : BLKDEV_ZERO_NOUNMAP;

		/* Each of its bios would have to say FUA: rare enough to wait for. */
		if (req->flags & PARVUS_BLOCK_FUA) {
			ret = blkdev_issue_zeroout(bdev, req->sector, req->sectors, GFP_NOIO,
						   flags);
			ret = ret ?: blkdev_issue_flush(bdev);
			back_answer(r, back_error(errno_to_blk_status(ret)));
			return;
		}
		ret = __blkdev_issue_zeroout(bdev, req->sector, req->sectors, GFP_NOIO, &bio,
					     flags);
	}
	if (!bio) {
		back_answer(r, back_error(errno_to_blk_status(ret)));
		return;
	}
	/* After an error what was issued before it still has to end. */
	if (ret && !bio->bi_status)
		bio->bi_status = errno_to_blk_status(ret);
	bio->bi_private = r;
	bio->bi_end_io = back_end_bio;
	submit_bio(bio);
}

/* Room for its answer was seen, so that there is one. */
static struct back_request *back_request_get(struct back_queue *bq)
{
	struct back_request *r;

	if (!bq->mine) {
		spin_lock_irq(&bq->lock);
		bq->mine = bq->free;
		bq->free = NULL;
		spin_unlock_irq(&bq->lock);
	}
	r = bq->mine;
	bq->mine = r->next;
	bq->begun++;
	bq->room--;
	return r;
}

enum back_verdict { BACK_DONE, BACK_LIMITED, BACK_LIE };

static enum back_verdict back_serve(struct back_queue *bq, const struct parvus_block_request *req)
{
	struct block_back *back = bq->back;
	u64 bytes = 0;
	struct back_request *r;
	int ret;

	ret = block_check(&bq->check, req, bq->list);
	if (ret == BLOCK_CHECK_LIE) {
		dev_warn_ratelimited(&back->dev->dev, "request of no sense: op %u, %u segments\n",
				     req->op, req->segments);
		return BACK_LIE;
	}
	if (!ret && req->op != PARVUS_BLOCK_DISCARD)
		bytes = req->sectors << SECTOR_SHIFT;
	if (!ret) {
		bq->wait = back_limits_take(&back->limits, bytes);
		if (bq->wait)
			return BACK_LIMITED;
	}
	r = back_request_get(bq);
	r->id = req->id;
	r->op = min_t(u8, req->op, PARVUS_BLOCK_WRITE_ZEROES);
	r->bytes = ret ? 0 : req->sectors << SECTOR_SHIFT;
	if (ret)
		back_answer(r, ret);
	else if (req->op == PARVUS_BLOCK_FLUSH)
		back_flush(r);
	else if (req->op <= PARVUS_BLOCK_WRITE)
		back_data(r, req);
	else
		back_clear(r, req);
	return BACK_DONE;
}

/* Room for one answer more than there will be? If not, we are woken when there is. */
static bool back_room(struct back_queue *bq)
{
	u32 under_way, room;

	if (bq->room)
		return true;
	spin_lock_irq(&bq->lock);
	under_way = bq->begun - bq->ended;
	room = parvus_producer_room_for(&bq->responses, bq->responses.end.count);
	if (room > under_way) {
		bq->room = room - under_way;
	} else {
		if (parvus_publish(&bq->responses))
			parvus_queue_notify(bq->q);
		/* with all under way, it is an end that makes room; else the other end reads */
		bq->starved = under_way == bq->responses.end.count;
		if (!bq->starved && !parvus_producer_sleep(&bq->responses, under_way + 1) &&
		    !parvus_producer_broken(&bq->responses))
			bq->room = 1;
	}
	spin_unlock_irq(&bq->lock);
	return bq->room;
}

static bool back_stopping(struct back_queue *bq)
{
	return READ_ONCE(bq->stop) || kthread_should_park();
}

/* All that is there, until a limit holds it back. */
static enum back_verdict back_serve_all(struct back_queue *bq)
{
	enum back_verdict verdict = BACK_DONE;
	struct parvus_block_request req;
	struct blk_plug plug;
	unsigned int n = 0;

	blk_start_plug(&plug);
	while (verdict == BACK_DONE && !back_stopping(bq) && back_room(bq) &&
	       parvus_consume(&bq->requests, &req)) {
		verdict = back_serve(bq, &req);
		if (verdict == BACK_LIMITED)	/* it is read and checked again */
			parvus_consumer_undo(&bq->requests, 1);
		if (++n % BACK_BATCH == 0)
			back_publish(bq);
		cond_resched();
	}
	blk_finish_plug(&plug);
	back_publish(bq);
	if (parvus_consumer_broken(&bq->requests) || parvus_producer_broken(&bq->responses)) {
		dev_warn_ratelimited(&bq->back->dev->dev, "ring of no sense\n");
		verdict = BACK_LIE;
	}
	return verdict;
}

/* Until there may be more to do. The caller looks whether it shall stop. */
static void back_sleep(struct back_queue *bq, enum back_verdict verdict)
{
	ktime_t timeout = ns_to_ktime(bq->wait);

	set_current_state(TASK_INTERRUPTIBLE);
	if (kthread_should_stop() || kthread_should_park()) {
		;	/* no sleep */
	} else if (verdict == BACK_LIMITED) {
		schedule_hrtimeout_range(&timeout, 100 * NSEC_PER_USEC, HRTIMER_MODE_REL);
	} else if (verdict == BACK_LIE) {
		schedule();
	} else if (parvus_consumer_sleep(&bq->requests) || !back_room(bq)) {
		if (READ_ONCE(bq->event)) {
			WRITE_ONCE(bq->event, false);
			parvus_queue_done(bq->q);
		}
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

static int back_thread(void *data)
{
	enum back_verdict verdict = BACK_DONE;
	struct back_queue *bq = data;

	while (!kthread_should_stop()) {
		if (kthread_should_park())
			kthread_parkme();
		if (verdict != BACK_LIE) {
			verdict = back_serve_all(bq);
			if (verdict == BACK_LIE)
				schedule_work(&bq->back->lie_work);
		}
		back_sleep(bq, verdict);
	}
	return 0;
}

static irqreturn_t back_interrupt(int irq, void *data)
{
	struct parvus_queue *q = data;
	struct back_queue *bq = q->data;

	WRITE_ONCE(bq->event, true);
	wake_up_process(bq->thread);
	return IRQ_HANDLED;
}

/* queues */

static void back_copy(const struct block_check *c, void *to, u32 offset, u32 bytes)
{
	struct page **pool = c->pool;

	while (bytes) {
		u32 n = min_t(u32, bytes, PAGE_SIZE - offset_in_page(offset));

		memcpy(to, page_address(pool[offset >> PAGE_SHIFT]) + offset_in_page(offset), n);
		to += n;
		offset += n;
		bytes -= n;
	}
	barrier();	/* the copy is what is looked at from now on */
}

static void back_check_init(struct block_check *c, const struct block_back *back,
			    const struct parvus_queue *q)
{
	*c = (struct block_check) {
		.sectors = back->info.sectors,
		.pool_bytes = (u64)q->pool_pages << PAGE_SHIFT,
		.logical_block = back->info.logical_block,
		.bytes = back->info.bytes,
		.discard_sectors = back->info.discard_sectors,
		.zeroes_sectors = back->info.zeroes_sectors,
		.readonly = back->info.flags & PARVUS_BLOCK_READONLY,
		.copy = back_copy,
		.pool = q->pool,
	};
}

/* The front end's pages are often in a row: such a row is one piece of a bio. */
static void back_runs(u16 *run, struct page **pool, unsigned int pages)
{
	unsigned int i = pages;

	while (i--) {
		run[i] = 1;
		if (i + 1 < pages && run[i + 1] < BIO_MAX_VECS && pool[i + 1] == pool[i] + 1)
			run[i] += run[i + 1];
	}
}

static u32 back_ring_count(const struct parvus_queue *q)
{
	return parvus_ring_count(q->ring_bytes - 2 * sizeof(struct parvus_ring),
				 sizeof(struct parvus_block_request) +
				 sizeof(struct parvus_block_response));
}

static void back_queue_free(struct back_queue *bq)
{
	kvfree(bq->list);
	kvfree(bq->run);
	kvfree(bq);
}

static struct back_queue *back_queue_make(struct block_back *back, struct parvus_queue *q)
{
	u32 i, count = back_ring_count(q);
	struct parvus_ring *rings = q->rings;
	void *entries = rings + 2;
	struct back_queue *bq;

	bq = kvzalloc(struct_size(bq, request, count), GFP_KERNEL);
	if (!bq)
		return NULL;
	bq->list = kvcalloc(PARVUS_BLOCK_SEGMENTS, sizeof(*bq->list), GFP_KERNEL);
	bq->run = kvcalloc(q->pool_pages, sizeof(*bq->run), GFP_KERNEL);
	if (!bq->list || !bq->run) {
		back_queue_free(bq);
		return NULL;
	}
	back_runs(bq->run, q->pool, q->pool_pages);
	bq->back = back;
	bq->q = q;
	spin_lock_init(&bq->lock);
	init_waitqueue_head(&bq->idle);
	parvus_consumer_init(&bq->requests, &rings[0], entries, count,
			     sizeof(struct parvus_block_request), 0);
	parvus_producer_init(&bq->responses, &rings[1],
			     entries + count * sizeof(struct parvus_block_request), count,
			     sizeof(struct parvus_block_response), 0);
	back_check_init(&bq->check, back, q);
	for (i = 0; i < count; i++) {
		bq->request[i].bq = bq;
		bq->request[i].next = bq->free;
		bq->free = &bq->request[i];
	}
	q->data = bq;
	return bq;
}

static bool back_queue_idle(struct back_queue *bq)
{
	bool idle;

	spin_lock_irq(&bq->lock);
	idle = bq->begun == bq->ended;
	spin_unlock_irq(&bq->lock);
	return idle;
}

static int back_thread_start(struct back_queue *bq)
{
	struct task_struct *thread;

	thread = kthread_create(back_thread, bq, "block-%u.%u", bq->back->dev->id, bq->q->index);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	bq->thread = get_task_struct(thread);
	return 0;
}

/* No more is begun, all that was has ended. The interrupt is off. */
static void back_thread_stop(struct back_queue *bq)
{
	if (!bq->thread)
		return;
	spin_lock_irq(&bq->lock);
	WRITE_ONCE(bq->stop, true);
	spin_unlock_irq(&bq->lock);
	kthread_stop(bq->thread);
	wait_event(bq->idle, back_queue_idle(bq));
	put_task_struct(bq->thread);
	bq->thread = NULL;
}

static void back_stats_add(struct back_stats *to, const struct back_stats *from)
{
	unsigned int op;

	for (op = 0; op < ARRAY_SIZE(to->requests); op++) {
		to->requests[op] += from->requests[op];
		to->bytes[op] += from->bytes[op];
	}
	to->errors += from->errors;
}

static void back_disconnect(struct block_back *back)
{
	unsigned int i;

	if (!back->qs)
		return;
	parvus_link_stop(back->qs);
	for (i = 0; i < back->qs->count; i++) {
		struct back_queue *bq = back->queue[i];

		if (!bq)
			continue;
		back_thread_stop(bq);
		back_stats_add(&back->stats, &bq->stats);
		back->queue[i] = NULL;
		back_queue_free(bq);
	}
	parvus_link_free(back->qs);
	back->qs = NULL;
}

/* The front end is READY. */
static int back_connect(struct block_back *back)
{
	struct parvus_queues *qs;
	unsigned int i;
	int err = 0;

	qs = parvus_link_accept(back->dev, &back->info.link, PARVUS_EVENT_AUTO_MASK, 0);
	if (IS_ERR(qs))
		return PTR_ERR(qs);
	back->qs = qs;
	for (i = 0; i < qs->count && !err; i++) {
		err = -EPROTO;
		if (!qs->queue[i].pool_pages)
			break;
		back->queue[i] = back_queue_make(back, &qs->queue[i]);
		err = back->queue[i] ? back_thread_start(back->queue[i]) : -ENOMEM;
	}
	if (!err)
		err = parvus_link_start(qs, back_interrupt, NULL, "block-back");
	if (!err)
		err = parvus_device_set_state(back->dev, PARVUS_DEVICE_CONNECTED, NULL, 0);
	if (err) {
		back_disconnect(back);
		return err;
	}
	for (i = 0; i < qs->count; i++)
		wake_up_process(back->queue[i]->thread);
	return 0;
}

/* The disk stands still: no request is under way, none is begun. */
static void back_pause(struct block_back *back)
{
	unsigned int i;

	for (i = 0; back->qs && i < back->qs->count; i++)
		kthread_park(back->queue[i]->thread);
	for (i = 0; back->qs && i < back->qs->count; i++)
		wait_event(back->queue[i]->idle, back_queue_idle(back->queue[i]));
}

static void back_resume(struct block_back *back)
{
	unsigned int i;

	for (i = 0; back->qs && i < back->qs->count; i++) {
		back_check_init(&back->queue[i]->check, back, back->queue[i]->q);
		kthread_unpark(back->queue[i]->thread);
	}
}

/* the disk */

static void back_close(struct block_back *back)
{
	if (back->bdev)
		blkdev_put(back->bdev, back->mode);
	back->bdev = NULL;
	back->opened = false;
}

static int back_open(struct block_back *back)
{
	const struct parvus_block_config *config = &back->config;
	dev_t number = MKDEV(config->major, config->minor);
	struct block_device *bdev;

	back->opened = true;
	back->mode = FMODE_READ;
	if (!(config->flags & (PARVUS_BLOCK_READONLY | PARVUS_BLOCK_CDROM)))
		back->mode |= FMODE_WRITE;
	if (!config->major && !config->minor)
		return 0;
	bdev = blkdev_get_by_dev(number, back->mode, NULL);
	if (bdev == ERR_PTR(-EROFS) || bdev == ERR_PTR(-EACCES)) {
		back->mode = FMODE_READ;
		bdev = blkdev_get_by_dev(number, back->mode, NULL);
	}
	if (bdev == ERR_PTR(-ENOMEDIUM))
		return 0;
	if (IS_ERR(bdev)) {
		back->opened = false;
		return PTR_ERR(bdev);
	}
	if (bdev_logical_block_size(bdev) > 4096) {
		blkdev_put(bdev, back->mode);
		back->opened = false;
		return -EMEDIUMTYPE;
	}
	back->bdev = bdev;
	return 0;
}

static u32 back_queues(const struct block_back *back)
{
	u32 n = READ_ONCE(queues) ?: num_online_cpus();

	if (back->config.queues)
		n = min(n, back->config.queues);
	return clamp(n, 1u, PARVUS_LINK_QUEUES);
}

static u64 back_sectors(const struct block_back *back)
{
	u32 block = back->info.logical_block >> SECTOR_SHIFT;

	return back->bdev ? rounddown(bdev_nr_sectors(back->bdev), (u64)block) : 0;
}

/* What the blob says. @block: what a logical block has to be, at least. */
static void back_describe(struct block_back *back, u32 block)
{
	struct parvus_block_info *info = &back->info;
	struct block_device *bdev = back->bdev;

	*info = (struct parvus_block_info) {
		.link.version = PARVUS_LINK_VERSION,
		.link.queues = back_queues(back),
		.link.pool_pages = back->pool_pages,
		.link.features = PARVUS_BLOCK_HAS_WRITE_ZEROES,
		.flags = back->config.flags & (PARVUS_BLOCK_READONLY | PARVUS_BLOCK_CDROM),
		.logical_block = bdev ? max(block, bdev_logical_block_size(bdev)) : block,
		.physical_block = block,
		.bytes = PARVUS_BLOCK_BYTES,
	};
	info->sectors = back_sectors(back);
	if (!(back->mode & FMODE_WRITE) || back->config.flags & PARVUS_BLOCK_CDROM)
		info->flags |= PARVUS_BLOCK_READONLY;
	if (info->flags & PARVUS_BLOCK_READONLY)
		info->link.features = 0;
	else
		info->zeroes_sectors = BACK_ZEROES_SECTORS;
	if (!bdev)
		return;
	info->physical_block = max(info->logical_block, bdev_physical_block_size(bdev));
	info->optimal_io = bdev_io_opt(bdev);
	if (info->flags & PARVUS_BLOCK_READONLY)
		return;
	if (bdev_write_cache(bdev))
		info->link.features |= PARVUS_BLOCK_HAS_FLUSH;
	if (bdev_write_cache(bdev) && bdev_fua(bdev))
		info->link.features |= PARVUS_BLOCK_HAS_FUA;
	if (bdev_max_discard_sectors(bdev) && !(back->config.flags & PARVUS_BLOCK_NO_DISCARD)) {
		info->link.features |= PARVUS_BLOCK_HAS_DISCARD;
		info->discard_sectors = bdev_max_discard_sectors(bdev);
		info->discard_granularity = max(bdev_discard_granularity(bdev),
						info->logical_block);
	}
}

/* states */

static bool back_detaching(const struct block_back *back)
{
	return back->config.flags & PARVUS_BLOCK_DETACH;
}

/* INITIALISING, and READY if there is a disk. */
static void back_begin(struct block_back *back)
{
	int err = 0;

	if (!back->opened)
		err = back_open(back);
	parvus_device_set_state(back->dev, PARVUS_DEVICE_INITIALISING, NULL, 0);
	if (err) {
		dev_warn(&back->dev->dev, "device %u:%u cannot be opened: %d\n",
			 back->config.major, back->config.minor, err);
		return;
	}
	back_describe(back, SECTOR_SIZE);
	err = parvus_device_set_state(back->dev, PARVUS_DEVICE_READY, &back->info,
				      sizeof(back->info));
	if (err)
		dev_warn(&back->dev->dev, "cannot go READY: %d\n", err);
}

static void back_lie(struct block_back *back)
{
	back_disconnect(back);
	parvus_device_set_state(back->dev, PARVUS_DEVICE_CLOSED, NULL, 0);
}

static void back_lie_work(struct work_struct *work)
{
	struct block_back *back = container_of(work, struct block_back, lie_work);

	mutex_lock(&back->lock);
	if (back->qs)
		back_lie(back);
	mutex_unlock(&back->lock);
}

/* Who lied begins anew after a while. */
static void back_again_work(struct work_struct *work)
{
	struct block_back *back = container_of(work, struct block_back, again_work.work);

	mutex_lock(&back->lock);
	if (back->dev->state == PARVUS_DEVICE_CLOSED && !back_detaching(back))
		back_begin(back);
	mutex_unlock(&back->lock);
}

static void back_front_ready(struct block_back *back)
{
	int err;

	if (back->qs || back->dev->state != PARVUS_DEVICE_READY)
		return;
	err = back_connect(back);
	if (!err)
		return;
	/* This domain may map no more: a smaller pool will do. */
	if (err == -ENOSPC && back->pool_pages > BACK_POOL_LEAST) {
		back->pool_pages /= 2;
		back_begin(back);
		return;
	}
	dev_warn_ratelimited(&back->dev->dev, "the front end's link: %d\n", err);
	back_lie(back);
}

/* To be detached: CLOSING, until the front end, in @state, is not there any more. */
static void back_detach(struct block_back *back, u32 state)
{
	u32 ours = PARVUS_DEVICE_CLOSING;

	if (state == PARVUS_DEVICE_CLOSED || state == PARVUS_DEVICE_CLOSING)
		ours = PARVUS_DEVICE_CLOSED;
	if (ours == PARVUS_DEVICE_CLOSED || state == PARVUS_DEVICE_INITIALISING)
		back_disconnect(back);
	if (back->dev->state != ours)
		parvus_device_set_state(back->dev, ours, NULL, 0);
}

static void back_peer_changed(struct parvus_dev *dev, u32 state)
{
	struct block_back *back = dev_get_drvdata(&dev->dev);

	mutex_lock(&back->lock);
	if (back_detaching(back)) {
		back_detach(back, state);
		mutex_unlock(&back->lock);
		return;
	}
	switch (state) {
	case PARVUS_DEVICE_READY:
		back_front_ready(back);
		break;
	case PARVUS_DEVICE_CLOSING:
		back_disconnect(back);
		if (dev->state != PARVUS_DEVICE_CLOSED)
			parvus_device_set_state(dev, PARVUS_DEVICE_CLOSED, NULL, 0);
		break;
	case PARVUS_DEVICE_CLOSED:
	case PARVUS_DEVICE_INITIALISING:
		if (back->qs) {
			back_disconnect(back);
			back_begin(back);
		} else if (dev->state == PARVUS_DEVICE_CLOSED) {
			schedule_delayed_work(&back->again_work, BACK_PENALTY);
		}
		break;
	}
	mutex_unlock(&back->lock);
}

/* The same link goes on with what config says now: another medium, another size. */
static void back_change(struct block_back *back, bool reopen)
{
	u32 block = back->info.logical_block;
	struct parvus_block_info old = back->info;
	int err = 0;

	back_pause(back);
	if (reopen) {
		back_close(back);
		err = back_open(back);
	}
	if (!err && back->bdev && bdev_logical_block_size(back->bdev) > block) {
		back_close(back);
		err = -EMEDIUMTYPE;
	}
	if (err)
		dev_warn(&back->dev->dev, "device %u:%u cannot be served: %d\n",
			 back->config.major, back->config.minor, err);
	back_describe(back, block);
	/* The queues are what they were; what the link uses must go on to be good. */
	back->info.link.queues = old.link.queues;
	back_resume(back);
	if (memcmp(&old, &back->info, sizeof(old)))
		parvus_device_set_state(back->dev, back->dev->state, &back->info,
					sizeof(back->info));
}

static bool back_config_good(const struct parvus_block_config *config)
{
	return config->version == 1 && !(config->flags & PARVUS_BLOCK_PROGRAM);
}

static void back_configured(struct parvus_dev *dev)
{
	struct block_back *back = dev_get_drvdata(&dev->dev);
	struct parvus_block_config config;
	bool reopen, detach, detached;

	memcpy(&config, dev->config, sizeof(config));
	mutex_lock(&back->lock);
	if (!back_config_good(&config)) {
		dev_warn(&dev->dev, "configuration is not for this driver\n");
		goto out;
	}
	reopen = !back->opened || config.major != back->config.major ||
		 config.minor != back->config.minor ||
		 (config.flags ^ back->config.flags) & ~PARVUS_BLOCK_DETACH;
	detach = config.flags & PARVUS_BLOCK_DETACH;
	detached = back_detaching(back);
	back->config = config;
	back_limits_set(&back->limits, &config);
	if (detach) {
		back_detach(back, dev->peer_state);
	} else if (detached) {
		back_disconnect(back);
		if (reopen)
			back_close(back);
		back_begin(back);
	} else if (back->qs) {
		back_change(back, reopen);
	} else if (reopen || back->info.sectors != back_sectors(back)) {
		if (reopen)
			back_close(back);
		if (dev->state != PARVUS_DEVICE_CLOSED)
			back_begin(back);
	}
out:
	mutex_unlock(&back->lock);
}

static int back_probe(struct parvus_dev *dev)
{
	struct parvus_block_config config;
	struct block_back *back;

	memcpy(&config, dev->config, sizeof(config));
	if (!back_config_good(&config))
		return -ENODEV;
	back = kzalloc(sizeof(*back), GFP_KERNEL);
	if (!back)
		return -ENOMEM;
	back->dev = dev;
	back->config = config;
	back->pool_pages = BACK_POOL_PAGES;
	mutex_init(&back->lock);
	spin_lock_init(&back->limits.lock);
	back_limits_set(&back->limits, &config);
	INIT_WORK(&back->lie_work, back_lie_work);
	INIT_DELAYED_WORK(&back->again_work, back_again_work);
	dev_set_drvdata(&dev->dev, back);
	mutex_lock(&back->lock);
	if (!back_detaching(back))	/* else peer_changed(), which follows */
		back_begin(back);
	mutex_unlock(&back->lock);
	return 0;
}

static void back_remove(struct parvus_dev *dev)
{
	struct block_back *back = dev_get_drvdata(&dev->dev);

	mutex_lock(&back->lock);
	back_disconnect(back);
	mutex_unlock(&back->lock);
	cancel_work_sync(&back->lie_work);
	cancel_delayed_work_sync(&back->again_work);
	back_close(back);
	dev_set_drvdata(&dev->dev, NULL);
	kfree(back);
}

/* statistics, in the device's folder */

static void back_stats_sum(struct block_back *back, struct back_stats *sum)
{
	unsigned int i;

	mutex_lock(&back->lock);
	*sum = back->stats;
	for (i = 0; back->qs && i < back->qs->count; i++) {
		if (!back->queue[i])
			continue;
		spin_lock_irq(&back->queue[i]->lock);
		back_stats_add(sum, &back->queue[i]->stats);
		spin_unlock_irq(&back->queue[i]->lock);
	}
	mutex_unlock(&back->lock);
}

/* requests and bytes of reads, writes, flushes, discards, zeroes; then errors */
static ssize_t statistics_show(struct device *d, struct device_attribute *a, char *buf)
{
	struct block_back *back = dev_get_drvdata(d);
	static const char *const names[] = { "read", "write", "flush", "discard", "zeroes" };
	struct back_stats sum;
	unsigned int op;
	int n = 0;

	back_stats_sum(back, &sum);
	for (op = 0; op < ARRAY_SIZE(names); op++)
		n += sysfs_emit_at(buf, n, "%s %llu %llu\n", names[op], sum.requests[op],
				   sum.bytes[op]);
	return n + sysfs_emit_at(buf, n, "errors %llu\n", sum.errors);
}
static DEVICE_ATTR_RO(statistics);

static struct attribute *back_attrs[] = { &dev_attr_statistics.attr, NULL };
ATTRIBUTE_GROUPS(back);

static struct parvus_driver back_driver = {
	.driver = {
		.name = "block-back",
		.dev_groups = back_groups,
	},
	.device_class = PARVUS_CLASS_BLOCK,
	.side = PARVUS_BACK,
	.probe = back_probe,
	.remove = back_remove,
	.peer_changed = back_peer_changed,
	.configured = back_configured,
};

static int __init back_init(void)
{
	int err;

	if (!parvus_start)
		return 0;
	BUILD_BUG_ON(sizeof(struct parvus_block_config) > PARVUS_DEVICE_BLOB);
	err = bioset_init(&back_bios, 64, 0, BIOSET_NEED_BVECS);
	if (!err)
		err = parvus_register_driver(&back_driver);
	return err;
}
device_initcall(back_init);
