// SPDX-License-Identifier: GPL-2.0-only
/*
 * What micro guests share with the bare-machine kernel of tools/bench: print, pages, page
 * tables and user mode. The platform gives console_out(), flush_page() and says where memory
 * is free.
 */
#include <stdarg.h>
#include "guest.h"

u64 next_page, ram_end;

void *memset(void *d, int c, size_t n)
{
	void *r = d;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return r;
}
void *memcpy(void *d, const void *s, size_t n)
{
	void *r = d;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
	return r;
}

static char out[512];

static void put(unsigned int *n, char c)
{
	if (*n < sizeof(out))
		out[(*n)++] = c;
}

/* %s %d %u %x %lx %lu %c */
void print(const char *fmt, ...)
{
	unsigned int n = 0;
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		char digits[24];
		int len = 0, lng = 0;
		u64 v;

		if (*fmt != '%') {
			put(&n, *fmt);
			continue;
		}
		while (*++fmt == 'l')
			lng++;
		switch (*fmt) {
		case 's':
			for (const char *s = va_arg(ap, const char *); *s; s++)
				put(&n, *s);
			break;
		case 'c':
			put(&n, (char)va_arg(ap, int));
			break;
		default:
			v = lng ? va_arg(ap, u64) : va_arg(ap, u32);
			do
				digits[len++] = "0123456789abcdef"[v % (*fmt == 'x' ? 16 : 10)];
			while (v /= *fmt == 'x' ? 16 : 10);
			while (len)
				put(&n, digits[--len]);
		}
	}
	va_end(ap);
	console_out(out, n);
}

u64 page_new(void)
{
	u64 gpa = next_page;

	next_page += PAGE;
	if (next_page > 0x4000000 || next_page > ram_end) {
		print("out of pages\n");
		end(1);
	}
	memset(va(gpa), 0, PAGE);
	return gpa;
}

volatile u64 *entry_of(u64 *top, u64 at, int level)
{
	u64 *t = top;

	for (int l = 4; l > level; l--) {
		u64 *e = &t[at >> (12 + 9 * (l - 1)) & 511];

		if (!(*e & P))
			*e = page_new() | P | W | U;
		t = va(*e & 0x000ffffffffff000ull);
	}
	return &t[at >> (12 + 9 * (level - 1)) & 511];
}

void map(u64 at, u64 gpa, u64 flags) { *entry_of(root, at, 1) = gpa | flags; }

void user_setup(const void *code, size_t len)
{
	u64 gpa = page_new();

	memcpy(va(gpa), code, len);
	map(USER_CODE, gpa, P | U);
	map(USER_STACK - PAGE, page_new(), P | W | U | NX);
	flush_page(USER_CODE);
}

void leave_user(struct frame *f)
{
	f->rip = (u64)user_return;
	f->cs = PARVUS_KERNEL_CS;
	f->ss = PARVUS_KERNEL_SS;
	f->rflags = 2;
	f->rsp = (u64)trap_stack_top - 4096;
}
