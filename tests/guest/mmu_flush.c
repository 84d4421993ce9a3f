// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a flush takes away stays away: unmapped pages fault, write-protected pages
 * fault on writes, other frames show through; accessed and dirty bits are set as the
 * hardware sets them. Ranges, whole address spaces, by generation, after a switch.
 */
#include "lib/guest.h"

#define AT 0x40000000ull
static void rd(void *arg) { (void)*(volatile u64 *)arg; }
static void wr(void *arg) { *(volatile u64 *)arg = 9; }
#define READS(a)	(!catch_fault(rd, (void *)(a)))
#define WRITES(a)	(!catch_fault(wr, (void *)(a)))

void test(void)
{
	u64 one = page_new(), two = page_new(), copy;
	volatile u64 *e = entry_of(root, AT, 1);

	*(u64 *)va(one) = 1;
	*(u64 *)va(two) = 2;
	*e = one | P | W | U;
	EXPECT_EQ(*(volatile u64 *)AT, 1);
	EXPECT_EQ(*e & (A | D), A);
	EXPECT(WRITES(AT));
	EXPECT_EQ(*e & (A | D), A | D);
	EXPECT_EQ(*(u64 *)va(one), 9);

	*e = one | P | U | A | D;
	flush_page(AT);
	EXPECT(READS(AT));
	EXPECT(!WRITES(AT));
	EXPECT_EQ(fault.error, 3);
	*e = two | P | W | U;
	flush_page(AT);
	EXPECT_EQ(*(volatile u64 *)AT, 2);
	EXPECT_EQ(*e & (A | D), A);
	*e = 0;
	flush_page(AT);
	EXPECT(!READS(AT));
	EXPECT_EQ(fault.error, 0);
	*e = two | P | W | U;		/* making present needs no call */
	EXPECT_EQ(*(volatile u64 *)AT, 2);
	*e = two | P | W | U | A;	/* D taken away, told */
	flush_page(AT);
	EXPECT(WRITES(AT));
	EXPECT(*e & D);

	/* a named address space: by generation, precise and with a gap, and not at all */
	EXPECT_EQ(parvus_mmu_switch(5, pa(root), 0, 10, 0, PARVUS_SWITCH_NONE), 0);
	EXPECT_EQ(*(volatile u64 *)AT, 9);
	*e = one | P | W | U;
	EXPECT_EQ(parvus_mmu_flush(5, 11, AT, AT + PAGE, PAGE, PARVUS_FLUSH_RANGE), 0);
	EXPECT_EQ(*(volatile u64 *)AT, 9);
	*(u64 *)va(one) = 11;
	EXPECT_EQ(*(volatile u64 *)AT, 11);
	*e = two | P | W | U;
	EXPECT_EQ(parvus_mmu_flush(5, 20, AT + PAGE, AT + 2 * PAGE, PAGE, PARVUS_FLUSH_RANGE), 0);
	*(u64 *)va(two) = 22;
	EXPECT_EQ(*(volatile u64 *)AT, 22);	/* a gap of generations flushes all */
	*e = one | P | W | U;
	EXPECT_EQ(parvus_mmu_switch(5, pa(root), 0, 21, 0, PARVUS_SWITCH_NONE), 0);
	EXPECT_EQ(*(volatile u64 *)AT, 11);	/* the switch saw a higher generation */
	*e = two | P | W | U;
	EXPECT_EQ(parvus_mmu_switch(0, pa(root), 0, 0, 0, PARVUS_SWITCH_ALL), 0);
	EXPECT_EQ(*(volatile u64 *)AT, 22);
	EXPECT_EQ(parvus_mmu_release(5), 0);
	/* nothing of the anonymous one outlives a switch, also to the same root */
	*e = one | P | W | U;
	EXPECT_EQ(parvus_mmu_switch(0, pa(root), 0, 0, 0, PARVUS_SWITCH_NONE), 0);
	EXPECT_EQ(*(volatile u64 *)AT, 11);
	*e = two | P | W | U;
	EXPECT_EQ(parvus_mmu_switch(0, pa(root), 0, 0, 0, PARVUS_SWITCH_LOCAL), 0);
	EXPECT_EQ(*(volatile u64 *)AT, 22);
	/* the same id with another root is another address space */
	copy = page_new();
	for (int i = 0; i < 512; i++)
		((u64 *)va(copy))[i] = i < 256 ? 0 : root[i];
	*entry_of(va(copy), AT, 1) = one | P | W | U;
	EXPECT_EQ(parvus_mmu_switch(6, pa(root), 0, 1, 0, PARVUS_SWITCH_NONE), 0);
	EXPECT_EQ(*(volatile u64 *)AT, 22);
	EXPECT_EQ(parvus_mmu_switch(6, copy, 0, 1, 0, PARVUS_SWITCH_NONE), 0);
	EXPECT_EQ(*(volatile u64 *)AT, 11);
	EXPECT_EQ(parvus_mmu_switch(6, pa(root), 0, 1, 0, PARVUS_SWITCH_NONE), 0);
	EXPECT_EQ(*(volatile u64 *)AT, 22);
	EXPECT_EQ(parvus_mmu_age(6), 0);
	EXPECT_EQ(*(volatile u64 *)AT, 22);
}
