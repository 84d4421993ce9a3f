// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: entries of disk = [...] and vif = [...], in the syntax of xl
 * (xl-disk-configuration(5), xl-network-configuration(5)).
 *
 * disk: [target, [format, [vdev, [access]]]][, key=value | flag]...; target= goes to the end of
 * the text. Old: phy:PATH,VDEV,ACCESS. vif: key=value[,...]. Keys of our own: iops, bps, queues;
 * mtu, queues.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct spec {
	struct parvus_error *error;
	const char *where, *text;
};

static int wrong(const struct spec *s, const char *why)
{
	return pv_fail(s->error, EINVAL, "%s: \"%.100s\": %s", s->where, s->text, why);
}

static int set(const struct spec *s, char **to, const char *text)
{
	if (*to)
		return wrong(s, "something is given twice");
	*to = strdup(text);
	return *to ? 0 : pv_fail(s->error, ENOMEM, "no memory");
}

static char *trim(char *p)
{
	size_t n;

	p += strspn(p, " \t\n");
	n = strlen(p);
	while (n && strchr(" \t\n", p[n - 1]))
		p[--n] = 0;
	return p;
}

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
		return wrong(s, "the format is not raw, qcow, qcow2, vhd or qed");
	return set(s, &d->format, text);
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
				return set(s, &d->vdev, text);
		}
	}
	if (text[0] == 'd') {
		n = 1 + strspn(text + 1, "0123456789");
		if (n > 1 && text[n] == 'p' && text[n + 1]) {
			size_t digits = strspn(text + n + 1, "0123456789");

			n += 1 + digits;
		}
		if (n > 1 && !text[n] && n < 12)
			return set(s, &d->vdev, text);
	}
	return wrong(s, "the device is not named as xvda, xvda1 or d0p1");
}

int parvus_disk_index(const char *vdev)
{
	static const char *const kinds[] = { "xvd", "sd", "hd", "vd" };
	unsigned int index = 0, i;
	uint64_t n;

	if (vdev[0] == 'd')
		return parvus_size_parse(vdev + 1, &n) && n < 18278 &&
		       !vdev[1 + strspn(vdev + 1, "0123456789")] ? (int)n : -1;
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strncmp(vdev, kinds[i], strlen(kinds[i])))
			break;
	if (i == sizeof(kinds) / sizeof(*kinds))
		return -1;
	vdev += strlen(kinds[i]);
	n = strspn(vdev, "abcdefghijklmnopqrstuvwxyz");
	if (!n || n > 3 || vdev[n])
		return -1;
	while (*vdev)
		index = index * 26 + (unsigned int)(*vdev++ - 'a' + 1);
	return (int)index - 1;
}

void parvus_disk_name(uint32_t index, char name[16])
{
	char letters[8], *p = letters + sizeof(letters) - 1;

	*p = 0;
	for (index++; index && p > letters; index /= 26)
		*--p = (char)('a' + --index % 26);
	snprintf(name, 16, "xvd%s", p);
}

bool parvus_size_parse(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "kmgt";
	unsigned long long n;
	const char *suffix;
	unsigned int shift;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		suffix = strchr(suffixes, *end >= 'A' && *end <= 'Z' ? *end + 32 : *end);
		if (!suffix || end[1])
			return false;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
		if (n > UINT64_MAX >> shift)
			return false;
		n <<= shift;
	}
	*bytes = n;
	return true;
}

bool parvus_number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *n)
{
	unsigned long long v;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end || v < min || v > max)
		return false;
	*n = v;
	return true;
}

/* A number without a suffix. */
static int number(const struct spec *s, const char *key, const char *text, uint64_t min, uint64_t max,
		  uint32_t *to)
{
	char why[100];
	uint64_t n;

	if (!parvus_number_parse(text, min, max, &n)) {
		snprintf(why, sizeof(why), "%s is not a number from %llu to %llu", key,
			 (unsigned long long)min, (unsigned long long)max);
		return wrong(s, why);
	}
	*to = (uint32_t)n;
	return 0;
}

