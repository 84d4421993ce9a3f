// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: entries of disk = [...] and vif = [...], in the syntax of xl
 * (xl-disk-configuration(5), xl-network-configuration(5)).
 *
 * disk: [target, [format, [vdev, [access]]]][, key=value | flag]...; target= goes to the end of
 * the text. Old: phy:PATH,VDEV,ACCESS. vif: key=value[,...].
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct spec {
	struct parvus *h;
	const char *where, *text;
};

static int wrong(const struct spec *s, const char *why)
{
	return pv_fail(s->h, EINVAL, "%s: \"%.100s\": %s", s->where, s->text, why);
}

static int set(const struct spec *s, char **to, const char *text)
{
	if (*to)
		return wrong(s, "something is given twice");
	*to = strdup(text);
	return *to ? 0 : pv_fail(s->h, ENOMEM, "no memory");
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

static int disk_access(const struct spec *s, struct parvus_disk *d, const char *text)
{
	if (!*text || !strcmp(text, "w") || !strcmp(text, "rw") || !strcmp(text, "!"))
		return 0;
	if (strcmp(text, "r") && strcmp(text, "ro"))
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
		else
			return strcmp(text, "no-discard") && strcmp(text, "direct-io-safe");
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
		return set(s, &d->backendtype, value);
	if (!strcmp(text, "script"))
		return set(s, &d->script, value);
	if (!strcmp(text, "devtype")) {
		if (!strcmp(value, "cdrom"))
			cdrom(d);
		return strcmp(value, "cdrom") && strcmp(value, "disk") ? wrong(s, "the devtype is not disk or cdrom") : 0;
	}
	return wrong(s, "an unknown key (format, vdev, access, devtype, backend, backendtype, script, target)");
}

int pv_disk_parse(struct parvus *h, const char *where, const char *text, struct parvus_disk *d)
{
	const struct spec s = { .h = h, .where = where, .text = text };
	char *copy = strdup(text), *at = copy, *next, *p;
	unsigned int position = 0;
	bool old = false;
	int ret = 0;

	if (!copy)
		return pv_fail(h, ENOMEM, "no memory");
	d->spec = strdup(text);
	if (!d->spec) {
		free(copy);
		return pv_fail(h, ENOMEM, "no memory");
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
				ret = set(&s, &d->target, p);
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
	if (!d->format)
		return set(&s, &d->format, "raw");
	return 0;
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

/* 10Mb/s, 250KB/s@20ms */
static int vif_rate(const struct spec *s, struct parvus_vif *v, const char *text)
{
	size_t n = strspn(text, "0123456789");
	const char *p = text + n;

	if (n && n < 10 && *p && strchr("GMK", *p))
		p++;
	if (n && n < 10 && (!strncmp(p, "b/s", 3) || !strncmp(p, "B/s", 3))) {
		p += 3;
		if (*p == '@') {
			n = strspn(++p, "0123456789");
			p += n;
			if (n && (!strcmp(p, "ms") || !strcmp(p, "us") || !strcmp(p, "s")))
				return set(s, &v->rate, text);
		} else if (!*p) {
			return set(s, &v->rate, text);
		}
	}
	return wrong(s, "the rate is not such as 10Mb/s or 250KB/s@20ms");
}

int pv_vif_parse(struct parvus *h, const char *where, const char *text, struct parvus_vif *v)
{
	const struct spec s = { .h = h, .where = where, .text = text };
	char *copy = strdup(text), *at = copy, *next;
	int ret = 0;

	if (!copy)
		return pv_fail(h, ENOMEM, "no memory");
	v->spec = strdup(text);
	if (!v->spec) {
		free(copy);
		return pv_fail(h, ENOMEM, "no memory");
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
		if (!strcmp(key, "mac"))
			ret = vif_mac(&s, v, value);
		else if (!strcmp(key, "bridge"))
			ret = set(&s, &v->bridge, value);
		else if (!strcmp(key, "script"))
			ret = set(&s, &v->script, value);
		else if (!strcmp(key, "ip"))
			ret = set(&s, &v->ip, value);
		else if (!strcmp(key, "vifname"))
			ret = set(&s, &v->ifname, value);
		else if (!strcmp(key, "backend"))
			ret = set(&s, &v->backend, value);
		else if (!strcmp(key, "model"))
			ret = set(&s, &v->model, value);
		else if (!strcmp(key, "gatewaydev"))
			ret = set(&s, &v->gatewaydev, value);
		else if (!strcmp(key, "rate"))
			ret = vif_rate(&s, v, value);
		else if (!strcmp(key, "type"))
			ret = strcmp(value, "pv") && strcmp(value, "vif") ?
				wrong(&s, "the type is not pv or vif") : set(&s, &v->type, value);
		else
			ret = wrong(&s, "an unknown key (mac, bridge, script, ip, vifname, backend, model, type, rate, gatewaydev)");
	}
	free(copy);
	return ret;
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
