/* SPDX-License-Identifier: GPL-2.0-only */
/* What the commands of parvus share. */
#ifndef PARVUS_TOOL_H
#define PARVUS_TOOL_H

#include <errno.h>
#include <json-c/json.h>
#include <libparvus.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One option of a command; code = its letter, or 256 and up for a long one alone. */
struct option_text {
	int code;
	const char *name;	/* long, NULL = none */
	const char *arg;	/* what follows, NULL = nothing */
	const char *text;
};

#define OPT_HELP	256
#define OPT_JSON	257
#define OPT_LONG	258	/* the command's own from here */

struct tool;

struct command {
	const char *name, *alias;	/* alias: its name in xl, if it has another one */
	const char *args;	/* as in the usage line */
	const char *summary;
	const struct option_text *options;	/* ends with code 0 */
	unsigned int min, max;	/* how many arguments */
	int (*run)(struct tool *t);
	const char *more;	/* text below the options, or NULL */
	bool in_order;		/* options end at the first argument */
	int usage_status;	/* of a wrong command line; 0 = 1 */
};

extern const struct command commands[];	/* ends with name NULL */

struct tool {
	const struct command *command;
	struct parvus_error error;	/* of the library */
	struct parvus *h;
	bool json;
	int argc;
	char **argv;
	const char *optarg;	/* of the option that tool_option() returned */
	char **args;		/* after the last option */
	unsigned int nargs;
	bool parsed;
};

/* "parvus: ..." as one line on stderr. Returns 1. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The library's error. Returns 1. */
int fail_lib(const struct tool *t);

/* Next option of the command: its code, 0 after the last, -1 when it was wrong (and said). */
int tool_option(struct tool *t);
/* For commands without options of their own. 0 or -1. */
int tool_arguments(struct tool *t);
/* Open the hypervisor. 0 or 1 (said). */
int tool_open(struct tool *t);
/* The domain named by an argument. 0 or 1 (said). */
int tool_domain(struct tool *t, const char *name, struct parvus_control_info *i);
int usage(const struct tool *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Print and free. Returns 0, or 1 (said). */
int print_json(struct json_object *o);
struct json_object *domain_json(const struct parvus_control_info *i,
				const struct parvus_control_machine *m);
void add_u64(struct json_object *o, const char *key, uint64_t v);
void add_text(struct json_object *o, const char *key, const char *v);
void add_bool(struct json_object *o, const char *key, bool v);

/* A whole number in [min, max]. */
bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *n);
/* A size with suffix b k m g t, MiB without one; in frames. */
bool parse_frames(const char *text, uint64_t *frames);
/* For a terminal: what is no plain character becomes "?". */
const char *plain(char *text);
/* "rbpscd" as xl has it. */
const char *state_letters(const struct parvus_control_info *i, char letters[7]);

/* A bar on a terminal, for what takes a while; nothing else. */
struct bar {
	const char *what;
	bool shown;
	int last;
	int64_t from_ms;	/* set by the first call */
	volatile int *stop;	/* set to stop, or NULL */
};
parvus_progress bar_progress;
void bar_end(struct bar *b);

/* Wait until the domain is gone (or only dying), or shut down as well; seconds < 0 = for ever. */
int wait_gone(struct tool *t, uint32_t domain, bool or_shutdown, int seconds);

/* monitor.c */
const char *env_dir(const char *name, const char *fallback);
int monitor_main(int argc, char **argv);
/* Start the monitor of a domain that was built; @link is held until monitor_committed(). */
int monitor_start(struct tool *t, uint32_t domain, const char *name, int *link);
void monitor_committed(int link);
/* Its folder below the run directory. */
int state_write(struct parvus *h, const struct parvus_config *c, const struct parvus_build *b);
void state_remove(struct parvus *h, uint32_t domain);

/*
 * Ask the monitor of a domain, which is started if need be: words, NULL behind the last one.
 * 0 or 1 (said).
 */
int monitor_ask(struct tool *t, const struct parvus_control_info *i, ...);
#define PARVUS_WORD	'\x1f'	/* between words on the wire */

/* console.c */
int console_attach(struct tool *t, uint32_t domain, const char *name, bool input);

/* device.c: its disks and interfaces, for list -l and info */
void add_devices(struct tool *t, struct json_object *o, uint32_t domain);

/* commands */
int cmd_create(struct tool *t);
int cmd_run(struct tool *t);
int cmd_monitor(struct tool *t);
int cmd_console(struct tool *t);
int cmd_list(struct tool *t);
int cmd_info(struct tool *t);
int cmd_domid(struct tool *t);
int cmd_domname(struct tool *t);
int cmd_uptime(struct tool *t);
int cmd_destroy(struct tool *t);
int cmd_shutdown(struct tool *t);
int cmd_reboot(struct tool *t);
int cmd_pause(struct tool *t);
int cmd_unpause(struct tool *t);
int cmd_rename(struct tool *t);
int cmd_vcpu_list(struct tool *t);
int cmd_vcpu_pin(struct tool *t);
int cmd_vcpu_set(struct tool *t);
int cmd_sched(struct tool *t);
int cmd_mem_set(struct tool *t);
int cmd_mem_max(struct tool *t);
int cmd_top(struct tool *t);
int cmd_stat(struct tool *t);
int cmd_trace(struct tool *t);
int cmd_dmesg(struct tool *t);
int cmd_dump_core(struct tool *t);
int cmd_block_attach(struct tool *t);
int cmd_block_detach(struct tool *t);
int cmd_block_list(struct tool *t);
int cmd_block_resize(struct tool *t);
int cmd_block_set(struct tool *t);
int cmd_cd_insert(struct tool *t);
int cmd_cd_eject(struct tool *t);
int cmd_network_attach(struct tool *t);
int cmd_network_detach(struct tool *t);
int cmd_network_list(struct tool *t);
int cmd_network_nat(struct tool *t);
int cmd_help(struct tool *t);
int cmd_version(struct tool *t);

extern const struct option_text create_options[], run_options[], console_options[],
	list_options[], info_options[], uptime_options[], destroy_options[], shutdown_options[],
	pin_options[], sched_options[], top_options[], stat_options[], trace_options[],
	dmesg_options[], dump_options[], vcpu_set_options[], detach_options[], set_options[], nat_options[];

#endif
