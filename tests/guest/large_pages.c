// SPDX-License-Identifier: GPL-2.0-only
/*
 * 2 MiB and 1 GiB guest mappings, over one extent and over scattered frames; one flush
 * of any page in them takes all of it away; a change of size needs no more than a flush.
 * @mem 32M
 */
#include "lib/guest.h"

#define AT 0x40000000ull
#define GB 0x80000000ull
static void rd(void *arg) { (void)*(volatile u64 *)arg; }
static void wr(void *arg) { *(volatile u64 *)arg = 9; }

void test(void)
{
	volatile u64 *e = entry_of(root, AT, 2), *g;
	u32 d;

	for (u64 gpa = 0x1000000; gpa < 0x1200000; gpa += PAGE)
		*(volatile u64 *)va(gpa) = gpa;
	*e = 0x1000000 | P | W | U | PS;
	for (u64 o = 0; o < 0x200000; o += PAGE)
		EXPECT_EQ(*(volatile u64 *)(AT + o), 0x1000000 + o);
	EXPECT_EQ(*e & (A | D), A);
	*(volatile u64 *)(AT + 0x1000) = 5;
	EXPECT_EQ(*(volatile u64 *)va(0x1001000), 5);
	EXPECT(*e & D);
	*e = 0;
	flush_page(AT + 0x1ff000);
	EXPECT(catch_fault(rd, (void *)AT));
	EXPECT(catch_fault(rd, (void *)(AT + 0x100000)));
	/* write protection of the whole by one page's flush */
	*e = 0x1000000 | P | U | PS;
	EXPECT(catch_fault(wr, (void *)(AT + 0x3000)));
	EXPECT(!catch_fault(rd, (void *)(AT + 0x3000)));
	/* large to small and back */
	*e = 0;
	flush_page(AT);
	*entry_of(root, AT + 0x5000, 1) = 0x1007000 | P | W | U;
	EXPECT_EQ(*(volatile u64 *)(AT + 0x5000), 0x1007000);
	EXPECT(catch_fault(rd, (void *)(AT + 0x6000)));
	*e = 0x1000000 | P | W | U | PS;
	flush_page(AT + 0x5000);
	EXPECT_EQ(*(volatile u64 *)(AT + 0x5000), 0x1005000);
	EXPECT_EQ(*(volatile u64 *)(AT + 0x6000), 0x1006000);
	/* even without any flush, swapping sizes must not hurt the hypervisor */
	for (int i = 0; i < 200; i++) {
		*e = 0;
		*entry_of(root, AT + 0x5000, 1) = 0x1007000 | P | W | U;
		catch_fault(rd, (void *)(AT + 0x5000));
		*e = 0x1000000 | P | W | U | PS;
		catch_fault(rd, (void *)(AT + 0x8000));
	}
	flush_everything();
	__asm__ volatile("cpuid" : "=d"(d) : "a"(0x80000001) : "ebx", "ecx");
	if (d >> 26 & 1) {
		g = entry_of(root, GB, 3);
		*g = 0 | P | W | U | PS;
		for (u64 o = 0x1000000; o < 0x1200000; o += PAGE)
			(void)*(volatile u64 *)(GB + o);
		EXPECT_EQ(*(volatile u64 *)(GB + 0x1002000), 0x1002000);
		*g = 0;
		flush_page(GB + 0x123000);
		EXPECT(catch_fault(rd, (void *)(GB + 0x1002000)));
	}
	/* reserved bits of a large entry */
	*e = 0x1002000 | P | W | U | PS;
	flush_page(AT);
	EXPECT(catch_fault(rd, (void *)AT));
	EXPECT_EQ(fault.error & 8, 8);
}
