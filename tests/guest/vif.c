// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual interrupt flag: a raised vector waits for it, pending says so, and one
 * call after setting the flag delivers it. Higher vectors come first. block returns
 * when a vector is there.
 */
#include "lib/guest.h"

static volatile u64 order, count;

static void handler(struct frame *f)
{
	EXPECT_EQ(area.irq_enabled, 0);
	EXPECT(f->rflags & 0x200);
	order = order << 8 | f->vector;
	count++;
}

void test(void)
{
	on_trap = handler;
	irq_off();
	EXPECT_EQ(parvus_vector_raise(0, 0x40), 0);
	EXPECT_EQ(parvus_vector_raise(PARVUS_VCPU_SELF, 0x90), 0);
	EXPECT_EQ(parvus_vector_raise(0, 0x41), 0);
	EXPECT_EQ(parvus_vector_raise(0, 0x41), 0);
	EXPECT_EQ(count, 0);
	EXPECT_EQ(area.pending, 1);
	irq_on();
	EXPECT_EQ(count, 3);
	EXPECT_EQ(order, 0x904140);
	EXPECT_EQ(area.pending, 0);
	EXPECT_EQ(area.irq_enabled, 1);
	EXPECT_EQ(parvus_vector_raise(0, 0x55), 0);
	EXPECT_EQ(count, 4);
	irq_off();
	EXPECT_EQ(parvus_vector_raise(0, 0x56), 0);
	EXPECT_EQ(parvus_block(), 0);
	EXPECT_EQ(count, 5);
}
