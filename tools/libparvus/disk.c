// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: entries of disk = [...], in the syntax of xl (xl-disk-configuration(5)):
 * [target, [format, [vdev, [access]]]][, key=value | flag]...; target= goes to the end of the
 * text. Old: phy:PATH,VDEV,ACCESS, and drbd:NAME for a script. Keys of our own: iops, bps, queues.
 */
#include "spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DISKS		18278u	/* a to zzz */
#define PARTITION_SHIFT	16

static bool one_of(const char *text, const char *const list[])
{
	for (; *list; list++)
		if (!strcmp(text, *list))
			return true;
	return false;
}

static int disk_format(const struct spec *s, struct parvus_disk *d, const char *text)
{
	static const char *const formats[] = { "raw", "qcow", "qcow2", "vhd", "qed", NULL };

	if (!*text)
		return 0;
	if (!one_of(text, formats))
		return pv_spec_wrong(s, "the format is not raw, qcow, qcow2, vhd or qed: \"%s\"",
				     text);
	return pv_spec_set(s, &d->format, text);
}

/* xvda, xvda1, sda3, hda, d0, d0p1 */
static int disk_vdev(const struct spec *s, struct parvus_disk *d, const char *text)
{
	static const char *const kinds[] = { "xvd", "sd", "hd", "vd", NULL };
	size_t i, n;

	for (i = 0; kinds[i]; i++) {
		n = strlen(kinds[i]);
		if (!strncmp(text, kinds[i], n)) {
			const char *p = text + n;
			size_t letters = strspn(p, "abcdefghijklmnopqrstuvwxyz");
			size_t digits = strspn(p + letters, "0123456789");

			if (letters >= 1 && letters <= 3 && digits <= 3 && !p[letters + digits])
				return pv_spec_set(s, &d->vdev, text);
		}
	}
	if (text[0] == 'd') {
		n = 1 + strspn(text + 1, "0123456789");
		if (n > 1 && text[n] == 'p' && text[n + 1]) {
			size_t digits = strspn(text + n + 1, "0123456789");

			n += 1 + digits;
		}
		if (n > 1 && !text[n] && n < 12)
			return pv_spec_set(s, &d->vdev, text);
	}
	return pv_spec_wrong(s, "the device is not named as xvda, xvda1 or d0p1: \"%s\"", text);
}

/* "" or the number of a partition, behind what names the disk; -1 = neither. */
static int partition_number(const char *text)
{
	uint64_t n;

	if (!*text)
		return 0;
	return parvus_number_parse(text, 1, 999, &n) && *text != '0' ? (int)n : -1;
}

/* Number of the disk, and above it that of a partition, which is a disk of its own. */
static int disk_index(unsigned int disk, const char *partition)
{
	int n = partition_number(partition);

	return n < 0 || disk >= DISKS ? -1 : n << PARTITION_SHIFT | (int)disk;
}

int parvus_disk_index(const char *vdev)
{
	static const char *const kinds[] = { "xvd", "sd", "hd", "vd" };
	unsigned int index = 0, i;
	size_t n;

	if (vdev[0] == 'd') {
		n = strspn(++vdev, "0123456789");
		if (!n || n > 5 || (vdev[n] && (vdev[n] != 'p' || !vdev[n + 1])))
			return -1;
		return disk_index((unsigned int)strtoul(vdev, NULL, 10),
				  vdev[n] ? vdev + n + 1 : "");
	}
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strncmp(vdev, kinds[i], strlen(kinds[i])))
			break;
	if (i == sizeof(kinds) / sizeof(*kinds))
		return -1;
	vdev += strlen(kinds[i]);
	n = strspn(vdev, "abcdefghijklmnopqrstuvwxyz");
	if (!n || n > 3)
		return -1;
	for (; n; n--)
		index = index * 26 + (unsigned int)(*vdev++ - 'a' + 1);
	return disk_index(index - 1, vdev);
}

void parvus_disk_name(uint32_t index, char name[16])
{
	char letters[8], *p = letters + sizeof(letters) - 1;
	unsigned int partition = index >> PARTITION_SHIFT;

	*p = 0;
	for (index = (index & ((1u << PARTITION_SHIFT) - 1)) + 1; index && p > letters; index /= 26)
		*--p = (char)('a' + --index % 26);
	snprintf(name, 16, partition ? "xvd%s%u" : "xvd%s", p, partition);
}

