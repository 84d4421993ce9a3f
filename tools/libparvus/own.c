// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: entries of device = [...]: devices of classes of one's own, which this library knows
 * nothing about but how they are made, served and let go of. key=value[,...]. And names of classes.
 */
#include "spec.h"
#include "../agent/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- classes ------------------------------------------------------------------------- */

void parvus_classes(void (*each)(void *arg, uint32_t number, const char *name), void *arg)
{
	static const struct {
		uint32_t number;
		const char *name;
	} ours[] = {
		{ PARVUS_CLASS_CONSOLE, "console" }, { PARVUS_CLASS_BLOCK, "block" },
		{ PARVUS_CLASS_NETWORK, "network" }, { PARVUS_CLASS_TEST, "test" },
		{ PARVUS_CLASS_STREAM, "stream" },
	};
	const char *path = getenv("PARVUS_CLASSES");
	char line[200], name[PARVUS_CLASS_NAME];
	unsigned int number, lines = 0;
	size_t i;
	FILE *f;

	for (i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		each(arg, ours[i].number, ours[i].name);
	f = fopen(path && *path ? path : "/etc/parvus/classes", "re");
	while (f && lines++ < 1000 && fgets(line, sizeof(line), f))
		if (sscanf(line, "%i %31[a-z0-9_]", (int *)&number, name) == 2 &&
		    number >= PARVUS_CLASS_OWN && (name[0] < '0' || name[0] > '9'))
			each(arg, number, name);
	if (f)
		fclose(f);
}

struct sought {
	uint32_t number;
	const char *name;	/* NULL: of the number */
	char found[PARVUS_CLASS_NAME];
};

static void look(void *arg, uint32_t number, const char *name)
{
	struct sought *s = arg;

	if (s->found[0] || (s->name ? strcmp(s->name, name) != 0 : s->number != number))
		return;
	s->number = number;
	snprintf(s->found, sizeof(s->found), "%s", name);
}

void parvus_class_name(uint32_t number, char name[PARVUS_CLASS_NAME])
{
	struct sought s = { .number = number };

	parvus_classes(look, &s);
	memcpy(name, s.found, PARVUS_CLASS_NAME);
}

int parvus_class_number(struct parvus_error *e, const char *text, uint32_t *number)
{
	struct sought s = { .name = text };
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (text[0] >= '0' && text[0] <= '9' && !*end && !errno && n && n <= UINT32_MAX) {
		*number = (uint32_t)n;
		return 0;
	}
	parvus_classes(look, &s);
	*number = s.number;
	return s.found[0] ? 0 : pv_fail(e, EINVAL, "%.40s: a class is expected: a number such as "
					"0x101, or a name of parvus-device classes", text);
}

/* ---- device = [...] ------------------------------------------------------------------- */

static int own_number(const struct spec *s, const char *key, const char *text, uint32_t min,
		      uint32_t *to)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (text[0] < '0' || text[0] > '9' || *end || errno || n < min || n > UINT32_MAX)
		return pv_spec_wrong(s, "%s is not a number from %#x to 0xffffffff: \"%.40s\"", key,
				     min, text);
	*to = (uint32_t)n;
	return 0;
}

/* Absolute, so that a restart from elsewhere finds it. */
static int own_path(const struct spec *s, char **to, const char *key, const char *text)
{
	char *cwd, *path = NULL;
	int ret;

	if (!*text)
		return pv_spec_wrong(s, "%s= needs the path of a file", key);
	if (*text == '/')
		return pv_spec_set(s, to, text);
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&path, "%s/%s", cwd, text) < 0)
		path = NULL;
	free(cwd);
	ret = path ? pv_spec_set(s, to, path) : pv_fail(s->error, ENOMEM, "no memory");
	free(path);
	return ret;
}

/* A file of that name is in the domain. */
static bool channel_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789._-");

	return n && n <= 64 && !name[n] && name[0] != '.' && name[0] != '-';
}

static int own_option(const struct spec *s, struct parvus_own *d, const char *key,
		      const char *value)
{
	if (!strcmp(key, "class")) {
		struct parvus_error why;

		if (parvus_class_number(&why, value, &d->device_class))
			return pv_spec_wrong(s, "%s", why.text);
		return d->device_class >= PARVUS_CLASS_OWN ? 0 :
			pv_spec_wrong(s, "class %s is none of one's own: those begin at %#x", value,
				      PARVUS_CLASS_OWN);
	}
	if (!strcmp(key, "index"))
		return own_number(s, "index", value, 0, &d->index);
	if (!strcmp(key, "detach"))
		return own_number(s, "detach", value, 1, &d->detach);
	if (!strcmp(key, "config"))
		return own_path(s, &d->config, key, value);
	if (!strcmp(key, "program"))
		return own_path(s, &d->program, key, value);
	if (!strcmp(key, "backend"))
		return pv_spec_set(s, &d->backend, value);
	if (!strcmp(key, "channel"))
		return channel_ok(value) ? pv_spec_set(s, &d->channel, value) :
			pv_spec_wrong(s, "channel: 1 to 64 letters, digits, . _ - are expected, "
				      "not \"%.70s\"", value);
	if (!strcmp(key, "connection"))
		return !strcmp(value, "socket") || !strcmp(value, "pty") ?
			pv_spec_set(s, &d->connection, value) :
			pv_spec_wrong(s, "connection: socket or pty is expected, not \"%.40s\"",
				      value);
	if (!strcmp(key, "path"))
		return own_path(s, &d->path, key, value);
	return pv_spec_wrong(s, "\"%s\" is an unknown key (class, index, config, backend, program, "
				"detach)", key);
}

