// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scheduler: weighted-fair by virtual run time. Each pCPU has a queue in order
 * of virtual run time; a vCPU that wakes goes to an idle pCPU if there is one, else
 * to the queue where it was; an idle pCPU steals. A vCPU that slept gets at most one
 * slice of credit, so that a wake-up preempts a hog and a sleeper cannot save up.
 * The state of a vCPU changes under the lock of its queue (sched.cpu).
 */
#include <hv/lib.h>
#include <hv/lock.h>
#include <hv/sched.h>

#define WEIGHT_ONE	256u

static struct queue {
	struct spinlock lock;
	struct sched_entity head;	/* circular, sorted by vruntime */
	u64 min_vruntime;
	struct vcpu *running;		/* what sched_pick() gave last */
	u32 count;
	bool online;
} queues[MAX_CPUS];
static unsigned int cpus;

#define vcpu_of(e)	container_of(e, struct vcpu, sched)

void sched_init_cpu(unsigned int cpu)
{
	struct queue *q = &queues[cpu];

	memset(q, 0, sizeof(*q));
	q->head.next = q->head.prev = &q->head;
	q->online = true;
	if (cpu >= cpus)
		cpus = cpu + 1;
}

/* v's queue, locked. It may move until the lock is held. */
static struct queue *lock_queue_of(struct vcpu *v)
{
	for (;;) {
		u32 cpu = READ_ONCE(v->sched.cpu);

		spin_lock(&queues[cpu].lock);
		if (v->sched.cpu == cpu)
			return &queues[cpu];
		spin_unlock(&queues[cpu].lock);
	}
}

static void insert(struct queue *q, struct vcpu *v)
{
	struct sched_entity *e = &v->sched, *at = q->head.prev;

	/* from the back: most come with the largest virtual run time */
	while (at != &q->head && (s64)(at->vruntime - e->vruntime) > 0)
		at = at->prev;
	e->prev = at;
	e->next = at->next;
	at->next->prev = e;
	at->next = e;
	e->queued = true;
	q->count++;
}

static void take(struct queue *q, struct vcpu *v)
{
	v->sched.next->prev = v->sched.prev;
	v->sched.prev->next = v->sched.next;
	v->sched.queued = false;
	q->count--;
}

static bool allowed(const struct vcpu *v, unsigned int cpu) { return v->sched.affinity >> cpu & 1; }

static unsigned int place(struct vcpu *v)
{
	unsigned int i, best = v->sched.cpu;

	if (allowed(v, best) && !READ_ONCE(queues[best].running) && !READ_ONCE(queues[best].count))
		return best;
	for (i = 0; i < cpus; i++)
		if (queues[i].online && allowed(v, i) && !READ_ONCE(queues[i].running) &&
		    !READ_ONCE(queues[i].count))
			return i;
	if (allowed(v, best))
		return best;
	for (i = 0; i < cpus; i++)
		if (allowed(v, i))
			return i;
	return best;
}

static u64 weighted(const struct vcpu *v, u64 ns)
{
	return ns * WEIGHT_ONE / (v->sched.weight ? v->sched.weight : WEIGHT_ONE);
}

/* The least virtual run time in the queue, with the time that the running vCPU is not charged yet. */
static u64 floor_now(const struct queue *q, u64 now)
{
	u64 floor = q->min_vruntime, at;

	if (!q->running || now <= q->running->sched.run_start)
		return floor;
	at = q->running->sched.vruntime + weighted(q->running, now - q->running->sched.run_start);
	if (q->count && (s64)(at - q->head.next->vruntime) > 0)
		at = q->head.next->vruntime;
	return (s64)(at - floor) > 0 ? at : floor;
}

unsigned int sched_wake(struct vcpu *v, u64 now)
{
	struct queue *q = lock_queue_of(v);
	unsigned int cpu;
	u64 floor;

	if (v->state != VCPU_BLOCKED) {
		spin_unlock(&q->lock);
		return MAX_CPUS;
	}
	if (v->on_cpu) {	/* about to sleep, not gone yet: it stays */
		v->state = VCPU_RUNNING;
		spin_unlock(&q->lock);
		return MAX_CPUS;
	}
	v->state = VCPU_RUNNABLE;
	cpu = place(v);
	if (cpu != v->sched.cpu) {
		struct queue *old = q;

		/* nobody else touches a vCPU that is in no queue and not BLOCKED */
		v->sched.vruntime -= old->min_vruntime;
		WRITE_ONCE(v->sched.cpu, cpu);
		spin_unlock(&old->lock);
		q = &queues[cpu];
		spin_lock(&q->lock);
		v->sched.vruntime += q->min_vruntime;
	}
	floor = floor_now(q, now);
	if ((s64)(floor - SLICE_NS - v->sched.vruntime) > 0)
		v->sched.vruntime = floor - SLICE_NS;
	insert(q, v);
	spin_unlock(&q->lock);
	return cpu;
}

static void charge(struct queue *q, struct vcpu *v, u64 now)
{
	u64 ran = now > v->sched.run_start ? now - v->sched.run_start : 0;

	v->sched.run_start = now;
	v->stats.run_ns += ran;
	v->sched.vruntime += weighted(v, ran);
	if ((s64)(v->sched.vruntime - q->min_vruntime) > 0) {
		u64 floor = v->sched.vruntime;

		if (q->count && (s64)(floor - q->head.next->vruntime) > 0)
			floor = q->head.next->vruntime;
		if ((s64)(floor - q->min_vruntime) > 0)
			q->min_vruntime = floor;
	}
}

