// SPDX-License-Identifier: GPL-2.0-only
/*
 * A frame that was used through a large page and is released: the next access ends the
 * domain, however warm the TLB.
 * @expect killed names gfn 1005, which has no memory
 * @mem 31M
 * @beside canary
 */
#include "lib/grant.h"

void test(void)
{
	volatile u64 *p = va(0x1005000);

	*p = 1;
	EXPECT_EQ(release(0x1005000, 1), 1);
	EXPECT_EQ(*(volatile u64 *)va(0x1004000), 0);
	*p = 2;
	print("FAILED: wrote to a released frame\n");
}
