// SPDX-License-Identifier: GPL-2.0-only
/* parvus trace: what the hypervisor does, event by event. */
#include "commands.h"
#include "wait.h"

#include "hypercall_names.h"

const struct option_text trace_options[] = {
	{ 'e', "events", "EVENTS", "these, with commas between; \"all\" without it" },
	{ 't', "time", "SECONDS", "for that long; until Ctrl-C without it" },
	{ 'd', "domain", "DOMAIN", "show this one alone" },
	{ 0 },
};

static const struct {
	const char *name;
	uint32_t bit;
} trace_events[] = {
	{ "sched", PARVUS_TRACE_SCHED }, { "wake", PARVUS_TRACE_WAKE },
	{ "hypercall", PARVUS_TRACE_HYPERCALL }, { "fault", PARVUS_TRACE_FAULT },
	{ "event", PARVUS_TRACE_EVENT }, { "domain", PARVUS_TRACE_DOMAIN },
	{ "vector", PARVUS_TRACE_VECTOR }, { "all", PARVUS_TRACE_ALL },
	/* when asked for by name: they cost more */
	{ "return", PARVUS_TRACE_RETURN }, { "syscall", PARVUS_TRACE_SYSCALL },
	{ "exit", PARVUS_TRACE_EXIT }, { "outcome", PARVUS_TRACE_OUTCOME },
};

static bool parse_events(const char *text, uint32_t *mask)
{
	size_t i, n;

	*mask = 0;
	for (;; text += n + 1) {
		n = strcspn(text, ",");
		for (i = 0; i < sizeof(trace_events) / sizeof(*trace_events); i++)
			if (strlen(trace_events[i].name) == n &&
			    !strncmp(text, trace_events[i].name, n))
				break;
		if (i == sizeof(trace_events) / sizeof(*trace_events))
			return false;
		*mask |= trace_events[i].bit;
		if (!text[n])
			return true;
	}
}

static const char *event_name(uint32_t bit)
{
	size_t i;

	for (i = 0; i < sizeof(trace_events) / sizeof(*trace_events); i++)
		if (trace_events[i].bit == bit)
			return trace_events[i].name;
	return "unknown";
}

static void who(char *text, size_t bytes, uint32_t domain, uint32_t vcpu)
{
	if (domain == 0xffff)
		snprintf(text, bytes, "idle");
	else
		snprintf(text, bytes, "d%u.%u", domain, vcpu);
}

static const char *hypercall_name(uint64_t nr, char number[24])
{
	if (nr < sizeof(hypercall_names) / sizeof(*hypercall_names) && hypercall_names[nr])
		return hypercall_names[nr];
	snprintf(number, 24, "%llu", (unsigned long long)nr);
	return number;
}

static void show_record(const struct tool *t, const struct parvus_trace_record *r, uint32_t cpu,
			double seconds)
{
	static const char *const states[] = { "building", "running", "shutdown", "dying" };
	static const char *const outcomes[] = { "filled", "to the guest", "killed", "waits" };
	char subject[24], what[160], from[24];
	unsigned long long a = r->arg[0], b = r->arg[1];

	who(subject, sizeof(subject), r->domain, r->vcpu);
	switch (r->event) {
	case PARVUS_TRACE_SCHED:
		who(from, sizeof(from), (uint32_t)(a >> 16) & 0xffff, (uint32_t)a & 0xffff);
		snprintf(what, sizeof(what), "after %s", from);
		break;
	case PARVUS_TRACE_HYPERCALL:
		snprintf(what, sizeof(what), "%s(%#llx)", hypercall_name(a, from), b);
		break;
	case PARVUS_TRACE_RETURN:
		snprintf(what, sizeof(what), "%s = %lld", hypercall_name(a, from), (long long)b);
		break;
	case PARVUS_TRACE_SYSCALL:
		snprintf(what, sizeof(what), "%llu, from %#llx", a, b);
		break;
	case PARVUS_TRACE_EXIT:
		snprintf(what, sizeof(what), "to %#llx, %s mode", a,
			 b == PARVUS_KERNEL_CS ? "kernel" : "user");
		break;
	case PARVUS_TRACE_OUTCOME:
		snprintf(what, sizeof(what), "at %#llx: %s", a, b < 4 ? outcomes[b] : "?");
		break;
	case PARVUS_TRACE_FAULT:
		snprintf(what, sizeof(what), "at %#llx, code %#llx", a, b);
		break;
	case PARVUS_TRACE_EVENT:
		snprintf(what, sizeof(what), "port %llu", a);
		break;
	case PARVUS_TRACE_DOMAIN:
		snprintf(what, sizeof(what), "%s", a < 4 ? states[a] : "?");
		break;
	case PARVUS_TRACE_VECTOR:
		snprintf(what, sizeof(what), "%#llx", a);
		break;
	default:
		what[0] = 0;
	}
	if (t->json) {
		struct json_object *o = json_object_new_object();

		add_u64(o, "tsc", r->tsc);
		add_u64(o, "cpu", cpu);
		add_text(o, "event", event_name(r->event));
		if (r->domain != 0xffff) {
			add_u64(o, "domain", r->domain);
			add_u64(o, "vcpu", r->vcpu);
		}
		add_u64(o, "arg0", r->arg[0]);
		add_u64(o, "arg1", r->arg[1]);
		/* one object on each line: it may go on for long */
		printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
		json_object_put(o);
		return;
	}
	printf("%12.6f cpu%-2u %-9s %-7s %s\n", seconds, cpu, event_name(r->event), subject, what);
}

