// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address spaces by id: part of shadow.c. An id is any number that the guest likes and is never
 * trusted (rule 15): it finds an address space of the same domain, or none. Each vCPU has one
 * more, without an id that others could name, for id 0 (rule 16). A reference keeps an address
 * space; without one it stays as long as it has tables, until it is released or evicted. The
 * hash and the references are under shadow_domain.lock.
 */

static unsigned int hash_of(const struct shadow_domain *sd, u64 id)
{
	return (unsigned int)(id * sd->seed >> 56) % HASH;
}

static struct aspace *as_at(struct shadow_domain *sd, u32 index)
{
	return (struct aspace *)table_of(sd, index);
}

static struct aspace *as_find_locked(struct shadow_domain *sd, u64 id)
{
	struct aspace *as;

	for (u32 i = sd->hash[hash_of(sd, id)]; i; i = as->hash_next) {
		as = as_at(sd, i);
		if (as->id == id)
			return as;
	}
	return NULL;
}

static struct aspace *as_get(struct shadow_domain *sd, u64 id)
{
	struct aspace *as;

	HOLD(&sd->lock);
	as = as_find_locked(sd, id);
	if (as)
		as->refs++;
	return as;
}

/* What a vCPU has, which may change to another at any time. */
static struct aspace *as_get_current(struct vcpu *v)
{
	struct shadow_domain *sd = v->domain->shadow;
	struct aspace *as;

	HOLD(&sd->lock);
	as = v->own->shadow.as;
	as->refs++;
	return as;
}

/* The one that an address of a vCPU belongs to. */
static struct aspace *as_of(struct vcpu *v, u64 va)
{
	return (s64)va < 0 ? v->domain->shadow->kernel : v->own->shadow.as;
}

/* Under sd->lock; it has no reference and no table. An anonymous one is in no chain. */
static void as_free_locked(struct shadow_domain *sd, struct aspace *as)
{
	u32 *at = &sd->hash[hash_of(sd, as->id)], index = as->index;

	while (*at && *at != index)
		at = &as_at(sd, *at)->hash_next;
	if (*at)
		*at = as->hash_next;
	memset(as, 0, PAGE_SIZE);
	page_free_locked(sd, index);
}

static bool as_empty(const struct aspace *as)
{
	return !(as->used[0] | as->used[1] | as->used[2] | as->used[3]) && !as->overlays;
}

/* The last reference to a released address space takes it along, if its tables have gone. */
static void as_put(struct shadow_domain *sd, struct aspace *as)
{
	HOLD(&sd->lock);
	if (!--as->refs && as->dead && as_empty(as))
		as_free_locked(sd, as);
}

/* The level of a pool page, without a lock: when it is a table's, .as goes with it (rule 76). */
static inline u8 page_level(const struct shadow_page *p) { return smp_load_acquire(&p->level); }

/*
 * A table of @as, of level 1 to @top: asked again under as->lock, as it may have gone. The level is
 * read first: a page of another tree has no such level yet, or names that tree.
 */
static inline bool page_is_of(const struct shadow_page *p, const struct aspace *as, u8 top)
{
	u8 level = page_level(p);

	return level >= 1 && level <= top && READ_ONCE(p->as) == as->index;
}

/* A new one in the zeroed page @index, with one reference; as_find_locked() does not see it. */
static struct aspace *as_make(struct domain *d, u32 index, u64 id, gfn_t root)
{
	struct shadow_domain *sd = d->shadow;
	struct aspace *as = as_at(sd, index);

	spin_init(&as->lock, LOCK_ASPACE);
	as->domain = d;
	as->id = id;
	as->serial = ++arch_this()->aspaces << 8 | arch_this_cpu();
	as->root = root;
	as->index = index;
	as->refs = 1;
	as->gen = 1;
	HOLD(&sd->lock);
	as->all_gen = sd->all_gen;
	sd->pages[index].level = ASPACE;
	sd->pages[index].as = index;
	return as;
}
