// SPDX-License-Identifier: GPL-2.0-only
/* bundle.c: newc archives, good, cut and mutated; manifest lines and what is wrong with them. */
#include "native.h"
#include <boot/bundle.h>

struct archive {
	u8 bytes[4096];
	size_t size;
};

static void add(struct archive *a, const char *name, const char *data, size_t bytes)
{
	char head[120];

	snprintf(head, sizeof(head), "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
		 1, 0100644, 0, 0, 1, 0, bytes, 0, 0, 0, 0, strlen(name) + 1, 0);
	memcpy(a->bytes + a->size, head, 110);
	a->size += 110;
	memcpy(a->bytes + a->size, name, strlen(name) + 1);
	a->size = (a->size + strlen(name) + 1 + 3) & ~3ull;
	memcpy(a->bytes + a->size, data, bytes);
	a->size = (a->size + bytes + 3) & ~3ull;
}

static struct archive good(void)
{
	struct archive a = { .size = 0 };

	add(&a, "manifest", "domain=a kernel=k\n", 18);
	add(&a, "k", "12345", 5);
	add(&a, "empty", "", 0);
	add(&a, "sub/k2", "abcdefgh", 8);
	add(&a, "TRAILER!!!", "", 0);
	add(&a, "behind", "x", 1);
	return a;
}

static bool find(const struct archive *a, const char *name, struct bundle_file *f)
{
	return bundle_find(a->bytes, a->size, name, f);
}

START_TEST(finds)
{
	struct archive a = good();
	struct bundle_file f;

	ck_assert(find(&a, "manifest", &f));
	ck_assert_uint_eq(f.size, 18);
	ck_assert_mem_eq(f.data, "domain=a kernel=k\n", 18);
	ck_assert(find(&a, "k", &f));
	ck_assert_uint_eq(f.size, 5);
	ck_assert_mem_eq(f.data, "12345", 5);
	ck_assert(find(&a, "empty", &f));
	ck_assert_uint_eq(f.size, 0);
	ck_assert(find(&a, "sub/k2", &f));
	ck_assert_mem_eq(f.data, "abcdefgh", 8);
	/* whole names; nothing behind the trailer */
	ck_assert(!find(&a, "k2", &f));
	ck_assert(!find(&a, "manifes", &f));
	ck_assert(!find(&a, "manifest2", &f));
	ck_assert(!find(&a, "", &f));
	ck_assert(!find(&a, "behind", &f));
}
END_TEST

/* Cut anywhere, in a buffer that ends there: found whole or not at all. */
START_TEST(cut)
{
	struct archive a = good();
	struct bundle_file f;
	size_t size;

	for (size = 0; size < a.size; size++) {
		u8 *copy = malloc(size ? size : 1);

		memcpy(copy, a.bytes, size);
		if (bundle_find(copy, size, "sub/k2", &f)) {
			ck_assert_uint_eq(f.size, 8);
			ck_assert_mem_eq(f.data, "abcdefgh", 8);
		}
		if (size < 110 + 10 + 18)
			ck_assert(!bundle_find(copy, size, "manifest", &f));
		free(copy);
	}
}
END_TEST

static void field(struct archive *a, unsigned int nr, const char *hex)
{
	memcpy(a->bytes + 6 + nr * 8, hex, 8);
}

