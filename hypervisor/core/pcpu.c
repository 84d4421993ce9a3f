// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a pCPU does next (core/pcpu.h): change from one vCPU to another, idle, and the work
 * that is looked at on the way out. C code runs on the pCPU's one stack with the guest's
 * registers at its top; a change of vCPU copies them.
 */
#include <core/sched.h>
#include <core/trace.h>

void pcpu_timer_arm(void)
{
	struct cpu *c = arch_this();
	struct vcpu *running = c->idle ? NULL : c->current;
	u64 next = timer_next(c->cpu), slice;

	if (!sched_endless(c->cpu, running)) {	/* the clock is dear */
		slice = sched_slice_end(c->cpu, running, arch_now_ns());
		if (slice && (!next || slice < next))
			next = slice;
	}
	arch_timer_arm(next);
}

static void pcpu_timers_due(struct cpu *c)
{
	u64 now = arch_now_ns();

	timer_run(c->cpu, now);
	sched_tick(c->cpu, now);
}

/*
 * Until there is something to run. Who slept last may be loaded still, so flushes are served; and
 * who sets a timer of an idle pCPU arms it.
 */
static void pcpu_idle(struct cpu *c)
{
	u32 work;

	WRITE_ONCE(c->idle, true);
	smp_mb();
	pcpu_timer_arm();
	while (!(READ_ONCE(c->work) & (WORK_RESCHED | WORK_STOP))) {
		if (!READ_ONCE(c->work)) {
			arch_halt();
			continue;
		}
		work = __atomic_fetch_and(&c->work, WORK_RESCHED | WORK_STOP, SEQ_CST);
		if (work & WORK_TIMER) {
			pcpu_timers_due(c);
			pcpu_timer_arm();
		}
		if (work & (WORK_ARCH | WORK_FORGET))
			arch_work(work);
		if (work & WORK_SERVE)
			shadow_serve();
	}
	WRITE_ONCE(c->idle, false);
}

/* The running vCPU of a domain that ended, or one that a queue gave out, never runs again. */
static void vcpu_reap(struct vcpu *v)
{
	struct domain *d = v->domain;

	sched_stop(v);
	smp_store_release(&v->on_cpu, false);
	domain_vcpu_gone(d);
}

static void vcpu_put_away(struct cpu *c, struct vcpu *v, const struct regs *regs)
{
	arch_context_save(v, regs);
	c->current = NULL;
}

static void vcpu_bring(struct cpu *c, struct vcpu *v, struct regs *regs)
{
	c->current = v;
	c->area = arch_area(v);
	arch_context_load(v, regs);
	v->area->steal_ns = v->stats.steal_ns;
	v->stats.switches++;	/* what is pending, pcpu_work() sees to */
}

static void schedule(struct cpu *c, struct regs *regs)
{
	const u64 none = 0xffffffff;
	struct vcpu *prev = c->current, *next;
	u64 before = prev ? (u64)prev->domain->id << 16 | prev->id : none;
	unsigned int there;

	for (;;) {
		u64 now = arch_now_ns();	/* the clock is dear: once for all of it */

		__atomic_fetch_and(&c->work, ~WORK_RESCHED, SEQ_CST);
		if (prev && READ_ONCE(prev->domain->ended)) {
			vcpu_put_away(c, prev, regs);
			sched_pick_none(c->cpu, now);
			vcpu_reap(prev);
			prev = NULL;
			continue;	/* that took its time, which is nobody's */
		}
		next = sched_pick(c->cpu, prev, now);
		if (next && next == prev)
			break;
		/* who sleeps here stays loaded until another comes, or it has to go (rule 140) */
		if (prev && (next || !sched_stays(c->cpu, prev))) {
			bool stopped = prev->state == VCPU_STOPPED;

			vcpu_put_away(c, prev, regs);
			if (stopped) {
				smp_store_release(&prev->on_cpu, false);
				domain_vcpu_gone(prev->domain);
			} else {
				there = sched_left(c->cpu, prev, now);
				if (there != MAX_CPUS)
					pcpu_kick(there, WORK_RESCHED);
			}
			prev = NULL;
		}
		if (next && READ_ONCE(next->domain->ended)) {
			sched_pick_none(c->cpu, now);
			vcpu_reap(next);
			continue;
		}
		if (next) {
			vcpu_bring(c, next, regs);
			break;
		}
		trace(PARVUS_TRACE_SCHED, NULL, before, 0);
		before = none;
		if (prev)
			arch_stats_fold(prev);
		pcpu_idle(c);
	}
	if (before == none || next != prev)
		trace(PARVUS_TRACE_SCHED, next, before, 0);
	pcpu_timer_arm();
}

void pcpu_work(struct regs *regs)
{
	struct cpu *c = arch_this();
	u32 work;

	while ((work = __atomic_exchange_n(&c->work, 0, SEQ_CST))) {
		if (work & WORK_STOP)
			arch_stop();
		if (unlikely(work & (WORK_ARCH | WORK_FORGET)))
			arch_work(work);
		if (work & WORK_SERVE)
			shadow_serve();
		if (work & WORK_TIMER) {
			pcpu_timers_due(c);
			if (!c->current || sched_should_preempt(c->cpu, c->current, arch_now_ns()))
				work |= WORK_RESCHED;
			else
				pcpu_timer_arm();
		}
		if (work & WORK_RESCHED) {
			struct vcpu *v = c->current;

			if (v && v->state == VCPU_RUNNING && !READ_ONCE(v->domain->ended) &&
			    !c->yield && !sched_should_preempt(c->cpu, v, arch_now_ns()))
				pcpu_timer_arm();
			else
				schedule(c, regs);
			c->yield = false;
			if (vcpu_has_pending(c->current))
				work |= WORK_VECTORS;
		}
		if (work & WORK_VECTORS)
			arch_vector_deliver(c->current, regs);
	}
}
