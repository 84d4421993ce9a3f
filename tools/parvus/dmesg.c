// SPDX-License-Identifier: GPL-2.0-only
/* parvus dmesg: the log of the hypervisor. */
#include "commands.h"
#include "wait.h"

#include <fcntl.h>
#include <parvus/control.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const struct option_text dmesg_options[] = {
	{ 'c', "clear", NULL, "show, and next time begin behind it" },
	{ 'f', "follow", NULL, "go on with what comes" },
	{ 'p', "previous", NULL, "what the last start left behind that broke down; -c: forget it" },
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

/* What guests caused to be logged shall not rule the terminal. */
static void put(char c, FILE *out)
{
	fputc(c == '\n' || c == '\t' || (c >= ' ' && c <= '~') ? c : '?', out);
}

/*
 * A record of ramoops, a ring: ours begin at its start, one of Linux on the bare machine may not.
 * It is in the machine's memory, which is domain 0's, and no hypervisor is asked.
 */
static struct {
	uint32_t signature, start, size;
	char text[PARVUS_RECORD_SIZE - 3 * sizeof(uint32_t)];
} record;

static int show_record(struct tool *t, const char *text, size_t bytes)
{
	long long when = 0;
	char day[40] = "";
	const char *body = memchr(text, '\n', bytes);
	struct json_object *o;
	struct tm tm;
	time_t at;

	if (!body || sscanf(text, "====%lld.", &when) != 1)
		return fail("the record of the last start is damaged: its %zu bytes do not begin "
			    "with a time", bytes);
	bytes -= (size_t)(++body - text);
	if (t->json) {
		o = json_object_new_object();
		add_u64(o, "time", (uint64_t)when);
		json_object_object_add(o, "log", json_text(body, bytes));
		return print_json(o);
	}
	at = when;
	if (gmtime_r(&at, &tm))
		strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S UTC", &tm);
	printf("Broke down at %s. The end of its log:\n", day);
	while (bytes--)
		put(*body++, stdout);
	return 0;
}

static int previous(struct tool *t, bool clear)
{
	const char *path = env_dir("PARVUS_MEM", "/dev/mem");
	static char text[sizeof(record.text) + 1];
	int fd = open(path, (clear ? O_RDWR : O_RDONLY) | O_CLOEXEC), ret;
	size_t n;

	if (fd < 0)
		return fail("cannot open %s: %s", path, strerror(errno));
	if (pread(fd, &record, sizeof(record), PARVUS_RECORD_ADDRESS) != (ssize_t)sizeof(record)) {
		ret = fail("cannot read the machine's memory in %s", path);
	} else if (record.signature != 0x43474244 || !record.size ||
		   record.size > sizeof(record.text) || record.start > record.size) {
		ret = fail("no start before this one has left a record in %s", path);
	} else {
		n = record.size - record.start;
		memcpy(text, record.text + record.start, n);
		memcpy(text + n, record.text, record.start);
		ret = show_record(t, text, record.size);
		record.start = record.size = 0;
		n = clear && !ret ? 3 * sizeof(uint32_t) : 0;
		if (n && pwrite(fd, &record, n, PARVUS_RECORD_ADDRESS) != (ssize_t)n)
			ret = fail("cannot write to %s: %s", path, strerror(errno));
	}
	close(fd);
	return ret;
}

int cmd_dmesg(struct tool *t)
{
	bool clear = false, follow = false, before = false;
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
		before |= c == 'p';
	}
	if (c < 0)
		return 1;
	if (before)
		return follow ? usage(t, "-%c does not go with -%c: a log of before has its end",
				      'f', 'p') : previous(t, clear);
	if (tool_open(t))
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
		for (i = 0; i < l.bytes; i++)
			put(l.text[i], all ? all : stdout);
		from = l.from + l.bytes;
		if (l.bytes && from < l.end)
			continue;
		if (!follow || stopped || written())
			break;
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
