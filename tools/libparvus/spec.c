// SPDX-License-Identifier: LGPL-2.1-or-later
/* libparvus: words and numbers of an entry of disk = [...] or vif = [...]. */
#include "spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pv_spec_wrong(const struct spec *s, const char *format, ...)
{
	char why[300];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	return pv_fail(s->error, EINVAL, "%s: \"%.100s\": %s", s->where, s->text, why);
}

int pv_spec_set(const struct spec *s, char **to, const char *text)
{
	if (*to)
		return pv_spec_wrong(s, "\"%.40s\" and \"%.40s\" are given for the same", *to,
				     text);
	*to = strdup(text);
	return *to ? 0 : pv_fail(s->error, ENOMEM, "no memory");
}

char *pv_spec_trim(char *p)
{
	size_t n;

	p += strspn(p, " \t\n");
	n = strlen(p);
	while (n && strchr(" \t\n", p[n - 1]))
		p[--n] = 0;
	return p;
}

bool parvus_size_parse(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "kmgt";
	unsigned long long n;
	const char *suffix;
	unsigned int shift;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		suffix = strchr(suffixes, *end >= 'A' && *end <= 'Z' ? *end + 32 : *end);
		if (!suffix || end[1])
			return false;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
		if (n > UINT64_MAX >> shift)
			return false;
		n <<= shift;
	}
	*bytes = n;
	return true;
}

bool parvus_number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *n)
{
	unsigned long long v;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end || v < min || v > max)
		return false;
	*n = v;
	return true;
}

int pv_spec_number(const struct spec *s, const char *key, const char *text, uint64_t min,
		   uint64_t max, uint32_t *to)
{
	uint64_t n;

	if (!parvus_number_parse(text, min, max, &n))
		return pv_spec_wrong(s, "%s is not a number from %llu to %llu: \"%.40s\"", key,
				     (unsigned long long)min, (unsigned long long)max, text);
	*to = (uint32_t)n;
	return 0;
}
