// SPDX-License-Identifier: GPL-2.0-only
/*
 * A frame that was used through a large page and is released: the next access is a page
 * fault, "not present", however warm the TLB. A read over its edge, as the kernel's string
 * functions make it (load_unaligned_zeropad), is one, too, of the first byte behind the edge; and
 * so is that of a program to which the page was mapped. The domain goes on.
 * @mem 31M
 * @beside canary
 */
#include "lib/grant.h"

static void put(void *arg) { *(volatile u64 *)arg = 2; }
static void get(void *arg) { (void)*(volatile u64 *)arg; }
static const u8 user_get[] = { 0x48, 0x8b, 0x07, 0xcd, 0x80 };	/* mov (%rdi), %rax; int $0x80 */

static void faulted(u64 error, volatile void *at)
{
	EXPECT_EQ(fault.vector, 14);
	EXPECT_EQ(fault.error, error);
	EXPECT_EQ(fault.cr2, at);
}

void test(void)
{
	volatile u64 *p = va(0x1005000);

	*p = 1;
	EXPECT_EQ(release(0x1005000, 1), 1);
	EXPECT_EQ(*(volatile u64 *)va(0x1004000), 0);
	EXPECT_EQ(catch_fault(put, (void *)p), 1);
	faulted(2, p);
	EXPECT_EQ(catch_fault(get, (char *)p - 3), 1);
	faulted(0, p);
	EXPECT_EQ(catch_fault(get, (char *)p + PAGE - 3), 1);
	faulted(0, (char *)p + PAGE - 3);
	user_setup(user_get, sizeof(user_get));
	map(0x700000, 0x1005000, P | W | U);
	user_run(0x700000);
	EXPECT_EQ(user_trap.vector, 14);
	EXPECT_EQ(user_trap.error, 4);
	EXPECT_EQ(area.cr2, 0x700000);
}
