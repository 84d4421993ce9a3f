// SPDX-License-Identifier: GPL-2.0-only
/*
 * Boot bundles (boot/bundle.h): the newc cpio format (Linux, initramfs buffer format) and the
 * manifest.
 */
#include <boot/bundle.h>
#include <core/lib.h>

#define HEADER	110u
#define F_SIZE	6u	/* fields of 8 hex digits after the magic: 6 = file size, 11 = name size */
#define F_NAME	11u

static bool hex8(const u8 *s, u32 *out)
{
	u32 v = 0, i, digit;

	for (i = 0; i < 8; i++) {
		digit = hex_digit((char)s[i]);
		if (digit > 15)
			return false;
		v = v << 4 | digit;
	}
	*out = v;
	return true;
}

bool bundle_find(const void *archive, u64 size, const char *name, struct bundle_file *out)
{
	const u8 *a = archive;
	size_t want = strlen(name) + 1;
	u64 at = 0;

	while (at <= size && size - at >= HEADER) {
		u32 bytes, name_size;
		u64 data;

		if (memcmp(a + at, "070701", 6) || !hex8(a + at + 6 + F_SIZE * 8, &bytes) ||
		    !hex8(a + at + 6 + F_NAME * 8, &name_size))
			return false;
		data = ROUND_UP(at + HEADER + name_size, 4ull);
		if (!name_size || data > size || bytes > size - data)
			return false;
		if (name_size == want && !memcmp(a + at + HEADER, name, want)) {
			out->data = a + data;
			out->size = bytes;
			return true;
		}
		if (name_size == 11 && !memcmp(a + at + HEADER, "TRAILER!!!", 11))
			return false;
		at = ROUND_UP(data + bytes, 4ull);
	}
	return false;
}

/*
 * name=value or name="value with blanks"; returns what follows, or NULL at the end.
 * The value is NULL if its quote does not end.
 */
static const char *field(const char *s, const char *end, const char **name, size_t *name_len,
			 const char **value, size_t *value_len)
{
	const char *v;

	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	if (s == end || *s == '#')
		return NULL;
	*name = s;
	while (s < end && *s != '=' && *s != ' ')
		s++;
	*name_len = (size_t)(s - *name);
	*value = s;
	*value_len = 0;
	if (s == end || *s != '=')
		return s;
	v = ++s;
	if (s < end && *s == '"') {
		v = ++s;
		while (s < end && *s != '"')
			s++;
		*value = s < end ? v : NULL;
		*value_len = (size_t)(s - v);
		return s < end ? s + 1 : s;
	}
	while (s < end && *s != ' ' && *s != '\t')
		s++;
	*value = v;
	*value_len = (size_t)(s - v);
	return s;
}

static bool copy(char *out, size_t size, const char *v, size_t n)
{
	if (n >= size)
		return false;
	memcpy(out, v, n);
	out[n] = 0;
	return true;
}

int manifest_line(const char *s, size_t len, struct bundle_domain *d, const char **error)
{
	const char *end = s + len, *name, *v;
	size_t nl, vl;
	u64 number;
	bool any = false;

	memset(d, 0, sizeof(*d));
	d->mem = MIB(256);
	d->vcpus = 1;
	d->weight = 256;
#define IS(text) (nl == sizeof(text) - 1 && !memcmp(name, text, nl))
	while ((s = field(s, end, &name, &nl, &v, &vl))) {
		any = true;
		*error = "a quote does not end";
		if (!v)
			return -1;
		*error = "a value is too long";
		if (IS("domain") ? !copy(d->name, sizeof(d->name), v, vl) :
		    IS("kernel") ? !copy(d->kernel, sizeof(d->kernel), v, vl) :
		    IS("initrd") ? !copy(d->initrd, sizeof(d->initrd), v, vl) :
		    IS("cmdline") ? !copy(d->cmdline, sizeof(d->cmdline), v, vl) : false)
			return -1;
		if (IS("domain") || IS("kernel") || IS("initrd") || IS("cmdline"))
			continue;
		*error = "unknown word, or not a number";
		if (!parse_size(v, vl, &number))
			return -1;
		*error = "a number is out of range";
		if (IS("mem")) {
			d->mem = ROUND_DOWN(number, PAGE_SIZE);
			if (d->mem < MIB(2) || d->mem > MAX_GUEST_MEM)
				return -1;
		} else if (IS("vcpus")) {
			d->vcpus = (u32)number;
			if (!number || number > MAX_VCPUS)
				return -1;
		} else if (IS("weight")) {
			d->weight = (u32)number;
			if (!number || number > 65536)
				return -1;
		} else if (IS("cap")) {
			d->cap = (u32)number;
			if (number > 100 * MAX_CPUS)
				return -1;
		} else if (IS("control")) {
			d->control = number == 1;
			if (number > 1)
				return -1;
		} else {
			*error = "unknown word";
			return -1;
		}
	}
#undef IS
	if (!any)
		return 0;
	*error = "domain= and kernel= are needed";
	return d->name[0] && d->kernel[0] ? 1 : -1;
}
