// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of devices (parvus/irq.h). The source of a handle is a line, or a message that domain
 * 0 writes into the device. Which pCPU it interrupts is a guess, the one where its vCPU ran last: a
 * wrong one costs a kick. Two watchdogs: a level line that nobody EOIs is unmasked after a second,
 * and one that comes too often stays masked for a while.
 */
#include <core/handlers.h>
#include <core/event.h>
#include <core/log.h>
#include <core/memory.h>
#include <parvus/control.h>
#include <parvus/irq.h>

#define STUCK_NS	1000000000ull
#define LOOK_NS		10000000ull	/* between two looks of the watchdogs */
#define STORM_COUNT	1000u		/* arrivals in LOOK_NS */

struct irq {
	struct domain *domain;	/* NULL: free */
	struct vcpu *target;	/* NULL: nowhere */
	u32 kind, source, index, flags;
	u32 cpu;		/* that it interrupts */
	u8 vector;
	bool masked;		/* by the guest */
	bool waits;		/* a level line that arrived: masked until EOI */
	bool storms;		/* masked until the next look */
	bool told;		/* the log has a line about it */
	u32 burst;		/* arrivals since @window */
	u64 count;		/* and since MAP */
	u64 window, since;	/* when it began; when the last one arrived */
};

static struct {
	struct spinlock lock;	/* of all of it, and of the I/O APICs' registers */
	bool watching;		/* the timer is armed, or is about to be */
	struct timer timer;
	u64 strays, stuck, storms;
	struct irq of[IRQ_HANDLES];
} irqs = { .lock = SPINLOCK_INIT(LOCK_IRQ) };

static void line_write(const struct irq *q)
{
	if (q->kind == PARVUS_IRQ_LINE)
		arch_irq_line_set(q->source, (u32)(q - irqs.of), q->cpu,
				  q->flags & PARVUS_IRQ_LEVEL, q->flags & PARVUS_IRQ_LOW,
				  q->masked || q->waits || q->storms || !q->target);
}

bool irq_is_level(u32 handle)
{
	return handle < IRQ_HANDLES && READ_ONCE(irqs.of[handle].flags) & PARVUS_IRQ_LEVEL;
}

static void irq_tell(struct irq *q, const char *what)
{
	if (!q->told)
		log_guest(q->domain, "irq: %s %x: %s",
			  q->kind == PARVUS_IRQ_LINE ? "line" : "message of", q->source, what);
	q->told = true;
}

/* Under the lock of a heap of timers, as all that fires. */
static void irq_look(struct timer *t)
{
	u64 now = arch_now_ns();

	HOLD(&irqs.lock);
	irqs.watching = false;
	for (struct irq *q = irqs.of; q < irqs.of + IRQ_HANDLES; q++) {
		bool stuck = q->waits && now - q->since >= STUCK_NS;

		if (stuck) {
			irqs.stuck++;
			irq_tell(q, "nobody serves it: unmasked");
		}
		if (stuck || q->storms) {
			q->waits &= !stuck;
			q->storms = false;
			line_write(q);
		}
		irqs.watching |= q->waits;
	}
	t->deadline = irqs.watching ? now + LOOK_NS : 0;
}

/* More than a device can mean? A message is only counted: nobody but domain 0 can mask it. */
static void storm_check(struct irq *q, u64 now)
{
	if (now - q->window >= LOOK_NS) {
		q->window = now;
		q->burst = 0;
	}
	q->count++;
	if (++q->burst != STORM_COUNT)
		return;
	irqs.storms++;
	q->storms = q->kind == PARVUS_IRQ_LINE;
	irq_tell(q, "it storms");
}

void irq_arrived(u32 handle)
{
	struct irq *q = &irqs.of[handle % IRQ_HANDLES];
	u64 now = arch_now_ns();
	bool watch = false;

	spin_lock(&irqs.lock);
	if (handle < IRQ_HANDLES && q->target) {
		storm_check(q, now);
		q->since = now;
		q->waits = q->flags & PARVUS_IRQ_LEVEL;
		if (q->waits || q->storms) {
			line_write(q);
			watch = !irqs.watching;
			irqs.watching = true;
		}
		vcpu_raise(q->target, q->vector);
	} else {
		irqs.strays++;
	}
	spin_unlock(&irqs.lock);
	if (!watch)
		return;
	irqs.timer.fire = irq_look;
	if (timer_set(&irqs.timer, arch_this_cpu(), now + LOOK_NS)) {
		irq_look(&irqs.timer);	/* no room: the next that arrives tries again */
		irqs.watching = false;
	}
	pcpu_timer_arm();
}

