// SPDX-License-Identifier: GPL-2.0-only
/*
 * The software TLB. Shadow tables are filled on demand from the guest's own page
 * tables and behave like a hardware TLB that happens to be large: they may lack
 * any entry, and never hold a right that the guest took away before its last
 * completed flush.
 *
 * An address space (struct aspace) is a tree of shadow tables, found by the id
 * that the guest gave it; the kernel half of a domain is one more such tree, and
 * every vCPU has an anonymous one for id 0. Tables are indexed by virtual address
 * alone, so that the guest may reuse its page-table pages as it likes. Low-half
 * pages that guest user mode must not see go to an overlay: a second tree for the
 * same top-level slot, seen in the kernel root only (review rule 23).
 *
 * A full flush detaches: entries that point to tables lose their present bit and
 * keep the table's pool index. The first fault below re-syncs the table one level
 * down, the leaf tables entry by entry against the guest's tables, and attaches it.
 * So a flush costs what is used afterwards, not what there was.
 *
 * A vCPU remembers the leaf tables of its last walk, the guest's and ours, as a CPU does in its
 * paging-structure caches, and for as long: aspace.tree counts what takes them away.
 *
 * Walk, accessed/dirty update and insert happen under the lock of the address
 * space, which a flush takes too: a fill sees the guest's entry after the guest
 * changed it, or the flush sees the fill (rules 1, 7, 8). Nobody waits for other
 * CPUs with a lock held; pages that left a tree return to the pool after the
 * shootdown. Exactly one function, leaf_make(), makes an entry that maps memory.
 *
 * Memory can go, too: a grant is unmapped, a frame released. Whoever takes it clears the
 * gfn entry first and then calls shadow_lose(). Entries are counted where the frame is:
 * a frame of the domain's own in its frame_info, a foreign one, which others map as well,
 * in a table of the domain by a hash of its number. A count of zero saves the sweep of
 * the pool, not the shootdown.
 *
 * Lock order: aspace.lock, then shadow_domain.lock.
 */
#include <core/arch.h>
#include <core/frame.h>
#include <core/lib.h>
#include <core/log.h>
#include <mmu/shadow.h>
#include <core/guest_access.h>
#include <core/handlers.h>
#include <core/hypercall.h>
#include <core/memory.h>
#include <core/vcpu.h>

/* Page-table entry bits, the guest's and ours (Intel SDM vol. 3, 4.5). */
#define P		1ull
#define W		2ull
#define U		4ull
#define A		0x20ull
#define D		0x40ull
#define PS		0x80ull
#define CACHE		0x18ull		/* PWT, PCD */
#define FOREIGN		0x200ull	/* ours, in a leaf: counted as a foreign frame */
#define NX		(1ull << 63)
#define ADDR		0x000ffffffffff000ull
#define TABLE_BITS	(P | W | U)

#define LEVEL_SHIFT(l)	(12 + 9 * ((l) - 1))
#define LEVEL_SIZE(l)	(1ull << LEVEL_SHIFT(l))
#define INDEX(va, l)	((unsigned int)((va) >> LEVEL_SHIFT(l)) & 511)

#define HOLE_FIRST	256u		/* top-level slots of the hypervisor */
#define HOLE_LAST	271u
#define OVERLAYS	16u
#define HASH		256u
#define PREFILL		16u		/* neighbours looked at, aligned */
#define EVICT_BATCH	16u
#define RELEASE_BATCH	16u		/* tables freed before other work gets a chance */
#define STUCK_LIMIT	64u

/* shadow_page.level; 1..3 are tables. TAKEN: in nobody's tree, not free, no victim. */
enum { FREE = 0, ASPACE = 4, TAKEN = 7 };

/* What is known of each pool page. Index 0 is no page. */
struct shadow_page {
	u32 mfn;
	u32 as;			/* index of the aspace's page */
	u32 parent;		/* index of the table that points here; the aspace's for level 3 */
	u32 next;		/* free list */
	u16 slot;		/* index in the parent */
	u16 lo, hi;		/* used entries lie in [lo, hi) */
	u8 level;
	bool overlay : 1;	/* level 3: in aspace.overlay[] */
	bool splinter : 1;	/* holds pieces of a larger guest mapping */
	bool foreign : 1;	/* level 1: may hold leaves of foreign frames */
};

/* One pool page. */
struct aspace {
	struct domain *domain;
	u64 id;
	gfn_t root;
	u64 guest_gen;		/* the guest's tlb_gen up to which all is flushed (rule 18) */
	u64 gen;		/* ours: raised by every change that TLBs must hear of */
	u64 tree;		/* and by those that remembered leaf tables do not survive */
	u64 gen_gpa;		/* where the guest keeps its tlb_gen, 0 = not told */
	u64 all_gen;		/* of shadow_domain.all_gen: last "flush everything" done */
	u64 loaded;		/* mask of pCPUs */
	u64 used[4];		/* slots that are not zero */
	struct spinlock lock;
	u32 refs;		/* under shadow_domain.lock */
	u32 index;		/* of its page */
	u32 hash_next;
	bool kernel;		/* the kernel half: slot[i] is top-level slot 256 + i */
	bool dead;		/* released: nothing is filled any more */
	bool shot;		/* and no TLB holds anything of it: tables may go */
	u64 dead_gen;		/* gen of the release that set dead */
	u8 overlays;
	struct overlay {
		u64 entry;
		u16 slot;
	} overlay[OVERLAYS];
	u64 slot[256];
};
BUILD_ASSERT(sizeof(struct aspace) <= PAGE_SIZE);

struct shadow_domain {
	struct spinlock lock;	/* pool, hash, refs */
	struct shadow_page *pages;
	u64 pages_bytes;
	u32 max;		/* pool pages it may have */
	u32 count;		/* pool pages it has, indices 1..count */
	u32 free_head, free_count;
	u32 clock;
	u64 all_gen;
	struct aspace *kernel;
	u32 *foreign;		/* leaves of foreign frames, by a hash; NULL = never had one */
	u32 hash[HASH];
};

/* What a pCPU has in its pair of roots: the low half, the kernel half. */
static struct loaded {
	struct aspace *as;
	u64 seen;		/* the generation that its TLB is good for [any reads] */
	u64 slots[4];		/* root slots in use, or left so by what was loaded before */
} loaded[MAX_CPUS][2];

bool shadow_exact;	/* mmu=exact: every id is 0 */

/* ---- guest-physical side ---- */

/* The only way to a guest page table: plain RAM of the domain, writable (rule 9). */
static inline u64 *guest_table(const struct domain *d, u64 gfn)
{
	u64 e = gfn_lookup_own(d, gfn);

	return likely(gfn_is_writable_ram(e)) ? frame_map(gfn_entry_mfn(e)) : NULL;
}

struct guest_walk {
	u64 *at[5];		/* by level: the entries passed */
	u64 val[5];
	u64 gfn;		/* of the 4 KiB page of the address */
	u64 above;		/* rights of the levels above the last one that was read */
	u64 rights;		/* U, W, NX of all of them */
	int top;		/* the first level that was read: 4, or 1 from a remembered table */
	int level;		/* of the leaf, or where the walk ended */
};

/* An entry below what permits @above: both have to let user mode in and write, one forbids to fetch. */
static inline u64 rights_below(u64 above, u64 val)
{
	return (above & val & (U | W)) | ((above | val) & NX);
}

enum walk_result { WALK_OK, WALK_ABSENT, WALK_RESERVED };

/* Down to a leaf, or, with @last = 2, to the table of the leaf level: val[2] names it. */
static enum walk_result guest_walk(const struct domain *d, gfn_t root, u64 va, int last,
				   struct guest_walk *w)
{
	u64 reserved = arch_reserved_bits, gfn = gfn_x(root), val, *table;
	int level;

	w->top = 4;
	w->rights = U | W;
	for (level = 4;; level--) {
		w->level = level;
		w->above = w->rights;
		table = guest_table(d, gfn);
		if (!table)
			return WALK_ABSENT;
		w->at[level] = &table[INDEX(va, level)];
		w->val[level] = val = READ_ONCE(*w->at[level]);	/* once: another vCPU may write */
		if (!(val & P))
			return WALK_ABSENT;
		if (val & reserved)
			return WALK_RESERVED;
		w->rights = rights_below(w->above, val);
		if (level == 1)
			break;
		if (val & PS) {
			if (level == 4 || (level == 3 && !arch_1g_pages) ||
			    (val & ADDR & (LEVEL_SIZE(level) - 1) & ~0x1000ull))
				return WALK_RESERVED;
			break;
		}
		gfn = (val & ADDR) >> PAGE_SHIFT;
		if (level == last)
			return WALK_OK;
	}
	w->gfn = (((val & ADDR) & ~(LEVEL_SIZE(level) - 1)) | (va & (LEVEL_SIZE(level) - 1)))
		 >> PAGE_SHIFT;
	return WALK_OK;
}

