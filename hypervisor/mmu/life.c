// SPDX-License-Identifier: GPL-2.0-only
/* A domain's shadows come and go, while nothing of it runs: part of shadow.c. */

/*
 * What is known of the pool's pages is one allocation, so that domains above 33 GiB get less than
 * 1 % of their memory. The floor is taken now, so that it is there when it is needed (rule 47).
 */
int shadow_domain_init(struct domain *d, u64 pool)
{
	struct shadow_domain *sd = hv_alloc_own(d->id, sizeof(*sd));
	u32 i, floor;

	if (!sd)
		return hv_error(PARVUS_ENOMEM);
	spin_init(&sd->lock, LOCK_SHADOW);
	d->shadow = sd;
	pool = min(pool, EXTENT_SIZE / sizeof(struct shadow_page) - 1);
	sd->max = (u32)pool;
	sd->seed = (arch_now_ns() ^ 0x9e3779b97f4a7c15ull) * 0x9e3779b97f4a7c15ull | 1;
	sd->pages_bytes = (pool + 1) * sizeof(struct shadow_page);
	sd->pages = hv_alloc_own(d->id, sd->pages_bytes);
	if (!sd->pages)
		goto fail;
	floor = (u32)min(pool, (u64)SHADOW_POOL_FLOOR(d->vcpu_count));
	for (i = 0; i < floor; i++)
		if (!page_alloc(d))
			goto fail;
	for (i = floor; i >= 1; i--)
		page_free(sd, i);
	i = page_alloc(d);
	sd->kernel = as_make(d, i, 0, _gfn(0));
	sd->kernel->kernel = true;
	return 0;
fail:
	shadow_domain_destroy(d, ~0ull);
	return hv_error(PARVUS_ENOMEM);
}

int shadow_vcpu_init(struct vcpu *v)
{
	u32 i = page_alloc(v->domain);

	if (!i)
		return hv_error(PARVUS_ENOMEM);
	v->own->shadow.as = v->own->shadow.anon = as_make(v->domain, i, 0, _gfn(0));
	return 0;
}

/* A vCPU that does not run begins with @root in its anonymous address space. */
void shadow_start(struct vcpu *v, gfn_t root)
{
	struct shadow_domain *sd = v->domain->shadow;
	struct aspace *old = v->own->shadow.as, *as = v->own->shadow.anon;

	v->own->shadow.as = as;
	v->own->shadow.root = root;
	v->own->shadow.prefill_as = v->own->shadow.recent.as = NULL;
	spin_lock(&as->lock);
	as->root = root;
	flush_locked(as, 0, 0, false);
	spin_unlock(&as->lock);
	if (old != as)
		as_put(sd, old);
}

void shadow_context_get(const struct vcpu *v, struct parvus_context_vcpu *r)
{
	const struct aspace *as = v->own->shadow.as;
	bool anon = as == v->own->shadow.anon;

	r->root = gfn_x(v->own->shadow.root) << PAGE_SHIFT;
	r->as_id = anon ? 0 : as->id;
	r->as_gen = as->guest_gen;
	r->as_gen_gpa = as->gen_gpa;
}

/* It begins empty: as_gen says which flushes of the guest's it need not hear of any more. */
int shadow_context_set(struct vcpu *v, const struct parvus_context_vcpu *r)
{
	gfn_t root = _gfn(r->root >> PAGE_SHIFT);
	struct aspace *as;

	shadow_start(v, root);
	as = v->own->shadow.anon;
	if (r->as_id && !shadow_exact &&
	    as_find_or_make(v, r->as_id, root, r->as_gen, &as))
		return hv_error(PARVUS_ENOMEM);
	v->own->shadow.as = as;
	as->root = root;
	as->guest_gen = r->as_gen;
	as->gen_gpa = r->as_gen_gpa;
	return 0;
}

/*
 * Page by page, from the last: no tree is walked, since what an entry that is no leaf points to
 * may be gone already. Every count goes back to zero, which memory_free() checks.
 */
bool shadow_domain_destroy(struct domain *d, u64 pages)
{
	struct shadow_domain *sd = d->shadow;

	for (; sd && sd->pages && sd->count && pages; sd->count--, pages--) {
		struct shadow_page *p = &sd->pages[sd->count];

		if (p->level >= 1 && p->level <= 3)
			table_detach(d, sd->count);
		free_frames(_mfn(p->mfn), 0);
	}
	if (!sd || sd->count)
		return !sd;
	for (u32 i = 0; sd->foreign && i < SHADOW_FOREIGN; i++)
		if (sd->foreign[i])
			log_warn("d%u: %u shadow entries of grants unaccounted for", d->id,
				 sd->foreign[i]);
	hv_free(sd->foreign, SHADOW_FOREIGN * sizeof(u32));
	hv_free(sd->pages, sd->pages_bytes);
	hv_free(sd, sizeof(*sd));
	d->shadow = NULL;
	return true;
}
