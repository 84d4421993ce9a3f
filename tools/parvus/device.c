// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus block-*, cd-* and network-*: disks and interfaces of a running domain. What changes
 * something asks the domain's monitor (devices.c); what shows looks into the registry itself.
 */
#include "devices.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MS 60000

const struct option_text detach_options[] = {
	{ 'f', "force", NULL, "at once, without asking the domain" },
	{ 0 },
};
const struct option_text set_options[] = {
	{ OPT_LONG, "iops", "COUNT", "requests in a second, at most; 0 = no limit" },
	{ OPT_LONG + 1, "bps", "BYTES", "bytes in a second, at most; suffix k m g t; 0 = no limit" },
	{ 0 },
};

/* ---- asking the monitor ------------------------------------------------------------------- */

static int monitor_connect(struct tool *t, uint32_t domain)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (parvus_run_path(t->h, domain, "control.sock", a.sun_path, sizeof(a.sun_path)))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* What the monitor says: 0, or 1 (said). */
static int take_answer(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char text[700];
	size_t have = 0;

	for (;;) {
		int ret = poll(&p, 1, ANSWER_MS);
		ssize_t n;

		if (ret < 0 && errno == EINTR)
			continue;
		n = ret > 0 ? read(fd, text + have, sizeof(text) - 1 - have) : 0;
		if (n > 0)
			have += (size_t)n;
		text[have] = 0;
		if (n <= 0 || strchr(text, '\n'))
			break;
	}
	text[strcspn(text, "\n")] = 0;
	if (!strcmp(text, "ok"))
		return 0;
	if (!strncmp(text, "error ", 6))
		return fail("%s", text + 6);
	return fail("the monitor of the domain gave no answer");
}

int monitor_ask(struct tool *t, const struct parvus_control_info *i, ...)
{
	char text[4000];
	const char *word;
	size_t n = 0;
	va_list words;
	int fd, link, ret;

	va_start(words, i);
	while ((word = va_arg(words, const char *)))
		n += (size_t)snprintf(text + n, n < sizeof(text) ? sizeof(text) - n : 0, "%s%s",
				      n ? "\x1f" : "", word);
	va_end(words);
	if (n + 1 >= sizeof(text) || strchr(text, '\n'))
		return fail("too long a line, or one that is no line");
	text[n++] = '\n';
	if (i->flags & PARVUS_INFO_CONTROL)
		return fail("the control domain has no devices of its own");
	fd = monitor_connect(t, i->domain);
	if (fd < 0) {
		if (monitor_start(t, i->domain, i->name, &link))
			return 1;
		monitor_committed(link);
		fd = monitor_connect(t, i->domain);
	}
	if (fd < 0)
		return fail("domain %u has no monitor that answers", i->domain);
	if (send(fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
		ret = fail("the monitor of domain %u does not listen: %s", i->domain, strerror(errno));
	else
		ret = take_answer(fd);
	close(fd);
	return ret;
}

/* ---- showing ------------------------------------------------------------------------------- */

static struct parvus_config *config_of(struct tool *t, uint32_t domain)
{
	struct parvus_config *c = NULL;
	char path[300];

	if (parvus_run_path(t->h, domain, "config", path, sizeof(path)) || access(path, R_OK) ||
	    parvus_config_load(&t->error, path, NULL, 0, &c))
		return NULL;
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

static void mac_text(const struct parvus_network_config *n, char text[18])
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
	char mac[18], name[40];

	memcpy(&n, d->config, sizeof(n));
	mac_text(&n, mac);
	vif_text(d, &n, name);
	add_text(o, "mac", mac);
	add_text(o, "interface", name);
	add_text(o, "bridge", v && v->bridge ? v->bridge : "");
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
			json_object_array_add(all, device_class == PARVUS_CLASS_BLOCK ? disk_json(&d, c) :
					      vif_json(&d, c));
	}
	parvus_config_free(c);
	return ret == -ENOENT ? 0 : ret;
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
		       member(o, "backend_domain"), member(o, "front_state"), member(o, "back_state"),
		       !strcmp(member(o, "readonly"), "true") ? "ro" : "rw", member(o, "target"));
	else
		printf("%-3s %5s %3s %-17s %-12s %-12s %-15s %s\n", member(o, "devid"),
		       member(o, "domain"), member(o, "backend_domain"), member(o, "mac"),
		       member(o, "front_state"), member(o, "back_state"), member(o, "interface"),
		       member(o, "bridge"));
}