/*
 * The walk of a vCPU, from the leaf table that it remembers if that is the one. Under as->lock;
 * the gfn is looked up anew each time, since its frame may have gone.
 */
static inline u64 *recent_entry(const struct vcpu *v, const struct aspace *as, u64 va)
{
	const struct shadow_recent *m = &v->shadow.recent;
	u64 *table;

	if (unlikely(m->as != as || m->region != va >> LEVEL_SHIFT(2) || m->tree != as->tree))
		return NULL;
	table = guest_table(v->domain, m->gfn);
	return likely(table) ? table + INDEX(va, 1) : NULL;
}

static ALWAYS_INLINE enum walk_result walk(struct vcpu *v, struct aspace *as, u64 va, struct guest_walk *w)
{
	struct shadow_recent *m = &v->shadow.recent;
	u64 val, *at = recent_entry(v, as, va);
	enum walk_result r;

	if (likely(at)) {
		w->top = w->level = 1;
		w->at[1] = at;
		w->val[1] = val = READ_ONCE(*at);
		if (!(val & P))
			return WALK_ABSENT;
		if (val & arch_reserved_bits)
			return WALK_RESERVED;
		w->above = m->above;
		w->rights = rights_below(m->above, val);
		w->gfn = (val & ADDR) >> PAGE_SHIFT;
		return WALK_OK;
	}
	m->as = NULL;
	r = guest_walk(v->domain, v->shadow.root, va, 1, w);
	/* all A above are set, or the next one would have to set them */
	if (w->level == 1 && (w->val[2] & w->val[3] & w->val[4] & A))
		*m = (struct shadow_recent){ .as = as, .region = va >> LEVEL_SHIFT(2), .tree = as->tree,
			.gfn = (w->val[2] & ADDR) >> PAGE_SHIFT, .above = w->above };
	return r;
}

/* Set A on the way and D at the leaf of a write. False: an entry changed, walk again. */
static bool guest_mark(struct guest_walk *w, bool write)
{
	int level;

	for (level = w->top; level >= w->level; level--) {
		u64 want = w->val[level] | A;

		if (level == w->level && write)
			want |= D;
		if (want == w->val[level])
			continue;
		if (!atomic_cmpxchg_u64(w->at[level], w->val[level], want))
			return false;
		w->val[level] = want;
	}
	return true;
}

/* ---- the pool ---- */

static inline u64 *table_of(const struct shadow_domain *sd, u32 index)
{
	return frame_map(_mfn(sd->pages[index].mfn));
}

static u32 page_alloc(struct domain *d)
{
	struct shadow_domain *sd = d->shadow;
	struct frame_info *f;
	mfn_t mfn;
	u32 i = 0;

	spin_lock(&sd->lock);
	if (sd->free_head) {
		i = sd->free_head;
		sd->free_head = sd->pages[i].next;
		sd->free_count--;
	} else if (sd->count < sd->max && !alloc_frames(0, &mfn)) {
		f = frame_info(mfn);
		f->type = FRAME_SHADOW;
		f->owner = d->id;
		i = ++sd->count;
		f->word = i;
		sd->pages[i].mfn = (u32)mfn_x(mfn);
		memset(frame_map(mfn), 0, PAGE_SIZE);
	}
	if (i)
		sd->pages[i].level = TAKEN;
	spin_unlock(&sd->lock);
	return i;
}

/* Contents are zero: pages are cleared entry by entry when they leave their tree. */
static void page_free_locked(struct shadow_domain *sd, u32 i)
{
	sd->pages[i].level = FREE;
	sd->pages[i].next = sd->free_head;
	sd->free_head = i;
	sd->free_count++;
}

static void page_free(struct shadow_domain *sd, u32 i)
{
	spin_lock(&sd->lock);
	page_free_locked(sd, i);
	spin_unlock(&sd->lock);
}

u64 shadow_pool_free(const struct domain *d)
{
	return d->shadow->free_count + d->shadow->max - d->shadow->count;
}

u64 shadow_pages(const struct domain *d)
{
	return d->shadow->count + (d->shadow->pages_bytes + sizeof(*d->shadow)) / PAGE_SIZE + 1 +
	       (d->shadow->foreign ? SHADOW_FOREIGN * sizeof(u32) / PAGE_SIZE : 0);
}

/* ---- entries ---- */

/* A detached entry: not present, address bits zero (L1TF), the index in 1..11 and 52..62. */
static inline u64 detached(u32 index)
{
	return (u64)(index & 0x7ff) << 1 | (u64)(index >> 11) << 52;
}

static inline u32 entry_index(u64 e)
{
	if (e & P)
		return (u32)frame_info(_mfn((e & ADDR) >> PAGE_SHIFT))->word;
	return (u32)((e >> 1 & 0x7ff) | (e >> 52 & 0x7ff) << 11);
}

static inline bool is_leaf(u64 e, int level) { return level == 1 || (e & (P | PS)) == (P | PS); }

static inline void range_add(struct shadow_page *p, unsigned int i)
{
	if (p->lo >= p->hi) {
		p->lo = (u16)i;
		p->hi = (u16)(i + 1);
	} else if (i < p->lo) {
		p->lo = (u16)i;
	} else if (i >= p->hi) {
		p->hi = (u16)(i + 1);
	}
}

/*
 * The one maker of entries that map memory. The frame is taken from the domain's own
 * gfn table here, counted, and looked up again: a remap clears the gfn entry first and
 * reads the count afterwards, so one of the two sees the other (rule 7).
 * Returns 0 if the gfn has no memory, or none of the wanted size.
 */
static ALWAYS_INLINE u64 leaf_make(struct domain *d, u64 gfn, bool large, u64 rights, u64 guest_leaf)
{
	u64 g, e;
	u32 *count;	/* the domain's pool bounds it: no guest makes it overflow */

	for (;;) {
		g = gfn_lookup(d, _gfn(gfn));
		e = g & GFN_MFN_MASK;
		if (likely(gfn_is_ram(g))) {
			count = &frame_info(gfn_entry_mfn(g))->count;
			if (large) {
				if (!(g & GFN_EXTENT))
					return 0;
				count = &d->gfn_chunk_maps[gfn >> EXTENT_ORDER];
				e = (e & ~(EXTENT_SIZE - 1)) | PS;
			}
		} else if (!(g & GFN_PRESENT)) {
			return 0;
		} else if (g & GFN_MMIO) {	/* nobody's frame: not counted; cached as the guest says */
			e |= guest_leaf & CACHE;
			break;
		} else {
			count = &d->shadow->foreign[shadow_foreign_hash(gfn_entry_mfn(g))];
			e |= FOREIGN;
		}
		atomic_inc_u32(count);
		if (likely(gfn_lookup(d, _gfn(gfn)) == g))
			break;
		atomic_dec_u32(count);
	}
	e |= P | U | A;
	e |= rights & NX;	/* only where the CPU has it: else it is a reserved bit */
	if ((rights & W) && (guest_leaf & D) && (g & GFN_WRITABLE))
		e |= W | D;
	return e;
}

static void leaf_drop(struct domain *d, u64 e)
{
	mfn_t mfn = _mfn((e & ADDR) >> PAGE_SHIFT);
	struct frame_info *f = frame_info(mfn);

	if (unlikely(!f || f->type == FRAME_NONE))
		return;
	if (e & PS)
		atomic_dec_u32(&d->gfn_chunk_maps[(f->word & FRAME_GFN) >> EXTENT_ORDER]);
	else if (unlikely(e & FOREIGN))
		atomic_dec_u32(&d->shadow->foreign[shadow_foreign_hash(mfn)]);
	else
		atomic_dec_u32(&f->count);
}

static void set(u64 *at, u64 value) { WRITE_ONCE(*at, value); }

/* Remembered leaf tables are no longer what they were. Under as->lock. */
static void tree_changed(struct aspace *as)
{
	as->tree++;
	atomic_inc_u64(&as->gen);
}

static void leaf_exchange(struct aspace *as, u64 *at, u64 e)
{
	u64 old = *at;

	set(at, e);
	if (!old)
		return;
	leaf_drop(as->domain, old);
	/* another frame under a live entry: a guest that did not flush; its TLBs hold both */
	if ((old ^ e) & ADDR)
		atomic_inc_u64(&as->gen);
}

