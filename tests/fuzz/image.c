// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest kernel as the toolstack takes it (rule 75): ELF, packed in any way, or a bzImage. It is
 * accepted whole, or refused with one line that says why.
 */
#include "lib/fuzz.h"
#include "libparvus.h"

void fuzz_one(const uint8_t *data, size_t bytes)
{
	struct parvus_image *image = NULL;
	struct parvus_error e = { 0 };
	uint8_t *copy = malloc(bytes + !bytes);

	memcpy(copy, data, bytes);
	if (parvus_image_parse(&e, "f", copy, bytes, &image)) {
		FUZZ_CHECK(!image && e.text[0] && !strchr(e.text, '\n'));
	} else {
		FUZZ_CHECK(image);
		parvus_image_free(image);
	}
	free(copy);
}

FUZZ_TARGET()
