// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: what CPUID shows a domain. cpuid = in xl's two forms, by names of features or by bits
 * of a leaf's registers, and the levels x86-64-v1 to v3 (the System V ABI of x86-64, 3.1.1). What
 * is said of a feature is known when it is read, what the host gives when a domain is built.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names: those of xl.cfg(5); the first of two is shown ---- */

struct word {
	uint32_t leaf, sub;
	char reg;		/* a b c d */
	const char *names[32];	/* by bit */
};

static const struct word words[PARVUS_CPUID_WORDS] = {
	[PARVUS_CPUID_1_ECX] = { 1, 0, 'c', {
		[0] = "sse3", [1] = "pclmulqdq", [2] = "dtes64", [3] = "monitor", [4] = "dscpl",
		[5] = "vmx", [6] = "smx", [7] = "est", [8] = "tm2", [9] = "ssse3", [10] = "cntxid",
		[12] = "fma", [13] = "cmpxchg16", [14] = "xtpr", [15] = "pdcm", [17] = "pcid",
		[18] = "dca", [19] = "sse4_1", [20] = "sse4_2", [21] = "x2apic", [22] = "movbe",
		[23] = "popcnt", [24] = "tsc-deadline", [25] = "aes", [26] = "xsave",
		[27] = "osxsave", [28] = "avx", [29] = "f16c", [30] = "rdrand",
		[31] = "hypervisor" } },
	[PARVUS_CPUID_1_EDX] = { 1, 0, 'd', {
		[0] = "fpu", [1] = "vme", [2] = "de", [3] = "pse", [4] = "tsc", [5] = "msr",
		[6] = "pae", [7] = "mce", [8] = "cmpxchg8", [9] = "apic", [11] = "sysenter",
		[12] = "mtrr", [13] = "pge", [14] = "mca", [15] = "cmov", [16] = "pat",
		[17] = "pse36", [18] = "psn", [19] = "clfsh", [21] = "ds", [22] = "acpi",
		[23] = "mmx", [24] = "fxsr", [25] = "sse", [26] = "sse2", [27] = "ss",
		[28] = "htt", [29] = "tm", [30] = "ia64", [31] = "pbe" } },
	[PARVUS_CPUID_7_EBX] = { 7, 0, 'b', {
		[0] = "fsgsbase", [1] = "tsc_adjust", [3] = "bmi1", [4] = "hle", [5] = "avx2",
		[7] = "smep", [8] = "bmi2", [9] = "erms", [10] = "invpcid", [11] = "rtm",
		[12] = "cmt", [14] = "mpx", [16] = "avx512f", [17] = "avx512dq", [18] = "rdseed",
		[19] = "adx", [20] = "smap", [21] = "avx512-ifma", [23] = "clflushopt",
		[24] = "clwb", [25] = "proc-trace", [26] = "avx512pf", [27] = "avx512er",
		[28] = "avx512cd", [29] = "sha", [30] = "avx512bw", [31] = "avx512vl" } },
	[PARVUS_CPUID_7_ECX] = { 7, 0, 'c', {
		[0] = "prefetchwt1", [1] = "avx512-vbmi", [2] = "umip", [3] = "pku", [4] = "ospke",
		[6] = "avx512-vbmi2", [7] = "cet-ss", [8] = "gfni", [9] = "vaes",
		[10] = "vpclmulqdq", [11] = "avx512-vnni", [12] = "avx512-bitalg",
		[14] = "avx512-vpopcntdq", [22] = "rdpid", [25] = "cldemote", [31] = "pks" } },
	[PARVUS_CPUID_7_EDX] = { 7, 0, 'd', {
		[2] = "avx512-4vnniw", [3] = "avx512-4fmaps", [4] = "fsrm",
		[8] = "avx512-vp2intersect", [9] = "srbds-ctrl", [10] = "md-clear",
		[14] = "serialize", [16] = "tsxldtrk", [20] = "cet-ibt", [23] = "avx512-fp16",
		[26] = "ibrsb", [27] = "stibp", [28] = "l1d-flush", [29] = "arch-caps",
		[30] = "core-caps", [31] = "ssbd" } },
	[PARVUS_CPUID_D_EAX] = { 0xd, 1, 'a', {
		[0] = "xsaveopt", [1] = "xsavec", [2] = "xgetbv1", [3] = "xsaves" } },
	[PARVUS_CPUID_X1_ECX] = { 0x80000001, 0, 'c', {
		[0] = "lahfsahf", [1] = "cmplegacy", [2] = "svm", [3] = "extapic",
		[4] = "altmovcr8", [5] = "abm", [6] = "sse4a", [7] = "misalignsse",
		[8] = "3dnowprefetch", [9] = "osvw", [10] = "ibs", [11] = "xop", [12] = "skinit",
		[13] = "wdt", [15] = "lwp", [16] = "fma4", [19] = "nodeid", [21] = "tbm",
		[22] = "topoext", [23] = "perfctr_core", [24] = "perfctr_nb" } },
	[PARVUS_CPUID_X1_EDX] = { 0x80000001, 0, 'd', {
		[11] = "syscall", [20] = "nx", [22] = "mmxext", [25] = "ffxsr", [26] = "page1gb",
		[27] = "rdtscp", [29] = "lm", [30] = "3dnowext", [31] = "3dnow" } },
	[PARVUS_CPUID_X7_EDX] = { 0x80000007, 0, 'd', { [8] = "invtsc" } },
};

