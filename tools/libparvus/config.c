// SPDX-License-Identifier: LGPL-2.1-or-later
/* libparvus: what the keys of a configuration mean, and a configuration as text again. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_MIB	(1ull << 26)	/* 64 TiB */

struct reader {
	struct parvus_error *error;
	struct cfg cfg;
	struct parvus_config *c;
	size_t sets;		/* of CPUs, if they were given one by one */
	char *extra, *root, *bootloader, *bootloader_args;
};

static const char *const actions[] = {
	[PARVUS_ACTION_DESTROY] = "destroy",
	[PARVUS_ACTION_RESTART] = "restart",
	[PARVUS_ACTION_PRESERVE] = "preserve",
	[PARVUS_ACTION_RENAME_RESTART] = "rename-restart",
	[PARVUS_ACTION_COREDUMP_DESTROY] = "coredump-destroy",
	[PARVUS_ACTION_COREDUMP_RESTART] = "coredump-restart",
};

const char *parvus_action_text(enum parvus_action action)
{
	return (unsigned int)action < sizeof(actions) / sizeof(*actions) ? actions[action] : "?";
}

/* "file:line: key", or "key" of the command line. */
static void place(const struct cfg_setting *s, char *text, size_t bytes)
{
	if (s->value.line)
		snprintf(text, bytes, "%s:%u: %s", s->file, s->value.line, s->key);
	else
		snprintf(text, bytes, "%s: %s", s->file, s->key);
}

__attribute__((format(printf, 3, 4)))
static int wrong(struct reader *r, const struct cfg_setting *s, const char *format, ...)
{
	char at[300], what[300];
	va_list args;

	place(s, at, sizeof(at));
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return pv_fail(r->error, EINVAL, "%s: %s", at, what);
}

static int warn(struct reader *r, const struct cfg_setting *s, const char *what)
{
	struct parvus_config *c = r->c;
	char at[300], *text, *p, **more;

	if (s)
		place(s, at, sizeof(at));
	if (asprintf(&text, "%s%s%s", s ? at : "", s ? ": " : "", what) < 0)
		return pv_fail(r->error, ENOMEM, "no memory");
	for (p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	more = realloc(c->warnings, (c->nwarnings + 1) * sizeof(*more));
	if (!more) {
		free(text);
		return pv_fail(r->error, ENOMEM, "no memory");
	}
	c->warnings = more;
	c->warnings[c->nwarnings++] = text;
	return 0;
}

/* A value, for a message. */
static const char *shown(const struct cfg_value *v)
{
	static __thread char text[80];

	if (v->kind == CFG_LIST)
		snprintf(text, sizeof(text), "a list of %zu", v->n);
	else
		snprintf(text, sizeof(text), v->kind == CFG_STRING ? "the text \"%.50s\"" :
			 "the number %.50s", v->text);
	return text;
}

static int get_text(struct reader *r, const struct cfg_setting *s, char **to)
{
	if (s->value.kind != CFG_STRING)
		return wrong(r, s, "a text in quotes is expected, not %s", shown(&s->value));
	free(*to);
	*to = strdup(s->value.text);
	return *to ? 0 : pv_fail(r->error, ENOMEM, "no memory");
}

static int get_number(struct reader *r, const struct cfg_setting *s, uint64_t min, uint64_t max,
		      uint64_t *to)
{
	long long n = s->value.number;

	/* xl takes a number in quotes too */
	if (s->value.kind == CFG_STRING) {
		char *end;

		errno = 0;
		n = strtoll(s->value.text, &end, 0);
		if (errno || *end || end == s->value.text)
			return wrong(r, s, "a number from %llu to %llu is expected, not %s",
				     (unsigned long long)min, (unsigned long long)max,
				     shown(&s->value));
	} else if (s->value.kind == CFG_LIST) {
		return wrong(r, s, "a number from %llu to %llu is expected, not %s",
			     (unsigned long long)min, (unsigned long long)max, shown(&s->value));
	}
	if (n < 0 || (uint64_t)n < min || (uint64_t)n > max)
		return wrong(r, s, "a number from %llu to %llu is expected, not %lld",
			     (unsigned long long)min, (unsigned long long)max, n);
	*to = (uint64_t)n;
	return 0;
}

static int get_u32(struct reader *r, const struct cfg_setting *s, uint32_t min, uint32_t max,
		   uint32_t *to)
{
	uint64_t n = 0;
	int ret = get_number(r, s, min, max, &n);

	if (!ret)
		*to = (uint32_t)n;
	return ret;
}

static int get_action(struct reader *r, const struct cfg_setting *s, enum parvus_action *to)
{
	size_t i;

	if (s->value.kind == CFG_STRING)
		for (i = 0; i < sizeof(actions) / sizeof(*actions); i++)
			if (!strcmp(s->value.text, actions[i])) {
				*to = (enum parvus_action)i;
				return 0;
			}
	return wrong(r, s,
		     "\"destroy\", \"restart\", \"preserve\", \"rename-restart\", "
		     "\"coredump-destroy\" or \"coredump-restart\" is expected, not %s",
		     shown(&s->value));
}

/* Absolute, so that a restart from elsewhere finds it. */
static int get_path(struct reader *r, const struct cfg_setting *s, char **to)
{
	char *path = NULL, *cwd;
	int ret = get_text(r, s, &path);

	if (ret)
		return ret;
	if (path[0] && path[0] != '/') {
		char *joined = NULL;

		cwd = getcwd(NULL, 0);
		if (!cwd || asprintf(&joined, "%s/%s", cwd, path) < 0)
			joined = NULL;
		free(cwd);
		free(path);
		path = joined;
		if (!path)
			return pv_fail(r->error, ENOMEM, "no memory");
	}
	free(*to);
	*to = path;
	return 0;
}

#define CHANNEL_INDEX 0x80000000u	/* of the first; parvus cp has those below */
#define CPUS	(64 * PARVUS_CPU_WORDS)

static bool cpu_in(const struct parvus_cpus *c, unsigned long n)
{
	return c->word[n / 64] >> (n & 63) & 1;
}

static void cpu_put(struct parvus_cpus *c, unsigned long n, bool in)
{
	c->word[n / 64] &= ~(1ull << (n & 63));
	c->word[n / 64] |= (uint64_t)in << (n & 63);
}

bool parvus_cpus_keep(struct parvus_cpus *cpus, uint32_t n)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < CPUS; i++) {
		if (i >= n)
			cpu_put(cpus, i, false);
		any |= cpu_in(cpus, i);
	}
	return any;
}

