// SPDX-License-Identifier: GPL-2.0-only
/* Guest-physical memory and its only door (hypervisor/domain.c, guest_access.c). */
#include "native.h"

static void setup(void) { machine_reset(); }

START_TEST(populate_and_free)
{
	u64 before = frames_free_count();
	struct domain *d = domain_create("a", MIB(20) >> PAGE_SHIFT, 2);
	u64 e, i;

	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(0)), 0);
	ck_assert_int_eq(domain_populate(d, _gfn(0), MIB(20) >> PAGE_SHIFT), 0);
	ck_assert_uint_eq(d->frames, MIB(20) >> PAGE_SHIFT);
	for (i = 0; i < d->frames; i++) {
		e = gfn_lookup(d, _gfn(i));
		ck_assert((e & GFN_PRESENT) && (e & GFN_WRITABLE));
		ck_assert_uint_eq(frame_info(gfn_entry_mfn(e))->word, i);
		ck_assert_int_eq(frame_info(gfn_entry_mfn(e))->type, FRAME_GUEST);
		ck_assert_uint_eq(*(u64 *)frame_map(gfn_entry_mfn(e)), 0);
	}
	ck_assert(gfn_lookup(d, _gfn(0)) & GFN_EXTENT);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(d->max_gfn)), 0);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(~0ull)), 0);
	domain_destroy(d);
	ck_assert_uint_eq(frames_free_count(), before);
}
END_TEST

START_TEST(holes_and_pieces)
{
	u64 before = frames_free_count();
	struct domain *d = domain_create("b", MIB(8) >> PAGE_SHIFT, 1);

	ck_assert_int_eq(domain_populate(d, _gfn(3), 100), 0);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(2)), 0);
	ck_assert(gfn_lookup(d, _gfn(3)) && !(gfn_lookup(d, _gfn(3)) & GFN_EXTENT));
	ck_assert_uint_eq(gfn_lookup(d, _gfn(103)), 0);
	ck_assert_int_eq(domain_populate(d, _gfn(102), 1), -PARVUS_EEXIST);
	ck_assert_int_eq(domain_populate(d, _gfn(512), 512), 0);
	ck_assert_int_eq(domain_populate(d, _gfn(600), 1), -PARVUS_EEXIST);
	ck_assert_int_eq(domain_populate(d, _gfn(d->max_gfn - 1), 2), -PARVUS_EINVAL);
	ck_assert_int_eq(domain_populate(d, _gfn(~0ull), 2), -PARVUS_EINVAL);
	domain_destroy(d);
	ck_assert_uint_eq(frames_free_count(), before);
}
END_TEST

START_TEST(short_of_memory)
{
	u64 before = frames_free_count();
	struct domain *d = domain_create("c", MIB(200) >> PAGE_SHIFT, 1);

	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(domain_populate(d, _gfn(0), MIB(200) >> PAGE_SHIFT), -PARVUS_ENOMEM);
	domain_destroy(d);
	ck_assert_uint_eq(frames_free_count(), before);
	ck_assert_ptr_null(domain_create("d", 0, 1));
	ck_assert_ptr_null(domain_create("d", 512, 0));
	ck_assert_ptr_null(domain_create("d", 512, MAX_VCPUS + 1));
	ck_assert_ptr_null(domain_create("d", ~0ull, 1));
	ck_assert_uint_eq(frames_free_count(), before);
}
END_TEST

START_TEST(no_half_built_domain)
{
	/* take memory away piece by piece until creation fails at every place */
	for (u64 leave = 0; leave < 700; leave += 7) {
		static mfn_t held[RAM_FRAMES];
		u64 n = 0, before;
		struct domain *d;

		machine_reset();
		while (frames_free_count() > leave + EXTENT_FRAMES && !alloc_frames(0, &held[n]))
			n++;
		before = frames_free_count();
		d = domain_create("e", MIB(32) >> PAGE_SHIFT, 4);
		if (d)
			domain_destroy(d);
		ck_assert_uint_eq(frames_free_count(), before);
	}
}
END_TEST

START_TEST(access)
{
	struct domain *d = domain_create("f", MIB(4) >> PAGE_SHIFT, 1);
	char out[9000], in[9000];

	ck_assert_int_eq(domain_populate(d, _gfn(1), 5), 0);	/* [4096, 24576) */
	for (unsigned int i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 7);
	ck_assert_int_eq(guest_write(d, 5000, in, sizeof(in)), 0);
	ck_assert_int_eq(guest_read(d, 5000, out, sizeof(out)), 0);
	ck_assert(!memcmp(in, out, sizeof(in)));
	ck_assert_int_eq(guest_read(d, 4095, out, 2), -PARVUS_EFAULT);
	ck_assert_int_eq(guest_write(d, 24575, in, 2), -PARVUS_EFAULT);
	ck_assert_int_eq(guest_read(d, 24575, out, 1), 0);
	ck_assert_int_eq(guest_read(d, ~0ull - 3, out, 8), -PARVUS_EFAULT);
	ck_assert_int_eq(guest_read(d, 0, out, 0), 0);
	ck_assert_ptr_nonnull(guest_map(d, 4096, 4096, 64));
	ck_assert_ptr_null(guest_map(d, 4096 + 32, 64, 64));
	ck_assert_ptr_null(guest_map(d, 8192 - 64, 128, 64));
	ck_assert_ptr_null(guest_map(d, 0, 64, 64));
	ck_assert_ptr_null(guest_map(d, ~63ull, 64, 64));
	domain_destroy(d);
}
END_TEST

START_TEST(first_reason_stays)
{
	struct domain *d = domain_create("g", 512, 1);

	domain_kill(d, "reason %d", 1);
	domain_kill(d, "reason %d", 2);
	domain_shutdown(d, PARVUS_SHUTDOWN_POWEROFF, 3);
	ck_assert_str_eq(d->kill_reason, "reason 1");
	ck_assert_uint_eq(d->shutdown_reason, PARVUS_SHUTDOWN_KILLED);
	ck_assert_uint_eq(d->shutdown_status, 255);
	domain_destroy(d);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("domain");
	TCase *c = tcase_create("domain");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, populate_and_free);
	tcase_add_test(c, holes_and_pieces);
	tcase_add_test(c, short_of_memory);
	tcase_add_test(c, no_half_built_domain);
	tcase_add_test(c, access);
	tcase_add_test(c, first_reason_stays);
	suite_add_tcase(s, c);
	return run_suite(s);
}
