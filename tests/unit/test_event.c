// SPDX-License-Identifier: GPL-2.0-only
/*
 * event.c: every operation with good and bad arguments, what is kept for whom, the end of
 * domains in any order, the least interval with the fake clock; then random operations
 * against a simple model, and threads that bind, send and close at once.
 */
#include "native.h"
#include <pthread.h>
#include <core/event.h>
#include <core/trace.h>
#include <parvus/event.h>

#define PAGE_GPA	0x1000u
#define BIND_GPA	0x2000u
#define SELF		PARVUS_DOMAIN_SELF
#define BAD(call, err)	ck_assert_int_eq(call, -(s64)(err))
#define OK(call)	ck_assert_int_eq(call, 0)
#define VECTOR		PARVUS_VECTOR_EVENT

static u64 before;

static struct domain *domain_new(void)
{
	struct domain *d = native_domain("e", 512, 512, 2);

	EXPECT(d && !domain_populate(d, _gfn(0), 16), "no memory");
	d->takes_events = true;
	return d;
}

static void setup(void)
{
	native_boot(8 * EXTENT_FRAMES, 1);
	EXPECT(!timer_init_cpu(0) && !timer_init_cpu(1), "no memory");
	before = frames_free_count();
	native_now = 1000000;
}

static void teardown(void)
{
	unsigned int i;

	for (i = 0; i < MAX_DOMAINS; i++)
		if (domains[i])
			domain_destroy(domains[i]);
	ck_assert_uint_eq(event_ports_total(), 0);
	ck_assert_uint_eq(timer_next(0), 0);
	ck_assert_uint_eq(frames_free_count(), before);
	ck_assert_uint_eq(native_warnings(), 0);
}

static s64 op(struct domain *d, u64 o, u64 arg) { return hc_event_op(d->vcpus[0], o, arg); }
static s64 send(struct domain *d, u64 port) { return op(d, PARVUS_EVENT_SEND, port); }

static struct parvus_event_bind *record(struct domain *d)
{
	struct parvus_event_bind *b = guest_map(d, BIND_GPA, sizeof(*b), 64);

	memset(b, 0, sizeof(*b));
	b->size = sizeof(*b);
	b->version = 1;
	return b;
}

static struct parvus_event_page *page_of(struct domain *d)
{
	return guest_map(d, PAGE_GPA, sizeof(struct parvus_event_page), PAGE_SIZE);
}

/* BIND; the port, or a negative error. */
static s64 bind(struct domain *d, u32 kind, u32 domain, u32 n, u32 flags)
{
	struct parvus_event_bind *b = record(d);
	s64 ret;

	b->kind = kind;
	b->domain = domain;
	if (kind == PARVUS_EVENT_VIRQ)
		b->virq = n;
	else
		b->remote_port = n;
	b->flags = flags;
	ret = op(d, PARVUS_EVENT_BIND, BIND_GPA);
	return ret ? ret : b->port;
}
static s64 unbound(struct domain *d, u32 domain)
{
	return bind(d, PARVUS_EVENT_UNBOUND, domain, 0, 0);
}
static s64 join(struct domain *d, u32 domain, s64 port)
{
	return bind(d, PARVUS_EVENT_INTERDOMAIN, domain, (u32)port, 0);
}
static s64 virq(struct domain *d, u32 n) { return bind(d, PARVUS_EVENT_VIRQ, 0, n, 0); }

static struct parvus_event_bind status(struct domain *d, u64 port)
{
	struct parvus_event_bind *b = record(d);

	b->port = (u32)port;
	EXPECT(!op(d, PARVUS_EVENT_STATUS, BIND_GPA), "status of port %lu", port);
	return *b;
}

static s64 set(struct domain *d, u64 port, u32 vcpu, u32 flags, u32 interval)
{
	struct parvus_event_bind *b = record(d);

	b->port = (u32)port;
	b->vcpu = vcpu;
	b->flags = flags;
	b->interval_ns = interval;
	return op(d, PARVUS_EVENT_SET, BIND_GPA);
}

/* What has arrived, and forget it: the pending bit, word by word the selector, the vector. */
static bool take(struct domain *d, s64 port)
{
	u64 bit = 1ull << (port % 64), *word = &page_of(d)->pending[port / 64];
	bool was = *word & bit;

	*word &= ~bit;
	return was;
}
static u64 selector(struct domain *d, unsigned int vcpu)
{
	return atomic_xchg_u64(&page_of(d)->selector[vcpu], 0);
}
static bool raised(struct domain *d, unsigned int vcpu)
{
	return atomic_and_u64(&d->vcpus[vcpu]->vectors[VECTOR / 64], ~(1ull << VECTOR % 64)) >>
		       VECTOR % 64 &
	       1;
}

START_TEST(traced)
{
	struct parvus_control_trace t = { .flags = PARVUS_TRACE_SET, .mask = PARVUS_TRACE_EVENT };
	struct domain *d = domain_new();
	s64 p = unbound(d, SELF), q = join(d, SELF, p);

	ck_assert_int_eq(trace_read(&t), 0);
	EXPECT(!send(d, (u64)q), "send");
	EXPECT(send(d, 77) < 0, "no such port");
	t.flags = 0;
	ck_assert_int_eq(trace_read(&t), 0);
	ck_assert_uint_eq(t.records, 1);
	ck_assert(t.record[0].event == PARVUS_TRACE_EVENT && t.record[0].arg[0] == (u64)q);
	trace_off();
}
END_TEST

