// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frame allocator: 4 KiB frames and 2 MiB extents. Extents are split when no single frame is
 * left, and whole again when all their 512 frames are free: each extent-aligned chunk counts its
 * free frames. Free frames are linked in both directions through their frame_info, so that a
 * re-made extent takes them off the list without a search.
 */
#include <core/log.h>
#include <core/memory.h>

u64 frame_table_count;			/* set at boot */

/* Links are frame numbers + 1, 0 = end. FREE frames: count is the next one, word the previous. */

static struct {
	struct spinlock lock;	/* of all of it, and of frame_table[] for free frames */
	u64 free, total;	/* frames */
	u64 claimed;		/* of the free ones: the sum of all domains' claims */
	u32 singles, extents;	/* heads of the lists of what is free */
	u16 *chunk_free;	/* free singles per chunk */
} ram = { .lock = SPINLOCK_INIT(LOCK_FRAMES) };

static void list_add(u32 *head, u64 n)
{
	struct frame_info *f = &frame_table[n];

	f->count = *head;
	f->word = 0;
	if (*head)
		frame_table[*head - 1].word = n + 1;
	*head = (u32)n + 1;
}

static void list_del(u32 *head, u64 n)
{
	struct frame_info *f = &frame_table[n];

	if (f->word)
		frame_table[f->word - 1].count = f->count;
	else
		*head = f->count;
	if (f->count)
		frame_table[f->count - 1].word = f->word;
}

static void set_type(u64 n, enum frame_type type)
{
	frame_table[n] = (struct frame_info){ .type = (u8)type, .owner = DOMAIN_NONE };
}

static void add_extent(u64 n)
{
	for (u64 i = 0; i < EXTENT_FRAMES; i++)
		set_type(n + i, FRAME_FREE);
	frame_table[n].flags = FRAME_EXTENT;
	list_add(&ram.extents, n);
}

static void add_single(u64 n)
{
	u64 chunk = n / EXTENT_FRAMES, first = chunk * EXTENT_FRAMES, i;

	set_type(n, FRAME_FREE);
	list_add(&ram.singles, n);
	if (++ram.chunk_free[chunk] < EXTENT_FRAMES)
		return;
	for (i = 0; i < EXTENT_FRAMES; i++)
		list_del(&ram.singles, first + i);
	ram.chunk_free[chunk] = 0;
	add_extent(first);
}

void frames_add(mfn_t mfn, u64 count)
{
	u64 n = mfn_x(mfn), end = min(n + count, frame_table_count);

	HOLD(&ram.lock);
	ram.chunk_free = (u16 *)(frame_table + frame_table_count);
	ram.total += end - n;
	ram.free += end - n;
	while (n < end) {
		if (!(n % EXTENT_FRAMES) && n + EXTENT_FRAMES <= end) {
			add_extent(n);
			n += EXTENT_FRAMES;
		} else {
			add_single(n++);
		}
	}
}

static void split_extent(u64 n)
{
	list_del(&ram.extents, n);
	frame_table[n].flags = 0;
	for (u64 i = EXTENT_FRAMES; i-- > 0;) {
		set_type(n + i, FRAME_FREE);
		list_add(&ram.singles, n + i);
	}
	ram.chunk_free[n / EXTENT_FRAMES] = EXTENT_FRAMES;
}

/* A free extent, or a single frame, is the hypervisor's. */
static void free_take(u64 n, unsigned int order)
{
	if (order) {
		list_del(&ram.extents, n);
	} else {
		list_del(&ram.singles, n);
		ram.chunk_free[n / EXTENT_FRAMES]--;
	}
	for (u64 i = 0; i < 1ull << order; i++)
		set_type(n + i, FRAME_HYPERVISOR);
	ram.free -= 1ull << order;
}

static int free_take_any(struct domain *d, unsigned int order, mfn_t *out)
{
	u32 *head = order ? &ram.extents : &ram.singles;
	u64 n = 1ull << order;
	bool mine;

	HOLD(&ram.lock);
	mine = d && d->claim >= n;
	if (!mine && ram.free < ram.claimed + n)
		return -PARVUS_ENOMEM;
	if (!order && !ram.singles && ram.extents)
		split_extent(ram.extents - 1);
	if (!*head)
		return -PARVUS_ENOMEM;
	*out = _mfn(*head - 1);
	free_take(*head - 1, order);
	if (mine) {
		d->claim -= n;
		ram.claimed -= n;
	}
	return 0;
}

bool frames_claim(struct domain *d, s64 change, bool coming)
{
	HOLD(&ram.lock);
	change = max(change, -(s64)d->claim);
	if (change > 0 && !coming && ram.free < ram.claimed + (u64)change)
		return false;
	d->claim += (u64)change;
	ram.claimed += (u64)change;
	return true;
}

bool claim_frames(u64 *at, u64 end, unsigned int *order)
{
	for (; *at < min(end, frame_table_count); ++*at) {
		u64 n = *at, chunk = ROUND_DOWN(n, EXTENT_FRAMES);

		HOLD(&ram.lock);
		if (frame_table[n].type != FRAME_FREE)
			continue;
		*order = 0;
		if (frame_table[chunk].flags & FRAME_EXTENT) {
			if (n == chunk && n + EXTENT_FRAMES <= min(end, frame_table_count))
				*order = EXTENT_ORDER;
			else
				split_extent(chunk);
		}
		free_take(n, *order);
		return true;
	}
	return false;
}

void free_frames(mfn_t mfn, unsigned int order)
{
	u64 n = mfn_x(mfn);

	BUG_ON(n >= frame_table_count || frame_table[n].type == FRAME_FREE);
	HOLD(&ram.lock);
	if (order)
		add_extent(n);
	else
		add_single(n);
	ram.free += 1ull << order;
}

