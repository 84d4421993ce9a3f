// SPDX-License-Identifier: GPL-2.0-only
/* parvus stat: rates of what vCPUs do, as vmstat has it. */
#include "commands.h"
#include "wait.h"

const struct option_text stat_options[] = {
	{ 'd', "domain", "DOMAIN", "of this one, also by its number" },
	{ 'n', NULL, "COUNT", "end after that many lines" },
	{ 0 },
};

struct figures {
	uint64_t now_ns, run, steal, hypercalls;
	struct parvus_vcpu_stats s;
};

static void add_vcpu(struct figures *f, const struct parvus_control_vcpu *v)
{
	const struct parvus_vcpu_stats *s = &v->stats;
	size_t i;

	f->run += v->run_ns;
	f->steal += s->steal_ns;
	f->s.crossings += s->crossings;
	f->s.syscalls += s->syscalls;
	f->s.root_switches += s->root_switches;
	f->s.page_faults += s->page_faults;
	f->s.page_faults_guest += s->page_faults_guest;
	f->s.fills += s->fills;
	f->s.prefills += s->prefills;
	f->s.flushes += s->flushes;
	f->s.shootdowns += s->shootdowns;
	f->s.emulations += s->emulations;
	f->s.vectors += s->vectors;
	f->s.switches += s->switches;
	for (i = 0; i < 64; i++)
		f->hypercalls += s->hypercalls[i];
}

static int gather(struct tool *t, const struct parvus_control_info *one, struct figures *f)
{
	struct parvus_control_info *list = NULL, i;
	struct parvus_control_machine m;
	struct parvus_control_vcpu v;
	size_t n = 1, k;
	uint32_t c;
	int ret = 0;

	memset(f, 0, sizeof(*f));
	if (parvus_machine(t->h, &m))
		return -1;
	f->now_ns = m.now_ns;
	if (!one && parvus_list(t->h, &list, &n))
		return -1;
	for (k = 0; k < n && !ret; k++) {
		i = one ? *one : list[k];
		for (c = 0; c < i.vcpus && !ret; c++) {
			ret = parvus_vcpu(t->h, i.domain, c, &v);
			if (!ret)
				add_vcpu(f, &v);
			else if (!one)
				ret = 0;	/* it ended between two calls */
		}
	}
	free(list);
	return ret;
}

/* Of one CPU, in percent, over @s seconds. */
static double share(uint64_t old, uint64_t now, double s)
{
	return now > old ? (double)(now - old) / s / 1e7 : 0;
}

int cmd_stat(struct tool *t)
{
	static const char *const names[] = { "cross", "sysc", "hyperc", "root", "fault", "gfault",
					     "fill", "prefil", "flush", "shoot", "vector", "switch",
					     "emul" };
	struct parvus_control_info one, *domain = NULL;
	const char *name = NULL;
	struct figures old, now;
	double delay = 1, s;
	uint64_t count = 0, line;
	unsigned int at = 0;
	size_t i;
	int c;

	while ((c = tool_option(t)) > 0) {
		if (c == 'n' && !parvus_number_parse(t->optarg, 1, UINT32_MAX, &count))
			return usage(t, "-n %s: a number of lines from 1 on is expected",
				     t->optarg);
		if (c == 'd')
			name = t->optarg;
	}
	if (c < 0)
		return 1;
	/* two numbers are SECONDS and COUNT; of three arguments the first is a domain */
	if (!name && at < t->nargs && (t->nargs == 3 || !parse_seconds(t->args[at], &s)))
		name = t->args[at++];
	if (at < t->nargs && !parse_seconds(t->args[at++], &delay))
		return usage(t, "%s: seconds from 0.01 to 86400 are expected", t->args[at - 1]);
	if (at < t->nargs && count)
		return usage(t, "%s: a count is given already, by -n", t->args[at]);
	if (at < t->nargs && !parvus_number_parse(t->args[at++], 1, UINT32_MAX, &count))
		return usage(t, "%s: a number of lines from 1 on is expected", t->args[at - 1]);
	if (at < t->nargs)
		return usage(t, "too many arguments: %s", t->args[at]);
	if (tool_open(t))
		return 1;
	if (name && tool_domain(t, name, &one))
		return 1;
	if (name)
		domain = &one;
	catch_signals();
	if (gather(t, domain, &old))
		return fail_lib(t);
	for (line = 0; !stopped && (!count || line < count); line++) {
		double rate[sizeof(names) / sizeof(*names)];

		nap(delay);
		if (stopped)
			break;
		if (gather(t, domain, &now))
			return fail_lib(t);
		s = now.now_ns > old.now_ns ? (double)(now.now_ns - old.now_ns) / 1e9 : 1;
#define RATE(n, m) rate[n] = now.m > old.m ? (double)(now.m - old.m) / s : 0
		RATE(0, s.crossings);
		RATE(1, s.syscalls);
		RATE(2, hypercalls);
		RATE(3, s.root_switches);
		RATE(4, s.page_faults);
		RATE(5, s.page_faults_guest);
		RATE(6, s.fills);
		RATE(7, s.prefills);
		RATE(8, s.flushes);
		RATE(9, s.shootdowns);
		RATE(10, s.vectors);
		RATE(11, s.switches);
		RATE(12, s.emulations);
#undef RATE
		if (t->json) {
			struct json_object *o = json_object_new_object();

			add_u64(o, "now_ns", now.now_ns);
			json_object_object_add(o, "cpu_percent", json_object_new_double(
				share(old.run, now.run, s)));
			json_object_object_add(o, "steal_percent", json_object_new_double(
				share(old.steal, now.steal, s)));
			for (i = 0; i < sizeof(names) / sizeof(*names); i++)
				json_object_object_add(o, names[i],
						       json_object_new_double(rate[i]));
			print_json(o);
		} else {
			if (line % 20 == 0) {
				printf("%6s %6s", "cpu%", "steal%");
				for (i = 0; i < sizeof(names) / sizeof(*names); i++)
					printf(" %7s", names[i]);
				printf("\n");
			}
			printf("%6.1f %6.1f", share(old.run, now.run, s),
			       share(old.steal, now.steal, s));
			for (i = 0; i < sizeof(names) / sizeof(*names); i++)
				printf(" %7.0f", rate[i]);
			printf("\n");
		}
		if (written())
			break;
		old = now;
	}
	return 0;
}
