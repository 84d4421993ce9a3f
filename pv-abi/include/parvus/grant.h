/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: grants. A domain offers one of its frames to a named domain, read-only
 * or read-write, and tells it the reference. The other side maps it into its own
 * guest-physical space, or has bytes copied. The table is the hypervisor's: a
 * reference cannot change under a reader.
 *
 * An offer ends by REVOKE, which fails with EBUSY while it is in use (mapped, or copied at that
 * moment), or with its domain; frames that are still mapped then live on until they are unmapped.
 *
 * grant_op(op, gpa, count): count records at gpa, at most PARVUS_GRANT_BATCH. Returns
 * the number of records done (less than count: call again with the rest) or an
 * error; each record has its own status, 0 or a negative error.
 */
#ifndef PARVUS_GRANT_H
#define PARVUS_GRANT_H

#include <parvus/types.h>

/**
 * hypercall grant_op
 * @op: PARVUS_GRANT_OFFER to PARVUS_GRANT_COPY
 * @gpa: an array of the op's records
 * @count: records, at most 256; of which one call does up to 64, less if they take long
 *
 * -ENOSYS: @op is unknown
 * -E2BIG: @count is above 256
 * -EFAULT: the first record is not in RAM; a later one ends the call early
 *
 * status -EINVAL: an unknown flag, reserved is not 0; OFFER to oneself; MAP beyond max_gfn; COPY
 *          across the end of a frame
 * status -ENOENT: no such domain; no such reference, or it is not for the caller; no such handle
 * status -EPERM: MAP without READONLY, or a copy to it, of an offer with it
 * status -EBUSY: REVOKE of an offer in use; OFFER by a domain that is taken apart
 * status -EFAULT: OFFER or COPY: gfn is not plain RAM, or not writable where it must be
 * status -EEXIST: MAP: gfn has memory, or is mapped
 * status -ENOSPC: 16384 offers or mappings (with more RAM: as many as frames, 131072 at most;
 *          control domain: 262144 mappings); domain 0: the frame
 *          is beyond its gfns, or mapped 1024 times
 * status -ENOMEM: no memory for the tables
 */

#define PARVUS_GRANT_OFFER	0u	/* struct parvus_grant_offer: offers a frame; gives the
					 * reference */
#define PARVUS_GRANT_REVOKE	1u	/* struct parvus_grant_revoke: ends an offer that nobody
					 * uses */
#define PARVUS_GRANT_MAP	2u	/* struct parvus_grant_map: maps an offered frame at gfn;
					 * gives the handle */
#define PARVUS_GRANT_UNMAP	3u	/* struct parvus_grant_unmap: ends a mapping */
#define PARVUS_GRANT_COPY	4u	/* struct parvus_grant_copy: copies between two ends, each a
					 * frame of the caller or an offer to it; they may
					 * overlap */

#define PARVUS_GRANT_BATCH	256u
#define PARVUS_GRANT_MAX	16384u	/* offers of one domain, also mappings it may have; or as
					 * many as it may have frames, if that is more, but not */
#define PARVUS_GRANT_MOST	131072u	/* more than these */
#define PARVUS_GRANT_SAME	1024u	/* mappings of one frame that the control domain may have */
#define PARVUS_GRANT_MAPPINGS	262144u	/* mappings that the control domain may have */

#define PARVUS_GRANT_READONLY	1u	/* flags of offer and map */

/* OFFER. References and handles count from 1; 0 is none. */
struct parvus_grant_offer {
	uint64_t gfn;		/* [G] plain RAM of the caller, writable unless READONLY */
	uint32_t domain;	/* [G] the domain that may use it */
	uint32_t flags;		/* [G] PARVUS_GRANT_READONLY */
	uint32_t ref;		/* [H] the reference */
	int32_t status;		/* [H] 0 or a negative error */
};	/* 24 bytes */

/* REVOKE. */
struct parvus_grant_revoke {
	uint32_t ref;		/* [G] the reference */
	int32_t status;		/* [H] 0 or a negative error */
};	/* 8 bytes */

/* MAP. */
struct parvus_grant_map {
	uint32_t domain;	/* [G] the domain that offers */
	uint32_t ref;		/* [G] its reference */
	uint32_t flags;		/* [G] PARVUS_GRANT_READONLY: map so, whatever was offered */
	uint32_t handle;	/* [H] for UNMAP */
	uint64_t gfn;		/* [G,H] where: a gfn without memory. Domain 0: ignored, and its
				 * machine frame number is the answer */
	int32_t status;		/* [H] 0 or a negative error */
	uint32_t reserved;
};	/* 32 bytes */

/* UNMAP. The caller has taken its own page-table entries for it away, and flushed. */
struct parvus_grant_unmap {
	uint64_t va;		/* [G] where it was mapped, a hint; 0 = unknown */
	uint32_t handle;	/* [G] of MAP */
	int32_t status;		/* [H] 0 or a negative error */
};	/* 16 bytes */

/* One end of a copy. */
struct parvus_grant_end {
	uint32_t domain;	/* [G] the domain that offers; PARVUS_DOMAIN_SELF: a frame of our
				 * own */
	uint32_t ref;		/* [G] its reference; not looked at for our own */
	uint64_t gfn;		/* [G] our own frame; not looked at for an offer */
	uint32_t offset;	/* [G] bytes into the frame */
	uint32_t reserved;
};	/* 24 bytes */

/* COPY. */
struct parvus_grant_copy {
	struct parvus_grant_end from, to;	/* [G] the two ends */
	uint32_t length;	/* [G] bytes; within both frames */
	int32_t status;		/* [H] 0 or a negative error */
};	/* 56 bytes */

#endif
