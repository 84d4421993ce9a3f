// SPDX-License-Identifier: GPL-2.0-only
/*
 * grant.c and memory.c: offers, mappings, copies and releases of several domains, each
 * mistake by itself and all at random against a model. Whoever dies in whatever order, the
 * free frames are what they were.
 *
 * SEED=n runs one schedule of the model.
 */
#include "native.h"
#include <core/grant.h>
#include <core/lib.h>
#include <mmu/shadow.h>
#include <parvus/memory.h>

/* Of any number. */
#define grant_offer(d, gfn, to, flags, ref) (*(ref) = 0, grant_offer(d, gfn, to, flags, ref))

#define P	1ull
#define W	2ull
#define U	4ull

#define RO	PARVUS_GRANT_READONLY
#define DOMAINS	4u
#define RAM	600u		/* gfns: one extent and 88 single frames */
#define HOLE	700u		/* no memory from here on, in a chunk with a table */
#define MAX_GFN	2048u
#define BUF	8u		/* gfns 8..15 take the records */
#define TABLE	16u		/* gfns 16.. are page tables */
#define GFN0 (24 * EXTENT_FRAMES) /* beyond the memory of the machine: where domain 0 has its own */

static struct domain *doms[DOMAINS];
static u64 base[DOMAINS];	/* first gfn of its memory */
static u64 before;

static u8 *page(struct domain *d, u64 gfn)
{
	return frame_map(gfn_entry_mfn(gfn_lookup(d, _gfn(gfn))));
}
static u64 mfn_at(struct domain *d, u64 gfn)
{
	return mfn_x(gfn_entry_mfn(gfn_lookup(d, _gfn(gfn))));
}

/* As if all other numbers had been used since the last domain of this one. */
static void number_is(struct domain *d, u16 n)
{
	domains[d->id % MAX_DOMAINS] = NULL;
	d->id = n;
	domains[n] = d;
}

/* Domain n runs on pCPU n; each of its frames begins with a word of its own. */
static void domain_up(u16 n)
{
	struct domain *d = native_domain("g", MAX_GFN, MAX_GFN, 1);
	u64 gfn;

	ck_assert_ptr_nonnull(d);
	number_is(d, n);
	doms[n] = d;
	ck_assert_int_eq(domain_populate(d, _gfn(0), RAM), 0);
	for (gfn = 0; gfn < RAM; gfn++)
		*(u64 *)page(d, gfn) = (u64)d->serial << 32 | gfn;
	memset(page(d, TABLE), 0, PAGE_SIZE);
	shadow_start(d->vcpus[0], _gfn(TABLE));
	native_this_cpu = n;
	shadow_load(d->vcpus[0]);
	native_cpus[n].current = d->vcpus[0];
}

static void domain_down(unsigned int n)
{
	native_unexpose(n);
	native_this_cpu = n;
	shadow_unload(doms[n]->vcpus[0]);
	domain_destroy(doms[n]);
	doms[n] = NULL;
}

static void setup(void)
{
	unsigned int n;

	native_boot(24 * EXTENT_FRAMES, 1);
	before = frames_free_count();
	for (n = 0; n < 3; n++)
		domain_up(n);
}

static void all_gone(void)
{
	unsigned int n;

	for (n = 0; n < DOMAINS; n++)
		if (doms[n])
			domain_down(n);
	ck_assert_uint_eq(frames_free_count(), before);
	ck_assert_uint_eq(grant_offers_total(), 0);
	ck_assert_uint_eq(grant_mappings_total(), 0);
	ck_assert_uint_eq(grant_ghost_frames(), 0);
	ck_assert_uint_eq(native_warnings(), 0);
}

/* ---- the calls, by records in the guest's memory ---- */

static s64 call(unsigned int n, u64 op, void *records, size_t size, u64 count)
{
	u64 gpa = (base[n] + BUF) << PAGE_SHIFT;
	s64 ret;

	native_unexpose(n);
	native_this_cpu = n;
	EXPECT(!guest_write(doms[n], gpa, records, size * count), "records");
	ret = hc_grant_op(doms[n]->vcpus[0], op, gpa, count);
	EXPECT(!guest_read(doms[n], gpa, records, size * count), "records");
	return ret;
}

static int offer(unsigned int n, u64 gfn, unsigned int to, u32 flags, u32 *ref)
{
	struct parvus_grant_offer r = {
		.gfn = gfn, .domain = to, .flags = flags, .ref = 77, .status = 99
	};

	EXPECT(call(n, PARVUS_GRANT_OFFER, &r, sizeof(r), 1) == 1, "offer");
	*ref = r.ref;
	return r.status;
}

static int revoke(unsigned int n, u32 ref)
{
	struct parvus_grant_revoke r = { .ref = ref, .status = 99 };

	EXPECT(call(n, PARVUS_GRANT_REVOKE, &r, sizeof(r), 1) == 1, "revoke");
	return r.status;
}

static u64 last_gfn;

static int map(unsigned int n, unsigned int owner, u32 ref, u32 flags, u64 gfn, u32 *handle)
{
	struct parvus_grant_map r = { .domain = owner, .ref = ref, .flags = flags, .gfn = gfn,
				      .handle = 77, .status = 99 };

	EXPECT(call(n, PARVUS_GRANT_MAP, &r, sizeof(r), 1) == 1, "map");
	*handle = r.handle;
	last_gfn = r.gfn;
	return r.status;
}

static int unmap(unsigned int n, u32 handle, u64 va)
{
	struct parvus_grant_unmap r = { .handle = handle, .va = va, .status = 99 };

	EXPECT(call(n, PARVUS_GRANT_UNMAP, &r, sizeof(r), 1) == 1, "unmap");
	return r.status;
}

static struct parvus_grant_end own(u64 gfn, u32 offset)
{
	return (struct parvus_grant_end){ .domain = PARVUS_DOMAIN_SELF,
					  .gfn = gfn,
					  .offset = offset };
}

static struct parvus_grant_end theirs(u32 domain, u32 ref, u32 offset)
{
	return (struct parvus_grant_end){ .domain = domain, .ref = ref, .offset = offset };
}

static int copy(unsigned int n, struct parvus_grant_end from, struct parvus_grant_end to,
		u32 length)
{
	struct parvus_grant_copy r = { .from = from, .to = to, .length = length, .status = 99 };

	EXPECT(call(n, PARVUS_GRANT_COPY, &r, sizeof(r), 1) == 1, "copy");
	return r.status;
}

static int release(unsigned int n, u64 gfn, u64 frames)
{
	native_unexpose(n);
	native_this_cpu = n;
	return domain_release(doms[n], doms[n]->vcpus[0], gfn, frames);
}

#define OK(e)		ck_assert_int_eq(e, 0)
#define BAD(e, err)	ck_assert_int_eq(e, -(err))

/* ---- a guest's page tables, and accesses through them ---- */

static void map_va(unsigned int n, u64 va, u64 gfn, u64 flags)
{
	u64 table = TABLE, next = TABLE + 1 + (va >> 39 & 1) * 3, *e;
	int level;

	for (level = 4; level > 1; level--, next++) {
		e = (u64 *)page(doms[n], table) + (va >> (12 + 9 * (level - 1)) & 511);
		if (!(*e & P)) {
			memset(page(doms[n], next), 0, PAGE_SIZE);
			*e = next << 12 | P | W | U;
		}
		table = *e >> 12;
	}
	*((u64 *)page(doms[n], table) + (va >> 12 & 511)) = gfn << 12 | flags;
}

