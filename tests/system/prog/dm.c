// SPDX-License-Identifier: GPL-2.0-only
/*
 * dm create DISK SECTORS: a disk, /dev/dm-0, that is a part of another one; dm suspend: from now on
 * nothing that it is asked to do ends; dm resume; dm remove.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static union {
	struct dm_ioctl head;
	char bytes[4096];
} call;
static int fd;

static void dm(unsigned long request, uint32_t targets, uint32_t flags)
{
	memset(&call.head, 0, sizeof(call.head));
	call.head.target_count = targets;
	call.head.version[0] = DM_VERSION_MAJOR;
	call.head.data_size = sizeof(call);
	call.head.data_start = sizeof(call.head);
	call.head.flags = flags;
	strcpy(call.head.name, "parvus-test");
	if (!ioctl(fd, request, &call))
		return;
	perror("dm");
	exit(1);
}

int main(int argc, char **argv)
{
	struct dm_target_spec *target = (void *)(call.bytes + sizeof(call.head));
	FILE *misc = fopen("/proc/misc", "r");
	unsigned int number = 0;
	char line[64], name[32];
	struct stat st;

	while (misc && fgets(line, sizeof(line), misc))
		if (sscanf(line, "%u %31s", &number, name) == 2 && !strcmp(name, "device-mapper"))
			break;
	mkdir("/dev/mapper", 0755);
	mknod("/dev/mapper/control", S_IFCHR | 0600, makedev(10, number));
	fd = open("/dev/mapper/control", O_RDWR);
	if (argc == 4 && !strcmp(argv[1], "create") && !stat(argv[2], &st)) {
		dm(DM_DEV_CREATE, 0, 0);
		target->length = strtoull(argv[3], NULL, 10);
		strcpy(target->target_type, "linear");
		sprintf((char *)(target + 1), "%u:%u 0", major(st.st_rdev), minor(st.st_rdev));
		dm(DM_TABLE_LOAD, 1, 0);
		dm(DM_DEV_SUSPEND, 0, 0);
	} else if (argc == 2 && !strcmp(argv[1], "suspend")) {
		dm(DM_DEV_SUSPEND, 0, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG);
	} else if (argc == 2 && !strcmp(argv[1], "resume")) {
		dm(DM_DEV_SUSPEND, 0, 0);
	} else if (argc == 2 && !strcmp(argv[1], "remove")) {
		dm(DM_DEV_REMOVE, 0, 0);
	} else {
		fprintf(stderr, "dm: usage: dm create DISK SECTORS | suspend | resume | remove\n");
		return 1;
	}
	return 0;
}
