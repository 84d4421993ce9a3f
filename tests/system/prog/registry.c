// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device registry through /dev/parvus/device, in the control domain: a device both
 * ends of which are here appears on the bus, its ends belong to the files that set their
 * state, a closed file closes its end, changes are told, and all is gone after REMOVE.
 * Prints "registry ok".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <parvus/linux.h>

static void check(const char *what, int good)
{
	if (good)
		return;
	printf("registry: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int registry(int fd, uint32_t op, struct parvus_device *d)
{
	struct parvus_ioctl_call call = { .op = op, .bytes = sizeof(*d), .data = (uintptr_t)d };

	d->size = sizeof(*d);
	d->version = 1;
	return ioctl(fd, PARVUS_IOC_CALL, &call);
}

static int set(int fd, uint32_t id, int back, uint32_t state, const char *blob)
{
	struct parvus_device d = { .id = id, .flags = back ? PARVUS_DEVICE_AS_BACK : 0 };

	*(back ? &d.back_state : &d.front_state) = state;
	if (blob) {
		d.flags |= PARVUS_DEVICE_WRITE;
		strcpy((char *)(back ? d.back_blob : d.front_blob), blob);
	}
	return registry(fd, PARVUS_DEVICE_SET, &d);
}

static uint32_t changed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint32_t id;

	if (poll(&p, 1, 2000) != 1 || read(fd, &id, sizeof(id)) != sizeof(id))
		return 0;
	return id;
}

/* The attribute becomes @want within a second. */
static void attribute(uint32_t id, const char *end, const char *name, const char *want)
{
	char path[128], buf[64];
	int i, fd, n = 0;

	snprintf(path, sizeof(path), "/sys/bus/parvus/devices/%u-%s/%s", id, end, name);
	for (i = 0; i < 100; i++) {
		fd = open(path, O_RDONLY);
		n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);
		close(fd);
		buf[n > 0 ? n - 1 : 0] = 0;
		if (n > 0 && !strcmp(buf, want))
			return;
		usleep(10000);
	}
	printf("registry: %s is \"%s\", wanted \"%s\"\n", path, n > 0 ? buf : "", want);
	exit(1);
}

int main(void)
{
	struct parvus_device d = {
		.device_class = PARVUS_CLASS_TEST, .index = 7, .config = "as configured",
		.front_domain = PARVUS_DOMAIN_SELF, .back_domain = PARVUS_DOMAIN_SELF,
	}, r;
	int front = open("/dev/parvus/device", O_RDWR | O_NONBLOCK);
	int back = open("/dev/parvus/device", O_RDWR | O_NONBLOCK);
	char path[64];
	int id, i;

	check("open", front >= 0 && back >= 0);
	if (registry(front, PARVUS_DEVICE_CREATE, &d)) {
		check("CREATE", errno == ENOSYS);	/* not served */
		return 77;
	}
	id = d.id;
	check("claim", !set(back, id, 1, PARVUS_DEVICE_INITIALISING, NULL));
	check("a stranger's end", set(front, id, 1, PARVUS_DEVICE_READY, NULL) && errno == EBUSY);
	check("no short way", set(back, id, 1, PARVUS_DEVICE_CONNECTED, NULL) && errno != EBUSY);
	check("READY", !set(back, id, 1, PARVUS_DEVICE_READY, "of the back end"));
	check("told", changed(front) == (uint32_t)id && changed(back) == (uint32_t)id);
	attribute(id, "front", "peer_state", "ready");
	attribute(id, "back", "state", "ready");
	attribute(id, "front", "class", "255");
	attribute(id, "front", "index", "7");
	attribute(id, "back", "side", "back");
	attribute(id, "back", "modalias", "parvus:c000000ffs1");
	check("front", !set(front, id, 0, PARVUS_DEVICE_INITIALISING, NULL) &&
	      !set(front, id, 0, PARVUS_DEVICE_READY, "of the front end"));
	r.id = id;
	check("READ", !registry(back, PARVUS_DEVICE_READ, &r));
	check("record", r.front_state == PARVUS_DEVICE_READY && r.index == 7 &&
	      !strcmp((char *)r.config, "as configured") &&
	      !strcmp((char *)r.front_blob, "of the front end") &&
	      !strcmp((char *)r.back_blob, "of the back end"));
	attribute(id, "back", "peer_state", "ready");
	/* the back end's server dies */
	close(back);
	attribute(id, "front", "peer_state", "closed");
	check("the rest", !set(front, id, 1, PARVUS_DEVICE_INITIALISING, NULL));
	attribute(id, "front", "peer_state", "initialising");
	while (changed(front))
		;
	strcpy((char *)d.config, "otherwise");
	d.id = id;
	d.flags = 0;
	check("CONFIGURE", !registry(front, PARVUS_DEVICE_CONFIGURE, &d));
	check("told", changed(front) == (uint32_t)id);
	r.id = id;
	check("REMOVE", !registry(front, PARVUS_DEVICE_REMOVE, &r));
	check("told", changed(front) == (uint32_t)id);
	snprintf(path, sizeof(path), "/sys/bus/parvus/devices/%u-front", id);
	for (i = 0; i < 100 && !access(path, F_OK); i++)
		usleep(10000);
	check("gone", i < 100);
	check("SET of nothing", set(front, id, 0, PARVUS_DEVICE_READY, NULL) && errno == ENOENT);
	close(front);
	puts("registry ok");
	return 0;
}
