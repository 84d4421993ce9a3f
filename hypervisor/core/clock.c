// SPDX-License-Identifier: GPL-2.0-only
/*
 * The clock of a domain: the hypervisor's time less an offset. It stands still while the domain
 * does, whatever the reason, so that its guest has nothing to make up for: the offset grows by that
 * time before a vCPU runs again, records are written anew and timers moved. A guest that counts by
 * the TSC itself has a clock that nobody stops: that of its domain goes on.
 *
 * All under pause_lock, but for what a vCPU of the domain does: none runs when the offset changes.
 */
#include <core/event.h>
#include <core/handlers.h>
#include <core/log.h>
#include <core/memory.h>
#include <core/sched.h>
#include <parvus/event.h>

/* When that time of the domain's clock is; of a time that no clock reaches, never. */
u64 clock_at(const struct domain *d, u64 ns)
{
	s64 at = (s64)min(ns, CLOCK_MAX) + d->clock_offset;

	return at > 0 ? (u64)at : 1;
}

/* The last moment at which one of its vCPUs ran since the pause; 0: one runs still. */
static u64 clock_last(const struct domain *d)
{
	u64 last = d->clock_stopped;

	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		if (smp_load_acquire(&d->vcpus[i]->on_cpu))
			return 0;
		last = max(last, d->vcpus[i]->sched.charged);
	}
	return last;
}

u64 clock_stands(const struct domain *d)
{
	return (d->clock_stopped ? clock_last(d) : arch_now_ns()) - (u64)d->clock_offset;
}

void clock_set(struct domain *d, u64 ns)
{
	HOLD(&d->pause_lock);
	d->clock_stopped = arch_now_ns();
	d->clock_offset = (s64)(d->clock_stopped - ns);
}

void clock_stop(struct domain *d)
{
	if (!d->tsc_clock)
		WRITE_ONCE(d->clock_stopped, arch_now_ns());
}

/* One that fired while the clock stood still did nothing. Who runs sets its timer itself. */
static void clock_timer(struct vcpu *v)
{
	u64 deadline = READ_ONCE(v->on_cpu) ? 0 : READ_ONCE(v->deadline);

	if (deadline && timer_set(&v->timer, arch_this_cpu(), clock_at(v->domain, deadline))) {
		v->deadline = 0;	/* no room: better early than never */
		vcpu_raise(v, PARVUS_VECTOR_TIMER);
	}
}

void clock_go(struct domain *d)
{
	u64 last = clock_last(d), now = arch_now_ns();

	if (!d->clock_stopped)
		return;
	if (last)	/* else the pause was over before it began */
		d->clock_offset += (s64)(now - last);
	for (unsigned int i = 0; last && i < d->vcpu_count; i++)
		if (d->vcpus[i]->clock)
			arch_clock_fill(d->vcpus[i]->clock, d->clock_offset);
	WRITE_ONCE(d->clock_stopped, 0);
	for (unsigned int i = 0; i < d->vcpu_count; i++)
		clock_timer(d->vcpus[i]);
	pcpu_timer_arm();
	if (last)
		event_send_virq(d, PARVUS_VIRQ_RESUME);
}

/* Under the lock of its heap. */
void clock_timer_fired(struct vcpu *v)
{
	u64 due = clock_at(v->domain, READ_ONCE(v->deadline));

	if (READ_ONCE(v->domain->clock_stopped) && !READ_ONCE(v->on_cpu))
		return;		/* clock_go() arms it */
	if (arch_now_ns() < due) {	/* it was moved just now */
		v->timer.deadline = due;
		return;
	}
	WRITE_ONCE(v->deadline, 0);
	vcpu_raise(v, PARVUS_VECTOR_TIMER);
}

s64 hc_timer_set(struct vcpu *v, u64 deadline)
{
	int ret = 0;

	WRITE_ONCE(v->deadline, deadline);
	if (deadline)
		ret = timer_set(&v->timer, arch_this_cpu(), clock_at(v->domain, deadline));
	else
		timer_cancel(&v->timer);
	pcpu_timer_arm();
	return ret;
}

/* The record is whole before anybody else can write to it, and the old one written no more. */
s64 hc_clock_register(struct vcpu *v, u64 vcpu, u64 gpa)
{
	struct vcpu *o = vcpu_arg(v, vcpu);
	void *clock = o ? guest_map(v->domain, gpa, PARVUS_CLOCK_SIZE, 64) : NULL;

	if (!clock)
		return o ? hv_error(PARVUS_EFAULT) : hv_error(PARVUS_EINVAL);
	arch_clock_fill(clock, v->domain->clock_offset);
	guest_unmap(__atomic_exchange_n(&o->clock, clock, SEQ_CST));
	return 0;
}

s64 hc_wall_read(struct vcpu *v)
{
	return (s64)arch_clock().wall_ns + v->domain->clock_offset;
}
