// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a pCPU has loaded, and the shootdown: part of shadow.c. Each pCPU has pairs of top-level
 * tables of its own (rule 24): their low half is filled from one address space, their high half
 * from the kernel half. Below the top level, tables are shared by all pCPUs.
 *
 * aspace.gen counts what TLBs must hear of, and loaded.seen is how much of it this pCPU's TLB
 * has heard. The side that loads publishes "running X", full barrier, then reads gen. The side
 * that flushes raises gen, full barrier, then reads which pCPUs run X. One of them sees the other
 * (rule 1).
 *
 * What is not loaded nobody asks to flush. A pair that was filled for X and left remembers how
 * much of both halves it had heard. When X is loaded again and neither has changed, its tables are
 * as they have to be, but for entries that a fault will bring; and so is what the TLB has under
 * the pair's PCIDs, if there are any (rule 87, x86/roots.c). For that all that takes away raises
 * gen. The pair is known by a number that is ours and never comes back: an id is the guest's.
 * No lock is held here but where a function takes one, and none while a CPU waits for another.
 */

/* A pCPU's pairs of roots. */
struct pairs {
	struct loaded {			/* in the one in use: low half, kernel half [any reads] */
		struct aspace *as;
		u64 seen;		/* the generation that the TLB is good for */
	} half[2];
	u64 serial[ROOT_PAIRS];		/* aspace.serial */
	struct pair {
		u64 seen[2];		/* loaded.seen when it was left */
		u64 kernel;		/* aspace.serial of the kernel half */
		u64 slots[2][4];	/* root slots in use, or left so by what was there before */
	} pair[ROOT_PAIRS];
	unsigned int next;		/* which is given away next */
	struct pair *now;		/* in use */
	struct mmu_root *root;		/* and its tables */
};
BUILD_ASSERT(sizeof(struct pairs) <= MMU_CPU_BYTES);

static inline struct pairs *pairs_of(unsigned int cpu) { return arch_mmu_cpu(cpu); }

static inline struct loaded *half_of(unsigned int cpu, const struct aspace *as)
{
	return &pairs_of(cpu)->half[as->kernel];
}

/* The low half is never executable in kernel mode: all of it is so in the kernel root. */
static u64 low_nx(void) { return PTE_NX & ~arch_reserved_bits; }

/* One slot of this pCPU's roots: what filled it may be new here. The kernel root has overlays. */
static void slot_sync(unsigned int cpu, struct aspace *as, unsigned int slot)
{
	const struct pairs *p = pairs_of(cpu);
	struct mmu_root *r = p->root;
	u64 e = READ_ONCE(as->slot[slot].raw);
	struct overlay *o;

	p->now->slots[as->kernel][slot / 64] |= 1ull << (slot % 64);
	if (as->kernel) {
		r->kernel_table[256 + slot] = e & PTE_P ? e : 0;
		return;
	}
	r->user_table[slot] = e & PTE_P ? e : 0;
	o = overlay_of(as, slot);
	if (unlikely(o))
		e = o->entry.raw;
	r->kernel_table[slot] = e & PTE_P ? e | low_nx() : 0;
}

/*
 * And all of a half: the slots that it uses, and those that its predecessor there left. For the
 * kernel half both pointers are equal, so one loop serves both halves.
 */
