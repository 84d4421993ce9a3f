// SPDX-License-Identifier: GPL-2.0-only
/*
 * shadow.c against a model: a guest with several address spaces changes its page tables
 * and flushes as a correct kernel does, on several pCPUs whose TLBs forget nothing by
 * themselves. After each flush that returned, no TLB and no shadow table may hold a
 * right that the guest's tables lack; every access gives the frame that they name, or the
 * fault; and at the end every frame is back. The other half are guests that do it wrong:
 * nothing of theirs may reach beyond their own RAM. Both release frames and get others, and
 * map frames that a second domain offers: what was released or unmapped no TLB has.
 *
 * SEED=n runs one schedule; the seed is in every message.
 */
#include <pthread.h>
#include "native.h"
#include "../guest/lib/machine.h"
#include <core/grant.h>
#include <core/lib.h>
#include <core/log.h>
#include <mmu/mmu.h>

/* Of any number. */
#define grant_offer(d, gfn, to, flags, ref) (*(ref) = 0, grant_offer(d, gfn, to, flags, ref))

#define ADDR	0x000ffffffffff000ull

#define SHIFT(l)	(12 + 9 * ((l) - 1))
#define SIZE(l)		(1ull << SHIFT(l))
#define IDX(va, l)	((va) >> SHIFT(l) & 511)

#define CPUS		3u
#define VCPUS		5u
#define SPACES		7u
#define TABLES		480u		/* gfns 0..479 are for page tables */
#define GEN_GFN		500u		/* the page with the tlb_gen of each address space */
#define BUF_GFN		501u		/* records of hypercalls */
#define GFNS 4096u /* 0..511 single, 512..2047 extents, 2048..2559 single, rest a hole */
#define GRANTS		16u		/* frames of the other domain, mapped from here on: */
#define GRANT_GFN	3072u

