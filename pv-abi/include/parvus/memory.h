/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: the domain's own memory. RAM that was given to a domain may have no
 * frame yet: it gets one, zeroed, at the first touch. RELEASE gives frames back; a
 * released gfn has no memory, and touching it is a page fault. POPULATE makes it RAM
 * again, to be filled at the first touch, as far as max_frames and the target allow;
 * NEED goes beyond the target.
 *
 * memory_op(op, gpa, count): POPULATE, NEED and RELEASE take count records of struct
 * parvus_memory_extent, at most PARVUS_MEMORY_BATCH, and return how many were done
 * (less than count: call again with the rest), or an error if none was. Not for
 * domain 0, whose memory is fixed.
 */
#ifndef PARVUS_MEMORY_H
#define PARVUS_MEMORY_H

#include <parvus/types.h>

/**
 * hypercall memory_op
 * @op: PARVUS_MEMORY_POPULATE, RELEASE, INFO or NEED
 * @gpa: an array of struct parvus_memory_extent; INFO: a struct parvus_memory_info
 * @count: records, at most 512, of which one call does up to 16, less if they take long; INFO: 0
 *
 * -ENOSYS: @op is unknown
 * -EPERM: POPULATE, NEED or RELEASE in domain 0
 * -E2BIG: @count is above 512
 * -EINVAL: the range is empty, crosses a 2 MiB border or ends beyond max_gfn; INFO: @count is
 *          not 0
 * -EFAULT: the record is not in RAM; RELEASE: a gfn of the range has no memory, or a foreign
 *          frame
 * -EBUSY: RELEASE: a frame is offered, or registered: vCPU area, clock record, event page
 * -EEXIST: POPULATE, NEED: a gfn has memory already; those before it stay
 * -ENOMEM: no memory for the table of a 2 MiB extent that is to be split; POPULATE beyond
 *          max_frames or the target; NEED beyond max_frames, or what is free and promised to nobody
 */

#define PARVUS_MEMORY_POPULATE	0u	/* makes a range RAM, as far as max_frames and the
					 * target allow; each
					 * frame comes, zeroed, at the first touch */
#define PARVUS_MEMORY_RELEASE	1u	/* gives a range of frames back, all of it or nothing. The
					 * gfns have no memory then: an access is a page fault. The
					 * guest need not flush, but large pages over the range
					 * become small ones */
#define PARVUS_MEMORY_INFO	2u	/* fills a struct parvus_memory_info */

#define PARVUS_MEMORY_NEED	3u	/* POPULATE of a guest that else had to kill a program:
					 * beyond the target, as far as max_frames and what is
					 * free and promised to nobody allow */

#define PARVUS_MEMORY_BATCH	512u

/* A range of at most 512 frames that does not cross a 2 MiB border. */
struct parvus_memory_extent {
	uint64_t gfn;		/* [G] the first one */
	uint64_t frames;	/* [G] how many, of 4 KiB */
};	/* 16 bytes */

/* INFO. */
struct parvus_memory_info {
	uint32_t size;		/* [H] sizeof(struct parvus_memory_info) */
	uint32_t version;	/* [H] 1 */
	uint64_t frames;	/* [H] RAM of the domain, touched or not */
	uint64_t touched;	/* [H] of these, frames that exist */
	uint64_t max_frames;	/* [H] as far as POPULATE goes */
	uint64_t target_frames;	/* [H] what the control domain wants frames to be */
	uint32_t request;	/* [H] PARVUS_REQUEST_*: what the domain is asked to do; handed out
				 * once */
	uint32_t vcpus_target;	/* [H] as many vCPUs shall be online; the guest's kernel follows */
	uint64_t generation_id[2];	/* [H] another one than before: the domain is a copy, what
					 * has to be unique (random numbers) is made anew */
	uint64_t reserved;
};	/* 72 bytes */

#define PARVUS_REQUEST_NONE	0u
#define PARVUS_REQUEST_POWEROFF	1u
#define PARVUS_REQUEST_REBOOT	2u

#endif
