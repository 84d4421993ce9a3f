// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a domain (core/memory.h): how its gfn table is filled, its own view of it by
 * memory_op (parvus/memory.h), and the way of a frame out of a live domain.
 *
 * A release marks the gfns busy under gfn_lock: they have no memory any more and are not
 * free for anything else yet. Then every shadow entry goes, every TLB, and whoever was in
 * the middle of a walk or of an access by gpa has left it; only then do the frames go back
 * to the allocator. An extent of which a part goes becomes a table of single frames; its
 * large shadow entries go with the part.
 *
 * What must not go says so in its frame_info: an offer, and pins of frames to which the
 * hypervisor has a pointer for good. Both begin under gfn_lock.
 */
#include <core/grant.h>
#include <core/log.h>
#include <core/handlers.h>
#include <core/memory.h>
#include <parvus/memory.h>

#define CLEAR_PIECE	64u	/* frames */
#define RELEASE_CHUNK	16u	/* records of one call: each may sweep the shadow pool */

/* ---- the gfn table ---- */

/* A frame or an extent of its RAM: @slot is where its entry is. gfn_lock is held. */
static void ram_set(struct domain *d, u64 *slot, u64 gfn, mfn_t mfn, unsigned int order)
{
	for (u64 i = 0; i < 1ull << order; i++)
		*frame_info(_mfn(mfn_x(mfn) + i)) = (struct frame_info){
			.type = FRAME_GUEST, .owner = d->id, .word = gfn + i };
	WRITE_ONCE(*slot, mfn_x(mfn) << PAGE_SHIFT | GFN_PRESENT | GFN_WRITABLE |
			  (order ? GFN_EXTENT : 0));
	d->touched += 1ull << order;
}

u64 *gfn_chunk_table(struct domain *d, u64 gfn)
{
	u64 *chunk = &d->gfn_chunks[gfn >> EXTENT_ORDER], *t, i;

	if (!(*chunk & GFN_TABLE)) {
		t = hv_alloc_claimed(d, PAGE_SIZE);
		if (!t)
			return NULL;
		for (i = 0; *chunk && i < EXTENT_FRAMES; i++)
			t[i] = gfn_chunk_entry(*chunk, i) & ~GFN_EXTENT;
		smp_store_release(chunk, mfn_x(frame_of(t)) << PAGE_SHIFT | GFN_TABLE);
	}
	return frame_map(gfn_entry_mfn(*chunk));
}

u64 *gfn_slot(struct domain *d, u64 gfn)
{
	u64 e = d->gfn_chunks[gfn >> EXTENT_ORDER], *t = NULL;

	if (!e || e & GFN_TABLE)
		t = gfn_chunk_table(d, gfn);
	return t ? &t[gfn & (EXTENT_FRAMES - 1)] : NULL;
}

void frames_clear(mfn_t mfn, u64 count)
{
	for (u64 i = 0; i < count; i += CLEAR_PIECE) {
		if (i && arch_cpus())	/* the allocator works before there are interrupts */
			arch_breathe();
		memset(frame_map(_mfn(mfn_x(mfn) + i)), 0,
		       min(count - i, (u64)CLEAR_PIECE) << PAGE_SHIFT);
	}
}

/* One frame, or an extent in the place of a chunk. */
static int memory_populate_one(struct domain *d, u64 gfn, unsigned int order, bool now)
{
	u64 *chunk = &d->gfn_chunks[gfn >> EXTENT_ORDER], *slot = order ? chunk : gfn_slot(d, gfn);
	mfn_t mfn;

	if (!slot)
		return *chunk ? hv_error(PARVUS_EEXIST) : hv_error(PARVUS_ENOMEM);
	if (*slot)
		return hv_error(PARVUS_EEXIST);
	if (now && alloc_claimed(d, order, &mfn))
		return hv_error(PARVUS_ENOMEM);
	if (now) {
		frames_clear(mfn, 1ull << order);
		ram_set(d, slot, gfn, mfn, order);
	} else {
		WRITE_ONCE(*slot, GFN_DEMAND);
	}
	d->frames += 1ull << order;
	return 0;
}

