// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions of a guest (rule 38): whatever the bytes are, no more than 15 of them are looked at,
 * and what comes out names registers that there are. One after the other, as a guest runs them.
 */
#include "lib/fuzz.h"
#include <x86/decode.h>

void fuzz_one(const uint8_t *data, size_t bytes)
{
	size_t at = 0, n;
	struct insn i, part;

	while (at < bytes) {
		uint8_t *copy;

		n = bytes - at < INSN_MAX ? bytes - at : INSN_MAX;
		copy = malloc(n);
		memcpy(copy, data + at, n);
		memset(&i, 0x5a, sizeof(i));
		insn_decode(copy, n, &i);
		free(copy);
		if (i.op == INSN_NONE) {
			at++;
			continue;
		}
		FUZZ_CHECK(i.length && i.length <= n);
		FUZZ_CHECK(i.reg < 16 && i.special < 16);
		/* it needs its last byte */
		copy = malloc(i.length);
		memcpy(copy, data + at, i.length);
		insn_decode(copy, i.length - 1u, &part);
		free(copy);
		FUZZ_CHECK(part.op == INSN_NONE);
		if (i.memory) {
			FUZZ_CHECK(i.base >= -1 && i.base < 16 && i.index >= -1 && i.index < 16);
			FUZZ_CHECK(i.scale == 1 || i.scale == 2 || i.scale == 4 || i.scale == 8 ||
				   i.index < 0);
		}
		at += i.length;
	}
}

FUZZ_TARGET()
