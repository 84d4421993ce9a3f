// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory_op: the domain's own view of its memory (parvus/memory.h), and the way of a frame
 * out of a live domain.
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
#include <core/frame.h>
#include <core/lib.h>
#include <core/log.h>
#include <core/nospec.h>
#include <core/platform.h>
#include <mmu/shadow.h>
#include <core/vcpu.h>
#include <parvus/memory.h>

#define RELEASE_CHUNK	16u	/* records of one call: each may sweep the shadow pool */

static int may_go(u64 chunk, u64 first, u64 end)
{
	u64 i, e;

	for (i = first; i < end; i++) {
		e = gfn_chunk_entry(chunk, i);
		if (!gfn_is_ram(e) && !(e & GFN_DEMAND))
			return -PARVUS_EFAULT;
		if (gfn_is_ram(e) &&
		    (frame_info(gfn_entry_mfn(e))->word & (FRAME_OFFERS | FRAME_PINNED)))
			return -PARVUS_EBUSY;
	}
	return 0;
}

/* RAM without a frame has mfn 0 then; busy too, or the gfn could become somebody else's to free. */
static u64 busy(u64 e) { return (e & GFN_MFN_MASK) | GFN_BUSY; }

/* The frame of a busy entry; @t = NULL: the chunk is one. */
static mfn_t busy_mfn(const u64 *t, u64 chunk, u64 i)
{
	u64 whole = chunk & GFN_MFN_MASK;

	return gfn_entry_mfn(t ? t[i] : whole ? whole + (i << PAGE_SHIFT) : 0);
}

int domain_release(struct domain *d, struct vcpu *v, u64 gfn, u64 frames)
{
	u64 first = gfn % EXTENT_FRAMES, end = first + frames, i, gone = 0, *chunk, c;
	u64 *t = NULL;
	struct shadow_loss loss;
	int ret;

	if (gfn >= d->max_gfn || !frames || frames > EXTENT_FRAMES || end > EXTENT_FRAMES)
		return -PARVUS_EINVAL;
	gfn &= index_mask(gfn, d->max_gfn);
	chunk = &d->gfn_chunks[gfn >> EXTENT_ORDER];
	spin_lock(&d->gfn_lock);
	ret = may_go(*chunk, first, end);
	/* a chunk that has a table once keeps it */
	if (!ret && (frames < EXTENT_FRAMES || *chunk & GFN_TABLE)) {
		t = gfn_chunk_table(d, gfn);
		for (i = first; t && i < end; i++)
			WRITE_ONCE(t[i], busy(t[i]));
		ret = t ? 0 : -PARVUS_ENOMEM;
	} else if (!ret) {
		WRITE_ONCE(*chunk, busy(*chunk));
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
		if (READ_ONCE(frame_info(busy_mfn(t, c, i))->count))
			loss.end = gfn + frames;
	shadow_lose(v, &loss);
	guest_access_wait();

	spin_lock(&d->gfn_lock);
	for (i = first; i < end; i++) {
		mfn_t mfn = busy_mfn(t, c, i);

		if (t)
			WRITE_ONCE(t[i], 0);
		if (!mfn_x(mfn))
			continue;
		BUG_ON(frame_info(mfn)->count);
		gone++;
		if (t)
			free_frames(mfn, 0);
	}
	if (!t && gone)
		free_frames(gfn_entry_mfn(c), EXTENT_ORDER);
	if (!t)
		WRITE_ONCE(*chunk, 0);
	d->frames -= frames;
	d->touched -= gone;
	spin_unlock(&d->gfn_lock);
	return 0;
}

/* RAM goes; or RAM again, as far as the limit goes, and frames come at the first touch. */
static s64 op_each(struct vcpu *v, u64 op, u64 gpa, u64 count)
{
	struct domain *d = v->domain;
	u64 i, until = hv_now_ns() + LONG_CALL_NS;
	struct parvus_memory_extent r;
	int ret;

	count = min(count, (u64)RELEASE_CHUNK);
	for (i = 0; i < count && (!i || hv_now_ns() < until); i++, gpa += sizeof(r)) {
		if (guest_read(d, gpa, &r, sizeof(r)))
			ret = -PARVUS_EFAULT;
		else if (op == PARVUS_MEMORY_RELEASE)
			ret = domain_release(d, v, r.gfn, r.frames);
		else if (!r.frames || r.frames > EXTENT_FRAMES || r.gfn >= d->max_gfn ||
			 r.gfn % EXTENT_FRAMES + r.frames > EXTENT_FRAMES)
			ret = -PARVUS_EINVAL;
		else
			ret = domain_promise(d, _gfn(r.gfn), r.frames);
		if (ret)
			return i ? (s64)i : ret;
	}
	return (s64)i;
}

static s64 op_info(struct domain *d, u64 gpa)
{
	struct parvus_memory_info m = { .size = sizeof(m), .version = 1 };

	m.frames = READ_ONCE(d->frames);
	m.touched = READ_ONCE(d->touched);
	m.max_frames = d->max_frames;
	m.target_frames = d->target_frames;
	m.vcpus_target = READ_ONCE(d->vcpus_target);
	/* the request last: a bad buffer loses none */
	if (guest_write(d, gpa, &m, sizeof(m)))
		return -PARVUS_EFAULT;
	m.request = atomic_xchg_u32(&d->request, 0);
	return guest_write(d, gpa, &m, sizeof(m)) ? -PARVUS_EFAULT : 0;
}

s64 memory_op(struct vcpu *v, u64 op, u64 gpa, u64 count)
{
	struct domain *d = v->domain;

	switch (op) {
	case PARVUS_MEMORY_POPULATE:
	case PARVUS_MEMORY_RELEASE:
		if (d->control)
			return -PARVUS_EPERM;
		if (count > PARVUS_MEMORY_BATCH)
			return -PARVUS_E2BIG;
		return op_each(v, op, gpa, count);
	case PARVUS_MEMORY_INFO:
		return count ? -PARVUS_EINVAL : op_info(d, gpa);
	default:
		return -PARVUS_ENOSYS;
	}
}