/* ---- the calls of domain 0 ---- */

/* The structure of a call, with what all of them check. */
static int record_read(struct domain *d, u64 gpa, struct parvus_irq *r)
{
	if (guest_read(d, gpa, r, sizeof(*r)))
		return hv_error(PARVUS_EFAULT);
	if (r->size != sizeof(*r) || r->version != 1 ||
	    (r->domain != PARVUS_DOMAIN_SELF && r->domain != d->id) ||
	    r->reserved[0] | r->reserved[1] | r->reserved[2] | r->reserved[3] | r->reserved[4])
		return hv_error(PARVUS_EINVAL);
	return 0;
}

/* Of @d, under the lock, or NULL. */
static struct irq *irq_of(struct domain *d, u64 handle)
{
	struct irq *q;

	if (handle >= IRQ_HANDLES)
		return NULL;
	q = &irqs.of[handle & index_mask(handle, IRQ_HANDLES)];
	return q->domain == d ? q : NULL;
}

static void irq_drop(struct irq *q)
{
	q->target = NULL;
	line_write(q);
	*q = (struct irq){ .domain = NULL };
}

static s64 irq_info(struct vcpu *v, u64 gpa)
{
	struct domain *d = v->domain;
	struct parvus_irq_info i;
	u32 n;

	if (guest_read(d, gpa, &i, sizeof(i)))
		return hv_error(PARVUS_EFAULT);
	if (i.size != sizeof(i) || i.version != 1 ||
	    (i.domain != PARVUS_DOMAIN_SELF && i.domain != d->id) ||
	    !all_zero(i.reserved, ARRAY_SIZE(i.reserved)))
		return hv_error(PARVUS_EINVAL);
	spin_lock(&irqs.lock);
	i = (struct parvus_irq_info){
		.size = sizeof(i), .version = 1, .domain = d->id, .lines = arch_irq_lines(),
		.strays = irqs.strays, .stuck = irqs.stuck, .storms = irqs.storms };
	for (n = 0; n < IRQ_HANDLES; n++)
		i.mapped += irqs.of[n].domain != NULL;
	spin_unlock(&irqs.lock);
	i.free = IRQ_HANDLES - i.mapped;
	return guest_write(d, gpa, &i, sizeof(i)) ? hv_error(PARVUS_EFAULT) : 0;
}

/* UNMAP; and of a line MASK, UNMASK, EOI. */
static s64 irq_change(struct vcpu *v, u64 op, u64 handle)
{
	struct irq *q;

	HOLD(&irqs.lock);
	q = irq_of(v->domain, handle);
	if (!q)
		return hv_error(PARVUS_ENOENT);
	if (op == PARVUS_IRQ_UNMAP) {
		irq_drop(q);
		return 0;
	}
	if (q->kind != PARVUS_IRQ_LINE || (op == PARVUS_IRQ_EOI && !(q->flags & PARVUS_IRQ_LEVEL)))
		return hv_error(PARVUS_EINVAL);
	if (op == PARVUS_IRQ_EOI)
		q->waits = false;
	else
		q->masked = op == PARVUS_IRQ_MASK;
	line_write(q);
	return 0;
}

/* The handle, or a negative errno. */
static int irq_make(struct domain *d, const struct parvus_irq *r)
{
	struct irq *q, *free = NULL;

	HOLD(&irqs.lock);
	for (q = irqs.of + IRQ_HANDLES; q-- > irqs.of;) {
		if (!q->domain)
			free = q;
		else if (q->kind == r->kind && q->source == r->source && q->index == r->index)
			return hv_error(PARVUS_EEXIST);
	}
	if (!free)
		return hv_error(PARVUS_ENOSPC);
	*free = (struct irq){ .domain = d, .kind = r->kind, .source = r->source,
			      .index = r->index, .flags = r->flags,
			      .masked = r->kind == PARVUS_IRQ_LINE };
	line_write(free);
	return (int)(free - irqs.of);
}

