// SPDX-License-Identifier: GPL-2.0-only
/*
 * A store of ring 0 to a guest address whose entry is gone again each time that it was served, as
 * a sibling can have it: system/retries plays the sibling, by another page for each try. The
 * instruction ends with its fault, and nothing was stored.
 */
#include "guest.h"

#define PAGES	200ull
#define FIRST	0x10000000ull	/* pages that are there, and that nobody has touched */

static void store(void *at)
{
	__asm__ volatile("smsw (%0)" : : "D"(at) : "memory");	/* emulated, with UMIP */
}

void test(void)
{
	u64 i, kept = page_new();

	for (i = 0; i < PAGES; i++)
		map(FIRST + i * PAGE, kept, P | W | U);
	EXPECT_EQ(catch_fault(store, (void *)FIRST), 1);
	EXPECT_EQ(fault.vector, 13);
	EXPECT_EQ(*(u64 *)va(kept), 0);
	/* and when nobody disturbs it, it is done */
	EXPECT_EQ(catch_fault(store, (void *)(FIRST + (PAGES - 1) * PAGE)), 0);
	EXPECT_EQ(*(u64 *)va(kept), 0x33);
}
