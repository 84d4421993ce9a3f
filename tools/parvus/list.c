// SPDX-License-Identifier: GPL-2.0-only
/* parvus list, info, domid, domname, uptime: what there is. Nothing here changes anything. */
#include "tool.h"

#include <sys/utsname.h>
#include <unistd.h>

const struct option_text list_options[] = {
	{ 'l', "long", NULL, "all there is to know, as JSON" },
	{ 'v', "verbose", NULL, "also why and how it ended, and memory in use" },
	{ 0 },
};
const struct option_text info_options[] = {
	{ 'n', "numa", NULL, "also each CPU" },
	{ 0 },
};
const struct option_text uptime_options[] = {
	{ 's', "short", NULL, "one short line for each" },
	{ 0 },
};

/* The domains of the arguments, or all. */
static int chosen(struct tool *t, struct parvus_control_info **list, size_t *n)
{
	size_t i;

	if (!t->nargs)
		return parvus_list(t->h, list, n) ? fail_lib(t) : 0;
	*list = calloc(t->nargs, sizeof(**list));
	if (!*list)
		return fail("no memory");
	*n = t->nargs;
	for (i = 0; i < t->nargs; i++)
		if (tool_domain(t, t->args[i], &(*list)[i])) {
			free(*list);
			return 1;
		}
	return 0;
}

/* The saved configuration, as text. */
static void add_config(struct tool *t, struct json_object *o, uint32_t domain)
{
	struct parvus_config *c;
	char path[300], *text;

	if (parvus_run_path(t->h, domain, "config", path, sizeof(path)) || access(path, R_OK) ||
	    parvus_config_load(&t->error, path, NULL, 0, &c))
		return;
	if (!parvus_config_text(&t->error, c, &text)) {
		json_object_object_add(o, "config", json_object_new_string(text));
		free(text);
	}
	parvus_config_free(c);
}

int cmd_list(struct tool *t)
{
	struct parvus_control_machine m;
	struct parvus_control_info *list;
	struct json_object *all;
	bool verbose = false, full = false;
	size_t i, n;
	int c;

	while ((c = tool_option(t)) > 0) {
		if (c == 'l')
			full = t->json = true;
		if (c == 'v')
			verbose = true;
	}
	if (c < 0 || tool_open(t))
		return 1;
	if (parvus_machine(t->h, &m))
		return fail_lib(t);
	if (chosen(t, &list, &n))
		return 1;
	if (t->json) {
		all = json_object_new_array();
		for (i = 0; i < n; i++) {
			struct json_object *o = domain_json(&list[i], &m);

			if (full) {
				add_config(t, o, list[i].domain);
				add_devices(t, o, list[i].domain);
			}
			json_object_array_add(all, o);
		}
		free(list);
		return print_json(all);
	}
	printf("%-40s %5s %5s %5s %10s %9s%s\n", "Name", "ID", "Mem", "VCPUs", "State", "Time(s)",
	       verbose ? "  Touched  Weight   Cap  End" : "");
	for (i = 0; i < n; i++) {
		struct parvus_control_info *d = &list[i];
		char letters[7];

		printf("%-40s %5u %5llu %5u     %s %9.1f", plain(d->name), d->domain,
		       (unsigned long long)d->frames >> 8, d->vcpus, state_letters(d, letters),
		       (double)d->run_ns / 1e9);
		if (verbose) {
			printf(" %8llu %7u %5u  ", (unsigned long long)d->touched >> 8, d->weight,
			       d->cap);
			if (d->state != PARVUS_DOMAIN_SHUTDOWN)
				printf(d->flags & PARVUS_INFO_NO_MEMORY ? "waits for memory" : "-");
			else
				printf("%s %u%s%s", parvus_reason_text(d->reason), d->status,
				       d->why[0] ? ": " : "", plain(d->why));
		}
		printf("\n");
	}
	free(list);
	return 0;
}

