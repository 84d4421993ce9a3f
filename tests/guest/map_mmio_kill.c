// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page-table entry that names a frame which is not the domain's memory (mmio):
 * using it ends the domain, and touches nothing.
 * @expect killed which has no memory
 * @beside canary
 */
#include "lib/guest.h"

void test(void)
{
	map(0x40000000, 0xfee00000, P | W | U);
	*(volatile u64 *)0x40000000 = 0x4141414141414141;
	print("FAILED: wrote to a foreign frame\n");
}
