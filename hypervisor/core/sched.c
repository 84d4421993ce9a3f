// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scheduler: weighted-fair by virtual run time. Each pCPU has a queue in order of virtual run
 * time; a vCPU that wakes goes to an idle pCPU if there is one, else to the queue where it was; an
 * idle pCPU steals. A vCPU that slept gets at most one slice of credit, so that a wake-up preempts
 * a hog and a sleeper cannot save up.
 *
 * Virtual run times of different queues are compared: at a tick, a queue with somebody waiting
 * gives who is furthest behind to a pCPU that is idle or that runs somebody well ahead. Three hogs
 * on two pCPUs so take turns at being alone. How far one may be behind or ahead of a queue that it
 * comes to is bounded: queues drift apart by affinities or a heavy weight.
 *
 * A domain with a cap has a budget per period, charged by time run; what it ran too long is a debt
 * of the next periods, what it did not use is lost but for one budget. A domain that is paused or
 * has no budget is barred: its vCPUs are held, in no queue (core/vcpu.h).
 *
 * The state of a vCPU changes under the lock of its queue (sched.cpu).
 */
#include <core/lib.h>
#include <core/sched.h>

#define WEIGHT_ONE	256u
#define BEHIND		(2 * SLICE_NS)	/* virtual: worth a change of pCPU */
#define CAP_PERIOD_NS	10000000ull	/* a cap is kept over periods of this length */

static struct queue {
	struct spinlock lock;
	struct sched_entity head;	/* circular, sorted by vruntime */
	u64 min_vruntime;
	struct vcpu *running;		/* what sched_pick() gave last */
	u64 vruntime, charged, weight;	/* of it, for others to look at without the lock */
	u32 count;
	u64 back, balance;		/* own pCPU alone: when a domain's cap ends; next balance */
	u64 since;			/* account up to here */
	struct sched_cpu_stats stats;
} queues[MAX_CPUS];
static unsigned int cpus;

/* Domains with a cap, by number. The lock comes before those of queues. */
static struct { struct spinlock lock; struct domain *of[MAX_DOMAINS]; } capped = {
	.lock = SPINLOCK_INIT(LOCK_CAPPED) };

#define vcpu_of(e)	container_of(e, struct vcpu, sched)

