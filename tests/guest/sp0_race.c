// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sibling rewrites sp0 while system calls push their frame there: now the kernel's stack, now the
 * address by which ring 0 reaches a page of this very domain. Who checks one value and uses another
 * writes that page. Each call must reach the kernel, or be a double fault (rule 28).
 * @control 1
 * @vcpus 2
 */
#include "lib/guest.h"

#define CALLS	20000u

static const u8 code[] = { 0x0f, 0x05 };
static u8 df_stack[4096] __attribute__((aligned(16)));
static struct parvus_callbacks c __attribute__((aligned(64)));
static u64 good, bad;
static volatile u64 stop;

void secondary_main(u64 arg)
{
	volatile u64 *sp0 = &area.sp0;

	(void)arg;
	while (!stop) {
		*sp0 = good;
		*sp0 = bad;
	}
	for (;;)
		parvus_vcpu_stop();
}

void test(void)
{
	u64 page = page_new(), calls = 0, faults = 0;
	volatile u64 *word = va(page);

	c.size = sizeof(c);
	c.version = 1;
	c.syscall_entry = (u64)syscall_stub;
	c.df_stack = (u64)df_stack + sizeof(df_stack);
	EXPECT_EQ(parvus_callbacks_set(pa(&c)), 0);
	user_setup(code, sizeof(code));
	good = area.sp0;
	bad = PARVUS_HOLE_START + page + PAGE;	/* domain 0 has the frames of its gfns */
	memset((void *)word, 0x5a, PAGE);
	vcpu_begin(1, 1);
	while (calls + faults < CALLS) {
		user_run(0);
		calls += user_trap.vector == 0x100;
		faults += user_trap.vector == 8;
		if (user_trap.vector != 0x100 && user_trap.vector != 8) {
			EXPECT_EQ(user_trap.vector, 8);
			break;
		}
	}
	stop = 1;
	while (parvus_vcpu_state(1))
		parvus_yield();
	area.sp0 = good;
	for (u64 i = 0; i < PAGE / 8; i++)
		EXPECT_EQ(word[i], 0x5a5a5a5a5a5a5a5a);
	print("%u calls, %u double faults\n", (unsigned int)calls, (unsigned int)faults);
	EXPECT(calls && faults);
}
