// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of an address space: part of shadow.c. What goes is found by address, from the
 * top down, and only along tables that are attached: what hangs below a detached entry is known
 * to be stale already. All of it is under aspace.lock, and none of it tells a TLB: the caller
 * shoots down after it has let go of the lock (tlb.c), and only then frees tables.
 */

/* Remembered leaf tables are no longer what they were. */
static void tree_changed(struct aspace *as)
{
	as->tree++;
	atomic_inc_u64(&as->gen);
}

/* The overlay of a slot, or NULL. */
static struct overlay *overlay_of(struct aspace *as, unsigned int slot)
{
	for (unsigned int i = 0; i < as->overlays; i++)
		if (as->overlay[i].slot == slot)
			return &as->overlay[i];
	return NULL;
}

/* Where the entry that points to a table lives. */
static struct entry *parent_entry(struct shadow_domain *sd, struct aspace *as,
				  const struct shadow_page *p)
{
	if (p->level != 3)
		return &table_of(sd, p->parent)[p->slot];
	return p->overlay ? &overlay_of(as, p->slot)->entry : &as->slot[p->slot];
}

/* Take an empty table out of the tree. It is TAKEN, since TLBs may still walk it. */
static void unlink_table(struct shadow_domain *sd, struct aspace *as, u32 index)
{
	struct shadow_page *p = &sd->pages[index];
	struct overlay *o;

	entry_clear(parent_entry(sd, as, p));
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

/* Entry @i is used from now on: loops over a table look at [lo, hi) only. */
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

/* Also the time to narrow [lo, hi), which nothing does when an entry goes. */
static bool table_empty(struct shadow_domain *sd, u32 index)
{
	struct shadow_page *p = &sd->pages[index];
	struct entry *t = table_of(sd, index);

	while (p->lo < p->hi && !t[p->lo].raw)
		p->lo++;
	while (p->hi > p->lo && !t[p->hi - 1].raw)
		p->hi--;
	return p->lo >= p->hi;
}

/*
 * An entry that the guest's leaf @g may have changed under: the same frame with today's rights, or
 * it goes. One that the guest has not accessed goes, too: only a fault may set the accessed bit.
 */
static ALWAYS_INLINE void entry_again(struct domain *d, struct entry *at, u64 above, u64 g,
				      bool any_user)
{
	struct leaf now;

	if ((g & (PTE_P | PTE_A | arch_reserved_bits)) == (PTE_P | PTE_A) &&
	    (any_user || (above & g & PTE_U))) {
		now = leaf_renew(d, *at, rights_below(above, g), g);
		if (now.e.raw) {
			leaf_put(at, now);
			return;
		}
	}
	entry_drop(d, at, 1);
}

/* A table is stale from here down: take its leaves out, detach its children. */
static void table_detach(struct domain *d, u32 index)
{
	struct shadow_page *p = &d->shadow->pages[index];
	struct entry *t = table_of(d->shadow, index);

	for (unsigned int i = p->lo; i < p->hi; i++)
		entry_drop(d, &t[i], p->level);
	if (p->level == 1) {
		p->lo = p->hi = 0;
		p->splinter = p->foreign = false;
	}
}

/*
 * Take [start, end) away below a table whose first address is @base. Tables that lie wholly
 * inside are detached. Returns true if a table was. In a table with pieces of a larger guest
 * mapping all goes: the guest may name any address of that mapping, as for INVLPG.
 */
static bool table_flush(struct domain *d, u32 index, u64 base, u64 start, u64 end)
{
	struct shadow_page *p = &d->shadow->pages[index];
	struct entry *t = table_of(d->shadow, index);
	u64 size = LEVEL_SIZE(p->level);
	unsigned int i, first = p->lo, stop = p->hi;
	bool tables = false;

	if (p->splinter) {
		table_detach(d, index);
		return true;
	}
	if (start > base)
		first = max(first, (unsigned int)((start - base) / size));
	if (end - base < size * 512)
		stop = min(stop, (unsigned int)((end - base + size - 1) / size));
	for (i = first; i < stop; i++) {
		struct entry e = t[i];
		u64 at = base + i * size;

		if (!(e.raw & PTE_P))
			continue;
		if (is_leaf(e, p->level) || (start <= at && at + (size - 1) <= end - 1))
			tables |= entry_drop(d, &t[i], p->level);
		else
			tables |= table_flush(d, entry_index(e), at, start, end);
	}
	return tables;
}

static u64 slot_base(const struct aspace *as, unsigned int slot)
{
	return as->kernel ? (u64)((s64)((u64)(slot + 256) << 55) >> 16) : (u64)slot << 39;
}

/* The same below the top-level entry of a slot, or of its overlay. */
static bool slot_flush(struct aspace *as, struct entry *at, unsigned int slot, u64 start, u64 end)
{
	u64 base = slot_base(as, slot), last = base + (LEVEL_SIZE(4) - 1);
	struct entry e = *at;

	if (!(e.raw & PTE_P) || end - 1 < base || start > last)
		return false;
	if (start <= base && last <= end - 1) {
		entry_detach(at, e);
		return true;
	}
	return table_flush(as->domain, entry_index(e), base, start, end);
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
 * Take [start, end) away, end = 0 for the top of the address space. @leaves: the guest has freed
 * no table, so a vCPU may go on with the leaf tables that it remembers. True: tables went, and
 * what TLBs cached of upper levels has to go with them: flush all.
 */
static bool flush_locked(struct aspace *as, u64 start, u64 end, bool leaves)
{
	unsigned int slot, i;
	bool tables = false;

	for_each_slot(as->used, slot)
		tables |= slot_flush(as, &as->slot[slot], slot, start, end);
	for (i = 0; i < as->overlays; i++)
		tables |= slot_flush(as, &as->overlay[i].entry, as->overlay[i].slot, start, end);
	as->tree += tables || !leaves;
	atomic_inc_u64(&as->gen);
	return tables;
}
