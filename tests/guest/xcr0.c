// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that turns AVX off in XCR0 and on again gets its own upper halves back, not
 * those of whoever ran in between. What XSAVEC writes is as long as CPUID says.
 * @vcpus 4
 */
#include "lib/guest.h"

static volatile u64 stop;
static u64 theirs[4] = { 0x5ec4e7, 0x5ec4e7, 0x5ec4e7, 0x5ec4e7 };

static void xsetbv(u64 v) { __asm__ volatile("xsetbv" : : "c"(0), "a"((u32)v), "d"(0)); }

static u64 xgetbv(void)
{
	u32 a, d;

	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (u64)d << 32 | a;
}

/* Where XSAVEC is, CPUID says how long its image is; Bochs says more than that. */
static void xsavec_bytes(void)
{
	u64 xcr0 = xgetbv(), bytes = 512 + 64;

	EXPECT_EQ(parvus_cpuid(0xd, 1), 0);
	if (!(area.ret[0] & 2))
		return;
	u64 said = area.ret[1];

	for (u32 i = 2; i < 63; i++) {
		if (!(xcr0 >> i & 1))
			continue;
		EXPECT_EQ(parvus_cpuid(0xd, i), 0);
		bytes = (area.ret[2] & 2 ? (bytes + 63) & ~63ull : bytes) + area.ret[0];
	}
	EXPECT(said >= bytes && said <= 4096);
}

static u64 refused;

static void skip_xsetbv(struct frame *f)
{
	EXPECT_EQ(f->vector, 13);
	refused++;
	f->rip += 3;
}

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
	u64 out[4], waited;
	u32 switched = 0;

	EXPECT_EQ(parvus_cpuid(1, 0), 0);
	if ((area.ret[2] >> 26 & 5) != 5)	/* XSAVE and AVX */
		return;
	xsetbv(7);
	xsavec_bytes();
	for (u32 c = 1; c < 4; c++)
		vcpu_begin(c, 0);
	/* Where nobody else ran on this pCPU nothing was saved: such a round says nothing. */
	while (switched < 500) {
		waited = area.steal_ns;
		__asm__ volatile("vmovups %0, %%ymm7" : : "m"(mine));
		xsetbv(3);
		parvus_yield();
		switched += area.steal_ns != waited;
		EXPECT_EQ(xgetbv(), 3);
		xsetbv(7);
		__asm__ volatile("vmovups %%ymm7, %0" : "=m"(out));
		for (int k = 0; k < 4; k++)
			EXPECT_EQ(out[k], mine[k]);
		if (failures)
			break;
	}
	/* what the hypervisor does not save is off: PKU, AMX, and what is not there yet */
	on_trap = skip_xsetbv;
	xsetbv(7 | 1u << 9);
	xsetbv(7 | 3u << 17);
	xsetbv(7 | 1u << 30);
	on_trap = 0;
	EXPECT_EQ(refused, 3);
	EXPECT_EQ(xgetbv(), 7);
	stop = 1;
	for (u64 c = 1; c < 4; c++)
		while (parvus_vcpu_state(c))
			parvus_yield();
}
