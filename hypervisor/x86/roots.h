/* SPDX-License-Identifier: GPL-2.0-only */
/* What a pCPU writes to CR3: see roots.c. */
#pragma once

#include <core/pcpu.h>

#define CR3_KEEP	(1ull << 63)

struct root_pair {
	u64 kernel_cr3;		/* what CR3 gets for its two roots; hv_root: no vCPU runs */
	u64 user_cr3;
	u64 area_frame;		/* that CPU_AREA_VCPU maps, or did when the pair was left */
};

/* A part of struct pcpu (x86/arch.h). entry.S loads .now's roots, and sets CR3_KEEP behind. */
struct roots {
	union { struct root_pair; struct root_pair now; };
	u64 n_root_switches;	/* but those that n_syscalls and n_user_returns count */
	u32 pair;		/* in use, or the last that was */
	bool full;		/* hv_root is loaded, with all memory in it (view.c) */
	struct root_pair pairs[ROOT_PAIRS];	/* of those that are not in use */
};

void roots_area(struct roots *r, u64 frame);	/* which CPU_AREA_VCPU maps from now on */
void view_load(unsigned int pair);	/* it gets the view of the domain that runs */
