// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus sysrq, vm-list, claims, config-update, cp: what xl's users know, and have seldom need of.
 */
#include "ask.h"
#include "commands.h"
#include "show.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#define SYSRQ	0x0f	/* Control-O: what follows is for the kernel, on a console that is hvc0 */

int cmd_sysrq(struct tool *t)
{
	struct parvus_control_info i;
	char key[2] = { SYSRQ };
	int fd, ret;

	if (tool_arguments(t))
		return 1;
	key[1] = t->args[1][0];
	if (key[1] < '!' || key[1] > '~' || t->args[1][1])
		return usage(t, "%s: one letter is expected, such as h for help", t->args[1]);
	if (tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	if (i.flags & PARVUS_INFO_CONTROL)
		return fail("domain %u is the control domain: use its own /proc/sysrq-trigger",
			    i.domain);
	fd = parvus_console_connect(t->h, i.domain);
	if (fd == -ECONNREFUSED)
		return fail("domain %u has no monitor that serves its console (parvus adopt)",
			    i.domain);
	if (fd < 0)
		return fail_lib(t);
	ret = write(fd, key, 2) == 2 ? 0 : fail("the console of domain %u does not listen: %s",
						i.domain, strerror(errno));
	close(fd);
	return ret;
}

int cmd_vm_list(struct tool *t)
{
	struct parvus_control_info *list;
	struct json_object *all;
	char uuid[40];
	size_t i, n;

	if (tool_arguments(t) || tool_open(t))
		return 1;
	if (parvus_list(t->h, &list, &n))
		return fail_lib(t);
	all = json_object_new_array();
	if (!t->json)
		printf("%-36s %5s    %s\n", "UUID", "ID", "name");
	for (i = 0; i < n; i++) {
		domain_uuid(t, &list[i], uuid);
		if (t->json) {
			struct json_object *o = json_object_new_object();

			add_text(o, "uuid", uuid);
			add_u64(o, "id", list[i].domain);
			add_text(o, "name", name_of(t, &list[i]));
			json_object_array_add(all, o);
		} else {
			printf("%s %5u    %s\n", uuid, list[i].domain, name_of(t, &list[i]));
		}
	}
	free(list);
	if (t->json)
		return print_json(all);
	json_object_put(all);
	return 0;
}

int cmd_claims(struct tool *t)
{
	struct parvus_control_info *list;
	struct json_object *all;
	size_t i, n;

	if (tool_arguments(t) || tool_open(t))
		return 1;
	if (parvus_list(t->h, &list, &n))
		return fail_lib(t);
	all = json_object_new_array();
	if (!t->json)
		printf("%-40s %5s %5s %8s\n", "Name", "ID", "Mem", "Claimed");
	for (i = 0; i < n; i++) {
		uint64_t claimed = list[i].frames > list[i].touched ?
				   list[i].frames - list[i].touched : 0;

		if (t->json) {
			struct json_object *o = json_object_new_object();

			add_text(o, "name", name_of(t, &list[i]));
			add_u64(o, "id", list[i].domain);
			add_u64(o, "memory_kib", list[i].frames * 4);
			add_u64(o, "claimed_kib", claimed * 4);
			json_object_array_add(all, o);
		} else {
			printf("%-40s %5u %5llu %8llu\n", name_of(t, &list[i]), list[i].domain,
			       (unsigned long long)list[i].frames >> 8,
			       (unsigned long long)claimed >> 8);
		}
	}
	free(list);
	if (t->json)
		return print_json(all);
	json_object_put(all);
	return 0;
}

/* A device that the new configuration has otherwise stays: who wrote it is to know. */
static void warn_devices(const struct parvus_config *is, const struct parvus_config *wanted)
{
	size_t i, k, same = 0;

	for (i = 0; i < wanted->ndisks; i++)
		for (k = 0; k < is->ndisks; k++)
			same += is->disks[k].index == wanted->disks[i].index &&
				is->disks[k].readonly == wanted->disks[i].readonly &&
				!strcmp(is->disks[k].target ? is->disks[k].target : "",
					wanted->disks[i].target ? wanted->disks[i].target : "");
	if (same != is->ndisks || same != wanted->ndisks)
		warning("disk: %s keeps its %zu (block-attach and block-detach change that)",
			is->name, is->ndisks);
	if (is->nvifs != wanted->nvifs)
		warning("vif: %s keeps its %zu (network-attach and network-detach change that)",
			is->name, is->nvifs);
	if (is->nown != wanted->nown)
		warning("device: %s keeps its %zu (device-attach and device-detach change that)",
			is->name, is->nown);
}

/* The monitor reads it from a file beside its state. One that writes has its lock. */
static int hand_over(struct tool *t, const struct parvus_control_info *i,
		     const struct parvus_config *c)
{
	char path[300], *text;
	ssize_t n;
	int fd, ret;

	if (parvus_run_path(t->h, i->domain, "config-new", path, sizeof(path)) ||
	    parvus_config_text(&t->error, c, &text))
		return fail_lib(t);
	n = (ssize_t)strlen(text);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB))
		ret = fail("another config-update of domain %u is under way", i->domain);
	else if (fd < 0 || ftruncate(fd, 0) || write(fd, text, (size_t)n) != n)
		ret = fail("cannot write %s: %s", path, strerror(errno));
	else
		ret = monitor_ask(t, i, "config-update", NULL);
	free(text);
	if (fd >= 0)
		close(fd);
	return ret;
}

int cmd_config_update(struct tool *t)
{
	struct parvus_config *c = NULL;
	struct parvus_control_info i;
	struct parvus_state s;
	const char *file = NULL;
	unsigned int first = 1, k;
	int ret = 1;

	if (tool_arguments(t))
		return 1;
	if (!strchr(t->args[1], '=') || !access(t->args[1], R_OK))
		file = t->args[first++];
	for (k = first; k < t->nargs; k++)
		if (!strchr(t->args[k], '='))
			return usage(t, "%s: KEY=VALUE is expected", t->args[k]);
	if (tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	if (i.flags & PARVUS_INFO_CONTROL)
		return fail("domain %u is the control domain: it has no configuration", i.domain);
	if (parvus_state_load(t->h, i.domain, &s))
		return fail_lib(t);
	if (!file) {
		/* settings alone: over what it has */
		char *text;

		if (!parvus_config_text(&t->error, s.config, &text)) {
			ret = parvus_config_parse(&t->error, "its configuration", text,
						  strlen(text), t->args + first,
						  t->nargs - first, &c);
			free(text);
		}
	} else {
		ret = parvus_config_load(&t->error, file, t->args + first, t->nargs - first, &c);
	}
	if (ret) {
		ret = fail_lib(t);
	} else if (strcmp(c->name, name_of(t, &i))) {
		ret = fail("the configuration is of %s, not of %s (rename gives another name)",
			   c->name, name_of(t, &i));
	} else {
		for (k = 0; k < c->nwarnings; k++)
			warning("%s", c->warnings[k]);
		warn_devices(s.config, c);
		ret = hand_over(t, &i, c);
	}
	parvus_config_free(c);
	parvus_state_free(&s);
	return ret;
}
