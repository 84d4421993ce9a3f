/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spin locks. The hypervisor runs with interrupts off, so a lock needs no irq flavour; nobody
 * waits for another CPU with a lock held, but to get a lock. Ticket order, so no CPU starves.
 *
 * A lock is taken only while all that this CPU holds have lower numbers (enum lock_rank; the
 * table of hypervisor/README.md says what each guards). With debug=1, and always in the unit
 * tests, a wrong order panics and names both. The check costs nothing otherwise: the ticket of
 * a lock that is checked is off by half the range of tickets, so such a lock always looks as if
 * somebody held it, and its takers come to lock_wait(), which knows.
 */
#ifndef CORE_LOCK_H
#define CORE_LOCK_H

#include <core/arch.h>

enum lock_rank {
	LOCK_NONE,
	LOCK_DESTROY,		/* domain.destroy_lock */
	LOCK_CONTROL,		/* domain.control_lock */
	LOCK_PAUSE,		/* domain.pause_lock */
	LOCK_TRACE,		/* trace.c */
	LOCK_CONSOLE,		/* console.c */
	LOCK_DEVICE,		/* device.c */
	LOCK_BIND,		/* event.c: bind_lock */
	LOCK_EVENT,		/* domain.event_lock */
	LOCK_EVENT_TIMER,	/* event.c: timer_lock */
	LOCK_GRANT,		/* grant_domain.lock */
	LOCK_ASPACE,		/* aspace.lock */
	LOCK_SHADOW,		/* shadow_domain.lock */
	LOCK_GFN,		/* domain.gfn_lock */
	LOCK_DOMAINS,		/* domain.c: census.lock */
	LOCK_TIMERS,		/* timer.c: a heap */
	LOCK_CAPPED,		/* sched.c: capped.lock */
	LOCK_QUEUE,		/* sched.c: a run queue */
	LOCK_CAP,		/* domain.sched.lock */
	LOCK_MEMORY,		/* page_alloc.c: hv.lock */
	LOCK_FRAMES,		/* page_alloc.c: ram.lock */
	LOCK_RECORD,		/* domain.c: end_record() */
	LOCK_LOG,		/* log.c */
	LOCK_RANKS
};

#define LOCK_OFF_BY	0x8000u

struct spinlock {
	u16 next;	/* ticket to hand out */
	u16 owner;	/* ticket being served */
	u8 rank;
	bool checked;	/* next is off by LOCK_OFF_BY */
	u8 holder;	/* of a lock that is checked: the CPU that took it last, + 1 */
};
/* Of a static lock, which may be used before the options are known: checked, until they are. */
#define SPINLOCK_INIT(rank)	{ LOCK_OFF_BY, 0, rank, true, 0 }

/* What becomes of locks: until the options are known, then. */
enum lock_checks { LOCKS_BOOT, LOCKS_FREE, LOCKS_CHECKED };
extern enum lock_checks lock_checks;

/* Called by arch_lock_wait() alone, which is how the fast path hardly ever gets here. */
KEEPS_REGISTERS void lock_wait(struct spinlock *l, u32 ticket);
/* A lock in memory that is new. */
void spin_init(struct spinlock *l, enum lock_rank rank);
/* Takes it if it is free. In any order: who does not wait cannot wait for ever. */
bool spin_trylock(struct spinlock *l);

static inline void spin_lock(struct spinlock *l)
{
	u16 ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_SEQ_CST);

	if (unlikely(__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket))
		arch_lock_wait(l, ticket);
}

static inline void spin_unlock(struct spinlock *l)
{
	barrier();
	l->owner++;	/* the holder's own; on x86 any store is a release */
	barrier();
}

#endif
