// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event channels (core/event.h).
 *
 * Locks. bind_lock: what is bound to what, of all domains, and their end. A domain's event_lock:
 * its ports, for those who use them. A change holds bind_lock, and takes the event_lock of one
 * domain at a time, so that two domains that bind to each other need no order. A sender holds its
 * own event_lock alone; the end of the peer first takes the sender's port away under that lock, so
 * what a bound port points to is alive. The receiver's side is atomic: it may be reached from
 * several pCPUs.
 *
 * Send, pending, raise, wake, kick, deliver: docs/glossary.md has these words in their order.
 *
 * The guest's page, which every view shows, is written, and read for its mask and for what is
 * pending. Whatever stands there, the worst is an event too many or too few for that very guest.
 */
#include <core/context.h>
#include <core/event.h>
#include <core/log.h>
#include <core/memory.h>
#include <core/handlers.h>
#include <core/trace.h>
#include <parvus/event.h>

struct port {
	u8 kind;		/* PARVUS_EVENT_CLOSED, UNBOUND, INTERDOMAIN, VIRQ */
	u8 flags;
	u8 vcpu;
	u16 domain;		/* UNBOUND, INTERDOMAIN: the remote one's number */
	u16 other;		/* INTERDOMAIN: its port; VIRQ: the source */
	u32 interval_ns;
	union {
		struct domain *peer;	/* INTERDOMAIN: alive, see above */
		u32 serial;	/* UNBOUND: of the domain that may bind; numbers come back */
	};
	u64 next;		/* with an interval: no delivery before */
};
BUILD_ASSERT(sizeof(struct port) == 32);

#define PORTS_PER_PAGE	(u32)(PAGE_SIZE / sizeof(struct port))
#define WORDS		PARVUS_EVENT_WORDS
#define MAX_VIRQS	8u	/* a power of two */
BUILD_ASSERT(PARVUS_VIRQS <= MAX_VIRQS && MAX_VCPUS <= 256);
BUILD_ASSERT(PARVUS_EVENT_PORTS <= 65536 && WORDS <= 64);

struct event_domain {
	struct domain *domain;
	struct parvus_event_page *page;	/* the guest's, or &none */
	bool dying;		/* no new ports; under bind_lock */
	u32 used;
	u32 virqs;		/* sources that fired and have no port, bit n = source n */
	u16 virq_port[MAX_VIRQS];
	struct spinlock timer_lock;	/* one caller of timer_set() */
	struct timer timer;	/* for the deferred ports */
	u64 deferred[WORDS];	/* ports that wait until their interval is over */
	u64 taken[WORDS];	/* ports in use, and 0 */
	struct port *ports[PARVUS_EVENT_PORTS / PORTS_PER_PAGE];
	struct parvus_event_page none;	/* its used part: all masked; what comes before REGISTER */
};
BUILD_ASSERT(offsetof(struct event_domain, none.reserved) <= PAGE_SIZE);

static struct spinlock bind_lock = SPINLOCK_INIT(LOCK_BIND);
static u32 ports_total;		/* under bind_lock */

static inline u64 bit_of(u32 port) { return 1ull << (port % 64); }

static inline struct port *port_at(struct event_domain *ev, u32 port)
{
	return &ev->ports[port / PORTS_PER_PAGE][port % PORTS_PER_PAGE];
}

/* A port in use by the number that a guest gave, under event_lock or bind_lock; or an error. */
static inline int port_find(struct event_domain *ev, u64 n, struct port **p)
{
	u32 port = n & (PARVUS_EVENT_PORTS - 1);	/* in range, even by speculation */

	if (n != port || !port)
		return hv_error(PARVUS_EINVAL);
	if (!(ev->taken[port / 64] & bit_of(port)))
		return hv_error(PARVUS_ENOENT);
	*p = port_at(ev, port);
	return 0;
}

/* ---- delivery ---- */

