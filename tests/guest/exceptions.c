// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions of the guest kernel arrive with the hardware's frame: virtual selectors,
 * the virtual interrupt flag, the error code, the faulting address.
 */
#include "lib/guest.h"

static void ud(void *arg) { (void)arg; __asm__ volatile("ud2"); }
static void de(void *arg)
{
	(void)arg;
	__asm__ volatile("xor %%eax, %%eax; div %%eax" : : : "eax", "edx");
}
static void bp(void *arg) { (void)arg; __asm__ volatile("int3"); }
static void rd(void *arg) { (void)*(volatile u64 *)arg; }
static void wr(void *arg) { *(volatile u64 *)arg = 1; }
static void run(void *arg) { ((void (*)(void))arg)(); }

void test(void)
{
	const u64 at = 0xffffffff90000000;

	EXPECT(catch_fault(ud, 0));
	EXPECT_EQ(fault.vector, 6);
	EXPECT_EQ(fault.cs, PARVUS_KERNEL_CS);
	EXPECT_EQ(fault.rflags & 0x200, 0);
	EXPECT_EQ(*(u16 *)fault.rip, 0x0b0f);
	irq_on();
	EXPECT(catch_fault(ud, 0));
	EXPECT_EQ(fault.rflags & 0x200, 0x200);
	EXPECT_EQ(area.irq_enabled, 1);	/* back where it was */
	irq_off();
	EXPECT(catch_fault(de, 0));
	EXPECT_EQ(fault.vector, 0);
	EXPECT(catch_fault(bp, 0));
	EXPECT_EQ(fault.vector, 3);
	EXPECT_EQ(*(u8 *)(fault.rip - 1), 0xcc);

	EXPECT(catch_fault(rd, (void *)at));
	EXPECT_EQ(fault.vector, 14);
	EXPECT_EQ(fault.error, 0);
	EXPECT_EQ(fault.cr2, at);
	EXPECT(catch_fault(wr, (void *)(at + 8)));
	EXPECT_EQ(fault.error, 2);
	EXPECT_EQ(fault.cr2, at + 8);
	map(at, page_new(), P | NX);
	EXPECT(!catch_fault(rd, (void *)at));
	EXPECT(catch_fault(wr, (void *)at));
	EXPECT_EQ(fault.error, 3);
	EXPECT(catch_fault(run, (void *)at));
	EXPECT_EQ(fault.error, 0x11);
	/* the hypervisor's hole and non-canonical addresses */
	EXPECT(catch_fault(rd, (void *)PARVUS_HOLE_START));
	EXPECT_EQ(fault.vector, 14);
	EXPECT_EQ(fault.cr2, PARVUS_HOLE_START);
	EXPECT(catch_fault(wr, (void *)(PARVUS_HOLE_END - 8)));
	EXPECT_EQ(fault.vector, 14);
	EXPECT(catch_fault(rd, (void *)0x800000000000));
	EXPECT_EQ(fault.vector, 13);
	/* guest kernel text lives in the high half */
	map(0x10000, page_new(), P | W);
	EXPECT(!catch_fault(wr, (void *)0x10000));
	EXPECT(catch_fault(run, (void *)0x10000));
	EXPECT_EQ(fault.vector, 14);
	EXPECT_EQ(fault.error, 0x11);
}
