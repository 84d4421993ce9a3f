// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpuid = of a configuration, against a host of the level x86-64-v3: what a domain is shown then,
 * what goes with a feature that is taken, and all that is refused, by its name.
 */
#include "fake.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"

static struct parvus *h;
static struct parvus_error e;
static char dir[] = "/tmp/parvus-unit.XXXXXX";
static const uint32_t host[PARVUS_CPUID_WORDS] = FAKE_CPUID;
static struct parvus_control_cpuid got;

static void setup(void)
{
	ck_assert_int_eq(parvus_open(&h, &(struct parvus_options){ .run_dir = dir }, &e), 0);
}

static void teardown(void) { parvus_close(h); }

/* A domain with the policy; what it is shown is in got. */
static int apply(const char *text)
{
	struct parvus_control_create c = { .vcpus = 1, .max_frames = 4096, .weight = 256,
					   .name = "x" };
	int ret;

	e.text[0] = 0;
	ck_assert_int_eq(parvus_domain_create(h, &c), 0);
	ret = pv_cpuid_apply(h, c.domain, text);
	if (!ret)
		ck_assert_int_eq(parvus_cpuid_read(h, c.domain, &got), 0);
	ck_assert_int_eq(parvus_domain_destroy(h, c.domain), 0);
	return ret;
}

/* The names that the host has and @f has not, in their order. */
static const char *less(const uint32_t *f)
{
	static char text[2000];
	unsigned int w, b;

	text[0] = 0;
	for (w = 0; w < PARVUS_CPUID_WORDS; w++)
		for (b = 0; b < 32; b++) {
			ck_assert(!(f[w] & ~host[w]));
			if ((host[w] & ~f[w]) >> b & 1) {
				strcat(text, *text ? " " : "");
				strcat(text, parvus_cpuid_name(w, b));
			}
		}
	return text;
}