/* The frame that the access gets; or -1: a page fault for the guest, -2: its end. */
static s64 touch(unsigned int n, u64 va, bool write)
{
	struct access a = { .va = va, .write = write };
	unsigned int tries;
	s64 got = -3;
	u64 mfn;
	u32 e;

	native_this_cpu = n;
	for (tries = 0; tries < 20 && got == -3; tries++) {
		native_expose(n);
		if (native_access(n, a, &mfn)) {
			got = (s64)mfn;
			break;
		}
		native_unexpose(n);
		switch (shadow_fault(doms[n]->vcpus[0], va, write ? PF_WRITE : 0, false,
				     random_u64(), &e)) {
		case SHADOW_GUEST_FAULT:
			got = -1;
			break;
		case SHADOW_KILLED:
			got = -2;
			break;
		default:
			break;
		}
	}
	native_unexpose(n);
	return got;
}

/* ---- one thing at a time ---- */

START_TEST(offers)
{
	u32 ref, ref2, i;
	struct domain *d = doms[0];

	OK(offer(0, 100, 1, 0, &ref));
	ck_assert_uint_eq(ref, 1);
	OK(offer(0, 100, 2, RO, &ref2));
	ck_assert_uint_eq(ref2, 2);
	ck_assert_uint_eq(grant_offers(d), 2);
	ck_assert_uint_eq(grant_offers_total(), 2);
	BAD(offer(0, 100, 1, 2, &ref), PARVUS_EINVAL);
	ck_assert_uint_eq(ref, 0);
	BAD(offer(0, 100, 0, 0, &ref), PARVUS_EINVAL);
	BAD(offer(0, 100, 3, 0, &ref), PARVUS_ENOENT);
	BAD(offer(0, 100, 100000, 0, &ref), PARVUS_ENOENT);
	BAD(offer(0, 100, PARVUS_DOMAIN_SELF, 0, &ref), PARVUS_ENOENT);
	BAD(offer(0, HOLE, 1, 0, &ref), PARVUS_EFAULT);
	BAD(offer(0, MAX_GFN, 1, RO, &ref), PARVUS_EFAULT);
	BAD(offer(0, ~0ull, 1, 0, &ref), PARVUS_EFAULT);
	/* a reference is free again after its revocation, and then means nothing */
	OK(revoke(0, 1));
	BAD(revoke(0, 1), PARVUS_ENOENT);
	BAD(revoke(0, 0), PARVUS_ENOENT);
	BAD(revoke(0, 3), PARVUS_ENOENT);
	BAD(revoke(0, 300), PARVUS_ENOENT);
	BAD(revoke(0, PARVUS_GRANT_MAX + 1), PARVUS_ENOENT);
	BAD(revoke(0, ~0u), PARVUS_ENOENT);
	BAD(revoke(1, 2), PARVUS_ENOENT);
	OK(offer(0, 101, 1, 0, &ref));
	ck_assert_uint_eq(ref, 1);
	/* up to the limit, all of one frame */
	for (i = 2; i < PARVUS_GRANT_MAX; i++)
		ck_assert_int_eq(grant_offer(d, 102, 1, 0, &ref), 0);
	ck_assert_uint_eq(ref, PARVUS_GRANT_MAX);
	BAD(offer(0, 102, 1, 0, &ref), PARVUS_ENOSPC);
	OK(revoke(0, 5000));
	OK(offer(0, 103, 1, 0, &ref));
	ck_assert_uint_eq(ref, 5000);
	ck_assert_uint_eq(grant_offers(d), PARVUS_GRANT_MAX);
	BAD(release(0, 102, 1), PARVUS_EBUSY);
	all_gone();
}
END_TEST

START_TEST(mapping)
{
	u32 ref, ro, h, h2, none;

	OK(offer(0, 100, 1, 0, &ref));
	OK(offer(0, 101, 1, RO, &ro));
	BAD(map(1, 0, ref, 2, HOLE, &none), PARVUS_EINVAL);
	BAD(map(1, 1, ref, 0, HOLE, &none), PARVUS_ENOENT);	/* not its own */
	BAD(map(1, 3, ref, 0, HOLE, &none), PARVUS_ENOENT);
	BAD(map(1, ~0u, ref, 0, HOLE, &none), PARVUS_ENOENT);
	BAD(map(1, 0, 0, 0, HOLE, &none), PARVUS_ENOENT);
	BAD(map(1, 0, 3, 0, HOLE, &none), PARVUS_ENOENT);
	BAD(map(1, 0, ~0u, 0, HOLE, &none), PARVUS_ENOENT);
	BAD(map(2, 0, ref, 0, HOLE, &none), PARVUS_ENOENT);	/* meant for another */
	BAD(map(1, 0, ro, 0, HOLE, &none), PARVUS_EPERM);
	BAD(map(1, 0, ref, 0, 100, &none), PARVUS_EEXIST);	/* an extent */
	BAD(map(1, 0, ref, 0, 520, &none), PARVUS_EEXIST);	/* a frame */
	BAD(map(1, 0, ref, 0, MAX_GFN, &none), PARVUS_EINVAL);
	BAD(map(1, 0, ref, 0, ~0ull, &none), PARVUS_EINVAL);
	ck_assert_uint_eq(none, 0);
	/* nothing of this left a trace */
	ck_assert_uint_eq(grant_mappings(doms[1]), 0);
	OK(revoke(0, ref));
	OK(offer(0, 100, 1, 0, &ref));
	OK(map(1, 0, ref, 0, HOLE, &h));
	BAD(map(1, 0, ref, 0, HOLE, &none), PARVUS_EEXIST);
	OK(map(1, 0, ref, 0, HOLE + 1024, &h2)); /* twice is no harm; a chunk without a table */
	OK(map(1, 0, ro, RO, HOLE + 1, &none));
	ck_assert_uint_eq(grant_mappings(doms[1]), 3);
	ck_assert_uint_eq(grant_mappings_total(), 3);
	ck_assert_uint_eq(mfn_at(doms[1], HOLE), mfn_at(doms[0], 100));
	ck_assert_uint_eq(gfn_lookup(doms[1], _gfn(HOLE)) & 0xfff,
			  GFN_PRESENT | GFN_WRITABLE | GFN_FOREIGN);
	ck_assert_uint_eq(gfn_lookup(doms[1], _gfn(HOLE + 1)) & 0xfff, GFN_PRESENT | GFN_FOREIGN);
	/* what is mapped is no memory of the mapper */
	BAD(offer(1, HOLE, 2, 0, &none), PARVUS_EFAULT);
	BAD(release(1, HOLE, 1), PARVUS_EFAULT);
	ck_assert_int_eq(guest_write(doms[1], HOLE << PAGE_SHIFT, &h, 4), -PARVUS_EFAULT);
	ck_assert_int_eq(guest_read(doms[1], HOLE << PAGE_SHIFT, &none, 4), -PARVUS_EFAULT);
	ck_assert_ptr_null(guest_map(doms[1], HOLE << PAGE_SHIFT, 64, 64));
	BAD(copy(1, own(HOLE, 0), own(3, 0), 8), PARVUS_EFAULT);
	/* the end of it */
	BAD(revoke(0, ref), PARVUS_EBUSY);
	BAD(unmap(2, h, 0), PARVUS_ENOENT);
	BAD(unmap(1, 0, 0), PARVUS_ENOENT);
	BAD(unmap(1, 4, 0), PARVUS_ENOENT);
	BAD(unmap(1, ~0u, 0), PARVUS_ENOENT);
	OK(unmap(1, h, 0));
	BAD(unmap(1, h, 0), PARVUS_ENOENT);
	ck_assert_uint_eq(gfn_lookup(doms[1], _gfn(HOLE)), 0);
	BAD(revoke(0, ref), PARVUS_EBUSY);
	OK(unmap(1, h2, 0));
	OK(revoke(0, ref));
	BAD(map(1, 0, ref, 0, HOLE, &none), PARVUS_ENOENT);
	all_gone();
}
END_TEST

