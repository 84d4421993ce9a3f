// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus: struct pages for frames of other domains that are mapped here, so that a back
 * end can do I/O on them in place. They are made 2 MiB at a time, an extent, when first
 * needed, as device memory: 32 KiB for an extent. The direct map then reaches a frame while
 * it is mapped; at other times an access is a page fault.
 *
 * It is the other domain that chooses the frames, and one frame costs as much as the 512 of
 * its extent: so a domain pays for what it makes us keep. It may have a number of extents,
 * and more only as it maps more frames; what nobody uses any more is given back after some
 * seconds, or, if there is much of it, by whoever ends a mapping, who waits for that alone.
 * The bill does not depend on which frames are chosen.
 *
 * Where such an extent also has memory of ours, Linux has struct pages for all of it
 * since boot, and only the direct map is completed. Those are few, and stay.
 */
#include <linux/init.h>
#include <linux/export.h>
#include <linux/list.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <linux/parvus.h>
#include <linux/parvus_link.h>
#include "parvus_bus.h"

#define FRAMES_EXTENT	128u	/* of a domain: for so many frames it may have one extent more */
#define IDLE_TIME	(5 * HZ)

/*
 * Enough for a disk and an interface with pools of the least size, each page in its own. As
 * many that nobody uses are kept for some seconds: who tries again has them at once.
 */
static unsigned int domain_extents = 128;
module_param(domain_extents, uint, 0644);
MODULE_PARM_DESC(domain_extents, "2 MiB extents that few pages of one domain may lie in");

static unsigned int extents;
module_param(extents, uint, 0444);
MODULE_PARM_DESC(extents, "2 MiB extents that have struct pages now, 32 KiB each");

struct foreign_extent {
	struct dev_pagemap map;
	unsigned long number;
	unsigned int users;		/* frames that are mapped */
	struct list_head idle;		/* in foreign_idle, while there are none */
};

/* What a domain has mapped here. */
struct foreign_domain {
	unsigned int frames;
	unsigned int extents;		/* that these lie in */
	struct xarray frames_in;	/* by number of the extent: how many, a value */
};

/* All below. */
static DEFINE_MUTEX(foreign_mutex);
#define MIXED	xa_mk_value(1)		/* it is partly ours: frame by frame */
#define GOING	xa_mk_value(2)		/* its struct pages are given back just now */
static DEFINE_XARRAY(foreign_extents);	/* by number: struct foreign_extent, or one of these */
static DECLARE_WAIT_QUEUE_HEAD(foreign_gone);
static DEFINE_XARRAY(foreign_frames);	/* of mixed extents: those in the direct map */
static DEFINE_XARRAY(foreign_domains);	/* by number: struct foreign_domain */
static LIST_HEAD(foreign_idle);		/* the longest first */
static unsigned int foreign_idle_count;

static void foreign_idle_end(struct work_struct *work);
static DECLARE_DELAYED_WORK(foreign_idle_work, foreign_idle_end);

/* ---- the bill of a domain ---- */

static unsigned int foreign_frames_in(struct foreign_domain *d, unsigned long extent)
{
	void *entry = xa_load(&d->frames_in, extent);

	return entry ? xa_to_value(entry) : 0;
}

/* -ENOSPC: its frames lie in too many extents for as few as they are. */
static int foreign_charge(u32 domain, unsigned long extent)
{
	struct foreign_domain *d = xa_load(&foreign_domains, domain);
	unsigned int n;
	int err;

	if (!d) {
		d = kzalloc(sizeof(*d), GFP_KERNEL);
		if (!d)
			return -ENOMEM;
		xa_init(&d->frames_in);
		err = xa_err(xa_store(&foreign_domains, domain, d, GFP_KERNEL));
		if (err) {
			kfree(d);
			return err;
		}
	}
	n = foreign_frames_in(d, extent);
	if (!n && d->extents >= READ_ONCE(domain_extents) + d->frames / FRAMES_EXTENT)
		err = -ENOSPC;
	else
		err = xa_err(xa_store(&d->frames_in, extent, xa_mk_value(n + 1), GFP_KERNEL));
	if (!err) {
		d->extents += !n;
		d->frames++;
	} else if (!d->frames) {
		xa_erase(&foreign_domains, domain);
		kfree(d);
	}
	return err;
}

static void foreign_uncharge(u32 domain, unsigned long extent)
{
	struct foreign_domain *d = xa_load(&foreign_domains, domain);
	unsigned int n = d ? foreign_frames_in(d, extent) : 0;

	if (WARN_ON_ONCE(!n))
		return;
	d->frames--;
	if (n > 1) {
		/* in the place of another value: this needs no memory */
		xa_store(&d->frames_in, extent, xa_mk_value(n - 1), GFP_KERNEL);
		return;
	}
	xa_erase(&d->frames_in, extent);
	d->extents--;
	if (!d->frames) {
		xa_erase(&foreign_domains, domain);
		kfree(d);
	}
}

/* ---- extents ---- */

