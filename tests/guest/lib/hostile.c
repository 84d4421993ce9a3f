// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that does everything wrong, for as long as it is let: hypercalls of the whole table with
 * arguments that are half right or not at all, page tables that name anything, frames to return by,
 * privileged and other instructions in both modes, selectors, TLS entries, debug registers, memory
 * that is given back and taken again. Each vCPU has a generator of its own, from the seed that the
 * maker put into the start info (keeper.c).
 *
 * A round is one deed. Whatever comes of it, the trap handler begins the next round on a fresh
 * stack: nothing is returned to, and a timer ends what would go on for ever. Some deeds end the
 * domain; its keeper makes another one.
 */
#include "guest.h"
#include <parvus/control.h>
#include <parvus/device.h>
#include <parvus/event.h>
#include <parvus/grant.h>
#include <parvus/memory.h>
#include "hostile.h"

#define STACK		16384ull
#define TABLES		64u		/* pages that are page tables and data, */
#define TABLE_GPA	0x800000ull	/* the first four of them roots */
#define ROOTS		4u
#define BUFFER_GPA	0x900000ull	/* two pages for each vCPU */
#define LOOSE_GPA	0xa00000ull	/* 4 MiB to be given back and taken again */
#define LOOSE		1024u
#define EVENT_GPA	0x710000ull
#define HOLE		PARVUS_HOLE_START
#define G		BIT(8)

static u8 stacks[HOSTILE_VCPUS][STACK] __attribute__((aligned(16384)));
static u8 code[HOSTILE_VCPUS][PAGE] __attribute__((aligned(4096)));
static u64 user_page[HOSTILE_VCPUS];
static struct tally *const tally = (void *)(BASE + HOSTILE_TALLY);

/* At the bottom of each vCPU's stack, where its trap handler finds it. */
struct me {
	u64 random, vcpu, magic, gen;
	struct parvus_vcpu_area *area;
	struct parvus_vcpu_context context __attribute__((aligned(128)));
	struct frame frame;
};
#define MAGIC	0x4c49545345564f4eull

struct call {
	u64 nr, a[6];
};

void round_begin(void), deed(void), go(struct frame *f) __attribute__((noreturn));
/* go: all registers are of the frame, which is returned to as leave does it (start.S) */
__asm__(".pushsection .text\n"
	"round_begin:\n	xor %ebp, %ebp\n	cld\n	call deed\n	jmp round_begin\n"
	"go:\n	mov %rdi, %rsp\n	jmp leave\n"
	".popsection\n");

static struct me *me_of(u64 sp) { return (void *)(sp & ~(STACK - 1)); }
static u64 top(struct me *m) { return (u64)m + STACK - 64; }

/* ---- numbers ---- */

static u64 any(struct me *m)
{
	u64 z = m->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}
static u64 below(struct me *m, u64 n) { return any(m) % n; }
static bool one_in(struct me *m, u64 n) { return !below(m, n); }

static u64 buffer(struct me *m) { return BUFFER_GPA + m->vcpu * 2 * PAGE; }
static u64 table(struct me *m) { return TABLE_GPA + below(m, TABLES) * PAGE; }
static u64 loose(struct me *m) { return LOOSE_GPA + below(m, LOOSE) * PAGE; }

/* An address of memory that is ours, more or less. */
static u64 some_gpa(struct me *m)
{
	switch (below(m, 14)) {
	case 0: return any(m);
	case 1: return HOLE + below(m, 1 << 20);
	case 2: return HOSTILE_FRAMES * PAGE - below(m, 80);
	case 3: return ~0ull - below(m, 9000);
	case 4: return loose(m) + below(m, 2) * below(m, PAGE);
	case 5: return (HOSTILE_FRAMES + below(m, HOSTILE_EXTRA)) * PAGE;
	case 6: return 0xfee00000 + below(m, 2) * below(m, PAGE);
	case 7: return pa(m->area) + below(m, 64);
	case 8: return below(m, 1 << 20) << 12;
	case 9: return buffer(m) + PAGE - below(m, 70);
	case 10: return one_in(m, 64) ? below(m, HOSTILE_FRAMES) * PAGE : table(m);
	default: return table(m) + below(m, 2) * (below(m, PAGE) & ~7ull);
	}
}

/* Slots of tables that are used often enough to meet. */
static u64 slot(struct me *m, int level)
{
	static const u16 high[] = { 1, 2, 255, 256, 260, 271, 272, 300, 301, 510 };

	if (level == 4)
		return one_in(m, 16) ? below(m, 511) : high[below(m, sizeof(high) / 2)];
	return one_in(m, 8) ? below(m, 512) : one_in(m, 4) ? 511 : below(m, 4);
}