/* ---- flushing: all under as->lock ---- */

/* A table is stale from here down: take its leaves out, detach its children. */
static void table_detach(struct domain *d, u32 index)
{
	struct shadow_page *p = &d->shadow->pages[index];
	u64 *t = table_of(d->shadow, index);
	unsigned int i;

	for (i = p->lo; i < p->hi; i++) {
		u64 e = t[i];

		if (!(e & P))
			continue;
		if (is_leaf(e, p->level)) {
			set(&t[i], 0);
			leaf_drop(d, e);
		} else {
			set(&t[i], detached(entry_index(e)));
		}
	}
	if (p->level == 1) {
		p->lo = p->hi = 0;
		p->splinter = p->foreign = false;
	}
}

/*
 * Take [start, end) away below a table whose first address is @base. Tables that lie
 * wholly inside are detached. Returns true if a table was.
 */
static bool table_flush(struct domain *d, u32 index, u64 base, u64 start, u64 end)
{
	struct shadow_page *p = &d->shadow->pages[index];
	u64 *t = table_of(d->shadow, index), size = LEVEL_SIZE(p->level);
	unsigned int i, first = p->lo, stop = p->hi;
	bool tables = false;

	if (p->splinter) {	/* a piece stands for the whole: all go */
		table_detach(d, index);
		return true;
	}
	if (start > base)
		first = max(first, (unsigned int)((start - base) / size));
	if (end - base < size * 512)
		stop = min(stop, (unsigned int)((end - base + size - 1) / size));
	for (i = first; i < stop; i++) {
		u64 e = t[i], at = base + i * size;

		if (!(e & P))
			continue;
		if (is_leaf(e, p->level)) {
			set(&t[i], 0);
			leaf_drop(d, e);
		} else if (start <= at && at + (size - 1) <= end - 1) {
			set(&t[i], detached(entry_index(e)));
			tables = true;
		} else {
			tables |= table_flush(d, entry_index(e), at, start, end);
		}
	}
	return tables;
}

static u64 slot_base(const struct aspace *as, unsigned int slot)
{
	return as->kernel ? (u64)((s64)((u64)(slot + 256) << 55) >> 16) : (u64)slot << 39;
}

static bool entry_flush(struct aspace *as, u64 *at, unsigned int slot, u64 start, u64 end)
{
	u64 base = slot_base(as, slot), last = base + (LEVEL_SIZE(4) - 1);

	if (!(*at & P) || end - 1 < base || start > last)
		return false;
	if (start <= base && last <= end - 1) {
		set(at, detached(entry_index(*at)));
		return true;
	}
	return table_flush(as->domain, entry_index(*at), base, start, end);
}

/* The first of a set of slots from @slot on; 256 = none. */
static unsigned int next_slot(const u64 *set, unsigned int slot)
{
	u64 bits;

	for (; slot < 256; slot = ROUND_DOWN(slot, 64u) + 64) {
		bits = set[slot / 64] >> slot % 64;
		if (bits)
			return slot + (unsigned int)__builtin_ctzll(bits);
	}
	return slot;
}

#define for_each_slot(set, slot) \
	for (slot = next_slot(set, 0); slot < 256; slot = next_slot(set, slot + 1))

/*
 * [start, end), end = 0 for the top of the address space. @leaves: the guest has freed no table.
 * True: tables went, flush all.
 */
static bool flush_locked(struct aspace *as, u64 start, u64 end, bool leaves)
{
	unsigned int slot, i;
	bool tables = false;

	for_each_slot(as->used, slot)
		tables |= entry_flush(as, &as->slot[slot], slot, start, end);
	for (i = 0; i < as->overlays; i++)
		tables |= entry_flush(as, &as->overlay[i].entry, as->overlay[i].slot, start, end);
	as->tree += tables || !leaves;
	atomic_inc_u64(&as->gen);
	return tables;
}

/* ---- what a pCPU has loaded ---- */

static inline struct loaded *half_of(unsigned int cpu, const struct aspace *as)
{
	return &loaded[cpu][as->kernel];
}

/* The overlay of a slot, or NULL. */
static struct overlay *overlay_of(struct aspace *as, unsigned int slot)
{
	unsigned int i;

	for (i = 0; i < as->overlays; i++)
		if (as->overlay[i].slot == slot)
			return &as->overlay[i];
	return NULL;
}

static u64 low_nx(void) { return NX & ~arch_reserved_bits; }

/* Bring one slot of this pCPU's roots in line. The kernel root has the overlay, if there is one. */
static void slot_sync(unsigned int cpu, struct aspace *as, unsigned int slot)
{
	struct mmu_root *r = arch_mmu_root(cpu);
	u64 e = READ_ONCE(as->slot[slot]);
	struct overlay *o;

	half_of(cpu, as)->slots[slot / 64] |= 1ull << (slot % 64);
	if (as->kernel) {
		r->kernel_table[256 + slot] = e & P ? e : 0;
		return;
	}
	r->user_table[slot] = e & P ? e : 0;
	o = overlay_of(as, slot);
	if (unlikely(o))
		e = o->entry;
	r->kernel_table[slot] = e & P ? e | low_nx() : 0;
}

/* And all of a half: the slots that it uses, and those that its predecessor there left. */
static void slots_load(unsigned int cpu, struct aspace *as)
{
	const struct mmu_root *r = arch_mmu_root(cpu);
	u64 *slots = half_of(cpu, as)->slots, nx = as->kernel ? 0 : low_nx(), set, stay;
	u64 *kernel = r->kernel_table + (as->kernel ? 256 : 0);
	u64 *user = as->kernel ? kernel : r->user_table;	/* twice the same is one case less */
	unsigned int i, bit;

	for (i = 0; i < 256; i += 64) {
		stay = set = READ_ONCE(as->used[i / 64]) | slots[i / 64];
		for_each_bit(bit, set) {
			u64 e = READ_ONCE(as->slot[i + bit]);

			if (likely(e & P)) {
				user[i + bit] = e;
				kernel[i + bit] = e | nx;
			} else {
				user[i + bit] = kernel[i + bit] = 0;
				stay &= ~(1ull << bit);
			}
		}
		slots[i / 64] = stay;
	}
	for (i = 0; i < as->overlays; i++)
		slot_sync(cpu, as, as->overlay[i].slot);
}

/*
 * Nothing is seen of it yet: a flusher in between asks us to serve. The caller flushes the
 * hardware TLB afterwards and then publishes the generation.
 */
static u64 as_load(unsigned int cpu, struct aspace *as)
{
	u64 gen;

	smp_store_release(&half_of(cpu, as)->seen, 0);
	WRITE_ONCE(half_of(cpu, as)->as, as);
	atomic_or_u64(&as->loaded, 1ull << cpu);	/* full barrier, then the generation (rule 1) */
	gen = READ_ONCE(as->gen);
	smp_mb();
	slots_load(cpu, as);
	return gen;
}

static void as_unload(unsigned int cpu, struct aspace *as)
{
	atomic_and_u64(&as->loaded, ~(1ull << cpu));
	WRITE_ONCE(half_of(cpu, as)->as, NULL);
}

void shadow_serve(void)
{
	unsigned int cpu = arch_this_cpu();
	struct loaded *l;
	u64 gen;

	for (l = loaded[cpu]; l < loaded[cpu] + 2; l++) {
		gen = l->as ? READ_ONCE(l->as->gen) : l->seen;
		if (gen == l->seen)
			continue;
		smp_mb();
		slots_load(cpu, l->as);
		arch_tlb_flush_all();
		smp_store_release(&l->seen, gen);
	}
}

static bool cpu_behind(unsigned int cpu, const struct aspace *as, u64 gen)
{
	const struct loaded *l = half_of(cpu, as);

	return READ_ONCE(l->as) == as && smp_load_acquire(&l->seen) < gen;
}

/*
 * Every other pCPU that has @as loaded drops what it caches; this one has seen to
 * itself. No lock is held.
 */