START_TEST(bad_arguments)
{
	struct domain *d = domain_new();
	struct parvus_event_bind *b = record(d);
	s64 p;
	u32 o;

	BAD(op(d, 7, 0), PARVUS_ENOSYS);
	BAD(op(d, ~0ull, 0), PARVUS_ENOSYS);
	BAD(op(d, 1ull << 32, 0), PARVUS_ENOSYS);
	for (o = 64; o < PAGE_SIZE; o *= 2)	/* a whole page, and nothing else in it */
		BAD(op(d, PARVUS_EVENT_REGISTER, PAGE_GPA + o), PARVUS_EFAULT);
	BAD(op(d, PARVUS_EVENT_REGISTER, ~0ull << 10), PARVUS_EFAULT);
	BAD(op(d, PARVUS_EVENT_REGISTER, 16 * PAGE_SIZE), PARVUS_EFAULT);
	for (o = PARVUS_EVENT_CLOSE; o <= PARVUS_EVENT_UNMASK; o++) {
		BAD(op(d, o, 0), PARVUS_EINVAL);
		BAD(op(d, o, PARVUS_EVENT_PORTS), PARVUS_EINVAL);
		BAD(op(d, o, 1ull << 32 | 1), PARVUS_EINVAL);
		BAD(op(d, o, ~0ull), PARVUS_EINVAL);
		BAD(op(d, o, 1), PARVUS_ENOENT);
		BAD(op(d, o, PARVUS_EVENT_PORTS - 1), PARVUS_ENOENT);
	}
	for (o = PARVUS_EVENT_BIND; o <= PARVUS_EVENT_SET;
	     o = o == PARVUS_EVENT_BIND ? PARVUS_EVENT_STATUS : o + 1) {
		BAD(op(d, o, 16 * PAGE_SIZE - 8), PARVUS_EFAULT);
		BAD(op(d, o, ~0ull - 8), PARVUS_EFAULT);
		b = record(d);
		b->kind = PARVUS_EVENT_UNBOUND;
		b->domain = SELF;
		b->port = 1;
		b->size--;
		BAD(op(d, o, BIND_GPA), PARVUS_EINVAL);
		b->size++;
		b->version = 2;
		BAD(op(d, o, BIND_GPA), PARVUS_EINVAL);
		b->version = 1;
		b->reserved[1] = 1;
		BAD(op(d, o, BIND_GPA), PARVUS_EINVAL);
		b->reserved[1] = 0;
		if (o == PARVUS_EVENT_STATUS)
			continue;
		b->flags = 2;
		BAD(op(d, o, BIND_GPA), PARVUS_EINVAL);
		b->flags = 0;
		b->vcpu = 2;
		BAD(op(d, o, BIND_GPA), PARVUS_EINVAL);
		b->vcpu = PARVUS_VCPU_SELF;
		BAD(op(d, o, BIND_GPA), PARVUS_EINVAL);
	}
	BAD(bind(d, PARVUS_EVENT_CLOSED, SELF, 0, 0), PARVUS_EINVAL);
	BAD(bind(d, 4, SELF, 0, 0), PARVUS_EINVAL);
	BAD(bind(d, ~0u, SELF, 0, 0), PARVUS_EINVAL);
	BAD(virq(d, PARVUS_VIRQS), PARVUS_EINVAL);
	BAD(virq(d, ~0u), PARVUS_EINVAL);
	BAD(virq(d, PARVUS_VIRQ_DOMAIN), PARVUS_EPERM);
	BAD(unbound(d, 1), PARVUS_ENOENT);
	BAD(unbound(d, MAX_DOMAINS), PARVUS_ENOENT);
	BAD(unbound(d, SELF - 1), PARVUS_ENOENT);
	BAD(join(d, 1, 1), PARVUS_ENOENT);
	BAD(join(d, SELF, 0), PARVUS_ENOENT);
	BAD(join(d, SELF, 1), PARVUS_ENOENT);
	BAD(join(d, SELF, PARVUS_EVENT_PORTS), PARVUS_ENOENT);
	BAD(join(d, SELF, 0xffffffff), PARVUS_ENOENT);
	b = record(d);
	BAD(op(d, PARVUS_EVENT_STATUS, BIND_GPA), PARVUS_EINVAL);
	b->port = PARVUS_EVENT_PORTS;
	BAD(op(d, PARVUS_EVENT_STATUS, BIND_GPA), PARVUS_EINVAL);
	BAD(set(d, 0, 0, 0, 0), PARVUS_EINVAL);
	BAD(set(d, 9, 0, 0, 0), PARVUS_ENOENT);
	ck_assert_uint_eq(event_ports_used(d), 0);
	/* nothing to send to */
	p = unbound(d, SELF);
	ck_assert_int_eq(p, 1);
	BAD(send(d, 1), PARVUS_EAGAIN);
	p = virq(d, PARVUS_VIRQ_DEVICE);
	BAD(send(d, (u64)p), PARVUS_EINVAL);
	BAD(virq(d, PARVUS_VIRQ_DEVICE), PARVUS_EEXIST);
	ck_assert_uint_eq(event_ports_used(d), 2);
}
END_TEST

/* A bind whose answer cannot be written makes nothing; one without memory neither. */
START_TEST(bind_fails)
{
	struct domain *d = domain_new();
	u64 *t = frame_map(gfn_entry_mfn(d->gfn_chunks[0]));
	struct parvus_event_bind *b = record(d);
	void **held = NULL, **page;

	b->kind = PARVUS_EVENT_UNBOUND;
	b->domain = SELF;
	t[BIND_GPA >> PAGE_SHIFT] &= ~GFN_WRITABLE;
	BAD(op(d, PARVUS_EVENT_BIND, BIND_GPA), PARVUS_EFAULT);
	/* and what waits for a port goes on waiting */
	event_send_virq(d, PARVUS_VIRQ_MEMORY);
	b->kind = PARVUS_EVENT_VIRQ;
	b->virq = PARVUS_VIRQ_MEMORY;
	BAD(op(d, PARVUS_EVENT_BIND, BIND_GPA), PARVUS_EFAULT);
	ck_assert_uint_eq(event_ports_used(d), 0);
	t[BIND_GPA >> PAGE_SHIFT] |= GFN_WRITABLE;
	OK(op(d, PARVUS_EVENT_REGISTER, PAGE_GPA));
	ck_assert_int_eq(virq(d, PARVUS_VIRQ_MEMORY), 1);
	ck_assert(take(d, 1));
	/* 127 more fit into the first page of ports */
	while (unbound(d, SELF) < 127)
		;
	while ((page = hv_alloc_public(PAGE_SIZE))) {
		*page = held;
		held = page;
	}
	BAD(unbound(d, SELF), PARVUS_ENOMEM);
	ck_assert_uint_eq(event_ports_used(d), 127);
	OK(op(d, PARVUS_EVENT_CLOSE, 5));
	ck_assert_int_eq(unbound(d, SELF), 5);
	while ((page = held)) {
		held = *page;
		hv_free(page, PAGE_SIZE);
	}
	ck_assert_int_eq(unbound(d, SELF), 128);
}
END_TEST

/* A page that is not taken is not pinned; one that cannot be taken leaves the way to another. */
START_TEST(registered_once)
{
	struct domain *d = domain_new();
	const struct frame_info *other = frame_info(gfn_entry_mfn(gfn_lookup(d, _gfn(3))));

	BAD(op(d, PARVUS_EVENT_REGISTER, 16 * PAGE_SIZE), PARVUS_EFAULT);
	OK(op(d, PARVUS_EVENT_REGISTER, PAGE_GPA));
	BAD(op(d, PARVUS_EVENT_REGISTER, 3 * PAGE_SIZE), PARVUS_EBUSY);
	ck_assert(!(other->word & (FRAME_PINNED | FRAME_EVENTS)));
	BAD(op(d, PARVUS_EVENT_REGISTER, 16 * PAGE_SIZE), PARVUS_EBUSY);
}
END_TEST

/*
 * Two vCPUs register a page each, at once: one is taken, and every view may show that one alone.
 * The other one was pinned for a moment, in some rounds, and is the guest's to give back again.
 */