/* An offer is for a domain, not for whoever gets its number next. */
START_TEST(number_used_again)
{
	u64 cost = domain_overhead(doms[0]);
	u32 ref, h;

	OK(offer(0, 100, 1, 0, &ref));
	ck_assert_uint_eq(domain_overhead(doms[0]), cost + 2);	/* its table is on its account */
	domain_down(1);
	BAD(offer(0, 100, 1, 0, &h), PARVUS_ENOENT);
	domain_up(1);
	ck_assert_uint_eq(doms[1]->id, 1);
	BAD(map(1, 0, ref, 0, HOLE, &h), PARVUS_ENOENT);
	BAD(copy(1, theirs(0, ref, 0), own(3, 0), 8), PARVUS_ENOENT);
	OK(revoke(0, ref));
	all_gone();
}
END_TEST

START_TEST(batches)
{
	struct parvus_grant_offer o[PARVUS_GRANT_BATCH];
	struct parvus_grant_unmap u[3] = { { .handle = 1 }, { .handle = 1 }, { .handle = 2 } };
	struct parvus_grant_map m = { .domain = 0, .ref = 1, .gfn = HOLE, .reserved = 1 };
	u64 ram = (u64)RAM << PAGE_SHIFT, gpa = BUF << PAGE_SHIFT;
	struct vcpu *v = doms[0]->vcpus[0];
	unsigned int i;
	u32 h;

	for (i = 0; i < PARVUS_GRANT_BATCH; i++)
		o[i] = (struct parvus_grant_offer){ .gfn = 100 + i, .domain = 1 };
	o[3].flags = 8;		/* a bad one stops nothing */
	ck_assert_int_eq(call(0, PARVUS_GRANT_OFFER, o, sizeof(o[0]), PARVUS_GRANT_BATCH), 64);
	ck_assert_int_eq(o[2].status, 0);
	ck_assert_int_eq(o[3].status, -PARVUS_EINVAL);
	ck_assert_uint_eq(o[63].ref, 63);
	ck_assert_uint_eq(o[64].ref, 0);
	ck_assert_int_eq(hc_grant_op(v, PARVUS_GRANT_COPY + 1, gpa, 1), -PARVUS_ENOSYS);
	ck_assert_int_eq(hc_grant_op(v, ~0ull, gpa, 1), -PARVUS_ENOSYS);
	for (i = PARVUS_GRANT_OFFER; i <= PARVUS_GRANT_COPY; i++) {
		ck_assert_int_eq(hc_grant_op(v, i, gpa, PARVUS_GRANT_BATCH + 1), -PARVUS_E2BIG);
		ck_assert_int_eq(hc_grant_op(v, i, ~0ull, 0), 0);
		ck_assert_int_eq(hc_grant_op(v, i, ram, 1), -PARVUS_EFAULT);
		ck_assert_int_eq(hc_grant_op(v, i, ~0ull - 7, 1), -PARVUS_EFAULT);
		ck_assert_int_eq(hc_grant_op(v, i, ram - 4, 1), -PARVUS_EFAULT);
	}
	/* records that leave memory: those before were done */
	memset(page(doms[0], RAM - 1) + PAGE_SIZE - 16, 0, 16);
	ck_assert_int_eq(hc_grant_op(v, PARVUS_GRANT_REVOKE, ram - 16, 5), 2);
	ck_assert_int_eq(call(1, PARVUS_GRANT_MAP, &m, sizeof(m), 1), 1);
	ck_assert_int_eq(m.status, -PARVUS_EINVAL);
	/* one handle twice in one batch */
	OK(map(1, 0, 1, 0, HOLE, &h));
	OK(map(1, 0, 2, 0, HOLE + 1, &h));
	ck_assert_int_eq(call(1, PARVUS_GRANT_UNMAP, u, sizeof(u[0]), 3), 3);
	ck_assert_int_eq(u[0].status, 0);
	ck_assert_int_eq(u[1].status, -PARVUS_ENOENT);
	ck_assert_int_eq(u[2].status, 0);
	ck_assert_uint_eq(grant_mappings_total(), 0);
	all_gone();
}
END_TEST

START_TEST(copies)
{
	struct parvus_grant_end bad;
	u32 rw, ro, other;
	u8 *a = page(doms[0], 100), *mine = page(doms[1], 50);
	unsigned int i;

	for (i = 0; i < PAGE_SIZE; i++)
		a[i] = (u8)(i * 7);
	OK(offer(0, 100, 1, 0, &rw));
	OK(offer(0, 101, 1, RO, &ro));
	OK(offer(2, 60, 1, 0, &other));
	OK(copy(1, theirs(0, rw, 10), own(50, 20), 4076));
	ck_assert_mem_eq(mine + 20, a + 10, 4076);
	OK(copy(1, own(50, 0), theirs(0, rw, 4095), 1));
	ck_assert_uint_eq(a[4095], mine[0]);
	/* between two others, and within one frame, ends overlapping */
	OK(copy(1, theirs(0, rw, 0), theirs(2, other, 0), 4096));
	ck_assert_mem_eq(page(doms[2], 60), a, 4096);
	OK(copy(1, theirs(2, other, 0), theirs(2, other, 8), 4000));
	ck_assert_mem_eq(page(doms[2], 60) + 8, a, 4000);
	OK(copy(1, theirs(0, ro, 0), own(50, 0), 4096));
	OK(copy(1, theirs(0, rw, 4096), own(50, 4096), 0));
	BAD(copy(1, own(50, 0), theirs(0, ro, 0), 1), PARVUS_EPERM);
	BAD(copy(1, own(50, 1), theirs(0, rw, 0), 4096), PARVUS_EINVAL);
	BAD(copy(1, own(50, 0), theirs(0, rw, 1), 4096), PARVUS_EINVAL);
	BAD(copy(1, own(50, 4097), theirs(0, rw, 0), 0), PARVUS_EINVAL);
	BAD(copy(1, own(50, ~0u), theirs(0, rw, 0), 1), PARVUS_EINVAL);
	BAD(copy(1, own(50, 8), theirs(0, rw, 0), ~0u), PARVUS_EINVAL);
	BAD(copy(1, own(50, 8), theirs(0, rw, 0), ~0u - 4), PARVUS_EINVAL);
	BAD(copy(1, own(50, 8), theirs(0, rw, 8), ~0u - 4), PARVUS_EINVAL);	/* wraps at both */
	BAD(copy(1, own(HOLE, 0), theirs(0, rw, 0), 1), PARVUS_EFAULT);
	BAD(copy(1, own(~0ull, 0), theirs(0, rw, 0), 1), PARVUS_EFAULT);
	BAD(copy(1, theirs(0, rw, 0), own(HOLE, 0), 1), PARVUS_EFAULT);
	BAD(copy(1, theirs(0, 3, 0), own(50, 0), 1), PARVUS_ENOENT);
	BAD(copy(1, theirs(0, ~0u, 0), own(50, 0), 1), PARVUS_ENOENT);
	BAD(copy(1, theirs(77, rw, 0), own(50, 0), 1), PARVUS_ENOENT);
	BAD(copy(2, theirs(0, rw, 0), own(50, 0), 1), PARVUS_ENOENT);	/* not for it */
	BAD(copy(0, theirs(0, rw, 0), own(50, 0), 1), PARVUS_ENOENT);
	bad = own(50, 0);
	bad.reserved = 1;
	BAD(copy(1, bad, theirs(0, rw, 0), 1), PARVUS_EINVAL);
	/* a use for the length of the copy only, also of one that failed */
	OK(revoke(0, rw));
	OK(revoke(0, ro));
	OK(revoke(2, other));
	all_gone();
}
END_TEST