/* @need: beyond the target, too, if it can be claimed, or could be. */
static int memory_populate(struct domain *d, gfn_t first, u64 count, bool now, bool need)
{
	u64 gfn = gfn_x(first), end = gfn + count, most, sum;
	unsigned int order;
	int ret = 0;

	if (end > d->max_gfn || end < gfn)
		return hv_error(PARVUS_EINVAL);
	HOLD(&d->gfn_lock);
	most = need ? d->max_frames : min(d->max_frames, d->target_frames);
	if (count > most || d->frames > most - count)
		return -PARVUS_ENOMEM;
	sum = max(d->frames + count, d->target_frames);
	most = sum - max(d->frames, d->target_frames);
	if (d->claims ? !frames_claim(d, (s64)most, false) : most > frames_unclaimed())
		return -PARVUS_ENOMEM;
	for (; gfn < end && !ret; gfn += 1ull << order) {
		order = !(gfn % EXTENT_FRAMES) && end - gfn >= EXTENT_FRAMES ? EXTENT_ORDER : 0;
		if (!order || memory_populate_one(d, gfn, order, now)) {
			order = 0;	/* a chunk with something in it, or no extent is free */
			ret = memory_populate_one(d, gfn, order, now);
		}
		if (!(gfn / EXTENT_FRAMES % CLEAR_PIECE))
			arch_breathe();
	}
	if (ret && d->claims)
		frames_claim(d, (s64)(max(d->frames, d->target_frames) - sum), false);
	return ret;
}

int domain_populate(struct domain *d, gfn_t gfn, u64 n)
{
	return memory_populate(d, gfn, n, true, false);
}

int domain_promise(struct domain *d, gfn_t gfn, u64 n)
{
	return memory_populate(d, gfn, n, false, false);
}

int domain_claim(struct domain *d, u64 first, u64 count)
{
	u64 end = first + count, *slot;
	unsigned int order;
	int ret = 0;

	HOLD(&d->gfn_lock);
	for (; claim_frames(&first, end, &order); first += 1ull << order) {
		slot = order ? &d->gfn_chunks[first >> EXTENT_ORDER] : gfn_slot(d, first);
		if (slot) {
			ram_set(d, slot, first, _mfn(first), order);
			d->frames += 1ull << order;
		} else {
			free_frames(_mfn(first), 0);
			ret = -PARVUS_ENOMEM;
		}
	}
	return ret;
}

u64 gfn_lookup_machine(const struct domain *d, u64 gfn)
{
	if (likely(!d->control) || !arch_frame_open(gfn))
		return 0;
	return gfn << PAGE_SHIFT | GFN_PRESENT | GFN_WRITABLE | GFN_MMIO;
}

/* For a first touch: 0, 1 = of its claim, -PARVUS_ENOMEM. Unless @reserve, some stays for calls. */
static int touch_alloc(struct domain *d, unsigned int order, bool reserve, mfn_t *mfn)
{
	u64 claim = READ_ONCE(d->claim), n = 1ull << order;

	if (claim < n && frames_unclaimed() < n + (reserve ? 0 : FRAMES_RESERVE))
		return -PARVUS_ENOMEM;
	return alloc_claimed(d, order, mfn) ? -PARVUS_ENOMEM : claim >= n;
}

/* Frames are cleared before any lock is taken; who loses a race gives its frame back. */
u64 gfn_touch(struct domain *d, gfn_t g, bool reserve)
{
	u64 gfn = gfn_x(g), e = gfn_lookup(d, g), *chunk, *slot;
	unsigned int order = EXTENT_ORDER;
	int claimed = -PARVUS_ENOMEM;
	bool used;
	mfn_t mfn;

	if (likely(!(e & GFN_DEMAND)))
		return e;
	chunk = slot = &d->gfn_chunks[gfn >> EXTENT_ORDER];
	if (READ_ONCE(*chunk) == GFN_DEMAND)
		claimed = touch_alloc(d, order, false, &mfn);
	if (claimed < 0) {
		order = 0;
		claimed = touch_alloc(d, order, reserve, &mfn);
	}
	if (claimed < 0)
		return GFN_DEMAND;
	frames_clear(mfn, 1ull << order);
	spin_lock(&d->gfn_lock);
	if (!order) {
		slot = *chunk & (GFN_TABLE | GFN_DEMAND) ? gfn_chunk_table(d, gfn) : NULL;
		slot = slot ? slot + (gfn & (EXTENT_FRAMES - 1)) : NULL;
	}
	used = slot && *slot == GFN_DEMAND;
	if (used)
		ram_set(d, slot, ROUND_DOWN(gfn, 1ull << order), mfn, order);
	spin_unlock(&d->gfn_lock);
	if (!used) {
		if (claimed)
			frames_claim(d, 1ll << order, true);
		free_frames(mfn, order);
	}
	return gfn_lookup(d, g);
}