static inline void port_vector(struct event_domain *ev, struct port *p, u32 port)
{
	struct domain *d = ev->domain;
	struct vcpu *v = d->vcpus[READ_ONCE(p->vcpu)];

	/* after the pending bit was set: see event_set() */
	atomic_or_u64(&READ_ONCE(ev->page)->selector[v->id], 1ull << (port / 64));
	/* a guest that has no handler (yet) would die of it */
	if (likely(READ_ONCE(d->takes_events)))
		vcpu_raise(v, PARVUS_VECTOR_EVENT);
}

/*
 * We set the mask bit, but the guest has taken the event by now, perhaps served it and unmasked
 * before that: nobody would clear our bit any more (rule 77). It goes, and if the port is pending
 * again it is set again. Bounded: a hostile guest can play this for ever, to its own harm.
 */
static NOINLINE void port_mask_again(struct event_domain *ev, struct parvus_event_page *page,
				     struct port *p, u32 port)
{
	u64 *mask = &page->mask[port / 64], *pending = &page->pending[port / 64];
	u64 bit = bit_of(port);

	for (u32 tries = 0; tries < 8 && !(READ_ONCE(*pending) & bit); tries++) {
		atomic_and_u64(mask, ~bit);
		if (!(READ_ONCE(*pending) & bit) || atomic_or_u64(mask, bit) & bit)
			return;
	}
	port_vector(ev, p, port);
}

/* The port is pending: unless it is masked, raise the vector on its vCPU. */
static void port_raise(struct event_domain *ev, struct parvus_event_page *page, struct port *p,
		       u32 port)
{
	u64 *mask = &page->mask[port / 64], bit = bit_of(port);
	bool auto_mask = READ_ONCE(p->flags) & PARVUS_EVENT_AUTO_MASK;

	if ((auto_mask ? atomic_or_u64(mask, bit) : READ_ONCE(*mask)) & bit)
		return;
	if (auto_mask && unlikely(!(READ_ONCE(page->pending[port / 64]) & bit)))
		port_mask_again(ev, page, p, port);
	else
		port_vector(ev, p, port);
}

static void port_set_pending(struct event_domain *ev, struct port *p, u32 port)
{
	struct parvus_event_page *page;

	do {
		page = READ_ONCE(ev->page);
		if (!(atomic_or_u64(&page->pending[port / 64], bit_of(port)) & bit_of(port)))
			port_raise(ev, page, p, port);
		/* the guest registered its page meanwhile, and may have missed this one */
	} while (unlikely(READ_ONCE(ev->page) != page));
}

/* Send what was deferred and is due, or all of it. Returns when the next is due; 0 = none. */
static u64 deferred_send(struct event_domain *ev, u64 now, bool all)
{
	u64 first = 0, next;
	u32 w, bit, sent = 0;

	for (w = 0; w < WORDS; w++) {
		if (sent > 64 && !all)	/* timers of others wait meanwhile */
			return now + 1;
		for_each_bit(bit, READ_ONCE(ev->deferred[w])) {
			u32 port = w * 64 + bit;
			struct port *p = port_at(ev, port);

			next = READ_ONCE(p->next);
			if (next > now && !all) {
				first = first ? min(first, next) : next;
				continue;
			}
			/* if this fails it was delivered just now: then the next time, soon */
			if (!atomic_cmpxchg_u64(&p->next, next, now + READ_ONCE(p->interval_ns)) &&
			    !all) {
				first = now + 1;
				continue;
			}
			/* what is deferred from here on, before it is pending, it delivers */
			if (atomic_and_u64(&ev->deferred[w], ~bit_of(port)) & bit_of(port))
				port_set_pending(ev, p, port);
			sent++;
		}
	}
	return first;
}

static void deferred_timer_fired(struct timer *t)
{
	struct event_domain *ev = container_of(t, struct event_domain, timer);

	t->deadline = deferred_send(ev, arch_now_ns(), false);
}

