// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: back ends that are programs (libparvus-backend.h), over /dev/parvus/device, event
 * and grant. What a front end has written is read in one place, accept_link(): its blob is the
 * hypervisor's copy; the pages it names, directory and tables, are copied once, and the
 * copies are checked and used.
 */
#include "libparvus-backend.h"
#include "internal.h"

#include <parvus/block.h>
#include <parvus/network.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define DEVICE "/dev/parvus/device"
#define EVENT "/dev/parvus/event"
#define GRANT "/dev/parvus/grant"
#define RETRY_DOUBLED 5		/* times, at most: 32 s between two tries */

struct served {			/* what of a queue is not the program's */
	uint32_t port;
	bool more;		/* serve() said so */
};

struct parvus_backend {
	struct parvus_error *error;	/* the program's */
	const struct parvus_backend_ops *ops;
	void *arg;
	int device, event, grant;
	int timer;		/* readable when there is something to do that no file tells of */
	struct parvus_device record;
	uint32_t state;		/* ours */
	bool taken, offered, connected, refused, detaching, gone;
	unsigned int tries;	/* to connect, that failed for reasons of our own */
	int64_t retry;		/* ms: when to try again; 0: nothing to try */
	uint8_t blob[PARVUS_DEVICE_BLOB];
	size_t blob_bytes;
	char why[160];		/* what the program says is wrong, until it was told */
	unsigned int count;
	struct parvus_backend_queue queue[PARVUS_LINK_QUEUES];
	struct served served[PARVUS_LINK_QUEUES];
};

/* ---- the registry ---------------------------------------------------------------- */

static int call(struct parvus_backend *b, uint32_t op, struct parvus_device *d)
{
	struct parvus_ioctl_call c = { .op = op, .bytes = sizeof(*d), .data = (uintptr_t)d };

	d->size = sizeof(*d);
	d->version = 1;
	return pv_sys.ioctl(b->device, PARVUS_IOC_CALL, &c);
}

/* Our end's state; its blob too if that is wanted. */
static int set_state(struct parvus_backend *b, uint32_t id, uint32_t state, bool blob)
{
	struct parvus_device d = { .id = id, .flags = PARVUS_DEVICE_AS_BACK, .back_state = state };
	int ret;

	/* no program that stands by gets it, and its people read why */
	if (b->refused && state == PARVUS_DEVICE_CLOSED) {
		d.flags |= PARVUS_DEVICE_REFUSE | PARVUS_DEVICE_WRITE;
		snprintf((char *)d.back_blob, sizeof(d.back_blob), "%s",
			 b->why[0] ? b->why : "breaks the protocol");
	}
	if (blob) {
		d.flags |= PARVUS_DEVICE_WRITE;
		memcpy(d.back_blob, b->blob, b->blob_bytes);
	}
	ret = call(b, PARVUS_DEVICE_SET, &d);
	if (!ret)
		b->state = state;
	return ret;
}

static int fail_device(struct parvus_backend *b, int code)
{
	return pv_fail(b->error, -code, "device %u: %s", b->record.id, strerror(-code));
}

/* ---- handles ---------------------------------------------------------------------- */

static int open_file(struct parvus_backend *b, const char *path, int *fd)
{
	*fd = pv_sys.open(path);
	if (*fd >= 0)
		return 0;
	return pv_fail(b->error, -*fd, "cannot open %s: %s", path, strerror(-*fd));
}

static void disconnect(struct parvus_backend *b);

int parvus_backend_open(struct parvus_backend **out, const struct parvus_backend_ops *ops,
			void *arg, struct parvus_error *error)
{
	struct parvus_backend *b = calloc(1, sizeof(*b));
	int ret;

	*out = NULL;
	if (!b)
		return pv_fail(error, ENOMEM, "no memory");
	b->error = error;
	b->ops = ops;
	b->arg = arg;
	b->device = b->event = b->grant = -1;
	b->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (b->timer < 0) {
		ret = pv_fail(error, errno, "no timer for a back end: %s", strerror(errno));
		free(b);
		return ret;
	}
	ret = open_file(b, DEVICE, &b->device);
	if (!ret)
		ret = open_file(b, EVENT, &b->event);
	if (!ret)
		ret = open_file(b, GRANT, &b->grant);
	if (ret)
		parvus_backend_close(b);
	else
		*out = b;
	return ret;
}

