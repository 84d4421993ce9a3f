// SPDX-License-Identifier: GPL-2.0-only
/*
 * A boot bundle (rule 75): files are found within the archive alone, each line of a manifest is a
 * domain with terminated names, nothing, or an error that says what.
 */
#include "lib/fuzz.h"
#include <boot/bundle.h>

static void line(const char *text, size_t bytes)
{
	struct bundle_domain d;
	const char *error = NULL;
	int ret = manifest_line(text, bytes, &d, &error);

	FUZZ_CHECK(ret >= -1 && ret <= 1);
	FUZZ_CHECK(ret >= 0 || error);
	if (ret != 1)
		return;
	FUZZ_CHECK(memchr(d.name, 0, sizeof(d.name)) && d.name[0]);
	FUZZ_CHECK(memchr(d.kernel, 0, sizeof(d.kernel)));
	FUZZ_CHECK(memchr(d.initrd, 0, sizeof(d.initrd)));
	FUZZ_CHECK(memchr(d.cmdline, 0, sizeof(d.cmdline)));
}

void fuzz_one(const uint8_t *data, size_t bytes)
{
	struct bundle_file f = { data, bytes };
	size_t n, at;

	/* an archive, or the manifest by itself */
	if (bundle_find(data, bytes, "manifest", &f))
		FUZZ_CHECK(f.data >= data && f.size <= bytes &&
			   (size_t)(f.data - data) <= bytes - f.size);
	for (at = 0; at < f.size; at += n + 1) {
		const uint8_t *end = memchr(f.data + at, '\n', f.size - at);
		char *copy;

		n = end ? (size_t)(end - f.data) - at : f.size - at;
		copy = malloc(n + !n);
		memcpy(copy, f.data + at, n);
		line(copy, n);
		free(copy);
	}
}

FUZZ_TARGET()
