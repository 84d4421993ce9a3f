// SPDX-License-Identifier: GPL-2.0-only
/*
 * block-server --device ID: the back end of one disk (parvus/block.h) that is a program: a file or
 * block device of this domain, as the device's configuration names it. The toolstack starts one
 * for each disk with PARVUS_BLOCK_PROGRAM; it ends when the device is removed, and may be killed at
 * any time: the next one serves what the front end has no answer to.
 *
 * It is also the example of a back end in user space: what is peculiar to disks is in block.c.
 */
#include "block.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct parvus_error error;

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "block-server: %s%s%s\n", what, why ? ": " : "", why ? why : "");
	return 1;
}

/* What the toolstack configured, opened. */
static int load(const struct parvus_backend *b, struct disk *d)
{
	struct parvus_block_config c;
	int ret;

	memcpy(&c, parvus_backend_device(b)->config, sizeof(c));
	if (c.version != 1) {
		char text[80];

		snprintf(text, sizeof(text),
			 "the configuration of device %u is of version %u, not 1",
			 parvus_backend_device(b)->id, c.version);
		return fail(text, NULL);
	}
	ret = disk_open(d, &c);
	return ret ? fail(c.file, strerror(-ret)) : 0;
}

/* Another medium, another size, other limits. */
static void configured(struct parvus_backend *b)
{
	struct disk *d = parvus_backend_arg(b), new;

	if (load(b, &new))
		return;	/* what there was stays */
	disk_close(d);
	d->fd = new.fd;
	d->device = new.device;
	d->iops = new.iops;
	d->bytes_per_second = new.bytes_per_second;
	new.info.link.features = d->info.link.features;	/* as the front end knows them */
	d->info = new.info;
	if (parvus_backend_offer(b, &d->info, sizeof(d->info)))
		fail(error.text, NULL);
}

/* The server before us may have been killed a moment ago, and not be gone yet. */
static int take(struct parvus_backend *b, uint32_t id)
{
	int ret = -EBUSY, i;

	for (i = 0; i < 50 && ret == -EBUSY; i++) {
		if (i)
			usleep(100000);
		ret = parvus_backend_take(b, PARVUS_CLASS_BLOCK, id, 0);
	}
	return ret;
}

static int serve(struct parvus_backend *b, struct disk *d)
{
	int ret;

	if (load(b, d))
		return 1;
	ret = parvus_backend_offer(b, &d->info, sizeof(d->info));
	while (!ret) {
		ret = parvus_backend_run(b, disk_resume(d, b));
		if (!ret)
			return 0;	/* the device is gone */
		if (ret > 0)
			ret = 0;
		if (ret == -EPROTO) {	/* closed, and to be removed in time */
			fail(error.text, NULL);
			ret = 0;
		}
	}
	return fail(error.text, NULL);
}

static int usage(void)
{
	return fail("usage: block-server --device ID", NULL);
}

int main(int argc, char **argv)
{
	struct parvus_backend_ops ops = disk_ops;
	struct disk disk = { .fd = -1 };
	struct parvus_backend *b;
	unsigned long id;
	char *end;
	int ret;

	if (argc != 3 || strcmp(argv[1], "--device"))
		return usage();
	errno = 0;
	id = strtoul(argv[2], &end, 10);
	if (argv[2][0] < '0' || argv[2][0] > '9' || *end || errno || !id || id > UINT32_MAX)
		return usage();
	ops.configured = configured;
	ret = parvus_backend_open(&b, &ops, &disk, &error);
	if (!ret)
		ret = take(b, (uint32_t)id);
	ret = ret ? fail(error.text, NULL) : serve(b, &disk);
	parvus_backend_close(b);
	disk_close(&disk);
	return ret;
}
