// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages for a fault when the pool is empty: part of shadow.c. A clock goes over the pool and
 * gives each table a second chance by the accessed bit of the entry above it, which the CPU sets
 * when it walks (rule 48). Tables go, never a single entry: what went comes back by a fault. A
 * vCPU takes its pages before its fault takes a lock, since an eviction has to take locks of any
 * address space of the domain, and to wait for other CPUs.
 */

#define EVICT_BATCH	16u
#define EVICT_PIECE	128u	/* pages looked at before interrupts are let in (rule 69) */

/* Under as->lock. The table is out of the tree, and its page is the caller's after a shootdown. */
static bool evict_table(struct aspace *as, u32 index)
{
	struct shadow_domain *sd = as->domain->shadow;
	struct shadow_page *p = &sd->pages[index];
	struct entry *above = parent_entry(sd, as, p), *t = table_of(sd, index);

	if (p->level == 1 || !table_empty(sd, index)) {
		if ((above->raw & (PTE_P | PTE_A)) == (PTE_P | PTE_A)) {
			atomic_and_u64(&above->raw, ~PTE_A);
			return false;
		}
		/* large leaves go with a table that was not used; tables below go first */
		for (unsigned int i = p->lo; i < p->hi; i++)
			if (t[i].raw && !is_leaf(t[i], p->level))
				return false;
		table_detach(as->domain, index);
	}
	unlink_table(sd, as, index);
	tree_changed(as);
	return true;
}

/* The clock moves on. Whose table that is, with a reference, or NULL; what is empty is freed. */
static struct aspace *clock_next(struct shadow_domain *sd, u32 *index, u32 *freed)
{
	struct aspace *as;
	struct shadow_page *p;
	u8 level;

	HOLD(&sd->lock);
	*index = sd->clock = sd->clock >= sd->count ? 1 : sd->clock + 1;
	p = &sd->pages[*index];
	level = page_level(p);
	if (level == FREE || level > ASPACE)
		return NULL;
	as = as_at(sd, p->as);
	if (level != ASPACE) {
		as->refs++;
		return as;
	}
	if (!as->refs && as_empty(as)) {
		as_free_locked(sd, as);
		(*freed)++;
	}
	return NULL;
}

/* Up to EVICT_BATCH pages, in two rounds: the first clears accessed bits. No lock is held. */
static unsigned int evict(struct vcpu *v)
{
	struct shadow_domain *sd = v->domain->shadow;
	struct aspace *touched[EVICT_BATCH], *as;
	u32 victims[EVICT_BATCH], n = 0, freed = 0, scanned, i;
	bool taken;

	for (scanned = 1; scanned < 2 * sd->count + 3 && n + freed < EVICT_BATCH; scanned++) {
		if (!(scanned % EVICT_PIECE))
			arch_breathe();
		as = clock_next(sd, &i, &freed);
		if (!as)
			continue;
		spin_lock(&as->lock);
		taken = page_is_of(&sd->pages[i], as, 3) && evict_table(as, i);
		spin_unlock(&as->lock);
		if (taken) {
			victims[n] = i;
			touched[n++] = as;	/* keeps the reference */
		} else {
			as_put(sd, as);
		}
	}
	for (i = 0; i < n; i++) {
		flush_done(v, touched[i]);
		as_put(sd, touched[i]);
		page_free(sd, victims[i]);
	}
	v->stats.evictions += n;
	return n + freed;
}

/* A page, by eviction if need be: other vCPUs may be faster to take what was evicted. */
static u32 page_want(struct vcpu *v)
{
	for (unsigned int tries = 0; tries < 64; tries++) {
		u32 i = page_alloc(v->domain);

		if (i)
			return i;
		evict(v);
	}
	return 0;
}

/* Tables for one fault, before any lock is taken. */
static bool reserve_fill(struct vcpu *v)
{
	while (v->own->shadow.reserved < SHADOW_RESERVE) {
		u32 i = page_want(v);

		if (!i) {
			domain_kill(v->domain, "shadow pool of %u pages exhausted",
				    v->domain->shadow->max);
			return false;
		}
		v->own->shadow.reserve[v->own->shadow.reserved++] = i;
	}
	return true;
}
