/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: the console of a domain U. One page, offered to the domain that serves
 * it, holds two rings of bytes (parvus/ring.h): entries of one byte, and who waits for
 * some, or for room, is woken by an event. start_info.console_gpa and console_port name
 * page and port from the first instruction on, so that the earliest messages are seen.
 *
 * The domain's maker formats the rings. Each end goes on at what the page says of it, so
 * that either may be another one than before. Neither trusts the other's indices: with
 * one that cannot be, a ring is broken, which means empty for the reader, and for the
 * writer that nobody reads. Domain 0 has no page: it has console_write.
 */
#ifndef PARVUS_CONSOLE_H
#define PARVUS_CONSOLE_H

#include <parvus/ring.h>

#define PARVUS_CONSOLE_IN	1024u
#define PARVUS_CONSOLE_OUT	2048u

struct parvus_console_page {
	struct parvus_ring in;	/* back end to domain: in_bytes */
	struct parvus_ring out;	/* domain to back end: out_bytes */
	uint32_t columns, rows;	/* [back end] of the terminal, 0 = unknown */
	uint32_t reserved[14];
	uint8_t in_bytes[PARVUS_CONSOLE_IN];	/* [back end] */
	uint8_t out_bytes[PARVUS_CONSOLE_OUT];	/* [front end] */
};	/* 3392 bytes */

#endif