static u64 some_va(struct me *m)
{
	u64 at = 0;

	if (one_in(m, 16))
		return any(m);
	if (one_in(m, 16))
		return HOLE + below(m, 1ull << 43);
	for (int level = 4; level; level--)
		at |= slot(m, level) << (12 + 9 * (level - 1));
	at |= one_in(m, 4) ? PAGE - below(m, 16) : below(m, PAGE);
	return (u64)((s64)(at << 16) >> 16);
}

static u64 some(struct me *m)
{
	switch (below(m, 10)) {
	case 0: return 0;
	case 1: return ~0ull - below(m, 3);
	case 2: return 1ull << below(m, 64);
	case 3: return (1ull << below(m, 64)) - 1;
	case 4: return any(m);
	case 5: return some_gpa(m);
	case 6: return some_va(m);
	case 7: return below(m, 5000);
	case 8: return 0x800000000000ull << below(m, 17);
	default: return below(m, 8);
	}
}

/* ---- hypercalls ---- */

static void *record(struct me *m, u64 bytes)
{
	void *p = va(buffer(m));

	memset(p, 0, bytes);
	return p;
}

static u32 peer(struct me *m) { return one_in(m, 8) ? (u32)some(m) : (u32)below(m, 6); }
static u32 few(struct me *m, u32 n) { return one_in(m, 12) ? (u32)some(m) : (u32)below(m, n); }
static u64 gfn(struct me *m)
{
	switch (below(m, 4)) {
	case 0: return some_gpa(m) / PAGE;
	case 1: return HOSTILE_FRAMES + below(m, 40);
	case 2: return loose(m) / PAGE;
	default: return table(m) / PAGE;
	}
}
static u64 selector(struct me *m)
{
	if (one_in(m, 8))
		return any(m) & 0xffff;
	return below(m, 20) << 3 | (one_in(m, 2) ? 3 : below(m, 8));
}

static void grant(struct me *m, struct call *c)
{
	union {
		struct parvus_grant_offer offer;
		struct parvus_grant_revoke revoke;
		struct parvus_grant_map map;
		struct parvus_grant_unmap unmap;
		struct parvus_grant_copy copy;
	} *r = record(m, 4096);
	struct parvus_grant_end *e;

	c->a[0] = one_in(m, 32) ? some(m) : below(m, 5);
	c->a[2] = one_in(m, 16) ? some(m) : 1;
	switch (c->a[0]) {
	case PARVUS_GRANT_OFFER:
		r->offer.gfn = gfn(m);
		r->offer.domain = peer(m);
		r->offer.flags = few(m, 2);
		break;
	case PARVUS_GRANT_REVOKE:
		r->revoke.ref = few(m, 60);
		break;
	case PARVUS_GRANT_MAP:
		r->map.domain = peer(m);
		r->map.ref = few(m, 60);
		r->map.flags = few(m, 2);
		r->map.gfn = gfn(m);
		break;
	case PARVUS_GRANT_UNMAP:
		r->unmap.handle = few(m, 40);
		r->unmap.va = one_in(m, 2) ? some_va(m) : 0;
		break;
	case PARVUS_GRANT_COPY:
		for (e = &r->copy.from; e <= &r->copy.to; e++) {
			e->domain = one_in(m, 3) ? peer(m) : PARVUS_DOMAIN_SELF;
			e->ref = few(m, 60);
			e->gfn = one_in(m, 4) ? some(m) : gfn(m);
			e->offset = few(m, 4200);
		}
		r->copy.length = few(m, 300);
		break;
	}
}

static void event(struct me *m, struct call *c)
{
	struct parvus_event_bind *b = record(m, sizeof(*b));

	c->a[0] = one_in(m, 32) ? some(m) : below(m, 7);
	*b = (struct parvus_event_bind){ .size = sizeof(*b), .version = 1 };
	b->kind = few(m, 4);
	b->domain = one_in(m, 2) ? PARVUS_DOMAIN_SELF : peer(m);
	if (b->kind == PARVUS_EVENT_VIRQ)
		b->virq = few(m, 6);
	else
		b->remote_port = few(m, 40);
	b->vcpu = few(m, 4);
	b->flags = few(m, 2);
	b->interval_ns = one_in(m, 4) ? (u32)some(m) : 0;
	b->port = few(m, 40);
	if (c->a[0] == PARVUS_EVENT_CLOSE || c->a[0] == PARVUS_EVENT_SEND ||
	    c->a[0] == PARVUS_EVENT_UNMASK)
		c->a[1] = b->port;
	if (c->a[0] == PARVUS_EVENT_REGISTER && !one_in(m, 4))
		c->a[1] = EVENT_GPA;
}

