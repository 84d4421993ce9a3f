// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: the back end of a console (parvus/console.h), and a client's way to the monitor
 * that serves one. What the page says is the domain's: with an index that cannot be, a ring
 * is broken, which is said once, and from then on empty and full.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <parvus/console.h>
#include <parvus/ring_ops.h>

#define GRANT "/dev/parvus/grant"
#define EVENT "/dev/parvus/event"

struct parvus_console {
	struct parvus *h;
	struct parvus_console_page *page;
	int grant, event;
	uint32_t domain;
	uint32_t port;	/* ours */
	struct parvus_producer in;
	struct parvus_consumer out;
	bool broken;	/* as was said */
};

/* A domain that has ended has no port any more, and nobody who waits: no error is one here. */
static void notify(struct parvus_console *c)
{
	uint32_t port = c->port;

	pv_sys.ioctl(c->event, PARVUS_IOC_SEND, &port);
}

int parvus_console_open(struct parvus *h, uint32_t domain, uint32_t ref, uint32_t port,
			struct parvus_console **out)
{
	struct parvus_console *c = calloc(1, sizeof(*c));
	struct parvus_ioctl_grant map = {
		.domain = domain,
		.count = 1,
		.refs = (uintptr_t)&ref,
	};
	struct parvus_event_bind bind = {
		.size = sizeof(bind),
		.version = 1,
		.kind = PARVUS_EVENT_INTERDOMAIN,
		.domain = domain,
		.remote_port = port,
		.flags = PARVUS_EVENT_AUTO_MASK,
	};
	int ret;

	*out = NULL;
	if (!c)
		return pv_fail(h->error, ENOMEM, "no memory");
	c->h = h;
	c->domain = domain;
	c->event = -1;
	c->grant = ret = pv_sys.open(GRANT);
	if (ret < 0) {
		pv_fail(h->error, -ret, "cannot open " GRANT ": %s", strerror(-ret));
		goto fail;
	}
	c->event = ret = pv_sys.open(EVENT);
	if (ret < 0) {
		pv_fail(h->error, -ret, "cannot open " EVENT ": %s", strerror(-ret));
		goto fail;
	}
	ret = pv_sys.ioctl(c->grant, PARVUS_IOC_GRANT_MAP, &map);
	if (ret < 0) {
		pv_fail(h->error, -ret, "cannot map the console of domain %u: %s", domain,
			strerror(-ret));
		goto fail;
	}
	c->page = pv_sys.map(NULL, c->grant, PAGE, map.offset, false);
	if (!c->page) {
		ret = pv_fail(h->error, ENOMEM, "cannot map the console of domain %u", domain);
		goto fail;
	}
	ret = pv_sys.ioctl(c->event, PARVUS_IOC_BIND, &bind);
	if (ret < 0) {
		pv_fail(h->error, -ret, "cannot bind to the console of domain %u: %s", domain,
			ret == -EBUSY || ret == -EEXIST ? "somebody else serves it" :
							  strerror(-ret));
		goto fail;
	}
	c->port = bind.port;
	/* a monitor before us may have left off anywhere */
	parvus_producer_init(&c->in, &c->page->in, c->page->in_bytes, PARVUS_CONSOLE_IN, 1,
			     __atomic_load_n(&c->page->in.produced, __ATOMIC_RELAXED));
	parvus_consumer_init(&c->out, &c->page->out, c->page->out_bytes, PARVUS_CONSOLE_OUT, 1,
			     __atomic_load_n(&c->page->out.consumed, __ATOMIC_RELAXED));
	/* who was here before may have ended before it sent its last event */
	notify(c);
	*out = c;
	return 0;
fail:
	parvus_console_close(c);
	return ret;
}

void parvus_console_close(struct parvus_console *c)
{
	if (!c)
		return;
	if (c->page)
		pv_sys.unmap(c->page, PAGE);
	if (c->event >= 0)
		pv_sys.close(c->event);
	if (c->grant >= 0)
		pv_sys.close(c->grant);
	free(c);
}

int parvus_console_fd(const struct parvus_console *c)
{
	return c->event;
}

int parvus_console_ack(struct parvus_console *c)
{
	uint32_t ports[16];
	ssize_t n = pv_sys.read(c->event, ports, sizeof(ports));

	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n > 0)
		n = pv_sys.write(c->event, ports, (size_t)n);
	if (n < 0)
		return pv_fail(c->h->error, (int)-n, "console: " EVENT ": %s", strerror((int)-n));
	return 0;
}

/* Asks for an event too, when it says no: who reads until nothing waits may sleep then. */
bool parvus_console_waits(struct parvus_console *c)
{
	return !parvus_consumer_sleep(&c->out) && !parvus_consumer_broken(&c->out);
}

ssize_t parvus_console_read(struct parvus_console *c, void *data, size_t bytes)
{
	uint32_t room = bytes < PARVUS_CONSOLE_OUT ? (uint32_t)bytes : PARVUS_CONSOLE_OUT, n;

	n = parvus_consume_bytes(&c->out, data, room);
	if (!n && room && parvus_console_waits(c))	/* it came just now */
		n = parvus_consume_bytes(&c->out, data, room);
	if (parvus_release(&c->out))
		notify(c);
	if (n || c->broken || !parvus_consumer_broken(&c->out))
		return (ssize_t)n;
	c->broken = true;
	return pv_fail(c->h->error, EPROTO, "the console of domain %u: its indices make no sense",
		       c->domain);
}

ssize_t parvus_console_write(struct parvus_console *c, const void *data, size_t bytes)
{
	size_t done = 0, left;

	do {
		left = bytes - done;
		left = left < PARVUS_CONSOLE_IN ? left : PARVUS_CONSOLE_IN;
		done += parvus_produce_bytes(&c->in, (const char *)data + done, (uint32_t)left);
		if (parvus_publish(&c->in))
			notify(c);
	} while (done < bytes && !parvus_producer_sleep(&c->in, 1) &&
		 !parvus_producer_broken(&c->in));
	return (ssize_t)done;
}

int parvus_console_connect(struct parvus *h, uint32_t domain)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, ret;

	ret = parvus_run_path(h, domain, "console.sock", a.sun_path, sizeof(a.sun_path));
	if (ret)
		return ret;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return pv_fail(h->error, errno, "no socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		ret = errno == ENOENT ? ECONNREFUSED : errno;
		ret = pv_fail(h->error, ret, "the console of domain %u: %s", domain,
			      ret == ECONNREFUSED ? "nobody serves it" : strerror(ret));
		close(fd);
		return ret;
	}
	return fd;
}
