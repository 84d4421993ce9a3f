// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus: what every command uses: errors and warnings, options and help, numbers, letters. An
 * error is one line on stderr and a status that is not 0.
 */
#include "tool.h"

#include <getopt.h>
#include <unistd.h>

static const struct option_text common[] = {
	{ OPT_JSON, "json", NULL, "print JSON" },
	{ OPT_HELP, "help", NULL, "show this" },
	{ 0 },
};

static int write_error;	/* why stdout did not take all, from the first time on */

int written(void)
{
	if ((fflush(stdout) || ferror(stdout)) && !write_error)
		write_error = errno ? errno : EIO;
	return write_error;
}

size_t utf8_character(const unsigned char *p, size_t left)
{
	size_t n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 :
		   *p >= 0xf0 && *p < 0xf5 ? 4 : 0, i;

	if (!n || n > left)
		return 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/* C1's controls are two bytes of UTF-8 each. */
void for_terminal(char *text)
{
	size_t n, left = strlen(text);
	unsigned char *p;

	for (p = (unsigned char *)text; *p; p += n, left -= n) {
		n = utf8_character(p, left);
		if (!n || *p < ' ' || *p == 127 || (*p == 0xc2 && p[1] < 0xa0)) {
			n += !n;
			memset(p, '?', n);
		}
	}
}

/* A value that is empty shows as two colons, or as one at the beginning: it is said that it is. */
static void line(const char *format, va_list args)
{
	char text[1200], *empty;

	vsnprintf(text, sizeof(text), format, args);
	for_terminal(text);
	empty = text[0] == ':' ? text : strstr(text, ": : ");
	if (empty && empty != text)
		empty += 2;
	written();
	if (empty)
		fprintf(stderr, "parvus: %.*s\"\"%s\n", (int)(empty - text), text, empty);
	else
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

void print_help(const struct command *c)
{
	printf("Usage: parvus %s%s%s\n\n%s.\n\n", c->name, c->args[0] ? " " : "", c->args,
	       c->summary);
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
		return usage(t, "%u argument%s, and %u %s expected: parvus %s %s", t->nargs,
			     t->nargs == 1 ? "" : "s", c->min, c->min == 1 ? "is" : "are",
			     c->name, c->args), -1;
	if (t->nargs > c->max)
		return usage(t, "too many arguments: %s is more than parvus %s%s%s",
			     t->args[c->max],
			     c->name, c->args[0] ? " " : "", c->args), -1;
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
		exit(!written() ? 0 : fail("cannot write: %s", strerror(write_error)));
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
	struct parvus_options o;

	parvus_options_env(&o);
	return parvus_open(&t->h, &o, &t->error) ? fail_lib(t) : 0;
}

int tool_domain(struct tool *t, const char *name, struct parvus_control_info *i)
{
	return parvus_find(t->h, name, i) ? fail_lib(t) : 0;
}

const char *name_of(struct tool *t, const struct parvus_control_info *i)
{
	static char name[PARVUS_NAME_BYTES];

	parvus_name(t->h, i, name);
	return plain(name);
}

uint64_t stolen_ns(struct tool *t, const struct parvus_control_info *i)
{
	struct parvus_control_vcpu v;
	uint64_t ns = 0;
	uint32_t n;

	/* it may end between two calls */
	for (n = 0; n < i->vcpus && !parvus_vcpu(t->h, i->domain, n, &v); n++)
		ns += v.stats.steal_ns;
	return ns;
}

const char *env_dir(const char *name, const char *fallback)
{
	const char *v = getenv(name);

	return v && *v ? v : fallback;
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

double cpu_seconds(uint64_t ns)
{
	return (double)((ns + 99999999) / 100000000) / 10;
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
	if (end)
		l[4] = i->reason == PARVUS_SHUTDOWN_REBOOT ? 'r' :
		       i->reason == PARVUS_SHUTDOWN_SUSPEND ? 's' :
		       i->reason == PARVUS_SHUTDOWN_POWEROFF ? '-' : 'c';
	if (i->state == PARVUS_DOMAIN_DYING)
		l[5] = 'd';
	return l;
}

int tool_joined(const struct tool *t, char *text, size_t bytes)
{
	size_t n = 0;
	unsigned int i;

	text[0] = 0;
	for (i = 1; i < t->nargs && n < bytes; i++)
		n += (size_t)snprintf(text + n, bytes - n, "%s%s", i > 1 ? "," : "", t->args[i]);
	return n >= bytes ? fail("%s: %zu bytes of arguments, and %zu fit", t->command->name, n,
				  bytes - 1) : 0;
}
