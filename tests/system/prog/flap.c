// SPDX-License-Identifier: GPL-2.0-only
/*
 * flap SECONDS: in domain 0, a device whose ends are both its own, and whose front end changes its
 * state as often as it can. Prints how often, and how many events of the registry came in the best
 * tenth of a second: what all guests together can cost.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <parvus/device.h>
#include <parvus/linux.h>

static int fd;
static struct parvus_device d;

static void call(uint32_t op)
{
	struct parvus_ioctl_call c = { .op = op, .bytes = sizeof(d), .data = (uintptr_t)&d };

	d.size = sizeof(d);
	d.version = 1;
	if (ioctl(fd, PARVUS_IOC_CALL, &c)) {
		fprintf(stderr, "flap: %u: %s\n", op, strerror(errno));
		exit(1);
	}
}

/* Interrupts of the bus, on all CPUs. */
static unsigned long events(void)
{
	static char text[16384];
	int f = open("/proc/interrupts", O_RDONLY);
	ssize_t n = 0, got;
	unsigned long sum = 0;
	char *at, *next;

	while ((got = read(f, text + n, sizeof(text) - 1 - n)) > 0)
		n += got;
	close(f);
	text[n] = 0;
	at = strstr(text, "parvus-bus");
	while (at && at > text && at[-1] != '\n')
		at--;
	at = at ? strchr(at, ':') : NULL;
	if (!at) {
		fprintf(stderr, "flap: no parvus-bus in /proc/interrupts\n");
		exit(1);
	}
	for (at++;; at = next) {
		unsigned long one = strtoul(at, &next, 10);

		if (next == at)
			return sum;
		sum += one;
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	double end = now() + (argc > 1 ? atof(argv[1]) : 1), begin, took;
	unsigned long changes = 0, best = 0, n;
	uint32_t id;

	fd = open("/dev/parvus/device", O_RDWR);
	d.device_class = 0x1ff;
	call(PARVUS_DEVICE_CREATE);
	id = d.id;
	while (now() < end) {
		n = events();
		for (begin = now(); now() < begin + 0.1;) {
			memset(&d, 0, sizeof(d));
			d.id = id;
			d.front_state = changes++ & 1 ? PARVUS_DEVICE_INITIALISING :
							PARVUS_DEVICE_CLOSING;
			call(PARVUS_DEVICE_SET);
		}
		n = events() - n;
		took = now() - begin;
		if (n / took > best)
			best = n / took;
	}
	memset(&d, 0, sizeof(d));
	d.id = id;
	call(PARVUS_DEVICE_REMOVE);
	printf("%lu changes, %lu events a second\n", changes, best);
	return 0;
}