/* The frames of a chunk, without those that others map still, and its table. */
static void chunk_free(struct domain *d, u64 chunk)
{
	u64 i, e, n = 0, gone[EXTENT_FRAMES / 64] = { 0 };

	for (i = 0; i < EXTENT_FRAMES; i++) {
		e = gfn_chunk_entry(chunk, i);
		if (!gfn_is_ram(e))
			continue;
		d->held += frame_info(gfn_entry_mfn(e))->count;
		if (d->mapped && grant_ghost(gfn_entry_mfn(e)))
			continue;
		gone[i / 64] |= 1ull << (i % 64);
		n++;
	}
	if (chunk & GFN_EXTENT && n == EXTENT_FRAMES) {
		free_frames(gfn_entry_mfn(chunk), EXTENT_ORDER);
		return;
	}
	for (i = 0; i < EXTENT_FRAMES; i++)
		if (gone[i / 64] >> (i % 64) & 1)
			free_frames(gfn_entry_mfn(gfn_chunk_entry(chunk, i)), 0);
	if (chunk & GFN_TABLE)
		hv_free(frame_map(gfn_entry_mfn(chunk)), PAGE_SIZE);
}

bool memory_free(struct domain *d, u64 budget)
{
	u64 chunks = d->max_gfn >> EXTENT_ORDER;

	for (; d->freed_chunks < chunks && budget; d->freed_chunks++) {
		u64 chunk = d->gfn_chunks[d->freed_chunks];

		d->held += d->gfn_chunk_maps[d->freed_chunks];
		if (chunk & (GFN_EXTENT | GFN_TABLE)) {
			chunk_free(d, chunk);
			budget--;
		}
	}
	if (d->freed_chunks < chunks)
		return false;
	if (d->held)
		log_warn("d%u: %lu shadow entries unaccounted for", d->id, d->held);
	hv_free(d->gfn_chunks, d->gfn_chunks_bytes);
	hv_free(d->gfn_chunk_maps, chunks * sizeof(u32));
	d->gfn_chunks = NULL;
	return true;
}

/* ---- domains that wait for a frame ---- */

u32 memory_waits;	/* somebody may be waiting */

void domain_memory_wake(void)
{
	if (frames_unclaimed() <= FRAMES_RESERVE || !atomic_xchg_u32(&memory_waits, 0))
		return;
	for_each_domain(d) {
		if (READ_ONCE(d->pauses) & PAUSE_MEMORY) {
			domain_unpause(d, PAUSE_MEMORY);
			domain_changed(d);
		}
	}
}

void domain_wait_memory(struct domain *d)
{
	domain_pause(d, PAUSE_MEMORY);
	atomic_xchg_u32(&memory_waits, 1);
	domain_changed(d);
	domain_memory_free();	/* if some came back meanwhile */
}

/* ---- the way out of a live domain ---- */

static int release_allowed(u64 chunk, u64 first, u64 end)
{
	u64 i, e;

	for (i = first; i < end; i++) {
		e = gfn_chunk_entry(chunk, i);
		if (!gfn_is_ram(e) && !(e & GFN_DEMAND))
			return hv_error(PARVUS_EFAULT);
		if (gfn_is_ram(e) &&
		    (frame_info(gfn_entry_mfn(e))->word & (FRAME_OFFERS | FRAME_PINNED)))
			return hv_error(PARVUS_EBUSY);
	}
	return 0;
}

/* RAM without a frame has mfn 0 then; busy too, or the gfn could become somebody else's to free. */
static u64 entry_busy(u64 e) { return (e & GFN_MFN_MASK) | GFN_BUSY; }

/* The frame of a busy entry; @t = NULL: the chunk is one. */
static mfn_t entry_busy_mfn(const u64 *t, u64 chunk, u64 i)
{
	u64 whole = chunk & GFN_MFN_MASK;

	return gfn_entry_mfn(t ? t[i] : whole ? whole + (i << PAGE_SHIFT) : 0);
}

