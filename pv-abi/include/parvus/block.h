/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: block devices, PARVUS_CLASS_BLOCK. A link (parvus/link.h); in each
 * queue's ring pages lie, in this order: a struct parvus_ring for requests, one for
 * responses, the requests, the responses. There are as many of both: the largest power
 * of two that fits. Data is in the queue's pool.
 *
 * A request is answered exactly once, in any order, by a response with its id. Requests
 * may pass each other: who needs an order waits for the answer. A write is answered
 * when a read would see it; it is safe on the medium when a FLUSH that came after its
 * answer is answered, or when it had PARVUS_BLOCK_FUA.
 *
 * If the back end goes away, requests without an answer may or may not have been done:
 * the front end issues them again to the next one. A back end goes to CLOSED only when
 * nothing that it has begun can reach the medium any more.
 *
 * Sizes on the wire are in sectors of 512 bytes, whatever the disk's own sector is;
 * sector, sectors and bytes are multiples of that.
 */
#ifndef PARVUS_BLOCK_H
#define PARVUS_BLOCK_H

#include <parvus/link.h>

/* parvus_block_request.op */
#define PARVUS_BLOCK_READ		0u
#define PARVUS_BLOCK_WRITE		1u
#define PARVUS_BLOCK_FLUSH		2u
#define PARVUS_BLOCK_DISCARD		3u
#define PARVUS_BLOCK_WRITE_ZEROES	4u

/* parvus_block_request.flags */
#define PARVUS_BLOCK_FUA		1u	/* WRITE, WRITE_ZEROES: on the medium when
					 * answered */
#define PARVUS_BLOCK_UNMAP		2u	/* WRITE_ZEROES: may free the space */

/* features, in the blobs */
#define PARVUS_BLOCK_HAS_FLUSH		1u	/* there is a volatile cache: FLUSH means
					 * something */
#define PARVUS_BLOCK_HAS_FUA		2u
#define PARVUS_BLOCK_HAS_DISCARD	4u
#define PARVUS_BLOCK_HAS_WRITE_ZEROES	8u

/* Errors in responses beside those of parvus/types.h */
#define PARVUS_BLOCK_EIO		5	/* the medium failed */
#define PARVUS_BLOCK_EOPNOTSUPP		95	/* not this operation */

#define PARVUS_BLOCK_INLINE	5u	/* segments in the request itself */
#define PARVUS_BLOCK_SEGMENTS	1024u	/* segments of a request, at most */
#define PARVUS_BLOCK_BYTES	(4u << 20)	/* of one READ or WRITE, at most */

/* A piece of the data. */
struct parvus_block_segment {
	uint32_t offset;	/* [front end] in the pool, a multiple of 512 */
	uint32_t bytes;		/* [front end] a multiple of the logical block */
};	/* 8 bytes */

/*
 * READ and WRITE: segments is not 0, and their bytes are those of sectors. With more
 * than PARVUS_BLOCK_INLINE, segment[0] is the place in the pool of the list of them.
 * Others: segments is 0. FLUSH: sector and sectors are 0. DISCARD, WRITE_ZEROES: sectors is
 * not 0.
 */
struct parvus_block_request {
	uint8_t op;		/* [front end] PARVUS_BLOCK_READ to WRITE_ZEROES */
	uint8_t flags;		/* [front end] PARVUS_BLOCK_FUA, PARVUS_BLOCK_UNMAP */
	uint16_t segments;	/* [front end] how many */
	uint32_t id;		/* [front end] any value, for the response */
	uint64_t sector;	/* [front end] the first one */
	uint64_t sectors;	/* [front end] how many */
	struct parvus_block_segment segment[PARVUS_BLOCK_INLINE];	/* [front end] or where the
				 * list of them is */
};	/* 64 bytes */

/* The answer. */
struct parvus_block_response {
	uint32_t id;		/* [back end] of the request */
	int32_t status;		/* [back end] 0 or a negative error */
};	/* 8 bytes */

/* The back end's blob. When it writes it anew in CONNECTED, the disk has a new size. */
struct parvus_block_info {
	struct parvus_link_info link;	/* [back end] see there */
	uint32_t flags;		/* [back end] PARVUS_BLOCK_READONLY, PARVUS_BLOCK_CDROM */
	uint32_t logical_block;	/* [back end] bytes, 512 to 4096 */
	uint32_t physical_block;	/* [back end] bytes */
	uint32_t optimal_io;	/* [back end] bytes, 0 = unknown */
	uint64_t sectors;	/* [back end] size; 0 = no medium */
	uint32_t discard_granularity;	/* [back end] bytes */
	uint32_t discard_sectors;	/* [back end] of one DISCARD, at most */
	uint32_t zeroes_sectors;	/* [back end] of one WRITE_ZEROES, at most */
	uint32_t bytes;		/* [back end] of one READ or WRITE, at most; no more than
				 * PARVUS_BLOCK_BYTES */
};	/* 72 bytes */

/* flags of info and config */
#define PARVUS_BLOCK_READONLY	1u
#define PARVUS_BLOCK_CDROM	2u
/* flags of config alone */
#define PARVUS_BLOCK_PROGRAM	4u	/* a program serves it, not the kernel's back end */
#define PARVUS_BLOCK_NO_DISCARD	8u
#define PARVUS_BLOCK_DETACH	16u	/* to be removed: the back end goes to CLOSING */

/* What the toolstack configures. The index of the device is the number of the disk. */
struct parvus_block_config {
	uint32_t version;	/* [toolstack] 1 */
	uint32_t flags;		/* [toolstack] PARVUS_BLOCK_READONLY and on */
	uint32_t major, minor;	/* [toolstack] block device in the back end's domain; 0, 0 = no
				 * medium */
	uint32_t queues;	/* [toolstack] at most; 0 = the back end decides */
	uint32_t iops;		/* [toolstack] requests in a second, at most; 0 = no limit */
	uint64_t bytes_per_second;	/* [toolstack] at most; 0 = no limit */
	char name[16];		/* [toolstack] in the front end, such as "xvda" */
	char file[128];		/* [toolstack] PARVUS_BLOCK_PROGRAM: what it serves */
	uint64_t reserved[2];
};	/* 192 bytes */

#endif
