// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring library, one end at a time and both together: each operation, indices that
 * wrap, who is woken when, bytes, and a peer that says anything at any time. Entries lie
 * in memory of exactly their size, so that the sanitizer sees an access beside them.
 *
 * SEED=n runs one sequence of the random ones.
 */
#include "native.h"
#include <parvus/ring.h>

/* Each look at the other end's words goes through here, and may be answered with a lie. */
static unsigned int looks;
static uint32_t (*on_look)(const uint32_t *p);

static uint32_t look(const uint32_t *p)
{
	looks++;
	return on_look ? on_look(p) : __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

#define PARVUS_RING_LOAD(p)	look(p)
#define PARVUS_RING_ACQUIRE(p)	look(p)
#define PARVUS_RING_STORE(p, v)	__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define PARVUS_RING_RELEASE(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define PARVUS_RING_FENCE()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define PARVUS_RING_COPY(to, from, bytes) memcpy(to, from, bytes)
#include <parvus/ring_ops.h>

static struct parvus_ring *ring;
static unsigned char *data;
static struct parvus_producer p;
static struct parvus_consumer c;

/* Both ends, at an index where all is consumed. */
static void up(uint32_t count, uint32_t size, uint32_t from)
{
	free(ring);
	free(data);
	ring = malloc(sizeof(*ring));
	data = malloc((size_t)count * size);
	memset(ring, 0xaa, sizeof(*ring));
	parvus_ring_format(ring);
	ring->produced = ring->consumed = from;
	ring->consumer_wake = from + 1;
	parvus_producer_init(&p, ring, data, count, size, from);
	parvus_consumer_init(&c, ring, data, count, size, from);
}

static void teardown(void)
{
	free(ring);
	free(data);
	ring = NULL;
	data = NULL;
}

static uint64_t seed;
static uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

static void seed_set(int n)
{
	const char *s = getenv("SEED");

	seed = 0x9e3779b97f4a7c15ull * (s ? strtoull(s, NULL, 0) + 1 : (unsigned int)n + 1);
}

static int put(uint32_t v)
{
	if (!parvus_producer_room(&p))
		return 0;
	parvus_produce(&p, &v);
	return 1;
}

static int64_t get(void)
{
	uint32_t v;

	return parvus_consume(&c, &v) ? (int64_t)v : -1;
}

static const uint32_t froms[] = { 0,	      1,	  5,	      0x7ffffffe,
				  0x80000000, 0xfffffff9, 0xfffffffe, 0xffffffff };
#define FROMS ((int)(sizeof(froms) / sizeof(froms[0])))

START_TEST(sizes)
{
	ck_assert_uint_eq(sizeof(struct parvus_ring), 128);
	ck_assert_uint_eq(parvus_ring_count(4096, 0), 0);
	ck_assert_uint_eq(parvus_ring_count(0, 8), 0);
	ck_assert_uint_eq(parvus_ring_count(7, 8), 0);
	ck_assert_uint_eq(parvus_ring_count(8, 8), 1);
	ck_assert_uint_eq(parvus_ring_count(15, 8), 1);
	ck_assert_uint_eq(parvus_ring_count(16, 8), 2);
	ck_assert_uint_eq(parvus_ring_count(4096 - 256, 64 + 8), 32);
	ck_assert_uint_eq(parvus_ring_count(4 * 4096 - 256, 64 + 8), 128);
	ck_assert_uint_eq(parvus_ring_count(65535, 1), 32768);
	ck_assert_uint_eq(parvus_ring_count(~0ull, 1), 0x40000000);
	ck_assert_uint_eq(parvus_ring_count(~0ull, ~0u), 0x40000000);
	ck_assert_uint_eq(parvus_ring_count(~0u, ~0u), 1);
}
END_TEST

START_TEST(fresh)
{
	const struct parvus_ring want = { .consumer_wake = 1 };

	up(4, 4, 0);
	ck_assert_mem_eq(ring, &want, sizeof(want));
	ck_assert_uint_eq(parvus_producer_room(&p), 4);
	ck_assert_uint_eq(parvus_consumer_ready(&c), 0);
	ck_assert_int_eq(get(), -1);
	ck_assert(!parvus_publish(&p));
	ck_assert(!parvus_release(&c));
	ck_assert_mem_eq(ring, &want, sizeof(want));
}
END_TEST

START_TEST(one_by_one)
{
	uint32_t from = froms[_i], *slot;

	up(4, 4, from);
	ck_assert(put(10) && put(11));
	slot = parvus_producer_slot(&p);
	ck_assert_ptr_eq(slot, data + (from + 2) % 4 * 4);
	*slot = 12;
	ck_assert_uint_eq(parvus_producer_room(&p), 2);
	parvus_produced(&p);
	ck_assert_uint_eq(parvus_producer_room(&p), 1);
	/* not seen before it is published */
	ck_assert_int_eq(get(), -1);
	ck_assert_uint_eq(ring->produced, from);
	parvus_publish(&p);
	ck_assert_uint_eq(ring->produced, from + 3);
	ck_assert_uint_eq(parvus_consumer_ready(&c), 3);
	ck_assert_int_eq(get(), 10);
	ck_assert_int_eq(get(), 11);
	/* no room again before it is released */
	ck_assert(put(13));
	ck_assert(!put(14));
	ck_assert_uint_eq(ring->consumed, from);
	parvus_release(&c);
	ck_assert_uint_eq(ring->consumed, from + 2);
	ck_assert_uint_eq(parvus_producer_room_for(&p, 2), 2);
	ck_assert(put(14) && put(15) && !put(16));
	ck_assert_int_eq(get(), 12);
	ck_assert_int_eq(get(), -1);
	parvus_publish(&p);
	ck_assert_int_eq(get(), 13);
	ck_assert_int_eq(get(), 14);
	ck_assert_int_eq(get(), 15);
	ck_assert_int_eq(get(), -1);
	ck_assert(!parvus_producer_broken(&p));
	ck_assert(!parvus_consumer_broken(&c));
}
END_TEST

/* A producer that puts something in before it has asked for room finds out what is left. */
START_TEST(produced_without_asking)
{
	uint32_t n;

	up(4, sizeof(n), froms[_i]);
	for (n = 1; n <= 4; n++) {
		parvus_produce(&p, &n);
		ck_assert_uint_eq(parvus_producer_room(&p), 4 - n);
	}
	up(4, sizeof(n), froms[_i]);
	parvus_produce(&p, &n);
	parvus_produce(&p, &n);
	ck_assert_uint_eq(parvus_producer_room_for(&p, 4), 2);
	/* more than fits: no room, and not 4294967295 of it */
	for (n = 0; n < 3; n++)
		parvus_produce(&p, &n);
	ck_assert_uint_eq(parvus_producer_room(&p), 0);
	ck_assert_uint_eq(parvus_producer_sleep(&p, 1), 1);
}
END_TEST

START_TEST(undone)
{
	uint32_t from = froms[_i];

	up(4, 4, from);
	ck_assert(put(1) && put(2) && put(3));
	parvus_producer_undo(&p, 2);
	ck_assert_uint_eq(parvus_producer_room(&p), 3);
	ck_assert(put(4));
	parvus_publish(&p);
	ck_assert_uint_eq(ring->produced, from + 2);
	ck_assert(put(5));
	parvus_producer_undo(&p, 1);
	ck_assert(!parvus_publish(&p));
	ck_assert_uint_eq(ring->produced, from + 2);
	ck_assert_int_eq(get(), 1);
	ck_assert_int_eq(get(), 4);
	ck_assert_int_eq(get(), -1);
	parvus_consumer_undo(&c, 1);
	ck_assert_uint_eq(parvus_consumer_ready(&c), 1);
	parvus_release(&c);
	ck_assert_uint_eq(ring->consumed, from + 1);
	ck_assert_int_eq(get(), 4);
	parvus_consumer_undo(&c, 1);
	ck_assert(!parvus_release(&c));
	ck_assert(!parvus_consumer_sleep(&c));	/* there is one */
	ck_assert_int_eq(get(), 4);
}
END_TEST

/* wake is in (before, now], whatever the indices are. */
START_TEST(passing)
{
	uint32_t before = froms[_i];
	int n, w;

	for (n = 0; n < 40; n++)
		for (w = -50; w < 50; w++)
			EXPECT(parvus_ring_passed(before, before + (uint32_t)n,
						  before + (uint32_t)w) == (w > 0 && w <= n),
			       "before %u, %d more, wake %d", before, n, w);
}
END_TEST

START_TEST(consumer_woken)
{
	uint32_t from = froms[_i];

	up(8, 4, from);
	/* a fresh ring: the first entry wakes, then none */
	ck_assert(put(1));
	ck_assert(parvus_publish(&p));
	ck_assert(put(2));
	ck_assert(!parvus_publish(&p));
	ck_assert(!parvus_consumer_sleep(&c));
	ck_assert_uint_eq(ring->consumer_wake, from + 1);
	ck_assert(get() == 1 && get() == 2);
	ck_assert(parvus_consumer_sleep(&c));
	ck_assert_uint_eq(ring->consumer_wake, from + 3);
	ck_assert(parvus_consumer_sleep(&c));	/* again is no harm */
	/* several at once pass the index too; one event */
	ck_assert(put(3) && put(4) && put(5));
	ck_assert(parvus_publish(&p));
	ck_assert(put(6));
	ck_assert(!parvus_publish(&p));
	/* an entry that comes between the two looks */
	ck_assert(get() == 3 && get() == 4 && get() == 5 && get() == 6);
	parvus_release(&c);
	ck_assert(parvus_consumer_sleep(&c));
	ck_assert(put(7));
	ck_assert(parvus_publish(&p));
	ck_assert(!parvus_consumer_sleep(&c));
}
END_TEST

static uint32_t arrives(const uint32_t *at)
{
	/* at the second look at the index, an entry is there */
	if (at == &ring->produced && looks == 2)
		return __atomic_load_n(at, __ATOMIC_ACQUIRE) + 1;
	if (at == &ring->consumed && looks == 2)
		return __atomic_load_n(at, __ATOMIC_ACQUIRE) + 1;
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

START_TEST(between_two_looks)
{
	up(2, 4, froms[_i]);
	looks = 0;
	on_look = arrives;
	ck_assert(!parvus_consumer_sleep(&c));
	ck_assert_uint_eq(looks, 2);
	ck_assert_uint_eq(ring->consumer_wake, froms[_i] + 1);
	on_look = NULL;
	ck_assert(put(1) && put(2));
	parvus_publish(&p);
	looks = 0;
	on_look = arrives;
	ck_assert(!parvus_producer_sleep(&p, 1));
	ck_assert_uint_eq(looks, 2);
	ck_assert_uint_eq(ring->producer_wake, froms[_i] + 1);
	ck_assert_uint_eq(parvus_producer_room(&p), 1);
}
END_TEST

START_TEST(producer_woken)
{
	uint32_t from = froms[_i], n, i;

	for (n = 1; n <= 8; n++) {
		up(8, 4, from);
		ck_assert(!parvus_producer_sleep(&p, n));	/* there is room */
		ck_assert_uint_eq(ring->producer_wake, 0);
		for (i = 0; i < 8; i++)
			ck_assert(put(i));
		parvus_publish(&p);
		ck_assert(parvus_producer_sleep(&p, n));
		ck_assert_uint_eq(ring->producer_wake, from + n);
		/* exactly with the n-th */
		for (i = 1; i <= 8; i++) {
			ck_assert_int_eq(get(), i - 1);
			ck_assert_int_eq(parvus_release(&c), i == n);
		}
		ck_assert(!parvus_producer_sleep(&p, n));
		/* or with all at once */
		for (i = 0; i < 8; i++)
			ck_assert(put(i));
		parvus_publish(&p);
		ck_assert(parvus_producer_sleep(&p, n));
		while (get() >= 0)
			;
		ck_assert(parvus_release(&c));
	}
}
END_TEST

/* Another one goes on where the first left off, whatever was under way. */
START_TEST(taken_over)
{
	uint32_t from = froms[_i], used;

	for (used = 0; used <= 4; used++) {
		up(4, 4, from);
		while (parvus_producer_room(&p) > 4 - used)
			put(parvus_producer_room(&p));
		parvus_publish(&p);
		parvus_producer_init(&p, ring, data, 4, 4, ring->produced);
		parvus_consumer_init(&c, ring, data, 4, 4, ring->consumed);
		ck_assert_uint_eq(parvus_producer_room(&p), 4 - used);
		ck_assert_uint_eq(parvus_consumer_ready(&c), used);
		while (get() >= 0)
			;
		parvus_release(&c);
		ck_assert_uint_eq(parvus_producer_room_for(&p, 4), 4);
	}
}
END_TEST

START_TEST(lies_to_a_producer)
{
	uint32_t from = froms[_i], said, n;
	int d;

	/* of 8 there are n published, 1 consumed as last seen, and 1 not yet published */
	for (n = 1; n <= 8; n++) {
		for (d = -70; d < 70; d++) {
			bool sane = d >= 1 && d <= (int)n;

			up(8, 4, from);
			for (said = 0; said < n; said++)
				ck_assert(put(said));
			parvus_publish(&p);
			ring->consumed = from + 1;
			parvus_producer_room_for(&p, 8);
			if (n < 8)
				put(99);
			ring->consumed = said = from + (uint32_t)d;
			looks = 0;
			EXPECT(parvus_producer_room_for(&p, 9) ==
			       (sane ? 8 - n - (n < 8) + (uint32_t)d : 0), "n %u, d %d", n, d);
			EXPECT(looks == 1, "it looked %u times", looks);
			EXPECT(!parvus_producer_broken(&p) == sane, "n %u, d %d", n, d);
			if (sane)
				continue;
			/* for good, and nothing waits for it */
			ring->consumed = from + 1;
			EXPECT(!parvus_producer_room(&p) && !parvus_producer_room_for(&p, 8),
			       "room");
			EXPECT(!parvus_producer_sleep(&p, 1), "sleep");
			EXPECT(!parvus_produce_bytes(&p, &said, 1), "bytes");
			EXPECT(parvus_producer_broken(&p), "mended");
			parvus_publish(&p);
		}
	}
}
END_TEST

START_TEST(lies_to_a_consumer)
{
	uint32_t from = froms[_i], taken, i, v;
	int d;

	/* of 3 published ones, some are consumed but not released */
	for (taken = 0; taken <= 3; taken++) {
		for (d = -70; d < 70; d++) {
			bool sane = d >= 3 && d <= 8;

			up(8, 4, from);
			ck_assert(put(0) && put(1) && put(2));
			parvus_publish(&p);
			ck_assert_uint_eq(parvus_consumer_ready(&c), 3);
			for (i = 0; i < taken; i++)
				get();
			ring->produced = from + (uint32_t)d;
			for (; i < 3; i++)
				EXPECT(get() == i, "what was seen is there");
			looks = 0;
			EXPECT(parvus_consumer_ready(&c) == (sane ? (uint32_t)d - 3 : 0), "d %d",
			       d);
			EXPECT(looks == 1, "it looked %u times", looks);
			EXPECT(!parvus_consumer_broken(&c) == sane, "d %d", d);
			if (sane)
				continue;
			ring->produced = from + 4;
			EXPECT(!parvus_consumer_ready(&c) && get() == -1, "ready");
			EXPECT(!parvus_consumer_sleep(&c), "sleep");
			EXPECT(!parvus_consume_bytes(&c, &v, 1), "bytes");
			parvus_consumer_undo(&c, 1);
			EXPECT(!parvus_consumer_ready(&c), "undone");
			EXPECT(parvus_consumer_broken(&c), "mended");
			parvus_release(&c);
		}
	}
}
END_TEST

/* A lie at the second look of a sleep does not put to sleep. */
static uint32_t lie_later(const uint32_t *at)
{
	return *at + (looks >= 2 ? 1000 : 0);
}

START_TEST(lies_at_the_second_look)
{
	up(2, 4, froms[_i]);
	looks = 0;
	on_look = lie_later;
	ck_assert(!parvus_consumer_sleep(&c));
	ck_assert(parvus_consumer_broken(&c));
	on_look = NULL;
	ck_assert(put(1) && put(2));
	parvus_publish(&p);
	looks = 0;
	on_look = lie_later;
	ck_assert(!parvus_producer_sleep(&p, 1));
	ck_assert(parvus_producer_broken(&p));
}
END_TEST

/* Entries are what was put in, in pieces of any size, against a count of our own. */
START_TEST(both_ends)
{
	static const uint32_t sizes[] = { 1, 4, 12, 64 };
	uint32_t count = 1u << _i % 5, size = sizes[_i / 5], sent = 0, seen = 0, told = 0,
		 freed = 0;
	unsigned char e[64], want[64];
	unsigned int i, n;

	seed_set(_i);
	up(count, size, froms[(unsigned int)_i % FROMS]);
	for (i = 0; i < 20000; i++) {
		switch (rnd() % 6) {
		case 0:
			EXPECT(parvus_producer_room_for(&p, count) == count - (sent - freed),
			       "room");
			for (n = rnd() % (count + 1); n && parvus_producer_room(&p); n--, sent++) {
				memset(e, (int)(sent * 7), size);
				e[0] = (unsigned char)sent;
				parvus_produce(&p, e);
			}
			break;
		case 1:
			n = rnd() % (sent - told + 1);
			parvus_producer_undo(&p, n);
			sent -= n;
			break;
		case 2:
			parvus_publish(&p);
			told = sent;
			break;
		case 3:
			for (n = rnd() % (count + 1); n && parvus_consume(&c, e); n--, seen++) {
				memset(want, (int)(seen * 7), size);
				want[0] = (unsigned char)seen;
				EXPECT(!memcmp(e, want, size), "entry %u", seen);
			}
			EXPECT(!n || seen == told, "nothing more, but %u of %u", seen, told);
			break;
		case 4:
			n = rnd() % (seen - freed + 1);
			parvus_consumer_undo(&c, n);
			seen -= n;
			break;
		case 5:
			parvus_release(&c);
			freed = seen;
		}
		EXPECT(!parvus_producer_broken(&p) && !parvus_consumer_broken(&c), "broken");
	}
	ck_assert_uint_gt(freed, 100);
}
END_TEST

START_TEST(bytes)
{
	uint32_t count = 1u << _i % 9, sent = 0, seen = 0, freed = 0, room, n, got, k;
	unsigned char *from, *to;
	unsigned int i;

	seed_set(_i);
	up(count, 1, (uint32_t)-77 - rnd() % 1000);
	ck_assert_uint_eq(parvus_produce_bytes(&p, NULL, 0), 0);
	ck_assert_uint_eq(parvus_consume_bytes(&c, NULL, 0), 0);
	for (i = 0; i < 5000; i++) {
		n = rnd() % (2 * count + 2);
		from = malloc(n + !n);
		for (k = 0; k < n; k++)
			from[k] = (unsigned char)((sent + k) * 31);
		room = count - (sent - freed);
		got = parvus_produce_bytes(&p, from, n);
		EXPECT(got == (n < room ? n : room), "%u of %u, room %u", got, n, room);
		free(from);
		sent += got;
		parvus_publish(&p);
		/* part of it, so that a look before has not seen all */
		n = rnd() % (2 * count + 2);
		to = malloc(n + !n);
		got = parvus_consume_bytes(&c, to, n);
		EXPECT(got == (n < sent - seen ? n : sent - seen), "%u of %u", got, n);
		for (k = 0; k < got; k++)
			EXPECT(to[k] == (unsigned char)((seen + k) * 31), "byte %u", seen + k);
		free(to);
		seen += got;
		if (rnd() % 3) {
			parvus_release(&c);
			freed = seen;
		}
	}
	ck_assert_uint_gt(freed, 1000);
}
END_TEST

/* At each look, the truth, near it, or anything. */
static uint32_t any_answer(const uint32_t *at)
{
	switch (rnd() % 128) {
	case 0:
		return rnd();
	case 1:
		return *at + rnd() % 9 - 4;
	default:
		return *at;
	}
}

/* One end alone, with a peer that says anything and writes everything. */
START_TEST(hostile)
{
	uint32_t count = 1u << _i % 6, size = 1 + (uint32_t)_i % 9, n;
	unsigned int i, lives, broken = 0, moved = 0;
	unsigned char e[64];

	seed_set(_i);
	on_look = any_answer;
	for (lives = 0; lives < 300; lives++) {
		up(count, size, rnd());
		for (i = 0; i < 200; i++) {
			if (rnd() % 32 == 0)
				*(rnd() & 1 ? &ring->produced : &ring->consumed) += rnd() % 3;
			if (rnd() % 256 == 0)
				((uint32_t *)ring)[rnd() % 32] = rnd();
			data[rnd() % (count * size)] = (unsigned char)rnd();
			n = parvus_producer_room_for(&p, rnd() % (count + 2));
			EXPECT(n <= count, "room for %u of %u", n, count);
			for (; n; n--, moved++)
				parvus_produce(&p, e);
			if (rnd() % 2)
				parvus_publish(&p);
			n = parvus_consumer_ready(&c);
			EXPECT(n <= count, "%u ready of %u", n, count);
			if (n) {
				moved++;
				EXPECT(parvus_consume(&c, e), "not ready");
			}
			if (size == 1) {
				EXPECT(parvus_consume_bytes(&c, e, sizeof(e)) <= 64, "bytes");
				EXPECT(parvus_produce_bytes(&p, e, 8) <= 8, "bytes");
			}
			if (rnd() % 2)
				parvus_release(&c);
			if (rnd() % 8 == 0) {
				parvus_publish(&p);
				parvus_producer_sleep(&p, 1 + rnd() % count);
				parvus_consumer_sleep(&c);
			}
		}
		broken += parvus_producer_broken(&p) + parvus_consumer_broken(&c);
	}
	on_look = NULL;
	ck_assert_uint_gt(moved, 1000);
	ck_assert_uint_gt(broken, 30);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring");
	TCase *t = tcase_create("ring");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, sizes);
	tcase_add_test(t, fresh);
	tcase_add_loop_test(t, one_by_one, 0, FROMS);
	tcase_add_loop_test(t, produced_without_asking, 0, FROMS);
	tcase_add_loop_test(t, undone, 0, FROMS);
	tcase_add_loop_test(t, passing, 0, FROMS);
	tcase_add_loop_test(t, consumer_woken, 0, FROMS);
	tcase_add_loop_test(t, between_two_looks, 0, FROMS);
	tcase_add_loop_test(t, producer_woken, 0, FROMS);
	tcase_add_loop_test(t, taken_over, 0, FROMS);
	tcase_add_loop_test(t, lies_to_a_producer, 0, FROMS);
	tcase_add_loop_test(t, lies_to_a_consumer, 0, FROMS);
	tcase_add_loop_test(t, lies_at_the_second_look, 0, FROMS);
	tcase_add_loop_test(t, both_ends, 0, 20);
	tcase_add_loop_test(t, bytes, 0, 9);
	tcase_add_loop_test(t, hostile, 0, 18);
	suite_add_tcase(s, t);
	return native_main(s);
}