/* May an event go to a port with an interval now? If not, it is deferred. */
static bool interval_over(struct event_domain *ev, struct port *p, u32 port, u32 interval)
{
	u64 now = arch_now_ns(), next = READ_ONCE(p->next), *word = &ev->deferred[port / 64];
	int ret;

	if (now >= next && atomic_cmpxchg_u64(&p->next, next, now + interval)) {
		atomic_and_u64(word, ~bit_of(port));
		return true;
	}
	if (atomic_or_u64(word, bit_of(port)) & bit_of(port))
		return false;
	spin_lock(&ev->timer_lock);
	ret = timer_set_before(&ev->timer, arch_this_cpu(), READ_ONCE(p->next));
	spin_unlock(&ev->timer_lock);
	if (ret)	/* no room for the timer: better early than never */
		deferred_send(ev, now, true);
	else
		pcpu_timer_arm();
	return false;
}

/* An event arrives. Under the event_lock of the sender, or of @ev's own domain. */
static inline void port_send(struct event_domain *ev, u32 port)
{
	struct port *p = port_at(ev, port);
	u32 interval = READ_ONCE(p->interval_ns);

	if (likely(!interval) || interval_over(ev, p, port, interval))
		port_set_pending(ev, p, port);
}

void event_send_virq(struct domain *d, u32 virq)
{
	struct event_domain *ev;

	HOLD(&d->event_lock);
	ev = d->events;
	if (ev && ev->virq_port[virq])
		port_send(ev, ev->virq_port[virq]);
	else if (ev)
		ev->virqs |= 1u << virq;
}

/* ---- ports come and go; all under bind_lock ---- */

/*
 * The lowest free port, or the one that is wanted (else 0): 0, -PARVUS_ENOSPC, ENOMEM, EEXIST.
 * Nobody but us knows of it yet.
 */
static int port_new(struct event_domain *ev, u32 *port)
{
	struct port **ports;
	u32 w = *port / 64;

	if (*port && ev->taken[w] & bit_of(*port))
		return hv_error(PARVUS_EEXIST);
	for (; !*port && w < WORDS && !~ev->taken[w]; w++)
		;
	if (w == WORDS)
		return hv_error(PARVUS_ENOSPC);
	if (!*port)
		*port = w * 64 + (u32)__builtin_ctzll(~ev->taken[w]);
	ports = &ev->ports[*port / PORTS_PER_PAGE];
	if (!*ports)
		*ports = hv_alloc_public(PAGE_SIZE);
	return *ports ? 0 : hv_error(PARVUS_ENOMEM);
}

static void port_close(struct event_domain *ev, u32 port)
{
	struct domain *d = ev->domain;
	struct port *p = port_at(ev, port), *r;

	/* the other end first: after that nobody sends to us */
	if (p->kind == PARVUS_EVENT_INTERDOMAIN) {
		HOLD(&p->peer->event_lock);
		r = port_at(p->peer->events, p->other);
		r->kind = PARVUS_EVENT_UNBOUND;
		r->other = 0;
		r->serial = d->serial;
	}
	HOLD(&d->event_lock);
	if (p->kind == PARVUS_EVENT_VIRQ)
		ev->virq_port[p->other] = 0;
	atomic_and_u64(&ev->deferred[port / 64], ~bit_of(port));
	atomic_and_u64(&ev->page->pending[port / 64], ~bit_of(port));
	memset(p, 0, sizeof(*p));
	ev->taken[port / 64] &= ~bit_of(port);
	ev->used--;
	WRITE_ONCE(ports_total, ports_total - 1);
}

