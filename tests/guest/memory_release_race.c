// SPDX-License-Identifier: GPL-2.0-only
/*
 * Releases meet populates and releases of the same gfns by another vCPU: a gfn belongs to one
 * of them at a time, no frame goes while somebody has it, and the counts come out even. The
 * vCPUs that are not started make the pool larger, and its sweeps longer.
 * @vcpus 32
 * @mem 31M
 * @timeout 400
 */
#include "lib/grant.h"

#define CHUNK	0x1000000ull
#define HOT	(CHUNK + 100 * PAGE)
#define ROUNDS	1000
static volatile u64 quit, gone, took;

static s64 one(u64 op, u64 gpa, u64 frames, struct parvus_memory_extent *r)
{
	*r = (struct parvus_memory_extent){ .gfn = gpa / PAGE, .frames = frames };
	return parvus_memory_op(op, pa(r), 1);
}

static void use(void *arg) { *(volatile u64 *)arg = 0x4242; }

void secondary_main(u64 arg)
{
	static struct parvus_memory_extent r __attribute__((aligned(64)));

	(void)arg;
	while (!quit) {
		if (one(PARVUS_MEMORY_POPULATE, HOT, 1, &r) != 1)
			continue;
		took++;
		use(va(HOT));
		EXPECT_EQ(one(PARVUS_MEMORY_RELEASE, HOT, 1, &r), 1);
	}
	gone = 1;
	for (;;)
		parvus_vcpu_stop();
}

static struct parvus_memory_info *info(void)
{
	static struct parvus_memory_info m __attribute__((aligned(128)));

	EXPECT_EQ(parvus_memory_op(PARVUS_MEMORY_INFO, pa(&m), 0), 0);
	return &m;
}

void test(void)
{
	u64 frames, touched, hot = 0;

	EXPECT_EQ(release(CHUNK, 512), 1);
	EXPECT_EQ(release(CHUNK + 512 * PAGE, 512), 1);	/* so that no limit is in the way */
	frames = info()->frames;
	touched = info()->touched;
	vcpu_begin(1, 0);
	/* on a busy host one of the two may not run for all of that */
	for (int i = 0; i < ROUNDS || (!(hot && took) && i < 100 * ROUNDS); i++) {
		static struct parvus_memory_extent r __attribute__((aligned(64)));
		s64 got;

		EXPECT_EQ(one(PARVUS_MEMORY_POPULATE, CHUNK, 100, &r), 1);
		EXPECT_EQ(one(PARVUS_MEMORY_POPULATE, HOT + PAGE, 411, &r), 1);
		use(va(CHUNK + PAGE));
		got = one(PARVUS_MEMORY_POPULATE, HOT, 1, &r);
		hot += got == 1;
		if (got == 1 && one(PARVUS_MEMORY_RELEASE, CHUNK, 512, &r) == 1)
			continue;
		EXPECT_EQ(one(PARVUS_MEMORY_RELEASE, CHUNK, 100, &r), 1);
		EXPECT_EQ(one(PARVUS_MEMORY_RELEASE, HOT + PAGE, 411, &r), 1);
		if (got == 1)
			one(PARVUS_MEMORY_RELEASE, HOT, 1, &r);
	}
	quit = 1;
	while (!gone)
		parvus_yield();
	EXPECT(hot && took);
	EXPECT_EQ(info()->frames, frames);
	EXPECT_EQ(info()->touched, touched);
}
