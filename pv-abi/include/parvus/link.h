/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: links. A link is what joins the two ends of a device: one or more
 * queues, each with an event channel, a few pages of rings, and a pool of pages for
 * data. All pages are the front end's, offered to the back end once, when they
 * connect; entries of rings then name places in the pool, and no grant call is on the
 * way of a request.
 *
 * The front end's blob begins with a struct parvus_link. It names a page with one
 * record for each queue; a record names pages that hold the references of the pool,
 * 1024 in each, in the order of the pool. The back end copies these, never maps them:
 * they cannot change under it. What the rings hold is up to the class of the device.
 *
 * Order of events: the back end fills its blob and goes READY; the front end makes
 * the link and goes READY; the back end maps and goes CONNECTED; then the front end.
 */
#ifndef PARVUS_LINK_H
#define PARVUS_LINK_H

#include <parvus/device.h>
#include <parvus/ring.h>

#define PARVUS_LINK_VERSION	1u
#define PARVUS_LINK_QUEUES	32u	/* at most, in a link */
#define PARVUS_LINK_RING_PAGES	16u	/* at most, in a queue */
#define PARVUS_LINK_POOL_TABLES	12u	/* pages of references, at most, in a queue */
#define PARVUS_LINK_TABLE_REFS	1024u	/* references in one such page */
#define PARVUS_LINK_POOL_PAGES	(PARVUS_LINK_POOL_TABLES * PARVUS_LINK_TABLE_REFS)

/* Of one queue, in the page that parvus_link.directory names. */
struct parvus_link_queue {
	uint32_t port;		/* [front end] unbound, for the back end to bind to */
	uint32_t ring_pages;	/* [front end] 1 to PARVUS_LINK_RING_PAGES */
	uint32_t pool_pages;	/* [front end] 0 to PARVUS_LINK_POOL_PAGES */
	uint32_t reserved;
	uint32_t ring_ref[PARVUS_LINK_RING_PAGES];	/* [front end] references of the pages of
				 * rings */
	uint32_t table_ref[PARVUS_LINK_POOL_TABLES];	/* [front end] of the pages with the
				 * pool's */
};	/* 128 bytes */

/* How the front end's blob begins. */
struct parvus_link {
	uint32_t version;	/* [front end] PARVUS_LINK_VERSION */
	uint32_t queues;	/* [front end] 1 to PARVUS_LINK_QUEUES, and no more than the back
				 * end said */
	uint64_t features;	/* [front end] which of the back end's it uses */
	uint32_t directory;	/* [front end] reference of the page with the queues */
	uint32_t reserved[3];
};	/* 32 bytes */

/* How the back end's blob begins. */
struct parvus_link_info {
	uint32_t version;	/* [back end] PARVUS_LINK_VERSION */
	uint32_t queues;	/* [back end] at most */
	uint64_t features;	/* [back end] those of the class that it has */
	uint32_t pool_pages;	/* [back end] at most, in a queue */
	uint32_t reserved[3];
};	/* 32 bytes */

#endif
