// SPDX-License-Identifier: GPL-2.0-only
/*
 * network_check.h: what a receiver believes of a packet's slots. Each member with what is
 * just good and just bad; chains; sizes of rings; then random slots, of which those that
 * are believed keep to all bounds.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "network_check.h"

#define GOOD(s)	ck_assert_int_eq(one(s), PARVUS_NETWORK_WHOLE)
#define BAD(s)	ck_assert_int_eq(one(s), PARVUS_NETWORK_LIE)
#define WITH(base, member, value) ({ \
	struct parvus_network_slot with_ = base; with_.member = (value); with_; })

static uint32_t features;

static void setup(void)
{
	features = PARVUS_NETWORK_FEATURES;
}

static int one(struct parvus_network_slot slot)
{
	struct parvus_network_packet p = { .slot = { slot } };

	return parvus_network_check(&p, features);
}

static const struct parvus_network_slot plain = { .bytes = 60 };
static const struct parvus_network_slot csum = {
	.bytes = 60, .flags = PARVUS_NETWORK_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16,
};
static const struct parvus_network_slot tso = {
	.bytes = 4096, .flags = PARVUS_NETWORK_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16,
	.gso = PARVUS_NETWORK_GSO_TCPV4, .gso_bytes = 1448, .header_bytes = 66,
};

START_TEST(places)
{
	GOOD(plain);
	GOOD(WITH(plain, bytes, 14));
	BAD(WITH(plain, bytes, 13));
	BAD(WITH(plain, bytes, 0));
	GOOD(WITH(plain, bytes, 4096));
	BAD(WITH(plain, bytes, 4097));
	BAD(WITH(plain, bytes, 65535));
	GOOD(WITH(plain, offset, 4096 - 60));
	BAD(WITH(plain, offset, 4096 - 59));
	BAD(WITH(plain, offset, 65535));
	BAD(WITH(WITH(plain, offset, 65535), bytes, 65535));
	BAD(WITH(plain, reserved, 1));
	GOOD(WITH(plain, flags, PARVUS_NETWORK_DATA_VALID));
	BAD(WITH(plain, flags, 8));
	BAD(WITH(plain, flags, 128));
}
END_TEST

START_TEST(checksums)
{
	GOOD(csum);
	BAD(WITH(csum, flags, PARVUS_NETWORK_NEEDS_CSUM | PARVUS_NETWORK_DATA_VALID));
	BAD(WITH(csum, flags, 0));
	BAD(WITH(plain, csum_offset, 1));
	GOOD(WITH(csum, csum_start, 14));
	BAD(WITH(csum, csum_start, 13));
	GOOD(WITH(csum, csum_start, 42));
	BAD(WITH(csum, csum_start, 43));
	GOOD(WITH(csum, csum_offset, 24));
	BAD(WITH(csum, csum_offset, 25));
	BAD(WITH(csum, csum_offset, 65535));
	BAD(WITH(WITH(csum, csum_offset, 65535), csum_start, 65535));
	features = 0;
	BAD(csum);
	GOOD(plain);
}
END_TEST

START_TEST(segmentation)
{
	GOOD(tso);
	GOOD(WITH(tso, gso, PARVUS_NETWORK_GSO_TCPV4 | PARVUS_NETWORK_GSO_ECN));
	GOOD(WITH(tso, gso, PARVUS_NETWORK_GSO_TCPV6));
	BAD(WITH(tso, gso, PARVUS_NETWORK_GSO_ECN));
	BAD(WITH(tso, gso, 0));
	BAD(WITH(tso, gso, 2));
	BAD(WITH(tso, gso, 3));
	BAD(WITH(tso, gso, 5));
	BAD(WITH(tso, gso, 255));
	BAD(WITH(tso, gso_bytes, 0));
	GOOD(WITH(tso, gso_bytes, 65535));
	GOOD(WITH(tso, header_bytes, 4096));
	BAD(WITH(tso, header_bytes, 4097));
	BAD(WITH(plain, header_bytes, 1));
	BAD(WITH(plain, gso_bytes, 1));
	BAD(WITH(WITH(WITH(tso, flags, 0), csum_start, 0), csum_offset, 0));
	features = PARVUS_NETWORK_HAS_CSUM | PARVUS_NETWORK_HAS_TSO6;
	BAD(tso);
	GOOD(WITH(tso, gso, PARVUS_NETWORK_GSO_TCPV6));
	features = PARVUS_NETWORK_HAS_CSUM | PARVUS_NETWORK_HAS_TSO4;
	GOOD(tso);
	BAD(WITH(tso, gso, PARVUS_NETWORK_GSO_TCPV6));
}
END_TEST

/* A packet of @slots of @bytes each, the first one as @head says. */
static int chain(uint32_t slots, uint16_t bytes, struct parvus_network_slot head,
		 struct parvus_network_packet *p)
{
	int verdict = PARVUS_NETWORK_GOES_ON;
	uint32_t i;

	memset(p, 0, sizeof(*p));
	for (i = 0; i < slots && verdict == PARVUS_NETWORK_GOES_ON; i++) {
		ck_assert_uint_eq(p->slots, i);
		ck_assert_uint_lt(i, PARVUS_NETWORK_PACKET_SLOTS);
		if (!i)
			p->slot[i] = head;
		p->slot[i].bytes = bytes;
		if (i + 1 < slots)
			p->slot[i].flags |= PARVUS_NETWORK_MORE;
		verdict = parvus_network_check(p, features);
	}
	return verdict;
}