/* Give back what is idle until so many are left: a tenth of a second each, without the lock. */
static void foreign_idle_thin(unsigned int left)
{
	struct foreign_extent *x;

	while (foreign_idle_count > left) {
		x = list_first_entry(&foreign_idle, struct foreign_extent, idle);
		list_del(&x->idle);
		foreign_idle_count--;
		xa_store(&foreign_extents, x->number, GOING, GFP_KERNEL);
		mutex_unlock(&foreign_mutex);
		memunmap_pages(&x->map);
		mutex_lock(&foreign_mutex);
		xa_erase(&foreign_extents, x->number);
		extents--;
		kfree(x);
		wake_up_all(&foreign_gone);
	}
}

static void foreign_idle_end(struct work_struct *work)
{
	unsigned int noio = memalloc_noio_save();

	mutex_lock(&foreign_mutex);
	foreign_idle_thin(0);
	mutex_unlock(&foreign_mutex);
	memalloc_noio_restore(noio);
}

/* The lock is let go of meanwhile. */
static void foreign_wait_gone(unsigned long number)
{
	while (xa_load(&foreign_extents, number) == GOING) {
		mutex_unlock(&foreign_mutex);
		wait_event(foreign_gone, xa_load(&foreign_extents, number) != GOING);
		mutex_lock(&foreign_mutex);
	}
}

static bool foreign_extent_mixed(phys_addr_t start)
{
	return region_intersects(start, SUBSECTION_SIZE, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) !=
	       REGION_DISJOINT;
}

static int foreign_extent_add(unsigned long number)
{
	phys_addr_t start = PFN_PHYS(number * PAGES_PER_SUBSECTION);
	struct foreign_extent *x;
	void *addr;
	int err;

	if (foreign_extent_mixed(start))
		return xa_err(xa_store(&foreign_extents, number, MIXED, GFP_KERNEL));
	x = kzalloc(sizeof(*x), GFP_KERNEL);
	if (!x)
		return -ENOMEM;
	x->number = number;
	x->map.type = MEMORY_DEVICE_GENERIC;
	x->map.range = (struct range) { .start = start, .end = start + SUBSECTION_SIZE - 1 };
	x->map.nr_range = 1;
	addr = memremap_pages(&x->map, 0);
	if (IS_ERR(addr)) {
		kfree(x);
		return PTR_ERR(addr);
	}
	err = xa_err(xa_store(&foreign_extents, number, x, GFP_KERNEL));
	if (err) {
		memunmap_pages(&x->map);
		kfree(x);
		return err;
	}
	list_add_tail(&x->idle, &foreign_idle);
	foreign_idle_count++;
	extents++;
	return 0;
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

/* ---- a frame that is mapped, and is no more ---- */

static int foreign_page_get(u32 domain, unsigned long pfn)
{
	unsigned long number = pfn / PAGES_PER_SUBSECTION;
	struct foreign_extent *x;
	int err;

	foreign_wait_gone(number);
	err = foreign_charge(domain, number);
	if (err)
		return err;
	if (!xa_load(&foreign_extents, number))
		err = foreign_extent_add(number);
	x = xa_load(&foreign_extents, number);
	if (!err && xa_is_value(x))
		err = foreign_frame_add(pfn);
	if (err) {
		foreign_uncharge(domain, number);
	} else if (!xa_is_value(x) && !x->users++) {
		list_del(&x->idle);
		foreign_idle_count--;
	}
	return err;
}

static void foreign_page_put(u32 domain, unsigned long pfn)
{
	unsigned long number = pfn / PAGES_PER_SUBSECTION;
	struct foreign_extent *x = xa_load(&foreign_extents, number);

	foreign_uncharge(domain, number);
	if (xa_is_value(x) || --x->users)
		return;
	list_add_tail(&x->idle, &foreign_idle);
	foreign_idle_count++;
	queue_delayed_work(system_unbound_wq, &foreign_idle_work, IDLE_TIME);
}

/* The first @count of them. */
static void foreign_pages_put(struct parvus_mapping *m, unsigned int count)
{
	unsigned int i;

	mutex_lock(&foreign_mutex);
	for (i = 0; i < count; i++)
		foreign_page_put(m->domain, m->frame[i].gfn);
	foreign_idle_thin(READ_ONCE(domain_extents));
	mutex_unlock(&foreign_mutex);
}

/**
 * parvus_grant_pages - struct pages for all frames of a mapping
 * @pages: [out] m->count of them; they are good until parvus_grant_unmap()
 *
 * They can be given to I/O and reached by page_address(). Who takes references to them
 * drops them before the mapping ends. -ENOSPC: the other domain's pages lie too far apart.
 */
int parvus_grant_pages(struct parvus_mapping *m, struct page **pages)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < m->count; i++) {
		mutex_lock(&foreign_mutex);
		err = foreign_page_get(m->domain, m->frame[i].gfn);
		mutex_unlock(&foreign_mutex);
		if (err)
			break;
		pages[i] = pfn_to_page(m->frame[i].gfn);
	}
	if (!err) {
		m->direct = true;
		return 0;
	}
	foreign_pages_put(m, i);
	if (err == -ENOSPC)
		pr_warn_ratelimited("parvus: pages of domain %u lie too far apart\n", m->domain);
	return err;
}
EXPORT_SYMBOL_GPL(parvus_grant_pages);

/* parvus_grant_pages_end - nothing of the mapping is mapped any more */
void parvus_grant_pages_end(struct parvus_mapping *m)
{
	if (m->direct)
		foreign_pages_put(m, m->count);
}
