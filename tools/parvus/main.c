// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus: control of domains. The table of commands, their options and help, and what all
 * commands share. An error is one line on stderr and a status that is not 0.
 */
#include "tool.h"

#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#ifndef PARVUS_VERSION
#define PARVUS_VERSION "unknown"
#endif

#define ANY 4096u

const struct command commands[] = {
	{ "create", NULL, "[OPTIONS] [FILE] [KEY=VALUE...]", "Make and start a domain from a configuration",
	  create_options, 0, ANY, cmd_create,
	  "KEY=VALUE are settings as in the file, and win over it: memory=512 'disk=[\"...\"]'.\n"
	  "If a step fails, or parvus is killed before the end, nothing is left of the domain." },
	{ "list", NULL, "[OPTIONS] [DOMAIN...]", "Show domains", list_options, 0, ANY, cmd_list,
	  "State: r running, b blocked, p paused, s shut down, c crashed, d dying." },
	{ "info", NULL, "[OPTIONS] [DOMAIN]", "Show the machine, or all about one domain",
	  info_options, 0, 1, cmd_info, NULL },
	{ "destroy", NULL, "DOMAIN", "End a domain at once, as if its power were cut",
	  destroy_options, 1, 1, cmd_destroy, NULL },
	{ "shutdown", NULL, "[OPTIONS] -a | DOMAIN", "Ask a domain to shut down",
	  shutdown_options, 0, 1, cmd_shutdown, NULL },
	{ "reboot", NULL, "[OPTIONS] -a | DOMAIN", "Ask a domain to reboot",
	  shutdown_options, 0, 1, cmd_reboot, NULL },
	{ "pause", NULL, "DOMAIN", "Stop the vCPUs of a domain", NULL, 1, 1, cmd_pause, NULL },
	{ "unpause", NULL, "DOMAIN", "Let a paused domain go on", NULL, 1, 1, cmd_unpause, NULL },
	{ "console", NULL, "[OPTIONS] DOMAIN", "Attach to the console of a domain; Ctrl-] leaves",
	  console_options, 1, 1, cmd_console,
	  "First comes what the domain wrote of late. Several may be attached at once. If the\n"
	  "monitor of the domain is gone, another one is started." },
	{ "rename", NULL, "DOMAIN NAME", "Give a domain another name", NULL, 2, 2, cmd_rename, NULL },
	{ "domid", NULL, "NAME", "Print the number of a domain", NULL, 1, 1, cmd_domid, NULL },
	{ "domname", NULL, "NUMBER", "Print the name of a domain", NULL, 1, 1, cmd_domname, NULL },
	{ "vcpu-list", NULL, "[DOMAIN...]", "Show vCPUs", NULL, 0, ANY, cmd_vcpu_list, NULL },
	{ "vcpu-pin", NULL, "DOMAIN VCPU|all CPUS|all", "Say on which CPUs a vCPU may run",
	  pin_options, 3, 4, cmd_vcpu_pin, "CPUS is a set such as 0-3,^2." },
	{ "vcpu-set", NULL, "DOMAIN COUNT", "Change how many vCPUs are on line",
	  vcpu_set_options, 2, 2, cmd_vcpu_set,
	  "As many as the configuration's maxvcpus at most. The domain's kernel follows by itself;\n"
	  "vcpu-list shows when it has." },
	{ "sched", "sched-credit2", "[-d DOMAIN [-w WEIGHT] [-c CAP]]", "Show or set weight and cap",
	  sched_options, 0, 0, cmd_sched, NULL },
	{ "mem-set", NULL, "DOMAIN SIZE", "Set how much memory a domain shall have", NULL, 2, 2,
	  cmd_mem_set, "SIZE is in MiB, or has a suffix: b k m g t. The domain's balloon follows it." },
	{ "mem-max", NULL, "DOMAIN SIZE", "Set how much memory a domain may have", NULL, 2, 2,
	  cmd_mem_max, "SIZE is in MiB, or has a suffix: b k m g t; at most maxmem of its configuration." },
	{ "top", NULL, "[OPTIONS]", "Watch domains", top_options, 0, 0, cmd_top,
	  "Keys: c CPU, m memory, n name, i number (sort by), r reverse, q quit." },
	{ "stat", NULL, "[OPTIONS] [DOMAIN] [SECONDS [COUNT]]", "Rates of vCPU events, as vmstat",
	  stat_options, 0, 3, cmd_stat, "Each line is per second, over the SECONDS before it." },
	{ "trace", NULL, "[OPTIONS]", "Show what the hypervisor does, event by event",
	  trace_options, 0, 0, cmd_trace, "EVENTS: sched wake hypercall fault event domain vector, or all." },
	{ "dmesg", NULL, "[OPTIONS]", "Show the log of the hypervisor", dmesg_options, 0, 0,
	  cmd_dmesg, NULL },
	{ "uptime", NULL, "[OPTIONS] [DOMAIN...]", "Show since when domains are there",
	  uptime_options, 0, ANY, cmd_uptime, NULL },
	{ "dump-core", NULL, "[OPTIONS] DOMAIN FILE", "Write the memory of a domain for gdb",
	  dump_options, 2, 2, cmd_dump_core, "Then: gdb VMLINUX FILE" },
	{ "block-attach", NULL, "DOMAIN DISK...", "Give a domain another disk", NULL, 2, ANY,
	  cmd_block_attach,
	  "DISK is as in disk = [...], in one argument or several: /dev/vg/data,raw,xvdb,rw or\n"
	  "vdev=xvdb target=/srv/data.img. It is kept over reboots." },
	{ "block-detach", NULL, "[OPTIONS] DOMAIN VDEV", "Take a disk from a domain", detach_options, 2, 2,
	  cmd_block_detach, "Without -f the domain finishes with it first, for 15 s at most." },
	{ "block-list", NULL, "DOMAIN...", "Show disks", NULL, 1, ANY, cmd_block_list, NULL },
	{ "block-resize", NULL, "DOMAIN VDEV", "Let a disk have the new size of its file or device", NULL,
	  2, 2, cmd_block_resize, NULL },
	{ "block-set", NULL, "[OPTIONS] DOMAIN VDEV", "Change the limits of a disk", set_options, 2, 2,
	  cmd_block_set, NULL },
	{ "cd-insert", NULL, "DOMAIN VDEV FILE", "Put a medium into a CD drive", NULL, 3, 3,
	  cmd_cd_insert, NULL },
	{ "cd-eject", NULL, "DOMAIN VDEV", "Take the medium out of a CD drive", NULL, 2, 2,
	  cmd_cd_eject, NULL },
	{ "network-attach", NULL, "DOMAIN [KEY=VALUE...]", "Give a domain another network interface", NULL,
	  1, ANY, cmd_network_attach, "Keys are those of vif = [...]. It is kept over reboots." },
	{ "network-detach", NULL, "[OPTIONS] DOMAIN DEVID|MAC", "Take a network interface from a domain",
	  detach_options, 2, 2, cmd_network_detach,
	  "Without -f the domain finishes with it first, for 15 s at most." },
	{ "network-list", NULL, "DOMAIN...", "Show network interfaces", NULL, 1, ANY, cmd_network_list,
	  NULL },
	{ "network-nat", NULL, "[OPTIONS] start|stop|status", "A network of their own for domains, with NAT",
	  nat_options, 1, 1, cmd_network_nat,
	  "start makes the bridge parvus0 with an address, DHCP and DNS on it (dnsmasq, or BusyBox'\n"
	  "udhcpd) and masquerading (nft). vif = [''] is on it." },
	{ "run", NULL, "[OPTIONS] [--] COMMAND [ARG...]", "Run a command in a domain of its own",
	  run_options, 1, ANY, cmd_run,
	  "One COMMAND alone is a line for the shell there. The status is the command's; 124 = out\n"
	  "of time, 125 = it could not be run, 126 = the domain crashed or was killed.",
	  true, 125 },
	{ "monitor", NULL, "DOMAIN", "Start another monitor for a domain that has lost its own", NULL,
	  1, 1, cmd_monitor,
	  "A monitor serves the console and does what on_poweroff, on_reboot and on_crash say." },
	{ "help", NULL, "[COMMAND]", "Show the commands, or one of them", NULL, 0, 1, cmd_help, NULL },
	{ "version", NULL, "", "Show the version", NULL, 0, 0, cmd_version, NULL },
	{ NULL },
};

