// SPDX-License-Identifier: GPL-2.0-only
/* parvus network-attach, network-detach, network-list: interfaces of a running domain. */
#include "ask.h"
#include "commands.h"
#include "show.h"

int cmd_network_list(struct tool *t)
{
	return list_devices(t, PARVUS_CLASS_NETWORK);
}

/* The monitor chose its number: it is the one that was made last. */
static int report_last(struct tool *t, const struct parvus_control_info *i)
{
	struct parvus_device d, last = { 0 };
	uint32_t at = 0;
	int ret;

	while (!(ret = parvus_device_next(t->h, at, &d))) {
		at = d.id;
		if (d.front_domain == i->domain && d.device_class == PARVUS_CLASS_NETWORK)
			last = d;
	}
	if (ret != -ENOENT)
		return fail_lib(t);
	return last.id ? report_this(t, &last) : print_json(json_object_new_object());
}

int cmd_network_attach(struct tool *t)
{
	struct parvus_control_info i;
	struct parvus_vif v;
	char spec[3000];
	int ret;

	if (tool_arguments(t) || tool_joined(t, spec, sizeof(spec)) || tool_open(t))
		return 1;
	ret = parvus_vif_parse(&t->error, "", spec, 0, &v) ? fail_lib(t) :
	      tool_domain(t, t->args[0], &i);
	parvus_vif_free(&v);
	if (!ret)
		ret = monitor_ask(t, &i, "vif-attach", spec, NULL);
	return ret || !t->json ? ret : report_last(t, &i);
}

/* The interface named by the second argument: its number or its MAC. */
static int vif_argument(struct tool *t, struct parvus_control_info *i, struct parvus_device *d,
			char index[16])
{
	struct parvus_network_config n;
	uint32_t at = 0;
	uint64_t number = UINT64_MAX;
	char mac[18];
	int ret;

	if (!strchr(t->args[1], ':') && !parvus_number_parse(t->args[1], 0, UINT32_MAX, &number))
		return usage(t, "%s: the number of an interface or its MAC is expected",
			     t->args[1]);
	if (tool_open(t) || tool_domain(t, t->args[0], i))
		return 1;
	while (!(ret = parvus_device_next(t->h, at, d))) {
		at = d->id;
		if (d->front_domain != i->domain || d->device_class != PARVUS_CLASS_NETWORK)
			continue;
		memcpy(&n, d->config, sizeof(n));
		mac_text(&n, mac);
		if (d->index == number || !strcasecmp(mac, t->args[1])) {
			snprintf(index, 16, "%u", d->index);
			return 0;
		}
	}
	return ret == -ENOENT ? fail("domain %u has no interface %s", i->domain,
				     t->args[1]) : fail_lib(t);
}

int cmd_network_detach(struct tool *t)
{
	struct parvus_control_info i;
	struct parvus_device d;
	bool force = false;
	char index[16];
	int c;

	while ((c = tool_option(t)) > 0)
		force |= c == 'f';
	if (c < 0 || vif_argument(t, &i, &d, index))
		return 1;
	if (monitor_ask(t, &i, "detach", "vif", index, force ? "force" : "politely", NULL))
		return 1;
	return report_this(t, &d);
}
