// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: the back end of a console (parvus/console.h), and a client's way to the monitor
 * that serves one. Indices in the page are the domain's: each is read once, and one that
 * makes no sense means empty when we read and full when we write.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <parvus/console.h>

#define GRANT "/dev/parvus/grant"
#define EVENT "/dev/parvus/event"

struct parvus_console {
	struct parvus *h;
	struct parvus_console_page *page;
	int grant, event;
	uint32_t port;	/* ours */
	/* our own two indices: the domain can write the page, but not these */
	uint32_t in_prod, out_cons;
};

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
		return pv_fail(h, ENOMEM, "no memory");
	c->h = h;
	c->event = -1;
	c->grant = ret = pv_sys.open(GRANT);
	if (ret < 0) {
		pv_fail(h, -ret, "cannot open " GRANT ": %s", strerror(-ret));
		goto fail;
	}
	c->event = ret = pv_sys.open(EVENT);
	if (ret < 0) {
		pv_fail(h, -ret, "cannot open " EVENT ": %s", strerror(-ret));
		goto fail;
	}
	ret = pv_sys.ioctl(c->grant, PARVUS_IOC_GRANT_MAP, &map);
	if (ret < 0) {
		pv_fail(h, -ret, "cannot map the console of domain %u: %s", domain, strerror(-ret));
		goto fail;
	}
	c->page = pv_sys.map(c->grant, PAGE, map.offset);
	if (!c->page) {
		ret = pv_fail(h, ENOMEM, "cannot map the console of domain %u", domain);
		goto fail;
	}
	ret = pv_sys.ioctl(c->event, PARVUS_IOC_BIND, &bind);
	if (ret < 0) {
		pv_fail(h, -ret, "cannot bind to the console of domain %u: %s", domain,
			ret == -EBUSY || ret == -EEXIST ? "somebody else serves it" : strerror(-ret));
		goto fail;
	}
	c->port = bind.port;
	/* a monitor before us may have left off anywhere */
	c->in_prod = __atomic_load_n(&c->page->in_prod, __ATOMIC_RELAXED);
	c->out_cons = __atomic_load_n(&c->page->out_cons, __ATOMIC_RELAXED);
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

/* A domain that has ended has no port any more, and nobody who waits: no error is one here. */
static void notify(struct parvus_console *c)
{
	uint32_t port = c->port;

	pv_sys.ioctl(c->event, PARVUS_IOC_SEND, &port);
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
		return pv_fail(c->h, (int)-n, "console: " EVENT ": %s", strerror((int)-n));
	return 0;
}

/* How much: a number that makes no sense means none. */
static uint32_t output(const struct parvus_console *c)
{
	uint32_t n = __atomic_load_n(&c->page->out_prod, __ATOMIC_ACQUIRE) - c->out_cons;

	return n > PARVUS_CONSOLE_OUT ? 0 : n;
}

bool parvus_console_waits(const struct parvus_console *c)
{
	return output(c) != 0;
}

ssize_t parvus_console_read(struct parvus_console *c, void *data, size_t bytes)
{
	uint32_t n = output(c), i;
	uint8_t *to = data;

	if (n > bytes)
		n = (uint32_t)bytes;
	if (!n)
		return 0;
	for (i = 0; i < n; i++)
		to[i] = c->page->out[(c->out_cons + i) % PARVUS_CONSOLE_OUT];
	c->out_cons += n;
	__atomic_store_n(&c->page->out_cons, c->out_cons, __ATOMIC_RELEASE);
	notify(c);
	return (ssize_t)n;
}

ssize_t parvus_console_write(struct parvus_console *c, const void *data, size_t bytes)
{
	uint32_t cons = __atomic_load_n(&c->page->in_cons, __ATOMIC_ACQUIRE);
	uint32_t used = c->in_prod - cons, n, i;
	const uint8_t *from = data;

	if (used > PARVUS_CONSOLE_IN)
		return 0;
	n = PARVUS_CONSOLE_IN - used;
	if (n > bytes)
		n = (uint32_t)bytes;
	if (!n)
		return 0;
	for (i = 0; i < n; i++)
		c->page->in[(c->in_prod + i) % PARVUS_CONSOLE_IN] = from[i];
	c->in_prod += n;
	__atomic_store_n(&c->page->in_prod, c->in_prod, __ATOMIC_RELEASE);
	notify(c);
	return (ssize_t)n;
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
		return pv_fail(h, errno, "no socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		ret = errno == ENOENT ? ECONNREFUSED : errno;
		ret = pv_fail(h, ret, "the console of domain %u: %s", domain,
			      ret == ECONNREFUSED ? "nobody serves it" : strerror(ret));
		close(fd);
		return ret;
	}
	return fd;
}
