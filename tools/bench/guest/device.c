// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two domains on one CPU: grants, events, and requests from a front end to a back end, with
 * rings as in parvus/block.h and parvus/network.h. The back end maps the front end's pages
 * once; data goes through the pool. A single request wakes the back end, and its answer
 * the front end, each by an event and a change of domain; a batch shares both.
 *
 * The instructions of both ends count (-icount counts those of the machine); the counters
 * of the hypervisor in a record are the front end's alone.
 */
#include "calls.h"
#include "event.h"
#include "grant.h"
#include <parvus/block.h>
#include <parvus/network.h>
#include <parvus/ring_ops.h>

#define POOL		16u	/* pages, and packets of a batch */
#define OFFERS		64u	/* pages of the back end, for grant rows */
#define PORTS		32u
#define REQUESTS	32u	/* entries of the block rings in one page */
#define BLOCK_STOP	255u	/* op of the last request: the back end ends */

/* Of the front end: two pages of rings and the pool. At va(HOLE) in the back end. */
struct shared {
	struct parvus_ring request, response;
	struct parvus_block_request requests[REQUESTS];
	struct parvus_block_response responses[REQUESTS];
	u8 pad[4096 - 256 - REQUESTS * 72];
	struct parvus_ring transmit;
	struct parvus_network_slot slots[POOL];
	u8 pad1[4096 - 128 - POOL * 16];
	u8 pool[POOL][4096];
};
#define SHARED_PAGES	(sizeof(struct shared) / 4096)

static struct shared *m;
static s64 port;	/* to the other end */

void event_light(void) { event_serve(0); }

/* Interrupts are off; they come while it sleeps. */
static void sleep(void)
{
	parvus_block();
	irq_off();
}

/* ---- back end ---- */

static void serve_block(struct parvus_consumer *c, struct parvus_producer *p)
{
	struct parvus_block_request r;

	while (parvus_consume(c, &r)) {
		struct parvus_block_response a = { .id = r.id };

		if (r.op == BLOCK_STOP) {
			EXPECT(buffer_is(0, 1500));	/* the last packet */
			end(failures ? 1 : 0);
		}
		page_copy(m->pool[r.segment[0].offset / 4096 % POOL], disk + r.sector * 512 % DISK,
			  PAGE);
		parvus_produce(p, &a);
	}
	parvus_release(c);
	if (parvus_publish(p))
		event_send(port);
}

static void serve_network(struct parvus_consumer *c)
{
	struct parvus_network_slot s;
	u32 i = c->end.next;

	for (; parvus_consume(c, &s); i++)
		page_copy(buffer, m->pool[i % POOL], s.bytes < 4096 ? s.bytes : 4096);
	if (parvus_release(c))
		event_send(port);
}

void device_back(void)
{
	struct parvus_consumer requests, packets;
	struct parvus_producer responses;
	u32 ref, handle, other = 1 - ME;

	event_setup();
	gate_set(PARVUS_VECTOR_EVENT, event_call);
	disk_fill();
	for (u32 i = 0; i < OFFERS; i++) {	/* references 1 and up */
		u64 page = page_new();

		page_copy(va(page), disk, PAGE);
		EXPECT_EQ(offer(page, other, 0, &ref), 0);
	}
	for (u32 i = 0; i < SHARED_PAGES; i++)
		while (grant_map(other, i + 1, 0, HOLE + i * PAGE, &handle))
			parvus_yield();
	m = va(HOLE);
	while ((port = event_join(other, 1)) < 0)
		parvus_yield();
	parvus_consumer_init(&requests, &m->request, m->requests, REQUESTS, sizeof(m->requests[0]),
			     0);
	parvus_producer_init(&responses, &m->response, m->responses, REQUESTS,
			     sizeof(m->responses[0]), 0);
	parvus_consumer_init(&packets, &m->transmit, m->slots, POOL, sizeof(m->slots[0]), 0);
	irq_off();
	for (;;) {
		serve_block(&requests, &responses);
		serve_network(&packets);
		if (parvus_consumer_sleep(&requests) && parvus_consumer_sleep(&packets))
			sleep();
	}
}

/* ---- front end: requests ---- */

static struct parvus_producer requests, packets;
static struct parvus_consumer responses;

static void request(u8 op, u32 id)
{
	struct parvus_block_request r = { .op = op, .segments = 1, .id = id, .sector = id * 8,
					  .sectors = 8, .segment[0] = { id * 4096, 4096 } };

	parvus_produce(&requests, &r);
}

static void block_read(u32 count)
{
	struct parvus_block_response a;
	u32 i, got;

	for (i = 0; i < count; i++)
		request(PARVUS_BLOCK_READ, i);
	if (parvus_publish(&requests))
		event_send(port);
	for (got = 0; got < count;) {
		while (parvus_consume(&responses, &a)) {
			page_copy(buffer, m->pool[a.id % POOL], PAGE);
			got++;
		}
		parvus_release(&responses);
		if (got < count && parvus_consumer_sleep(&responses))
			sleep();
	}
}
static void block_1(u64 n) { LOOP(n, block_read(1)); }
static void block_16(u64 n) { LOOP(n, block_read(POOL)); }

