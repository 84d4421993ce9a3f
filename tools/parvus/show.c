// SPDX-License-Identifier: GPL-2.0-only
/* parvus: what there is of a domain, as JSON and in lines: its configuration, disks, interfaces. */
#include "show.h"

#include <parvus/block.h>
#include <parvus/network.h>

/* As its monitor has it; NULL = there is none that can be read. */
static struct parvus_config *config_of(struct tool *t, uint32_t domain)
{
	struct parvus_error before = t->error;
	struct parvus_config *c;
	struct parvus_state s;

	if (parvus_state_load(t->h, domain, &s)) {
		t->error = before;
		return NULL;
	}
	c = s.config;
	s.config = NULL;
	parvus_state_free(&s);
	return c;
}

static const char *target_of(const struct parvus_config *c, uint32_t index)
{
	size_t i;

	for (i = 0; c && i < c->ndisks; i++)
		if (c->disks[i].index == (int)index && c->disks[i].target)
			return c->disks[i].target;
	return "";
}

static const struct parvus_vif *vif_of(const struct parvus_config *c, uint32_t index)
{
	size_t i;

	for (i = 0; c && i < c->nvifs; i++)
		if (c->vifs[i].index == (int)index)
			return &c->vifs[i];
	return NULL;
}

void mac_text(const struct parvus_network_config *n, char text[18])
{
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", n->mac[0], n->mac[1], n->mac[2],
		 n->mac[3], n->mac[4], n->mac[5]);
}

static void vif_text(const struct parvus_device *d, const struct parvus_network_config *n,
		     char text[40])
{
	if (n->name[0])
		snprintf(text, 40, "%.15s", n->name);
	else
		snprintf(text, 40, "vif%u.%u", d->front_domain, d->index);
}

static struct json_object *device_json(const struct parvus_device *d)
{
	struct json_object *o = json_object_new_object();

	add_u64(o, "device", d->id);
	add_u64(o, "devid", d->index);
	add_u64(o, "domain", d->front_domain);
	add_u64(o, "backend_domain", d->back_domain);
	add_text(o, "front_state", parvus_device_state_text(d->front_state));
	add_text(o, "back_state", parvus_device_state_text(d->back_state));
	return o;
}

static struct json_object *disk_json(const struct parvus_device *d, const struct parvus_config *c)
{
	struct json_object *o = device_json(d);
	struct parvus_block_config b;
	struct parvus_block_info i;
	char name[17];

	memcpy(&b, d->config, sizeof(b));
	memcpy(&i, d->back_blob, sizeof(i));
	snprintf(name, sizeof(name), "%.16s", b.name);
	add_text(o, "vdev", name);
	add_text(o, "target", target_of(c, d->index));
	add_bool(o, "readonly", b.flags & PARVUS_BLOCK_READONLY);
	add_bool(o, "cdrom", b.flags & PARVUS_BLOCK_CDROM);
	add_bool(o, "program", b.flags & PARVUS_BLOCK_PROGRAM);
	add_u64(o, "major", b.major);
	add_u64(o, "minor", b.minor);
	add_u64(o, "iops", b.iops);
	add_u64(o, "bps", b.bytes_per_second);
	add_u64(o, "bytes", d->back_state == PARVUS_DEVICE_CLOSED ? 0 : i.sectors * 512);
	return o;
}

static struct json_object *vif_json(const struct parvus_device *d, const struct parvus_config *c)
{
	struct json_object *o = device_json(d);
	const struct parvus_vif *v = vif_of(c, d->index);
	struct parvus_network_config n;
	const char *bridge;
	char mac[18], name[40];

	memcpy(&n, d->config, sizeof(n));
	mac_text(&n, mac);
	vif_text(d, &n, name);
	add_text(o, "mac", mac);
	add_text(o, "interface", name);
	/* who serves it elsewhere sees to the bridge there */
	bridge = v && !d->back_domain ? parvus_vif_bridge(v) : NULL;
	add_text(o, "bridge", bridge ? bridge : "");
	add_text(o, "ip", v && v->ip ? v->ip : "");
	add_u64(o, "mtu", n.mtu ? n.mtu : 1500);
	add_u64(o, "bytes_per_second", n.bytes_per_second);
	return o;
}

