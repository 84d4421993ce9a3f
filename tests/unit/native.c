// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fake machine behind the unit tests (native.h): what the portable files of the
 * hypervisor need of core/arch_mmu.h, core/log.h, core/platform.h and core/vcpu.h.
 */
#include "native.h"
#include <stdarg.h>
#include <core/lib.h>
#include <core/log.h>
#include <core/platform.h>
#include <core/sched.h>
#include <core/timer.h>

/* The hypervisor's memory is an array that we give back in no test. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }

/* ---- RAM ---- */

extern struct frame_info *frame_table;	/* page_alloc.c's */
extern u64 frame_table_count;

static u8 *ram;
static u64 ram_frames;

void native_boot(u64 frames, u64 hole)
{
	unsigned int cpu;

	ram_frames = frames;
	ram = aligned_alloc(EXTENT_SIZE, ROUND_UP(frames << PAGE_SHIFT, EXTENT_SIZE));
	frame_table = calloc(frames, sizeof(*frame_table));
	ck_assert(ram && frame_table);
	/* contents are stale, as the allocator's promise has it */
	memset(ram, 0xa5, frames << PAGE_SHIFT);
	frame_table_count = frames;
	frames_add(_mfn(hole), frames - hole);
	for (cpu = 0; cpu < NATIVE_CPUS; cpu++) {
		struct mmu_root *r = &native_cpus[cpu].root;

		r->kernel_table = hv_alloc(PAGE_SIZE);
		r->user_table = hv_alloc(PAGE_SIZE);
		if (!r->kernel_table || !r->user_table)
			continue;	/* a test of the allocator, with little memory */
		r->kernel = frame_of(r->kernel_table);
		r->user = frame_of(r->user_table);
	}
}

void *frame_map(mfn_t mfn)
{
	if (mfn_x(mfn) >= ram_frames)
		panic("frame_map of mfn %llx", (unsigned long long)mfn_x(mfn));
	return ram + (mfn_x(mfn) << PAGE_SHIFT);
}

mfn_t frame_of(const void *p)
{
	u64 at = (u64)((const u8 *)p - ram);

	if (at >= ram_frames << PAGE_SHIFT)
		panic("frame_of a pointer that is not RAM");
	return _mfn(at >> PAGE_SHIFT);
}

/* ---- logs and panics ---- */

char native_log[512], native_raw[512], native_panic_text[512];
unsigned int native_warnings;
jmp_buf native_panic_to;
bool native_panic_wanted;

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	hv_vsnprintf(native_log, sizeof(native_log), fmt, ap);
	va_end(ap);
	if (level <= LOG_WARN) {
		native_warnings++;
		fprintf(stderr, "log: %s\n", native_log);
	}
}

void log_guest(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	hv_vsnprintf(native_log, sizeof(native_log), fmt, ap);
	va_end(ap);
}

void log_raw(const char *s) { snprintf(native_raw, sizeof(native_raw), "%s", s); }

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(native_panic_text, sizeof(native_panic_text), fmt, ap);
	va_end(ap);
	if (native_panic_wanted)
		longjmp(native_panic_to, 1);
	fprintf(stderr, "panic: %s\n", native_panic_text);
	abort();
}

/* ---- what others of the hypervisor do ---- */

unsigned int native_kicks, native_raises, native_last_domain_ended, native_vcpu_fail;
u32 native_last_reason;

u64 native_now;
u64 hv_now_ns(void) { return native_now; }

unsigned int native_rearms;
void timer_rearm(void) { native_rearms++; }

void console_domain_gone(struct domain *d) { (void)d; }

void last_domain_ended(u32 reason)
{
	native_last_domain_ended++;
	native_last_reason = reason;
}

void domain_generation(u64 id[2]) { id[0] = id[1] = 0; }

u64 native_open_frame = ~0ull;	/* the one device of the fake machine */
bool machine_frame_open(u64 mfn) { return mfn == native_open_frame; }

void (*native_on_kick)(struct vcpu *v);
void vcpu_kick(struct vcpu *v)
{
	native_kicks++;
	if (native_on_kick)
		native_on_kick(v);
}