static bool check_first(u64 n) { (void)n; return buffer_is(0, PAGE); }
static bool check_last(u64 n) { (void)n; return buffer_is((POOL - 1) * PAGE, PAGE); }

static void transmit(u32 count)
{
	struct parvus_network_slot s = { .bytes = 1500 };

	for (u32 i = 0; i < count; i++) {
		page_copy(m->pool[packets.end.next % POOL], disk, 1500);
		parvus_produce(&packets, &s);
	}
	if (parvus_publish(&packets))
		event_send(port);
	while (parvus_producer_sleep(&packets, POOL))
		sleep();
}
static void packet_1(u64 n) { LOOP(n, transmit(1)); }
static void packet_16(u64 n) { LOOP(n, transmit(POOL)); }

/* ---- front end: grants; the gfns from HOLE on are without memory ---- */

static struct parvus_grant_map maps[OFFERS] __attribute__((aligned(4096)));
static struct parvus_grant_unmap unmaps[OFFERS] __attribute__((aligned(4096)));
static struct parvus_grant_copy copies[POOL] __attribute__((aligned(4096)));

/* A list may be left early for other work: the rest is another call. */
static void grant_list(u64 op, const void *records, u64 size, u64 count)
{
	u64 gpa = pa(records);
	s64 n;

	for (; count; count -= (u64)n, gpa += (u64)n * size) {
		n = parvus_grant_op(op, gpa, count);
		if (n <= 0)
			break;
	}
}
#define GRANT_LIST(op, records, count) grant_list(op, records, sizeof(records[0]), count)

static u64 place(u32 i) { return HOLE + i * PAGE; }
static void map_fill(void)
{
	for (u32 i = 0; i < OFFERS; i++)
		maps[i] = (struct parvus_grant_map){ .domain = 1 - ME,
						     .ref = i + 1,
						     .gfn = place(i) / PAGE };
}
static void unmap_fill(void)
{
	for (u32 i = 0; i < OFFERS; i++)
		unmaps[i] = (struct parvus_grant_unmap){ .handle = maps[i].handle,
							 .va = (u64)va(place(i)) };
}
static void map_all(void)
{
	map_fill();
	GRANT_LIST(PARVUS_GRANT_MAP, maps, OFFERS);
	for (u32 i = 0; i < OFFERS; i++) {
		EXPECT_EQ(maps[i].status, 0);
		(void)*(volatile u64 *)va(place(i));
	}
	unmap_fill();
}
/* What is not mapped any more gives an error, which is right. */
static void unmap_all(void)
{
	unmap_fill();
	for (u32 i = 0; i < OFFERS; i++)
		if (maps[i].handle)
			parvus_grant_op(PARVUS_GRANT_UNMAP, pa(&unmaps[i]), 1);
	map_fill();
}
static void map_one(u64 n)
{
	LOOP(n,
	     for (u32 i = 0; i < OFFERS; i++) parvus_grant_op(PARVUS_GRANT_MAP, pa(&maps[i]), 1));
}
static void map_list(u64 n) { LOOP(n, GRANT_LIST(PARVUS_GRANT_MAP, maps, OFFERS)); }
static void map_again(void)
{
	unmap_all();
	map_all();
}
static void unmap_one(u64 n)
{
	LOOP(n, for (u32 i = 0; i < OFFERS; i++)
			parvus_grant_op(PARVUS_GRANT_UNMAP, pa(&unmaps[i]), 1));
}
static void unmap_list(u64 n) { LOOP(n, GRANT_LIST(PARVUS_GRANT_UNMAP, unmaps, OFFERS)); }
static void copy_setup(void)
{
	memset(buffer, 0, PAGE);
	for (u32 i = 0; i < POOL; i++)
		copies[i] = (struct parvus_grant_copy){ .from = end_of(1 - ME, i + 1, 0),
							.to = end_own(pa(buffer)), .length = 4096 };
}
static void copy_one(u64 n) { LOOP(n, parvus_grant_op(PARVUS_GRANT_COPY, pa(copies), 1)); }
static void copy_list(u64 n) { LOOP(n, GRANT_LIST(PARVUS_GRANT_COPY, copies, POOL)); }
static bool check_copied(u64 n)
{
	(void)n;
	return buffer_is(0, PAGE);
}
static bool check_mapped(u64 n)
{
	(void)n;
	for (u32 i = 0; i < OFFERS; i++)
		if (maps[i].status || !maps[i].handle)
			return false;
	return true;
}
static bool check_unmapped(u64 n)
{
	(void)n;
	for (u32 i = 0; i < OFFERS; i++)
		if (unmaps[i].status)
			return false;
	return true;
}

/* ---- front end: events, between two ports of its own ---- */

static s64 in[PORTS], out[PORTS];
static volatile u64 word;

