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
#pragma once

#include <core/arch.h>

/* Each lock and its name, in the order in which they are taken. */
#define LOCKS(X) \
	X(LOCK_DESTROY, "domain.destroy_lock") \
	X(LOCK_CONTROL, "domain.control_lock") \
	X(LOCK_PAUSE, "domain.pause_lock") \
	X(LOCK_TRACE, "the lock of traces") \
	X(LOCK_CONSOLE, "the lock of consoles") \
	X(LOCK_DEVICE, "registry.lock") \
	X(LOCK_BIND, "bind_lock") \
	X(LOCK_EVENT, "domain.event_lock") \
	X(LOCK_EVENT_TIMER, "the timer_lock of events") \
	X(LOCK_GRANT, "grant_domain.lock") \
	X(LOCK_ASPACE, "aspace.lock") \
	X(LOCK_SHADOW, "shadow_domain.lock") \
	X(LOCK_GFN, "domain.gfn_lock") \
	X(LOCK_DOMAINS, "census.lock") \
	X(LOCK_TIMERS, "the lock of a heap of timers") \
	X(LOCK_IRQ, "the lock of interrupts") \
	X(LOCK_CAPPED, "capped.lock") \
	X(LOCK_QUEUE, "the lock of a run queue") \
	X(LOCK_CAP, "domain.sched.lock") \
	X(LOCK_MEMORY, "hv.lock") \
	X(LOCK_FRAMES, "ram.lock") \
	X(LOCK_RECORD, "the lock of end records") \
	X(LOCK_LOG, "the lock of the log") \
	X(LOCK_VIEW, "the lock of a view")
#define RANK(lock, name) lock,
enum lock_rank { LOCK_NONE, LOCKS(RANK) };
#undef RANK

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
void spin_init(struct spinlock *l, enum lock_rank rank);	/* a lock in memory that is new */
/* Takes it if it is free. In any order: who does not wait cannot wait for ever. */
bool spin_trylock(struct spinlock *l);

static inline void spin_lock(struct spinlock *l)
{
	u16 ticket = __atomic_fetch_add(&l->next, 1, SEQ_CST);

	if (unlikely(__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket))
		arch_lock_wait(l, ticket);
}

static inline void spin_unlock(struct spinlock *l)
{
	barrier();
	l->owner++;	/* the holder's own; on x86 any store is a release */
	barrier();
}

/* Held from here to the end of the block, whichever way that is left; HELD: taken already. */
#define HOLD(l) HELD((spin_lock(l), (l)))
#define HELD(l) HELD_AS(l, __COUNTER__)
#define HELD_AS(l, n) HELD_NAMED(l, n)
#define HELD_NAMED(l, n) struct spinlock *held_##n __attribute__((cleanup(spin_release))) = (l)
static inline void spin_release(struct spinlock **l) { spin_unlock(*l); }