static void shoot(struct vcpu *v, struct aspace *as, u64 gen)
{
	unsigned int me = arch_this_cpu(), cpu;
	u64 others = READ_ONCE(as->loaded) & ~(1ull << me), kick = 0;

	for_each_bit(cpu, others) {
		if (!cpu_behind(cpu, as, gen))
			others &= ~(1ull << cpu);
		else
			arch_request(cpu);
	}
	if (!others)
		return;
	smp_mb();
	for_each_bit(cpu, others) {
		if (arch_cpu_exposed(cpu)) {
			kick |= 1ull << cpu;
			v->stats.shootdowns++;
		}
	}
	if (!kick)
		return;
	arch_kick(kick);
	for_each_bit(cpu, kick) {
		while (arch_cpu_exposed(cpu) && cpu_behind(cpu, as, gen) &&
		       READ_ONCE(as->loaded) >> cpu & 1)
			cpu_relax();
	}
}

/* After a change of @as: this pCPU's own TLB and roots, then the others'. */
static void flush_done(struct vcpu *v, struct aspace *as)
{
	u64 gen = READ_ONCE(as->gen);

	shadow_serve();
	shoot(v, as, gen);
}

/* After a fill, which may have taken something away on the way. */
static void flush_if_behind(struct vcpu *v, struct aspace *as)
{
	if (READ_ONCE(as->gen) != half_of(arch_this_cpu(), as)->seen)
		flush_done(v, as);
}

/* Everything of one address space, lazily. */
static void flush_all(struct vcpu *v, struct aspace *as)
{
	spin_lock(&as->lock);
	flush_locked(as, 0, 0, false);
	spin_unlock(&as->lock);
	v->stats.flushes_full++;
	flush_done(v, as);
}

/* ---- address spaces ---- */

static unsigned int hash_of(u64 id) { return (unsigned int)(id * 0x9e3779b97f4a7c15ull >> 56) % HASH; }

static struct aspace *as_at(struct shadow_domain *sd, u32 index)
{
	return (struct aspace *)table_of(sd, index);
}

static struct aspace *as_find_locked(struct shadow_domain *sd, u64 id)
{
	struct aspace *as;
	u32 i;

	for (i = sd->hash[hash_of(id)]; i; i = as->hash_next) {
		as = as_at(sd, i);
		if (as->id == id)
			return as;
	}
	return NULL;
}

static struct aspace *as_get(struct shadow_domain *sd, u64 id)
{
	struct aspace *as;

	spin_lock(&sd->lock);
	as = as_find_locked(sd, id);
	if (as)
		as->refs++;
	spin_unlock(&sd->lock);
	return as;
}

/* What a vCPU has, which may change to another at any time. */
static struct aspace *as_get_current(struct vcpu *v)
{
	struct shadow_domain *sd = v->domain->shadow;
	struct aspace *as;

	spin_lock(&sd->lock);
	as = v->shadow.as;
	as->refs++;
	spin_unlock(&sd->lock);
	return as;
}

