// SPDX-License-Identifier: GPL-2.0-only
/* parvus sched: weight and cap. */
#include "commands.h"

const struct option_text sched_options[] = {
	{ 'd', "domain", "DOMAIN", "this one" },
	{ 'w', "weight", "WEIGHT", "its share, 1 to 65535; 256 is normal" },
	{ 'c', "cap", "PERCENT", "at most this much of one CPU; 0 = no cap" },
	{ 0 },
};

static int sched_one(struct tool *t, const struct parvus_control_info *d, uint32_t flags,
		     uint32_t weight, uint32_t cap, struct json_object *all)
{
	if (parvus_domain_sched(t->h, d->domain, flags, &weight, &cap))
		return fail_lib(t);
	if (t->json) {
		struct json_object *o = json_object_new_object();

		add_text(o, "name", name_of(t, d));
		add_u64(o, "id", d->domain);
		add_u64(o, "weight", weight);
		add_u64(o, "cap", cap);
		json_object_array_add(all, o);
	} else if (!flags) {
		printf("%-33s %4u %6u %4u\n", name_of(t, d), d->domain, weight, cap);
	}
	return 0;
}

int cmd_sched(struct tool *t)
{
	struct parvus_control_info *list, one;
	const char *domain = NULL;
	uint64_t weight = 0, cap = 0;
	struct json_object *all;
	uint32_t flags = 0;
	size_t i, n;
	int c, ret = 0;

	while ((c = tool_option(t)) > 0) {
		if (c == 'd')
			domain = t->optarg;
		if (c == 'w') {
			if (!parvus_number_parse(t->optarg, 1, 65535, &weight))
				return usage(t, "-w %s: a weight from 1 to 65535 is expected",
					     t->optarg);
			flags |= PARVUS_SCHED_SET_WEIGHT;
		}
		if (c == 'c') {
			if (!parvus_number_parse(t->optarg, 0, 100 * PARVUS_MAX_VCPUS, &cap))
				return usage(t,
					     "-c %s: percent of one CPU from 0 to %u are expected",
					     t->optarg, 100 * PARVUS_MAX_VCPUS);
			flags |= PARVUS_SCHED_SET_CAP;
		}
	}
	if (c < 0)
		return 1;
	if (flags && !domain)
		return usage(t, "-d DOMAIN is expected with %s",
			     flags & PARVUS_SCHED_SET_WEIGHT ? "-w" : "-c");
	if (tool_open(t))
		return 1;
	if (domain && tool_domain(t, domain, &one))
		return 1;
	all = json_object_new_array();
	if (!t->json && !flags)
		printf("%-33s %4s %6s %4s\n", "Name", "ID", "Weight", "Cap");
	if (domain) {
		ret = sched_one(t, &one, flags, (uint32_t)weight, (uint32_t)cap, all);
	} else {
		if (parvus_list(t->h, &list, &n)) {
			json_object_put(all);
			return fail_lib(t);
		}
		for (i = 0; !ret && i < n; i++)
			if (list[i].state != PARVUS_DOMAIN_DYING)
				ret = sched_one(t, &list[i], 0, 0, 0, all);
		free(list);
	}
	if (t->json && !ret)
		return print_json(all);
	json_object_put(all);
	return ret;
}
