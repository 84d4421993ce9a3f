// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus: struct pages for frames of other domains that are mapped here, so that a back
 * end can do I/O on them in place. They are made 2 MiB at a time, when first needed, as
 * device memory, and stay: 32 KiB for 2 MiB. The direct map then reaches a frame while it
 * is mapped; at other times an access is a page fault.
 *
 * Where such an extent also has memory of ours, Linux has struct pages for all of it
 * since boot, and only the direct map is completed.
 */
#include <linux/init.h>
#include <linux/export.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include <linux/parvus.h>
#include <linux/parvus_link.h>
#include "parvus_bus.h"

/* By number of the extent: its struct dev_pagemap, or a value: frame by frame. */
static DEFINE_XARRAY(foreign_extents);
static DEFINE_XARRAY(foreign_frames);	/* of mixed extents: those in the direct map */
static DEFINE_MUTEX(foreign_mutex);

static int foreign_extent_add(unsigned long extent)
{
	struct dev_pagemap *map = kzalloc(sizeof(*map), GFP_KERNEL);
	phys_addr_t start = PFN_PHYS(extent * PAGES_PER_SUBSECTION);
	void *addr, *entry = map;
	int err;

	if (!map)
		return -ENOMEM;
	map->type = MEMORY_DEVICE_GENERIC;
	map->range = (struct range) { .start = start, .end = start + SUBSECTION_SIZE - 1 };
	map->nr_range = 1;
	if (region_intersects(start, SUBSECTION_SIZE, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) !=
	    REGION_DISJOINT) {
		kfree(map);
		entry = xa_mk_value(1);
	} else {
		addr = memremap_pages(map, 0);
		if (IS_ERR(addr)) {
			kfree(map);
			return PTR_ERR(addr);
		}
	}
	err = xa_err(xa_store(&foreign_extents, extent, entry, GFP_KERNEL));
	if (err && !xa_is_value(entry)) {
		memunmap_pages(map);
		kfree(map);
	}
	return err;
}

/* A frame in an extent that is partly ours. */
static int foreign_frame_add(unsigned long pfn)
{
	int err;

	if (!pfn_valid(pfn))
		return -ENXIO;
	if (xa_load(&foreign_frames, pfn) || page_is_ram(pfn))
		return 0;
	err = xa_err(xa_store(&foreign_frames, pfn, xa_mk_value(1), GFP_KERNEL));
	if (!err)
		init_memory_mapping(PFN_PHYS(pfn), PFN_PHYS(pfn + 1), PAGE_KERNEL);
	return err;
}

static int foreign_page_add(unsigned long pfn)
{
	unsigned long extent = pfn / PAGES_PER_SUBSECTION;
	void *entry;
	int err = 0;

	mutex_lock(&foreign_mutex);
	entry = xa_load(&foreign_extents, extent);
	if (!entry) {
		err = foreign_extent_add(extent);
		entry = xa_load(&foreign_extents, extent);
	}
	if (!err && xa_is_value(entry))
		err = foreign_frame_add(pfn);
	mutex_unlock(&foreign_mutex);
	return err;
}

/**
 * parvus_grant_pages - struct pages for all frames of a mapping
 * @pages: [out] m->count of them; they are good until parvus_grant_unmap()
 *
 * They can be given to I/O and reached by page_address(). Who takes references to them
 * drops them before the mapping ends.
 */
int parvus_grant_pages(struct parvus_mapping *m, struct page **pages)
{
	unsigned int i;
	int err;

	for (i = 0; i < m->count; i++) {
		unsigned long pfn = m->frame[i].gfn;

		if (!xa_load(&foreign_extents, pfn / PAGES_PER_SUBSECTION) ||
		    xa_load(&foreign_extents, pfn / PAGES_PER_SUBSECTION) == xa_mk_value(1)) {
			err = foreign_page_add(pfn);
			if (err)
				return err;
		}
		pages[i] = pfn_to_page(pfn);
	}
	m->direct = true;
	return 0;
}
EXPORT_SYMBOL_GPL(parvus_grant_pages);
