// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: files that are not trusted to be small, or files at all. What is read whole is a
 * regular file, or a pipe that has no name, as the shell makes one for <(...): opening a FIFO would
 * wait for who writes, and a device may have no end.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

const char *pv_kind_text(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFCHR:
		return "a character device";
	case S_IFBLK:
		return "a block device";
	case S_IFSOCK:
		return "a socket";
	default:
		return "no regular file";
	}
}

static int too_large(struct parvus_error *e, const char *path, size_t max)
{
	return max >> 20 ? pv_fail(e, EFBIG, "%s is larger than %zu MiB", path, max >> 20) :
	       pv_fail(e, EFBIG, "%s is larger than %zu bytes", path, max);
}

/* Is there something to read whole? */
static int readable(struct parvus_error *e, const char *path, int fd, size_t max, size_t *size)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st))
		return pv_fail(e, errno, "%s: %s", path, strerror(errno));
	*size = 0;
	if (S_ISFIFO(st.st_mode) && !fstatfs(fd, &fs) && fs.f_type == PIPEFS_MAGIC &&
	    fcntl(fd, F_SETFL, 0) == 0)
		return 0;
	if (!S_ISREG(st.st_mode))
		return pv_fail(e, S_ISDIR(st.st_mode) ? EISDIR : EINVAL,
			       "%s is %s: a regular file is expected", path,
				pv_kind_text(st.st_mode));
	if ((uint64_t)st.st_size > max)
		return too_large(e, path, max);
	*size = (size_t)st.st_size;
	return 0;
}

int pv_read_file(struct parvus_error *e, const char *path, size_t max, void **data, size_t *bytes)
{
	uint8_t *all = NULL;
	size_t have = 0, room;
	int fd, ret;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return pv_fail(e, errno, "cannot open %s: %s", pv_shown(path), strerror(errno));
	ret = readable(e, path, fd, max, &room);
	if (ret)
		goto out;
	/* the size is a hint: a pipe has none, a file may grow */
	room = room ? room + 1 : 65536;
	for (;;) {
		uint8_t *more = realloc(all, room + 1);
		ssize_t n;

		if (!more) {
			ret = pv_fail(e, ENOMEM, "%s: no memory", path);
			goto out;
		}
		all = more;
		while (have < room && (n = read(fd, all + have, room - have)) != 0) {
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0) {
				ret = pv_fail(e, errno, "cannot read %s: %s", path,
					      strerror(errno));
				goto out;
			}
			have += (size_t)n;
			if (have > max) {
				ret = too_large(e, path, max);
				goto out;
			}
		}
		if (have < room)
			break;
		room *= 2;
	}
	all[have] = 0;
	*data = all;
	*bytes = have;
	all = NULL;
	ret = 0;
out:
	free(all);
	close(fd);
	return ret;
}