static u64 seed;
static unsigned int step;
#define CHECK(c, fmt, ...) \
	EXPECT(c, "seed %lu step %u: " fmt, (unsigned long)seed, step, ##__VA_ARGS__)

static struct domain *d;
static struct domain *other;	/* offers its frames; never runs */
static struct grant {
	u32 ref, handle;	/* 0 = not mapped */
} grants[GRANTS];
static u64 going, going_entry;	/* mfn and gfn entry of a mapping that is on its way out */
static u64 free_before;
static bool hostile;		/* no promise to such a guest; others are to be safe from it */

/* ---- the guest's side ---- */

/* Low addresses differ per address space; high ones, from slot 272 on, are shared. */
static const u64 regions[] = {
	0x400000,	    0x600000,		0x40000000,	    0x8000000000,
	0x7fffffe00000,	    0xffff880000000000, 0xffff880000200000, 0xffff8880c0000000,
	0xffffffff80000000, 0xffffffffffe00000,
};
#define LOW_REGIONS	5u
#define REGIONS		ARRAY_SIZE(regions)
static const u16 pages[] = { 0, 1, 2, 3, 4, 5, 8, 14, 15, 16, 17, 31, 32, 100, 255, 256, 510, 511 };
#define PAGES		ARRAY_SIZE(pages)

/* Mostly the same few, so that what one makes another finds. */
static unsigned int some_page(void) { return (unsigned int)below(chance(4) ? PAGES : 5); }

struct space {
	bool live;
	u64 id, root;		/* root: gfn */
};
static struct space spaces[SPACES];
static u64 next_id;
static u16 table_stack[TABLES];	/* free page-table pages of the guest */
static unsigned int tables_free;
static unsigned int runs[VCPUS];	/* the address space of each vCPU */
static bool anonymous[VCPUS];		/* under id 0 */
static int cpu_of[VCPUS];		/* -1 = not running */

static u64 *guest_page(u64 gfn)
{
	return frame_map(gfn_entry_mfn(gfn_lookup(d, _gfn(gfn))));
}

static u64 *gen_of(unsigned int s) { return &guest_page(GEN_GFN)[s]; }
static u64 gen_gpa(unsigned int s) { return (GEN_GFN << PAGE_SHIFT) + s * 8; }

static u64 table_get(void)
{
	u64 k = below(tables_free), gfn = table_stack[k];

	table_stack[k] = table_stack[--tables_free];
	memset(guest_page(gfn), 0, PAGE_SIZE);
	return gfn;
}

static void table_put(u64 gfn) { table_stack[tables_free++] = (u16)gfn; }

/* What the guest's tables say: the reference. */
struct view {
	bool present, reserved, w, u, nx;
	u64 gfn, leaf;
	int level;
};

/* From the table @gfn of @level down, with the rights that the levels above give. */
static struct view look_from(u64 gfn, int level, struct view v, u64 va)
{
	u64 e;

	for (v.level = level;; v.level--) {
		e = guest_page(gfn)[IDX(va, v.level)];
		if (!(e & P))
			return v;
		if (e & arch_reserved_bits) {
			v.reserved = true;
			return v;
		}
		v.w &= !!(e & W);
		v.u &= !!(e & U);
		v.nx |= !!(e & NX);
		gfn = (e & ADDR) >> 12;
		if (v.level == 1 || e & PS)
			break;
	}
	v.present = true;
	v.leaf = e;
	v.gfn = (((e & ADDR) & ~(SIZE(v.level) - 1)) | (va & (SIZE(v.level) - 1))) >> 12;
	/* granted for reading only */
	v.w &= (gfn_lookup(d, _gfn(v.gfn)) & (GFN_PRESENT | GFN_WRITABLE)) != GFN_PRESENT;
	return v;
}

static struct view look(u64 root, u64 va)
{
	return look_from(root, 4, (struct view){ .w = true, .u = true }, va);
}

/* The error code of an access by that view, or -1 if it succeeds. */
static int fault_of(const struct view *v, struct access a)
{
	bool high = (s64)a.va < 0;
	int e = (a.write ? PF_WRITE : 0) | (a.fetch ? PF_FETCH : 0) | (a.user ? PF_USER : 0);

	if (v->reserved)
		return e | PF_RESERVED | PF_PRESENT;
	if (!v->present)
		return e;
	if ((a.user && (high || !v->u)) || (a.write && !v->w) || (a.fetch && v->nx) ||
	    (a.fetch && !a.user && !high))
		return e | PF_PRESENT;
	return -1;
}

/*
 * Between a change and the end of its flush the old view is as good as the new one; and so is one
 * of the old tables down to any level, which a CPU may have cached, with what is below them now.
 * pending: the address space whose low half changed, SPACES for the kernel half.
 */
#define NOTHING		(SPACES + 1)
static unsigned int pending = NOTHING;
static struct old {
	struct view view;
	struct {
		u64 gfn;		/* 0 = there was no table of that level */
		struct view above;	/* its rights are those that the levels above it gave */
	} table[4];
} olds[REGIONS][PAGES];

static void remember(unsigned int s)
{
	unsigned int r, p, first = s == SPACES ? LOW_REGIONS : 0,
			   end = s == SPACES ? REGIONS : LOW_REGIONS;
	u64 root = spaces[s == SPACES ? 0 : s].root;

	for (r = first; r < end; r++)
		for (p = 0; p < PAGES; p++) {
			u64 va = regions[r] + pages[p] * PAGE_SIZE, gfn = root, e;
			struct view above = { .w = true, .u = true };
			struct old *o = &olds[r][p];

			memset(o, 0, sizeof(*o));
			o->view = look(root, va);
			for (int level = 4; level > 1; level--) {
				e = guest_page(gfn)[IDX(va, level)];
				if (!(e & P) || e & (arch_reserved_bits | PS))
					break;
				above.w &= !!(e & W);
				above.u &= !!(e & U);
				above.nx |= !!(e & NX);
				gfn = (e & ADDR) >> 12;
				o->table[level - 1].gfn = gfn;
				o->table[level - 1].above = above;
			}
		}
	pending = s;
}

/* ---- the hardware's side ---- */

static u64 mfn_of(u64 gfn) { return mfn_x(gfn_entry_mfn(gfn_lookup(d, _gfn(gfn)))); }

static u64 access_count, fault_count;

static void check_owner(const char *who, u64 va, u64 mfn, bool write)
{
	struct frame_info *f = frame_info(_mfn(mfn));
	u64 e = mfn == going ? going_entry : 0;
	unsigned int k;

	CHECK(f && f->type == FRAME_GUEST, "%s: va %lx is mfn %lx, which is nobody's", who, va,
	      mfn);
	if (f->owner == d->id)
		return;
	for (k = 0; k < GRANTS; k++)
		if (mfn_of(GRANT_GFN + k) == mfn)
			e |= gfn_lookup(d, _gfn(GRANT_GFN + k));
	CHECK(e & GFN_PRESENT, "%s: va %lx is mfn %lx, not the guest's", who, va, mfn);
	CHECK(!write || e & GFN_WRITABLE, "%s: va %lx writes to mfn %lx, granted for reading", who,
	      va, mfn);
}

static bool view_gives(const struct view *v, struct access a, int fault, u64 mfn)
{
	int want = fault_of(v, a);

	return fault >= 0 ? want == fault : want < 0 && mfn_of(v->gfn) == mfn;
}

/* What was there before gives that, or some of its tables with what is below them now. */
static bool old_gives(unsigned int r, unsigned int p, struct access a, int fault, u64 mfn)
{
	const struct old *o = &olds[r][p];

	if (view_gives(&o->view, a, fault, mfn))
		return true;
	for (int level = 1; level < 4; level++) {
		struct view v;

		if (!o->table[level].gfn)
			continue;
		v = look_from(o->table[level].gfn, level, o->table[level].above, a.va);
		if (view_gives(&v, a, fault, mfn))
			return true;
	}
	return false;
}

/* One access of a running vCPU, with the page faults that it takes. */
static void guest_access(unsigned int i, unsigned int r, unsigned int p, struct access a)
{
	struct vcpu *v = d->vcpus[i];
	unsigned int cpu = (unsigned int)cpu_of[i], me = native_this_cpu, tries;
	bool was_exposed = native_cpus[cpu].exposed, loose;
	int fault = -1;
	u64 mfn = 0;
	struct view now;

	a.va = regions[r] + pages[p] * PAGE_SIZE;
	loose = pending == (r >= LOW_REGIONS ? SPACES : runs[i]);
	access_count++;
	native_this_cpu = cpu;
	for (tries = 0;; tries++) {
		u32 access = (a.write ? PF_WRITE : 0) | (a.fetch ? PF_FETCH : 0), error;
		enum shadow_result res;

		CHECK(hostile || tries < 100, "va %lx never gets there", a.va);
		if (tries == 100)
			break;
		native_expose(cpu);
		if (native_access(cpu, a, &mfn))
			break;
		native_unexpose(cpu);
		fault_count++;
		res = shadow_fault(v, a.va, access, a.user, random_u64(), &error);
		CHECK(hostile || res != SHADOW_KILLED, "killed: %s", d->own->kill_reason);
		if (res == SHADOW_KILLED) {
			d->ended = 0;	/* for the model it goes on */
			fault = 0;
			break;
		}
		if (res == SHADOW_GUEST_FAULT) {
			fault = (int)error;
			native_expose(cpu);
			break;
		}
	}
	if (!was_exposed)
		native_unexpose(cpu);
	native_this_cpu = me;
	if (hostile) {
		if (fault < 0 && tries < 100)
			check_owner("an access", a.va, mfn, a.write);
		return;
	}
	now = look(spaces[runs[i]].root, a.va);
	CHECK(view_gives(&now, a, fault, mfn) ||
		      (loose && old_gives(r, p, a, fault, mfn)),
	      "vcpu %u space %u va %lx %s%s%s: fault %d mfn %lx, the tables say fault %d mfn %lx",
	      i, runs[i], a.va, a.user ? "user " : "kernel ", a.write ? "write" : "",
	      a.fetch ? "fetch" : "", fault, mfn, fault_of(&now, a),
	      now.present ? mfn_of(now.gfn) : 0);
	if (fault < 0 && !loose) {
		CHECK(now.leaf & A, "va %lx was accessed and is not marked", a.va);
		CHECK(!a.write || now.leaf & D, "va %lx was written and is not marked", a.va);
	}
}

static void random_access(unsigned int i)
{
	struct access a = { .user = false };
	unsigned int r = (unsigned int)below(REGIONS), n;

	for (n = below(8) + 1; n; n--) {
		a.user = r < LOW_REGIONS ? !chance(3) : chance(8);
		a.write = chance(2);
		a.fetch = !a.write && chance(3);
		guest_access(i, r, some_page(), a);
	}
}

/* A table that a CPU in the guest may still walk is in nobody else's hands (rule 4). */
static void check_walks(void)
{
	unsigned int cpu, n;

	for (cpu = 0; cpu < CPUS; cpu++) {
		const struct native_cpu *c = &native_cpus[cpu];

		for (n = 0; c->exposed && n < c->walks; n++) {
			const struct frame_info *f = frame_info(_mfn(c->walk[n].table));

			if (!native_live(c, c->walk[n].tag))
				continue;
			CHECK(f->type == FRAME_SHADOW && d->shadow->pages[f->word].level != FREE,
			      "cpu %u may walk a page of the pool that is free", cpu);
		}
	}
}

/* While a flusher waits, its target goes on for a moment, and so do others. */
static unsigned int depth;

static bool is_held(const struct spinlock *l)
{
	return (u16)(READ_ONCE(l->next) - READ_ONCE(l->owner) - LOCK_OFF_BY);
}

static void before_serve(unsigned int cpu)
{
	unsigned int i, n;

	check_walks();
	/* who waits for another CPU holds none (rule 48); a flush within an access waits, too */
	CHECK(!is_held(&d->shadow->kernel->lock), "a wait with the kernel half's lock");
	for (i = 0; i < VCPUS; i++)
		CHECK(!is_held(&d->vcpus[i]->own->shadow.as->lock),
		      "a wait with vcpu %u's lock", i);
	if (depth)
		return;
	depth++;
	for (i = 0; i < VCPUS; i++) {
		if (cpu_of[i] < 0 || (unsigned int)cpu_of[i] == native_this_cpu || !chance(3))
			continue;
		(void)cpu;
		for (n = below(3); n; n--)
			random_access(i);
	}
	depth--;
}

/* A right that a TLB or a table has must be one of the guest's. */
static void check_right(const char *who, unsigned int cpu, unsigned int i, u64 va, bool user,
			u64 mfn, bool w, bool nx)
{
	struct view v;

	check_owner(who, va, mfn, w);
	if (hostile)
		return;
	v = look(spaces[runs[i]].root, va);
	if (pending == ((s64)va < 0 ? SPACES : runs[i]))
		return;
	CHECK(v.present, "%s of cpu %u: va %lx is there, the guest has nothing", who, cpu, va);
	CHECK(mfn_of(v.gfn) == mfn, "%s of cpu %u: va %lx is mfn %lx, not %lx", who, cpu, va, mfn,
	      mfn_of(v.gfn));
	CHECK(v.leaf & A, "%s of cpu %u: va %lx, A is clear", who, cpu, va);
	CHECK(!w || (v.w && v.leaf & D), "%s of cpu %u: va %lx is writable", who, cpu, va);
	CHECK(nx || !v.nx, "%s of cpu %u: va %lx is executable", who, cpu, va);
	CHECK(nx || user || (s64)va < 0, "%s of cpu %u: low va %lx is executable in kernel mode",
	      who, cpu, va);
	CHECK(!user || ((s64)va >= 0 && v.u), "%s of cpu %u: va %lx is seen by user mode", who, cpu,
	      va);
}

static void check_table(unsigned int cpu, unsigned int i, u64 *t, int level, u64 va, bool user,
			bool nx, bool w)
{
	unsigned int n;

	for (n = 0; n < 512; n++) {
		u64 e = t[n], at = va + n * SIZE(level), k;
		bool enx = nx || e & NX, ew = w && e & W;

		if (!e)
			continue;
		if (level == 4) {
			at = (u64)((s64)((u64)n << 55) >> 16) & ~(SIZE(4) - 1);
			CHECK(n < 256 || n > 271, "root of cpu %u: the hole has an entry", cpu);
		}
		if (!(e & P)) {		/* L1TF: no address */
			CHECK(!(e & ADDR), "entry %lx for va %lx has an address", e, at);
			CHECK(level < 4, "root of cpu %u: entry %lx", cpu, e);
			continue;
		}
		if (level == 1 || (e & PS)) {
			CHECK(level <= 2, "a large entry of level %d", level);
			for (k = 0; k < (level == 2 ? 512 : 1); k += level == 2 ? 511 : 1)
				check_right("a table", cpu, i, at + k * PAGE_SIZE, user,
					    ((e & ADDR) >> 12) + k, ew, enx);
			continue;
		}
		CHECK(frame_info(_mfn((e & ADDR) >> 12))->type == FRAME_SHADOW,
		      "va %lx: not a shadow page", at);
		check_table(cpu, i, frame_map(_mfn((e & ADDR) >> 12)), level - 1, at, user, enx,
			    ew);
	}
}

static void check_all(bool tables)
{
	unsigned int i, n;

	check_walks();
	for (i = 0; i < VCPUS; i++) {
		struct native_cpu *c;
		unsigned int cpu = (unsigned int)cpu_of[i];

		if (cpu_of[i] < 0)
			continue;
		c = &native_cpus[cpu];
		if (!c->exposed && c->work & WORK_SERVE && chance(2))
			continue;	/* it has not looked yet */
		if (!c->exposed) {	/* what it would do before it runs the guest */
			native_expose(cpu);
			native_unexpose(cpu);
		}
		for (n = 0; n < c->tlbs; n++)
			if (native_live(c, c->tlb[n].tag))
				check_right("the TLB", cpu, i, c->tlb[n].va, c->tlb[n].user,
					    c->tlb[n].mfn, c->tlb[n].write, c->tlb[n].nx);
		if (!tables)
			continue;
		check_table(cpu, i, c->root[c->roots.pair].kernel_table, 4, 0, false, false, true);
		check_table(cpu, i, c->root[c->roots.pair].user_table, 4, 0, true, false, true);
	}
}

/* ---- the guest's kernel ---- */

static u64 random_data_gfn(void)
{
	u64 gfn = chance(6) ? GRANT_GFN + below(GRANTS) :
		  chance(8) ? 2048 + below(512) :
			      512 + below(1536);

	return gfn_lookup(d, _gfn(gfn)) ? gfn : 512 + below(1536);
}

static u64 random_flags(bool high)
{
	return P | (chance(4) ? 0 : W) | (chance(high ? 8 : 6) ? 0 : U) | (chance(3) ? NX : 0) |
	       (chance(2) ? A : 0) | (chance(3) ? D : 0);
}

static bool is_table(u64 e) { return (e & (P | PS)) == P && !(e & arch_reserved_bits); }

/* The entry of a level above @va, making tables down to it; NULL if a larger page is there. */
static u64 *entry_for(u64 root, u64 va, int level, bool make)
{
	u64 gfn = root, *e;
	int l;

	for (l = 4; l > level; l--) {
		e = &guest_page(gfn)[IDX(va, l)];
		if (!(*e & P)) {
			if (!make || tables_free < 20)
				return NULL;
			*e = table_get() << 12 | P | W | U;
		} else if (!is_table(*e)) {
			return NULL;
		}
		gfn = (*e & ADDR) >> 12;
	}
	return &guest_page(gfn)[IDX(va, level)];
}

static void lost(u64 start, u64 bytes);

/* A leaf loses something: any address in it will do for the flush, as for INVLPG. */
static void lost_leaf(u64 e, u64 base, int level)
{
	if (level > 1 && e & PS && chance(2))
		lost(base + below(MIB(8) < SIZE(level) ? MIB(8) >> 12 : SIZE(level) >> 12) *
				     PAGE_SIZE,
		     PAGE_SIZE);
	else
		lost(base, SIZE(level));
}

static u16 freed[TABLES];	/* tables to give back after the flush */
static unsigned int freed_count;

static void free_below(u64 e, int level)
{
	u64 *t;
	unsigned int n;

	if (!is_table(e) || level == 1)
		return;
	t = guest_page((e & ADDR) >> 12);
	if (level > 2)
		for (n = 0; n < 512; n++)
			free_below(t[n], level - 1);
	freed[freed_count++] = (u16)((e & ADDR) >> 12);
}

static u64 flush_start, flush_end;
static bool flush_needed;

static void lost(u64 start, u64 bytes)
{
	u64 end = start + bytes;

	if (!flush_needed || start < flush_start)
		flush_start = start;
	/* the end of the address space is 0 */
	if (!flush_needed || end - 1 > flush_end - 1)
		flush_end = end;
	flush_needed = true;
}

/* A table goes, and the flush names what was in it, as Linux does it: from first to last. */
static void lost_table(u64 e, u64 base)
{
	u64 *t = guest_page((e & ADDR) >> 12);
	unsigned int n;

	lost(base, PAGE_SIZE);
	for (n = 0; n < 512; n++)
		if (t[n] & P)
			lost(base + n * PAGE_SIZE, PAGE_SIZE);
}

/* One change of the tables below @root. */
static void change(u64 root, unsigned int r)
{
	u64 va = regions[r] + pages[some_page()] * PAGE_SIZE, *e,
	    flags = random_flags(r >= LOW_REGIONS);
	int level = chance(24) ? 3 : chance(10) ? 2 : 1;
	u64 base = va & ~(SIZE(level) - 1);

	e = entry_for(root, va, level, !chance(4));
	if (!e)
		return;
	switch (below(level == 1 ? 8 : 10)) {
	case 0:		/* unmap */
		if (level > 1 && chance(2))
			break;
		if (level == 2 && r < LOW_REGIONS && is_table(*e) && chance(2))
			lost_table(*e, base);
		else if (*e & P)
			lost_leaf(*e, base, level);
		free_below(*e, level);
		*e = 0;
		break;
	case 1:		/* take rights away, of a leaf or of a table */
		if (!(*e & P))
			break;
		*e = (*e & ~(chance(2) ? W : chance(2) ? U : A | D)) | (chance(4) ? NX : 0);
		lost_leaf(*e, base, level);
		break;
	case 2:		/* give rights: no flush */
		if (*e & P)
			*e = (*e | (chance(2) ? W : U)) & (chance(2) ? ~NX : ~0ull);
		break;
	case 3:		/* forget A or D */
		if (!(*e & P) || (level > 1 && !(*e & PS)))
			break;
		*e &= chance(2) ? ~D : ~(A | D);
		lost_leaf(*e, base, level);
		break;
	case 4:		/* a reserved bit */
		if (!chance(6))
			break;
		if (*e & P)
			lost_leaf(*e, base, level);
		free_below(*e, level);
		*e = flags | 1ull << 50;
		break;
	case 8:		/* a large page in place of whatever was there */
	case 9:
		if (level == 3 && (va & (SIZE(3) - 1)) >= MIB(8))
			break;		/* there is no RAM for it */
		if (*e & P)
			lost_leaf(*e, base, level);
		free_below(*e, level);
		if (level == 3)
			*e = flags | PS;	/* all RAM that there is, at once */
		else
			*e = flags | PS | (512 + 512 * below(4)) << 12;
		break;
	default:	/* a page of another frame, or the same table moved */
		if (level == 1) {
			if (*e & P)
				lost_leaf(*e, base, level);
			*e = flags | random_data_gfn() << 12;
		} else if (is_table(*e) && tables_free > 20) {
			u64 to = table_get();

			memcpy(guest_page(to), guest_page((*e & ADDR) >> 12), PAGE_SIZE);
			freed[freed_count++] = (u16)((*e & ADDR) >> 12);
			*e = (*e & ~ADDR) | to << 12;
			lost_leaf(*e, base, level);
		} else if (!(*e & P)) {
			entry_for(root, va, 1, true);
		}
	}
}

/* A vCPU that runs: it makes the hypercalls. */
static unsigned int somebody(void)
{
	unsigned int i;

	do
		i = (unsigned int)below(VCPUS);
	while (cpu_of[i] < 0);
	return i;
}

/* A call of the guest, which is -PARVUS_EAGAIN here if it has to come again. */
static int release_id(struct vcpu *v, u64 id)
{
	struct regs r = { .rip = 2 };
	s64 ret = hc_mmu_release(v, id, &r);

	return r.rip ? (int)ret : -PARVUS_EAGAIN;
}

static int flush_batch(struct vcpu *v, u64 mask)
{
	CHECK(!guest_write(d, (u64)BUF_GFN << PAGE_SHIFT, &mask, sizeof(mask)), "mask");
	return (int)hc_mmu_flush_batch(v, (u64)BUF_GFN << PAGE_SHIFT, 1);
}

static u64 pool_free(void)
{
	return d->shadow->free_count + d->shadow->max - d->shadow->count;
}

#define CALL(i, call) ({ \
	unsigned int me_ = native_this_cpu, cpu_ = (unsigned int)cpu_of[i]; \
	bool exposed_ = native_cpus[cpu_].exposed; \
	int ret_; \
	native_unexpose(cpu_); \
	native_this_cpu = cpu_; \
	if (chance(8)) \
		roots_full(arch_roots());	/* all memory is seen in many a call */ \
	ret_ = (call); \
	if (exposed_) \
		native_expose(cpu_); \
	native_this_cpu = me_; \
	ret_; \
})

