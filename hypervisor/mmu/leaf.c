// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries of shadow tables, and the one maker of those that map memory: part of shadow.c. What
 * isolates domains from each other is that a present leaf names a frame of the domain, with no
 * more rights than the guest's tables and the gfn table give (rule 10). So leaves are made here
 * and nowhere else: leaf_rights() computes what one permits, leaf_make() takes the frame, and
 * leaf_renew() gives an entry that is there today's rights. All other code moves leaves, clears
 * entries, or points them to tables. tests/system/ladder.sh fails when another function makes one.
 *
 * Entries are written under aspace.lock of their tree. The hardware walks them meanwhile, and
 * sets PTE_A and PTE_D in them by itself.
 */

/*
 * A detached entry: not present, its address bits zero, for a CPU with L1TF reads ahead through
 * them (rule 10). The pool index is in bits 1..11 and 52..62.
 */
static inline struct entry detached(u32 index)
{
	return (struct entry){ (u64)(index & 0x7ff) << 1 | (u64)(index >> 11) << 52 };
}

/* The pool index of the table that an entry points to, or pointed to before it was detached. */
static inline u32 entry_index(struct entry e)
{
	if (e.raw & PTE_P)
		return (u32)frame_info(_mfn((e.raw & PTE_ADDR) >> PAGE_SHIFT))->word;
	return (u32)((e.raw >> 1 & 0x7ff) | (e.raw >> 52 & 0x7ff) << 11);
}

static inline bool is_leaf(struct entry e, int level)
{
	return level == 1 || (e.raw & (PTE_P | PTE_PS)) == (PTE_P | PTE_PS);
}

/* ---- stores: nothing else writes an entry, but for evict.c, which clears an accessed bit ---- */

static void entry_set(struct entry *at, struct entry e) { WRITE_ONCE(at->raw, e.raw); }

static void entry_clear(struct entry *at) { entry_set(at, (struct entry){ 0 }); }

/* The table stays known, and nothing is reached through it before table_attach() looked at it. */
static void entry_detach(struct entry *at, struct entry e)
{
	entry_set(at, detached(entry_index(e)));
}

static void entry_point(struct entry *at, u32 mfn)
{
	entry_set(at, (struct entry){ (u64)mfn << PAGE_SHIFT | PTE_TABLE });
}

/* ---- leaves ---- */

/*
 * What a leaf permits: all rights of all entries come from here. @rights is what all levels of
 * the guest's tables give, @guest_leaf the guest's own leaf, @g the gfn entry. A leaf is
 * writable only when the guest's is dirty, so that the first write faults and sets the dirty bit.
 * PTE_U says nothing: guest kernel and guest user mode are both ring 3, and what user mode must
 * not see is not in its root. PTE_NX comes through only where the CPU has it: elsewhere it is a
 * reserved bit, with which no walk gets here.
 */
static inline u64 leaf_rights(u64 rights, u64 guest_leaf, u64 g)
{
	u64 e = PTE_P | PTE_U | PTE_A | (rights & PTE_NX);

	if ((rights & PTE_W) && (guest_leaf & PTE_D) && (g & GFN_WRITABLE))
		e |= PTE_W | PTE_D;
	return e;
}

/*
 * A leaf for @gfn. The frame is taken from the domain's own gfn table here, counted, and looked
 * up again: a remap clears the gfn entry first and reads the count afterwards, so one of the two
 * sees the other (rule 7). None if the gfn has no memory, or none of the wanted size.
 */