/* A port like @p. @n: port of @remote, or source. Who has which is nobody's business: one error. */
static int port_bind(struct event_domain *ev, struct domain *remote, u32 n, struct port *p,
		     u32 *port)
{
	struct event_domain *rev = remote ? remote->events : NULL;
	u32 virq = n & (MAX_VIRQS - 1);
	struct port *r = NULL;
	int ret;

	if (p->kind == PARVUS_EVENT_VIRQ) {
		if (n >= PARVUS_VIRQS)
			return hv_error(PARVUS_EINVAL);
		if (n == PARVUS_VIRQ_DOMAIN && !ev->domain->control)
			return hv_error(PARVUS_EPERM);
		if (ev->virq_port[virq])
			return hv_error(PARVUS_EEXIST);
	} else if (ev->dying || !rev) {
		return hv_error(PARVUS_ENOENT);
	} else if (p->kind == PARVUS_EVENT_INTERDOMAIN) {
		if (port_find(rev, n, &r) || r->kind != PARVUS_EVENT_UNBOUND ||
		    r->serial != ev->domain->serial)
			return hv_error(PARVUS_ENOENT);
	}
	ret = port_new(ev, port);
	if (ret)
		return ret;
	p->domain = remote ? remote->id : 0;
	if (p->kind == PARVUS_EVENT_UNBOUND)
		p->serial = remote->serial;
	else
		p->other = (u16)n;
	if (r)
		p->peer = remote;

	spin_lock(&ev->domain->event_lock);
	*port_at(ev, *port) = *p;
	ev->taken[*port / 64] |= bit_of(*port);
	ev->used++;
	WRITE_ONCE(ports_total, ports_total + 1);
	if (p->kind == PARVUS_EVENT_VIRQ) {
		ev->virq_port[virq] = (u16)*port;
		if (ev->virqs & 1u << virq)
			port_send(ev, *port);
		ev->virqs &= ~(1u << virq);
	}
	spin_unlock(&ev->domain->event_lock);
	if (r) {
		HOLD(&remote->event_lock);
		r->other = (u16)*port;
		r->peer = ev->domain;
		r->kind = PARVUS_EVENT_INTERDOMAIN;
	}
	return 0;
}

static int port_bind_to(struct domain *d, u32 remote_id, u32 n, struct port *p, u32 *port)
{
	struct domain *remote = p->kind == PARVUS_EVENT_VIRQ ? NULL : domain_get(remote_id);
	int ret = -PARVUS_ENOENT;

	if (!remote && p->kind != PARVUS_EVENT_VIRQ)
		return ret;
	spin_lock(&bind_lock);
	if (d->events)
		ret = port_bind(d->events, remote, n, p, port);
	spin_unlock(&bind_lock);
	domain_put(remote);
	return ret;
}

/* ---- the operations of a guest ---- */

/* @settings: the members that BIND and SET take are looked at. */
static int bind_read(struct domain *d, u64 gpa, struct parvus_event_bind *b, bool settings)
{
	if (guest_read(d, gpa, b, sizeof(*b)))
		return hv_error(PARVUS_EFAULT);
	if (b->size != sizeof(*b) || b->version != 1 || b->reserved[0] || b->reserved[1] ||
	    (settings && (b->vcpu >= d->vcpu_count || b->flags & ~PARVUS_EVENT_AUTO_MASK)))
		return hv_error(PARVUS_EINVAL);
	return 0;
}

s64 event_register(struct domain *d, u64 gpa)
{
	struct event_domain *ev = d->events;
	struct parvus_event_page *page;
	u32 w, bit;

	if (READ_ONCE(ev->page) != &ev->none)
		return hv_error(PARVUS_EBUSY);
	page = guest_map(d, gpa, sizeof(*page), sizeof(*page));
	if (!page)
		return hv_error(PARVUS_EFAULT);
	HOLD(&d->event_lock);
	if (ev->page != &ev->none) {
		guest_unmap(page);
		return hv_error(PARVUS_EBUSY);
	}
	atomic_or_u64(&frame_info(frame_of(page))->word, FRAME_EVENTS);
	WRITE_ONCE(ev->page, page);
	smp_mb();	/* against port_set_pending() */
	for (w = 0; w < WORDS; w++)
		for_each_bit(bit, atomic_xchg_u64(&ev->none.pending[w], 0))
			port_set_pending(ev, port_at(ev, w * 64 + bit), w * 64 + bit);
	return 0;
}

