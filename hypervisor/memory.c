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
#include <hv/frame.h>
#include <hv/lib.h>
#include <hv/log.h>
#include <hv/nospec.h>
#include <hv/shadow.h>
#include <hv/vcpu.h>
#include <parvus/memory.h>

#define RELEASE_CHUNK	16u	/* records of one call: each may sweep the shadow pool */

/* The entry that stands for frame @i of a chunk. */
static u64 entry_of(u64 chunk, u64 i)
{
	if (chunk & GFN_TABLE)
		return ((u64 *)frame_map(gfn_entry_mfn(chunk)))[i];
	if (chunk & GFN_EXTENT)
		return chunk + (i << PAGE_SHIFT);
	return chunk & GFN_DEMAND ? chunk : 0;
}

/* A uniform chunk gets a page of entries, which say the same. */
static void chunk_split(u64 *chunk, u64 *t)
{
	u64 i;

	for (i = 0; i < EXTENT_FRAMES; i++)
		t[i] = entry_of(*chunk, i) & ~GFN_EXTENT;
	smp_store_release(chunk, mfn_x(frame_of(t)) << PAGE_SHIFT | GFN_TABLE);
}

static int may_go(u64 chunk, u64 first, u64 end)
{
	u64 i, e;

	for (i = first; i < end; i++) {
		e = entry_of(chunk, i);
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
	u64 *t = NULL, *spare = NULL;
	struct shadow_loss loss;
	int ret;

	if (gfn >= d->max_gfn || !frames || frames > EXTENT_FRAMES || end > EXTENT_FRAMES)
		return -PARVUS_EINVAL;
	gfn &= index_mask(gfn, d->max_gfn);
	chunk = &d->gfn_chunks[gfn >> EXTENT_ORDER];
	/* a chunk that has a table once keeps it */
	if (frames < EXTENT_FRAMES && !(READ_ONCE(*chunk) & GFN_TABLE)) {
		spare = hv_alloc(PAGE_SIZE);
		if (!spare)
			return -PARVUS_ENOMEM;
	}
	spin_lock(&d->gfn_lock);
	ret = may_go(*chunk, first, end);
	if (!ret) {
		if (spare && !(*chunk & GFN_TABLE)) {
			chunk_split(chunk, spare);
			spare = NULL;
		}
		if (*chunk & GFN_TABLE) {
			t = frame_map(gfn_entry_mfn(*chunk));
			for (i = first; i < end; i++)
				WRITE_ONCE(t[i], busy(t[i]));
		} else {
			WRITE_ONCE(*chunk, busy(*chunk));
		}
	}
	c = *chunk;
	spin_unlock(&d->gfn_lock);
	hv_free(spare, PAGE_SIZE);
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
	domain_memory_free();
	return 0;
}

static s64 op_release(struct vcpu *v, u64 gpa, u64 count)
{
	struct parvus_memory_extent r;
	u64 i;
	int ret;

	for (i = 0; i < min(count, (u64)RELEASE_CHUNK); i++, gpa += sizeof(r)) {
		ret = guest_read(v->domain, gpa, &r, sizeof(r)) ? -PARVUS_EFAULT :
		      domain_release(v->domain, v, r.gfn, r.frames);
		if (ret)
			return i ? (s64)i : ret;
	}
	return (s64)i;
}

/* RAM again, as far as the limit goes; frames come at the first touch. */
static s64 op_populate(struct domain *d, u64 gpa, u64 count)
{
	struct parvus_memory_extent r;
	u64 i;
	int ret;

	for (i = 0; i < min(count, (u64)RELEASE_CHUNK); i++, gpa += sizeof(r)) {
		if (guest_read(d, gpa, &r, sizeof(r)))
			ret = -PARVUS_EFAULT;
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
	struct parvus_memory_info m;

	memset(&m, 0, sizeof(m));
	m.size = sizeof(m);
	m.version = 1;
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
		return op == PARVUS_MEMORY_RELEASE ? op_release(v, gpa, count) : op_populate(d, gpa, count);
	case PARVUS_MEMORY_INFO:
		return count ? -PARVUS_EINVAL : op_info(d, gpa);
	default:
		return -PARVUS_ENOSYS;
	}
}
