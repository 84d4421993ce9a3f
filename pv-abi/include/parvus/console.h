/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: the console of a domain U. One page, offered to the domain that serves
 * it, holds two byte rings with free-running indices; who produced or consumed sends
 * an event. start_info.console_gpa and console_port name page and port from the
 * first instruction on, so that the earliest messages are seen.
 *
 * Neither side trusts the other's indices: prod - cons beyond the size means empty
 * for the reader and full for the writer. Domain 0 has no page: it has console_write.
 */
#ifndef PARVUS_CONSOLE_H
#define PARVUS_CONSOLE_H

#include <parvus/types.h>

#define PARVUS_CONSOLE_IN	1024u
#define PARVUS_CONSOLE_OUT	2048u

struct parvus_console_page {
	uint32_t in_prod;	/* [back end] */
	uint32_t in_cons;	/* [front end] */
	uint32_t out_prod;	/* [front end] */
	uint32_t out_cons;	/* [back end] */
	uint32_t columns, rows;	/* [back end] of the terminal, 0 = unknown */
	uint32_t reserved[10];
	uint8_t in[PARVUS_CONSOLE_IN];		/* [back end] to the domain */
	uint8_t out[PARVUS_CONSOLE_OUT];	/* [front end] from the domain */
};	/* 3136 bytes */

#endif