/* The mapper's page tables: what it may reach, and no longer than it is mapped. */
START_TEST(reach)
{
	u32 rw, ro, h, hro;
	s64 mfn = (s64)mfn_at(doms[0], 100), rofn = (s64)mfn_at(doms[0], 101);

	OK(offer(0, 100, 1, 0, &rw));
	OK(offer(0, 101, 1, RO, &ro));
	OK(map(1, 0, rw, 0, HOLE, &h));
	OK(map(1, 0, ro, RO, HOLE + 1, &hro));
	map_va(1, 0x400000, HOLE, P | W | U);
	map_va(1, 0x8000003000, HOLE, P | W | U);	/* under another name */
	map_va(1, 0x401000, HOLE + 1, P | W | U);
	map_va(1, 0x8000004000, HOLE + 1, P | W | U);
	ck_assert_int_eq(touch(1, 0x400000, true), mfn);
	ck_assert_int_eq(touch(1, 0x8000003000, true), mfn);
	ck_assert_int_eq(touch(1, 0x401000, false), rofn);
	ck_assert_int_eq(touch(1, 0x401000, true), -1);
	ck_assert_int_eq(touch(1, 0x8000004000, true), -1);
	ck_assert_int_eq(touch(1, 0x8000004000, false), rofn);
	ck_assert_uint_eq(doms[1]->ended, 0);
	/* the owner's count of entries is the owner's alone */
	ck_assert_uint_eq(frame_info(_mfn((u64)mfn))->count, 0);
	/* unmapped with one hint, both names still in the tables: neither leads anywhere */
	OK(unmap(1, h, 0x400000));
	OK(revoke(0, rw));
	ck_assert_int_eq(touch(1, 0x8000003000, false), -1);
	ck_assert_uint_eq(doms[1]->ended, 0);
	ck_assert_int_eq(touch(1, 0x400000, false), -1);
	ck_assert_int_eq(touch(1, 0x401000, false), rofn);
	/* a hint that is wrong, and none; a page table is never seen in a foreign frame */
	OK(unmap(1, hro, 0x7000));
	ck_assert_int_eq(touch(1, 0x401000, false), -1);
	OK(offer(0, 100, 1, 0, &rw));
	OK(map(1, 0, rw, 0, HOLE, &h));
	ck_assert_int_eq(touch(1, 0x400000, false), mfn);
	((u64 *)page(doms[1], TABLE))[5] = (u64)HOLE << 12 | P | W | U;
	((u64 *)page(doms[0], 100))[0] = 100 << 12 | P | W | U;
	((u64 *)page(doms[1], 100))[0] = 101 << 12 | P | W | U;	/* what it names is all there */
	((u64 *)page(doms[1], 101))[0] = 102 << 12 | P | W | U;
	ck_assert_int_eq(touch(1, 5ull << 39, false), -1);
	ck_assert_uint_eq(((u64 *)page(doms[0], 100))[0], 100 << 12 | P | W | U);
	OK(unmap(1, h, 0));
	ck_assert_int_eq(touch(1, 0x400000, false), -1);
	all_gone();
}
END_TEST

static struct domain *control_up(u64 max_gfn, u64 first)
{
	struct domain *d = doms[1] = native_domain("control", max_gfn, max_gfn, 1);

	ck_assert_ptr_nonnull(d);
	number_is(d, 1);
	d->control = true;
	base[1] = first;
	OK(domain_populate(d, _gfn(first), EXTENT_FRAMES));
	shadow_start(d->vcpus[0], _gfn(first));
	native_this_cpu = 1;
	shadow_load(d->vcpus[0]);
	return d;
}

/* Domain 0: a frame has one entry, with the rights of those that map it. */
START_TEST(control)
{
	struct domain *d;
	static u32 many[PARVUS_GRANT_SAME];
	u32 rw, ro, h[4], none, n;
	u64 mfn = mfn_at(doms[0], 100);

	domain_down(1);
	d = control_up(30 * EXTENT_FRAMES, GFN0);
	{
		u64 *t = (u64 *)page(d, GFN0);

		t[0] = (GFN0 + 1) << 12 | P | W | U;
		((u64 *)page(d, GFN0 + 1))[0] = (GFN0 + 2) << 12 | P | W | U;
		((u64 *)page(d, GFN0 + 2))[2] = (GFN0 + 3) << 12 | P | W | U;
		((u64 *)page(d, GFN0 + 3))[0] = mfn << 12 | P | W | U;
	}
	OK(offer(0, 100, 1, 0, &rw));
	OK(offer(0, 100, 1, RO, &ro));
	OK(map(1, 0, ro, RO, 5, &h[0]));
	ck_assert_uint_eq(last_gfn, mfn);
	ck_assert_int_eq(touch(1, 0x400000, true), -1);
	ck_assert_int_eq(touch(1, 0x400000, false), (s64)mfn);
	OK(map(1, 0, rw, 0, 5, &h[1]));
	OK(map(1, 0, rw, 0, 5, &h[2]));
	OK(map(1, 0, rw, RO, 5, &h[3]));
	ck_assert_uint_eq(grant_mappings(d), 4);
	ck_assert_int_eq(touch(1, 0x400000, true), (s64)mfn);
	OK(unmap(1, h[1], 0));
	ck_assert_int_eq(touch(1, 0x400000, true), (s64)mfn);
	/* the last that could write: from now on for reading, in every TLB */
	OK(unmap(1, h[2], 0));
	ck_assert_int_eq(touch(1, 0x400000, true), -1);
	ck_assert_int_eq(touch(1, 0x400000, false), (s64)mfn);
	OK(unmap(1, h[0], 0));
	ck_assert_int_eq(touch(1, 0x400000, false), (s64)mfn);
	BAD(revoke(0, rw), PARVUS_EBUSY);
	OK(unmap(1, h[3], 0));
	ck_assert_int_eq(touch(1, 0x400000, false),
			 -1); /* a fault, as of a device that is not there */
	OK(revoke(0, rw));
	BAD(map(2, 0, ro, RO, HOLE, &none), PARVUS_ENOENT);
	/* one frame as often as may be, so that the list of its mappings is no long one */
	OK(offer(0, 102, 1, 0, &rw));
	for (n = 0; n < PARVUS_GRANT_SAME; n++)
		OK(map(1, 0, rw, 0, 5, &many[n]));
	BAD(map(1, 0, rw, 0, 5, &none), PARVUS_ENOSPC);
	while (n)
		OK(unmap(1, many[--n], 0));
	OK(revoke(0, rw));
	/* where it has something else; beyond its table */
	OK(domain_populate(d, _gfn(mfn), 1));
	BAD(map(1, 0, ro, RO, 5, &none), PARVUS_EEXIST);
	/* a device above the top of RAM, in the leaf table of a mapping that goes: it stays */
	native_open_frame = 30 * EXTENT_FRAMES + 7;
	OK(offer(0, 101, 1, 0, &rw));
	OK(map(1, 0, rw, 0, 5, &h[0]));
	((u64 *)page(d, GFN0 + 3))[1] = last_gfn << 12 | P | W | U;
	((u64 *)page(d, GFN0 + 3))[2] = native_open_frame << 12 | P | W | U;
	ck_assert_int_eq(touch(1, 0x401000, true), (s64)last_gfn);
	ck_assert_int_eq(touch(1, 0x402000, true), (s64)native_open_frame);
	OK(unmap(1, h[0], 0));
	ck_assert_int_eq(touch(1, 0x401000, false), -1);
	ck_assert_int_eq(touch(1, 0x402000, true), (s64)native_open_frame);
	domain_down(1);
	d = control_up(EXTENT_FRAMES, 0);
	ck_assert_uint_ge(mfn, EXTENT_FRAMES);
	OK(offer(0, 100, 1, RO, &ro));
	BAD(map(1, 0, ro, RO, 5, &none), PARVUS_ENOSPC);
	/* its memory is fixed */
	ck_assert_int_eq(hc_memory_op(d->vcpus[0], PARVUS_MEMORY_RELEASE, 0, 1), -PARVUS_EPERM);
	all_gone();
}
END_TEST

