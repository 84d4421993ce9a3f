// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grants: a domain offers frames to another one, which maps them into its own guest-physical space
 * or has bytes copied (parvus/grant.h).
 *
 * An offer is one word of state, changed by compare-and-swap: it stands, and has so many users,
 * which are mappings and copies under way. Who maps or copies takes a use first, so that neither a
 * revocation nor the end of the owner can take the frame from under it, and no lock of the other
 * domain is ever needed. The frame counts its offers in its frame_info: an offered frame is not
 * released.
 *
 * A mapping is a foreign entry in the gfn table of the mapper. Several mappings share one entry
 * where gfns are machine frames (domain 0); it has the rights of those that are not on their way
 * out. Unmapping reduces the entry, then has shadow_lose() see to shadow entries and TLBs, and only
 * then lets go of the offer.
 *
 * When the owner ends, offers with users are dead: their frames become ghosts, which the last use
 * frees. Each mapping holds a reference to the owner's struct domain, and so to its offers.
 *
 * Locks: grant_domain.lock of one domain (never of two), then its gfn_lock, or that of references.
 * It covers both tables, but for the state of offers. domain_put() is called without it, and so is
 * shadow_lose(), which waits for other CPUs.
 */
#include <core/grant_table.h>
#include <parvus/context.h>
#include <core/log.h>
#include <core/handlers.h>
#include <core/memory.h>

#define CHUNK		64u	/* records of one call: the rest is for the next one */
#define DESTROY_PIECE	512u	/* slots looked at before interrupts are let in */

static struct { u64 offers, mappings, ghosts; } total;	/* of all domains; atomic */

/* ---- tables ---- */

static struct offer *offer_at(struct domain *d, u32 ref)
{
	struct slot *s = slot_at(&d->grants->offers, ref);

	return s ? &s->o : NULL;
}

static struct mapping *mapping_at(struct grant_domain *g, u32 handle)
{
	struct slot *s = slot_at(&g->mappings, handle);

	return s ? &s->m : NULL;
}

/* A page more of them, which are free. Tables are a small part of @d. 0 or an error. */
static int table_grow(const struct domain *d, struct table *t)
{
	u32 frames = max((u32)d->ram_frames, PARVUS_GRANT_MAX);
	u32 most = d->control ? PARVUS_GRANT_MAPPINGS : min(frames, PARVUS_GRANT_MOST);
	struct slot ***dir = &t->dir[t->end / DIR_SLOTS], *page;

	if (t->end >= most)
		return hv_error(PARVUS_ENOSPC);
	if (!*dir)
		*dir = hv_alloc_own(t->owner, PAGE_SIZE);
	page = *dir ? hv_alloc_own(t->owner, PAGE_SIZE) : NULL;
	if (!page)
		return hv_error(PARVUS_ENOMEM);
	for (u32 i = 0; i < SLOTS - 1; i++)
		page[i].next = t->end + i + 2;
	(*dir)[t->end % DIR_SLOTS / SLOTS] = page;
	t->free = t->end + 1;
	smp_store_release(&t->end, t->end + SLOTS);
	return 0;
}

/*
 * Take a free slot, in a new page if need be; or that of number @n, if it is not 0:
 * no slot counts as free then but those of new pages, until grant_context_done(). 0 or an error.
 */
static int slot_new(const struct domain *d, struct table *t, u32 *n, struct slot **s)
{
	int ret = 0;

	while (!ret && (*n ? *n > t->end : !t->free))
		ret = table_grow(d, t);
	if (ret)
		return ret;
	if (*n) {
		*s = slot_at(t, *n);
		if ((*s)->o.state)
			return hv_error(PARVUS_EEXIST);
		t->free = 0;
		t->used++;
		return 0;
	}
	*n = t->free;
	*s = slot_at(t, *n);
	t->free = (*s)->next;
	t->used++;
	return 0;
}

static void slot_put(struct table *t, u32 n)
{
	slot_at(t, n)->next = t->free;
	t->free = n;
	t->used--;
}

static void table_free(struct table *t)
{
	for (u32 i = 1; i <= t->end; i += SLOTS)
		hv_free(slot_at(t, i), PAGE_SIZE);
	for (u32 i = 0; i < ARRAY_SIZE(t->dir); i++)
		hv_free(t->dir[i], PAGE_SIZE);
}

static u64 table_pages(u64 end) { return end / SLOTS + (end + DIR_SLOTS - 1) / DIR_SLOTS; }

