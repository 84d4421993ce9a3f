// SPDX-License-Identifier: GPL-2.0-only
/*
 * User mode and back: SYSCALL arrives with the user's frame and all registers but rcx
 * and r11; the kernel half is out of its reach; INT n follows the guest's table;
 * SYSENTER and a 32-bit SYSCALL are faults.
 */
#include "lib/guest.h"

static const u8 code_syscall[] = { 0x48, 0x89, 0xf8,			/* mov %rdi, %rax */
				   0xbb, 0x44, 0x33, 0x22, 0x11,	/* mov $0x11223344, %ebx */
				   0x0f, 0x05 };			/* syscall */
static const u8 code_read[] = { 0x48, 0x8b, 0x07, 0x0f, 0x05 }; /* mov (%rdi), %rax; syscall */
static const u8 code_cli[] = { 0xfa };
static const u8 code_int80[] = { 0xcd, 0x80 };
static const u8 code_int21[] = { 0xcd, 0x21 };
static const u8 code_int3[] = { 0xcc };
static const u8 code_sysenter[] = { 0x0f, 0x34 };
static const u8 code_syscall32[] = { 0x0f, 0x05 };
static const u8 code_hlt[] = { 0xf4 };

static void load(const void *code, u64 n)
{
	volatile u8 *p = va(*entry_of(root, USER_CODE, 1) & 0x000ffffffffff000ull);

	for (u64 i = 0; i < n; i++)
		p[i] = ((const u8 *)code)[i];
}

/* SYSCALL of 32-bit code is no call of the ABI: a fault at the instruction (rules 30, 60). */
static void compat(void)
{
	struct frame f;

	load(code_syscall32, sizeof(code_syscall32));
	memset(&f, 0, sizeof(f));
	f.rip = USER_CODE;
	f.cs = PARVUS_USER_CS32;
	f.ss = PARVUS_USER_SS;
	f.rflags = 0x202;
	f.rsp = USER_STACK - 64;
	f.rax = 20;
	enter_user(&f);
	user_sp = 0;
	EXPECT_EQ(user_trap.vector, 6);
	EXPECT_EQ(user_trap.rip, USER_CODE);
	EXPECT_EQ(user_trap.cs, PARVUS_USER_CS32);
	EXPECT_EQ(user_trap.rsp, USER_STACK - 64);
	EXPECT_EQ(user_trap.rax, 20);
	load(code_sysenter, sizeof(code_sysenter));
	enter_user(&f);
	user_sp = 0;
	EXPECT_EQ(user_trap.vector, 13);
	EXPECT_EQ(user_trap.rip, USER_CODE);
	EXPECT_EQ(user_trap.cs, PARVUS_USER_CS32);
}

/* INT3, whose gate lets programs in, when the guest's own table does not: a fault of INT 3. */
static void int3_is_refused(void)
{
	static struct parvus_trap t __attribute__((aligned(16)));

	t.address = (u64)stubs + 16 * 3;
	t.vector = 3;
	EXPECT_EQ(parvus_traps_set(pa(&t), 1), 0);
	load(code_int3, sizeof(code_int3));
	user_run(0);
	EXPECT_EQ(user_trap.vector, 13);
	EXPECT_EQ(user_trap.error, 3 << 3 | 2);
	EXPECT_EQ(user_trap.rip, USER_CODE);
	t.dpl = 3;
	EXPECT_EQ(parvus_traps_set(pa(&t), 1), 0);
	user_run(0);
	EXPECT_EQ(user_trap.vector, 3);
}

static void stack_of_user(void *arg) { (void)arg; (void)*(volatile u64 *)USER_STACK; }

void test(void)
{
	user_setup(code_syscall, sizeof(code_syscall));
	user_run(0x1234);
	EXPECT_EQ(user_trap.vector, 0x100);
	EXPECT_EQ(user_trap.rax, 0x1234);
	EXPECT_EQ(user_trap.rdi, 0x1234);
	EXPECT_EQ(user_trap.rbx, 0x11223344);
	EXPECT_EQ(user_trap.cs, PARVUS_USER_CS);
	EXPECT_EQ(user_trap.ss, PARVUS_USER_SS);
	EXPECT_EQ(user_trap.rsp, USER_STACK - 64);
	EXPECT_EQ(user_trap.rip, USER_CODE + sizeof(code_syscall));
	EXPECT_EQ(user_trap.rflags & 0x200, 0x200);
	EXPECT_EQ(area.irq_enabled, 0);

	load(code_read, sizeof(code_read));
	user_run(BASE + 0x200000);		/* kernel text */
	EXPECT_EQ(user_trap.vector, 14);
	EXPECT_EQ(user_trap.error, 5);
	EXPECT_EQ(area.cr2, BASE + 0x200000);
	user_run(PARVUS_HOLE_START);
	EXPECT_EQ(user_trap.vector, 14);
	EXPECT(user_trap.error & 4);
	map(0x700000, page_new(), P | W);	/* U = 0 in the low half */
	*(volatile u64 *)0x700000 = 42;
	user_run(0x700000);
	EXPECT_EQ(user_trap.vector, 14);
	EXPECT_EQ(user_trap.error, 5);
	EXPECT_EQ(*(volatile u64 *)0x700000, 42);
	/* U = 1 in the high half stays out of the user root */
	map(0xffffffff90000000, page_new(), P | U);
	user_run(0xffffffff90000000);
	EXPECT_EQ(user_trap.vector, 14);
	/* and what is the user's works in the same slot, both ways */
	map(0x710000, page_new(), P | W | U);
	*(volatile u64 *)0x710000 = 77;
	user_run(0x710000);
	EXPECT_EQ(user_trap.vector, 0x100);
	EXPECT_EQ(user_trap.rax, 77);

	load(code_cli, sizeof(code_cli));
	user_run(0);
	EXPECT_EQ(user_trap.vector, 13);
	EXPECT_EQ(user_trap.rip, USER_CODE);
	load(code_hlt, sizeof(code_hlt));
	user_run(0);
	EXPECT_EQ(user_trap.vector, 13);
	load(code_int80, sizeof(code_int80));
	user_run(0);
	EXPECT_EQ(user_trap.vector, 0x80);
	EXPECT_EQ(user_trap.rip, USER_CODE + 2);
	load(code_int21, sizeof(code_int21));
	user_run(0);
	EXPECT_EQ(user_trap.vector, 13);
	EXPECT_EQ(user_trap.error, 0x21 << 3 | 2);
	EXPECT_EQ(user_trap.rip, USER_CODE);
	load(code_int3, sizeof(code_int3));
	user_run(0);
	EXPECT_EQ(user_trap.vector, 3);
	load(code_sysenter, sizeof(code_sysenter));
	user_run(0);
	EXPECT(user_trap.vector == 13 || user_trap.vector == 6);
	EXPECT_EQ(user_trap.rip, USER_CODE);
	int3_is_refused();
	compat();
	(void)stack_of_user;
}