/* Features of leaves of which no domain sees any. */
static const char *const of_none[] = {
	"arat", "avx-vnni", "avx512-bf16", "fzrm", "fsrs", "fsrcs", "wrmsrns", "cet-sss",
	"intel-psfd", "mcdt-no", "clzero", "rstr-fp-err-ptrs", "wbnoinvd", "ibpb", "ibrs",
	"amd-stibp", "ibrs-always", "stibp-always", "ibrs-fast", "ibrs-same-mode", "no-lmsl",
	"ppin", "amd-ssbd", "virt-ssbd", "ssb-no", "psfd", "btc-no", "ibpb-ret", "svm_npt",
	"svm_lbrv", "svm_nrips", "svm_tscrate", "svm_vmcbclean", "svm_decode", "svm_pausefilt",
};
/* Numbers, which are the CPU's own in every domain. */
static const char *const numbers[] = {
	"maxleaf", "family", "model", "stepping", "brandid", "clflush", "proccount",
	"localapicid", "procpkg", "nc", "apicidsize", "maxhvleaf",
};

static bool among(const char *const *list, size_t n, const char *name)
{
	while (n--)
		if (!strcmp(list[n], name))
			return true;
	return false;
}
#define AMONG(list, name) among(list, sizeof(list) / sizeof(*list), name)

static bool find(const char *name, unsigned int *word, uint32_t *bit)
{
	unsigned int w, b;

	if (!strcmp(name, "sse4.1") || !strcmp(name, "sse4.2"))
		name = name[5] == '1' ? "sse4_1" : "sse4_2";
	for (w = 0; w < PARVUS_CPUID_WORDS; w++)
		for (b = 0; b < 32; b++)
			if (words[w].names[b] && !strcmp(words[w].names[b], name)) {
				*word = w;
				*bit = 1u << b;
				return true;
			}
	return false;
}

const char *parvus_cpuid_name(unsigned int word, unsigned int bit)
{
	return word < PARVUS_CPUID_WORDS && bit < 32 ? words[word].names[bit] : NULL;
}

/* "avx2", or "bit 15 of leaf 0x7 ebx". */
static const char *shown(unsigned int word, uint32_t bit, char text[60])
{
	unsigned int n = (unsigned int)__builtin_ctz(bit);

	if (words[word].names[n])
		snprintf(text, 60, "%s", words[word].names[n]);
	else
		snprintf(text, 60, "bit %u of leaf %#x e%cx", n, words[word].leaf,
			 words[word].reg);
	return text;
}

/* ---- what a configuration says ---- */

struct rules {
	unsigned int level;	/* 1 to 3; 0 = all that the host gives */
	uint32_t on[PARVUS_CPUID_WORDS], off[PARVUS_CPUID_WORDS];
};