static struct vcpu *first_ready(struct queue *q, unsigned int cpu, struct vcpu *prev)
{
	struct sched_entity *e;

	for (e = q->head.next; e != &q->head; e = e->next) {
		struct vcpu *v = vcpu_of(e);

		/* its registers are still on another pCPU's stack */
		if (allowed(v, cpu) && (v == prev || !smp_load_acquire(&v->on_cpu)))
			return v;
	}
	return NULL;
}

static struct vcpu *steal(unsigned int cpu)
{
	unsigned int i;

	for (i = 1; i < cpus; i++) {
		struct queue *q = &queues[(cpu + i) % cpus];
		struct vcpu *v;

		if (!READ_ONCE(q->count))
			continue;
		spin_lock(&q->lock);
		v = first_ready(q, cpu, NULL);
		if (v) {
			take(q, v);
			v->sched.vruntime += queues[cpu].min_vruntime - q->min_vruntime;
			v->state = VCPU_RUNNING;
			v->on_cpu = true;
			WRITE_ONCE(v->sched.cpu, cpu);
		}
		spin_unlock(&q->lock);
		if (v)
			return v;
	}
	return NULL;
}

struct vcpu *sched_pick(unsigned int cpu, struct vcpu *prev, u64 now)
{
	struct queue *q = &queues[cpu];
	struct vcpu *v;

	spin_lock(&q->lock);
	if (prev) {
		charge(q, prev, now);
		if (prev->state == VCPU_RUNNING) {
			prev->state = VCPU_RUNNABLE;
			insert(q, prev);
		}
	}
	v = first_ready(q, cpu, prev);
	if (v) {
		take(q, v);
		v->state = VCPU_RUNNING;
		v->on_cpu = true;
	}
	q->running = v;
	spin_unlock(&q->lock);
	if (!v) {
		v = steal(cpu);
		q->running = v;
	}
	if (v)
		v->sched.run_start = now;
	return v;
}

void sched_pick_none(unsigned int cpu)
{
	/* locked: a wake-up may be looking at what runs, which is about to be freed */
	spin_lock(&queues[cpu].lock);
	queues[cpu].running = NULL;
	spin_unlock(&queues[cpu].lock);
}

/* A wake-up that came between sched_pick() and now left it RUNNING: queue it here. */
bool sched_left(struct vcpu *prev)
{
	struct queue *q = lock_queue_of(prev);
	bool woken = prev->state == VCPU_RUNNING;

	if (woken) {
		prev->state = VCPU_RUNNABLE;
		insert(q, prev);
	}
	smp_store_release(&prev->on_cpu, false);
	spin_unlock(&q->lock);
	return woken;
}

bool sched_should_preempt(unsigned int cpu, struct vcpu *running, u64 now)
{
	struct queue *q = &queues[cpu];
	u64 ran = now - running->sched.run_start;
	bool yes = false;

	spin_lock(&q->lock);
	if (q->count) {
		u64 mine = running->sched.vruntime + weighted(running, ran);
		s64 lead = (s64)(mine - q->head.next->vruntime);

		yes = lead > (s64)(SLICE_NS / 4) && (ran >= SLICE_NS || lead > (s64)(SLICE_NS / 2));
		yes |= ran >= SLICE_NS && lead > 0;
	}
	spin_unlock(&q->lock);
	return yes;
}

u64 sched_slice_end(unsigned int cpu, struct vcpu *running, u64 now)
{
	if (!READ_ONCE(queues[cpu].count))
		return 0;
	return max(running->sched.run_start + SLICE_NS, now + SLICE_NS / 8);
}

/* Going to sleep unless something is pending; the caller then reschedules. */
bool sched_block(struct vcpu *v)
{
	struct queue *q = lock_queue_of(v);
	bool sleeps = true;

	v->state = VCPU_BLOCKED;
	smp_mb();	/* against vcpu_raise(): bit, barrier, state */
	if (vcpu_has_pending(v)) {
		v->state = VCPU_RUNNING;
		sleeps = false;
	}
	spin_unlock(&q->lock);
	return sleeps;
}

void sched_stop(struct vcpu *v)
{
	struct queue *q = lock_queue_of(v);

	if (v->sched.queued)
		take(q, v);
	v->state = VCPU_STOPPED;
	spin_unlock(&q->lock);
}

/* A stopped vCPU becomes the caller's to set up. False: it was not stopped. */
bool sched_start(struct vcpu *v)
{
	struct queue *q = lock_queue_of(v);
	bool ok = v->state == VCPU_STOPPED && !v->on_cpu;

	if (ok) {
		v->state = VCPU_STARTING;
		v->sched.vruntime = q->min_vruntime;
	}
	spin_unlock(&q->lock);
	return ok;
}

void sched_started(struct vcpu *v)
{
	struct queue *q = lock_queue_of(v);

	v->state = VCPU_BLOCKED;
	spin_unlock(&q->lock);
}

void sched_set_affinity(struct vcpu *v, u64 mask) { WRITE_ONCE(v->sched.affinity, mask); }
void sched_set_weight(struct vcpu *v, u64 weight) { WRITE_ONCE(v->sched.weight, weight); }

/* Behind the first in the queue. */
void sched_yield_to(unsigned int cpu, struct vcpu *running, u64 now)
{
	struct queue *q = &queues[cpu];

	spin_lock(&q->lock);
	charge(q, running, now);
	if (q->count && (s64)(q->head.next->vruntime - running->sched.vruntime) >= 0)
		running->sched.vruntime = q->head.next->vruntime + 1;
	spin_unlock(&q->lock);
}
