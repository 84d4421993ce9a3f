// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus: grants. Offers of our own pages, and mappings of those of other domains. A
 * frame of another domain has no struct page here, unless parvus_grant_pages() makes one:
 * in the control domain it is known by its machine frame number, elsewhere it is put at a
 * gfn above our RAM.
 *
 * What the other side still maps cannot be revoked, and what is still mapped somewhere
 * here cannot be unmapped: both are tried again until it works.
 */
#include <linux/init.h>
#include <linux/export.h>
#include <linux/idr.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include "parvus_bus.h"

static void parvus_grant_retry(struct work_struct *work);
static DECLARE_DELAYED_WORK(parvus_retry_work, parvus_grant_retry);
static DEFINE_SPINLOCK(parvus_retry_lock);
static LIST_HEAD(parvus_retry_pages);		/* page->lru, private = reference, index = whose */
static LIST_HEAD(parvus_retry_mappings);

static DEFINE_IDA(parvus_slots);	/* gfns for mappings, from max_gfn down */

static const unsigned int parvus_record_size[] = {
	[PARVUS_GRANT_OFFER] = sizeof(struct parvus_grant_offer),
	[PARVUS_GRANT_REVOKE] = sizeof(struct parvus_grant_revoke),
	[PARVUS_GRANT_MAP] = sizeof(struct parvus_grant_map),
	[PARVUS_GRANT_UNMAP] = sizeof(struct parvus_grant_unmap),
	[PARVUS_GRANT_COPY] = sizeof(struct parvus_grant_copy),
};

/* Any other error of an end says that there is nothing to end. */
static bool parvus_grant_busy(int status) { return status == -EBUSY || status == -EAGAIN; }

