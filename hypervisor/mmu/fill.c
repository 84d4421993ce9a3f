// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries made from a walk: part of shadow.c. A fill makes the tables down to the leaf table, or
 * attaches those that a flush detached, puts the leaf in, and goes on to the neighbours that the
 * guest mapped beside it. It runs in the same hold of aspace.lock as the walk that it follows, so
 * that no flush comes between (rules 7, 8), and takes pages from the vCPU's reserve alone.
 */

#define PREFILL		16u	/* neighbours looked at, aligned */

/* One fill: asked for by fault.c, and what the guest's tables say. */
struct fill {
	struct vcpu *v;
	struct aspace *as;
	u64 va;
	u32 access;		/* PF_* */
	bool overlay;		/* it goes to the kernel's own tree of the slot */
	struct guest_walk w;	/* made just now, under as->lock */
};

enum fill_result {
	FILL_DONE,		/* one entry more, and perhaps some of its neighbours */
	FILL_SIZE_CHANGE,	/* what was in the way is out: shoot down, come again (rule 6) */
	FILL_WAIT,		/* the machine has no frame for a first touch */
	FILL_NO_MEMORY,		/* the guest's tables name a gfn that has none */
	FILL_NO_OVERLAY,	/* all are in use, for other slots */
};

/*
 * A table from the reserve, all zero as the pool is. The level comes last: by it an eviction and a
 * sweep, without as->lock yet, take the page for a table of the aspace that it names (rule 76).
 */
static u32 table_new(const struct fill *f, u32 parent, unsigned int slot, u8 level)
{
	u32 i = f->v->own->shadow.reserve[--f->v->own->shadow.reserved];
	struct shadow_page *p = &f->v->domain->shadow->pages[i];

	p->as = f->as->index;
	p->parent = parent;
	p->slot = (u16)slot;
	p->lo = p->hi = 0;
	p->overlay = f->overlay && level == 3;
	p->splinter = false;
	smp_store_release(&p->level, level);
	return i;
}

/*
 * A flush detached this leaf table: its entries become what they are by today's tables. These are
 * walked from the root, and never from a table that was remembered (rule 14): the flush may have
 * been for freed tables.
 */
static void resync_leaf_table(const struct fill *f, u32 index)
{
	struct domain *d = f->v->domain;
	struct shadow_page *p = &d->shadow->pages[index];
	struct entry *t = table_of(d->shadow, index);
	u64 *guest;
	bool any_user = f->as->kernel || f->overlay;
	struct guest_walk w;

	f->v->stats.resyncs++;
	if (p->splinter || guest_walk(d, f->v->own->shadow.root, f->va, 2, &w) != WALK_OK ||
	    (w.val[2] & PTE_PS) || w.level != 2) {
		table_detach(d, index);
		return;
	}
	guest = guest_table(d, (w.val[2] & PTE_ADDR) >> PAGE_SHIFT);
	for (unsigned int i = p->lo; i < p->hi; i++)
		if (t[i].raw)
			entry_again(d, &t[i], w.rights, guest ? READ_ONCE(guest[i]) : 0, any_user);
}

/* Make the table below an entry, or re-sync and attach a detached one. */
static NOINLINE u32 table_attach(const struct fill *f, struct entry *at, u32 parent,
				 unsigned int slot, u8 level)
{
	struct domain *d = f->v->domain;
	u32 i;

	if (at->raw) {
		i = entry_index(*at);
		if (level == 1)
			resync_leaf_table(f, i);
		else
			table_detach(d, i);
	} else {
		i = table_new(f, parent, slot, level);
	}
	entry_point(at, d->shadow->pages[i].mfn);
	return i;
}

static inline u32 table_below(const struct fill *f, struct entry *at, u32 parent,
			      unsigned int slot, u8 level)
{
	if (likely(at->raw & PTE_P))
		return entry_index(*at);
	return table_attach(f, at, parent, slot, level);
}

