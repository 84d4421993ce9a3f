// SPDX-License-Identifier: GPL-2.0-only
/*
 * A domain ends while another one maps its frames: the other goes on with them, and nothing
 * more can be had of the dead. The frames are free after it as well (the runner looks).
 * @domains 2
 * @mem 15M
 */
#include "lib/grant.h"

void test(void)
{
	volatile u64 *p = va(HOLE + PAGE);
	u64 mine = page_new();
	u32 ref, h, h2;

	share();
	if (ME == 0) {
		u64 gpa = page_new();

		((u64 *)va(gpa))[7] = 0x77;
		EXPECT_EQ(offer(gpa, 1, 0, &ref), 0);
		EXPECT_EQ(offer(gpa, 1, RO, &ref), 0);
		reached(1);
		wait_for(1);
		return;
	}
	wait_for(1);
	EXPECT_EQ(grant_map(0, 2, 0, HOLE + PAGE, &h), 0);
	EXPECT_EQ(grant_map(0, 3, RO, HOLE + 2 * PAGE, &h2), 0);
	EXPECT_EQ(p[7], 0x77);
	reached(1);
	while (!grant_copy(end_of(0, 3, 0), end_own(mine), 64))
		parvus_yield();
	for (u64 i = 0; i < 100; i++) {
		p[8] = i;
		EXPECT_EQ(*(volatile u64 *)va(HOLE + 2 * PAGE + 64), i);
		flush_everything();
	}
	EXPECT_EQ(p[7], 0x77);
	BAD(grant_map(0, 2, 0, HOLE + 3 * PAGE, &ref), PARVUS_ENOENT);
	while (!offer(mine, 0, 0, &ref)) {	/* it is still being taken apart */
		EXPECT_EQ(revoke(ref), 0);
		parvus_yield();
	}
	BAD(offer(mine, 0, 0, &ref), PARVUS_ENOENT);
	EXPECT_EQ(grant_unmap(h, (u64)p), 0);
	EXPECT_EQ(*(volatile u64 *)va(HOLE + 2 * PAGE + 56), 0x77);
	BAD(grant_unmap(h, (u64)p), PARVUS_ENOENT);
	/* the other one, and the shared page, go with this domain */
}
