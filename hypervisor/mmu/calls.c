// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's calls: part of shadow.c. Switch, flush, age, release: the mmu_* hypercalls, and
 * what the emulator makes of mov to cr3 and invlpg. Arguments are raw guest values. A
 * wrong one fails the call, and a hint about something that is not there is no mistake: all that
 * a guest reaches by lies here is its own memory (rules 15 to 19). They come without a lock.
 *
 * guest_gen is the guest's number and gen is ours. guest_gen goes up only after every CPU has
 * done what it stands for: a second flusher that saw it earlier would return, and free pages that
 * a third CPU still reaches (rule 18).
 */

#define RELEASE_BATCH	16u	/* tables freed before other work gets a chance */

bool shadow_exact;	/* mmu=exact: every id is 0 */

/* All CPUs have done what the guest's tlb_gen @gen stands for. */
static void gen_done(struct aspace *as, u64 gen)
{
	HOLD(&as->lock);
	as->guest_gen = max(as->guest_gen, gen);
}

/* ---- switch ---- */

/* The address space of an id, with a reference: 0 or -PARVUS_ENOMEM. */
static int as_find_or_make(struct vcpu *v, u64 id, gfn_t root, u64 tlb_gen, struct aspace **out)
{
	struct shadow_domain *sd = v->domain->shadow;
	struct aspace *as = as_get(sd, id), *first;
	u32 i;

	if (!as) {
		i = page_want(v);
		if (!i)
			return hv_error(PARVUS_ENOMEM);
		as = as_make(v->domain, i, id, root);
		as->guest_gen = tlb_gen;
		/* two vCPUs may come with the same new id: the first one's stays */
		HOLD(&sd->lock);
		first = as_find_locked(sd, id);
		if (first) {
			as_free_locked(sd, as);
			as = first;
			as->refs++;
		} else {
			as->hash_next = sd->hash[hash_of(sd, id)];
			sd->hash[hash_of(sd, id)] = as->index;
		}
	}
	*out = as;
	return 0;
}

/* The id stands for another root now, or again for one: what is there is stale. True if so. */
static bool as_rebind(struct aspace *as, gfn_t root)
{
	if (likely(!as->dead && gfn_x(as->root) == gfn_x(root)))
		return false;
	HOLD(&as->lock);
	as->dead = as->shot = false;
	as->root = root;
	return true;
}

/*
 * Flush what @as may hold from before now. all_gen is read first: a FLUSH_ALL that comes later is
 * done once more than it has to be, and one that comes too early for this look is in the number.
 */
static void flush_to_now(struct vcpu *v, struct aspace *as, u64 id, u64 tlb_gen)
{
	u64 all_gen = READ_ONCE(v->domain->shadow->all_gen);

	flush_all(v, as);
	HOLD(&as->lock);
	/* id 0 stands for another address space each time: its number begins anew */
	as->guest_gen = id ? max(as->guest_gen, tlb_gen) : tlb_gen;
	as->all_gen = all_gen;
}

/*
 * @how is what the guest knows to be stale, PARVUS_SWITCH_*. LOCAL needs nothing, since this CPU's
 * TLB is in step with our tables when a switch is done. A flush that the guest skipped is found by
 * tlb_gen (rule 18), a FLUSH_ALL that came while the address space ran nowhere by all_gen. The
 * latter is compared when the vCPU has @as: a FLUSH_ALL that came just before did not find @as, and
 * raised all_gen; one that comes after finds it.
 */