static void ok(int ret, const char *what) { CHECK(!ret, "%s: %d", what, ret); }

/* A flush of everything hides what went wrong before it: rare in half of the schedules. */
static u64 all_rarely(void) { return seed & 1 ? 8 : 400; }

static void flush_kernel(unsigned int i)
{
	struct vcpu *v = d->vcpus[i];

	if (chance(all_rarely()))
		ok(CALL(i, hc_mmu_flush(v, 0, 0, 0, 0, 0, PARVUS_FLUSH_ALL)), "flush");
	else if (chance(4))
		ok(CALL(i, hc_mmu_flush(v, 0, 0, 0, 0, 0, PARVUS_FLUSH_KERNEL_ALL)), "flush");
	else
		ok(CALL(i, hc_mmu_flush(v, 0, 0, flush_start, flush_end, PAGE_SIZE,
					PARVUS_FLUSH_KERNEL |
						(freed_count ? PARVUS_FLUSH_FREED_TABLES : 0))),
		   "flush");
}

/* The low half of address space @s: by its id, and wherever it runs under id 0. */
static void flush_space(unsigned int i, unsigned int s)
{
	struct vcpu *v = d->vcpus[i];
	u64 gen = ++*gen_of(s), id = spaces[s].id, users = 0;
	unsigned int k;
	bool nameless = false;

	for (k = 0; k < VCPUS; k++)
		if (runs[k] == s) {
			users |= 1ull << k;
			nameless |= anonymous[k];
		}
	if (nameless || chance(all_rarely())) {
		if (chance(2))		/* "all" needs no number */
			--*gen_of(s);
		ok(CALL(i, hc_mmu_flush(v, 0, 0, 0, 0, 0, PARVUS_FLUSH_ALL)), "flush");
		return;
	}
	if (!users && chance(2))
		return;			/* tlb_gen alone does it, at the next switch */
	if (chance(6))
		ok(CALL(i, flush_batch(v, users | (chance(2) ? 1ull << below(VCPUS) : 0))),
		   "batch");
	else if (chance(6) && runs[i] == s)
		ok(CALL(i, hc_mmu_flush(v, 77, gen, flush_start, flush_end, PAGE_SIZE,
					PARVUS_FLUSH_CURRENT)),
		   "flush");
	else if (chance(5))
		ok(CALL(i, hc_mmu_flush(v, id, gen, 0, 0, 0, PARVUS_FLUSH_AS)), "flush");
	else
		ok(CALL(i, hc_mmu_flush(v, id, gen, flush_start, flush_end,
					chance(2) ? EXTENT_SIZE : 0,
					PARVUS_FLUSH_RANGE |
						(freed_count ? PARVUS_FLUSH_FREED_TABLES : 0))),
		   "flush");
}

static void change_and_flush(void)
{
	bool kernel = chance(3);
	unsigned int s = kernel ? SPACES : (unsigned int)below(SPACES), n, r, i = somebody();

	if (!kernel && !spaces[s].live)
		return;
	remember(s);
	flush_needed = false;
	freed_count = 0;
	r = (unsigned int)(kernel ? LOW_REGIONS + below(REGIONS - LOW_REGIONS) :
				    below(LOW_REGIONS));
	for (n = below(4) + 1; n; n--) {
		change(spaces[kernel ? 0 : s].root, r);
		if (chance(4))
			r = (unsigned int)(kernel ? LOW_REGIONS + below(REGIONS - LOW_REGIONS) :
					   below(LOW_REGIONS));
	}
	for (n = below(3); n; n--)
		random_access(somebody());
	if (flush_needed && kernel)
		flush_kernel(i);
	else if (flush_needed)
		flush_space(i, s);
	pending = NOTHING;
	while (freed_count)
		table_put(freed[--freed_count]);
	check_all(chance(4));
}

static void space_new(unsigned int s)
{
	u64 n;

	spaces[s].live = true;
	spaces[s].id = next_id++;
	spaces[s].root = table_get();
	/* what the guest has in the hole is nobody's business */
	guest_page(spaces[s].root)[260] = random_u64() | P;
	for (n = 272; s && n < 512; n++)
		guest_page(spaces[s].root)[n] = guest_page(spaces[0].root)[n];
	*gen_of(s) = below(5);
}

static void space_end(unsigned int s)
{
	struct space *sp = &spaces[s];
	unsigned int k, i = somebody();
	u64 n;

	for (k = 0; k < VCPUS; k++)
		if (runs[k] == s)
			return;
	for (k = 0; k < 200; k++)
		if (CALL(i, release_id(d->vcpus[i], sp->id)) != -PARVUS_EAGAIN)
			break;
	CHECK(k < 200, "release never ends");
	freed_count = 0;
	for (n = 0; n < 256; n++)
		free_below(guest_page(sp->root)[n], 4);
	while (freed_count)
		table_put(freed[--freed_count]);
	table_put(sp->root);
	sp->live = false;
	space_new(s);
}

static void switch_space(unsigned int i)
{
	unsigned int s = (unsigned int)below(SPACES);
	bool anon = seed & 2 && chance(8);

	/* a vCPU that changes is not seen by flushes of others half-way: one thread */
	ok(CALL(i, hc_mmu_switch(d->vcpus[i], anon ? 0 : spaces[s].id, spaces[s].root << 12, 0,
				 *gen_of(s), chance(8) ? 0 : gen_gpa(s), chance(4) ? below(4) : 0)),
	   "switch");
	runs[i] = s;
	anonymous[i] = anon;
}

static void put_away(unsigned int i)
{
	unsigned int cpu = (unsigned int)cpu_of[i];

	native_unexpose(cpu);
	native_this_cpu = cpu;
	shadow_unload(d->vcpus[i]);
	CHECK(cpu_features.cr3_keep || (!native_cpus[cpu].tlbs && !native_cpus[cpu].walks),
	      "the TLB of cpu %u after unload", cpu);
	native_cpus[cpu].current = NULL;
	cpu_of[i] = -1;
}

static void run_on(unsigned int i, unsigned int cpu)
{
	native_this_cpu = cpu;
	arch_area(d->vcpus[i]);
	shadow_load(d->vcpus[i]);
	native_cpus[cpu].current = d->vcpus[i];
	cpu_of[i] = (int)cpu;
	native_expose(cpu);
}

static void reschedule(void)
{
	unsigned int i = somebody(), k, cpu = (unsigned int)cpu_of[i];

	do
		k = (unsigned int)below(VCPUS);
	while (cpu_of[k] >= 0);
	put_away(i);
	run_on(k, cpu);
}

/* ---- memory that comes and goes ---- */

/* An address that the guest uses leads there. */
static bool in_tables(u64 gfn)
{
	unsigned int s, r, p;

	for (s = 0; s < SPACES; s++)
		for (r = 0; r < REGIONS; r++)
			for (p = 0; spaces[s].live && p < PAGES; p++) {
				struct view v =
					look(spaces[s].root, regions[r] + pages[p] * PAGE_SIZE);

				if (v.present && v.gfn == gfn)
					return true;
			}
	return false;
}

static u64 unmaps, releases;

static s64 grant_call(unsigned int i, u64 op, void *r, size_t size)
{
	s64 ret;

	CHECK(!guest_write(d, (u64)BUF_GFN << PAGE_SHIFT, r, size), "records");
	ret = CALL(i, (int)hc_grant_op(d->vcpus[i], op, (u64)BUF_GFN << PAGE_SHIFT, 1));
	CHECK(!guest_read(d, (u64)BUF_GFN << PAGE_SHIFT, r, size), "records");
	return ret;
}

static void grant_change(unsigned int i)
{
	unsigned int k = (unsigned int)below(GRANTS);
	struct grant *g = &grants[k];
	u64 gfn = GRANT_GFN + k;

	if (!g->handle) {
		u32 flags = chance(2) ? PARVUS_GRANT_READONLY : 0;
		struct parvus_grant_map m = { .domain = other->id, .gfn = gfn };

		ok(grant_offer(other, below(64), d->id, flags, &m.ref), "offer");
		m.flags = flags | (chance(3) ? PARVUS_GRANT_READONLY : 0);
		CHECK(grant_call(i, PARVUS_GRANT_MAP, &m, sizeof(m)) == 1, "map");
		ok(m.status, "map");
		g->ref = m.ref;
		g->handle = m.handle;
	} else if (hostile || !in_tables(gfn)) {
		struct parvus_grant_unmap u = { .handle = g->handle };
		struct parvus_grant_map m = { .domain = other->id, .gfn = gfn, .ref = g->ref,
					      .flags = PARVUS_GRANT_READONLY };

		if (chance(2))
			u.va = regions[below(REGIONS)] + pages[some_page()] * PAGE_SIZE;
		going_entry = gfn_lookup(d, _gfn(gfn));
		going = mfn_of(gfn);
		CHECK(grant_call(i, PARVUS_GRANT_UNMAP, &u, sizeof(u)) == 1, "unmap");
		going_entry = going = 0;
		ok(u.status, "unmap");
		g->handle = 0;
		unmaps++;
		if (chance(4)) {	/* in the same place with fewer rights */
			CHECK(grant_call(i, PARVUS_GRANT_MAP, &m, sizeof(m)) == 1, "map");
			ok(m.status, "map");
			g->handle = m.handle;
		}
	}
	check_all(chance(4));
}

/* Frames go, and others come in their place. */
static void memory_change(unsigned int i)
{
	u64 gfn = 2048 + below(512), frames = 1;
	int ret;

	if (hostile && chance(2)) {
		gfn = chance(4) ? 512 + 512 * below(3) : 512 + below(2048);
		frames = chance(3) ? 512 - gfn % 512 : 1 + below(min(512 - gfn % 512, 20ull));
	}
	if (!gfn_is_ram(gfn_lookup(d, _gfn(gfn)))) {
		/* as far as there is room, and memory */
		(void)domain_populate(d, _gfn(gfn), frames);
		return;
	}
	if (!hostile && in_tables(gfn))
		return;
	ret = CALL(i, domain_release(d, d->vcpus[i], gfn, frames));
	CHECK(!ret || (ret == -PARVUS_EFAULT && frames > 1), "release: %d", ret);
	if (!ret) {
		CHECK(!gfn_lookup(d, _gfn(gfn)), "gfn %lx is still there", gfn);
		releases++;
	}
	check_all(chance(4));
	/* a 2 MiB page may lie over it next: a guest that knows leaves no hole there */
	if (!hostile)
		ok(domain_populate(d, _gfn(gfn), 1), "populate");
}

static void age(unsigned int i)
{
	ok(CALL(i, hc_mmu_age(d->vcpus[i], spaces[below(SPACES)].id)), "age");
}

/* ---- a domain for it ---- */

static void domain_up(u64 pool)
{
	unsigned int i;

	free_before = frames_free_count();
	d = native_domain("model", GFNS, GFNS, VCPUS);
	other = native_domain("other", 512, 512, 1);
	ck_assert(d && other);
	ck_assert_int_eq(domain_populate(other, _gfn(0), 64), 0);
	memset(grants, 0, sizeof(grants));
	/* a pool of the size that we want in place of the usual one */
	while (!shadow_domain_destroy(d, 7))
		;
	ck_assert_int_eq(shadow_domain_init(d, pool), 0);
	for (i = 0; i < VCPUS; i++) {
		memset(&d->vcpus[i]->own->shadow, 0, sizeof(d->vcpus[i]->own->shadow));
		ck_assert_int_eq(shadow_vcpu_init(d->vcpus[i]), 0);
	}
	ck_assert_int_eq(domain_populate(d, _gfn(0), 511), 0);
	ck_assert_int_eq(domain_populate(d, _gfn(511), 1), 0);
	ck_assert_int_eq(domain_populate(d, _gfn(512), 1536), 0);
	ck_assert_int_eq(domain_populate(d, _gfn(2048), 511), 0);
	ck_assert_int_eq(domain_populate(d, _gfn(2559), 1), 0);
}

static void domain_down(void)
{
	unsigned int i;

	for (i = 0; i < VCPUS; i++)
		if (cpu_of[i] >= 0)
			put_away(i);
	/* either may be the first to go, mappings and all */
	domain_destroy(seed & 4 ? other : d);
	domain_destroy(seed & 4 ? d : other);
	CHECK(native_warnings() == 0, "%s", native_log);
	CHECK(frames_free_count() == free_before, "%lu frames, %lu before", frames_free_count(),
	      free_before);
}