int parvus_cpus_parse(struct parvus_error *e, const char *text, struct parvus_cpus *cpus)
{
	struct parvus_cpus c = { { 0 } }, any;
	const char *p = text;

	if (!strcmp(text, "all")) {
		memset(cpus, 0xff, sizeof(*cpus));
		return 0;
	}
	for (;;) {
		bool without = *p == '^';
		unsigned long from, to;
		char *end;

		p += without;
		if (*p < '0' || *p > '9')
			goto wrong;
		from = to = strtoul(p, &end, 10);
		p = end;
		if (*p == '-') {
			p++;
			if (*p < '0' || *p > '9')
				goto wrong;
			to = strtoul(p, &end, 10);
			p = end;
		}
		if (from > to || to >= CPUS)
			goto wrong;
		for (; from <= to; from++)
			cpu_put(&c, from, !without);
		if (!*p)
			break;
		if (*p++ != ',')
			goto wrong;
	}
	any = c;
	if (!parvus_cpus_keep(&any, CPUS))
		return pv_fail(e, EINVAL, "%s: no CPU is left", text);
	*cpus = c;
	return 0;
wrong:
	return pv_fail(e, EINVAL,
		       "%s: not a set of CPUs such as \"0-3,^2\" or \"all\" (CPUs 0 to %u)",
		       pv_shown(text), CPUS - 1);
}

void parvus_cpus_text(const struct parvus_cpus *cpus, uint32_t n, char *text, size_t bytes)
{
	size_t at = 0;
	unsigned int i;

	if (!bytes)
		return;
	for (i = 0; i < n && i < CPUS && cpu_in(cpus, i); i++)
		;
	if (i == n || i == CPUS) {
		snprintf(text, bytes, "all");
		return;
	}
	text[0] = 0;
	for (i = 0; i < CPUS; i++) {
		unsigned int from = i;
		int len;

		if (!cpu_in(cpus, i))
			continue;
		while (i + 1 < CPUS && cpu_in(cpus, i + 1))
			i++;
		len = snprintf(text + at, bytes - at, from == i ? "%s%u" : "%s%u-%u",
			       at ? "," : "", from, i);
		if (len < 0 || (size_t)len >= bytes - at)
			return;
		at += (size_t)len;
	}
}

static int one_set(struct reader *r, const struct cfg_setting *s, const struct cfg_value *v,
		   struct parvus_cpus *set)
{
	struct parvus_error why;

