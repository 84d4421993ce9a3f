// SPDX-License-Identifier: GPL-2.0-only
/*
 * A domain that was given no device reaches none: irq_op is domain 0's, whatever the arguments,
 * ports read as ones and swallow what is written, and frames of devices are page faults. Domain 0,
 * which runs beside it, sees nothing of its tries.
 * @control 1
 * @domains 2
 */
#include "lib/control.h"
#include "lib/irq.h"

static void get(void *arg) { (void)*(volatile u32 *)arg; }
static void put(void *arg) { *(volatile u32 *)arg = 0xffffffff; }

static void intruder(void)
{
	/* I/O and local APIC, HPET, ECAM of q35, BARs, and the messages of CPU 1 */
	static const u64 frames[] = { 0xfec00000, 0xfee00000, 0xfed00000, 0xb0000000, 0xe0000000,
				      0xfebd0000, 0xfeb00000, 0xfee01000 };
	u64 at = 0x40000000;

	for (u64 op = 0; op < PARVUS_IRQ_OPS + 2; op++) {
		EXPECT_EQ(parvus_irq_op(op, 0), -(s64)PARVUS_EPERM);
		irq_new(PARVUS_IRQ_LINE, RTC_LINE);
		EXPECT_EQ(irq_call(op), -(s64)PARVUS_EPERM);
		EXPECT_EQ(irq_record.handle, 0);
	}
	for (u32 port = 0; port < 0x1000; port++)
		EXPECT_EQ(in8((u16)port), 0xff);
	for (u32 port = 0; port < 0x10000; port += 64)
		EXPECT_EQ(in32((u16)port), 0xffffffff);
	out32(0xcf8, 0x80000000);
	EXPECT_EQ(in32(0xcfc), 0xffffffff);
	out8(0xcf9, 6);			/* reset, three times over */
	out8(0x64, 0xfe);
	out8(0x92, 1);
	for (u32 i = 0; i < 256; i++)
		cmos_set((u8)i, 0xa5);
	for (u32 i = 0; i < sizeof(frames) / 8; i++, at += PAGE) {
		map(at, frames[i], P | W | U);
		EXPECT_EQ(catch_fault(get, (void *)at), 1);
		EXPECT_EQ(fault.vector, 14);
		EXPECT_EQ(catch_fault(put, (void *)at), 1);
	}
}

void test(void)
{
	if (!(start_info->flags & PARVUS_START_CONTROL)) {
		intruder();
		return;
	}
	cmos_set(0x50, 0x5a);
	out32(0xcf8, 0x80000000);
	do {
		EXPECT_EQ(in32(0xcf8), 0x80000000);
		EXPECT(in32(0xcfc) != 0xffffffff);
		out8(0x70, 0x50);
		EXPECT_EQ(in8(0x71), 0x5a);
		ARG(parvus_control_info)->domain = 1;
		EXPECT_EQ(control(PARVUS_CONTROL_INFO), 0);
	} while (((struct parvus_control_info *)control_page)->state != PARVUS_DOMAIN_SHUTDOWN);
	EXPECT_EQ(child_destroy(1), 0);
}
