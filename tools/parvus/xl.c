// SPDX-License-Identifier: GPL-2.0-only
/* parvus sysrq, vm-list: what xl's users know, and have seldom need of. */
#include "commands.h"
#include "show.h"

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
