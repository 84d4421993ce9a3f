// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rule 1 in every schedule: one pCPU loads an address space of which its TLB still has a
 * translation (pcid=on), or leaves it and comes back, and runs its guest; another one takes that
 * translation away and flushes.
 * Both run the real code of mmu/tlb.c and x86/roots.c, through all interleavings of their accesses
 * to what they share, on x86 (TSO): a store waits in a buffer and reaches memory at any later time,
 * in its order; a locked instruction and a fence drain it first. When the flush is done, the guest
 * must not use what was taken away.
 *
 * How it goes back: a thread is what its accesses have returned so far. To see what it does next,
 * it is run again from the beginning with those answers, on a world that was made anew; what comes
 * behind the last one is not performed. So a state is plain data, and one that was seen is not
 * explored twice.
 */
#include <check.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <core/atomic.h>

enum kind { LOAD, STORE, OR, AND, ADD, SWAP, FENCE, USE, END };

static bool is_shared(const volatile void *p);
static unsigned long long access_do(enum kind kind, const volatile void *p, unsigned long long v);
static void waits(void);

#undef READ_ONCE
#undef WRITE_ONCE
#undef smp_mb
#undef smp_load_acquire
#undef smp_store_release
#define READ_ONCE(x) (is_shared(&(x)) ? (__typeof__(x))access_do(LOAD, &(x), 0) : \
			*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) ({ \
	*(volatile __typeof__(x) *)&(x) = (v); \
	if (is_shared(&(x))) \
		access_do(STORE, &(x), (unsigned long long)(x)); \
})
#define smp_mb()		((void)access_do(FENCE, NULL, 0))
#define smp_load_acquire(p)	READ_ONCE(*(p))
#define smp_store_release(p, v)	WRITE_ONCE(*(p), v)
#define RMW(kind, p, n, op) ({ \
	__typeof__(*(p)) was_ = *(p); \
	if (is_shared(p)) \
		was_ = (__typeof__(*(p)))access_do(kind, p, n); \
	*(p) = op; \
	was_; \
})
#define atomic_or_u64(p, n)	RMW(OR, p, n, was_ | (n))
#define atomic_and_u64(p, n)	RMW(AND, p, n, was_ & (n))
#define atomic_inc_u64(p)	({ u64 next_ = RMW(ADD, p, 1, was_ + 1) + 1; next_; })
#define cpu_relax()		waits()
#include <core/pcpu.h>
#define cpu_work_add(c, bits)	((void)RMW(OR, &(c)->work, bits, was_ | (bits)))
/* the other one looks at its work each time it leaves */
#define arch_kick_cpu		kick_cpu

#include "native.h"
#include <mmu/shadow.c>

/* ---- the world ---- */

#define LOADER		1u	/* pCPU 1; the flusher is 0 */
#define WORDS		14u
#define ANSWERS		160u
#define BUFFER		12u

static struct domain domain;
static struct shadow_domain shadow;
static struct aspace low, before, kernel;	/* what is loaded, what ran until then */
static struct vcpu vcpus[2];
static struct vcpu_own owns[2];
static u64 pte, done;
static const u64 page = 0x400000;

static struct scenario {
	bool high;	/* the translation is one of the kernel half */
	/* a vCPU switches to @low; comes to this pCPU; has it, switches away and back */
	enum { SWITCHES, STARTS, RETURNS } what;
} how;

#define LOADERS	((struct pairs *)(void *)native_mmu_of[LOADER])
static const struct { const volatile void *at; unsigned int bytes; } words[WORDS] = {
	{ &low.gen, 8 }, { &low.loaded, 8 }, { &kernel.gen, 8 }, { &kernel.loaded, 8 },
	{ &before.gen, 8 }, { &before.loaded, 8 },
	{ &LOADERS->half[0].as, 8 }, { &LOADERS->half[0].seen, 8 },
	{ &LOADERS->half[1].as, 8 }, { &LOADERS->half[1].seen, 8 },
	{ &native_cpus[LOADER].exposed, 1 }, { &native_cpus[LOADER].work, 4 }, { &pte, 8 },
	{ &done, 8 },
};

static u64 word_value(unsigned int i)
{
	u64 v = 0;

	memcpy(&v, (const void *)words[i].at, words[i].bytes);
	return v;
}

static unsigned int word_of(const volatile void *p)
{
	unsigned int i;

	for (i = 0; i < WORDS && words[i].at != p; i++)
		;
	return i;
}

static bool is_shared(const volatile void *p) { return word_of(p) < WORDS; }

static void aspace_init(struct aspace *as)
{
	memset(as, 0, sizeof(*as));
	spin_init(&as->lock, LOCK_ASPACE);
	as->domain = &domain;
	as->serial = 1 + (as == &before) + 2 * (as == &kernel);
	as->gen = 1;
	as->kernel = as == &kernel;
}

