// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two vCPUs return at once by frames whose selectors IRET refuses, with no stack to take the
 * fault that they get for it. The first ends the domain; the other finds it ended when it
 * fails, and must leave the pCPU all the same, not return by what was refused (rules 62, 65).
 * Sixteen domains try it one after the other: on two CPUs one in five met it.
 * @vcpus 2
 * @domains 16
 * @expect killed exception 13 cannot be delivered
 */
#include "lib/guest.h"

#define SLOT_NS	20000000ull	/* each domain has the two CPUs for itself meanwhile */

static volatile u64 ready;

static void __attribute__((noreturn)) bad_return(struct parvus_vcpu_area *a)
{
	u64 f[8] = { 0, 0, 0, USER_CODE, 3, 0x202, USER_STACK - 64, 3 };

	a->sp0 = PARVUS_HOLE_START;
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	while (ready < 2)
		;
	for (;;)
		__asm__ volatile("mov %0, %%rsp; syscall"
				 : : "r"(f), "a"(PARVUS_HC_iret) : "memory");
}

void secondary_main(u64 arg)
{
	bad_return(&areas[arg]);
}

static volatile u64 fired;

static void wake_up(struct frame *f)
{
	(void)f;
	fired++;
}

void test(void)
{
	on_trap = wake_up;
	clock_setup();
	EXPECT_EQ(parvus_timer_set(now_ns() + (start_info->domain + 2) * SLOT_NS), 0);
	wait_change(&fired, 0);
	irq_off();
	vcpu_begin(1, 1);
	bad_return(&area);
}