/* Map, or unmap, handles @first and up; each frame of two others in turn. Returns how many. */
static u32 map_many(u32 first, u32 count, u64 gfn)
{
	struct parvus_grant_map m[64];
	u32 n, i, part;

	for (n = 0; n < count; n += part) {
		part = min(count - n, 64u);
		for (i = 0; i < part; i++)
			m[i] = (struct parvus_grant_map){ .domain = (n + i) & 1 ? 0 : 2,
				.ref = (n + i) / 2 % RAM + 1, .flags = RO, .gfn = gfn + n + i };
		EXPECT(call(1, PARVUS_GRANT_MAP, m, sizeof(m[0]), part) == part, "map");
		for (i = 0; i < part; i++) {
			if (m[i].status == -PARVUS_ENOSPC)
				return n + i;
			EXPECT(!m[i].status && m[i].handle == first + n + i,
			       "map %u: %d, handle %u", n + i, m[i].status, m[i].handle);
		}
	}
	return n;
}

static void unmap_many(u32 first, u32 count)
{
	struct parvus_grant_unmap u[64];
	u32 n, i, part;

	for (n = 0; n < count; n += part) {
		part = min(count - n, 64u);
		for (i = 0; i < part; i++)
			u[i] = (struct parvus_grant_unmap){ .handle = first + n + i };
		EXPECT(call(1, PARVUS_GRANT_UNMAP, u, sizeof(u[0]), part) == part, "unmap");
		for (i = 0; i < part; i++)
			EXPECT(!u[i].status, "unmap %u: %d", first + n + i, u[i].status);
	}
}

/* The tables and lists of mappings grow to the limit, and each page of them is counted. */
START_TEST(many_mappings)
{
	bool control = _i;
	u32 max = control ? PARVUS_GRANT_MAPPINGS : PARVUS_GRANT_MAX + 13 * 128,
	    lists = control ? 73 : 9, ref, i;
	struct domain *d;
	u64 cost, all;

	domain_down(1);
	d = control_up(40 * EXTENT_FRAMES, control ? GFN0 : 0);
	d->control = control;
	d->ram_frames = max;		/* as many as it may have */
	for (i = 0; i < RAM; i++) {
		OK(grant_offer(doms[0], i, 1, RO, &ref));
		OK(grant_offer(doms[2], i, 1, RO, &ref));
	}
	cost = grant_pages(d);
	ck_assert_uint_eq(map_many(1, 1, HOLE), 1);
	ck_assert_uint_eq(grant_pages(d), cost + 3);	/* lists, slots, and where those are */
	all = frames_free_count() + domain_overhead(d);
	ck_assert_uint_eq(map_many(2, max, HOLE + 1), max - 1);
	ck_assert_uint_eq(frames_free_count() + domain_overhead(d), all);
	ck_assert_uint_eq(grant_mappings(d), max);
	ck_assert_uint_eq(grant_pages(d), cost + lists + max / 128 + max / 65536 + !control);
	/* any of them is found, and its place is used again */
	OK(unmap(1, 4711, 0));
	BAD(unmap(1, 4711, 0), PARVUS_ENOENT);
	BAD(unmap(1, max + 1, 0), PARVUS_ENOENT);
	ck_assert_uint_eq(map_many(4711, 1, HOLE + 4710), 1);
	ck_assert_uint_eq(map_many(0, 1, HOLE + max), 0);
	unmap_many(max / 2, max / 2);
	unmap_many(1, 5000);
	ck_assert_uint_eq(grant_mappings(d), max - max / 2 - 5000);
	if (!control)	/* a gfn without a mapping is free again */
		ck_assert_uint_eq(gfn_lookup(d, _gfn(HOLE)), 0);
	all_gone();
}
END_TEST

/* The owner ends while its frames are mapped: those live on, until the last unmap. */
START_TEST(owner_dies)
{
	u32 rw, ro, single, unused, h[3];
	u64 mfn = mfn_at(doms[0], 100), smfn = mfn_at(doms[0], 550), free_frames,
	    serial = doms[0]->serial;

	OK(offer(0, 100, 1, 0, &rw));
	OK(offer(0, 100, 2, RO, &ro));		/* the same frame to two */
	OK(offer(0, 550, 1, 0, &single));
	OK(offer(0, 551, 1, 0, &unused));
	OK(map(1, 0, rw, 0, HOLE, &h[0]));
	OK(map(2, 0, ro, RO, HOLE, &h[1]));
	OK(map(1, 0, single, 0, HOLE + 1, &h[2]));
	map_va(1, 0x400000, HOLE, P | W | U);
	ck_assert_int_eq(touch(1, 0x400000, true), (s64)mfn);
	domain_down(0);
	ck_assert_uint_eq(grant_ghost_frames(), 2);
	ck_assert_uint_eq(grant_offers_total(), 0);
	ck_assert_uint_eq(grant_mappings_total(), 3);
	ck_assert_uint_eq(frame_info(_mfn(mfn))->type, FRAME_GUEST);
	ck_assert_uint_eq(frame_info(_mfn(mfn))->owner, DOMAIN_NONE);
	ck_assert_uint_eq(frame_info(_mfn(mfn + 1))->type, FRAME_FREE);
	/* the number may be used again; the mapper goes on */
	domain_up(0);
	ck_assert_uint_ne(mfn_at(doms[0], 100), mfn);
	ck_assert_int_eq(touch(1, 0x400000, true), (s64)mfn);
	ck_assert_uint_eq(*(u64 *)frame_map(_mfn(mfn)), serial << 32 | 100);
	BAD(map(1, 0, rw, 0, HOLE + 2, &unused), PARVUS_ENOENT);
	BAD(copy(1, theirs(0, rw, 0), own(50, 0), 8), PARVUS_ENOENT);
	free_frames = frames_free_count();
	OK(unmap(1, h[0], 0));
	ck_assert_uint_eq(frame_info(_mfn(mfn))->type, FRAME_GUEST);	/* the other has it still */
	ck_assert_uint_eq(grant_ghost_frames(), 2);
	OK(unmap(1, h[2], 0));
	ck_assert_uint_eq(frame_info(_mfn(smfn))->type, FRAME_FREE);
	ck_assert_uint_eq(frames_free_count(), free_frames + 1);
	/* the mapper's end is an unmap */
	domain_down(2);
	ck_assert_uint_eq(grant_ghost_frames(), 0);
	ck_assert_uint_eq(frame_info(_mfn(mfn))->type, FRAME_FREE);
	all_gone();
}
END_TEST