/* ---- offers ---- */

static void frame_unoffer(mfn_t mfn)
{
	u64 word = atomic_add_u64(&frame_info(mfn)->word, -FRAME_OFFER);

	if ((word & FRAME_GHOST) && !(word & FRAME_OFFERS)) {
		atomic_add_u64(&total.ghosts, -1ull);
		free_frames(mfn, 0);
	}
}

bool grant_ghost(mfn_t mfn)
{
	struct frame_info *f = frame_info(mfn);

	/* from the mark on, the last user may free it at any time */
	atomic_inc_u64(&total.ghosts);
	f->owner = DOMAIN_NONE;
	if (atomic_or_u64(&f->word, FRAME_GHOST) & FRAME_OFFERS)
		return true;
	atomic_add_u64(&total.ghosts, -1ull);
	return false;
}

/* Let go of a use; the last one of a dead offer lets go of the frame. */
static void offer_drop(struct offer *o)
{
	u32 s = atomic_dec_u32(&o->state);

	if ((s & OFFER_DEAD) && !(s & OFFER_USERS))
		frame_unoffer(_mfn(o->mfn));
}

/* Take a use of an offer that stands, for the domain with that serial. */
static int offer_get(struct domain *owner, u32 ref, u32 serial, bool write, struct offer **out)
{
	struct offer *o = offer_at(owner, ref);
	u32 s;

	do {
		s = o ? READ_ONCE(o->state) : 0;
		if (!(s & OFFER_STANDS) || READ_ONCE(o->to) != serial)
			return hv_error(PARVUS_ENOENT);
		if (write && (s & OFFER_READONLY))
			return hv_error(PARVUS_EPERM);
	} while (!atomic_cmpxchg_u32(&o->state, s, s + 1));
	if (READ_ONCE(o->to) != serial) {
		offer_drop(o);	/* the slot was used again, for another one, in between */
		return hv_error(PARVUS_ENOENT);
	}
	*out = o;
	return 0;
}

int grant_offer(struct domain *d, u64 gfn, u32 to, u32 flags, u32 *ref)
{
	bool readonly = flags & PARVUS_GRANT_READONLY;
	struct grant_domain *g = d->grants;
	struct domain *peer;
	u32 serial = 0, n = *ref;	/* the serial of nobody */
	struct slot *s;
	u64 e;
	int ret;

	if (flags & ~PARVUS_GRANT_READONLY)
		return hv_error(PARVUS_EINVAL);
	peer = domain_get(to);
	if (!peer && !(n && to == PARVUS_CONTEXT_UNKNOWN))
		return hv_error(PARVUS_ENOENT);
	if (peer)
		serial = peer->serial;
	domain_put(peer);
	if (serial == d->serial)
		return hv_error(PARVUS_EINVAL);
	gfn_touch(d, _gfn(gfn), true);
	HOLD(&g->lock);
	ret = g->closed ? -PARVUS_EBUSY : slot_new(d, &g->offers, &n, &s);
	if (ret)
		return ret;
	spin_lock(&d->gfn_lock);
	e = gfn_lookup(d, _gfn(gfn));
	if (!gfn_is_ram(e) || (!readonly && !(e & GFN_WRITABLE)))
		ret = -PARVUS_EFAULT;
	else
		atomic_add_u64(&frame_info(gfn_entry_mfn(e))->word, FRAME_OFFER);
	spin_unlock(&d->gfn_lock);
	if (ret) {
		slot_put(&g->offers, n);
		return ret;
	}
	s->o.mfn = (u32)mfn_x(gfn_entry_mfn(e));
	WRITE_ONCE(s->o.to, serial);
	smp_store_release(&s->o.state, OFFER_STANDS | (readonly ? OFFER_READONLY : 0));
	atomic_inc_u64(&total.offers);
	*ref = n;
	return 0;
}

static int grant_revoke(struct domain *d, u32 ref)
{
	struct grant_domain *g = d->grants;
	struct offer *o;
	u32 s;

	HOLD(&g->lock);
	o = offer_at(d, ref);
	s = o ? READ_ONCE(o->state) : 0;
	if (!(s & OFFER_STANDS))
		return -PARVUS_ENOENT;
	if ((s & OFFER_USERS) || !atomic_cmpxchg_u32(&o->state, s, 0))
		return -PARVUS_EBUSY;
	frame_unoffer(_mfn(o->mfn));
	slot_put(&g->offers, ref);
	atomic_add_u64(&total.offers, -1ull);
	return 0;
}