	if (v->kind == CFG_LIST)
		return wrong(r, s,
			     "a set of CPUs such as \"0-3,^2\" is expected in the list, not %s",
			     shown(v));
	if (parvus_cpus_parse(&why, v->text, set))
		return wrong(r, s, "%s", why.text);
	if (!strcmp(v->text, "all"))
		memset(set, 0, sizeof(*set));
	return 0;
}

/* One set for all vCPUs, or a list with one for each. */
static int get_cpus(struct reader *r, const struct cfg_setting *s)
{
	const struct cfg_value *v = &s->value;
	struct parvus_cpus set;
	size_t i;
	int ret;

	r->sets = 0;
	if (v->kind != CFG_LIST) {
		ret = one_set(r, s, v, &set);
		for (i = 0; !ret && i < PARVUS_MAX_VCPUS; i++)
			r->c->affinity[i] = set;
		return ret;
	}
	r->sets = v->n;
	if (v->n > PARVUS_MAX_VCPUS)
		return wrong(r, s, "sets for %zu vCPUs, and there are %u at most", v->n,
			     PARVUS_MAX_VCPUS);
	for (i = 0; i < v->n; i++) {
		ret = one_set(r, s, &v->items[i], &r->c->affinity[i]);
		if (ret)
			return ret;
	}
	return 0;
}

/* "name=x,connection=socket,path=/run/x" of xl is a device that a program of ours serves. */
static int channel_spec(struct reader *r, const struct cfg_setting *s, size_t n, const char *text,
			char spec[3000])
{
	const char *lib = getenv("PARVUS_LIB_DIR"), *at, *end;
	size_t bytes;

	bytes = (size_t)snprintf(spec, 3000, "class=stream,index=%u,program=%.500s/channel-server",
				 (unsigned int)(CHANNEL_INDEX + n),
				 lib && *lib ? lib : "/usr/lib/parvus");
	for (at = text; *at; at = *end ? end + 1 : end) {
		at += strspn(at, " \t");
		end = at + strcspn(at, ",");
		if (strncmp(at, "name=", 5) && strncmp(at, "connection=", 11) &&
		    strncmp(at, "path=", 5))
			return wrong(r, s, "name=, connection=socket or pty, and path= are "
				     "expected, not \"%.*s\"", (int)(end - at < 60 ? end - at : 60),
				     at);
		if (bytes + (size_t)(end - at) + 10 > 3000)
			return wrong(r, s, "\"%.40s...\" is too long", text);
		bytes += (size_t)snprintf(spec + bytes, 3000 - bytes, *at == 'n' ?
					  ",channel%.*s" : ",%.*s",
					  (int)(end - at - (*at == 'n' ? 4 : 0)),
					  at + (*at == 'n' ? 4 : 0));
	}
	return 0;
}

static int own_devices(struct reader *r, const struct cfg_setting *s)
{
	struct parvus_config *c = r->c;
	bool channel = !strcmp(s->key, "channel");
	struct parvus_own *more;
	char at[300], spec[3000];
	size_t i, k;
	int ret = 0;

	if (s->value.kind != CFG_LIST)
		return wrong(r, s, "a list of texts is expected, not %s", shown(&s->value));
	more = realloc(c->own, (c->nown + s->value.n + 1) * sizeof(*c->own));
	if (!more)
		return pv_fail(r->error, ENOMEM, "no memory");
	c->own = more;
	memset(more + c->nown, 0, (s->value.n + 1) * sizeof(*more));
	place(s, at, sizeof(at));
	for (i = 0; !ret && i < s->value.n; i++) {
		const struct cfg_value *v = &s->value.items[i];

		if (v->kind != CFG_STRING)
			return wrong(r, s, "a list of texts is expected; entry %zu is %s", i + 1,
				     shown(v));
		if (channel) {
			ret = channel_spec(r, s, i, v->text, spec);
			if (ret)
				return ret;
		}
		more = &c->own[c->nown++];
		ret = pv_own_parse(r->error, at, channel ? spec : v->text, more);
		for (k = 0; !ret && k + 1 < c->nown; k++)
			if (channel && c->own[k].channel && more->channel &&
			    !strcmp(c->own[k].channel, more->channel))
				ret = wrong(r, s, "%s is given twice", more->channel);
			else if (c->own[k].device_class == more->device_class &&
				 c->own[k].index == more->index)
				ret = wrong(r, s, "class=%#x,index=%u is given twice",
					    more->device_class, more->index);
	}
	return ret;
}

