/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus: links for the drivers of a guest kernel (parvus/link.h): the pages, references
 * and event channels that join the two ends of a split device. A driver adds the ring
 * library (parvus/ring_ops.h) and its own entries.
 *
 * Front end:	parvus_link_create(), format the rings, parvus_link_start(),
 *		parvus_link_publish(), which sets READY; then CONNECTED when the back end is
 * Back end:	when the front end is READY: parvus_link_accept(), parvus_link_start(),
 *		set CONNECTED
 * Both:	parvus_link_stop(), when no interrupt shall come any more; then
 *		parvus_link_free(). The front end's pages are given back when the other
 *		end lets go of them, later if need be.
 */
#ifndef _LINUX_PARVUS_LINK_H
#define _LINUX_PARVUS_LINK_H

#include <linux/interrupt.h>
#include <linux/parvus.h>
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

/**
 * parvus_link_create - front end: make queues and offer their pages to the back end
 * @queues: 1 to PARVUS_LINK_QUEUES
 * @ring_pages: of each queue
 * @pool_pages: of each queue; less are made, but at least a quarter, if memory is short
 * @flags: of the ports, PARVUS_EVENT_AUTO_MASK
 *
 * All pages are zeroed. An error pointer if it fails.
 */
struct parvus_queues *parvus_link_create(struct parvus_dev *dev, unsigned int queues,
					 unsigned int ring_pages, unsigned int pool_pages,
					 u32 flags);

/**
 * parvus_link_publish - front end: tell the back end, go READY
 * @features: those that are used
 * @extra: what follows struct parvus_link in the blob, @len bytes, or NULL
 */
int parvus_link_publish(struct parvus_queues *qs, u64 features, const void *extra, size_t len);

/**
 * parvus_link_accept - back end: map what the front end, which is READY, has published
 * @limits: what our blob said; a link with more queues, pool or features is refused
 * @flags: of the ports, usually PARVUS_EVENT_AUTO_MASK
 * @interval_ns: least time between two events, or 0
 *
 * An error pointer if the front end's blob or directory is wrong (-EPROTO), or if it fails.
 */
struct parvus_queues *parvus_link_accept(struct parvus_dev *dev,
					 const struct parvus_link_info *limits, u32 flags,
					 u32 interval_ns);

/**
 * parvus_link_start - request the interrupts, each with its struct parvus_queue; spread them
 * @handler: hard interrupt context; NULL as for request_threaded_irq()
 * @thread: or NULL
 */
int parvus_link_start(struct parvus_queues *qs, irq_handler_t handler, irq_handler_t thread,
		      const char *name);
void parvus_link_stop(struct parvus_queues *qs);
void parvus_link_free(struct parvus_queues *qs);	/* NULL and error pointers: nothing */

static inline void parvus_queue_notify(const struct parvus_queue *q)
{
	parvus_notify_port(q->port);
}

/* The event was served; with PARVUS_EVENT_AUTO_MASK the next one comes after this. */
static inline void parvus_queue_done(const struct parvus_queue *q)
{
	parvus_event_done_port(q->port);
}

#endif
