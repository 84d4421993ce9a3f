// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames given back, one by one and 2 MiB at a time, out of memory that is mapped large:
 * they are free, their neighbours keep what they had, and what the hypervisor holds a
 * pointer to stays.
 * @mem 31M
 * @hv debug=1
 */
#include "lib/grant.h"

static u64 frames_free(void)
{
	static struct parvus_debug_info info;

	EXPECT_EQ(parvus_debug_info(pa(&info), sizeof(info)), 0);
	return info.frames_free;
}

void test(void)
{
	const u64 chunk = 0x1000000, whole = 0x1200000;
	u64 before;

	for (u64 gpa = chunk; gpa < chunk + 0x600000; gpa += PAGE)
		*(volatile u64 *)va(gpa) = gpa;
	BAD(release(chunk, 0), PARVUS_EINVAL);
	BAD(release(chunk, 513), PARVUS_EINVAL);
	BAD(release(chunk + PAGE, 512), PARVUS_EINVAL);
	BAD(release(chunk + PAGE, ~0ull), PARVUS_EINVAL);
	BAD(release(start_info->ram_size, 1), PARVUS_EFAULT);
	BAD(release(start_info->ram_size - PAGE, 2), PARVUS_EFAULT);
	BAD(release(start_info->max_gfn * PAGE, 1), PARVUS_EINVAL);
	BAD(release(~0ull, 1), PARVUS_EINVAL);
	clock_setup();
	BAD(release(pa(&area), 1), PARVUS_EBUSY);
	BAD(release(pa(&area) & ~0x1fffffull, 512), PARVUS_EBUSY);
	before = frames_free();
	EXPECT_EQ(release(chunk + 5 * PAGE, 1), 1);
	EXPECT_EQ(frames_free(), before);		/* the extent's table took it */
	EXPECT_EQ(release(chunk + 6 * PAGE, 100), 1);
	EXPECT_EQ(frames_free(), before + 100);
	BAD(release(chunk + 5 * PAGE, 1), PARVUS_EFAULT);
	BAD(release(chunk + 4 * PAGE, 2), PARVUS_EFAULT);
	EXPECT_EQ(release(whole, 512), 1);
	EXPECT_EQ(frames_free(), before + 612);
	for (u64 gpa = chunk; gpa < chunk + 0x600000; gpa += PAGE) {
		if ((gpa >= chunk + 5 * PAGE && gpa < chunk + 106 * PAGE) ||
		    (gpa >= whole && gpa < whole + 0x200000))
			continue;
		EXPECT_EQ(*(volatile u64 *)va(gpa), gpa);
		*(volatile u64 *)va(gpa) = ~gpa;
	}
	/* a buffer there is no memory any more */
	BAD(parvus_console_write(chunk + 6 * PAGE, 1), PARVUS_EFAULT);
	BAD(parvus_console_write(whole, 1), PARVUS_EFAULT);
	BAD(parvus_mmu_switch(5, whole, 0, 0, 0, 0), PARVUS_EFAULT);
	EXPECT_EQ(*(volatile u64 *)va(chunk), ~chunk);
}
