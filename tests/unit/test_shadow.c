// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model-TLB harness of the software TLB (hypervisor/shadow.c; review rule 5). Random
 * guests map, unmap, protect, move and free on several vCPUs and address spaces, with the
 * flushes that they owe. After every flush no TLB of any pCPU may hold a right that the
 * guest's tables lost, at all times no TLB or table may hold a frame that is not the
 * domain's, and an access gives exactly what the guest's tables say.
 */
#include <stdio.h>
#include "native.h"

#define GUEST_FRAMES	2048u
#define VCPUS		3u
#define SPACES		6u
#define REGION		0x7f0000000000ull
#define KREGION		0xffff900000000000ull
#define PAGES		1536u		/* of a space: three leaf tables */

static struct domain *d;
static struct space {
	u64 id, gen;
	u64 root;			/* gfn */
} spaces[SPACES];
static unsigned int where[VCPUS];	/* the space that a vCPU has loaded */
static u64 next_table, next_id, kernel_l3;
static u64 table_pool[600];
static unsigned int table_count;

static u64 *gfn_ptr(u64 gfn) { return frame_map(gfn_entry_mfn(gfn_lookup(d, _gfn(gfn)))); }
static u64 mfn_of(u64 gfn) { return mfn_x(gfn_entry_mfn(gfn_lookup(d, _gfn(gfn)))); }

static u64 table_new(void)
{
	u64 g = table_count ? table_pool[--table_count] : next_table++;

	ck_assert(g < GUEST_FRAMES);
	memset(gfn_ptr(g), 0, PAGE_SIZE);
	return g;
}

/* The entry of a va in the guest's tables, tables made if @make. */
static u64 *guest_entry(u64 root, u64 va, bool make, int level)
{
	u64 g = root;

	for (int l = 4; l > level; l--) {
		u64 *e = &gfn_ptr(g)[va >> (12 + 9 * (l - 1)) & 511];

		if ((*e & 0x81) == 0x81)
			return NULL;
		if (!(*e & 1)) {
			if (!make)
				return NULL;
			*e = table_new() << 12 | 7;
		}
		g = (*e & 0x000ffffffffff000ull) >> 12;
	}
	return &gfn_ptr(g)[va >> (12 + 9 * (level - 1)) & 511];
}

/* What the guest's tables say: the leaf with the rights of all levels, or 0. */
static u64 truth(u64 root, u64 va, bool *user)
{
	u64 g = root, e = 0;
	bool w = true, u = true;
	int l;

	for (l = 4; l >= 1; l--) {
		e = gfn_ptr(g)[va >> (12 + 9 * (l - 1)) & 511];
		if (!(e & 1))
			return 0;
		w &= e >> 1 & 1;
		u &= e >> 2 & 1;
		g = (e & 0x000ffffffffff000ull) >> 12;
		if (l == 1 || (e & 0x80))
			break;
	}
	if (l == 2)
		g += va >> 12 & 511;
	*user = u;
	return g << 12 | 1 | (w ? 2 : 0) | (e & 0x40);
}

/* No TLB entry, and no shadow entry reachable, exceeds what the tables of its space allow. */
static void check_tlbs(void)
{
	for (unsigned int c = 0; c < VCPUS; c++)
		for (unsigned int i = 0; i < TLB; i++) {
			struct tlb_entry *x = &tlb[c][i];
			u64 t, mfn = (x->entry & 0x000ffffffffff000ull) >> 12;
			bool user;

			if (!x->entry)
				continue;
			ck_assert_int_eq(frame_info(_mfn(mfn))->type, FRAME_GUEST);
			ck_assert_int_eq(frame_info(_mfn(mfn))->owner, d->id);
			t = truth(spaces[where[c]].root, x->va, &user);
			ck_assert_msg(t, "cpu %u: va %lx is gone, still in the TLB", c, (unsigned long)x->va);
			ck_assert_uint_eq(mfn_of(t >> 12), mfn);
			ck_assert_msg(!(x->entry & 2) || ((t & 2) && (t & 0x40)), "cpu %u: va %lx writable", c,
				      (unsigned long)x->va);
			ck_assert_msg(x->kernel || (user && (s64)x->va >= 0), "cpu %u: va %lx seen by user mode", c,
				      (unsigned long)x->va);
		}
}