static void device(struct me *m, struct call *c)
{
	struct parvus_device *d = record(m, sizeof(*d));

	c->a[0] = one_in(m, 32) ? some(m) : below(m, 7);
	d->size = sizeof(*d);
	d->version = 1;
	d->id = few(m, 200);
	d->flags = one_in(m, 4) ? few(m, 8) : 0;
	d->front_state = few(m, 6);
	d->back_state = one_in(m, 8) ? few(m, 6) : d->front_state;
	d->device_class = one_in(m, 8) ? few(m, 8) : 0;
}

static void memory(struct me *m, struct call *c)
{
	struct parvus_memory_extent *x = record(m, PAGE);
	u64 n = one_in(m, 16) ? some(m) : below(m, 20);

	c->a[0] = one_in(m, 32) ? some(m) : one_in(m, 8) ? 2 : below(m, 2);
	c->a[2] = c->a[0] == PARVUS_MEMORY_INFO && !one_in(m, 8) ? 0 : n;
	for (u64 i = 0; i < 20; i++) {
		x[i].gfn = one_in(m, 20) ? gfn(m) : loose(m) / PAGE;
		x[i].frames = one_in(m, 20) ? some(m) : 1 + below(m, 30);
	}
}

/* Descriptors that are allowed or nearly so, with some bits turned. */
static u64 descriptor(struct me *m)
{
	static const u64 good[] = { 0, 0x00cff3000000ffff, 0x12cff2345678ffff, 0x00cff7000000ffff,
				    0x0040f50000002042, 0x00cffb000000ffff, 0x00affb000000ffff,
				    0x0000ec000000ffff, 0x000089000000ffff };
	u64 d = good[below(m, sizeof(good) / 8)];

	while (one_in(m, 2))
		d ^= 1ull << below(m, 64);
	return d;
}

static u64 msr(struct me *m)
{
	static const u32 known[] = { 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
				     0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0x10, 0x1b,
				     0x174, 0x175, 0x176, 0x1d9, 0x277, 0x48, 0x49, 0x3a, 0x800,
				     0x830, 0xda0, 0x6e0, 0xc0010114, 0xc0010117, 0xfe, 0x200 };

	return one_in(m, 8) ? some(m) : known[below(m, sizeof(known) / 4)];
}

static void traps(struct me *m, struct call *c)
{
	struct parvus_trap *t = record(m, PAGE);

	c->a[1] = one_in(m, 16) ? some(m) : below(m, 20);
	for (u64 i = 0; i < 20; i++) {
		t[i].vector = (u8)any(m);
		t[i].address = one_in(m, 1000) ? some(m) : (u64)stubs + 16ull * t[i].vector;
		t[i].dpl = one_in(m, 2) ? 3 : 0;
		t[i].flags = one_in(m, 32) ? (u8)any(m) : (u8)below(m, 2);
	}
}

static void callbacks(struct me *m)
{
	struct parvus_callbacks *c = record(m, sizeof(*c));

	c->size = sizeof(*c);
	c->version = 1;
	c->syscall_entry = one_in(m, 1000) ? some(m) : (u64)syscall_stub;
	c->df_stack = one_in(m, 4) ? some(m) : 0;
}

static void context(struct me *m)
{
	struct parvus_vcpu_context *c = record(m, sizeof(*c));

	c->size = sizeof(*c);
	c->version = 1;
	c->rip = one_in(m, 4) ? some(m) : (u64)round_begin;
	c->rsp = one_in(m, 8) ? some(m) : (u64)stacks[1] + STACK - 64;
	c->root = one_in(m, 4) ? some_gpa(m) : pa(root);
	c->gs_base = one_in(m, 4) ? some(m) : 0;
	c->area_gpa = one_in(m, 2) ? 0 : some_gpa(m);
}