s64 hc_mmu_switch(struct vcpu *v, u64 id, u64 root_gpa, u64 kernel_view, u64 tlb_gen, u64 gen_gpa,
		  u64 how)
{
	struct shadow_domain *sd = v->domain->shadow;
	gfn_t root = _gfn(root_gpa >> PAGE_SHIFT);
	struct aspace *as = v->own->shadow.anon;
	bool stale;
	int ret;

	if ((root_gpa & (PAGE_SIZE - 1)) || kernel_view || how > PARVUS_SWITCH_ALL)
		return hv_error(PARVUS_EINVAL);
	if (!guest_table(v->domain, gfn_x(root)) ||
	    (gen_gpa && ((gen_gpa & 7) || !guest_table(v->domain, gen_gpa >> PAGE_SHIFT))))
		return hv_error(PARVUS_EFAULT);
	if (shadow_exact)
		id = 0;
	if (id) {
		ret = as_find_or_make(v, id, root, tlb_gen, &as);
		if (ret)
			return ret;
	}
	stale = as_rebind(as, root) || !id || tlb_gen > READ_ONCE(as->guest_gen) ||
		how >= PARVUS_SWITCH_AS;
	WRITE_ONCE(as->gen_gpa, gen_gpa);
	v->own->shadow.root = root;
	if (stale)
		flush_to_now(v, as, id, tlb_gen);
	if (how == PARVUS_SWITCH_ALL || shadow_exact)
		flush_all(v, sd->kernel);
	as_change(v, as);
	if (unlikely(as->all_gen != READ_ONCE(sd->all_gen)))
		flush_to_now(v, as, id, tlb_gen);
	return 0;
}

/* ---- flush ---- */

/*
 * Up to @new_gen of one id. A range is the whole truth only if the guest took nothing else away
 * since the last one; an anonymous address space has no number that others could have raised.
 */
static void flush_by_gen(struct vcpu *v, u64 id, u64 new_gen, u64 start, u64 end, u64 flags)
{
	struct aspace *anon = v->own->shadow.anon, *as = id ? as_get(v->domain->shadow, id) : anon;
	bool whole = (flags & PARVUS_FLUSH_KIND) == PARVUS_FLUSH_AS;
	u64 gen;

	if (!as)
		return;
	gen = READ_ONCE(as->guest_gen);
	if (as == anon || new_gen > gen) {
		if (whole || (as != anon && new_gen != gen + 1))
			flush_all(v, as);
		else
			flush_range(v, as, start, end, !(flags & PARVUS_FLUSH_FREED_TABLES));
		gen_done(as, new_gen);
	}
	if (as != anon)
		as_put(v->domain->shadow, as);
}

/* Kinds that name a range, which is then checked. */
static inline bool is_ranged(u64 kind)
{
	return kind == PARVUS_FLUSH_RANGE || kind == PARVUS_FLUSH_KERNEL ||
	       kind == PARVUS_FLUSH_CURRENT;
}

/* The arguments make sense. An end of 0 is the top of the address space. */
static bool is_flush(u64 id, u64 start, u64 end, u64 stride, u64 flags)
{
	u64 kind = flags & PARVUS_FLUSH_KIND;

	if ((flags & ~(u64)(PARVUS_FLUSH_KIND | PARVUS_FLUSH_FREED_TABLES)) ||
	    kind > PARVUS_FLUSH_CURRENT)
		return false;
	if (!is_ranged(kind))
		return kind != PARVUS_FLUSH_KERNEL_ALL || !id;
	if ((stride & (stride - 1)) || ((start | end) & (PAGE_SIZE - 1)))
		return false;
	return start == end || (start <= end - 1 && (kind != PARVUS_FLUSH_KERNEL || !id));
}

s64 hc_mmu_flush(struct vcpu *v, u64 id, u64 new_gen, u64 start, u64 end, u64 stride, u64 flags)
{
	u64 kind = flags & PARVUS_FLUSH_KIND;

	if (!is_flush(id, start, end, stride, flags))
		return hv_error(PARVUS_EINVAL);
	if (start == end && is_ranged(kind))
		return 0;
	/* exact mode: a vCPU runs the address space under an anonymous one, whose id is not told */
	if (shadow_exact)
		kind = PARVUS_FLUSH_ALL;
	switch (kind) {
	case PARVUS_FLUSH_RANGE:
	case PARVUS_FLUSH_AS:
		flush_by_gen(v, id, new_gen, start, end, flags);
		break;
	case PARVUS_FLUSH_CURRENT:
		flush_range(v, v->own->shadow.as, start, end, false);
		break;
	case PARVUS_FLUSH_KERNEL:
		flush_range(v, v->domain->shadow->kernel, start, end, false);
		break;
	case PARVUS_FLUSH_KERNEL_ALL:
		flush_all(v, v->domain->shadow->kernel);
		break;
	case PARVUS_FLUSH_ALL:
		/* everything that runs now at once, the rest when it is switched to */
		atomic_inc_u64(&v->domain->shadow->all_gen);
		for_each_current(v, flush_all);
		break;
	}
	return 0;
}

