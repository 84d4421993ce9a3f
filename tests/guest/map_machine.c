// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domain 0 reaches devices and firmware, but neither a local APIC nor the addresses around it,
 * where a write is an interrupt message to any CPU, nor an I/O APIC, the hypervisor's image,
 * or RAM that is not its own: each access is a page fault of its kernel, also under a large
 * page that covers what it may have and what it may not.
 * @control 1
 */
#include "lib/guest.h"

static void get(void *arg) { (void)*(volatile u32 *)arg; }
static void put(void *arg) { *(volatile u32 *)arg = 0x31; }

void test(void)
{
	static const u64 open[] = { 0xfed00000, 0xf0000, 0x400 };
	static const u64 closed[] = { 0xfee00000, 0xfee01000, 0xfeeff000, 0xfec00000, 0x100000,
				      0x4000000 };
	u64 at = 0x40000000;

	for (unsigned int i = 0; i < sizeof(open) / 8; i++, at += PAGE) {
		map(at, open[i] & ~0xfffull, P | W | U);
		EXPECT_EQ(catch_fault(get, (void *)(at + (open[i] & 0xfff))), 0);
	}
	for (unsigned int i = 0; i < sizeof(closed) / 8; i++, at += PAGE) {
		map(at, closed[i], P | W | U);
		EXPECT_EQ(catch_fault(get, (void *)at), 1);
		EXPECT_EQ(fault.vector, 14);
		EXPECT_EQ(fault.cr2, at);
		EXPECT_EQ(catch_fault(put, (void *)at), 1);
		EXPECT_EQ(fault.vector, 14);
	}
	/* 2 MiB: the first MiB is open, the hypervisor's image behind it is not */
	*entry_of(root, 0x60000000, 2) = 0 | P | W | U | PS;
	EXPECT_EQ(catch_fault(get, (void *)0x600f0000), 0);
	EXPECT_EQ(catch_fault(get, (void *)0x60100000), 1);
	EXPECT_EQ(catch_fault(put, (void *)0x60100000), 1);
	/* and one around the APICs */
	*entry_of(root, 0x60200000, 2) = 0xfee00000 | P | W | U | PS;
	EXPECT_EQ(catch_fault(put, (void *)0x60200000), 1);
	EXPECT_EQ(catch_fault(put, (void *)0x60205000), 1);
}
