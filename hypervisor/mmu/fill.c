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
 * A flush detached this leaf table: each entry of it stays, with today's rights, if the guest's
 * leaf still leads to that frame, else it goes. The guest's tables are walked from the root, and
 * never from a table that was remembered (rule 14): the flush may have been for freed tables. An
 * entry that the guest has not accessed goes, too: only a fault may set the accessed bit.
 */
static void resync_leaf_table(const struct fill *f, u32 index)
{
	struct domain *d = f->v->domain;
	struct shadow_page *p = &d->shadow->pages[index];
	struct entry *t = table_of(d->shadow, index);
	u64 *guest, reserved = arch_reserved_bits;
	bool any_user = f->as->kernel || f->overlay;
	struct guest_walk w;

	f->v->stats.resyncs++;
	if (p->splinter || guest_walk(d, f->v->own->shadow.root, f->va, 2, &w) != WALK_OK ||
	    (w.val[2] & PTE_PS) || w.level != 2) {
		table_detach(d, index);
		return;
	}
	guest = guest_table(d, (w.val[2] & PTE_ADDR) >> PAGE_SHIFT);
	for (unsigned int i = p->lo; i < p->hi; i++) {
		struct entry e = t[i];
		struct leaf now;
		u64 g;

		if (!e.raw)
			continue;
		g = guest ? READ_ONCE(guest[i]) : 0;
		if ((g & (PTE_P | PTE_A)) == (PTE_P | PTE_A) && !(g & reserved) &&
		    (any_user || (w.rights & g & PTE_U))) {
			now = leaf_renew(d, e, rights_below(w.rights, g), g);
			if (now.e.raw) {
				leaf_put(&t[i], now);
				continue;
			}
		}
		entry_drop(d, &t[i], 1);
	}
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
 * The leaf for @i, beside the one that was asked for, if the guest's is valid. Nothing asked for
 * it, so it costs the guest nothing: no accessed or dirty bit, no memory (rules, section 8).
 */
static bool fill_neighbour(const struct fill *f, u32 l1, struct entry *t, unsigned int i, u64 g,
			   bool user)
{
	struct shadow_domain *sd = f->v->domain->shadow;
	struct leaf l;

	if ((g & arch_reserved_bits) || (user && !(g & PTE_U)))
		return false;
	l = leaf_make(f->v->domain, (g & PTE_ADDR) >> PAGE_SHIFT, false,
		      rights_below(f->w.above, g), g);
	if (!l.e.raw)
		return false;
	if (unlikely(l.e.raw & PTE_FOREIGN))
		sd->pages[l1].foreign = true;
	leaf_put(&t[i], l);
	range_add(&sd->pages[l1], i);
	f->v->stats.prefills++;
	return true;
}

/* Entry @n is empty, and the guest's leaf there was accessed. True: it is filled, go on. */
static ALWAYS_INLINE bool neighbour(const struct fill *f, u32 l1, struct entry *t, const u64 *guest,
				    unsigned int n, bool user)
{
	u64 g;

	if (t[n].raw)
		return false;
	g = READ_ONCE(guest[n]);
	return (g & (PTE_P | PTE_A)) == (PTE_P | PTE_A) && fill_neighbour(f, l1, t, n, g, user);
}

/* What the guest maps ahead of a fault lies side by side: up and down from @i, to the first gap. */
static ALWAYS_INLINE void fill_neighbours(const struct fill *f, u32 l1, struct entry *t,
					  unsigned int i)
{
	const u64 *guest = f->w.at[1] - i;
	bool user = !f->as->kernel && !f->overlay;

	for (unsigned int n = i + 1; n % PREFILL && neighbour(f, l1, t, guest, n, user); n++)
		;
	for (unsigned int n = i; n-- % PREFILL && neighbour(f, l1, t, guest, n, user);)
		;
}

/* Insert what the walk found. The shortest way goes by the remembered leaf table alone. */
static enum fill_result fill(const struct fill *f)
{
	const struct shadow_recent *m = &f->v->own->shadow.recent;
	struct domain *d = f->v->domain;
	struct shadow_domain *sd = d->shadow;
	unsigned int i = INDEX(f->va, 1);
	enum fill_result r;
	struct entry *t;
	struct leaf l;
	u32 l1;

	if (likely(m->as == f->as && m->index && !f->overlay)) {
		l1 = m->index;
	} else {
		r = fill_tables(f, &l1);
		if (r != FILL_DONE || !l1)
			return r;
	}
	range_add(&sd->pages[l1], i);
	l = leaf_make(d, f->w.gfn, false, f->w.rights, f->w.val[f->w.level]);
	if (unlikely(!l.e.raw)) {
		if (f->access & PF_PREFILL)	/* never takes memory */
			return FILL_NO_MEMORY;
		if (gfn_touch(d, _gfn(f->w.gfn), f->access & PF_RESERVE) == GFN_DEMAND)
			return FILL_WAIT;
		l = leaf_make(d, f->w.gfn, false, f->w.rights, f->w.val[f->w.level]);
		if (!l.e.raw)
			return FILL_NO_MEMORY;
	}
	if (unlikely(l.e.raw & PTE_FOREIGN))
		sd->pages[l1].foreign = true;
	t = table_of(sd, l1);
	leaf_exchange(f->as, &t[i], l);
	if (f->w.level >= 2)
		sd->pages[l1].splinter = true;
	else
		fill_neighbours(f, l1, t, i);
	return FILL_DONE;
}