START_TEST(mapper_dies)
{
	u32 rw, h;
	u64 mfn = mfn_at(doms[0], 100);

	OK(offer(0, 100, 1, 0, &rw));
	OK(map(1, 0, rw, 0, HOLE, &h));
	OK(map(1, 0, rw, RO, HOLE + 1, &h));
	map_va(1, 0x400000, HOLE, P | W | U);
	ck_assert_int_eq(touch(1, 0x400000, true), (s64)mfn);
	BAD(revoke(0, rw), PARVUS_EBUSY);
	domain_down(1);
	ck_assert_uint_eq(grant_mappings_total(), 0);
	OK(revoke(0, rw));
	OK(release(0, 100, 1));
	ck_assert_uint_eq(frame_info(_mfn(mfn))->type, FRAME_FREE);
	all_gone();
}
END_TEST

/* Two that map each other's, and a third in between: no circle holds anything. */
START_TEST(all_die)
{
	unsigned int a, b, first;
	u32 ref, h;

	for (first = 0; first < 3; first++) {
		for (a = 0; a < 3; a++)
			for (b = 0; b < 3; b++) {
				if (a == b)
					continue;
				OK(offer(a, 100 + b, b, 0, &ref));
				OK(map(b, a, ref, 0, HOLE + a, &h));
			}
		domain_down(first);
		domain_down((first + 1) % 3);
		ck_assert_uint_eq(grant_ghost_frames(), 2);
		domain_down((first + 2) % 3);
		ck_assert_uint_eq(grant_ghost_frames(), 0);
		ck_assert_uint_eq(frames_free_count(), before);
		for (a = 0; a < 3; a++)
			domain_up(a);
	}
	all_gone();
}
END_TEST

/* An offer stands when all of it is written: others look at it without a lock (rule 76). */
static bool complete;

static void looks_at_an_offer(const void *at)
{
	/* grant.c's; the last release is an offer's */
	const struct { u32 state, mfn, to; } *o = at;

	complete = o->mfn == mfn_at(doms[0], 100) && o->to == doms[1]->serial;
}

START_TEST(published)
{
	unsigned int i;
	u32 ref;

	native_this_cpu = 0;
	native_unexpose(0);
	for (i = 0; i < 3; i++) {
		complete = false;
		native_on_release = looks_at_an_offer;
		OK(grant_offer(doms[0], 100, doms[1]->id, 0, &ref));
		native_on_release = NULL;
		ck_assert_msg(complete, "offer %u", ref);
	}
	all_gone();
}
END_TEST

/* A slot is there when the table has its page, with the list of those that are free (rule 76). */
static unsigned int table_releases;

static void looks_at_a_table(const void *at)
{
	/* grant.c's: its end, the free list, pages of pointers to pages of slots of 32 bytes */
	const struct { u32 end, free; const u8 **dir; } *t = at;
	const u8 *slots;

	if (table_releases++)
		return;
	complete = false;
	if (!t->dir || !t->dir[t->end / 128])
		return;
	slots = t->dir[t->end / 128];
	complete = t->free == t->end + 1 && *(const u32 *)(slots + 24) == t->end + 2 &&
		   *(const u32 *)(slots + 126 * 32 + 24) == t->end + 128;
}

START_TEST(slots_published)
{
	u32 ref, last = 0, tables = 0;

	native_this_cpu = 0;
	native_unexpose(0);
	while (last < 300) {
		table_releases = last % 128 ? 1 : 0;	/* the offer's alone, or the table's, too */
		tables += !table_releases;
		native_on_release = looks_at_a_table;
		OK(grant_offer(doms[0], 100, doms[1]->id, 0, &ref));
		native_on_release = NULL;
		ck_assert_uint_eq(ref, ++last);
		ck_assert_msg(complete, "offer %u", ref);
	}
	ck_assert_uint_eq(tables, 3);
	all_gone();
}
END_TEST

/* What was an extent is a table when all entries are in it: others look gfns up without a lock. */
static const void *chunk_seen;
static u64 extent_at;

static bool is_its_table(const u64 *page)
{
	for (u64 i = 0; i < EXTENT_FRAMES; i++)
		if (page[i] >> PAGE_SHIFT != extent_at + i)
			return false;
	return true;
}

static void looks_at_a_chunk(const void *at)
{
	if (at != chunk_seen)
		return;
	for (u64 i = 0; i < frame_table_count; i++)
		complete |= is_its_table(frame_map(_mfn(i)));
}

START_TEST(chunks_published)
{
	native_this_cpu = 0;
	chunk_seen = &doms[0]->gfn_chunks[0];
	extent_at = mfn_at(doms[0], 0);
	complete = false;
	native_on_release = looks_at_a_chunk;
	OK(release(0, 100, 1));
	native_on_release = NULL;
	ck_assert(complete);
}
END_TEST