/* The other domain of a record: mostly that of the one before. */
static struct domain *peer_get(struct domain **peer, u32 id)
{
	if (*peer && (*peer)->id == id)
		return *peer;
	domain_put(*peer);
	return *peer = domain_get(id);
}

/* ---- mappings: under the lock ---- */

/* Spread: frames that a peer has 2 MiB apart are not to meet in one list. */
static u32 *bucket_of(struct grant_domain *g, u32 gfn)
{
	return &g->bucket[gfn * 0x9e3779b1u >> g->shift];
}

static size_t bucket_bytes(const struct grant_domain *g)
{
	return g->bucket ? sizeof(u32) << (32 - g->shift) : 0;
}

/* The first lists, or more when those there are get long; without memory it stays as it is. */
static void buckets_grow(struct grant_domain *g)
{
	size_t old_bytes = bucket_bytes(g);
	u32 *old = g->bucket, *new, n, *at;
	struct slot *s;

	if (old && (g->shift == LAST_SHIFT || g->mappings.used < old_bytes))
		return;		/* up to four in each */
	new = hv_alloc_own(g->mappings.owner, sizeof(u32) << (32 - (g->shift - 3)));
	if (!new)
		return;
	if (old)
		g->old[(FIRST_SHIFT - g->shift) / 3] = old;
	g->shift -= 3;
	g->bucket = new;
	for (n = 1; n <= g->mappings.end; n++) {
		s = slot_at(&g->mappings, n);
		if (!s->m.owner)
			continue;
		at = bucket_of(g, s->m.gfn);
		s->next = *at;
		*at = n;
	}
}

static u32 gfn_mapped(struct grant_domain *g, u32 gfn)
{
	u32 n, times = 0;

	for (n = *bucket_of(g, gfn); n; n = slot_at(&g->mappings, n)->next)
		times += mapping_at(g, n)->gfn == gfn;
	return times;
}

/* Make a gfn's entry what its mappings want; busy ones only keep it taken. True: a right went. */
static bool entry_update(struct domain *d, u32 gfn, u32 mfn)
{
	struct grant_domain *g = d->grants;
	const struct mapping *m;
	u64 e = 0, old, *slot;

	for (u32 n = *bucket_of(g, gfn); n; n = slot_at(&g->mappings, n)->next) {
		m = mapping_at(g, n);
		if (m->gfn != gfn)
			continue;
		if (m->busy)
			e |= GFN_BUSY;
		else
			e |= GFN_PRESENT | GFN_FOREIGN | (m->readonly ? 0 : GFN_WRITABLE);
	}
	if (e & GFN_PRESENT)
		e &= ~GFN_BUSY;
	if (e)
		e |= (u64)mfn << PAGE_SHIFT;
	HOLD(&d->gfn_lock);
	slot = gfn_slot(d, gfn);	/* mapped once, so there is a table */
	old = *slot;
	WRITE_ONCE(*slot, e);
	return old & ~e & (GFN_PRESENT | GFN_WRITABLE);
}

/* Take a gfn without memory, or domain 0's for that frame. It is busy until entry_update(). */
static int gfn_take(struct domain *d, u64 gfn)
{
	u32 times = d->control ? gfn_mapped(d->grants, (u32)gfn) : 0;
	u64 *slot;

	if (times == PARVUS_GRANT_SAME)
		return -PARVUS_ENOSPC;
	HOLD(&d->gfn_lock);
	slot = gfn_slot(d, gfn);
	if (!slot)
		return d->gfn_chunks[gfn >> EXTENT_ORDER] ? -PARVUS_EEXIST : -PARVUS_ENOMEM;
	if (*slot)
		return times ? 0 : -PARVUS_EEXIST;
	WRITE_ONCE(*slot, GFN_BUSY);
	return 0;
}