static struct domain *contested;
static volatile unsigned int contestants;
static s64 contest_result[2];

static void *registers(void *arg)
{
	u64 me = (u64)arg;

	native_this_cpu = 1 + (unsigned int)me;
	__atomic_fetch_add(&contestants, 1, __ATOMIC_SEQ_CST);
	while (contestants < 2)
		;
	contest_result[me] = hc_event_op(contested->vcpus[me], PARVUS_EVENT_REGISTER,
					 (1 + 2 * me) * PAGE_SIZE);
	return NULL;
}

START_TEST(registered_at_once)
{
	unsigned int round, i;
	pthread_t t[2];

	for (round = 0; round < 1000; round++) {
		contested = domain_new();
		contestants = 0;
		for (i = 0; i < 2; i++)
			ck_assert_int_eq(pthread_create(&t[i], NULL, registers, (void *)(u64)i), 0);
		for (i = 0; i < 2; i++)
			pthread_join(t[i], NULL);
		ck_assert(!contest_result[0] != !contest_result[1]);
		for (i = 0; i < 2; i++) {
			u64 e = gfn_lookup(contested, _gfn(1 + 2 * i));
			u64 word = frame_info(gfn_entry_mfn(e))->word;

			ck_assert(!contest_result[i] == !!(word & FRAME_EVENTS));
			ck_assert(!contest_result[i] == !!(word & FRAME_PINNED));
		}
		domain_destroy(contested);
	}
}
END_TEST

/*
 * The end of a domain: its page is no event page any more, has left every view, and CPU 1, which
 * runs a guest, has heard of that before anybody else can have the frame. CPU 2 is in the
 * hypervisor, and looks at its work before it runs a guest again.
 */
static mfn_t hidden_frame;
static unsigned int hidden_kicks;

static void hears_of_it(unsigned int cpu)
{
	unsigned int i;

	hidden_kicks++;
	EXPECT(cpu == 1, "CPU %u is asked, which runs no guest", cpu);
	EXPECT(native_cpus[1].work & WORK_FORGET, "a kick without a reason");
	EXPECT(frame_info(hidden_frame)->type == FRAME_GUEST, "the frame has gone already");
	EXPECT(!(frame_info(hidden_frame)->word & FRAME_EVENTS), "a fault may show it still");
	for (i = 0; i < MAX_DOMAINS; i++)
		EXPECT(!native_shown[i], "the view of d%u has it still", i);
	native_cpus[1].work = 0;
}

START_TEST(hidden_at_the_end)
{
	struct domain *a = domain_new(), *b = domain_new(), *c = domain_new();
	struct frame_info *f;

	hidden_frame = gfn_entry_mfn(gfn_lookup(a, _gfn(PAGE_GPA >> PAGE_SHIFT)));
	f = frame_info(hidden_frame);
	OK(op(a, PARVUS_EVENT_REGISTER, PAGE_GPA));
	ck_assert(f->word & FRAME_EVENTS);
	BAD(domain_release(a, a->vcpus[0], PAGE_GPA >> PAGE_SHIFT, 1), PARVUS_EBUSY);
	BAD(domain_release(a, a->vcpus[0], 0, 16), PARVUS_EBUSY);
	native_shown[b->id] = native_shown[c->id] = mfn_x(hidden_frame);
	native_cpus[1].exposed = true;
	native_on_kick = hears_of_it;
	domain_destroy(a);
	native_on_kick = NULL;
	native_cpus[1].exposed = false;
	ck_assert_uint_eq(hidden_kicks, 1);
	ck_assert(native_cpus[2].work & WORK_FORGET);
	ck_assert_uint_eq(f->type, FRAME_FREE);
}
END_TEST

START_TEST(two_domains)
{
	struct domain *a = domain_new(), *b = domain_new();
	struct parvus_event_bind s;
	s64 pa, pb;

	OK(op(a, PARVUS_EVENT_REGISTER, PAGE_GPA));
	BAD(op(a, PARVUS_EVENT_REGISTER, PAGE_GPA), PARVUS_EBUSY);
	OK(op(b, PARVUS_EVENT_REGISTER, PAGE_GPA));
	pa = unbound(a, b->id);
	s = status(a, (u64)pa);
	ck_assert_uint_eq(s.kind, PARVUS_EVENT_UNBOUND);
	ck_assert_uint_eq(s.domain, b->id);
	BAD(join(a, SELF, pa), PARVUS_ENOENT);	/* meant for the other one */
	unbound(b, a->id);			/* so that the numbers differ */
	pb = join(b, a->id, pa);
	ck_assert_int_eq(pb, 2);
	BAD(join(b, a->id, pa), PARVUS_ENOENT);	/* taken */
	s = status(b, (u64)pb);
	ck_assert_uint_eq(s.kind, PARVUS_EVENT_INTERDOMAIN);
	ck_assert_uint_eq(s.domain, a->id);
	ck_assert_uint_eq(s.remote_port, pa);
	s = status(a, (u64)pa);
	ck_assert_uint_eq(s.kind, PARVUS_EVENT_INTERDOMAIN);
	ck_assert_uint_eq(s.domain, b->id);
	ck_assert_uint_eq(s.remote_port, pb);
	OK(send(a, (u64)pa));
	ck_assert(take(b, pb) && !take(a, pa));
	ck_assert_uint_eq(selector(b, 0), 1);
	ck_assert(raised(b, 0) && !raised(b, 1) && !raised(a, 0));
	OK(send(b, (u64)pb));
	OK(send(b, (u64)pb));
	ck_assert(take(a, pa) && !take(b, pb));
	ck_assert(raised(a, 0) && !raised(b, 0));
	/* one end goes, the other waits for the same domain again; what was pending went too */
	OK(send(a, (u64)pa));
	OK(op(b, PARVUS_EVENT_CLOSE, (u64)pb));
	ck_assert(!take(b, pb));
	BAD(send(b, (u64)pb), PARVUS_ENOENT);
	BAD(send(a, (u64)pa), PARVUS_EAGAIN);
	ck_assert_uint_eq(status(b, (u64)pb).kind, PARVUS_EVENT_CLOSED);
	s = status(a, (u64)pa);
	ck_assert_uint_eq(s.kind, PARVUS_EVENT_UNBOUND);
	ck_assert_uint_eq(s.domain, b->id);
	ck_assert_int_eq(join(b, a->id, pa), pb);
	OK(send(a, (u64)pa));
	ck_assert(take(b, pb));
	ck_assert_uint_eq(event_ports_total(), 3);
}
END_TEST

