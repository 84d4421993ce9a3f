// SPDX-License-Identifier: GPL-2.0-only
/*
 * The software TLB. Shadow tables are filled on demand from the guest's own page
 * tables and behave like a hardware TLB that happens to be large: they may lack
 * any entry, and never hold a right that the guest took away before its last
 * completed flush.
 *
 * An address space (struct aspace) is a tree of shadow tables, found by the id
 * that the guest gave it; the kernel half of a domain is one more such tree, and
 * every vCPU has an anonymous one for id 0. Tables are indexed by virtual address
 * alone, so that the guest may reuse its page-table pages as it likes. Low-half
 * pages that guest user mode must not see go to an overlay: a second tree for the
 * same top-level slot, seen in the kernel root only (rule 23).
 *
 * A full flush detaches: entries that point to tables lose their present bit and
 * keep the table's pool index. The first fault below re-syncs the table one level
 * down, the leaf tables entry by entry against the guest's tables, and attaches it.
 * So a flush costs what is used afterwards, not what there was.
 *
 * Walk, accessed/dirty update and insert happen under the lock of the address
 * space, which a flush takes too: a fill sees the guest's entry after the guest
 * changed it, or the flush sees the fill (rules 1, 7, 8). No CPU waits for another
 * with a lock held; pages that left a tree return to the pool after the shootdown.
 *
 * This file is the unit that is compiled, and the order below is a ladder: a part calls only
 * parts above it (tests/system/ladder.sh). Read them in this order. They are one unit because
 * the way of a fault crosses six of them: as separate objects a page fault costs 2 % more.
 */
#include <mmu/mmu.h>

#include "walk.c"	/* the guest's tables, read */
#include "pool.c"	/* pages for our tables */
#include "leaf.c"	/* entries; the one maker of those that map memory */
#include "aspace.c"	/* address spaces by id, and references to them */
#include "tree.c"	/* tables of an address space: detached, flushed, unlinked */
#include "tlb.c"	/* what a pCPU has loaded, and the shootdown */
#include "evict.c"	/* pages for a fault when the pool is empty */
#include "fill.c"	/* entries made from a walk */
#include "fault.c"	/* a guest's page fault is decided */
#include "calls.c"	/* switch, flush, age, release */
#include "lose.c"	/* memory that goes */
#include "life.c"	/* a domain's shadows come and go */
