// SPDX-License-Identifier: GPL-2.0-only
/* Memory and strings (core/lib.h). The compiler calls them, too. */
#include <core/lib.h>

void *memcpy(void *d, const void *s, size_t n)
{
	void *to = d;
	size_t words = n >> 3;

	n &= 7;
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(s), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(s), "+c"(n) : : "memory");
	return d;
}

void *memmove(void *d, const void *s, size_t n)
{
	u8 *to = d;
	const u8 *from = s;

	if (to <= from || to >= from + n)
		return memcpy(d, s, n);
	while (n--)
		to[n] = from[n];
	return d;
}

void *memset(void *d, int c, size_t n)
{
	void *to = d;
	u64 v = (u8)c * 0x0101010101010101ull;
	size_t words = n >> 3;

	n &= 7;
	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(v) : "memory");
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(v) : "memory");
	return d;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}