START_TEST(oneself)
{
	struct domain *d = domain_new();
	s64 p, q;

	OK(op(d, PARVUS_EVENT_REGISTER, PAGE_GPA));
	p = unbound(d, SELF);
	q = join(d, SELF, p);
	ck_assert_uint_eq(status(d, (u64)p).domain, d->id);
	OK(send(d, (u64)p));
	ck_assert(take(d, q) && !take(d, p));
	OK(send(d, (u64)q));
	ck_assert(take(d, p) && !take(d, q));
	OK(op(d, PARVUS_EVENT_CLOSE, (u64)p));
	BAD(send(d, (u64)q), PARVUS_EAGAIN);
	/* what is unbound may be bound to, by its own domain too */
	ck_assert_int_eq(join(d, SELF, q), p);
	OK(send(d, (u64)q));
	ck_assert(take(d, p));
}
END_TEST

/* What comes before anybody looks is not lost. */
START_TEST(kept)
{
	struct domain *toolstack = domain_new(), *d = domain_new();
	struct parvus_event_page *page;
	u32 port = 0;
	s64 p, q;

	BAD(event_alloc_unbound(d, 5, &port), PARVUS_ENOENT);
	OK(event_alloc_unbound(d, toolstack->id, &port));
	OK(set(d, port, 1, 0, 0));
	p = join(toolstack, d->id, port);
	ck_assert_int_eq(p, 1);
	OK(send(toolstack, (u64)p));
	event_send_virq(d, PARVUS_VIRQ_MEMORY);
	ck_assert(!raised(d, 0) && !raised(d, 1));
	q = virq(d, PARVUS_VIRQ_MEMORY);
	ck_assert(!raised(d, 0) && !raised(d, 1));
	page = page_of(d);
	page->mask[0] = 1ull << q;
	OK(op(d, PARVUS_EVENT_REGISTER, PAGE_GPA));
	ck_assert(!raised(d, 0) && raised(d, 1));
	ck_assert_uint_eq(selector(d, 1), 1);
	ck_assert(take(d, port));
	OK(op(d, PARVUS_EVENT_UNMASK, (u64)q));
	ck_assert(raised(d, 0) && take(d, q));
	/* a source without a port is remembered again; of two times, once */
	OK(op(d, PARVUS_EVENT_CLOSE, (u64)q));
	event_send_virq(d, PARVUS_VIRQ_MEMORY);
	event_send_virq(d, PARVUS_VIRQ_MEMORY);
	ck_assert(!raised(d, 0));
	q = virq(d, PARVUS_VIRQ_MEMORY);
	ck_assert(raised(d, 0) && take(d, q));
	OK(op(d, PARVUS_EVENT_CLOSE, (u64)q));
	q = virq(d, PARVUS_VIRQ_MEMORY);
	ck_assert(!raised(d, 0) && !take(d, q));
	d->control = true;
	ck_assert_int_gt(virq(d, PARVUS_VIRQ_DOMAIN), 0);
}
END_TEST

START_TEST(masks)
{
	struct domain *d = domain_new();
	struct parvus_event_page *page = page_of(d);
	s64 p, q;

	OK(op(d, PARVUS_EVENT_REGISTER, PAGE_GPA));
	p = unbound(d, SELF);
	q = join(d, SELF, p);
	page->mask[0] |= 1ull << q;
	OK(send(d, (u64)p));
	ck_assert(!raised(d, 0) && !selector(d, 0));
	ck_assert(page->pending[0] >> q & 1);
	OK(op(d, PARVUS_EVENT_UNMASK, (u64)q));
	ck_assert(raised(d, 0) && selector(d, 0) == 1 && !(page->mask[0] >> q & 1));
	/* pending already: told already */
	OK(send(d, (u64)p));
	ck_assert(!raised(d, 0) && take(d, q));
	OK(op(d, PARVUS_EVENT_UNMASK, (u64)q));
	ck_assert(!raised(d, 0));
	/* the mask comes with each delivery */
	OK(set(d, (u64)q, 0, PARVUS_EVENT_AUTO_MASK, 0));
	OK(send(d, (u64)p));
	ck_assert(raised(d, 0) && take(d, q) && page->mask[0] >> q & 1);
	OK(send(d, (u64)p));
	ck_assert(!raised(d, 0) && page->pending[0] >> q & 1);
	OK(op(d, PARVUS_EVENT_UNMASK, (u64)q));
	ck_assert(raised(d, 0) && take(d, q) && page->mask[0] >> q & 1);
	OK(op(d, PARVUS_EVENT_UNMASK, (u64)q));
	ck_assert(!raised(d, 0) && !(page->mask[0] >> q & 1));
	/* a new vCPU learns of what is pending */
	OK(send(d, (u64)p));
	ck_assert(raised(d, 0) && page->mask[0] >> q & 1);
	OK(set(d, (u64)q, 1, 0, 0));
	ck_assert(!raised(d, 1));	/* masked */
	OK(op(d, PARVUS_EVENT_UNMASK, (u64)q));
	ck_assert(!raised(d, 0) && raised(d, 1) && selector(d, 1) == 1);
	OK(set(d, (u64)q, 0, 0, 0));
	ck_assert(raised(d, 0) && !raised(d, 1));
	/* without a handler for the vector nothing is raised: it would be the guest's end */
	take(d, q);
	d->takes_events = false;
	OK(send(d, (u64)p));
	ck_assert(!raised(d, 0) && take(d, q) && selector(d, 0) == 1);
}
END_TEST

/*
 * Between the two bits that a sender sets, pending and mask, the receiver on another CPU takes the
 * event, serves it and unmasks (as Linux does: by a call, if it sees the port pending). The
 * sender's mask must not stay, as nobody would come to clear it (rule 77).
 */
static struct domain *quick;
static struct parvus_event_page *quick_page;
static s64 quick_port;
static unsigned int quick_rounds;

/* A channel from a new domain, whose port is returned, to an AUTO_MASK port of another. */
static s64 quick_channel(struct domain **from)
{
	s64 p;

	*from = domain_new();
	quick = domain_new();
	quick_page = page_of(quick);
	OK(op(quick, PARVUS_EVENT_REGISTER, PAGE_GPA));
	quick_port = unbound(quick, (*from)->id);
	p = join(*from, quick->id, quick_port);
	OK(set(quick, (u64)quick_port, 0, PARVUS_EVENT_AUTO_MASK, 0));
	quick_rounds = 0;
	return p;
}

static void take_at_once(const void *at)
{
	u64 bit = 1ull << quick_port;

	if (at != &quick_page->pending[0] || quick_rounds++)
		return;
	native_this_cpu = 1;
	OK(op(quick, PARVUS_EVENT_UNMASK, (u64)quick_port));
	EXPECT(raised(quick, 0) && quick_page->pending[0] & quick_page->mask[0] & bit, "not told");
	quick_page->pending[0] &= ~bit;
	quick_page->mask[0] &= ~bit;
	native_this_cpu = 0;
}

