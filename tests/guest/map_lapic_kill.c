// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domain 0 reaches devices, but neither a local APIC nor the addresses around it, where a
 * write is an interrupt message to any CPU.
 * @control 1
 * @expect killed which has no memory
 */
#include "lib/guest.h"

static void use(void *arg) { *(volatile u32 *)arg; }

void test(void)
{
	/* a frame beside it is a device's, as far as anybody knows */
	map(0x40000000, 0xfed00000, P | W | U);
	EXPECT_EQ(catch_fault(use, (void *)0x40000000), 0);
	if (failures)
		end(1);
	map(0x40001000, 0xfee01000, P | W | U);
	*(volatile u32 *)0x40001000 = 0x31;
	print("FAILED: sent an interrupt\n");
}
