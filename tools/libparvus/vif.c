// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: entries of vif = [...], in the syntax of xl (xl-network-configuration(5)):
 * key=value[,...]. Keys of our own: macfilter, mtu, queues.
 */
#include "spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int vif_mac(const struct spec *s, struct parvus_vif *v, const char *text)
{
	const char *p = text;
	unsigned int i;

	for (i = 0; i < 6; i++, p += 3) {
		if (hex(p[0]) < 0 || hex(p[1]) < 0 || p[2] != (i < 5 ? ':' : 0))
			return pv_spec_wrong(s,
					     "the mac is not six hex bytes such as "
					     "02:00:00:12:34:56: \"%s\"", text);
		v->mac[i] = (uint8_t)(hex(p[0]) * 16 + hex(p[1]));
	}
	if (v->mac[0] & 1)
		return pv_spec_wrong(s, "the mac %s is a multicast address: its first byte is odd",
				     text);
	for (i = 0; i < 6 && !v->mac[i]; i++)
		;
	if (i == 6)
		return pv_spec_wrong(s, "the mac %s is nobody's: no byte of it is set", text);
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
		return pv_spec_wrong(s,
				     "the rate is not such as 10Mb/s or 250KB/s@20ms (10 s at "
				     "most): \"%s\"", text);
	return pv_spec_set(s, &v->rate, text);
}

static bool name_good(const char *text, size_t n)
{
	return n && n <= 15 && text[0] != '.' && text[0] != '-' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz" "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		      "0123456789._-") >= n;
}

/* The name of an interface of domain 0. */
static int vif_name(const struct spec *s, char **to, const char *text)
{
	if (!name_good(text, strlen(text)))
		return pv_spec_wrong(s,
				     "an interface or bridge has a name of 1 to 15 letters, "
				     "digits, . _ -, not \"%s\"", text);
	return pv_spec_set(s, to, text);
}

/*
 * A bridge, or one of Open vSwitch with the VLANs of this port behind it, as its script takes it
 * apart: NAME[.TAG][:TRUNK...]. A bridge of Linux may have a name with a dot.
 */
static int vif_bridge(const struct spec *s, struct parvus_vif *v, const char *text)
{
	size_t n = strcspn(text, ".:");
	const char *p = text + n;

	if (name_good(text, strlen(text)) || !name_good(text, n) ||
	    p[1 + strspn(p + 1, "0123456789:")])
		return vif_name(s, &v->bridge, text);
	do {
		unsigned long vlan = strtoul(p + 1, (char **)&p, 10);

		if (vlan < 1 || vlan > 4094 || (*p && *p != ':'))
			return pv_spec_wrong(s,
					     "a VLAN of a bridge is 1 to 4094, as in "
					     "br0.100:200:300, not \"%s\"", text);
	} while (*p);
	return pv_spec_set(s, &v->bridge, text);
}

static int vif_option(const struct spec *s, struct parvus_vif *v, const char *key,
		      const char *value)
{
	uint32_t n;

	if (!strcmp(key, "mac"))
		return vif_mac(s, v, value);
	if (!strcmp(key, "bridge"))
		return vif_bridge(s, v, value);
	if (!strcmp(key, "script"))
		return pv_spec_set(s, &v->script, value);
	if (!strcmp(key, "ip"))
		return pv_spec_set(s, &v->ip, value);
	if (!strcmp(key, "vifname"))
		return vif_name(s, &v->ifname, value);
	if (!strcmp(key, "backend"))
		return pv_spec_set(s, &v->backend, value);
	if (!strcmp(key, "model"))
		return pv_spec_set(s, &v->model, value);
	if (!strcmp(key, "gatewaydev"))
		return pv_spec_set(s, &v->gatewaydev, value);
	if (!strcmp(key, "rate"))
		return vif_rate(s, v, value);
	if (!strcmp(key, "mtu"))
		return pv_spec_number(s, "mtu", value, 68, 65535, &v->mtu);
	if (!strcmp(key, "queues"))
		return pv_spec_number(s, "queues", value, 0, PARVUS_LINK_QUEUES, &v->queues);
	if (!strcmp(key, "macfilter")) {
		if (pv_spec_number(s, "macfilter", value, 0, 1, &n))
			return -EINVAL;
		v->macfilter = n;
		return 0;
	}
	if (!strcmp(key, "devid")) {
		if (pv_spec_number(s, "devid", value, 0, PARVUS_DEVICES_DOMAIN - 1, &n))
			return -EINVAL;
		v->index = (int)n;
		return 0;
	}
	if (!strcmp(key, "type"))
		return strcmp(value, "pv") && strcmp(value, "vif") ?
			pv_spec_wrong(s, "the type is not pv or vif: \"%s\"", value) :
		pv_spec_set(s, &v->type, value);
	return pv_spec_wrong(s, "\"%s\" is an unknown key (mac, bridge, script, ip, vifname, "
				"backend, model, type, rate, gatewaydev, macfilter, mtu, queues, "
				"devid)", key);
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
		key = pv_spec_trim(at);
		/* "" is one interface with all defaults */
		if (!*key)
			continue;
		value = strchr(key, '=');
		if (!value) {
			ret = pv_spec_wrong(&s, "key=value is expected, not \"%s\"", key);
			break;
		}
		*value++ = 0;
		key = pv_spec_trim(key);
		value = pv_spec_trim(value);
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
		snprintf(mac, sizeof(mac), "mac=%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0],
			 v->mac[1], v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
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