static int list_devices(struct tool *t, uint32_t device_class)
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
		printf("%-6s %5s %3s %-12s %-12s %-2s %s\n", "Vdev", "ID", "BE", "Front", "Back", "",
		       "Target");
	else
		printf("%-3s %5s %3s %-17s %-12s %-12s %-15s %s\n", "Idx", "ID", "BE", "Mac", "Front",
		       "Back", "Interface", "Bridge");
	for (i = 0; i < json_object_array_length(all); i++)
		print_device(json_object_array_get_idx(all, i), device_class);
	json_object_put(all);
	return 0;
}

int cmd_block_list(struct tool *t)
{
	return list_devices(t, PARVUS_CLASS_BLOCK);
}

int cmd_network_list(struct tool *t)
{
	return list_devices(t, PARVUS_CLASS_NETWORK);
}

/* ---- changing -------------------------------------------------------------------------------- */

/* Arguments from the second on, as one entry of a list: commas between them. */
static int joined(struct tool *t, char *text, size_t bytes)
{
	size_t n = 0;
	unsigned int i;

	text[0] = 0;
	for (i = 1; i < t->nargs && n < bytes; i++)
		n += (size_t)snprintf(text + n, bytes - n, "%s%s", i > 1 ? "," : "", t->args[i]);
	return n >= bytes ? fail("%s: too long", t->command->name) : 0;
}

/* The device that was asked for, when it is there. */
static int report(struct tool *t, const struct parvus_control_info *i, uint32_t device_class,
		  uint32_t index)
{
	struct parvus_config *c;
	struct parvus_device d;
	int ret;

	if (!t->json)
		return 0;
	if (parvus_device_find(t->h, i->domain, device_class, index, &d))
		return print_json(json_object_new_object());
	c = config_of(t, i->domain);
	ret = print_json(device_class == PARVUS_CLASS_BLOCK ? disk_json(&d, c) : vif_json(&d, c));
	parvus_config_free(c);
	return ret;
}

int cmd_block_attach(struct tool *t)
{
	struct parvus_control_info i;
	struct parvus_disk disk;
	char spec[3000];
	int ret;

	if (tool_arguments(t) || joined(t, spec, sizeof(spec)) || tool_open(t))
		return 1;
	/* here, so that a path is what it is to the caller */
	ret = parvus_disk_parse(&t->error, spec, &disk) ? fail_lib(t) : tool_domain(t, t->args[0], &i);
	if (!ret)
		ret = monitor_ask(t, &i, "disk-attach", disk.spec, NULL);
	if (!ret)
		ret = report(t, &i, PARVUS_CLASS_BLOCK, (uint32_t)disk.index);
	parvus_disk_free(&disk);
	return ret;
}

/* The disk named by the second argument: "xvda", or its number. */
static int disk_argument(struct tool *t, struct parvus_control_info *i, struct parvus_device *d,
			 char index[16])
{
	int number = parvus_disk_index(t->args[1]);
	uint64_t n;
	int ret;

	if (number < 0 && parse_number(t->args[1], 0, 18277, &n))
		number = (int)n;
	if (number < 0)
		return usage(t, "%s: a disk such as xvda is expected", t->args[1]);
	if (tool_open(t) || tool_domain(t, t->args[0], i))
		return 1;
	ret = parvus_device_find(t->h, i->domain, PARVUS_CLASS_BLOCK, (uint32_t)number, d);
	if (ret == -ENOENT)
		return fail("domain %u has no disk %s", i->domain, t->args[1]);
	snprintf(index, 16, "%d", number);
	return ret ? fail_lib(t) : 0;
}

int cmd_block_detach(struct tool *t)
{
	struct parvus_control_info i;
	struct parvus_device d;
	bool force = false;
	char index[16];
	int c;

	while ((c = tool_option(t)) > 0)
		force |= c == 'f';
	if (c < 0 || disk_argument(t, &i, &d, index))
		return 1;
	if (monitor_ask(t, &i, "detach", "disk", index, force ? "force" : "politely", NULL))
		return 1;
	return report(t, &i, PARVUS_CLASS_BLOCK, UINT32_MAX);
}

int cmd_block_resize(struct tool *t)
{
	struct parvus_control_info i;
	struct parvus_device d;
	char index[16];

	if (tool_arguments(t) || disk_argument(t, &i, &d, index) ||
	    monitor_ask(t, &i, "disk-resize", index, NULL))
		return 1;
	return report(t, &i, PARVUS_CLASS_BLOCK, d.index);
}