START_TEST(bad_archives)
{
	struct archive a;
	struct bundle_file f;

	a = good();
	a.bytes[5] = '2';		/* newc with checksums is another format */
	ck_assert(!find(&a, "k", &f));
	a = good();
	field(&a, 6, "0000001g");
	ck_assert(!find(&a, "k", &f));
	a = good();
	field(&a, 6, "ffffffff");
	ck_assert(!find(&a, "manifest", &f));
	a = good();
	field(&a, 6, "00001000");
	ck_assert(!find(&a, "manifest", &f));
	a = good();
	field(&a, 11, "00000000");
	ck_assert(!find(&a, "manifest", &f));
	a = good();
	field(&a, 11, "ffffffff");
	ck_assert(!find(&a, "manifest", &f));
	a = good();
	field(&a, 11, "00 00009");
	ck_assert(!find(&a, "manifest", &f));
	/* big letters are digits too */
	a = good();
	field(&a, 11, "00000009");
	field(&a, 6, "0000000C");
	ck_assert(find(&a, "manifest", &f));
	ck_assert_uint_eq(f.size, 12);
	a.size = 0;
	ck_assert(!find(&a, "k", &f));
}
END_TEST

START_TEST(mutations)
{
	unsigned int n, i;
	u64 sum = 0;

	random_seed(1);
	for (n = 0; n < 20000; n++) {
		static const char *const names[] = { "manifest", "k", "sub/k2", "nothing" };
		struct archive a = good();
		struct bundle_file f;
		u8 *copy = malloc(a.size);

		memcpy(copy, a.bytes, a.size);
		for (i = below(6) + 1; i; i--)
			copy[below(a.size)] =
				chance(2) ? "0123456789abcdefF"[below(17)] : (u8)random_u64();
		for (i = 0; i < ARRAY_SIZE(names); i++) {
			u64 k;

			if (!bundle_find(copy, a.size, names[i], &f))
				continue;
			EXPECT(f.data >= copy && f.data + f.size <= copy + a.size, "outside");
			for (k = 0; k < f.size; k++)
				sum += f.data[k];
		}
		free(copy);
	}
	ck_assert_uint_gt(sum, 0);
}
END_TEST

/* In a buffer that ends with the line. */
static int line(const char *s, struct bundle_domain *d, const char **error)
{
	size_t n = strlen(s);
	char *copy = malloc(n ? n : 1);
	int ret;

	memcpy(copy, s, n);
	ret = manifest_line(copy, n, d, error);
	free(copy);
	return ret;
}

START_TEST(good_lines)
{
	struct bundle_domain d;
	const char *e = NULL;

	ck_assert_int_eq(line("domain=one kernel=vmlinux", &d, &e), 1);
	ck_assert_str_eq(d.name, "one");
	ck_assert_str_eq(d.kernel, "vmlinux");
	ck_assert_str_eq(d.initrd, "");
	ck_assert_str_eq(d.cmdline, "");
	ck_assert_uint_eq(d.mem, MIB(256));
	ck_assert_uint_eq(d.vcpus, 1);
	ck_assert_uint_eq(d.weight, 256);
	ck_assert_uint_eq(d.cap, 0);
	ck_assert(!d.control);
	ck_assert_int_eq(line("  kernel=k\tdomain=two initrd=i mem=0x40M vcpus=64 weight=65536 "
			      "cap=150 "
			      "control=1 cmdline=\"a=b  c # d\" # rest=1", &d, &e), 1);
	ck_assert_str_eq(d.name, "two");
	ck_assert_str_eq(d.initrd, "i");
	ck_assert_uint_eq(d.mem, MIB(64));
	ck_assert_uint_eq(d.vcpus, 64);
	ck_assert_uint_eq(d.weight, 65536);
	ck_assert_uint_eq(d.cap, 150);
	ck_assert(d.control);
	ck_assert_str_eq(d.cmdline, "a=b  c # d");
	ck_assert_int_eq(line("domain=x kernel=k control=0 mem=2097153 cmdline=\"\"", &d, &e), 1);
	ck_assert(!d.control);
	ck_assert_uint_eq(d.mem, MIB(2));
	ck_assert_int_eq(line("domain=x kernel=k cmdline=quiet", &d, &e), 1);
	ck_assert_str_eq(d.cmdline, "quiet");
	ck_assert_int_eq(line("", &d, &e), 0);
	ck_assert_int_eq(line(" \t ", &d, &e), 0);
	ck_assert_int_eq(line("# domain=x", &d, &e), 0);
	ck_assert_int_eq(line("  # x", &d, &e), 0);
}
END_TEST

