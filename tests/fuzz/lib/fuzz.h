/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a fuzz target has. A target is a file tests/fuzz/NAME.c with fuzz_one(), which is
 * given bytes that a hostile peer might have written; it must abort when something is not
 * as it should be, and may print nothing. What it takes from the heap it gives back.
 * Its seeds are the files in tests/fuzz/seeds/NAME.
 *
 * The file is built twice: by gcc with lib/once.c, for make test, which runs it over the
 * seeds; and by clang with libFuzzer, for make fuzz.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_one(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The input, taken from the front; at its end there are only zeroes. */
struct fuzz_input {
	const uint8_t *at, *end;
};

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static inline uint32_t fuzz_u32(struct fuzz_input *in)
{
	uint32_t v = fuzz_u8(in);

	v |= (uint32_t)fuzz_u8(in) << 8;
	v |= (uint32_t)fuzz_u8(in) << 16;
	return v | (uint32_t)fuzz_u8(in) << 24;
}

static inline uint64_t fuzz_u64(struct fuzz_input *in)
{
	uint64_t low = fuzz_u32(in);

	return low | (uint64_t)fuzz_u32(in) << 32;
}

/* Fill a record; what is missing is zero. */
static inline void fuzz_fill(struct fuzz_input *in, void *to, size_t bytes)
{
	size_t n = (size_t)(in->end - in->at) < bytes ? (size_t)(in->end - in->at) : bytes;

	memset(to, 0, bytes);
	if (n)
		memcpy(to, in->at, n);
	in->at += n;
}

#define FUZZ_CHECK(c) do { \
	if (!(c)) { \
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #c); \
		abort(); \
	} \
} while (0)

/* libFuzzer's name for it, in each target once. */
#define FUZZ_TARGET() \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) \
	{ \
		fuzz_one(data, bytes); \
		return 0; \
	}

#endif