/* The text that gives it again, wherever it is read. */
static int own_text(struct parvus_error *e, struct parvus_own *d)
{
	char detach[24] = "", *text;

	if (d->detach)
		snprintf(detach, sizeof(detach), ",detach=%#x", d->detach);
	if (asprintf(&text, "class=%#x,index=%u%s%s%s%s%s%s%s%s%s%s%s%s%s", d->device_class,
		     d->index, d->channel ? ",channel=" : "", d->channel ? d->channel : "",
		     d->connection ? ",connection=" : "", d->connection ? d->connection : "",
		     d->path ? ",path=" : "", d->path ? d->path : "",
		     d->config ? ",config=" : "", d->config ? d->config : "",
		     d->backend ? ",backend=" : "", d->backend ? d->backend : "",
		     d->program ? ",program=" : "", d->program ? d->program : "", detach) < 0)
		return pv_fail(e, ENOMEM, "no memory");
	free(d->spec);
	d->spec = text;
	return 0;
}

int pv_own_parse(struct parvus_error *e, const char *where, const char *text, struct parvus_own *d)
{
	const struct spec s = { .error = e, .where = where, .text = text };
	char *copy = strdup(text), *at = copy, *next;
	int ret = 0;

	if (!copy)
		return pv_fail(e, ENOMEM, "no memory");
	for (; at && !ret; at = next) {
		char *key, *value;

		next = strchr(at, ',');
		if (next)
			*next++ = 0;
		key = pv_spec_trim(at);
		value = strchr(key, '=');
		if (!value) {
			ret = pv_spec_wrong(&s, "key=value is expected, not \"%s\"", key);
			break;
		}
		*value++ = 0;
		ret = own_option(&s, d, pv_spec_trim(key), pv_spec_trim(value));
	}
	free(copy);
	if (!ret && !d->device_class)
		ret = pv_spec_wrong(&s, "no class is given, such as class=%#x", PARVUS_CLASS_OWN);
	if (!ret && (d->channel || d->connection || d->path) &&
	    (!d->channel || !d->connection || !d->path || d->config ||
	     d->device_class != PARVUS_CLASS_STREAM))
		ret = pv_spec_wrong(&s, "channel %.64s: it is of the class stream, and has a name, "
				    "a connection (socket or pty) and a path",
				    d->channel ? d->channel : "\"\"");
	if (!ret && d->path && strlen(d->path) > 107)
		ret = pv_spec_wrong(&s, "path=%.40s...: a socket has a path of 107 bytes at most",
				    d->path);
	if (!ret && d->program && d->backend)
		ret = pv_spec_wrong(&s, "program=%s runs here, and backend=%s is elsewhere",
				    d->program, d->backend);
	return ret ? ret : own_text(e, d);
}

int parvus_own_parse(struct parvus_error *e, const char *spec, struct parvus_own *d)
{
	memset(d, 0, sizeof(*d));
	return pv_own_parse(e, "device", spec, d);
}

void pv_own_free(struct parvus_own *d)
{
	free(d->spec);
	free(d->config);
	free(d->backend);
	free(d->program);
	free(d->channel);
	free(d->connection);
	free(d->path);
}

void parvus_own_free(struct parvus_own *d)
{
	pv_own_free(d);
	memset(d, 0, sizeof(*d));
}

int parvus_own_device(struct parvus_error *e, const struct parvus_own *d,
		      struct parvus_device *device)
{
	size_t bytes;
	void *text;
	int ret;

	device->device_class = d->device_class;
	device->index = d->index;
	memset(device->config, 0, sizeof(device->config));
	if (d->channel)
		snprintf((char *)device->config, sizeof(device->config), "channel %s%c%s%c%s",
			 d->channel, 0, d->connection, 0, d->path);
	if (!d->config)
		return 0;
	ret = pv_read_file(e, d->config, sizeof(device->config), &text, &bytes);
	if (ret)
		return ret;
	memcpy(device->config, text, bytes);
	free(text);
	return 0;
}
