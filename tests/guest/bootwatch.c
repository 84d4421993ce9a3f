// SPDX-License-Identifier: GPL-2.0-only
/*
 * bootwatch= ends what does not come up in time, and nothing else: the first MACHINE call of
 * domain 0 ends the watch, for good. No other call does: that would be no sign of the toolstack.
 * @control 1
 * @hv bootwatch=3
 */
#include "lib/control.h"

static void wait_until(u64 ns)
{
	while (now_ns() < ns)
		relax();
}

void test(void)
{
	clock_setup();
	wait_until(1000000000);
	machine();
	wait_until(5000000000);
	machine();
	wait_until(6000000000);
}
