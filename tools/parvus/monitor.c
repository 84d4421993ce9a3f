// SPDX-License-Identifier: GPL-2.0-only
/* parvus monitor: another monitor for a domain that has lost its own. */
#include "ask.h"
#include "commands.h"

int cmd_monitor(struct tool *t)
{
	struct parvus_control_info i;
	struct json_object *o;
	int link;

	if (tool_arguments(t) || tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	if (i.flags & PARVUS_INFO_CONTROL)
		return fail("domain %u is the control domain, which has no monitor", i.domain);
	if (monitor_start(i.domain, i.name, &link))
		return 1;
	monitor_committed(link);
	if (!t->json)
		return 0;
	o = json_object_new_object();
	add_text(o, "name", i.name);
	add_u64(o, "id", i.domain);
	return print_json(o);
}