void parvus_backend_close(struct parvus_backend *b)
{
	if (!b)
		return;
	disconnect(b);
	close(b->timer);
	if (b->grant >= 0)
		pv_sys.close(b->grant);
	if (b->event >= 0)
		pv_sys.close(b->event);
	if (b->device >= 0)
		pv_sys.close(b->device);	/* which sets CLOSED */
	free(b);
}

void *parvus_backend_arg(const struct parvus_backend *b)
{
	return b->arg;
}

const struct parvus_device *parvus_backend_device(const struct parvus_backend *b)
{
	return &b->record;
}

/* ---- taking a device -------------------------------------------------------------- */

static int take(struct parvus_backend *b, const struct parvus_device *d)
{
	int ret = set_state(b, d->id, PARVUS_DEVICE_INITIALISING, false);

	if (ret)
		return ret;
	b->record = *d;
	b->taken = true;
	return 0;
}

static int take_any(struct parvus_backend *b, uint32_t device_class)
{
	struct parvus_device d = { 0 };

	while (!call(b, PARVUS_DEVICE_NEXT, &d)) {
		uint32_t id = d.id;

		if (d.device_class == device_class && d.back_state == PARVUS_DEVICE_CLOSED &&
		    !take(b, &d))
			return 0;
		memset(&d, 0, sizeof(d));
		d.id = id;
	}
	return -ENOENT;
}

/* Forget what changed: who asks for the state afterwards misses nothing. */
static int drain(struct parvus_backend *b)
{
	uint32_t ids[64];
	ssize_t n;

	do
		n = pv_sys.read(b->device, ids, sizeof(ids));
	while (n == (ssize_t)sizeof(ids));
	return n < 0 && n != -EAGAIN && n != -EINTR ? (int)n : 0;
}

int parvus_backend_take(struct parvus_backend *b, uint32_t device_class, uint32_t id,
			int timeout_ms)
{
	struct parvus_device d = { .id = id };
	int64_t end = pv_now_ms() + timeout_ms;
	struct pollfd p = { .fd = b->device, .events = POLLIN };
	int ret;

	if (b->taken)
		return pv_fail(b->error, EBUSY, "this handle has device %u already", b->record.id);
	if (id) {
		ret = call(b, PARVUS_DEVICE_READ, &d);
		if (!ret && d.device_class != device_class)
			return pv_fail(b->error, EINVAL, "device %u is of class %#x, not %#x", id,
				       d.device_class, device_class);
		if (!ret)
			ret = take(b, &d);
		if (!ret)
			return 0;
		return pv_fail(b->error, -ret, "device %u: %s", id,
			       ret == -ENOENT ? "there is no such device with its back end here" :
			       ret == -EBUSY ? "somebody else serves it" : strerror(-ret));
	}
	for (;;) {
		int64_t left = end - pv_now_ms();

		ret = drain(b);
		if (ret)
			return fail_device(b, ret);
		if (!take_any(b, device_class))
			return 0;
		if (timeout_ms >= 0 && left <= 0)
			return pv_fail(b->error, ETIMEDOUT, "no device of class %#x to serve",
				       device_class);
		ret = pv_sys.poll(&p, 1, timeout_ms < 0 ? -1 : (int)left);
		if (ret < 0 && ret != -EINTR)
			return fail_device(b, ret);
	}
}

/* Begin anew: what there was of a link is gone. */
static int ready(struct parvus_backend *b)
{
	int ret = 0;

	if (b->state != PARVUS_DEVICE_INITIALISING)
		ret = set_state(b, b->record.id, PARVUS_DEVICE_INITIALISING, false);
	if (!ret)
		ret = set_state(b, b->record.id, PARVUS_DEVICE_READY, true);
	return ret;
}

int parvus_backend_offer(struct parvus_backend *b, const void *info, size_t bytes)
{
	int ret;

	if (!b->taken || bytes < sizeof(struct parvus_link_info) || bytes > sizeof(b->blob))
		return pv_fail(b->error, EINVAL,
			       "a device, and a blob of %zu to %u bytes, are needed",
			       sizeof(struct parvus_link_info), PARVUS_DEVICE_BLOB);
	memcpy(b->blob, info, bytes);
	b->blob_bytes = bytes;
	b->offered = true;
	if (b->refused)
		return 0;
	if (b->detaching)	/* said, but there is no READY any more */
		ret = set_state(b, b->record.id, b->state, true);
	else if (b->connected)
		ret = set_state(b, b->record.id, PARVUS_DEVICE_CONNECTED, true);
	else
		ret = ready(b);
	return ret && ret != -ENOENT ? fail_device(b, ret) : 0;
}

