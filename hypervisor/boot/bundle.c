// SPDX-License-Identifier: GPL-2.0-only
/* Boot bundles: the newc cpio format (Linux, initramfs buffer format) and the manifest. */
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

/* name=value or name="value with blanks". What follows, or NULL; no value: a quote without end. */
static const char *field(const char *s, const char *end, const char **name, size_t *name_len,
			 const char **value, size_t *value_len)
{
	const char *v;
	bool quoted;

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
	quoted = ++s < end && *s == '"';
	v = s += quoted;
	while (s < end && (quoted ? *s != '"' : *s != ' ' && *s != '\t'))
		s++;
	*value = quoted && s == end ? NULL : v;
	*value_len = (size_t)(s - v);
	return s + (quoted && s < end);
}

static bool copy(char *out, size_t size, const char *v, size_t n)
{
	if (n >= size)
		return false;
	memcpy(out, v, n);
	out[n] = 0;
	return true;
}

#define AT(member) offsetof(struct bundle_domain, member)
static const struct key {
	const char *name;
	u32 at, size;		/* where it goes; size of a text, 0 = a number of 64 bits */
	u64 least, most;
} keys[] = {
	{ "domain", AT(name), MAX_DOMAIN_NAME, 0, 0 },
	{ "kernel", AT(kernel), sizeof(((struct bundle_domain *)0)->kernel), 0, 0 },
	{ "initrd", AT(initrd), sizeof(((struct bundle_domain *)0)->initrd), 0, 0 },
	{ "cmdline", AT(cmdline), MAX_CMDLINE, 0, 0 },
	{ "mem", AT(mem), 0, MIB(2), MAX_MACHINE_MEM },
	{ "vcpus", AT(vcpus), 0, 1, MAX_VCPUS },
	{ "weight", AT(weight), 0, 1, 65536 },
	{ "cap", AT(cap), 0, 0, 100 * MAX_VCPUS },
	{ "control", AT(control), 0, 0, 1 },
};

int manifest_line(const char *s, size_t len, struct bundle_domain *d, const char **error)
{
	const char *end = s + len, *name, *v;
	const struct key *k, *no_key = keys + ARRAY_SIZE(keys);
	size_t nl, vl;
	u64 number;
	bool any = false;

	*d = (struct bundle_domain){ .mem = MIB(256), .vcpus = 1, .weight = 256 };
	while ((s = field(s, end, &name, &nl, &v, &vl))) {
		any = true;
		k = keys;
		while (k < no_key && (strlen(k->name) != nl || memcmp(k->name, name, nl)))
			k++;
		*error = !v ? "a quote does not end" :
			 k == no_key ? "unknown word" : "a value is too long";
		if (!v || k == no_key || (k->size && !copy((char *)d + k->at, k->size, v, vl)))
			return -1;
		if (k->size)
			continue;
		*error = "not a number";
		if (!parse_size(v, vl, &number))
			return -1;
		*error = "a number is out of range";
		if (number < k->least || number > k->most)
			return -1;
		*(u64 *)((char *)d + k->at) = number;
	}
	d->mem = ROUND_DOWN(d->mem, PAGE_SIZE);
	if (!any)
		return 0;
	*error = "domain= and kernel= are needed";
	return d->name[0] && d->kernel[0] ? 1 : -1;
}