/* The arguments of a call: each half right; then, at times, one of them is not at all. */
static void arguments(struct me *m, struct call *c, bool list)
{
	u64 self = one_in(m, 2) ? PARVUS_VCPU_SELF : few(m, 4), in = buffer(m);

	for (int i = 0; i < 6; i++)
		c->a[i] = some(m);
	switch (c->nr) {
	case PARVUS_HC_callbacks_set:
		callbacks(m);
		c->a[0] = in;
		break;
	case PARVUS_HC_traps_set:
		traps(m, c);
		c->a[0] = in;
		break;
	case PARVUS_HC_area_register:
		c->a[0] = self;
		c->a[1] = one_in(m, 2) ? pa(m->area) : some_gpa(m) & ~63ull;
		c->a[2] = 512;
		c->a[3] = 1;
		break;
	case PARVUS_HC_clock_register:
		c->a[0] = self;
		c->a[1] = in;
		break;
	case PARVUS_HC_tls_set:
		c->a[0] = below(m, 5);
		c->a[1] = descriptor(m);
		break;
	case PARVUS_HC_base_set:
		c->a[0] = below(m, 5);
		c->a[1] = c->a[0] == PARVUS_SEL_GS_USER ? selector(m) : some_va(m);
		break;
	case PARVUS_HC_msr_read:
	case PARVUS_HC_msr_write:
		c->a[0] = msr(m);
		break;
	case PARVUS_HC_cpuid:
		c->a[0] = few(m, 32) | (one_in(m, 2) ? 0x80000000 : 0);
		c->a[1] = few(m, 4);
		break;
	case PARVUS_HC_debugreg_set:
		c->a[0] = below(m, 9);
		c->a[1] = c->a[0] < 4 ? some_va(m) : any(m) & 0xffffffff;
		break;
	case PARVUS_HC_debugreg_get:
	case PARVUS_HC_features:
		c->a[0] = below(m, 9);
		break;
	case PARVUS_HC_mmu_switch:
		c->a[0] = few(m, 8);
		c->a[1] = one_in(m, 200) ? some_gpa(m) : TABLE_GPA + below(m, ROOTS) * PAGE;
		c->a[2] = 0;
		c->a[3] = m->gen += below(m, 2);
		c->a[4] = one_in(m, 2) ? 0 : in + 8 * below(m, 600);
		c->a[5] = few(m, 4);
		break;
	case PARVUS_HC_mmu_flush:
		c->a[5] = few(m, 6) | (one_in(m, 4) ? PARVUS_FLUSH_FREED_TABLES : 0);
		c->a[0] = c->a[5] == PARVUS_FLUSH_KERNEL ? 0 : few(m, 8);
		c->a[1] = m->gen;
		c->a[2] = some_va(m) & ~(PAGE - 1);
		c->a[3] = c->a[2] + (below(m, 600) << 12);
		c->a[4] = PAGE << below(m, 10);
		break;
	case PARVUS_HC_mmu_release:
	case PARVUS_HC_mmu_age:
		c->a[0] = few(m, 8);
		break;
	case PARVUS_HC_mmu_flush_batch:
	case PARVUS_HC_ipi_send: {
		u64 *mask = record(m, 8);

		*mask = one_in(m, 8) ? some(m) : below(m, 1 << HOSTILE_VCPUS);
		c->a[0] = c->nr == PARVUS_HC_ipi_send ? 32 + below(m, 224) : in;
		c->a[1] = c->nr == PARVUS_HC_ipi_send ? in : 1;
		c->a[2] = 1;
		break;
	}
	case PARVUS_HC_vcpu_start:
		context(m);
		c->a[0] = one_in(m, 8) ? some(m) : 1;
		c->a[1] = in;
		break;
	case PARVUS_HC_vcpu_state:
		c->a[0] = self;
		break;
	case PARVUS_HC_shutdown:
		c->a[0] = one_in(m, 100) ? below(m, 5) : some(m) | 8;
		c->a[1] = few(m, 256);
		break;
	case PARVUS_HC_timer_set:
		c->a[0] = one_in(m, 2) ? some(m) : now_ns() + below(m, 100000);
		break;
	case PARVUS_HC_vector_raise:
		c->a[0] = self;
		c->a[1] = one_in(m, 8) ? some(m) : 32 + below(m, 224);
		break;
	case PARVUS_HC_console_write:
	case PARVUS_HC_console_read:
	case PARVUS_HC_log_write:
	case PARVUS_HC_debug_hash:
		c->a[0] = in;
		c->a[1] = few(m, 300);
		break;
	case PARVUS_HC_debug_info:
		c->a[0] = in;
		c->a[1] = few(m, 300) & ~7ull;
		break;
	case PARVUS_HC_stats_read:
		c->a[0] = self;
		c->a[1] = in;
		c->a[2] = one_in(m, 4) ? some(m) : 8 * below(m, 512);
		break;
	case PARVUS_HC_event_op:
		c->a[1] = in;
		event(m, c);
		break;
	case PARVUS_HC_grant_op:
		c->a[1] = in;
		grant(m, c);
		break;
	case PARVUS_HC_memory_op:
		c->a[1] = in;
		memory(m, c);
		break;
	case PARVUS_HC_device_op:
		c->a[1] = in;
		device(m, c);
		break;
	case PARVUS_HC_control_op:
		c->a[0] = few(m, PARVUS_CONTROL_OPS);
		c->a[1] = in;
		break;
	case PARVUS_HC_multicall:
		if (!list) {
			c->a[0] = in + PAGE;
			c->a[1] = few(m, 9);
		}
		break;
	}
	if (one_in(m, 10))
		c->a[below(m, 6)] = some(m);
	if (one_in(m, 10))
		*(u64 *)va(in + 8 * below(m, 32)) = some(m);
}

