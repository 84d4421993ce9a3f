/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libparvus: back ends of split devices that are programs (docs/driver-guide.md).
 *
 * A program takes one device, says what it offers, and is called when a front end has
 * connected, when there is something to serve, and when the front end has gone. The states
 * of parvus/device.h and the mapping of links (parvus/link.h) are done here; rings are the
 * ring library's (parvus/ring_ops.h), requests are the program's.
 *
 * The front end is not trusted. What the library takes from it is copied and checked; a link
 * that is wrong, or a callback that says so, closes the device, never the program. If the
 * program dies, by whatever signal, its kernel sets the end to CLOSED and unmaps everything;
 * the next one that takes the device serves the front end's unanswered requests.
 *
 * Functions return 0 or a positive result, or a negative errno; the error object
 * (struct parvus_error) then has one line of text. One handle is for one thread at a time.
 */
#ifndef LIBPARVUS_BACKEND_H
#define LIBPARVUS_BACKEND_H

#include <libparvus.h>
#include <parvus/device.h>
#include <parvus/link.h>

#ifdef __cplusplus
extern "C" {
#endif

struct parvus_backend;

/**
 * struct parvus_backend_queue - one queue of a link, mapped
 * @index: in the link
 * @rings: pages of rings, in a row
 * @pool: pages of data, in a row. The front end can change both while they are looked at
 * @data: the program's
 */
struct parvus_backend_queue {
	uint32_t index;
	void *rings;
	size_t ring_bytes;
	uint8_t *pool;
	size_t pool_bytes;
	void *data;
};

/**
 * struct parvus_backend_ops - what a program does
 * @connect: a front end is there; make the rings of @count queues. An error refuses it. @extra:
 *	what follows struct parvus_link in its blob, a copy; @features: those that it chose of ours
 * @serve: do what waits in a queue, up to some limit, then ask to be woken. 1 = there is more,
 *	call again; 0 = the other end will wake us; an error closes the device: parvus_backend_lie()
 *	says why
 * @disconnect: the front end has gone; queues are unmapped after this. May be NULL
 * @configured: the toolstack has changed the configuration. May be NULL
 */
struct parvus_backend_ops {
	int (*connect)(struct parvus_backend *b, struct parvus_backend_queue *queues,
		       unsigned int count, uint64_t features, const void *extra);
	int (*serve)(struct parvus_backend *b, struct parvus_backend_queue *queue);
	void (*disconnect)(struct parvus_backend *b);
	void (*configured)(struct parvus_backend *b);
};

/**
 * parvus_backend_open() - a handle; nothing is served yet
 * @b: NULL after a failure
 * @arg: for parvus_backend_arg()
 * @error: where failures are told, until parvus_backend_close(); may be NULL
 */
PARVUS_API int parvus_backend_open(struct parvus_backend **b, const struct parvus_backend_ops *ops,
				   void *arg, struct parvus_error *error);
/** parvus_backend_close() - end it: the front end finds us CLOSED */
PARVUS_API void parvus_backend_close(struct parvus_backend *b);
/** parvus_backend_arg() - what parvus_backend_open() was given */
PARVUS_API void *parvus_backend_arg(const struct parvus_backend *b);

/**
 * parvus_backend_take() - take a device that nobody serves: our end goes to INITIALISING
 * @device_class: it must have
 * @id: of the device; 0 = any that this domain is the back end of
 * @timeout_ms: how long to wait for one with @id = 0; < 0 = for ever
 *
 * -EBUSY: somebody serves it; -ENOENT: there is no such device; -ETIMEDOUT.
 */
PARVUS_API int parvus_backend_take(struct parvus_backend *b, uint32_t device_class, uint32_t id,
				   int timeout_ms);
/** parvus_backend_device() - what is known of it, as of late; config is the toolstack's */
PARVUS_API const struct parvus_device *parvus_backend_device(const struct parvus_backend *b);

/**
 * parvus_backend_offer() - say what we have, and go to READY
 * @info: our blob; begins with a struct parvus_link_info, the limits of a link
 * @bytes: of it
 *
 * Called again later, it replaces the blob; a front end that is connected is told.
 */
PARVUS_API int parvus_backend_offer(struct parvus_backend *b, const void *info, size_t bytes);

#define PARVUS_BACKEND_FDS 3u
/**
 * parvus_backend_fds() - what to poll() for, beside other things, before parvus_backend_run()
 *
 * One is readable also when serve() has said that there is more, or a connection is to be tried
 * again: who polls for ever misses nothing.
 */
PARVUS_API void parvus_backend_fds(const struct parvus_backend *b,
				   struct pollfd fds[PARVUS_BACKEND_FDS]);
/**
 * parvus_backend_run() - wait up to @timeout_ms for something, and do it
 *
 * 1: go on; 0: the device was removed; -EPROTO: the front end's doing closed the device: it will
 * not be served any more, but calling again says when it is removed. Other errors: of the system.
 */
PARVUS_API int parvus_backend_run(struct parvus_backend *b, int timeout_ms);

/** parvus_backend_notify() - send an event to the other end of a queue */
PARVUS_API void parvus_backend_notify(struct parvus_backend *b,
				      const struct parvus_backend_queue *queue);
/** parvus_backend_again() - serve() this queue in the next parvus_backend_run() */
PARVUS_API void parvus_backend_again(struct parvus_backend *b,
				     const struct parvus_backend_queue *queue);

/**
 * parvus_backend_lie() - say what is wrong with the front end; returns the error that serve() or
 * connect() returns then
 *
 * The text of the error object names it, behind device, domain and queue: "a request of 70000
 * bytes". Without it there is what the returned number means.
 */
PARVUS_API int parvus_backend_lie(struct parvus_backend *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
