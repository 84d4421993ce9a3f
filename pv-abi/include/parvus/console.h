/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: the console of a domain U that the toolstack made. One page, offered to the
 * domain that serves it, holds two rings of bytes (parvus/ring.h): entries of one byte, and who
 * waits for some, or for room, is woken by an event. start_info.console_gpa and console_port name
 * page and port from the first instruction on, so that the earliest messages are seen.
 *
 * The domain's maker formats the rings. Each end goes on at what the page says of it, so
 * that either may be another one than before. Neither trusts the other's indices: with
 * one that cannot be, a ring is broken, which means empty for the reader, and for the
 * writer that nobody reads. Domains of the boot bundle, domain 0 too, have no page: they have
 * console_write.
 */
#ifndef PARVUS_CONSOLE_H
#define PARVUS_CONSOLE_H

#include <parvus/ring.h>

/**
 * hypercall console_write
 * @gpa: the bytes; not looked at if @length is 0
 * @length: how many; at most 16 are taken by one call
 *
 * -EFAULT: one of the bytes that would be taken is not in RAM; nothing was written
 */

/**
 * hypercall console_read
 * @gpa: for the bytes
 * @length: room for them; at most 256 are read by one call
 *
 * -EFAULT: there is input and the buffer is not in RAM; the input still waits
 */

/**
 * hypercall log_write
 * @gpa: the text
 * @length: bytes, at most 255
 *
 * -E2BIG: @length is above 255
 * -EFAULT: the text is not in RAM
 */

#define PARVUS_CONSOLE_IN	1024u
#define PARVUS_CONSOLE_OUT	2048u

/* The page at start_info.console_gpa. */
struct parvus_console_page {
	struct parvus_ring in;	/* [front end, back end] of in_bytes: the back end produces */
	struct parvus_ring out;	/* [front end, back end] of out_bytes: the domain produces */
	uint32_t columns, rows;	/* [back end] of the terminal, 0 = unknown */
	uint32_t reserved[14];
	uint8_t in_bytes[PARVUS_CONSOLE_IN];	/* [back end] entries of in, one byte each */
	uint8_t out_bytes[PARVUS_CONSOLE_OUT];	/* [front end] entries of out */
};	/* 3392 bytes */

#endif
