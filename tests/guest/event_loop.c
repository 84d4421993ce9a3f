// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event channels of a domain with itself: delivery, words, masks, AUTO_MASK, the least
 * interval, STATUS, SET, all 4095 ports taken and given back, sources without an event.
 */
#include "lib/event.h"

static bool pending(s64 port)
{
	return ((volatile u64 *)event_page.pending)[port / 64] >> port % 64 & 1;
}
static bool masked(s64 port)
{
	return ((volatile u64 *)event_page.mask)[port / 64] >> port % 64 & 1;
}

static void delivery(s64 p, s64 q)
{
	struct parvus_event_bind s;

	s = event_status(p);
	EXPECT_EQ(s.kind, PARVUS_EVENT_INTERDOMAIN);
	EXPECT_EQ(s.domain, start_info->domain);
	EXPECT_EQ(s.remote_port, q);
	EXPECT_EQ(event_status(q).remote_port, p);
	EXPECT_EQ(event_send(p), 0);
	EXPECT(pending(q) && !pending(p));
	EXPECT_EQ(event_selector[0], 1);
	EXPECT_EQ(event_interrupts, 0);
	irq_on();
	EXPECT_EQ(event_count[q], 1);
	EXPECT_EQ(event_interrupts, 1);
	for (int i = 0; i < 10000; i++)
		EXPECT_EQ(event_send(i % 2 ? p : q), 0);
	EXPECT_EQ(event_count[q], 5001);
	EXPECT_EQ(event_count[p], 5000);
	/* sleep until it comes */
	irq_off();
	EXPECT_EQ(event_send(p), 0);
	event_wait(q, 5001);
	EXPECT_EQ(event_count[q], 5002);
}

static void masks(s64 p, s64 q)
{
	u64 n = event_count[q];

	__atomic_fetch_or(&event_page.mask[q / 64], 1ull << q % 64, __ATOMIC_SEQ_CST);
	EXPECT_EQ(event_send(p), 0);
	EXPECT(pending(q));
	EXPECT_EQ(event_count[q], n);
	EXPECT_EQ(event_unmask(q), 0);
	EXPECT_EQ(event_count[q], n + 1);
	EXPECT_EQ(event_set(q, 0, PARVUS_EVENT_AUTO_MASK, 0), 0);
	EXPECT_EQ(event_status(q).flags, PARVUS_EVENT_AUTO_MASK);
	/* the mask comes with the delivery, so it takes a look without the mask to see it */
	irq_off();
	EXPECT_EQ(event_send(p), 0);
	EXPECT(masked(q) && pending(q));
	EXPECT_EQ(event_selector[0], 1);
	irq_on();
	EXPECT_EQ(event_count[q], n + 1);	/* our handler leaves masked ports alone */
	EXPECT_EQ(event_set(q, 0, 0, 0), 0);
	EXPECT_EQ(event_unmask(q), 0);
	EXPECT_EQ(event_count[q], n + 2);
}

static void interval(s64 p, s64 q)
{
	u64 n = event_count[q], start, end, sent = 0;

	EXPECT_EQ(event_set(q, 0, 0, 2000000), 0);
	EXPECT_EQ(event_status(q).interval_ns, 2000000);
	start = now_ns();
	do {
		EXPECT_EQ(event_send(p), 0);
		sent++;
		end = now_ns();
	} while (end - start < 40000000);
	n = event_count[q] - n;
	EXPECT(n >= 2);
	EXPECT(n <= (end - start) / 2000000 + 1);
	EXPECT(sent > 2 * n);
	/* the last one is not lost */
	n = event_count[q];
	if (event_send(p) == 0)
		event_wait(q, n);
	EXPECT_EQ(event_set(q, 0, 0, 0), 0);
	n = event_count[q];
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(event_send(p), 0);
	EXPECT_EQ(event_count[q], n + 100);
}

static void all_ports(void)
{
	static u16 used[PARVUS_EVENT_PORTS];
	u32 n = 0, pairs = 0;
	s64 p;

	while ((p = n % 2 ? event_join(SELF, used[n - 1]) : event_unbound(SELF)) > 0)
		used[n++] = (u16)p;
	EXPECT_EQ(p, -PARVUS_ENOSPC);
	EXPECT_EQ(n, 4095 - 2);
	EXPECT_EQ(event_bind_to(PARVUS_EVENT_VIRQ, 0, PARVUS_VIRQ_MEMORY, 0, 0, 0), -PARVUS_ENOSPC);
	for (u32 i = 0; i + 1 < n; i += 2, pairs++) {
		EXPECT_EQ(event_send(used[i]), 0);
		EXPECT_EQ(event_count[used[i + 1]], 1);
	}
	EXPECT_EQ(pairs, 2046);
	/* the selector has a bit for each word */
	irq_off();
	for (u32 i = 1; i < n; i += 2)
		EXPECT_EQ(event_send(used[i]), 0);
	EXPECT_EQ(event_selector[0], ~0ull);
	irq_on();
	for (u32 i = 0; i + 1 < n; i += 2)
		EXPECT_EQ(event_count[used[i]], 1);
	for (u32 i = 0; i < n; i++) {
		EXPECT_EQ(event_close(used[i]), 0);
		if (i + 1 < n && i % 2 == 0)
			BAD(event_send(used[i + 1]), PARVUS_EAGAIN);
		event_count[used[i]] = 0;
	}
	EXPECT_EQ(event_status(4095).kind, PARVUS_EVENT_CLOSED);
	BAD(event_send(4095), PARVUS_ENOENT);
}

void test(void)
{
	s64 p, q, v;

	clock_setup();
	event_setup();
	p = event_unbound(SELF);
	q = event_join(SELF, (u64)p);
	EXPECT_EQ(p, 1);
	EXPECT_EQ(q, 2);
	irq_off();
	delivery(p, q);
	masks(p, q);
	interval(p, q);
	all_ports();
	v = event_bind_to(PARVUS_EVENT_VIRQ, 0, PARVUS_VIRQ_CONSOLE, 0, 0, 0);
	EXPECT_EQ(event_status(v).virq, PARVUS_VIRQ_CONSOLE);
	EXPECT_EQ(event_status(v).kind, PARVUS_EVENT_VIRQ);
	EXPECT_EQ(event_count[v], 0);
	EXPECT_EQ(event_close(v), 0);
	/* a domain goes with its ports */
}
