/* SPDX-License-Identifier: MIT */
/*
 * Entropy devices: random bytes from another domain. A link (parvus/link.h) of one queue;
 * in its page of rings lie, in this order: a struct parvus_ring for requests, one for
 * responses, the requests, the responses. There are as many of both: the largest power of two
 * that fits. The bytes come in the queue's pool, where the request wants them.
 *
 * A request is answered exactly once, by a response with its id. If the back end goes away, the
 * front end asks the next one again.
 */
#ifndef ENTROPY_H
#define ENTROPY_H

#include <parvus/link.h>

#define PARVUS_CLASS_ENTROPY	0x100u

#define ENTROPY_BYTES		256u	/* of one request, at most */
#define ENTROPY_POOL_PAGES	1u

struct entropy_request {
	uint32_t id;		/* [front end] any value, for the response */
	uint32_t offset;	/* [front end] in the pool */
	uint32_t bytes;		/* [front end] 1 to ENTROPY_BYTES */
	uint32_t reserved;	/* [front end] 0 */
};	/* 16 bytes */

struct entropy_response {
	uint32_t id;		/* [back end] */
	int32_t status;		/* [back end] 0 or a negative error */
};	/* 8 bytes */

/* The back end's blob. The front end's is a struct parvus_link alone. */
struct entropy_info {
	struct parvus_link_info link;
};	/* 32 bytes */

#endif