static const struct option_text common[] = {
	{ OPT_JSON, "json", NULL, "print JSON" },
	{ OPT_HELP, "help", NULL, "show this" },
	{ 0 },
};

static void line(const char *format, va_list args)
{
	char text[1200], *p;

	vsnprintf(text, sizeof(text), format, args);
	for (p = text; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	fflush(stdout);
	fprintf(stderr, "parvus: %s\n", text);
}

int fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line(format, args);
	va_end(args);
	return 1;
}

void warning(const char *format, ...)
{
	char text[1100];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fail("warning: %s", text);
}

int fail_lib(const struct tool *t)
{
	return fail("%s", t->error.text);
}

static void print_options(const struct option_text *o)
{
	for (; o && o->code; o++) {
		char name[64];

		snprintf(name, sizeof(name), "%s%c%s%s%s%s%s", o->code < 256 ? "-" : "   ",
			 o->code < 256 ? o->code : ' ', o->code < 256 && o->name ? ", " : "",
			 o->name ? "--" : "", o->name ? o->name : "", o->arg ? " " : "",
			 o->arg ? o->arg : "");
		printf("  %-26s %s\n", name, o->text);
	}
}

static void print_help(const struct command *c)
{
	printf("Usage: parvus %s%s%s\n\n%s.\n\n", c->name, c->args[0] ? " " : "", c->args, c->summary);
	print_options(c->options);
	print_options(common);
	if (c->more)
		printf("\n%s\n", c->more);
	if (c->alias)
		printf("\nAlso: parvus %s\n", c->alias);
}

