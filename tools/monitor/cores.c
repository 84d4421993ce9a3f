// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus-monitor: core files. A domain that crashes and is made again does so for ever: it has two
 * core files, the oldest goes, and none that would fill the disk, or the memory that is one.
 */
#include "monitor.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define CORES_MAX	2u	/* of one domain */
#define STAMP		"-dddddddd-dddddd.core"
#define PAGE		4096ull
#define FREE_ENOUGH	(8ull << 30)

/* Is it NAME-DATE-TIME.core? Other domains' names may begin as this one's does. */
static bool core_is_of(const char *file, const char *name)
{
	size_t n = strlen(name), i;

	if (strncmp(file, name, n) || strlen(file) != n + sizeof(STAMP) - 1)
		return false;
	for (i = 0; i < sizeof(STAMP) - 1; i++)
		if (STAMP[i] == 'd' && i < sizeof("-dddddddd-dddddd") - 1 ?
		    file[n + i] < '0' || file[n + i] > '9' : file[n + i] != STAMP[i])
			return false;
	return true;
}

/* Its oldest core file, by the name. Returns how many there are. */
static unsigned int core_oldest(const char *dir, const char *name, char oldest[256])
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned int n = 0;

	oldest[0] = 0;
	while (d && (e = readdir(d))) {
		if (!core_is_of(e->d_name, name))
			continue;
		if (!n++ || strcmp(e->d_name, oldest) < 0)
			snprintf(oldest, 256, "%s", e->d_name);
	}
	if (d)
		closedir(d);
	return n;
}

/* Room for one more. */
static void cores_thin(const struct monitor *m, const char *dir)
{
	char oldest[256], path[700], label[PARVUS_NAME_MAX];
	const char *name = file_name(m->state->config->name, label);
	unsigned int n = core_oldest(dir, name, oldest);

	for (; n >= CORES_MAX; n = core_oldest(dir, name, oldest)) {
		snprintf(path, sizeof(path), "%s/%s", dir, oldest);
		if (unlink(path)) {
			say(m, "cannot remove %s: %s", path, strerror(errno));
			return;
		}
	}
}

/*
 * Is a quarter left when so many bytes are written there, or FREE_ENOUGH of a large disk? A file
 * system in memory has no more than that memory. @keep: what is to be left.
 */
static bool core_fits(const char *dir, uint64_t bytes, uint64_t *keep)
{
	uint64_t total, left, ram, ram_left;
	struct sysinfo i;
	struct statfs s;

	if (statfs(dir, &s) || sysinfo(&i))
		return true;	/* the open says why not */
	total = s.f_blocks * (uint64_t)s.f_bsize;
	left = s.f_bavail * (uint64_t)s.f_bsize;
	ram = i.totalram * (uint64_t)i.mem_unit;
	ram_left = i.freeram * (uint64_t)i.mem_unit;
	if (s.f_type == TMPFS_MAGIC || s.f_type == RAMFS_MAGIC) {
		total = total && total < ram ? total : ram;
		left = s.f_blocks && left < ram_left ? left : ram_left;
	}
	*keep = total / 4 < FREE_ENOUGH ? total / 4 : FREE_ENOUGH;
	return left >= *keep && left - *keep >= bytes;
}

void core_dump(struct monitor *m, const struct parvus_control_info *i)
{
	const char *dir = env_dir("PARVUS_DUMP_DIR", "/var/lib/parvus/dump");
	char path[400], stamp[32], label[PARVUS_NAME_MAX];
	time_t now = time(NULL);
	uint64_t keep;
	struct tm tm;
	int fd;

	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
	parvus_folder(dir);
	cores_thin(m, dir);
	if (!core_fits(dir, i->touched * PAGE, &keep)) {
		say(m, "no core file: with %llu MiB more, less than %llu MiB of %s would be free",
		    (unsigned long long)(i->touched * PAGE >> 20),
		    (unsigned long long)(keep >> 20), dir);
		return;
	}
	snprintf(path, sizeof(path), "%s/%s-%s.core", dir,
		 file_name(m->state->config->name, label), stamp);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		say(m, "cannot write %s: %s", path, strerror(errno));
		return;
	}
	if (parvus_core_write(m->h, m->domain, fd, NULL, NULL)) {
		say(m, "%s", m->error.text);
		unlink(path);
	} else {
		say(m, "core file %s", path);
	}
	close(fd);
}
