// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's page fault is decided here: part of shadow.c. Either the guest's tables permit the
 * access, then an entry is made and the guest tries again; or they do not, then the fault is the
 * guest's own; or the domain waits for memory, or ends (rule 13). x86/traps.c and x86/pv.c come
 * in by shadow_fault(), and after a fault that the guest has handled by shadow_prefill(). Both
 * take aspace.lock for the walk and the fill, and hold no lock when they come or go.
 */

#define STUCK_LIMIT	64u
#define RETRIES		32u	/* of a guest that changes its tables all the time */

/* The fault is the guest's. What it maps there is filled at the end of its handler. */
static inline enum shadow_result guest_fault(struct vcpu *v, struct aspace *as, u64 va)
{
	v->own->shadow.prefill_va = va;
	v->own->shadow.prefill_as = as;
	return SHADOW_GUEST_FAULT;
}

/*
 * The guest's tables do not permit it. Guest user mode never sees the high half, and guest kernel
 * mode executes nothing of the low half (rule 23). The last of it is a grant for reading: no
 * entry of the guest's makes that writable.
 */
static ALWAYS_INLINE bool is_refused(const struct fill *f, bool user)
{
	bool high = (s64)f->va < 0, write = f->access & PF_WRITE, fetch = f->access & PF_FETCH;
	u64 rights = f->w.rights;

	return (user && (high || !(rights & PTE_U))) || (write && !(rights & PTE_W)) ||
	       (fetch && (rights & PTE_NX)) || (fetch && !user && !high) ||
	       (write && unlikely((gfn_lookup(f->v->domain, _gfn(f->w.gfn)) &
				   (GFN_PRESENT | GFN_WRITABLE)) == GFN_PRESENT));
}

enum verdict { PERMITTED, REFUSED, MOVING };

/* Walk, check, set accessed and dirty bits, until all hold still; MOVING: never. Under as->lock. */
static ALWAYS_INLINE enum verdict judge(struct fill *f, bool user, u32 *error)
{
	enum walk_result r;

	for (unsigned int tries = 0; tries < RETRIES; tries++) {
		r = f->as->dead ? WALK_ABSENT : walk(f->v, f->as, f->va, &f->w);
		if (r != WALK_OK) {
			if (r == WALK_RESERVED)
				*error |= PF_RESERVED | PF_PRESENT;
			return REFUSED;
		}
		if (is_refused(f, user)) {
			*error |= PF_PRESENT;
			return REFUSED;
		}
		if (likely(guest_mark(&f->w, f->access & PF_WRITE)))
			return PERMITTED;
	}
	return MOVING;
}

/*
 * The same by the remembered tables alone, or MOVING: not by these. They may be old about levels
 * above, where the guest may have given rights since: a leaf refuses by its own alone. Of the low
 * half only what user mode may see is here.
 */
static ALWAYS_INLINE enum verdict judge_recent(struct fill *f, u64 *at, bool user, u32 *error)
{
	if (!recent_walk(f, at))
		return MOVING;
	if (likely(!is_refused(f, user)))
		return (f->as->kernel || (f->w.rights & PTE_U)) &&
		       guest_mark(&f->w, f->access & PF_WRITE) ? PERMITTED : MOVING;
	f->w.rights = rights_below(f->w.val[1], f->w.val[1]);
	if (!is_refused(f, user))
		return MOVING;
	*error |= PF_PRESENT;
	return REFUSED;
}

/*
 * The same fault again and again, though an entry was made that permits it. New address spaces
 * begin alike, with the same generation and fault: so the id is compared, too.
 */
static bool stuck(struct vcpu *v, const struct aspace *as, u64 rip, u64 va)
{
	struct vcpu_shadow *s = &v->own->shadow;
	u64 gen = as->gen;

	if (s->last_id != as->id || s->last_rip != rip || s->last_cr2 != va || s->last_gen != gen) {
		s->last_id = as->id;
		s->last_rip = rip;
		s->last_cr2 = va;
		s->last_gen = gen;
		s->last_count = 0;
		return false;
	}
	return ++s->last_count > STUCK_LIMIT;
}

/* A table taken out by a size change goes home once no TLB can walk it (rule 4). */
static void limbo_done(struct vcpu *v, struct aspace *as)
{
	flush_done(v, as);
	if (v->own->shadow.limbo) {
		page_free(v->domain->shadow, v->own->shadow.limbo);
		v->own->shadow.limbo = 0;
	}
}

/*
 * No entry could be made. What names no memory faults as if it was not present, as a read of a
 * ballooned page beside one that is there must (load_unaligned_zeropad): the guest's kernel knows
 * whether that is a mistake, and whose.
 */
static NOINLINE enum shadow_result no_entry(const struct fill *f, enum fill_result r)
{
	if (r == FILL_WAIT)
		return SHADOW_WAIT;
	if (r == FILL_NO_OVERLAY) {
		flush_all(f->v, f->as);
		domain_kill(f->v->domain, "more than %u top-level slots with kernel-only pages",
			    OVERLAYS);
		return SHADOW_KILLED;
	}
	return guest_fault(f->v, f->as, f->va);
}