int usage(const struct tool *t, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fail("%s: %s (see parvus %s --help)", t->command->name, text, t->command->name);
	return t->command->usage_status ? t->command->usage_status : 1;
}

static void add_options(const struct option_text *from, char *letters, struct option *longs,
			size_t *n)
{
	for (; from && from->code; from++) {
		char *p = letters + strlen(letters);

		if (from->code < 256) {
			*p++ = (char)from->code;
			if (from->arg)
				*p++ = ':';
			*p = 0;
		}
		if (from->name)
			longs[(*n)++] = (struct option){
				.name = from->name,
				.has_arg = from->arg ? required_argument : no_argument,
				.val = from->code,
			};
	}
}

static int arguments_right(struct tool *t)
{
	const struct command *c = t->command;

	t->args = t->argv + optind;
	t->nargs = (unsigned int)(t->argc - optind);
	t->parsed = true;
	if (t->nargs < c->min)
		return usage(t, "%s is expected: parvus %s %s", c->min > 1 ? "more" : "an argument",
			     c->name, c->args), -1;
	if (t->nargs > c->max)
		return usage(t, "too many arguments: %s", t->args[c->max]), -1;
	return 0;
}

int tool_option(struct tool *t)
{
	struct option longs[32];
	char letters[80];
	size_t n = 0;
	int c;

	memset(longs, 0, sizeof(longs));
	strcpy(letters, t->command->in_order ? "+:h" : ":h");
	add_options(t->command->options, letters, longs, &n);
	add_options(common, letters, longs, &n);
	opterr = 0;
	c = getopt_long(t->argc, t->argv, letters, longs, NULL);
	t->optarg = optarg;
	switch (c) {
	case -1:
		return arguments_right(t);
	case 'h':
	case OPT_HELP:
		print_help(t->command);
		exit(fflush(stdout) ? 1 : 0);
	case OPT_JSON:
		t->json = true;
		return tool_option(t);
	case ':':
		usage(t, "%s needs a value", t->argv[optind - 1]);
		return -1;
	case '?':
		if (optopt && optopt < 256)
			usage(t, "unknown option -%c", optopt);
		else
			usage(t, "unknown option %s", t->argv[optind - 1]);
		return -1;
	default:
		return c;
	}
}

int tool_arguments(struct tool *t)
{
	return tool_option(t);
}

int tool_open(struct tool *t)
{
	const struct parvus_options o = { .run_dir = env_dir("PARVUS_RUN_DIR", NULL) };

	return parvus_open(&t->h, &o, &t->error) ? fail_lib(t) : 0;
}

int tool_domain(struct tool *t, const char *name, struct parvus_control_info *i)
{
	return parvus_find(t->h, name, i) ? fail_lib(t) : 0;
}

const char *env_dir(const char *name, const char *fallback)
{
	const char *v = getenv(name);

	return v && *v ? v : fallback;
}

int print_json(struct json_object *o)
{
	int ret = puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
						      JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(o);
	return ret < 0 ? fail("cannot write: %s", strerror(errno)) : 0;
}

void add_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