/* One access of a vCPU, faults served, and its outcome compared with the truth. */
static void access_va(unsigned int c, u64 va, bool write, bool user)
{
	u64 mfn = 0, t;
	u32 error;
	bool allowed, u = false, done = false;

	this_cpu = c;
	t = truth(spaces[where[c]].root, va, &u);
	allowed = t && (!write || (t & 2)) && (!user || (u && (s64)va >= 0));
	for (int tries = 0; tries < 4 && !done; tries++) {
		if (hw_access(va, write, !user, &mfn)) {
			done = true;
			break;
		}
		switch (shadow_fault(running[c], va, write ? PF_WRITE : 0, user, 0x1000 + random_below(1000), &error)) {
		case SHADOW_GUEST_FAULT:
			ck_assert_msg(!allowed, "va %lx faults, tables say %lx", (unsigned long)va, (unsigned long)t);
			ck_assert_int_eq(!!(error & PF_PRESENT), t != 0);
			if (random_below(2)) {
				shadow_note_fault(running[c], va);
				shadow_prefill(running[c]);
			}
			return;
		case SHADOW_KILLED:
			ck_abort_msg("killed: %s", d->kill_reason);
		default:
			break;
		}
	}
	ck_assert_msg(done, "no progress at %lx", (unsigned long)va);
	ck_assert_msg(allowed, "va %lx accessible, tables say %lx", (unsigned long)va, (unsigned long)t);
	ck_assert_uint_eq(mfn, mfn_of(truth(spaces[where[c]].root, va, &u) >> 12));
	/* accessed and dirty as on hardware */
	t = truth(spaces[where[c]].root, va, &u);
	if (write)
		ck_assert_msg(t & 0x40, "written at %lx, not dirty", (unsigned long)va);
}

static void switch_to(unsigned int c, unsigned int s)
{
	this_cpu = c;
	where[c] = s;
	ck_assert_int_eq(shadow_switch(running[c], spaces[s].id, spaces[s].root << 12, 0, spaces[s].gen, 0,
				       spaces[s].id ? PARVUS_SWITCH_NONE : PARVUS_SWITCH_ALL), 0);
}

static u64 random_va(void)
{
	return REGION + random_below(PAGES) * PAGE_SIZE + (random_below(4) ? 0 : 0x8000000000ull);
}

/* Is the space loaded anywhere? If not, Linux only raises tlb_gen. */
static bool is_loaded(unsigned int s)
{
	for (unsigned int c = 0; c < VCPUS; c++)
		if (where[c] == s)
			return true;
	return false;
}

static void flush(unsigned int c, unsigned int s, u64 start, u64 end, bool whole)
{
	this_cpu = c;
	spaces[s].gen++;
	if (!is_loaded(s) && !shadow_exact)
		return;
	ck_assert_int_eq(shadow_flush(running[c], spaces[s].id, spaces[s].gen, start, end, PAGE_SIZE,
				      whole ? PARVUS_FLUSH_AS : PARVUS_FLUSH_RANGE), 0);
}

static void step(void)
{
	unsigned int c = (unsigned int)random_below(VCPUS), s = (unsigned int)random_below(SPACES), i, n;
	u64 va = random_va(), *e, start;

	this_cpu = c;
	switch (random_below(16)) {
	case 0:		/* another address space */
		switch_to(c, s);
		break;
	case 1:		/* unmap a range, flush, then use the frames otherwise */
	case 2:
		n = 1 + (unsigned int)random_below(random_below(8) ? 8 : 600);
		start = va;
		for (i = 0; i < n; i++) {
			e = guest_entry(spaces[s].root, va + i * PAGE_SIZE, false, 1);
			if (e)
				*e = 0;
		}
		flush(c, s, start, start + n * PAGE_SIZE, n > 33);
		break;
	case 3:		/* write-protect, as fork does, or clean the dirty bits */
		n = 1 + (unsigned int)random_below(random_below(6) ? 16 : PAGES);
		for (i = 0; i < n; i++) {
			e = guest_entry(spaces[s].root, va + i * PAGE_SIZE, false, 1);
			if (e)
				*e &= random_below(2) ? ~2ull : ~0x40ull;
		}
		flush(c, s, va, va + n * PAGE_SIZE, n > 33);
		break;
	case 4:		/* a 2 MiB page, or back to small ones; tables are freed and reused */
		e = guest_entry(spaces[s].root, va, true, 2);
		if (e) {
			u64 old = *e;

			*e = 0;
			flush(c, s, va & ~0x1fffffull, (va & ~0x1fffffull) + 0x200000, true);
			if ((old & 0x81) == 1 && table_count < ARRAY_SIZE(table_pool))
				table_pool[table_count++] = (old & 0x000ffffffffff000ull) >> 12;
			if (random_below(2))
				*e = 512 << 12 | 0x87 | (random_below(2) ? 0x40 : 0);
		}
		break;
	case 5:		/* exec: a new id for the space, the old one released */
		if (!random_below(8) && !is_loaded(s)) {
			while (shadow_release(running[c], spaces[s].id) == -PARVUS_EAGAIN)
				;
			spaces[s].id = next_id++;
			spaces[s].gen = 1;
		}
		break;
	case 6:		/* the kernel half: vmalloc and vfree */
		va = KREGION + random_below(64) * PAGE_SIZE;
		e = guest_entry(spaces[0].root, va, true, 1);
		if (*e) {
			*e = 0;
			ck_assert_int_eq(shadow_flush(running[c], 0, 0, va, va + PAGE_SIZE, PAGE_SIZE,
						      PARVUS_FLUSH_KERNEL), 0);
		} else {
			*e = (1024 + random_below(512)) << 12 | 3;
		}
		break;
	case 7:		/* age */
		shadow_age(running[c], spaces[s].id);
		break;
	case 8:		/* a low page that user mode must not see */
		e = guest_entry(spaces[where[c]].root, va, true, 1);
		if (e && !*e)
			*e = (1024 + random_below(512)) << 12 | 3;
		break;
	default:	/* map pages (no flush: they were absent) and touch */
		for (i = 0; i < 8; i++) {
			e = guest_entry(spaces[where[c]].root, va + i * PAGE_SIZE, true, 1);
			if (e && !*e)
				*e = (1024 + random_below(512)) << 12 | 5 | (random_below(3) ? 2 : 0) |
				     (random_below(2) ? 0x20 : 0);
		}
	}
	check_tlbs();
	for (i = 0; i < 6; i++) {
		bool user = random_below(4);

		va = random_below(6) ? random_va() : KREGION + random_below(64) * PAGE_SIZE;
		access_va((unsigned int)random_below(VCPUS), va, random_below(2), user);
	}
	check_tlbs();
}