START_TEST(taken_before_masked)
{
	struct domain *from;
	s64 p = quick_channel(&from);

	native_on_or = take_at_once;
	OK(send(from, (u64)p));
	native_on_or = NULL;
	ck_assert_uint_ge(quick_rounds, 1);
	raised(quick, 0);
	OK(send(from, (u64)p));
	ck_assert(raised(quick, 0) && take(quick, quick_port));
}
END_TEST

/* A guest that plays with its pending bit keeps no sender. */
static void clear_pending(const void *at)
{
	if (at != &quick_page->mask[0])
		return;
	quick_rounds++;
	quick_page->pending[0] = 0;
}

static void set_pending(const void *at)
{
	if (at == &quick_page->mask[0])
		quick_page->pending[0] = ~0ull;
}

START_TEST(plays_with_pending)
{
	struct domain *from;
	s64 p = quick_channel(&from);

	native_on_or = clear_pending;
	native_on_and = set_pending;
	OK(send(from, (u64)p));
	native_on_or = native_on_and = NULL;
	ck_assert_uint_gt(quick_rounds, 1);
	ck_assert(raised(quick, 0));
}
END_TEST

/* Time passes: as the pCPU's interrupt would have it. */
static void advance(u64 ns)
{
	native_now += ns;
	timer_run(0, native_now);
	timer_run(1, native_now);
}

START_TEST(interval)
{
	struct domain *d = domain_new();
	s64 p, q, r, s;
	unsigned int i, n = 0;

	OK(op(d, PARVUS_EVENT_REGISTER, PAGE_GPA));
	p = unbound(d, SELF);
	q = join(d, SELF, p);
	r = unbound(d, SELF);
	s = join(d, SELF, r);
	OK(set(d, (u64)q, 0, 0, 1000));
	OK(set(d, (u64)s, 0, 0, 300));
	OK(send(d, (u64)p));
	ck_assert(take(d, q));
	ck_assert_uint_eq(timer_next(0), 0);
	for (i = 0; i < 10; i++)
		OK(send(d, (u64)p));
	ck_assert(!take(d, q));
	ck_assert_uint_eq(timer_next(0), native_now + 1000);
	ck_assert_uint_eq(native_timer[0], native_now + 1000);
	/* one that is due before, from another pCPU: the timer goes there */
	native_this_cpu = 1;
	OK(send(d, (u64)r));
	OK(send(d, (u64)r));
	native_this_cpu = 0;
	ck_assert(take(d, s));
	ck_assert_uint_eq(timer_next(0), 0);
	ck_assert_uint_eq(timer_next(1), native_now + 300);
	advance(299);
	ck_assert(!take(d, s) && !take(d, q));
	advance(1);
	ck_assert(take(d, s) && !take(d, q));
	advance(699);
	ck_assert(!take(d, q));
	advance(1);
	ck_assert(take(d, q) && !take(d, s) && raised(d, 0));
	ck_assert_uint_eq(timer_next(0) + timer_next(1), 0);
	/* what was delivered late counts from then */
	OK(send(d, (u64)p));
	ck_assert(!take(d, q));
	advance(999);
	ck_assert(!take(d, q));
	advance(1);
	ck_assert(take(d, q));
	/* a storm of a second: once each 1000 ns, and nothing lost at its end */
	advance(5000);
	for (i = 0; i < 10000; i++) {
		OK(send(d, (u64)p));
		n += take(d, q);
		advance(100);
		n += take(d, q);
	}
	ck_assert_uint_ge(n, 999);
	ck_assert_uint_le(n, 1001);
	/* a late timer interrupt is no second event */
	advance(5000);
	take(d, q);
	OK(send(d, (u64)p));
	OK(send(d, (u64)p));
	ck_assert(take(d, q));
	native_now += 2000;
	OK(send(d, (u64)p));
	ck_assert(take(d, q));
	advance(5000);
	ck_assert(!take(d, q));
	/* SET lets go what was held back; CLOSE forgets it */
	OK(send(d, (u64)p));
	take(d, q);
	OK(send(d, (u64)p));
	OK(set(d, (u64)q, 0, 0, 0));
	ck_assert(take(d, q));
	OK(set(d, (u64)q, 0, 0, 1000));
	OK(send(d, (u64)p));
	OK(send(d, (u64)p));
	OK(op(d, PARVUS_EVENT_CLOSE, (u64)q));
	advance(5000);
	ck_assert(!take(d, q));
	ck_assert_uint_eq(timer_next(0) + timer_next(1), 0);
	/* a domain that ends with its timer armed: teardown looks */
	OK(send(d, (u64)r));
	OK(send(d, (u64)r));
	ck_assert_uint_ne(timer_next(0), 0);
}
END_TEST

/* Of many that wait, the timer is for the first, in whatever order they are looked at. */
START_TEST(intervals)
{
	static const u32 ns[] = { 300, 500, 900, 700, 400 };
	struct domain *d = domain_new();
	s64 p[5], q[5];
	u32 i, t;

	OK(op(d, PARVUS_EVENT_REGISTER, PAGE_GPA));
	for (i = 0; i < 5; i++) {
		p[i] = unbound(d, SELF);
		q[i] = join(d, SELF, p[i]);
		OK(set(d, (u64)q[i], 0, 0, ns[i]));
		OK(send(d, (u64)p[i]));
		OK(send(d, (u64)p[i]));
		ck_assert(take(d, q[i]));
	}
	for (t = 100; t <= 1000; t += 100) {
		advance(100);
		for (i = 0; i < 5; i++)
			EXPECT(take(d, q[i]) == (t == ns[i]), "port %u at %u", i, t);
	}
}
END_TEST

/* UNMASK is a delivery too. */
START_TEST(interval_and_mask)
{
	struct domain *d = domain_new();
	s64 p, q;

	OK(op(d, PARVUS_EVENT_REGISTER, PAGE_GPA));
	p = unbound(d, SELF);
	q = join(d, SELF, p);
	OK(set(d, (u64)q, 0, PARVUS_EVENT_AUTO_MASK, 1000));
	OK(send(d, (u64)p));
	ck_assert(take(d, q) && raised(d, 0));
	OK(send(d, (u64)p));
	advance(1000);
	ck_assert(!raised(d, 0));	/* pending, masked */
	advance(500);
	OK(op(d, PARVUS_EVENT_UNMASK, (u64)q));
	ck_assert(take(d, q) && raised(d, 0));
	OK(op(d, PARVUS_EVENT_UNMASK, (u64)q));
	OK(send(d, (u64)p));
	advance(999);
	ck_assert(!take(d, q) && !raised(d, 0));
	advance(1);
	ck_assert(take(d, q) && raised(d, 0));
}
END_TEST