void add_text(struct json_object *o, const char *key, const char *v)
{
	char text[300];

	snprintf(text, sizeof(text), "%s", v);
	json_object_object_add(o, key, json_object_new_string(plain(text)));
}

void add_bool(struct json_object *o, const char *key, bool v)
{
	json_object_object_add(o, key, json_object_new_boolean(v));
}

bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *n)
{
	unsigned long long v;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end || v < min || v > max)
		return false;
	*n = v;
	return true;
}

bool parse_frames(const char *text, uint64_t *frames)
{
	static const char suffixes[] = "bkmgt";
	unsigned long long v;
	const char *s;
	unsigned int shift = 20;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		s = strchr(suffixes, *end >= 'A' && *end <= 'Z' ? *end + 32 : *end);
		if (!s || end[1])
			return false;
		shift = 10 * (unsigned int)(s - suffixes);
	}
	if (v > (UINT64_MAX >> shift))
		return false;
	*frames = (v << shift) >> 12;
	return *frames > 0;
}

const char *plain(char *text)
{
	char *p;

	for (p = text; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
	return text;
}

const char *state_letters(const struct parvus_control_info *i, char l[7])
{
	bool end = i->state == PARVUS_DOMAIN_SHUTDOWN;

	memcpy(l, "------", 7);
	if (i->state == PARVUS_DOMAIN_RUNNING) {
		if (i->flags & PARVUS_INFO_PAUSED)
			l[2] = 'p';
		if (i->flags & PARVUS_INFO_RUNNING)
			l[0] = 'r';
		else if (i->flags & PARVUS_INFO_BLOCKED)
			l[1] = 'b';
	}
	if (i->state == PARVUS_DOMAIN_BUILDING)
		l[2] = 'p';
	if (end)
		l[3] = 's';
	if (end && (i->reason == PARVUS_SHUTDOWN_CRASH || i->reason == PARVUS_SHUTDOWN_KILLED))
		l[4] = 'c';
	if (i->state == PARVUS_DOMAIN_DYING)
		l[5] = 'd';
	return l;
}

int bar_progress(void *arg, uint64_t done, uint64_t total)
{
	struct bar *b = arg;
	int percent = total ? (int)(done / (total / 100 + 1)) : 100;
	struct timespec t;
	char hashes[41];
	int64_t ms;

	if (b->stop && *b->stop)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &t);
	ms = t.tv_sec * 1000ll + t.tv_nsec / 1000000;
	if (!b->from_ms)
		b->from_ms = ms;
	if (ms - b->from_ms < 400)
		return 0;
	if (done >= total)
		percent = 100;
	if (percent == b->last || !isatty(2))
		return 0;
	b->last = percent;
	b->shown = true;
	memset(hashes, ' ', 40);
	memset(hashes, '#', (size_t)percent * 40 / 100);
	hashes[40] = 0;
	fprintf(stderr, "\r%s [%s] %3d %%", b->what, hashes, percent);
	return 0;
}

void bar_end(struct bar *b)
{
	if (b->shown)
		fprintf(stderr, "\r\033[K");
	b->shown = false;
}

int wait_gone(struct tool *t, uint32_t domain, bool or_shutdown, int seconds)
{
	struct pollfd p = { .fd = parvus_fd(t->h), .events = POLLIN };
	struct parvus_control_info i;
	struct timespec from, now;
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (;;) {
		if (parvus_changed(t->h))
			return fail_lib(t);
		ret = parvus_domain_info(t->h, domain, &i);
		if (ret == -ENOENT)
			return 0;
		if (ret)
			return fail_lib(t);
		if (or_shutdown && (i.state == PARVUS_DOMAIN_SHUTDOWN ||
				    i.state == PARVUS_DOMAIN_DYING))
			return 0;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (seconds >= 0 && now.tv_sec - from.tv_sec >= seconds)
			return 0;
		ret = parvus_poll(t->h, &p, 1, seconds < 0 ? -1 : 200);
		if (ret < 0 && ret != -EINTR)
			return fail_lib(t);
	}
}

