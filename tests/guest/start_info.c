// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a domain of the boot bundle finds at its start: the state of its first vCPU, the map of
 * its memory, which is zero where nothing was loaded, and no ACPI, console page or vCPU area.
 * @mem 15M
 */
#include "lib/guest.h"

static u64 word(u64 n) { return ((const u64 *)start_info)[n]; }

static void map_is_right(void)
{
	const struct parvus_memory_range *m = start_info->memory;
	u64 any = 0;

	EXPECT_EQ(start_info->memory_ranges, 3);
	EXPECT_EQ(m[0].start, 0);
	EXPECT_EQ(m[0].size, 0xa0000);
	EXPECT_EQ(m[0].type, 1);
	EXPECT_EQ(m[1].start, 0xa0000);
	EXPECT_EQ(m[1].size, 0x60000);
	EXPECT_EQ(m[1].type, 2);
	EXPECT_EQ(m[2].start, 0x100000);
	EXPECT_EQ(m[2].size, start_info->ram_size - 0x100000);
	EXPECT_EQ(m[2].type, 1);
	for (u64 at = 0; at < 0x100000; at += 8)
		any |= *(u64 *)va(at);
	/* start info and command line are at the top, nothing is above */
	EXPECT_EQ(pa(start_info) % PAGE, 0);
	EXPECT_EQ(start_info->cmdline,
		  (pa(start_info) + sizeof(*start_info) + PAGE - 1) & ~(PAGE - 1));
	EXPECT_EQ(start_info->cmdline + PAGE, start_info->ram_size);
	for (u64 at = (pa(image_end) + PAGE - 1) & ~(PAGE - 1); at < pa(start_info); at += 8)
		any |= *(u64 *)va(at);
	EXPECT_EQ(any, 0);
}

void test(void)
{
	u64 v;

	EXPECT_EQ(start_info->flags, 0);
	EXPECT_EQ(start_info->ram_size, 15 << 20);
	EXPECT_EQ(start_info->max_gfn, 16 << 8);	/* in frames, rounded up to 2 MiB */
	EXPECT_EQ(start_info->initrd | start_info->initrd_size, 0);
	EXPECT(start_info->tsc_khz > 1000);
	EXPECT(start_info->wall_sec > 1600000000);
	EXPECT_EQ(start_info->wall_nsec, 0);
	EXPECT_EQ(start_info->features[1] | start_info->features[2] | start_info->features[3], 0);
	EXPECT(start_info->generation_id[0] | start_info->generation_id[1]);
	EXPECT_EQ(start_info->rsdp, 0);
	EXPECT_EQ(start_info->console_gpa, 0);
	for (u64 n = 0; n < 3; n++)	/* no screen: that is domain 0's */
		EXPECT_EQ(((const u64 *)&start_info->screen)[n] | start_info->reserved[n], 0);
	EXPECT_EQ(word(0), PARVUS_START_MAGIC);
	map_is_right();
	/* the first vCPU: no bases, no breakpoints, the FPU as after a reset */
	for (u32 msr = 0xc0000100; msr <= 0xc0000102; msr++) {
		EXPECT_EQ(parvus_msr_read(msr), 0);
		EXPECT_EQ(area.ret[0], 0);
	}
	for (u64 n = 0; n < 4; n++) {
		EXPECT_EQ(parvus_debugreg_get(n), 0);
		EXPECT_EQ(area.ret[0], 0);
	}
	EXPECT_EQ(parvus_debugreg_get(7), 0);
	EXPECT_EQ(area.ret[0], 0x400);
	v = 0;
	__asm__ volatile("stmxcsr %0" : "+m"(v));
	EXPECT_EQ(v, 0x1f80);
	v = 0;
	__asm__ volatile("fnstcw %0" : "+m"(v));
	EXPECT_EQ(v, 0x37f);
}
