// SPDX-License-Identifier: GPL-2.0-only
/* parvus destroy, shutdown, reboot, pause, unpause, rename: the life of a domain. */
#include "ask.h"
#include "commands.h"
#include "wait.h"

const struct option_text destroy_options[] = {
	{ 'f', NULL, NULL, "accepted, as xl has it; domain 0 cannot be destroyed" },
	{ 0 },
};
const struct option_text shutdown_options[] = {
	{ 'a', "all", NULL, "all domains but domain 0" },
	{ 'w', "wait", NULL, "wait until it has ended" },
	{ OPT_LONG, "timeout", "SECONDS", "with -w: no longer than that" },
	{ 'F', NULL, NULL, "accepted, as xl has it" },
	{ 0 },
};

static struct json_object *named(const char *name, uint32_t domain)
{
	struct json_object *o = json_object_new_object();

	add_text(o, "name", name);
	add_u64(o, "id", domain);
	return o;
}

/* What was done to which, if JSON is wanted. */
static int report(struct tool *t, const char *name, uint32_t domain)
{
	return t->json ? print_json(named(name, domain)) : 0;
}

int cmd_destroy(struct tool *t)
{
	struct parvus_control_info i, now;
	int c;

	while ((c = tool_option(t)) > 0)
		;
	if (c < 0 || tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	if (i.flags & PARVUS_INFO_CONTROL)
		return fail("domain %u is the control domain: it cannot be destroyed", i.domain);
	/* a second destroy finds it dying */
	if (i.state != PARVUS_DOMAIN_DYING && parvus_domain_destroy(t->h, i.domain))
		return fail_lib(t);
	if (wait_gone(t, i.domain, false, 5) == WAIT_FAILED)
		return 1;
	if (parvus_domain_info(t->h, i.domain, &now) == 0)
		warning("domain %u is still being taken apart", i.domain);
	/* one without a monitor that was renamed has a folder all the same, with its name */
	else if (parvus_state_served(t->h, i.domain) < 0)
		parvus_state_remove(t->h, i.domain);
	return report(t, name_of(t, &i), i.domain);
}

/* A domain that boots may lose what it is asked: its monitor asks again. 0 or 1 (said). */
static int press(struct tool *t, const struct parvus_control_info *i, uint32_t request)
{
	if (parvus_domain_request(t->h, i->domain, request))
		return fail_lib(t);
	monitor_tell(t, i, "ask", request == PARVUS_REQUEST_REBOOT ? "reboot" : "poweroff", NULL);
	return 0;
}

static int ask(struct tool *t, uint32_t request)
{
	struct parvus_control_info *list, one;
	struct json_object *asked = NULL;
	bool all = false, wait = false;
	uint64_t seconds = 0;
	size_t i, n;
	int c, ret = 0;

	while ((c = tool_option(t)) > 0) {
		all |= c == 'a';
		wait |= c == 'w';
		if (c == OPT_LONG && !parvus_number_parse(t->optarg, 1, INT32_MAX, &seconds))
			return usage(t, "--timeout %s: a number of seconds from 1 on is expected",
				     t->optarg);
	}
	if (c < 0)
		return 1;
	if (all == (t->nargs == 1))
		return usage(t, "a domain or -a is expected%s", all ? ", not both" : "");
	if (seconds && !wait)
		return usage(t, "--timeout %llu is of -w, which is not there",
			     (unsigned long long)seconds);
	if (tool_open(t))
		return 1;
	if (all) {
		if (parvus_list(t->h, &list, &n))
			return fail_lib(t);
	} else {
		if (tool_domain(t, t->args[0], &one))
			return 1;
		if (one.flags & PARVUS_INFO_CONTROL)
			return fail("domain %u is the control domain: use its own %s", one.domain,
				    request == PARVUS_REQUEST_REBOOT ? "reboot" : "poweroff");
		if (one.state == PARVUS_DOMAIN_SHUTDOWN)
			return fail("domain %u has ended already (%s)", one.domain,
				    parvus_reason_text(one.reason));
		list = malloc(sizeof(*list));
		if (!list)
			return fail("no memory");
		*list = one;
		n = 1;
	}
	if (t->json)
		asked = json_object_new_array();
	for (i = 0; i < n; i++) {
		if (list[i].flags & PARVUS_INFO_CONTROL || list[i].state != PARVUS_DOMAIN_RUNNING)
			continue;
		if (press(t, &list[i], request))
			ret = 1;
		else if (asked)
			json_object_array_add(asked, named(name_of(t, &list[i]), list[i].domain));
	}
	for (i = 0; wait && !ret && i < n; i++)
		if (!(list[i].flags & PARVUS_INFO_CONTROL))
			ret = wait_ended(t, &list[i], seconds ? (int)seconds : -1);
	free(list);
	if (asked && print_json(asked))
		ret = 1;
	return ret;
}

int cmd_shutdown(struct tool *t)
{
	return ask(t, PARVUS_REQUEST_POWEROFF);
}

int cmd_reboot(struct tool *t)
{
	return ask(t, PARVUS_REQUEST_REBOOT);
}

/* Buttons of a PC. @vCPU, which xl has third, is not looked at: it is the domain's. */
int cmd_trigger(struct tool *t)
{
	struct parvus_control_info i;
	bool reset;

	if (tool_arguments(t))
		return 1;
	reset = !strcmp(t->args[1], "reset");
	if (!reset && strcmp(t->args[1], "power"))
		return usage(t, "%s: power or reset is expected", t->args[1]);
	if (tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	return press(t, &i, reset ? PARVUS_REQUEST_REBOOT : PARVUS_REQUEST_POWEROFF) ? 1 :
	       report(t, name_of(t, &i), i.domain);
}

/* Its options are not known yet either. */
int cmd_not_yet(struct tool *t)
{
	if (t->argc > 1 && (!strcmp(t->argv[1], "--help") || !strcmp(t->argv[1], "-h"))) {
		print_help(t->command);
		return 0;
	}
	return fail("%s: not yet: this version cannot do it", t->command->name);
}

static int simple(struct tool *t, int (*call)(struct parvus *h, uint32_t domain))
{
	struct parvus_control_info i;

	if (tool_arguments(t) || tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	if (i.flags & PARVUS_INFO_CONTROL)
		return fail("domain %u is the control domain: it cannot be paused", i.domain);
	if (call(t->h, i.domain))
		return fail_lib(t);
	return report(t, name_of(t, &i), i.domain);
}

int cmd_pause(struct tool *t)
{
	return simple(t, parvus_domain_pause);
}

int cmd_unpause(struct tool *t)
{
	return simple(t, parvus_domain_unpause);
}

int cmd_rename(struct tool *t)
{
	struct parvus_control_info i;

	if (tool_arguments(t) || tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	if (parvus_domain_rename(t->h, i.domain, t->args[1]))
		return fail_lib(t);
	return report(t, t->args[1], i.domain);
}
