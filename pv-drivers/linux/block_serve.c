// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus block back end: requests. Each queue of the link has a thread, which takes
 * requests, checks them (block_check.h) and makes bios on the pages of the pool; data is
 * not copied here. Answers are produced where bios end.
 *
 * The front end is not trusted: a request is copied once, then checked, then done. One
 * that no honest front end sends closes the device. No more requests are begun than there
 * is room for answers.
 */
#include <linux/bio.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>
#include "block_back.h"
#include "block_check.h"

#define BACK_VECS		8	/* pieces of a request without an allocation */
#define BACK_BATCH		32	/* requests between two looks at who waits */
#define BACK_BURST_NS		(100 * NSEC_PER_MSEC)	/* that a limit lets run ahead */

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX	"block_back."	/* one driver, of two files */
static unsigned int linger_us = 200;
module_param(linger_us, uint, 0644);
MODULE_PARM_DESC(linger_us, "a queue's thread keeps an idle CPU for so long after a request");

static struct bio_set back_bios;

struct back_request {
	struct back_request *next;	/* that is free */
	struct back_queue *bq;
	u64 bytes;
	u32 id;
	u8 op;
	struct bio bio;			/* of small requests */
	struct bio_vec vec[BACK_VECS];
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
	u32 lingered;			/* begun, when the thread lingered last */
	int cpu;			/* that the thread lingers on; -1 = none */
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

/* limits */

void back_limits_set(struct back_limits *l, const struct parvus_block_config *config)
{
	spin_lock(&l->lock);
	parvus_limit_set(&l->requests, config->iops, BACK_BURST_NS);
	parvus_limit_set(&l->bytes, config->bytes_per_second, BACK_BURST_NS);
	spin_unlock(&l->lock);
}

/* 0: begin it, it is accounted for. Else wait so many ns and ask again. */
static u64 back_limits_take(struct back_limits *l, u64 bytes)
{
	u64 now, wait;

	if (!READ_ONCE(l->requests.rate) && !READ_ONCE(l->bytes.rate))
		return 0;
	now = ktime_get_ns();
	spin_lock(&l->lock);
	wait = max(parvus_limit_wait(&l->requests, now), parvus_limit_wait(&l->bytes, now));
	if (!wait) {
		parvus_limit_take(&l->requests, now, 1);
		parvus_limit_take(&l->bytes, now, bytes);
	}
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
	struct block_device *bdev = r->bq->back->disk.bdev;
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
	bio_init(&r->bio, r->bq->back->disk.bdev, NULL, 0, REQ_OP_WRITE | REQ_PREFLUSH);
	r->bio.bi_private = r;
	r->bio.bi_end_io = back_end_small;
	submit_bio(&r->bio);
}

/* DISCARD, WRITE_ZEROES: the block layer knows how to cut them. */
static void back_clear(struct back_request *r, const struct parvus_block_request *req)
{
	struct block_device *bdev = r->bq->back->disk.bdev;
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
		parvus_link_end_lie(&back->end, "asks what makes no sense");
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
		parvus_link_end_lie(&bq->back->end, "has a wrong index");
		verdict = BACK_LIE;
	}
	return verdict;
}

/*
 * The next request often follows soon. Nobody else wants this CPU: halt here, as its idle task
 * would, and save the way there and back. For a short while, and only after a request: a program
 * that comes, or the first tick after that, ends it. True: somebody woke the thread.
 */
static bool back_linger(struct back_queue *bq)
{
	u64 until = ktime_get_ns() + (u64)READ_ONCE(linger_us) * NSEC_PER_USEC;
	bool woken;

	if (bq->lingered == bq->begun || !READ_ONCE(linger_us))
		return false;
	bq->lingered = bq->begun;
	preempt_disable();
	WRITE_ONCE(bq->cpu, smp_processor_id());
	for (;;) {
		local_irq_disable();
		smp_mb();	/* who wakes us sees the CPU, or we see that he did */
		woken = get_current_state() == TASK_RUNNING;
		if (woken || need_resched() || !single_task_running() || ktime_get_ns() >= until)
			break;
		safe_halt();
	}
	local_irq_enable();
	WRITE_ONCE(bq->cpu, -1);
	preempt_enable();
	return woken;
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
		if (!back_linger(bq))
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
		if (verdict != BACK_LIE)
			verdict = back_serve_all(bq);
		back_sleep(bq, verdict);
	}
	return 0;
}

irqreturn_t back_interrupt(int irq, void *data)
{
	struct parvus_queue *q = data;
	struct back_queue *bq = q->data;
	int cpu;

	WRITE_ONCE(bq->event, true);
	wake_up_process(bq->thread);
	smp_mb();	/* pairs with back_linger() */
	cpu = READ_ONCE(bq->cpu);
	if (cpu >= 0 && cpu != smp_processor_id())
		smp_send_reschedule(cpu);	/* it halts, and waking it did not say so */
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
	bq->cpu = -1;
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

	thread = kthread_create(back_thread, bq, "block-%u.%u", bq->q->dev->id, bq->q->index);
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

void back_disconnect(struct parvus_link_end *end)
{
	struct block_back *back = to_back(end);
	unsigned int i;

	for (i = 0; i < end->link->count; i++) {
		struct back_queue *bq = back->queue[i];

		if (!bq)
			continue;
		back_thread_stop(bq);
		back_stats_add(&back->stats, &bq->stats);
		back->queue[i] = NULL;
		back_queue_free(bq);
	}
}

int back_connect(struct parvus_link_end *end)
{
	struct block_back *back = to_back(end);
	unsigned int i;
	int err = 0;

	for (i = 0; i < end->link->count && !err; i++) {
		if (!end->link->queue[i].pool_pages)
			return -EPROTO;
		back->queue[i] = back_queue_make(back, &end->link->queue[i]);
		err = back->queue[i] ? back_thread_start(back->queue[i]) : -ENOMEM;
	}
	return err;
}

int back_connected(struct parvus_link_end *end)
{
	unsigned int i;

	for (i = 0; i < end->link->count; i++)
		wake_up_process(to_back(end)->queue[i]->thread);
	return 0;
}

/* The disk stands still: no request is under way, none is begun. */
void back_pause(struct block_back *back)
{
	unsigned int i;

	for (i = 0; i < back->end.link->count; i++)
		kthread_park(back->queue[i]->thread);
	for (i = 0; i < back->end.link->count; i++)
		wait_event(back->queue[i]->idle, back_queue_idle(back->queue[i]));
}

void back_resume(struct block_back *back)
{
	unsigned int i;

	for (i = 0; i < back->end.link->count; i++) {
		back_check_init(&back->queue[i]->check, back, back->queue[i]->q);
		kthread_unpark(back->queue[i]->thread);
	}
}

void back_stats_sum(struct block_back *back, struct back_stats *sum)
{
	unsigned int i;

	mutex_lock(&back->end.lock);
	*sum = back->stats;
	for (i = 0; back->end.link && i < back->end.link->count; i++) {
		if (!back->queue[i])
			continue;
		spin_lock_irq(&back->queue[i]->lock);
		back_stats_add(sum, &back->queue[i]->stats);
		spin_unlock_irq(&back->queue[i]->lock);
	}
	mutex_unlock(&back->end.lock);
}

int __init back_serve_init(void)
{
	return bioset_init(&back_bios, 64, 0, BIOSET_NEED_BVECS);
}