int cmd_block_set(struct tool *t)
{
	char iops[24] = "-", bps[24] = "-", index[16];
	struct parvus_control_info i;
	struct parvus_device d;
	uint64_t n;
	int c;

	while ((c = tool_option(t)) > 0) {
		if (c == OPT_LONG && !parse_number(t->optarg, 0, UINT32_MAX, &n))
			return usage(t, "--iops %s: a number is expected", t->optarg);
		if (c == OPT_LONG + 1 && !parvus_size_parse(t->optarg, &n))
			return usage(t, "--bps %s: bytes in a second such as 20M are expected", t->optarg);
		snprintf(c == OPT_LONG ? iops : bps, sizeof(iops), "%llu", (unsigned long long)n);
	}
	if (c < 0)
		return 1;
	if (!strcmp(iops, "-") && !strcmp(bps, "-"))
		return usage(t, "--iops or --bps is expected");
	if (disk_argument(t, &i, &d, index) || monitor_ask(t, &i, "disk-set", index, iops, bps, NULL))
		return 1;
	return report(t, &i, PARVUS_CLASS_BLOCK, d.index);
}

static int change_medium(struct tool *t, const char *target)
{
	struct parvus_control_info i;
	struct parvus_device d;
	char index[16], *path = NULL;
	int ret;

	if (disk_argument(t, &i, &d, index))
		return 1;
	if (target[0] && target[0] != '/') {
		char *cwd = getcwd(NULL, 0);

		if (!cwd || asprintf(&path, "%s/%s", cwd, target) < 0)
			path = NULL;
		free(cwd);
		if (!path)
			return fail("no memory");
	}
	ret = monitor_ask(t, &i, "cd", index, path ? path : target, NULL);
	free(path);
	return ret ? ret : report(t, &i, PARVUS_CLASS_BLOCK, d.index);
}

int cmd_cd_insert(struct tool *t)
{
	if (tool_arguments(t))
		return 1;
	if (!t->args[2][0])
		return usage(t, "a file or block device is expected");
	return change_medium(t, t->args[2]);
}

int cmd_cd_eject(struct tool *t)
{
	return tool_arguments(t) ? 1 : change_medium(t, "");
}

int cmd_network_attach(struct tool *t)
{
	struct parvus_control_info i;
	struct parvus_vif v;
	char spec[3000];
	int ret;

	if (tool_arguments(t) || joined(t, spec, sizeof(spec)) || tool_open(t))
		return 1;
	ret = parvus_vif_parse(&t->error, "", spec, 0, &v) ? fail_lib(t) : tool_domain(t, t->args[0], &i);
	parvus_vif_free(&v);
	return ret ? ret : monitor_ask(t, &i, "vif-attach", spec, NULL);
}

/* The interface named by the second argument: its number or its MAC. */
static int vif_argument(struct tool *t, struct parvus_control_info *i, char index[16])
{
	struct parvus_network_config n;
	struct parvus_device d;
	uint32_t at = 0;
	uint64_t number = UINT64_MAX;
	char mac[18];
	int ret;

	if (!strchr(t->args[1], ':') && !parse_number(t->args[1], 0, UINT32_MAX, &number))
		return usage(t, "%s: the number of an interface or its MAC is expected", t->args[1]);
	if (tool_open(t) || tool_domain(t, t->args[0], i))
		return 1;
	while (!(ret = parvus_device_next(t->h, at, &d))) {
		at = d.id;
		if (d.front_domain != i->domain || d.device_class != PARVUS_CLASS_NETWORK)
			continue;
		memcpy(&n, d.config, sizeof(n));
		mac_text(&n, mac);
		if (d.index == number || !strcasecmp(mac, t->args[1])) {
			snprintf(index, 16, "%u", d.index);
			return 0;
		}
	}
	return ret == -ENOENT ? fail("domain %u has no interface %s", i->domain, t->args[1]) : fail_lib(t);
}

int cmd_network_detach(struct tool *t)
{
	struct parvus_control_info i;
	bool force = false;
	char index[16];
	int c;

	while ((c = tool_option(t)) > 0)
		force |= c == 'f';
	if (c < 0 || vif_argument(t, &i, index))
		return 1;
	if (monitor_ask(t, &i, "detach", "vif", index, force ? "force" : "politely", NULL))
		return 1;
	return report(t, &i, PARVUS_CLASS_NETWORK, UINT32_MAX);
}