int domain_release(struct domain *d, struct vcpu *v, u64 gfn, u64 frames)
{
	u64 first = gfn % EXTENT_FRAMES, end = first + frames, i, gone = 0, *chunk, c, *t = NULL;
	struct shadow_loss loss;
	int ret;

	if (gfn >= d->max_gfn || !frames || frames > EXTENT_FRAMES || end > EXTENT_FRAMES)
		return hv_error(PARVUS_EINVAL);
	gfn &= index_mask(gfn, d->max_gfn);
	chunk = &d->gfn_chunks[gfn >> EXTENT_ORDER];
	spin_lock(&d->gfn_lock);
	ret = release_allowed(*chunk, first, end);
	/* a chunk that has a table once keeps it */
	if (!ret && (frames < EXTENT_FRAMES || *chunk & GFN_TABLE)) {
		t = gfn_chunk_table(d, gfn);
		for (i = first; t && i < end; i++)
			WRITE_ONCE(t[i], entry_busy(t[i]));
		ret = t ? 0 : -PARVUS_ENOMEM;
	} else if (!ret) {
		WRITE_ONCE(*chunk, entry_busy(*chunk));
	}
	c = *chunk;
	spin_unlock(&d->gfn_lock);
	if (ret)
		return ret;

	memset(&loss, 0, sizeof(loss));
	smp_mb();	/* the entries, then the counts (rule 7) */
	loss.gfn = loss.end = gfn;
	if (READ_ONCE(d->gfn_chunk_maps[gfn >> EXTENT_ORDER]))
		loss.end = gfn + frames;
	for (i = first; i < end && loss.end == gfn; i++)
		if (READ_ONCE(frame_info(entry_busy_mfn(t, c, i))->count))
			loss.end = gfn + frames;
	for (i = first; i < end; i++)
		if (mfn_x(entry_busy_mfn(t, c, i)))
			loss.view |= arch_view_drop(d, entry_busy_mfn(t, c, i));
	shadow_lose(v, &loss);
	guest_access_wait();

	HOLD(&d->gfn_lock);
	for (i = first; i < end; i++) {
		mfn_t mfn = entry_busy_mfn(t, c, i);

		gone += !!mfn_x(mfn);
		BUG_ON(mfn_x(mfn) && frame_info(mfn)->count);
	}
	/* what it may have again is its own before others can take it */
	if (d->claims)
		frames_claim(d, (s64)(gone + max(d->frames - frames, d->target_frames) -
				      max(d->frames, d->target_frames)), true);
	for (i = first; i < end && t; i++) {
		mfn_t mfn = entry_busy_mfn(t, c, i);

		WRITE_ONCE(t[i], 0);
		if (mfn_x(mfn))
			free_frames(mfn, 0);
	}
	if (!t && gone)
		free_frames(gfn_entry_mfn(c), EXTENT_ORDER);
	if (!t)
		WRITE_ONCE(*chunk, 0);
	d->frames -= frames;
	d->touched -= gone;
	return 0;
}

/* RAM goes; or RAM again, as far as the limit goes, and frames come at the first touch. */
static s64 memory_each(struct vcpu *v, u64 op, u64 gpa, u64 count)
{
	struct domain *d = v->domain;
	u64 i, until = arch_now_ns() + LONG_CALL_NS;
	struct parvus_memory_extent r;
	int ret;

	count = min(count, (u64)RELEASE_CHUNK);
	for (i = 0; i < count && (!i || arch_now_ns() < until); i++, gpa += sizeof(r)) {
		if (guest_read(d, gpa, &r, sizeof(r)))
			ret = -PARVUS_EFAULT;
		else if (op == PARVUS_MEMORY_RELEASE)
			ret = domain_release(d, v, r.gfn, r.frames);
		else if (!r.frames || r.frames > EXTENT_FRAMES || r.gfn >= d->max_gfn ||
			 r.gfn % EXTENT_FRAMES + r.frames > EXTENT_FRAMES)
			ret = -PARVUS_EINVAL;
		else
			ret = memory_populate(d, _gfn(r.gfn), r.frames, false,
					      op == PARVUS_MEMORY_NEED);
		if (ret)
			return i ? (s64)i : ret;
	}
	return (s64)i;
}

static s64 memory_info(struct domain *d, u64 gpa)
{
	struct parvus_memory_info m = {
		.size = sizeof(m), .version = 1, .frames = READ_ONCE(d->frames),
		.touched = READ_ONCE(d->touched), .max_frames = d->max_frames,
		.target_frames = d->target_frames, .vcpus_target = READ_ONCE(d->vcpus_target),
	};

	/* the request last: a bad buffer loses none */
	if (guest_write(d, gpa, &m, sizeof(m)))
		return hv_error(PARVUS_EFAULT);
	m.request = atomic_xchg_u32(&d->request, 0);
	return guest_write(d, gpa, &m, sizeof(m)) ? hv_error(PARVUS_EFAULT) : 0;
}

s64 hc_memory_op(struct vcpu *v, u64 op, u64 gpa, u64 count)
{
	struct domain *d = v->domain;

	switch (op) {
	case PARVUS_MEMORY_POPULATE:
	case PARVUS_MEMORY_NEED:
	case PARVUS_MEMORY_RELEASE:
		if (d->control)
			return hv_error(PARVUS_EPERM);
		if (count > PARVUS_MEMORY_BATCH)
			return hv_error(PARVUS_E2BIG);
		return memory_each(v, op, gpa, count);
	case PARVUS_MEMORY_INFO:
		return count ? hv_error(PARVUS_EINVAL) : memory_info(d, gpa);
	default:
		return hv_error(PARVUS_ENOSYS);
	}
}
