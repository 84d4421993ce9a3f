/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parvus-monitor: what its files share. A file calls those before it alone: log.c, console.c,
 * requests.c, cores.c, ends.c, main.c.
 */
#ifndef PARVUS_MONITOR_H
#define PARVUS_MONITOR_H

#include <errno.h>
#include <libparvus.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define LOG_MAX		(1u << 20)	/* of a log; then it becomes NAME.log.1 */
#define HISTORY		65536u	/* of output, for clients that come later */
#define CLIENTS		16u	/* of the console */
#define REQUESTERS	4u

struct client {
	int fd;
	uint64_t at;	/* position in all output */
	uint8_t input[512];
	size_t n;
};

struct requester {
	int fd;
	char text[4096];
	size_t n;
};

struct monitor {
	struct parvus_error error;
	struct parvus *h;
	struct parvus_keeper *keeper;
	struct parvus_state *state;	/* the keeper's */
	struct parvus_keeper_ops ops;
	uint32_t domain;
	char said[300];			/* the file that stderr is, or "" */
	/* console.c */
	struct parvus_console *console;
	int listener, log;
	uint64_t log_bytes;
	uint8_t history[HISTORY];
	uint64_t head;			/* bytes of output ever */
	struct client clients[CLIENTS];
	/* requests.c */
	int requests;
	struct requester requesters[REQUESTERS];
	uint32_t asked;			/* PARVUS_REQUEST_*: what the domain is asked to do */
	int64_t asked_ms, again_ms;	/* since when, and when it is asked again */
	bool held;			/* somebody saves the domain, or did so last */
	/* ends.c */
	bool ended;			/* its end was seen */
	bool restart;			/* it is to be made again */
	int64_t restart_ms;		/* when */
	unsigned int failed;		/* restarts that failed, in a row */
	bool away;			/* the old domain is gone, the new one not made yet */
};

/* ---- log.c --------------------------------------------------------------------------------- */

int64_t now_ms(void);
const char *env_dir(const char *name, const char *fallback);
/* What the monitor itself has to say goes to its own log, which is its stderr. */
void say(const struct monitor *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* When stderr is larger than a MiB it becomes NAME.log.1. Programs that were started have it. */
void log_bound(const struct monitor *m);
/* A name as a part of a file's: a long one by its label. */
const char *file_name(const char *name, char label[PARVUS_NAME_MAX]);
int log_open(const char *kind, const char *name, char *path, size_t bytes);

/* ---- console.c: the console of the domain, its log and its clients ------------------------- */

#define CONSOLE_FDS	(2u + CLIENTS)

void console_init(struct monitor *m);
/* 0, or -1 with m->error. */
int console_start(struct monitor *m);
/* The domain's end of it goes; clients stay, for the next domain of this name. */
void console_stop(struct monitor *m);
/* What it wrote of late, in a file of its folder. 0, or -1 with m->error. */
int console_history(struct monitor *m);
/* Everything that the domain said. False when there was nothing. */
bool console_drain(struct monitor *m);
void console_poll(struct monitor *m, struct pollfd *fds);
/* First what the domain said, so that an end that is seen next has its last words. */
void console_hear(struct monitor *m, const struct pollfd *fds);
void console_work(struct monitor *m, const struct pollfd *fds);
/* The last words, to clients that listen: up to a second for all. */
void console_flush(struct monitor *m);

/* ---- requests.c: parvus block-attach and the like ------------------------------------------- */

#define REQUESTS_FDS	(1u + REQUESTERS)

void requests_init(struct monitor *m);
int requests_start(struct monitor *m);
void requests_stop(struct monitor *m);
void requests_poll(struct monitor *m, struct pollfd *fds);
void requests_work(struct monitor *m, const struct pollfd *fds);
/* What the domain was asked and may have lost is asked again; ms to the next time, or -1. */
int requests_again(struct monitor *m);
/* A domain that is held goes on when who holds it has gone; ms to the next look, or -1. */
int requests_held(struct monitor *m);
/* Of struct parvus_keeper_ops; a request is the descriptor of who asked. */
void request_answer(void *m, int fd, const char *error);

/* ---- cores.c: core files --------------------------------------------------------------------- */

/* One of the domain, which has shut down, if it may have one. */
void core_dump(struct monitor *m, const struct parvus_control_info *i);

/* ---- ends.c: what on_poweroff, on_reboot and on_crash say --------------------------------- */

void wait_until_gone(struct monitor *m, int ms);
/* Look at the domain. False when it is gone or the work is done. */
bool look(struct monitor *m);
/* It is time to make it again. False: give up. */
bool restart(struct monitor *m);

#endif
