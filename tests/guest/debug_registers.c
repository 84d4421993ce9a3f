// SPDX-License-Identifier: GPL-2.0-only
/*
 * A data breakpoint fires in the guest kernel and in user mode, DR6 says which, and it
 * belongs to its vCPU: another one on the same pCPU is not stopped by it.
 * @vcpus 3
 */
#include "lib/guest.h"

static volatile u64 watched __attribute__((aligned(8)));
static volatile u64 hits, done;

static void handler(struct frame *f)
{
	EXPECT_EQ(f->vector, 1);
	hits++;
}

void secondary_main(u64 arg)
{
	for (int i = 0; i < 2000; i++) {
		watched = arg;
		if (i % 10 == 0)
			parvus_yield();
	}
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
	for (;;)
		parvus_vcpu_stop();
}

static u64 dr(u64 n)
{
	EXPECT_EQ(parvus_debugreg_get(n), 0);
	return area.ret[0];
}

void test(void)
{
	static const u8 code[] = {
		0x48, 0x89, 0x3f, 0x90, 0x0f, 0x05
	}; /* mov %rdi, (%rdi); nop; syscall */

	on_trap = handler;
	EXPECT_EQ(parvus_debugreg_set(0, (u64)&watched), 0);
	EXPECT_EQ(parvus_debugreg_set(6, 0), 0);
	EXPECT_EQ(parvus_debugreg_set(7, 1 | 0xdull << 16), 0);	/* L0, write, 8 bytes */
	watched = 1;
	EXPECT_EQ(hits, 1);
	EXPECT_EQ(dr(6) & 0xf, 1);
	(void)watched;
	EXPECT_EQ(hits, 1);
	vcpu_begin(1, 1);
	vcpu_begin(2, 2);
	while (done < 2)
		parvus_yield();
	EXPECT_EQ(hits, 1);
	watched = 2;
	EXPECT_EQ(hits, 2);
	on_trap = 0;
	user_setup(code, sizeof(code));
	EXPECT_EQ(parvus_debugreg_set(0, USER_STACK - 128), 0);
	user_run(USER_STACK - 128);
	EXPECT_EQ(user_trap.vector, 1);
	EXPECT_EQ(user_trap.rip, USER_CODE + 3);
	EXPECT_EQ(parvus_debugreg_set(7, 0), 0);
	user_run(USER_STACK - 128);
	EXPECT_EQ(user_trap.vector, 0x100);
}
