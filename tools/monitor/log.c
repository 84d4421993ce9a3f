// SPDX-License-Identifier: GPL-2.0-only
/* parvus-monitor: its clock and its log. */
#include "monitor.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME_MAX	150u	/* of a name as a part of one: the rest has room */

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

const char *env_dir(const char *name, const char *fallback)
{
	const char *v = getenv(name);

	return v && *v ? v : fallback;
}

void say(const struct monitor *m, const char *format, ...)
{
	char stamp[32], text[700];
	time_t now = time(NULL);
	struct tm tm;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &tm));
	dprintf(2, "%s domain %u: %s\n", stamp, m->domain, text);
}

void log_bound(const struct monitor *m)
{
	char old[310], data[4096];
	struct stat st;
	int from, to;
	ssize_t n;

	if (!m->said[0] || fstat(2, &st) || !S_ISREG(st.st_mode) || st.st_size <= (off_t)LOG_MAX)
		return;
	snprintf(old, sizeof(old), "%s.1", m->said);
	from = open(m->said, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	to = open(old, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* a full disk loses lines, never the bound */
	while (from >= 0 && to >= 0 && (n = read(from, data, sizeof(data))) > 0)
		if (write(to, data, (size_t)n) != n)
			break;
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	if (ftruncate(2, 0))
		return;
}

const char *file_name(const char *name, char label[PARVUS_NAME_MAX])
{
	return strlen(name) <= FILE_NAME_MAX ? name : parvus_label(name, label);
}

int log_open(const char *kind, const char *name, char *path, size_t bytes)
{
	const char *dir = env_dir("PARVUS_LOG_DIR", "/var/log/parvus");
	char label[PARVUS_NAME_MAX];

	parvus_folder(dir);
	if (snprintf(path, bytes, "%s/%s-%s.log", dir, kind, file_name(name, label)) >= (int)bytes)
		return -1;
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}
