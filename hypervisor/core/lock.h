/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spin locks. The hypervisor runs with interrupts off, so a lock needs no irq
 * flavour; nobody waits for a shootdown with a lock held (review rule 48).
 * Ticket order, so that no CPU starves. Lock order: see HACKING.md.
 */
#ifndef CORE_LOCK_H
#define CORE_LOCK_H

#include <core/atomic.h>

struct spinlock {
	u16 next;	/* ticket to hand out */
	u16 owner;	/* ticket being served */
};
#define SPINLOCK_INIT	{ 0, 0 }

static inline void spin_lock(struct spinlock *l)
{
	u16 t = __atomic_fetch_add(&l->next, 1, __ATOMIC_SEQ_CST);

	while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != t)
		cpu_relax();
}

static inline bool spin_trylock(struct spinlock *l)
{
	u16 t = __atomic_load_n(&l->owner, __ATOMIC_ACQUIRE);

	return __atomic_compare_exchange_n(&l->next, &t, (u16)(t + 1), false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->owner, (u16)(l->owner + 1), __ATOMIC_RELEASE);
}

#endif
