// SPDX-License-Identifier: LGPL-2.1-or-later
/* libparvus: files that are not trusted to be small, or files at all. */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int pv_read_file(struct parvus_error *e, const char *path, size_t max, void **data, size_t *bytes)
{
	struct stat st;
	uint8_t *all = NULL;
	size_t have = 0, room;
	int fd, ret;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return pv_fail(e, errno, "cannot open %s: %s", path, strerror(errno));
	if (fstat(fd, &st)) {
		ret = pv_fail(e, errno, "%s: %s", path, strerror(errno));
		goto out;
	}
	if (S_ISDIR(st.st_mode)) {
		ret = pv_fail(e, EISDIR, "%s is a directory", path);
		goto out;
	}
	/* the size is a hint: a pipe has none, a file may grow */
	room = st.st_size > 0 && (uint64_t)st.st_size < max ? (size_t)st.st_size + 1 : 65536;
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
				ret = pv_fail(e, EFBIG, "%s is larger than %zu MiB", path,
					      max >> 20);
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
