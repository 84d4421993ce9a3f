// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests/system/walls.sh, three of it. Domain 0 gives the other two a port each and ends after
 * some seconds. These send as long as the machine runs, also when nobody is there any more.
 */
#include "event.h"

#define SECONDS	6ull

static void ignore(struct frame *f) { (void)f; }

void test(void)
{
	u32 me = start_info->domain;
	s64 port;
	u64 until;

	clock_setup();
	event_setup();
	on_trap = ignore;
	if (!me) {
		for (u32 n = 1; n < 3; n++)
			while (event_unbound(n) == -PARVUS_ENOENT)
				relax();
		until = now_ns() + SECONDS * 1000000000;
		while (now_ns() < until)
			relax();
		return;
	}
	while ((port = event_join(0, me)) == -PARVUS_ENOENT)
		parvus_yield();
	for (;;)
		event_send(port);
}