/* All of one class that the domain has, as a JSON array. */
static int collect(struct tool *t, uint32_t domain, uint32_t device_class, struct json_object *all)
{
	struct parvus_config *c = config_of(t, domain);
	struct parvus_device d;
	uint32_t at = 0;
	int ret;

	while (!(ret = parvus_device_next(t->h, at, &d))) {
		at = d.id;
		if (d.front_domain == domain && d.device_class == device_class)
			json_object_array_add(all,
					      device_class == PARVUS_CLASS_BLOCK ? disk_json(&d,
											     c) :
					      vif_json(&d, c));
	}
	parvus_config_free(c);
	return ret == -ENOENT ? 0 : ret;
}

/* The saved configuration, as text. */
void add_config(struct tool *t, struct json_object *o, uint32_t domain)
{
	struct parvus_config *c = config_of(t, domain);
	char *text;

	if (!c)
		return;
	if (!parvus_config_text(NULL, c, &text)) {
		add_text(o, "config", text);
		free(text);
	}
	parvus_config_free(c);
}

void add_devices(struct tool *t, struct json_object *o, uint32_t domain)
{
	struct json_object *disks = json_object_new_array(), *vifs = json_object_new_array();

	/* a kernel without a registry has none */
	collect(t, domain, PARVUS_CLASS_BLOCK, disks);
	collect(t, domain, PARVUS_CLASS_NETWORK, vifs);
	json_object_object_add(o, "disks", disks);
	json_object_object_add(o, "vifs", vifs);
}

static const char *member(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : "";
}

static void print_device(struct json_object *o, uint32_t device_class)
{
	if (device_class == PARVUS_CLASS_BLOCK)
		printf("%-6s %5s %3s %-12s %-12s %-2s %s\n", member(o, "vdev"), member(o, "domain"),
		       member(o, "backend_domain"), member(o, "front_state"), member(o,
										     "back_state"),
		       !strcmp(member(o, "readonly"), "true") ? "ro" : "rw", member(o, "target"));
	else
		printf("%-3s %5s %3s %-17s %-12s %-12s %-15s %s\n", member(o, "devid"),
		       member(o, "domain"), member(o, "backend_domain"), member(o, "mac"),
		       member(o, "front_state"), member(o, "back_state"), member(o, "interface"),
		       member(o, "bridge"));
}

int list_devices(struct tool *t, uint32_t device_class)
{
	struct json_object *all;
	unsigned int n;
	size_t i;

	if (tool_arguments(t) || tool_open(t))
		return 1;
	all = json_object_new_array();
	for (n = 0; n < t->nargs; n++) {
		struct parvus_control_info d;

		if (tool_domain(t, t->args[n], &d)) {
			json_object_put(all);
			return 1;
		}
		if (collect(t, d.domain, device_class, all)) {
			json_object_put(all);
			return fail_lib(t);
		}
	}
	if (t->json)
		return print_json(all);
	if (device_class == PARVUS_CLASS_BLOCK)
		printf("%-6s %5s %3s %-12s %-12s %-2s %s\n", "Vdev", "ID", "BE", "Front", "Back",
		       "", "Target");
	else
		printf("%-3s %5s %3s %-17s %-12s %-12s %-15s %s\n", "Idx", "ID", "BE", "Mac",
		       "Front", "Back", "Interface", "Bridge");
	for (i = 0; i < json_object_array_length(all); i++)
		print_device(json_object_array_get_idx(all, i), device_class);
	json_object_put(all);
	return 0;
}

int report_this(struct tool *t, const struct parvus_device *d)
{
	struct parvus_config *c;
	int ret;

	if (!t->json)
		return 0;
	c = config_of(t, d->front_domain);
	ret = print_json(d->device_class == PARVUS_CLASS_BLOCK ? disk_json(d, c) : vif_json(d, c));
	parvus_config_free(c);
	return ret;
}

