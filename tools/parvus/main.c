// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus: control of domains. The table of commands, help and version: the top, which nothing
 * calls. What commands share is tool.c and those after it (tool.h).
 */
#include "commands.h"
#include "wait.h"

#include <unistd.h>

#ifndef PARVUS_VERSION
#define PARVUS_VERSION "unknown"
#endif

#define ANY 4096u

static int cmd_help(struct tool *t);
static int cmd_version(struct tool *t);
static int cmd_debug_keys(struct tool *t);

static const struct command commands[] = {
	{ "create", NULL, "[OPTIONS] [FILE] [KEY=VALUE...]",
	  "Make and start a domain from a configuration", create_options, 0, ANY, cmd_create,
	  "KEY=VALUE are settings as in the file, and win over it: memory=512 'disk=[\"...\"]'.\n"
	  "If a step fails, or parvus is killed before the end, nothing is left of the domain." },
	{ "list", NULL, "[OPTIONS] [DOMAIN...]", "Show domains", list_options, 0, ANY, cmd_list,
	  "State: r running, b blocked, p paused, s shut down, then why (c crashed, r to reboot,\n"
	  "s suspended), d dying. VCPUs are those on line." },
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
	{ "trigger", NULL, "DOMAIN power|reset", "Press a button of a domain: shutdown, or reboot",
	  NULL, 2, 3, cmd_trigger,
		"The other triggers of xl are for domains that are no PV ones." },
	{ "sysrq", NULL, "DOMAIN LETTER", "Send a magic SysRq to the kernel of a domain",
	  NULL, 2, 2, cmd_sysrq,
	  "It goes by the console, which has to be the kernel's own (console=hvc0)." },
	{ "rename", NULL, "DOMAIN NAME", "Give a domain another name", NULL, 2, 2, cmd_rename,
	  NULL },
	{ "domid", NULL, "NAME", "Print the number of a domain", NULL, 1, 1, cmd_domid, NULL },
	{ "domname", NULL, "NUMBER", "Print the name of a domain", NULL, 1, 1, cmd_domname, NULL },
	{ "vm-list", NULL, "", "Show domains with their UUIDs", NULL, 0, 0, cmd_vm_list,
	  "A domain whose configuration has no uuid shows one of its own, until it is made\n"
	  "again." },
	{ "claims", NULL, "",
	  "Show memory that was promised to domains and not touched by them yet",
	  NULL, 0, 0, cmd_claims, NULL },
	{ "config-update", NULL, "DOMAIN [FILE] [KEY=VALUE...]",
	  "Give a domain another configuration, from its next start on",
	  NULL, 2, ANY, cmd_config_update,
	  "Its name, disks, interfaces and devices stay what they are: rename, block-attach and\n"
	  "the like change those, at once and for later." },
	{ "debug-keys", NULL, "KEYS",
	  "Show what Xen's hypervisor shows by these keys; h names them",
	  NULL, 1, 1, cmd_debug_keys, "It goes to standard output, not to the log." },
	{ "cp", NULL, "[OPTIONS] DOMAIN:PATH PATH | PATH DOMAIN:PATH",
	  "Copy a file or folder out of a domain, or into it", cp_options, 2, 2, cmd_cp,
	  "parvus-agent has to run in the domain; no network is needed. What is copied appears\n"
	  "when it is whole; of modes the nine of rwx are kept." },
	{ "vcpu-list", NULL, "[DOMAIN...]", "Show vCPUs", NULL, 0, ANY, cmd_vcpu_list, NULL },
	{ "vcpu-pin", NULL, "DOMAIN VCPU|all CPUS|all", "Say on which CPUs a vCPU may run",
	  pin_options, 3, 4, cmd_vcpu_pin, "CPUS is a set such as 0-3,^2." },
	{ "vcpu-set", NULL, "DOMAIN COUNT", "Change how many vCPUs are on line",
	  vcpu_set_options, 2, 2, cmd_vcpu_set,
	  "As many as the configuration's maxvcpus at most. The domain's kernel follows by\n"
	  "itself; vcpu-list shows when it has." },
	{ "sched", "sched-credit2", "[-d DOMAIN [-w WEIGHT] [-c CAP]]",
	  "Show or set weight and cap", sched_options, 0, 0, cmd_sched, NULL },
	{ "mem-set", NULL, "DOMAIN SIZE", "Set how much memory a domain shall have", NULL, 2, 2,
	  cmd_mem_set,
	  "SIZE is in MiB, or has a suffix: b k m g t. The domain's balloon follows it." },
	{ "mem-max", NULL, "DOMAIN SIZE", "Set how much memory a domain may have", NULL, 2, 2,
	  cmd_mem_max,
	  "SIZE is in MiB, or has a suffix: b k m g t; at most maxmem of its configuration." },
	{ "top", NULL, "[OPTIONS]", "Watch domains", top_options, 0, 0, cmd_top,
	  "Keys: c CPU, m memory, n name, i number (sort by), r reverse, q quit." },
	{ "stat", NULL, "[OPTIONS] [DOMAIN] [SECONDS [COUNT]]", "Rates of vCPU events, as vmstat",
	  stat_options, 0, 3, cmd_stat,
	  "Each line is per second, over the SECONDS before it. A number first is SECONDS: -d\n"
	  "names a domain by its number." },
	{ "trace", NULL, "[OPTIONS]", "Show what the hypervisor does, event by event",
	  trace_options, 0, 0, cmd_trace,
	  "EVENTS: sched wake hypercall fault event domain vector, or all of these. By name\n"
	  "alone, as they cost more: return (results of hypercalls), syscall (of a guest's\n"
	  "programs), exit (iret and sysret), outcome (how a fault ended). What was lost is\n"
	  "told and counted." },
	{ "dmesg", NULL, "[OPTIONS]", "Show the log of the hypervisor", dmesg_options, 0, 0,
	  cmd_dmesg, NULL },
	{ "uptime", NULL, "[OPTIONS] [DOMAIN...]", "Show since when domains are there",
	  uptime_options, 0, ANY, cmd_uptime, NULL },
	{ "dump-core", NULL, "[OPTIONS] DOMAIN FILE", "Write the memory of a domain for gdb",
	  dump_options, 2, 2, cmd_dump_core, "Then: gdb VMLINUX FILE" },
	{ "image-info", NULL, "FILE", "Show what the file of a saved domain holds, and check it",
	  NULL, 1, 1, cmd_image_info,
	  "FILE may be -, which is standard input. Nothing that it says is followed." },
	{ "block-attach", NULL, "DOMAIN DISK...", "Give a domain another disk", NULL, 2, ANY,
	  cmd_block_attach,
	  "DISK is as in disk = [...], in one argument or several: /dev/vg/data,raw,xvdb,rw or\n"
	  "vdev=xvdb target=/srv/data.img. It is kept over reboots." },
	{ "block-detach", NULL, "[OPTIONS] DOMAIN VDEV", "Take a disk from a domain",
	  detach_options, 2, 2, cmd_block_detach,
	  "Without -f the domain finishes with it first, for 15 s at most." },
	{ "block-list", NULL, "DOMAIN...", "Show disks", NULL, 1, ANY, cmd_block_list, NULL },
	{ "block-resize", NULL, "DOMAIN VDEV", "Let a disk have the new size of its file or device",
	  NULL, 2, 2, cmd_block_resize, NULL },
	{ "block-set", NULL, "[OPTIONS] DOMAIN VDEV", "Change the limits of a disk",
	  set_options, 2, 2, cmd_block_set, NULL },
	{ "cd-insert", NULL, "DOMAIN VDEV FILE", "Put a medium into a CD drive", NULL, 3, 3,
	  cmd_cd_insert, NULL },
	{ "cd-eject", NULL, "DOMAIN VDEV", "Take the medium out of a CD drive", NULL, 2, 2,
	  cmd_cd_eject, NULL },
	{ "network-attach", NULL, "DOMAIN [KEY=VALUE...]",
	  "Give a domain another network interface", NULL, 1, ANY, cmd_network_attach,
	  "Keys are those of vif = [...]. It is kept over reboots." },
	{ "network-detach", NULL, "[OPTIONS] DOMAIN DEVID|MAC",
	  "Take a network interface from a domain", detach_options, 2, 2, cmd_network_detach,
	  "Without -f the domain finishes with it first, for 15 s at most." },
	{ "network-list", NULL, "DOMAIN...", "Show network interfaces", NULL, 1, ANY,
	  cmd_network_list, NULL },
	{ "network-nat", NULL, "[OPTIONS] start|stop|status",
	  "A network of their own for domains, with NAT", nat_options, 1, 1, cmd_network_nat,
	  "start makes the bridge parvus0 with an address, DHCP and DNS on it (dnsmasq, or\n"
	  "BusyBox' udhcpd) and masquerading (nft). vif = [''] is on it." },
	{ "device-attach", NULL, "DOMAIN KEY=VALUE...", "Give a domain a device of an own class",
	  NULL, 2, ANY, cmd_device_attach,
	  "Keys are those of device = [...]: class, index, config, backend, program, detach. It\n"
	  "is kept over reboots." },
	{ "device-detach", NULL, "[OPTIONS] DOMAIN CLASS [INDEX]",
	  "Take a device of an own class from a domain", detach_options, 2, 3, cmd_device_detach,
	  "Without -f the domain finishes with it first, for 15 s at most." },
	{ "device-list", NULL, "[DOMAIN...]", "Show devices of own classes", NULL, 0, ANY,
	  cmd_device_list, NULL },
	{ "run", NULL, "[OPTIONS] [--] COMMAND [ARG...]", "Run a command in a domain of its own",
	  run_options, 1, ANY, cmd_run,
	  "One COMMAND alone is a line for the shell there. The status is the command's;\n"
	  "124 = out of time, 125 = it could not be run, 126 = the domain crashed or was killed.",
	  true, 125 },
	{ "monitor", NULL, "DOMAIN", "Start another monitor for a domain that has lost its own",
	  NULL, 1, 1, cmd_monitor,
	  "A monitor serves the console and does what on_poweroff, on_reboot and on_crash say." },
	{ "save", NULL, "[OPTIONS] DOMAIN FILE", "Write a domain into a file, and end it",
	  save_options, 2, 2, cmd_save,
	  "FILE may be -, which is standard output. It is there whole or not at all; if anything\n"
	  "fails, the domain goes on." },
	{ "restore", NULL, "[OPTIONS] [CONFIG] FILE", "Let a saved domain go on",
	  restore_options, 1, 2, cmd_restore,
	  "FILE may be -, which is standard input. Its configuration is followed if root alone\n"
	  "could write FILE, or with --trust-config; CONFIG is taken in its place." },
	{ "suspend", NULL, "DOMAIN", "Stop a domain, and let back ends go of its devices", NULL, 1,
	  1, cmd_suspend, "Its disks can be copied then. resume lets it go on." },
	{ "resume", NULL, "DOMAIN", "Let a suspended domain go on", NULL, 1, 1, cmd_resume, NULL },
	{ "migrate", NULL, "DOMAIN HOST", "Not yet: move a domain to another machine", NULL, 0, ANY,
	  cmd_not_yet, NULL },
	{ "adopt", NULL, "[DOMAIN...]", "Start monitors for all domains that have lost theirs",
		NULL, 0,
	  ANY, cmd_adopt, "parvus list -v says which have. Those that have one are left alone." },
	{ "help", NULL, "[COMMAND]", "Show the commands, or one of them", NULL, 0, 1, cmd_help,
	  NULL },
	{ "version", NULL, "", "Show the version", NULL, 0, 0, cmd_version, NULL },
	{ NULL },
};

