/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The little of Linux that pv-drivers/linux/block_pool.c needs, so that a unit test has that
 * file as it is: plain and slow. The other headers of this folder include this one.
 */
#ifndef UNIT_LINUX_H
#define UNIT_LINUX_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef uint16_t u16;
struct page;

#define GFP_KERNEL		0
#define PAGE_SHIFT		12
#define PAGE_SIZE		4096u
#define BITS			(8 * sizeof(unsigned long))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define min(a, b)		((a) < (b) ? (a) : (b))
#define min_t(t, a, b)		min((t)(a), (t)(b))
#define offset_in_page(n)	((n) % PAGE_SIZE)
#define bitmap_zalloc(n, gfp)	calloc(DIV_ROUND_UP(n, BITS), sizeof(unsigned long))
#define kvcalloc(n, size, gfp)	calloc(n, size)
#define bitmap_free		free
#define kvfree			free

static inline bool test_bit(unsigned int n, const unsigned long *map)
{
	return map[n / BITS] >> n % BITS & 1;
}

static inline void bitmap_set(unsigned long *map, unsigned int at, unsigned int n)
{
	for (; n--; at++)
		map[at / BITS] |= 1ul << at % BITS;
}

static inline void bitmap_clear(unsigned long *map, unsigned int at, unsigned int n)
{
	for (; n--; at++)
		map[at / BITS] &= ~(1ul << at % BITS);
}

static inline unsigned long find_bit(const unsigned long *map, unsigned long size, unsigned long at,
				     bool set)
{
	while (at < size && test_bit(at, map) != set)
		at++;
	return at < size ? at : size;
}
#define find_next_bit(map, size, at)		find_bit(map, size, at, true)
#define find_next_zero_bit(map, size, at)	find_bit(map, size, at, false)

/* Beyond @size: there is none. */
static inline unsigned long bitmap_find_next_zero_area(const unsigned long *map, unsigned long size,
						       unsigned long at, unsigned int n,
						       unsigned long align)
{
	(void)align;
	for (;;) {
		at = find_next_zero_bit(map, size, at);
		if (at + n > size)
			return size + 1;
		if (find_next_bit(map, at + n, at) == at + n)
			return at;
		at = find_next_bit(map, at + n, at);
	}
}

/* A page of these tests is its memory. */
static inline void *page_address(struct page *page) { return page; }

#endif
