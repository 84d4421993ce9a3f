/* SPDX-License-Identifier: MIT */
/*
 * The ring library: a producer and a consumer of a ring (parvus/ring.h), for a kernel
 * driver, a program or a bare guest. Nothing else is needed but parvus/types.h; one
 * end is used by one thread at a time.
 *
 * The other end is not trusted. Its index is read once and believed if it is one that
 * can be; else the ring is broken: from then on it has no room and nothing ready, and
 * ..._broken() says so. Entries are copied out before they are looked at. Whatever the
 * other end does, nothing outside the ring is touched, and nothing here waits.
 *
 * Sending an event is the caller's: functions that say "true: wake the other end". Who
 * was stopped half way, as by a panic, or goes on for somebody who may have been, sends
 * one in any case.
 *
 *	producer					consumer
 *	while (parvus_producer_room(p))			while (parvus_consume(c, &entry))
 *		parvus_produce(p, &entry);			serve(&entry);
 *	if (parvus_publish(p))				if (parvus_release(c))
 *		notify();					notify();
 *	if (parvus_producer_sleep(p, 1))		if (parvus_consumer_sleep(c))
 *		wait for the event;				wait for the event;
 */
#ifndef PARVUS_RING_OPS_H
#define PARVUS_RING_OPS_H

#include <parvus/ring.h>

/*
 * How memory is shared: a schedule explorer gives its own. LOAD and STORE are single
 * accesses, ACQUIRE keeps what follows behind a load, RELEASE what precedes before a
 * store; FENCE orders all before with all behind.
 */
#ifndef PARVUS_RING_LOAD
#define PARVUS_RING_LOAD(p)	__atomic_load_n(p, __ATOMIC_RELAXED)
#define PARVUS_RING_ACQUIRE(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define PARVUS_RING_STORE(p, v)	__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define PARVUS_RING_RELEASE(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define PARVUS_RING_FENCE()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define PARVUS_RING_COPY(to, from, bytes) __builtin_memcpy(to, from, bytes)
#endif

/*
 * One end. next - published are produced or consumed but not yet told to the other; never
 * is more than count between the smallest and the largest of the three indices.
 */
struct parvus_ring_end {
	struct parvus_ring *ring;
	unsigned char *entries;
	uint32_t count;		/* entries, a power of two */
	uint32_t size;		/* bytes of one */
	uint32_t next;		/* our index */
	uint32_t published;	/* our index as the other end knows it */
	uint32_t other;		/* the other's index, as last seen */
	uint32_t broken;
};

struct parvus_producer { struct parvus_ring_end end; };
struct parvus_consumer { struct parvus_ring_end end; };

/* The largest power of two of entries of @size bytes that fit in @bytes; 0 = none. */
static inline uint32_t parvus_ring_count(uint64_t bytes, uint32_t size)
{
	uint32_t n = 1;

	if (!size || bytes < size)
		return 0;
	while (n < 0x40000000u && (uint64_t)n * 2 * size <= bytes)
		n *= 2;
	return n;
}

/* Make a fresh ring. By the front end, before the other one knows of it. */
static inline void parvus_ring_format(struct parvus_ring *ring)
{
	const struct parvus_ring fresh = { .consumer_wake = 1 };

	PARVUS_RING_COPY(ring, &fresh, sizeof(fresh));
}

static inline void parvus_end_init(struct parvus_ring_end *e, struct parvus_ring *ring,
				   void *entries, uint32_t count, uint32_t size, uint32_t from)
{
	e->ring = ring;
	e->entries = (unsigned char *)entries;
	e->count = count;
	e->size = size;
	e->next = e->published = e->other = from;
	e->broken = 0;
}

/*
 * @count: entries, a power of two, not 0; @size: bytes of one.
 * @from: the index to go on at: 0 for a fresh ring; what the ring says of this end, to go
 * on where another one left off. A lie there costs the liar its entries, nothing else.
 */