static void row(const char *key, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void row(const char *key, const char *format, ...)
{
	va_list args;

	printf("%-23s: ", key);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

static int info_machine(struct tool *t, bool each_cpu)
{
	struct parvus_control_machine m;
	struct json_object *o, *cpus;
	struct utsname u;
	uint32_t i;

	if (parvus_machine(t->h, &m))
		return fail_lib(t);
	uname(&u);
	if (t->json) {
		o = json_object_new_object();
		add_text(o, "host", u.nodename);
		add_text(o, "release", u.release);
		add_text(o, "machine", u.machine);
		add_text(o, "parvus_build", m.build);
		add_u64(o, "abi", PARVUS_ABI_VERSION);
		add_u64(o, "cpus", m.cpus);
		add_u64(o, "domains", m.domains);
		add_u64(o, "max_domains", m.max_domains);
		add_u64(o, "total_memory_kib", m.frames_total * 4);
		add_u64(o, "free_memory_kib", m.frames_free * 4);
		add_u64(o, "promised_memory_kib", m.frames_promised * 4);
		add_u64(o, "ghost_memory_kib", m.frames_ghost * 4);
		add_u64(o, "uptime_ns", m.now_ns);
		add_u64(o, "tsc_khz", m.tsc_khz);
		add_u64(o, "features", m.features[0]);
		add_u64(o, "ports", m.ports);
		add_u64(o, "grants", m.grants);
		add_u64(o, "mappings", m.mappings);
		add_u64(o, "devices", m.devices);
		add_bool(o, "debug", m.flags & 2);
		if (each_cpu) {
			cpus = json_object_new_array();
			for (i = 0; i < m.cpus; i++) {
				struct json_object *p = json_object_new_object();
				struct parvus_control_cpu c;

				if (parvus_cpu(t->h, i, &c)) {
					json_object_put(p);
					json_object_put(cpus);
					json_object_put(o);
					return fail_lib(t);
				}
				add_u64(p, "cpu", i);
				add_u64(p, "apic_id", c.apic_id);
				add_u64(p, "idle_ns", c.idle_ns);
				add_u64(p, "busy_ns", c.busy_ns);
				add_u64(p, "switches", c.switches);
				json_object_array_add(cpus, p);
			}
			json_object_object_add(o, "cpu", cpus);
		}
		return print_json(o);
	}
	row("host", "%s", u.nodename);
	row("release", "%s", u.release);
	row("machine", "%s", u.machine);
	row("parvus_build", "%s", plain(m.build));
	row("nr_cpus", "%u", m.cpus);
	row("cpu_mhz", "%.3f", (double)m.tsc_khz / 1000);
	row("total_memory", "%llu", (unsigned long long)m.frames_total >> 8);
	row("free_memory", "%llu", (unsigned long long)m.frames_free >> 8);
	row("promised_memory", "%llu", (unsigned long long)m.frames_promised >> 8);
	row("nr_domains", "%u", m.domains);
	row("max_domains", "%u", m.max_domains);
	row("event_ports", "%u", m.ports);
	row("grants", "%u", m.grants);
	row("grant_mappings", "%u", m.mappings);
	row("devices", "%u", m.devices);
	row("uptime", "%.1f", (double)m.now_ns / 1e9);
	for (i = 0; each_cpu && i < m.cpus; i++) {
		struct parvus_control_cpu c;
		char key[32];

		if (parvus_cpu(t->h, i, &c))
			return fail_lib(t);
		snprintf(key, sizeof(key), "cpu%u", i);
		row(key, "apic %u, busy %.1f s, idle %.1f s, %llu switches", c.apic_id,
		    (double)c.busy_ns / 1e9, (double)c.idle_ns / 1e9,
		    (unsigned long long)c.switches);
	}
	return 0;
}

static int info_domain(struct tool *t, const char *name)
{
	struct parvus_control_machine m;
	struct parvus_control_info i;
	struct json_object *o;

	if (parvus_machine(t->h, &m))
		return fail_lib(t);
	if (tool_domain(t, name, &i))
		return 1;
	o = domain_json(&i, &m);
	add_config(t, o, i.domain);
	add_devices(t, o, i.domain);
	if (t->json)
		return print_json(o);
	json_object_object_foreach(o, key, v) {
		const char *text = json_object_get_string(v);

		if (!strcmp(key, "config") || !*text)
			continue;
		if (json_object_is_type(v, json_type_array))
			row(key, "%zu", json_object_array_length(v));
		else
			row(key, "%s", text);
	}
	json_object_put(o);
	return 0;
}

int cmd_info(struct tool *t)
{
	bool each_cpu = false;
	int c;

	while ((c = tool_option(t)) > 0)
		each_cpu |= c == 'n';
	if (c < 0 || tool_open(t))
		return 1;
	return t->nargs ? info_domain(t, t->args[0]) : info_machine(t, each_cpu);
}

static int identify(struct tool *t, bool number)
{
	struct parvus_control_info i;
	struct json_object *o;
	uint64_t n;

	if (tool_arguments(t) || tool_open(t))
		return 1;
	if (!number && !parse_number(t->args[0], 0, UINT32_MAX - 1, &n))
		return usage(t, "%s: a number is expected", t->args[0]);
	if (tool_domain(t, t->args[0], &i))
		return 1;
	if (!t->json) {
		if (number)
			printf("%u\n", i.domain);
		else
			printf("%s\n", plain(i.name));
		return 0;
	}
	o = json_object_new_object();
	add_text(o, "name", i.name);
	add_u64(o, "id", i.domain);
	return print_json(o);
}

int cmd_domid(struct tool *t)
{
	return identify(t, true);
}

int cmd_domname(struct tool *t)
{
	return identify(t, false);
}

int cmd_uptime(struct tool *t)
{
	struct parvus_control_machine m;
	struct parvus_control_info *list;
	struct json_object *all;
	bool brief = false;
	size_t i, n;
	int c;

	while ((c = tool_option(t)) > 0)
		brief |= c == 's';
	if (c < 0 || tool_open(t))
		return 1;
	if (parvus_machine(t->h, &m))
		return fail_lib(t);
	if (chosen(t, &list, &n))
		return 1;
	all = json_object_new_array();
	if (!t->json && !brief)
		printf("%-33s %4s %s\n", "Name", "ID", "Uptime");
	for (i = 0; i < n; i++) {
		uint64_t s = m.now_ns > list[i].created_ns ? (m.now_ns - list[i].created_ns) / 1000000000 : 0;
		char time[64];

		if (s >= 86400)
			snprintf(time, sizeof(time), "%llu day%s, %llu:%02llu:%02llu",
				 (unsigned long long)s / 86400, s >= 172800 ? "s" : "",
				 (unsigned long long)s / 3600 % 24, (unsigned long long)s / 60 % 60,
				 (unsigned long long)s % 60);
		else
			snprintf(time, sizeof(time), "%llu:%02llu:%02llu", (unsigned long long)s / 3600,
				 (unsigned long long)s / 60 % 60, (unsigned long long)s % 60);
		if (t->json) {
			struct json_object *o = json_object_new_object();

			add_text(o, "name", list[i].name);
			add_u64(o, "id", list[i].domain);
			add_u64(o, "uptime_s", s);
			json_object_array_add(all, o);
		} else if (brief) {
			printf("up %s, %s (%u)\n", time, plain(list[i].name), list[i].domain);
		} else {
			printf("%-33s %4u %s\n", plain(list[i].name), list[i].domain, time);
		}
	}
	free(list);
	if (t->json)
		return print_json(all);
	json_object_put(all);
	return 0;
}
