// SPDX-License-Identifier: GPL-2.0-only
/* parvus info: the machine, or all about one domain. */
#include "commands.h"
#include "show.h"

#include <parvus/irq.h>
#include <sys/utsname.h>
#include <unistd.h>

const struct option_text info_options[] = {
	{ 'n', "numa", NULL, "also each CPU, and what CPUID shows domains" },
	{ 'i', "interrupts", NULL, "interrupts of devices instead" },
	{ 0 },
};

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

/* Measures against CPUs that leak by speculation, as Linux' vulnerabilities files tell them. */
static const char *const measures[PARVUS_MEASURES] = {
	[PARVUS_MEASURE_VERW] = "verw",
	[PARVUS_MEASURE_IBPB] = "ibpb",
	[PARVUS_MEASURE_BRANCHES] = "branches",
	[PARVUS_MEASURE_SMT] = "smt",
	[PARVUS_MEASURE_ROOTS] = "roots",
	[PARVUS_MEASURE_SMAP] = "smap",
};

static const char *measure_state(const struct parvus_control_machine *m, size_t measure)
{
	static const char *const states[] = {
		[PARVUS_MEASURE_NOT_AFFECTED] = "not affected",
		[PARVUS_MEASURE_ON] = "on",
		[PARVUS_MEASURE_OFF] = "off",
		[PARVUS_MEASURE_NO_MICROCODE] = "no microcode",
		[PARVUS_MEASURE_HARDWARE] = "by the hardware",
		[PARVUS_MEASURE_ABSENT] = "absent",
	};
	size_t state = m->features[1] >> 4 * measure & 15;

	return state < sizeof(states) / sizeof(states[0]) ? states[state] : "unknown";
}

/* What create would give away: free, and not promised to those who have not touched theirs yet. */
static uint64_t unpromised(const struct parvus_control_machine *m)
{
	uint64_t taken = m->frames_promised > m->frames_claimed ? m->frames_promised :
			 m->frames_claimed;

	return m->frames_free > taken ? m->frames_free - taken : 0;
}

/* The hypervisor does not tell sockets or siblings: one of each. */
static void row_topology(uint32_t cpus)
{
	row("nr_nodes", "1");
	row("cores_per_socket", "%u", cpus);
	row("threads_per_core", "1");
}

static void add_memory(struct json_object *o, const struct parvus_control_machine *m)
{
	add_u64(o, "total_memory_kib", m->frames_total * 4);
	add_u64(o, "free_memory_kib", m->frames_free * 4);
	add_u64(o, "unpromised_memory_kib", unpromised(m) * 4);
	add_u64(o, "promised_memory_kib", m->frames_promised * 4);
	add_u64(o, "ghost_memory_kib", m->frames_ghost * 4);
	add_u64(o, "claimed_memory_kib", m->frames_claimed * 4);
	add_u64(o, "kept_memory_kib", m->frames_kept * 4);
}

/* What the host gives at the most: xl's names of features, a level, XCR0. Frees @o if it fails. */
static int info_cpuid(struct tool *t, struct json_object *o)
{
	struct parvus_control_cpuid c;
	struct json_object *names = NULL;
	unsigned int w, b, level;
	const char *name;

	if (parvus_cpuid_read(t->h, PARVUS_DOMAIN_SELF, &c)) {
		json_object_put(o);
		return fail_lib(t);
	}
	level = parvus_cpuid_level(&c);
	if (o)
		names = json_object_new_array();
	else
		printf("%-23s:", "cpuid");
	for (w = 0; w < PARVUS_CPUID_WORDS; w++)
		for (b = 0; b < 32; b++) {
			name = c.features[w] >> b & 1 ? parvus_cpuid_name(w, b) : NULL;
			if (name && o)
				json_object_array_add(names, json_object_new_string(name));
			else if (name)
				printf(" %s", name);
		}
	if (o) {
		json_object_object_add(o, "cpuid", names);
		add_u64(o, "cpuid_level", level);
		add_u64(o, "xcr0", c.xcr0);
		return 0;
	}
	printf("\n");
	if (level)
		row("cpuid_level", "x86-64-v%u", level);
	row("xcr0", "%#llx", (unsigned long long)c.xcr0);
	return 0;
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
		add_u64(o, "nodes", 1);
		add_u64(o, "cores_per_socket", m.cpus);
		add_u64(o, "threads_per_core", 1);
		add_u64(o, "domains", m.domains);
		add_u64(o, "max_domains", m.max_domains);
		add_memory(o, &m);
		add_u64(o, "late_ticks", m.late_ticks);
		add_u64(o, "uptime_ns", m.now_ns);
		add_u64(o, "tsc_khz", m.tsc_khz);
		add_u64(o, "features", m.features[0]);
		add_u64(o, "ports", m.ports);
		add_u64(o, "grants", m.grants);
		add_u64(o, "mappings", m.mappings);
		add_u64(o, "devices", m.devices);
		add_bool(o, "debug", m.flags & 2);
		for (i = 0; i < PARVUS_MEASURES; i++) {
			char key[32];

			snprintf(key, sizeof(key), "measure_%s", measures[i]);
			add_text(o, key, measure_state(&m, i));
		}
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
		return each_cpu && info_cpuid(t, o) ? 1 : print_json(o);
	}
	row("host", "%s", u.nodename);
	row("release", "%s", u.release);
	row("machine", "%s", u.machine);
	row("parvus_build", "%s", plain(m.build));
	row("nr_cpus", "%u", m.cpus);
	row_topology(m.cpus);
	row("cpu_mhz", "%.3f", (double)m.tsc_khz / 1000);
	row("total_memory", "%llu", (unsigned long long)m.frames_total >> 8);
	row("free_memory", "%llu", (unsigned long long)unpromised(&m) >> 8);
	row("untouched_memory", "%llu", (unsigned long long)m.frames_free >> 8);
	row("promised_memory", "%llu", (unsigned long long)m.frames_promised >> 8);
	row("nr_domains", "%u", m.domains);
	row("max_domains", "%u", m.max_domains);
	row("event_ports", "%u", m.ports);
	row("grants", "%u", m.grants);
	row("grant_mappings", "%u", m.mappings);
	row("devices", "%u", m.devices);
	row("uptime", "%.1f", (double)m.now_ns / 1e9);
	for (i = 0; i < PARVUS_MEASURES; i++) {
		char key[32];

		snprintf(key, sizeof(key), "measure_%s", measures[i]);
		row(key, "%s", measure_state(&m, i));
	}
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
	return each_cpu ? info_cpuid(t, NULL) : 0;
}

