/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table index that a guest names is bounded twice: by a branch, which gives the error,
 * and by this mask, which a CPU that guesses the branch wrong cannot get round (rule 26).
 */
#ifndef CORE_NOSPEC_H
#define CORE_NOSPEC_H

#include <core/types.h>

/* All ones if i < n, else 0, without a branch. */
static inline u64 index_mask(u64 i, u64 n)
{
	u64 mask;

	__asm__("cmp %2, %1; sbb %0, %0" : "=r"(mask) : "r"(i), "r"(n) : "cc");
	return mask;
}

#endif