static s64 event_bind(struct domain *d, u64 gpa)
{
	const u64 answer = gpa + offsetof(struct parvus_event_bind, port);
	struct parvus_event_bind b;
	struct port p;
	u32 port = 0;
	int ret = bind_read(d, gpa, &b, true);

	if (ret)
		return ret;
	if (b.kind < PARVUS_EVENT_UNBOUND || b.kind > PARVUS_EVENT_VIRQ)
		return hv_error(PARVUS_EINVAL);
	/* no port is made, and no event taken, if the caller cannot be told */
	if (guest_write(d, answer, &b.port, sizeof(b.port)))
		return hv_error(PARVUS_EFAULT);
	p = (struct port){ .kind = (u8)b.kind, .flags = (u8)b.flags, .vcpu = (u8)b.vcpu,
			   .interval_ns = b.interval_ns };
	ret = port_bind_to(d, domain_named_by(d, b.domain),
		   b.kind == PARVUS_EVENT_VIRQ ? b.virq : b.remote_port, &p, &port);
	return ret ? ret : guest_write(d, answer, &port, sizeof(port));
}

static s64 event_close(struct domain *d, u64 port)
{
	struct port *p;
	int ret;

	HOLD(&bind_lock);
	ret = port_find(d->events, port, &p);
	if (!ret)
		port_close(d->events, (u32)port);
	return ret;
}

static s64 event_send(struct domain *d, u64 port)
{
	struct port *p;
	int ret;

	HOLD(&d->event_lock);
	ret = port_find(d->events, port, &p);
	if (unlikely(ret))
		return ret;
	trace_event((u32)port);
	if (unlikely(p->kind != PARVUS_EVENT_INTERDOMAIN))
		return p->kind == PARVUS_EVENT_UNBOUND ? -PARVUS_EAGAIN : -PARVUS_EINVAL;
	port_send(p->peer->events, p->other);
	return 0;
}

static s64 event_unmask(struct domain *d, u64 n)
{
	u32 port = n & (PARVUS_EVENT_PORTS - 1);
	struct event_domain *ev = d->events;
	struct port *p;
	int ret;

	HOLD(&d->event_lock);
	ret = port_find(ev, n, &p);
	if (ret)
		return ret;
	atomic_and_u64(&ev->page->mask[port / 64], ~bit_of(port));
	if (READ_ONCE(ev->page->pending[port / 64]) & bit_of(port)) {
		if (p->interval_ns)
			__atomic_store_n(&p->next, arch_now_ns() + p->interval_ns, SEQ_CST);
		port_raise(ev, ev->page, p, port);
	}
	return 0;
}

static s64 event_status(struct domain *d, u64 gpa)
{
	struct port *p, closed = { .kind = PARVUS_EVENT_CLOSED };
	struct parvus_event_bind b, s;
	int ret = bind_read(d, gpa, &b, false);

	if (ret)
		return ret;
	spin_lock(&d->event_lock);
	ret = port_find(d->events, b.port, &p);
	p = ret ? &closed : p;
	s = (struct parvus_event_bind){
		.size = sizeof(s), .version = 1, .port = b.port, .kind = p->kind, .vcpu = p->vcpu,
		.flags = p->flags, .interval_ns = p->interval_ns,
		.domain = domain_as_seen(d, p->domain),
		.virq = p->kind == PARVUS_EVENT_VIRQ ? p->other : 0,
		.remote_port = p->kind == PARVUS_EVENT_VIRQ ? 0 : p->other };
	spin_unlock(&d->event_lock);
	return ret && ret != -PARVUS_ENOENT ? ret : guest_write(d, gpa, &s, sizeof(s));
}