static void rule(struct rules *r, unsigned int word, uint32_t bit, char value)
{
	r->on[word] &= ~bit;	/* the last one counts */
	r->off[word] &= ~bit;
	if (value == '1')
		r->on[word] |= bit;
	else if (value == '0')
		r->off[word] |= bit;
}

/* name=value. The text, which is changed, ends behind it. */
static int by_name(struct parvus_error *e, struct rules *r, char *text)
{
	char *value = strchr(text, '=');
	unsigned int word;
	uint32_t bit;

	if (!value)
		return pv_fail(e, EINVAL, "cpuid: %.60s: feature=1, 0, x, k or s is expected",
			       pv_shown(text));
	*value++ = 0;
	if (AMONG(numbers, text))
		return !strcmp(value, "x") || !strcmp(value, "k") || !strcmp(value, "s") ? 0 :
			pv_fail(e, EINVAL, "cpuid: %s=%.40s: that number is the CPU's own in every "
				"domain (x, k and s leave it so)", text, value);
	if (!*value || value[1] || !strchr("01xks", *value))
		return pv_fail(e, EINVAL, "cpuid: %.40s=%.40s: 1, 0, x, k or s is expected", text,
			       value);
	if (AMONG(of_none, text))
		return *value != '1' ? 0 : pv_fail(e, EINVAL, "cpuid: %s=1: no domain has that",
						   text);
	if (!find(text, &word, &bit))
		return pv_fail(e, EINVAL, "cpuid: \"%.60s\" is no feature (xl.cfg(5) has their "
			       "names)", text);
	rule(r, word, bit, *value);
	return 0;
}

/* reg=32 characters, of a leaf. */
static int by_bits(struct parvus_error *e, struct rules *r, unsigned long leaf, unsigned long sub,
		   const char *text)
{
	unsigned int w, i;

	if (text[0] != 'e' || text[1] < 'a' || text[1] > 'd' || text[2] != 'x' || text[3] != '=' ||
	    strlen(text + 4) != 32 || strspn(text + 4, "01xks") != 32)
		return pv_fail(e, EINVAL, "cpuid: %.60s: eax= to edx= and 32 of 0, 1, x, k, s are "
			       "expected", pv_shown(text));
	for (w = 0; w < PARVUS_CPUID_WORDS; w++)
		if (words[w].leaf == leaf && words[w].sub == sub && words[w].reg == text[1])
			break;
	for (i = 0; i < 32; i++) {
		if (w < PARVUS_CPUID_WORDS)
			rule(r, w, 1u << (31 - i), text[4 + i]);
		else if (text[4 + i] < 'k')
			return pv_fail(e, EINVAL, "cpuid: leaf %#lx e%cx bit %u: features alone "
				       "can be said, of leaves 1, 7, 0xd,1, 0x80000001 and "
				       "0x80000007", leaf, text[1], 31 - i);
	}
	return 0;
}

/* leaf[,subleaf]:reg=bits[,reg=bits] */
static int by_leaf(struct parvus_error *e, struct rules *r, char *text)
{
	char *colon = strchr(text, ':'), *end, *next;
	unsigned long leaf, sub = 0;
	int ret = 0;

	errno = 0;
	leaf = strtoul(text, &end, 0);
	if (*end == ',')
		sub = strtoul(end + 1, &end, 0);
	if (!colon || end != colon || *text < '0' || *text > '9' || errno || leaf > UINT32_MAX ||
	    sub > UINT32_MAX)
		return pv_fail(e, EINVAL, "cpuid: %.60s: leaf[,subleaf]:register=bits is expected",
			       pv_shown(text));
	for (text = colon + 1; text && !ret; text = next) {
		next = strchr(text, ',');
		if (next)
			*next++ = 0;
		ret = by_bits(e, r, leaf, sub, text);
	}
	return ret;
}

