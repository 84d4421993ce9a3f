/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of a keeper share. Each calls those before it alone: note.c (log and state file),
 * entry.c (a device's part of the configuration), server.c (programs that serve disks), script.c
 * (hotplug scripts), bridge.c (interfaces), block.c (disks that a script makes), revive.c
 * (devices of a domain that was restored), slot.c (one device), keeper.c (all of them), hotplug.c
 * (what is asked of it).
 */
#ifndef LIBPARVUS_KEEPER_H
#define LIBPARVUS_KEEPER_H

#include "internal.h"

#include <parvus/context.h>

#include <stdio.h>

enum wait {
	WAIT_NONE,
	WAIT_BACK,	/* until a back end is there, and the interface is where it belongs */
	WAIT_CLOSED,	/* until both ends are closed: it is to be removed */
};

/* One device. */
struct slot {
	bool used;
	uint32_t device_class, index, id;
	uint32_t back;			/* the domain of its back end; 0 = this one */
	struct parvus_backing backing;
	bool added;			/* a script has made what the disk lies on */
	enum wait wait;
	int64_t until_ms;
	int request;			/* is answered when the waiting is over; -1 = none */
	/* a program that serves it */
	pid_t pid;
	int pidfd;			/* -1 = it does not run */
	int64_t started_ms, restart_ms;
	unsigned int quick;		/* quick ends in a row */
	int ifindex;			/* the interface that was set up; 0 = none */
};

struct parvus_keeper {
	struct parvus *h;
	struct parvus_state state;
	struct parvus_keeper_ops ops;
	int lock, net;
	bool news;			/* interfaces may have changed */
	struct parvus_context_device *saved;	/* revive.c: those that are to come back */
	size_t nsaved;
	struct slot slots[PARVUS_DEVICES_DOMAIN];
};

#define CLOSE_MS	15000	/* for both ends to close */

/* note.c: the log, and the state file (a failure is said) */
void pv_keeper_say(struct parvus_keeper *k, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void pv_keeper_save(struct parvus_keeper *k);

/* entry.c */
/* As messages name it: "xvda", "vif 0". */
const char *pv_slot_name(uint32_t device_class, uint32_t index, char name[24]);
/* What the configuration says of it; NULL = nothing, or it is of the other class. */
struct parvus_disk *pv_slot_disk(const struct parvus_keeper *k, const struct slot *s);
struct parvus_vif *pv_slot_vif(const struct parvus_keeper *k, const struct slot *s);
struct parvus_own *pv_slot_own(const struct parvus_keeper *k, const struct slot *s);
/* The program that serves it here; NULL = none of ours. */
const char *pv_slot_program(const struct parvus_keeper *k, const struct slot *s);

/* server.c. A slot that has no program is left alone. */
int pv_server_check(struct parvus_keeper *k, const char *name, const char *program);
int pv_server_start(struct parvus_keeper *k, struct slot *s);
void pv_server_adopt(struct parvus_keeper *k, struct slot *s);
void pv_server_ended(struct parvus_keeper *k, struct slot *s);
void pv_server_stop(struct parvus_keeper *k, struct slot *s);

/* script.c: one run of a hotplug script for a device */
struct script {
	char name[24];			/* of the device, for messages */
	char at[64];			/* its place in Xen's store: XENBUS_PATH */
	const char *script;		/* a path, or a name in the folders of scripts */
	const char *action, *option;	/* its arguments; option may be NULL */
	const char *type;		/* "vif" or "vbd" */
	uint32_t index;
	int seconds;			/* that it may take */
	/* In its process: variables, and lines of the store, which may be NULL. */
	void (*tell)(struct parvus_keeper *k, const struct script *s, FILE *store);
	const void *of;
};
/* What a block script said; "" = nothing. */
struct script_answer {
	char device[24], path[300];
};
const char *pv_script_path(const struct parvus_keeper *k, const char *script, char path[300]);
int pv_script_check(struct parvus_keeper *k, const struct script *s);
/* Is what "add" wrote there? It is kept for "remove". */
bool pv_script_kept(struct parvus_keeper *k, const struct script *s);
/* 0, or why it failed, as it says. @answer: NULL = not wanted. */
int pv_script_run(struct parvus_keeper *k, const struct script *s, struct script_answer *answer);

/* bridge.c */
void pv_vif_interface(const struct parvus_keeper *k, const struct parvus_vif *v, char name[32]);
int pv_vif_check(struct parvus_keeper *k, const struct parvus_vif *v);
void pv_vif_offline(struct parvus_keeper *k, const struct parvus_vif *v);
int pv_vif_look(struct parvus_keeper *k, const struct parvus_vif *v, struct slot *s);

/* block.c: a disk that a script makes here (pv_disk_scripted()) */
int pv_block_check(struct parvus_keeper *k, const struct parvus_disk *d);
/* "add": the block device that the script has made, into s->backing; s->added = remove it. */
int pv_block_add(struct parvus_keeper *k, struct slot *s, const struct parvus_disk *d);
void pv_block_remove(struct parvus_keeper *k, const struct parvus_disk *d);
/* Has a keeper before us added it? */
bool pv_block_added(struct parvus_keeper *k, const struct parvus_disk *d);

/* revive.c */
/* Those that the domain had when it was saved, if it was. */
int pv_revive_load(struct parvus_keeper *k);
/* Give one back, or make it, if it was not there then. */
int pv_revive(struct parvus_keeper *k, struct parvus_device *d);
void pv_revive_done(struct parvus_keeper *k);

/* slot.c */
struct slot *pv_slot_find(struct parvus_keeper *k, uint32_t device_class, uint32_t index);
/* An empty one; NULL = there are as many as there may be. */
struct slot *pv_slot_add(struct parvus_keeper *k, uint32_t device_class, uint32_t index);
/* The number of the domain of that name, where a back end is to be; 0 = this one, or no name. */
int pv_slot_back(struct parvus_keeper *k, const char *name, uint32_t *domain);
/* Make the device of an entry of the configuration. */
int pv_slot_make(struct parvus_keeper *k, uint32_t device_class, uint32_t index);
/* The disk becomes the domain's, and is written down, or its user is told. */
int pv_slot_claim(struct parvus_keeper *k, const struct slot *s, const struct parvus_disk *disk);
/* Do what there is to do for it. An error: it was given up. */
int pv_slot_look(struct parvus_keeper *k, struct slot *s);
/* Tell who asked; NULL = it is done. */
void pv_slot_answer(struct parvus_keeper *k, struct slot *s, const char *error);
/* The device is gone from the registry, or was never in it. */
void pv_slot_let_go(struct parvus_keeper *k, struct slot *s);
/* Take an entry out of the configuration: it does not come back. */
void pv_slot_forget(struct parvus_keeper *k, uint32_t device_class, uint32_t index);
/* Write into a configuration whether the device is to be detached; returns whether it was. */
bool pv_detaching(uint32_t flag, uint8_t config[PARVUS_DEVICE_BLOB], bool detach);
/* The flag of that for a device; 0 = its class has none. */
uint32_t pv_slot_flag(const struct parvus_keeper *k, const struct slot *s);

#endif
