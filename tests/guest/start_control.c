// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domain 0 lives at machine addresses: its start info says so, its RAM is the ranges of the
 * machine's map that are RAM, all of them together, and the firmware's root pointer of ACPI
 * is where start info names it. Its memory does not change.
 * @control 1
 */
#include "lib/guest.h"
#include <parvus/memory.h>

static struct parvus_memory_extent extent;
static void get(void *arg) { (void)*(volatile u64 *)arg; }

void test(void)
{
	const u64 at = 0x40000000;
	u64 sum = 0, end = 0;

	EXPECT_EQ(start_info->flags & PARVUS_START_CONTROL, PARVUS_START_CONTROL);
	EXPECT_EQ(start_info->domain, 0);
	EXPECT(start_info->memory_ranges > 0 && start_info->memory_ranges <= PARVUS_MEMORY_RANGES);
	for (u32 i = 0; i < start_info->memory_ranges; i++) {
		const struct parvus_memory_range *m = &start_info->memory[i];

		EXPECT_EQ(m->reserved, 0);
		EXPECT(m->start >= end);
		end = m->start + m->size;
		if (m->type != 1)
			continue;
		EXPECT(m->start >= 0x100000);	/* the first MiB is the firmware's */
		sum += m->size;
		/* the ends of each range are there, and are buffers of calls */
		EXPECT_EQ(parvus_log_write(m->start, 1), 0);
		EXPECT_EQ(parvus_log_write(end - 1, 1), 0);
		map(at, m->start, P | W | U);
		flush_page(at);
		EXPECT(!catch_fault(get, (void *)at));
		EXPECT(end <= start_info->max_gfn * PAGE);
	}
	EXPECT_EQ(sum, start_info->ram_size);
	EXPECT(start_info->rsdp != 0);
	map(at, start_info->rsdp & ~(PAGE - 1), P);
	flush_page(at);
	EXPECT(!catch_fault(get, (void *)(at + start_info->rsdp % PAGE)));
	if (!failures)	/* "RSD PTR " */
		EXPECT_EQ(*(volatile u64 *)(at + start_info->rsdp % PAGE), 0x2052545020445352);
	/* memory that is no RAM of its own is no buffer of a call */
	EXPECT_EQ(parvus_log_write(0xf0000, 1), -PARVUS_EFAULT);
	extent = (struct parvus_memory_extent){ .gfn = pa(image_end) / PAGE + 1, .frames = 1 };
	EXPECT_EQ(parvus_memory_op(PARVUS_MEMORY_RELEASE, pa(&extent), 1), -PARVUS_EPERM);
	EXPECT_EQ(parvus_memory_op(PARVUS_MEMORY_POPULATE, pa(&extent), 1), -PARVUS_EPERM);
}
