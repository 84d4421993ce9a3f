// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest kernel as it comes in the boot bundle (rule 75): what elf_parse() accepts, elf_load()
 * copies without a look beyond the file, to addresses that it said before.
 */
#include "lib/fuzz.h"
#include <boot/bundle.h>

static struct elf_image image;

static int copy(void *arg, uint64_t gpa, const void *from, uint64_t bytes)
{
	volatile uint8_t first, last;

	(void)arg;
	FUZZ_CHECK(gpa >= image.low && gpa <= image.high && bytes <= image.high - gpa);
	if (from && bytes) {
		first = *(const uint8_t *)from;
		last = ((const uint8_t *)from)[bytes - 1];
		(void)(first + last);
	}
	return 0;
}

void fuzz_one(const uint8_t *data, size_t bytes)
{
	uint8_t *file = aligned_alloc(8, (bytes + 8) & ~7ull);
	/* elf_parse() wants it aligned; the end is the sanitizer's to see in whole words */
	uint8_t *at = file + ((bytes + 8) & ~7ull) - ((bytes + 7) & ~7ull);

	memcpy(at, data, bytes);
	if (!elf_parse(at, bytes, &image))
		elf_load(&image, copy, NULL);
	free(file);
}

FUZZ_TARGET()
