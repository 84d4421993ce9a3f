// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86/tsc.h: the TSC's rate by leaves of CPUID, a register of Hyper-V, and where the firmware's
 * tables say that the clocks are; all made up, for QEMU's machines have few of them (rule 118).
 */
#include "native.h"
#include <x86/tsc.h>

static struct { u32 leaf, r[4]; } leaves[16];
static unsigned int count, msr_reads;
static u64 msr_hz;

static void leaf(u32 nr, u32 a, u32 b, u32 c, u32 d)
{
	leaves[count].leaf = nr;
	memcpy(leaves[count++].r, (u32[]){ a, b, c, d }, 16);
}

/* A leaf that is not there must not be asked for: CPUs answer with that of another one. */
static void cpuid(u32 nr, u32 r[4])
{
	for (unsigned int i = 0; i < count; i++)
		if (leaves[i].leaf == nr) {
			memcpy(r, leaves[i].r, 16);
			return;
		}
	ck_abort_msg("leaf %x", nr);
}

static u64 msr(u32 nr)
{
	ck_assert_uint_eq(nr, 0x40000022);
	msr_reads++;
	return msr_hz;
}

static u64 said(void) { return tsc_said(cpuid, msr); }

/* A CPU with so many leaves; @below: "KVMK" and its like as a number, 0 = the bare machine */
static void cpu(u32 max, u32 below, u32 max_below)
{
	count = 0;
	leaf(0, max, 0x756e6547, 0, 0);
	leaf(1, 0x906ea, 0, below ? 1u << 31 : 0, 0);
	if (below)
		leaf(0x40000000, max_below, below, 0, 0);
}

#define KVM	0x4b4d564bu
#define VMWARE	0x61774d56u
#define HYPERV	0x7263694du
#define TCG	0x54474354u

START_TEST(crystal)
{
	cpu(0x16, 0, 0);
	leaf(0x15, 2, 216, 24000000, 0);
	leaf(0x16, 2600, 3900, 100, 0);
	ck_assert_uint_eq(said(), 2592000);
	/* the product needs 64 bits */
	cpu(0x15, 0, 0);
	leaf(0x15, 2, 400, 38400000, 0);
	ck_assert_uint_eq(said(), 7680000);
	/* one of the three is not told: nothing is */
	cpu(0x16, 0, 0);
	leaf(0x15, 2, 216, 0, 0);
	leaf(0x16, 2600, 3900, 100, 0);
	ck_assert_uint_eq(said(), 0);
	ck_assert_uint_eq(tsc_rough(cpuid), 2600000);
	cpu(0x15, 0, 0);
	leaf(0x15, 0, 216, 24000000, 0);
	ck_assert_uint_eq(said(), 0);
	ck_assert_uint_eq(tsc_rough(cpuid), 0);
	cpu(0x15, 0, 0);
	leaf(0x15, 2, 0, 24000000, 0);
	ck_assert_uint_eq(said(), 0);
	cpu(0xd, 0, 0);
	ck_assert_uint_eq(said(), 0);
	ck_assert_uint_eq(tsc_rough(cpuid), 0);
	/* bits above 15 are reserved */
	cpu(0x16, 0, 0);
	leaf(0x16, 0xabcd0000, 0, 0, 0);
	ck_assert_uint_eq(tsc_rough(cpuid), 0);
}
END_TEST

START_TEST(hypervisors)
{
	static const u32 vendors[] = { KVM, VMWARE };

	for (unsigned int i = 0; i < ARRAY_SIZE(vendors); i++) {
		cpu(0xd, vendors[i], 0x40000010);
		leaf(0x40000010, 2899998, 66000, 0, 0);
		ck_assert_uint_eq(said(), 2899998);
		cpu(0xd, vendors[i], 0x40000001);
		ck_assert_uint_eq(said(), 0);
		cpu(0xd, vendors[i], 0);		/* old KVM */
		ck_assert_uint_eq(said(), 0);
	}
	/* another one's leaf of that number is something else */
	cpu(0xd, TCG, 0x40000010);
	ck_assert_uint_eq(said(), 0);
	/* what the CPU says goes before it, but for a lie */
	cpu(0x15, KVM, 0x40000010);
	leaf(0x15, 1, 100, 25000000, 0);
	ck_assert_uint_eq(said(), 2500000);
	cpu(0x15, KVM, 0x40000010);
	leaf(0x15, 1, 1, 25000000, 0);
	leaf(0x40000010, 2000000, 0, 0, 0);
	ck_assert_uint_eq(said(), 2000000);
	/* a machine that says it is none has no such leaves */
	cpu(0xd, 0, 0);
	leaf(0x40000000, 0x40000010, KVM, 0, 0);
	leaf(0x40000010, 2000000, 0, 0, 0);
	ck_assert_uint_eq(said(), 0);
}
END_TEST