static void slots_load(unsigned int cpu, struct aspace *as)
{
	const struct pairs *p = pairs_of(cpu);
	u64 *slots = p->now->slots[as->kernel], nx = as->kernel ? 0 : low_nx(), set, stay;
	u64 *kernel = p->root->kernel_table + (as->kernel ? 256 : 0);
	u64 *user = as->kernel ? kernel : p->root->user_table;
	unsigned int i, bit;

	for (i = 0; i < 256; i += 64) {
		stay = set = READ_ONCE(as->used[i / 64]) | slots[i / 64];
		for_each_bit(bit, set) {
			u64 e = READ_ONCE(as->slot[i + bit].raw);

			if (likely(e & PTE_P)) {
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

/* The half becomes that of @as. Nothing is seen of it yet: a flusher asks this pCPU to serve. */
static void as_load(unsigned int cpu, struct aspace *as)
{
	struct loaded *l = half_of(cpu, as);

	smp_store_release(&l->seen, 0);
	WRITE_ONCE(l->as, as);
	/* a full barrier, then gen (rule 1) */
	atomic_or_u64(&as->loaded[cpu / 64], 1ull << (cpu & 63));
}

static void as_unload(unsigned int cpu, struct aspace *as)
{
	atomic_and_u64(&as->loaded[cpu / 64], ~(1ull << (cpu & 63)));
	WRITE_ONCE(half_of(cpu, as)->as, NULL);
}

/* The pair of the address space, or the next one, of which the kernel half may be good. */
static unsigned int pair_find(unsigned int cpu, struct aspace *as)
{
	struct pairs *p = pairs_of(cpu);
	unsigned int i = as->pair[cpu];

	if (p->serial[i] != as->serial) {
		i = as->pair[cpu] = p->next++ % ROOT_PAIRS;
		p->serial[i] = as->serial;
		p->pair[i].seen[0] = 0;
	}
	p->now = &p->pair[i];
	p->root = arch_mmu_root(cpu) + i;
	return i;
}

/* Both halves are published. The generations that the roots and the TLB are good for come last. */
static void pair_load(unsigned int cpu, struct aspace *as, struct aspace *kernel)
{
	struct pairs *all = pairs_of(cpu);
	unsigned int i = pair_find(cpu, as);
	struct pair *p = all->now;
	u64 gen = READ_ONCE(as->gen), high_gen = READ_ONCE(kernel->gen);
	bool low = p->seen[0] == gen, high = p->seen[1] == high_gen && p->kernel == kernel->serial;

	p->kernel = kernel->serial;
	smp_mb();
	if (!low)
		slots_load(cpu, as);
	if (!high)
		slots_load(cpu, kernel);
	arch_root_load(i, low && high);
	smp_store_release(&all->half[0].seen, gen);
	smp_store_release(&all->half[1].seen, high_gen);
}

static void pair_leave(unsigned int cpu)
{
	const struct pairs *p = pairs_of(cpu);

	p->now->seen[0] = p->half[0].seen;
	p->now->seen[1] = p->half[1].seen;
}

void shadow_load(struct vcpu *v)
{
	unsigned int cpu = arch_this_cpu();
	struct aspace *as = v->own->shadow.as, *kernel = v->domain->shadow->kernel;

	v->own->shadow.recent.as = NULL;	/* the roots may not lead there (slot_sync) */
	as_load(cpu, as);
	as_load(cpu, kernel);
	pair_load(cpu, as, kernel);
}

/* What the roots hold may go from now on: nothing looks at them before the next load (rule 22). */
void shadow_unload(struct vcpu *v)
{
	arch_roots_leave();
	pair_leave(arch_this_cpu());
	as_unload(arch_this_cpu(), v->own->shadow.as);
	as_unload(arch_this_cpu(), v->domain->shadow->kernel);
}

/* The vCPU goes over to @as, whose reference it takes; it gives back the one to the old. */
static void as_change(struct vcpu *v, struct aspace *as)
{
	unsigned int cpu = arch_this_cpu();
	struct aspace *old = v->own->shadow.as;

	v->own->shadow.as = as;
	v->own->shadow.prefill_as = v->own->shadow.recent.as = NULL;
	if (old == as) {
		if (as != v->own->shadow.anon)
			as_put(v->domain->shadow, old);
		shadow_serve();
		return;
	}
	pair_leave(cpu);
	as_load(cpu, as);
	pair_load(cpu, as, v->domain->shadow->kernel);
	atomic_and_u64(&old->loaded[cpu / 64], ~(1ull << (cpu & 63)));
	if (old != v->own->shadow.anon)
		as_put(v->domain->shadow, old);
}

/* Catch up with flushes of others. gen first: a change that comes meanwhile is found next. */
void shadow_serve(void)
{
	unsigned int cpu = arch_this_cpu();
	struct loaded *l = pairs_of(cpu)->half;
	u64 gen;

	for (const struct loaded *end = l + 2; l < end; l++) {
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
 * The other pCPUs that have @as loaded, of a word of them, drop what they cache. All of them are
 * asked before one is looked at: a pCPU that is not exposed serves before it becomes so and needs
 * no IPI (core/arch.h). The end of the wait is not only its answer: a pCPU that went to another
 * address space, or stopped running guests, holds nothing of this one either.
 */
static NOINLINE void shoot_some(struct vcpu *v, struct aspace *as, u64 gen, unsigned int first,
				u64 others)
{
	const u64 *loaded = &as->loaded[first / 64];
	unsigned int bit;
	u64 kick = 0;

	for_each_bit(bit, others) {
		if (!cpu_behind(first + bit, as, gen))
			others &= ~(1ull << bit);
		else
			cpu_work_add(arch_cpu(first + bit), WORK_SERVE);
	}
	if (!others)
		return;
	smp_mb();
	for_each_bit(bit, others) {
		if (arch_cpu_exposed(first + bit)) {
			kick |= 1ull << bit;
			v->stats.shootdowns++;
		}
	}
	for_each_bit(bit, kick)
		arch_kick_cpu(first + bit);
	for_each_bit(bit, kick) {
		while (arch_cpu_exposed(first + bit) && cpu_behind(first + bit, as, gen) &&
		       READ_ONCE(*loaded) >> bit & 1)
			cpu_relax();
	}
}

/* All of them; this one has seen to itself. */
static NOINLINE void shoot_all(struct vcpu *v, struct aspace *as, u64 gen)
{
	unsigned int me = arch_this_cpu(), first = 0;

	do {
		u64 others = READ_ONCE(as->loaded[first / 64]);

		if (likely(me - first < 64))
			others &= ~(1ull << (me & 63));
		if (unlikely(others))
			shoot_some(v, as, gen, first, others);
		first += 64;
	} while (unlikely(first < arch_cpus()));
}

/* Mostly there is none. */
static inline void shoot(struct vcpu *v, struct aspace *as, u64 gen)
{
	if (unlikely(arch_cpus() > 64 ||
		     (READ_ONCE(as->loaded[0]) & ~(1ull << (arch_this_cpu() & 63)))))
		shoot_all(v, as, gen);
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

/*
 * [start, end) is a part of the leaf table that the vCPU remembers, and the guest has freed no
 * table: the entries become what they are by today's tables, and no fault has to bring them back
 * (rule 141). False: it is not so; all of a table may be about levels above. Under as->lock.
 */
static bool flush_recent(const struct vcpu *v, struct aspace *as, u64 start, u64 end)
{
	const struct shadow_recent *m = &v->own->shadow.recent;
	const u64 *guest = recent_entry(v, as, start);
	struct shadow_domain *sd = v->domain->shadow;
	struct entry *t;

	if (!guest || !m->index || sd->pages[m->index].splinter || as->overlays ||
	    (end - 1) >> LEVEL_SHIFT(2) != m->region || end - start == LEVEL_SIZE(2))
		return false;
	t = table_of(sd, m->index);
	for (unsigned int i = INDEX(start, 1); i <= INDEX(end - 1, 1); i++, guest++)
		if (t[i].raw)
			entry_again(v->domain, &t[i], m->above, READ_ONCE(*guest), as->kernel);
	atomic_inc_u64(&as->gen);
	return true;
}

/*
 * [start, end) of one address space. A few pages are flushed page by page here, if this TLB
 * missed nothing else: page by page would not make good for that. The other pCPUs flush all.
 */
static void flush_range(struct vcpu *v, struct aspace *as, u64 start, u64 end, bool leaves)
{
	struct loaded *here = half_of(arch_this_cpu(), as);
	bool tables = false, in_step;
	u64 gen;

	spin_lock(&as->lock);
	in_step = here->as == as && here->seen == as->gen;
	if (!leaves || !flush_recent(v, as, start, end))
		tables = flush_locked(as, start, end, leaves);
	gen = as->gen;
	spin_unlock(&as->lock);
	v->stats.flushes++;
	if (in_step && !tables && end - start <= 32 * PAGE_SIZE) {
		arch_tlb_flush_range(start, end);
		smp_store_release(&here->seen, gen);
	} else {
		shadow_serve();
	}
	shoot(v, as, gen);
}

/* The kernel half, and the address space of each vCPU: all that a pCPU can have loaded. */
static void for_each_current(struct vcpu *v, void (*fn)(struct vcpu *v, struct aspace *as))
{
	struct shadow_domain *sd = v->domain->shadow;

	fn(v, sd->kernel);
	for (unsigned int i = 0; i < v->domain->vcpu_count; i++) {
		struct aspace *as = as_get_current(v->domain->vcpus[i]);

		fn(v, as);
		as_put(sd, as);
	}
}