struct record {
	struct parvus_trace_record r;
	uint32_t cpu;
};

static int by_time(const void *a, const void *b)
{
	uint64_t x = ((const struct record *)a)->r.tsc, y = ((const struct record *)b)->r.tsc;

	return x < y ? -1 : x > y;
}

/* All that is there now, of all CPUs, in order; what was overwritten before is told, and added. */
static int show_trace(struct tool *t, const struct parvus_control_machine *m, uint64_t *from,
		      uint64_t *first, uint32_t domain, uint64_t *lost)
{
	struct record *all = calloc((size_t)m->cpus * PARVUS_TRACE_BATCH, sizeof(*all));
	size_t n = 0, i;
	uint32_t cpu, k;

	if (!all)
		return fail("no memory");
	for (cpu = 0; cpu < m->cpus; cpu++) {
		struct parvus_control_trace r = { .cpu = cpu, .from = from[cpu] };
		uint64_t wanted = from[cpu];

		if (parvus_trace(t->h, &r)) {
			free(all);
			return fail_lib(t);
		}
		if (r.from > wanted) {
			warning("trace: %llu records of CPU %u were lost",
				(unsigned long long)(r.from - wanted), cpu);
			*lost += r.from - wanted;
		}
		from[cpu] = r.from + r.records;
		for (k = 0; k < r.records; k++) {
			all[n].r = r.record[k];
			all[n++].cpu = cpu;
		}
	}
	qsort(all, n, sizeof(*all), by_time);
	for (i = 0; i < n; i++) {
		if (!*first)
			*first = all[i].r.tsc;
		if (domain == PARVUS_DOMAIN_SELF || all[i].r.domain == domain)
			show_record(t, &all[i].r, all[i].cpu,
				    m->tsc_khz ? (double)(int64_t)(all[i].r.tsc - *first) /
							 (double)m->tsc_khz / 1e3 :
						 0);
	}
	free(all);
	if (written())
		return 1;
	return n ? -1 : 0;
}

int cmd_trace(struct tool *t)
{
	struct parvus_control_trace set = { .flags = 0 };
	uint32_t mask = PARVUS_TRACE_ALL, before, domain = PARVUS_DOMAIN_SELF, cpu;
	struct parvus_control_machine m, now;
	struct parvus_control_info i;
	const char *name = NULL;
	uint64_t *from, first = 0, lost = 0;
	double seconds = 0;
	int c, ret = 0;

	while ((c = tool_option(t)) > 0) {
		if (c == 'e' && !parse_events(t->optarg, &mask))
			return usage(t,
				"-e %s: names of events with commas between are expected: sched, "
				     "wake, hypercall, fault, event, domain, vector, all, return, "
				     "syscall, exit, outcome", t->optarg);
		if (c == 't' && !parse_seconds(t->optarg, &seconds))
			return usage(t, "-t %s: seconds from 0.01 to 86400 are expected",
				     t->optarg);
		if (c == 'd')
			name = t->optarg;
	}
	if (c < 0 || tool_open(t))
		return 1;
	if (name && tool_domain(t, name, &i))
		return 1;
	if (name)
		domain = i.domain;
	if (parvus_machine(t->h, &m))
		return fail_lib(t);
	from = calloc(m.cpus ? m.cpus : 1, sizeof(*from));
	if (!from)
		return fail("no memory");
	/* what is recorded already is not asked for */
	for (cpu = 0; cpu < m.cpus; cpu++) {
		memset(&set, 0, sizeof(set));
		set.cpu = cpu;
		if (parvus_trace(t->h, &set)) {
			free(from);
			return fail_lib(t);
		}
		from[cpu] = set.end;
	}
	before = set.mask;
	catch_signals();
	memset(&set, 0, sizeof(set));
	set.flags = PARVUS_TRACE_SET;
	set.mask = mask;
	if (parvus_trace(t->h, &set)) {
		free(from);
		return fail_lib(t);
	}
	while (!stopped && !(ret > 0)) {
		ret = show_trace(t, &m, from, &first, domain, &lost);
		if (ret > 0)
			break;
		if (seconds > 0 && (parvus_machine(t->h, &now) ||
				    (double)(now.now_ns - m.now_ns) / 1e9 >= seconds))
			break;
		if (!ret)
			nap(0.05);
	}
	memset(&set, 0, sizeof(set));
	set.flags = PARVUS_TRACE_SET;
	set.mask = before;
	if (parvus_trace(t->h, &set) && ret <= 0)
		ret = fail_lib(t);
	if (lost)
		warning("trace: %llu records were lost in all", (unsigned long long)lost);
	free(from);
	return ret > 0;
}