START_TEST(chains)
{
	struct parvus_network_packet p;
	struct parvus_network_slot head = { .bytes = 0 };
	unsigned int i;

	ck_assert_int_eq(chain(16, 4096, tso, &p), PARVUS_NETWORK_WHOLE);
	ck_assert_uint_eq(p.bytes, PARVUS_NETWORK_PACKET);
	ck_assert_uint_eq(p.slots, 16);
	ck_assert_int_eq(chain(17, 3855, tso, &p), PARVUS_NETWORK_WHOLE);
	ck_assert_int_eq(chain(17, 3856, tso, &p), PARVUS_NETWORK_LIE);
	ck_assert_int_eq(chain(17, 1, head, &p), PARVUS_NETWORK_WHOLE);
	ck_assert_int_eq(chain(18, 1, head, &p), PARVUS_NETWORK_LIE);
	ck_assert_int_eq(chain(1000, 4096, head, &p), PARVUS_NETWORK_LIE);
	/* what is about the packet is in the first slot alone */
	for (i = 0; i < 8; i++) {
		memset(&p, 0, sizeof(p));
		p.slot[0] = WITH(tso, flags, tso.flags | PARVUS_NETWORK_MORE);
		p.slot[1].bytes = 100;
		switch (i) {
		case 1: p.slot[1].gso = PARVUS_NETWORK_GSO_TCPV4; break;
		case 2: p.slot[1].gso_bytes = 1; break;
		case 3: p.slot[1].header_bytes = 1; break;
		case 4: p.slot[1].csum_start = 1; break;
		case 5: p.slot[1].csum_offset = 1; break;
		case 6: p.slot[1].flags = PARVUS_NETWORK_NEEDS_CSUM; break;
		case 7: p.slot[1].flags = PARVUS_NETWORK_DATA_VALID; break;
		}
		ck_assert_int_eq(parvus_network_check(&p, features), PARVUS_NETWORK_GOES_ON);
		ck_assert_int_eq(parvus_network_check(&p, features),
				 i ? PARVUS_NETWORK_LIE : PARVUS_NETWORK_WHOLE);
	}
	/* offsets of the checksum may be in any slot */
	ck_assert_int_eq(chain(3, 50, WITH(csum, csum_start, 132), &p), PARVUS_NETWORK_WHOLE);
	ck_assert_int_eq(chain(3, 50, WITH(csum, csum_start, 133), &p), PARVUS_NETWORK_LIE);
}
END_TEST

START_TEST(rings)
{
	uint32_t pool, n;
	uint64_t bytes;

	ck_assert_uint_eq(parvus_network_slots(512, 3 * 4096), 256);
	ck_assert_uint_eq(parvus_network_slots(512, 2 * 4096), 0);
	ck_assert_uint_eq(parvus_network_slots(511, 3 * 4096), 128);
	ck_assert_uint_eq(parvus_network_slots(1024, 5 * 4096), 512);
	ck_assert_uint_eq(parvus_network_slots(12288, 16 * 4096), 512);
	ck_assert_uint_eq(parvus_network_slots(0xffffffff, ~0ull), 512);
	ck_assert_uint_eq(parvus_network_slots(64, 4096), 32);
	ck_assert_uint_eq(parvus_network_slots(63, 4096), 0);
	ck_assert_uint_eq(parvus_network_slots(0, 4096), 0);
	for (pool = 0; pool < 2000; pool++)
		for (bytes = 0; bytes < 20000; bytes += 16) {
			n = parvus_network_slots(pool, bytes);
			if (n && (n & (n - 1) || 2 * n > pool ||
				  2 * (sizeof(struct parvus_ring) + 16ull * n) > bytes))
				ck_abort_msg("%u slots of %u pages", n, pool);
		}
}
END_TEST

/* Random slots, each member often near what is good. */
START_TEST(random_slots)
{
	unsigned long i, whole = 0;

	srandom(1);
	for (i = 0; i < 2000000; i++) {
		struct parvus_network_packet p = { .slots = 0 };
		enum parvus_network_verdict v;
		uint32_t sum = 0, n;

		features = random() & PARVUS_NETWORK_FEATURES;
		do {
			struct parvus_network_slot *s = &p.slot[p.slots];
			long r = random();

			if (p.slots >= PARVUS_NETWORK_PACKET_SLOTS)
				ck_abort_msg("a slot too many");
			*s = p.slots ? plain : r & 1 ? tso : r & 2 ? csum : plain;
			if (r & 0x30)
				s->flags |= PARVUS_NETWORK_MORE;
			if (!(r & 0xf00))
				((uint8_t *)s)[random() % sizeof(*s)] = random();
			sum += s->bytes;
			v = parvus_network_check(&p, features);
		} while (v == PARVUS_NETWORK_GOES_ON);
		if (v != PARVUS_NETWORK_WHOLE)
			continue;
		whole++;
		if (p.bytes != sum || sum > PARVUS_NETWORK_PACKET || sum < 14)
			ck_abort_msg("%u bytes", sum);
		for (n = 0; n < p.slots; n++)
			if (!p.slot[n].bytes || p.slot[n].offset + p.slot[n].bytes > 4096 ||
			    !(p.slot[n].flags & PARVUS_NETWORK_MORE) != (n + 1 == p.slots))
				ck_abort_msg("slot %u", n);
		if (p.slot[0].csum_start + p.slot[0].csum_offset + 2u > sum)
			ck_abort_msg("checksum beyond the packet");
		if (parvus_network_needs(&p.slot[0]) & ~features)
			ck_abort_msg("what was not agreed");
	}
	ck_assert_uint_gt(whole, 100000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("network_check");
	TCase *t = tcase_create("network_check");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, places);
	tcase_add_test(t, checksums);
	tcase_add_test(t, segmentation);
	tcase_add_test(t, chains);
	tcase_add_test(t, rings);
	tcase_add_test(t, random_slots);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