static u64 stats(size_t offset)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < VCPUS; i++)
		sum += *(u64 *)((char *)&d->vcpus[i]->stats + offset);
	return sum;
}
#define STAT(name)	stats(offsetof(struct parvus_vcpu_stats, name))

static void guest_up(void)
{
	unsigned int i, r;

	tables_free = 0;
	for (i = 0; i < TABLES; i++)
		table_stack[tables_free++] = (u16)i;
	next_id = 1;
	memset(cpu_of, 0xff, sizeof(cpu_of));
	pending = NOTHING;
	space_new(0);
	for (r = LOW_REGIONS; r < REGIONS; r++)	/* top-level entries of the kernel half stay */
		entry_for(spaces[0].root, regions[r], 3, true);
	for (i = 1; i < SPACES; i++)
		space_new(i);
	for (i = 0; i < VCPUS; i++) {
		shadow_start(d->vcpus[i], _gfn(spaces[0].root));
		runs[i] = 0;
		anonymous[i] = true;
		if (i < CPUS)
			run_on(i, i);
	}
}

static unsigned int steps = 12000;
static u64 pool_size;
static u64 evictions, prefills, shootdowns, resyncs;

static void schedule_of(u64 s)
{
	seed = s;
	domain_up(pool_size);
	guest_up();
	for (step = 0; step < steps; step++) {
		unsigned int i = somebody();

		switch (below(22)) {
		case 20:
			grant_change(i);
			break;
		case 21:
			memory_change(i);
			break;
		case 0:
			switch_space(i);
			break;
		case 1:
			reschedule();
			break;
		case 2:
			if (chance(8))
				space_end((unsigned int)(1 + below(SPACES - 1)));
			break;
		case 3:
			if (native_cpus[cpu_of[i]].exposed)
				native_unexpose((unsigned int)cpu_of[i]);
			else
				native_expose((unsigned int)cpu_of[i]);
			break;
		case 4:
			native_this_cpu = (unsigned int)cpu_of[i];
			(void)CALL(i, (shadow_prefill(d->vcpus[i]), 0));
			break;
		case 6:
			if (chance(all_rarely()))
				age(i);
			break;
		case 7:
			switch_space(i);
			break;
		case 8:
		case 9:
		case 10:
			change_and_flush();
			break;
		default:
			random_access(i);
		}
		if (chance(64))
			check_all(true);
	}
	check_all(true);
	evictions += STAT(evictions);
	prefills += STAT(prefills);
	shootdowns += STAT(shootdowns);
	resyncs += STAT(resyncs);
	domain_down();
}

static void model(u64 pool, bool exact, unsigned int seeds)
{
	native_boot(20 * EXTENT_FRAMES, 1);
	native_before_serve = before_serve;
	pool_size = pool;
	shadow_exact = exact;
	for_seeds(seeds, schedule_of);
	/* what was not exercised was not tested */
	ck_assert_uint_gt(prefills, 0);
	ck_assert_uint_gt(shootdowns, 0);
	ck_assert_uint_gt(fault_count, 0);
	ck_assert_uint_gt(unmaps, 0);
	ck_assert_uint_gt(releases, 0);
	ck_assert(exact || resyncs > 0);
}

/* ---- a guest that does it all wrong ---- */

static u64 any_gfn(void)
{
	if (chance(6))
		return GRANT_GFN + below(GRANTS);
	return chance(3) ? below(TABLES) : chance(8) ? random_u64() >> 24 : below(GFNS);
}

static u64 any_entry(void)
{
	switch (below(6)) {
	case 0:
		return 0;
	case 1:
		return random_u64();
	case 2:
		return any_gfn() << 12 | random_flags(false) | PS;
	case 3:
		return (any_gfn() & ~511ull) << 12 | random_flags(false) | PS;
	default:
		return any_gfn() << 12 | random_flags(false);
	}
}

static void change_anything(void)
{
	u64 va = regions[below(REGIONS)] + pages[some_page()] * PAGE_SIZE, *e;

	if (tables_free < 40) {
		while (tables_free < TABLES) {	/* all over again, the old ones still in use */
			table_stack[tables_free] = (u16)tables_free;
			tables_free++;
		}
	}
	e = entry_for(spaces[below(SPACES)].root, va, chance(8) ? 3 : chance(4) ? 2 : 1, true);
	if (e)
		*e = any_entry();
	if (chance(4))
		guest_page(below(TABLES))[below(512)] = any_entry();
}

static u64 any_id(void) { return chance(20) ? random_u64() : below(SPACES + 2); }

static void call_anything(unsigned int i)
{
	struct vcpu *v = d->vcpus[i];
	u64 start = regions[below(REGIONS)] + pages[below(PAGES)] * PAGE_SIZE;
	u64 end = chance(8) ? random_u64() : start + (below(40) << (chance(4) ? 21 : 12));

	switch (below(8)) {
	case 0:
	case 1:
		(void)CALL(i,
			   hc_mmu_switch(v, any_id(), chance(10) ? random_u64() : any_gfn() << 12,
					 0, chance(2) ? below(8) : random_u64(),
					 chance(4) ? 0 : any_gfn() << 12 | (below(512) * 8),
					 below(5)));
		runs[i] = (unsigned int)below(SPACES);
		break;
	case 2:
		(void)CALL(i, flush_batch(v, below(1 << VCPUS)));
		break;
	case 3:
	case 4:
		(void)CALL(i, release_id(v, any_id()));
		break;
	case 5:
		age(i);
		break;
	default:
		(void)CALL(i, hc_mmu_flush(v, any_id(), below(16), start, end,
					   chance(4) ? random_u64() : 0,
					   chance(8) ? random_u64() : below(8)));
	}
}

static void hostile_schedule(u64 s)
{
	unsigned int i;

	seed = s;
	hostile = true;
	domain_up(pool_size);
	guest_up();
	for (step = 0; step < steps; step++) {
		i = somebody();
		switch (below(14)) {
		case 12:
			grant_change(i);
			break;
		case 13:
			memory_change(i);
			break;
		case 0:
		case 1:
			call_anything(i);
			break;
		case 2:
		case 3:
		case 4:
			change_anything();
			break;
		case 5:
			reschedule();
			break;
		case 6:
			if (native_cpus[cpu_of[i]].exposed)
				native_unexpose((unsigned int)cpu_of[i]);
			break;
		case 7:
			(void)CALL(i, (shadow_prefill(d->vcpus[i]), 0));
			break;
		default:
			random_access(i);
		}
		if (chance(8))
			check_all(chance(4));
	}
	check_all(true);
	evictions += STAT(evictions);
	domain_down();
}

START_TEST(hostile_small_pool)
{
	native_boot(20 * EXTENT_FRAMES, 1);
	native_before_serve = before_serve;
	pool_size = 48;
	for_seeds(8, hostile_schedule);
	ck_assert_uint_gt(evictions, 0);
}
END_TEST

START_TEST(hostile_small_pool_pcid)
{
	native_pcid();
	native_boot(20 * EXTENT_FRAMES, 1);
	native_before_serve = before_serve;
	pool_size = 48;
	for_seeds(8, hostile_schedule);
	ck_assert_uint_gt(evictions, 0);
}
END_TEST

START_TEST(hostile_large_pool)
{
	native_boot(20 * EXTENT_FRAMES, 1);
	native_before_serve = before_serve;
	pool_size = 400;
	for_seeds(8, hostile_schedule);
}
END_TEST

START_TEST(hostile_exact)
{
	native_boot(20 * EXTENT_FRAMES, 1);
	native_before_serve = before_serve;
	pool_size = 48;
	shadow_exact = true;
	for_seeds(4, hostile_schedule);
}
END_TEST

START_TEST(model_large_pool) { model(600, false, 8); }
END_TEST

START_TEST(model_small_pool)
{
	model(48, false, 8);
	ck_assert_uint_gt(evictions, 0);
}
END_TEST

START_TEST(model_exact) { model(600, true, 4); }
END_TEST

START_TEST(model_large_pool_pcid)
{
	native_pcid();
	model(600, false, 8);
}
END_TEST

START_TEST(model_small_pool_pcid)
{
	native_pcid();
	model(48, false, 8);
	ck_assert_uint_gt(evictions, 0);
}
END_TEST

START_TEST(model_exact_pcid)
{
	native_pcid();
	model(600, true, 4);
}
END_TEST

START_TEST(model_exact_small_pool)
{
	model(48, true, 4);
	ck_assert_uint_gt(evictions, 0);
}
END_TEST

/* ---- one thing at a time ---- */

static void setup(void)
{
	native_boot(20 * EXTENT_FRAMES, 1);
	seed = 1;
	step = 0;
	random_seed(1);
	domain_up(400);
	guest_up();
}

static void teardown(void) { domain_down(); }

static void map(u64 va, u64 gfn, u64 flags)
{
	u64 *e = entry_for(spaces[0].root, va, 1, true);

	ck_assert_ptr_nonnull(e);
	*e = gfn << 12 | flags;
}

/* The fault itself: result, error code. */
static enum shadow_result fault(u64 va, u32 access, bool user, u32 *error)
{
	enum shadow_result r;

	native_unexpose(0);
	native_this_cpu = 0;
	r = shadow_fault(d->vcpus[0], va, access, user, 0x1000, error);
	native_expose(0);
	return r;
}

static bool hits(u64 va, bool write, bool user)
{
	u64 mfn;

	native_this_cpu = 0;
	arch_tlb_flush_all();
	return native_access(0, (struct access){ .va = va, .write = write, .user = user }, &mfn);
}

START_TEST(overlay)
{
	u32 e;

	/* two neighbours, one of them the kernel's alone */
	map(0x400000, 600, P | W);
	map(0x401000, 601, P | W | U);
	ck_assert_int_eq(fault(0x401000, PF_WRITE, true, &e), SHADOW_DONE);
	ck_assert_int_eq(fault(0x400000, PF_WRITE, true, &e), SHADOW_GUEST_FAULT);
	ck_assert_uint_eq(e, PF_PRESENT | PF_WRITE | PF_USER);
	ck_assert_int_eq(fault(0x400000, PF_WRITE, false, &e), SHADOW_DONE);
	ck_assert(hits(0x400000, true, false));
	ck_assert(!hits(0x400000, false, true));
	ck_assert(hits(0x401000, true, true));
	/* the kernel sees both, the one filled for user mode after a fault of its own */
	if (!hits(0x401000, true, false))
		ck_assert_int_eq(fault(0x401000, PF_WRITE, false, &e), SHADOW_DONE);
	ck_assert(hits(0x401000, true, false));
	ck_assert(!hits(0x400000, false, true));
}
END_TEST

START_TEST(too_many_overlays)
{
	u64 slot;
	u32 e;

	for (slot = 0; slot < 16; slot++) {
		map(slot << 39, 600, P | W);
		ck_assert_int_eq(fault(slot << 39, 0, false, &e), SHADOW_DONE);
	}
	map(slot << 39, 600, P | W);
	ck_assert_int_eq(fault(slot << 39, 0, false, &e), SHADOW_KILLED);
	ck_assert_ptr_nonnull(strstr(d->own->kill_reason, "kernel-only pages"));
}
END_TEST

START_TEST(faults)
{
	u32 e;

	/* the hole, whatever the guest's root says */
	ck_assert_int_eq(fault(PARVUS_HOLE_START + (4ull << 39), 0, false, &e), SHADOW_GUEST_FAULT);
	ck_assert_uint_eq(e, 0);
	ck_assert_int_eq(fault(PARVUS_HOLE_END - 1, PF_WRITE, true, &e), SHADOW_GUEST_FAULT);
	ck_assert_uint_eq(e, PF_WRITE | PF_USER);
	/* absent, read-only, no-execute, reserved */
	ck_assert_int_eq(fault(0x400000, 0, true, &e), SHADOW_GUEST_FAULT);
	ck_assert_uint_eq(e, PF_USER);
	map(0x400000, 600, P | U);
	ck_assert_int_eq(fault(0x400000, PF_WRITE, false, &e), SHADOW_GUEST_FAULT);
	ck_assert_uint_eq(e, PF_WRITE | PF_PRESENT);
	ck_assert_int_eq(fault(0x400000, PF_FETCH, false, &e), SHADOW_GUEST_FAULT);
	ck_assert_uint_eq(e, PF_FETCH | PF_PRESENT);
	ck_assert_int_eq(fault(0x400000, PF_FETCH, true, &e), SHADOW_DONE);
	map(0x401000, 600, P | U | NX);
	ck_assert_int_eq(fault(0x401000, PF_FETCH, true, &e), SHADOW_GUEST_FAULT);
	ck_assert_uint_eq(e, PF_FETCH | PF_PRESENT | PF_USER);
	map(0x402000, 600, P | U | 1ull << 51);
	ck_assert_int_eq(fault(0x402000, 0, true, &e), SHADOW_GUEST_FAULT);
	ck_assert_uint_eq(e, PF_RESERVED | PF_PRESENT | PF_USER);
	/* a table outside the domain's memory reads as absent */
	*entry_for(spaces[0].root, 0x40000000, 2, true) = 3000ull << 12 | P | W | U;
	ck_assert_int_eq(fault(0x40000000, 0, true, &e), SHADOW_GUEST_FAULT);
	ck_assert_uint_eq(e, PF_USER);
	ck_assert_uint_eq(d->ended, 0);
	/* a page outside it is a fault: there is nothing to give */
	map(0x403000, 3000, P | U);
	ck_assert_int_eq(fault(0x403000, 0, true, &e), SHADOW_GUEST_FAULT);
	ck_assert_uint_eq(e, PF_USER);
	ck_assert_uint_eq(d->ended, 0);
}
END_TEST

