// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hostile return frames: non-canonical rip and rsp, selectors that do not exist or
 * belong to the hypervisor, flags that ring 3 must not have. The guest gets the
 * fault, with the frame as it was, or runs with what is allowed. By iret and by sysret.
 */
#include "lib/guest.h"

static const u8 code[] = { 0x9c, 0x58, 0x0f, 0x05 };	/* pushf; pop %rax; syscall */
static struct frame f;

static void fresh(void)
{
	f = (struct frame){ .rip = USER_CODE, .cs = PARVUS_USER_CS, .ss = PARVUS_USER_SS,
			    .rflags = 0x202, .rsp = USER_STACK - 64 };
}

static void go(void (*way)(void))
{
	user_trap.vector = 999;
	way();
	user_sp = 0;
}

static void by_iret(void) { enter_user(&f); }

/* void enter_by_sysret(u64 *frame): enter_user() by the other call */
__asm__(".pushsection .text\n"
	"enter_by_sysret: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"mov %rsp, user_sp(%rip); mov %rdi, %rsp; mov $2, %eax; syscall\n"
	".popsection");
void enter_by_sysret(u64 *frame);
_Static_assert(PARVUS_HC_sysret == 2, "the number above");

static void by_sysret(void)
{
	static u64 frame[6];

	frame[0] = f.rax;
	frame[1] = f.rip;
	frame[2] = f.cs;
	frame[3] = f.rflags;
	frame[4] = f.rsp;
	frame[5] = f.ss;
	enter_by_sysret(frame);
}

/* SS from a TLS entry: writable data alone, by its index and privilege as they are. */
static void stack_segments(void)
{
	static const u8 code_int80[] = { 0xcd, 0x80 };
	static const struct { u64 tls; u16 ss; bool good; } entries[] = {
		{ 0x00cff3000000ffff, 0x63, true }, { 0x12cff2345678ffff, 0x63, true },
		{ 0x00cff7000000ffff, 0x63, true },	/* expand-down */
		{ 0x00cff3000000ffff, 0x60, false }, { 0x00cff3000000ffff, 0x67, false },
		{ 0x00cff3000000ffff, 0x6b, false },	/* empty */
		{ 0x00cff1000000ffff, 0x63, false },	/* read-only */
		{ 0x00cff5000000ffff, 0x63, false }, { 0, 0x63, false },
	};
	volatile u8 *p = va(*entry_of(root, USER_CODE, 1) & 0x000ffffffffff000ull);

	for (u64 i = 0; i < sizeof(code_int80); i++)
		p[i] = code_int80[i];
	for (u64 i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		EXPECT_EQ(parvus_tls_set(0, entries[i].tls), 0);
		fresh();
		f.ss = entries[i].ss;
		go(by_iret);
		EXPECT_EQ(user_trap.vector, entries[i].good ? 0x80 : 13);
		EXPECT_EQ(user_trap.error, entries[i].good ? 0 : entries[i].ss & 0xfffc);
		EXPECT_EQ(user_trap.ss, entries[i].ss);
	}
	EXPECT_EQ(parvus_tls_set(3, 0x0040f50000002042), 0);
	fresh();
	f.ss = 0x7b;		/* the CPU number is no stack */
	go(by_iret);
	EXPECT_EQ(user_trap.vector, 13);
}

void test(void)
{
	static void (*const ways[])(void) = { by_iret, by_sysret };
	static const struct { u64 rip, vector; } bad_rip[] = {
		{ 0x800000000000, 13 }, { 0x7ffffffff000, 14 }, { 0xffff7fffffffffff, 13 },
		{ 0x8000000000000000 + USER_CODE, 13 }, { 0x4141414141414141, 13 },
		{ PARVUS_HOLE_START, 14 }, { PARVUS_HOLE_END, 14 }, { BASE + 0x200000, 14 },
	};
	static const u16 bad_cs[] = { 0x80, 0x83, 0x88, 0x0, 0x3, 0x7b, 0x67, 0x90, 0x93, 0xfffb,
				      0x2b, 0x1b };
	static const u16 bad_ss[] = { 0, 3, 0x88, 0x8b, 0x33, 0x23, 0x67, 0xfffb };

	user_setup(code, sizeof(code));
	for (u64 w = 0; w < 2; w++) {
		fresh();
		f.rflags = ~0ull;
		f.rflags &= ~0x40100ull; /* but not a single step, and no unaligned access fails */
		go(ways[w]);
		EXPECT_EQ(user_trap.vector, 0x100);
		EXPECT_EQ(user_trap.rax & 0x3fffff, 0x204ed7);	/* pushf shows no RF */
		EXPECT_EQ(user_trap.rflags & 0x2bffff, 0x204ed7);
		for (u64 i = 0; i < sizeof(bad_rip) / sizeof(bad_rip[0]); i++) {
			fresh();
			f.rip = bad_rip[i].rip;
			go(ways[w]);
			EXPECT_EQ(user_trap.vector, bad_rip[i].vector);
			EXPECT_EQ(user_trap.error & ~1ull, bad_rip[i].vector == 13 ? 0 : 0x14);
			EXPECT_EQ(user_trap.rip, bad_rip[i].rip);
			EXPECT_EQ(user_trap.cs, PARVUS_USER_CS);
			EXPECT_EQ(user_trap.rsp, USER_STACK - 64);
		}
	}
	for (u64 i = 0; i < sizeof(bad_cs) / 2; i++) {
		fresh();
		f.cs = bad_cs[i];
		go(by_iret);
		EXPECT_EQ(user_trap.vector, 13);
		EXPECT_EQ(user_trap.rip, USER_CODE);
		EXPECT_EQ(user_trap.cs & 3, 3);
	}
	for (u64 i = 0; i < sizeof(bad_ss) / 2; i++) {
		fresh();
		f.ss = bad_ss[i];
		go(by_iret);
		EXPECT_EQ(user_trap.vector, 13);
		EXPECT_EQ(user_trap.rip, USER_CODE);
	}
	fresh();
	f.rsp = 0x8000000000000000;	/* pushf there: a stack fault */
	go(by_iret);
	EXPECT(user_trap.vector == 12 || user_trap.vector == 13);
	fresh();
	f.cs = PARVUS_USER_CS32;	/* beyond a 32-bit segment: IRET itself would fault */
	f.rip = 0x100400000;
	go(by_iret);
	EXPECT_EQ(user_trap.vector, 13);
	EXPECT_EQ(user_trap.error, 0);
	/* TF: a single step, reported to the guest */
	fresh();
	f.rflags |= 0x100;
	go(by_iret);
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
		go(by_iret);
		EXPECT(user_trap.vector == 1 || user_trap.vector == 0x100);
	}
	/* and all is well afterwards */
	fresh();
	f.rdi = PARVUS_USER_SS;
	go(by_iret);
	EXPECT_EQ(user_trap.vector, 0x100);
	stack_segments();
}
