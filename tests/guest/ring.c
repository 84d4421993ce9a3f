// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring library between two domains, with a page that one offers and events that wake:
 * requests one way, responses back, in rings so small that each end sleeps for entries and
 * for room. All arrive in order and whole, across the wrap of the indices, with less events
 * than entries. At the end one lies, and the other one knows.
 * @domains 2
 * @mem 15M
 * @timeout 120
 */
#include "lib/event.h"
#include "lib/grant.h"
#include <parvus/ring_ops.h>

#define TOTAL	20000u
#define FROM	((u32)-5000)
#define REQUESTS	8u
#define RESPONSES	2u

struct request {
	u64 n, word[7];
};

struct response {
	u64 n;
};

/* In the page, behind what lib/grant.h has at its begin. */
struct rings {
	struct parvus_ring begin, requests, responses;
	struct request request[REQUESTS];
	struct response response[RESPONSES];
};

static struct rings *rings;
static struct parvus_producer p;
static struct parvus_consumer c;
static s64 port;
static u64 sent, sleeps, salt = 12345;

static void notify(void)
{
	EXPECT_EQ(event_send(port), 0);
	sent++;
}

/* What was done is told; true if somebody may wait. */
static void tell(void)
{
	/* one event does for both */
	if (parvus_publish(&p) | parvus_release(&c))
		notify();
}

/* Sometimes one end is slow, so that now this one waits, now the other. */
static void dawdle(void)
{
	salt = salt * 6364136223846793005ull + 1442695040888963407ull;
	if (!(salt >> 60))
		for (u64 i = salt >> 48 & 0xfff; i; i--)
			relax();
}

static void sleep_since(u64 events)
{
	sleeps++;
	event_wait(port, events);
}

static void front(void)
{
	u64 asked = 0, answered = 0, events;
	struct request q;
	struct response r;

	while (answered < TOTAL && !failures) {
		events = event_count[port];
		while (parvus_consume(&c, &r)) {
			EXPECT_EQ(r.n, answered * 3);
			answered++;
			dawdle();
		}
		while (asked < TOTAL && parvus_producer_room(&p)) {
			q.n = asked;
			for (u32 i = 0; i < 7; i++)
				q.word[i] = asked * 0x9e3779b97f4a7c15ull + i;
			parvus_produce(&p, &q);
			asked++;
			dawdle();
		}
		tell();
		if ((asked == TOTAL || parvus_producer_sleep(&p, 1)) && answered < TOTAL &&
		    parvus_consumer_sleep(&c))
			sleep_since(events);
	}
	EXPECT(!parvus_producer_broken(&p) && !parvus_consumer_broken(&c));
	print("front: %lu sleeps, %lu events for %u requests\n", sleeps, sent, TOTAL);
	EXPECT(sleeps > 10);
	EXPECT(sent < TOTAL);
	/* more than there can be */
	wait_for(2);
	rings->requests.produced += REQUESTS + 1;
	notify();
	wait_for(3);
}

static void back(void)
{
	u64 served = 0, events;
	struct request q;
	struct response r;
	bool full;

	while (served < TOTAL && !failures) {
		events = event_count[port];
		while (!(full = !parvus_producer_room(&p)) && parvus_consume(&c, &q)) {
			EXPECT_EQ(q.n, served);
			for (u32 i = 0; i < 7; i++)
				EXPECT_EQ(q.word[i], served * 0x9e3779b97f4a7c15ull + i);
			r.n = q.n * 3;
			parvus_produce(&p, &r);
			served++;
			dawdle();
		}
		tell();
		if (served < TOTAL &&
		    (full ? parvus_producer_sleep(&p, 1) : parvus_consumer_sleep(&c)))
			sleep_since(events);
	}
	EXPECT(!parvus_producer_broken(&p) && !parvus_consumer_broken(&c));
	print("back: %lu sleeps, %lu events for %u responses\n", sleeps, sent, TOTAL);
	EXPECT(sleeps > 10);
	EXPECT(sent < TOTAL);
	events = event_count[port];
	EXPECT(parvus_consumer_sleep(&c));
	reached(2);
	event_wait(port, events);
	EXPECT(!parvus_consume(&c, &q));
	EXPECT(parvus_consumer_broken(&c));
	EXPECT(!parvus_consumer_sleep(&c));
	reached(3);
}

static void format(struct parvus_ring *ring)
{
	parvus_ring_format(ring);
	ring->produced = ring->consumed = FROM;
	ring->consumer_wake = FROM + 1;
}

void test(void)
{
	event_setup();
	if (ME == 0)
		port = event_unbound(1);
	share();
	rings = (struct rings *)(u64)shared;
	if (ME == 0) {
		format(&rings->requests);
		format(&rings->responses);
		parvus_producer_init(&p, &rings->requests, rings->request, REQUESTS,
				     sizeof(struct request), FROM);
		parvus_consumer_init(&c, &rings->responses, rings->response, RESPONSES,
				     sizeof(struct response), FROM);
		reached(1);
		wait_for(1);
		front();
	} else {
		port = event_join(0, 1);
		parvus_producer_init(&p, &rings->responses, rings->response, RESPONSES,
				     sizeof(struct response), FROM);
		parvus_consumer_init(&c, &rings->requests, rings->request, REQUESTS,
				     sizeof(struct request), FROM);
		wait_for(1);
		reached(1);
		back();
	}
	EXPECT_EQ(port, 1);
}
