// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables that name what is not the guest's: tables in absent frames end the walk,
 * reserved bits fault as such, entries for the hypervisor's slots are ignored, recursive
 * tables work and show only the guest's own tables.
 * @beside canary
 */
#include "lib/guest.h"

#define AT 0x40000000ull
static void rd(void *arg) { (void)*(volatile u64 *)arg; }

void test(void)
{
	static const u64 frames[] = { 0xfee00000, 0xfec00000, 0x40000000,
				      0x000ffffffffff000 & ~(3ull << 46), 0x100000000 };
	volatile u64 *l4 = &root[AT >> 39 & 511], *e, saved;

	for (u64 i = 0; i < sizeof(frames) / 8; i++) {
		for (int level = 4; level >= 2; level--) {
			u64 at = AT + (8ull << 39) + (i << 30);

			e = entry_of(root, at, level);
			*e = (frames[i] & 0x0000fffffffff000) | P | W | U;
			EXPECT(catch_fault(rd, (void *)at));
			EXPECT_EQ(fault.vector, 14);
			EXPECT_EQ(fault.error & 1, fault.error & 8 ? 1 : 0);
			*e = 0;
			flush_everything();
		}
	}
	/* reserved physical address bits at each level */
	for (int level = 4; level >= 1; level--) {
		u64 at = AT + (16ull << 39);

		e = entry_of(root, at, level);
		*e = page_new() | P | W | U | 1ull << 51;
		EXPECT(catch_fault(rd, (void *)at));
		EXPECT(fault.error & 8);
		*e = 0;
		flush_everything();
	}
	/* a large page at the top level is reserved */
	e = entry_of(root, AT + (17ull << 39), 4);
	*e = P | W | U | PS;
	EXPECT(catch_fault(rd, (void *)(AT + (17ull << 39))));
	EXPECT(fault.error & 8);
	*e = 0;
	/* the hypervisor's slots: whatever the guest's root says */
	for (int i = 256; i < 272; i++)
		root[i] = page_new() | P | W | U;
	EXPECT_EQ(parvus_mmu_switch(0, pa(root), 0, 0, 0, PARVUS_SWITCH_ALL), 0);
	EXPECT(catch_fault(rd, (void *)PARVUS_HOLE_START));
	/* recursive: slot 300 is the root itself */
	root[300] = pa(root) | P | W | U | NX;
	barrier();
	EXPECT_EQ(*(volatile u64 *)0xffff964b2592c960, root[300]);
	saved = *l4;
	*(volatile u64 *)0xffff964b2592c960 |= 0x200;	/* a bit that is the guest's own */
	EXPECT(*(volatile u64 *)&root[300] & 0x200);
	for (u64 i = 256; i < 272; i++)
		(void)*(volatile u64 *)(0xffff964b2592c000 + i * 8);
	EXPECT_EQ(*l4, saved);
	*(volatile u64 *)(0xffff964b2592c000 + 7 * 8) = 0;
	root[300] = 0;
	barrier();
	flush_everything();
	EXPECT(catch_fault(rd, (void *)0xffff964b2592c960));
}
