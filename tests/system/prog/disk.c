// SPDX-License-Identifier: GPL-2.0-only
/*
 * Block devices in the registry, for tests:
 *   disk create FRONT BACK INDEX KEY=VALUE...	prints the id
 *   disk configure ID KEY=VALUE...		the whole configuration anew
 *   disk remove ID
 *   disk state ID				prints the front's and the back's state
 *   disk loop-block DEV BYTES, disk loop-size DEV	what BusyBox' losetup cannot do: block
 *						size of a loop device; a new size of its file
 * Keys: name, dev (a block device's file, or none), flags, queues, iops, bps.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <parvus/block.h>
#include <parvus/linux.h>

static void check(const char *what, int good)
{
	if (good)
		return;
	printf("disk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void registry(uint32_t op, struct parvus_device *d)
{
	struct parvus_ioctl_call call = { .op = op, .bytes = sizeof(*d), .data = (uintptr_t)d };
	int fd = open("/dev/parvus/device", O_RDWR);

	d->size = sizeof(*d);
	d->version = 1;
	check("registry", fd >= 0 && !ioctl(fd, PARVUS_IOC_CALL, &call));
	close(fd);
}

static void configure(struct parvus_device *d, char **arg)
{
	struct parvus_block_config config = { .version = 1 };
	struct stat st;
	char *value;

	for (; *arg; arg++) {
		value = strchr(*arg, '=');
		check(*arg, value != NULL);
		*value++ = 0;
		if (!strcmp(*arg, "name")) {
			strncpy(config.name, value, sizeof(config.name) - 1);
		} else if (!strcmp(*arg, "dev") && strcmp(value, "none")) {
			check(value, !stat(value, &st));
			config.major = major(st.st_rdev);
			config.minor = minor(st.st_rdev);
		} else if (!strcmp(*arg, "flags")) {
			config.flags = strtoul(value, NULL, 0);
		} else if (!strcmp(*arg, "queues")) {
			config.queues = strtoul(value, NULL, 0);
		} else if (!strcmp(*arg, "iops")) {
			config.iops = strtoul(value, NULL, 0);
		} else if (!strcmp(*arg, "bps")) {
			config.bytes_per_second = strtoull(value, NULL, 0);
		}
	}
	memcpy(d->config, &config, sizeof(config));
}

int main(int argc, char **argv)
{
	static const char *const states[] = { "closed", "initialising", "ready", "connected",
					      "closing", "gone" };
	struct parvus_device d = { .device_class = PARVUS_CLASS_BLOCK };

	check("usage", argc >= 3);
	if (!strncmp(argv[1], "loop-", 5)) {
		int fd = open(argv[2], O_RDWR);

		if (!strcmp(argv[1], "loop-block") && argc == 4)
			check(argv[2], !ioctl(fd, LOOP_SET_BLOCK_SIZE, strtoul(argv[3], NULL, 0)));
		else
			check(argv[2], !ioctl(fd, LOOP_SET_CAPACITY, 0));
		return 0;
	}
	if (!strcmp(argv[1], "create")) {
		check("usage", argc >= 5);
		d.front_domain = strtoul(argv[2], NULL, 0);
		d.back_domain = strtoul(argv[3], NULL, 0);
		d.index = strtoul(argv[4], NULL, 0);
		configure(&d, argv + 5);
		registry(PARVUS_DEVICE_CREATE, &d);
		printf("%u\n", d.id);
		return 0;
	}
	d.id = strtoul(argv[2], NULL, 0);
	if (!strcmp(argv[1], "remove")) {
		registry(PARVUS_DEVICE_REMOVE, &d);
	} else if (!strcmp(argv[1], "configure")) {
		configure(&d, argv + 3);
		registry(PARVUS_DEVICE_CONFIGURE, &d);
	} else {
		registry(PARVUS_DEVICE_READ, &d);
		printf("%s %s\n", states[d.front_state % 6], states[d.back_state % 6]);
	}
	return 0;
}
