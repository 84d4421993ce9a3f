// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus-device: devices of any class as the registry has them, for people who write drivers. What
 * a domain's monitor keeps over reboots, parvus device-attach makes.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libparvus.h>

static const char help[] =
	"Usage: parvus-device [--json] COMMAND\n"
	"\n"
	"  create [-b BACKEND] DOMAIN CLASS [INDEX [CONFIG]]   make a device, print its id\n"
	"  configure ID CONFIG                                 give it another configuration\n"
	"  remove ID                                           remove it at once\n"
	"  list [DOMAIN]                                       devices, and where both ends are\n"
	"  classes                                             classes that have a name\n"
	"\n"
	"DOMAIN and BACKEND are names or numbers; without -b domain 0 serves it. "
	"CLASS is a number\n"
	"(0x101) or a name of classes; CONFIG a file of 1 to 256 bytes.\n";

static struct parvus_error error;
static struct parvus *h;
static bool json;

static int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int fail(const char *format, ...)
{
	char text[700];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "parvus-device: %s\n", text);
	return 1;
}

static int usage(const char *what, const char *expected)
{
	return fail("%s%s%s expected (see parvus-device --help)", what, *what ? ": " : "",
		    expected);
}

static int wanted(const char *text, const char *what, uint32_t *n)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 0);
	*n = (uint32_t)v;
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno && v <= UINT32_MAX ? 0 :
	       usage(text, what);
}

static int load(const char *file, struct parvus_device *d)
{
	FILE *f = fopen(file, "re");
	size_t n;

	if (!f)
		return fail("%s: %s", file, strerror(errno));
	n = fread(d->config, 1, sizeof(d->config), f);
	if (n == sizeof(d->config) && fgetc(f) != EOF)
		n = 0;
	fclose(f);
	return n ? 0 : usage(file, "a file of 1 to 256 bytes is");
}

static int domain(const char *name, uint32_t *number)
{
	struct parvus_control_info i;

	if (parvus_find(h, name, &i))
		return fail("%s", error.text);
	*number = i.flags & PARVUS_INFO_CONTROL ? 0 : i.domain;
	return 0;
}

static int create(int n, char **args, const char *back)
{
	struct parvus_device d = { 0 };

	if (n < 2 || n > 4)
		return usage("create", "DOMAIN CLASS [INDEX [CONFIG]] is");
	if (parvus_class_number(&error, args[1], &d.device_class))
		return fail("%s", error.text);
	if ((n > 2 && wanted(args[2], "an index is", &d.index)) || (n > 3 && load(args[3], &d)) ||
	    domain(args[0], &d.front_domain) || (back && domain(back, &d.back_domain)))
		return 1;
	if (parvus_device_create(h, &d))
		return fail("%s", error.text);
	printf(json ? "{\"device\":%u}\n" : "%u\n", d.id);
	return 0;
}

static void print_device(const struct parvus_device *d, bool first)
{
	const char *front = parvus_device_state_text(d->front_state);
	const char *back = parvus_device_state_text(d->back_state);
	char name[PARVUS_CLASS_NAME];

	parvus_class_name(d->device_class, name);
	if (json)
		printf("%s{\"device\":%u,\"class\":%u,\"class_name\":\"%s\",\"devid\":%u,"
		       "\"domain\":%u,\"backend_domain\":%u,\"front_state\":\"%s\","
		       "\"back_state\":\"%s\"}", first ? "" : ",", d->id, d->device_class, name,
		       d->index, d->front_domain, d->back_domain, front, back);
	else
		printf("%6u %#10x %5u %5u %-12s %4u %-12s %s\n", d->id, d->device_class, d->index,
		       d->front_domain, front, d->back_domain, back, name);
}

static int list(int n, char **args)
{
	struct parvus_device d;
	uint32_t one = 0, at = 0;
	bool first = true;
	int ret;

	if (n > 1)
		return usage("list", "one DOMAIN or none is");
	if (n && domain(args[0], &one))
		return 1;
	if (json)
		printf("[");
	else
		printf("%6s %10s %5s %5s %-12s %4s %-12s %s\n", "ID", "CLASS", "INDEX", "FRONT",
		       "STATE", "BACK", "STATE", "NAME");
	while (!(ret = parvus_device_next(h, at, &d))) {
		at = d.id;
		if (n && d.front_domain != one)
			continue;
		print_device(&d, first);
		first = false;
	}
	if (json)
		printf("]\n");
	return ret == -ENOENT ? 0 : fail("%s", error.text);
}

static void print_class(void *arg, uint32_t number, const char *name)
{
	bool *first = arg;

	if (json)
		printf("%s{\"class\":%u,\"name\":\"%s\"}", *first ? "" : ",", number, name);
	else
		printf("%#10x %s\n", number, name);
	*first = false;
}

static int classes(int n)
{
	bool first = true;

	if (n)
		return usage("classes", "no argument is");
	printf(json ? "[" : "");
	parvus_classes(print_class, &first);
	printf(json ? "]\n" : "");
	return 0;
}

static int change(const char *what, int n, char **args)
{
	bool configure = !strcmp(what, "configure");
	struct parvus_device d = { 0 };

	if (n != 1 + configure)
		return usage(what, configure ? "ID CONFIG is" : "ID is");
	if (wanted(args[0], "the id of a device is", &d.id) || (configure && load(args[1], &d)))
		return 1;
	if (configure ? parvus_device_configure(h, d.id, d.config, sizeof(d.config)) :
	    parvus_device_remove(h, d.id))
		return fail("%s", error.text);
	return 0;
}

static int run(int n, char **args, const char *back)
{
	const char *what = args[0];

	if (back && strcmp(what, "create"))
		return fail("-b %s is of create, not of %s", back, what);
	if (!strcmp(what, "classes"))
		return classes(n - 1);
	if (strcmp(what, "create") && strcmp(what, "list") && strcmp(what, "configure") &&
	    strcmp(what, "remove"))
		return usage(what, "create, configure, remove, list or classes is");
	if (parvus_open(&h, NULL, &error))
		return fail("%s", error.text);
	return !strcmp(what, "create") ? create(n - 1, args + 1, back) :
	       !strcmp(what, "list") ? list(n - 1, args + 1) : change(what, n - 1, args + 1);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' },
		{ "backend", required_argument, NULL, 'b' }, { 0 },
	};
	const char *back = NULL;
	int c, ret;

	parvus_standard_files();
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":hb:", longs, NULL)) != -1)
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'b':
			back = optarg;
			break;
		case 'h':
			return fputs(help, stdout) < 0 || fflush(stdout);
		case ':':
			return usage(argv[optind - 1], "a value is");
		default:
			return usage(argv[optind - 1], "an option of --help is");
		}
	if (optind == argc)
		return usage("", "a command is");
	ret = run(argc - optind, argv + optind, back);
	parvus_close(h);
	if (fflush(stdout) && !ret)
		ret = fail("cannot write: %s", strerror(errno));
	return ret;
}