static int grant_map(struct domain *d, struct domain **peer, struct parvus_grant_map *r)
{
	bool readonly = r->flags & PARVUS_GRANT_READONLY;
	struct grant_domain *g = d->grants;
	struct domain *owner;
	struct offer *o;
	struct slot *s;
	u64 gfn;
	u32 n = 0;
	int ret;

	if ((r->flags & ~PARVUS_GRANT_READONLY) || r->reserved)
		return hv_error(PARVUS_EINVAL);
	owner = peer_get(peer, r->domain);
	if (!owner)
		return hv_error(PARVUS_ENOENT);
	ret = offer_get(owner, r->ref, d->serial, !readonly, &o);
	if (ret)
		return ret;
	gfn = d->control ? o->mfn : r->gfn;
	if (gfn >= d->max_gfn)
		ret = d->control ? -PARVUS_ENOSPC : -PARVUS_EINVAL;
	gfn &= index_mask(gfn, d->max_gfn);
	if (!ret)
		ret = shadow_foreign_init(d);
	if (ret)
		goto drop;
	spin_lock(&g->lock);
	buckets_grow(g);
	ret = g->bucket ? slot_new(d, &g->mappings, &n, &s) : -PARVUS_ENOMEM;
	if (ret)
		goto unlock;
	ret = gfn_take(d, gfn);
	if (ret) {
		slot_put(&g->mappings, n);
		goto unlock;
	}
	domain_hold(owner);
	s->m = (struct mapping){ .owner = owner, .ref = r->ref, .gfn = (u32)gfn, .mfn = o->mfn,
				 .readonly = readonly };
	s->next = *bucket_of(g, (u32)gfn);
	*bucket_of(g, (u32)gfn) = n;
	entry_update(d, s->m.gfn, s->m.mfn);
	atomic_inc_u64(&total.mappings);
	r->handle = n;
	r->gfn = gfn;
unlock:
	spin_unlock(&g->lock);
drop:
	if (ret)
		offer_drop(o);
	return ret;
}

/* The first half of an unmap: the entry goes or is reduced. True: there is a second half. */
static bool unmap_begin(struct domain *d, u32 handle, struct shadow_loss *loss, u32 *mfn)
{
	struct grant_domain *g = d->grants;
	struct mapping *m;

	HOLD(&g->lock);
	m = mapping_at(g, handle);
	if (!m || !m->owner || m->busy)
		return false;
	m->busy = true;
	*mfn = m->mfn;
	if (entry_update(d, m->gfn, m->mfn))
		shadow_loss_add(loss, _mfn(m->mfn));
	return true;
}

/* The second half: no TLB has what went. */
static void unmap_end(struct domain *d, u32 handle)
{
	struct grant_domain *g = d->grants;
	struct domain *owner;
	struct offer *o;
	struct slot *s;
	u32 *at;

	spin_lock(&g->lock);
	s = slot_at(&g->mappings, handle);
	for (at = bucket_of(g, s->m.gfn); *at != handle; at = &slot_at(&g->mappings, *at)->next)
		;
	*at = s->next;
	entry_update(d, s->m.gfn, s->m.mfn);
	owner = s->m.owner;
	o = offer_at(owner, s->m.ref);
	s->m.owner = NULL;
	slot_put(&g->mappings, handle);
	spin_unlock(&g->lock);
	atomic_add_u64(&total.mappings, -1ull);
	offer_drop(o);
	domain_put(owner);
}

/* ---- the operations: up to CHUNK records, returns how many ---- */

static s64 records_done(u64 n, u64 count) { return n || !count ? (s64)n : hv_error(PARVUS_EFAULT); }

static s64 grant_unmap(struct vcpu *v, u64 gpa, u64 count)
{
	struct domain *d = v->domain;
	struct parvus_grant_unmap r;
	struct shadow_loss loss;
	u64 va[CHUNK], start = 0, end = 0, i, n;
	u32 handle[CHUNK], mfn[CHUNK];
	bool any = false;

	memset(&loss, 0, sizeof(loss));
	for (n = 0; n < count; n++) {
		if (guest_read(d, gpa + n * sizeof(r), &r, sizeof(r)))
			break;
		va[n] = r.va & PAGE_MASK;
		handle[n] = unmap_begin(d, r.handle, &loss, &mfn[n]) ? r.handle : 0;
		any |= handle[n];
		if (n % 8 == 7)		/* each may have looked through PARVUS_GRANT_SAME */
			arch_breathe();
	}
	/* a guest that flushed left nothing to find; else it is mostly where the guest says */
	for (i = 0; i < n; i++) {
		if (!handle[i] || !va[i] || !shadow_maps_foreign(d, _mfn(mfn[i])))
			continue;
		if (va[i] != end && end)
			shadow_flush_hint(v, start, end);
		if (va[i] != end)
			start = va[i];
		end = va[i] + PAGE_SIZE;
	}
	if (end)
		shadow_flush_hint(v, start, end);
	if (any)
		shadow_lose(v, &loss);
	for (i = 0; i < n; i++) {
		r.status = handle[i] ? 0 : -PARVUS_ENOENT;
		if (handle[i])
			unmap_end(d, handle[i]);
		/* what is done is done, whatever became of its record */
		guest_write(d, gpa + i * sizeof(r) + offsetof(struct parvus_grant_unmap, status),
			    &r.status, sizeof(r.status));
		if (i % 8 == 7)
			arch_breathe();
	}
	return records_done(n, count);
}