void sched_init_cpu(unsigned int cpu)
{
	struct queue *q = &queues[cpu];

	memset(q, 0, sizeof(*q));
	spin_init(&q->lock, LOCK_QUEUE);
	q->head.next = q->head.prev = &q->head;
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

static bool busy(const struct queue *q) { return READ_ONCE(q->running) || READ_ONCE(q->count); }

static void queue_insert(struct queue *q, struct vcpu *v)
{
	struct sched_entity *e = &v->sched, *at = q->head.prev;

	if (!busy(q))	/* its time stood still: that of who comes is as good */
		q->min_vruntime = e->vruntime;
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

static void queue_take(struct queue *q, struct vcpu *v)
{
	v->sched.next->prev = v->sched.prev;
	v->sched.prev->next = v->sched.next;
	v->sched.queued = false;
	q->count--;
}

static void queue_take_to_run(struct queue *q, struct vcpu *v)
{
	queue_take(q, v);
	v->state = VCPU_RUNNING;
	v->on_cpu = true;
}

static bool allowed(const struct vcpu *v, unsigned int cpu)
{
	return v->sched.affinity[cpu / 64] >> (cpu & 63) & 1;
}

/* Must its vCPUs not run? Under the queue's lock: a bar is lifted, or set, before that is taken. */
static bool barred(const struct domain *d)
{
	return (READ_ONCE(d->sched.paused) || READ_ONCE(d->sched.out)) && !READ_ONCE(d->ended);
}

/* Runnable: into the queue, or held. */
static bool enqueue(struct queue *q, struct vcpu *v)
{
	v->state = VCPU_RUNNABLE;
	v->sched.held = barred(v->domain);
	if (!v->sched.held)
		queue_insert(q, v);
	return !v->sched.held;
}

static unsigned int place(struct vcpu *v)
{
	unsigned int i, best = v->sched.cpu;

	if (allowed(v, best) && !busy(&queues[best]))
		return best;
	for (i = 0; i < cpus; i++) {
		if (!allowed(v, i))
			continue;
		if (!busy(&queues[i]))
			return i;
		if (!allowed(v, best))
			best = i;
	}
	return best;
}

static u64 weighted_by(u64 weight, u64 ns) { return ns * WEIGHT_ONE / (weight ?: WEIGHT_ONE); }
static u64 weighted(const struct vcpu *v, u64 ns) { return weighted_by(v->sched.weight, ns); }

/* About the least run time of a busy queue, with what is not charged yet. No lock: numbers only. */
static u64 floor_now(const struct queue *q, u64 now)
{
	u64 floor = READ_ONCE(q->min_vruntime), from = READ_ONCE(q->charged), at;

	if (READ_ONCE(q->count) || !READ_ONCE(q->running) || now <= from)
		return floor;
	at = READ_ONCE(q->vruntime) + weighted_by(READ_ONCE(q->weight), now - from);
	return (s64)(at - floor) > 0 ? at : floor;
}

/* Bring the virtual run time of a vCPU that comes to a queue within reach of it, or of others. */
static void align(struct queue *q, struct vcpu *v, u64 credit, u64 now)
{
	u64 floor = 0, lead = weighted(v, 4 * SLICE_NS);
	bool any = busy(q);

	if (any)	/* and the same for who comes next, when it is not alone there any more */
		floor = q->min_vruntime = floor_now(q, now);
	for (unsigned int i = 0; i < cpus && !busy(q); i++) {
		u64 f;

		if (!busy(&queues[i]))
			continue;
		f = floor_now(&queues[i], now);
		if (!any || (s64)(floor - f) > 0) {
			floor = f;
			any = true;
		}
	}
	if (any && (s64)(floor - credit - v->sched.vruntime) > 0)
		v->sched.vruntime = floor - credit;
	if (any && (s64)(v->sched.vruntime - floor - lead) > 0)
		v->sched.vruntime = floor + lead;
}

/* From @q, which is locked, to the queue of @cpu, which is then. In between v is the caller's. */
static struct queue *move(struct queue *q, struct vcpu *v, unsigned int cpu)
{
	WRITE_ONCE(v->sched.cpu, cpu);
	spin_unlock(&q->lock);
	spin_lock(&queues[cpu].lock);
	return &queues[cpu];
}

/*
 * v, runnable and nowhere, goes to the queue of @cpu, or with MAX_CPUS to the best. @q, its own, is
 * locked, and unlocked then. Returns the pCPU to kick; sched_left() names it again if it had to
 * wait.
 */
static unsigned int settle(struct queue *q, struct vcpu *v, unsigned int cpu, u64 credit, u64 now)
{
	v->state = VCPU_RUNNABLE;
	if (cpu == MAX_CPUS)
		cpu = place(v);
	while (cpu != v->sched.cpu) {
		q = move(q, v, cpu);
		if (!allowed(v, cpu))	/* not any more */
			cpu = place(v);
	}
	align(q, v, credit, now);
	if (!enqueue(q, v))
		cpu = MAX_CPUS;
	spin_unlock(&q->lock);
	return cpu;
}

/* Whom settle() and let_go() name. */
static void kick(unsigned int cpu)
{
	if (cpu != MAX_CPUS)
		pcpu_kick(cpu, WORK_RESCHED);
}

/* If it is held and need not be any more. As settle(). */
static unsigned int let_go(struct queue *q, struct vcpu *v, u64 credit, u64 now)
{
	if (v->sched.held && !barred(v->domain)) {
		v->sched.held = false;
		return settle(q, v, MAX_CPUS, credit, now);
	}
	spin_unlock(&q->lock);
	return MAX_CPUS;
}

unsigned int sched_wake(struct vcpu *v, u64 now)
{
	struct queue *q = lock_queue_of(v);

	if (v->state == VCPU_BLOCKED && !v->on_cpu) {
		v->sched.ready = now;
		return settle(q, v, MAX_CPUS, SLICE_NS, now);
	}
	if (v->state == VCPU_BLOCKED) {	/* about to sleep, or asleep on an idle pCPU: it stays */
		v->state = VCPU_RUNNING;
		if (q->running != v) {
			v->sched.ready = now;
			spin_unlock(&q->lock);
			return v->sched.cpu;
		}
	}
	return let_go(q, v, SLICE_NS, now);
}

/* ---- caps ---- */

static s64 cap_budget(const struct domain *d) { return (s64)(CAP_PERIOD_NS / 100 * d->sched.cap); }

static u64 cap_back(const struct domain *d)
{
	return d->sched.period + (u64)(d->sched.used / cap_budget(d)) * CAP_PERIOD_NS;
}

/* On to the period of now. A debt stays; of credit, one budget, for late charges. What is left. */
static u64 cap_left(struct domain *d, u64 now)
{
	struct sched_domain *s = &d->sched;
	u64 n = now > s->period ? (now - s->period) / CAP_PERIOD_NS : 0;
	s64 budget = cap_budget(d);

	s->period += n * CAP_PERIOD_NS;
	if (n)
		s->used = max(s->used - (s64)n * budget, -budget);
	return s->used < budget ? (u64)(budget - s->used) : 0;
}

static void cap_charge(struct domain *d, unsigned int cpu, u64 ran, u64 now)
{
	struct sched_domain *s = &d->sched;

	HOLD(&s->lock);
	s->used += (s64)ran;
	if (s->cap && !cap_left(d, now) && !s->out) {
		s->cpu = cpu;
		s->back = cap_back(d);
		if (!queues[cpu].back || queues[cpu].back > s->back)
			queues[cpu].back = s->back;
		WRITE_ONCE(s->out, true);
	}
}

/* What is held and need not be. Who ran most gets less credit, or it would always be the same. */
static void release(struct domain *d, u64 now, bool was_paused)
{
	u64 least = READ_ONCE(d->vcpus[0]->sched.vruntime);

	for (unsigned int i = 1; i < d->vcpu_count; i++) {
		u64 at = READ_ONCE(d->vcpus[i]->sched.vruntime);

		if (d->vcpus[i]->state != VCPU_STOPPED && (s64)(least - at) > 0)
			least = at;
	}
	smp_mb();	/* the bar that the caller lifted, then what is held */
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		struct queue *q = lock_queue_of(d->vcpus[i]);
		s64 ahead = (s64)(d->vcpus[i]->sched.vruntime - least);

		ahead = ahead < 0 ? 0 : min(ahead, (s64)SLICE_NS);
		if (d->vcpus[i]->sched.held && was_paused)
			d->vcpus[i]->sched.ready = now;	/* a pause is no stolen time */
		kick(let_go(q, d->vcpus[i], SLICE_NS - (u64)ahead, now));
	}
}

static void caps_back(unsigned int cpu, u64 now)
{
	struct queue *q = &queues[cpu];

	HOLD(&capped.lock);
	q->back = 0;
	for (unsigned int i = 0; i < MAX_DOMAINS; i++) {
		struct domain *d = capped.of[i];
		u64 left;

		if (!d || !READ_ONCE(d->sched.out) || READ_ONCE(d->sched.cpu) != cpu)
			continue;
		spin_lock(&d->sched.lock);
		left = cap_left(d, now);
		if (left)
			WRITE_ONCE(d->sched.out, false);
		else
			d->sched.back = cap_back(d);
		if (!left && (!q->back || q->back > d->sched.back))
			q->back = d->sched.back;
		spin_unlock(&d->sched.lock);
		if (left)
			release(d, now, false);
	}
}

void sched_set_cap(struct domain *d, u32 percent, u64 now)
{
	HOLD(&capped.lock);
	spin_lock(&d->sched.lock);
	if (!d->sched.cap)
		d->sched.period = now;
	d->sched.used = 0;
	WRITE_ONCE(d->sched.cap, percent);
	WRITE_ONCE(d->sched.out, false);
	spin_unlock(&d->sched.lock);
	capped.of[d->id % MAX_DOMAINS] = percent ? d : NULL;
	release(d, now, false);
}

void sched_domain_gone(struct domain *d)
{
	HOLD(&capped.lock);
	if (capped.of[d->id % MAX_DOMAINS] == d)
		capped.of[d->id % MAX_DOMAINS] = NULL;
}

/* ---- running ---- */

static void charge(struct queue *q, struct vcpu *v, u64 now)
{
	u64 ran = now > v->sched.charged ? now - v->sched.charged : 0, floor;

	if (ran) {	/* a division for nothing otherwise, at every switch */
		v->sched.charged += ran;
		v->stats.run_ns += ran;
		v->sched.vruntime += weighted(v, ran);
	}
	WRITE_ONCE(q->charged, v->sched.charged);
	WRITE_ONCE(q->vruntime, v->sched.vruntime);
	WRITE_ONCE(q->weight, v->sched.weight);
	if (READ_ONCE(v->domain->sched.cap))
		cap_charge(v->domain, (unsigned int)(q - queues), ran, now);
	floor = v->sched.vruntime;
	if (q->count && (s64)(floor - q->head.next->vruntime) > 0)
		floor = q->head.next->vruntime;
	if ((s64)(floor - q->min_vruntime) > 0)
		q->min_vruntime = floor;
}

/* The first that can run on @cpu; what turns out to be barred on the way is held. */
static struct vcpu *first_ready(struct queue *q, unsigned int cpu, struct vcpu *prev)
{
	struct sched_entity *e, *next;

	for (e = q->head.next; e != &q->head; e = next) {
		struct vcpu *v = vcpu_of(e);

		next = e->next;
		if (barred(v->domain)) {
			queue_take(q, v);
			v->sched.held = true;
			continue;
		}
		/* else its registers are still on another pCPU's stack */
		if (allowed(v, cpu) && (v == prev || !smp_load_acquire(&v->on_cpu)))
			return v;
	}
	return NULL;
}

static struct vcpu *steal(unsigned int cpu)
{
	for (unsigned int i = 1; i < cpus; i++) {
		struct queue *q = &queues[(cpu + i) % cpus];
		struct vcpu *v;

		if (!READ_ONCE(q->count))
			continue;
		HOLD(&q->lock);
		v = first_ready(q, cpu, NULL);
		if (!v)
			continue;
		queue_take_to_run(q, v);
		WRITE_ONCE(v->sched.cpu, cpu);
		return v;
	}
	return NULL;
}

static void account(struct queue *q, u64 now)
{
	u64 ns = now > q->since ? now - q->since : 0;

	if (q->since && q->running)
		q->stats.busy_ns += ns;
	else if (q->since)
		q->stats.idle_ns += ns;
	q->since = now;
}

struct vcpu *sched_pick(unsigned int cpu, struct vcpu *prev, u64 now)
{
	struct queue *q = &queues[cpu];
	struct vcpu *v;

	spin_lock(&q->lock);
	account(q, now);
	if (prev && q->running == prev) {
		charge(q, prev, now);
		prev->sched.ready = now;
	} else if (prev && prev->state == VCPU_RUNNING) {	/* it slept here */
		align(q, prev, SLICE_NS, now);
	}
	/* else it stays RUNNING until sched_left() finds it a place */
	if (prev && prev->state == VCPU_RUNNING && allowed(prev, cpu))
		enqueue(q, prev);
	v = first_ready(q, cpu, prev);
	if (v) {
		queue_take_to_run(q, v);
	} else {
		q->running = NULL;
		spin_unlock(&q->lock);
		v = steal(cpu);
		spin_lock(&q->lock);
		if (v && !q->count)
			q->min_vruntime = v->sched.vruntime;
	}
	q->running = v;
	if (v) {
		q->stats.switches += v != prev;
		v->sched.run_start = v->sched.charged = now;
		v->stats.steal_ns += now > v->sched.ready ? now - v->sched.ready : 0;
		charge(q, v, now);	/* nothing yet: says who runs */
	}
	spin_unlock(&q->lock);
	return v;
}

void sched_pick_none(unsigned int cpu, u64 now)
{
	struct queue *q = &queues[cpu];

	/* locked: a wake-up may be looking at what runs, which is about to be freed */
	HOLD(&q->lock);
	if (q->running)
		charge(q, q->running, now);
	q->running = NULL;
}

/* RUNNING still: a wake-up came, or its affinity went. If it moved, nobody could run it yet. */
unsigned int sched_left(unsigned int cpu, struct vcpu *prev, u64 now)
{
	struct queue *q = lock_queue_of(prev);
	unsigned int there = MAX_CPUS;

	if (prev->state == VCPU_RUNNING && allowed(prev, cpu)) {
		if (enqueue(q, prev))
			there = cpu;
	} else if (prev->state == VCPU_RUNNING) {
		prev->state = VCPU_RUNNABLE;
		smp_store_release(&prev->on_cpu, false);
		return settle(q, prev, MAX_CPUS, BEHIND, now);
	} else if (prev->sched.queued && prev->sched.cpu != cpu) {
		there = prev->sched.cpu;
	}
	smp_store_release(&prev->on_cpu, false);
	spin_unlock(&q->lock);
	return there;
}

bool sched_stays(unsigned int cpu, struct vcpu *v)
{
	HELD(&lock_queue_of(v)->lock);
	return v->state == VCPU_BLOCKED && allowed(v, cpu) && !barred(v->domain) &&
	       !READ_ONCE(v->domain->ended);
}

bool sched_should_preempt(unsigned int cpu, struct vcpu *running, u64 now)
{
	struct queue *q = &queues[cpu];
	bool yes;

	HOLD(&q->lock);
	charge(q, running, now);
	yes = barred(running->domain) || !allowed(running, cpu);
	if (q->count) {
		u64 ran = now - running->sched.run_start;
		s64 lead = (s64)(running->sched.vruntime - q->head.next->vruntime);

		yes |= lead > (s64)(SLICE_NS / (ran >= SLICE_NS ? 4 : 2));
		yes |= ran >= SLICE_NS && lead > 0;
	}
	return yes;
}

bool sched_endless(unsigned int cpu, const struct vcpu *running)
{
	return !queues[cpu].back && !(running && (READ_ONCE(queues[cpu].count) |
						  READ_ONCE(running->domain->sched.cap)));
}

u64 sched_slice_end(unsigned int cpu, struct vcpu *running, u64 now)
{
	u64 end = queues[cpu].back;

	if (running && READ_ONCE(queues[cpu].count)) {
		u64 slice = max(running->sched.run_start + SLICE_NS, now + SLICE_NS / 8);

		end = end ? min(end, slice) : slice;
	}
	if (running && READ_ONCE(running->domain->sched.cap)) {
		struct domain *d = running->domain;
		unsigned int i, n = 0;
		u64 left;

		for (i = 0; i < d->vcpu_count; i++)
			n += READ_ONCE(d->vcpus[i]->on_cpu);
		spin_lock(&d->sched.lock);
		left = cap_left(d, now) / max(n, 1u);
		spin_unlock(&d->sched.lock);
		left = now + max(left, SLICE_NS / 32);
		end = end ? min(end, left) : left;
	}
	return end;
}

/* Who waits here and is furthest behind goes where somebody idles or is ahead of it. */
static void balance(unsigned int cpu, u64 now)
{
	struct queue *q = &queues[cpu];
	unsigned int i, best = MAX_CPUS;
	struct sched_entity *e;
	struct vcpu *v = NULL;

	q->balance = now + SLICE_NS;
	spin_lock(&q->lock);
	for (e = q->head.next; e != &q->head && best == MAX_CPUS; e = e->next) {
		s64 most = (s64)BEHIND;

		v = vcpu_of(e);
		if (barred(v->domain) || smp_load_acquire(&v->on_cpu))
			continue;
		for (i = 0; i < cpus; i++) {
			s64 ahead = (s64)(floor_now(&queues[i], now) - v->sched.vruntime);

			if (i == cpu || !allowed(v, i))
				continue;
			if (!busy(&queues[i]))
				ahead = INT64_MAX;
			if (ahead > most) {
				most = ahead;
				best = i;
			}
		}
	}
	if (best == MAX_CPUS) {
		spin_unlock(&q->lock);
		return;
	}
	queue_take(q, v);
	kick(settle(q, v, best, BEHIND, now));
}

void sched_tick(unsigned int cpu, u64 now)
{
	if (queues[cpu].back && now >= queues[cpu].back)
		caps_back(cpu, now);
	if (READ_ONCE(queues[cpu].count) && now >= queues[cpu].balance)
		balance(cpu, now);
}

bool sched_block(struct vcpu *v)
{
	HELD(&lock_queue_of(v)->lock);
	v->state = VCPU_BLOCKED;
	smp_mb();	/* against vcpu_raise(): bit, barrier, state */
	if (!vcpu_has_pending(v))
		return true;
	v->state = VCPU_RUNNING;
	return false;
}

void sched_stop(struct vcpu *v)
{
	struct queue *q = lock_queue_of(v);

	HELD(&q->lock);
	if (v->sched.queued)
		queue_take(q, v);
	v->sched.held = false;
	v->state = VCPU_STOPPED;
}

/* A stopped vCPU, with what it owes (rule 73), becomes the caller's to set up. False: it is not. */
bool sched_start(struct vcpu *v)
{
	struct queue *q = lock_queue_of(v);

	HELD(&q->lock);
	if (v->state != VCPU_STOPPED || v->on_cpu)
		return false;
	v->state = VCPU_STARTING;
	if ((s64)(v->sched.vruntime - q->min_vruntime) < 0)
		v->sched.vruntime = q->min_vruntime;
	return true;
}

void sched_started(struct vcpu *v)
{
	HELD(&lock_queue_of(v)->lock);
	v->state = VCPU_BLOCKED;
}

/* Behind the first in the queue. */
void sched_yield_to(unsigned int cpu, struct vcpu *running, u64 now)
{
	struct queue *q = &queues[cpu];

	HOLD(&q->lock);
	charge(q, running, now);
	if (q->count && (s64)(q->head.next->vruntime - running->sched.vruntime) >= 0)
		running->sched.vruntime = q->head.next->vruntime + 1;
}

/* ---- from outside ---- */
void sched_pause(struct domain *d)
{
	WRITE_ONCE(d->sched.paused, true);
	smp_mb();	/* then whoever took a queue's lock before us shows what he did, */
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		struct vcpu *v = d->vcpus[i];
		struct queue *q = lock_queue_of(v);	/* and who takes it after us knows */

		if (v->sched.queued && barred(d)) {
			queue_take(q, v);
			v->sched.held = true;
		}
		if (v->on_cpu)
			pcpu_kick(v->sched.cpu, WORK_RESCHED);
		spin_unlock(&q->lock);
	}
}