static s64 event_set(struct domain *d, u64 gpa)
{
	struct event_domain *ev = d->events;
	struct parvus_event_bind b;
	struct port *p;
	u64 bit, *pending;
	u32 port;
	int ret = bind_read(d, gpa, &b, true);

	if (ret)
		return ret;
	HOLD(&d->event_lock);
	ret = port_find(ev, b.port, &p);
	if (ret)
		return ret;
	port = b.port & (PARVUS_EVENT_PORTS - 1);
	bit = bit_of(port);
	pending = &ev->page->pending[port / 64];
	WRITE_ONCE(p->flags, (u8)b.flags);
	WRITE_ONCE(p->vcpu, (u8)b.vcpu);
	WRITE_ONCE(p->interval_ns, b.interval_ns);
	/* the new interval begins now; what the old one held back comes first */
	__atomic_store_n(&p->next, 0, SEQ_CST);
	if (atomic_and_u64(&ev->deferred[port / 64], ~bit) & bit)
		atomic_or_u64(pending, bit);
	/* a raise on the old vCPU set the bit before: the new one has to know */
	if (READ_ONCE(*pending) & bit)
		port_raise(ev, ev->page, p, port);
	return 0;
}

s64 hc_event_op(struct vcpu *v, u64 op, u64 arg)
{
	static s64 (*const ops[])(struct domain *d, u64 arg) = {
		[PARVUS_EVENT_SEND] = event_send, [PARVUS_EVENT_UNMASK] = event_unmask,
		[PARVUS_EVENT_REGISTER] = event_register, [PARVUS_EVENT_BIND] = event_bind,
		[PARVUS_EVENT_CLOSE] = event_close, [PARVUS_EVENT_STATUS] = event_status,
		[PARVUS_EVENT_SET] = event_set,
	};

	if (op >= ARRAY_SIZE(ops))
		return hv_error(PARVUS_ENOSYS);
	return ops[op & index_mask(op, ARRAY_SIZE(ops))](v->domain, arg);
}

/* ---- for others ---- */

int event_alloc_unbound(struct domain *d, u32 remote, u32 *port)
{
	struct port p = { .kind = PARVUS_EVENT_UNBOUND };

	*port = 0;
	return port_bind_to(d, remote, 0, &p, port);
}

/* ---- the context: of a domain of which nothing runs ---- */

u32 event_virqs(const struct domain *d) { return d->events ? READ_ONCE(d->events->virqs) : 0; }

const void *event_page(const struct domain *d)
{
	return d->events && d->events->page != &d->events->none ? d->events->page : NULL;
}

bool event_context_next(struct vcpu *v, u64 *from, void *to)
{
	struct domain *d = v->domain;
	struct parvus_context_port *r = to;
	const struct port *p;
	u64 n, bits, w;

	HOLD(&d->event_lock);
	for (n = *from; d->events && n < PARVUS_EVENT_PORTS; n = (w + 1) * 64) {
		w = n / 64;
		bits = d->events->taken[w] & ~0ull << n % 64 & (w ? ~0ull : ~1ull);
		if (!bits)
			continue;
		n = w * 64 + (u64)__builtin_ctzll(bits);
		p = port_at(d->events, (u32)n);
		*r = (struct parvus_context_port){
			.port = (u32)n, .kind = p->kind, .vcpu = p->vcpu, .flags = p->flags,
			.domain = p->domain, .source = p->other, .interval_ns = p->interval_ns };
		*from = n + 1;
		return true;
	}
	return false;
}

/* Domain 0 is the one peer that is known by its number; a port that was joined waits for it. */
int event_context_set(struct vcpu *v, const void *record)
{
	struct domain *d = v->domain;
	const struct parvus_context_port *r = record;
	bool virq = r->kind == PARVUS_EVENT_VIRQ;
	struct port p = { .kind = virq ? PARVUS_EVENT_VIRQ : PARVUS_EVENT_UNBOUND };
	u32 port = r->port;
	int ret;

	if (!port || port >= PARVUS_EVENT_PORTS || r->kind < PARVUS_EVENT_UNBOUND ||
	    r->kind > PARVUS_EVENT_VIRQ || r->domain || r->vcpu >= d->vcpu_count ||
	    r->flags & ~PARVUS_EVENT_AUTO_MASK || r->reserved0 ||
	    (virq && (r->source >= PARVUS_VIRQS || r->source == PARVUS_VIRQ_DOMAIN)) ||
	    (r->kind == PARVUS_EVENT_UNBOUND && r->source))
		return hv_error(PARVUS_EINVAL);
	p.vcpu = (u8)r->vcpu;
	p.flags = (u8)r->flags;
	p.interval_ns = r->interval_ns;
	ret = port_bind_to(d, 0, virq ? r->source : 0, &p, &port);
	return ret == -PARVUS_ENOENT ? -PARVUS_EINVAL : ret;
}

