/* SPDX-License-Identifier: GPL-2.0-only */
/* Machine frames: who owns each, and the allocator. Contents are reached by frame_map() alone. */
#pragma once

#include <core/arch.h>

enum frame_type {
	FRAME_NONE,		/* not RAM, or not ours to give */
	FRAME_FREE,
	FRAME_HYPERVISOR,	/* image, tables, heap */
	FRAME_GUEST,		/* RAM of domain owner */
	FRAME_SHADOW,		/* shadow page of domain owner */
};

/* 16 bytes a frame. count and the word are atomic or under the owner's rules. */
struct frame_info {
	u32 count;		/* GUEST: shadow entries that map it */
	u16 owner;		/* domain number, OWNER_PUBLIC or DOMAIN_NONE */
	u8 type;		/* enum frame_type */
	u8 flags;
	u64 word;		/* FREE: link; GUEST: below; SHADOW: index of its shadow_page */
};
BUILD_ASSERT(sizeof(struct frame_info) == 16);

/*
 * word of a GUEST frame: its gfn, what keeps it from being given back, and whether its
 * domain is gone. Changed by atomics alone. Offers and pins begin under the gfn_lock of
 * the owner only, so that a release of the frame sees them or they see the release.
 */
#define FRAME_GFN	0xffffffffull
#define FRAME_OFFER	(1ull << 32)	/* one of up to 2^15 offers of it (grant.c) */
#define FRAME_OFFERS	(0xffffull << 32)
#define FRAME_GHOST	(1ull << 49)	/* its owner is gone: it goes with its last offer */
#define FRAME_EVENTS	(1ull << 50)	/* an event page: every view shows it (rule 98) */
#define FRAME_PIN	(1ull << 51)	/* one of the pointers that the hypervisor keeps to it */
#define FRAME_PINNED	(0xfffull << 51)

/* flags */
#define FRAME_EXTENT	1u	/* FREE: the first frame of an extent */
#define FRAME_WHOLE	2u	/* HYPERVISOR: of an extent that is public, all of it */
#define FRAME_SHOWN	4u	/* it, or the extent that it begins, is in a view; view.c's */

#define DOMAIN_NONE	0xffffu
/* Owners of HYPERVISOR frames say who may see them (rule 80): that domain, all domains, or none. */
#define OWNER_PUBLIC	0xfffeu

/* frame_table is an address (core/arch.h); behind the table is a counter for each extent. */
extern u64 frame_table_count;
static inline u64 frame_table_bytes(u64 frames)
{
	return frames * sizeof(struct frame_info) + (frames / EXTENT_FRAMES + 1) * sizeof(u16);
}

/* NULL beyond the end of RAM. */
static inline struct frame_info *frame_info(mfn_t mfn)
{
	return mfn_x(mfn) < frame_table_count ? &frame_table[mfn_x(mfn)] : NULL;
}

/*
 * order 0 (4 KiB) or EXTENT_ORDER (2 MiB, aligned). 0 or -PARVUS_ENOMEM. Contents are stale. What
 * domains have claimed is theirs alone: alloc_frames() takes of the rest. alloc_claimed() takes of
 * @d's claim, which becomes smaller, or of the rest.
 */
int alloc_frames(unsigned int order, mfn_t *out);
int alloc_claimed(struct domain *d, unsigned int order, mfn_t *out);
/* Change a claim by so many frames. False: they are not there. @coming: the caller frees them. */
bool frames_claim(struct domain *d, s64 change, bool coming);
/* Free frames that nobody has claimed, and what is claimed. */
u64 frames_unclaimed(void);
u64 frames_claimed(void);
/* The frames come back as FRAME_FREE; the caller has seen to it that no TLB holds them. */
void free_frames(mfn_t mfn, unsigned int order);
/* At boot: give [first, first + count) to the allocator. */
void frames_add(mfn_t first, u64 count);
/* For domain 0: the next free piece of [*at, end), an extent or a frame, at *at. False: none. */
bool claim_frames(u64 *at, u64 end, unsigned int *order);
/* Frames that a first touch must leave for calls of the hypervisor and its guests. */
#define FRAMES_RESERVE	64u
/* All that nobody uses; of these, those that alloc_frames() can give, and the others. */
u64 frames_free_count(void);
u64 frames_left(void);
u64 frames_kept(void);
u64 frames_total_count(void);

static inline void *frame_map(mfn_t mfn) { return arch_frame_map(mfn); }
/* The frame behind a pointer that frame_map() or hv_alloc() gave. */
static inline mfn_t frame_of(const void *p) { return arch_frame_of(p); }

/*
 * Whole zeroed frames of hypervisor memory, at boot alone more than 2 MiB, or NULL: hidden from
 * every guest's root; seen in those of one domain, and freed no sooner than nothing of it runs any
 * more; or seen in all, and for ever: what is freed of it is given out as such again.
 */
void *hv_alloc(size_t bytes);
void *hv_alloc_own(u16 domain, size_t bytes);
/* The same; a single one of @d's claim, if it has one. */
void *hv_alloc_claimed(struct domain *d, size_t bytes);
void *hv_alloc_public(size_t bytes);
void hv_free(void *p, size_t bytes);