/* By its whole name, or by a beginning that only one has, as xl takes it. */
static const struct command *find_command(const char *name)
{
	const struct command *c, *found = NULL;
	size_t n = strlen(name);

	for (c = commands; c->name; c++)
		if (!strcmp(c->name, name) || (c->alias && !strcmp(c->alias, name)))
			return c;
	for (c = commands; n && c->name; c++)
		if (!strncmp(c->name, name, n) || (c->alias && !strncmp(c->alias, name, n))) {
			if (found)
				return NULL;
			found = c;
		}
	return found;
}

/* What xl takes before the command means nothing here: there is no dry run, no lock, no log. */
static bool global_option(const char *text)
{
	return text[0] == '-' && text[1] && !text[1 + strspn(text + 1, "vftT")];
}

static int cmd_help(struct tool *t)
{
	const struct command *c;

	if (tool_arguments(t))
		return 1;
	if (t->nargs) {
		c = find_command(t->args[0]);
		if (!c)
			return fail("unknown command %s (see parvus help)",
				    t->args[0][0] ? t->args[0] : "\"\"");
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
	printf("\nA DOMAIN is a name or a number. parvus COMMAND --help says more; see "
	       "parvus(1).\n");
	return 0;
}

static int cmd_version(struct tool *t)
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

/* The keys of Xen that ask for what there is here, and the command that shows it. */
static const struct {
	char key;
	const char *command, *option, *what;
} debug_keys[] = {
	{ 'q', "list", "-v", "domains" },
	{ 'r', "vcpu-list", NULL, "vCPUs, and the CPUs that they are on" },
	{ 'm', "info", NULL, "memory, event ports and grants in use" },
	{ 'e', "info", NULL, "the same" },
	{ 'g', "info", NULL, "the same" },
	{ 'u', "info", "-n", "the same, and each CPU" },
	{ 'i', "info", "-i", "interrupts" },
	{ 'M', "info", "-i", "the same" },
	{ 'z', "info", "-i", "the same" },
};
#define DEBUG_KEYS (sizeof(debug_keys) / sizeof(*debug_keys))

static int show_key(size_t n)
{
	char name[16], option[8];
	char *argv[] = { name, option, NULL };
	struct tool t = { .argv = argv };
	int ret;

	snprintf(name, sizeof(name), "%s", debug_keys[n].command);
	snprintf(option, sizeof(option), "%s", debug_keys[n].option ? debug_keys[n].option : "");
	t.argc = debug_keys[n].option ? 2 : 1;
	argv[t.argc] = NULL;
	t.command = find_command(name);
	optind = 0;	/* getopt begins anew */
	ret = t.command->run(&t);
	parvus_close(t.h);
	return ret;
}

static int cmd_debug_keys(struct tool *t)
{
	const char *key;
	size_t i;
	int ret = 0;

	if (tool_arguments(t))
		return 1;
	if (t->json)
		return usage(t, "%s: --json is not here, but with the commands that h names",
			     t->args[0]);
	if (!*t->args[0])
		return usage(t, "\"%s\": keys are expected (h names them)", t->args[0]);
	for (key = t->args[0]; *key; key++) {
		for (i = 0; i < DEBUG_KEYS && debug_keys[i].key != *key; i++)
			;
		if (i == DEBUG_KEYS && *key != 'h')
			return usage(t, "%s: key %c shows nothing here (h names those that do)",
				     t->args[0], *key > ' ' && *key <= '~' ? *key : '?');
	}
	for (key = t->args[0]; *key && !ret; key++) {
		for (i = 0; i < DEBUG_KEYS; i++)
			if (*key == 'h')
				printf("%c  %-40s parvus %s%s%s\n", debug_keys[i].key,
				       debug_keys[i].what, debug_keys[i].command,
				       debug_keys[i].option ? " " : "",
				       debug_keys[i].option ? debug_keys[i].option : "");
			else if (*key == debug_keys[i].key)
				ret = show_key(i);
	}
	return ret;
}

int main(int argc, char **argv)
{
	const char *name, *self = argc ? strrchr(argv[0], '/') : NULL;
	struct tool t = { 0 };
	int ret;

	parvus_standard_files();
	self = self ? self + 1 : argc ? argv[0] : "";
	while (argc > 1 && global_option(argv[1])) {
		argc--;
		argv++;
	}
	if (!strcmp(self, "xentop")) {
		argv[0] = (char *)"top";
		argc++;
		argv--;
	}
	t.argc = argc - 1;
	t.argv = argv + 1;
	if (argc < 2) {
		fail("a command is expected (see parvus help)");
		return 1;
	}
	name = argv[1];
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		name = "version";
	t.as_xl = !strcmp(self, "xl") || !strcmp(self, "xm");
	t.command = find_command(name);
	if (!t.command) {
		fail("unknown command %s (see parvus help)", name[0] ? name : "\"\"");
		return 1;
	}
	ret = t.command->run(&t);
	parvus_close(t.h);
	if (written() && stopped == SIGPIPE) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);		/* nobody reads: not worth a word */
	}
	if (written())
		ret = fail("cannot write: %s", strerror(written()));
	return ret;
}
