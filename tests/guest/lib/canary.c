// SPDX-License-Identifier: GPL-2.0-only
/*
 * The domain beside a hostile one: 4 MiB of known contents, which the hypervisor hashes
 * again and again while the other does its worst. Ends well after the neighbour's time,
 * with 1 if the hash ever changed.
 */
#include "guest.h"

static u64 hash(void)
{
	u64 h = 0;

	for (u64 gpa = 0x800000; gpa < 0xc00000; gpa += 0x100000) {
		EXPECT_EQ(parvus_debug_hash(gpa, 0x100000), 0);
		h = h * 31 + area.ret[0];
	}
	return h;
}

static void tick(struct frame *f) { (void)f; }

void test(void)
{
	u64 first, rounds = 0, deadline;

	on_trap = tick;
	clock_setup();
	for (u64 gpa = 0x800000; gpa < 0xc00000; gpa += 8)
		*(volatile u64 *)va(gpa) = gpa * 0x9e3779b97f4a7c15ull;
	first = hash();
	deadline = now_ns() + 1500000000;
	do {
		EXPECT_EQ(hash(), first);
		rounds++;
		irq_off();	/* else it may fire before block, and nothing follows */
		parvus_timer_set(now_ns() + 2000000);
		parvus_block();
	} while (now_ns() < deadline);
	EXPECT(rounds >= 3);
	print("canary: %lu rounds\n", rounds);
}