static void run(u64 seed, u64 pool_frames, unsigned int steps)
{
	u64 before;
	unsigned int i;

	machine_reset();
	random_seed(seed);
	before = frames_free_count();
	d = domain_create("harness", pool_frames, VCPUS);
	ck_assert_ptr_nonnull(d);
	/* odd seeds: the large pages of the guest lie on scattered frames (splinters) */
	ck_assert_int_eq(domain_populate(d, _gfn(0), 512), 0);
	ck_assert_int_eq(domain_populate(d, _gfn(512), seed & 1 ? 1 : 512), 0);
	if (seed & 1)
		ck_assert_int_eq(domain_populate(d, _gfn(513), 511), 0);
	ck_assert_int_eq(domain_populate(d, _gfn(1024), GUEST_FRAMES - 1024), 0);
	next_table = 1;
	table_count = 0;
	next_id = 100;
	kernel_l3 = table_new();
	for (i = 0; i < SPACES; i++) {
		spaces[i].root = table_new();
		spaces[i].id = next_id++;
		spaces[i].gen = 1;
		gfn_ptr(spaces[i].root)[KREGION >> 39 & 511] = kernel_l3 << 12 | 7;
	}
	for (i = 0; i < VCPUS; i++) {
		this_cpu = i;
		running[i] = d->vcpus[i];
		shadow_start(running[i], _gfn(spaces[0].root));
		shadow_load(running[i]);
		where[i] = 0;
		switch_to(i, i);
	}
	for (i = 0; i < steps; i++)
		step();
	for (i = 0; i < VCPUS; i++) {
		this_cpu = i;
		shadow_unload(running[i]);
		running[i] = NULL;
	}
	domain_destroy(d);	/* warns, and so fails, if a count is not back at zero */
	ck_assert_uint_eq(frames_free_count(), before);
}

START_TEST(random_guests)
{
	shadow_exact = false;
	run(1000 + (u64)_i, GUEST_FRAMES, 500);
}
END_TEST

START_TEST(random_guests_exact)
{
	shadow_exact = true;
	run(2000 + (u64)_i, GUEST_FRAMES, 200);
	shadow_exact = false;
}
END_TEST

/* More leaf tables than the pool has pages. */
START_TEST(small_pool)
{
	u64 va, mfn, before;
	u32 error;

	machine_reset();
	before = frames_free_count();
	d = domain_create("pool", GUEST_FRAMES, 1);
	ck_assert_int_eq(domain_populate(d, _gfn(0), GUEST_FRAMES), 0);
	next_table = 1;
	table_count = 0;
	spaces[0].root = table_new();
	running[0] = d->vcpus[0];
	this_cpu = 0;
	shadow_start(running[0], _gfn(spaces[0].root));
	shadow_load(running[0]);
	/* one guest leaf table seen at 4000 places */
	{
		u64 l1 = table_new(), l2 = table_new();

		gfn_ptr(l1)[3] = 1500 << 12 | 0x67;
		for (int i = 0; i < 512; i++)
			gfn_ptr(l2)[i] = l1 << 12 | 7;
		for (int i = 0; i < 8; i++) {
			u64 l3 = table_new();

			gfn_ptr(spaces[0].root)[i] = l3 << 12 | 7;
			for (int k = 0; k < 512; k++)
				gfn_ptr(l3)[k] = l2 << 12 | 7;
		}
	}
	for (u64 i = 0; i < 4000; i++) {
		va = (i % 8) << 39 | (i * 5 % 512) << 30 | (i * 3 % 512) << 21 | 3 << 12;
		if (!hw_access(va, true, true, &mfn)) {
			ck_assert_int_eq(shadow_fault(running[0], va, PF_WRITE, false, i, &error), SHADOW_DONE);
			ck_assert(hw_access(va, true, true, &mfn));
		}
		ck_assert_uint_eq(mfn, mfn_of(1500));
	}
	ck_assert_uint_gt(running[0]->stats.evictions, 1000);
	shadow_unload(running[0]);
	domain_destroy(d);
	ck_assert_uint_eq(frames_free_count(), before);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("shadow");
	TCase *c = tcase_create("shadow");

	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, random_guests, 0, 8);
	tcase_add_loop_test(c, random_guests_exact, 0, 2);
	tcase_add_test(c, small_pool);
	suite_add_tcase(s, c);
	return run_suite(s);
}
