/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the commands of parvus share.
 *
 * Layers: tool.c json.c wait.c ask.c show.c terminal.c, then one file for each family of
 * commands, then main.c. A file calls those of layers before its own alone; a family calls no
 * other, and nothing calls main.c. system/tools_layers reads this line and holds it.
 */
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

struct tool {
	const struct command *command;
	struct parvus_error error;	/* of the library */
	struct parvus *h;
	bool json;
	bool as_xl;		/* called by that name: list -l is laid out as xl's */
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
void print_help(const struct command *c);
/* For commands without options of their own. 0 or -1. */
int tool_arguments(struct tool *t);
/* Open the hypervisor. 0 or 1 (said). */
int tool_open(struct tool *t);
/* Arguments from the second on, as one entry of a list: commas between them. 0 or 1 (said). */
int tool_joined(const struct tool *t, char *text, size_t bytes);
/* The domain named by an argument. 0 or 1 (said). */
int tool_domain(struct tool *t, const char *name, struct parvus_control_info *i);
/* What it is called, for a line of text; until the next call. */
const char *name_of(struct tool *t, const struct parvus_control_info *i);
/* Time that its vCPUs wanted to run and did not; a vCPU that waits now is told when it runs. */
uint64_t stolen_ns(struct tool *t, const struct parvus_control_info *i);
/* A wrong command line. Returns the status of that. */
int usage(const struct tool *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* json.c. Print and free. Returns 0, or 1 (said). */
int print_json(struct json_object *o);
struct json_object *domain_json(struct tool *t, const struct parvus_control_info *i,
				const struct parvus_control_machine *m);
/* UTF-8, whatever a guest or a file says: what is none becomes U+FFFD. */
struct json_object *json_text(const char *v, size_t bytes);
void add_u64(struct json_object *o, const char *key, uint64_t v);
void add_text(struct json_object *o, const char *key, const char *v);
void add_bool(struct json_object *o, const char *key, bool v);

/* The environment's, unless it is empty. */
const char *env_dir(const char *name, const char *fallback);
/* A size with suffix b k m g t, MiB without one; in frames. */
bool parse_frames(const char *text, uint64_t *frames);
/* Writes what was printed; 0, or the errno by which it once could not. */
int written(void);
/*
 * Bytes of the UTF-8 character at @p, which ends at @left at the latest; 0 = it is none (RFC 3629:
 * none too long, no surrogates, up to U+10FFFF).
 */
size_t utf8_character(const unsigned char *p, size_t left);
/* What a terminal would obey, and what is no UTF-8, becomes "?". */
void for_terminal(char *text);
/* For a terminal: what is no plain character becomes "?". */
const char *plain(char *text);
/* To tenths, upwards: 0.0 is one that never ran, which others rely on. */
double cpu_seconds(uint64_t ns);
/* As xl has it; place 5 is why it ended: - powered off, r reboot, s suspended, c crashed. */
const char *state_letters(const struct parvus_control_info *i, char letters[7]);

#endif
