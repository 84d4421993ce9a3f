// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * System access of libparvus to /dev/parvus, block devices and network interfaces. Tests link
 * something else in its place.
 */
#include "internal.h"

#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/loop.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
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

static void *sys_map(void *at, int fd, size_t bytes, uint64_t offset, bool readonly)
{
	int prot = fd < 0 ? PROT_NONE : readonly ? PROT_READ : PROT_READ | PROT_WRITE;
	int flags = (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED) |
		    (at ? MAP_FIXED : 0);

	at = mmap(at, bytes, prot, flags, fd, (off_t)offset);
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

static int sys_block(const char *path, bool readonly, uint32_t dev[2])
{
	struct stat st;
	int fd;

	if (stat(path, &st))
		return -errno;
	if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	close(fd);
	dev[0] = major(st.st_rdev);
	dev[1] = minor(st.st_rdev);
	return 0;
}

static const char *sys_sysfs(void)
{
	return "/sys";
}

static const char *sys_procfs(void)
{
	return "/proc";
}

static int sys_stat(const char *path, struct stat *st)
{
	return stat(path, st) ? -errno : 0;
}

/* The back end for disks does not claim its devices, file systems, swap, dm and others do. */
static bool sys_block_held(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st) || !S_ISBLK(st.st_mode))
		return false;
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == EBUSY;
	close(fd);
	return false;
}

static int loop_open(uint32_t minor, int flags)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/loop%u", minor);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int sys_loop(int file, const char *name, bool readonly, uint32_t dev[2])
{
	struct loop_config c = {
		.fd = (uint32_t)file,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO |
				 (readonly ? LO_FLAGS_READ_ONLY : 0),
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), tries, fd, n, ret = -EBUSY;
	struct stat st;

	if (control < 0)
		return -errno;
	memcpy(c.info.lo_file_name, name, strnlen(name, LO_NAME_SIZE - 1));
	/* who is told the same number as we may be faster */
	for (tries = 0; tries < 64 && ret == -EBUSY; tries++) {
		n = ioctl(control, LOOP_CTL_GET_FREE);
		fd = n < 0 ? -errno : loop_open((uint32_t)n, readonly ? O_RDONLY : O_RDWR);
		if (fd < 0) {
			ret = fd;
			break;
		}
		ret = ioctl(fd, LOOP_CONFIGURE, &c) ? -errno : 0;
		if (!ret && !fstat(fd, &st)) {
			dev[0] = major(st.st_rdev);
			dev[1] = minor(st.st_rdev);
			ret = fd;
		} else {
			close(fd);
		}
	}
	close(control);
	return ret;
}

static int sys_loop_hold(uint32_t minor)
{
	return loop_open(minor, O_RDONLY);
}

static int sys_loop_resize(int fd)
{
	return ioctl(fd, LOOP_SET_CAPACITY, 0) ? -errno : 0;
}

static bool sys_nbd_used(uint32_t minor)
{
	char path[48];

	snprintf(path, sizeof(path), "/sys/block/nbd%u", minor);
	if (access(path, F_OK))
		return true;
	strcat(path, "/pid");
	return !access(path, F_OK);
}

static bool sys_nbd_ready(uint32_t minor)
{
	char path[48], size[24] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/nbd%u/size", minor);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(size, sizeof(size), f))
		size[0] = 0;
	fclose(f);
	return strtoull(size, NULL, 10) > 0;
}

static bool sys_back_bound(uint32_t id)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/bus/parvus/devices/%u-back/driver", id);
	return !access(path, F_OK);
}

static int net_flags(int fd, struct ifreq *r, bool up)
{
	if (ioctl(fd, SIOCGIFFLAGS, r))
		return -1;
	if (up)
		r->ifr_flags |= IFF_UP;
	else
		r->ifr_flags &= (short)~IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, r);
}

static int net_setting(const char *family, const char *name, const char *key, const char *value)
{
	char path[100];
	ssize_t done;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%.15s/%s", family, name, key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	/* a kernel without IPv6 hears no advertisements */
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	done = write(fd, value, strlen(value));
	close(fd);
	return done < 0 ? -1 : 0;
}

/*
 * Guests speak on it: a router advertisement of one would give this domain a default route and
 * addresses of the guest's choice, a redirect another way to somebody, a source route a way round.
 */
static int net_distrust(const char *name)
{
	static const struct {
		const char *family, *key;
	} off[] = {
		{ "ipv6", "accept_ra" }, { "ipv6", "autoconf" }, { "ipv6", "accept_redirects" },
		{ "ipv6", "accept_source_route" }, { "ipv4", "accept_redirects" },
		{ "ipv4", "accept_source_route" },
	};
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < sizeof(off) / sizeof(*off); i++)
		ret = net_setting(off[i].family, name, off[i].key, "0");
	return ret;
}

static int net_join(int fd, const char *name, const char *bridge, int index)
{
	struct ifreq r = { .ifr_ifindex = index };
	char port[80];

	snprintf(port, sizeof(port), "/sys/class/net/%.15s/brif/%.15s", bridge, name);
	if (!access(port, F_OK))
		return 0;
	strncpy(r.ifr_name, bridge, IFNAMSIZ - 1);
	return ioctl(fd, SIOCBRADDIF, &r);
}

static int sys_net(enum parvus_net op, const char *name, const char *bridge, uint32_t value)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret, index;
	struct ifreq r = { 0 };
	char path[64];

	if (fd < 0)
		return -errno;
	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	ret = ioctl(fd, SIOCGIFINDEX, &r);
	index = r.ifr_ifindex;
	if (!ret) {
		switch (op) {
		case PARVUS_NET_INDEX:
			ret = index;
			break;
		case PARVUS_NET_IS_BRIDGE:
			snprintf(path, sizeof(path), "/sys/class/net/%.15s/bridge", name);
			ret = !access(path, F_OK);
			break;
		case PARVUS_NET_MTU:
			r.ifr_mtu = (int)value;
			ret = ioctl(fd, SIOCSIFMTU, &r);
			break;
		case PARVUS_NET_JOIN:
			ret = net_join(fd, name, bridge, index);
			break;
		case PARVUS_NET_UP:
			ret = net_flags(fd, &r, value);
			break;
		case PARVUS_NET_DISTRUST:
			ret = net_distrust(name);
			break;
		}
	}
	if (ret < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int sys_net_watch(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a))) {
		int code = errno;

		close(fd);
		return -code;
	}
	return fd;
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
	.sysfs = sys_sysfs,
	.procfs = sys_procfs,
	.stat = sys_stat,
	.block = sys_block,
	.block_held = sys_block_held,
	.loop = sys_loop,
	.loop_hold = sys_loop_hold,
	.loop_resize = sys_loop_resize,
	.nbd_used = sys_nbd_used,
	.nbd_ready = sys_nbd_ready,
	.back_bound = sys_back_bound,
	.net = sys_net,
	.net_watch = sys_net_watch,
};
