// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile guest for tests/system/stays.sh: it builds up what makes one call, fault or end of a
 * domain long. The command line says what:
 *   sweep     give a page back that all entries of all shadow tables map
 *   end       end with as many tables
 *   evict     one more table than there are, after all were used
 *   release   drop an address space with full tables
 *   ids       thousands of address spaces whose ids fall into one bucket
 *   list      a list of the dearest calls that may stand in one
 *   touch     touch memory for the first time that may be 2 MiB in one piece
 *   copy      a copy between two such
 */
#include "grant.h"

#define SLOTS	6u		/* of the root, each with 512 regions of 2 MiB */
static u64 one;

static bool asked(const char *mode)
{
	const char *said = va(start_info->cmdline);

	while (*mode && *mode == *said)
		mode++, said++;
	return !*mode;
}

/* Address @i of region @r: each region has a leaf table of its own in our shadows. */
static volatile u64 *at(u64 r, u64 i)
{
	return (volatile u64 *)((r / 512 + 32) << 39 | (r % 512) << 30 | i << 12);
}

/* All regions, through one leaf table whose entries all are @one. */
static void build(void)
{
	u64 l1 = page_new(), l2 = page_new();

	one = page_new();
	for (int i = 0; i < 512; i++) {
		((u64 *)va(l1))[i] = one | P | W | U;
		((u64 *)va(l2))[i] = l1 | P | W | U;
	}
	for (u64 s = 0; s < SLOTS; s++) {
		u64 l3 = page_new();

		root[s + 32] = l3 | P | W | U;
		for (int i = 0; i < 512; i++)
			((u64 *)va(l3))[i] = l2 | P | W | U;
	}
	barrier();
}

/* A shadow table for each of @n regions, all entries in use. A write first: dirty, accessed. */
static void use(u64 n, u64 step)
{
	*at(0, 0) = 1;
	for (u64 r = 0; r < n; r++)
		for (u64 i = 0; i < 512; i += step)
			*at(r, i);
}

static void ids(void)
{
	u64 id = 0;

	for (u64 n = 0; n < start_info->ram_size / PAGE / 50; n++) {
		do
			id++;
		while (id * 0x9e3779b97f4a7c15ull >> 56);
		EXPECT_EQ(parvus_mmu_switch(id, pa(root), 0, 1, 0, PARVUS_SWITCH_NONE), 0);
	}
	EXPECT_EQ(parvus_mmu_switch(0, pa(root), 0, 0, 0, PARVUS_SWITCH_ALL), 0);
}

static struct parvus_multicall calls[PARVUS_MULTICALL_MAX] __attribute__((aligned(4096)));
static struct parvus_vcpu_stats stats;
static struct parvus_trap none[256] __attribute__((aligned(4096)));

static void list(void)
{
	for (u64 i = 0; i < PARVUS_MULTICALL_MAX; i++) {
		calls[i].nr = PARVUS_HC_traps_set;
		calls[i].args[0] = pa(none);
		calls[i].args[1] = 256;
		calls[i].result = 1;
	}
	for (u64 i = 0; i < 256; i++)
		none[i].vector = (u8)i;
	calls[5].nr = PARVUS_HC_vcpu_stop;	/* may not stand in one */
	/* something becomes due in the middle: the list is run in parts, each call of it once */
	calls[9].nr = PARVUS_HC_timer_set;
	calls[9].args[0] = 1;
	EXPECT_EQ(parvus_multicall(pa(calls), PARVUS_MULTICALL_MAX), 0);
	EXPECT_EQ(parvus_stats_read(PARVUS_VCPU_SELF, pa(&stats), sizeof(stats)), 0);
	EXPECT(stats.hypercalls[PARVUS_HC_multicall] > 1);
	EXPECT_EQ(stats.hypercalls[PARVUS_HC_timer_set], 1);
	calls[9].nr = PARVUS_HC_traps_set;
	for (u64 i = 0; i < PARVUS_MULTICALL_MAX; i++) {
		EXPECT_EQ(calls[i].result, i == 5 ? -(s64)PARVUS_EINVAL : 0);
		EXPECT_EQ(calls[i].nr, i == 5 ? PARVUS_HC_vcpu_stop : PARVUS_HC_traps_set);
	}
	BAD(parvus_multicall(pa(calls), PARVUS_MULTICALL_MAX + 1), PARVUS_E2BIG);
}

/* RAM at @gpa, 2 MiB, that has no frame yet. */
static void fresh(u64 gpa)
{
	static struct parvus_memory_extent r;

	EXPECT_EQ(release(gpa, 512), 1);
	r = (struct parvus_memory_extent){ .gfn = gpa / PAGE, .frames = 512 };
	EXPECT_EQ(parvus_memory_op(PARVUS_MEMORY_POPULATE, pa(&r), 1), 1);
}

void test(void)
{
	const u64 a = 0x4000000, b = 0x4200000;
	u64 tables = start_info->ram_size / PAGE / 100;

	build();
	if (asked("sweep")) {
		use(tables - 40, 16);
		EXPECT_EQ(release(one, 1), 1);
		BAD(release(one, 1), PARVUS_EFAULT);
	} else if (asked("evict")) {
		use(tables - 40, 512);
		use(tables - 40, 512);
		use(tables + 40, 512);
	} else if (asked("release")) {
		EXPECT_EQ(parvus_mmu_switch(7, pa(root), 0, 1, 0, PARVUS_SWITCH_NONE), 0);
		use(40, 1);
		EXPECT_EQ(parvus_mmu_switch(0, pa(root), 0, 0, 0, PARVUS_SWITCH_NONE), 0);
		EXPECT_EQ(parvus_mmu_release(7), 0);
	} else if (asked("ids")) {
		ids();
	} else if (asked("list")) {
		list();
	} else if (asked("touch")) {
		fresh(a);
		*(volatile u64 *)va(a) = 1;
		EXPECT_EQ(*(volatile u64 *)va(a + 0x1ff000), 0);
	} else if (asked("copy")) {
		fresh(a);
		fresh(b);
		EXPECT_EQ(grant_copy(end_own(a), end_own(b), 64), 0);
	} else if (asked("end")) {
		use(tables - 40, 16);
	} else {
		EXPECT_EQ(0, 1);
	}
}
