/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tells the plugin (tools/bench/plugin/count.c) where a measurement begins and ends: no-ops
 * with a number in them, which nobody else sees.
 */
#ifndef MARKER_H
#define MARKER_H

#define MARKER_BEGIN	0x50560001
#define MARKER_END	0x50560002
#define MARKER_EMIT	0x50560003	/* what lay between them since the last one is a record */
#define MARKER_FORGET	0x50560004	/* or is none */
#define MARKER(number) \
	__asm__ volatile(".byte 0x0f, 0x1f, 0x84, 0x00; .long %c0" : : "i"(number) : "memory")

#endif
