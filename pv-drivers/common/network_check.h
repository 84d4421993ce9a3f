/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus network interfaces: what a receiver believes of the slots of a packet
 * (parvus/network.h). Each slot is copied out of the ring first; everything here looks
 * at the copies. Portable, so that a unit test and a fuzzer can have it too.
 *
 * A sender that keeps to the ABI never fails these checks, whatever its users send:
 * who fails them is closed. What the bytes of the packet say is for others to judge.
 */
#ifndef PARVUS_NETWORK_CHECK_H
#define PARVUS_NETWORK_CHECK_H

#include <parvus/network.h>

#define PARVUS_NETWORK_PAGE	4096u
#define PARVUS_NETWORK_ETHERNET	14u	/* bytes of the header that each packet has */

/* Features for which a packet needs the other end's word. */
#define PARVUS_NETWORK_FEATURES \
	(PARVUS_NETWORK_HAS_CSUM | PARVUS_NETWORK_HAS_TSO4 | PARVUS_NETWORK_HAS_TSO6)

/* A packet as its slots describe it. */
struct parvus_network_packet {
	uint32_t slots;		/* that were checked */
	uint32_t bytes;		/* in them */
	struct parvus_network_slot slot[PARVUS_NETWORK_PACKET_SLOTS];
};

enum parvus_network_verdict {
	PARVUS_NETWORK_GOES_ON,	/* one more slot is needed */
	PARVUS_NETWORK_WHOLE,
	PARVUS_NETWORK_LIE,
};

/* Slots of each of the two rings in a queue with that many pages in its pool; 0: too few. */
static inline uint32_t parvus_network_slots(uint32_t pool_pages, uint64_t ring_bytes)
{
	uint32_t n = PARVUS_NETWORK_SLOTS;

	while (n > pool_pages / 2)
		n /= 2;
	if (n < PARVUS_NETWORK_PACKET_SLOTS)
		return 0;
	if (ring_bytes < 2 * (sizeof(struct parvus_ring) +
			      (uint64_t)n * sizeof(struct parvus_network_slot)))
		return 0;
	return n;
}

/* The features that a first slot makes use of. */
static inline uint32_t parvus_network_needs(const struct parvus_network_slot *head)
{
	uint32_t needs = head->flags & PARVUS_NETWORK_NEEDS_CSUM ? PARVUS_NETWORK_HAS_CSUM : 0;

	if (head->gso == PARVUS_NETWORK_GSO_NONE)
		return needs;
	return needs | ((head->gso & ~PARVUS_NETWORK_GSO_ECN) == PARVUS_NETWORK_GSO_TCPV4 ?
			PARVUS_NETWORK_HAS_TSO4 : PARVUS_NETWORK_HAS_TSO6);
}

/* The first slot of a packet of @bytes, by a sender who may use @features. */
static inline int parvus_network_head_good(const struct parvus_network_slot *head,
					   uint32_t bytes, uint32_t features)
{
	uint32_t gso = head->gso & ~PARVUS_NETWORK_GSO_ECN;
	uint32_t csum = head->flags & PARVUS_NETWORK_NEEDS_CSUM;

	if (bytes < PARVUS_NETWORK_ETHERNET)
		return 0;
	if (csum && head->flags & PARVUS_NETWORK_DATA_VALID)
		return 0;
	if (csum ? head->csum_start < PARVUS_NETWORK_ETHERNET ||
		   (uint32_t)head->csum_start + head->csum_offset + 2 > bytes :
		   head->csum_start || head->csum_offset)
		return 0;
	if (head->gso == PARVUS_NETWORK_GSO_NONE ? head->gso_bytes || head->header_bytes :
	    (gso != PARVUS_NETWORK_GSO_TCPV4 && gso != PARVUS_NETWORK_GSO_TCPV6) ||
	    !csum || !head->gso_bytes || head->header_bytes > bytes)
		return 0;
	return !(parvus_network_needs(head) & ~features);
}

/* Look at the next slot, which was copied to slot[slots]. */
static inline enum parvus_network_verdict
parvus_network_check(struct parvus_network_packet *p, uint32_t features)
{
	const struct parvus_network_slot *s = &p->slot[p->slots];
	uint32_t known = PARVUS_NETWORK_MORE;

	if (!p->slots)
		known |= PARVUS_NETWORK_NEEDS_CSUM | PARVUS_NETWORK_DATA_VALID;
	else if (s->gso || s->gso_bytes || s->header_bytes || s->csum_start || s->csum_offset)
		return PARVUS_NETWORK_LIE;
	if (s->flags & ~known || s->reserved)
		return PARVUS_NETWORK_LIE;
	if (!s->bytes || (uint32_t)s->offset + s->bytes > PARVUS_NETWORK_PAGE)
		return PARVUS_NETWORK_LIE;
	p->slots++;
	p->bytes += s->bytes;
	if (p->bytes > PARVUS_NETWORK_PACKET)
		return PARVUS_NETWORK_LIE;
	if (s->flags & PARVUS_NETWORK_MORE)
		return p->slots < PARVUS_NETWORK_PACKET_SLOTS ? PARVUS_NETWORK_GOES_ON :
								PARVUS_NETWORK_LIE;
	return parvus_network_head_good(&p->slot[0], p->bytes, features) ? PARVUS_NETWORK_WHOLE :
									   PARVUS_NETWORK_LIE;
}

#endif
