// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bases by MSR: a write to GS_BASE is the kernel's base, which comes back with every entry
 * from user mode; KERNEL_GS_BASE is the user's, which the user finds and may change.
 */
#include "lib/guest.h"

static const u8 code[] = { 0x0f, 0x05 };

static u64 base(u32 msr)
{
	EXPECT_EQ(parvus_msr_read(msr), 0);
	return area.ret[0];
}

void test(void)
{
	user_setup(code, sizeof(code));
	EXPECT_EQ(parvus_msr_write(0xc0000101, 0xffff900012345000), 0);
	EXPECT_EQ(base(0xc0000101), 0xffff900012345000);
	EXPECT_EQ(parvus_msr_write(0xc0000102, 0x7000), 0);
	EXPECT_EQ(area.user_gs_base, 0x7000);
	EXPECT_EQ(base(0xc0000102), 0x7000);
	user_run(0);
	EXPECT_EQ(user_trap.vector, 0x100);
	EXPECT_EQ(base(0xc0000101), 0xffff900012345000);
	EXPECT_EQ(area.user_gs_base, 0x7000);
	/* the same by the raw instruction */
	__asm__ volatile("wrmsr" : : "c"(0xc0000101), "a"(0x5000), "d"(0));
	user_run(0);
	EXPECT_EQ(base(0xc0000101), 0x5000);
	EXPECT_EQ(parvus_base_set(PARVUS_BASE_GS_KERNEL, 0x6000), 0);
	user_run(0);
	EXPECT_EQ(base(0xc0000101), 0x6000);
	EXPECT_EQ(parvus_msr_write(0xc0000101, 0x800000000000), -PARVUS_EINVAL);
	EXPECT_EQ(base(0xc0000101), 0x6000);
}
