/* SPDX-License-Identifier: MIT */
/*
 * Streams: bytes in both directions between a domain and the one that serves it, as a device of a
 * class. A link (parvus/link.h) of one queue without a pool; its pages of rings hold, in this
 * order: a struct parvus_ring of bytes to the front end, one of bytes to the back end, the bytes of
 * the first, the bytes of the second. There are as many of both: the largest power of two that
 * fits.
 *
 * What a stream is for stands in its configuration, a text that ends with a zero: "cp" for files
 * (tree.h says what goes over it), "channel NAME" for a channel of that name. In a domain the
 * front end is a program, parvus-agent.
 */
#ifndef PARVUS_STREAM_H
#define PARVUS_STREAM_H

#include <parvus/link.h>
#include <parvus/ring_ops.h>

#define PARVUS_CLASS_STREAM	0x5354524du	/* "STRM" */
#define STREAM_PAGES		9u		/* of rings: 16 KiB each way */

struct stream_rings {
	struct parvus_ring *to_front, *to_back;
	unsigned char *front_bytes, *back_bytes;
	uint32_t count;		/* bytes of each; 0 = there is no room */
};

static inline struct stream_rings stream_rings(void *pages, uint64_t bytes)
{
	struct stream_rings r = { .to_front = (struct parvus_ring *)pages };

	r.to_back = r.to_front + 1;
	r.front_bytes = (unsigned char *)(r.to_front + 2);
	if (bytes > 2 * sizeof(struct parvus_ring))
		r.count = parvus_ring_count(bytes - 2 * sizeof(struct parvus_ring), 2);
	r.back_bytes = r.front_bytes + r.count;
	return r;
}

#endif
