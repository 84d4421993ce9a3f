// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hostile return frames: non-canonical rip and rsp, selectors that do not exist or
 * belong to the hypervisor, flags that ring 3 must not have. The guest gets the
 * fault, or runs with what is allowed.
 */
#include "lib/guest.h"

static const u8 code[] = { 0x9c, 0x58, 0x0f, 0x05 };	/* pushf; pop %rax; syscall */
static struct frame f;

static void fresh(void)
{
	f = (struct frame){ .rip = USER_CODE, .cs = PARVUS_USER_CS, .ss = PARVUS_USER_SS,
			    .rflags = 0x202, .rsp = USER_STACK - 64 };
}

static void go(void)
{
	user_trap.vector = 999;
	enter_user(&f);
	user_sp = 0;
}

void test(void)
{
	static const u64 bad_rip[] = { 0x800000000000, 0x7ffffffff000, 0xffff7fffffffffff,
				       0x8000000000000000, 0x4141414141414141, PARVUS_HOLE_START };
	static const u16 bad_cs[] = { 0x80, 0x83, 0x88, 0x0, 0x3, 0x7b, 0x67, 0x90, 0x93, 0xfffb, 0x2b, 0x1b };
	static const u16 bad_ss[] = { 0, 3, 0x88, 0x8b, 0x33, 0x23, 0x67, 0xfffb };

	user_setup(code, sizeof(code));
	fresh();
	f.rflags = ~0ull;
	f.rflags &= ~0x100ull;		/* but not a single step */
	go();
	EXPECT_EQ(user_trap.vector, 0x100);
	EXPECT_EQ(user_trap.rax & (0x3000 | 0x4000 | 0x20000 | 0x80000 | 0x100000), 0);
	EXPECT_EQ(user_trap.rax & 0x202, 0x202);
	for (u64 i = 0; i < sizeof(bad_rip) / 8; i++) {
		fresh();
		f.rip = bad_rip[i];
		go();
		EXPECT(user_trap.vector == 14 || user_trap.vector == 13);
		EXPECT_EQ(user_trap.cs & 3, 3);
	}
	for (u64 i = 0; i < sizeof(bad_cs) / 2; i++) {
		fresh();
		f.cs = bad_cs[i];
		go();
		EXPECT_EQ(user_trap.vector, 13);
		EXPECT_EQ(user_trap.rip, USER_CODE);
		EXPECT_EQ(user_trap.cs & 3, 3);
	}
	for (u64 i = 0; i < sizeof(bad_ss) / 2; i++) {
		fresh();
		f.ss = bad_ss[i];
		go();
		EXPECT_EQ(user_trap.vector, 13);
		EXPECT_EQ(user_trap.rip, USER_CODE);
	}
	fresh();
	f.rsp = 0x8000000000000000;	/* pushf there: a stack fault */
	go();
	EXPECT(user_trap.vector == 12 || user_trap.vector == 13);
	fresh();
	f.cs = PARVUS_USER_CS32;	/* beyond a 32-bit segment: IRET itself would fault */
	f.rip = 0x100400000;
	go();
	EXPECT_EQ(user_trap.vector, 13);
	EXPECT_EQ(user_trap.error, 0);
	/* TF: a single step, reported to the guest */
	fresh();
	f.rflags |= 0x100;
	go();
	EXPECT_EQ(user_trap.vector, 1);
	/* MOV SS before SYSCALL under TF: the trap may hit the entry code */
	{
		static const u8 movss[] = { 0x8e, 0xd7, 0x0f, 0x05 };	/* mov %edi, %ss; syscall */
		volatile u8 *p = va(*entry_of(root, USER_CODE, 1) & 0x000ffffffffff000ull);

		for (u64 i = 0; i < sizeof(movss); i++)
			p[i] = movss[i];
		fresh();
		f.rdi = PARVUS_USER_SS;
		f.rflags |= 0x100;
		go();
		EXPECT(user_trap.vector == 1 || user_trap.vector == 0x100);
	}
	/* and all is well afterwards */
	fresh();
	f.rdi = PARVUS_USER_SS;
	go();
	EXPECT_EQ(user_trap.vector, 0x100);
}
