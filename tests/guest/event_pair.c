// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two domains with a channel: each event of one is answered by the other, asleep in
 * between; none is lost. One ends first; the other finds nobody there, and nobody who
 * could come.
 * @domains 2
 */
#include "lib/event.h"

#define ROUNDS	3000u

static void tick(struct frame *f)
{
	if (f->vector == PARVUS_VECTOR_EVENT)
		event_handler(f);
}

/* Give the others 1 ms. */
static void nap(void)
{
	irq_off();
	parvus_timer_set(now_ns() + 1000000);
	parvus_block();
	irq_on();
}

void test(void)
{
	u32 other = 1 - start_info->domain;
	struct parvus_event_bind s;
	s64 p;

	clock_setup();
	event_setup();
	on_trap = tick;
	if (other) {
		/* the first port of the other one is for us, as soon as it is there */
		while ((p = event_join(other, 1)) == -PARVUS_ENOENT)
			nap();
		BAD(event_join(other, 1), PARVUS_ENOENT);
	} else {
		p = event_unbound(other);
	}
	EXPECT_EQ(p, 1);
	for (u64 i = 0; i < ROUNDS; i++) {
		if (other)
			EXPECT_EQ(event_send(p), 0);
		event_wait(p, i);
		EXPECT_EQ(event_count[p], i + 1);
		if (i == 5)
			EXPECT_EQ(event_status(p).remote_port, 1);
		if (!other)
			EXPECT_EQ(event_send(p), 0);
	}
	if (!other)
		return;
	/* it ends now */
	while (event_send(p) != -PARVUS_EAGAIN)
		nap();
	s = event_status(p);
	EXPECT_EQ(s.kind, PARVUS_EVENT_UNBOUND);
	EXPECT_EQ(s.domain, other);
	while (event_unbound(other) != -PARVUS_ENOENT)
		nap();
	BAD(event_join(SELF, (u64)p), PARVUS_ENOENT);
	EXPECT_EQ(event_close(p), 0);
}
