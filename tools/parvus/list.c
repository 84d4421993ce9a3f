// SPDX-License-Identifier: GPL-2.0-only
/* parvus list, domid, domname, uptime: which domains there are. */
#include "commands.h"
#include "show.h"

const struct option_text list_options[] = {
	{ 'l', "long", NULL, "all there is to know, as JSON" },
	{ 'v', "verbose", NULL, "also why and how it ended, memory in use, time stolen from it" },
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

/* Why and how it ended, and why it was not made again. */
static void print_end(struct tool *t, struct parvus_control_info *d)
{
	char why[256];

	printf("%s %u%s%s", parvus_reason_text(d->reason), d->status, d->why[0] ? ": " : "",
	       plain(d->why));
	if (parvus_restart_why(t->h, d->domain, why, sizeof(why)))
		printf("; cannot restart: %s", plain(why));
}

int cmd_list(struct tool *t)
{
	struct parvus_control_machine m;
	struct parvus_control_info *list;
	struct json_object *all;
	bool verbose = false, full = false;
	char why[256];
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
			struct json_object *o;

			if (full && t->as_xl) {
				json_object_array_add(all, xl_domain(t, &list[i]));
				continue;
			}
			o = domain_json(t, &list[i], &m);
			if (list[i].state == PARVUS_DOMAIN_SHUTDOWN &&
			    parvus_restart_why(t->h, list[i].domain, why, sizeof(why)))
				add_text(o, "restart_error", why);
			if (parvus_state_served(t->h, list[i].domain) >= 0)
				add_bool(o, "monitored",
					 parvus_state_served(t->h, list[i].domain));
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
	       verbose ? " Steal(s)  Touched  Weight   Cap  End" : "");
	for (i = 0; i < n; i++) {
		struct parvus_control_info *d = &list[i];
		char letters[7];

		/* its name may be another's by now */
		printf("%-40s %5u %5llu %5u     %s %9.1f",
		       d->state == PARVUS_DOMAIN_DYING ? "(null)" : name_of(t, d), d->domain,
		       (unsigned long long)d->frames >> 8, d->vcpus_online,
		       state_letters(d, letters), cpu_seconds(d->run_ns));
		if (verbose) {
			printf(" %9.1f %8llu %7u %5u  ", (double)stolen_ns(t, d) / 1e9,
			       (unsigned long long)d->touched >> 8, d->weight, d->cap);
			if (!parvus_state_served(t->h, d->domain))
				printf("no monitor (parvus adopt); ");
			if (d->state != PARVUS_DOMAIN_SHUTDOWN)
				printf(d->flags & PARVUS_INFO_NO_MEMORY ? "waits for memory" : "-");
			else
				print_end(t, d);
		}
		printf("\n");
	}
	free(list);
	return 0;
}

static int identify(struct tool *t, bool number)
{
	struct parvus_control_info i;
	struct json_object *o;
	uint64_t n;

	if (tool_arguments(t) || tool_open(t))
		return 1;
	if (!number && !parvus_number_parse(t->args[0], 0, UINT32_MAX - 1, &n))
		return usage(t, "%s: the number of a domain is expected", t->args[0]);
	if (tool_domain(t, t->args[0], &i))
		return 1;
	if (!t->json) {
		if (number)
			printf("%u\n", i.domain);
		else
			printf("%s\n", name_of(t, &i));
		return 0;
	}
	o = json_object_new_object();
	add_text(o, "name", name_of(t, &i));
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
		uint64_t s = m.now_ns > list[i].created_ns ?
				     (m.now_ns - list[i].created_ns) / 1000000000 :
				     0;
		char time[64];

		if (s >= 86400)
			snprintf(time, sizeof(time), "%llu day%s, %llu:%02llu:%02llu",
				 (unsigned long long)s / 86400, s >= 172800 ? "s" : "",
				 (unsigned long long)s / 3600 % 24, (unsigned long long)s / 60 % 60,
				 (unsigned long long)s % 60);
		else
			snprintf(time, sizeof(time), "%llu:%02llu:%02llu",
				 (unsigned long long)s / 3600,
				 (unsigned long long)s / 60 % 60, (unsigned long long)s % 60);
		if (t->json) {
			struct json_object *o = json_object_new_object();

			add_text(o, "name", name_of(t, &list[i]));
			add_u64(o, "id", list[i].domain);
			add_u64(o, "uptime_s", s);
			json_object_array_add(all, o);
		} else if (brief) {
			printf("up %s, %s (%u)\n", time, name_of(t, &list[i]), list[i].domain);
		} else {
			printf("%-33s %4u %s\n", name_of(t, &list[i]), list[i].domain, time);
		}
	}
	free(list);
	if (t->json)
		return print_json(all);
	json_object_put(all);
	return 0;
}
