// SPDX-License-Identifier: GPL-2.0-only
/*
 * More mappings than the shadow pool holds, and ids that are never released: all go on
 * working, the domain pays for itself alone.
 * @mem 32M
 * @beside canary
 * @timeout 120
 */
#include "lib/guest.h"

void test(void)
{
	u64 one = page_new(), l2, l1;

	*(u64 *)va(one) = 0x5a;
	/* one leaf table in 4096 2 MiB regions of 8 top-level slots */
	l1 = page_new();
	for (int i = 0; i < 512; i++)
		((u64 *)va(l1))[i] = one | P | W | U;
	l2 = page_new();
	for (int i = 0; i < 512; i++)
		((u64 *)va(l2))[i] = l1 | P | W | U;
	for (u64 s = 0; s < 8; s++) {
		u64 l3 = page_new();

		root[s + 32] = l3 | P | W | U;
		for (int i = 0; i < 512; i++)
			((u64 *)va(l3))[i] = l2 | P | W | U;
	}
	barrier();
	for (u64 round = 0; round < 2; round++)
		for (u64 s = 0; s < 8; s++)
			for (u64 r = 0; r < 512; r++) {
				u64 at = (s + 32) << 39 | r << 30 | (r * 7 % 512) << 21;

				if (*(volatile u64 *)at != 0x5a) {
					EXPECT_EQ(*(volatile u64 *)at, 0x5a);
					return;
				}
			}
	for (u64 id = 1; id < 20000; id++) {
		if (parvus_mmu_switch(id, pa(root), 0, 1, 0, PARVUS_SWITCH_NONE)) {
			EXPECT_EQ(id, 0);
			return;
		}
		if (*(volatile u64 *)((32ull << 39) + (id % 512 << 21)) != 0x5a)
			EXPECT_EQ(id, 1);
	}
	for (u64 id = 1; id < 20000; id += 3)
		parvus_mmu_release(id);
	/* id 19999 was the current one, and is gone */
	EXPECT_EQ(parvus_mmu_switch(0, pa(root), 0, 0, 0, PARVUS_SWITCH_ALL), 0);
	EXPECT_EQ(*(volatile u64 *)(33ull << 39), 0x5a);
}