static inline void parvus_producer_init(struct parvus_producer *p, struct parvus_ring *ring,
					void *entries, uint32_t count, uint32_t size, uint32_t from)
{
	parvus_end_init(&p->end, ring, entries, count, size, from);
	p->end.other = from - count;	/* as if full: what is free is seen at the first look */
}

static inline void parvus_consumer_init(struct parvus_consumer *c, struct parvus_ring *ring,
					void *entries, uint32_t count, uint32_t size, uint32_t from)
{
	parvus_end_init(&c->end, ring, entries, count, size, from);
}

static inline void *parvus_ring_entry(const struct parvus_ring_end *e, uint32_t i)
{
	return e->entries + (uint64_t)(i & (e->count - 1)) * e->size;
}

/* Did @now, an index of ours that was @before, get to @wake? */
static inline int parvus_ring_passed(uint32_t before, uint32_t now, uint32_t wake)
{
	return now - wake < now - before;
}

/* ---- producer ---- */

static inline int parvus_producer_broken(const struct parvus_producer *p)
{
	return p->end.broken;
}

/* Look at the other's index: it is between what it was and what we published, or a lie. */
static inline void parvus_producer_look(struct parvus_producer *p)
{
	uint32_t consumed = PARVUS_RING_ACQUIRE(&p->end.ring->consumed);

	if (p->end.published - consumed > p->end.published - p->end.other)
		p->end.broken = 1;
	else
		p->end.other = consumed;
}

/* Entries that seem free. None, too, if more was produced than there was room for, or asked. */
static inline uint32_t parvus_producer_seen(const struct parvus_producer *p)
{
	uint32_t used = p->end.next - p->end.other;

	return used > p->end.count ? 0 : p->end.count - used;
}

/* Entries that can be produced now. Looks at the other's index if less than @want seem free. */
static inline uint32_t parvus_producer_room_for(struct parvus_producer *p, uint32_t want)
{
	if (parvus_producer_seen(p) < want && !p->end.broken)
		parvus_producer_look(p);
	return p->end.broken ? 0 : parvus_producer_seen(p);
}

static inline uint32_t parvus_producer_room(struct parvus_producer *p)
{
	return parvus_producer_room_for(p, 1);
}

/* The place of the next entry; only to be written to. There must be room. */
static inline void *parvus_producer_slot(struct parvus_producer *p)
{
	return parvus_ring_entry(&p->end, p->end.next);
}

/* Take the slot as written; there must have been room. */
static inline void parvus_produced(struct parvus_producer *p)
{
	p->end.next++;
}

/* Put one entry in; there must be room. The other end sees it after parvus_publish(). */
static inline void parvus_produce(struct parvus_producer *p, const void *entry)
{
	PARVUS_RING_COPY(parvus_producer_slot(p), entry, p->end.size);
	parvus_produced(p);
}

/* Rings of bytes (size 1): put in as many of @n as there is room for. Returns how many. */
static inline uint32_t parvus_produce_bytes(struct parvus_producer *p, const void *from, uint32_t n)
{
	uint32_t room = parvus_producer_room_for(p, n), to_end;

	n = n < room ? n : room;
	if (!n)
		return 0;
	to_end = p->end.count - (p->end.next & (p->end.count - 1));
	to_end = n < to_end ? n : to_end;
	PARVUS_RING_COPY(parvus_producer_slot(p), from, to_end);
	if (n > to_end)
		PARVUS_RING_COPY(p->end.entries, (const unsigned char *)from + to_end, n - to_end);
	p->end.next += n;
	return n;
}

/* Forget the last @n entries; only of those produced since parvus_publish(). */
static inline void parvus_producer_undo(struct parvus_producer *p, uint32_t n)
{
	p->end.next -= n;
}

/* Let the other end see what was produced. True: wake the other end. */
static inline int parvus_publish(struct parvus_producer *p)
{
	uint32_t before = p->end.published, now = p->end.next;

	if (before == now)
		return 0;
	p->end.published = now;	/* first: an answer is never ahead of what we know */
	PARVUS_RING_RELEASE(&p->end.ring->produced, now);
	PARVUS_RING_FENCE();
	return parvus_ring_passed(before, now, PARVUS_RING_LOAD(&p->end.ring->consumer_wake));
}

