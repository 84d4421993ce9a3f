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
#include <linux/module.h>
#include <linux/parvus_compat.h>
#include <linux/slab.h>
#include "block_front.h"

#define FRONT_RING_PAGES	3u	/* 128 entries */
#define FRONT_QUEUES		4u	/* of a disk, if it is not said otherwise */
#define FRONT_POOL_PAGES	1024u	/* of a disk, if there is memory for it */
#define FRONT_POOL_LEAST	64u	/* of a queue */
#define FRONT_COPY_LOCKED	PAGE_SIZE	/* to the pool, interrupts off, at most */
#define FRONT_COPY_INTERRUPT	(128u << 10)	/* from the pool, in interrupts, most */

static unsigned int queues;
module_param(queues, uint, 0444);
MODULE_PARM_DESC(queues, "queues of a disk, at most; 0 = one for each CPU, up to 4");

static atomic_t fronts;			/* disks, or what will be some */

/* Copy between the request's pages and its place in the pool. */
static void front_copy(struct front_queue *fq, struct request *rq, bool to_pool)
{
	struct front_request *fr = blk_mq_rq_to_pdu(rq);
	const struct block_run *run = fq->pool.run;
	unsigned int page = fr->place.first, left = run[page].pages, start = page, offset = 0;
	struct req_iterator iter;
	struct bio_vec bv;

	rq_for_each_bvec(bv, rq, iter) {
		void *data = bvec_virt(&bv);
		unsigned int len = bv.bv_len;

		while (len) {
			unsigned int n = min_t(unsigned int, len, PAGE_SIZE - offset);
			void *pool;

			if (!left) {
				start = page = run[start].next;
				left = run[start].pages;
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
static blk_status_t front_request(const struct block_front *f, struct request *rq,
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
	return fq->issued < fq->count && parvus_producer_room(&fq->requests);
}

/*
 * With the lock held, without room. blk-mq comes again when a request of this hardware queue has
 * ended; if that may be none, after some milliseconds. We do not stop the hardware queue: blk-mq
 * looks whether it is stopped and then puts a request aside, and if it was started in between,
 * nobody comes for that one (rule 127; Linux block/blk-mq.c, __blk_mq_try_issue_directly()).
 */
static blk_status_t front_busy(struct front_queue *fq)
{
	struct block_front *f = fq->front;
	bool ends = fq->issued && f->end.link->count == f->tags.nr_hw_queues;

	if (parvus_producer_broken(&fq->requests))
		parvus_link_end_lie(&f->end, "has a wrong index");
	return ends ? BLK_STS_DEV_RESOURCE : BLK_STS_RESOURCE;
}

static void front_look(struct front_queue *fq);

/* What was published is told, if that is wanted, and its answer looked for. */
static void front_tell(struct front_queue *fq, bool tell)
{
	if (tell)
		parvus_queue_notify(fq->q);
	front_look(fq);
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
	fq = &f->queue[hctx->queue_num % f->end.link->count];
	status = front_request(f, rq, &r);
	if (status)
		return status;
	blk_mq_start_request(rq);
	fr->place.pages = 0;
	spin_lock_irqsave(&fq->lock, flags);
	if (front_has_data(&r)) {
		unsigned int bytes = blk_rq_bytes(rq);
		bool apart = bytes > FRONT_COPY_LOCKED && r.op == PARVUS_BLOCK_WRITE;

		if (!block_pool_get(&fq->pool, &fr->place, bytes))
			goto busy;
		if (apart)
			spin_unlock_irqrestore(&fq->lock, flags);
		if (r.op == PARVUS_BLOCK_WRITE)
			front_copy(fq, rq, true);
		block_pool_segments(&fq->pool, &fr->place, &r, bytes);
		if (apart)
			spin_lock_irqsave(&fq->lock, flags);
	}
	if (!front_room(fq)) {
		if (fr->place.pages)
			block_pool_put(&fq->pool, &fr->place);
		goto busy;
	}
	fr->fq = fq;
	fq->issued++;
	WRITE_ONCE(f->issued[r.id], rq);
	parvus_produce(&fq->requests, &r);
	if (bd->last)
		tell = parvus_publish(&fq->requests);
	spin_unlock_irqrestore(&fq->lock, flags);
	if (bd->last)
		front_tell(fq, tell);
	return BLK_STS_OK;
busy:
	status = front_busy(fq);
	tell = parvus_publish(&fq->requests);
	spin_unlock_irqrestore(&fq->lock, flags);
	front_tell(fq, tell);
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
	fq = &f->queue[hctx->queue_num % f->end.link->count];
	spin_lock_irqsave(&fq->lock, flags);
	tell = parvus_publish(&fq->requests);
	spin_unlock_irqrestore(&fq->lock, flags);
	front_tell(fq, tell);
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

/* Its data was copied, or has none: it ends, and blk-mq looks who waits for room. */
static void front_finish(struct front_queue *fq, struct request *rq)
{
	struct front_request *fr = blk_mq_rq_to_pdu(rq);
	unsigned long flags;

	spin_lock_irqsave(&fq->lock, flags);
	if (fr->place.pages)
		block_pool_put(&fq->pool, &fr->place);
	fr->fq = NULL;
	fq->issued--;
	spin_unlock_irqrestore(&fq->lock, flags);
	/* here, and not in a soft interrupt: nothing is left that takes long */
	blk_mq_end_request(rq, fr->status);
}

/*
 * False: it was a lie. A long copy is not made in an interrupt: the interrupt's thread makes it.
 */
static bool front_answer(struct front_queue *fq, const struct parvus_block_response *a)
{
	struct request *rq = front_take(fq, a->id);
	struct front_request *fr;

	if (!rq) {
		parvus_link_end_lie(&fq->front->end, "answers what was not asked");
		return false;
	}
	fr = blk_mq_rq_to_pdu(rq);
	fr->status = front_status(a->status);
	if (fr->status == BLK_STS_NOTSUPP)
		parvus_disk_cannot(rq->q, req_op(rq));	/* and is not asked again */
	if (!fr->status && req_op(rq) == REQ_OP_READ) {
		if (in_hardirq() && blk_rq_bytes(rq) > FRONT_COPY_INTERRUPT) {
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

/*
 * All that is there. An event is asked for while something is under way, and not without: who
 * issues the next one looks himself. After a lie no more is looked at.
 */
static void front_drain(struct front_queue *fq)
{
	struct parvus_link_end *end = &fq->front->end;
	struct parvus_block_response a;

	do {
		while (parvus_consume(&fq->responses, &a)) {
			parvus_link_end_answers(end);
			if (!front_answer(fq, &a))
				return;
			if (parvus_release(&fq->responses))
				parvus_queue_notify(fq->q);
		}
		if (parvus_consumer_broken(&fq->responses)) {
			parvus_link_end_lie(end, "has a wrong index");
			return;
		}
	} while (READ_ONCE(fq->issued) && !parvus_consumer_sleep(&fq->responses));
	if (xchg(&fq->event, false))
		parvus_queue_done(fq->q);
}

/*
 * Look for answers: in the interrupt, and behind each request, whose answer may be there before
 * its notification returns: then nobody has to be interrupted for it. One looks at a time; who
 * comes meanwhile leaves word, and it is looked once more for him, with what he issued in sight.
 */
static void front_look(struct front_queue *fq)
{
	int looks;

	preempt_disable();	/* others wait for who looks */
	if (!atomic_fetch_inc(&fq->looks)) {
		do {
			looks = atomic_read(&fq->looks);
			front_drain(fq);
		} while (atomic_sub_return(looks, &fq->looks));
	}
	preempt_enable();
}

static irqreturn_t front_interrupt(int irq, void *data)
{
	struct parvus_queue *q = data;
	struct front_queue *fq = q->data;

	WRITE_ONCE(fq->event, true);
	front_look(fq);
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

/* It waits on: this back end or the next one does it. But people hear of it. */
static enum blk_eh_timer_return front_timeout(struct request *rq)
{
	struct block_front *f = rq->q->queuedata;

	if (READ_ONCE(f->issued[front_id(f, rq)]) == rq)
		parvus_link_end_hangs(&f->end, true);
	return BLK_EH_RESET_TIMER;
}

const struct blk_mq_ops front_mq_ops = {
	.queue_rq = front_queue_rq,
	.timeout = front_timeout,
	.commit_rqs = front_commit_rqs,
};

/* what the back end says */

/* -EPROTO: it makes no sense. -EMEDIUMTYPE: the disk as it is cannot go on with it. */
static int front_info(const struct block_front *f, const void *blob, struct parvus_block_info *info)
{
	memcpy(info, blob, sizeof(*info));
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
	if (f->disk && (info->logical_block > queue_logical_block_size(f->disk->queue) ||
			info->bytes < f->bytes))
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

/* A sixty-fourth of memory for a disk, of many together an eighth; but what its requests need. */
static unsigned int front_pool_pages(const struct block_front *f, unsigned int n)
{
	unsigned long share = totalram_pages() / (8 * max(atomic_read(&fronts), 8));
	unsigned int pages = min(share, FRONT_POOL_PAGES - 1ul);

	pages = max(roundup_pow_of_two(pages + 1) / n, FRONT_POOL_LEAST);
	return clamp(pages, f->bytes / PAGE_SIZE + 1, f->info.link.pool_pages);
}

static int front_describe(struct parvus_link_end *end, void *blob)
{
	struct block_front *f = to_block_front(end);
	struct parvus_block_info info;
	int err = front_info(f, blob, &info);
	unsigned int n;

	if (err)
		return err;
	f->info = info;
	n = front_queues(f);
	end->shape = (struct parvus_link_shape) {
		.queues = n,
		.ring_pages = FRONT_RING_PAGES,
		.pool_pages = front_pool_pages(f, n),
		.pool_least = max(FRONT_POOL_LEAST, f->bytes / (unsigned int)PAGE_SIZE + 1),
		.features = info.link.features &
			    (PARVUS_BLOCK_HAS_FLUSH | PARVUS_BLOCK_HAS_FUA |
			     PARVUS_BLOCK_HAS_DISCARD | PARVUS_BLOCK_HAS_WRITE_ZEROES),
	};
	return 0;
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
	if (q->pool_pages <= f->bytes / PAGE_SIZE)
		return -ENOMEM;		/* there are requests that need more */
	return block_pool_init(&fq->pool, q->pool, q->pool_pages);
}

static int front_connect(struct parvus_link_end *end)
{
	struct block_front *f = to_block_front(end);
	unsigned int i;
	int err = 0;

	f->queue = kcalloc(end->link->count, sizeof(*f->queue), GFP_KERNEL);
	if (!f->queue)
		return -ENOMEM;
	for (i = 0; i < end->link->count && !err; i++)
		err = front_queue_init(&f->queue[i], f, &end->link->queue[i]);
	return err;
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
static void front_disconnect(struct parvus_link_end *end)
{
	struct block_front *f = to_block_front(end);
	unsigned int i;

	if (f->disk && !f->quiet && !f->left) {
		blk_mq_quiesce_queue(f->disk->queue);
		f->quiet = true;
	}
	if (f->disk && f->queue && !f->left) {
		/* answers that have come, but were not copied */
		for (i = 0; i < end->link->count; i++)
			if (f->queue[i].q)
				front_thread(0, f->queue[i].q);
		blk_mq_tagset_busy_iter(&f->tags, front_requeue, NULL);
		memset(f->issued, 0, array3_size(f->tags.nr_hw_queues, f->tags.queue_depth,
						 sizeof(*f->issued)));
	}
	for (i = 0; f->queue && i < end->link->count; i++)
		block_pool_free(&f->queue[i].pool);
	kfree(f->queue);
	f->queue = NULL;
}

void front_resume(struct block_front *f)
{
	if (!f->quiet)
		return;
	f->quiet = false;
	blk_mq_unquiesce_queue(f->disk->queue);
	blk_mq_kick_requeue_list(f->disk->queue);
	/*
	 * Who had seen the queue quiet puts a request aside maybe after it was run (rule 127). He
	 * does so within a section of RCU.
	 */
	synchronize_rcu();
	blk_mq_run_hw_queues(f->disk->queue, true);
}

/* states */

static int front_connected(struct parvus_link_end *end)
{
	struct block_front *f = to_block_front(end);

	if (!f->disk)
		return front_disk_make(f);
	front_disk_apply(f);
	front_resume(f);
	return 0;
}

/* The back end has written its blob anew. What it can do in all stays what it was. */
static int front_changed(struct parvus_link_end *end, const void *blob)
{
	struct block_front *f = to_block_front(end);
	struct parvus_block_info info;
	int err = front_info(f, blob, &info);

	if (err == -EMEDIUMTYPE) {
		dev_warn_ratelimited(&end->dev->dev, "the disk cannot become that\n");
		return 0;
	}
	if (!err) {
		f->info = info;
		front_disk_apply(f);
	}
	return err;
}

static const struct parvus_link_ops front_ops = {
	.describe = front_describe,
	.connect = front_connect,
	.connected = front_connected,
	.changed = front_changed,
	.disconnect = front_disconnect,
	.closing = front_disk_closing,
	.interrupt = front_interrupt,
	.thread = front_thread,
};

static int front_probe(struct parvus_dev *dev)
{
	struct block_front *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	atomic_inc(&fronts);
	parvus_link_end_init(&f->end, dev, &front_ops);
	front_disk_init(f);
	parvus_link_end_begin(&f->end);
	return 0;
}

/* I/O fails from now on, also what waits; who has the disk open keeps @f until he closes it. */
static void front_remove(struct parvus_dev *dev)
{
	struct parvus_link_end *end = dev_get_drvdata(&dev->dev);
	struct block_front *f = to_block_front(end);

	mutex_lock(&end->lock);
	if (READ_ONCE(f->added))
		blk_mark_disk_dead(f->disk);
	mutex_unlock(&end->lock);
	parvus_link_end_stop(end);
	atomic_dec(&fronts);
	mutex_lock(&end->lock);
	f->dead = true;
	front_resume(f);
	mutex_unlock(&end->lock);
	front_disk_end(f);
	dev_set_drvdata(&dev->dev, NULL);
	front_disk_free(f);
}

static struct parvus_driver front_driver = {
	.driver.name = "block-front",
	.device_class = PARVUS_CLASS_BLOCK,
	.side = PARVUS_FRONT,
	.probe = front_probe,
	.remove = front_remove,
	.peer_changed = parvus_link_end_peer_changed,
};

static int __init front_init(void)
{
	return parvus_start ? parvus_register_driver(&front_driver) : 0;
}
device_initcall(front_init);