static u64 number(struct me *m)
{
	return one_in(m, 40) ? some(m) : below(m, HOSTILE_CALLS);
}

/* Not these by the way: they end the vCPU, or take a frame from the stack that is C's. */
static bool harmful(u64 nr)
{
	return nr == PARVUS_HC_iret || nr == PARVUS_HC_sysret || nr == PARVUS_HC_vcpu_stop;
}

static void list_make(struct me *m)
{
	struct parvus_multicall *e = va(buffer(m) + PAGE);
	struct call c;

	for (int i = 0; i < 9; i++) {
		c.nr = number(m);
		arguments(m, &c, true);
		e[i].nr = c.nr;
		for (int k = 0; k < 6; k++)
			e[i].args[k] = c.a[k];
	}
}

/* What a call may have changed that the next round stands on. */
static void repair(struct me *m)
{
	struct parvus_trap *t = record(m, PAGE);

	if (one_in(m, 16))
		return;
	parvus_area_register(PARVUS_VCPU_SELF, pa(m->area), 512, 1);
	m->area->sp0 = top(m);
	for (int i = 0; i < 256; i++) {
		t[i].address = (u64)stubs + 16 * (u64)i;
		t[i].vector = (u8)i;
		t[i].dpl = i == 3 || i == 4 || i == 0x80 ? 3 : 0;
	}
	parvus_traps_set(pa(t), 256);
	memset(t, 0, 64);
	((struct parvus_callbacks *)t)->size = sizeof(struct parvus_callbacks);
	((struct parvus_callbacks *)t)->version = 1;
	((struct parvus_callbacks *)t)->syscall_entry = (u64)syscall_stub;
	parvus_callbacks_set(pa(t));
}

static void call(struct me *m)
{
	struct call c = { .nr = number(m) };
	s64 ret;

	if (harmful(c.nr) && !(c.nr == PARVUS_HC_vcpu_stop && m->vcpu && one_in(m, 50)))
		return;
	if (c.nr == PARVUS_HC_multicall)
		list_make(m);
	arguments(m, &c, false);
	if (c.nr < HOSTILE_CALLS)
		tally->tried[c.nr]++;
	ret = hypercall(c.nr, c.a[0], c.a[1], c.a[2], c.a[3], c.a[4], c.a[5]);
	if (c.nr < HOSTILE_CALLS)
		tally->done[c.nr] += ret >= 0;
	if (c.nr == PARVUS_HC_callbacks_set || c.nr == PARVUS_HC_traps_set ||
	    c.nr == PARVUS_HC_area_register || c.nr == PARVUS_HC_multicall)
		repair(m);
}

/* ---- page tables ---- */

/* All as at the start: the roots map what the kernel needs, the other tables nothing. */
static void tables_fresh(void)
{
	for (u64 i = 0; i < TABLES; i++)
		memset(va(TABLE_GPA + i * PAGE), 0, PAGE);
	for (u64 i = 0; i < ROOTS; i++) {
		memcpy(va(TABLE_GPA + i * PAGE), root, PAGE);
		for (u64 s = 256; s < 511; s++)
			((u64 *)va(TABLE_GPA + i * PAGE))[s] = TABLE_GPA + s % TABLES * PAGE + 7;
	}
}

static u64 entry(struct me *m)
{
	u64 e = one_in(m, 12) ? some_gpa(m) & 0x000ffffffffff000 :
		one_in(m, 3)  ? loose(m) :
		one_in(m, 8)  ? (HOSTILE_FRAMES + below(m, 40)) * PAGE : table(m);

	e |= below(m, 16) ? P : 0;
	e |= any(m) & any(m) & (PWT | PCD | PS | G | NX | 0xe00);
	e |= any(m) & (A | D);
	e |= below(m, 4) ? W : 0;
	e |= below(m, 4) ? U : 0;
	return one_in(m, 24) ? e | (any(m) & 0xfff0000000000000) >> below(m, 12) : e;
}

static void write_tables(struct me *m)
{
	for (u64 n = below(m, 12); n; n--) {
		u64 t = below(m, TABLES);
		u64 s = slot(m, t < ROOTS ? 4 : 1);

		if (t < ROOTS && !s && !one_in(m, 100))
			s = 1;
		((volatile u64 *)va(TABLE_GPA + t * PAGE))[s] = entry(m);
		if (one_in(m, 4))
			m->gen++;
	}
	if (one_in(m, 200))
		tables_fresh();
	if (one_in(m, 100))
		flush_everything();
}

