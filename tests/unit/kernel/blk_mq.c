// SPDX-License-Identifier: GPL-2.0-only
/*
 * blk-mq as a driver of Linux 6.1 meets it (block/blk-mq.c, block/blk-mq-sched.c), without an
 * I/O scheduler: where it puts a request aside, and what makes it come again. A point
 * (unit_point()) is wherever another CPU may come in between what it sees and what it does.
 * Each request has its tag for good; one list stands for the software queues of all CPUs.
 *
 * Included by the test, which has section_begin() and section_end() of RCU.
 */
#include <check.h>
#include <linux/blk-mq.h>

/* Check keeps a record of each ck_assert(): not with some thousand runs in one test. */
#define must_say(what, ...)	((what) ? (void)0 : ck_abort_msg(__VA_ARGS__))
#define must(what)		must_say(what, #what)

static void section_begin(void);
static void section_end(void);

static void splice_tail(struct list_head *from, struct list_head *to)
{
	while (!list_empty(from)) {
		struct list_head *n = from->next;

		list_del(n);
		list_add_tail(n, to);
	}
}

static struct request *first(struct list_head *l)
{
	return list_first_entry_or_null(l, struct request, queuelist);
}

static void mq_dispatch(struct blk_mq_hw_ctx *h);

static void mq_run(struct blk_mq_hw_ctx *h, bool async, bool later)
{
	if (h->stopped)
		return;
	if (async)
		h->run = later ? RUN_LATER : RUN_NOW;
	else
		mq_dispatch(h);
}

/* What is put aside after this has looked, it has not seen. */
static void blk_mq_run_hw_queue(struct blk_mq_hw_ctx *h, bool async)
{
	bool pending;

	section_begin();
	unit_point();
	pending = !h->queue->quiesced && (!list_empty(&h->dispatch) || !list_empty(&h->software));
	section_end();
	if (!pending)
		return;
	unit_point();
	mq_run(h, async, false);
}

void blk_mq_run_hw_queues(struct request_queue *q, bool async)
{
	unsigned int i;

	for (i = 0; i < q->hctxs; i++)
		if (!q->hctx[i].stopped)
			blk_mq_run_hw_queue(&q->hctx[i], async);
}

void blk_mq_start_request(struct request *rq)
{
	must(!rq->started);
	rq->started = true;
}

void blk_mq_end_request(struct request *rq, blk_status_t status)
{
	struct blk_mq_hw_ctx *h = rq->mq_hctx;

	must(rq->ended == 0);
	rq->ended++;
	rq->status = status;
	rq->started = false;
	unit_point();
	if (h->restart) {
		h->restart = false;
		blk_mq_run_hw_queue(h, true);
	}
}

static bool is_busy(blk_status_t status)
{
	return status == BLK_STS_RESOURCE || status == BLK_STS_DEV_RESOURCE;
}

/* True: all went to the driver. */
static bool mq_dispatch_list(struct blk_mq_hw_ctx *h, struct list_head *list)
{
	const struct blk_mq_ops *ops = h->queue->ops;
	blk_status_t status = BLK_STS_OK;
	bool queued = false, errors = false, restarts;
	struct request *rq;

	while (!is_busy(status) && (rq = first(list))) {
		list_del(&rq->queuelist);
		status = ops->queue_rq(h, &(struct blk_mq_queue_data){ rq, list_empty(list) });
		if (is_busy(status)) {
			rq->started = false;
			list_add(&rq->queuelist, list);
		} else if (status) {
			blk_mq_end_request(rq, status);
			errors = true;
		} else {
			queued = true;
		}
	}
	if (queued && (errors || is_busy(status)))
		ops->commit_rqs(h);
	if (list_empty(list))
		return true;
	unit_point();
	splice_tail(list, &h->dispatch);
	unit_point();
	restarts = h->restart;
	unit_point();
	if (!restarts)
		blk_mq_run_hw_queue(h, true);
	else if (status == BLK_STS_RESOURCE)
		mq_run(h, true, true);
	return false;
}

