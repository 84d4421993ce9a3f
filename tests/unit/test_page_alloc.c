// SPDX-License-Identifier: GPL-2.0-only
/* The frame allocator (hypervisor/page_alloc.c). */
#include "native.h"

static void setup(void) { machine_reset(); }

static u64 all(void)
{
	return frames_free_count();
}

START_TEST(frames_once)
{
	static u8 seen[RAM_FRAMES];
	u64 before = all(), n = 0;
	mfn_t m;

	memset(seen, 0, sizeof(seen));
	while (!alloc_frames(0, &m)) {
		ck_assert_uint_lt(mfn_x(m), RAM_FRAMES);
		ck_assert_uint_eq(seen[mfn_x(m)], 0);
		seen[mfn_x(m)] = 1;
		n++;
	}
	/* what hv_alloc() keeps in stock counts as free, but is its own */
	ck_assert_uint_ge(n + EXTENT_FRAMES, before);
	for (u64 i = 0; i < RAM_FRAMES; i++)
		if (seen[i])
			free_frames(_mfn(i), 0);
	ck_assert_uint_eq(all(), before);
}
END_TEST

START_TEST(extents_reform)
{
	u64 before = all(), extents = 0, again = 0;
	mfn_t *m = calloc(RAM_FRAMES, sizeof(*m)), e;
	u64 n = 0;

	while (!alloc_frames(EXTENT_ORDER, &e)) {
		ck_assert_uint_eq(mfn_x(e) % EXTENT_FRAMES, 0);
		m[extents++] = e;
	}
	ck_assert_uint_gt(extents, 40);
	for (u64 i = 0; i < extents; i++)
		free_frames(m[i], EXTENT_ORDER);
	/* all as single frames, given back in a random order */
	while (!alloc_frames(0, &m[n]))
		n++;
	random_seed(5);
	for (u64 i = n; i-- > 1;) {
		u64 k = random_below(i + 1);

		e = m[i];
		m[i] = m[k];
		m[k] = e;
	}
	for (u64 i = 0; i < n; i++)
		free_frames(m[i], 0);
	while (!alloc_frames(EXTENT_ORDER, &e))
		m[again++] = e;
	ck_assert_uint_eq(again, extents);
	for (u64 i = 0; i < again; i++)
		free_frames(m[i], EXTENT_ORDER);
	ck_assert_uint_eq(all(), before);
	free(m);
}
END_TEST

START_TEST(random_mix)
{
	struct { mfn_t m; unsigned int order; } held[3000];
	u64 before = all(), n = 0;

	random_seed(9);
	for (int i = 0; i < 200000; i++) {
		if (n < ARRAY_SIZE(held) && random_below(2)) {
			held[n].order = random_below(300) ? 0 : EXTENT_ORDER;
			if (!alloc_frames(held[n].order, &held[n].m)) {
				ck_assert_int_eq(frame_info(held[n].m)->type, FRAME_HYPERVISOR);
				n++;
			}
		} else if (n) {
			u64 k = random_below(n);

			free_frames(held[k].m, held[k].order);
			held[k] = held[--n];
		}
	}
	while (n) {
		n--;
		free_frames(held[n].m, held[n].order);
	}
	ck_assert_uint_eq(all(), before);
}
END_TEST

START_TEST(double_free)
{
	mfn_t m;

	ck_assert_int_eq(alloc_frames(0, &m), 0);
	free_frames(m, 0);
	free_frames(m, 0);	/* our own mistake: panic, which is abort() here */
}
END_TEST

START_TEST(own_memory)
{
	u64 before = all();
	static const size_t sizes[] = { 1, 4096, 4097, 16384, 100000, 2097152 };
	void *p[ARRAY_SIZE(sizes)];

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		p[i] = hv_alloc(sizes[i]);
		ck_assert_ptr_nonnull(p[i]);
		for (size_t k = 0; k < sizes[i]; k++)
			ck_assert_uint_eq(((u8 *)p[i])[k], 0);
		memset(p[i], 0xff, sizes[i]);
	}
	ck_assert_ptr_null(hv_alloc(0));
	ck_assert_ptr_null(hv_alloc(EXTENT_SIZE + 1));
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		hv_free(p[i], sizes[i]);
	hv_free(NULL, 5);
	ck_assert_uint_eq(all(), before);
	ck_assert_ptr_null(frame_info(_mfn(RAM_FRAMES)));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("page_alloc");
	TCase *c = tcase_create("page_alloc");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, frames_once);
	tcase_add_test(c, extents_reform);
	tcase_add_test(c, random_mix);
	tcase_add_test_raise_signal(c, double_free, 6);
	tcase_add_test(c, own_memory);
	suite_add_tcase(s, c);
	return run_suite(s);
}