/* The address spaces that run on the vCPUs of the mask, up to the tlb_gen that they show. */
s64 hc_mmu_flush_batch(struct vcpu *v, u64 mask_gpa, u64 words)
{
	unsigned int i;
	u64 mask;
	int ret = vcpu_mask_read(v, mask_gpa, words, &mask);

	if (ret)
		return ret;
	for_each_bit(i, mask) {
		struct aspace *as = as_get_current(v->domain->vcpus[i]);
		u64 gen = ~0ull, gpa, *page;

		gpa = READ_ONCE(as->gen_gpa);	/* once: a switch elsewhere may change it */
		guest_access_begin();
		page = gpa ? guest_table(v->domain, gpa >> PAGE_SHIFT) : NULL;
		if (page)
			gen = READ_ONCE(page[(gpa & (PAGE_SIZE - 1)) / 8]);
		guest_access_end();
		if (gen > READ_ONCE(as->guest_gen)) {
			flush_all(v, as);
			if (gen != ~0ull)
				gen_done(as, gen);
		}
		as_put(v->domain->shadow, as);
		arch_breathe();
	}
	return 0;
}

/* The guest cleared accessed bits: what is not used again goes with the re-sync. */
s64 hc_mmu_age(struct vcpu *v, u64 id)
{
	struct aspace *as = id && !shadow_exact ? as_get(v->domain->shadow, id) :
						  v->own->shadow.anon;

	if (!as)
		return 0;
	flush_all(v, as);
	if (as != v->own->shadow.anon)
		as_put(v->domain->shadow, as);
	return 0;
}

/* ---- release ---- */

/* From a table down the first entries: one that is empty now, its leaves taken out. */
static u32 lowest_table(struct aspace *as, u32 i)
{
	struct shadow_domain *sd = as->domain->shadow;
	struct entry c;

	while (!table_empty(sd, i)) {
		c = table_of(sd, i)[sd->pages[i].lo];
		if (is_leaf(c, sd->pages[i].level))
			table_detach(as->domain, i);
		else
			i = entry_index(c);
	}
	return i;
}

/* Free tables of a dead address space, the lowest first. Returns true when none is left. */
static bool release_some(struct aspace *as, unsigned int budget)
{
	struct shadow_domain *sd = as->domain->shadow;
	u32 i;

	HOLD(&as->lock);
	while (as->dead && as->shot && !as_empty(as) && budget--) {
		unsigned int slot = next_slot(as->used, 0);
		struct entry e = as->overlays ? as->overlay[0].entry : as->slot[slot];

		if (!e.raw) {	/* named by a fill that got no further */
			if (as->overlays)
				as->overlay[0] = as->overlay[--as->overlays];
			else
				as->used[slot / 64] &= ~(1ull << (slot % 64));
			continue;
		}
		i = lowest_table(as, entry_index(e));
		unlink_table(sd, as, i);
		page_free(sd, i);
		if (arch_breathe())
			break;
	}
	return as_empty(as) || !as->dead || !as->shot;
}

/*
 * The id is gone, and its tables with it, a few per call. A table is free for another use only
 * when no TLB can walk it any more (rule 4): dead stops fills, shot says that the shootdown is
 * done. A switch to the id may have made it live again meanwhile, and another release dead: then
 * gen is not dead_gen, and this shootdown is not that one's.
 */
s64 hc_mmu_release(struct vcpu *v, u64 id, struct regs *regs)
{
	struct shadow_domain *sd = v->domain->shadow;
	struct aspace *as = id ? as_get(sd, id) : NULL;
	bool done;
	u64 gen;

	if (!as)
		return 0;
	if (!READ_ONCE(as->dead)) {
		spin_lock(&as->lock);
		as->dead = true;
		as->shot = false;
		flush_locked(as, 0, 0, false);
		gen = as->dead_gen = as->gen;
		spin_unlock(&as->lock);
		flush_done(v, as);
		spin_lock(&as->lock);
		if (as->dead && as->dead_gen == gen)
			as->shot = true;
		spin_unlock(&as->lock);
	}
	done = release_some(as, RELEASE_BATCH);
	as_put(sd, as);
	return done ? 0 : hypercall_restart(regs);	/* it comes again (rule 49) */
}