/* The heap of timers is full: early is better than never. */
START_TEST(no_timer)
{
	static struct timer fill[TIMERS_PER_CPU];
	struct domain *d = domain_new();
	unsigned int i;
	s64 p, q;

	OK(op(d, PARVUS_EVENT_REGISTER, PAGE_GPA));
	p = unbound(d, SELF);
	q = join(d, SELF, p);
	OK(set(d, (u64)q, 0, 0, 1000));
	for (i = 0; i < TIMERS_PER_CPU; i++)
		OK(timer_set(&fill[i], 0, ~0ull - 1));
	OK(send(d, (u64)p));
	ck_assert(take(d, q));
	OK(send(d, (u64)p));
	ck_assert(take(d, q));
	for (i = 0; i < TIMERS_PER_CPU; i++)
		timer_cancel(&fill[i]);
	OK(send(d, (u64)p));
	ck_assert(!take(d, q));
	advance(1000);
	ck_assert(take(d, q));
}
END_TEST

START_TEST(exhaustion)
{
	struct domain *d = domain_new(), *e = domain_new();
	u64 with;
	u32 i, port;

	OK(op(e, PARVUS_EVENT_REGISTER, PAGE_GPA));
	with = frames_free_count();
	for (i = 1; i < PARVUS_EVENT_PORTS; i++)
		EXPECT(unbound(d, e->id) == i, "port %u", i);
	BAD(unbound(d, e->id), PARVUS_ENOSPC);
	BAD(virq(d, PARVUS_VIRQ_DEVICE), PARVUS_ENOSPC);
	BAD(event_alloc_unbound(d, e->id, &port), PARVUS_ENOSPC);
	ck_assert_uint_eq(event_ports_used(d), PARVUS_EVENT_PORTS - 1);
	ck_assert_uint_eq(with - frames_free_count(), 32);
	/* a full table is nobody else's business */
	for (i = 1; i < PARVUS_EVENT_PORTS; i++)
		EXPECT(join(e, d->id, i) == i, "port %u", i);
	BAD(unbound(e, d->id), PARVUS_ENOSPC);
	for (i = 1; i < PARVUS_EVENT_PORTS; i++)
		EXPECT(!send(d, i), "send %u", i);
	for (i = 0; i < PARVUS_EVENT_WORDS; i++)
		EXPECT(page_of(e)->pending[i] == (i ? ~0ull : ~1ull), "word %u", i);
	ck_assert_uint_eq(selector(e, 0), ~0ull);
	for (i = 1; i < PARVUS_EVENT_PORTS; i++)
		EXPECT(!op(d, PARVUS_EVENT_CLOSE, i), "close %u", i);
	ck_assert_uint_eq(event_ports_used(d), 0);
	ck_assert_uint_eq(event_ports_used(e), PARVUS_EVENT_PORTS - 1);
	BAD(send(e, 4095), PARVUS_EAGAIN);
	ck_assert_int_eq(unbound(d, SELF), 1);
}
END_TEST

/* Either end of a channel may be the first to go. Numbers of domains come back, rights do not. */
START_TEST(ends)
{
	struct domain *a = domain_new(), *b = domain_new(), *c;
	u16 id = b->id;
	u32 port;
	s64 p, q;

	OK(op(a, PARVUS_EVENT_REGISTER, PAGE_GPA));
	p = unbound(a, b->id);
	q = unbound(a, b->id);
	ck_assert_int_gt(join(b, a->id, p), 0);
	domain_destroy(b);
	BAD(send(a, (u64)p), PARVUS_EAGAIN);
	ck_assert_uint_eq(status(a, (u64)p).kind, PARVUS_EVENT_UNBOUND);
	/* as if all other numbers had been used since */
	c = domain_new();
	domains[c->id] = NULL;
	c->id = id;
	domains[id] = c;
	BAD(join(c, a->id, p), PARVUS_ENOENT);
	BAD(join(c, a->id, q), PARVUS_ENOENT);
	OK(op(a, PARVUS_EVENT_CLOSE, (u64)p));
	ck_assert_int_eq(unbound(a, c->id), p);
	ck_assert_int_eq(join(c, a->id, p), 1);
	/* to an end that has begun, nothing new */
	ck_assert_ptr_eq(domain_get(c->id), c);
	domain_destroy(c);
	event_send_virq(c, PARVUS_VIRQ_DEVICE);	/* a reference keeps the structure */
	ck_assert_uint_eq(event_ports_used(c), 0);
	BAD(event_alloc_unbound(c, a->id, &port), PARVUS_ENOENT);
	domain_put(c);
	b = domain_new();
	p = unbound(a, b->id);
	q = join(b, a->id, p);
	domain_destroy(a);
	BAD(send(b, (u64)q), PARVUS_EAGAIN);
}
END_TEST

/* ---- a model ---- */

#define DOMAINS	3u
#define PORTS	10u		/* few, so that they meet; a BIND beyond them is left out */

struct mport {
	u32 kind, domain, other, vcpu, flags, interval;
	u64 who;		/* UNBOUND: which domain may bind */
	u64 next;
	bool deferred;
};
static struct model {
	struct domain *d;
	u64 who;		/* as numbers come back */
	bool registered;
	struct mport p[PORTS];
	u32 virqs;
	u64 pending, mask, selector[2];
	bool raised[2];
} m[DOMAINS];
static u64 whos;

static void m_tell(struct model *x, u32 p)
{
	bool masked = x->mask >> p & 1;

	if (!x->registered)
		return;
	if (x->p[p].flags)
		x->mask |= 1ull << p;
	if (masked)
		return;
	x->selector[x->p[p].vcpu] |= 1;
	x->raised[x->p[p].vcpu] = true;
}

static void m_pend(struct model *x, u32 p)
{
	bool was = x->pending >> p & 1;

	x->pending |= 1ull << p;
	if (!was)
		m_tell(x, p);
}

static void m_signal(struct model *x, u32 n)
{
	struct mport *p = &x->p[n];

	if (p->interval && native_now < p->next) {
		p->deferred = true;
		return;
	}
	if (p->interval)
		p->next = native_now + p->interval;
	p->deferred = false;
	m_pend(x, n);
}

static u32 m_free(struct model *x)
{
	u32 i;

	for (i = 1; i < PORTS && x->p[i].kind; i++)
		;
	return i;
}

static struct model *m_of(u32 id)
{
	u32 i;

	for (i = 0; i < DOMAINS; i++)
		if (m[i].d->id == id)
			return &m[i];
	return NULL;
}

static void m_close(struct model *x, u32 n)
{
	struct mport *p = &x->p[n];

	if (p->kind == PARVUS_EVENT_INTERDOMAIN) {
		struct mport *r = &m_of(p->domain)->p[p->other];

		r->kind = PARVUS_EVENT_UNBOUND;
		r->who = x->who;
		r->other = 0;
	}
	memset(p, 0, sizeof(*p));
	x->pending &= ~(1ull << n);
}

