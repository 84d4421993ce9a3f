// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus-device: devices of any class, for people who write drivers; disks and interfaces have
 * commands of their own.
 *
 *	parvus-device create DOMAIN CLASS [INDEX [CONFIG]]	print the id
 *	parvus-device configure ID CONFIG
 *	parvus-device remove ID
 *	parvus-device list
 *
 * DOMAIN is a name or a number; the back end is domain 0. CONFIG is a file of at most 256 bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <libparvus.h>
#include <parvus/linux.h>

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "parvus-device: %s%s%s\n", what, why ? ": " : "", why ? why : "");
	return 1;
}

static int usage(void)
{
	return fail("usage: create DOMAIN CLASS [INDEX [CONFIG]] | configure ID CONFIG | remove ID "
		    "| list",
		    NULL);
}

/* One device_op. 0 or a negative errno. */
static int registry(uint32_t op, struct parvus_device *d)
{
	struct parvus_ioctl_call call = { .op = op, .bytes = sizeof(*d), .data = (uintptr_t)d };
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/parvus/device", O_RDWR | O_CLOEXEC);
	d->size = sizeof(*d);
	d->version = 1;
	return fd < 0 || ioctl(fd, PARVUS_IOC_CALL, &call) < 0 ? -errno : 0;
}

static bool number(const char *text, uint32_t *n)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 0);
	*n = (uint32_t)v;
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno && v <= UINT32_MAX;
}

static int load(const char *file, struct parvus_device *d)
{
	FILE *f = fopen(file, "re");
	size_t n;

	if (!f)
		return fail(file, strerror(errno));
	n = fread(d->config, 1, sizeof(d->config), f);
	if (n == sizeof(d->config) && fgetc(f) != EOF)
		n = 0;
	fclose(f);
	return n ? 0 : fail(file, "a file of 1 to 256 bytes is expected");
}

static int create(int argc, char **argv)
{
	struct parvus_device d = { .back_domain = PARVUS_DOMAIN_SELF };
	struct parvus_control_info info;
	struct parvus_error error = { 0 };
	struct parvus *h;
	int ret;

	if (argc < 2 || argc > 4 || !number(argv[1], &d.device_class) ||
	    (argc > 2 && !number(argv[2], &d.index)))
		return usage();
	if (argc > 3 && load(argv[3], &d))
		return 1;
	ret = parvus_open(&h, NULL, &error);
	if (!ret)
		ret = parvus_find(h, argv[0], &info);
	if (ret)
		fail(error.text, NULL);
	parvus_close(h);
	if (ret)
		return 1;
	d.front_domain = info.domain;
	ret = registry(PARVUS_DEVICE_CREATE, &d);
	if (ret)
		return fail("create", ret == -EEXIST ?
			    "the domain has a device of this class and index already" :
			    strerror(-ret));
	printf("%u\n", d.id);
	return 0;
}

static int list(void)
{
	static const char *const states[] = { "closed", "initialising", "ready", "connected",
					      "closing", "gone" };
	struct parvus_device d = { 0 };
	int ret;

	printf("%6s %10s %5s %5s %-12s %4s %-12s\n", "ID", "CLASS", "INDEX", "FRONT", "STATE",
	       "BACK", "STATE");
	while (!(ret = registry(PARVUS_DEVICE_NEXT, &d)))
		printf("%6u %#10x %5u %5u %-12s %4u %-12s\n", d.id, d.device_class, d.index,
		       d.front_domain, states[d.front_state % 6], d.back_domain,
		       states[d.back_state % 6]);
	return ret == -ENOENT ? 0 : fail("/dev/parvus/device", strerror(-ret));
}

int main(int argc, char **argv)
{
	struct parvus_device d = { 0 };
	const char *what = argc > 1 ? argv[1] : "";
	int ret;

	if (!strcmp(what, "create"))
		return create(argc - 2, argv + 2);
	if (!strcmp(what, "list") && argc == 2)
		return list();
	if (argc < 3 || !number(argv[2], &d.id))
		return usage();
	if (!strcmp(what, "remove") && argc == 3) {
		ret = registry(PARVUS_DEVICE_REMOVE, &d);
	} else if (!strcmp(what, "configure") && argc == 4) {
		if (load(argv[3], &d))
			return 1;
		ret = registry(PARVUS_DEVICE_CONFIGURE, &d);
	} else {
		return usage();
	}
	return ret ? fail(argv[2], ret == -ENOENT ? "no device has this number" : strerror(-ret)) :
		0;
}