static s64 irq_map(struct vcpu *v, u64 gpa)
{
	struct parvus_irq r;
	int ret = record_read(v->domain, gpa, &r);

	if (ret)
		return ret;
	if (r.kind > PARVUS_IRQ_MESSAGE || r.vcpu || r.vector ||
	    (r.kind == PARVUS_IRQ_LINE ? r.flags & ~(PARVUS_IRQ_LEVEL | PARVUS_IRQ_LOW) || r.index :
					 r.flags))
		return hv_error(PARVUS_EINVAL);
	if (r.kind == PARVUS_IRQ_LINE && r.source >= arch_irq_lines())
		return hv_error(PARVUS_ENOENT);
	if (r.kind == PARVUS_IRQ_LINE && arch_irq_line_ours(r.source))
		return hv_error(PARVUS_EBUSY);
	ret = irq_make(v->domain, &r);
	if (ret < 0)
		return ret;
	r.handle = (u32)ret;
	if (!guest_write(v->domain, gpa, &r, sizeof(r)))
		return 0;
	irq_change(v, PARVUS_IRQ_UNMAP, r.handle);	/* its maker does not learn of it */
	return hv_error(PARVUS_EFAULT);
}

static s64 irq_target(struct vcpu *v, u64 gpa)
{
	struct domain *d = v->domain;
	struct vcpu *target = NULL;
	struct parvus_irq r;
	struct irq *q;
	int ret = record_read(d, gpa, &r);

	if (ret)
		return ret;
	if (r.vector != PARVUS_IRQ_NOWHERE) {
		if (r.vector < 32 || r.vector > 255 || r.vcpu >= d->vcpu_count)
			return hv_error(PARVUS_EINVAL);
		target = domain_vcpu(d, r.vcpu);
	}
	spin_lock(&irqs.lock);
	q = irq_of(d, r.handle);
	if (q) {
		q->target = target;
		q->vector = (u8)r.vector;
		q->cpu = target ? READ_ONCE(target->sched.cpu) : 0;
		line_write(q);
		r.address = r.data = 0;
		if (q->kind == PARVUS_IRQ_MESSAGE)
			arch_irq_message(target ? r.handle : IRQ_HANDLES, q->cpu, &r.address,
					 &r.data);
	}
	spin_unlock(&irqs.lock);
	if (!q)
		return hv_error(PARVUS_ENOENT);
	return guest_write(d, gpa, &r, sizeof(r)) ? hv_error(PARVUS_EFAULT) : 0;
}

static s64 irq_pending(struct vcpu *v, u64 word)
{
	if (word >= 8)
		return hv_error(PARVUS_EINVAL);
	return (u32)(READ_ONCE(v->vectors[word / 2 & index_mask(word / 2, 4)]) >> word % 2 * 32);
}

s64 hc_irq_op(struct vcpu *v, u64 op, u64 arg)
{
	switch (op) {
	case PARVUS_IRQ_INFO:
		return irq_info(v, arg);
	case PARVUS_IRQ_MAP:
		return irq_map(v, arg);
	case PARVUS_IRQ_TARGET:
		return irq_target(v, arg);
	case PARVUS_IRQ_UNMAP ... PARVUS_IRQ_EOI:
		return irq_change(v, op, arg);
	case PARVUS_IRQ_PENDING:
		return irq_pending(v, arg);
	}
	return hv_error(PARVUS_ENOSYS);
}

void irq_show(struct parvus_control_interrupt *i)
{
	static const struct irq none;	/* as one that is free: all 0 */
	const struct irq *q = &none;
	u32 n;

	HOLD(&irqs.lock);
	for (n = i->handle; n < IRQ_HANDLES && !q->domain; n++)
		q = &irqs.of[n & index_mask(n, IRQ_HANDLES)];
	*i = (struct parvus_control_interrupt){
		.size = i->size, .version = i->version, .strays = irqs.strays,
		.stuck = irqs.stuck, .storms = irqs.storms, .kind = q->kind, .source = q->source,
		.handle = q->domain ? n - 1 : PARVUS_INTERRUPT_NONE, .index = q->index,
		.domain = q->domain ? q->domain->id : 0, .flags = q->flags, .cpu = q->cpu,
		.vcpu = q->target ? q->target->id : 0, .count = q->count,
		.vector = q->domain && !q->target ? PARVUS_IRQ_NOWHERE : q->vector,
		.state = (q->masked ? PARVUS_INTERRUPT_MASKED : 0) |
			 (q->waits ? PARVUS_INTERRUPT_WAITS : 0) |
			 (q->storms ? PARVUS_INTERRUPT_STORMS : 0) };
}

void irq_domain_gone(struct domain *d)
{
	HOLD(&irqs.lock);
	for (struct irq *q = irqs.of; q < irqs.of + IRQ_HANDLES; q++)
		if (q->domain == d)
			irq_drop(q);
}