START_TEST(given)
{
	static const struct {
		const char *text, *less;
		uint64_t xcr0;
	} t[] = {
		{ "host", "", 7 },
		{ "host,aes=0", "aes", 7 },
		{ "host, aes=0 , popcnt=x", "", 0 },	/* a blank in a value: below */
		{ "host,aes=k,popcnt=s,movbe=1", "", 7 },
		{ "host,aes=0,aes=1", "", 7 },
		{ "host,aes=1,aes=0", "aes", 7 },
		{ "host,sse4.2=1,sse4.1=x", "", 7 },
		{ "host,avx=0", "fma avx f16c avx2", 3 },
		{ "host,xsave=0", "fma xsave osxsave avx f16c avx2 xsaveopt xsavec", 0 },
		{ "host,sse4_1=0", "fma sse4_1 sse4_2 avx f16c avx2", 3 },
		{ "host,rtm=0,vmx=0,arat=0,ibpb=x,family=x,nc=s", "", 7 },
		{ "0x1:ecx=xxxxxx0xxxxxxxxxxxxxxxxxxxxxxxxx", "aes", 7 },
		{ "1:ecx=xxxxxx0xxxxxxxxxxxxxxxxxxxxxxxxx,edx=kkkkkkkksssssss0xxxxxxxxxxxxxxxx",
		  "aes pat", 7 },
		{ "7,0:ebx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0\n0xd,1:eax="
		  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0", "fsgsbase xsaveopt", 7 },
		{ "0x80000001:edx=xxxxx0xxxxxxxxxxxxxxxxxxxxxxxxxx", "page1gb", 7 },
		{ "0x2:eax=xxxxxxxxxxxxxxxxkkkkkkkkssssssss", "", 7 },
		{ "x86-64-v3", "pclmulqdq aes rdrand fsgsbase umip xsaveopt xsavec page1gb rdtscp "
		  "invtsc", 7 },
		{ "x86-64-v3,aes=1,invtsc=1", "pclmulqdq rdrand fsgsbase umip xsaveopt xsavec "
		  "page1gb rdtscp", 7 },
		{ "x86-64-v2", "pclmulqdq fma movbe aes xsave osxsave avx f16c rdrand fsgsbase "
		  "bmi1 avx2 bmi2 umip xsaveopt xsavec abm page1gb rdtscp invtsc", 0 },
		{ "x86-64-v1", "sse3 pclmulqdq ssse3 fma cmpxchg16 sse4_1 sse4_2 movbe popcnt aes "
		  "xsave osxsave avx f16c rdrand fsgsbase bmi1 avx2 bmi2 umip xsaveopt xsavec "
		  "lahfsahf abm page1gb rdtscp invtsc", 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
		int ret = apply(t[i].text);

		if (i == 2) {
			ck_assert_int_eq(ret, -EINVAL);
			continue;
		}
		ck_assert_msg(!ret, "%s: %s", t[i].text, e.text);
		ck_assert_str_eq(less(got.features), t[i].less);
		ck_assert_msg(got.xcr0 == t[i].xcr0, "%s: XCR0 %#llx", t[i].text,
			      (unsigned long long)got.xcr0);
	}
}
END_TEST

START_TEST(refused)
{
	static const struct { const char *text, *says; } t[] = {
		{ "", "\"\": host, x86-64-v1, x86-64-v2 or x86-64-v3 comes first" },
		{ "hos", "hos: host, x86-64-v1" },
		{ "x86-64-v4", "x86-64-v4: host, " },
		{ "x86-64-v0", "x86-64-v0: host, " },
		{ "x86-64-v", "x86-64-v: host, " },
		{ "x86-64-v22", "x86-64-v22: host, " },
		{ "aes=0", "aes=0: host, " },
		{ "host,aes", "aes: feature=1, 0, x, k or s is expected" },
		{ "host,", "\"\": feature=1, 0, x, k or s is expected" },
		{ "host,aes=", "aes=: 1, 0, x, k or s is expected" },
		{ "host,aes=2", "aes=2: 1, 0, x, k or s is expected" },
		{ "host,aes=00", "aes=00: 1, 0, x, k or s is expected" },
		{ "host,frobnicate=0", "\"frobnicate\" is no feature (xl.cfg(5) has their names)" },
		{ "host,AES=0", "\"AES\" is no feature" },
		{ "host,=0", "\"\" is no feature" },
		{ "host,family=6", "family=6: that number is the CPU's own in every domain" },
		{ "host,maxleaf=0x4", "maxleaf=0x4: that number is the CPU's own" },
		{ "host,clzero=1", "clzero=1: no domain has that" },
		{ "host,avx512f=1", "avx512f=1: this host does not give it" },
		{ "host,vmx=1", "vmx=1: this host does not give it" },
		{ "host,avx=0,avx2=1", "avx2=1 needs avx, which it is not to have" },
		{ "host,sse2=0,aes=1", "aes=1 needs sse2, which it is not to have" },
		{ "x86-64-v2,avx2=1", "avx2=1 needs avx, which it is not to have" },
		{ "0x1", "0x1: leaf[,subleaf]:register=bits is expected" },
		{ "0x1:", "\"\": eax= to edx= and 32 of" },
		{ "0x1:ecx=0", "ecx=0: eax= to edx= and 32 of" },
		{ "0x1:efx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "efx=xxx" },
		{ "0x1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx2", "ecx=xxx" },
		{ "0x1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "ecx=xxx" },
		{ "0x1,:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,", "\"\": eax= to edx=" },
		{ "0x100000000:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "0x100000000:ecx" },
		{ "1z:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "1z:ecx" },
		{ "0x2:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0", "leaf 0x2 ecx bit 0: features" },
		{ "0x1:eax=1xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "leaf 0x1 eax bit 31: feat" },
		{ "7,1:ebx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0", "leaf 0x7 ebx bit 0: features" },
		{ "0x1:ecx=xxxxxxxxxxxxxxxxxxxx1xxxxxxxxxxx", "bit 11 of leaf 0x1 ecx=1: this" },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
		ck_assert_msg(apply(t[i].text) < 0, "%s is taken", t[i].text);
		ck_assert_msg(!strncmp(e.text, "cpuid: ", 7) &&
			      !strncmp(e.text + 7, t[i].says, strlen(t[i].says)), "%s: %s",
			      t[i].text, e.text);
		ck_assert(!strchr(e.text, '\n'));
	}
}
END_TEST

/* A host that lacks a part of a level is not of it, and says what. */
START_TEST(levels)
{
	struct parvus_control_cpuid c = { 0 };

	memcpy(c.features, host, sizeof(host));
	ck_assert_uint_eq(parvus_cpuid_level(&c), 3);
	c.features[PARVUS_CPUID_X1_ECX] &= ~32u;	/* abm */
	ck_assert_uint_eq(parvus_cpuid_level(&c), 2);
	c.features[PARVUS_CPUID_1_ECX] &= ~(1u << 13);	/* cmpxchg16 */
	ck_assert_uint_eq(parvus_cpuid_level(&c), 1);
	c.features[PARVUS_CPUID_X1_EDX] &= ~(1u << 29);	/* lm */
	ck_assert_uint_eq(parvus_cpuid_level(&c), 0);
	ck_assert_ptr_null(parvus_cpuid_name(PARVUS_CPUID_WORDS, 0));
	ck_assert_ptr_null(parvus_cpuid_name(0, 32));
	ck_assert_ptr_null(parvus_cpuid_name(0, 11));
	ck_assert_str_eq(parvus_cpuid_name(PARVUS_CPUID_7_EBX, 5), "avx2");
}
END_TEST

/* In a configuration, and as it is written again. */
START_TEST(configured)
{
	static const struct { const char *value, *again; } t[] = {
		{ "\"host,aes=0\"", "cpuid = \"host,aes=0\"\n" },
		{ "'x86-64-v2'", "cpuid = \"x86-64-v2\"\n" },
		{ "[\"1:ecx=xxxxxx0xxxxxxxxxxxxxxxxxxxxxxxxx\"]",
		  "cpuid = [\"1:ecx=xxxxxx0xxxxxxxxxxxxxxxxxxxxxxxxx\"]\n" },
		{ "['host', '1:ecx=xxxxxx0xxxxxxxxxxxxxxxxxxxxxxxxx']",
		  "cpuid = [\"host\", \"1:ecx=xxxxxx0xxxxxxxxxxxxxxxxxxxxxxxxx\"]\n" },
		{ "''", NULL }, { "[]", NULL },
	};
	static const char *const wrong[] = { "7", "\"host,x\"", "[7]", "[['host']]", "['']" };
	char text[300], *again;
	struct parvus_config *c;
	size_t i;
	int n;

	for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
		n = snprintf(text, sizeof(text), "name = 'x'\nkernel = '/k'\ncpuid = %s\n",
			     t[i].value);
		ck_assert_int_eq(parvus_config_parse(&e, "f", text, (size_t)n, NULL, 0, &c), 0);
		ck_assert_uint_eq(c->nwarnings, 0);
		ck_assert_int_eq(parvus_config_text(&e, c, &again), 0);
		ck_assert(t[i].again ? !!strstr(again, t[i].again) : !strstr(again, "cpuid"));
		parvus_config_free(c);
		ck_assert_int_eq(parvus_config_parse(&e, "f", again, strlen(again), NULL, 0, &c),
				 0);
		parvus_config_free(c);
		free(again);
	}
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		n = snprintf(text, sizeof(text), "name = 'x'\nkernel = '/k'\ncpuid = %s\n",
			     wrong[i]);
		ck_assert(parvus_config_parse(&e, "f", text, (size_t)n, NULL, 0, &c) < 0);
		ck_assert_msg(!strncmp(e.text, "f:3: cpuid: ", 12), "%s", e.text);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cpuid");
	TCase *c = tcase_create("cpuid");
	char command[100];
	SRunner *r;
	int failed;

	if (!mkdtemp(dir))
		return 1;
	fake_attach(dir);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, given);
	tcase_add_test(c, refused);
	tcase_add_test(c, levels);
	tcase_add_test(c, configured);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) || failed;
}
