/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the software TLB share, and what is behind the pointers of shadow.h. */
#pragma once

#include <core/context.h>
#include <core/handlers.h>
#include <core/hypercall.h>
#include <core/log.h>
#include <core/memory.h>

/* Page-table entry bits, the guest's and ours (Intel SDM vol. 3, 4.5). */
#define PTE_P		1ull
#define PTE_W		2ull
#define PTE_U		4ull
#define PTE_A		0x20ull
#define PTE_D		0x40ull
#define PTE_PS		0x80ull
#define PTE_CACHE	0x18ull		/* PWT, PCD */
#define PTE_FOREIGN	0x200ull	/* ours, in a leaf: counted as a foreign frame */
#define PTE_DEVICE	0x400ull	/* ours, in a leaf: no frame, and not counted */
#define PTE_NX		(1ull << 63)
#define PTE_ADDR	0x000ffffffffff000ull
/* A pointer to a table gives every right: the leaf alone decides. */
#define PTE_TABLE	(PTE_P | PTE_W | PTE_U | PTE_A)

#define LEVEL_SHIFT(l)	(12 + 9 * ((l) - 1))
#define LEVEL_SIZE(l)	(1ull << LEVEL_SHIFT(l))
#define INDEX(va, l)	((unsigned int)((va) >> LEVEL_SHIFT(l)) & 511)

#define HOLE_FIRST	256u		/* top-level slots of the hypervisor */
#define HOLE_LAST	271u
#define OVERLAYS	16u
#define HASH		256u

/*
 * An entry of a shadow table, so that no plain number lands in one by an assignment. One of
 *	0				nothing
 *	PTE_P clear, not 0		detached: the pool index of a table that may be stale
 *	PTE_P set, level 1 or PTE_PS	a leaf: it maps memory, and leaf.c made it
 *	else				a pointer to the table of the next level
 */
struct entry {
	u64 raw;
};

/* A leaf on its way into a table; .e.raw 0 = there is none. Only leaf.c makes one. */
struct leaf {
	struct entry e;
};

/* shadow_page.level; 1..3 are tables. TAKEN: in nobody's tree, not free, no victim. */
enum { FREE = 0, ASPACE = 4, TAKEN = 7 };

/*
 * What is known of each pool page. Index 0 is no page. FREE and ASPACE come and go under
 * shadow_domain.lock, the rest of a table's life is under aspace.lock.
 */
struct shadow_page {
	u32 mfn;
	u32 as;			/* index of the aspace's page */
	u32 parent;		/* index of the table that points here; the aspace's for level 3 */
	u32 next;		/* free list */
	u16 slot;		/* index in the parent */
	u16 lo, hi;		/* used entries lie in [lo, hi) */
	u8 level;
	bool overlay : 1;	/* level 3: in aspace.overlay[] */
	bool splinter : 1;	/* holds pieces of a larger guest mapping */
	bool foreign : 1;	/* level 1: may hold leaves of foreign frames */
};

/* One pool page. What has no other lock in its comment is under .lock. */
struct aspace {
	struct domain *domain;
	u64 id;
	u64 serial;		/* no other address space ever has it (tlb.c) */
	u8 pair[MAX_CPUS];	/* which of the pCPU's it had last; that pCPU's own */
	gfn_t root;
	u64 guest_gen;		/* the guest's tlb_gen up to which all is flushed (rule 18) */
	u64 gen;		/* ours: raised by every change that TLBs must hear of */
	u64 tree;		/* and by those that remembered leaf tables do not survive */
	u64 gen_gpa;		/* where the guest keeps its tlb_gen, 0 = not told */
	u64 all_gen;		/* of shadow_domain.all_gen: last "flush everything" done */
	u64 loaded[PARVUS_CPU_WORDS];	/* on which pCPUs; atomic */
	u64 used[4];		/* slots that are not zero */
	struct spinlock lock;
	u32 refs;		/* under shadow_domain.lock */
	u32 index;		/* of its page */
	u32 hash_next;		/* under shadow_domain.lock */
	bool kernel;		/* the kernel half: slot[i] is top-level slot 256 + i */
	bool dead;		/* released: nothing is filled any more */
	bool shot;		/* and no TLB holds anything of it: tables may go */
	u64 dead_gen;		/* gen of the release that set dead */
	u8 overlays;
	struct overlay {
		struct entry entry;
		u16 slot;
	} overlay[OVERLAYS];
	struct entry slot[256];
};
BUILD_ASSERT(sizeof(struct aspace) <= PAGE_SIZE);

struct shadow_domain {
	struct spinlock lock;	/* pool, hash, refs */
	struct shadow_page *pages;
	u64 pages_bytes;
	u32 max;		/* pool pages it may have */
	u32 count;		/* pool pages it has, indices 1..count */
	u32 free_head, free_count;
	u32 clock;		/* the hand of the eviction */
	u64 all_gen;		/* "flush everything" calls; atomic */
	struct aspace *kernel;
	u32 *foreign;		/* leaves of foreign frames, by a hash; NULL = never had one */
	u64 seed;		/* odd; unknown to the guest, who would fill one bucket */
	u32 hash[HASH];
};
