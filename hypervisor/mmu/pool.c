// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages for shadow tables and address spaces: part of shadow.c. Each domain has a pool of its own,
 * charged when the domain is made, so that no domain's faults can use up what another one needs. A
 * page is FREE, TAKEN (with a vCPU's reserve, or on its way back), an address space, or a table of
 * level 1 to 3 in the tree of one. The free list is under shadow_domain.lock.
 *
 * A page comes back to the pool with all its entries zero, when no TLB can walk it any more (rule
 * 4).
 */

static inline struct entry *table_of(const struct shadow_domain *sd, u32 index)
{
	return frame_map(_mfn(sd->pages[index].mfn));
}

/* A zeroed page, TAKEN, from the free list or the machine. 0: the pool is used up. */
static u32 page_alloc(struct domain *d)
{
	struct shadow_domain *sd = d->shadow;
	struct frame_info *f;
	mfn_t mfn;
	u32 i = 0;

	HOLD(&sd->lock);
	if (sd->free_head) {
		i = sd->free_head;
		sd->free_head = sd->pages[i].next;
		sd->free_count--;
	} else if (sd->count < sd->max && !alloc_frames(0, &mfn)) {
		f = frame_info(mfn);
		f->type = FRAME_SHADOW;
		f->owner = d->id;
		i = ++sd->count;
		f->word = i;
		sd->pages[i].mfn = (u32)mfn_x(mfn);
		memset(frame_map(mfn), 0, PAGE_SIZE);
	}
	if (i)
		sd->pages[i].level = TAKEN;
	return i;
}

/* Contents are zero: pages are cleared entry by entry when they leave their tree. */
static void page_free_locked(struct shadow_domain *sd, u32 i)
{
	sd->pages[i].level = FREE;
	sd->pages[i].next = sd->free_head;
	sd->free_head = i;
	sd->free_count++;
}

static void page_free(struct shadow_domain *sd, u32 i)
{
	HOLD(&sd->lock);
	page_free_locked(sd, i);
}

u64 shadow_pages(const struct domain *d)
{
	return d->shadow->count + (d->shadow->pages_bytes + sizeof(*d->shadow)) / PAGE_SIZE + 1 +
	       (d->shadow->foreign ? SHADOW_FOREIGN * sizeof(u32) / PAGE_SIZE : 0);
}