static int disk_backendtype(const struct spec *s, struct parvus_disk *d, const char *text)
{
	static const char *const types[] = { "phy", "qdisk", "program", NULL };

	if (!one_of(text, types))
		return wrong(s, "the backendtype is not phy, qdisk or program");
	d->program = !strcmp(text, "program");
	return set(s, &d->backendtype, text);
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
		return wrong(s, "the access is not r, ro, w or rw");
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
	value = trim(value);
	text = trim(text);
	if (!strcmp(text, "format"))
		return disk_format(s, d, value);
	if (!strcmp(text, "vdev"))
		return disk_vdev(s, d, value);
	if (!strcmp(text, "access"))
		return disk_access(s, d, value);
	if (!strcmp(text, "backend"))
		return set(s, &d->backend, value);
	if (!strcmp(text, "backendtype"))
		return disk_backendtype(s, d, value);
	if (!strcmp(text, "script"))
		return set(s, &d->script, value);
	if (!strcmp(text, "iops"))
		return number(s, "iops", value, 0, UINT32_MAX, &d->iops);
	if (!strcmp(text, "queues"))
		return number(s, "queues", value, 0, PARVUS_LINK_QUEUES, &d->queues);
	if (!strcmp(text, "bps"))
		return parvus_size_parse(value, &d->bps) ? 0 :
			wrong(s, "bps is not bytes in a second, such as 20M");
	if (!strcmp(text, "devtype")) {
		if (!strcmp(value, "cdrom"))
			cdrom(d);
		return strcmp(value, "cdrom") && strcmp(value, "disk") ? wrong(s, "the devtype is not disk or cdrom") : 0;
	}
	return wrong(s, "an unknown key (format, vdev, access, devtype, backend, backendtype, script, iops, bps, queues, target)");
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
	return set(s, &d->target, text);
}

int pv_disk_parse(struct parvus_error *e, const char *where, const char *text, struct parvus_disk *d)
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
			ret = set(&s, &d->target, trim(p + 7));
			break;
		}
		next = strchr(at, ',');
		if (next)
			*next++ = 0;
		p = trim(at);
		if (!position && !next && !*p) {
			ret = wrong(&s, "nothing in it");
			break;
		}
		ret = disk_option(&s, d, p);
		if (ret <= 0)
			continue;
		ret = 0;
		/* by place; an old prefix leaves the format out */
		if (position == 0) {
			static const char *const prefixes[] = { "phy:", "file:", "raw:", NULL };
			size_t i;

			for (i = 0; prefixes[i]; i++)
				if (!strncmp(p, prefixes[i], strlen(prefixes[i]))) {
					p += strlen(prefixes[i]);
					old = true;
				}
			if (old)
				ret = set(&s, &d->format, "raw");
			if (!ret && *p)
				ret = disk_target(&s, d, p, !strncmp(at + strspn(at, " \t"), "phy:", 4));
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
			ret = wrong(&s, "too many parts (target, format, vdev, access)");
		}
	}
	free(copy);
	if (ret)
		return ret;
	if (!d->vdev)
		return wrong(&s, "no vdev is given");
	if (d->target && !*d->target) {
		free(d->target);
		d->target = NULL;
	}
	if (!d->target && !d->cdrom)
		return wrong(&s, "no target is given");
	d->index = parvus_disk_index(d->vdev);
	if (!d->format)
		return set(&s, &d->format, "raw");
	return 0;
}

