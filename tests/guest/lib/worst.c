// SPDX-License-Identifier: GPL-2.0-only
/*
 * A front end of a network interface that costs domain 0 as much as it can. Its command line
 * says how:
 *   spread  the pages of its pool lie as far apart as they can
 *   wander  there are four in an extent, and each link uses others, for some rounds
 *   flap    the state of its end changes as often as it can
 *   log     writes to the hypervisor's log without end
 * It says what came of it, and then waits for its end.
 */
#include "event.h"
#include <parvus/grant.h>
#include <parvus/network.h>

#define EXTENT	(2ull << 20)
#define PAGES	2048u		/* of all pools */
#define QUEUES	2u
#define ROUNDS	5u

static struct parvus_device record __attribute__((aligned(1024)));
static struct parvus_grant_offer offers[PARVUS_GRANT_BATCH] __attribute__((aligned(4096)));
static struct parvus_grant_revoke ends[PARVUS_GRANT_BATCH] __attribute__((aligned(4096)));
static struct parvus_link_queue directory[QUEUES] __attribute__((aligned(4096)));
static u32 tables[QUEUES][PARVUS_LINK_TABLE_REFS] __attribute__((aligned(4096)));
static u8 rings[QUEUES][5 * PAGE] __attribute__((aligned(4096)));
static u32 refs[PAGES + 32], used;	/* of this link */
static u64 first_extent, extents;	/* of RAM that nothing else is in */
static u32 together = 1;		/* pages in an extent, while there are extents */
static s64 port[QUEUES];

static bool is(const char *word)
{
	const char *p = va(start_info->cmdline);

	while (*word && *p == *word)
		p++, word++;
	return !*word;
}

static volatile u64 fired;

static void timer(struct frame *f)
{
	fired += f->vector == PARVUS_VECTOR_TIMER;
}

/* Some time for domain 0. */
static void rest(void)
{
	u64 before = fired;

	irq_off();
	parvus_timer_set(now_ns() + 2000000);
	wait_change(&fired, before);
}

/* ---- the registry ---- */

static s64 call(u64 op, u32 id)
{
	record.size = sizeof(record);
	record.version = 1;
	record.id = id;
	barrier();
	s64 ret = parvus_device_op(op, pa(&record));

	barrier();
	return ret;
}

/* Our interface; the toolstack makes it before we run. */
static u32 device(void)
{
	u32 id = 0;

	for (;;) {
		memset(&record, 0, sizeof(record));
		if (call(PARVUS_DEVICE_NEXT, id)) {
			id = 0;
			rest();
			continue;
		}
		id = record.id;
		if (record.device_class == PARVUS_CLASS_NETWORK)
			return id;
	}
}

static u32 back_state(u32 id)
{
	memset(&record, 0, sizeof(record));
	return call(PARVUS_DEVICE_READ, id) ? PARVUS_DEVICE_GONE : record.back_state;
}

static void set(u32 id, u32 state, const void *blob, u64 bytes)
{
	memset(&record, 0, sizeof(record));
	record.front_state = state;
	if (blob) {
		record.flags = PARVUS_DEVICE_WRITE;
		memcpy(record.front_blob, blob, bytes);
	}
	call(PARVUS_DEVICE_SET, id);
}

/* ---- a link ---- */

static u32 offer(u64 gfn, u32 to, u32 flags)
{
	offers[0] = (struct parvus_grant_offer){ .gfn = gfn, .domain = to, .flags = flags };
	barrier();
	s64 n = parvus_grant_op(PARVUS_GRANT_OFFER, pa(offers), 1);

	barrier();
	if (n != 1 || offers[0].status) {
		print("worst: offer %lx: %d\n", (unsigned long)gfn, offers[0].status);
		return 0;
	}
	refs[used++] = offers[0].ref;
	return offers[0].ref;
}

/* Page @i of a link whose first page is in that extent. */
static u64 spread_gfn(u64 start, u32 i)
{
	u64 extent = first_extent + (start + i / together) % extents;

	return extent * (EXTENT / PAGE) + i % together + i / together / extents * together;
}

static void link_offer(u32 to, u32 queues, u32 pool, u64 start, struct parvus_link *l)
{
	u32 q, i;

	used = 0;
	memset(directory, 0, sizeof(directory));
	for (q = 0; q < queues; q++) {
		if (port[q] <= 0)
			port[q] = event_bind_to(PARVUS_EVENT_UNBOUND, to, 0, 0, 0, 0);
		directory[q].port = (u32)port[q];
		directory[q].ring_pages = sizeof(rings[0]) / PAGE;
		directory[q].pool_pages = pool;
		memset(rings[q], 0, sizeof(rings[q]));
		for (i = 0; i < directory[q].ring_pages; i++)
			directory[q].ring_ref[i] = offer(pa(rings[q]) / PAGE + i, to, 0);
		for (i = 0; i < pool; i++)
			tables[q][i] = offer(spread_gfn(start, q * pool + i), to, 0);
		directory[q].table_ref[0] = offer(pa(tables[q]) / PAGE, to, PARVUS_GRANT_READONLY);
	}
	*l = (struct parvus_link){ .version = PARVUS_LINK_VERSION, .queues = queues };
	l->directory = offer(pa(directory) / PAGE, to, PARVUS_GRANT_READONLY);
}