static void refused(const char *s, const char *why)
{
	struct bundle_domain d;
	const char *e = NULL;

	ck_assert_msg(line(s, &d, &e) == -1, "taken: %s", s);
	ck_assert_msg(e && strstr(e, why), "%s: %s", s, e ? e : "no message");
}

START_TEST(bad_lines)
{
	char long_line[3000];

	refused("domain=x", "needed");
	refused("kernel=x", "needed");
	refused("domain= kernel=x", "needed");
	refused("domain=x kernel=", "needed");
	refused("domain kernel=x", "needed");
	refused("domain=x kernel=k color=1", "unknown word");
	refused("domain=x kernel=k color=red", "unknown word");
	refused("domain=x kernel=k color", "unknown word");
	refused("domain=x kernel=k =1", "unknown word");
	refused("domain=x kernel=k mem=", "number");
	refused("domain=x kernel=k mem=lots", "number");
	refused("domain=x kernel=k mem=1M", "range");
	refused("domain=x kernel=k mem=7169G", "range");
	refused("domain=x kernel=k mem=0xffffffffffffffff", "range");
	refused("domain=x kernel=k vcpus=0", "range");
	refused("domain=x kernel=k vcpus=65", "range");
	refused("domain=x kernel=k vcpus=4294967297", "range");
	refused("domain=x kernel=k weight=0", "range");
	refused("domain=x kernel=k cap=6401", "range");
	refused("domain=x kernel=k cap=4294967346", "range");
	refused("domain=x kernel=k cap=half", "number");
	refused("domain=x kernel=k weight=65537", "range");
	refused("domain=x kernel=k weight=4294967552", "range");
	refused("domain=x kernel=k control=2", "range");
	snprintf(long_line, sizeof(long_line), "domain=%032d kernel=k", 1);
	refused(long_line, "too long");
	snprintf(long_line, sizeof(long_line), "domain=x kernel=%064d", 1);
	refused(long_line, "too long");
	snprintf(long_line, sizeof(long_line), "domain=x kernel=k initrd=%064d", 1);
	refused(long_line, "too long");
	snprintf(long_line, sizeof(long_line), "domain=x kernel=k cmdline=\"%02048d\"", 1);
	refused(long_line, "too long");
	/* a quote that does not end is a mistake, and takes the rest of the line with it */
	refused("domain=x kernel=k cmdline=\"abc mem=64M", "quote");
}
END_TEST

START_TEST(random_lines)
{
	static const char *const words[] = { "domain", "kernel", "mem", "vcpus", "=", "\"", " ",
					     "#", "1", "64M", "x", "cmdline", "\t", "0x",
					     "=\"a b\"" };
	unsigned int n, i;

	random_seed(1);
	for (n = 0; n < 50000; n++) {
		struct bundle_domain d;
		const char *e = NULL;
		char s[256] = "";
		int ret;

		for (i = below(14); i; i--)
			strcat(s, words[below(ARRAY_SIZE(words))]);
		ret = line(s, &d, &e);
		EXPECT(ret >= -1 && ret <= 1, "%d: %s", ret, s);
		EXPECT(ret != -1 || (e && *e), "no message: %s", s);
		EXPECT(ret != 1 || (d.name[0] && d.kernel[0] && d.vcpus && d.mem >= MIB(2)), "%s",
		       s);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bundle");
	TCase *t = tcase_create("bundle");

	tcase_add_test(t, finds);
	tcase_add_test(t, cut);
	tcase_add_test(t, bad_archives);
	tcase_add_test(t, mutations);
	tcase_add_test(t, good_lines);
	tcase_add_test(t, bad_lines);
	tcase_add_test(t, random_lines);
	suite_add_tcase(s, t);
	return native_main(s);
}
