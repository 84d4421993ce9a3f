/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: rings. A ring carries entries of one fixed size one way, from one
 * producer to one consumer, through memory that both see. Its header is this record;
 * the entries, a power of two of them, lie elsewhere. What comes back (responses) has
 * a ring of its own.
 *
 * Indices run free: entry i is at i modulo the number of entries. produced - consumed
 * is how many wait; more than the ring has is a lie, and the end of the connection.
 * Each end keeps its own index to itself and stores a copy here, reads the other's
 * once, and copies an entry out before it looks at it.
 *
 * Events are sent when somebody waits: the consumer sleeps after it has stored in
 * consumer_wake the index that it waits for; the producer sends an event when
 * produced gets there, that is if (uint32_t)(new - wake) < (uint32_t)(new - old). Who
 * has stored a wake index looks once more before it sleeps, with a full barrier
 * between; the other has one between storing its index and reading the wake index.
 * The producer waits for room in the same way. A fresh ring is all zeroes but
 * consumer_wake = 1: the first entry wakes.
 *
 * The operations are in <parvus/ring_ops.h> (pv-drivers/ring), which may be used by
 * anybody.
 */
#ifndef PARVUS_RING_H
#define PARVUS_RING_H

#include <parvus/types.h>

/* The header of a ring. */
struct parvus_ring {
	uint32_t produced;	/* [producer] index behind the last entry that is there */
	uint32_t producer_wake;	/* [producer] send an event when consumed gets there */
	uint32_t reserved0[14];
	uint32_t consumed;	/* [consumer] index behind the last entry that is done with */
	uint32_t consumer_wake;	/* [consumer] send an event when produced gets there */
	uint32_t reserved1[14];
};	/* 128 bytes: the ends do not share a cache line */

#endif