/* The loader's pair 1 was filled for @low and left; all that was ever flushed it has heard of. */
static void world_init(void)
{
	struct native_cpu *c = &native_cpus[LOADER];
	struct pairs *p = pairs_of(LOADER);
	struct aspace *has;
	unsigned int i;

	aspace_init(&low);
	aspace_init(&before);
	aspace_init(&kernel);
	memset(&shadow, 0, sizeof(shadow));
	memset(owns, 0, sizeof(owns));
	memset(p, 0, sizeof(*p));
	spin_init(&shadow.lock, LOCK_SHADOW);
	shadow.kernel = &kernel;
	domain.shadow = &shadow;
	for (i = 0; i < 2; i++) {
		vcpus[i].domain = &domain;
		vcpus[i].own = &owns[i];
		p->serial[i] = i ? low.serial : before.serial;
		p->pair[i].seen[0] = p->pair[i].seen[1] = 1;
		p->pair[i].kernel = kernel.serial;
	}
	low.pair[LOADER] = 1;
	native_pcid();
	c->exposed = false;
	c->work = 0;
	c->tlbs = c->walks = 0;
	/* as ever, a load came before: nothing is to be forgotten */
	c->roots.pairs[1].kernel_cr3 |= CR3_KEEP;
	c->roots.pairs[1].user_cr3 |= CR3_KEEP;
	c->tlb[c->tlbs++] = (struct tlb_entry){ .va = page, .size = PAGE_SIZE, .tag = 4 };
	pte = PTE_P;
	done = 0;
	has = how.what == SWITCHES ? &before : &low;
	owns[LOADER].shadow.as = has;
	owns[LOADER].shadow.anon = &before;
	if (how.what == STARTS)
		return;
	p->now = &p->pair[has == &low];
	p->root = &c->root[has == &low];
	p->half[0] = (struct loaded){ has, 1 };
	p->half[1] = (struct loaded){ &kernel, 1 };
	has->loaded[0] = kernel.loaded[0] = 1u << LOADER;
	native_this_cpu = LOADER;
	arch_root_load(has == &low, true);
}

/* ---- the threads ---- */

/* entry.S's exit_to_guest, and a guest that looks at the page. */
static void guest_runs(struct native_cpu *c)
{
	unsigned int i;
	bool has = false;

	for (;;) {
		(void)RMW(SWAP, &c->exposed, 1, 1);	/* a full barrier, then work */
		if (!READ_ONCE(c->work))
			break;
		WRITE_ONCE(c->exposed, false);
		(void)RMW(AND, &c->work, ~WORK_SERVE, was_ & ~WORK_SERVE);
		shadow_serve();
	}
	if (c->roots.kernel_cr3 != hv_root && ((c->cr3 ^ c->roots.kernel_cr3) << 1 ||
					       c->roots.full))
		root_load(&c->roots, &c->roots.kernel_cr3);
	for (i = 0; i < c->tlbs; i++)
		has |= c->tlb[i].va == page && c->tlb[i].tag == (c->cr3 & 0xfff);
	/* no walk finds it in the other address space */
	if (!has && (how.high || owns[LOADER].shadow.as == &low) && READ_ONCE(pte)) {
		c->tlb[c->tlbs++] = (struct tlb_entry){ .va = page, .size = PAGE_SIZE,
							.tag = c->cr3 & 0xfff };
		has = true;
	}
	access_do(USE, &done, has);
	WRITE_ONCE(c->exposed, false);
}

static void loads(void)
{
	struct native_cpu *c = &native_cpus[LOADER];

	if (how.what == STARTS) {
		shadow_load(&vcpus[LOADER]);
	} else if (how.what == SWITCHES) {
		as_change(&vcpus[LOADER], &low);
	} else {
		guest_runs(c);
		as_change(&vcpus[LOADER], &before);
		guest_runs(c);
		as_change(&vcpus[LOADER], &low);
	}
	guest_runs(c);
	guest_runs(c);
}

static void flushes(void)
{
	WRITE_ONCE(pte, 0);		/* as entry_clear(); in flush_range() there is no table */
	flush_range(&vcpus[0], how.high ? &kernel : &low, page, page + PAGE_SIZE, false);
	(void)RMW(SWAP, &done, 1, 1);
}

/* ---- the explorer ---- */

struct event {
	enum kind kind;
	unsigned int word;
	u64 value;
};

struct thread {
	u64 answer[ANSWERS];
	unsigned int answers;
	struct store {
		unsigned int word;
		u64 value;
	} buffer[BUFFER];
	unsigned int stores;
};

struct state {
	u64 mem[WORDS];
	struct thread t[2];
};

static struct {
	const struct thread *t;
	unsigned int n, loop;	/* answers used; of the waiting loop's first access */
	struct event next;
	bool again;		/* the loop begins anew */
	jmp_buf to;
} run;

static unsigned long long access_do(enum kind kind, const volatile void *p, unsigned long long v)
{
	if (run.n < run.t->answers)
		return run.t->answer[run.n++];
	run.next = (struct event){ kind, p ? word_of(p) : 0, v };
	longjmp(run.to, 1);
}

void kick_cpu(UNUSED unsigned int cpu) { run.loop = run.n; }

/* A loop that saw nothing has no memory of it: it is where it was when it began. */
static void waits(void)
{
	ck_assert_uint_ne(run.loop, 0);
	if (run.n < run.t->answers)
		return;
	run.again = true;
	longjmp(run.to, 1);
}