/* The back end lets go of them in its own time. */
static void link_end(void)
{
	u32 i;

	for (i = 0; i < used; i++)
		do {
			ends[0] = (struct parvus_grant_revoke){ .ref = refs[i] };
			barrier();
			parvus_grant_op(PARVUS_GRANT_REVOKE, pa(ends), 1);
			barrier();
			if (ends[0].status == -PARVUS_EBUSY)
				rest();
		} while (ends[0].status == -PARVUS_EBUSY);
	used = 0;
	for (i = 0; i < QUEUES; i++) {
		if (port[i] > 0)
			event_close(port[i]);
		port[i] = 0;
	}
}

/* What the back end makes of it: CONNECTED, CLOSED, or READY with other limits than those. */
static u32 verdict(u32 id, const struct parvus_link_info *info)
{
	struct parvus_link_info now;
	u32 state;

	for (;;) {
		state = back_state(id);
		memcpy(&now, record.back_blob, sizeof(now));
		if (state == PARVUS_DEVICE_CONNECTED || state == PARVUS_DEVICE_CLOSED ||
		    (state == PARVUS_DEVICE_READY &&
		     (now.pool_pages != info->pool_pages || now.queues != info->queues)))
			return state;
		rest();
	}
}

/* A link as large as the back end takes it. Returns how many pages its pools have; 0: none. */
static u32 link_make(u32 id, u64 start)
{
	struct parvus_link_info info;
	struct parvus_link l;
	u32 queues, pool, state;

	do {
		set(id, PARVUS_DEVICE_INITIALISING, NULL, 0);
		while (back_state(id) != PARVUS_DEVICE_READY)
			rest();
		memcpy(&info, record.back_blob, sizeof(info));
		queues = info.queues < QUEUES ? info.queues : QUEUES;
		pool = info.pool_pages < PAGES / QUEUES ? info.pool_pages : PAGES / QUEUES;
		link_offer(record.back_domain, queues, pool, start, &l);
		set(id, PARVUS_DEVICE_READY, &l, sizeof(l));
		state = verdict(id, &info);
		if (state == PARVUS_DEVICE_CONNECTED) {
			set(id, PARVUS_DEVICE_CONNECTED, NULL, 0);
			return queues * pool;
		}
		set(id, PARVUS_DEVICE_INITIALISING, NULL, 0);
		link_end();
	} while (state != PARVUS_DEVICE_CLOSED);
	return 0;
}

/* ---- what it does ---- */

static void spread(u32 id)
{
	u32 pages = link_make(id, 0);

	print("worst: a link of %u pages in %lu extents\n", pages,
	      (unsigned long)(pages < extents ? pages : extents));
}

static void wander(u32 id)
{
	u64 start = 0, begin;
	u32 i, pages;

	together = 4;
	for (i = 0; i < ROUNDS; i++, start += pages / together) {
		begin = now_ns();
		pages = link_make(id, start);
		print("worst: %u pages, %lu ms\n", pages,
		      (unsigned long)(now_ns() - begin) / 1000000);
		set(id, PARVUS_DEVICE_INITIALISING, NULL, 0);
		link_end();
		print("worst: let go, %lu ms\n", (unsigned long)(now_ns() - begin) / 1000000);
	}
	print("worst: %u links, through %lu extents\n", i, (unsigned long)start);
}

/* How often does the back end's end change in five seconds? */
static void flap(u32 id)
{
	u32 begin, n = 0;
	u64 until = now_ns() + 5000000000ull;

	back_state(id);
	begin = record.back_changes;
	while (now_ns() < until) {
		set(id, PARVUS_DEVICE_INITIALISING, NULL, 0);
		set(id, PARVUS_DEVICE_CLOSING, NULL, 0);
		n += 2;
	}
	back_state(id);
	print("worst: %u changes, the back end %u\n", n, record.back_changes - begin);
}

static void log_all(void)
{
	static char line[256];
	u64 until = now_ns() + 3000000000ull;

	memset(line, 'w', sizeof(line));
	while (now_ns() < until)
		parvus_log_write(pa(line), 255);
	print("worst: logged\n");
}

void test(void)
{
	u32 id;

	clock_setup();
	on_trap = timer;
	first_extent = (64ull << 20) / EXTENT;	/* beyond what page_new() gives */
	extents = ram_end / EXTENT - 1 - first_extent;	/* the start info is in the last one */
	id = device();
	if (is("spread"))
		spread(id);
	else if (is("wander"))
		wander(id);
	else if (is("flap"))
		flap(id);
	else if (is("log"))
		log_all();
	for (;;) {
		irq_off();
		parvus_block();
	}
}