static int disk_backendtype(const struct spec *s, struct parvus_disk *d, const char *text)
{
	static const char *const types[] = { "phy", "qdisk", "program", NULL };

	if (!one_of(text, types))
		return pv_spec_wrong(s, "the backendtype is not phy, qdisk or program: \"%s\"",
				     text);
	d->program = !strcmp(text, "program");
	return pv_spec_set(s, &d->backendtype, text);
}

static int disk_access(const struct spec *s, struct parvus_disk *d, const char *text)
{
	size_t n = strlen(text);

	if (n && text[n - 1] == '!') {
		d->shared = true;
		n--;
	}
	if (!n || (n == 1 && *text == 'w') || (n == 2 && !strncmp(text, "rw", 2)))
		return 0;
	if ((n != 1 || *text != 'r') && (n != 2 || strncmp(text, "ro", 2)))
		return pv_spec_wrong(s, "the access is not r, ro, w or rw: \"%s\"", text);
	d->readonly = true;
	return 0;
}

static void cdrom(struct parvus_disk *d)
{
	d->cdrom = true;
	d->readonly = true;
}

/* 1 = not a flag or key=value. */
static int disk_option(const struct spec *s, struct parvus_disk *d, char *text)
{
	char *value = strchr(text, '=');

	if (!value) {
		if (!strcmp(text, "cdrom"))
			cdrom(d);
		else if (!strcmp(text, "discard"))
			d->discard = true;
		else if (!strcmp(text, "no-discard"))
			d->no_discard = true;
		else
			return strcmp(text, "direct-io-safe") != 0;
		return 0;
	}
	/* a path may hold an equals sign */
	if (strchr(text, '/') && strchr(text, '/') < value)
		return 1;
	*value++ = 0;
	value = pv_spec_trim(value);
	text = pv_spec_trim(text);
	if (!strcmp(text, "format"))
		return disk_format(s, d, value);
	if (!strcmp(text, "vdev"))
		return disk_vdev(s, d, value);
	if (!strcmp(text, "access"))
		return disk_access(s, d, value);
	if (!strcmp(text, "backend"))
		return pv_spec_set(s, &d->backend, value);
	if (!strcmp(text, "backendtype"))
		return disk_backendtype(s, d, value);
	if (!strcmp(text, "script"))
		return pv_spec_set(s, &d->script, value);
	if (!strcmp(text, "iops"))
		return pv_spec_number(s, "iops", value, 0, UINT32_MAX, &d->iops);
	if (!strcmp(text, "queues"))
		return pv_spec_number(s, "queues", value, 0, PARVUS_LINK_QUEUES, &d->queues);
	if (!strcmp(text, "bps"))
		return parvus_size_parse(value, &d->bps) ? 0 :
			pv_spec_wrong(s, "bps is not bytes in a second, such as 20M: \"%s\"",
				      value);
	if (!strcmp(text, "devtype")) {
		if (!strcmp(value, "cdrom"))
			cdrom(d);
		return strcmp(value, "cdrom") && strcmp(value, "disk") ?
			       pv_spec_wrong(s, "the devtype is not disk or cdrom: \"%s\"",
					     value) :
			       0;
	}
	return pv_spec_wrong(s, "\"%s\" is an unknown key (format, vdev, access, devtype, backend, "
				"backendtype, script, iops, bps, queues, target)", text);
}

static int disk_target(const struct spec *s, struct parvus_disk *d, const char *text, bool phy)
{
	/* phy:vg/lv is below /dev */
	if (phy && text[0] != '/') {
		if (asprintf(&d->target, "/dev/%s", text) < 0) {
			d->target = NULL;
			return pv_fail(s->error, ENOMEM, "no memory");
		}
		return 0;
	}
	return pv_spec_set(s, &d->target, text);
}