/* What a thread does next. True: it went back to the beginning of its loop. */
static bool next_of(struct state *s, unsigned int i)
{
	run.t = &s->t[i];
	run.n = run.loop = 0;
	run.again = false;
	run.next = (struct event){ END, 0, 0 };
	world_init();
	native_this_cpu = i;
	if (!setjmp(run.to)) {
		if (i == LOADER)
			loads();
		else
			flushes();
	}
	if (run.again)
		s->t[i].answers = run.loop;
	return run.again;
}

static u64 states;
static bool violated;

static u64 seen_hash[1u << 20];

static bool seen_before(const struct state *s)
{
	const u8 *b = (const u8 *)s;
	u64 h = 0xcbf29ce484222325;
	size_t i;

	for (i = 0; i < sizeof(*s); i++)
		h = (h ^ b[i]) * 0x100000001b3;	/* FNV-1a */
	for (i = h % ARRAY_SIZE(seen_hash); seen_hash[i]; i = (i + 1) % ARRAY_SIZE(seen_hash))
		if (seen_hash[i] == h)
			return true;
	seen_hash[i] = h;
	ck_assert_uint_lt(++states, ARRAY_SIZE(seen_hash) / 2);
	return false;
}

static void memory_reaches(struct state *s, unsigned int i)
{
	struct thread *t = &s->t[i];

	s->mem[t->buffer[0].word] = t->buffer[0].value;
	t->stores--;
	memmove(t->buffer, t->buffer + 1, t->stores * sizeof(t->buffer[0]));
	memset(&t->buffer[t->stores], 0, sizeof(t->buffer[0]));
}

/* Perform an access. False: the buffer has to be drained first. */
static bool perform(struct state *s, unsigned int i, struct event a)
{
	struct thread *t = &s->t[i];
	u64 *m = &s->mem[a.word], answer = *m;
	unsigned int k;

	switch (a.kind) {
	case LOAD:
		for (k = 0; k < t->stores; k++)
			if (t->buffer[k].word == a.word)
				answer = t->buffer[k].value;
		break;
	case STORE:
		if (t->stores == BUFFER)
			return false;
		t->buffer[t->stores++] = (struct store){ a.word, a.value };
		break;
	case USE:	/* of the old translation, when the flush is done? */
		violated |= a.value && *m;
		answer = 0;
		break;
	default:
		if (t->stores)
			return false;
		if (a.kind == OR)
			*m |= a.value;
		else if (a.kind == AND)
			*m &= a.value;
		else if (a.kind == ADD)
			*m += a.value;
		else if (a.kind == SWAP)
			*m = a.value;
	}
	ck_assert_uint_lt(t->answers, ANSWERS);
	t->answer[t->answers++] = answer;
	return true;
}

static u64 ends;

static void explore(const struct state *from)
{
	struct state s = *from;
	struct event a[2];
	unsigned int i;

	if (violated || seen_before(from))
		return;
	for (i = 0; i < 2; i++) {
		if (s.t[i].stores) {
			memory_reaches(&s, i);
			explore(&s);
			s = *from;
		}
		if (next_of(&s, i)) {
			memset(s.t[i].answer + s.t[i].answers, 0,
			       (ANSWERS - s.t[i].answers) * sizeof(u64));
			explore(&s);
			s = *from;
			a[i].kind = FENCE;
			continue;
		}
		a[i] = run.next;
		if (a[i].kind != END && perform(&s, i, a[i]))
			explore(&s);
		s = *from;
	}
	ends += a[0].kind == END && a[1].kind == END && !s.t[0].stores && !s.t[1].stores;
}

static void every_schedule(bool high, int what)
{
	struct state s;
	unsigned int i;

	how = (struct scenario){ high, what };
	memset(&s, 0, sizeof(s));
	memset(seen_hash, 0, sizeof(seen_hash));
	states = ends = 0;
	violated = false;
	world_init();
	for (i = 0; i < WORDS; i++)
		s.mem[i] = word_value(i);
	explore(&s);
	ck_assert_msg(!violated, "an old translation is used after the flush");
	ck_assert_uint_gt(ends, 10);
	fprintf(stderr, "%u states, %u ends\n", (unsigned int)states, (unsigned int)ends);
}

START_TEST(switch_low) { every_schedule(false, SWITCHES); }
END_TEST
START_TEST(switch_high) { every_schedule(true, SWITCHES); }
END_TEST
START_TEST(load_low) { every_schedule(false, STARTS); }
END_TEST
START_TEST(load_high) { every_schedule(true, STARTS); }
END_TEST
START_TEST(return_low) { every_schedule(false, RETURNS); }
END_TEST
START_TEST(return_high) { every_schedule(true, RETURNS); }
END_TEST

int main(void)
{
	Suite *s = suite_create("tlb_schedules");
	TCase *t = tcase_create("schedules");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, switch_low);
	tcase_add_test(t, switch_high);
	tcase_add_test(t, load_low);
	tcase_add_test(t, load_high);
	tcase_add_test(t, return_low);
	tcase_add_test(t, return_high);
	suite_add_tcase(s, t);
	return native_main(s);
}