static void m_new(struct model *x)
{
	memset(x, 0, sizeof(*x));
	x->d = domain_new();
	x->who = ++whos;
}

static void m_check(u64 seed, unsigned int step)
{
	u32 i, n;

	for (i = 0; i < DOMAINS; i++) {
		struct model *x = &m[i];
		struct domain *d = x->d;
		u32 used = 0;

		if (x->registered) {
			EXPECT(page_of(d)->pending[0] == x->pending,
			       "seed %lu step %u: d%u pending %lx, not %lx", seed, step, i,
			       page_of(d)->pending[0], x->pending);
			EXPECT(page_of(d)->mask[0] == x->mask,
			       "seed %lu step %u: d%u mask %lx, not %lx", seed, step, i,
			       page_of(d)->mask[0], x->mask);
		}
		for (n = 0; n < 2; n++) {
			EXPECT(page_of(d)->selector[n] == x->selector[n],
			       "seed %lu step %u: d%u selector %u", seed, step, i, n);
			EXPECT((d->vcpus[n]->vectors[VECTOR / 64] >> VECTOR % 64 & 1) ==
				       x->raised[n],
			       "seed %lu step %u: d%u vector %u", seed, step, i, n);
		}
		for (n = 1; n < PORTS; n++) {
			struct mport *p = &x->p[n];
			struct parvus_event_bind s = status(d, n);

			used += !!p->kind;
			EXPECT(s.kind == p->kind && s.domain == p->domain && s.vcpu == p->vcpu &&
				       s.flags == p->flags && s.interval_ns == p->interval &&
				       (p->kind == PARVUS_EVENT_VIRQ ? s.virq : s.remote_port) ==
					       p->other,
			       "seed %lu step %u: d%u port %u: kind %u, not %u", seed, step, i, n,
			       s.kind, p->kind);
		}
		EXPECT(event_ports_used(d) == used, "seed %lu step %u: d%u uses %u", seed, step, i,
		       used);
	}
}

static void m_bind(struct model *x)
{
	struct model *r = &m[below(DOMAINS)];
	struct parvus_event_bind *b = record(x->d);
	struct mport p = { 0 };
	u32 n = m_free(x), o = 1 + (u32)below(PORTS - 1);
	s64 want = 0, ret;

	p.kind = b->kind = 1 + (u32)below(3);
	p.vcpu = b->vcpu = (u32)below(2);
	p.flags = b->flags = (u32)below(2);
	p.interval = b->interval_ns = chance(3) ? 100 : 0;
	b->domain = r == x && chance(2) ? SELF : r->d->id;
	if (n == PORTS)
		return;
	if (p.kind == PARVUS_EVENT_VIRQ) {
		u32 v = 1 + (u32)below(PARVUS_VIRQS - 1), i;

		b->virq = p.other = v;
		for (i = 1; i < PORTS; i++)
			if (x->p[i].kind == PARVUS_EVENT_VIRQ && x->p[i].other == v)
				want = -PARVUS_EEXIST;
	} else {
		p.domain = r->d->id;
		p.who = r->who;
		if (p.kind == PARVUS_EVENT_INTERDOMAIN) {
			u32 i;

			for (i = 1; i < PORTS && !chance(20); i++)
				if (r->p[i].kind == PARVUS_EVENT_UNBOUND && r->p[i].who == x->who)
					o = i;
			b->remote_port = p.other = o;
			if (r->p[o].kind != PARVUS_EVENT_UNBOUND || r->p[o].who != x->who)
				want = -PARVUS_ENOENT;
		}
	}
	ret = op(x->d, PARVUS_EVENT_BIND, BIND_GPA);
	EXPECT(ret == want, "bind: %ld, not %ld", ret, want);
	if (ret)
		return;
	EXPECT(b->port == n, "port %u, not %u", b->port, n);
	x->p[n] = p;
	if (p.kind == PARVUS_EVENT_INTERDOMAIN) {
		r->p[o].kind = p.kind;
		r->p[o].other = n;
	}
	if (p.kind == PARVUS_EVENT_VIRQ && x->virqs >> p.other & 1) {
		x->virqs &= ~(1u << p.other);
		m_signal(x, n);
	}
}

static void m_step(void)
{
	struct model *x = &m[below(DOMAINS)];
	u32 n = 1 + (u32)below(PORTS - 1), v, i;
	struct mport *p;
	s64 ret, none;

	/* mostly one that can be sent on */
	while (x->p[n].kind != PARVUS_EVENT_INTERDOMAIN && !chance(10))
		n = 1 + (u32)below(PORTS - 1);
	p = &x->p[n];
	none = p->kind ? 0 : -PARVUS_ENOENT;
	switch (below(18)) {
	case 0 ... 2:
		m_bind(x);
		return;
	case 3:
		if (!chance(3))
			return;
		ret = op(x->d, PARVUS_EVENT_CLOSE, n);
		EXPECT(ret == none, "close: %ld", ret);
		if (!ret)
			m_close(x, n);
		return;
	case 4 ... 7:
	case 14 ... 17:
		ret = send(x->d, n);
		EXPECT(ret == (p->kind == PARVUS_EVENT_INTERDOMAIN ? 0 :
			       p->kind == PARVUS_EVENT_UNBOUND	   ? -PARVUS_EAGAIN :
			       p->kind				   ? -PARVUS_EINVAL :
								     -PARVUS_ENOENT),
		       "send: %ld", ret);
		if (!ret)
			m_signal(m_of(p->domain), p->other);
		return;
	case 8:
		if (!x->registered)
			return;
		ret = op(x->d, PARVUS_EVENT_UNMASK, n);
		EXPECT(ret == none, "unmask: %ld", ret);
		if (ret)
			return;
		x->mask &= ~(1ull << n);
		if (x->pending >> n & 1) {
			if (p->interval)
				p->next = native_now + p->interval;
			m_tell(x, n);
		}
		return;
	case 9:
		v = (u32)below(8);
		ret = set(x->d, n, v % 2, v / 2 % 2, v / 4 * 100);
		EXPECT(ret == none, "set: %ld", ret);
		if (ret)
			return;
		p->vcpu = v % 2;
		p->flags = v / 2 % 2;
		p->interval = v / 4 * 100;
		p->next = 0;
		if (p->deferred)
			x->pending |= 1ull << n;
		p->deferred = false;
		if (x->pending >> n & 1)
			m_tell(x, n);
		return;
	case 10:
		v = 1 + (u32)below(PARVUS_VIRQS - 1);
		event_send_virq(x->d, v);
		for (i = 1; i < PORTS; i++)
			if (x->p[i].kind == PARVUS_EVENT_VIRQ && x->p[i].other == v)
				break;
		if (i < PORTS)
			m_signal(x, i);
		else
			x->virqs |= 1u << v;
		return;
	case 11:	/* the guest serves, masks */
		if (!x->registered)
			return;
		x->pending &= page_of(x->d)->pending[0] &= random_u64();
		if (chance(2))
			x->mask = page_of(x->d)->mask[0] ^= 1ull << n;
		for (i = 0; i < 2; i++) {
			selector(x->d, i);
			raised(x->d, i);
			x->selector[i] = x->raised[i] = 0;
		}
		return;
	case 12:
		advance(below(80));
		for (x = m; x < m + DOMAINS; x++)
			for (n = 1; n < PORTS; n++)
				if (x->p[n].deferred && x->p[n].next <= native_now) {
					x->p[n].next = native_now + x->p[n].interval;
					x->p[n].deferred = false;
					m_pend(x, n);
				}
		return;
	case 13:
		if (!chance(4))
			return;
		if (!x->registered) {
			u64 bits = x->pending;

			OK(op(x->d, PARVUS_EVENT_REGISTER, PAGE_GPA));
			x->registered = true;
			for (n = 1; n < PORTS; n++)
				if (bits >> n & 1)
					m_tell(x, n);
		} else if (chance(8)) {
			for (n = 1; n < PORTS; n++)
				m_close(x, n);
			domain_destroy(x->d);
			m_new(x);
		}
		return;
	}
}

