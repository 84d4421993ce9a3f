// SPDX-License-Identifier: GPL-2.0-only
/* One-shot timers: a binary heap per pCPU, smallest deadline on top. */
#include <core/log.h>
#include <core/vcpu.h>

static struct heap {
	struct spinlock lock;
	struct timer **t;	/* t[0..count) */
	u32 count;
} heaps[MAX_CPUS];

int timer_init_cpu(unsigned int cpu)
{
	struct heap *h = &heaps[cpu];

	spin_init(&h->lock, LOCK_TIMERS);
	h->count = 0;
	h->t = hv_alloc_public(TIMERS_PER_CPU * sizeof(struct timer *));
	return h->t ? 0 : hv_error(PARVUS_ENOMEM);
}

static void heap_put(struct heap *h, u32 i, struct timer *t)
{
	h->t[i] = t;
	t->heap_index = i + 1;
}

static void heap_sift_up(struct heap *h, u32 i)
{
	struct timer *t = h->t[i];

	for (; i && h->t[(i - 1) / 2]->deadline > t->deadline; i = (i - 1) / 2)
		heap_put(h, i, h->t[(i - 1) / 2]);
	heap_put(h, i, t);
}

static void heap_sift_down(struct heap *h, u32 i)
{
	struct timer *t = h->t[i];
	u32 c;

	for (; (c = 2 * i + 1) < h->count; i = c) {
		if (c + 1 < h->count && h->t[c + 1]->deadline < h->t[c]->deadline)
			c++;
		if (h->t[c]->deadline >= t->deadline)
			break;
		heap_put(h, i, h->t[c]);
	}
	heap_put(h, i, t);
}

static void heap_remove(struct heap *h, struct timer *t)
{
	u32 i = t->heap_index - 1;
	struct timer *last = h->t[--h->count];

	t->heap_index = 0;
	t->deadline = 0;
	if (last == t)
		return;
	heap_put(h, i, last);
	heap_sift_up(h, i);
	heap_sift_down(h, last->heap_index - 1);
}

/* The heap that holds @t, locked, or NULL if none does. */
static struct heap *lock_heap_of(struct timer *t)
{
	for (;;) {
		u32 cpu = READ_ONCE(t->cpu);
		struct heap *h = &heaps[cpu];

		spin_lock(&h->lock);
		if (t->cpu == cpu)
			return h;
		spin_unlock(&h->lock);
	}
}

void timer_cancel(struct timer *t)
{
	struct heap *h = lock_heap_of(t);

	HELD(&h->lock);
	if (t->heap_index)
		heap_remove(h, t);
}

/* One caller at a time per timer: its vCPU, or a lock. */
int timer_set(struct timer *t, unsigned int cpu, u64 deadline)
{
	struct heap *h = &heaps[cpu];

	if (t->cpu != cpu)
		timer_cancel(t);
	HOLD(&h->lock);
	WRITE_ONCE(t->cpu, cpu);
	if (!t->heap_index && h->count == TIMERS_PER_CPU)
		return hv_error(PARVUS_ENOMEM);
	t->deadline = deadline;
	if (!t->heap_index)
		heap_put(h, h->count++, t);
	heap_sift_up(h, t->heap_index - 1);
	heap_sift_down(h, t->heap_index - 1);
	return 0;
}

int timer_set_before(struct timer *t, unsigned int cpu, u64 deadline)
{
	struct heap *h = lock_heap_of(t);
	bool enough = t->heap_index && t->deadline <= deadline;

	spin_unlock(&h->lock);
	return enough ? 0 : timer_set(t, cpu, deadline);
}

void timer_run(unsigned int cpu, u64 now)
{
	struct heap *h = &heaps[cpu];

	for (;;) {
		struct timer *t;

		HOLD(&h->lock);
		if (!h->count || h->t[0]->deadline > now)
			return;
		t = h->t[0];
		heap_remove(h, t);
		/* locked, so that timer_cancel() also means: it is not firing */
		t->fire(t);
		if (t->deadline) {
			heap_put(h, h->count, t);	/* there is room: its own place */
			heap_sift_up(h, h->count++);
		}
	}
}

u64 timer_next(unsigned int cpu)
{
	struct heap *h = &heaps[cpu];

	HOLD(&h->lock);
	return h->count ? h->t[0]->deadline : 0;
}
