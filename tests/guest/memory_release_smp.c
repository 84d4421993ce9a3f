// SPDX-License-Identifier: GPL-2.0-only
/*
 * One vCPU gives frames back while another one uses them: as buffers of hypercalls, as page
 * tables that its faults walk, and as memory. The last is a page fault; until then, and
 * after, nobody else's memory changes.
 * @vcpus 2
 * @mem 31M
 * @beside canary
 */
#include "lib/grant.h"

#define CHUNK	0x1000000ull
#define AT	0x40000000ull
static volatile u64 at, quit;

static void use(void *arg) { *(volatile u64 *)arg = 0x4242; }

void secondary_main(u64 arg)
{
	(void)arg;
	while (!quit) {
		volatile u64 *e = entry_of(root, AT, 2);
		u64 gpa = CHUNK + at * PAGE;

		parvus_stats_read(0, gpa, 704);		/* writes it */
		parvus_log_write(gpa, 8);
		/* the next one to go is a page table now: accesses set bits in it */
		*e = (gpa + PAGE) | P | W | U;
		*(volatile u64 *)va(CHUNK + 0x1ff000) = 1;
		catch_fault(use, (void *)AT);
		*e = 0;
		flush_page(AT);
	}
	for (;;)
		parvus_vcpu_stop();
}

void test(void)
{
	vcpu_begin(1, 0);
	for (at = 0; at < 500; at++)
		EXPECT_EQ(release(CHUNK + at * PAGE, 1), 1);
	quit = 1;
	while (parvus_vcpu_state(1))
		parvus_yield();
	EXPECT_EQ(catch_fault(use, va(CHUNK + 10 * PAGE)), 1);
}