/* The levels above give more than the last walk saw, without a flush: no fault that stays. */
START_TEST(rights_above)
{
	u64 *e;
	u32 error;

	map(0x400000, 600, P | W | U | A | D);
	e = entry_for(spaces[0].root, 0x400000, 2, true);
	ck_assert_int_eq(fault(0x400000, 0, true, &error), SHADOW_DONE);
	*e &= ~(U | W);
	ok(CALL(0, hc_mmu_flush(d->vcpus[0], 0, 0, 0x400000, 0x600000, 0, PARVUS_FLUSH_CURRENT)),
	   "flush");
	ck_assert_int_eq(fault(0x400000, PF_WRITE, true, &error), SHADOW_GUEST_FAULT);
	*e |= U | W;
	ck_assert_int_eq(fault(0x400000, PF_WRITE, true, &error), SHADOW_DONE);
	/* the leaf's own word is the last one */
	*entry_for(spaces[0].root, 0x400000, 1, false) &= ~W;
	ck_assert_int_eq(fault(0x400000, PF_WRITE, true, &error), SHADOW_GUEST_FAULT);
	ck_assert_uint_eq(error, PF_PRESENT | PF_WRITE | PF_USER);
}
END_TEST

START_TEST(no_progress)
{
	unsigned int n;
	u32 e;

	map(0x400000, 600, P | W | U);
	for (n = 0; n < 1000 && fault(0x400000, PF_WRITE, true, &e) == SHADOW_DONE; n++)
		;
	ck_assert_uint_gt(n, 50);
	ck_assert_uint_lt(n, 100);
	ck_assert_ptr_nonnull(strstr(d->own->kill_reason, "no progress"));
}
END_TEST

/*
 * A large page is exchanged for another one without a flush: a TLB that holds the old one
 * must be known to be behind, or it outlives the release of that memory.
 */
START_TEST(large_exchanged)
{
	u64 va = regions[LOW_REGIONS] & ~(SIZE(2) - 1), old = mfn_of(512), mfn = 0, *leaf;
	struct access read = { .va = va };
	u32 e;

	leaf = entry_for(spaces[0].root, va, 2, true);
	*leaf = 512ull << 12 | P | W | PS;
	native_unexpose(1);
	native_this_cpu = 1;
	ck_assert_int_eq(shadow_fault(d->vcpus[1], va, 0, false, 0x1000, &e), SHADOW_DONE);
	native_expose(1);
	ck_assert(native_access(1, read, &mfn));
	ck_assert_uint_eq(mfn, old);
	*leaf = 1024ull << 12 | P | W | PS;
	ck_assert_int_eq(fault(va, PF_WRITE, false, &e), SHADOW_DONE);
	ck_assert_int_eq(CALL(0, domain_release(d, d->vcpus[0], 512, 1)), 0);
	native_this_cpu = 1;
	ck_assert(!native_access(1, read, &mfn) || mfn != old);
}
END_TEST

/* Filled ahead: the page of the last fault, if the guest made it; never A or D by itself. */
START_TEST(prefill)
{
	struct vcpu *v = d->vcpus[0];
	u64 *leaf;
	u32 e;

	ck_assert_int_eq(fault(0x400000, PF_WRITE, true, &e), SHADOW_GUEST_FAULT);
	map(0x400000, 600, P | W | U | A | D);
	map(0x401000, 601, P | W | U | A);
	map(0x402000, 602, P | W | U);
	ck_assert_int_eq(CALL(0, (shadow_prefill(v), 0)), 0);
	ck_assert(hits(0x400000, true, true));
	ck_assert(hits(0x401000, false, true));
	ck_assert(!hits(0x401000, true, true));
	ck_assert(!hits(0x402000, false, true));
	leaf = entry_for(spaces[0].root, 0x402000, 1, false);
	ck_assert_uint_eq(*leaf & (A | D), 0);
	/* once */
	map(0x600000, 603, P | W | U | A | D);
	(void)CALL(0, (shadow_prefill(v), 0));
	ck_assert(!hits(0x600000, false, true));
}
END_TEST

START_TEST(bad_calls)
{
	struct vcpu *v = d->vcpus[0];
	u64 root = spaces[0].root << 12;

#define REFUSED(error, call) ck_assert_int_eq(CALL(0, call), -(error))
	REFUSED(PARVUS_EINVAL, hc_mmu_switch(v, 1, root + 8, 0, 0, 0, 0));
	REFUSED(PARVUS_EINVAL, hc_mmu_switch(v, 1, root, 1, 0, 0, 0));
	REFUSED(PARVUS_EINVAL, hc_mmu_switch(v, 1, root, 0, 0, 0, PARVUS_SWITCH_ALL + 1));
	REFUSED(PARVUS_EFAULT, hc_mmu_switch(v, 1, 3000ull << 12, 0, 0, 0, 0));
	REFUSED(PARVUS_EFAULT, hc_mmu_switch(v, 1, ~0xfffull, 0, 0, 0, 0));
	REFUSED(PARVUS_EFAULT, hc_mmu_switch(v, 1, root, 0, 0, 4, 0));
	REFUSED(PARVUS_EFAULT, hc_mmu_switch(v, 1, root, 0, 0, 3000ull << 12, 0));
	REFUSED(PARVUS_EINVAL, hc_mmu_flush(v, 1, 1, 0, 0, 0, 6));
	REFUSED(PARVUS_EINVAL, hc_mmu_flush(v, 1, 1, 0, 0, 0, 0x20));
	REFUSED(PARVUS_EINVAL, hc_mmu_flush(v, 1, 1, 0x1000, 0x2000, 3, PARVUS_FLUSH_RANGE));
	REFUSED(PARVUS_EINVAL, hc_mmu_flush(v, 1, 1, 0x1001, 0x2000, 0, PARVUS_FLUSH_RANGE));
	REFUSED(PARVUS_EINVAL, hc_mmu_flush(v, 1, 1, 0x1000, 0x2001, 0, PARVUS_FLUSH_RANGE));
	REFUSED(PARVUS_EINVAL, hc_mmu_flush(v, 1, 1, 0x3000, 0x2000, 0, PARVUS_FLUSH_RANGE));
	REFUSED(PARVUS_EINVAL, hc_mmu_flush(v, 1, 1, 0, 0x1000, 0, PARVUS_FLUSH_KERNEL));
	REFUSED(PARVUS_EINVAL, hc_mmu_flush(v, 1, 1, 0, 0, 0, PARVUS_FLUSH_KERNEL_ALL));
	REFUSED(PARVUS_EINVAL, flush_batch(v, 1ull << VCPUS));
	/* hints about what is not there are no mistake */
	REFUSED(0, hc_mmu_flush(v, 99, 1, 0, 0x1000, 0, PARVUS_FLUSH_RANGE));
	REFUSED(0, hc_mmu_flush(v, 99, 1, 0x1000, 0x1000, 0, PARVUS_FLUSH_RANGE));
	REFUSED(0, hc_mmu_flush(v, 0, 0, 0xffffffffffe00000, 0, 0, PARVUS_FLUSH_KERNEL));
	REFUSED(0, release_id(v, 99));
	REFUSED(0, release_id(v, 0));
	REFUSED(0, hc_mmu_age(v, 99));
	REFUSED(0, flush_batch(v, 0));
	ck_assert_uint_eq(d->ended, 0);
}
END_TEST

/* Pages of the pool come back when an address space is released, a few per call. */
START_TEST(release)
{
	struct vcpu *v = d->vcpus[0];
	u64 free_pages, n;
	unsigned int calls = 1;
	u32 e;

	map(0x400000, 600, P | W | U);
	ck_assert_int_eq(fault(0x400000, 0, true, &e), SHADOW_DONE);	/* the reserve is taken */
	free_pages = pool_free();
	ok(CALL(0, hc_mmu_switch(v, 50, spaces[0].root << 12, 0, 0, 0, 0)), "switch");
	for (n = 0; n < 40; n++) {
		map(0x40000000 + (n << 21), 600, P | W | U);
		ck_assert_int_eq(fault(0x40000000 + (n << 21), 0, true, &e), SHADOW_DONE);
	}
	/* the reserve is filled up before each fault, so what it lacks now counts as taken */
	ck_assert_uint_lt(pool_free(), free_pages - 30);
	ok(CALL(0, hc_mmu_switch(v, 51, spaces[0].root << 12, 0, 0, 0, 0)), "switch");
	while (CALL(0, release_id(v, 50)) == -PARVUS_EAGAIN)
		calls++;
	ck_assert_uint_ge(calls, 2);
	ck_assert_uint_lt(calls, 10);
	/* left: the aspace of id 51, and what one fault keeps in reserve */
	ck_assert_uint_ge(pool_free() + 1 + SHADOW_RESERVE, free_pages);
}
END_TEST

/*
 * One vCPU flushes, and its shadow entry is gone; before the TLB of another one has heard of
 * it, a third one gives the frame away: nothing counts on it any more, and still it must
 * not go before that TLB is clean (rule 4).
 */
static u64 race_gfn;
static unsigned int races;

static bool tlb_has(unsigned int cpu, u64 mfn)
{
	unsigned int n;

	for (n = 0; n < native_cpus[cpu].tlbs; n++)
		if (native_cpus[cpu].tlb[n].mfn == mfn)
			return true;
	return false;
}

static void race_hook(unsigned int cpu)
{
	u64 mfn = mfn_of(race_gfn);

	if (depth)
		return;
	depth++;
	ck_assert_uint_eq(cpu, 1);
	ck_assert(tlb_has(1, mfn));
	if (race_gfn < GRANT_GFN) {
		ck_assert_uint_eq(frame_info(_mfn(mfn))->count, 0);
		ok(CALL(2, domain_release(d, d->vcpus[2], race_gfn, 1)), "release");
		ck_assert_uint_eq(frame_info(_mfn(mfn))->type, FRAME_FREE);
	} else {
		struct parvus_grant_unmap u = { .handle = grants[race_gfn - GRANT_GFN].handle };

		ck_assert(!shadow_maps_foreign(d, _mfn(mfn)));
		ck_assert_int_eq(grant_call(2, PARVUS_GRANT_UNMAP, &u, sizeof(u)), 1);
		ok(u.status, "unmap");
	}
	ck_assert(!tlb_has(1, mfn));
	races++;
	depth--;
}

START_TEST(overtaken)
{
	const u64 va = 0xffff880000000000;
	struct access a = { .va = va, .write = true };
	unsigned int i;
	u64 mfn;
	u32 e;

	while (!grants[0].handle || !(gfn_lookup(d, _gfn(GRANT_GFN)) & GFN_WRITABLE))
		grant_change(0);
	native_before_serve = race_hook;
	for (i = 0; i < 2; i++) {
		race_gfn = i ? GRANT_GFN : 2100;
		map(va, race_gfn, P | W | A | D);
		ck_assert_int_eq(CALL(1,
				      shadow_fault(d->vcpus[1], va, PF_WRITE, false, 0x1000, &e)),
				 SHADOW_DONE);
		native_this_cpu = 1;
		ck_assert(native_access(1, a, &mfn));
		ck_assert_uint_eq(mfn, mfn_of(race_gfn));
		native_unexpose(2);
		*entry_for(spaces[0].root, va, 1, false) = 0;
		ok(CALL(0, hc_mmu_flush(d->vcpus[0], 0, 0, va, va + PAGE_SIZE, PAGE_SIZE,
					PARVUS_FLUSH_KERNEL)),
		   "flush");
		ck_assert_uint_eq(races, i + 1);
	}
	native_before_serve = NULL;
}
END_TEST

