/* SPDX-License-Identifier: GPL-2.0-only */
/* Base types and small macros. A gfn never ends up where an mfn belongs: they are two types. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <parvus/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

/* mfn: frame number of the machine; gfn: frame number in a domain's physical space. */
typedef struct { u64 v; } mfn_t;
typedef struct { u64 v; } gfn_t;

static inline mfn_t _mfn(u64 n) { return (mfn_t){ n }; }
static inline u64 mfn_x(mfn_t m) { return m.v; }
static inline gfn_t _gfn(u64 n) { return (gfn_t){ n }; }
static inline u64 gfn_x(gfn_t g) { return g.v; }

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096ull
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define EXTENT_ORDER	9		/* a 2 MiB extent is 512 frames */
#define EXTENT_FRAMES	512ull
#define EXTENT_SIZE	(PAGE_SIZE << EXTENT_ORDER)

#define MIB(n)		((n) * 1024ull * 1024)
#define GIB(n)		((n) * 1024ull * 1024 * 1024)

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BUILD_ASSERT(c)	_Static_assert(c, #c)
#define ALWAYS_INLINE	inline __attribute__((always_inline))
#define NOINLINE	__attribute__((noinline))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
/* Of a static variable: it holds data of domains, and is in no guest's root (rule 81). */
#define SECRET		__attribute__((section(".bss.secret")))
#define noreturn	__attribute__((noreturn))
#define UNUSED		__attribute__((unused))
#define __printf(a, b)	__attribute__((format(printf, a, b)))
#define container_of(p, type, member) \
	((type *)(void *)((char *)(p) - offsetof(type, member)))
#define min(a, b)	({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a < _b ? _a : _b; })
#define max(a, b)	({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a > _b ? _a : _b; })
/* Each set bit of a word, which is read once, from the lowest up. */
#define for_each_bit(bit, word) \
	for (u64 _bits = (word); _bits && ((bit) = (unsigned int)__builtin_ctzll(_bits), true); \
	     _bits &= _bits - 1)
#define ROUND_UP(x, a)	(((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define ROUND_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