START_TEST(hyper_v)
{
	static const struct { u32 a, d; u64 khz; } bits[] = {
		{ 1u << 11, 1u << 8, 4700000 }, { ~(1u << 11), ~0u, 0 }, { ~0u, ~(1u << 8), 0 },
	};

	msr_hz = 4700000000;		/* more than 32 bits */
	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
		cpu(0xd, HYPERV, 0x4000000c);
		leaf(0x40000003, bits[i].a, 0, 0, bits[i].d);
		msr_reads = 0;
		ck_assert_uint_eq(said(), bits[i].khz);
		ck_assert_uint_eq(msr_reads, bits[i].khz ? 1 : 0);
	}
	cpu(0xd, HYPERV, 0x40000002);
	ck_assert_uint_eq(said(), 0);
}
END_TEST

START_TEST(decided)
{
	ck_assert_uint_eq(tsc_decide(2592000, 2592700, 2600000), 2592000);
	ck_assert_uint_eq(tsc_decide(2592000, 2541177, 0), 2592000);
	ck_assert_uint_eq(tsc_decide(2592000, 2541176, 0), 2541176);	/* more than 2 % */
	ck_assert_uint_eq(tsc_decide(1497600, 50000000, 0), 50000000);
	ck_assert_uint_eq(tsc_decide(0, 3000000, 2600000), 3000000);
	/* no clock, or one that lies */
	ck_assert_uint_eq(tsc_decide(2592000, 0, 2600000), 2592000);
	ck_assert_uint_eq(tsc_decide(2592000, 99999, 2600000), 2592000);
	ck_assert_uint_eq(tsc_decide(0, 10, 2600000), 2600000);
	ck_assert_uint_eq(tsc_decide(10, 10, 2600000), 2600000);
	ck_assert_uint_lt(tsc_decide(10, 10, 0), TSC_LEAST_KHZ);
	ck_assert_uint_eq(tsc_decide(0, 100000, 0), 100000);
}
END_TEST

/* The first words of a table that ends where it says. */
static u8 *table(u32 length)
{
	u8 *t = calloc(1, length);

	ck_assert(t);
	return t;
}

static void put(u8 *t, u32 at, u64 v, u32 bytes) { memcpy(t + at, &v, bytes); }

START_TEST(pm_timer)
{
	u8 *t = table(276);

	ck_assert_uint_eq(fadt_pm_timer(t, 276), 0);
	put(t, 76, 0x608, 4);
	ck_assert_uint_eq(fadt_pm_timer(t, 276), 0);	/* of no length */
	put(t, 91, 4, 1);
	ck_assert_uint_eq(fadt_pm_timer(t, 276), 0x608);
	ck_assert_uint_eq(fadt_pm_timer(t, 92), 0x608);	/* ACPI 1 */
	ck_assert_uint_eq(fadt_pm_timer(t, 91), 0);
	put(t, 208, 0x2001, 2);				/* 32 bits, a port */
	put(t, 212, 0x1808, 8);
	ck_assert_uint_eq(fadt_pm_timer(t, 276), 0x1808);
	ck_assert_uint_eq(fadt_pm_timer(t, 219), 0x608);
	put(t, 208, 0, 1);				/* in memory */
	ck_assert_uint_eq(fadt_pm_timer(t, 276), 0x608);
	put(t, 76, 0xfffd, 4);				/* four ports, none beyond the last */
	ck_assert_uint_eq(fadt_pm_timer(t, 276), 0);
	put(t, 76, 0x10608, 4);
	ck_assert_uint_eq(fadt_pm_timer(t, 276), 0);
	put(t, 76, 0x608, 4);
	put(t, 112, 1u << 20, 4);			/* ACPI is reduced */
	ck_assert_uint_eq(fadt_pm_timer(t, 276), 0);
	free(t);
	/* nothing is read behind the end */
	for (u32 n = 1; n < 276; n++) {
		t = table(n);
		memset(t, 4, n);
		fadt_pm_timer(t, n);
		hpet_address(t, n);
		free(t);
	}
}
END_TEST

START_TEST(hpet)
{
	u8 *t = table(56);

	put(t, 44, 0xfed00000, 8);
	ck_assert_uint_eq(hpet_address(t, 56), 0xfed00000);
	ck_assert_uint_eq(hpet_address(t, 51), 0);
	put(t, 44, 0xfed00004, 8);
	ck_assert_uint_eq(hpet_address(t, 56), 0);
	put(t, 44, MAX_MACHINE_MEM, 8);
	ck_assert_uint_eq(hpet_address(t, 56), 0);
	put(t, 44, 0xfed00000, 8);
	put(t, 40, 1, 1);				/* ports */
	ck_assert_uint_eq(hpet_address(t, 56), 0);
	free(t);
	ck_assert_uint_eq(hpet_hz(69841279), 14318179);
	ck_assert_uint_eq(hpet_hz(10000000), 100000000);
	ck_assert_uint_eq(hpet_hz(100000000), 10000000);
	ck_assert_uint_eq(hpet_hz(100000001), 0);
	ck_assert_uint_eq(hpet_hz(~0u), 0);		/* nobody answers there */
	ck_assert_uint_eq(hpet_hz(0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tsc");
	TCase *t = tcase_create("tsc");

	tcase_add_test(t, crystal);
	tcase_add_test(t, hypervisors);
	tcase_add_test(t, hyper_v);
	tcase_add_test(t, decided);
	tcase_add_test(t, pm_timer);
	tcase_add_test(t, hpet);
	suite_add_tcase(s, t);
	return native_main(s);
}