static void touch(struct me *m)
{
	u64 at = some_va(m), n;

	for (n = 1 + below(m, 6); n; n--, at += one_in(m, 3) ? PAGE : 8)
		switch (below(m, 6)) {
		case 0: *(volatile u64 *)at = any(m); break;
		case 1: __atomic_fetch_or((u64 *)at, 1ull << below(m, 64), __ATOMIC_SEQ_CST); break;
		case 2: memcpy((void *)at, va(buffer(m)), below(m, 64)); break;
		case 3: memcpy(va(buffer(m)), (void *)at, below(m, 64)); break;
		case 4:
			if (one_in(m, 8))
				((void (*)(void))at)();
			break;
		default: (void)*(volatile u64 *)at;
		}
}

/* ---- instructions, frames ---- */

/* Length, bytes. rdi points into the buffer, as a rule. */
static const u8 instructions[][6] = {
	{ 1, 0xf4 }, { 1, 0xfa }, { 1, 0xfb }, { 1, 0xec }, { 1, 0xef }, { 2, 0xe5, 0x60 },
	{ 2, 0xe6, 0x80 }, { 1, 0x6e }, { 1, 0x6c }, { 2, 0xf3, 0x6c }, { 2, 0xf2, 0x6f },
	{ 1, 0xcc }, { 1, 0xf1 }, { 1, 0xce }, { 3, 0x0f, 0x01, 0x17 }, { 3, 0x0f, 0x01, 0x1f },
	{ 3, 0x0f, 0x01, 0x07 }, { 3, 0x0f, 0x01, 0x0f }, { 3, 0x0f, 0x01, 0xe0 },
	{ 3, 0x0f, 0x01, 0xf0 }, { 3, 0x0f, 0x01, 0x3f }, { 3, 0x0f, 0x01, 0xf8 },
	{ 3, 0x0f, 0x01, 0xf9 }, { 3, 0x0f, 0x01, 0xc8 }, { 3, 0x0f, 0x01, 0xc9 },
	{ 3, 0x0f, 0x01, 0xca }, { 3, 0x0f, 0x01, 0xcb }, { 3, 0x0f, 0x01, 0xc1 },
	{ 3, 0x0f, 0x01, 0xd8 }, { 3, 0x0f, 0x01, 0xd9 }, { 3, 0x0f, 0x01, 0xdd },
	{ 3, 0x0f, 0x01, 0xd0 }, { 3, 0x0f, 0x01, 0xd1 }, { 3, 0x0f, 0x01, 0xee },
	{ 3, 0x0f, 0x01, 0xef }, { 3, 0x0f, 0x00, 0x07 }, { 3, 0x0f, 0x00, 0x0f },
	{ 3, 0x0f, 0x00, 0xd0 }, { 3, 0x0f, 0x00, 0xd8 }, { 3, 0x0f, 0x00, 0xe0 },
	{ 3, 0x0f, 0x02, 0xc7 }, { 3, 0x0f, 0x03, 0xc7 }, { 2, 0x0f, 0x05 }, { 2, 0x0f, 0x06 },
	{ 3, 0x48, 0x0f, 0x07 }, { 2, 0x0f, 0x07 }, { 2, 0x0f, 0x08 }, { 2, 0x0f, 0x09 },
	{ 2, 0x0f, 0x30 }, { 2, 0x0f, 0x31 }, { 2, 0x0f, 0x32 }, { 2, 0x0f, 0x33 },
	{ 2, 0x0f, 0x34 }, { 2, 0x0f, 0x35 }, { 2, 0x0f, 0xa2 }, { 2, 0x0f, 0xaa },
	{ 3, 0x0f, 0xae, 0x07 }, { 3, 0x0f, 0xae, 0x0f }, { 3, 0x0f, 0xae, 0x27 },
	{ 3, 0x0f, 0xae, 0x2f }, { 3, 0x0f, 0xae, 0x17 }, { 4, 0xf3, 0x0f, 0xae, 0xd7 },
	{ 5, 0xf3, 0x48, 0x0f, 0xae, 0xd7 }, { 5, 0xf3, 0x48, 0x0f, 0xae, 0xdf },
	{ 5, 0xf3, 0x48, 0x0f, 0xae, 0xc7 }, { 2, 0x48, 0xcf }, { 1, 0xcf }, { 1, 0xcb },
	{ 2, 0x48, 0xcb }, { 2, 0xff, 0x1f }, { 2, 0xff, 0x2f }, { 3, 0x48, 0xff, 0x2f },
	{ 2, 0x0f, 0xa1 }, { 2, 0x0f, 0xa9 }, { 3, 0x0f, 0xb2, 0x07 }, { 3, 0x0f, 0xb4, 0x07 },
	{ 3, 0x0f, 0xb5, 0x07 }, { 1, 0x9d }, { 2, 0xdb, 0xe3 }, { 2, 0xd9, 0x07 }, { 1, 0x9b },
	{ 2, 0xdd, 0x27 }, { 2, 0x0f, 0x77 }, { 3, 0x0f, 0xc7, 0xf0 },
	{ 4, 0xf3, 0x0f, 0xc7, 0xf8 },
	{ 5, 0x66, 0x0f, 0x38, 0x82, 0x07 }, { 4, 0x0f, 0x18, 0x07, 0x90 }, { 3, 0x0f, 0x28, 0x07 },
	{ 5, 0x0f, 0x5e, 0xc1, 0x0f, 0x77 }, { 2, 0xf7, 0xf7 }, { 3, 0x48, 0x8b, 0x07 },
	{ 3, 0x48, 0x89, 0x07 }, { 2, 0xff, 0xe7 }, { 1, 0x9c }, { 1, 0xc3 },
	{ 3, 0x48, 0x0f, 0x01 },	{ 2, 0x0f, 0x0b }, { 2, 0xeb, 0xfe },
};

