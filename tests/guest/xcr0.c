// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that turns AVX off in XCR0 and on again gets its own upper halves back, not
 * those of whoever ran in between.
 * @vcpus 4
 */
#include "lib/guest.h"

static volatile u64 stop;
static u64 theirs[4] = { 0x5ec4e7, 0x5ec4e7, 0x5ec4e7, 0x5ec4e7 };

static void xsetbv(u64 v) { __asm__ volatile("xsetbv" : : "c"(0), "a"((u32)v), "d"(0)); }

void secondary_main(u64 arg)
{
	(void)arg;
	while (!stop) {
		__asm__ volatile("vmovups %0, %%ymm7" : : "m"(theirs));
		parvus_yield();
	}
	for (;;)
		parvus_vcpu_stop();
}

void test(void)
{
	static const u64 mine[4] = { 1, 2, 3, 4 };
	u64 out[4];

	EXPECT_EQ(parvus_cpuid(1, 0), 0);
	if ((area.ret[2] >> 26 & 5) != 5)	/* XSAVE and AVX */
		return;
	for (u32 c = 1; c < 4; c++)
		vcpu_begin(c, 0);
	for (int i = 0; i < 500; i++) {
		__asm__ volatile("vmovups %0, %%ymm7" : : "m"(mine));
		xsetbv(3);
		parvus_yield();
		xsetbv(7);
		__asm__ volatile("vmovups %%ymm7, %0" : "=m"(out));
		for (int k = 0; k < 4; k++)
			EXPECT_EQ(out[k], mine[k]);
		if (failures)
			break;
	}
	stop = 1;
	for (u64 c = 1; c < 4; c++)
		while (parvus_vcpu_state(c))
			parvus_yield();
}