/* What was put aside goes first, and then one by one. */
static void mq_dispatch(struct blk_mq_hw_ctx *h)
{
	struct list_head list;
	struct request *rq;

	section_begin();
	if (h->stopped || h->queue->quiesced)
		goto out;
	INIT_LIST_HEAD(&list);
	unit_point();
	if (list_empty(&h->dispatch)) {
		splice_tail(&h->software, &list);
		if (!list_empty(&list))
			mq_dispatch_list(h, &list);
		goto out;
	}
	splice_tail(&h->dispatch, &list);
	h->restart = true;
	while (mq_dispatch_list(h, &list)) {
		if (!list_empty(&h->dispatch)) {
			blk_mq_run_hw_queue(h, true);
			break;
		}
		rq = first(&h->software);
		if (!rq)
			break;
		list_del(&rq->queuelist);
		list_add(&rq->queuelist, &list);
	}
out:
	section_end();
}

/* A request that comes from above. */
static void mq_issue(struct request *rq)
{
	struct blk_mq_hw_ctx *h = rq->mq_hctx;
	blk_status_t status;

	section_begin();
	if (h->stopped || h->queue->quiesced) {
		unit_point();	/* it may be neither by now: nobody looks again */
		list_add_tail(&rq->queuelist, &h->software);
		section_end();
		return;
	}
	status = h->queue->ops->queue_rq(h, &(struct blk_mq_queue_data){ rq, true });
	if (is_busy(status)) {
		rq->started = false;
		unit_point();
		list_add_tail(&rq->queuelist, &h->dispatch);
		blk_mq_run_hw_queue(h, false);
	} else if (status) {
		blk_mq_end_request(rq, status);
	}
	section_end();
}

/* The work items. False: none was there to run. */
static bool mq_work(struct request_queue *q)
{
	struct list_head list;
	struct request *rq;
	unsigned int i;

	if (q->requeue_run) {
		q->requeue_run = false;
		INIT_LIST_HEAD(&list);
		splice_tail(&q->requeue, &list);
		while ((rq = first(&list))) {
			list_del(&rq->queuelist);
			list_add(&rq->queuelist, &rq->mq_hctx->software);
			unit_point();
		}
		blk_mq_run_hw_queues(q, false);
		return true;
	}
	for (i = 0; i < q->hctxs; i++) {
		if (q->hctx[i].run == RUN_NOW) {
			q->hctx[i].run = NO_RUN;
			if (!q->hctx[i].stopped)
				mq_dispatch(&q->hctx[i]);
			return true;
		}
	}
	return false;
}

/* Some milliseconds pass. False: nobody waits for them. */
static bool mq_later(struct request_queue *q)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < q->hctxs; i++) {
		if (q->hctx[i].run == RUN_LATER) {
			q->hctx[i].run = RUN_NOW;
			any = true;
		}
	}
	return any;
}

void blk_mq_requeue_request(struct request *rq, bool kick)
{
	must(rq->started);
	rq->started = false;
	list_add(&rq->queuelist, &rq->q->requeue);
	if (kick)
		blk_mq_kick_requeue_list(rq->q);
}

void blk_mq_kick_requeue_list(struct request_queue *q) { q->requeue_run = true; }

void blk_mq_stop_hw_queue(struct blk_mq_hw_ctx *h)
{
	h->run = NO_RUN;
	h->stopped = true;
}

void blk_mq_start_stopped_hw_queues(struct request_queue *q, bool async)
{
	unsigned int i;

	for (i = 0; i < q->hctxs; i++) {
		if (q->hctx[i].stopped) {
			q->hctx[i].stopped = false;
			blk_mq_run_hw_queue(&q->hctx[i], async);
		}
	}
}

void blk_mq_quiesce_queue(struct request_queue *q)
{
	q->quiesced++;
	synchronize_rcu();
}

void blk_mq_unquiesce_queue(struct request_queue *q)
{
	must(q->quiesced > 0);
	if (!--q->quiesced)
		blk_mq_run_hw_queues(q, true);
}

void blk_mq_tagset_busy_iter(struct blk_mq_tag_set *tags,
			     bool (*each)(struct request *rq, void *data), void *data)
{
	unsigned int i;

	for (i = 0; i < tags->rqs; i++)
		if (tags->rq[i]->started && !each(tags->rq[i], data))
			return;
}