void event_context_done(struct domain *d, u32 virqs)
{
	struct event_domain *ev = d->events;
	u32 w, bit;

	HOLD(&d->event_lock);
	for (w = 0; w < WORDS; w++)
		for_each_bit(bit, ev->taken[w] & (w ? ~0ull : ~1ull))
			port_send(ev, w * 64 + bit);
	for_each_bit(bit, virqs)
		if (!ev->virq_port[bit])
			ev->virqs |= 1u << bit;
}

u64 event_pages(struct domain *d)
{
	u64 pages = 0, i;

	HOLD(&d->event_lock);
	for (i = 0; d->events && i < ARRAY_SIZE(d->events->ports); i++)
		pages += !!d->events->ports[i];
	return pages + !!d->events;
}

u32 event_ports_used(struct domain *d)
{
	HOLD(&d->event_lock);
	return d->events ? d->events->used : 0;
}

u32 event_ports_total(void) { return READ_ONCE(ports_total); }

int event_domain_init(struct domain *d)
{
	struct event_domain *ev = hv_alloc_public(PAGE_SIZE);

	if (!ev)
		return hv_error(PARVUS_ENOMEM);
	spin_init(&ev->timer_lock, LOCK_EVENT_TIMER);
	ev->domain = d;
	ev->page = &ev->none;
	memset(ev->none.mask, 0xff, sizeof(ev->none.mask));
	ev->taken[0] = 1;	/* port 0 is no port */
	ev->timer.fire = deferred_timer_fired;
	d->events = ev;
	return 0;
}

/*
 * Nobody sends to this page any more, and soon its frame may be another's: it leaves all views and
 * TLBs (rule 99). A fault looks at FRAME_EVENTS under the lock of the view that it fills.
 */
static void page_hide(mfn_t mfn)
{
	atomic_and_u64(&frame_info(mfn)->word, ~FRAME_EVENTS);
	for_each_domain(d)
		arch_view_drop(d, mfn);
	for (unsigned int cpu = 0; cpu < arch_cpus(); cpu++)
		pcpu_kick(cpu, WORK_FORGET);
	for (unsigned int cpu = 0; cpu < arch_cpus(); cpu++)
		while (arch_cpu_exposed(cpu) && READ_ONCE(arch_cpu(cpu)->work) & WORK_FORGET)
			cpu_relax();
}

void event_domain_destroy(struct domain *d)
{
	struct event_domain *ev = d->events;
	struct port *p;

	if (!ev)
		return;
	spin_lock(&bind_lock);
	ev->dying = true;
	spin_unlock(&bind_lock);
	for (u32 i = 1; i < PARVUS_EVENT_PORTS && ev->used; i++) {
		HOLD(&bind_lock);
		if (!port_find(ev, i, &p))
			port_close(ev, i);
	}
	spin_lock(&bind_lock);
	spin_lock(&d->event_lock);
	d->events = NULL;
	spin_unlock(&d->event_lock);
	spin_unlock(&bind_lock);
	/* nobody arms it any more; and when this returns it does not fire */
	timer_cancel(&ev->timer);
	if (ev->page != &ev->none)
		page_hide(frame_of(ev->page));
	for (u32 i = 0; i < ARRAY_SIZE(ev->ports); i++)
		hv_free(ev->ports[i], PAGE_SIZE);
	hv_free(ev, PAGE_SIZE);
}