/* Interrupts are off: what is counted is the sending. */
static void event_one(u64 n) { LOOP(n, event_page.pending[0] = 0; event_send(out[0])); }
static void event_pending(u64 n) { LOOP(n, event_send(out[0])); }
static void event_list(u64 n)
{
	LOOP(n, event_page.pending[0] = 0; event_page.pending[1] = 0; run_list(PORTS));
}
static void event_list_setup(void)
{
	for (u64 i = 0; i < PORTS; i++)
		list_set(i, PARVUS_HC_event_op, PARVUS_EVENT_SEND, (u64)out[i], 0, 0, 0, 0);
}
/* The receiver is awake and looks at the ring itself: nobody is told. */
static void event_shared(u64 n) { LOOP(n, __atomic_fetch_or(&word, 1, __ATOMIC_SEQ_CST)); }
static void receive_setup(void) { irq_on(); }
static void receive_done(void) { irq_off(); }
static bool check_sent(u64 n)
{
	(void)n;
	return event_page.pending[in[0] / 64] >> (in[0] % 64) & 1;
}
static bool check_received(u64 n)
{
	u64 sum = 0;

	for (u32 i = 0; i < PORTS; i++) {
		sum += event_count[in[i]];
		event_count[in[i]] = 0;
	}
	return sum >= n;
}
static void receive_one(u64 n) { LOOP(n, event_send(out[0])); }
static void receive_list(void)
{
	event_list_setup();
	irq_on();
}
static void batch(u64 n) { LOOP(n, run_list(PORTS)); }

#define BATCHED(what, count, fn, ...)	OP(what, "batched", count, fn, ##__VA_ARGS__)
#define CALL(what, count, fn, ...)	OP(what, "hypercall", count, fn, ##__VA_ARGS__)

static const struct op device_ops[] = {
	OP("event-send", "shared", 500, event_shared),
	BATCHED("event-send", 16, event_list, .per = PORTS, .setup = event_list_setup,
		.check = check_sent),
	CALL("event-send", 500, event_one, .check = check_sent),
	CALL("event-send-pending", 500, event_pending),
	BATCHED("event-receive", 16, batch, .per = PORTS, .setup = receive_list,
		.done = receive_done,
	     .check = check_received),
	CALL("event-receive", 500, receive_one, .setup = receive_setup, .done = receive_done,
	     .check = check_received),
	BATCHED("grant-map", 8, map_list, .per = OFFERS, .reset = unmap_all, .check = check_mapped),
	CALL("grant-map", 8, map_one, .per = OFFERS, .reset = unmap_all, .check = check_mapped),
	BATCHED("grant-unmap", 8, unmap_list, .per = OFFERS, .reset = map_again,
		.check = check_unmapped),
	CALL("grant-unmap", 8, unmap_one, .per = OFFERS, .reset = map_again,
	     .check = check_unmapped),
	BATCHED("grant-copy", 16, copy_list, .per = POOL, .setup = copy_setup,
		.check = check_copied),
	CALL("grant-copy", 100, copy_one, .setup = copy_setup, .check = check_copied),
	BATCHED("block-4k", 16, block_16, .per = POOL, .check = check_last),
	CALL("block-4k", 100, block_1, .check = check_first),
	BATCHED("network-1500", 16, packet_16, .per = POOL),
	CALL("network-1500", 100, packet_1),
};

void device_front(void)
{
	u32 ref, other = 1 - ME;

	disk_fill();
	event_setup();
	gate_set(PARVUS_VECTOR_EVENT, event_call);
	while ((port = event_unbound(other)) < 0)	/* port 1 */
		parvus_yield();
	m = va(page_new());
	for (u32 i = 1; i < SHARED_PAGES; i++)
		page_new();
	parvus_ring_format(&m->request);
	parvus_ring_format(&m->response);
	parvus_ring_format(&m->transmit);
	for (u32 i = 0; i < SHARED_PAGES; i++)
		EXPECT_EQ(offer(pa(m) + i * PAGE, other, 0, &ref), 0);
	parvus_producer_init(&requests, &m->request, m->requests, REQUESTS, sizeof(m->requests[0]),
			     0);
	parvus_consumer_init(&responses, &m->response, m->responses, REQUESTS,
			     sizeof(m->responses[0]), 0);
	parvus_producer_init(&packets, &m->transmit, m->slots, POOL, sizeof(m->slots[0]), 0);
	/* the back end is there when it has joined, and has made its offers before that */
	while (event_status(port).kind != PARVUS_EVENT_INTERDOMAIN)
		parvus_yield();
	for (u32 i = 0; i < PORTS; i++) {
		in[i] = event_unbound(SELF);
		out[i] = event_join(SELF, (u64)in[i]);
	}
	irq_off();
	block_1(4);
	measure(device_ops, sizeof(device_ops) / sizeof(device_ops[0]));
	request(BLOCK_STOP, 0);
	if (parvus_publish(&requests))
		event_send(port);
}