static int devices(struct reader *r, const struct cfg_setting *s, bool disks)
{
	struct parvus_config *c = r->c;
	char at[300];
	size_t i;
	int ret;

	if (s->value.kind != CFG_LIST)
		return wrong(r, s, "a list of texts is expected, not %s", shown(&s->value));
	if (!s->value.n)
		return 0;
	if (disks)
		c->disks = calloc(s->value.n, sizeof(*c->disks));
	else
		c->vifs = calloc(s->value.n, sizeof(*c->vifs));
	if (disks ? !c->disks : !c->vifs)
		return pv_fail(r->error, ENOMEM, "no memory");
	place(s, at, sizeof(at));
	for (i = 0; i < s->value.n; i++) {
		const struct cfg_value *v = &s->value.items[i];

		if (v->kind != CFG_STRING)
			return wrong(r, s, "a list of texts is expected; entry %zu is %s", i + 1,
				     shown(v));
		if (disks)
			ret = pv_disk_parse(r->error, at, v->text, &c->disks[c->ndisks++]);
		else
			ret = pv_vif_parse(r->error, at, v->text, &c->vifs[c->nvifs++]);
		if (ret)
			return ret;
	}
	return 0;
}

static int read_type(struct reader *r, const struct cfg_setting *s)
{
	if (s->value.kind == CFG_STRING && (!strcmp(s->value.text, "pv") ||
					    !strcmp(s->value.text, "generic")))
		return 0;
	return wrong(r, s, "\"pv\" is expected, not %s: there are no other domains here",
		     shown(&s->value));
}

/* As xl writes it; what it is for, here, is to be shown. */
static int read_uuid(struct reader *r, const struct cfg_setting *s)
{
	const char *text = s->value.text;
	size_t i;

	for (i = 0; s->value.kind == CFG_STRING && i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' :
		    !strchr("0123456789abcdefABCDEF", text[i]) || !text[i])
			break;
	if (s->value.kind != CFG_STRING || i < 36 || text[36])
		return wrong(r, s, "a UUID such as 01234567-89ab-cdef-0123-456789abcdef is "
			     "expected, not %s", shown(&s->value));
	return get_text(r, s, &r->c->uuid);
}

/* 0, "" and [] are what a template says that means none. */
static bool says_something(const struct cfg_value *v)
{
	return v->kind == CFG_LIST ? v->n > 0 : v->kind == CFG_STRING ? v->text[0] != 0 :
	       v->number != 0;
}

static int read_other(struct reader *r, const struct cfg_setting *s)
{
	bool refused = false;
	const char *why = pv_option_why(s->key, &refused);

	if (!why)
		return warn(r, s, "unknown key, ignored");
	if (!refused)
		return warn(r, s, why);
	return says_something(&s->value) ? wrong(r, s, "%s, so %s cannot be had", why,
						 shown(&s->value)) : 0;
}

/* A text, or a list of them as xl has it; their words are told apart by blanks. */
static int get_boot_args(struct reader *r, const struct cfg_setting *s)
{
	char *more = NULL;
	size_t i;

	if (s->value.kind != CFG_LIST)
		return get_text(r, s, &r->bootloader_args);
	for (i = 0; i < s->value.n; i++) {
		if (s->value.items[i].kind != CFG_STRING)
			return wrong(r, s, "a list of texts is expected; entry %zu is %s", i + 1,
				     shown(&s->value.items[i]));
		if (asprintf(&more, "%s%s%s", r->bootloader_args ? r->bootloader_args : "",
			     r->bootloader_args ? " " : "", s->value.items[i].text) < 0)
			return pv_fail(r->error, ENOMEM, "no memory");
		free(r->bootloader_args);
		r->bootloader_args = more;
	}
	return 0;
}

/* One policy, or a list of registers as xl has it: those stand on lines. */
static int get_cpuid(struct reader *r, const struct cfg_setting *s)
{
	const struct cfg_value *v = &s->value;
	const struct cfg_value *items = v->kind == CFG_LIST ? v->items : v;
	size_t i, n = v->kind == CFG_LIST ? v->n : 1;
	struct parvus_error why;
	char *more;

	free(r->c->cpuid);
	r->c->cpuid = NULL;
	if (v->kind == CFG_STRING && !v->text[0])
		return 0;
	for (i = 0; i < n; i++) {
		if (items[i].kind != CFG_STRING || strchr(items[i].text, '\n'))
			return wrong(r, s, "host, a level, or a list of leaf:register=bits is "
				     "expected, not %s", shown(&items[i]));
		if (asprintf(&more, "%s%s%s", r->c->cpuid ? r->c->cpuid : "",
			     r->c->cpuid ? "\n" : "", items[i].text) < 0)
			return pv_fail(r->error, ENOMEM, "no memory");
		free(r->c->cpuid);
		r->c->cpuid = more;
	}
	if (!r->c->cpuid || !pv_cpuid_check(&why, r->c->cpuid))
		return 0;
	return wrong(r, s, "%s", why.text + strlen("cpuid: "));
}