int parvus_grant_op(unsigned int op, void *records, unsigned int count)
{
	unsigned int done = 0;
	long ret;

	if (!parvus_start)
		return -ENOSYS;
	while (done < count) {
		ret = parvus_call3(PARVUS_HC_grant_op, op,
				   __pa(records + done * parvus_record_size[op]),
				   min(count - done, PARVUS_GRANT_BATCH));
		if (ret <= 0)
			return ret ?: -EIO;
		done += ret;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(parvus_grant_op);

/* parvus_grant_revoke - end offers that nobody maps; -EBUSY if one is left, its ref stays */
int parvus_grant_revoke(u32 *refs, unsigned int count)
{
	struct parvus_grant_revoke *records;
	unsigned int i, n, base;
	int err = 0;

	records = kmalloc_array(min(count, PARVUS_GRANT_BATCH), sizeof(*records),
				GFP_KERNEL | __GFP_NOFAIL);
	for (base = 0; base < count; base += PARVUS_GRANT_BATCH) {
		n = min(count - base, PARVUS_GRANT_BATCH);
		for (i = 0; i < n; i++) {
			records[i].ref = refs[base + i];
			records[i].status = -EBUSY;
		}
		parvus_grant_op(PARVUS_GRANT_REVOKE, records, n);
		for (i = 0; i < n; i++) {
			if (!refs[base + i])
				continue;
			if (parvus_grant_busy(records[i].status))
				err = -EBUSY;
			else
				refs[base + i] = 0;
		}
	}
	kfree(records);
	return err;
}
EXPORT_SYMBOL_GPL(parvus_grant_revoke);

/* parvus_grant_offer - all of @pages or none; @refs is filled in */
int parvus_grant_offer(u32 domain, struct page **pages, unsigned int count, u32 flags, u32 *refs)
{
	struct parvus_grant_offer *records;
	unsigned int i, n, base;
	int err = 0;

	if (!parvus_start)
		return -ENOSYS;
	records = kcalloc(min(count, PARVUS_GRANT_BATCH), sizeof(*records), GFP_KERNEL);
	if (!records)
		return -ENOMEM;
	memset(refs, 0, count * sizeof(*refs));
	for (base = 0; base < count && !err; base += PARVUS_GRANT_BATCH) {
		n = min(count - base, PARVUS_GRANT_BATCH);
		for (i = 0; i < n; i++)
			records[i] = (struct parvus_grant_offer) {
				.gfn = page_to_pfn(pages[base + i]),
				.domain = domain, .flags = flags, .status = -EIO,
			};
		err = parvus_grant_op(PARVUS_GRANT_OFFER, records, n);
		for (i = 0; i < n; i++) {
			if (!records[i].status)
				refs[base + i] = records[i].ref;
			else if (!err)
				err = records[i].status;
		}
	}
	kfree(records);
	/* Nobody was told the references; one that was guessed and mapped keeps its page. */
	if (err && parvus_grant_revoke(refs, count))
		for (i = 0; i < count; i++)
			if (refs[i]) {
				get_page(pages[i]);
				parvus_grant_revoke_free(refs[i], pages[i], NULL);
				refs[i] = 0;
			}
	return err;
}
EXPORT_SYMBOL_GPL(parvus_grant_offer);

/**
 * parvus_grant_revoke_free - revoke as soon as the other side lets go, then put the page
 * @dev: NULL, or whose page it was: dev->ghosts counts it until then
 */
void parvus_grant_revoke_free(u32 ref, struct page *page, struct parvus_dev *dev)
{
	if (!parvus_grant_revoke(&ref, 1)) {
		put_page(page);
		return;
	}
	if (dev) {
		get_device(&dev->dev);
		atomic_inc(&dev->ghosts);
	}
	spin_lock(&parvus_retry_lock);
	set_page_private(page, ref);
	page->index = (unsigned long)dev;
	list_add_tail(&page->lru, &parvus_retry_pages);
	spin_unlock(&parvus_retry_lock);
	schedule_delayed_work(&parvus_retry_work, HZ);
}
EXPORT_SYMBOL_GPL(parvus_grant_revoke_free);

/* A place for a foreign frame: the control domain needs none, the hypervisor says the mfn. */
static int parvus_slot_get(u64 *gfn)
{
	u64 ram_end = 0;
	unsigned int i;
	int slot;

	*gfn = 0;
	if (parvus_control_domain())
		return -1;
	for (i = 0; i < parvus_start->memory_ranges; i++)
		ram_end = max(ram_end,
			      parvus_start->memory[i].start + parvus_start->memory[i].size);
	ram_end = PHYS_PFN(ram_end + PAGE_SIZE - 1);
	if (parvus_start->max_gfn <= ram_end)
		return -ENOSPC;
	slot = ida_alloc_max(&parvus_slots,
			     min_t(u64, parvus_start->max_gfn - ram_end, INT_MAX) - 1, GFP_KERNEL);
	if (slot >= 0)
		*gfn = parvus_start->max_gfn - 1 - slot;
	return slot < 0 ? -ENOSPC : slot;
}

static void parvus_slot_put(int slot)
{
	if (slot >= 0)
		ida_free(&parvus_slots, slot);
}

/* True when nothing of it is mapped any more. */
static bool parvus_grant_try_unmap(struct parvus_mapping *m, unsigned long va)
{
	struct parvus_grant_unmap *records;
	bool all = true;
	unsigned int i;

	records = kcalloc(m->count, sizeof(*records), GFP_KERNEL | __GFP_NOFAIL);
	for (i = 0; i < m->count; i++) {
		records[i].handle = m->frame[i].handle;
		if (m->direct)
			records[i].va = (unsigned long)__va(PFN_PHYS(m->frame[i].gfn));
		else if (va)
			records[i].va = va + i * PAGE_SIZE;
		records[i].status = -EBUSY;
	}
	parvus_grant_op(PARVUS_GRANT_UNMAP, records, m->count);
	for (i = 0; i < m->count; i++) {
		if (!m->frame[i].handle)
			continue;
		if (parvus_grant_busy(records[i].status)) {
			all = false;
			continue;
		}
		m->frame[i].handle = 0;
		parvus_slot_put(m->frame[i].slot);
	}
	kfree(records);
	return all;
}

/*
 * parvus_grant_map - map offers of one domain, at most PARVUS_GRANT_BATCH
 *
 * The frames have gfns then; parvus_grant_vmap() or the page tables of a process give
 * them addresses.
 */
struct parvus_mapping *parvus_grant_map(u32 domain, const u32 *refs, unsigned int count,
					u32 flags)
{
	struct parvus_grant_map *records;
	struct parvus_mapping *m;
	unsigned int i;
	int err = 0, slot;

	if (!parvus_start)
		return ERR_PTR(-ENOSYS);
	if (!count || count > PARVUS_GRANT_BATCH || flags & ~PARVUS_GRANT_READONLY)
		return ERR_PTR(-EINVAL);
	m = kzalloc(struct_size(m, frame, count), GFP_KERNEL);
	records = kcalloc(count, sizeof(*records), GFP_KERNEL);
	if (!m || !records) {
		kfree(m);
		kfree(records);
		return ERR_PTR(-ENOMEM);
	}
	m->domain = domain;
	m->flags = flags;
	for (i = 0; i < count; i++) {
		slot = parvus_slot_get(&records[i].gfn);
		if (slot == -ENOSPC) {
			err = slot;
			break;
		}
		m->frame[i].slot = slot;
		records[i].domain = domain;
		records[i].ref = refs[i];
		records[i].flags = flags;
		records[i].status = -EIO;
	}
	m->count = i;
	if (!err)
		err = parvus_grant_op(PARVUS_GRANT_MAP, records, count);
	for (i = 0; i < m->count; i++) {
		if (records[i].status) {
			if (!err)
				err = records[i].status;
			parvus_slot_put(m->frame[i].slot);
			continue;
		}
		m->frame[i].handle = records[i].handle;
		m->frame[i].gfn = records[i].gfn;
	}
	kfree(records);
	if (err) {
		parvus_grant_unmap(m, 0);
		return ERR_PTR(err);
	}
	return m;
}
EXPORT_SYMBOL_GPL(parvus_grant_map);

/* parvus_grant_vmap - one range of kernel addresses for all frames, in m->vaddr */
int parvus_grant_vmap(struct parvus_mapping *m)
{
	pgprot_t prot = m->flags & PARVUS_GRANT_READONLY ? PAGE_KERNEL_RO : PAGE_KERNEL;
	struct vm_struct *area = get_vm_area(m->count * PAGE_SIZE, VM_IOREMAP);
	unsigned long va;
	unsigned int i;
	int err = 0;

	if (!area)
		return -ENOMEM;
	va = (unsigned long)area->addr;
	for (i = 0; i < m->count && !err; i++)
		err = ioremap_page_range(va + i * PAGE_SIZE, va + (i + 1) * PAGE_SIZE,
					 PFN_PHYS(m->frame[i].gfn), prot);
	if (err) {
		vunmap_range(va, va + m->count * PAGE_SIZE);
		free_vm_area(area);
		return err;
	}
	m->vaddr = area->addr;
	return 0;
}
EXPORT_SYMBOL_GPL(parvus_grant_vmap);

static void parvus_mapping_free(struct parvus_mapping *m)
{
	parvus_grant_pages_end(m);
	kfree(m);
}

/* parvus_grant_unmap - end a mapping; @va: where a process had it, which is flushed, or 0 */
void parvus_grant_unmap(struct parvus_mapping *m, unsigned long va)
{
	struct vm_struct *area = m->vaddr ? find_vm_area(m->vaddr) : NULL;

	if (area) {
		va = (unsigned long)m->vaddr;
		/* it flushes, free_vm_area() may not */
		vunmap_range(va, va + m->count * PAGE_SIZE);
	}
	if (parvus_grant_try_unmap(m, va)) {
		parvus_mapping_free(m);
	} else {
		spin_lock(&parvus_retry_lock);
		list_add_tail(&m->list, &parvus_retry_mappings);
		spin_unlock(&parvus_retry_lock);
		schedule_delayed_work(&parvus_retry_work, HZ);
	}
	if (area)
		free_vm_area(area);
}
EXPORT_SYMBOL_GPL(parvus_grant_unmap);

/* The other side has let go of it. */
static void parvus_ghost_free(struct page *page)
{
	struct parvus_dev *dev = (void *)page->index;

	list_del(&page->lru);
	set_page_private(page, 0);
	page->index = 0;
	put_page(page);
	if (!dev)
		return;
	atomic_dec(&dev->ghosts);
	put_device(&dev->dev);
}

static void parvus_grant_retry(struct work_struct *work)
{
	struct parvus_mapping *m, *next_m;
	struct page *page, *next;
	LIST_HEAD(mappings);
	LIST_HEAD(pages);
	u32 ref;

	spin_lock(&parvus_retry_lock);
	list_splice_init(&parvus_retry_pages, &pages);
	list_splice_init(&parvus_retry_mappings, &mappings);
	spin_unlock(&parvus_retry_lock);
	list_for_each_entry_safe(page, next, &pages, lru) {
		ref = page_private(page);
		if (!parvus_grant_revoke(&ref, 1))
			parvus_ghost_free(page);
	}
	list_for_each_entry_safe(m, next_m, &mappings, list) {
		if (!parvus_grant_try_unmap(m, 0))
			continue;
		list_del(&m->list);
		parvus_mapping_free(m);
	}
	if (list_empty(&pages) && list_empty(&mappings))
		return;
	spin_lock(&parvus_retry_lock);
	list_splice(&pages, &parvus_retry_pages);
	list_splice(&mappings, &parvus_retry_mappings);
	spin_unlock(&parvus_retry_lock);
	schedule_delayed_work(&parvus_retry_work, HZ);
}