/* The top-level entry of a slot, made if it has to be. NULL: no overlay is left for it. */
static struct entry *top_entry(struct aspace *as, unsigned int slot, bool overlay)
{
	struct overlay *o;

	if (!overlay) {
		as->used[slot / 64] |= 1ull << (slot % 64);
		return &as->slot[slot];
	}
	o = overlay_of(as, slot);
	if (o)
		return &o->entry;
	if (as->overlays == OVERLAYS)
		return NULL;
	o = &as->overlay[as->overlays];
	o->slot = (u16)slot;
	entry_clear(&o->entry);
	as->overlays++;
	atomic_inc_u64(&as->gen);	/* kernel roots go over to it */
	return &o->entry;
}

/* A large leaf in the level 2 entry @at. A leaf table in the way is in limbo till shot down. */
static enum fill_result fill_large(const struct fill *f, struct entry *at)
{
	struct domain *d = f->v->domain;
	struct entry old = *at;
	struct leaf l;

	if (old.raw && !is_leaf(old, 2)) {
		u32 l1 = entry_index(old);

		table_detach(d, l1);
		unlink_table(d->shadow, f->as, l1);
		f->v->own->shadow.limbo = l1;
		tree_changed(f->as);
		return FILL_SIZE_CHANGE;
	}
	l = leaf_make(d, f->w.gfn, true, f->w.rights, f->w.val[f->w.level]);
	if (!l.e.raw)
		return FILL_SIZE_CHANGE;	/* the extent was split just now */
	leaf_exchange(f->as, at, l);
	return FILL_DONE;
}

/* Tables down to the leaf table, *index; or, where memory is uniform, a large leaf: *index is 0. */
static enum fill_result fill_tables(const struct fill *f, u32 *index)
{
	struct aspace *as = f->as;
	struct domain *d = f->v->domain;
	struct shadow_domain *sd = d->shadow;
	u64 va = f->va;
	unsigned int slot = as->kernel ? INDEX(va, 4) - 256 : INDEX(va, 4), i;
	struct entry *at = top_entry(as, slot, f->overlay);
	u32 l3, l2;

	if (!at)
		return FILL_NO_OVERLAY;
	/* for a large page there may be an extent; a small one asks when it finds nothing */
	if (f->w.level >= 2 && gfn_touch(d, _gfn(f->w.gfn), f->access & PF_RESERVE) == GFN_DEMAND)
		return FILL_WAIT;
	l3 = table_below(f, at, as->index, slot, 3);
	slot_sync(arch_this_cpu(), as, slot);
	i = INDEX(va, 3);
	range_add(&sd->pages[l3], i);
	l2 = table_below(f, &table_of(sd, l3)[i], l3, i, 2);
	i = INDEX(va, 2);
	range_add(&sd->pages[l2], i);
	at = &table_of(sd, l2)[i];
	if (f->w.level == 3)
		sd->pages[l2].splinter = true;

	if (f->w.level >= 2 && (gfn_lookup(d, _gfn(f->w.gfn)) & GFN_EXTENT)) {
		*index = 0;
		return fill_large(f, at);
	}
	if (is_leaf(*at, 2)) {
		entry_drop(d, at, 2);
		atomic_inc_u64(&as->gen);
		return FILL_SIZE_CHANGE;
	}
	*index = table_below(f, at, l2, i, 1);
	if (f->w.level == 1 && !f->overlay)
		f->v->own->shadow.recent.index = *index;
	return FILL_DONE;
}

/*
 * Leaves beside the one that was asked for, from @n on by @step, as long as entries are empty and
 * the guest's are valid. Nothing asked for them, so they cost the guest nothing: no accessed or
 * dirty bit, no memory (rules, section 8).
 */