/* Under sd->lock, refs == 0, tree empty. */
static void as_free_locked(struct shadow_domain *sd, struct aspace *as)
{
	u32 *at = &sd->hash[hash_of(as->id)], index = as->index;

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

static void as_put(struct shadow_domain *sd, struct aspace *as)
{
	spin_lock(&sd->lock);
	if (!--as->refs && as->dead && as_empty(as))
		as_free_locked(sd, as);
	spin_unlock(&sd->lock);
}

static struct aspace *as_make(struct domain *d, u32 index, u64 id, gfn_t root)
{
	struct shadow_domain *sd = d->shadow;
	struct aspace *as = as_at(sd, index);

	as->domain = d;
	as->id = id;
	as->root = root;
	as->index = index;
	as->refs = 1;
	as->gen = 1;
	spin_lock(&sd->lock);
	as->all_gen = sd->all_gen;
	sd->pages[index].level = ASPACE;
	sd->pages[index].as = index;
	spin_unlock(&sd->lock);
	return as;
}

/* Where the entry that points to a table lives. */
static u64 *parent_entry(struct shadow_domain *sd, struct aspace *as, const struct shadow_page *p)
{
	if (p->level != 3)
		return &table_of(sd, p->parent)[p->slot];
	return p->overlay ? &overlay_of(as, p->slot)->entry : &as->slot[p->slot];
}

static void unlink_table(struct shadow_domain *sd, struct aspace *as, u32 index)
{
	struct shadow_page *p = &sd->pages[index];
	struct overlay *o;

	set(parent_entry(sd, as, p), 0);
	if (p->level == 3 && !p->overlay) {
		as->used[p->slot / 64] &= ~(1ull << (p->slot % 64));
	} else if (p->level == 3) {
		o = overlay_of(as, p->slot);
		*o = as->overlay[--as->overlays];
	}
	p->lo = p->hi = 0;
	p->splinter = p->foreign = p->overlay = false;
	p->level = TAKEN;
}

static bool table_empty(struct shadow_domain *sd, u32 index)
{
	struct shadow_page *p = &sd->pages[index];
	u64 *t = table_of(sd, index);

	while (p->lo < p->hi && !t[p->lo])
		p->lo++;
	while (p->hi > p->lo && !t[p->hi - 1])
		p->hi--;
	return p->lo >= p->hi;
}

/* ---- eviction ---- */

/* Second chance by the accessed bit of the entry above, which the CPU sets when it walks. */
static bool evict_table(struct aspace *as, u32 index)
{
	struct shadow_domain *sd = as->domain->shadow;
	struct shadow_page *p = &sd->pages[index];
	u64 *above = parent_entry(sd, as, p), *t = table_of(sd, index);
	unsigned int i;

	if (p->level == 1 || !table_empty(sd, index)) {
		if ((*above & (P | A)) == (P | A)) {
			atomic_and_u64(above, ~A);
			return false;
		}
		/* large leaves go with a table that was not used; tables below go first */
		for (i = p->lo; i < p->hi; i++)
			if (t[i] && !is_leaf(t[i], p->level))
				return false;
		table_detach(as->domain, index);
	}
	unlink_table(sd, as, index);
	tree_changed(as);
	return true;
}

/* Take up to EVICT_BATCH pages out of trees and back to the pool. No lock is held. */
static unsigned int evict(struct vcpu *v)
{
	struct shadow_domain *sd = v->domain->shadow;
	struct aspace *touched[EVICT_BATCH];
	u32 victims[EVICT_BATCH], n = 0, freed = 0, scanned, i;

	for (scanned = 0; scanned < 2 * sd->count + 2 && n + freed < EVICT_BATCH; scanned++) {
		struct aspace *as;
		struct shadow_page *p;
		bool taken;

		spin_lock(&sd->lock);
		i = sd->clock = sd->clock >= sd->count ? 1 : sd->clock + 1;
		p = &sd->pages[i];
		if (p->level == FREE || p->level > ASPACE) {
			spin_unlock(&sd->lock);
			continue;
		}
		as = as_at(sd, p->as);
		if (p->level == ASPACE) {
			if (!as->refs && as_empty(as)) {
				as_free_locked(sd, as);
				freed++;
			}
			spin_unlock(&sd->lock);
			continue;
		}
		as->refs++;
		spin_unlock(&sd->lock);
		spin_lock(&as->lock);
		taken = p->as == as->index && p->level >= 1 && p->level <= 3 && evict_table(as, i);
		spin_unlock(&as->lock);
		if (taken) {
			victims[n] = i;
			touched[n++] = as;	/* keeps the reference */
		} else {
			as_put(sd, as);
		}
	}
	for (i = 0; i < n; i++) {
		flush_done(v, touched[i]);
		as_put(sd, touched[i]);
		page_free(sd, victims[i]);
	}
	v->stats.evictions += n;
	return n + freed;
}

static u32 page_want(struct vcpu *v)
{
	unsigned int tries;
	u32 i;

	for (tries = 0; tries < 64; tries++) {
		i = page_alloc(v->domain);
		if (i)
			return i;
		evict(v);
	}
	return 0;
}

/* Tables for one fault, before any lock is taken. */
static bool reserve_fill(struct vcpu *v)
{
	while (v->shadow.reserved < SHADOW_RESERVE) {
		u32 i = page_want(v);

		if (!i) {
			domain_kill(v->domain, "shadow pool of %u pages exhausted", v->domain->shadow->max);
			return false;
		}
		v->shadow.reserve[v->shadow.reserved++] = i;
	}
	return true;
}

/* ---- filling: under as->lock ---- */

static u32 table_new(struct vcpu *v, struct aspace *as, u32 parent, unsigned int slot, u8 level,
		     bool overlay)
{
	u32 i = v->shadow.reserve[--v->shadow.reserved];
	struct shadow_page *p = &v->domain->shadow->pages[i];

	p->as = as->index;
	p->parent = parent;
	p->slot = (u16)slot;
	p->lo = p->hi = 0;
	p->overlay = overlay;
	p->splinter = false;
	p->level = level;
	return i;
}

/* The entry that a guest leaf stands for in a leaf table may stay, with today's rights, or goes. */
static void resync_leaf_table(struct vcpu *v, struct aspace *as, u32 index, u64 va, bool overlay)
{
	struct domain *d = v->domain;
	struct shadow_page *p = &d->shadow->pages[index];
	u64 *t = table_of(d->shadow, index), *guest, reserved = arch_reserved_bits;
	struct guest_walk w;
	unsigned int i;

	v->stats.resyncs++;
	if (p->splinter || guest_walk(d, v->shadow.root, va, 2, &w) != WALK_OK ||
	    (w.val[2] & PS) || w.level != 2) {
		table_detach(d, index);
		return;
	}
	guest = guest_table(d, (w.val[2] & ADDR) >> PAGE_SHIFT);
	for (i = p->lo; i < p->hi; i++) {
		u64 e = t[i], g, m, keep;

		if (!e)
			continue;
		g = guest ? READ_ONCE(guest[i]) : 0;
		if ((g & (P | A)) == (P | A) && !(g & reserved) &&
		    (as->kernel || overlay || (w.rights & g & U))) {
			m = gfn_lookup(d, _gfn((g & ADDR) >> PAGE_SHIFT));
			if ((m & GFN_PRESENT) && (m & GFN_MFN_MASK) == (e & ADDR)) {
				keep = (e & (ADDR | FOREIGN)) | P | U | A;
				if (m & GFN_MMIO)
					keep |= g & CACHE;
				keep |= (w.rights | g) & low_nx();
				if ((w.rights & g & W) && (g & D) && (m & GFN_WRITABLE))
					keep |= W | D;
				set(&t[i], keep);
				continue;
			}
		}
		set(&t[i], 0);
		leaf_drop(d, e);
	}
}

/* Make the table below an entry, or re-sync and attach a detached one. */
static NOINLINE u32 table_attach(struct vcpu *v, struct aspace *as, u64 *at,
						  u32 parent, unsigned int slot, u8 level,
						  u64 va, bool overlay)
{
	struct shadow_domain *sd = v->domain->shadow;
	u64 e = *at;
	u32 i;

	if (e) {
		i = entry_index(e);
		if (level == 1)
			resync_leaf_table(v, as, i, va, overlay);
		else
			table_detach(v->domain, i);
	} else {
		i = table_new(v, as, parent, slot, level, overlay && level == 3);
	}
	set(at, (u64)sd->pages[i].mfn << PAGE_SHIFT | TABLE_BITS | A);
	return i;
}

static inline u32 table_below(struct vcpu *v, struct aspace *as, u64 *at, u32 parent, unsigned int slot,
			      u8 level, u64 va, bool overlay)
{
	if (likely(*at & P))
		return entry_index(*at);
	return table_attach(v, as, at, parent, slot, level, va, overlay);
}

static u64 *top_entry(struct aspace *as, unsigned int slot, bool overlay)
{
	struct overlay *o;

	if (!overlay) {
		as->used[slot / 64] |= 1ull << (slot % 64);
		return &as->slot[slot];
	}
	o = overlay_of(as, slot);
	if (o)
		return &o->entry;
	if (as->overlays == OVERLAYS)
		return NULL;
	o = &as->overlay[as->overlays];
	o->slot = (u16)slot;
	o->entry = 0;
	as->overlays++;
	atomic_inc_u64(&as->gen);	/* kernel roots go over to it */
	return &o->entry;
}

enum fill { FILL_DONE, FILL_NO_MEMORY, FILL_SIZE_CHANGE, FILL_WAIT };

/*
 * Tables of the tree down to the leaf table for @va, or, where memory is uniform, a large
 * leaf: then *index is 0. FILL_SIZE_CHANGE: a mapping of another size was in the way and has
 * been taken out; shoot down, then come again (rule 6). FILL_WAIT: the machine has no frame for
 * a first touch.
 */
static enum fill fill_tables(struct vcpu *v, struct aspace *as, u64 va, const struct guest_walk *w,
			     bool overlay, u32 access, u32 *index)
{
	struct domain *d = v->domain;
	struct shadow_domain *sd = d->shadow;
	unsigned int slot = as->kernel ? INDEX(va, 4) - 256 : INDEX(va, 4), i;
	u64 *at = top_entry(as, slot, overlay), e, old;
	u32 l3, l2, l1;
	bool large;

	if (!at)
		return FILL_NO_MEMORY;
	/* for a large page there may be an extent; a small one asks when it finds nothing */
	if (w->level >= 2 && gfn_touch(d, _gfn(w->gfn), access & PF_RESERVE) == GFN_DEMAND)
		return FILL_WAIT;
	l3 = table_below(v, as, at, as->index, slot, 3, va, overlay);
	slot_sync(arch_this_cpu(), as, slot);
	i = INDEX(va, 3);
	range_add(&sd->pages[l3], i);
	l2 = table_below(v, as, &table_of(sd, l3)[i], l3, i, 2, va, overlay);
	i = INDEX(va, 2);
	range_add(&sd->pages[l2], i);
	at = &table_of(sd, l2)[i];
	old = *at;
	if (w->level == 3)
		sd->pages[l2].splinter = true;

	large = w->level >= 2 && (gfn_lookup(d, _gfn(w->gfn)) & GFN_EXTENT);
	if (large && old && !is_leaf(old, 2)) {
		l1 = entry_index(old);
		table_detach(d, l1);
		unlink_table(sd, as, l1);
		v->shadow.limbo = l1;
		tree_changed(as);
		return FILL_SIZE_CHANGE;
	}
	if (large) {
		e = leaf_make(d, w->gfn, true, w->rights, w->val[w->level]);
		if (!e)
			return FILL_SIZE_CHANGE;	/* the extent was split just now */
		leaf_exchange(as, at, e);
		*index = 0;
		return FILL_DONE;
	}
	if (old && is_leaf(old, 2)) {
		set(at, 0);
		leaf_drop(d, old);
		atomic_inc_u64(&as->gen);
		return FILL_SIZE_CHANGE;
	}
	*index = table_below(v, as, at, l2, i, 1, va, overlay);
	if (w->level == 1 && !overlay)
		v->shadow.recent.index = *index;
	return FILL_DONE;
}

/* A neighbour that is valid and was accessed: never sets A or D, never takes memory (section 8). */
static bool fill_neighbour(struct vcpu *v, u32 l1, unsigned int i, const struct guest_walk *w,
			   u64 *t, u64 g, bool user)
{
	struct shadow_domain *sd = v->domain->shadow;
	u64 e;

	if ((g & arch_reserved_bits) || (user && !(g & U)))
		return false;
	e = leaf_make(v->domain, (g & ADDR) >> PAGE_SHIFT, false, rights_below(w->above, g), g);
	if (!e)
		return false;
	if (unlikely(e & FOREIGN))
		sd->pages[l1].foreign = true;
	set(&t[i], e);
	range_add(&sd->pages[l1], i);
	v->stats.prefills++;
	return true;
}

/* Insert what @w, the walk just made, found for @va into the tree. */
static enum fill fill(struct vcpu *v, struct aspace *as, u64 va, struct guest_walk *w,
		      bool overlay, u32 access, u64 *count)
{
	const struct shadow_recent *m = &v->shadow.recent;
	struct domain *d = v->domain;
	struct shadow_domain *sd = d->shadow;
	unsigned int i = INDEX(va, 1), n;
	bool user = !as->kernel && !overlay;
	u64 e, g, *t, *guest;
	enum fill f;
	u32 l1;

	if (likely(m->as == as && m->index && !overlay)) {
		l1 = m->index;
	} else {
		f = fill_tables(v, as, va, w, overlay, access, &l1);
		if (f == FILL_DONE)
			(*count) += !l1;
		if (f != FILL_DONE || !l1)
			return f;
	}
	range_add(&sd->pages[l1], i);
	e = leaf_make(d, w->gfn, false, w->rights, w->val[w->level]);
	if (unlikely(!e)) {
		if (access & PF_PREFILL)	/* never takes memory */
			return FILL_NO_MEMORY;
		if (gfn_touch(d, _gfn(w->gfn), access & PF_RESERVE) == GFN_DEMAND)
			return FILL_WAIT;
		e = leaf_make(d, w->gfn, false, w->rights, w->val[w->level]);
		if (!e)
			return FILL_NO_MEMORY;
	}
	if (unlikely(e & FOREIGN))
		sd->pages[l1].foreign = true;
	t = table_of(sd, l1);
	leaf_exchange(as, &t[i], e);
	(*count)++;
	if (w->level >= 2) {
		sd->pages[l1].splinter = true;
		return FILL_DONE;
	}
	/* what the guest maps ahead of a fault lies side by side */
	guest = w->at[1] - i;
#define NEIGHBOUR(n) (!t[n] && ((g = READ_ONCE(guest[n])) & (P | A)) == (P | A) && \
		      fill_neighbour(v, l1, n, w, t, g, user))
	for (n = i + 1; n % PREFILL && NEIGHBOUR(n); n++)
		;
	for (n = i; n-- % PREFILL && NEIGHBOUR(n);)
		;
	return FILL_DONE;
#undef NEIGHBOUR
}

