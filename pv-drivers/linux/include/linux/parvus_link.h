/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus: links, and the ends that they join, for the drivers of a guest kernel. A link
 * (parvus/link.h) is the pages, references and event channels between the two ends of a
 * split device; an end is what a driver has of one device. The link layer walks the states
 * of parvus/device.h for all drivers, at either side: it makes and accepts links, follows
 * the other end, begins anew, lets go. A driver says what it has (describe()), takes a link
 * (connect()) and lets go of it (disconnect()).
 *
 * Errors are of two kinds. What goes wrong at our own end, memory above all, may pass: it
 * is tried again, after a second at first, then ever less often. What the other end says
 * and no honest one would, a lie, closes the device. That is final: dev->refused stays until
 * somebody writes 0 to the device's file "refused", or binds another driver.
 */
#ifndef _LINUX_PARVUS_LINK_H
#define _LINUX_PARVUS_LINK_H

#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/parvus.h>
#include <linux/ratelimit.h>
#include <linux/workqueue.h>
#include <parvus/link.h>
#include <parvus/ring_ops.h>

/**
 * struct parvus_queue - one queue of a link, at either end
 * @dev: the device
 * @index: in the link
 * @irq: of the event channel; 0 = none
 * @port: ours, of the event channel
 * @rings: the pages of rings, in a row
 * @ring_bytes: how many
 * @pool: the pages of the pool; at the back end they are another domain's, and may change
 *	while they are looked at. Each has a kernel address (page_address())
 * @pool_pages: how many
 * @data: the driver's
 */
struct parvus_queue {
	struct parvus_dev *dev;
	unsigned int index;
	int irq;
	u32 port;
	void *rings;
	size_t ring_bytes;
	struct page **pool;
	unsigned int pool_pages;
	void *data;

	/* of link.c */
	bool requested;
	u32 *ring_refs, *pool_refs, *table_refs;
	struct page **ring_page, **table_page;
	unsigned int ring_pages, tables, mappings;
	struct parvus_mapping **mapping;
	struct work_struct serve;
	char name[32];
};

struct parvus_queues {
	struct parvus_dev *dev;
	struct page *directory;		/* front end */
	u32 directory_ref;
	u64 features;			/* back end: those that the front end chose */
	u8 extra[PARVUS_DEVICE_BLOB - sizeof(struct parvus_link)]; /* back end: the class's */
	unsigned int count;
	struct parvus_queue queue[];
};

/* What a front end wants of its link; as much of the pool as there is memory for. */
struct parvus_link_shape {
	unsigned int queues;		/* 1 to PARVUS_LINK_QUEUES */
	unsigned int ring_pages;	/* of each queue */
	unsigned int pool_pages;	/* of each queue */
	unsigned int pool_least;	/* with less it is not worth the while */
	u64 features;			/* of those that the back end has */
};

struct parvus_link_end;

/**
 * struct parvus_link_ops - a driver. All but interrupt(), thread() and serve() are called
 * with end->lock held, one at a time, and may sleep
 * @describe: back end: fill in @blob, which is zero and begins with struct
 *	parvus_link_info. Called without a link, and again with one: what that one uses must
 *	go on to be good. Front end: @blob is what the back end says: check it, and fill in
 *	end->shape; -EPROTO: it lies
 * @connect: end->link is there: make of its queues what is needed. A front end formats the
 *	rings, and puts into them what waits. -EPROTO: the other end lies
 * @connected: both ends are CONNECTED; may be NULL
 * @changed: front end, connected: @blob is what the back end says by now; may be NULL
 * @disconnect: nothing comes any more from the link, which goes after this. Also if
 *	connect() failed half way
 * @closing: front end: the back end wants the device back. False: not now; then it is the
 *	driver that calls parvus_link_end_leave(). NULL: always now
 * @configured: back end: dev->config is new, or what it names. 1: without a link, describe()
 *	anew; 0; negative: it is nothing for this driver. May be NULL
 * @smaller: back end: -ENOSPC, this domain may map no more. True: describe() offers less
 *	from now on. May be NULL
 * @serve: do what waits in a queue, @budget entries at most. Returns how many there were;
 *	fewer than @budget: the other end was told that we sleep; -EPROTO: it lies. Called
 *	after an event and when the ends connect, in a thread that competes with programs for
 *	the CPU as an equal: so an end that asks without end gets its share, and no more
 * @interrupt: instead of serve(): hard interrupt context. parvus_queue_done() is its task
 * @thread: of @interrupt, if it returns IRQ_WAKE_THREAD: before all programs, so for work
 *	that the other end cannot make more of
 * @detach: back end: of the flags in the second word of the configuration: let go politely
 */