/* The hypervisor's own memory: from one extent after another; guests have others whole. */
#define HV_PIECE	64u
static struct {
	struct spinlock lock;
	u64 next, end;		/* frames of the extent that single ones are taken from */
	void **public;		/* free pages that every view may show; each has the next one */
	u64 public_count;
} hv = { .lock = SPINLOCK_INIT(LOCK_MEMORY) };

int alloc_claimed(struct domain *d, unsigned int order, mfn_t *out)
{
	int ret = free_take_any(d, order, out);

	if (likely(!ret) || order)
		return ret;
	/* the very last are in the hypervisor's extent */
	HOLD(&hv.lock);
	if (hv.next == hv.end)
		return ret;
	*out = _mfn(hv.next++);
	return 0;
}

int alloc_frames(unsigned int order, mfn_t *out) { return alloc_claimed(NULL, order, out); }

/* Extents side by side, for the tables of a domain as large as the machine: at boot alone. */
static int run_take(u64 frames, mfn_t *out)
{
	u64 n, first = 0;

	HOLD(&ram.lock);
	for (n = 0; n < frame_table_count && n - first < frames; n += EXTENT_FRAMES)
		if (!(frame_table[n].flags & FRAME_EXTENT))
			first = n + EXTENT_FRAMES;
	if (n < first + frames)
		return -PARVUS_ENOMEM;
	for (*out = _mfn(first); first < n; first += EXTENT_FRAMES)
		free_take(first, EXTENT_ORDER);
	return 0;
}

/* From the hypervisor's extent, or a new one; the last single ones from anywhere. */
static int hv_take(struct domain *d, u64 frames, mfn_t *out)
{
	HOLD(&hv.lock);
	if (frames == 1 && hv.next == hv.end)
		return free_take_any(d, 0, out);
	if (hv.end - hv.next < frames) {
		for (; hv.next < hv.end; hv.next++)
			free_frames(_mfn(hv.next), 0);
		if (free_take_any(NULL, EXTENT_ORDER, out))
			return -PARVUS_ENOMEM;
		hv.next = mfn_x(*out);
		hv.end = hv.next + EXTENT_FRAMES;
	}
	*out = _mfn(hv.next);
	hv.next += frames;
	return 0;
}

/* A single one may be of the claim of @d, which is NULL for none. */
static void *hv_new(struct domain *d, size_t bytes, u16 owner)
{
	u64 frames = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT, i;
	mfn_t mfn;
	u64 root;

	if (!frames || (frames > EXTENT_FRAMES ? run_take(frames, &mfn) : hv_take(d, frames, &mfn)))
		return NULL;
	root = arch_full_begin();	/* in no view yet */
	if (frames > HV_PIECE)	/* of a domain that is made: no lock is held */
		frames_clear(mfn, frames);
	else
		memset(frame_map(mfn), 0, frames << PAGE_SHIFT);
	arch_full_end(root);
	for (i = 0; i < frames; i++)
		frame_table[mfn_x(mfn) + i].owner = owner;
	return frame_map(mfn);
}

void *hv_alloc(size_t bytes) { return hv_new(NULL, bytes, DOMAIN_NONE); }
void *hv_alloc_own(u16 domain, size_t bytes) { return hv_new(NULL, bytes, domain); }
void *hv_alloc_claimed(struct domain *d, size_t bytes) { return hv_new(d, bytes, d->id); }

static void public_put(mfn_t mfn)
{
	HOLD(&hv.lock);
	*(void **)frame_map(mfn) = hv.public;
	hv.public = frame_map(mfn);
	hv.public_count++;
}

static void **public_take(void)
{
	void **page;

	HOLD(&hv.lock);
	page = hv.public;
	if (page) {
		hv.public = *page;
		hv.public_count--;
	}
	return page;
}

/* An extent is public whole: one entry of a view shows it, and with it what is not given yet. */
static bool public_more(void)
{
	u64 root;
	mfn_t mfn;

	if (free_take_any(NULL, EXTENT_ORDER, &mfn))
		return false;
	root = arch_full_begin();
	frames_clear(mfn, EXTENT_FRAMES);
	for (u64 i = EXTENT_FRAMES; i-- > 0;) {
		frame_table[mfn_x(mfn) + i].owner = OWNER_PUBLIC;
		frame_table[mfn_x(mfn) + i].flags = FRAME_WHOLE;
		public_put(_mfn(mfn_x(mfn) + i));
	}
	arch_full_end(root);
	return true;
}

void *hv_alloc_public(size_t bytes)
{
	void **page = bytes > PAGE_SIZE ? NULL : public_take();

	if (!page && bytes <= PAGE_SIZE && public_more())
		page = public_take();
	return page ? memset(page, 0, PAGE_SIZE) : hv_new(NULL, bytes, OWNER_PUBLIC);
}

void hv_free(void *p, size_t bytes)
{
	u64 frames = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT, n;

	if (!p)
		return;
	for (n = 0; n < frames; n++) {
		mfn_t mfn = _mfn(mfn_x(frame_of(p)) + n);

		if (frame_info(mfn)->owner == OWNER_PUBLIC)
			public_put(mfn);
		else
			free_frames(mfn, 0);
	}
}

/* Frames that hv_alloc holds but has not given out count as free: leak tests compare. */
u64 frames_left(void) { return READ_ONCE(ram.free) + hv.end - hv.next; }
u64 frames_kept(void) { return READ_ONCE(hv.public_count); }
u64 frames_free_count(void) { return frames_left() + frames_kept(); }
u64 frames_total_count(void) { return ram.total; }
u64 frames_claimed(void) { return READ_ONCE(ram.claimed); }
u64 frames_unclaimed(void) { return frames_left() - frames_claimed(); }
