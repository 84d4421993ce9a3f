// SPDX-License-Identifier: GPL-2.0-only
/*
 * A domain that is not the control domain gets EPERM for every control call, before anything
 * of its arguments is looked at; in a multicall there are no control calls.
 */
#include "lib/control.h"

void test(void)
{
	static struct parvus_multicall call __attribute__((aligned(64)));

	for (u64 op = 0; op < PARVUS_CONTROL_OPS + 2; op++) {
		EXPECT_EQ(parvus_control_op(op, pa(control_page)), -(s64)PARVUS_EPERM);
		EXPECT_EQ(parvus_control_op(op, ~0ull), -(s64)PARVUS_EPERM);
		call.nr = PARVUS_HC_control_op;
		call.args[0] = op;
		call.args[1] = pa(control_page);
		call.result = 0;
		EXPECT_EQ(parvus_multicall(pa(&call), 1), 0);
		EXPECT_EQ(call.result, -(s64)PARVUS_EINVAL);
	}
	EXPECT_EQ(parvus_control_op(~0ull, 0), -(s64)PARVUS_EPERM);
	EXPECT(!(start_info->flags & PARVUS_START_CONTROL));
	for (unsigned int i = 0; i < sizeof(control_page); i++)
		EXPECT_EQ(control_page[i], 0);
}
