/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: network interfaces, PARVUS_CLASS_NETWORK. A link (parvus/link.h); in each
 * queue's ring pages lie, in this order: a struct parvus_ring for what the front end
 * transmits, one for what it receives, the slots of the first, the slots of the
 * second. The front end produces in the first, the back end in the second.
 *
 * A ring has a power of two of slots, the largest that is not above half of the pool's
 * pages, nor above PARVUS_NETWORK_SLOTS; slot i of the first ring always has page i of the
 * pool, slot i of the second one page slots + i. A packet fills one slot or, with MORE,
 * several in a row. Who consumes copies the bytes out before it gives the slots back, so no
 * page needs an answer, and nothing is looked at while the other end can change it. All
 * slots of a packet are published at once.
 *
 * A packet begins with its Ethernet header. The first slot says what is left to do
 * for it, in the terms of a virtio_net_hdr (Linux, include/uapi/linux/virtio_net.h): a
 * checksum, and, then only, segmentation. Members for what is not used are zero.
 */
#ifndef PARVUS_NETWORK_H
#define PARVUS_NETWORK_H

#include <parvus/link.h>

/* features, in the blobs: what that end takes from the other one */
#define PARVUS_NETWORK_HAS_CSUM	1u	/* NEEDS_CSUM is understood */
#define PARVUS_NETWORK_HAS_TSO4	2u
#define PARVUS_NETWORK_HAS_TSO6	4u

/* parvus_network_slot.flags */
#define PARVUS_NETWORK_MORE		1u	/* the packet goes on in the next slot */
#define PARVUS_NETWORK_NEEDS_CSUM	2u	/* first slot: from csum_start on, to csum_offset */
#define PARVUS_NETWORK_DATA_VALID	4u	/* first slot: checksums were verified */

/* parvus_network_slot.gso */
#define PARVUS_NETWORK_GSO_NONE		0u
#define PARVUS_NETWORK_GSO_TCPV4	1u
#define PARVUS_NETWORK_GSO_TCPV6	4u
#define PARVUS_NETWORK_GSO_ECN		0x80u	/* beside one of the two */

#define PARVUS_NETWORK_SLOTS	512u	/* in a ring, at most */
#define PARVUS_NETWORK_PACKET_SLOTS 17u	/* of one packet, at most */
#define PARVUS_NETWORK_PACKET	65536u	/* bytes of one packet, at most */

/* A packet, or a piece of one. */
struct parvus_network_slot {
	uint16_t offset;	/* [producer] in the page */
	uint16_t bytes;		/* [producer] 1 to 4096 - offset */
	uint8_t flags;		/* [producer] PARVUS_NETWORK_MORE and on */
	uint8_t gso;		/* [producer] PARVUS_NETWORK_GSO_*; it and what follows: first slot,
				 * else 0 */
	uint16_t gso_bytes;	/* [producer] of one segment */
	uint16_t header_bytes;	/* [producer] Ethernet to TCP, a hint */
	uint16_t csum_start;	/* [producer] from the begin of the packet */
	uint16_t csum_offset;	/* [producer] from csum_start */
	uint16_t reserved;
};	/* 16 bytes */

/* The back end's blob. */
struct parvus_network_info {
	struct parvus_link_info link;	/* [back end] see there */
	uint32_t mtu;		/* [back end] of its interface */
	uint32_t carrier;	/* [back end] 1 = up */
};	/* 40 bytes */

/* flags of config */
#define PARVUS_NETWORK_PROGRAM	1u	/* a program serves it, not the kernel's back end */
#define PARVUS_NETWORK_DETACH	2u	/* to be removed: the back end goes to CLOSING */
#define PARVUS_NETWORK_MACFILTER 4u	/* the front end sends from the address mac alone; without
				 * the flag from 64 addresses at most */

/* What the toolstack configures. */
struct parvus_network_config {
	uint32_t version;	/* [toolstack] 1 */
	uint32_t flags;		/* [toolstack] PARVUS_NETWORK_PROGRAM, PARVUS_NETWORK_DETACH,
				 * PARVUS_NETWORK_MACFILTER */
	uint8_t mac[6];		/* [toolstack] of the front end */
	uint16_t mtu;		/* [toolstack] at the start; 0 = 1500 */
	uint32_t queues;	/* [toolstack] at most; 0 = the back end decides */
	uint32_t interval_us;	/* [toolstack] over which the limit holds; 0 = 50 ms */
	uint64_t bytes_per_second;	/* [toolstack] that the front end may transmit; 0 = no
				 * limit */
	char name[16];		/* [toolstack] of the back end's interface; empty =
				 * vifDOMAIN.INDEX */
	char reserved[80];
};	/* 128 bytes */

#endif