/* ---- the link --------------------------------------------------------------------- */

static int lie(struct parvus_backend *b, const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return pv_fail(b->error, EPROTO, "device %u: domain %u: %s", b->record.id,
		       b->record.front_domain, text);
}

int parvus_backend_lie(struct parvus_backend *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(b->why, sizeof(b->why), format, args);
	va_end(args);
	return -EPROTO;
}

/* The program returned @err: in its own words, if it has said some. */
static const char *why(const struct parvus_backend *b, int err)
{
	return b->why[0] ? b->why : strerror(-err);
}

/* What failed with @err while a link was made: an error of our own may pass, others are lies. */
static int cannot(struct parvus_backend *b, int err, const char *what, uint32_t which)
{
	switch (err) {
	case -ENOMEM: case -ENOSPC: case -EAGAIN: case -EINTR: case -EMFILE: case -ENFILE:
		return pv_fail(b->error, -err, "device %u: cannot %s %u: %s", b->record.id, what,
			       which, strerror(-err));
	}
	return lie(b, "cannot %s %u: %s", what, which, why(b, err));
}

/* Map @count pages of the front end at @at, or anywhere. */
static int map_refs(struct parvus_backend *b, const uint32_t *refs, uint32_t count, bool readonly,
		    void *at, void **mapped)
{
	struct parvus_ioctl_grant g = {
		.domain = b->record.front_domain,
		.count = count,
		.flags = readonly ? PARVUS_GRANT_READONLY : 0,
		.refs = (uintptr_t)refs,
	};
	int ret = pv_sys.ioctl(b->grant, PARVUS_IOC_GRANT_MAP, &g);

	if (ret < 0)
		return ret;
	*mapped = pv_sys.map(at, b->grant, count * PAGE, g.offset, readonly);
	return *mapped ? 0 : -ENOMEM;
}

/* A page of the front end, once, into memory of ours. */
static int copy_page(struct parvus_backend *b, uint32_t ref, void *to, const char *what)
{
	void *from;
	int ret = map_refs(b, &ref, 1, true, NULL, &from);

	if (ret)
		return cannot(b, ret, what, ref);
	memcpy(to, from, PAGE);
	__asm__ volatile("" ::: "memory");	/* the copy is what is looked at from now on */
	pv_sys.unmap(from, PAGE);
	return 0;
}

static int map_pool(struct parvus_backend *b, struct parvus_backend_queue *q,
		    const struct parvus_link_queue *l)
{
	uint32_t refs[PARVUS_LINK_TABLE_REFS], i, n, done;
	void *at;
	int ret;

	if (!l->pool_pages)
		return 0;
	/* one stretch of addresses, into which the pieces are mapped */
	q->pool = pv_sys.map(NULL, -1, l->pool_pages * PAGE, 0, true);
	if (!q->pool)
		return fail_device(b, -ENOMEM);
	q->pool_bytes = l->pool_pages * PAGE;
	for (done = 0; done < l->pool_pages; done += n) {
		i = done % PARVUS_LINK_TABLE_REFS;
		if (!i) {
			ret = copy_page(b, l->table_ref[done / PARVUS_LINK_TABLE_REFS], refs,
					"map the table of references");
			if (ret)
				return ret;
		}
		n = l->pool_pages - done;
		if (n > PARVUS_GRANT_BATCH)
			n = PARVUS_GRANT_BATCH;
		ret = map_refs(b, refs + i, n, false, q->pool + done * PAGE, &at);
		if (ret)
			return cannot(b, ret, "map its pool from page", done);
	}
	return 0;
}

