/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of a domain (memory.c). Its gfn table says which machine frame stands behind
 * each guest-physical frame, per 2 MiB chunk where the chunk is uniform. Who takes memory
 * away clears the entry first, then calls shadow_lose() and guest_access_wait().
 */
#pragma once

#include <core/domain.h>

/* An entry per 2 MiB, and where such a chunk is no extent, a page of 512 for its frames, alike. */
#define GFN_PRESENT	1ull
#define GFN_WRITABLE	2ull
#define GFN_EXTENT	4ull	/* of a chunk: one 2 MiB extent */
#define GFN_TABLE	8ull	/* of a chunk: the mfn is a page of entries */
#define GFN_DEMAND	16ull	/* RAM without a frame: one comes at the first touch; not present */
#define GFN_FOREIGN	32ull	/* present: the frame of another domain, by a grant */
#define GFN_MMIO	64ull	/* present: no RAM; domain 0 alone */
#define GFN_BUSY	128ull	/* not present: the frame is on its way out */
#define GFN_MFN_MASK	0x000ffffffffff000ull

/* Plain RAM of the domain itself: the only memory that the hypervisor reads and writes for it. */
static inline bool gfn_is_ram(u64 e)
{
	return (e & (GFN_PRESENT | GFN_FOREIGN | GFN_MMIO)) == GFN_PRESENT;
}
static inline bool gfn_is_writable_ram(u64 e) { return gfn_is_ram(e) && (e & GFN_WRITABLE); }
static inline mfn_t gfn_entry_mfn(u64 entry) { return _mfn((entry & GFN_MFN_MASK) >> PAGE_SHIFT); }

/* The entry that stands for frame @i of a chunk. */
static inline u64 gfn_chunk_entry(u64 chunk, u64 i)
{
	if (likely(chunk & GFN_EXTENT))
		return chunk + (i << PAGE_SHIFT);
	return chunk & GFN_TABLE ? READ_ONCE(((u64 *)frame_map(gfn_entry_mfn(chunk)))[i]) : chunk;
}

/*
 * The entry of the table; 0: none, or beyond it. @word is what decides about it, *at, of the chunk
 * or of the frame: the entry is the same as long as that is, since pages of entries stay.
 */
static inline u64 gfn_lookup_word(const struct domain *d, u64 n, const u64 **at, u64 *word)
{
	*word = 0;
	*at = word;
	if (unlikely(n >= d->max_gfn))
		return 0;
	n &= index_mask(n, d->max_gfn);
	*at = &d->gfn_chunks[n >> EXTENT_ORDER];
	*word = READ_ONCE(**at);
	n &= EXTENT_FRAMES - 1;
	if (*word & GFN_EXTENT)
		return *word + (n << PAGE_SHIFT);
	if (likely(*word & GFN_TABLE)) {
		*at = (u64 *)frame_map(gfn_entry_mfn(*word)) + n;
		*word = READ_ONCE(**at);
	}
	return *word;
}

static inline u64 gfn_lookup_own(const struct domain *d, u64 n)
{
	const u64 *at;
	u64 word;

	return gfn_lookup_word(d, n, &at, &word);
}

/* What the table does not name is the machine's own for domain 0, and nothing for others. */
u64 gfn_lookup_machine(const struct domain *d, u64 gfn);

/* The frame's entry: never GFN_TABLE; GFN_EXTENT if its 2 MiB chunk is one extent; 0 = nothing. */
static inline u64 gfn_lookup(const struct domain *d, gfn_t gfn)
{
	u64 e = gfn_lookup_own(d, gfn_x(gfn));

	return likely(e) ? e : gfn_lookup_machine(d, gfn_x(gfn));
}

/* The same, but RAM gets its frame now. 0: no RAM. GFN_DEMAND: none; @reserve takes the last. */
u64 gfn_touch(struct domain *d, gfn_t gfn, bool reserve);

/* Zeroed RAM: 0, -PARVUS_EINVAL (beyond the table), EEXIST, ENOMEM: what was added stays. */
int domain_populate(struct domain *d, gfn_t gfn, u64 count);
/* The same, with frames at the first touch. Both: -PARVUS_ENOMEM beyond max_frames. */
int domain_promise(struct domain *d, gfn_t gfn, u64 count);
/* Domain 0: the free frames of [first, first + count) become its RAM, where they are. */
int domain_claim(struct domain *d, u64 first, u64 count);

/*
 * Give RAM back, with frames or without, within one 2 MiB chunk; @v is the calling vCPU. All or
 * nothing; afterwards these gfns have no memory, and no TLB holds their frames. 0, -PARVUS_EINVAL
 * (not such a range), EFAULT (a gfn is not RAM), EBUSY (a frame is offered, or registered for
 * good) or ENOMEM (an extent cannot be split).
 */
int domain_release(struct domain *d, struct vcpu *v, u64 gfn, u64 frames);
/*
 * The entry of a gfn whose chunk is no extent, with a page of entries made if there is
 * none; under gfn_lock. NULL: the chunk is one extent (or RAM without frames), or, if
 * *chunk is 0, there is no memory for the page.
 */
u64 *gfn_slot(struct domain *d, u64 gfn);
/* The table of a chunk, made if there is none, its entries as the chunk was. gfn_lock is held. */
u64 *gfn_chunk_table(struct domain *d, u64 gfn);

/* Zeroes, with interrupts let in on the way: 2 MiB are too long without. */
void frames_clear(mfn_t mfn, u64 count);

/* Frames may have come back, by a hypercall, a fault, an end: who waits tries again. No lock. */
extern u32 memory_waits;
void domain_memory_wake(void);
static inline void domain_memory_free(void)
{
	if (unlikely(READ_ONCE(memory_waits)))
		domain_memory_wake();
}
/* The domain is gone: free up to @budget chunks of its memory; true when all is gone. */
bool memory_free(struct domain *d, u64 budget);
/* A first touch found no frame in the machine: the domain sleeps until there is one. */
void domain_wait_memory(struct domain *d);

/* ---- guest_access.c: the only door to guest memory by guest-physical address ---- */

/* 0, -PARVUS_EFAULT. */
int guest_read(struct domain *d, u64 gpa, void *buf, size_t len);
int guest_write(struct domain *d, u64 gpa, const void *buf, size_t len);
/* @n bytes within one frame on both sides. 0, -PARVUS_EFAULT or -PARVUS_ENOMEM (none to touch). */
int guest_copy_frame(struct domain *to, u64 dst, struct domain *from, u64 src, size_t n);
/* In between a pCPU uses frames of a gfn table, waiting for nothing; guest_access_wait() waits. */
void guest_access_begin(void);
void guest_access_end(void);
void guest_access_wait(void);
/* max_frames and target_frames, checked: 0, or -PARVUS_ENOMEM for one that claims. control.c's. */
int domain_memory_limits(struct domain *d, u64 most, u64 target);
/* Map an aligned piece of one frame for good (RAM, writable), or NULL. It stays pinned. */
void *guest_map(struct domain *d, u64 gpa, size_t len, size_t align);
void guest_unmap(void *p);	/* it was not needed, or is no more; or NULL */