/*
 * A vCPU is half-way to an address space that runs nowhere; meanwhile another one was there and
 * left an entry, the guest takes it away, and FLUSH_ALL finds the address space with no vCPU.
 */
static void flush_hook(UNUSED unsigned int cpu)
{
	struct vcpu *v = d->vcpus[2];
	u64 root = spaces[0].root << PAGE_SHIFT;
	u32 e;

	if (depth || races)
		return;
	depth++;
	ok(CALL(2, hc_mmu_switch(v, 50, root, 0, 0, 0, 0)), "switch");
	ck_assert_int_eq(CALL(2, shadow_fault(v, 0x400000, PF_WRITE, true, 0x1000, &e)),
			 SHADOW_DONE);
	ok(CALL(2, hc_mmu_switch(v, 51, root, 0, 0, 0, 0)), "switch");
	*entry_for(spaces[0].root, 0x400000, 1, false) = 0;
	ok(CALL(2, hc_mmu_flush(v, 0, 0, 0, 0, 0, PARVUS_FLUSH_ALL)), "flush");
	races++;
	depth--;
}

START_TEST(flush_all_while_switching)
{
	u64 root = spaces[0].root << PAGE_SHIFT;
	u32 e;

	map(0x400000, 600, P | W | U | A | D);
	ok(CALL(0, hc_mmu_switch(d->vcpus[0], 50, root, 0, 0, 0, 0)), "switch");
	ck_assert_int_eq(fault(0x400000, PF_WRITE, true, &e), SHADOW_DONE);
	ck_assert(hits(0x400000, true, true));
	ok(CALL(0, hc_mmu_switch(d->vcpus[0], 52, root, 0, 0, 0, 0)), "switch");
	/* the kernel half is flushed on the way, for which the other vCPUs are kicked */
	native_before_serve = flush_hook;
	ok(CALL(0, hc_mmu_switch(d->vcpus[0], 50, root, 0, 0, 0, PARVUS_SWITCH_ALL)), "switch");
	native_before_serve = NULL;
	ck_assert_uint_eq(races, 1);
	ck_assert(!hits(0x400000, false, true));
	/* and once is enough */
	map(0x400000, 600, P | W | U | A | D);
	ck_assert_int_eq(fault(0x400000, PF_WRITE, true, &e), SHADOW_DONE);
	ok(CALL(0, hc_mmu_switch(d->vcpus[0], 52, root, 0, 0, 0, 0)), "switch");
	ok(CALL(0, hc_mmu_switch(d->vcpus[0], 50, root, 0, 0, 0, 0)), "switch");
	ck_assert(hits(0x400000, true, true));
}
END_TEST

/*
 * A page table of the guest's is RAM of its own that it may write: what is granted to it, or is a
 * device, reads as absent and keeps its bits, at every level (rule 9).
 */
static void no_table(u64 gfn)
{
	u64 root = spaces[0].root << PAGE_SHIFT, va = 0x40000000, mfn = mfn_of(gfn);
	u64 *memory = mfn == native_open_frame ? NULL : frame_map(_mfn(mfn)), was[512];
	struct vcpu *v = d->vcpus[0];
	unsigned int i;
	int level;
	u32 e;

	for (i = 0; memory && i < 512; i++)	/* at every level it would lead somewhere */
		memory[i] = 600ull << PAGE_SHIFT | P | W | U | (i & 1 ? PS : 0);
	if (memory)
		memcpy(was, memory, sizeof(was));
	for (level = 2; level <= 4; level++) {
		u64 *at = entry_for(spaces[0].root, va, level, true), old = *at;

		*at = gfn << PAGE_SHIFT | P | W | U | A;
		ck_assert_int_eq(fault(va, 0, true, &e), SHADOW_GUEST_FAULT);
		ck_assert_uint_eq(e, PF_USER);
		ck_assert_int_eq(fault(va, PF_WRITE, true, &e), SHADOW_GUEST_FAULT);
		(void)CALL(0, (shadow_prefill(v), 0));
		ck_assert(!hits(va, false, true));
		*at = old;
	}
	ck_assert_int_eq(CALL(0, hc_mmu_switch(v, 9, gfn << PAGE_SHIFT, 0, 0, 0, 0)),
			 -PARVUS_EFAULT);
	ck_assert_int_eq(CALL(0, hc_mmu_switch(v, 9, root, 0, 0, gfn << PAGE_SHIFT, 0)),
			 -PARVUS_EFAULT);
	ck_assert(!memory || !memcmp(was, memory, sizeof(was)));
	ck_assert_uint_eq(d->ended, 0);
}

START_TEST(foreign_tables)
{
	unsigned int k, kinds = 0;

	for (k = 0; k < 200; k++)
		grant_change(0);
	for (k = 0; k < GRANTS; k++) {
		u64 g = gfn_lookup(d, _gfn(GRANT_GFN + k));

		if (!g)
			continue;
		kinds |= g & GFN_WRITABLE ? 1 : 2;
		no_table(GRANT_GFN + k);
	}
	ck_assert_uint_eq(kinds, 3);
	native_open_frame = 20 * EXTENT_FRAMES + 5;	/* no RAM: who reads it ends the test */
	domain_set_control(d);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(native_open_frame)) & GFN_MMIO, GFN_MMIO);
	no_table(native_open_frame);
	d->control = false;
}
END_TEST

/*
 * A small table is in the way of a large page: another CPU may walk it until it was told, and
 * until then its page is nobody else's (rules 4, 6).
 */
static u32 table_in_limbo;

static void limbo_hook(unsigned int cpu)
{
	struct access a = { .va = regions[LOW_REGIONS] + PAGE_SIZE };
	u64 mfn;

	if (depth)
		return;
	depth++;
	ck_assert_uint_eq(cpu, 1);
	check_walks();
	ck_assert_uint_eq(d->shadow->pages[table_in_limbo].level, TAKEN);
	/* what it still walks has nothing in it */
	native_this_cpu = 1;
	ck_assert(!native_access(1, a, &mfn));
	native_this_cpu = 0;
	races++;
	depth--;
}

/* The pool index of the leaf table that a TLB remembers. */
static u32 walked_table(unsigned int cpu)
{
	unsigned int n;

	for (n = 0; n < native_cpus[cpu].walks; n++)
		if (native_cpus[cpu].walk[n].level == 1)
			return (u32)frame_info(_mfn(native_cpus[cpu].walk[n].table))->word;
	return 0;
}

/* A vCPU that runs elsewhere uses @va, with the faults that this takes. */
static void use_as(unsigned int i, unsigned int cpu, struct access a)
{
	unsigned int tries;
	u64 mfn;
	u32 e;

	native_this_cpu = cpu;
	for (tries = 0; !native_access(cpu, a, &mfn); tries++) {
		ck_assert_uint_lt(tries, 3);
		ck_assert_int_eq(CALL(i, shadow_fault(d->vcpus[i], a.va, a.write ? PF_WRITE : 0,
						      a.user, 0x1000, &e)),
				 SHADOW_DONE);
	}
	native_this_cpu = 0;
}

static void use(unsigned int i, struct access a) { use_as(i, i, a); }

START_TEST(small_to_large)
{
	u64 va = regions[LOW_REGIONS] & ~(SIZE(2) - 1), *leaf;
	u32 e;

	map(va, 600, P | W | A | D);
	native_unexpose(2);
	use(1, (struct access){ .va = va, .write = true });
	table_in_limbo = walked_table(1);
	ck_assert_uint_ne(table_in_limbo, 0);
	leaf = entry_for(spaces[0].root, va, 2, true);
	*leaf = 512ull << 12 | P | W | PS | A | D;
	native_before_serve = limbo_hook;
	ck_assert_int_eq(fault(va + 5 * PAGE_SIZE, PF_WRITE, false, &e), SHADOW_DONE);
	native_before_serve = NULL;
	ck_assert_uint_eq(races, 1);
	ck_assert_uint_eq(d->shadow->pages[table_in_limbo].level, FREE);
}
END_TEST

/*
 * The other way round: while the large page may be in another TLB there is no small one for it to
 * find. The model TLB bears no address in two sizes.
 */
static void large_hook(unsigned int cpu)
{
	unsigned int n;
	u64 mfn;

	if (depth)
		return;
	depth++;
	ck_assert_uint_eq(cpu, 1);
	native_this_cpu = 1;
	for (n = 0; n < 512; n++)	/* what it has it may use; it must find nothing new */
		ck_assert(native_access(1, (struct access){ .va = regions[LOW_REGIONS] +
							   n * PAGE_SIZE }, &mfn) == (n == 7));
	native_this_cpu = 0;
	races++;
	depth--;
}

START_TEST(large_to_small)
{
	u64 va = regions[LOW_REGIONS] & ~(SIZE(2) - 1), *leaf;
	u32 e;

	leaf = entry_for(spaces[0].root, va, 2, true);
	*leaf = 512ull << 12 | P | W | PS | A | D;
	native_unexpose(2);
	use(1, (struct access){ .va = va + 7 * PAGE_SIZE });
	*leaf = 0;
	map(va + 5 * PAGE_SIZE, 600, P | W | A | D);
	map(va + 6 * PAGE_SIZE, 601, P | W | A | D);
	native_before_serve = large_hook;
	ck_assert_int_eq(fault(va + 5 * PAGE_SIZE, PF_WRITE, false, &e), SHADOW_DONE);
	native_before_serve = NULL;
	ck_assert_uint_eq(races, 1);
	use(1, (struct access){ .va = va + 5 * PAGE_SIZE });
}
END_TEST

/*
 * An address space is released while another vCPU runs it: as long as that one's TLB may walk its
 * tables none is free, whoever asks meanwhile (rules 4, 22). Afterwards nothing is filled in it.
 */
static void release_hook(unsigned int cpu)
{
	if (depth)
		return;
	depth++;
	ck_assert_uint_eq(cpu, 1);
	ck_assert_uint_ne(walked_table(1), 0);
	(void)CALL(2, release_id(d->vcpus[2], 50));
	check_walks();
	races++;
	depth--;
}

START_TEST(release_while_it_runs)
{
	u64 root = spaces[0].root << PAGE_SHIFT;
	struct vcpu *v = d->vcpus[1];
	struct access a = { .va = 0x400000, .write = true, .user = true };
	unsigned int n;
	u64 mfn;
	u32 e;

	map(0x400000, 600, P | W | U | A | D);
	ok(CALL(1, hc_mmu_switch(v, 50, root, 0, 0, 0, 0)), "switch");
	use(1, a);
	native_before_serve = release_hook;
	while (CALL(0, release_id(d->vcpus[0], 50)) == -PARVUS_EAGAIN)
		;
	native_before_serve = NULL;
	ck_assert_uint_eq(races, 1);
	native_this_cpu = 1;
	ck_assert(!native_access(1, a, &mfn));
	ck_assert_int_eq(CALL(1, shadow_fault(v, a.va, PF_WRITE, true, 0x1000, &e)),
			 SHADOW_GUEST_FAULT);
	(void)CALL(1, (shadow_prefill(v), 0));
	for (n = 0; n < 4; n++)
		ck_assert_uint_eq(v->own->shadow.as->used[n], 0);
	ck_assert(!native_access(1, a, &mfn));
}
END_TEST

/*
 * Id 0 is another address space each time, and a known id with another root is, too: nothing of
 * what was there before is seen, though nobody flushed (rules 15, 16).
 */
START_TEST(bound_anew)
{
	u64 root = spaces[0].root << PAGE_SHIFT, other_root = spaces[1].root << PAGE_SHIFT, id;
	struct access a = { .va = 0x400000, .write = true, .user = true };
	struct vcpu *v = d->vcpus[0];
	u64 mfn;

	for (id = 0; id < 51; id += 50) {
		map(a.va, 600, P | W | U | A | D);
		ok(CALL(0, hc_mmu_switch(v, id, root, 0, 0, 0, 0)), "switch");
		use(0, a);
		if (!id) {
			*entry_for(spaces[0].root, a.va, 1, false) = 0;
			ok(CALL(0, hc_mmu_switch(v, 0, root, 0, 0, 0, 0)), "switch");
			ck_assert(!native_access(0, a, &mfn));
		}
		ok(CALL(0, hc_mmu_switch(v, id, other_root, 0, 0, 0, 0)), "switch");
		ck_assert(!native_access(0, a, &mfn));
	}
}
END_TEST

/*
 * A second vCPU flushes up to the same number while the first waits for a third one's TLB: it must
 * not return before that TLB has let go, since its caller frees the page then (rule 18).
 */