static void model_run(u64 seed)
{
	unsigned int i;

	for (i = 0; i < DOMAINS; i++)
		m_new(&m[i]);
	for (i = 0; i < 3000; i++) {
		m_step();
		m_check(seed, i);
	}
	for (i = 0; i < DOMAINS; i++)
		domain_destroy(m[i].d);
	EXPECT(frames_free_count() == before && !event_ports_total(), "seed %lu: left over", seed);
}

START_TEST(random_operations) { for_seeds(20, model_run); }
END_TEST

/* ---- at once ---- */

static struct domain *shared[2];

/* Makes, joins, uses and closes channels between the two, in both directions. */
static void *busy(void *arg)
{
	u64 x = (u64)arg * 77 + 1, me = (u64)arg;
	struct domain *d = shared[me];
	unsigned int i;

	native_this_cpu = 1 + (unsigned int)me;
	for (i = 0; i < 4000; i++) {
		u32 port = 1 + (u32)(x >> 33) % 12;

		x = x * 6364136223846793005ull + 1442695040888963407ull;
		switch (x >> 60) {
		case 0 ... 2:
			unbound(d, shared[!me]->id);
			break;
		case 3 ... 6:
			join(d, shared[!me]->id, port);
			break;
		case 7 ... 8:
			op(d, PARVUS_EVENT_CLOSE, port);
			break;
		case 9:
			event_send_virq(shared[!me], PARVUS_VIRQ_DEVICE);
			break;
		default:
			send(d, port);
		}
	}
	return NULL;
}

START_TEST(at_once)
{
	pthread_t t[2];
	u64 i;
	u32 n, joined = 0;

	for (i = 0; i < 2; i++) {
		shared[i] = domain_new();
		OK(op(shared[i], PARVUS_EVENT_REGISTER, PAGE_GPA));
	}
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, busy, (void *)i), 0);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	for (i = 0; i < 2; i++)
		for (n = 1; n < PARVUS_EVENT_PORTS; n++) {
			struct parvus_event_bind s = status(shared[i], n), r;

			if (s.kind != PARVUS_EVENT_INTERDOMAIN)
				continue;
			r = status(shared[!i], s.remote_port);
			EXPECT(r.kind == s.kind && r.remote_port == n && s.domain == shared[!i]->id,
			       "port %u of %lu", n, i);
			joined++;
			EXPECT(!send(shared[i], n) && take(shared[!i], s.remote_port), "send %u",
			       n);
		}
	ck_assert_uint_eq(joined % 2, 0);
}
END_TEST

/* One domain's channels end and begin again, while another makes and joins them. */
static volatile bool done;

static void *ending(void *arg)
{
	struct domain *d = arg;
	unsigned int i, n;
	u32 port;

	native_this_cpu = 1;
	for (i = 0; i < 3000; i++) {
		event_domain_destroy(d);
		d->serial += 2;		/* as another domain's would be, and not shared[1]'s */
		EXPECT(!event_domain_init(d), "no memory");
		for (n = 0; n < 3; n++)
			event_alloc_unbound(d, shared[1]->id, &port);
	}
	done = true;
	return NULL;
}

static void *making(void *arg)
{
	struct domain *d = arg;
	u32 i, port;

	native_this_cpu = 2;
	for (i = 0; !done; i++) {
		event_alloc_unbound(shared[0], d->id, &port);
		unbound(d, shared[0]->id);
		join(d, shared[0]->id, 1 + i % 4);
		event_send_virq(shared[0], PARVUS_VIRQ_DEVICE);
		send(d, 1 + i % 16);
		if (i % 2)
			op(d, PARVUS_EVENT_CLOSE, 1 + i / 2 % 16);
		if (event_ports_used(d) > 1000)
			for (port = 1; port < PARVUS_EVENT_PORTS; port++)
				op(d, PARVUS_EVENT_CLOSE, port);
	}
	return NULL;
}

START_TEST(end_at_once)
{
	pthread_t t[2];
	u32 n;

	shared[0] = domain_new();
	shared[1] = domain_new();
	ck_assert_int_eq(pthread_create(&t[0], NULL, ending, shared[0]), 0);
	ck_assert_int_eq(pthread_create(&t[1], NULL, making, shared[1]), 0);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	domain_destroy(shared[0]);
	for (n = 1; n < PARVUS_EVENT_PORTS; n++)
		EXPECT(status(shared[1], n).kind != PARVUS_EVENT_INTERDOMAIN, "port %u", n);
	ck_assert_uint_eq(event_ports_total(), event_ports_used(shared[1]));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("event");
	TCase *c = tcase_create("event");

	tcase_set_timeout(c, 120);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, traced);
	tcase_add_test(c, bad_arguments);
	tcase_add_test(c, bind_fails);
	tcase_add_test(c, registered_once);
	tcase_add_test(c, registered_at_once);
	tcase_add_test(c, hidden_at_the_end);
	tcase_add_test(c, two_domains);
	tcase_add_test(c, oneself);
	tcase_add_test(c, kept);
	tcase_add_test(c, masks);
	tcase_add_test(c, taken_before_masked);
	tcase_add_test(c, plays_with_pending);
	tcase_add_test(c, interval);
	tcase_add_test(c, intervals);
	tcase_add_test(c, interval_and_mask);
	tcase_add_test(c, no_timer);
	tcase_add_test(c, exhaustion);
	tcase_add_test(c, ends);
	tcase_add_test(c, random_operations);
	tcase_add_test(c, at_once);
	tcase_add_test(c, end_at_once);
	suite_add_tcase(s, c);
	return native_main(s);
}