struct json_object *domain_json(const struct parvus_control_info *i,
				const struct parvus_control_machine *m)
{
	static const char *const states[] = { "building", "running", "shutdown", "dying" };
	struct json_object *o = json_object_new_object();
	char letters[7], id[40];

	add_text(o, "name", i->name);
	add_u64(o, "id", i->domain);
	add_text(o, "state", i->state < 4 ? states[i->state] : "unknown");
	add_text(o, "state_letters", state_letters(i, letters));
	add_bool(o, "control", i->flags & PARVUS_INFO_CONTROL);
	add_bool(o, "paused", i->flags & PARVUS_INFO_PAUSED);
	add_bool(o, "running", i->flags & PARVUS_INFO_RUNNING);
	add_bool(o, "blocked", i->flags & PARVUS_INFO_BLOCKED);
	add_bool(o, "waits_for_memory", i->flags & PARVUS_INFO_NO_MEMORY);
	if (i->state == PARVUS_DOMAIN_SHUTDOWN) {
		add_text(o, "reason", parvus_reason_text(i->reason));
		add_u64(o, "status", i->status);
		add_text(o, "why", i->why);
	}
	add_u64(o, "vcpus", i->vcpus);
	add_u64(o, "vcpus_online", i->vcpus_online);
	add_u64(o, "weight", i->weight);
	add_u64(o, "cap", i->cap);
	add_u64(o, "memory_kib", i->frames * 4);
	add_u64(o, "touched_kib", i->touched * 4);
	add_u64(o, "max_memory_kib", i->max_frames * 4);
	add_u64(o, "target_memory_kib", i->target_frames * 4);
	add_u64(o, "overhead_kib", i->overhead_frames * 4);
	add_u64(o, "cpu_time_ns", i->run_ns);
	add_u64(o, "created_ns", i->created_ns);
	add_u64(o, "uptime_ns", m->now_ns > i->created_ns ? m->now_ns - i->created_ns : 0);
	add_u64(o, "ports", i->ports);
	add_u64(o, "grants", i->grants);
	add_u64(o, "mappings", i->mappings);
	add_u64(o, "devices", i->devices);
	add_u64(o, "changes", i->changes);
	snprintf(id, sizeof(id), "%016llx%016llx", (unsigned long long)i->generation_id[0],
		 (unsigned long long)i->generation_id[1]);
	add_text(o, "generation_id", id);
	return o;
}

static const struct command *find_command(const char *name)
{
	const struct command *c;

	for (c = commands; c->name; c++)
		if (!strcmp(c->name, name) || (c->alias && !strcmp(c->alias, name)))
			return c;
	return NULL;
}

int cmd_help(struct tool *t)
{
	const struct command *c;

	if (tool_arguments(t))
		return 1;
	if (t->nargs) {
		c = find_command(t->args[0]);
		if (!c)
			return fail("unknown command %s (see parvus help)", t->args[0]);
		print_help(c);
		return 0;
	}
	if (t->json) {
		struct json_object *all = json_object_new_array();

		for (c = commands; c->name; c++) {
			struct json_object *o = json_object_new_object();

			add_text(o, "name", c->name);
			add_text(o, "arguments", c->args);
			add_text(o, "summary", c->summary);
			json_object_array_add(all, o);
		}
		return print_json(all);
	}
	printf("Usage: parvus COMMAND [OPTIONS] [ARGUMENTS]\n\n");
	for (c = commands; c->name; c++)
		printf("  %-14s %s\n", c->name, c->summary);
	printf("\nA DOMAIN is a name or a number. parvus COMMAND --help says more; see parvus(1).\n");
	return 0;
}

int cmd_version(struct tool *t)
{
	struct json_object *o;

	if (tool_arguments(t))
		return 1;
	if (!t->json) {
		printf("parvus %s, ABI %u\n", PARVUS_VERSION, PARVUS_ABI_VERSION);
		return 0;
	}
	o = json_object_new_object();
	add_text(o, "version", PARVUS_VERSION);
	add_u64(o, "abi", PARVUS_ABI_VERSION);
	return print_json(o);
}

int main(int argc, char **argv)
{
	struct tool t = { .argc = argc - 1, .argv = argv + 1 };
	const char *base, *name;
	int ret;

	base = argc ? argv[0] : "";
	if (!strncmp(base, "parvus-monitor ", 15))
		return monitor_main(argc, argv);
	if (argc < 2) {
		fail("a command is expected (see parvus help)");
		return 1;
	}
	name = argv[1];
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		name = "version";
	t.command = find_command(name);
	if (!t.command) {
		fail("unknown command %s (see parvus help)", name);
		return 1;
	}
	ret = t.command->run(&t);
	parvus_close(t.h);
	if (fflush(stdout) || ferror(stdout))
		ret = fail("cannot write: %s", strerror(errno));
	return ret;
}