/* Absolute, so that a restart from elsewhere finds it. In a domain of its own it is a number. */
static int absolute(struct parvus_error *e, struct parvus_disk *d)
{
	char *cwd, *path;

	if (!d->target || d->target[0] == '/' || d->backend)
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

/* What is well said, but cannot be done; and the whole path. */
int pv_disk_settle(struct parvus_error *e, const char *where, struct parvus_disk *d)
{
	const struct spec s = { .error = e, .where = where, .text = d->spec };
	struct parvus_block_config c;

	if (d->index < 0)
		return wrong(&s, "a partition cannot be a disk of its own: give the whole disk, as xvda");
	if (d->script)
		return wrong(&s, "there are no scripts for disks: give the block device that it would make");
	if (d->program && strcmp(d->format, "raw"))
		return wrong(&s, "backendtype=program serves raw files only");
	if (d->program && !d->target)
		return wrong(&s, "backendtype=program needs a target");
	if (d->program && strlen(d->target) >= sizeof(c.file))
		return wrong(&s, "backendtype=program: the target's path is too long (127 bytes at most)");
	if (d->discard && d->no_discard)
		return wrong(&s, "discard and no-discard");
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

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int vif_mac(const struct spec *s, struct parvus_vif *v, const char *text)
{
	unsigned int i;

	for (i = 0; i < 6; i++, text += 3) {
		if (hex(text[0]) < 0 || hex(text[1]) < 0 || text[2] != (i < 5 ? ':' : 0))
			return wrong(s, "the mac is not six hex bytes such as 02:00:00:12:34:56");
		v->mac[i] = (uint8_t)(hex(text[0]) * 16 + hex(text[1]));
	}
	if (v->mac[0] & 1)
		return wrong(s, "the mac is a multicast address");
	v->has_mac = true;
	return 0;
}

/* 10Mb/s, 250KB/s@20ms: decimal, as in xl; b are bits, B are bytes. */
static bool rate_parse(const char *text, struct parvus_vif *v)
{
	static const struct {
		const char *name;
		uint32_t us;
	} units[] = { { "us", 1 }, { "ms", 1000 }, { "s", 1000000 } };
	size_t digits = strspn(text, "0123456789"), i;
	uint64_t n = strtoull(text, NULL, 10);
	const char *p = text + digits;

	if (!digits || digits > 9 || !n)
		return false;
	switch (*p) {
	case 'G':
		n *= 1000;	/* fall through */
	case 'M':
		n *= 1000;	/* fall through */
	case 'K':
		n *= 1000;
		p++;
	}
	if (strncmp(p, "b/s", 3) && strncmp(p, "B/s", 3))
		return false;
	v->bytes_per_second = *p == 'B' ? n : (n + 7) / 8;
	p += 3;
	if (!*p)
		return true;
	digits = *p == '@' ? strspn(p + 1, "0123456789") : 0;
	if (!digits || digits > 9)
		return false;
	n = strtoull(p + 1, NULL, 10);
	for (i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(p + 1 + digits, units[i].name) && n && n <= 10000000 / units[i].us) {
			v->interval_us = (uint32_t)n * units[i].us;
			return true;
		}
	return false;
}

static int vif_rate(const struct spec *s, struct parvus_vif *v, const char *text)
{
	if (!rate_parse(text, v))
		return wrong(s, "the rate is not such as 10Mb/s or 250KB/s@20ms (10 s at most)");
	return set(s, &v->rate, text);
}

/* The name of an interface of domain 0. */
static int vif_name(const struct spec *s, char **to, const char *text)
{
	size_t n = strlen(text);

	if (!n || n > 15 || text[0] == '.' || text[0] == '-' ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != n)
		return wrong(s, "an interface or bridge has a name of 1 to 15 letters, digits, . _ -");
	return set(s, to, text);
}

static int vif_option(const struct spec *s, struct parvus_vif *v, const char *key, const char *value)
{
	uint32_t n;

	if (!strcmp(key, "mac"))
		return vif_mac(s, v, value);
	if (!strcmp(key, "bridge"))
		return vif_name(s, &v->bridge, value);
	if (!strcmp(key, "script"))
		return set(s, &v->script, value);
	if (!strcmp(key, "ip"))
		return set(s, &v->ip, value);
	if (!strcmp(key, "vifname"))
		return vif_name(s, &v->ifname, value);
	if (!strcmp(key, "backend"))
		return set(s, &v->backend, value);
	if (!strcmp(key, "model"))
		return set(s, &v->model, value);
	if (!strcmp(key, "gatewaydev"))
		return set(s, &v->gatewaydev, value);
	if (!strcmp(key, "rate"))
		return vif_rate(s, v, value);
	if (!strcmp(key, "mtu"))
		return number(s, "mtu", value, 68, 65535, &v->mtu);
	if (!strcmp(key, "queues"))
		return number(s, "queues", value, 0, PARVUS_LINK_QUEUES, &v->queues);
	if (!strcmp(key, "devid")) {
		if (number(s, "devid", value, 0, PARVUS_DEVICES_DOMAIN - 1, &n))
			return -EINVAL;
		v->index = (int)n;
		return 0;
	}
	if (!strcmp(key, "type"))
		return strcmp(value, "pv") && strcmp(value, "vif") ?
			wrong(s, "the type is not pv or vif") : set(s, &v->type, value);
	return wrong(s, "an unknown key (mac, bridge, script, ip, vifname, backend, model, type, rate, gatewaydev, mtu, queues, devid)");
}

int pv_vif_parse(struct parvus_error *e, const char *where, const char *text, struct parvus_vif *v)
{
	const struct spec s = { .error = e, .where = where, .text = text };
	char *copy = strdup(text), *at = copy, *next;
	int ret = 0;

	if (!copy)
		return pv_fail(e, ENOMEM, "no memory");
	v->index = -1;
	v->spec = strdup(text);
	if (!v->spec) {
		free(copy);
		return pv_fail(e, ENOMEM, "no memory");
	}
	for (; at && !ret; at = next) {
		char *key, *value;

		next = strchr(at, ',');
		if (next)
			*next++ = 0;
		key = trim(at);
		/* "" is one interface with all defaults */
		if (!*key)
			continue;
		value = strchr(key, '=');
		if (!value) {
			ret = wrong(&s, "key=value is expected");
			break;
		}
		*value++ = 0;
		key = trim(key);
		value = trim(value);
		ret = vif_option(&s, v, key, value);
	}
	free(copy);
	return ret;
}

/* FNV-1a */
static uint64_t mix(uint64_t hash, const char *text, size_t n)
{
	while (n--)
		hash = (hash ^ (uint8_t)*text++) * 0x100000001b3ull;
	return hash;
}

/*
 * A MAC for those who give none, in Xen's range: of this machine, the domain's name and the
 * interface's number, so that it is the same after a restart, and another one elsewhere.
 */
static void choose_mac(const char *name, struct parvus_vif *v)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	FILE *f = fopen("/etc/machine-id", "re");
	char id[64], index[16];
	size_t n = f ? fread(id, 1, sizeof(id), f) : 0;

	if (f)
		fclose(f);
	hash = mix(mix(hash, id, n), name, strlen(name) + 1);
	snprintf(index, sizeof(index), "%d", v->index);
	hash = mix(hash, index, strlen(index));
	hash ^= hash >> 32;
	v->mac[0] = 0x00;
	v->mac[1] = 0x16;
	v->mac[2] = 0x3e;
	v->mac[3] = (uint8_t)(hash >> 16) & 0x7f;
	v->mac[4] = (uint8_t)(hash >> 8);
	v->mac[5] = (uint8_t)hash;
}

int pv_vif_settle(struct parvus_error *e, const char *name, int index, struct parvus_vif *v)
{
	char *spec, mac[32] = "", devid[16] = "";

	if (v->index < 0) {
		v->index = index;
		snprintf(devid, sizeof(devid), "devid=%d", index);
	}
	if (!v->has_mac) {
		choose_mac(name, v);
		v->has_mac = true;
		snprintf(mac, sizeof(mac), "mac=%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1],
			 v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
	}
	if (asprintf(&spec, "%s%s%s%s%s", v->spec, v->spec[0] && mac[0] ? "," : "", mac,
		     (v->spec[0] || mac[0]) && devid[0] ? "," : "", devid) < 0)
		return pv_fail(e, ENOMEM, "no memory");
	free(v->spec);
	v->spec = spec;
	return 0;
}

int parvus_vif_parse(struct parvus_error *e, const char *name, const char *spec, int index,
		     struct parvus_vif *v)
{
	int ret;

	memset(v, 0, sizeof(*v));
	ret = pv_vif_parse(e, "vif", spec, v);
	return ret ? ret : pv_vif_settle(e, name, index, v);
}

void parvus_vif_free(struct parvus_vif *v)
{
	pv_vif_free(v);
	memset(v, 0, sizeof(*v));
}

void pv_vif_free(struct parvus_vif *v)
{
	free(v->spec);
	free(v->bridge);
	free(v->script);
	free(v->ip);
	free(v->ifname);
	free(v->backend);
	free(v->model);
	free(v->type);
	free(v->rate);
	free(v->gatewaydev);
}
