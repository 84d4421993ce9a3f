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
	struct parvus_error *errors;	/* of the library */
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

#define CLOSE_MS	15000	/* for both ends to close */
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

/* Between the parts of it. What fails returns a text, which is in d->error. */
void devices_say(struct devices *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *devices_why(struct devices *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Write into a configuration whether the device is to be detached; returns whether it was. */
bool devices_detaching(uint32_t device_class, uint8_t config[PARVUS_DEVICE_BLOB], bool detach);
struct slot *devices_find(struct devices *d, uint32_t device_class, uint32_t index);
struct parvus_disk *devices_disk(struct devices *d, const struct slot *s);
struct parvus_vif *devices_vif(struct devices *d, const struct slot *s);
const char *devices_make_disk(struct devices *d, struct parvus_disk *disk);
const char *devices_make_vif(struct devices *d, struct parvus_vif *v);
void devices_save(struct devices *d);
const char *devices_look(struct devices *d, struct slot *s);
const char *slot_name(const struct slot *s, char name[24]);
/* Tell who waits; NULL = it is done. */
void slot_answer(struct slot *s, const char *error);
/* The device is gone from the registry, or was never in it. */
void slot_let_go(struct devices *d, struct slot *s);
/* Out of the saved configuration: it does not come back. */
void slot_forget(struct devices *d, const struct slot *s);

/* serve.c: programs */
void server_path(char *path, size_t bytes);
const char *server_start(struct devices *d, struct slot *s);
void server_adopt(struct devices *d, struct slot *s);
void server_ended(struct devices *d, struct slot *s);
void server_stop(struct slot *s);
void servers_look(struct devices *d);

/* plug.c: interfaces */
void vif_interface(const struct devices *d, const struct parvus_vif *v, char name[32]);
bool vif_has_script(const struct parvus_vif *v);
const char *vif_check(struct devices *d, const struct parvus_vif *v);
const char *vif_script(struct devices *d, const struct parvus_vif *v, const char *what);
const char *vif_look(struct devices *d, struct slot *s);

/* monitor.c */
int64_t now_ms(void);
int state_config(struct parvus *h, uint32_t domain, const struct parvus_config *c);
int put_file(struct parvus *h, uint32_t domain, const char *name, const char *text);

/* nbd devices that a monitor which is no more has left. */
void devices_sweep(struct parvus *h, uint32_t domain);

#endif