/* host or a level, then names; or of a list one leaf. */
static int entry(struct parvus_error *e, struct rules *r, char *text)
{
	char *next = strchr(text, ',');
	int ret = 0;

	if (*text >= '0' && *text <= '9')
		return by_leaf(e, r, text);
	if (next)
		*next++ = 0;
	if (!strncmp(text, "x86-64-v", 8) && text[8] >= '1' && text[8] <= '3' && !text[9])
		r->level = (unsigned int)(text[8] - '0');
	else if (strcmp(text, "host") != 0)
		return pv_fail(e, EINVAL, "cpuid: %.60s: host, x86-64-v1, x86-64-v2 or x86-64-v3 "
			       "comes first, then feature=value; or a list of leaf:register=bits",
			       pv_shown(text));
	for (text = next; text && !ret; text = next) {
		next = strchr(text, ',');
		if (next)
			*next++ = 0;
		ret = by_name(e, r, text + strspn(text, " \t"));
	}
	return ret;
}

/* Entries of a list stand on lines of their own. */
static int parse(struct parvus_error *e, struct rules *r, const char *text)
{
	char *copy = strdup(text), *at = copy, *next;
	int ret = 0;

	memset(r, 0, sizeof(*r));
	if (!copy)
		return pv_fail(e, ENOMEM, "no memory");
	for (; at && !ret; at = next) {
		next = strchr(at, '\n');
		if (next)
			*next++ = 0;
		ret = entry(e, r, at);
	}
	free(copy);
	return ret;
}

int pv_cpuid_check(struct parvus_error *e, const char *text)
{
	struct rules r;

	return parse(e, &r, text);
}

/* ---- levels ---- */

/* What each level is made of, beside what is below it; a 0 ends it. */
static const char *const made_of[][16] = {
	{ "fpu", "cmov", "cmpxchg8", "fxsr", "mmx", "sse", "sse2", "syscall", "lm" },
	{ "cmpxchg16", "lahfsahf", "popcnt", "sse3", "ssse3", "sse4_1", "sse4_2" },
	{ "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave", "osxsave" },
};
/* And what kernels want, which each has as far as the host gives it. */
static const char *const beside[] = {
	"de", "pse", "tsc", "msr", "pae", "pge", "pat", "clfsh", "hypervisor", "nx",
};

static const char *lacks(const uint32_t host[PARVUS_CPUID_WORDS], unsigned int level,
			 uint32_t has[PARVUS_CPUID_WORDS])
{
	unsigned int l, i, word;
	uint32_t bit;

	memset(has, 0, PARVUS_CPUID_WORDS * sizeof(*has));
	for (l = 0; l < level; l++)
		for (i = 0; made_of[l][i] && find(made_of[l][i], &word, &bit); i++) {
			if (!(host[word] & bit))
				return made_of[l][i];
			has[word] |= bit;
		}
	for (i = 0; i < sizeof(beside) / sizeof(*beside); i++)
		if (find(beside[i], &word, &bit))
			has[word] |= host[word] & bit;
	return NULL;
}

unsigned int parvus_cpuid_level(const struct parvus_control_cpuid *c)
{
	uint32_t has[PARVUS_CPUID_WORDS];
	unsigned int level = sizeof(made_of) / sizeof(*made_of);

	while (level && lacks(c->features, level, has))
		level--;
	return level;
}

/* ---- what a domain gets ---- */

/* The second is of no use without the first, and a kernel would trust it. */
static const char *const needs[][2] = {
	{ "fxsr", "sse" }, { "sse", "sse2" }, { "sse2", "sse3" }, { "sse2", "aes" },
	{ "sse2", "pclmulqdq" }, { "sse2", "sha" }, { "sse2", "gfni" }, { "sse3", "ssse3" },
	{ "sse3", "sse4a" }, { "ssse3", "sse4_1" }, { "sse4_1", "sse4_2" }, { "sse2", "xsave" },
	{ "xsave", "osxsave" }, { "xsave", "xsaveopt" }, { "xsave", "xsavec" }, { "xsave", "avx" },
	{ "sse4_2", "avx" }, { "avx", "avx2" }, { "avx", "fma" }, { "avx", "f16c" },
	{ "avx", "xop" }, { "avx", "fma4" }, { "avx", "vaes" }, { "avx", "vpclmulqdq" },
	{ "avx2", "avx512f" }, { "avx512f", "avx512dq" }, { "avx512f", "avx512-ifma" },
	{ "avx512f", "avx512pf" }, { "avx512f", "avx512er" }, { "avx512f", "avx512cd" },
	{ "avx512f", "avx512bw" }, { "avx512f", "avx512vl" }, { "avx512f", "avx512-vbmi" },
	{ "avx512f", "avx512-vbmi2" }, { "avx512f", "avx512-vnni" },
	{ "avx512f", "avx512-bitalg" }, { "avx512f", "avx512-vpopcntdq" },
	{ "avx512f", "avx512-4vnniw" }, { "avx512f", "avx512-4fmaps" },
	{ "avx512f", "avx512-vp2intersect" },
};

