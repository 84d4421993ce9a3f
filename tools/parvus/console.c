// SPDX-License-Identifier: GPL-2.0-only
/* parvus console. */
#include "commands.h"
#include "terminal.h"

const struct option_text console_options[] = {
	{ 't', NULL, "pv", "accepted, as xl has it: there is one kind" },
	{ 'n', NULL, "0", "accepted, as xl has it: there is one console" },
	{ 0 },
};

int cmd_console(struct tool *t)
{
	struct parvus_control_info i;
	int c;

	while ((c = tool_option(t)) > 0) {
		if (c == 't' && strcmp(t->optarg, "pv"))
			return usage(t, "-t %s: there is pv alone", t->optarg);
		if (c == 'n' && strcmp(t->optarg, "0"))
			return usage(t, "-n %s: there is console 0 alone", t->optarg);
	}
	if (c >= 0 && t->json)
		return usage(t, "--json: what a domain writes is no JSON");
	if (c < 0 || tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	if (i.flags & PARVUS_INFO_CONTROL)
		return fail("domain %u is the control domain: no monitor serves its console",
			    i.domain);
	return console_attach(t, i.domain, name_of(t, &i), true);
}