void vcpu_raise(struct vcpu *v, u8 vector)
{
	atomic_or_u64(&v->vectors[vector / 64], 1ull << (vector % 64));
	native_raises++;
}

struct vcpu *vcpu_create(struct domain *d, unsigned int id)
{
	struct vcpu *v;

	if (native_vcpu_fail && !--native_vcpu_fail)
		return NULL;
	v = hv_alloc(sizeof(*v));
	if (!v)
		return NULL;
	v->domain = d;
	v->id = id;
	v->sched.affinity = ~0ull;
	v->sched.weight = d->weight;
	v->area = v->area_none = hv_alloc(PAGE_SIZE);
	if (!v->area || shadow_vcpu_init(v)) {
		hv_free(v->area_none, PAGE_SIZE);
		hv_free(v, sizeof(*v));
		return NULL;
	}
	return v;
}

void vcpu_destroy(struct vcpu *v)
{
	timer_cancel(&v->timer);
	hv_free(v->area_none, PAGE_SIZE);
	v->domain->vcpus[v->id] = NULL;
	hv_free(v, sizeof(*v));
}

/* ---- pCPUs ---- */

struct native_cpu native_cpus[NATIVE_CPUS];
unsigned int native_this_cpu;
void (*native_before_serve)(unsigned int cpu);

u64 native_resched;
void pcpu_resched(unsigned int cpu) { atomic_or_u64(&native_resched, 1ull << cpu); }
unsigned int arch_cpus(void) { return NATIVE_CPUS; }
unsigned int arch_this_cpu(void) { return native_this_cpu; }
struct vcpu *arch_current(void) { return native_cpus[native_this_cpu].current; }
struct mmu_root *arch_mmu_root(unsigned int cpu) { return &native_cpus[cpu].root; }
bool arch_cpu_exposed(unsigned int cpu) { return native_cpus[cpu].exposed; }
void arch_request(unsigned int cpu) { native_cpus[cpu].serve = true; }
bool arch_1g_pages = true;
u64 arch_reserved_bits = 0x000fffffffffffffull & ~((1ull << 46) - 1);

void arch_tlb_flush_all(void)
{
	native_cpus[native_this_cpu].tlbs = 0;
	native_cpus[native_this_cpu].walks = 0;
}

void arch_roots_enter(void)
{
	arch_tlb_flush_all();
	native_cpus[native_this_cpu].roots = true;
}

void arch_roots_leave(void)
{
	arch_tlb_flush_all();
	native_cpus[native_this_cpu].roots = false;
}

static void tlb_drop(struct native_cpu *c, unsigned int i) { c->tlb[i] = c->tlb[--c->tlbs]; }

/* INVLPG: the page, small or large, in both roots, and all that is cached of upper levels. */
void arch_tlb_flush_page(u64 va)
{
	struct native_cpu *c = &native_cpus[native_this_cpu];
	unsigned int i;

	for (i = 0; i < c->tlbs;)
		if (!((c->tlb[i].va ^ va) & ~(c->tlb[i].size - 1)))
			tlb_drop(c, i);
		else
			i++;
	c->walks = 0;
}

void native_serve(unsigned int cpu)
{
	unsigned int me = native_this_cpu;

	native_this_cpu = cpu;
	native_cpus[cpu].serve = false;
	shadow_serve();
	native_this_cpu = me;
}

void arch_kick(u64 mask)
{
	for (; mask; mask &= mask - 1) {
		unsigned int cpu = (unsigned int)__builtin_ctzll(mask);

		if (native_before_serve)
			native_before_serve(cpu);
		native_serve(cpu);
	}
}

void native_expose(unsigned int cpu)
{
	native_cpus[cpu].exposed = true;
	if (native_cpus[cpu].serve)
		native_serve(cpu);
}

void native_unexpose(unsigned int cpu) { native_cpus[cpu].exposed = false; }

/* ---- the MMU ---- */