void sched_unpause(struct domain *d, u64 now)
{
	WRITE_ONCE(d->sched.paused, false);
	release(d, now, true);
}

/* How far ahead one is counts in time run, so it shrinks as the weight grows. */
void sched_set_weight(struct domain *d, u64 weight)
{
	d->weight = weight;
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		struct vcpu *v = d->vcpus[i];
		struct queue *q = lock_queue_of(v);
		s64 ahead = (s64)(v->sched.vruntime - q->min_vruntime);
		bool queued = v->sched.queued;

		if (queued)
			queue_take(q, v);
		if (ahead > 0 && ahead < (s64)(1ull << 40))
			v->sched.vruntime = q->min_vruntime +
					    (u64)ahead * v->sched.weight / max(weight, 1ull);
		v->sched.weight = weight;
		if (queued)
			queue_insert(q, v);
		spin_unlock(&q->lock);
	}
}

int sched_set_affinity(struct vcpu *v, const u64 mask[], u64 now)
{
	struct queue *q;
	unsigned int i;

	for (i = 0; i < cpus && !(mask[i / 64] >> (i & 63) & 1); i++)
		;
	if (i == cpus)
		return -PARVUS_EINVAL;
	q = lock_queue_of(v);
	memcpy(v->sched.affinity, mask, sizeof(v->sched.affinity));
	if (!allowed(v, v->sched.cpu) && v->on_cpu)
		pcpu_kick(v->sched.cpu, WORK_RESCHED);
	if (allowed(v, v->sched.cpu) || !v->sched.queued) {
		spin_unlock(&q->lock);
		return 0;
	}
	queue_take(q, v);
	kick(settle(q, v, MAX_CPUS, BEHIND, now));
	return 0;
}

u64 sched_run_ns(struct vcpu *v, u64 now)
{
	struct queue *q = lock_queue_of(v);

	HELD(&q->lock);
	if (q->running == v && now > v->sched.charged)
		return v->stats.run_ns + (now - v->sched.charged);
	return v->stats.run_ns;
}

void sched_cpu_stats(unsigned int cpu, u64 now, struct sched_cpu_stats *out)
{
	HOLD(&queues[cpu].lock);
	account(&queues[cpu], now);
	*out = queues[cpu].stats;
}