static ALWAYS_INLINE struct leaf leaf_make(struct domain *d, u64 gfn, bool large, u64 rights,
					   u64 guest_leaf)
{
	const struct leaf none = { { 0 } };
	u64 g, e, word;
	const u64 *at;
	u32 *count;	/* the domain's pool bounds it: no guest makes it overflow */

	for (;;) {
		g = gfn_lookup_word(d, gfn, &at, &word);
		e = g & GFN_MFN_MASK;
		if (likely(gfn_is_ram(g))) {
			count = &frame_table[mfn_x(gfn_entry_mfn(g))].count;
			if (large) {
				if (!(g & GFN_EXTENT))
					return none;
				count = &d->gfn_chunk_maps[gfn >> EXTENT_ORDER];
				e = (e & ~(EXTENT_SIZE - 1)) | PTE_PS;
			}
		} else if (g & GFN_PRESENT) {
			count = &d->shadow->foreign[shadow_foreign_hash(gfn_entry_mfn(g))];
			e |= PTE_FOREIGN;
		} else {	/* no frame to count: a device's, cached as the guest says */
			g = g ? 0 : gfn_lookup_machine(d, gfn);
			if (!g)
				return none;
			e = (g & GFN_MFN_MASK) | PTE_DEVICE | (guest_leaf & PTE_CACHE);
			break;
		}
		atomic_inc_u32(count);
		if (likely(READ_ONCE(*at) == word))
			break;
		atomic_dec_u32(count);
	}
	return (struct leaf){ { e | leaf_rights(rights, guest_leaf, g) } };
}

/*
 * The leaf that @old of level 1 is by today's tables: the same frame, counted already, with the
 * rights of now, which may be more than before. None if the guest's leaf leads to another frame by
 * now. RAM of its own, which is writable as long as it is there, knows its gfn.
 */
static inline struct leaf leaf_renew(struct domain *d, struct entry old, u64 rights, u64 guest_leaf)
{
	const struct leaf none = { { 0 } };
	u64 g, gfn = (guest_leaf & PTE_ADDR) >> PAGE_SHIFT;
	u64 e = old.raw & (PTE_ADDR | PTE_FOREIGN | PTE_DEVICE);

	if (likely(!(e & (PTE_FOREIGN | PTE_DEVICE)))) {
		if ((frame_table[e >> PAGE_SHIFT].word & FRAME_GFN) != gfn)
			return none;
		g = GFN_WRITABLE;
	} else {
		g = gfn_lookup(d, _gfn(gfn));
		if (!(g & GFN_PRESENT) || (g & GFN_MFN_MASK) != (old.raw & PTE_ADDR))
			return none;
		if (g & GFN_MMIO)
			e |= guest_leaf & PTE_CACHE;
	}
	return (struct leaf){ { e | leaf_rights(rights, guest_leaf, g) } };
}

/* Put a leaf where there is none, or in the place of the same one with other rights. */
static inline void leaf_put(struct entry *at, struct leaf l) { entry_set(at, l.e); }

/* A leaf left its table: the frame is counted once less. A device's frame was not counted. */
static void leaf_drop(struct domain *d, struct entry e)
{
	mfn_t mfn = _mfn((e.raw & PTE_ADDR) >> PAGE_SHIFT);
	struct frame_info *f = &frame_table[mfn_x(mfn)];

	if (unlikely(e.raw & PTE_DEVICE))
		return;
	if (e.raw & PTE_PS)
		atomic_dec_u32(&d->gfn_chunk_maps[(f->word & FRAME_GFN) >> EXTENT_ORDER]);
	else if (unlikely(e.raw & PTE_FOREIGN))
		atomic_dec_u32(&d->shadow->foreign[shadow_foreign_hash(mfn)]);
	else
		atomic_dec_u32(&f->count);
}

/* What an entry leads to goes: a leaf is taken out, a table detached. True: it was a table. */
static ALWAYS_INLINE bool entry_drop(struct domain *d, struct entry *at, int level)
{
	struct entry e = *at;

	if (!(e.raw & PTE_P))
		return false;
	if (!is_leaf(e, level)) {
		entry_detach(at, e);
		return true;
	}
	entry_clear(at);
	leaf_drop(d, e);
	return false;
}

/*
 * Put a leaf in the place of what is there. If that was another frame, the guest did not flush: gen
 * says that TLBs are behind, else the old frame could go while one still reaches it.
 */
static void leaf_exchange(struct aspace *as, struct entry *at, struct leaf l)
{
	struct entry old = *at;

	entry_set(at, l.e);
	if (!old.raw)
		return;
	leaf_drop(as->domain, old);
	if ((old.raw ^ l.e.raw) & PTE_ADDR)
		atomic_inc_u64(&as->gen);
}
