// SPDX-License-Identifier: GPL-2.0-only
/*
 * A domain that does its worst to its neighbour's ports: takes all of its own, binds to
 * each port of the other (one alone is meant for it), sends on ports that are closed,
 * foreign or no ports, overwrites its page while the other sends, closes
 * and binds anew under the other's feet. The other one gets events on the port that it
 * gave away, on no other, and its own channels go on working.
 * @domains 2
 * @vcpus 2
 * @timeout 120
 * @beside canary
 */
#include "lib/event.h"

#define GIVEN	1	/* the victim's ports: for the attacker, */
#define PLUG	2	/* a channel with itself, */
#define SOCKET	3
#define WAITING	4	/* and one that waits for itself */

static volatile u64 stop, stopped;
static u64 seed = 88172645463325252ull;

static u64 random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static void victim(void)
{
	u64 until, sent = 0, nobody = 0;
	s64 ret;

	EXPECT_EQ(event_unbound(1), GIVEN);
	EXPECT_EQ(event_unbound(SELF), PLUG);
	EXPECT_EQ(event_join(SELF, PLUG), SOCKET);
	EXPECT_EQ(event_unbound(SELF), WAITING);
	until = now_ns() + 3000000000;
	for (u64 i = 1; now_ns() < until; i++) {
		ret = event_send(GIVEN);
		EXPECT(ret == 0 || ret == -PARVUS_EAGAIN);
		sent += ret == 0;
		nobody += ret != 0;
		EXPECT_EQ(event_send(PLUG), 0);
		/* soon, not at once: the vector may be raised already, for the other port */
		while (event_count[SOCKET] != i && now_ns() < until + 2000000000)
			relax();
		EXPECT_EQ(event_count[SOCKET], i);
		BAD(event_send(WAITING), PARVUS_EAGAIN);
		if (failures)
			return;
	}
	EXPECT(sent > 100);
	EXPECT(event_count[GIVEN] > 0);
	for (u32 i = 0; i < PARVUS_EVENT_PORTS; i++)
		if (i != GIVEN && i != SOCKET)
			EXPECT_EQ(event_count[i], 0);
	EXPECT_EQ(event_status(WAITING).kind, PARVUS_EVENT_UNBOUND);
	EXPECT_EQ(event_status(PLUG).remote_port, SOCKET);
	print("victim: %lu sent, %lu without a peer, %lu received\n", sent, nobody,
	      event_count[GIVEN]);
}

/* The other vCPU: the page and the areas are ours to ruin; closing is allowed as well. */
void secondary_main(u64 arg)
{
	(void)arg;
	while (!stop) {
		u64 x = stop ? 0 : random() * 2685821657736338717ull;

		((volatile u64 *)&event_page)[x % (3 * PARVUS_EVENT_WORDS)] =
			x >> 10 & 1 ? ~0ull : x;
		if (x % 16 == 0)
			parvus_event_op(PARVUS_EVENT_CLOSE, x >> 8 & 15);
		if (x % 64 == 1)
			parvus_event_op(PARVUS_EVENT_UNMASK, x >> 8 & 15);
	}
	stopped = 1;
	for (;;)
		parvus_vcpu_stop();
}

static void ignore(struct frame *f) { (void)f; }

static void attacker(void)
{
	u64 until = now_ns() + 2000000000, joined = 0, n, x;
	s64 p, own = 0;

	/* until the victim is there; then none but the given one */
	while ((p = event_join(0, GIVEN)) < 0 && now_ns() < until)
		parvus_yield();
	EXPECT(p > 0);
	for (u32 i = 0; i < 20; i++)
		EXPECT_EQ(event_send(p), 0);
	for (u64 i = 0; i < 5000; i++)
		BAD(event_join(0, i), PARVUS_ENOENT);
	for (x = 1; x >> 32 == 0; x <<= 1)
		BAD(event_join(0, x | PLUG), PARVUS_ENOENT);
	/* all of ours; then sends on what is bound, unbound, and no port */
	for (n = 1; (own = event_unbound(n % 2 ? 0 : SELF)) > 0; n++)
		;
	EXPECT_EQ(own, -PARVUS_ENOSPC);
	EXPECT_EQ(n, 4095);
	for (u64 i = 0; i < 4200; i++)
		if (i != (u64)p)
			BAD(event_send((s64)i), i && i < 4096 ? PARVUS_EAGAIN : PARVUS_EINVAL);
	for (int i = 0; i < 64; i++)
		if ((1ull << i | (u64)p) != (u64)p)
			EXPECT(event_send((s64)(1ull << i | (u64)p)) < 0);
	for (u64 i = 1; i < 4096; i++)
		EXPECT_EQ(event_close((s64)i), 0);
	BAD(event_send(p), PARVUS_ENOENT);
	/* both at once; the second vCPU may close under us */
	on_trap = ignore;
	vcpu_begin(1, 0);
	while (now_ns() < until) {
		p = event_join(0, GIVEN);
		if (p > 0)
			joined++;
		for (int i = 0; i < 16; i++) {
			x = random();
			parvus_event_op(PARVUS_EVENT_SEND, x & 31);
			if (x % 8 == 0)
				event_set((s64)(x >> 8 & 15), x >> 12 & 1, x >> 13 & 1,
					  (u32)(x >> 20 & 0xffff));
			if (x % 32 == 1)
				event_unbound(0);
			if (x % 16 == 2)
				event_close((s64)(x >> 8 & 63));
		}
		if (p > 0)
			event_close(p);
	}
	EXPECT(joined > 10);
	stop = 1;
	while (!stopped)
		parvus_yield();
}

void test(void)
{
	clock_setup();
	event_setup();
	irq_on();
	if (start_info->domain)
		attacker();
	else
		victim();
}
