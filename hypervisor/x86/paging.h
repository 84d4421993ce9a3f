/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The address map of ring 0. Slots 256..271 of every root, HV_BASE and 8 TiB above it, are the
 * hypervisor's: physical address p is at HV_BASE + p, the image as well as all RAM and devices;
 * slot 270 has the frame table, the last slot the CPUs' own pages (x86/cpu_area.h).
 */
#pragma once

#include <x86/cpu.h>
#include <x86/roots.h>

#define HV_BASE		0xffff800000000000ull

/* hypervisor.lds; what boot_end ends begins at image_start */
extern char image_start[], boot_end[], entry_end[], rodata_start[], data_start[], load_end[];
extern char image_end[];
extern char secret_start[], secret_end[];	/* of bss: what no view shows */

static inline void *phys_to_virt(u64 pa) { return (void *)(pa + HV_BASE); }
static inline u64 virt_to_phys(const void *p) { return (u64)p - HV_BASE; }

extern u64 hv_root;		/* CR3 value with no guest in it; set once at boot */

/* In these orders, for a machine check may come between two lines: see view.c. */
static inline void root_load(struct roots *r, u64 *root)
{
	r->full = false;
	r->n_root_switches++;
	write_cr3(*root);
	*root |= cpu_features.cr3_keep;
}

/* hv_root. */
static inline void roots_full(struct roots *r)
{
	r->n_root_switches++;
	write_cr3(hv_root | cpu_features.cr3_keep);
	r->full = true;
}

/* Which of the two CR3 has; NULL: hv_root. The virtual mode does not say: see syscall_bounce. */
static inline u64 *root_loaded(struct roots *r)
{
	if (r->full)
		return NULL;
	return (read_cr3() ^ r->user_cr3) << 1 ? &r->kernel_cr3 : &r->user_cr3;
}

/* Entries of these tables. */
#define HV_P		1ull
#define HV_W		2ull
#define HV_PWT		8ull
#define HV_PCD		16ull
#define HV_D		64ull
#define HV_PS		128ull
#define HV_NX		(1ull << 63)
#define HV_ADDR		0x000ffffffffff000ull

u64 paging_data(void);	/* rights of data: HV_P, HV_W, and HV_NX where the CPU has it */
void *paging_page(void);	/* a zeroed page; after boot_alloc() */
/*
 * Map [pa, end) of hv_root at HV_BASE + pa, in steps of 4 KiB, 2 MiB or 1 GiB. @page gives the
 * zeroed pages of new tables. The caller flushes, on every CPU that may hold what was there.
 */
void paging_map(u64 pa, u64 end, u64 flags, u64 step, void *(*page)(void));
/* The entry of hv_root for a page of @size, or of 4 KiB, with the tables that lead to it. */
u64 *paging_entry_of(u64 va, u64 size, void *(*page)(void));
u64 *paging_entry(u64 va);
#define PAGE_OF(p) ((void *)((u64)(p) & PAGE_MASK))
/* As hv_root maps the page at @va, whatever the size: the entry of a page of 4 KiB. */
u64 paging_leaf(u64 va);
void *mmio_map(u64 pa, u64 bytes);	/* map registers of a device, uncached, on this CPU */
/* The last act of start: boot's part of the image goes, the domains run. */
noreturn void boot_discard(void);
