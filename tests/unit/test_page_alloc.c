// SPDX-License-Identifier: GPL-2.0-only
/*
 * page_alloc.c: extents split and form again, every frame is given once, counts agree, and
 * our own double frees are caught.
 */
#include "native.h"

#define EXTENTS	8u
#define FRAMES	(EXTENTS * EXTENT_FRAMES)

static u64 taken(void) { return frames_total_count() - frames_free_count(); }

START_TEST(boot)
{
	/* RAM that begins and ends within an extent */
	native_boot(FRAMES + 100, 300);
	ck_assert_uint_eq(frames_total_count(), FRAMES + 100 - 300);
	ck_assert_uint_eq(taken(), 0);
	ck_assert_int_eq(frame_info(_mfn(0))->type, FRAME_NONE);
	ck_assert_int_eq(frame_info(_mfn(299))->type, FRAME_NONE);
	ck_assert_int_eq(frame_info(_mfn(300))->type, FRAME_FREE);
	ck_assert_int_eq(frame_info(_mfn(FRAMES + 9))->type, FRAME_FREE);
	ck_assert_ptr_null(frame_info(_mfn(FRAMES + 100)));
	ck_assert_ptr_null(frame_info(_mfn(~0ull)));
}
END_TEST

START_TEST(extents)
{
	mfn_t m[EXTENTS + 1];
	unsigned int n = 0, i;
	u64 before;

	native_boot(FRAMES, 1);
	before = frames_free_count();
	while (!alloc_frames(EXTENT_ORDER, &m[n])) {
		ck_assert_uint_eq(mfn_x(m[n]) % EXTENT_FRAMES, 0);
		for (i = 0; i < n; i++)
			ck_assert_uint_ne(mfn_x(m[i]), mfn_x(m[n]));
		for (i = 0; i < EXTENT_FRAMES; i++)
			ck_assert_int_eq(frame_info(_mfn(mfn_x(m[n]) + i))->type, FRAME_HYPERVISOR);
		n++;
		ck_assert_uint_eq(frames_free_count(), before - n * EXTENT_FRAMES);
	}
	/* the first chunk is not whole */
	ck_assert_uint_eq(n, EXTENTS - 1);
	for (i = 0; i < n; i++)
		free_frames(m[i], EXTENT_ORDER);
	ck_assert_uint_eq(frames_free_count(), before);
}
END_TEST

START_TEST(singles_take_no_extent)
{
	mfn_t m, e;
	unsigned int i;

	/* while the first, broken chunk has frames, extents stay whole */
	native_boot(FRAMES, 1);
	for (i = 0; i < 400; i++) {
		ck_assert_int_eq(alloc_frames(0, &m), 0);
		ck_assert_uint_lt(mfn_x(m), EXTENT_FRAMES);
	}
	for (i = 0; i < EXTENTS - 1; i++)
		ck_assert_int_eq(alloc_frames(EXTENT_ORDER, &e), 0);
	ck_assert_int_eq(alloc_frames(EXTENT_ORDER, &e), -PARVUS_ENOMEM);
}
END_TEST

START_TEST(exhaustion)
{
	static mfn_t m[FRAMES];
	static u8 seen[FRAMES];
	unsigned int n = 0, i;
	u64 before;
	mfn_t x;

	native_boot(FRAMES, 1);
	before = frames_free_count();
	while (n < FRAMES && !alloc_frames(0, &m[n])) {
		EXPECT(!seen[mfn_x(m[n])]++, "given twice");
		n++;
	}
	ck_assert_uint_eq(n, before);
	ck_assert_uint_eq(frames_free_count(), 0);
	ck_assert_int_eq(alloc_frames(0, &x), -PARVUS_ENOMEM);
	ck_assert_int_eq(alloc_frames(EXTENT_ORDER, &x), -PARVUS_ENOMEM);
	ck_assert_ptr_null(hv_alloc(PAGE_SIZE));
	ck_assert_ptr_null(hv_alloc(2 * PAGE_SIZE));
	/* back in another order: all extents form again */
	for (i = 0; i < n; i++) {
		unsigned int k = (unsigned int)(i + below(n - i));
		mfn_t t = m[k];

		m[k] = m[i];
		m[i] = t;
		free_frames(t, 0);
	}
	ck_assert_uint_eq(frames_free_count(), before);
	for (i = 0; i < EXTENTS - 1; i++)
		ck_assert_int_eq(alloc_frames(EXTENT_ORDER, &x), 0);
}
END_TEST

