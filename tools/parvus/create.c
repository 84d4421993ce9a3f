// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus create: configuration, domain, folder, monitor, commit, in this order. Until the
 * commit the domain belongs to this process, and goes with it.
 */
#include "ask.h"
#include "commands.h"
#include "terminal.h"
#include "wait.h"

#include <unistd.h>

const struct option_text create_options[] = {
	{ 'f', "defconfig", "FILE", "the configuration" },
	{ 'p', "paused", NULL, "leave it paused" },
	{ 'c', "console", NULL, "attach to its console" },
	{ 'F', "foreground", NULL, "show its console and wait for its end" },
	{ 'q', "quiet", NULL, "say nothing but errors" },
	{ 'n', "dryrun", NULL, "check the configuration and show it" },
	{ 'e', NULL, NULL, "accepted, as xl has it; the monitor is always there" },
	{ OPT_LONG, "overcommit", NULL, "even if its memory is not free now" },
	{ 0 },
};

static int make(struct tool *t, const struct parvus_config *config, bool paused, bool quiet,
		struct parvus_build *b)
{
	struct bar bar = { .what = config->name, .last = -1, .quiet = quiet };
	int link;

	b->progress = bar_progress;
	b->progress_arg = &bar;
	if (parvus_build(t->h, config, b)) {
		bar_end(&bar);
		return fail_lib(t);
	}
	bar_end(&bar);
	if (b->told[0])
		warning("%s", b->told);
	if (parvus_state_start(t->h, config, b)) {
		fail_lib(t);
		goto destroy;
	}
	if (monitor_start(b->domain, config->name, &link))
		goto remove;
	if (stopped || parvus_domain_commit(t->h, b->domain, !paused)) {
		if (stopped)
			fail("stopped");
		else
			fail_lib(t);
		parvus_domain_destroy(t->h, b->domain);
		close(link);	/* the monitor finds it gone, and removes the folder */
		return 1;
	}
	monitor_committed(link);
	return 0;
remove:
	parvus_state_remove(t->h, b->domain);
destroy:
	parvus_domain_destroy(t->h, b->domain);
	return 1;
}

int cmd_create(struct tool *t)
{
	bool paused = false, console = false, foreground = false, quiet = false, dry = false;
	bool overcommit = false;
	struct parvus_config *config;
	struct parvus_build b = { 0 };
	const char *file = NULL;
	unsigned int first = 0;
	size_t i;
	int c, ret;

	while ((c = tool_option(t)) > 0) {
		switch (c) {
		case 'f':
			file = t->optarg;
			break;
		case 'p':
			paused = true;
			break;
		case 'c':
			console = true;
			break;
		case 'F':
			foreground = true;
			break;
		case 'q':
			quiet = true;
			break;
		case 'n':
			dry = true;
			break;
		case OPT_LONG:
			overcommit = true;
			break;
		}
	}
	if (c < 0)
		return 1;
	/* the first argument is the file, unless it is a setting */
	if (!file && t->nargs && (!strchr(t->args[0], '=') || !access(t->args[0], R_OK))) {
		file = t->args[0];
		first = 1;
	}
	if (foreground && (console || paused))
		return usage(t, "-F shows the console to the end: not with %s",
			     console ? "-c, which attaches to it" : "-p, for it does not begin");
	if (!file && !t->nargs)
		return usage(t, "a configuration is expected");
	for (i = first; i < t->nargs; i++)
		if (!strchr(t->args[i], '='))
			return usage(t, "%s: KEY=VALUE is expected", t->args[i]);
	/* a configuration can be checked anywhere */
	if (!dry && tool_open(t))
		return 1;
	if (parvus_config_load(&t->error, file, t->args + first, t->nargs - first, &config))
		return fail_lib(t);
	config->overcommit |= overcommit;
	for (i = 0; i < config->nwarnings; i++)
		warning("%s", config->warnings[i]);
	if (dry) {
		char *text;

		ret = parvus_config_text(&t->error, config, &text) ? fail_lib(t) : 0;
		if (!ret && t->json) {
			struct json_object *o = json_object_new_object();

			add_text(o, "config", text);
			ret = print_json(o);
		} else if (!ret) {
			fputs(text, stdout);
		}
		free(text);
		parvus_config_free(config);
		return ret;
	}
	catch_signals();
	signal(SIGHUP, SIG_DFL);
	ret = make(t, config, paused, quiet, &b);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (!ret && t->json) {
		struct json_object *o = json_object_new_object();

		add_text(o, "name", config->name);
		add_u64(o, "id", b.domain);
		add_bool(o, "paused", paused);
		ret = print_json(o);
	} else if (!ret && !quiet && !console && !foreground) {
		printf("%s is domain %u\n", config->name, b.domain);
	}
	if (!ret && (console || foreground))
		ret = console_attach(t, b.domain, config->name, !foreground);
	parvus_config_free(config);
	return ret;
}
