// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vCPU area lies in the guest's memory: a wild sp0 and a wild user GS base must
 * hurt nobody else. A system call with a wild sp0 ends the domain.
 * @expect killed cannot be delivered
 * @beside canary
 */
#include "lib/guest.h"

static const u8 code[] = { 0x0f, 0x05 };

void test(void)
{
	static const u64 wild[] = { 0x8000000000000000, 0x800000000000, ~0ull, PARVUS_HOLE_START };

	user_setup(code, sizeof(code));
	for (u64 i = 0; i < sizeof(wild) / 8; i++) {
		area.user_gs_base = wild[i];
		user_run(0);
		EXPECT_EQ(user_trap.vector, 0x100);
	}
	if (failures)
		end(1);
	area.sp0 = PARVUS_HOLE_START + 0x100000;	/* the hypervisor's own image */
	user_run(0);
	end(1);
}
