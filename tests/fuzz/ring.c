// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring library against a peer that may write the header and the entries at any time:
 * between two operations, and between two looks of one. Input: count, size and first
 * index; then operations of both ends and of the peer, by one byte each.
 *
 * Whatever the peer does, no end takes or gives more than the ring has, none touches
 * memory beside it (which the sanitizer sees: it is of exactly its size), and what a
 * broken ring has is nothing, for good.
 */
#include "lib/fuzz.h"
#include <parvus/ring.h>

static struct fuzz_input in;
static int liar;	/* answers to looks come from the input */

static uint32_t look(const uint32_t *p)
{
	uint8_t how;

	if (!liar)
		return *p;
	how = fuzz_u8(&in);
	return how < 0xc0 ? *p : how < 0xf0 ? *p + (uint32_t)(int8_t)(how << 2) : fuzz_u32(&in);
}

#define PARVUS_RING_LOAD(p)	look(p)
#define PARVUS_RING_ACQUIRE(p)	look(p)
#define PARVUS_RING_STORE(p, v)	(*(p) = (v))
#define PARVUS_RING_RELEASE(p, v) (*(p) = (v))
#define PARVUS_RING_FENCE()	((void)0)
#define PARVUS_RING_COPY(to, from, bytes) memcpy(to, from, bytes)
#include <parvus/ring_ops.h>

static struct parvus_ring *ring;
static unsigned char *entries, *own;	/* of one entry's size */
static uint32_t count, size;
static struct parvus_producer p;
static struct parvus_consumer c;
static uint32_t taken, put;		/* not yet told: what may be undone */

static void produce(void)
{
	uint32_t want = fuzz_u8(&in), room = parvus_producer_room_for(&p, want);

	FUZZ_CHECK(room <= count);
	FUZZ_CHECK(!room || !parvus_producer_broken(&p));
	for (; want && room; want--, room--, put++)
		parvus_produce(&p, own);
	FUZZ_CHECK(put <= count);
}

static void consume(void)
{
	uint32_t want = fuzz_u8(&in), ready = parvus_consumer_ready(&c);

	FUZZ_CHECK(ready <= count - taken);
	FUZZ_CHECK(!ready || !parvus_consumer_broken(&c));
	for (; want && ready; want--, ready--, taken++)
		FUZZ_CHECK(parvus_consume(&c, own));
}

static void bytes(void)
{
	uint32_t n = fuzz_u8(&in), got;
	unsigned char *copy = malloc(n + !n);

	memset(copy, 1, n + !n);
	if (size == 1 && (n & 1)) {
		got = parvus_produce_bytes(&p, copy, n);
		put += got;
		FUZZ_CHECK(got <= n && put <= count);
	} else if (size == 1) {
		got = parvus_consume_bytes(&c, copy, n);
		taken += got;
		FUZZ_CHECK(got <= n && taken <= count);
	}
	free(copy);
}

static void sleep_and_undo(uint8_t op)
{
	uint32_t n = fuzz_u8(&in);
	int slept;

	if (op == 4) {
		parvus_publish(&p);
		put = 0;
		slept = parvus_producer_sleep(&p, 1 + n % count);
		FUZZ_CHECK(!slept || !parvus_producer_broken(&p));
	} else if (op == 5) {
		slept = parvus_consumer_sleep(&c);
		FUZZ_CHECK(!slept || !parvus_consumer_broken(&c));
	} else if (op == 6) {
		n = n < put ? n : put;
		parvus_producer_undo(&p, n);
		put -= n;
	} else {
		n = n < taken ? n : taken;
		parvus_consumer_undo(&c, n);
		taken -= n;
	}
}

/* A word of the header: mostly one of the four that mean something, ours too. */
static void peer(uint8_t op)
{
	static const uint8_t known[] = { 0, 1, 16, 17 };
	uint32_t *word = (uint32_t *)ring + (op & 0x80 ? fuzz_u8(&in) % 32 : known[op >> 4 & 3]);

	if (op & 0x40)
		*word = fuzz_u32(&in);
	else
		*word += (uint32_t)(int8_t)fuzz_u8(&in);
	entries[fuzz_u8(&in) % (count * size)] ^= 0x55;
}

/* What is broken stays so, with an honest peer too. */
static void broken_for_good(int p_was, int c_was)
{
	FUZZ_CHECK(!p_was || (parvus_producer_broken(&p) && !parvus_producer_room(&p)));
	FUZZ_CHECK(!c_was || (parvus_consumer_broken(&c) && !parvus_consumer_ready(&c)));
}

void fuzz_one(const uint8_t *data, size_t length)
{
	int p_was, c_was;
	uint32_t from;
	uint8_t op;

	in = (struct fuzz_input){ .at = data, .end = data + length };
	op = fuzz_u8(&in);
	liar = op & 0x80;
	count = 1u << (op & 7);
	size = (op >> 3 & 15) ? (op >> 3 & 15) * 4 : 1;
	from = fuzz_u32(&in);
	ring = malloc(sizeof(*ring));
	entries = calloc(count, size);
	own = calloc(1, size);
	parvus_ring_format(ring);
	ring->produced = ring->consumed = from;
	parvus_producer_init(&p, ring, entries, count, size, from);
	parvus_consumer_init(&c, ring, entries, count, size, from);
	taken = put = 0;
	while (in.at < in.end) {
		op = fuzz_u8(&in);
		p_was = parvus_producer_broken(&p);
		c_was = parvus_consumer_broken(&c);
		switch (op & 15) {
		case 0:
			produce();
			break;
		case 1:
			consume();
			break;
		case 2:
			parvus_publish(&p);
			put = 0;
			break;
		case 3:
			parvus_release(&c);
			taken = 0;
			break;
		case 4 ... 7:
			sleep_and_undo(op & 15);
			break;
		case 8:
			bytes();
			break;
		default:
			peer(op);
		}
		broken_for_good(p_was, c_was);
	}
	free(own);
	free(entries);
	free(ring);
}
FUZZ_TARGET()
