// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that goes: part of shadow.c. A grant is unmapped, a frame released, a right to one
 * taken away. The caller clears or reduces the gfn entries first and then calls shadow_lose(),
 * which is the only thing that finds entries by frame. Entries are counted where the frame is: a
 * frame of the domain's own in its frame_info, a foreign one, which others map as well, in a
 * table of the domain by a hash of its number. A count of zero saves the sweep of the pool, and
 * never the shootdown: an entry that is gone may be in a TLB still (rule 4).
 */

#define SWEEP_PIECE	1024u	/* entries before interrupts are let in, with no lock held */

int shadow_foreign_init(struct domain *d)
{
	struct shadow_domain *sd = d->shadow;
	u32 *counts;

	if (READ_ONCE(sd->foreign))
		return 0;
	counts = hv_alloc_own(d->id, SHADOW_FOREIGN * sizeof(u32));
	if (!counts)
		return hv_error(PARVUS_ENOMEM);
	spin_lock(&sd->lock);
	if (!sd->foreign) {
		WRITE_ONCE(sd->foreign, counts);
		counts = NULL;
	}
	spin_unlock(&sd->lock);
	hv_free(counts, SHADOW_FOREIGN * sizeof(u32));	/* if another vCPU was first */
	return 0;
}

bool shadow_maps_foreign(const struct domain *d, mfn_t mfn)
{
	smp_mb();	/* the gfn entry was changed before: see leaf_make() */
	return READ_ONCE(d->shadow->foreign[shadow_foreign_hash(mfn)]);
}

void shadow_flush_hint(struct vcpu *v, u64 start, u64 end)
{
	flush_range(v, as_of(v, start), start, end, false);
}

/* A leaf maps something of the loss, or may do so: foreign frames are told by their hash. */
static bool is_lost(const struct shadow_loss *l, struct entry e)
{
	mfn_t mfn = _mfn((e.raw & PTE_ADDR) >> PAGE_SHIFT);
	u64 gfn;

	if (e.raw & PTE_FOREIGN)
		return shadow_loss_has(l, mfn);
	/* a device has no frame_info, but no domain with one releases RAM */
	if (l->gfn == l->end)
		return false;
	gfn = frame_info(mfn)->word & FRAME_GFN;
	if (e.raw & PTE_PS)
		return gfn < l->end && l->gfn < gfn + EXTENT_FRAMES;
	return gfn >= l->gfn && gfn < l->end;
}

/* Clear what is lost of one table; what is cleared too much comes back by a fault. */
static void table_sweep(struct aspace *as, u32 index, const struct shadow_loss *l)
{
	struct domain *d = as->domain;
	struct shadow_page *p = &d->shadow->pages[index];
	struct entry *t = table_of(d->shadow, index);
	bool own = l->gfn < l->end, foreign = false, any = false;

	if (!own && !p->foreign)
		return;
	for (unsigned int i = p->lo; i < p->hi; i++) {
		struct entry e = t[i];

		if (!(e.raw & PTE_P) || !is_leaf(e, p->level))
			continue;
		if (is_lost(l, e)) {
			entry_drop(d, &t[i], p->level);
			any = true;
		} else if (e.raw & PTE_FOREIGN) {
			foreign = true;
		}
	}
	p->foreign = foreign;
	if (any)
		atomic_inc_u64(&as->gen);
}

/* Each table that can hold leaves, detached ones too: a re-sync would bring entries back. */
static void sweep(struct domain *d, const struct shadow_loss *l)
{
	struct shadow_domain *sd = d->shadow;
	u32 i, looked = 0;

	for (i = 1; i <= READ_ONCE(sd->count); i++) {
		struct shadow_page *p = &sd->pages[i];
		struct aspace *as;
		u8 level;

		looked += 8 + (u32)max(p->hi - p->lo, 0);
		if (looked > SWEEP_PIECE) {
			arch_breathe();
			looked = 0;
		}
		spin_lock(&sd->lock);
		level = page_level(p);
		if (level != 1 && level != 2) {
			spin_unlock(&sd->lock);
			continue;
		}
		as = as_at(sd, p->as);
		as->refs++;
		spin_unlock(&sd->lock);
		spin_lock(&as->lock);
		if (page_is_of(p, as, 2))
			table_sweep(as, i, l);
		spin_unlock(&as->lock);
		as_put(sd, as);
	}
}

/*
 * A CPU that was in the middle of a walk, a fill or a flush of @as has left it, since the lock
 * was free; what it took away is in gen, and now no TLB has it any more.
 */
static void catch_up(struct vcpu *v, struct aspace *as)
{
	spin_lock(&as->lock);
	spin_unlock(&as->lock);
	flush_done(v, as);
}

void shadow_lose(struct vcpu *v, const struct shadow_loss *l)
{
	struct domain *d = v->domain;
	bool any = l->gfn < l->end;
	unsigned int i, bit;

	smp_mb();	/* the gfn entries, then the counts */
	for (i = 0; i < ARRAY_SIZE(l->foreign); i++)
		for_each_bit(bit, l->foreign[i])
			any |= !!READ_ONCE(d->shadow->foreign[i * 64 + bit]);
	if (any)
		sweep(d, l);
	if (l->view) {		/* it is a part of the kernel half, as TLBs go */
		spin_lock(&d->shadow->kernel->lock);
		atomic_inc_u64(&d->shadow->kernel->gen);
		spin_unlock(&d->shadow->kernel->lock);
	}
	for_each_current(v, catch_up);
}