START_TEST(releases)
{
	struct domain *d = doms[0];
	u64 free_frames = frames_free_count(), mfn = mfn_at(d, 100), e;
	struct parvus_memory_extent x[40];
	unsigned int i;
	u32 ref;

	BAD(release(0, 100, 0), PARVUS_EINVAL);
	BAD(release(0, 100, 513), PARVUS_EINVAL);
	BAD(release(0, 511, 2), PARVUS_EINVAL);
	BAD(release(0, 100, ~0ull), PARVUS_EINVAL);
	BAD(release(0, MAX_GFN, 1), PARVUS_EINVAL);
	BAD(release(0, ~0ull, 1), PARVUS_EINVAL);
	BAD(release(0, HOLE, 1), PARVUS_EFAULT);
	BAD(release(0, RAM - 1, 2), PARVUS_EFAULT);
	BAD(release(0, 1024, 512), PARVUS_EFAULT);
	/* what others hold on to stays: an offer, a registration */
	OK(offer(0, 101, 1, 0, &ref));
	ck_assert_ptr_nonnull(guest_map(d, 102 << PAGE_SHIFT, 512, 64));
	BAD(release(0, 101, 1), PARVUS_EBUSY);
	BAD(release(0, 102, 1), PARVUS_EBUSY);
	BAD(release(0, 0, 512), PARVUS_EBUSY);
	ck_assert_uint_eq(frames_free_count(), free_frames - 2);	/* for offers */
	OK(revoke(0, ref));
	free_frames = frames_free_count();
	/* a part of an extent, which is mapped large */
	memset(page(d, TABLE + 1), 0, PAGE_SIZE);
	memset(page(d, TABLE + 2), 0, PAGE_SIZE);
	((u64 *)page(d, TABLE))[0] = (TABLE + 1) << 12 | P | W | U;
	((u64 *)page(d, TABLE + 1))[0] = (TABLE + 2) << 12 | P | W | U;
	((u64 *)page(d, TABLE + 2))[4] = 0 << 12 | P | W | U | 0x80;
	ck_assert_int_eq(touch(0, 0x800000 + (100 << PAGE_SHIFT), true), (s64)mfn);
	ck_assert_uint_eq(d->gfn_chunk_maps[0], 1);
	OK(release(0, 100, 1));
	ck_assert_uint_eq(d->gfn_chunk_maps[0], 0);
	ck_assert_uint_eq(frame_info(_mfn(mfn))->type, FRAME_FREE);
	ck_assert_uint_eq(d->frames, RAM - 1);
	ck_assert_uint_eq(frames_free_count(), free_frames);	/* the table took what came */
	ck_assert_int_eq(touch(0, 0x800000 + (100 << PAGE_SHIFT), false), -1);
	ck_assert_int_eq(touch(0, 0x800000 + (99 << PAGE_SHIFT), true), (s64)mfn - 1);
	ck_assert_int_eq(touch(0, 0x800000 + (103 << PAGE_SHIFT), true), (s64)mfn + 3);
	BAD(release(0, 100, 1), PARVUS_EFAULT);
	BAD(release(0, 99, 2), PARVUS_EFAULT);
	OK(release(0, 103, 300));
	ck_assert_int_eq(touch(0, 0x800000 + (103 << PAGE_SHIFT), true), -1);
	ck_assert_uint_eq(frames_free_count(), free_frames + 300);
	/* RAM that has no frame yet just goes */
	*gfn_slot(d, HOLE) = GFN_DEMAND;
	d->frames++;
	OK(release(0, HOLE, 1));
	ck_assert_uint_eq(gfn_lookup(d, _gfn(HOLE)), 0);
	/* an extent as a whole; it may come back */
	OK(domain_populate(d, _gfn(1024), 512));
	e = d->gfn_chunks[2];
	ck_assert(e & GFN_EXTENT);
	BAD(release(0, 512, 512), PARVUS_EFAULT);
	OK(release(0, 1024, 512));
	ck_assert_uint_eq(d->gfn_chunks[2], 0);
	ck_assert_uint_eq(frame_info(gfn_entry_mfn(e))->type, FRAME_FREE);
	/* by the call: some at a time, up to the first that cannot go */
	OK(domain_populate(d, _gfn(1024), 512));
	for (i = 0; i < 40; i++)
		x[i] = (struct parvus_memory_extent){ .gfn = 1024 + 2 * i, .frames = 1 };
	x[20].gfn = HOLE;
	OK(guest_write(d, BUF << PAGE_SHIFT, x, sizeof(x)));
#define OP(op, n, count) \
	hc_memory_op(d->vcpus[0], op, (BUF << PAGE_SHIFT) + (n) * sizeof(x[0]), count)
	ck_assert_int_eq(OP(PARVUS_MEMORY_RELEASE, 0, 40), 16);
	ck_assert_int_eq(OP(PARVUS_MEMORY_RELEASE, 16, 24), 4);
	ck_assert_int_eq(OP(PARVUS_MEMORY_RELEASE, 20, 20), -PARVUS_EFAULT);
	ck_assert_int_eq(OP(PARVUS_MEMORY_RELEASE, 0, 0), 0);
	ck_assert_int_eq(OP(PARVUS_MEMORY_RELEASE, 0, PARVUS_MEMORY_BATCH + 1), -PARVUS_E2BIG);
	ck_assert_int_eq(OP(77, 0, 1), -PARVUS_ENOSYS);
	ck_assert_int_eq(hc_memory_op(d->vcpus[0], PARVUS_MEMORY_RELEASE, HOLE << PAGE_SHIFT, 1),
			 -PARVUS_EFAULT);
	all_gone();
}
END_TEST

/* ---- anything, against a model ---- */

#define REFS	24u

