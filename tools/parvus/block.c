// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus block-*, cd-*: disks of a running domain. What changes something asks the domain's
 * monitor; what shows looks into the registry itself.
 */
#include "ask.h"
#include "commands.h"
#include "show.h"

#include <unistd.h>

const struct option_text detach_options[] = {
	{ 'f', "force", NULL, "at once, without asking the domain" },
	{ 0 },
};
const struct option_text set_options[] = {
	{ OPT_LONG, "iops", "COUNT", "requests in a second, at most; 0 = no limit" },
	{ OPT_LONG + 1, "bps", "BYTES",
	  "bytes in a second, at most; suffix k m g t; 0 = no limit" },
	{ 0 },
};

int cmd_block_list(struct tool *t)
{
	return list_devices(t, PARVUS_CLASS_BLOCK);
}

int cmd_block_attach(struct tool *t)
{
	struct parvus_control_info i;
	struct parvus_disk disk;
	char spec[3000];
	int ret;

	if (tool_arguments(t) || tool_joined(t, spec, sizeof(spec)) || tool_open(t))
		return 1;
	/* here, so that a path is what it is to the caller */
	ret = parvus_disk_parse(&t->error, spec, &disk) ? fail_lib(t) :
	      tool_domain(t, t->args[0], &i);
	if (!ret)
		ret = monitor_ask(t, &i, "disk-attach", disk.spec, NULL);
	if (!ret)
		ret = report_device(t, &i, PARVUS_CLASS_BLOCK, (uint32_t)disk.index);
	parvus_disk_free(&disk);
	return ret;
}

/* The disk named by the second argument: "xvda", or its number. */
static int disk_argument(struct tool *t, struct parvus_control_info *i, struct parvus_device *d,
			 char index[16])
{
	int number = parvus_disk_index(t->args[1]);
	uint64_t n;
	int ret;

	if (number < 0 && parvus_number_parse(t->args[1], 0, INT32_MAX, &n))
		number = (int)n;
	if (number < 0)
		return usage(t, "%s: a disk such as xvda is expected", t->args[1]);
	if (tool_open(t) || tool_domain(t, t->args[0], i))
		return 1;
	ret = parvus_device_find(t->h, i->domain, PARVUS_CLASS_BLOCK, (uint32_t)number, d);
	if (ret == -ENOENT)
		return fail("domain %u has no disk %s", i->domain, t->args[1]);
	snprintf(index, 16, "%d", number);
	return ret ? fail_lib(t) : 0;
}

int cmd_block_detach(struct tool *t)
{
	struct parvus_control_info i;
	struct parvus_device d;
	bool force = false;
	char index[16];
	int c;

	while ((c = tool_option(t)) > 0)
		force |= c == 'f';
	if (c < 0 || disk_argument(t, &i, &d, index))
		return 1;
	if (monitor_ask(t, &i, "detach", "disk", index, force ? "force" : "politely", NULL))
		return 1;
	return report_this(t, &d);
}

int cmd_block_resize(struct tool *t)
{
	struct parvus_control_info i;
	struct parvus_device d;
	char index[16];

	if (tool_arguments(t) || disk_argument(t, &i, &d, index) ||
	    monitor_ask(t, &i, "disk-resize", index, NULL))
		return 1;
	return report_device(t, &i, PARVUS_CLASS_BLOCK, d.index);
}

int cmd_block_set(struct tool *t)
{
	char iops[24] = "-", bps[24] = "-", index[16];
	struct parvus_control_info i;
	struct parvus_device d;
	uint64_t n;
	int c;

	while ((c = tool_option(t)) > 0) {
		if (c == OPT_LONG && !parvus_number_parse(t->optarg, 0, UINT32_MAX, &n))
			return usage(t, "--iops %s: a number from 0 to 4294967295 is expected",
				     t->optarg);
		if (c == OPT_LONG + 1 && !parvus_size_parse(t->optarg, &n))
			return usage(t, "--bps %s: bytes in a second such as 20M are expected",
				     t->optarg);
		snprintf(c == OPT_LONG ? iops : bps, sizeof(iops), "%llu", (unsigned long long)n);
	}
	if (c < 0)
		return 1;
	if (!strcmp(iops, "-") && !strcmp(bps, "-"))
		return usage(t, "--iops or --bps is expected for %s of %s", t->args[1], t->args[0]);
	if (disk_argument(t, &i, &d, index) || monitor_ask(t, &i, "disk-set", index, iops, bps,
							   NULL))
		return 1;
	return report_device(t, &i, PARVUS_CLASS_BLOCK, d.index);
}

static int change_medium(struct tool *t, const char *target)
{
	struct parvus_control_info i;
	struct parvus_device d;
	char index[16], *path = NULL;
	int ret;

	if (disk_argument(t, &i, &d, index))
		return 1;
	if (target[0] && target[0] != '/') {
		char *cwd = getcwd(NULL, 0);

		if (!cwd || asprintf(&path, "%s/%s", cwd, target) < 0)
			path = NULL;
		free(cwd);
		if (!path)
			return fail("no memory");
	}
	ret = monitor_ask(t, &i, "cd", index, path ? path : target, NULL);
	free(path);
	return ret ? ret : report_device(t, &i, PARVUS_CLASS_BLOCK, d.index);
}

int cmd_cd_insert(struct tool *t)
{
	if (tool_arguments(t))
		return 1;
	if (!t->args[2][0])
		return usage(t, "a file or block device is expected for %s, not \"\"", t->args[1]);
	return change_medium(t, t->args[2]);
}

int cmd_cd_eject(struct tool *t)
{
	return tool_arguments(t) ? 1 : change_medium(t, "");
}
