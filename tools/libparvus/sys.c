// SPDX-License-Identifier: LGPL-2.1-or-later
/* System access of libparvus to /dev/parvus. Tests link something else in its place. */
#include "internal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int sys_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static void sys_close(int fd)
{
	close(fd);
}

static int sys_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do
		ret = ioctl(fd, request, arg);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

static void *sys_map(int fd, size_t bytes, uint64_t offset)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

	return at == MAP_FAILED ? NULL : at;
}

static void sys_unmap(void *at, size_t bytes)
{
	munmap(at, bytes);
}

static int sys_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	int ret = poll(fds, n, timeout_ms);

	return ret < 0 ? -errno : ret;
}

static ssize_t sys_read(int fd, void *data, size_t bytes)
{
	ssize_t ret = read(fd, data, bytes);

	return ret < 0 ? -errno : ret;
}

static ssize_t sys_write(int fd, const void *data, size_t bytes)
{
	ssize_t ret = write(fd, data, bytes);

	return ret < 0 ? -errno : ret;
}

const struct parvus_sys pv_sys = {
	.open = sys_open,
	.close = sys_close,
	.ioctl = sys_ioctl,
	.map = sys_map,
	.unmap = sys_unmap,
	.poll = sys_poll,
	.read = sys_read,
	.write = sys_write,
};
