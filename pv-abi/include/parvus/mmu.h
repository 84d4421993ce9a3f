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

/**
 * hypercall mmu_switch
 * @id: name of the address space; 0 = the anonymous one of the caller
 * @root: gpa of its top-level page table
 * @kernel_view: 0
 * @tlb_gen: the guest's counter of rights taken away in it
 * @gen_gpa: where the guest keeps that counter, for mmu_flush_batch; 0 = not told
 * @flags: one of PARVUS_SWITCH_*
 *
 * -EINVAL: @root is not page-aligned; @kernel_view is not 0; @flags is above 3
 * -EFAULT: @root or @gen_gpa is not RAM, or RAM that nobody touched yet; @gen_gpa is not
 *          aligned to 8
 * -ENOMEM: a new id, and no room among the domain's shadow tables
 */

/* mmu_switch flags: what may be stale in the address space switched to. */
#define PARVUS_SWITCH_NONE	0u	/* nothing beyond what tlb_gen tells */
#define PARVUS_SWITCH_LOCAL	1u	/* this CPU's hardware view (a wake-up from lazy TLB); the
					 * same as NONE in version 1 */
#define PARVUS_SWITCH_AS	2u	/* the whole address space */
#define PARVUS_SWITCH_ALL	3u	/* that and the kernel half: a raw mov to cr3 */

/**
 * hypercall mmu_flush
 * @id: the address space; 0 = the anonymous one of the caller
 * @new_gen: the tlb_gen of this very flush; not looked at for id 0
 * @start: first address of a range
 * @end: first address behind it; 0 = the top of the address space
 * @stride: bytes between pages that changed, a hint that version 1 checks and does not use
 * @flags: one kind, and PARVUS_FLUSH_FREED_TABLES if page tables are to be freed
 *
 * -EINVAL: an unknown kind or flag; @id is not 0 for KERNEL or KERNEL_ALL; with a range: @start
 *          or @end is not page-aligned, @end is below @start, @stride is neither 0 nor a power
 *          of two
 */

/* mmu_flush flags: kinds, and a bit. */
#define PARVUS_FLUSH_RANGE	0u	/* takes away [start, end) of id; uses all arguments */
#define PARVUS_FLUSH_AS		1u	/* all of id; uses id, new_gen */
#define PARVUS_FLUSH_KERNEL	2u	/* [start, end) of the kernel half; id is 0 */
#define PARVUS_FLUSH_KERNEL_ALL	3u	/* all of the kernel half; id is 0 */
#define PARVUS_FLUSH_ALL	4u	/* everything of the domain; uses nothing */
#define PARVUS_FLUSH_CURRENT	5u	/* [start, end) of the low half that this vCPU runs; uses
					 * the range */
#define PARVUS_FLUSH_KIND	0xfu	/* mask of the kind */
#define PARVUS_FLUSH_FREED_TABLES	0x10u	/* page tables are to be freed */

/**
 * hypercall mmu_flush_batch
 * @mask_gpa: a mask of vCPUs
 * @words: 64-bit words of the mask: 1
 *
 * -EINVAL: @words is 0, or the mask names a vCPU that the domain does not have
 * -E2BIG: @words is above 1
 * -EFAULT: the mask is not in RAM
 */

/**
 * hypercall mmu_release
 * @id: the address space that is gone; 0 and an unknown id do nothing
 */

/**
 * hypercall mmu_age
 * @id: the address space; 0 = the anonymous one of the caller; an unknown one holds nothing
 */

#endif
