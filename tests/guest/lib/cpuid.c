// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID of a program, where the CPU can make it fault: what the guest's kernel sees, in a step of
 * its own when it is stepped, and the program's fault when the kernel wants that. No emulator
 * has such a CPU: system/cpuid tells the hypervisor that this one has, and puts CPUID in
 * the place of the HLT by which the code here faults, when it has faulted.
 */
#include "guest.h"

#define MARK	0x43505549440000ull
#define TF	0x100

/* movabs $MARK, %rbx; mov %edi, %eax; hlt; nop; mov $7, %sil; syscall */
static const u8 code[] = { 0x48, 0xbb, 0x00, 0x00, 0x44, 0x49, 0x55, 0x50, 0x43, 0x00,
			   0x89, 0xf8, 0xf4, 0x90, 0x40, 0xb6, 0x07, 0x0f, 0x05 };
#define AT_CPUID	(USER_CODE + 12)

static void handler(struct frame *f)
{
	user_trap = *f;
	if (f->cs & 3) {
		leave_user(f);
		return;
	}
	print("unexpected trap %lu error %lx rip %lx\n", f->vector, f->error, f->rip);
	end(1);
}

static u64 vector_of(u64 leaf, u64 rip, u64 flags)
{
	struct frame f = { .rip = rip, .cs = PARVUS_USER_CS, .ss = PARVUS_USER_SS,
			   .rflags = 0x202 | flags, .rsp = USER_STACK - 64, .rdi = leaf,
			   .rax = leaf, .rbx = MARK };

	memcpy(va(*entry_of(root, USER_CODE, 1) & 0x000ffffffffff000ull), code, sizeof(code));
	enter_user(&f);
	user_sp = 0;
	return user_trap.vector;
}

void test(void)
{
	static const u32 leaves[] = { 0, 1, 4, 7, 0xb, 0x40000000, 0x80000001, 0x80000008 };
	u32 a, b, c, d;

	on_trap = handler;
	user_setup(code, sizeof(code));
	while (parvus_msr_read(0xce) < 0)	/* until it is told */
		parvus_yield();
	EXPECT_EQ(area.ret[0], 1u << 31);
	for (unsigned int i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		EXPECT_EQ(parvus_cpuid(leaves[i], 0), 0);
		a = (u32)area.ret[0];
		b = (u32)area.ret[1];
		c = (u32)area.ret[2];
		d = (u32)area.ret[3];
		EXPECT_EQ(vector_of(leaves[i], USER_CODE, 0), 0x100);
		EXPECT_EQ(user_trap.rax, a);
		EXPECT_EQ(user_trap.rbx, b);
		EXPECT_EQ(user_trap.rdx, d);
		EXPECT_EQ(user_trap.rsi, 7);
		/* rcx is SYSCALL's; c is seen in the step */
		EXPECT_EQ(vector_of(leaves[i], AT_CPUID, TF), 1);
		EXPECT_EQ(user_trap.rip, AT_CPUID + 2);
		EXPECT_EQ(user_trap.rcx, c);
		EXPECT_EQ(user_trap.rsi, 0);
		EXPECT_EQ(parvus_debugreg_get(6), 0);
		EXPECT_EQ(area.ret[0] & 0x4000, 0x4000);
		EXPECT_EQ(parvus_debugreg_set(6, 0), 0);
	}
	EXPECT_EQ(parvus_msr_write(0x140, 2), -PARVUS_EINVAL);
	EXPECT_EQ(parvus_msr_write(0x140, 1), 0);
	EXPECT_EQ(parvus_msr_read(0x140), 0);
	EXPECT_EQ(area.ret[0], 1);
	EXPECT_EQ(vector_of(1, USER_CODE, 0), 13);
	EXPECT_EQ(user_trap.rip, AT_CPUID);
	EXPECT_EQ(parvus_msr_write(0x140, 0), 0);
	EXPECT_EQ(vector_of(1, USER_CODE, 0), 0x100);
}
