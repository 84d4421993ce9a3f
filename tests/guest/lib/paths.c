// SPDX-License-Identifier: GPL-2.0-only
/*
 * A domain that goes every way into ring 0 and out of it, round after round, and checks what comes
 * back: for tests that interrupt the hypervisor at each instruction (system/nmi). Ends only by a
 * fault that it did not expect.
 */
#include "guest.h"

#define FAR	0x700000ull	/* a page of the user's that comes and goes */

/* mov %rdi, %rax; mov $0x11223344, %ebx; syscall */
static const u8 user_code[] = { 0x48, 0x89, 0xf8, 0xbb, 0x44, 0x33, 0x22, 0x11, 0x0f, 0x05 };
/* mov (%rdi), %rax; int3 */
static const u8 user_load[] = { 0x48, 0x8b, 0x07, 0xcc };
#define KERNEL_GS	0x123456789000ull
#define USER_GS		0x23456789a000ull
static volatile u64 ticks;

static u64 gs_base(void)
{
	u64 v;

	__asm__ volatile("rdgsbase %0" : "=r"(v));
	return v;
}

static void load(const void *code, u64 n)
{
	memcpy(va(*entry_of(root, USER_CODE, 1) & 0x000ffffffffff000ull), code, n);
}

static void handler(struct frame *f)
{
	if (f->vector == 14 && (f->cs & 3) && !(*entry_of(root, FAR, 1) & P)) {
		*entry_of(root, FAR, 1) |= P;	/* a demand fault: the return fills it */
		return;
	}
	if (f->vector == PARVUS_VECTOR_TIMER) {
		ticks++;
		return;
	}
	if (f->vector == 3 || f->vector == 0x100) {
		user_trap = *f;
		if (f->cs & 3)
			leave_user(f);
		return;
	}
	print("unexpected trap %lu error %lx rip %lx cr2 %lx\n", f->vector, f->error, f->rip,
	      area.cr2);
	end(1);
}

/* Back to user mode by sysret, to the same code: user_trap as for iret */
static void by_sysret(u64 arg)
{
	u64 f[6] = { 0, USER_CODE, PARVUS_USER_CS, 0x202, USER_STACK - 64, PARVUS_USER_SS };

	irq_off();	/* as user_run() */
	enter_user_sysret(f, arg);
	user_sp = 0;
}

static void round(u64 n)
{
	EXPECT_EQ(gs_base(), KERNEL_GS);
	EXPECT_EQ(area.user_gs_base, USER_GS);
	load(user_code, sizeof(user_code));
	user_run(n);
	EXPECT_EQ(user_trap.rax, n);
	EXPECT_EQ(user_trap.rbx, 0x11223344);
	by_sysret(n + 1);
	EXPECT_EQ(user_trap.rax, n + 1);
	load(user_load, sizeof(user_load));
	*entry_of(root, FAR, 1) &= ~P;
	flush_page(FAR);
	user_run(FAR);
	EXPECT_EQ(user_trap.rax, 42);
	EXPECT_EQ(check_registers(PARVUS_HC_nop), 0);
	EXPECT_EQ(check_registers(200), 0);
	/* no stack for a system call: by C, and by the stack of double faults, is another test */
	__asm__ volatile("int3" : : : "memory");
	flush_everything();
	EXPECT_EQ(parvus_timer_set(now_ns() + 200000), 0);
	if (n % 2)
		wait_change(&ticks, ticks);
	EXPECT_EQ(parvus_yield(), 0);
}

void test(void)
{
	u64 n;

	on_trap = handler;
	clock_setup();
	user_setup(user_code, sizeof(user_code));
	map(FAR, page_new(), P | W | U | A);
	*(volatile u64 *)FAR = 42;
	EXPECT_EQ(parvus_base_set(PARVUS_BASE_GS_KERNEL, KERNEL_GS), 0);
	__asm__ volatile("wrgsbase %0" : : "r"(KERNEL_GS));
	area.user_gs_base = USER_GS;
	irq_on();
	for (n = 0; !failures; n++)
		round(n);
	end(1);
}