/* Some instructions, with prefixes at times, and no end but an undefined one. */
static void write_code(struct me *m, u8 *to)
{
	u64 n = 0, i, k;

	for (i = 1 + below(m, 3); i; i--) {
		const u8 *from = instructions[below(m, sizeof(instructions) / 6)];

		while (one_in(m, 6)) {
			static const u8 prefix[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x65,
						     0x40, 0x48, 0x4f, 0x41 };
			to[n++] = prefix[below(m, sizeof(prefix))];
		}
		switch (below(m, 8)) {
		case 0:	/* mov to and from control and debug registers */
			to[n++] = 0x0f;
			to[n++] = (u8)(0x20 + below(m, 4));
			to[n++] = (u8)any(m);
			break;
		case 1:	/* mov to a segment register */
			to[n++] = 0x8e;
			to[n++] = (u8)(0xc0 | below(m, 64));
			break;
		case 2:
			to[n++] = 0xcd;
			to[n++] = (u8)any(m);
			break;
		case 3:
			if (one_in(m, 4)) {
				for (k = below(m, 15); k; k--)
					to[n++] = (u8)any(m);
				break;
			}
			/* fall through */
		default:
			for (k = 1; k <= from[0]; k++)
				to[n++] = from[k];
		}
	}
	to[n++] = 0x0f;
	to[n++] = 0x0b;
}

static u64 some_rip(struct me *m, bool kernel)
{
	if (!one_in(m, 12))
		return kernel ? (u64)code[m->vcpu] : USER_CODE + m->vcpu * PAGE;
	return one_in(m, 2) ? some_va(m) : some(m);
}

static void frame(struct me *m)
{
	struct frame *f = &m->frame;
	bool kernel = one_in(m, 2);
	u64 *word = (u64 *)f, i;

	for (i = 0; i < 15; i++)
		word[i] = one_in(m, 2) ? selector(m) : some(m);
	f->rcx = one_in(m, 2) ? msr(m) : f->rcx & 0xff;
	if (!one_in(m, 4))
		f->rdi = kernel ? (u64)va(buffer(m)) + below(m, 2 * PAGE) : some_va(m);
	if (!one_in(m, 4))
		f->rsi = f->rdi;
	write_code(m, kernel ? code[m->vcpu] : va(user_page[m->vcpu]));
	f->rip = some_rip(m, kernel);
	f->cs = kernel ? PARVUS_KERNEL_CS : one_in(m, 6) ? PARVUS_USER_CS32 : PARVUS_USER_CS;
	f->ss = kernel ? PARVUS_KERNEL_SS : PARVUS_USER_SS;
	if (one_in(m, 12))
		f->cs = selector(m);
	if (one_in(m, 12))
		f->ss = selector(m);
	f->rflags = one_in(m, 2) ? 0x202 : any(m) & any(m) & 0x3fffff;
	if (one_in(m, 16))
		f->rflags = any(m);
	f->rsp = kernel ? top(m) - 4096 : USER_STACK - 64;
	if (one_in(m, kernel ? 500 : 12))
		f->rsp = some_va(m);
	if (one_in(m, 3)) {
		static const u64 fields[] = { 17, 18, 19, 20, 21 };	/* rip cs rflags rsp ss */
		u64 by_sysret[6] = { some(m) };

		for (i = 0; i < 5; i++)
			by_sysret[1 + i] = word[fields[i]];
		__asm__ volatile("mov %0, %%rsp\n	mov $2, %%eax\n	syscall\n	ud2"
				 : : "r"(by_sysret), "D"(f->rdi) : "memory");
		__builtin_unreachable();
	}
	go(f);
}

