// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network devices in the registry, from domain 0, as the toolstack makes them:
 *	vif add DOMAIN INDEX [KEY=VALUE]...	makes one and prints its number
 *	vif set ID [KEY=VALUE]...		configures it anew
 *	vif del ID
 *	vif show ID				prints the states of front and back end
 * Keys: mac, mtu, queues, rate (bytes per second), interval (us), name, flags.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <parvus/linux.h>
#include <parvus/network.h>

static struct parvus_device d;

static void die(const char *what)
{
	fprintf(stderr, "vif: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void call(uint32_t op)
{
	struct parvus_ioctl_call c = { .op = op, .bytes = sizeof(d), .data = (uintptr_t)&d };
	int fd = open("/dev/parvus/device", O_RDWR);

	d.size = sizeof(d);
	d.version = 1;
	if (fd < 0 || ioctl(fd, PARVUS_IOC_CALL, &c))
		die("device");
}

static void configure(char **arg)
{
	struct parvus_network_config *c = (void *)d.config;

	c->version = 1;
	for (; *arg; arg++) {
		char *value = strchr(*arg, '=');
		unsigned long long n;

		if (!value)
			die(*arg);
		*value++ = 0;
		n = strtoull(value, NULL, 0);
		if (!strcmp(*arg, "mac"))
			sscanf(value, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &c->mac[0], &c->mac[1],
			       &c->mac[2], &c->mac[3], &c->mac[4], &c->mac[5]);
		else if (!strcmp(*arg, "mtu"))
			c->mtu = n;
		else if (!strcmp(*arg, "queues"))
			c->queues = n;
		else if (!strcmp(*arg, "rate"))
			c->bytes_per_second = n;
		else if (!strcmp(*arg, "interval"))
			c->interval_us = n;
		else if (!strcmp(*arg, "flags"))
			c->flags = n;
		else if (!strcmp(*arg, "name"))
			memcpy(c->name, value, strnlen(value, sizeof(c->name)));
		else
			die(*arg);
	}
}

int main(int argc, char **argv)
{
	static const char *const states[] = {
		"closed", "initialising", "ready", "connected", "closing", "gone",
	};
	const char *what = argc > 2 ? argv[1] : "";

	if (!strcmp(what, "add") && argc > 3) {
		d.device_class = PARVUS_CLASS_NETWORK;
		d.front_domain = atoi(argv[2]);
		d.back_domain = PARVUS_DOMAIN_SELF;
		d.index = atoi(argv[3]);
		configure(argv + 4);
		call(PARVUS_DEVICE_CREATE);
		printf("%u\n", d.id);
		return 0;
	}
	d.id = argc > 2 ? atoi(argv[2]) : 0;
	if (!strcmp(what, "set")) {
		call(PARVUS_DEVICE_READ);
		configure(argv + 3);
		call(PARVUS_DEVICE_CONFIGURE);
	} else if (!strcmp(what, "del")) {
		call(PARVUS_DEVICE_REMOVE);
	} else if (!strcmp(what, "show")) {
		call(PARVUS_DEVICE_READ);
		printf("%s %s\n", states[d.front_state], states[d.back_state]);
	} else {
		fputs("vif: add, set, del or show\n", stderr);
		return 2;
	}
	return 0;
}
