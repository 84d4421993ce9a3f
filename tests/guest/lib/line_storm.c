// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domain 0 for system/storm. The second serial port asks for an interrupt as long as it has nothing
 * to send, and its line is mapped as a level: each EOI brings the next one, as from a device that
 * is broken, or whose driver is. The command line is "calm FROM UNTIL" or "storm FROM UNTIL", in
 * seconds; it says how many interrupts came, and how many storms the hypervisor saw.
 */
#include "irq.h"

#define SECOND	1000000000ull
#define LINE	3u
#define PORT	0x2f8

static volatile u64 came;
static u32 handle;

static void handler(struct frame *f)
{
	if (f->vector == PARVUS_VECTOR_TIMER)
		return;
	came++;
	EXPECT_EQ(parvus_irq_op(PARVUS_IRQ_EOI, handle), 0);
}

/* Interrupts off and no timer set: asleep until then, but for the storm. */
static void sleep_until(u64 ns)
{
	while (now_ns() < ns) {
		irq_off();
		EXPECT_EQ(parvus_timer_set(ns), 0);
		parvus_block();
		irq_on();
	}
}

void test(void)
{
	const char *word = va(start_info->cmdline);
	bool storm = word[0] == 's';
	u64 from = (u64)(word[storm ? 6 : 5] - '0') * SECOND;
	u64 until = (u64)(word[storm ? 8 : 7] - '0') * SECOND;
	s64 ret;

	EXPECT(from && until > from);
	clock_setup();
	on_trap = handler;
	irq_on();
	sleep_until(from - SECOND / 2);
	ret = irq_map(PARVUS_IRQ_LINE, LINE, PARVUS_IRQ_LEVEL);
	EXPECT(ret >= 0);
	handle = (u32)ret;
	EXPECT_EQ(irq_target(handle, 0, 0x41), 0);
	out8(PORT + 4, 8);
	out8(PORT + 1, storm ? 2 : 0);
	EXPECT_EQ(parvus_irq_op(PARVUS_IRQ_UNMASK, handle), 0);
	sleep_until(until + SECOND / 2);
	EXPECT_EQ(parvus_irq_op(PARVUS_IRQ_UNMAP, handle), 0);
	out8(PORT + 1, 0);
	print("storm: %lu came, %lu storms\n", came, irq_info().storms);
	sleep_until(until + 2 * SECOND);
}
