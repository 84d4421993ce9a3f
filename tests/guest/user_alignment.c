// SPDX-License-Identifier: GPL-2.0-only
/*
 * RFLAGS.AC: an unaligned access of user mode is an alignment check there, and only
 * there: the guest kernel is entered with AC clear. QEMU's TCG does not model it; Bochs does.
 */
#include "lib/guest.h"

/* pushf; orl $0x40000, (%rsp); popf; mov 1(%rdi), %rax; syscall */
static const u8 code[] = { 0x9c, 0x81, 0x0c, 0x24, 0x00, 0x00, 0x04, 0x00, 0x9d,
			   0x48, 0x8b, 0x47, 0x01, 0x0f, 0x05 };

static u64 kernel_flags;
static u64 words[2];

static void seen(struct frame *f)
{
	u64 v;

	__asm__ volatile("pushf; pop %0" : "=r"(kernel_flags));
	__asm__ volatile("mov %1, %0" : "=r"(v) : "m"(*(volatile u64 *)((char *)words + 1)));
	leave_user(f);
}

void test(void)
{
	user_setup(code, sizeof(code));
	on_trap = seen;
	user_run(USER_STACK - 256);
	EXPECT_EQ(user_trap.vector, lenient() ? 0x100 : 17);
	EXPECT_EQ(user_trap.error, 0);
	EXPECT_EQ(user_trap.rflags & 0x40000, 0x40000);
	EXPECT_EQ(kernel_flags & 0x40000, 0);
	__asm__ volatile("mov %%cr0, %0" : "=r"(kernel_flags));
	EXPECT_EQ(kernel_flags & 0x40000, 0x40000);
}