static int read_setting(struct reader *r, const struct cfg_setting *s)
{
	struct parvus_config *c = r->c;
	const char *k = s->key;
	uint32_t flag = 0;
	int ret;

	if (!strcmp(k, "name"))
		return get_text(r, s, &c->name);
	if (!strcmp(k, "kernel"))
		return get_path(r, s, &c->kernel);
	if (!strcmp(k, "ramdisk"))
		return get_path(r, s, &c->ramdisk);
	if (!strcmp(k, "cmdline"))
		return get_text(r, s, &c->cmdline);
	if (!strcmp(k, "extra"))
		return get_text(r, s, &r->extra);
	if (!strcmp(k, "root"))
		return get_text(r, s, &r->root);
	if (!strcmp(k, "memory"))
		return get_number(r, s, 2, MAX_MIB, &c->memory);
	if (!strcmp(k, "maxmem"))
		return get_number(r, s, 2, MAX_MIB, &c->maxmem);
	if (!strcmp(k, "vcpus"))
		return get_u32(r, s, 1, PARVUS_MAX_VCPUS, &c->vcpus);
	if (!strcmp(k, "maxvcpus"))
		return get_u32(r, s, 1, PARVUS_MAX_VCPUS, &c->maxvcpus);
	if (!strcmp(k, "cpus"))
		return get_cpus(r, s);
	if (!strcmp(k, "cpu_weight"))
		return get_u32(r, s, 1, 65535, &c->weight);
	if (!strcmp(k, "cpu"))
		return get_cpus(r, s);
	if (!strcmp(k, "cap") || !strcmp(k, "cpu_cap"))
		return get_u32(r, s, 0, 100 * PARVUS_MAX_VCPUS, &c->cap);
	if (!strcmp(k, "on_poweroff"))
		return get_action(r, s, &c->on_poweroff);
	if (!strcmp(k, "on_reboot"))
		return get_action(r, s, &c->on_reboot);
	if (!strcmp(k, "on_crash"))
		return get_action(r, s, &c->on_crash);
	if (!strcmp(k, "overcommit")) {
		ret = get_u32(r, s, 0, 1, &flag);
		c->overcommit = flag;
		return ret;
	}
	if (!strcmp(k, "disk"))
		return devices(r, s, true);
	if (!strcmp(k, "vif"))
		return devices(r, s, false);
	if (!strcmp(k, "device") || !strcmp(k, "channel"))
		return own_devices(r, s);
	if (!strcmp(k, "type") || !strcmp(k, "builder"))
		return read_type(r, s);
	if (!strcmp(k, "bootloader"))
		return get_text(r, s, &r->bootloader);
	/* xl's old name of them, which Ganeti writes */
	if (!strcmp(k, "bootloader_args") || !strcmp(k, "bootargs"))
		return get_boot_args(r, s);
	if (!strcmp(k, "uuid"))
		return read_uuid(r, s);
	if (!strcmp(k, "cpuid"))
		return get_cpuid(r, s);
	return read_other(r, s);
}

static const char *model_warning(const struct parvus_vif *v)
{
	return v->model ? "vif: model means nothing to a paravirtual interface, ignored" :
	       v->gatewaydev ? "vif: gatewaydev means nothing here, ignored" : NULL;
}

