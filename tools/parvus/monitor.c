// SPDX-License-Identifier: GPL-2.0-only
/* parvus monitor, adopt: another monitor for a domain, or all, that lost its own. */
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
	if (monitor_start(i.domain, name_of(t, &i), &link))
		return 1;
	monitor_committed(link);
	if (!t->json)
		return 0;
	o = json_object_new_object();
	add_text(o, "name", name_of(t, &i));
	add_u64(o, "id", i.domain);
	return print_json(o);
}

/* 0 or 1 (said). What belongs to its maker still, as that of parvus run, has no record. */
static int adopt_one(struct tool *t, const struct parvus_control_info *i, struct json_object *all)
{
	struct json_object *o;
	int link;

	if (i->flags & PARVUS_INFO_CONTROL || i->state == PARVUS_DOMAIN_DYING ||
	    parvus_state_served(t->h, i->domain))
		return 0;
	if (monitor_start(i->domain, name_of(t, i), &link))
		return 1;
	monitor_committed(link);
	o = json_object_new_object();
	add_text(o, "name", name_of(t, i));
	add_u64(o, "id", i->domain);
	json_object_array_add(all, o);
	if (!t->json)
		printf("%s (%u) has a monitor again\n", name_of(t, i), i->domain);
	return 0;
}

int cmd_adopt(struct tool *t)
{
	struct parvus_control_info *list, i;
	struct json_object *all;
	int ret = 0;
	size_t n, k;

	if (tool_arguments(t) || tool_open(t))
		return 1;
	all = json_object_new_array();
	for (k = 0; k < t->nargs; k++)
		ret |= tool_domain(t, t->args[k], &i) || adopt_one(t, &i, all);
	if (!t->nargs && parvus_list(t->h, &list, &n))
		ret = fail_lib(t);
	/* one that fails keeps no other from it */
	if (!t->nargs && !ret) {
		for (k = 0; k < n; k++)
			ret |= adopt_one(t, &list[k], all);
		free(list);
	}
	if (t->json)
		return print_json(all) || ret;
	json_object_put(all);
	return !!ret;
}
