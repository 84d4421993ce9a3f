/* SPDX-License-Identifier: MIT */
/*
 * Entropy devices: what the ends do alike, in a kernel or in a program: find the rings in their
 * page, and check what the other end has written. Nothing here looks at shared memory: it
 * is given copies.
 */
#ifndef ENTROPY_OPS_H
#define ENTROPY_OPS_H

#include <parvus/ring_ops.h>
#include "entropy.h"

struct entropy_rings {
	struct parvus_ring *requests, *responses;
	unsigned char *request, *response;	/* the entries */
	uint32_t count;				/* of each; 0 = there is no room */
};

static inline struct entropy_rings entropy_rings(void *pages, uint64_t bytes)
{
	struct entropy_rings r = { .requests = (struct parvus_ring *)pages };

	r.responses = r.requests + 1;
	r.request = (unsigned char *)(r.requests + 2);
	if (bytes > 2 * sizeof(struct parvus_ring))
		r.count = parvus_ring_count(bytes - 2 * sizeof(struct parvus_ring),
					    sizeof(struct entropy_request) +
					    sizeof(struct entropy_response));
	r.response = r.request + r.count * sizeof(struct entropy_request);
	return r;
}

/* The front end's: it makes them, before the other end knows of them. */
static inline void entropy_front_rings(const struct entropy_rings *r, struct parvus_producer *p,
				       struct parvus_consumer *c)
{
	parvus_ring_format(r->requests);
	parvus_ring_format(r->responses);
	parvus_producer_init(p, r->requests, r->request, r->count,
			     sizeof(struct entropy_request), 0);
	parvus_consumer_init(c, r->responses, r->response, r->count,
			     sizeof(struct entropy_response), 0);
}

static inline void entropy_back_rings(const struct entropy_rings *r, struct parvus_consumer *c,
				      struct parvus_producer *p)
{
	parvus_consumer_init(c, r->requests, r->request, r->count,
			     sizeof(struct entropy_request), 0);
	parvus_producer_init(p, r->responses, r->response, r->count,
			     sizeof(struct entropy_response), 0);
}

/* May this request be served with a pool of @pool bytes? Else the front end lies. */
static inline int entropy_request_ok(const struct entropy_request *r, uint64_t pool)
{
	return r->bytes && r->bytes <= ENTROPY_BYTES && !r->reserved &&
	       (uint64_t)r->offset + r->bytes <= pool;
}

/* Is this the answer to request @id? Else the back end lies. */
static inline int entropy_response_ok(const struct entropy_response *r, uint32_t id)
{
	return r->id == id && r->status <= 0 && r->status >= -4095;
}

/* Does a back end that says this have what the front end needs? */
static inline int entropy_info_ok(const struct entropy_info *info)
{
	return info->link.version == PARVUS_LINK_VERSION && info->link.queues &&
	       info->link.pool_pages >= ENTROPY_POOL_PAGES;
}

#endif