static const char *interrupt_state(uint32_t state)
{
	if (state & PARVUS_INTERRUPT_STORMS)
		return "storms";
	if (state & PARVUS_INTERRUPT_MASKED)
		return "masked";
	return state & PARVUS_INTERRUPT_WAITS ? "waits" : "-";
}

/* A line, with what it is like, or a function of PCI and which of its messages. */
static void interrupt_source(char *text, size_t size, const struct parvus_control_interrupt *i)
{
	if (i->kind == PARVUS_IRQ_LINE)
		snprintf(text, size, "line %u %s %s", i->source,
			 i->flags & PARVUS_IRQ_LEVEL ? "level" : "edge",
			 i->flags & PARVUS_IRQ_LOW ? "low" : "high");
	else
		snprintf(text, size, "%04x:%02x:%02x.%u message %u", i->source >> 16,
			 i->source >> 8 & 0xff, i->source >> 3 & 31, i->source & 7, i->index);
}

static void add_interrupt(struct json_object *array, const struct parvus_control_interrupt *i,
			  const char *source)
{
	struct json_object *o = json_object_new_object();

	add_u64(o, "handle", i->handle);
	add_text(o, "source", source);
	add_u64(o, "vcpu", i->vcpu);
	add_u64(o, "vector", i->vector);
	add_u64(o, "cpu", i->cpu);
	add_u64(o, "count", i->count);
	add_text(o, "state", interrupt_state(i->state));
	json_object_array_add(array, o);
}

/* What raises nothing has no vCPU. */
static void print_interrupt(const struct parvus_control_interrupt *i, const char *source)
{
	if (i->vector == PARVUS_IRQ_NOWHERE)
		printf("%-28s     -      -     -", source);
	else
		printf("%-28s %5u %6u %5u", source, i->vcpu, i->vector, i->cpu);
	printf(" %12llu  %s\n", (unsigned long long)i->count, interrupt_state(i->state));
}

static int info_interrupts(struct tool *t)
{
	struct json_object *o = json_object_new_object(), *array = json_object_new_array();
	struct parvus_control_interrupt i = { .handle = 0 };
	char source[48];
	uint32_t from;

	if (!t->json)
		printf("%-28s  vCPU Vector   CPU        Count  State\n", "Source");
	for (from = 0;; from = i.handle + 1) {
		if (parvus_interrupt(t->h, from, &i)) {
			json_object_put(array);
			json_object_put(o);
			return fail_lib(t);
		}
		if (i.handle == PARVUS_INTERRUPT_NONE)
			break;
		interrupt_source(source, sizeof(source), &i);
		add_interrupt(array, &i, source);
		if (!t->json)
			print_interrupt(&i, source);
	}
	json_object_object_add(o, "interrupts", array);
	add_u64(o, "strays", i.strays);
	add_u64(o, "stuck", i.stuck);
	add_u64(o, "storms", i.storms);
	if (t->json)
		return print_json(o);
	json_object_put(o);
	printf("%llu strays, %llu stuck lines, %llu storms\n", (unsigned long long)i.strays,
	       (unsigned long long)i.stuck, (unsigned long long)i.storms);
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
	o = domain_json(t, &i, &m);
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
	bool each_cpu = false, interrupts = false;
	int c;

	while ((c = tool_option(t)) > 0) {
		each_cpu |= c == 'n';
		interrupts |= c == 'i';
	}
	if (c < 0)
		return 1;
	if (interrupts && (t->nargs || each_cpu))
		return usage(t, "-i shows the machine's interrupts, and nothing else: not %s",
			     t->nargs ? t->args[0] : "-n");
	if (each_cpu && t->nargs)
		return usage(t, "-n shows the machine's CPUs, not those of %s", t->args[0]);
	if (tool_open(t))
		return 1;
	if (interrupts)
		return info_interrupts(t);
	return t->nargs ? info_domain(t, t->args[0]) : info_machine(t, each_cpu);
}