struct parvus_link_ops {
	int (*describe)(struct parvus_link_end *end, void *blob);
	int (*connect)(struct parvus_link_end *end);
	int (*connected)(struct parvus_link_end *end);
	int (*changed)(struct parvus_link_end *end, const void *blob);
	void (*disconnect)(struct parvus_link_end *end);
	bool (*closing)(struct parvus_link_end *end);
	int (*configured)(struct parvus_link_end *end);
	bool (*smaller)(struct parvus_link_end *end);
	int (*serve)(struct parvus_queue *queue, unsigned int budget);
	irq_handler_t interrupt, thread;
	u32 detach;
};

/**
 * struct parvus_link_end - our end of a device; a part of what the driver has for it
 * @lock: of callbacks; the driver's work items take it, too
 * @link: NULL: there is none
 * @name: for messages and interrupts; NULL: the device's
 * @lied: the other end has, and its link goes; what comes from it is of no use
 * @hangs: front end: the back end has not answered for long, as far as the driver can tell
 * @closing: the back end wants the device back
 */
struct parvus_link_end {
	struct parvus_dev *dev;
	const struct parvus_link_ops *ops;
	struct mutex lock;
	struct parvus_queues *link;
	struct parvus_link_shape shape;
	const char *name;
	bool lied;
	bool hangs;
	bool closing;

	/* of link_state.c */
	bool detaching, stopped;
	unsigned int tries;
	struct ratelimit_state lines;	/* of the log */
	u8 blob[PARVUS_DEVICE_BLOB];	/* back end: as last said */
	const char *why;		/* it lied, or what we could not do for it */
	struct work_struct lie_work, hang_work;
	struct delayed_work retry_work;
};

/* In probe(): first init, last begin; the driver's data of @dev is @end. In remove(): stop. */
void parvus_link_end_init(struct parvus_link_end *end, struct parvus_dev *dev,
		     const struct parvus_link_ops *ops);
void parvus_link_end_begin(struct parvus_link_end *end);
void parvus_link_end_stop(struct parvus_link_end *end);	/* no callback any more */

/* For struct parvus_driver. */
void parvus_link_end_peer_changed(struct parvus_dev *dev, u32 state);
void parvus_link_end_configured(struct parvus_dev *dev);

/* The other end lies: once for each link, and the last of it. Anywhere; @what is a constant. */
void parvus_link_end_lie(struct parvus_link_end *end, const char *what);

/*
 * Front end, anywhere: a request waits for its answer longer than people do, or an answer has
 * come. Nothing is done about it but to tell them: the back end may go on, or another one come.
 */
void parvus_link_end_hangs(struct parvus_link_end *end, bool hangs);
static inline void parvus_link_end_answers(struct parvus_link_end *end)
{
	if (unlikely(READ_ONCE(end->hangs)))
		parvus_link_end_hangs(end, false);
}

/* With end->lock held. */
void parvus_link_end_renew(struct parvus_link_end *end);	/* front end: make another link */
/* front end: what closing() put off */
void parvus_link_end_leave(struct parvus_link_end *end);
void parvus_link_end_say(struct parvus_link_end *end);	/* back end: describe() may have changed */

static inline void parvus_queue_notify(const struct parvus_queue *q)
{
	parvus_notify_port(q->port);
}

/* The event was served; the next one comes after this. */
static inline void parvus_queue_done(const struct parvus_queue *q)
{
	parvus_event_done_port(q->port);
}

#endif