/* Numbers of disks and interfaces, and that each is there once. */
static int settle_devices(struct reader *r, const char *file)
{
	struct parvus_config *c = r->c;
	char at[300];
	size_t i, k;
	int ret;

	for (i = 0; i < c->ndisks; i++) {
		snprintf(at, sizeof(at), "%s: disk", file);
		ret = pv_disk_settle(r->error, at, &c->disks[i]);
		if (ret)
			return ret;
		for (k = 0; k < i; k++)
			if (pv_disk_inside(&c->disks[k], &c->disks[i]))
				return pv_fail(r->error, EINVAL,
					       "%s: disk: %s and %s: a disk that is given whole "
					       "has the partitions that are on it",
					       file, c->disks[k].vdev, c->disks[i].vdev);
			else if (c->disks[k].index == c->disks[i].index)
				return pv_fail(r->error, EINVAL,
					       "%s: disk: %s and %s are the same disk",
					       file, c->disks[k].vdev, c->disks[i].vdev);
	}
	for (i = 0; i < c->nvifs; i++) {
		int index = 0;

		/* those that say their number have it; the others what is free, in order */
		for (k = 0; c->vifs[i].index < 0 && k < c->nvifs; k++)
			if (c->vifs[k].index == index) {
				index++;
				k = (size_t)-1;
			}
		if (index >= (int)PARVUS_DEVICES_DOMAIN)
			return pv_fail(r->error, EINVAL, "%s: vif: %u interfaces at most", file,
				       PARVUS_DEVICES_DOMAIN);
		ret = pv_vif_settle(r->error, c->name, index, &c->vifs[i]);
		for (k = 0; !ret && k < i; k++)
			if (c->vifs[k].index == c->vifs[i].index)
				return pv_fail(r->error, EINVAL, "%s: vif: devid=%d is given twice",
					       file, c->vifs[i].index);
		for (k = 0; !ret && k < i; k++)
			if (c->vifs[i].has_mac && c->vifs[k].has_mac &&
			    !memcmp(c->vifs[k].mac, c->vifs[i].mac, sizeof(c->vifs[i].mac))) {
				snprintf(at, sizeof(at), "vif: interfaces %d and %d have the "
					 "same mac", c->vifs[k].index, c->vifs[i].index);
				ret = warn(r, NULL, at);
			}
		if (!ret && model_warning(&c->vifs[i]))
			ret = warn(r, NULL, model_warning(&c->vifs[i]));
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * Without a kernel: pygrub, by whatever path, is played by guest_boot.c, and what there is of the
 * packaged kernel is for a disk that has none. No other boot loader is.
 */
static int packaged_kernel(struct reader *r, const char *file)
{
	const char *dir = getenv("PARVUS_LIB_DIR"), *name = strrchr(r->bootloader, '/');
	char *text;
	int ret;

	free(r->c->kernel);
	if (asprintf(&r->c->kernel, "%s/vmlinuz", dir && *dir ? dir : PARVUS_LIB_DIR) < 0) {
		r->c->kernel = NULL;
		return pv_fail(r->error, ENOMEM, "no memory");
	}
	if (!strcmp(name ? name + 1 : r->bootloader, "pygrub")) {
		r->c->bootloader = strdup("pygrub");
		if (!r->c->bootloader)
			return pv_fail(r->error, ENOMEM, "no memory");
		r->c->bootloader_args = r->bootloader_args;
		r->bootloader_args = NULL;
		return 0;
	}
	if (asprintf(&text, "%s: bootloader: %s does not run here (pygrub does), the kernel is %s",
		     file, r->bootloader, r->c->kernel) < 0)
		return pv_fail(r->error, ENOMEM, "no memory");
	ret = warn(r, NULL, text);
	free(text);
	return ret;
}

/* What needs more than one key. */
static int settle(struct reader *r, const char *file)
{
	struct parvus_config *c = r->c;
	char what[160];
	int n;

	if (!c->name)
		return pv_fail(r->error, EINVAL, "%s: no name is given (name = \"...\")", file);
	if (!parvus_name_ok(c->name))
		return pv_fail(r->error, EINVAL,
			       "%s: name: 1 to %u letters, digits, . _ + - are expected, and not a "
			       "number alone: \"%.40s\"",
			       file, PARVUS_NAME_BYTES - 1, c->name);
	if ((!c->kernel || !c->kernel[0]) && r->bootloader && r->bootloader[0]) {
		n = packaged_kernel(r, file);
		if (n)
			return n;
	}
	if (!c->kernel || !c->kernel[0])
		return pv_fail(r->error, EINVAL, "%s: no kernel is given (kernel = \"FILE\")",
			       file);
	if (r->bootloader_args && r->bootloader_args[0] &&
	    warn(r, NULL, "bootloader_args is for bootloader = \"pygrub\" without kernel, ignored"))
		return -ENOMEM;
	if (c->ramdisk && !c->ramdisk[0]) {
		free(c->ramdisk);
		c->ramdisk = NULL;
	}
	if (!c->memory)
		c->memory = c->maxmem ? c->maxmem : 256;
	if (!c->maxmem)
		c->maxmem = c->memory;
	if (c->maxmem < c->memory)
		return pv_fail(r->error, EINVAL, "%s: maxmem (%llu) is less than memory (%llu)",
			       file, (unsigned long long)c->maxmem, (unsigned long long)c->memory);
	if (!c->vcpus)
		c->vcpus = c->maxvcpus ? c->maxvcpus : 1;
	if (!c->maxvcpus)
		c->maxvcpus = c->vcpus;
	if (c->maxvcpus < c->vcpus)
		return pv_fail(r->error, EINVAL, "%s: maxvcpus (%u) is less than vcpus (%u)", file,
			       c->maxvcpus, c->vcpus);
	if (r->sets > c->maxvcpus) {
		snprintf(what, sizeof(what), "cpus: %zu sets, and there are %u vCPUs (maxvcpus): "
			 "the last are ignored", r->sets, c->maxvcpus);
		if (warn(r, NULL, what))
			return -ENOMEM;
	}
	if (c->cmdline && (r->extra || r->root))
		return warn(r, NULL, "cmdline is given: extra and root are ignored");
	if (!c->cmdline && (r->extra || r->root)) {
		n = asprintf(&c->cmdline, "%s%s%s%s", r->root ? "root=" : "",
			     r->root ? r->root : "", r->root && r->extra ? " " : "",
			     r->extra ? r->extra : "");
		if (n < 0) {
			c->cmdline = NULL;
			return pv_fail(r->error, ENOMEM, "no memory");
		}
	}
	return 0;
}

int parvus_config_parse(struct parvus_error *e, const char *file, const char *text, size_t bytes,
			char *const overrides[], size_t n, struct parvus_config **out)
{
	struct reader r = { .error = e };
	size_t i;
	int ret;

	*out = NULL;
	r.c = calloc(1, sizeof(*r.c));
	if (!r.c)
		return pv_fail(e, ENOMEM, "no memory");
	r.c->weight = 256;
	r.c->on_poweroff = PARVUS_ACTION_DESTROY;
	r.c->on_reboot = PARVUS_ACTION_RESTART;
	r.c->on_crash = PARVUS_ACTION_DESTROY;
	ret = cfg_parse(e, &r.cfg, file, text, bytes, false);
	for (i = 0; !ret && i < n; i++)
		ret = cfg_parse(e, &r.cfg, "command line", overrides[i], strlen(overrides[i]),
				true);
	for (i = 0; !ret && i < r.cfg.n; i++) {
		const struct cfg_setting *s = &r.cfg.settings[i];

		if (s->again)
			ret = warn(&r, s,
				   "is given again, only this value counts (+= adds to one)");
		ret = ret ?: read_setting(&r, s);
	}
	if (!ret)
		ret = settle(&r, file);
	if (!ret)
		ret = settle_devices(&r, file);
	cfg_free(&r.cfg);
	free(r.extra);
	free(r.root);
	free(r.bootloader);
	free(r.bootloader_args);
	if (ret) {
		parvus_config_free(r.c);
		return ret;
	}
	*out = r.c;
	return 0;
}

int parvus_config_load(struct parvus_error *e, const char *file, char *const overrides[], size_t n,
		       struct parvus_config **c)
{
	void *text = NULL;
	size_t bytes = 0;
	int ret;

	*c = NULL;
	if (file) {
		ret = pv_read_file(e, file, 1u << 20, &text, &bytes);
		if (ret)
			return ret;
	}
	ret = parvus_config_parse(e, file ? file : "command line", text ? text : "", bytes,
				  overrides, n, c);
	free(text);
	return ret;
}

void parvus_config_uuid(const struct parvus_config *c, const struct parvus_control_info *i,
			char uuid[40])
{
	unsigned long long a = i->generation_id[0], b = i->generation_id[1];

	if (i->flags & PARVUS_INFO_CONTROL)
		a = b = 0;
	if (c && c->uuid)
		snprintf(uuid, 40, "%s", c->uuid);
	else
		snprintf(uuid, 40, "%08llx-%04llx-%04llx-%04llx-%012llx", a >> 32, a >> 16 & 0xffff,
			 a & 0xffff, b >> 48, b & 0xffffffffffffull);
}

void parvus_config_free(struct parvus_config *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->ndisks; i++)
		pv_disk_free(&c->disks[i]);
	for (i = 0; i < c->nvifs; i++)
		pv_vif_free(&c->vifs[i]);
	for (i = 0; i < c->nown; i++)
		pv_own_free(&c->own[i]);
	for (i = 0; i < c->nwarnings; i++)
		free(c->warnings[i]);
	free(c->own);
	free(c->disks);
	free(c->vifs);
	free(c->warnings);
	free(c->name);
	free(c->kernel);
	free(c->ramdisk);
	free(c->cmdline);
	free(c->uuid);
	free(c->bootloader);
	free(c->bootloader_args);
	free(c->cpuid);
	free(c);
}

static void put_text(FILE *f, const char *key, const char *text)
{
	const unsigned char *p;

	fprintf(f, "%s%s\"", key, key[0] ? " = " : "");
	for (p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(f, "\\%c", *p);
		else if (*p < ' ' || *p == 127)
			fprintf(f, "\\x%02x", *p);
		else
			fputc(*p, f);
	}
	fprintf(f, "\"%s", key[0] ? "\n" : "");
}

int parvus_config_text(struct parvus_error *e, const struct parvus_config *c, char **text)
{
	bool pinned = false, alike = true;
	size_t bytes, i;
	FILE *f;

	*text = NULL;
	f = open_memstream(text, &bytes);
	if (!f)
		return pv_fail(e, ENOMEM, "no memory");
	put_text(f, "name", c->name);
	if (c->uuid)
		put_text(f, "uuid", c->uuid);
	if (c->bootloader)
		put_text(f, "bootloader", c->bootloader);
	else
		put_text(f, "kernel", c->kernel);
	if (c->bootloader_args && c->bootloader_args[0])
		put_text(f, "bootloader_args", c->bootloader_args);
	if (c->ramdisk)
		put_text(f, "ramdisk", c->ramdisk);
	if (c->cmdline)
		put_text(f, "cmdline", c->cmdline);
	fprintf(f, "memory = %llu\nmaxmem = %llu\nvcpus = %u\nmaxvcpus = %u\n",
		(unsigned long long)c->memory, (unsigned long long)c->maxmem, c->vcpus,
		c->maxvcpus);
	fprintf(f, "cpu_weight = %u\ncap = %u\novercommit = %d\n", c->weight, c->cap,
		c->overcommit);
	for (i = 0; i < PARVUS_MAX_VCPUS; i++) {
		struct parvus_cpus set = c->affinity[i];

		pinned |= parvus_cpus_keep(&set, CPUS);
		alike &= !memcmp(&set, &c->affinity[0], sizeof(set));
	}
	for (i = 0; pinned && i < (alike ? 1 : c->maxvcpus); i++) {
		struct parvus_cpus set = c->affinity[i];
		char cpus[600];

		if (!parvus_cpus_keep(&set, CPUS))
			memset(&set, 0xff, sizeof(set));
		parvus_cpus_text(&set, CPUS, cpus, sizeof(cpus));
		fprintf(f, "%s\"%s\"", i ? ", " : alike ? "cpus = " : "cpus = [", cpus);
	}
	if (pinned)
		fprintf(f, "%s\n", alike ? "" : "]");
	if (c->cpuid) {
		bool list = c->cpuid[0] <= '9' || strchr(c->cpuid, '\n');

		/* no part of it has a character that a text would have to escape */
		fprintf(f, "cpuid = %s\"", list ? "[" : "");
		for (i = 0; c->cpuid[i]; i++)
			if (c->cpuid[i] == '\n')
				fprintf(f, "\", \"");
			else
				fputc(c->cpuid[i], f);
		fprintf(f, "\"%s\n", list ? "]" : "");
	}
	fprintf(f, "on_poweroff = \"%s\"\non_reboot = \"%s\"\non_crash = \"%s\"\n",
		parvus_action_text(c->on_poweroff), parvus_action_text(c->on_reboot),
		parvus_action_text(c->on_crash));
	if (c->ndisks) {
		fprintf(f, "disk = [\n");
		for (i = 0; i < c->ndisks; i++) {
			fprintf(f, "\t");
			put_text(f, "", c->disks[i].spec);
			fprintf(f, ",\n");
		}
		fprintf(f, "]\n");
	}
	if (c->nvifs) {
		fprintf(f, "vif = [\n");
		for (i = 0; i < c->nvifs; i++) {
			fprintf(f, "\t");
			put_text(f, "", c->vifs[i].spec);
			fprintf(f, ",\n");
		}
		fprintf(f, "]\n");
	}
	if (c->nown) {
		fprintf(f, "device = [\n");
		for (i = 0; i < c->nown; i++) {
			fprintf(f, "\t");
			put_text(f, "", c->own[i].spec);
			fprintf(f, ",\n");
		}
		fprintf(f, "]\n");
	}
	if (fclose(f)) {
		free(*text);
		*text = NULL;
		return pv_fail(e, ENOMEM, "no memory");
	}
	return 0;
}