static NOINLINE void fill_run(const struct fill *f, u32 l1, unsigned int n, int step)
{
	struct domain *d = f->v->domain;
	struct shadow_page *p = &d->shadow->pages[l1];
	struct entry *t = table_of(d->shadow, l1);
	u64 want = PTE_P | PTE_A | (f->as->kernel || f->overlay ? 0 : PTE_U), g;
	const u64 *guest = f->w.at[1] - INDEX(f->va, 1);
	unsigned int first = n, end = step > 0 ? ROUND_DOWN(n, PREFILL) + PREFILL :
						 ROUND_DOWN(n, PREFILL) - 1;
	struct leaf l;

	for (; n != end && !t[n].raw; n += (unsigned int)step) {
		g = READ_ONCE(guest[n]);
		if ((g & (want | arch_reserved_bits)) != want)
			break;
		l = leaf_make(d, (g & PTE_ADDR) >> PAGE_SHIFT, false,
			      rights_below(f->w.above, g), g);
		if (!l.e.raw)
			break;
		if (unlikely(l.e.raw & PTE_FOREIGN))
			p->foreign = true;
		leaf_put(&t[n], l);
	}
	if (n == first)
		return;
	range_add(p, n - (unsigned int)step);
	f->v->stats.prefills += step > 0 ? n - first : first - n;
}

/* What the guest maps ahead of a fault lies side by side: up and down from @i, to the first gap. */
static ALWAYS_INLINE void fill_neighbours(const struct fill *f, u32 l1, struct entry *t,
					  unsigned int i)
{
	const u64 *guest = f->w.at[1];

	if ((i + 1) % PREFILL && !t[i + 1].raw && (READ_ONCE(guest[1]) & PTE_A))
		fill_run(f, l1, i + 1, 1);
	if (i % PREFILL && !t[i - 1].raw && (READ_ONCE(guest[-1]) & PTE_A))
		fill_run(f, l1, i - 1, -1);
}

/* Insert what the walk found, by the leaf table @l1. */
static ALWAYS_INLINE enum fill_result fill_leaf(const struct fill *f, u32 l1)
{
	struct domain *d = f->v->domain;
	struct shadow_page *p = &d->shadow->pages[l1];
	struct entry *t = table_of(d->shadow, l1);
	unsigned int i = INDEX(f->va, 1);
	struct leaf l = leaf_make(d, f->w.gfn, false, f->w.rights, f->w.val[f->w.level]);

	if (unlikely(!l.e.raw)) {
		if (f->access & PF_PREFILL)	/* never takes memory */
			return FILL_NO_MEMORY;
		if (gfn_touch(d, _gfn(f->w.gfn), f->access & PF_RESERVE) == GFN_DEMAND)
			return FILL_WAIT;
		l = leaf_make(d, f->w.gfn, false, f->w.rights, f->w.val[f->w.level]);
		if (!l.e.raw)
			return FILL_NO_MEMORY;
	}
	range_add(p, i);
	if (unlikely(l.e.raw & PTE_FOREIGN))
		p->foreign = true;
	leaf_exchange(f->as, &t[i], l);
	if (f->w.level >= 2)
		p->splinter = true;
	else
		fill_neighbours(f, l1, t, i);
	return FILL_DONE;
}

static enum fill_result fill(const struct fill *f)
{
	u32 l1;
	enum fill_result r = fill_tables(f, &l1);

	return r == FILL_DONE && l1 ? fill_leaf(f, l1) : r;
}

/*
 * The shortest way to a leaf is by both leaf tables that the vCPU remembers: what @at, of the
 * guest's, says of the address of @f. False: it is not all that there is to know.
 */
static ALWAYS_INLINE bool recent_walk(struct fill *f, u64 *at)
{
	const struct shadow_recent *m = &f->v->own->shadow.recent;
	u64 val;

	if (unlikely(!at || !m->index || f->as->overlays || f->as->dead))
		return false;
	val = READ_ONCE(*at);
	f->overlay = false;
	f->w.top = f->w.level = 1;
	f->w.at[1] = at;
	f->w.val[1] = val;
	f->w.above = m->above;
	f->w.rights = rights_below(m->above, val);
	f->w.gfn = (val & PTE_ADDR) >> PAGE_SHIFT;
	return (val & (PTE_P | arch_reserved_bits)) == PTE_P;
}
