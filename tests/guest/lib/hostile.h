/* SPDX-License-Identifier: GPL-2.0-only */
/* What a hostile guest and its keeper (hostile.c, keeper.c) have in common. */
#ifndef GUEST_HOSTILE_H
#define GUEST_HOSTILE_H

#define HOSTILE_VCPUS	3u
#define HOSTILE_FRAMES	4096u		/* 16 MiB; above it, gfns for grants */
#define HOSTILE_EXTRA	512u
#define HOSTILE_START	0xfff000ull	/* gpa of the start info; generation_id[0] is the seed */
#define HOSTILE_TALLY	0x7ff000ull	/* gpa of the tally, which the keeper reads */
#define HOSTILE_CALLS	48u

struct tally {
	u64 rounds[HOSTILE_VCPUS];
	u64 traps;
	u64 tried[HOSTILE_CALLS], done[HOSTILE_CALLS];	/* by number of the hypercall */
};

#endif
