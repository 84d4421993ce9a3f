/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What core/atomic.h has in the unit tests: a test looks at what was published (rules 76, 77), or
 * lets somebody in before a count goes up or an entry is exchanged (rules 7, 8).
 */
#ifndef UNIT_NATIVE_ATOMIC_H
#define UNIT_NATIVE_ATOMIC_H

extern void (*native_on_release)(const void *at), (*native_on_or)(const void *at),
	(*native_on_and)(const void *at), (*native_before)(const void *at);
#define atomic_done(hook, p) ((void)(hook && (hook(p), 1)))
#define atomic_before(p) atomic_done(native_before, p)
#define smp_store_release(p, v) ({ \
	if (native_on_release) \
		native_on_release(p); \
	__atomic_store_n(p, v, __ATOMIC_RELEASE); \
})

#endif