static int map_queue(struct parvus_backend *b, unsigned int i, const struct parvus_link_queue *l,
		     const struct parvus_link_info *limits)
{
	struct parvus_backend_queue *q = &b->queue[i];
	struct parvus_event_bind bind = {
		.size = sizeof(bind),
		.version = 1,
		.kind = PARVUS_EVENT_INTERDOMAIN,
		.domain = b->record.front_domain,
		.remote_port = l->port,
		.flags = PARVUS_EVENT_AUTO_MASK,
	};
	int ret;

	*q = (struct parvus_backend_queue){ .index = i };
	b->served[i] = (struct served){ 0 };
	b->count = i + 1;	/* what there is of it is disconnect()'s */
	if (!l->ring_pages || l->ring_pages > PARVUS_LINK_RING_PAGES || l->reserved)
		return lie(b, "a queue with %u pages of rings", l->ring_pages);
	if (l->pool_pages > limits->pool_pages || l->pool_pages > PARVUS_LINK_POOL_PAGES)
		return lie(b, "a queue with a pool of %u pages", l->pool_pages);
	ret = map_refs(b, l->ring_ref, l->ring_pages, false, NULL, &q->rings);
	if (ret)
		return cannot(b, ret, "map the rings of queue", i);
	q->ring_bytes = l->ring_pages * PAGE;
	ret = map_pool(b, q, l);
	if (ret)
		return ret;
	ret = pv_sys.ioctl(b->event, PARVUS_IOC_BIND, &bind);
	if (ret < 0)
		return cannot(b, ret, "bind to its port", l->port);
	b->served[i].port = bind.port;
	b->served[i].more = true;	/* what came before we were there */
	return 0;
}

static int accept_link(struct parvus_backend *b)
{
	struct parvus_link_queue queues[PAGE / sizeof(struct parvus_link_queue)];
	struct parvus_link_info limits;
	struct parvus_link link;
	unsigned int i;
	int ret;

	memcpy(&limits, b->blob, sizeof(limits));
	memcpy(&link, b->record.front_blob, sizeof(link));
	if (link.version != PARVUS_LINK_VERSION || link.reserved[0] || link.reserved[1] ||
	    link.reserved[2])
		return lie(b, "a link of version %u, or one that we do not know", link.version);
	if (!link.queues || link.queues > limits.queues || link.queues > PARVUS_LINK_QUEUES)
		return lie(b, "%u queues", link.queues);
	if (link.features & ~limits.features)
		return lie(b, "features %#llx that we do not have",
			   (unsigned long long)link.features);
	ret = copy_page(b, link.directory, queues, "map the directory");
	for (i = 0; !ret && i < link.queues; i++)
		ret = map_queue(b, i, &queues[i], &limits);
	if (ret)
		return ret;
	b->connected = true;
	b->why[0] = 0;
	ret = b->ops->connect(b, b->queue, b->count, link.features,
			      b->record.front_blob + sizeof(link));
	return ret ? cannot(b, ret, "use its link of queues", b->count) : 0;
}

static void disconnect(struct parvus_backend *b)
{
	unsigned int i;

	if (b->connected && b->ops->disconnect)
		b->ops->disconnect(b);
	b->connected = false;
	for (i = 0; i < b->count; i++) {
		struct parvus_backend_queue *q = &b->queue[i];

		if (b->served[i].port)
			pv_sys.ioctl(b->event, PARVUS_IOC_CLOSE, &b->served[i].port);
		if (q->rings)
			pv_sys.unmap(q->rings, q->ring_bytes);
		if (q->pool)
			pv_sys.unmap(q->pool, q->pool_bytes);
	}
	b->count = 0;
}

/* The front end has lied: no more of it, by nobody, until a person says so. */
static int refuse(struct parvus_backend *b)
{
	disconnect(b);
	b->refused = true;
	b->retry = 0;
	set_state(b, b->record.id, PARVUS_DEVICE_CLOSED, false);
	return -EPROTO;
}

/* ---- following the front end -------------------------------------------------------- */

/* In flags, which follow the version in both classes' configurations. */
static uint32_t detach_flag(const struct parvus_device *d)
{
	switch (d->device_class) {
	case PARVUS_CLASS_BLOCK:
		return PARVUS_BLOCK_DETACH;
	case PARVUS_CLASS_NETWORK:
		return PARVUS_NETWORK_DETACH;
	}
	return 0;
}