int report_device(struct tool *t, const struct parvus_control_info *i, uint32_t device_class,
		  uint32_t index)
{
	struct parvus_device d;

	if (!t->json)
		return 0;
	/* a guest may have given it back meanwhile */
	if (parvus_device_find(t->h, i->domain, device_class, index, &d))
		return print_json(json_object_new_object());
	return report_this(t, &d);
}

void domain_uuid(struct tool *t, const struct parvus_control_info *i, char uuid[40])
{
	struct parvus_config *c = config_of(t, i->domain);

	parvus_config_uuid(c, i, uuid);
	parvus_config_free(c);
}

static void xl_disks(struct json_object *config, const struct parvus_config *c)
{
	struct json_object *all = json_object_new_array();
	size_t i;

	for (i = 0; i < c->ndisks; i++) {
		const struct parvus_disk *d = &c->disks[i];
		struct json_object *o = json_object_new_object();

		add_text(o, "pdev_path", d->target ? d->target : "");
		add_text(o, "vdev", d->vdev);
		add_text(o, "backend", d->program || strcmp(d->format, "raw") ? "qdisk" : "phy");
		add_text(o, "format", d->format);
		add_u64(o, "readwrite", !d->readonly);
		add_u64(o, "is_cdrom", d->cdrom);
		json_object_array_add(all, o);
	}
	json_object_object_add(config, "disks", all);
}

static void xl_vifs(struct json_object *config, const struct parvus_config *c)
{
	struct json_object *all = json_object_new_array();
	size_t i;

	for (i = 0; i < c->nvifs; i++) {
		const struct parvus_vif *v = &c->vifs[i];
		struct json_object *o = json_object_new_object();
		char mac[18];

		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1],
			 v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
		add_u64(o, "devid", (uint64_t)v->index);
		add_text(o, "mac", mac);
		add_text(o, "bridge", parvus_vif_bridge(v) ? parvus_vif_bridge(v) : "");
		if (v->ip)
			add_text(o, "ip", v->ip);
		if (v->script)
			add_text(o, "script", v->script);
		if (v->ifname)
			add_text(o, "ifname", v->ifname);
		add_text(o, "nictype", "vif");
		json_object_array_add(all, o);
	}
	json_object_object_add(config, "nics", all);
}

struct json_object *xl_domain(struct tool *t, const struct parvus_control_info *i)
{
	struct json_object *o = json_object_new_object(), *config = json_object_new_object(),
			   *created = json_object_new_object(), *build = json_object_new_object();
	struct parvus_config *c = config_of(t, i->domain);
	char name[PARVUS_NAME_BYTES], uuid[40];

	domain_uuid(t, i, uuid);
	add_text(created, "type", "pv");
	add_text(created, "name", parvus_name(t->h, i, name));
	add_text(created, "uuid", uuid);
	add_u64(build, "max_vcpus", i->vcpus);
	add_u64(build, "max_memkb", i->max_frames * 4);
	add_u64(build, "target_memkb", i->target_frames * 4);
	if (c) {
		add_text(build, "kernel", c->kernel);
		add_text(build, "ramdisk", c->ramdisk ? c->ramdisk : "");
		add_text(build, "cmdline", c->cmdline ? c->cmdline : "");
	}
	json_object_object_add(config, "c_info", created);
	json_object_object_add(config, "b_info", build);
	if (c) {
		xl_disks(config, c);
		xl_vifs(config, c);
		add_text(config, "on_poweroff", parvus_action_text(c->on_poweroff));
		add_text(config, "on_reboot", parvus_action_text(c->on_reboot));
		add_text(config, "on_crash", parvus_action_text(c->on_crash));
	}
	add_u64(o, "domid", i->domain);
	json_object_object_add(o, "config", config);
	parvus_config_free(c);
	return o;
}
