/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: grants. A domain offers one of its frames to a named domain, read-only
 * or read-write, and tells it the reference. The other side maps it into its own
 * guest-physical space, or has bytes copied. The table is the hypervisor's: a
 * reference cannot change under a reader.
 *
 * An offer ends by REVOKE, which fails with EBUSY while it is mapped, or with its
 * domain; frames that are still mapped then live on until they are unmapped.
 *
 * grant_op(op, gpa, count): count records at gpa, at most PARVUS_GRANT_BATCH. Returns
 * the number of records done (less than count: call again with the rest) or an
 * error; each record has its own status, 0 or a negative error.
 */
#ifndef PARVUS_GRANT_H
#define PARVUS_GRANT_H

#include <parvus/types.h>

#define PARVUS_GRANT_OFFER	0u	/* struct parvus_grant_offer */
#define PARVUS_GRANT_REVOKE	1u	/* struct parvus_grant_revoke */
#define PARVUS_GRANT_MAP	2u	/* struct parvus_grant_map */
#define PARVUS_GRANT_UNMAP	3u	/* struct parvus_grant_unmap */
#define PARVUS_GRANT_COPY	4u	/* struct parvus_grant_copy */

#define PARVUS_GRANT_BATCH	256u
#define PARVUS_GRANT_MAX	16384u	/* offers of one domain; also mappings it may have */
#define PARVUS_GRANT_MAPPINGS	262144u	/* mappings that the control domain may have */

#define PARVUS_GRANT_READONLY	1u	/* flags of offer and map */

/* References and handles count from 1; 0 is none. */
struct parvus_grant_offer {
	uint64_t gfn;		/* [G] plain RAM of the caller, writable unless READONLY */
	uint32_t domain;	/* [G] to whom */
	uint32_t flags;		/* [G] */
	uint32_t ref;		/* [H] */
	int32_t status;		/* [H] */
};	/* 24 bytes */

struct parvus_grant_revoke {
	uint32_t ref;		/* [G] */
	int32_t status;		/* [H] */
};	/* 8 bytes */

struct parvus_grant_map {
	uint32_t domain;	/* [G] who offers */
	uint32_t ref;		/* [G] */
	uint32_t flags;		/* [G] READONLY: map so, whatever was offered */
	uint32_t handle;	/* [H] */
	uint64_t gfn;		/* [G] where: a gfn without memory; domain 0: ignored, [H] its mfn */
	int32_t status;		/* [H] */
	uint32_t reserved;	/* [G] 0 */
};	/* 32 bytes */

/* The caller has taken its own page-table entries for it away, and flushed. */
struct parvus_grant_unmap {
	uint64_t va;		/* [G] where it was mapped, a hint; 0 = unknown */
	uint32_t handle;	/* [G] */
	int32_t status;		/* [H] */
};	/* 16 bytes */

/* One end of a copy: a frame of the caller (domain = PARVUS_DOMAIN_SELF: gfn), or an offer. */
struct parvus_grant_end {
	uint32_t domain;	/* [G] */
	uint32_t ref;		/* [G] */
	uint64_t gfn;		/* [G] */
	uint32_t offset;	/* [G] in the frame */
	uint32_t reserved;	/* [G] 0 */
};	/* 24 bytes */

struct parvus_grant_copy {
	struct parvus_grant_end from, to;	/* [G] */
	uint32_t length;	/* [G] bytes; within both frames */
	int32_t status;		/* [H] */
};	/* 56 bytes */

#endif
