/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grants for micro guests: one record at a time, and a page that two domains share. With
 * @mem 15M the last MiB of gfns below 16 MiB has no memory: HOLE.
 */
#ifndef GUEST_GRANT_H
#define GUEST_GRANT_H

#include "guest.h"
#include <parvus/grant.h>
#include <parvus/memory.h>

#define RO	PARVUS_GRANT_READONLY
#define HOLE	0xf00000ull	/* gpa */
#define SELF	PARVUS_DOMAIN_SELF
#define ME	(start_info->domain)

/* One record; its status. */
#define grant_one(op, r) ({ \
	s64 n_ = parvus_grant_op(op, pa(r), 1); \
	n_ == 1 ? (r)->status : n_ ? (int)n_ : -999; })

static inline int offer(u64 gpa, u32 to, u32 flags, u32 *ref)
{
	static struct parvus_grant_offer r;
	int ret;

	r = (struct parvus_grant_offer){ .gfn = gpa / PAGE, .domain = to, .flags = flags };
	ret = grant_one(PARVUS_GRANT_OFFER, &r);
	*ref = r.ref;
	return ret;
}

static inline int revoke(u32 ref)
{
	static struct parvus_grant_revoke r;

	r = (struct parvus_grant_revoke){ .ref = ref };
	return grant_one(PARVUS_GRANT_REVOKE, &r);
}

static inline int grant_map(u32 domain, u32 ref, u32 flags, u64 gpa, u32 *handle)
{
	static struct parvus_grant_map r;
	int ret;

	r = (struct parvus_grant_map){ .domain = domain, .ref = ref, .flags = flags,
				       .gfn = gpa / PAGE };
	ret = grant_one(PARVUS_GRANT_MAP, &r);
	*handle = r.handle;
	return ret;
}

static inline int grant_unmap(u32 handle, u64 at)
{
	static struct parvus_grant_unmap r;

	r = (struct parvus_grant_unmap){ .handle = handle, .va = at };
	return grant_one(PARVUS_GRANT_UNMAP, &r);
}

static inline struct parvus_grant_end end_own(u64 gpa)
{
	return (struct parvus_grant_end){ .domain = SELF, .gfn = gpa / PAGE, .offset = gpa % PAGE };
}

static inline struct parvus_grant_end end_of(u32 domain, u32 ref, u32 offset)
{
	return (struct parvus_grant_end){ .domain = domain, .ref = ref, .offset = offset };
}

static inline int grant_copy(struct parvus_grant_end from, struct parvus_grant_end to, u32 length)
{
	static struct parvus_grant_copy r;

	r = (struct parvus_grant_copy){ .from = from, .to = to, .length = length };
	return grant_one(PARVUS_GRANT_COPY, &r);
}

static inline s64 release(u64 gpa, u64 frames)
{
	static struct parvus_memory_extent r;

	r = (struct parvus_memory_extent){ .gfn = gpa / PAGE, .frames = frames };
	return parvus_memory_op(PARVUS_MEMORY_RELEASE, pa(&r), 1);
}

/* A page of domain 0, its first offer, which domain 1 maps at the start of HOLE. */
static volatile u64 *shared;
static u32 shared_ref, shared_handle;

static inline void share(void)
{
	if (ME == 0) {
		u64 gpa = page_new();

		EXPECT_EQ(offer(gpa, 1, 0, &shared_ref), 0);
		EXPECT_EQ(shared_ref, 1);
		shared = va(gpa);
		return;
	}
	while (grant_map(0, 1, 0, HOLE, &shared_handle))
		parvus_yield();
	shared = va(HOLE);
}

/* Each says how far it is; word 1 + n of the page is domain n's. */
static inline void reached(u64 n) { shared[1 + ME] = n; }
static inline void wait_for(u64 n)
{
	while (shared[2 - ME] < n)
		parvus_yield();
}

#define BAD(call, err) EXPECT_EQ(call, -(s64)(err))

#endif