/* drbd:NAME is NAME with script=block-drbd, as in xl. */
static int script_prefix(const struct spec *s, struct parvus_disk *d, char **p, bool *old)
{
	static const char *const kinds[] = { "drbd:", "iscsi:", "nbd:", "enbd:", NULL };
	char script[16];
	size_t i;
	int ret;

	for (i = 0; kinds[i] && strncmp(*p, kinds[i], strlen(kinds[i])); i++)
		;
	if (!kinds[i])
		return 0;
	snprintf(script, sizeof(script), "block-%.*s", (int)strcspn(kinds[i], ":"), kinds[i]);
	*p += strlen(kinds[i]);
	*old = true;
	ret = pv_spec_set(s, &d->format, "raw");
	return ret ? ret : pv_spec_set(s, &d->script, script);
}

int pv_disk_parse(struct parvus_error *e, const char *where, const char *text,
		  struct parvus_disk *d)
{
	const struct spec s = { .error = e, .where = where, .text = text };
	char *copy = strdup(text), *at = copy, *next, *p;
	unsigned int position = 0;
	bool old = false;
	int ret = 0;

	if (!copy)
		return pv_fail(e, ENOMEM, "no memory");
	d->spec = strdup(text);
	if (!d->spec) {
		free(copy);
		return pv_fail(e, ENOMEM, "no memory");
	}
	for (; at && !ret; at = next) {
		p = at + strspn(at, " \t");
		if (!strncmp(p, "target=", 7)) {
			ret = pv_spec_set(&s, &d->target, pv_spec_trim(p + 7));
			break;
		}
		next = strchr(at, ',');
		if (next)
			*next++ = 0;
		p = pv_spec_trim(at);
		if (!position && !next && !*p) {
			ret = pv_spec_wrong(&s,
				"\"%s\" is no disk: TARGET,FORMAT,VDEV,ACCESS is expected",
					    text);
			break;
		}
		ret = disk_option(&s, d, p);
		if (ret <= 0)
			continue;
		ret = 0;
		/* by place; an old prefix leaves the format out */
		if (position == 0) {
			static const char *const prefixes[] = {
				"phy:", "file:", "raw:", "tap:aio:", "tap:tapdisk:aio:",
				"tap2:aio:", "tap2:tapdisk:aio:", NULL };
			size_t i;

			for (i = 0; prefixes[i] && !old; i++)
				if (!strncmp(p, prefixes[i], strlen(prefixes[i]))) {
					p += strlen(prefixes[i]);
					old = true;
				}
			if (old)
				ret = pv_spec_set(&s, &d->format, "raw");
			else
				ret = script_prefix(&s, d, &p, &old);
			if (!ret && *p)
				ret = disk_target(&s, d, p,
						  !strncmp(at + strspn(at, " \t"), "phy:", 4));
			position = old ? 2 : 1;
		} else if (position == 1) {
			ret = disk_format(&s, d, p);
			position++;
		} else if (position == 2) {
			char *colon = old ? strchr(p, ':') : NULL;

			if (colon && !strcmp(colon, ":cdrom")) {
				*colon = 0;
				cdrom(d);
			}
			if (*p)
				ret = disk_vdev(&s, d, p);
			position++;
		} else if (position == 3) {
			ret = disk_access(&s, d, p);
			position++;
		} else {
			ret = pv_spec_wrong(&s,
					    "\"%s\": one part more than target, format, "
					    "vdev and access", p);
		}
	}
	free(copy);
	if (ret)
		return ret;
	if (!d->vdev)
		return pv_spec_wrong(&s, "no vdev is given for %s, such as xvda",
				     d->target ? d->target : "it");
	if (d->target && !*d->target) {
		free(d->target);
		d->target = NULL;
	}
	if (!d->target && !d->cdrom)
		return pv_spec_wrong(&s, "no target is given for %s: a file or block device",
				     d->vdev);
	d->index = parvus_disk_index(d->vdev);
	if (!d->format)
		return pv_spec_set(&s, &d->format, "raw");
	return 0;
}

/* Absolute, so that a restart from elsewhere finds it. In a domain of its own it is a number. */
static int absolute(struct parvus_error *e, struct parvus_disk *d)
{
	char *cwd, *path;

	if (!d->target || d->target[0] == '/' || d->backend || pv_disk_scripted(d))
		return 0;
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&path, "%s/%s", cwd, d->target) < 0)
		path = NULL;
	free(cwd);
	if (!path)
		return pv_fail(e, ENOMEM, "no memory");
	free(d->target);
	d->target = path;
	return parvus_disk_text(e, d);
}

