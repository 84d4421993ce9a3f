// SPDX-License-Identifier: GPL-2.0-only
/* parvus vcpu-list, vcpu-pin, vcpu-set: vCPUs of a domain. */
#include "commands.h"

const struct option_text pin_options[] = {
	{ 'f', "force", NULL, "accepted, as xl has it" },
	{ 0 },
};
const struct option_text vcpu_set_options[] = {
	{ 'i', "ignore-host", NULL, "accepted, as xl has it" },
	{ 0 },
};

static int show_vcpus(struct tool *t, const struct parvus_control_info *d, uint32_t cpus,
		      struct json_object *all)
{
	static const char *const states[] = { "stopped", "runnable", "running", "blocked",
					      "paused" };
	static const char *const letters[] = { "---", "---", "r--", "-b-", "--p" };
	uint32_t n;

	for (n = 0; n < d->vcpus; n++) {
		struct parvus_control_vcpu v;
		struct parvus_cpus may;
		char set[600], cpu[16];

		if (parvus_vcpu(t->h, d->domain, n, &v))
			return fail_lib(t);
		memcpy(may.word, v.affinity, sizeof(may.word));
		parvus_cpus_text(&may, cpus, set, sizeof(set));
		if (t->json) {
			struct json_object *o = json_object_new_object();

			add_text(o, "name", name_of(t, d));
			add_u64(o, "id", d->domain);
			add_u64(o, "vcpu", n);
			add_text(o, "state", v.state < 5 ? states[v.state] : "unknown");
			add_u64(o, "cpu", v.cpu);
			add_u64(o, "cpu_time_ns", v.run_ns);
			add_u64(o, "steal_time_ns", v.stats.steal_ns);
			add_text(o, "affinity", set);
			if (cpus <= 64)
				add_u64(o, "affinity_mask", v.affinity[0]);
			json_object_array_add(all, o);
			continue;
		}
		snprintf(cpu, sizeof(cpu), v.state == PARVUS_VCPU_STOPPED ? "-" : "%u", v.cpu);
		printf("%-32s %5u %5u %5s   %s %9.1f  %s\n", name_of(t, d), d->domain, n, cpu,
		       v.state < 5 ? letters[v.state] : "?", cpu_seconds(v.run_ns), set);
	}
	return 0;
}

int cmd_vcpu_list(struct tool *t)
{
	struct parvus_control_machine m;
	struct parvus_control_info *list, one;
	struct json_object *all;
	size_t i, n;
	int ret = 0;

	if (tool_arguments(t) || tool_open(t))
		return 1;
	if (parvus_machine(t->h, &m))
		return fail_lib(t);
	for (i = 0; i < t->nargs; i++)
		if (tool_domain(t, t->args[i], &one))
			return 1;
	all = json_object_new_array();
	if (!t->json)
		printf("%-32s %5s %5s %5s %5s %9s  %s\n", "Name", "ID", "VCPU", "CPU", "State",
		       "Time(s)", "Affinity");
	if (t->nargs) {
		for (i = 0; !ret && i < t->nargs; i++) {
			ret = tool_domain(t, t->args[i], &one);
			if (!ret)
				ret = show_vcpus(t, &one, m.cpus, all);
		}
	} else {
		if (parvus_list(t->h, &list, &n))
			ret = fail_lib(t);
		for (i = 0; !ret && i < n; i++)
			/* one that ends meanwhile is no error */
			if (list[i].state != PARVUS_DOMAIN_DYING &&
			    !parvus_domain_info(t->h, list[i].domain, &one))
				ret = show_vcpus(t, &one, m.cpus, all);
		if (!ret)
			free(list);
	}
	if (t->json && !ret)
		return print_json(all);
	json_object_put(all);
	return ret;
}

int cmd_vcpu_pin(struct tool *t)
{
	struct parvus_control_machine m;
	struct parvus_control_info i;
	struct parvus_cpus set;
	uint64_t from = 0, to, n;
	int c;

	while ((c = tool_option(t)) > 0)
		;
	if (c < 0)
		return 1;
	if (t->nargs == 4)
		return usage(t, "there is one set of CPUs, no soft affinity: %s", t->args[3]);
	if (tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	to = i.vcpus;
	if (strcmp(t->args[1], "all")) {
		if (!parvus_number_parse(t->args[1], 0, PARVUS_MAX_VCPUS - 1, &from))
			return usage(t, "%s: the number of a vCPU or \"all\" is expected",
				     t->args[1]);
		to = from + 1;
	}
	if (parvus_machine(t->h, &m))
		return fail_lib(t);
	if (parvus_cpus_parse(&t->error, t->args[2], &set))
		return fail_lib(t);
	if (!parvus_cpus_keep(&set, m.cpus))
		return fail("%s: none of these CPUs is there (the machine has %u)", t->args[2],
			    m.cpus);
	for (n = from; n < to; n++)
		if (parvus_vcpu_pin(t->h, i.domain, (uint32_t)n, &set))
			return fail_lib(t);
	if (t->json) {
		struct json_object *a = json_object_new_array();

		if (parvus_domain_info(t->h, i.domain, &i) || show_vcpus(t, &i, m.cpus, a)) {
			json_object_put(a);
			return fail_lib(t);
		}
		return print_json(a);
	}
	return 0;
}

int cmd_vcpu_set(struct tool *t)
{
	struct parvus_control_info i;
	struct json_object *o;
	uint64_t n;
	int c;

	while ((c = tool_option(t)) > 0)
		;
	if (c < 0)
		return 1;
	if (!parvus_number_parse(t->args[1], 1, PARVUS_MAX_VCPUS, &n))
		return usage(t, "%s: a number of vCPUs from 1 to %u is expected", t->args[1],
			     PARVUS_MAX_VCPUS);
	if (tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	if (n > i.vcpus)
		return fail("vcpu-set: domain %u has at most %u vCPUs", i.domain, i.vcpus);
	if (parvus_domain_vcpus(t->h, i.domain, (uint32_t)n))
		return fail_lib(t);
	if (!t->json)
		return 0;
	o = json_object_new_object();
	add_text(o, "name", name_of(t, &i));
	add_u64(o, "id", i.domain);
	add_u64(o, "vcpus", i.vcpus);
	add_u64(o, "vcpus_wanted", n);
	return print_json(o);
}