static enum { BY_RANGE, BY_AS, BY_BATCH, BY_SWITCH, WAYS } way;

static void flush_up_to(unsigned int i, u64 gen)
{
	struct vcpu *v = d->vcpus[i];
	u64 root = spaces[0].root << PAGE_SHIFT;

	switch (way) {
	case BY_RANGE:
		ok(CALL(i, hc_mmu_flush(v, 50, gen, 0x400000, 0x401000, 0, PARVUS_FLUSH_RANGE)),
		   "flush");
		break;
	case BY_AS:
		ok(CALL(i, hc_mmu_flush(v, 50, gen, 0, 0, 0, PARVUS_FLUSH_AS)), "flush");
		break;
	case BY_BATCH:
		ok(CALL(i, flush_batch(v, 2)), "batch");
		break;
	default:
		ok(CALL(i, hc_mmu_switch(v, 50, root, 0, gen, gen_gpa(0), 0)), "switch");
	}
}

static void gen_hook(unsigned int cpu)
{
	if (depth || cpu != 1)
		return;
	depth++;
	ck_assert(tlb_has(1, mfn_of(600)));
	flush_up_to(2, *gen_of(0));
	ck_assert(!tlb_has(1, mfn_of(600)));
	races++;
	depth--;
}

START_TEST(second_flusher)
{
	u64 root = spaces[0].root << PAGE_SHIFT;
	struct access a = { .va = 0x400000, .write = true, .user = true };
	unsigned int i;

	for (way = 0; way < WAYS; way++) {
		for (i = 0; i < 3; i++)
			ok(CALL(i, hc_mmu_switch(d->vcpus[i], i == 1 || way != BY_SWITCH ? 50 : 51,
						 root, 0, *gen_of(0), gen_gpa(0), 0)), "switch");
		map(0x400000, 600, P | W | U | A | D);
		use(1, a);
		*entry_for(spaces[0].root, 0x400000, 1, false) = 0;
		++*gen_of(0);
		native_before_serve = gen_hook;
		flush_up_to(0, *gen_of(0));
		native_before_serve = NULL;
		ck_assert_uint_eq(races, way + 1);
	}
}
END_TEST

/*
 * A vCPU is half-way into an address space: its roots were filled already, its TLB was flushed,
 * and what it has seen is not written down yet. A flush that comes then must ask it to look again,
 * however high the number of the address space before was (rule 1).
 */
static void half_way_hook(void)
{
	if (native_this_cpu != 1 || races)
		return;
	races++;
	*entry_for(spaces[0].root, 0x400000, 1, false) = 0;
	ok(CALL(0, hc_mmu_flush(d->vcpus[0], 50, ++*gen_of(0), 0, 0, 0, PARVUS_FLUSH_AS)), "flush");
}

START_TEST(flush_while_loading)
{
	u64 root = spaces[0].root << PAGE_SHIFT, mfn;
	struct access a = { .va = 0x400000, .write = true, .user = true };
	struct vcpu *v = d->vcpus[1];
	unsigned int n;

	map(0x400000, 600, P | W | U | A | D);
	ok(CALL(1, hc_mmu_switch(v, 50, root, 0, *gen_of(0), 0, 0)), "switch");
	use(1, a);
	ok(CALL(1, hc_mmu_switch(v, 51, root, 0, 0, 0, 0)), "switch");
	for (n = 0; n < 100; n++)
		ok(CALL(1, hc_mmu_flush(v, 51, n + 1, 0, 0, 0, PARVUS_FLUSH_AS)), "flush");
	native_on_cr3 = half_way_hook;
	ok(CALL(1, hc_mmu_switch(v, 50, root, 0, *gen_of(0), 0, 0)), "switch");
	native_on_cr3 = NULL;
	ck_assert_uint_eq(races, 1);
	native_this_cpu = 1;
	ck_assert(!native_access(1, a, &mfn));
}
END_TEST

/*
 * A frame is released between a fill's look at its gfn and the count that says so: the release,
 * on another CPU, has seen no count, and waits for nothing but the lock of the address space.
 * The second look finds that the frame is going (rule 7).
 */
static pthread_t releaser;
static u64 release_gfn;

static void *release_it(UNUSED void *arg)
{
	native_this_cpu = 2;
	ok(domain_release(d, d->vcpus[2], release_gfn, 1), "release");
	return NULL;
}

static void before_inc(const void *at)
{
	const struct spinlock *l = &d->shadow->kernel->lock;

	if (races || (at != &frame_info(_mfn(going))->count &&
		      at != &d->gfn_chunk_maps[release_gfn >> EXTENT_ORDER]))
		return;
	races++;
	ck_assert_int_eq(pthread_create(&releaser, NULL, release_it, NULL), 0);
	/* somebody else waits for it: the holder's ticket is served, one more was handed out */
	while ((u16)(READ_ONCE(l->next) - READ_ONCE(l->owner) - LOCK_OFF_BY) < 2)
		sched_yield();
}

static void filled_and_released(u64 va)
{
	u64 mfn;
	u32 e;

	races = 0;
	going = mfn_of(release_gfn);
	native_unexpose(1);
	native_unexpose(2);
	native_before = before_inc;
	ck_assert_int_eq(fault(va, PF_WRITE, false, &e), SHADOW_GUEST_FAULT);
	native_before = NULL;
	ck_assert_uint_eq(races, 1);
	pthread_join(releaser, NULL);
	ck_assert_uint_eq(frame_info(_mfn(going))->type, FRAME_FREE);
	native_expose(0);
	ck_assert(!native_access(0, (struct access){ .va = va }, &mfn));
	going = 0;
}

START_TEST(released_while_filled)
{
	u64 va = regions[LOW_REGIONS] & ~(SIZE(2) - 1);

	release_gfn = 2100;
	map(va, release_gfn, P | W | A | D);
	filled_and_released(va);
}
END_TEST

/*
 * The guest takes an entry away between the walk's look at it and the mark: the mark must fail,
 * and the walk be made again. And it is made with the lock held, which a flush waits for: who has
 * flushed may give the table to somebody else (rule 8).
 */
static u64 *marked;

static void before_mark(const void *at)
{
	if (at != marked)
		return;
	ck_assert(is_held(&d->shadow->kernel->lock));
	if (!races++)
		*marked = 0;
}

START_TEST(marked_while_changed)
{
	u64 va = regions[LOW_REGIONS];
	u32 e;

	map(va, 600, P | W);
	marked = entry_for(spaces[0].root, va, 1, false);
	native_before = before_mark;
	ck_assert_int_eq(fault(va, PF_WRITE, false, &e), SHADOW_GUEST_FAULT);
	ck_assert_uint_eq(e, PF_WRITE);
	ck_assert_uint_eq(*marked, 0);
	ck_assert(!hits(va, false, false));
	map(va, 600, P | W);
	ck_assert_int_eq(fault(va, PF_WRITE, false, &e), SHADOW_DONE);
	native_before = NULL;
	ck_assert_uint_eq(races, 2);
	ck_assert_uint_eq(*marked & (A | D), A | D);
}
END_TEST

/* ---- pairs of roots, with PCID (rules 87 to 89) ---- */

static void setup_pcid(void)
{
	native_pcid();
	setup();
}

static void switch_to(unsigned int i, u64 id, unsigned int s)
{
	ok(CALL(i, hc_mmu_switch(d->vcpus[i], id, spaces[s].root << 12, 0, *gen_of(s), 0, 0)),
	   "switch");
}

static void flush_page(unsigned int i, u64 va)
{
	ok(CALL(i, hc_mmu_flush(d->vcpus[i], 0, 0, va, va + PAGE_SIZE, 0, PARVUS_FLUSH_CURRENT)),
	   "flush");
}

static const struct access user_write = { .va = 0x400000, .write = true, .user = true };
static const struct access kernel_write = { .va = 0x400000, .write = true };

/* What is switched to again is there as it was left: no load of CR3 has forgotten it. */
START_TEST(kept)
{
	u64 mfn;

	map(0x400000, 600, P | W | U | A | D);
	switch_to(0, 50, 0);
	use(0, user_write);
	switch_to(0, 51, 1);
	switch_to(0, 50, 0);
	/* no walk finds it */
	native_cpus[0].root[native_cpus[0].roots.pair].user_table[0] = 0;
	ck_assert(native_access(0, user_write, &mfn));
	/* with the vCPU itself, too */
	put_away(0);
	run_on(0, 0);
	ck_assert(native_access(0, user_write, &mfn));
	ck_assert_uint_eq(mfn, mfn_of(600));
}
END_TEST

/* An id is given back and used again: nothing of the former address space is there. */
START_TEST(same_id)
{
	u64 mfn;

	map(0x400000, 600, P | W | U | A | D);
	/* it has the first pair, which is where a new one looks */
	for (unsigned int n = 1; n < ROOT_PAIRS; n++)
		switch_to(0, 60 + n, 1);
	switch_to(0, 50, 0);
	use(0, user_write);
	switch_to(0, 51, 1);
	while (CALL(0, release_id(d->vcpus[0], 50)) == -PARVUS_EAGAIN)
		;
	switch_to(0, 50, 2);
	native_this_cpu = 0;
	ck_assert(!native_access(0, user_write, &mfn));
}
END_TEST

/* A pair keeps its kernel half for the next address space, but not for another domain's. */
START_TEST(other_kernel_half)
{
	struct access high = { .va = regions[LOW_REGIONS], .write = true };
	struct vcpu *v = other->vcpus[0];
	struct native_cpu *c = &native_cpus[0];
	unsigned int n, slot = IDX(high.va, 4);
	u64 mfn, entry;

	map(high.va, 600, P | W | A | D);
	for (n = 0; n < ROOT_PAIRS; n++) {
		switch_to(0, 50 + n, 0);
		use(0, high);
	}
	entry = c->root[c->roots.pair].kernel_table[slot];
	for (n = 0; n < ROOT_PAIRS; n++)
		c->root[n].kernel_table[slot] = 0;
	switch_to(0, 50 + ROOT_PAIRS, 1);
	ck_assert_msg(!c->root[c->roots.pair].kernel_table[slot], "it was filled anew");
	for (n = 0; n < ROOT_PAIRS; n++)
		c->root[n].kernel_table[slot] = entry;
	put_away(0);
	shadow_start(v, _gfn(0));
	/* the numbers say the same of both */
	other->shadow->kernel->gen = d->shadow->kernel->gen;
	arch_area(v);
	shadow_load(v);
	c->current = v;
	native_expose(0);
	ck_assert(!native_access(0, high, &mfn));
	native_unexpose(0);
	shadow_unload(v);
	c->current = NULL;
	run_on(0, 0);
}
END_TEST

/* A page goes by INVLPG, with the kernel root loaded: the user root forgets it at its next load. */
START_TEST(sibling)
{
	unsigned int n;
	u64 mfn;

	for (n = 0; n < 3; n++) {
		map(0x400000, 600, P | W | U | A | D);
		switch_to(0, 50, 0);
		use(0, user_write);
		use(0, kernel_write);
		*entry_for(spaces[0].root, 0x400000, 1, false) = 0;
		if (n == 1)
			roots_full(&native_cpus[0].roots);
		flush_page(0, 0x400000);
		if (n == 2) {	/* and if another pair is used in between */
			switch_to(0, 51, 1);
			switch_to(0, 50, 0);
		}
		native_this_cpu = 0;
		ck_assert(!native_access(0, user_write, &mfn));
		ck_assert(!native_access(0, kernel_write, &mfn));
	}
}
END_TEST

/*
 * Two vCPUs of a process take turns on a CPU: the address of the area is that of the one that
 * runs, also after a new one was registered. native_access() looks.
 */
START_TEST(areas)
{
	struct parvus_vcpu_area *area = d->vcpus[3]->area;
	unsigned int n;

	map(0x400000, 600, P | W | U | A | D);
	for (n = 0; n < 3; n++) {
		put_away(0);
		run_on(3, 0);
		switch_to(3, 50, 0);
		use_as(3, 0, user_write);
		use_as(3, 0, kernel_write);
		if (n) {	/* registered anew, and back */
			d->vcpus[3]->area = d->vcpus[4]->area;
			(void)CALL(3, (arch_area(d->vcpus[3]), 0));
			use_as(3, 0, user_write);
			use_as(3, 0, kernel_write);
			d->vcpus[3]->area = area;
			(void)CALL(3, (arch_area(d->vcpus[3]), 0));
			use_as(3, 0, user_write);
			use_as(3, 0, kernel_write);
		}
		put_away(3);
		run_on(0, 0);
		switch_to(0, 50, 0);
		use(0, user_write);
		use(0, kernel_write);
	}
}
END_TEST

