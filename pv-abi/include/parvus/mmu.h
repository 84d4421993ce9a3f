/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: address spaces and translations.
 *
 * The hypervisor behaves like a hardware TLB that happens to be large. The
 * guest's page tables are plain guest memory. Making an entry present needs no
 * call; taking a right away (unmap, write-protect, clean dirty) needs a flush,
 * as on hardware, but a translation lives on after mmu_switch: it belongs to
 * the *address space*, named by an id that the guest never reuses.
 *
 * id 0 is the anonymous address space: private to the vCPU, nothing of it
 * survives the next mmu_switch. Use it where there is no better name.
 *
 * tlb_gen: a counter per id that the guest raises with every right it takes
 * away in that address space. The hypervisor remembers up to which number it
 * has flushed; a switch that passes a higher one re-syncs first. A forgotten
 * flush call thus costs time, never data, as long as tlb_gen is raised.
 *
 * The kernel half (bit 47 set) is one for all address spaces of a kernel_view.
 * Top-level slots 256..271 belong to the hypervisor; what the guest's root says
 * there is ignored. Guest kernel text executes in the high half only: the low
 * half is never executable in kernel mode.
 */
#ifndef PARVUS_MMU_H
#define PARVUS_MMU_H

#include <parvus/types.h>

/* The hypervisor's hole in every guest address space: top-level slots 256..271. */
#define PARVUS_HOLE_START	0xffff800000000000ull
#define PARVUS_HOLE_END		0xffff880000000000ull

/* mmu_switch flags: what may be stale in the address space switched to. */
#define PARVUS_SWITCH_NONE	0u	/* nothing beyond what tlb_gen tells */
#define PARVUS_SWITCH_LOCAL	1u	/* this CPU's hardware view (a wake-up from lazy TLB) */
#define PARVUS_SWITCH_AS	2u	/* the whole address space */
#define PARVUS_SWITCH_ALL	3u	/* that and the kernel half: a raw mov to cr3 */

/* mmu_flush flags. */
#define PARVUS_FLUSH_RANGE	0u	/* [start, end) of address space id */
#define PARVUS_FLUSH_AS		1u	/* all of address space id */
#define PARVUS_FLUSH_KERNEL	2u	/* [start, end) of the kernel half; id = kernel_view */
#define PARVUS_FLUSH_KERNEL_ALL	3u	/* all of the kernel half */
#define PARVUS_FLUSH_ALL	4u	/* everything the domain has */
#define PARVUS_FLUSH_CURRENT	5u	/* [start, end) of whatever runs on this vCPU; id, gen ignored */
#define PARVUS_FLUSH_KIND	0xfu
#define PARVUS_FLUSH_FREED_TABLES	0x10u	/* page tables were freed */

#endif