/* The device is to be detached: served until the front end lets it go. */
static int detach(struct parvus_backend *b, bool restarted)
{
	uint32_t front = b->record.front_state, state = PARVUS_DEVICE_CLOSING;

	if (front == PARVUS_DEVICE_CLOSED || front == PARVUS_DEVICE_CLOSING)
		state = PARVUS_DEVICE_CLOSED;
	if (restarted || state == PARVUS_DEVICE_CLOSED || front == PARVUS_DEVICE_INITIALISING)
		disconnect(b);
	return b->state == state ? 0 : set_state(b, b->record.id, state, false);
}

static int follow(struct parvus_backend *b, bool restarted)
{
	int ret = 0;

	if (b->detaching)
		return detach(b, restarted);
	if (b->refused && b->state != PARVUS_DEVICE_CLOSED)
		return set_state(b, b->record.id, PARVUS_DEVICE_CLOSED, false);
	if (b->refused || !b->offered)
		return 0;
	switch (b->record.front_state) {
	case PARVUS_DEVICE_CLOSING:
		disconnect(b);
		if (b->state != PARVUS_DEVICE_CLOSED)
			ret = set_state(b, b->record.id, PARVUS_DEVICE_CLOSED, false);
		return ret;
	case PARVUS_DEVICE_CLOSED:
	case PARVUS_DEVICE_INITIALISING:
		restarted = true;
		break;
	}
	if (restarted) {
		disconnect(b);
		if (b->state != PARVUS_DEVICE_READY)
			ret = ready(b);
	}
	if (ret || b->record.front_state != PARVUS_DEVICE_READY || b->state != PARVUS_DEVICE_READY)
		return ret;
	if (b->retry > pv_now_ms())
		return 0;
	b->retry = 0;
	ret = accept_link(b);
	if (!ret)
		ret = set_state(b, b->record.id, PARVUS_DEVICE_CONNECTED, false);
	if (!ret)
		b->tries = 0;
	if (!ret || ret == -EPROTO || ret == -ENOENT)
		return ret;
	disconnect(b);		/* READY, as we were */
	if (ret != -EBUSY) {	/* else it has gone meanwhile: there is a change to come */
		b->retry = pv_now_ms() + (1000ll << b->tries);
		b->tries += b->tries < RETRY_DOUBLED;
	}
	return 0;
}

/* Is the front end not READY any more, or again? Then there is a change to come. */
static bool left(struct parvus_backend *b)
{
	struct parvus_device d = { .id = b->record.id };

	return call(b, PARVUS_DEVICE_READ, &d) || d.front_changes != b->record.front_changes;
}

/*
 * What @d configures: whether it is to be detached, which is ours to see to, and true if
 * the program has to look. That one is told when nothing else has happened, too: what the
 * configuration names may have changed.
 */
static bool reconfigured(struct parvus_backend *b, const struct parvus_device *d, uint32_t changes)
{
	uint32_t flag = detach_flag(d), flags = 0, before = 0;
	const size_t at = sizeof(uint32_t);	/* of flags, behind the version */
	uint8_t config[PARVUS_DEVICE_BLOB];

	memcpy(config, d->config, sizeof(config));
	memcpy(&flags, config + at, sizeof(flags));
	memcpy(&before, b->record.config + at, sizeof(before));
	b->detaching = flags & flag;
	flags = (flags & ~flag) | (before & flag);
	memcpy(config + at, &flags, sizeof(flags));
	return memcmp(config, b->record.config, sizeof(config)) ||
	       (!changes && !memcmp(d->config, b->record.config, sizeof(config)));
}

/* What follow() or a look at the device came to. */
static int judge(struct parvus_backend *b, int ret)
{
	if (ret == -ENOENT) {	/* removed meanwhile */
		b->gone = true;
		disconnect(b);
		return 0;
	}
	if (ret == -EPROTO && left(b))
		disconnect(b);	/* what it offered is not there any more: no lie */
	else if (ret == -EPROTO)
		return refuse(b);
	return ret && ret != -EPROTO ? fail_device(b, ret) : 0;
}

/* What has become of the device? */
static int look(struct parvus_backend *b)
{
	struct parvus_device d = { .id = b->record.id };
	bool configured, restarted, detaching = b->detaching;
	uint32_t changes;
	int ret = call(b, PARVUS_DEVICE_READ, &d);

	if (!ret) {
		/* Two changes since we looked may be a front end that went and came. */
		changes = d.front_changes - b->record.front_changes;
		restarted = changes > 1 && b->connected;
		configured = reconfigured(b, &d, changes);
		restarted |= detaching && !b->detaching;	/* that was taken back: anew */
		b->record = d;
		if (configured && b->ops->configured)
			b->ops->configured(b);
		ret = follow(b, restarted);
	}
	return judge(b, ret);
}

