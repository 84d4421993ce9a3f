// SPDX-License-Identifier: GPL-2.0-only
/*
 * Breakpoints where the hypervisor itself would step on them: on the stack that it pushes frames to
 * and pops them from, on ports of its consoles, on the vCPU area, on buffers of calls; with GE, LE
 * and GD set, and while a program single-steps. The machine goes on, and what the guest asked for
 * arrives as ever (rule 63).
 * @control 1
 */
#include "lib/guest.h"

/* mov %rdi, %rax; syscall */
static const u8 code[] = { 0x48, 0x89, 0xf8, 0x0f, 0x05 };
static u64 steps, traps;

static void handler(struct frame *f)
{
	if (f->vector == 1) {
		steps++;
		return;
	}
	traps++;
	if (f->cs & 3) {
		user_trap = *f;
		leave_user(f);
	}
}

static void all_four(const u64 *at, u64 rw)
{
	u64 len = rw == 2 ? 0 : 2;	/* a port, or 8 bytes */

	EXPECT_EQ(parvus_debugreg_set(7, 0), 0);
	for (u64 i = 0; i < 4; i++)
		EXPECT_EQ(parvus_debugreg_set(i, at[i]), 0);
	/* enabled local and global, LE, GE and GD too */
	EXPECT_EQ(parvus_debugreg_set(7, 0x23ff | (rw | len << 2) * 0x11110000), 0);
	EXPECT_EQ(parvus_debugreg_get(7), 0);
	EXPECT_EQ(area.ret[0] & 0x2400, 0x400);
}

static void work(void)
{
	for (u64 i = 0; i < 20; i++) {
		traps = 0;
		__asm__ volatile("int3" : : : "memory");
		EXPECT_EQ(traps, 1);
		user_run(i);
		EXPECT_EQ(user_trap.vector, 0x100);
		EXPECT_EQ(user_trap.rax, i);
		EXPECT_EQ(parvus_nop(), 0);
		parvus_yield();
		EXPECT_EQ(parvus_cpuid(0x40000000, 0), 0);
		EXPECT_EQ(area.ret[1], 0x76726150);
	}
}

static void off(void)
{
	EXPECT_EQ(parvus_debugreg_set(7, 0), 0);
	EXPECT_EQ(parvus_debugreg_set(6, 0), 0);
}

void test(void)
{
	/* of the stack that frames from user mode go to: rip, cs, rflags, rsp */
	const u64 frame_at[] = { (u64)trap_stack_top - 40, (u64)trap_stack_top - 32,
				 (u64)trap_stack_top - 24, (u64)trap_stack_top - 16 };
	const u64 ports[] = { 0x3f8, 0x3fd, 0xe9, 0x3f9 };
	const u64 shared[] = { (u64)&area, (u64)&area.sp0, (u64)area.ret, (u64)&area.user_gs_base };
	u64 here = 0;
	struct frame f;

	on_trap = handler;
	user_setup(code, sizeof(code));
	all_four(frame_at, 1);		/* writes */
	work();
	all_four(frame_at, 3);		/* and reads */
	work();
	off();
	all_four(ports, 2);
	for (int i = 0; i < 20; i++)
		print("a line of the console %u\n", i);
	work();
	off();
	all_four(shared, 3);
	work();
	off();
	/* a stack slot below us, where INT3's frame goes */
	all_four((const u64[]){ ((u64)&here - 64) & ~7ull, ((u64)&here - 128) & ~7ull,
				((u64)&here - 256) & ~7ull, ((u64)&here - 512) & ~7ull }, 1);
	for (int i = 0; i < 20; i++)
		__asm__ volatile("int3" : : : "memory");
	off();
	/* the same with a program that single-steps */
	all_four(frame_at, 3);
	memset(&f, 0, sizeof(f));
	f.rip = USER_CODE;
	f.cs = PARVUS_USER_CS;
	f.ss = PARVUS_USER_SS;
	f.rflags = 0x302;
	f.rsp = USER_STACK - 64;
	steps = 0;
	enter_user(&f);
	user_sp = 0;
	EXPECT(steps >= 1);
	EXPECT_EQ(user_trap.vector, 0x100);
	off();
	work();
}
