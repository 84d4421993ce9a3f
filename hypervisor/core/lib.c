// SPDX-License-Identifier: GPL-2.0-only
/* Formatting and numbers. Memory and strings are the machine's (x86/string.c). */
#include <core/lib.h>

struct out {
	char *at;
	size_t size, len;
};

static void out_put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->at[o->len] = c;
	o->len++;
}

static void out_number(struct out *o, u64 v, unsigned int base, bool negative, int width, char pad)
{
	char digits[24];
	int n = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	if (negative && pad == '0')
		out_put(o, '-');
	for (width -= n + negative; width > 0; width--)
		out_put(o, pad);
	if (negative && pad != '0')
		out_put(o, '-');
	while (n)
		out_put(o, digits[--n]);
}

static void out_string(struct out *o, const char *s, int width, int precision)
{
	int n = 0;

	while (s[n] && (precision < 0 || n < precision))
		n++;
	for (width -= n; width > 0; width--)
		out_put(o, ' ');
	for (; n; n--)
		out_put(o, *s++);
}

int hv_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buf, size, 0 };

	for (; *fmt; fmt++) {
		int width = 0, precision = -1, longs = 0;
		char pad = ' ';
		u64 v;

		if (*fmt != '%') {
			out_put(&o, *fmt);
			continue;
		}
		if (*++fmt == '0') {
			pad = '0';
			fmt++;
		}
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + *fmt - '0';
		if (fmt[0] == '.' && fmt[1] == '*') {
			precision = va_arg(ap, int);
			fmt += 2;
		}
		for (; *fmt == 'l' || *fmt == 'z'; fmt++)
			longs++;
		switch (*fmt) {
		case 'd':
			v = longs ? (u64)va_arg(ap, s64) : (u64)va_arg(ap, int);
			out_number(&o, (s64)v < 0 ? -v : v, 10, (s64)v < 0, width, pad);
			break;
		case 'u':
		case 'x':
			v = longs ? va_arg(ap, u64) : va_arg(ap, u32);
			out_number(&o, v, *fmt == 'x' ? 16 : 10, false, width, pad);
			break;
		case 's':
			out_string(&o, va_arg(ap, const char *), width, precision);
			break;
		default:
			out_put(&o, *fmt);
			if (!*fmt)
				fmt--;
		}
	}
	if (size)
		buf[o.len < size ? o.len : size - 1] = 0;
	return (int)o.len;
}

int hv_snprintf(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = hv_vsnprintf(out, size, fmt, ap);
	va_end(ap);
	return n;
}

u32 hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (u32)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (u32)(c - 'a') + 10 : 99;
}

bool parse_size(const char *s, size_t len, u64 *out)
{
	u64 v = 0;
	unsigned int base = 10, shift = 0;
	size_t i = 0;

	if (len > 2 && s[0] == '0' && (s[1] | 0x20) == 'x') {
		base = 16;
		i = 2;
	}
	if (i == len || hex_digit(s[i]) >= base)
		return false;
	for (; i < len && hex_digit(s[i]) < base; i++)
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (u64)hex_digit(s[i]), &v))
			return false;
	if (i < len) {
		char unit = s[i++] | 0x20;

		shift = unit == 'k' ? 10 : unit == 'm' ? 20 : unit == 'g' ? 30 : 0;
		if (!shift)
			return false;
	}
	if (i != len || v << shift >> shift != v)
		return false;
	*out = v << shift;
	return true;
}
