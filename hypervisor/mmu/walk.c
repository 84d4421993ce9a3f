// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's page tables, read as the hardware would: part of shadow.c. The guest owns these
 * tables and may write them at any moment on another vCPU. So each entry is read once and that
 * copy is used, and the accessed and dirty bits are set by compare-and-swap. A table is looked
 * up in the domain's gfn table each time (rule 9): a pointer kept from the last walk could lead
 * to a frame that is another domain's by now. All of it is under aspace.lock (rule 8).
 */

/*
 * The only way to a guest page table: plain RAM of the domain, writable. Else a guest that names a
 * device or a frame granted for reading could read the one, set bits in the other, by our hand.
 */
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
	u64 rights;		/* PTE_U, PTE_W, PTE_NX of all of them */
	int top;		/* the first level that was read: 4, or 1 from a remembered table */
	int level;		/* of the leaf, or where the walk ended */
};

/* Both levels must let user mode in and write; one of them is enough to forbid a fetch. */
static inline u64 rights_below(u64 above, u64 val)
{
	return (above & val & (PTE_U | PTE_W)) | ((above | val) & PTE_NX);
}

enum walk_result { WALK_OK, WALK_ABSENT, WALK_RESERVED };

/*
 * Down to a leaf, or, with @last = 2, to the table of the leaf level: val[2] names it. The depth
 * is fixed, so that tables that name each other in a circle end, too. What the hardware calls a
 * reserved bit is one here: our own entries are made from these values.
 */
static enum walk_result guest_walk(const struct domain *d, gfn_t root, u64 va, int last,
				   struct guest_walk *w)
{
	u64 reserved = arch_reserved_bits, gfn = gfn_x(root), val, *table;
	int level;

	w->top = 4;
	w->rights = PTE_U | PTE_W;
	for (level = 4;; level--) {
		w->level = level;
		w->above = w->rights;
		table = guest_table(d, gfn);
		if (!table)
			return WALK_ABSENT;
		w->at[level] = &table[INDEX(va, level)];
		w->val[level] = val = READ_ONCE(*w->at[level]);	/* once: another vCPU may write */
		if (!(val & PTE_P))
			return WALK_ABSENT;
		if (val & reserved)
			return WALK_RESERVED;
		w->rights = rights_below(w->above, val);
		if (level == 1)
			break;
		if (val & PTE_PS) {
			if (level == 4 || (level == 3 && !arch_1g_pages) ||
			    (val & PTE_ADDR & (LEVEL_SIZE(level) - 1) & ~0x1000ull))
				return WALK_RESERVED;
			break;
		}
		gfn = (val & PTE_ADDR) >> PAGE_SHIFT;
		if (level == last)
			return WALK_OK;
	}
	w->gfn = (((val & PTE_ADDR) & ~(LEVEL_SIZE(level) - 1)) | (va & (LEVEL_SIZE(level) - 1)))
		 >> PAGE_SHIFT;
	return WALK_OK;
}

/*
 * A vCPU remembers the leaf tables of its last walk, the guest's and ours, as a CPU does in its
 * paging-structure caches, and for as long: aspace.tree counts what takes them away. This is the
 * guest's entry for @va in the remembered table, or NULL. The gfn is looked up anew each time,
 * since its frame may have gone without a flush.
 */
static inline u64 *recent_entry(const struct vcpu *v, const struct aspace *as, u64 va)
{
	const struct shadow_recent *m = &v->own->shadow.recent;
	u64 *table;

	if (unlikely(m->as != as || m->region != va >> LEVEL_SHIFT(2) || m->tree != as->tree))
		return NULL;
	table = guest_table(v->domain, m->gfn);
	return likely(table) ? table + INDEX(va, 1) : NULL;
}

/* The walk of a vCPU, all the way down, which is remembered. */
static ALWAYS_INLINE enum walk_result walk(struct vcpu *v, struct aspace *as, u64 va,
					   struct guest_walk *w)
{
	struct shadow_recent *m = &v->own->shadow.recent;
	enum walk_result r;

	m->as = NULL;
	r = guest_walk(v->domain, v->own->shadow.root, va, 1, w);
	/* all accessed bits above are set, or the next walk would have to set them */
	if (w->level == 1 && (w->val[2] & w->val[3] & w->val[4] & PTE_A))
		*m = (struct shadow_recent){
			.as = as, .region = va >> LEVEL_SHIFT(2), .tree = as->tree,
			.gfn = (w->val[2] & PTE_ADDR) >> PAGE_SHIFT, .above = w->above,
		};
	return r;
}

/*
 * Set the accessed bit on the way down, and the dirty bit in the leaf of a write. False: walk
 * again, for the guest changed an entry meanwhile; a plain store would write the old one back.
 */
static bool guest_mark(struct guest_walk *w, bool write)
{
	for (int level = w->top; level >= w->level; level--) {
		u64 want = w->val[level] | PTE_A;

		if (level == w->level && write)
			want |= PTE_D;
		if (want == w->val[level])
			continue;
		if (!atomic_cmpxchg_u64(w->at[level], w->val[level], want))
			return false;
		w->val[level] = want;
	}
	return true;
}