#define PTE_P	1ull
#define PTE_W	2ull
#define PTE_U	4ull
#define PTE_A	0x20ull
#define PTE_PS	0x80ull
#define PTE_NX	(1ull << 63)

static u64 level_size(int level) { return 1ull << (12 + 9 * (level - 1)); }

/* A table that this TLB remembers for @va, or the root. */
static struct walk_entry walk_from(struct native_cpu *c, struct access a)
{
	struct walk_entry w = { 0, mfn_x(a.user ? c->root.user : c->root.kernel), 4, a.user, true, false };
	unsigned int i;

	for (i = 0; i < c->walks; i++) {
		struct walk_entry *k = &c->walk[i];

		if (k->user == a.user && k->level < w.level && !chance(3) &&
		    k->va == (a.va & ~(level_size(k->level + 1) - 1)))
			w = *k;
	}
	return w;
}

static void remember_table(struct native_cpu *c, struct walk_entry w)
{
	c->walk[c->walks < WALK_MAX ? c->walks++ : below(WALK_MAX)] = w;
}

static bool permits(bool write, bool nx, struct access a)
{
	return (!a.write || write) && (!a.fetch || !nx);
}

static bool walk(struct native_cpu *c, struct access a, u64 *mfn)
{
	struct walk_entry w = walk_from(c, a);
	struct tlb_entry t;
	u64 *at, e;

	EXPECT(c->roots, "a walk from roots that are not in use");
	for (;;) {
		at = (u64 *)frame_map(_mfn(w.table)) + (a.va >> (12 + 9 * (w.level - 1)) & 511);
		e = *at;
		if (!(e & PTE_P) || !(e & PTE_U))
			return false;
		/* reserved bits: a set one would be a machine's #PF with RSVD, our own mistake */
		EXPECT(!(e & arch_reserved_bits), "shadow entry %lx has reserved bits", e);
		w.write &= !!(e & PTE_W);
		w.nx |= !!(e & PTE_NX);
		*at |= PTE_A;
		if (w.level == 1 || (e & PTE_PS))
			break;
		w.table = (e & 0x000ffffffffff000ull) >> PAGE_SHIFT;
		w.va = a.va & ~(level_size(w.level) - 1);
		w.level--;
		remember_table(c, w);
	}
	if (!permits(w.write, w.nx, a))
		return false;
	*mfn = ((e & 0x000ffffffffff000ull) >> PAGE_SHIFT) +
	       ((a.va & (level_size(w.level) - 1)) >> PAGE_SHIFT);
	t = (struct tlb_entry){ a.va & PAGE_MASK, level_size(w.level), *mfn, a.user, w.write, w.nx };
	c->tlb[c->tlbs < TLB_MAX ? c->tlbs++ : below(TLB_MAX)] = t;
	return true;
}

bool native_access(unsigned int cpu, struct access a, u64 *mfn)
{
	struct native_cpu *c = &native_cpus[cpu];
	unsigned int i;

	for (i = 0; i < c->tlbs; i++) {
		struct tlb_entry *t = &c->tlb[i];

		if (t->va != (a.va & PAGE_MASK) || t->user != a.user)
			continue;
		if (permits(t->write, t->nx, a)) {
			*mfn = t->mfn;
			return true;
		}
		/* a fault from the entry, or after a walk; either way the entry is gone */
		tlb_drop(c, i);
		if (chance(2))
			return false;
		break;
	}
	return walk(c, a, mfn);
}

/* ---- chance ---- */

static u64 random_state = 1;

void random_seed(u64 seed) { random_state = seed * 0x9e3779b97f4a7c15ull + 1; }

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014) */
u64 random_u64(void)
{
	u64 z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void for_seeds(unsigned int count, void (*run)(u64 seed))
{
	const char *one = getenv("SEED");
	u64 seed;

	if (one) {
		random_seed(strtoull(one, NULL, 0));
		run(strtoull(one, NULL, 0));
		return;
	}
	for (seed = 1; seed <= count; seed++) {
		random_seed(seed);
		run(seed);
	}
}

int native_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