/*
 * The same fault again and again, though each time an entry was made that permits the access. New
 * address spaces begin with the same generation, and their kernels with the same fault: so the
 * id is compared, too, which Linux never uses twice.
 */
static bool stuck(struct vcpu *v, const struct aspace *as, u64 rip, u64 va)
{
	struct vcpu_shadow *s = &v->shadow;
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

static struct aspace *as_of(struct vcpu *v, u64 va)
{
	return (s64)va < 0 ? v->domain->shadow->kernel : v->shadow.as;
}

/* A table taken out by a size change goes home once nobody can walk it. */
static void limbo_done(struct vcpu *v, struct aspace *as)
{
	flush_done(v, as);
	if (v->shadow.limbo) {
		page_free(v->domain->shadow, v->shadow.limbo);
		v->shadow.limbo = 0;
	}
}

/* All but the shortest way of shadow_fault(). */
static NOINLINE enum shadow_result fault(struct vcpu *v, u64 va, u32 access, bool user, u64 rip, u32 *error)
{
	struct domain *d = v->domain;
	struct aspace *as = as_of(v, va);
	bool high = (s64)va < 0, write = access & PF_WRITE, fetch = access & PF_FETCH, overlay;
	unsigned int slot = INDEX(va, 4), retries = 0;
	struct guest_walk w;
	enum walk_result r;
	enum fill f;

	if (slot >= HOLE_FIRST && slot <= HOLE_LAST)
		return SHADOW_GUEST_FAULT;
again:
	if (!reserve_fill(v))
		return SHADOW_KILLED;
	spin_lock(&as->lock);
	do {
		r = as->dead ? WALK_ABSENT : walk(v, as, va, &w);
		if (r != WALK_OK)
			break;
		/* the last: a grant for reading, which no entry of the guest's makes writable */
		if ((user && (high || !(w.rights & U))) || (write && !(w.rights & W)) ||
		    (fetch && (w.rights & NX)) ||
		    (fetch && !user && !high) ||
		    (write && unlikely((gfn_lookup(d, _gfn(w.gfn)) & (GFN_PRESENT | GFN_WRITABLE)) ==
				       GFN_PRESENT))) {
			spin_unlock(&as->lock);
			*error |= PF_PRESENT;
			return SHADOW_GUEST_FAULT;
		}
	} while (!guest_mark(&w, write) && ++retries < 32);
	if (r != WALK_OK) {
		spin_unlock(&as->lock);
		if (r == WALK_RESERVED)
			*error |= PF_RESERVED | PF_PRESENT;
		return SHADOW_GUEST_FAULT;
	}
	if (retries >= 32) {		/* somebody rewrites the entry all the time: let it run */
		spin_unlock(&as->lock);
		return SHADOW_DONE;
	}
	overlay = !high && !user && (!(w.rights & U) || overlay_of(as, slot));
	f = fill(v, as, va, &w, overlay, access, &v->stats.fills);
	spin_unlock(&as->lock);
	if (f == FILL_SIZE_CHANGE) {
		limbo_done(v, as);
		if (++retries < 32)
			goto again;
		return SHADOW_DONE;
	}
	if (f == FILL_WAIT)
		return SHADOW_WAIT;
	if (f == FILL_NO_MEMORY && overlay && as->overlays == OVERLAYS) {
		flush_all(v, as);
		domain_kill(d, "more than %u top-level slots with kernel-only pages", OVERLAYS);
		return SHADOW_KILLED;
	}
	if (f == FILL_NO_MEMORY && d->control)	/* who looks around there is told, as by a bus error */
		return SHADOW_GUEST_FAULT;
	if (f == FILL_NO_MEMORY) {
		domain_kill(d, "access to va %lx names gfn %lx, which has no memory (rip %lx)",
			    (unsigned long)va, (unsigned long)w.gfn, (unsigned long)rip);
		return SHADOW_KILLED;
	}
	flush_if_behind(v, as);
	if (stuck(v, as, rip, va)) {
		domain_kill(d, "no progress: fault at va %lx, rip %lx, access %x again and again",
			    (unsigned long)va, (unsigned long)rip, access);
		return SHADOW_KILLED;
	}
	return SHADOW_DONE;
}

enum shadow_result shadow_fault(struct vcpu *v, u64 va, u32 access, bool user, u64 rip, u32 *error)
{
	struct aspace *as = as_of(v, va);
	const u64 *at;
	bool absent;

	*error = (access & (PF_WRITE | PF_FETCH)) | (user ? PF_USER : 0);
	spin_lock(&as->lock);
	at = recent_entry(v, as, va);
	absent = at && !(READ_ONCE(*at) & P);	/* a demand fault, which is the guest's */
	spin_unlock(&as->lock);
	return likely(absent) ? SHADOW_GUEST_FAULT : fault(v, va, access, user, rip, error);
}

void shadow_note_fault(struct vcpu *v, u64 va)
{
	v->shadow.prefill_va = va;
	v->shadow.prefill_as = as_of(v, va);
}

void shadow_prefill(struct vcpu *v)
{
	struct aspace *as = v->shadow.prefill_as;
	u64 va = v->shadow.prefill_va;
	unsigned int slot = INDEX(va, 4);
	struct guest_walk w;
	enum fill f = FILL_DONE;

	v->shadow.prefill_as = NULL;
	if (!as || as != as_of(v, va) || (slot >= HOLE_FIRST && slot <= HOLE_LAST))
		return;
	if (unlikely(v->shadow.reserved < SHADOW_RESERVE) && !reserve_fill(v))
		return;
	spin_lock(&as->lock);
	if (!as->dead && walk(v, as, va, &w) == WALK_OK &&
	    (w.val[w.level] & A) && (as->kernel || ((w.rights & U) && !overlay_of(as, slot))) &&
	    (w.level == 1 || (gfn_lookup(v->domain, _gfn(w.gfn)) & GFN_PRESENT)))
		f = fill(v, as, va, &w, false, PF_PREFILL, &v->stats.prefills);
	spin_unlock(&as->lock);
	if (f == FILL_SIZE_CHANGE)
		limbo_done(v, as);
	flush_if_behind(v, as);
}

/* ---- the calls ---- */

void shadow_load(struct vcpu *v)
{
	unsigned int cpu = arch_this_cpu();
	struct aspace *as = v->shadow.as, *kernel = v->domain->shadow->kernel;
	u64 gen = as_load(cpu, as), kernel_gen = as_load(cpu, kernel);

	arch_roots_enter();
	smp_store_release(&half_of(cpu, as)->seen, gen);
	smp_store_release(&half_of(cpu, kernel)->seen, kernel_gen);
}

/* What the roots hold may go from now on: nothing looks at them before the next load. */
void shadow_unload(struct vcpu *v)
{
	arch_roots_leave();
	as_unload(arch_this_cpu(), v->shadow.as);
	as_unload(arch_this_cpu(), v->domain->shadow->kernel);
}

/* The vCPU goes over to @as, whose reference it takes. */
static void as_change(struct vcpu *v, struct aspace *as)
{
	unsigned int cpu = arch_this_cpu();
	struct aspace *old = v->shadow.as;
	u64 gen;

	v->shadow.as = as;
	v->shadow.prefill_as = v->shadow.recent.as = NULL;
	if (old == as) {
		if (as != v->shadow.anon)
			as_put(v->domain->shadow, old);
		shadow_serve();
		arch_tlb_flush_all();
		return;
	}
	gen = as_load(cpu, as);
	arch_tlb_flush_all();
	smp_store_release(&half_of(cpu, as)->seen, gen);
	atomic_and_u64(&old->loaded, ~(1ull << cpu));
	if (old != v->shadow.anon)
		as_put(v->domain->shadow, old);
}

static int as_find_or_make(struct vcpu *v, u64 id, gfn_t root, u64 tlb_gen, struct aspace **out)
{
	struct shadow_domain *sd = v->domain->shadow;
	struct aspace *as = as_get(sd, id), *first;
	u32 i;

	if (!as) {
		i = page_want(v);
		if (!i)
			return -PARVUS_ENOMEM;
		as = as_make(v->domain, i, id, root);
		as->guest_gen = tlb_gen;
		/* two vCPUs may come with the same new id: the first one's stays */
		spin_lock(&sd->lock);
		first = as_find_locked(sd, id);
		if (first) {
			as_free_locked(sd, as);
			as = first;
			as->refs++;
		} else {
			as->hash_next = sd->hash[hash_of(id)];
			sd->hash[hash_of(id)] = as->index;
		}
		spin_unlock(&sd->lock);
	}
	*out = as;
	return 0;
}

s64 hc_mmu_switch(struct vcpu *v, u64 id, u64 root_gpa, u64 kernel_view, u64 tlb_gen, u64 gen_gpa,
		  u64 flags)
{
	struct shadow_domain *sd = v->domain->shadow;
	gfn_t root = _gfn(root_gpa >> PAGE_SHIFT);
	struct aspace *as = v->shadow.anon;
	bool stale, rebound = false;
	u64 all_gen;
	int ret;

	if ((root_gpa & (PAGE_SIZE - 1)) || kernel_view || flags > PARVUS_SWITCH_ALL)
		return -PARVUS_EINVAL;
	if (!guest_table(v->domain, gfn_x(root)) ||
	    (gen_gpa && ((gen_gpa & 7) || !guest_table(v->domain, gen_gpa >> PAGE_SHIFT))))
		return -PARVUS_EFAULT;
	if (shadow_exact)
		id = 0;
	if (id) {
		ret = as_find_or_make(v, id, root, tlb_gen, &as);
		if (ret)
			return ret;
	}
	all_gen = READ_ONCE(sd->all_gen);
	if (unlikely(as->dead || gfn_x(as->root) != gfn_x(root))) {
		spin_lock(&as->lock);
		rebound = true;
		as->dead = as->shot = false;
		as->root = root;
		spin_unlock(&as->lock);
	}
	WRITE_ONCE(as->gen_gpa, gen_gpa);
	stale = rebound || !id || tlb_gen > READ_ONCE(as->guest_gen) || as->all_gen != all_gen ||
		flags >= PARVUS_SWITCH_AS;
	v->shadow.root = root;
	if (stale) {
		flush_all(v, as);
		/* only now that every CPU is done (rule 18) */
		spin_lock(&as->lock);
		/* id 0 stands for another address space each time: its number begins anew */
		as->guest_gen = id ? max(as->guest_gen, tlb_gen) : tlb_gen;
		as->all_gen = all_gen;
		spin_unlock(&as->lock);
	}
	if (flags == PARVUS_SWITCH_ALL || shadow_exact)
		flush_all(v, sd->kernel);
	as_change(v, as);
	return 0;
}

static void flush_range(struct vcpu *v, struct aspace *as, u64 start, u64 end, bool leaves)
{
	struct loaded *here = half_of(arch_this_cpu(), as);
	bool tables, in_step;
	u64 gen, va;

	spin_lock(&as->lock);
	in_step = here->as == as && here->seen == as->gen;
	tables = flush_locked(as, start, end, leaves);
	gen = as->gen;
	spin_unlock(&as->lock);
	v->stats.flushes++;
	/* a few pages, and nothing else was missed: page by page; else all of it */
	if (in_step && !tables && end - start <= 32 * PAGE_SIZE) {
		for (va = start; va != end; va += PAGE_SIZE)
			arch_tlb_flush_page(va);
		smp_store_release(&here->seen, gen);
	} else {
		shadow_serve();
	}
	shoot(v, as, gen);
}

/* All CPUs have done what the guest's tlb_gen @gen stands for, and only now (rule 18). */
static void gen_done(struct aspace *as, u64 gen)
{
	spin_lock(&as->lock);
	as->guest_gen = max(as->guest_gen, gen);
	spin_unlock(&as->lock);
}

static void flush_by_gen(struct vcpu *v, u64 id, u64 new_gen, u64 start, u64 end, bool whole,
			 bool leaves)
{
	struct aspace *anon = v->shadow.anon, *as = id ? as_get(v->domain->shadow, id) : anon;
	u64 gen;

	if (!as)
		return;
	gen = READ_ONCE(as->guest_gen);
	if (as == anon || new_gen > gen) {
		if (whole || (as != anon && new_gen != gen + 1))
			flush_all(v, as);
		else
			flush_range(v, as, start, end, leaves);
		gen_done(as, new_gen);
	}
	if (as != anon)
		as_put(v->domain->shadow, as);
}

/* The kernel half, and the address space of each vCPU: all that a pCPU can have loaded. */
static void for_each_current(struct vcpu *v, void (*fn)(struct vcpu *v, struct aspace *as))
{
	struct shadow_domain *sd = v->domain->shadow;
	unsigned int i;

	fn(v, sd->kernel);
	for (i = 0; i < v->domain->vcpu_count; i++) {
		struct aspace *as = as_get_current(v->domain->vcpus[i]);

		fn(v, as);
		as_put(sd, as);
	}
}

s64 hc_mmu_flush(struct vcpu *v, u64 id, u64 new_gen, u64 start, u64 end, u64 stride, u64 flags)
{
	u64 kind = flags & PARVUS_FLUSH_KIND;
	bool ranged = kind == PARVUS_FLUSH_RANGE || kind == PARVUS_FLUSH_KERNEL ||
		      kind == PARVUS_FLUSH_CURRENT;

	if ((flags & ~(u64)(PARVUS_FLUSH_KIND | PARVUS_FLUSH_FREED_TABLES)) ||
	    kind > PARVUS_FLUSH_CURRENT)
		return -PARVUS_EINVAL;
	if (ranged) {
		if ((stride & (stride - 1)) || (start & (PAGE_SIZE - 1)) || (end & (PAGE_SIZE - 1)))
			return -PARVUS_EINVAL;
		if (start == end)
			return 0;
		if (end - 1 < start)	/* end = 0: up to the top of the address space */
			return -PARVUS_EINVAL;
	}
	if ((kind == PARVUS_FLUSH_KERNEL || kind == PARVUS_FLUSH_KERNEL_ALL) && id)
		return -PARVUS_EINVAL;
	/* exact mode: whoever runs the address space has it under an anonymous one of its own */
	if (shadow_exact)
		kind = PARVUS_FLUSH_ALL;
	switch (kind) {
	case PARVUS_FLUSH_RANGE:
		flush_by_gen(v, id, new_gen, start, end, false, !(flags & PARVUS_FLUSH_FREED_TABLES));
		break;
	case PARVUS_FLUSH_AS:
		flush_by_gen(v, id, new_gen, 0, 0, true, false);
		break;
	case PARVUS_FLUSH_CURRENT:
		flush_range(v, v->shadow.as, start, end, false);
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

/* ---- memory that goes ---- */

int shadow_foreign_init(struct domain *d)
{
	struct shadow_domain *sd = d->shadow;
	u32 *counts = sd->foreign ? NULL : hv_alloc(SHADOW_FOREIGN * sizeof(u32));

	if (!sd->foreign && !counts)
		return -PARVUS_ENOMEM;
	spin_lock(&sd->lock);
	if (!sd->foreign) {
		sd->foreign = counts;
		counts = NULL;
	}
	spin_unlock(&sd->lock);
	if (counts)
		hv_free(counts, SHADOW_FOREIGN * sizeof(u32));
	return 0;
}

bool shadow_maps_foreign(const struct domain *d, mfn_t mfn)
{
	smp_mb();	/* the gfn entry was changed before */
	return READ_ONCE(d->shadow->foreign[shadow_foreign_hash(mfn)]);
}

void shadow_flush_hint(struct vcpu *v, u64 start, u64 end)
{
	flush_range(v, as_of(v, start), start, end, false);
}

static bool is_lost(const struct shadow_loss *l, u64 e)
{
	mfn_t mfn = _mfn((e & ADDR) >> PAGE_SHIFT);
	u64 gfn;

	if (e & FOREIGN)
		return shadow_loss_has(l, mfn);
	if (l->gfn == l->end)	/* a device has no frame_info, but nobody who has one releases RAM */
		return false;
	gfn = frame_info(mfn)->word & FRAME_GFN;
	if (e & PS)
		return gfn < l->end && l->gfn < gfn + EXTENT_FRAMES;
	return gfn >= l->gfn && gfn < l->end;
}

/* Clear what is lost of one table; what is cleared too much comes back by a fault. */
static void table_sweep(struct aspace *as, u32 index, const struct shadow_loss *l)
{
	struct domain *d = as->domain;
	struct shadow_page *p = &d->shadow->pages[index];
	u64 *t = table_of(d->shadow, index);
	bool own = l->gfn < l->end, foreign = false, any = false;
	unsigned int i;

	if (!own && !p->foreign)
		return;
	for (i = p->lo; i < p->hi; i++) {
		u64 e = t[i];

		if (!(e & P) || !is_leaf(e, p->level))
			continue;
		if (is_lost(l, e)) {
			set(&t[i], 0);
			leaf_drop(d, e);
			any = true;
		} else if (e & FOREIGN) {
			foreign = true;
		}
	}
	p->foreign = foreign;
	if (any)
		atomic_inc_u64(&as->gen);
}

/* Every table of the domain, in whatever tree, attached or not. */
static void sweep(struct domain *d, const struct shadow_loss *l)
{
	struct shadow_domain *sd = d->shadow;
	u32 i;

	for (i = 1; i <= READ_ONCE(sd->count); i++) {
		struct shadow_page *p = &sd->pages[i];
		struct aspace *as;

		spin_lock(&sd->lock);
		if (p->level != 1 && p->level != 2) {
			spin_unlock(&sd->lock);
			continue;
		}
		as = as_at(sd, p->as);
		as->refs++;
		spin_unlock(&sd->lock);
		spin_lock(&as->lock);
		if (p->as == as->index && (p->level == 1 || p->level == 2))
			table_sweep(as, i, l);
		spin_unlock(&as->lock);
		as_put(sd, as);
	}
}

/*
 * Whoever was in the middle of a walk, a fill or a flush of @as has left it; what he took
 * away is in its generation, and now no TLB has it any more.
 */
static void catch_up(struct vcpu *v, struct aspace *as)
{
	spin_lock(&as->lock);
	spin_unlock(&as->lock);
	flush_done(v, as);
}

void shadow_lose(struct vcpu *v, const struct shadow_loss *l)
{
	struct domain *d = v->domain;
	bool any = l->gfn < l->end;
	unsigned int i, bit;

	smp_mb();	/* the gfn entries, then the counts */
	for (i = 0; i < ARRAY_SIZE(l->foreign); i++)
		for_each_bit(bit, l->foreign[i])
			any |= !!READ_ONCE(d->shadow->foreign[i * 64 + bit]);
	if (any)
		sweep(d, l);
	for_each_current(v, catch_up);
}

/* The address spaces that run on the vCPUs of the mask, up to the tlb_gen that they show. */
int shadow_flush_batch(struct vcpu *v, u64 mask)
{
	unsigned int i;

	for_each_bit(i, mask) {
		struct aspace *as;
		u64 gen = ~0ull, gpa, *page;

		if (i >= v->domain->vcpu_count)
			return -PARVUS_EINVAL;
		as = as_get_current(v->domain->vcpus[i]);
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
	}
	return 0;
}

/* Free tables of a dead address space, leaves first. Returns true when none is left. */
static bool release_some(struct aspace *as, unsigned int budget)
{
	struct shadow_domain *sd = as->domain->shadow;
	u32 i;
	bool empty;

	spin_lock(&as->lock);
	while (as->dead && as->shot && !as_empty(as) && budget--) {
		unsigned int slot = next_slot(as->used, 0);
		u64 e = as->overlays ? as->overlay[0].entry : as->slot[slot];

		if (!e) {	/* named by a fill that got no further */
			if (as->overlays)
				as->overlay[0] = as->overlay[--as->overlays];
			else
				as->used[slot / 64] &= ~(1ull << (slot % 64));
			continue;
		}
		i = entry_index(e);
		while (sd->pages[i].level > 1 && !table_empty(sd, i)) {
			u64 c = table_of(sd, i)[sd->pages[i].lo];

			if (is_leaf(c, sd->pages[i].level))
				table_detach(as->domain, i);
			else
				i = entry_index(c);
		}
		if (sd->pages[i].level == 1)
			table_detach(as->domain, i);
		unlink_table(sd, as, i);
		page_free(sd, i);
	}
	empty = as_empty(as) || !as->dead || !as->shot;
	spin_unlock(&as->lock);
	return empty;
}

int shadow_release(struct vcpu *v, u64 id)
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
		/* a table is free for another use only when nobody can walk it any more */
		spin_lock(&as->lock);
		if (as->dead && as->dead_gen == gen)
			as->shot = true;
		spin_unlock(&as->lock);
	}
	done = release_some(as, RELEASE_BATCH);
	as_put(sd, as);
	return done ? 0 : -PARVUS_EAGAIN;
}

s64 hc_mmu_flush_batch(struct vcpu *v, u64 mask_gpa, u64 words)
{
	u64 mask;
	int ret = vcpu_mask_read(v, mask_gpa, words, &mask);

	return ret ? ret : shadow_flush_batch(v, mask);
}

/* More to do than may be done at once: the guest comes again (rule 49). */
s64 hc_mmu_release(struct vcpu *v, u64 id, struct regs *regs)
{
	int ret = shadow_release(v, id);

	return ret == -PARVUS_EAGAIN ? hypercall_restart(regs) : ret;
}

s64 hc_mmu_age(struct vcpu *v, u64 id)
{
	struct aspace *as = id && !shadow_exact ? as_get(v->domain->shadow, id) : v->shadow.anon;

	if (!as)
		return 0;
	flush_all(v, as);
	if (as != v->shadow.anon)
		as_put(v->domain->shadow, as);
	return 0;
}

/* ---- life ---- */

int shadow_domain_init(struct domain *d, u64 pool)
{
	struct shadow_domain *sd = hv_alloc(sizeof(*sd));
	u32 i, floor;

	if (!sd)
		return -PARVUS_ENOMEM;
	d->shadow = sd;
	/* what is known of its pages is one allocation: domains above 33 GiB get less than 1 % */
	pool = min(pool, EXTENT_SIZE / sizeof(struct shadow_page) - 1);
	sd->max = (u32)pool;
	sd->pages_bytes = (pool + 1) * sizeof(struct shadow_page);
	sd->pages = hv_alloc(sd->pages_bytes);
	if (!sd->pages)
		goto fail;
	/* the floor is taken now, so that it is there when it is needed (rule 47) */
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
	return -PARVUS_ENOMEM;
}

int shadow_vcpu_init(struct vcpu *v)
{
	u32 i = page_alloc(v->domain);

	if (!i)
		return -PARVUS_ENOMEM;
	v->shadow.anon = as_make(v->domain, i, 0, _gfn(0));
	v->shadow.as = v->shadow.anon;
	return 0;
}

/* A vCPU that does not run begins with @root in its anonymous address space. */
void shadow_start(struct vcpu *v, gfn_t root)
{
	struct shadow_domain *sd = v->domain->shadow;
	struct aspace *old = v->shadow.as, *as = v->shadow.anon;

	v->shadow.as = as;
	v->shadow.root = root;
	v->shadow.prefill_as = v->shadow.recent.as = NULL;
	spin_lock(&as->lock);
	as->root = root;
	flush_locked(as, 0, 0, false);
	spin_unlock(&as->lock);
	if (old != as)
		as_put(sd, old);
}

/*
 * No vCPU runs. Every count goes back to zero, which domain_destroy() checks. What an entry
 * that is no leaf points to may be gone already, and is not looked at.
 */
bool shadow_domain_destroy(struct domain *d, u64 pages)
{
	struct shadow_domain *sd = d->shadow;
	u32 i;

	for (; sd && sd->pages && sd->count && pages; sd->count--, pages--) {
		struct shadow_page *p = &sd->pages[sd->count];

		if (p->level >= 1 && p->level <= 3)
			table_detach(d, sd->count);
		free_frames(_mfn(p->mfn), 0);
	}
	if (!sd || sd->count)
		return !sd;
	for (i = 0; sd->foreign && i < SHADOW_FOREIGN; i++)
		if (sd->foreign[i])
			log_warn("d%u: %u shadow entries of grants unaccounted for", d->id,
				 sd->foreign[i]);
	hv_free(sd->foreign, SHADOW_FOREIGN * sizeof(u32));
	if (sd->pages)
		hv_free(sd->pages, sd->pages_bytes);
	hv_free(sd, sizeof(*sd));
	d->shadow = NULL;
	return true;
}
