// SPDX-License-Identifier: GPL-2.0-only
/* Boot bundles: the archive and the manifest (hypervisor/bundle.c). */
#include <stdio.h>
#include "native.h"
#include <hv/bundle.h>

static char archive[4096];
static size_t used;

static void add(const char *name, const char *data, size_t n)
{
	used += (size_t)sprintf(archive + used,
		"070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, 0100644, 0, 0, 1, 0,
		(unsigned int)n, 0, 0, 0, 0, (unsigned int)strlen(name) + 1, 0);
	strcpy(archive + used, name);
	used = ROUND_UP(used + strlen(name) + 1, (size_t)4);
	memcpy(archive + used, data, n);
	used = ROUND_UP(used + n, (size_t)4);
}

static void make(void)
{
	memset(archive, 0, sizeof(archive));
	used = 0;
	add("manifest", "domain=a kernel=k\n", 18);
	add("k", "KERNEL", 6);
	add("empty", "", 0);
	add("TRAILER!!!", "", 0);
}

START_TEST(finds)
{
	struct bundle_file f;

	make();
	ck_assert(bundle_find(archive, used, "k", &f));
	ck_assert(f.size == 6 && !memcmp(f.data, "KERNEL", 6));
	ck_assert(bundle_find(archive, used, "empty", &f) && f.size == 0);
	ck_assert(!bundle_find(archive, used, "kk", &f));
	ck_assert(!bundle_find(archive, used, "", &f));
	ck_assert(!bundle_find(archive, 0, "k", &f));
}
END_TEST

START_TEST(damaged)
{
	struct bundle_file f;
	size_t n;

	for (n = 0; n < 300; n++) {
		char *cut;

		make();
		cut = malloc(n ? n : 1);
		memcpy(cut, archive, n);
		if (bundle_find(cut, n, "k", &f))
			ck_assert((const char *)f.data + f.size <= cut + n);
		free(cut);
	}
	random_seed(3);
	for (n = 0; n < 100000; n++) {
		make();
		archive[random_below(used)] = (char)random_u64();
		archive[random_below(used)] = "0123456789abcdef"[random_below(16)];
		if (bundle_find(archive, used, "k", &f))
			ck_assert((const char *)f.data + f.size <= archive + used);
	}
}
END_TEST

static int line(const char *s, struct bundle_domain *d)
{
	const char *error = NULL;
	int r = manifest_line(s, strlen(s), d, &error);

	if (r < 0)
		ck_assert_ptr_nonnull(error);
	return r;
}

START_TEST(manifest)
{
	struct bundle_domain d;

	ck_assert_int_eq(line("", &d), 0);
	ck_assert_int_eq(line("   # a comment", &d), 0);
	ck_assert_int_eq(line("domain=web kernel=vmlinux", &d), 1);
	ck_assert(!strcmp(d.name, "web") && d.mem == MIB(256) && d.vcpus == 1 && d.weight == 256 && !d.control);
	ck_assert_int_eq(line("kernel=k domain=x mem=64M vcpus=4 weight=512 control=1 initrd=i cmdline=\"a b=c\" # x", &d), 1);
	ck_assert(d.mem == MIB(64) && d.vcpus == 4 && d.weight == 512 && d.control);
	ck_assert_str_eq(d.cmdline, "a b=c");
	ck_assert_str_eq(d.initrd, "i");
}
END_TEST

static const char *const bad[] = {
	"domain=a", "kernel=k", "kernel=k domain=", "domain=a kernel=k mem=1M", "domain=a kernel=k mem=65G",
	"domain=a kernel=k mem=lots", "domain=a kernel=k vcpus=0", "domain=a kernel=k vcpus=65",
	"domain=a kernel=k weight=0", "domain=a kernel=k control=2", "domain=a kernel=k colour=3", "domain=a kernel=k colour",
	"domain=a-name-that-is-longer-than-thirty-two-characters kernel=k", "domain=a kernel=k mem=",
};

START_TEST(bad_manifest)
{
	struct bundle_domain d;

	ck_assert_msg(line(bad[_i], &d) < 0, "accepted: %s", bad[_i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bundle");
	TCase *t = tcase_create("bundle");

	tcase_add_test(t, finds);
	tcase_add_test(t, damaged);
	tcase_add_test(t, manifest);
	tcase_add_loop_test(t, bad_manifest, 0, ARRAY_SIZE(bad));
	suite_add_tcase(s, t);
	return run_suite(s);
}
