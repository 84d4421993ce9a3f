// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a receiver of packets believes of their slots (network_check.h). Input: the
 * features that were agreed, then slots, 16 bytes each. Whatever is believed to be a
 * packet lies within its pages, has the bytes and slots that it says, and names no place
 * beyond its end.
 */
#include "lib/fuzz.h"
#include <network_check.h>

static void packet_good(const struct parvus_network_packet *p, uint32_t features)
{
	const struct parvus_network_slot *head = &p->slot[0];
	uint32_t i, sum = 0;

	for (i = 0; i < p->slots; i++) {
		FUZZ_CHECK(p->slot[i].bytes);
		FUZZ_CHECK(p->slot[i].offset + p->slot[i].bytes <= 4096);
		FUZZ_CHECK(!(p->slot[i].flags & PARVUS_NETWORK_MORE) == (i + 1 == p->slots));
		sum += p->slot[i].bytes;
	}
	FUZZ_CHECK(sum == p->bytes && sum >= 14 && sum <= PARVUS_NETWORK_PACKET);
	FUZZ_CHECK(!head->gso == !head->gso_bytes);
	FUZZ_CHECK(!head->gso || head->flags & PARVUS_NETWORK_NEEDS_CSUM);
	FUZZ_CHECK(head->csum_start + head->csum_offset + 2u <= sum);
	FUZZ_CHECK(!(parvus_network_needs(head) & ~features));
}

void fuzz_one(const uint8_t *data, size_t bytes)
{
	struct fuzz_input in = { data, data + bytes };
	struct parvus_network_packet *p = calloc(1, sizeof(*p));
	uint32_t features = fuzz_u8(&in) & PARVUS_NETWORK_FEATURES;
	uint32_t pool = fuzz_u32(&in), n = parvus_network_slots(pool, fuzz_u32(&in));
	enum parvus_network_verdict v = PARVUS_NETWORK_GOES_ON;

	FUZZ_CHECK(!(n & (n - 1)) && n <= PARVUS_NETWORK_SLOTS && n <= pool / 2);
	while (in.at < in.end && v == PARVUS_NETWORK_GOES_ON) {
		FUZZ_CHECK(p->slots < PARVUS_NETWORK_PACKET_SLOTS);
		fuzz_fill(&in, &p->slot[p->slots], sizeof(p->slot[0]));
		v = parvus_network_check(p, features);
		if (v == PARVUS_NETWORK_WHOLE)
			packet_good(p, features);
		if (v != PARVUS_NETWORK_GOES_ON) {
			p->slots = p->bytes = 0;
			v = PARVUS_NETWORK_GOES_ON;
		}
	}
	free(p);
}

FUZZ_TARGET()
