// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers that do not exist or are reserved give -ENOSYS, those of domain 0 -EPERM,
 * and the debug calls -EPERM when the hypervisor was not booted with debug=1.
 */
#include "lib/guest.h"

void test(void)
{
	static const u64 bad[] = { PARVUS_HC_COUNT, PARVUS_HC_COUNT + 1, 0x7fffffff, 0x80000000,
				   0xffffffff, 0x100000000, 0x8000000000000000, ~0ull };
	static const u64 reserved[] = { PARVUS_HC_lock_wait, PARVUS_HC_lock_kick,
					PARVUS_HC_ldt_set };

	for (u64 i = 0; i < sizeof(bad) / 8; i++)
		EXPECT_EQ(hypercall(bad[i], 0, 0, 0, 0, 0, 0), -PARVUS_ENOSYS);
	for (u64 i = 0; i < sizeof(reserved) / 8; i++)
		EXPECT_EQ(hypercall(reserved[i], 0, 0, 0, 0, 0, 0), -PARVUS_ENOSYS);
	EXPECT_EQ(hypercall(PARVUS_HC_control_op, 0, 0, 0, 0, 0, 0), -PARVUS_EPERM);
	EXPECT_EQ(hypercall(PARVUS_HC_irq_op, 0, 0, 0, 0, 0, 0), -PARVUS_EPERM);
	EXPECT_EQ(parvus_debug_hash(0, 16), -PARVUS_EPERM);
	EXPECT_EQ(parvus_debug_info(0, 16), -PARVUS_EPERM);
}
