/* SPDX-License-Identifier: GPL-2.0-only */
/* The few functions of a C library that the hypervisor needs. */
#pragma once

#include <stdarg.h>
#include <core/types.h>

#ifdef HV_NATIVE
#include <string.h>
#else
void *memcpy(void *d, const void *s, size_t n);
void *memmove(void *d, const void *s, size_t n);
void *memset(void *d, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
#endif

/* As snprintf: %d %u %x %lx %lu %llx %s, width, zero padding; returns the full length. */
int hv_snprintf(char *out, size_t size, const char *fmt, ...) __printf(3, 4);
int hv_vsnprintf(char *out, size_t size, const char *fmt, va_list ap);
/* Reserved fields. */
static inline bool all_zero(const u64 *words, unsigned int n)
{
	u64 bits = 0;

	while (n--)
		bits |= words[n];
	return !bits;
}
u32 hex_digit(char c);	/* the value of a hexadecimal digit, or 99 */
/* "64M", "0x10k", "2G": false if it is not a number with one suffix or overflows. */
bool parse_size(const char *s, size_t len, u64 *out);
