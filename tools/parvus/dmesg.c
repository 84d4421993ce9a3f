// SPDX-License-Identifier: GPL-2.0-only
/* parvus dmesg: the log of the hypervisor. */
#include "commands.h"
#include "wait.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

const struct option_text dmesg_options[] = {
	{ 'c', "clear", NULL, "show, and next time begin behind it" },
	{ 'f', "follow", NULL, "go on with what comes" },
	{ 0 },
};

/* Where -c left off. The hypervisor keeps its log; that we do not show it again is ours. */
static void mark_path(char *path, size_t bytes)
{
	snprintf(path, bytes, "%s/dmesg", env_dir("PARVUS_RUN_DIR", "/run/parvus"));
}

static uint64_t mark_read(void)
{
	unsigned long long n = 0;
	char path[300];
	FILE *f;

	mark_path(path, sizeof(path));
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

static int mark_write(uint64_t n)
{
	char path[300];
	FILE *f;

	mkdir(env_dir("PARVUS_RUN_DIR", "/run/parvus"), 0755);
	mark_path(path, sizeof(path));
	f = fopen(path, "we");
	if (!f || fprintf(f, "%llu\n", (unsigned long long)n) < 0 || fclose(f))
		return fail("cannot write %s: %s", path, strerror(errno));
	return 0;
}

int cmd_dmesg(struct tool *t)
{
	bool clear = false, follow = false;
	struct parvus_control_log l;
	char *text = NULL;
	size_t bytes = 0;
	uint64_t from;
	FILE *all = NULL;
	uint32_t i;
	int c;

	while ((c = tool_option(t)) > 0) {
		clear |= c == 'c';
		follow |= c == 'f';
	}
	if (c < 0 || tool_open(t))
		return 1;
	from = mark_read();
	catch_signals();
	if (t->json) {
		all = open_memstream(&text, &bytes);
		if (!all)
			return fail("no memory");
	}
	for (;;) {
		memset(&l, 0, sizeof(l));
		l.from = from;
		if (parvus_log(t->h, &l))
			return fail_lib(t);
		/* the mark is of another boot */
		if (from > l.end) {
			from = 0;
			continue;
		}
		for (i = 0; i < l.bytes; i++) {
			char ch = l.text[i];

			/* what guests caused to be logged shall not rule the terminal */
			fputc(ch == '\n' || ch == '\t' || (ch >= ' ' && ch <= '~') ? ch : '?',
			      all ? all : stdout);
		}
		from = l.from + l.bytes;
		if (l.bytes && from < l.end)
			continue;
		if (!follow || stopped)
			break;
		fflush(stdout);
		nap(0.3);
	}
	if (all) {
		struct json_object *o = json_object_new_object();

		fclose(all);
		json_object_object_add(o, "log", json_text(text, bytes));
		add_u64(o, "end", from);
		free(text);
		if (print_json(o))
			return 1;
	}
	return clear ? mark_write(from) : 0;
}