/*
 * Ask to be woken when there is room for @n, at most all of the ring; what was produced
 * must be published. True: sleep. False: there is room, or the ring is broken.
 */
static inline int parvus_producer_sleep(struct parvus_producer *p, uint32_t n)
{
	if (parvus_producer_room_for(p, n) >= n || p->end.broken)
		return 0;
	PARVUS_RING_STORE(&p->end.ring->producer_wake, p->end.next + n - p->end.count);
	PARVUS_RING_FENCE();
	return parvus_producer_room_for(p, n) < n && !p->end.broken;
}

/* ---- consumer ---- */

static inline int parvus_consumer_broken(const struct parvus_consumer *c)
{
	return c->end.broken;
}

/* Entries that can be consumed now. Looks at the other's index if there seem to be none. */
static inline uint32_t parvus_consumer_ready(struct parvus_consumer *c)
{
	uint32_t produced;

	if (c->end.next == c->end.other && !c->end.broken) {
		produced = PARVUS_RING_ACQUIRE(&c->end.ring->produced);
		/* not less than we saw, not more than there was room for */
		if (produced - c->end.next > c->end.count - (c->end.next - c->end.published))
			c->end.broken = 1;
		else
			c->end.other = produced;
	}
	return c->end.broken ? 0 : c->end.other - c->end.next;
}

/*
 * What was copied is what is looked at from now on: the compiler must have made the copy,
 * and may not go back to the original.
 */
#define PARVUS_RING_COPIED(to)	__asm__ volatile("" : : "r"(to) : "memory")

/* Copy the next entry to @entry, if there is one. Its slot is given back by parvus_release(). */
static inline int parvus_consume(struct parvus_consumer *c, void *entry)
{
	if (!parvus_consumer_ready(c))
		return 0;
	PARVUS_RING_COPY(entry, parvus_ring_entry(&c->end, c->end.next), c->end.size);
	PARVUS_RING_COPIED(entry);
	c->end.next++;
	return 1;
}

/* Rings of bytes (size 1): copy up to @n to @to. Returns how many. */
static inline uint32_t parvus_consume_bytes(struct parvus_consumer *c, void *to, uint32_t n)
{
	uint32_t done = 0, at, some;

	/* in pieces: to the end of the ring, and to what was seen of the producer's index */
	while (done < n && (some = parvus_consumer_ready(c))) {
		at = c->end.next & (c->end.count - 1);
		some = some < n - done ? some : n - done;
		some = some < c->end.count - at ? some : c->end.count - at;
		PARVUS_RING_COPY((unsigned char *)to + done, c->end.entries + at, some);
		c->end.next += some;
		done += some;
	}
	PARVUS_RING_COPIED(to);
	return done;
}

/* Consume the last @n entries again; only of those that were not released. */
static inline void parvus_consumer_undo(struct parvus_consumer *c, uint32_t n)
{
	c->end.next -= n;
}

/* Give the slots of what was consumed back. True: wake the other end. */
static inline int parvus_release(struct parvus_consumer *c)
{
	uint32_t before = c->end.published, now = c->end.next;

	if (before == now)
		return 0;
	c->end.published = now;
	PARVUS_RING_RELEASE(&c->end.ring->consumed, now);
	PARVUS_RING_FENCE();
	return parvus_ring_passed(before, now, PARVUS_RING_LOAD(&c->end.ring->producer_wake));
}

/*
 * Ask to be woken when an entry comes; what was consumed should be released, or the
 * producer may lack the room for one. True: sleep. False: there is one, or the ring is
 * broken.
 */
static inline int parvus_consumer_sleep(struct parvus_consumer *c)
{
	if (parvus_consumer_ready(c) || c->end.broken)
		return 0;
	PARVUS_RING_STORE(&c->end.ring->consumer_wake, c->end.next + 1);
	PARVUS_RING_FENCE();
	return !parvus_consumer_ready(c) && !c->end.broken;
}

#endif
