/* SPDX-License-Identifier: GPL-2.0-only */
/* The tables of grants, for the two files that know them: grant.c and grant_context.c. */
#pragma once

#include <core/grant.h>
#include <core/lock.h>
#include <core/log.h>

#define FIRST_SHIFT	22u	/* 2^(32 - shift) lists of mappings: a page of them, later more */
#define LAST_SHIFT	16u
#define OLD_BUCKETS	((FIRST_SHIFT - LAST_SHIFT) / 3)

/* offer.state; 0 = free */
#define OFFER_STANDS	0x80000000u
#define OFFER_DEAD	0x40000000u	/* its domain ended while it was in use */
#define OFFER_READONLY	0x20000000u
#define OFFER_USERS	0x00ffffffu

struct offer {
	u32 state, mfn;
	u32 to;			/* serial of the domain that may use it */
};

struct mapping {
	struct domain *owner;	/* NULL = free */
	u32 ref, gfn, mfn;
	bool readonly;
	bool busy;		/* being unmapped */
};

/* One of a table; references and handles are numbers of slots, from 1. */
struct slot {
	union {
		struct offer o;
		struct mapping m;
	};
	u32 next;		/* free list, or mappings of the same bucket */
};
#define SLOTS		((u32)(PAGE_SIZE / sizeof(struct slot)))
#define DIR_SLOTS	(SLOTS * (u32)(PAGE_SIZE / sizeof(struct slot *)))
BUILD_ASSERT(PARVUS_GRANT_MAX % SLOTS == 0 && PARVUS_GRANT_MAPPINGS % DIR_SLOTS == 0);

/* Pages of pointers to pages of slots, made as they are needed. */
struct table {
	u16 owner;		/* the domain's number: of its pages */
	u32 used, end;		/* slots in use, slots that exist */
	u32 free;
	struct slot **dir[PARVUS_GRANT_MAPPINGS / DIR_SLOTS];
};

struct grant_domain {
	struct spinlock lock;
	bool closed;		/* its domain ends: no new offers */
	u32 *bucket;		/* mappings by gfn, 2^(32 - shift) lists */
	u32 shift;
	u32 *old[OLD_BUCKETS];	/* the smaller ones of before: they stay in this domain's view */
	struct table offers, mappings;
};
BUILD_ASSERT(sizeof(struct grant_domain) <= PAGE_SIZE);

/* A reference or handle of a guest; NULL where no slot is. */
static inline struct slot *slot_at(struct table *t, u32 n)
{
	u64 i = (u64)n - 1, end = smp_load_acquire(&t->end);

	if (i >= end)
		return NULL;
	i &= index_mask(i, end);
	return &t->dir[i / DIR_SLOTS][i % DIR_SLOTS / SLOTS][i % SLOTS];
}