static int serve(struct parvus_backend *b, unsigned int i)
{
	int ret;

	b->why[0] = 0;
	ret = b->ops->serve(b, &b->queue[i]);
	b->served[i].more = ret > 0;
	if (ret >= 0)
		return 0;
	lie(b, "queue %u: %s", i, why(b, ret));
	ret = refuse(b);
	b->why[0] = 0;
	return ret;
}

static int events(struct parvus_backend *b)
{
	uint32_t ports[PARVUS_LINK_QUEUES];
	ssize_t n = pv_sys.read(b->event, ports, sizeof(ports));
	unsigned int i, k;
	int ret;

	if (n < 0)
		return n == -EAGAIN || n == -EINTR ? 0 : fail_device(b, (int)n);
	for (k = 0; k < (size_t)n / sizeof(*ports); k++)
		for (i = 0; i < b->count; i++) {
			if (b->served[i].port != ports[k])
				continue;
			ret = serve(b, i);
			if (ret)
				return ret;
			/* served: the next event comes after this */
			pv_sys.write(b->event, &ports[k], sizeof(ports[k]));
			break;
		}
	return 0;
}

void parvus_backend_fds(const struct parvus_backend *b, struct pollfd fds[PARVUS_BACKEND_FDS])
{
	fds[0] = (struct pollfd){ .fd = b->device, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = b->event, .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = b->timer, .events = POLLIN };
}

/* ms until run() has something to do by itself: a queue with more, another try; -1: nothing. */
static int own_work(const struct parvus_backend *b)
{
	unsigned int i;

	for (i = 0; i < b->count; i++)
		if (b->served[i].more)
			return 0;
	if (!b->retry)
		return -1;
	return b->retry > pv_now_ms() ? (int)(b->retry - pv_now_ms()) : 0;
}

/* Who polls by himself is woken for that, too. */
static void arm(struct parvus_backend *b)
{
	int left = own_work(b);
	struct itimerspec t = {
		.it_value.tv_sec = left > 0 ? left / 1000 : 0,
		.it_value.tv_nsec = left > 0 ? left % 1000 * 1000000l : !left,
	};

	timerfd_settime(b->timer, 0, &t, NULL);
}

static int run(struct parvus_backend *b, int timeout_ms)
{
	struct pollfd fds[PARVUS_BACKEND_FDS];
	int own = own_work(b), ret;
	unsigned int i;

	if (own >= 0 && (timeout_ms < 0 || own < timeout_ms))
		timeout_ms = own;
	parvus_backend_fds(b, fds);
	/* of the timer's we know */
	ret = pv_sys.poll(fds, PARVUS_BACKEND_FDS - 1, timeout_ms);
	if (ret < 0 && ret != -EINTR)
		return fail_device(b, ret);
	if (ret > 0 && fds[0].revents) {
		ret = drain(b);
		ret = ret ? fail_device(b, ret) : look(b);
		if (ret)
			return ret;
	}
	if (b->retry && b->retry <= pv_now_ms()) {
		ret = judge(b, follow(b, false));
		if (ret)
			return ret;
	}
	if (b->gone)
		return 0;
	ret = fds[1].revents ? events(b) : 0;
	for (i = 0; !ret && i < b->count; i++)
		if (b->served[i].more)
			ret = serve(b, i);
	return ret ? ret : 1;
}

int parvus_backend_run(struct parvus_backend *b, int timeout_ms)
{
	int ret = run(b, timeout_ms);

	arm(b);
	return ret;
}

void parvus_backend_notify(struct parvus_backend *b, const struct parvus_backend_queue *q)
{
	uint32_t port = b->served[q->index].port;

	/* a domain that has ended has no port any more, and nobody who waits */
	pv_sys.ioctl(b->event, PARVUS_IOC_SEND, &port);
}

void parvus_backend_again(struct parvus_backend *b, const struct parvus_backend_queue *q)
{
	b->served[q->index].more = true;
	arm(b);
}