static void segments(struct me *m)
{
	u64 s = selector(m);

	parvus_tls_set(below(m, 4), descriptor(m));
	switch (below(m, 6)) {
	case 0: __asm__ volatile("mov %w0, %%ds" : : "r"(s)); break;
	case 1: __asm__ volatile("mov %w0, %%es" : : "r"(s)); break;
	case 2: __asm__ volatile("mov %w0, %%fs" : : "r"(s)); break;
	case 3: __asm__ volatile("mov %w0, %%gs" : : "r"(s)); break;
	case 4: __asm__ volatile("mov %w0, %%ss" : : "r"(s)); break;
	default: parvus_base_set(PARVUS_SEL_GS_USER, s);
	}
}

/* The vCPU area is shared memory: anything may stand in it. */
static void area_write(struct me *m)
{
	switch (below(m, 5)) {
	case 0: m->area->user_gs_base = some_va(m); break;
	case 1: m->area->cr2 = any(m); break;
	case 2: m->area->pending = (u8)any(m); break;
	case 3: m->area->nmi_blocked = (u8)any(m); break;
	default: *(u64 *)(HOSTILE_TALLY + BASE + 0x11000 + below(m, 1024) * 8) = any(m);
	}
}

/* ---- rounds ---- */

/* vCPUs that stopped, or never began. */
static void start_others(void)
{
	for (u64 i = 1; i < HOSTILE_VCPUS; i++) {
		struct me *o = me_of((u64)stacks[i]);

		if (parvus_vcpu_state(i))
			continue;
		o->vcpu = i;
		o->magic = MAGIC;
		o->area = &areas[i];
		o->area->sp0 = top(o);
		memset(&o->context, 0, sizeof(o->context));
		o->context.size = sizeof(o->context);
		o->context.version = 1;
		o->context.rip = (u64)round_begin;
		o->context.rsp = top(o);
		o->context.root = pa(root);
		o->context.area_gpa = pa(o->area);
		parvus_vcpu_start(i, pa(&o->context));
	}
}

__attribute__((used)) void deed(void)
{
	struct me *m = me_of((u64)__builtin_frame_address(0));

	tally->rounds[m->vcpu]++;
	m->area->sp0 = top(m);
	m->area->irq_enabled = 1;
	parvus_timer_set(now_ns() + 1000000);
	if (!m->vcpu && one_in(m, 64))
		start_others();
	switch (below(m, 16)) {
	case 0: case 1:
		write_tables(m);
		break;
	case 2: case 3:
		touch(m);
		break;
	case 4: case 5: case 6:
		frame(m);
		break;
	case 7:
		segments(m);
		break;
	case 8:
		area_write(m);
		break;
	default:
		call(m);
	}
}

static void handler(struct frame *f)
{
	struct me *m = me_of((u64)f);

	if (m->magic != MAGIC)		/* no stack of ours: the one for double faults, perhaps */
		end(3);
	tally->traps++;
	if (f->vector == 1)
		parvus_debugreg_set(7, 0);
	/* the other vectors are not waited for */
	if (!(f->cs & 3) && f->vector >= 32 && f->vector < 256 && f->vector != PARVUS_VECTOR_TIMER)
		return;
	f->rip = (u64)round_begin;
	f->cs = PARVUS_KERNEL_CS;
	f->ss = PARVUS_KERNEL_SS;
	f->rflags = 0x202;
	f->rsp = top(m);
}

void test(void)
{
	u64 seed = start_info->generation_id[0];

	on_trap = handler;
	clock_setup();
	user_setup("\x0f\x0b", 2);
	for (u64 i = 0; i < HOSTILE_VCPUS; i++) {
		struct me *m = me_of((u64)stacks[i]);

		m->random = seed * 0x100000001b3ull + i * 0x9e3779b97f4a7c15ull;
		m->vcpu = i;
		m->magic = MAGIC;
		m->area = i ? &areas[i] : &area;
		user_page[i] = page_new();
		map(USER_CODE + i * PAGE, user_page[i], P | U);
	}
	tables_fresh();
	__asm__ volatile("mov %0, %%rsp\n	jmp round_begin"
			 : : "r"(top(me_of((u64)stacks[0]))) : "memory");
}