START_TEST(double_free)
{
	mfn_t m, n;

	native_boot(FRAMES, 1);
	ck_assert_int_eq(alloc_frames(0, &m), 0);
	free_frames(m, 0);
	ck_assert_panics("FRAME_FREE", free_frames(m, 0));
	ck_assert_int_eq(alloc_frames(EXTENT_ORDER, &n), 0);
	free_frames(n, EXTENT_ORDER);
	ck_assert_panics("FRAME_FREE", free_frames(n, EXTENT_ORDER));
	ck_assert_panics("frame_table_count", free_frames(_mfn(FRAMES), 0));
}
END_TEST

/* A frame of an extent that is free as a whole, and an extent of which a frame is free. */
START_TEST(double_free_mixed)
{
	mfn_t n;

	native_boot(FRAMES, 1);
	ck_assert_int_eq(alloc_frames(EXTENT_ORDER, &n), 0);
	free_frames(n, EXTENT_ORDER);
	ck_assert_panics("FRAME_FREE", free_frames(_mfn(mfn_x(n) + 7), 0));
}
END_TEST

/* An extent given in one piece may come back frame by frame: a domain that remaps does so. */
START_TEST(extent_back_in_pieces)
{
	mfn_t n, m;
	unsigned int i;
	u64 before;

	native_boot(FRAMES, 1);
	before = frames_free_count();
	ck_assert_int_eq(alloc_frames(EXTENT_ORDER, &n), 0);
	for (i = 0; i < EXTENT_FRAMES; i++)
		free_frames(_mfn(mfn_x(n) + i), 0);
	ck_assert_uint_eq(frames_free_count(), before);
	ck_assert_int_eq(alloc_frames(EXTENT_ORDER, &m), 0);
	ck_assert_uint_eq(mfn_x(m), mfn_x(n));
}
END_TEST

START_TEST(hypervisor_memory)
{
	static struct {
		u8 *p;
		size_t bytes;
	} held[200];
	unsigned int n, i;
	u64 before;

	native_boot(FRAMES, 1);
	before = frames_free_count();
	ck_assert_ptr_null(hv_alloc(0));
	hv_free(NULL, 5);
	random_seed(1);
	for (n = 0; n < 4000; n++) {
		size_t k = below(ARRAY_SIZE(held)), b;

		if (held[k].p) {
			for (b = 0; b < held[k].bytes; b += PAGE_SIZE)
				EXPECT(held[k].p[b] == (u8)k, "somebody wrote to it");
			hv_free(held[k].p, held[k].bytes);
			held[k].p = NULL;
			continue;
		}
		held[k].bytes = chance(4) ? below(20 * PAGE_SIZE) + 1 : below(PAGE_SIZE) + 1;
		held[k].p = hv_alloc(held[k].bytes);
		if (!held[k].p)
			continue;
		ck_assert_uint_eq((u64)held[k].p % PAGE_SIZE, 0);
		for (b = 0; b < ROUND_UP(held[k].bytes, PAGE_SIZE); b++)
			EXPECT(!held[k].p[b], "not zeroed");
		memset(held[k].p, (u8)k, held[k].bytes);
	}
	for (i = 0; i < ARRAY_SIZE(held); i++)
		if (held[i].p)
			hv_free(held[i].p, held[i].bytes);
	ck_assert_uint_eq(frames_free_count(), before);
}
END_TEST

/* The tables of a domain as large as a large machine: extents side by side. */
START_TEST(runs_of_extents)
{
	u64 before, i;
	mfn_t m[EXTENTS];
	u8 *p;

	native_boot(FRAMES, 1);
	before = frames_free_count();
	p = hv_alloc(3 * EXTENT_SIZE - PAGE_SIZE + 1);
	ck_assert_uint_eq((u64)p % EXTENT_SIZE, 0);
	ck_assert_uint_eq(frames_free_count(), before - 3 * EXTENT_FRAMES);
	for (i = 0; i < 3 * EXTENT_SIZE; i++)
		EXPECT(!p[i], "not zeroed");
	hv_free(p, 3 * EXTENT_SIZE);
	ck_assert_uint_eq(frames_free_count(), before);
	p = hv_alloc((EXTENTS - 1) * EXTENT_SIZE);	/* all that are whole */
	ck_assert_ptr_nonnull(p);
	hv_free(p, (EXTENTS - 1) * EXTENT_SIZE);
	ck_assert_ptr_null(hv_alloc(EXTENTS * EXTENT_SIZE));
	for (i = 0; i < EXTENTS - 1; i++)
		ck_assert_int_eq(alloc_frames(EXTENT_ORDER, &m[i]), 0);
	for (i = 0; i < EXTENTS - 1; i++)		/* never two of them side by side */
		if (mfn_x(m[i]) / EXTENT_FRAMES % 2)
			free_frames(m[i], EXTENT_ORDER);
	before = frames_free_count();
	ck_assert_ptr_null(hv_alloc(EXTENT_SIZE + 1));
	ck_assert_uint_eq(frames_free_count(), before);
}
END_TEST

