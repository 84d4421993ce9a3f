/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus: the pages, ports and mappings of a link (link.c), for the states of its ends
 * (link_state.c). All ports are AUTO_MASKed.
 */
#ifndef PARVUS_LINK_PAGES_H
#define PARVUS_LINK_PAGES_H

#include <linux/parvus_link.h>

/**
 * parvus_link_create - front end: make queues and offer their pages to the back end
 * @pool_pages: of each queue; less are made, but at least a quarter, if memory is short
 *
 * All pages are zeroed. An error pointer if it fails.
 */
struct parvus_queues *parvus_link_create(struct parvus_dev *dev, unsigned int queues,
					 unsigned int ring_pages, unsigned int pool_pages);

/* parvus_link_pages - front end: how many pages a link of that shape has, at most */
unsigned int parvus_link_pages(const struct parvus_link_shape *shape);

/* parvus_link_publish - front end: tell the back end, go READY */
int parvus_link_publish(struct parvus_queues *qs, u64 features);

/**
 * parvus_link_accept - back end: map what the front end, which is READY, has published
 * @limits: what our blob said; a link with more queues, pool or features is refused
 *
 * An error pointer if the front end's blob or directory is wrong (-EPROTO), or if it fails.
 */
struct parvus_queues *parvus_link_accept(struct parvus_dev *dev,
					 const struct parvus_link_info *limits);

/* parvus_link_start - request the interrupts, spread over CPUs */
int parvus_link_start(struct parvus_queues *qs, const struct parvus_link_end *end);
void parvus_link_kick(struct parvus_queues *qs);	/* serve() all queues */
void parvus_link_stop(struct parvus_queues *qs);	/* nothing comes any more */
/* The front end's pages are given back when the other end lets go, later if need be. */
void parvus_link_free(struct parvus_queues *qs);

#endif
