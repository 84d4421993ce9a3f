/* SPDX-License-Identifier: GPL-2.0-only */
/* Disks and network interfaces of one domain, as its monitor keeps them (devices.c). */
#ifndef PARVUS_DEVICES_H
#define PARVUS_DEVICES_H

#include "tool.h"

#include <parvus/block.h>
#include <parvus/network.h>
#include <poll.h>
#include <sys/types.h>

enum wait {
	WAIT_NONE,
	WAIT_BACK,	/* until a back end is there, and the interface is where it belongs */
	WAIT_CLOSED,	/* until both ends are closed: it is to be removed */
};

/* One device. */
struct slot {
	bool used;
	uint32_t device_class, index, id;
	bool remote;			/* its back end is not ours */
	struct parvus_backing backing;
	enum wait wait;
	int64_t until_ms;
	int client;			/* who is told when the waiting is over; -1 = nobody */
	/* a program that serves it */
	pid_t pid;
	int pidfd;			/* -1 = it does not run */
	int64_t started_ms, restart_ms;
	unsigned int quick;		/* quick ends in a row */
	int ifindex;			/* the interface that was set up; 0 = none */
	bool complained;
};

struct devices {
	struct parvus *h;
	struct parvus_config *config;
	uint32_t domain;
	void (*say)(void *arg, const char *text);
	void *arg;
	int net, listener;
	bool news;			/* interfaces may have changed */
	struct {
		int fd;
		char text[4096];
		size_t n;
	} clients[4];
	struct slot slots[PARVUS_DEVICES_DOMAIN];
	char error[600];
};

#define DEVICES_POLL	(2u + 4u + PARVUS_DEVICES_DOMAIN)	/* descriptors at most */

void devices_init(struct devices *d);
/* All devices of d->config: NULL, or why not; then nothing is left of them. */
const char *devices_make(struct devices *d);
/* Those that a monitor before this one has made. */
void devices_adopt(struct devices *d);
/* The socket on which parvus block-attach and the like ask. */
const char *devices_listen(struct devices *d);
/* The domain is gone: let go of everything. */
void devices_release(struct devices *d);
/* For the monitor's loop. devices_poll() says how long it may wait, -1 = for ever. */
int devices_poll(struct devices *d, struct pollfd *fds, size_t *n);
void devices_work(struct devices *d, const struct pollfd *fds, size_t n);

int64_t now_ms(void);
int state_config(struct parvus *h, uint32_t domain, const struct parvus_config *c);
int put_file(struct parvus *h, uint32_t domain, const char *name, const char *text);

/* nbd devices that a monitor which is no more has left. */
void devices_sweep(struct parvus *h, uint32_t domain);

#endif
