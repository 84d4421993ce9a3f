// SPDX-License-Identifier: GPL-2.0-only
/*
 * The domain beside a hostile one: 4 MiB of known contents, which the hypervisor hashes
 * again and again while the other does its worst, and which it reads itself; a timer, and an event
 * to itself. Ends well after the neighbour's time, with 1 if the contents ever changed or a call
 * failed. With "seconds=N" on its command line it stays for so long.
 */
#include "event.h"

#define FIRST	0x800000ull	/* gpa */
#define LAST	0xc00000ull

static u64 hash(void)
{
	u64 h = 0;

	for (u64 gpa = FIRST; gpa < LAST; gpa += 0x100000) {
		EXPECT_EQ(parvus_debug_hash(gpa, 0x100000), 0);
		h = h * 31 + area.ret[0];
	}
	return h;
}

static u64 pattern(u64 gpa) { return gpa * 0x9e3779b97f4a7c15ull; }

static u64 option(void)
{
	const char *p = va(start_info->cmdline), *name = "seconds=";
	u64 v = 0;

	for (; *name; name++)
		if (*p++ != *name)
			return 0;
	while (*p >= '0' && *p <= '9')
		v = v * 10 + (u64)(*p++ - '0');
	return v;
}

void test(void)
{
	u64 first, gpa, rounds = 0, begin, last, now, longest = 0, seconds = option();
	s64 port, other;

	clock_setup();
	event_setup();
	port = event_unbound(SELF);
	other = event_join(SELF, (u64)port);
	EXPECT(port > 0 && other > 0);
	for (gpa = FIRST; gpa < LAST; gpa += 8)
		*(volatile u64 *)va(gpa) = pattern(gpa);
	first = hash();
	begin = last = now_ns();
	do {
		EXPECT_EQ(hash(), first);
		for (gpa = FIRST + rounds % 64 * 8; gpa < LAST; gpa += 512)
			if (*(volatile u64 *)va(gpa) != pattern(gpa)) {
				print("FAILED: %lx is not what it was\n", gpa);
				failures++;
			}
		EXPECT_EQ(event_send(other), 0);
		event_wait(port, rounds);
		rounds++;
		irq_off();	/* else it may fire before block, and nothing follows */
		parvus_timer_set(now_ns() + (seconds ? 20000000 : 2000000));
		parvus_block();
		now = now_ns();
		longest = now - last > longest ? now - last : longest;
		last = now;
	} while (now - begin < (seconds ? seconds * 1000000000 : 1500000000) && !failures);
	EXPECT(rounds >= 3 + seconds / 2);
	print("canary: %lu rounds, the longest %lu ms\n", rounds, longest / 1000000);
}