static struct m_offer {
	bool live, readonly;
	u64 gfn;
	u32 to_serial, users;
} m_offers[DOMAINS][REFS + 1];
static struct m_mapping {
	bool live, readonly;
	u32 owner_serial, ref;
	u64 gfn, mfn, tag;
} m_maps[DOMAINS][REFS + 1];
static u64 seed;
static unsigned int step;
static u64 m_ok;
#define CHECK(c, fmt, ...) \
	EXPECT(c, "seed %lu step %u: " fmt, (unsigned long)seed, step, ##__VA_ARGS__)

static struct m_offer *m_offer_of(u32 serial, u32 ref)
{
	unsigned int n;

	for (n = 0; n < DOMAINS; n++)
		if (doms[n] && doms[n]->serial == serial)
			return &m_offers[n][ref];
	return NULL;
}

static bool m_is_mapped(unsigned int n, u64 gfn)
{
	unsigned int h;

	for (h = 1; h <= REFS; h++)
		if (m_maps[n][h].live && m_maps[n][h].gfn == gfn)
			return true;
	return false;
}

static bool m_is_offered(unsigned int n, u64 gfn)
{
	unsigned int r;

	for (r = 1; r <= REFS; r++)
		if (m_offers[n][r].live && m_offers[n][r].gfn == gfn)
			return true;
	return false;
}

static unsigned int m_count(unsigned int n)
{
	unsigned int i, c = 0;

	for (i = 1; i <= REFS; i++)
		c += m_offers[n][i].live;
	return c;
}

static void random_offer(unsigned int n)
{
	unsigned int to = (unsigned int)below(DOMAINS);
	u64 gfn = chance(5) ? HOLE + below(20) : 540 + below(20);
	u32 flags = chance(3) ? RO : 0, ref;
	int want = !doms[to] ? -PARVUS_ENOENT : to == n ? -PARVUS_EINVAL :
		   !gfn_is_ram(gfn_lookup(doms[n], _gfn(gfn))) ? -PARVUS_EFAULT : 0, got;

	if (m_count(n) == REFS)
		return;
	got = offer(n, gfn, to, flags, &ref);
	CHECK(got == want, "offer: %d, not %d", got, want);
	if (got)
		return;
	CHECK(ref && ref <= REFS && !m_offers[n][ref].live, "reference %u", ref);
	m_offers[n][ref] = (struct m_offer){ true, flags, gfn, doms[to]->serial, 0 };
	m_ok++;
}

static void random_revoke(unsigned int n)
{
	u32 ref = (u32)below(REFS + 1);
	struct m_offer *o = &m_offers[n][ref];
	int want = !o->live ? -PARVUS_ENOENT : o->users ? -PARVUS_EBUSY : 0, got = revoke(n, ref);

	CHECK(got == want, "revoke: %d, not %d", got, want);
	if (!got)
		o->live = false;
}

static void random_map(unsigned int n)
{
	unsigned int owner = (unsigned int)below(DOMAINS), i, c = 0;
	u32 ref = (u32)below(REFS + 1), flags = chance(3) ? RO : 0, h;
	struct m_offer *o = &m_offers[owner][ref];
	u64 gfn = HOLE + below(24);
	int want, got;

	for (i = 1; i <= REFS; i++)
		c += m_maps[n][i].live;
	if (c == REFS)
		return;
	want = !doms[owner] || !o->live || o->to_serial != doms[n]->serial ? -PARVUS_ENOENT :
	       o->readonly && !flags					   ? -PARVUS_EPERM :
	       gfn_lookup(doms[n], _gfn(gfn))				   ? -PARVUS_EEXIST :
									     0;
	got = map(n, owner, ref, flags, gfn, &h);
	CHECK(got == want, "map: %d, not %d", got, want);
	if (got)
		return;
	CHECK(h && h <= REFS && !m_maps[n][h].live, "handle %u", h);
	o->users++;
	m_maps[n][h] = (struct m_mapping){ true, flags, doms[owner]->serial, ref, gfn,
					   mfn_at(doms[owner], o->gfn),
					   *(u64 *)page(doms[owner], o->gfn) };
	m_ok++;
}

static void m_unmapped(struct m_mapping *m)
{
	struct m_offer *o = m_offer_of(m->owner_serial, m->ref);

	if (o)
		o->users--;
	m->live = false;
}

static void random_unmap(unsigned int n)
{
	u32 h = (u32)below(REFS + 1);
	struct m_mapping *m = &m_maps[n][h];
	int got = unmap(n, h, chance(2) ? 0x400000 + below(4) * PAGE_SIZE : 0);

	CHECK(got == (m->live ? 0 : -PARVUS_ENOENT), "unmap: %d", got);
	if (!got)
		m_unmapped(m);
}

static void random_copy(unsigned int n)
{
	unsigned int owner = (unsigned int)below(DOMAINS);
	u32 ref = (u32)below(REFS + 1), at = 512 + (u32)below(3000), length = (u32)below(1200);
	struct m_offer *o = &m_offers[owner][ref];
	bool write = chance(2), fits = at + length <= PAGE_SIZE;
	int got = write ? copy(n, own(30, at), theirs(owner, ref, at), length) :
		  copy(n, theirs(owner, ref, at), own(30, at), length);
	int want = !fits ? -PARVUS_EINVAL :
		   !doms[owner] || !o->live || o->to_serial != doms[n]->serial ? -PARVUS_ENOENT :
		   write && o->readonly ? -PARVUS_EPERM : 0;

	CHECK(got == want, "copy: %d, not %d", got, want);
	if (!got)
		CHECK(!memcmp(page(doms[n], 30) + at, page(doms[owner], o->gfn) + at, length),
		      "copy");
}

static void random_release(unsigned int n)
{
	u64 gfn = 540 + below(20);
	bool ram = gfn_is_ram(gfn_lookup(doms[n], _gfn(gfn)));
	int got, want;

	if (!ram && chance(2)) {
		CHECK(!domain_populate(doms[n], _gfn(gfn), 1), "populate");
		*(u64 *)page(doms[n], gfn) = (u64)doms[n]->serial << 32 | gfn;
		return;
	}
	want = !ram ? -PARVUS_EFAULT : m_is_offered(n, gfn) ? -PARVUS_EBUSY : 0;
	got = release(n, gfn, 1);
	CHECK(got == want, "release: %d, not %d", got, want);
}

/* Through the mapper's page tables, at the address of the gfn. */
static void random_touch(unsigned int n)
{
	unsigned int h = 1 + (unsigned int)below(REFS);
	struct m_mapping *m = &m_maps[n][h];
	bool write = chance(2);
	u64 gfn = m->live ? m->gfn : HOLE + below(24), va = 0x400000 + (gfn - HOLE) * PAGE_SIZE;
	s64 got;

	map_va(n, va, gfn, P | W | U);
	got = touch(n, va, write);
	if (!m->live && !m_is_mapped(n, gfn))
		CHECK(got == -1, "gfn %lx is not mapped, access gives %ld", gfn, (long)got);
	else if (m->live)
		CHECK(got == (write && m->readonly ? -1 : (s64)m->mfn), "access gives %ld",
		      (long)got);
	doms[n]->ended = 0;
}

static void check(void)
{
	unsigned int n, h;
	u64 offers_sum = 0, maps_sum = 0;

	for (n = 0; n < DOMAINS; n++) {
		unsigned int c = 0;

		if (!doms[n])
			continue;
		for (h = 1; h <= REFS; h++) {
			struct m_mapping *m = &m_maps[n][h];

			if (!m->live)
				continue;
			c++;
			CHECK(mfn_at(doms[n], m->gfn) == m->mfn, "gfn %lx", m->gfn);
			CHECK(frame_info(_mfn(m->mfn))->type == FRAME_GUEST, "mfn %lx went",
			      m->mfn);
			CHECK(*(u64 *)frame_map(_mfn(m->mfn)) == m->tag, "mfn %lx", m->mfn);
		}
		CHECK(grant_mappings(doms[n]) == c, "%u mappings", grant_mappings(doms[n]));
		CHECK(grant_offers(doms[n]) == m_count(n), "%u offers", grant_offers(doms[n]));
		maps_sum += c;
		offers_sum += m_count(n);
	}
	CHECK(grant_mappings_total() == maps_sum && grant_offers_total() == offers_sum, "totals");
}

static void death(unsigned int n)
{
	unsigned int h;

	for (h = 1; h <= REFS; h++)
		if (m_maps[n][h].live)
			m_unmapped(&m_maps[n][h]);
	domain_down(n);
	memset(m_offers[n], 0, sizeof(m_offers[n]));
}

static void schedule(u64 s)
{
	unsigned int n;

	seed = s;
	memset(m_offers, 0, sizeof(m_offers));
	memset(m_maps, 0, sizeof(m_maps));
	before = frames_free_count();
	for (n = 0; n < DOMAINS; n++)
		domain_up(n);
	for (step = 0; step < 4000; step++) {
		n = (unsigned int)below(DOMAINS);
		if (!doms[n]) {
			if (chance(8))
				domain_up(n);
			continue;
		}
		switch (below(12)) {
		case 0:
		case 1:
			random_offer(n);
			break;
		case 2:
			random_revoke(n);
			break;
		case 3:
		case 4:
		case 5:
			random_map(n);
			break;
		case 6:
			random_unmap(n);
			break;
		case 7:
			random_copy(n);
			break;
		case 8:
			random_release(n);
			break;
		default:
			random_touch(n);
			if (chance(100))
				death(n);
		}
		check();
	}
	while (doms[0] || doms[1] || doms[2] || doms[3]) {
		n = (unsigned int)below(DOMAINS);
		if (doms[n])
			death(n);
		check();
	}
	all_gone();
}

START_TEST(model)
{
	native_boot(24 * EXTENT_FRAMES, 1);
	for_seeds(12, schedule);
	ck_assert_uint_gt(m_ok, 1000);
}
END_TEST

/* While a release waits for other CPUs, nothing begins anew where it takes something away. */
static int came_back;
static void populate_again(unsigned int cpu)
{
	(void)cpu;
	came_back = domain_promise(doms[0], _gfn(602), 1);
}

START_TEST(release_alone)
{
	struct domain *d = doms[0];
	u64 mfn = mfn_at(d, 599);

	OK(domain_promise(d, _gfn(600), 4));
	map_va(0, 0x400000, 599, P | W | U);
	ck_assert_int_eq(touch(0, 0x400000, true), (s64)mfn);
	native_this_cpu = 3;
	shadow_load(d->vcpus[0]);
	native_expose(3);
	native_before_serve = populate_again;
	OK(release(0, 598, 6));
	native_before_serve = NULL;
	ck_assert_int_eq(came_back, -PARVUS_EEXIST);
	ck_assert_uint_eq(d->frames, RAM - 2);
	OK(domain_promise(d, _gfn(598), 6));
	native_unexpose(3);
	native_this_cpu = 3;
	shadow_unload(d->vcpus[0]);
	all_gone();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("grant");
	TCase *t = tcase_create("single");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, offers);
	tcase_add_test(t, mapping);
	tcase_add_test(t, number_used_again);
	tcase_add_test(t, batches);
	tcase_add_test(t, copies);
	tcase_add_test(t, reach);
	tcase_add_test(t, control);
	tcase_add_loop_test(t, many_mappings, 0, 2);
	tcase_add_test(t, owner_dies);
	tcase_add_test(t, mapper_dies);
	tcase_add_test(t, all_die);
	tcase_add_test(t, published);
	tcase_add_test(t, slots_published);
	tcase_add_test(t, chunks_published);
	tcase_add_test(t, releases);
	tcase_add_test(t, release_alone);
	suite_add_tcase(s, t);
	t = tcase_create("model");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, model);
	suite_add_tcase(s, t);
	return native_main(s);
}