/* A feature before those that need it: once through is enough, as the list is in that order. */
static int close_needs(struct parvus_error *e, const struct rules *r, uint32_t *f)
{
	unsigned int i, need, word;
	uint32_t need_bit, bit;

	for (i = 0; i < sizeof(needs) / sizeof(*needs); i++) {
		if (!find(needs[i][0], &need, &need_bit) || !find(needs[i][1], &word, &bit) ||
		    f[need] & need_bit || !(f[word] & bit))
			continue;
		if (r->on[word] & bit)
			return pv_fail(e, EINVAL, "cpuid: %s=1 needs %s, which it is not to have",
				       needs[i][1], needs[i][0]);
		f[word] &= ~bit;
	}
	return 0;
}

static bool has(const uint32_t *f, const char *name)
{
	unsigned int word;
	uint32_t bit;

	return find(name, &word, &bit) && f[word] & bit;
}

/* @c is the host's, and becomes the domain's. */
static int settle(struct parvus_error *e, const struct rules *r, struct parvus_control_cpuid *c)
{
	uint32_t host[PARVUS_CPUID_WORDS], missing;
	const char *lost;
	unsigned int w;
	char text[60];
	int ret;

	memcpy(host, c->features, sizeof(host));
	if (r->level) {
		lost = lacks(host, r->level, c->features);
		if (lost)
			return pv_fail(e, ENOTSUP, "cpuid: x86-64-v%u needs %s, which this host "
				       "does not give", r->level, lost);
	}
	for (w = 0; w < PARVUS_CPUID_WORDS; w++) {
		missing = r->on[w] & ~host[w];
		if (missing)
			return pv_fail(e, ENOTSUP, "cpuid: %s=1: this host does not give it",
				       shown(w, missing & -missing, text));
		c->features[w] = (c->features[w] | r->on[w]) & ~r->off[w];
	}
	ret = close_needs(e, r, c->features);
	if (!has(c->features, "xsave"))
		c->xcr0 = 0;
	else
		c->xcr0 &= 3 | (has(c->features, "avx") ? 4 : 0) |
			   (has(c->features, "avx512f") ? 0xe0 : 0);
	return ret;
}

/* ---- of a domain ---- */

static int cpuid_call(struct parvus *h, uint32_t domain, struct parvus_control_cpuid *c)
{
	int ret;

	c->domain = domain;
	ret = pv_call(h, PARVUS_CONTROL_CPUID, c, sizeof(*c));
	return ret >= 0 ? 0 : pv_fail(h->error, -ret, "domain %u: CPUID: %s", domain,
				      ret == -EINVAL ? "this host does not give all of it" :
				      ret == -EBUSY ? "it is built" : strerror(-ret));
}

int parvus_cpuid_read(struct parvus *h, uint32_t domain, struct parvus_control_cpuid *c)
{
	memset(c, 0, sizeof(*c));
	return cpuid_call(h, domain, c);
}

int parvus_cpuid_set(struct parvus *h, uint32_t domain, const struct parvus_control_cpuid *c)
{
	struct parvus_control_cpuid set = *c;

	set.flags = PARVUS_CPUID_SET;
	return cpuid_call(h, domain, &set);
}

int pv_cpuid_apply(struct parvus *h, uint32_t domain, const char *text)
{
	struct parvus_control_cpuid c = { 0 };
	struct rules r;
	int ret = parse(h->error, &r, text);

	if (!ret)
		ret = parvus_cpuid_read(h, PARVUS_DOMAIN_SELF, &c);
	if (!ret)
		ret = settle(h->error, &r, &c);
	return ret ? ret : parvus_cpuid_set(h, domain, &c);
}