/*
 * A vCPU remembers its last leaf table. On a CPU whose roots do not lead to it, though nothing was
 * taken away since they were left, it goes all the way, and the roots get the entry.
 */
START_TEST(recent_elsewhere)
{
	const u64 va = 0x8000000000;

	map(0x400000, 600, P | W | U | A | D);
	switch_to(0, 50, 0);
	use(0, user_write);
	put_away(0);
	put_away(1);
	run_on(0, 1);
	map(va, 601, P | W | U | A | D);
	map(va + PAGE_SIZE, 602, P | W | U);
	map(va + 2 * PAGE_SIZE, 603, P | W | U);
	use_as(0, 1, (struct access){ .va = va, .write = true, .user = true });
	use_as(0, 1, (struct access){ .va = va + PAGE_SIZE, .write = true, .user = true });
	ck_assert_ptr_nonnull(d->vcpus[0]->own->shadow.recent.as);
	put_away(0);
	run_on(0, 0);
	use(0, (struct access){ .va = va + 2 * PAGE_SIZE, .write = true, .user = true });
	run_on(1, 1);
}
END_TEST

/* A flush of a part of the remembered leaf table leaves what today's tables permit (rule 141). */
START_TEST(flushed_in_place)
{
	struct vcpu *v = d->vcpus[0];
	u64 at[5], fills, gen, *above, table;
	unsigned int i;

	switch_to(0, 77, 0);
	for (i = 0; i < 5; i++) {
		at[i] = 0x400000 + i * PAGE_SIZE;
		map(at[i], 600 + i, P | W | U | A | D);
	}
	map(0x410000, 610, P | W | U | A | D);
	use(0, (struct access){ .va = at[0], .write = true, .user = true });
	use(0, (struct access){ .va = 0x410000, .write = true, .user = true });
	fills = v->stats.fills;
	map(at[0], 600, P | U | A | D);		/* less */
	map(at[1], 700, P | W | U | A | D);	/* another frame */
	map(at[2], 602, P | W | U | D);		/* not accessed */
	map(at[3], 603, P | W | A | D);		/* the kernel's */
	map(at[4], 604, 0);
	hc_mmu_flush(v, 77, ++*gen_of(0), at[0], at[4] + PAGE_SIZE, 0, PARVUS_FLUSH_RANGE);
	ck_assert(hits(at[0], false, true) && !hits(at[0], true, true));
	for (i = 1; i < 5; i++)
		ck_assert(!hits(at[i], false, true));
	map(at[0], 600, P | W | U | A | D);	/* and more */
	gen = v->own->shadow.as->gen;
	hc_mmu_flush(v, 77, ++*gen_of(0), at[0], at[1], 0, PARVUS_FLUSH_RANGE);
	ck_assert(hits(at[0], true, true));
	ck_assert_uint_eq(v->stats.fills, fills);
	ck_assert_uint_gt(v->own->shadow.as->gen, gen);		/* TLBs hear of it */
	/* on into the next table */
	map(0x5ff000, 620, P | W | U | A | D);
	map(0x600000, 621, P | W | U | A | D);
	use(0, (struct access){ .va = 0x600000, .write = true, .user = true });
	use(0, (struct access){ .va = 0x5ff000, .write = true, .user = true });
	map(0x5ff000, 620, 0);
	map(0x600000, 621, 0);
	hc_mmu_flush(v, 77, ++*gen_of(0), 0x5ff000, 0x601000, 0, PARVUS_FLUSH_RANGE);
	ck_assert(!hits(0x5ff000, false, true) && !hits(0x600000, false, true));
	/* all of a table: a level above has changed; and what is given there needs no flush */
	use(0, (struct access){ .va = at[0], .write = true, .user = true });
	above = entry_for(spaces[0].root, at[0], 2, false);
	*above &= ~W;
	hc_mmu_flush(v, 77, ++*gen_of(0), 0x400000, 0x600000, 0, PARVUS_FLUSH_RANGE);
	ck_assert(!hits(at[0], true, true));
	use(0, (struct access){ .va = at[0], .user = true });
	*above |= W;
	use(0, (struct access){ .va = at[0], .write = true, .user = true });
	/* a table went */
	table = table_get();
	*above = (*above & ~ADDR) | table << 12;
	hc_mmu_flush(v, 77, ++*gen_of(0), at[0], at[1], 0,
		     PARVUS_FLUSH_RANGE | PARVUS_FLUSH_FREED_TABLES);
	ck_assert(!hits(at[0], false, true));
}
END_TEST

/* RAM is write-back, whatever the guest says; a device of domain 0 is as it says (rule 27). */
static u64 shadow_leaf(u64 va)
{
	u64 *t = native_cpus[0].root[native_cpus[0].roots.pair].kernel_table;
	int level;

	for (level = 4; level > 1; level--) {
		u64 e = t[IDX(va, level)];

		if (e & PS || !(e & P))
			return e;
		t = frame_map(_mfn((e & ADDR) >> PAGE_SHIFT));
	}
	return t[IDX(va, 1)];
}

START_TEST(cache_types)
{
	const u64 pat = 0x98;	/* PWT, PCD, and PAT in a small page */
	u64 va = regions[LOW_REGIONS], large = va + 4 * SIZE(2);
	u32 e;

	map(va, 600, P | W | A | D | pat);
	map(va + PAGE_SIZE, 601, P | W | A | D | pat);	/* filled beside it */
	ck_assert_int_eq(fault(va, PF_WRITE, false, &e), SHADOW_DONE);
	*entry_for(spaces[0].root, large, 2, true) = 512ull << 12 | P | W | PS | A | D | 0x1018;
	ck_assert_int_eq(fault(large, PF_WRITE, false, &e), SHADOW_DONE);
	ck_assert_uint_eq(shadow_leaf(va) & (P | pat), P);
	ck_assert_uint_eq(shadow_leaf(va + PAGE_SIZE) & (P | pat), P);
	ck_assert_uint_eq(shadow_leaf(large) & (P | PS | 0x1018), P | PS);
	/* and after a flush, by the same entries */
	ok(CALL(0, hc_mmu_flush(d->vcpus[0], 0, 0, 0, 0, 0, PARVUS_FLUSH_KERNEL_ALL)), "flush");
	ck_assert_int_eq(fault(va, PF_WRITE, false, &e), SHADOW_DONE);
	ck_assert_uint_eq(shadow_leaf(va) & (P | pat), P);
	native_open_frame = 20 * EXTENT_FRAMES + 5;
	domain_set_control(d);
	map(va + 2 * PAGE_SIZE, native_open_frame, P | W | A | D | 0x18);
	ck_assert_int_eq(fault(va + 2 * PAGE_SIZE, PF_WRITE, false, &e), SHADOW_DONE);
	ck_assert_uint_eq(shadow_leaf(va + 2 * PAGE_SIZE) & (P | 0x18), P | 0x18);
	/* renewed by a re-sync, it is still a device's: there is no frame that could be counted */
	ok(CALL(0, hc_mmu_flush(d->vcpus[0], 0, 0, 0, 0, 0, PARVUS_FLUSH_KERNEL_ALL)), "flush");
	ck_assert_int_eq(fault(va, PF_WRITE, false, &e), SHADOW_DONE);
	ck_assert_uint_eq(shadow_leaf(va + 2 * PAGE_SIZE) & (PTE_DEVICE | 0x18), PTE_DEVICE | 0x18);
	d->control = false;
}
END_TEST

/* A flush asks the CPUs that run the address space, and interrupts no other (rule 48). */
START_TEST(kicked)
{
	u64 root = spaces[0].root << PAGE_SHIFT;
	unsigned int i;

	for (i = 0; i < 3; i++)
		ok(CALL(i, hc_mmu_switch(d->vcpus[i], i == 2 ? 51 : 50, root, 0, 0, 0, 0)),
		   "switch");
	map(0x400000, 600, P | W | U | A | D);
	for (i = 0; i < 3; i++)
		use(i, (struct access){ .va = 0x400000, .write = true, .user = true });
	native_kicks = 0;
	ok(CALL(0, hc_mmu_flush(d->vcpus[0], 50, 1, 0x400000, 0x401000, 0, PARVUS_FLUSH_RANGE)),
	   "flush");
	ck_assert_uint_eq(native_kicks, 1);
	ck_assert(tlb_has(2, mfn_of(600)));
	ck_assert(!tlb_has(1, mfn_of(600)) && !tlb_has(0, mfn_of(600)));
}
END_TEST

/*
 * A sweep and an eviction look at a pool page without the lock of its tree: when its level says
 * that it is a table, the page must name its address space already (rule 76).
 */
static u8 published[64];

static void look_at_release(const void *at)
{
	const struct shadow_domain *sd = d->shadow;
	const struct shadow_page *p = container_of((const u8 *)at, const struct shadow_page, level);

	if ((const u8 *)at < (const u8 *)sd->pages || p > sd->pages + sd->count)
		return;
	ck_assert_ptr_eq(at, &p->level);
	ck_assert_uint_eq(sd->pages[p->as].level, ASPACE);
	ck_assert_uint_lt(p - sd->pages, sizeof(published));
	published[p - sd->pages] = 1;
}

START_TEST(tables_published)
{
	unsigned int i, tables = 0;
	u32 e;

	while (!shadow_domain_destroy(d, 7))	/* pages that were no tables before */
		;
	ck_assert_int_eq(shadow_domain_init(d, 48), 0);
	for (i = 0; i < VCPUS; i++) {
		memset(&d->vcpus[i]->own->shadow, 0, sizeof(d->vcpus[i]->own->shadow));
		ck_assert_int_eq(shadow_vcpu_init(d->vcpus[i]), 0);
	}
	guest_up();
	native_on_release = look_at_release;
	for (i = 0; i < 4; i++) {
		map(regions[i], 600 + i, P | W | U);
		ck_assert_int_eq(fault(regions[i], 0, true, &e), SHADOW_DONE);
	}
	map(0x400000, 600, P | W);	/* an overlay */
	ck_assert_int_eq(fault(0x400000, 0, false, &e), SHADOW_DONE);
	native_on_release = NULL;
	for (i = 1; i <= d->shadow->count; i++)
		if (d->shadow->pages[i].level >= 1 && d->shadow->pages[i].level <= 3) {
			ck_assert_msg(published[i], "page %u", i);
			tables++;
		}
	ck_assert_uint_ge(tables, 12);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("shadow");
	TCase *t = tcase_create("model");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, model_large_pool);
	tcase_add_test(t, model_small_pool);
	tcase_add_test(t, model_exact);
	tcase_add_test(t, model_exact_small_pool);
	tcase_add_test(t, hostile_small_pool);
	tcase_add_test(t, hostile_large_pool);
	tcase_add_test(t, hostile_exact);
	tcase_add_test(t, model_large_pool_pcid);
	tcase_add_test(t, model_small_pool_pcid);
	tcase_add_test(t, model_exact_pcid);
	tcase_add_test(t, hostile_small_pool_pcid);
	suite_add_tcase(s, t);
	t = tcase_create("single");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, overlay);
	tcase_add_test(t, too_many_overlays);
	tcase_add_test(t, faults);
	tcase_add_test(t, rights_above);
	tcase_add_test(t, no_progress);
	tcase_add_test(t, large_exchanged);
	tcase_add_test(t, prefill);
	tcase_add_test(t, bad_calls);
	tcase_add_test(t, release);
	tcase_add_test(t, overtaken);
	tcase_add_test(t, flush_all_while_switching);
	tcase_add_test(t, tables_published);
	tcase_add_test(t, foreign_tables);
	tcase_add_test(t, small_to_large);
	tcase_add_test(t, large_to_small);
	tcase_add_test(t, release_while_it_runs);
	tcase_add_test(t, bound_anew);
	tcase_add_test(t, second_flusher);
	tcase_add_test(t, flush_while_loading);
	tcase_add_test(t, released_while_filled);
	tcase_add_test(t, marked_while_changed);
	tcase_add_test(t, cache_types);
	tcase_add_test(t, kicked);
	suite_add_tcase(s, t);
	t = tcase_create("pairs");
	tcase_add_checked_fixture(t, setup_pcid, teardown);
	tcase_add_test(t, kept);
	tcase_add_test(t, same_id);
	tcase_add_test(t, other_kernel_half);
	tcase_add_test(t, sibling);
	tcase_add_test(t, areas);
	tcase_add_test(t, recent_elsewhere);
	tcase_add_test(t, flushed_in_place);
	suite_add_tcase(s, t);
	return native_main(s);
}
