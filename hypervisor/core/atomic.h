/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Atomics and barriers, by the compiler's builtins: portable code means the same in ring 0 and in
 * unit tests. Ordering is sequential unless the name says otherwise. And an index's mask (rule 26).
 */
#pragma once

#include <core/types.h>

#define SEQ_CST			__ATOMIC_SEQ_CST
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()		__asm__ __volatile__("" ::: "memory")
#define smp_mb()		__atomic_thread_fence(SEQ_CST)
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#ifdef HV_NATIVE	/* a unit test looks at what has been published by then (rules 76, 77) */
#include <native_atomic.h>
#else
#define atomic_done(hook, p)	((void)0)
#define atomic_before(p)	((void)0)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#endif

static inline u32 atomic_inc_u32(u32 *p)
{
	atomic_before(p);
	return __atomic_add_fetch(p, 1, SEQ_CST);
}
static inline u32 atomic_dec_u32(u32 *p) { return __atomic_sub_fetch(p, 1, SEQ_CST); }
static inline u64 atomic_add_u64(u64 *p, u64 n) { return __atomic_add_fetch(p, n, SEQ_CST); }
static inline u64 atomic_inc_u64(u64 *p) { return atomic_add_u64(p, 1); }
static inline u64 atomic_or_u64(u64 *p, u64 n)
{
	u64 was = __atomic_fetch_or(p, n, SEQ_CST);

	atomic_done(native_on_or, p);
	return was;
}
static inline u64 atomic_and_u64(u64 *p, u64 n)
{
	u64 was = __atomic_fetch_and(p, n, SEQ_CST);

	atomic_done(native_on_and, p);
	return was;
}
static inline u32 atomic_xchg_u32(u32 *p, u32 n) { return __atomic_exchange_n(p, n, SEQ_CST); }
static inline u64 atomic_xchg_u64(u64 *p, u64 n) { return __atomic_exchange_n(p, n, SEQ_CST); }

/* True if *p was @old and is now @new. */
static inline bool atomic_cmpxchg_u64(u64 *p, u64 old, u64 new)
{
	atomic_before(p);
	return __atomic_compare_exchange_n(p, &old, new, false, SEQ_CST, SEQ_CST);
}
static inline bool atomic_cmpxchg_u32(u32 *p, u32 old, u32 new)
{
	return __atomic_compare_exchange_n(p, &old, new, false, SEQ_CST, SEQ_CST);
}
static inline void cpu_relax(void) { __builtin_ia32_pause(); }

/* All ones if i < n, else 0. By this an index that a guest names is bounded in speculation, too. */
static inline u64 index_mask(u64 i, u64 n)
{
	u64 mask;

	__asm__("cmp %2, %1; sbb %0, %0" : "=r"(mask) : "r"(i), "r"(n) : "cc");
	return mask;
}