/* One end of a copy, between guest_access_begin() and _end(). */
static int copy_end_get(struct domain *d, struct domain **peer, const struct parvus_grant_end *e,
		   u32 length, bool write, struct offer **o, u8 **p)
{
	struct domain *owner;
	mfn_t mfn;
	u64 entry;
	int ret;

	if (e->reserved || e->offset > PAGE_SIZE || length > PAGE_SIZE - e->offset)
		return hv_error(PARVUS_EINVAL);
	if (e->domain == PARVUS_DOMAIN_SELF) {
		entry = gfn_touch(d, _gfn(e->gfn), true);
		if (!gfn_is_ram(entry) || (write && !(entry & GFN_WRITABLE)))
			return hv_error(PARVUS_EFAULT);
		mfn = gfn_entry_mfn(entry);
	} else {
		owner = peer_get(peer, e->domain);
		if (!owner)
			return hv_error(PARVUS_ENOENT);
		ret = offer_get(owner, e->ref, d->serial, write, o);
		if (ret)
			return ret;
		mfn = _mfn((*o)->mfn);
	}
	*p = (u8 *)frame_map(mfn) + e->offset;
	return 0;
}

static int grant_copy(struct domain *d, struct domain **peers, const struct parvus_grant_copy *r)
{
	struct offer *o_from = NULL, *o_to = NULL;
	u8 *from, *to;
	int ret;

	guest_access_begin();
	ret = copy_end_get(d, &peers[0], &r->from, r->length, false, &o_from, &from) ?:
	      copy_end_get(d, &peers[1], &r->to, r->length, true, &o_to, &to);
	if (!ret)
		memmove(to, from, r->length);	/* both may be one frame */
	guest_access_end();
	if (o_to)
		offer_drop(o_to);
	if (o_from)
		offer_drop(o_from);
	return ret;
}

union record {
	struct parvus_grant_offer offer;
	struct parvus_grant_revoke revoke;
	struct parvus_grant_map map;
	struct parvus_grant_copy copy;
};
/* Size of a record, and what of it is written back. */
static const struct { u8 size, out, out_size; } layout[] = {
#define LAYOUT(type, from) { sizeof(struct type), offsetof(struct type, from), \
	offsetof(struct type, status) + 4 - offsetof(struct type, from) }
	[PARVUS_GRANT_OFFER] = LAYOUT(parvus_grant_offer, ref),
	[PARVUS_GRANT_REVOKE] = LAYOUT(parvus_grant_revoke, status),
	[PARVUS_GRANT_MAP] = LAYOUT(parvus_grant_map, handle),
	[PARVUS_GRANT_UNMAP] = LAYOUT(parvus_grant_unmap, status),
	[PARVUS_GRANT_COPY] = LAYOUT(parvus_grant_copy, status),
};

static s64 grant_each(struct domain *d, u64 op, u64 gpa, u64 count)
{
	u64 i, size = layout[op].size, out = layout[op].out, until = arch_now_ns() + LONG_CALL_NS;
	struct domain *peers[2] = { NULL, NULL };
	union record r;

	/* a record may be the first touch of 2 MiB */
	for (i = 0; i < count && (!i || arch_now_ns() < until); i++, gpa += size) {
		if (guest_read(d, gpa, &r, size))
			break;
		switch (op) {
		case PARVUS_GRANT_OFFER:
			r.offer.ref = 0;
			r.offer.status = grant_offer(d, r.offer.gfn, r.offer.domain, r.offer.flags,
						     &r.offer.ref);
			break;
		case PARVUS_GRANT_REVOKE:
			r.revoke.status = grant_revoke(d, r.revoke.ref);
			break;
		case PARVUS_GRANT_MAP:
			r.map.handle = 0;
			r.map.status = grant_map(d, &peers[0], &r.map);
			break;
		default:
			r.copy.status = grant_copy(d, peers, &r.copy);
		}
		if (guest_write(d, gpa + out, (u8 *)&r + out, layout[op].out_size))
			break;
	}
	domain_put(peers[0]);
	domain_put(peers[1]);
	return records_done(i, count);
}