bool pv_disk_scripted(const struct parvus_disk *d)
{
	return d->script && strcmp(d->script, "block");
}

bool pv_disk_inside(const struct parvus_disk *a, const struct parvus_disk *b)
{
	int mask = (1 << PARTITION_SHIFT) - 1;

	return (a->index & mask) == (b->index & mask) && a->index != b->index &&
	       (a->index <= mask || b->index <= mask);
}

/* What is well said, but cannot be done; and the whole path. */
int pv_disk_settle(struct parvus_error *e, const char *where, struct parvus_disk *d)
{
	const struct spec s = { .error = e, .where = where, .text = d->spec };
	struct parvus_block_config c;

	if (d->index < 0)
		return pv_spec_wrong(&s, "%s is no disk: xvda to xvdzzz and d0 to d18277 are, and "
				     "partitions of them from 1 to 999", d->vdev);
	if (d->script && d->backend)
		return pv_spec_wrong(&s, "script=%s runs here, and backend=%s is elsewhere",
				     d->script, d->backend);
	if (pv_disk_scripted(d) && (d->program || strcmp(d->format, "raw")))
		return pv_spec_wrong(&s, "script=%s makes a block device, which is raw and served "
				     "by the kernel, not %s", d->script,
				     d->program ? "by a program" : d->format);
	if (pv_disk_scripted(d) && !d->target)
		return pv_spec_wrong(&s, "script=%s needs a target for %s", d->script, d->vdev);
	if (d->program && strcmp(d->format, "raw"))
		return pv_spec_wrong(&s, "backendtype=program serves raw files only, no %s",
				     d->format);
	if (d->program && !d->target)
		return pv_spec_wrong(&s, "backendtype=program needs a target for %s", d->vdev);
	if (d->program && strlen(d->target) >= sizeof(c.file))
		return pv_spec_wrong(&s,
				     "backendtype=program: a path of %zu bytes, and %zu fit",
				     strlen(d->target), sizeof(c.file) - 1);
	if (d->discard && d->no_discard)
		return pv_spec_wrong(&s, "discard and no-discard are both given for %s", d->vdev);
	return absolute(e, d);
}

int parvus_disk_parse(struct parvus_error *e, const char *spec, struct parvus_disk *d)
{
	int ret;

	memset(d, 0, sizeof(*d));
	ret = pv_disk_parse(e, "disk", spec, d);
	return ret ? ret : pv_disk_settle(e, "disk", d);
}

int parvus_disk_text(struct parvus_error *e, struct parvus_disk *d)
{
	size_t bytes;
	char *text;
	FILE *f = open_memstream(&text, &bytes);

	if (!f)
		return pv_fail(e, ENOMEM, "no memory");
	fprintf(f, "vdev=%s,format=%s,access=%s%s%s", d->vdev, d->format, d->readonly ? "ro" : "rw",
		d->shared ? "!" : "", d->cdrom ? ",devtype=cdrom" : "");
	if (d->backend)
		fprintf(f, ",backend=%s", d->backend);
	if (d->backendtype)
		fprintf(f, ",backendtype=%s", d->backendtype);
	if (d->script)
		fprintf(f, ",script=%s", d->script);
	fprintf(f, "%s%s", d->discard ? ",discard" : "", d->no_discard ? ",no-discard" : "");
	if (d->queues)
		fprintf(f, ",queues=%u", d->queues);
	if (d->iops)
		fprintf(f, ",iops=%u", d->iops);
	if (d->bps)
		fprintf(f, ",bps=%llu", (unsigned long long)d->bps);
	if (d->target)
		fprintf(f, ",target=%s", d->target);
	if (fclose(f)) {
		free(text);
		return pv_fail(e, ENOMEM, "no memory");
	}
	free(d->spec);
	d->spec = text;
	return 0;
}

void parvus_disk_free(struct parvus_disk *d)
{
	pv_disk_free(d);
	memset(d, 0, sizeof(*d));
}

void pv_disk_free(struct parvus_disk *d)
{
	free(d->spec);
	free(d->target);
	free(d->format);
	free(d->vdev);
	free(d->backend);
	free(d->backendtype);
	free(d->script);
}
