// SPDX-License-Identifier: GPL-2.0-only
/*
 * A frame that cannot be pushed becomes a double fault on the registered stack, with
 * the interrupted context in its frame.
 */
#include "lib/guest.h"

static u8 df_stack[4096] __attribute__((aligned(16)));
static struct parvus_callbacks c __attribute__((aligned(64)));

static void handler(struct frame *f)
{
	EXPECT_EQ(f->vector, 8);
	EXPECT_EQ(f->rsp, 0xffffffffa0000000);
	EXPECT_EQ(f->cs, PARVUS_KERNEL_CS);
	EXPECT((u64)f > (u64)df_stack && (u64)f < (u64)df_stack + sizeof(df_stack));
	end(failures ? 1 : 0);
}

void test(void)
{
	c.size = sizeof(c);
	c.version = 1;
	c.df_stack = (u64)df_stack + sizeof(df_stack);
	EXPECT_EQ(parvus_callbacks_set(pa(&c)), 0);
	on_trap = handler;
	__asm__ volatile("mov %0, %%rsp; ud2" : : "r"(0xffffffffa0000000));
}