/* Records done, or a negative error. */
s64 hc_grant_op(struct vcpu *v, u64 op, u64 gpa, u64 count)
{
	struct domain *d = v->domain;
	u64 root;
	s64 ret;

	if (op > PARVUS_GRANT_COPY)
		return hv_error(PARVUS_ENOSYS);
	if (count > PARVUS_GRANT_BATCH)
		return hv_error(PARVUS_E2BIG);
	count = min(count, (u64)CHUNK);
	op &= index_mask(op, ARRAY_SIZE(layout));
	if (op == PARVUS_GRANT_OFFER || op == PARVUS_GRANT_REVOKE)
		return grant_each(d, op, gpa, count);
	root = arch_full_begin();	/* the owner's offers, and frames of both */
	ret = op == PARVUS_GRANT_UNMAP ? grant_unmap(v, gpa, count) : grant_each(d, op, gpa, count);
	arch_full_end(root);
	return ret;
}

/* ---- life ---- */

int grant_domain_init(struct domain *d)
{
	d->grants = hv_alloc_own(d->id, sizeof(*d->grants));
	if (!d->grants)
		return hv_error(PARVUS_ENOMEM);
	spin_init(&d->grants->lock, LOCK_GRANT);
	d->grants->shift = FIRST_SHIFT + 3;
	d->grants->offers.owner = d->grants->mappings.owner = d->id;
	return 0;
}

bool grant_domain_destroy(struct domain *d)
{
	struct grant_domain *g = d->grants;
	bool mapped = false;
	struct mapping *m;
	struct offer *o;
	u32 n, s, end;

	spin_lock(&g->lock);
	g->closed = true;
	spin_unlock(&g->lock);
	/* nobody else changes these tables now; others may still let go of offers */
	for (n = 1; n <= g->mappings.end; n++) {
		if (!(n % DESTROY_PIECE))
			arch_breathe();
		m = mapping_at(g, n);
		if (!m->owner)
			continue;
		offer_drop(offer_at(m->owner, m->ref));
		domain_put(m->owner);
		m->owner = NULL;
	}
	for (n = 1; n <= g->offers.end; n++) {
		if (!(n % DESTROY_PIECE))
			arch_breathe();
		o = offer_at(d, n);
		do {
			s = READ_ONCE(o->state);
			end = s & OFFER_USERS ? OFFER_DEAD | (s & OFFER_USERS) : 0;
		} while (!atomic_cmpxchg_u32(&o->state, s, end));
		if (end)
			mapped = true;
		else if (s)
			frame_unoffer(_mfn(o->mfn));
	}
	atomic_add_u64(&total.mappings, -(u64)g->mappings.used);
	atomic_add_u64(&total.offers, -(u64)g->offers.used);
	g->mappings.used = g->offers.used = 0;
	return mapped;
}

void grant_domain_free(struct domain *d)
{
	struct grant_domain *g = d->grants;

	if (!g)
		return;
	table_free(&g->offers);
	table_free(&g->mappings);
	hv_free(g->bucket, bucket_bytes(g));
	for (unsigned int i = 0; i < OLD_BUCKETS; i++)
		hv_free(g->old[i], sizeof(u32) << (32 - (FIRST_SHIFT - 3 * i)));
	hv_free(g, sizeof(*g));
}

u64 grant_pages(const struct domain *d)
{
	const struct grant_domain *g = d->grants;

	/* lists are eight times as long each time they grow, and the old ones stay */
	return 1 + bucket_bytes(g) * 8 / 7 / PAGE_SIZE + table_pages(READ_ONCE(g->offers.end)) +
	       table_pages(READ_ONCE(g->mappings.end));
}

u32 grant_offers(const struct domain *d) { return READ_ONCE(d->grants->offers.used); }
u32 grant_mappings(const struct domain *d) { return READ_ONCE(d->grants->mappings.used); }
u64 grant_offers_total(void) { return READ_ONCE(total.offers); }
u64 grant_mappings_total(void) { return READ_ONCE(total.mappings); }
u64 grant_ghost_frames(void) { return READ_ONCE(total.ghosts); }