/* What a new extent for the hypervisor costs when memory is short: nothing is lost. */
START_TEST(hypervisor_memory_fails)
{
	u64 before;
	mfn_t m;
	void *p;

	native_boot(FRAMES, 1);
	while (!alloc_frames(EXTENT_ORDER, &m))
		;
	before = frames_free_count();
	p = hv_alloc(EXTENT_SIZE);
	ck_assert_ptr_null(p);
	ck_assert_uint_eq(frames_free_count(), before);
	p = hv_alloc(PAGE_SIZE);
	ck_assert_ptr_nonnull(p);
	hv_free(p, PAGE_SIZE);
	ck_assert_uint_eq(frames_free_count(), before);
}
END_TEST

/* Whatever is asked and given back: no frame twice, counts right, everything whole at the end. */
START_TEST(random_use)
{
	static u8 used[FRAMES];
	static struct {
		mfn_t m;
		unsigned int order;
	} held[1500];
	unsigned int n, count = 0, i;
	u64 before;

	native_boot(FRAMES, 1);
	before = frames_free_count();
	random_seed(1);
	for (n = 0; n < 60000; n++) {
		if (count < ARRAY_SIZE(held) && !chance(2)) {
			unsigned int order = chance(100) ? EXTENT_ORDER : 0;

			if (alloc_frames(order, &held[count].m))
				continue;
			for (i = 0; i < 1u << order; i++)
				EXPECT(!used[mfn_x(held[count].m) + i]++, "given twice");
			held[count++].order = order;
		} else if (count) {
			u64 k = below(count);

			for (i = 0; i < 1u << held[k].order; i++)
				used[mfn_x(held[k].m) + i]--;
			free_frames(held[k].m, held[k].order);
			held[k] = held[--count];
		}
	}
	while (count--)
		free_frames(held[count].m, held[count].order);
	ck_assert_uint_eq(frames_free_count(), before);
	for (i = 0; i < EXTENTS - 1; i++)
		ck_assert_int_eq(alloc_frames(EXTENT_ORDER, &held[0].m), 0);
}
END_TEST

static u64 claimed_frames;
static void claim(u64 at, u64 count)
{
	u64 end = at + count;
	unsigned int order;

	for (; claim_frames(&at, end, &order); at += 1ull << order) {
		ck_assert(!(at & ((1ull << order) - 1)));
		claimed_frames += 1ull << order;
	}
}

/* What is free in a range, whole extents where the range holds them. */
START_TEST(claims)
{
	u64 free, n;
	mfn_t m;

	native_boot(8 * EXTENT_FRAMES, 1);
	free = frames_free_count();
	claim(EXTENT_FRAMES + 5, EXTENT_FRAMES + 10);
	ck_assert_uint_eq(claimed_frames, EXTENT_FRAMES + 10);
	ck_assert_uint_eq(frames_free_count(), free - EXTENT_FRAMES - 10);
	for (n = EXTENT_FRAMES; n < 3 * EXTENT_FRAMES; n++)
		EXPECT((frame_table[n].type == FRAME_FREE) ==
			       (n < EXTENT_FRAMES + 5 || n >= 2 * EXTENT_FRAMES + 15),
		       "frame %lu", n);
	/* a second time there is nothing; nor beyond the end */
	claim(EXTENT_FRAMES + 5, EXTENT_FRAMES + 10);
	claim(8 * EXTENT_FRAMES, 100);
	ck_assert_uint_eq(claimed_frames, EXTENT_FRAMES + 10);
	for (n = EXTENT_FRAMES + 5; n < 2 * EXTENT_FRAMES + 15; n++)
		free_frames(_mfn(n), 0);
	ck_assert_uint_eq(frames_free_count(), free);
	/* all extents but the first are whole again */
	for (n = 0; n < 7; n++)
		ck_assert_int_eq(alloc_frames(EXTENT_ORDER, &m), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("page_alloc");
	TCase *t = tcase_create("page_alloc");

	tcase_add_test(t, boot);
	tcase_add_test(t, extents);
	tcase_add_test(t, singles_take_no_extent);
	tcase_add_test(t, exhaustion);
	tcase_add_test(t, double_free);
	tcase_add_test(t, double_free_mixed);
	tcase_add_test(t, extent_back_in_pieces);
	tcase_add_test(t, hypervisor_memory);
	tcase_add_test(t, runs_of_extents);
	tcase_add_test(t, hypervisor_memory_fails);
	tcase_add_test(t, random_use);
	tcase_add_test(t, claims);
	suite_add_tcase(s, t);
	return native_main(s);
}
