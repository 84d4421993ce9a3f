/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: the domain's own memory. RAM that was given to a domain may have no
 * frame yet: it gets one, zeroed, at the first touch. RELEASE gives frames back; a
 * released gfn has no memory, and touching it ends the domain. POPULATE makes it RAM
 * again, to be filled at the first touch, as far as max_frames allows.
 *
 * memory_op(op, gpa, count): POPULATE and RELEASE take count records of struct
 * parvus_memory_extent, at most PARVUS_MEMORY_BATCH, and return how many were done
 * (less than count: call again with the rest), or an error if none was. Not for
 * domain 0, whose memory is fixed.
 */
#ifndef PARVUS_MEMORY_H
#define PARVUS_MEMORY_H

#include <parvus/types.h>

#define PARVUS_MEMORY_POPULATE	0u
#define PARVUS_MEMORY_RELEASE	1u
#define PARVUS_MEMORY_INFO	2u	/* gpa of a struct parvus_memory_info; count 0 */

#define PARVUS_MEMORY_BATCH	512u

/* A range of at most 512 frames that does not cross a 2 MiB border. */
struct parvus_memory_extent {
	uint64_t gfn;
	uint64_t frames;
};	/* 16 bytes */

struct parvus_memory_info {
	uint32_t size;		/* [H] */
	uint32_t version;	/* [H] 1 */
	uint64_t frames;	/* [H] RAM of the domain, touched or not */
	uint64_t touched;	/* [H] of these, frames that exist */
	uint64_t max_frames;	/* [H] as far as POPULATE goes */
	uint64_t target_frames;	/* [H] what the control domain wants frames to be */
	uint32_t request;	/* [H] PARVUS_REQUEST_*: what the domain is asked to do; reading clears it */
	uint32_t vcpus_target;	/* [H] as many vCPUs shall be online; the guest's kernel follows */
	uint64_t reserved[3];
};	/* 72 bytes */

#define PARVUS_REQUEST_NONE	0u
#define PARVUS_REQUEST_POWEROFF	1u
#define PARVUS_REQUEST_REBOOT	2u

#endif
