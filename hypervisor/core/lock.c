// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for a lock, and the order of locks (core/lock.h): what each CPU holds is a short list. */
#include <core/lock.h>
#include <core/log.h>

#define HELD_MAX	8u

#define NAME(lock, name) [lock] = name,
static const char *const lock_names[] = { [LOCK_NONE] = "a lock without a number", LOCKS(NAME) };
#undef NAME

enum lock_checks lock_checks = LOCKS_BOOT;
/*
 * Of each CPU alone: the checked locks that it has taken. Unlocking leaves no trace here: a lock
 * is still held if this CPU was the last to take it and its ticket is the one served.
 */
static struct held {
	struct {
		const struct spinlock *lock;
		u16 ticket;
	} of[HELD_MAX];
	unsigned int count;
} __attribute__((aligned(64))) held[MAX_CPUS];

static bool is_served(const struct spinlock *l, u32 ticket)
{
	return !((__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) ^ ticket) & (LOCK_OFF_BY - 1));
}

/* Before it is taken: afterwards, a wrong order may have become a deadlock. */
static void lock_order(const struct spinlock *l, unsigned int cpu, bool waits)
{
	struct held *h = &held[cpu];
	unsigned int i, n = 0;

	for (i = 0; i < h->count; i++) {
		const struct spinlock *other = h->of[i].lock;

		if (other->holder != cpu + 1 || !is_served(other, h->of[i].ticket))
			continue;
		h->of[n++] = h->of[i];
		if (waits && other->rank >= l->rank)
			panic("lock: %s is taken with %s held", lock_names[l->rank],
			      lock_names[other->rank]);
	}
	h->count = n;
	if (n == HELD_MAX)
		panic("lock: %s is one lock too many at once", lock_names[l->rank]);
}

static void lock_taken(struct spinlock *l, unsigned int cpu, u16 ticket)
{
	struct held *h = &held[cpu];

	l->holder = (u8)(cpu + 1);
	h->of[h->count].lock = l;
	h->of[h->count++].ticket = ticket;
}

/* Held, and not to be checked any more: the ticket as the fast path has it. */
static void lock_free(struct spinlock *l)
{
	l->checked = false;
	__atomic_fetch_add(&l->next, LOCK_OFF_BY, SEQ_CST);
}

/* The tickets of those who came before and after lock_free() differ by LOCK_OFF_BY. */
void lock_wait(struct spinlock *l, u32 ticket)
{
	bool check = READ_ONCE(l->checked) && lock_checks == LOCKS_CHECKED;

	if (check)
		lock_order(l, arch_this_cpu(), true);
	while (!is_served(l, ticket))
		cpu_relax();
	if (check)
		lock_taken(l, arch_this_cpu(), (u16)ticket);
	else if (l->checked && lock_checks == LOCKS_FREE)
		lock_free(l);
}

void spin_init(struct spinlock *l, enum lock_rank rank)
{
	bool checked = lock_checks != LOCKS_FREE;

	*l = (struct spinlock){ .next = checked ? LOCK_OFF_BY : 0, .rank = (u8)rank,
				.checked = checked };
}

bool spin_trylock(struct spinlock *l)
{
	u16 owner = __atomic_load_n(&l->owner, __ATOMIC_ACQUIRE);
	u16 free = (u16)(owner + (READ_ONCE(l->checked) ? LOCK_OFF_BY : 0));
	bool check = READ_ONCE(l->checked) && lock_checks == LOCKS_CHECKED;

	if (check)
		lock_order(l, arch_this_cpu(), false);
	if (!__atomic_compare_exchange_n(&l->next, &free, (u16)(free + 1), false, SEQ_CST,
					 __ATOMIC_RELAXED))
		return false;
	if (check)
		lock_taken(l, arch_this_cpu(), owner);
	return true;
}
