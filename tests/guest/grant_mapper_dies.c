// SPDX-License-Identifier: GPL-2.0-only
/*
 * A domain ends while it maps frames of another one: these mappings end with it. Before,
 * the offer cannot be revoked nor the frame released; after, both can.
 * @domains 2
 * @mem 15M
 */
#include "lib/grant.h"

void test(void)
{
	u64 gpa = page_new();
	u32 ref, h;
	int ret, busy = 0;

	share();
	if (ME == 1) {
		wait_for(1);
		for (int i = 1; i < 20; i++)
			EXPECT_EQ(grant_map(0, 2, i & 1 ? RO : 0, HOLE + PAGE * i, &h), 0);
		*(volatile u64 *)va(HOLE + 2 * PAGE) = 0x99;
		reached(1);
		wait_for(2);
		return;
	}
	EXPECT_EQ(offer(gpa, 1, 0, &ref), 0);
	reached(1);
	wait_for(1);
	BAD(revoke(ref), PARVUS_EBUSY);
	BAD(release(gpa, 1), PARVUS_EBUSY);
	reached(2);
	while ((ret = revoke(ref)) == -PARVUS_EBUSY) {
		busy++;
		parvus_yield();
	}
	EXPECT_EQ(ret, 0);
	EXPECT_EQ(*(volatile u64 *)va(gpa), 0x99);
	EXPECT_EQ(release(gpa, 1), 1);
	/* the shared page too is its owner's alone */
	EXPECT_EQ(revoke(shared_ref), 0);
}
