// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor's command line: words "name=value", of which the last one of a name counts. What
 * is not understood is named in the log and goes for nothing: the machine starts. Portable.
 */
#include <boot/boot.h>
#include <boot/bundle.h>
#include <core/log.h>

struct boot_info boot_info;

/* All options, with the values of each, or none: any. tools/run reads it. */
static const char *const options[] = {
	"bootwatch=",		/* seconds until domain 0 is up, or it is a panic, and a reboot */
	"debug=0|1|calls",	/* serve the debug_* calls; 1: and check the order of locks */
	"dom0_mem=",		/* [min:|max:]SIZE,...; SIZE: 2G, 25% of what is free */
	"dom0_vcpus=",
	"isolation=off|kernel|on",	/* off: ring 0 sees all memory, not that of the domain
				 * that runs (x86/view.c); else a guest's user mode has ring 0's
				 * view mapped, or nearly nothing of it, which is what a CPU with
				 * Meltdown gets */
	"log=com1",		/* the log on the serial line too */
	"loglevel=debug|info|warning",
	"mmu=exact",		/* forget at every switch */
	"panic=off|reboot",	/* after a panic, or domain 0's crash */
	"pcid=off|on",		/* the TLB keeps what it has of a root that is not loaded */
	"probe=0|1",		/* a timer every 20,000 ticks: how long are interrupts off? */
	"reboot=no|yes",	/* reboot when the last domain asked for it */
	"smt=off|on",		/* one thread of each core, or all; without it, one where a thread
				 * sees its sibling's data */
};

/* The first part at or behind @s, with its length; NULL: the list ends, or the word. */
static const char *part_at(const char *s, char separator, size_t *len)
{
	while (*s == separator)
		s++;
	for (*len = 0; s[*len] && s[*len] != separator && s[*len] != ' '; ++*len)
		;
	return *len ? s : NULL;
}

/* The value of an option, with its length; NULL: it is not there. */
static const char *option(const char *name, size_t *len)
{
	const char *w, *value = NULL;
	size_t skip = strlen(name) + 1, n;

	for (w = boot_info.cmdline; (w = part_at(w, ' ', &n)); w += n)
		if (n >= skip && w[skip - 1] == '=' && !memcmp(w, name, skip - 1)) {
			value = w + skip;
			*len = n - skip;
		}
	return value;
}

bool boot_option_is(const char *name, const char *value)
{
	size_t n;
	const char *v = option(name, &n);

	return v && n == strlen(value) && !memcmp(v, value, n);
}

u64 boot_option_number(const char *name, u64 least, u64 most, u64 otherwise)
{
	size_t n;
	const char *v = option(name, &n);
	u64 number;

	if (!v || (parse_size(v, n, &number) && number >= least && number <= most))
		return v ? number : otherwise;
	log_warn("boot: %s=%.*s: not from %lu to %lu", name, (int)n, v, least, most);
	return otherwise;
}

/* As Xen's command line has it: KiB without a unit, or a percentage, here of @all. */
static bool size_of(const char *v, size_t len, u64 all, u64 *size)
{
	bool part = len && v[len - 1] == '%', bare = len && hex_digit(v[len - 1]) < 16;

	if (!parse_size(v, len - part, size) || *size > (part ? 100 : GIB(1024)))
		return false;
	*size = part ? all / 100 * *size : bare ? *size << 10 : *size;
	return true;
}

u64 boot_dom0_mem(u64 mem, u64 all)
{
	u64 least = 0, most = all / 16 * 15, size;
	size_t n, len;
	const char *v = option("dom0_mem", &n);

	if (!v && mem)
		return mem;
	mem = mem ?: max(GIB(1), all / 4);
	for (; v && (v = part_at(v, ',', &len)); v += len) {
		u64 *to = !memcmp(v, "min:", 4) ? &least : !memcmp(v, "max:", 4) ? &most : &mem;

		n = to == &mem ? 0 : 4;
		if (size_of(v + n, len - n, all, &size))
			*to = to == &most ? min(most, size) : size;
		else
			log_warn("boot: dom0_mem=%.*s: not a size", (int)len, v);
	}
	mem = max(mem, least);
	return min(mem, most) & PAGE_MASK;
}

/* kexec and QEMU begin with the file's name, GRUB does not; no word of Linux looks like one. */
const char *boot_first_args(void)
{
	const char *s = boot_info.first_text, *at = s;
	bool slash = false;

	for (; *at && *at != ' ' && *at != '='; at++)
		slash |= *at == '/';
	s = slash && *at != '=' ? at : s;
	return s + (*s == ' ');
}

/* Is the word one of an option, "name=value|value..." or "name="? */
static bool word_fits(const char *w, size_t len, const char *o)
{
	size_t n = 0, k;

	while (o[n++] != '=')
		;
	if (len <= n || memcmp(w, o, n))
		return false;
	if (!o[n])
		return true;
	for (w += n, len -= n, o += n; (o = part_at(o, '|', &k)); o += k)
		if (k == len && !memcmp(w, o, k))
			return true;
	return false;
}

void boot_options_check(void)
{
	const char *w = boot_info.cmdline;
	bool known = true;	/* a loader may begin with the image's name */
	size_t n, i;

	for (; (w = part_at(w, ' ', &n)); w += n) {
		for (i = 0; i < n; i++)
			known &= w[i] != '=';
		for (i = 0; i < ARRAY_SIZE(options) && !known; i++)
			known = word_fits(w, n, options[i]);
		if (!known)
			log_warn("boot: unknown option: %.*s", (int)n, w);
		known = false;
	}
}
