// SPDX-License-Identifier: GPL-2.0-only
/*
 * An exception without a handler ends the domain.
 * @expect killed no handler registered
 * @beside canary
 */
#include "lib/guest.h"

static struct parvus_trap t = { .vector = 6 };

void test(void)
{
	EXPECT_EQ(parvus_traps_set(pa(&t), 1), 0);
	__asm__ volatile("ud2");
}