/* An entry permits the access now. */
static inline enum shadow_result filled(const struct fill *f, u64 rip)
{
	f->v->stats.fills++;
	flush_if_behind(f->v, f->as);
	if (likely(!stuck(f->v, f->as, rip, f->va)))
		return SHADOW_DONE;
	domain_kill(f->v->domain,
		    "no progress: fault at va %lx, rip %lx, access %x again and again", f->va, rip,
		    f->access);
	return SHADOW_KILLED;
}

/*
 * All but the shortest way of shadow_fault(), which took as->lock; it is let go here. The reserve
 * is filled up without it, and nothing that was seen before counts then.
 */
static NOINLINE enum shadow_result fault(struct fill *f, bool user, u64 rip, u32 *error)
{
	struct aspace *as = f->as;
	bool high = (s64)f->va < 0;
	unsigned int slot = INDEX(f->va, 4), tries;
	enum verdict verdict = REFUSED;
	enum fill_result r;

	for (tries = 0; tries < RETRIES; tries++) {
		if (unlikely(f->v->own->shadow.reserved < SHADOW_RESERVE)) {
			spin_unlock(&as->lock);
			if (!reserve_fill(f->v))
				return SHADOW_KILLED;
			spin_lock(&as->lock);
		}
		if (likely(slot < HOLE_FIRST || slot > HOLE_LAST))
			verdict = judge(f, user, error);
		if (verdict != PERMITTED)
			break;
		f->overlay = !high && !user && (!(f->w.rights & PTE_U) || overlay_of(as, slot));
		r = fill(f);
		spin_unlock(&as->lock);
		if (likely(r == FILL_DONE))
			return filled(f, rip);
		if (r != FILL_SIZE_CHANGE)
			return no_entry(f, r);
		limbo_done(f->v, as);
		spin_lock(&as->lock);
	}
	spin_unlock(&as->lock);
	return verdict == REFUSED ? guest_fault(f->v, as, f->va) : SHADOW_DONE;
}

/* By the remembered tables, if these are enough. */
static NOINLINE enum shadow_result fault_recent(struct vcpu *v, struct aspace *as, u64 *at, u64 va,
						u32 access, bool user, u64 rip, u32 *error)
{
	struct fill f;
	enum verdict verdict;

	f.v = v;
	f.as = as;
	f.va = va;
	f.access = access;
	verdict = judge_recent(&f, at, user, error);
	if (verdict == MOVING || (verdict == PERMITTED &&
				  fill_leaf(&f, v->own->shadow.recent.index) != FILL_DONE))
		return fault(&f, user, rip, error);
	spin_unlock(&as->lock);
	return verdict == REFUSED ? guest_fault(v, as, va) : filled(&f, rip);
}

/* The shortest way: the guest's own entry is not present. Nothing of ours has to be looked at. */
enum shadow_result shadow_fault(struct vcpu *v, u64 va, u32 access, bool user, u64 rip, u32 *error)
{
	struct aspace *as = as_of(v, va);
	u64 *at;

	*error = (access & (PF_WRITE | PF_FETCH)) | (user ? PF_USER : 0);
	spin_lock(&as->lock);
	at = recent_entry(v, as, va);
	if (unlikely(!at || (READ_ONCE(*at) & PTE_P)))
		return fault_recent(v, as, at, va, access, user, rip, error);
	spin_unlock(&as->lock);
	return guest_fault(v, as, va);
}

/*
 * The guest has handled a fault and returns: fill the address of the fault, if it can be done
 * without a bit set in the guest's tables and without memory. So a demand page costs one
 * exception, not two. Whatever is not as expected is left to a fault.
 */
void shadow_prefill(struct vcpu *v)
{
	struct aspace *as = v->own->shadow.prefill_as;
	u64 va = v->own->shadow.prefill_va;
	unsigned int slot = INDEX(va, 4);
	enum fill_result r = FILL_WAIT;
	struct fill f;

	v->own->shadow.prefill_as = NULL;
	if (!as || as != as_of(v, va) || (slot >= HOLE_FIRST && slot <= HOLE_LAST) ||
	    (unlikely(v->own->shadow.reserved < SHADOW_RESERVE) && !reserve_fill(v)))
		return;
	f.v = v;
	f.as = as;
	f.va = va;
	f.access = PF_PREFILL;
	f.overlay = false;
	spin_lock(&as->lock);
	if (likely(recent_walk(&f, recent_entry(v, as, va)))) {
		if ((f.w.val[1] & PTE_A) && (as->kernel || (f.w.rights & PTE_U)))
			r = fill_leaf(&f, v->own->shadow.recent.index);
	} else if (!as->dead && walk(v, as, va, &f.w) == WALK_OK && (f.w.val[f.w.level] & PTE_A) &&
	    (as->kernel || ((f.w.rights & PTE_U) && !overlay_of(as, slot))) &&
	    (f.w.level == 1 || (gfn_lookup(v->domain, _gfn(f.w.gfn)) & GFN_PRESENT)))
		r = fill(&f);
	spin_unlock(&as->lock);
	if (r == FILL_DONE)
		v->stats.prefills++;
	else if (r == FILL_SIZE_CHANGE)
		limbo_done(v, as);
	flush_if_behind(v, as);
}
