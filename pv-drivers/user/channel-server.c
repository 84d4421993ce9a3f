// SPDX-License-Identifier: GPL-2.0-only
/*
 * channel-server --device ID: a channel of a domain (tools/agent/stream.h), at a socket or a
 * terminal of this one. Its configuration is three texts, each with a zero: "channel NAME",
 * "socket" or "pty", and a path: where the socket is, or a link to the terminal. One client at a
 * time has the socket; what the domain says while there is none waits, as much as the rings hold.
 * Ends when the device is removed, and takes the path away then.
 */
#include "../../tools/agent/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <libparvus-backend.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

struct channel {
	struct parvus_backend *b;
	struct parvus_backend_queue *queue;	/* NULL: no front end */
	struct parvus_consumer in;
	struct parvus_producer out;
	int listening, fd;			/* a socket's; the client's or the terminal's */
	bool pty;
	char held[4096];			/* from the domain, for the client */
	size_t have, at;
};

/* In each line stands what it is about. */
static int fail(const char *what, const char *why)
{
	fprintf(stderr, "channel-server: %s: %s\n", what, why);
	return -1;
}

static int channel_connect(struct parvus_backend *b, struct parvus_backend_queue *queues,
			   unsigned int count, uint64_t features, const void *extra)
{
	struct channel *c = parvus_backend_arg(b);
	struct stream_rings r = stream_rings(queues[0].rings, queues[0].ring_bytes);

	(void)count, (void)features, (void)extra;
	parvus_producer_init(&c->out, r.to_front, r.front_bytes, r.count, 1, 0);
	parvus_consumer_init(&c->in, r.to_back, r.back_bytes, r.count, 1, 0);
	c->queue = queues;
	return 0;
}

/* The loop of main() looks at the rings by itself. */
static int channel_serve(struct parvus_backend *b, struct parvus_backend_queue *queue)
{
	(void)b, (void)queue;
	return 0;
}

static void channel_disconnect(struct parvus_backend *b)
{
	struct channel *c = parvus_backend_arg(b);

	c->queue = NULL;
}

static const struct parvus_backend_ops channel_ops = {
	.connect = channel_connect,
	.serve = channel_serve,
	.disconnect = channel_disconnect,
};

/* One that nobody listens at, as after a kill, is taken away; another's stays. */
static int socket_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (strlen(path) >= sizeof(a.sun_path))
		errno = ENAMETOOLONG;
	if (fd < 0 || strlen(path) >= sizeof(a.sun_path))
		return fail(path, strerror(errno));
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (!lstat(path, &st) && S_ISSOCK(st.st_mode)) {
		if (!connect(fd, (struct sockaddr *)&a, sizeof(a)))
			return fail(path, strerror(EADDRINUSE));
		unlink(path);
	}
	umask(077);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1))
		return fail(path, strerror(errno));
	return fd;
}

/* A terminal, raw, with a link to it; our own descriptor of its far end keeps it. */
static int terminal_at(const char *path)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), far;
	struct termios t;
	struct stat st;
	const char *pts;

	if (fd < 0 || grantpt(fd) || unlockpt(fd) || !(pts = ptsname(fd)))
		return fail(path, strerror(errno));
	far = open(pts, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (far < 0 || tcgetattr(far, &t))
		return fail(path, strerror(errno));
	cfmakeraw(&t);
	tcsetattr(far, TCSANOW, &t);
	if (!lstat(path, &st) && S_ISLNK(st.st_mode))
		unlink(path);
	if (symlink(pts, path))
		return fail(path, strerror(errno));
	return fd;
}

static void gone(struct channel *c)
{
	if (c->pty)
		return;
	close(c->fd);
	c->fd = -1;
}

/* What can be moved now, either way. False: the front end has broken a ring. */
static bool move(struct channel *c)
{
	char in[4096];
	uint32_t room;
	ssize_t n;

	while (c->queue && c->fd >= 0) {
		if (!c->have) {
			c->have = parvus_consume_bytes(&c->in, c->held, sizeof(c->held));
			c->at = 0;
			if (parvus_release(&c->in))
				parvus_backend_notify(c->b, c->queue);
		}
		if (!c->have)
			break;
		n = c->pty ? write(c->fd, c->held + c->at, c->have) :
		    send(c->fd, c->held + c->at, c->have, MSG_NOSIGNAL);
		if (n <= 0) {
			if (errno != EAGAIN)
				gone(c);
			break;
		}
		c->at += (size_t)n;
		c->have -= (size_t)n;
	}
	while (c->queue && c->fd >= 0 && (room = parvus_producer_room(&c->out))) {
		n = read(c->fd, in, room < sizeof(in) ? room : sizeof(in));
		if (n <= 0) {
			if (!n || errno != EAGAIN)
				gone(c);
			break;
		}
		parvus_produce_bytes(&c->out, in, (uint32_t)n);
		if (parvus_publish(&c->out))
			parvus_backend_notify(c->b, c->queue);
	}
	return !c->queue || (!parvus_consumer_broken(&c->in) && !parvus_producer_broken(&c->out));
}

/* Until something can be moved. 1: go on; 0: the device is gone. */
static int wait_for(struct channel *c)
{
	struct pollfd p[PARVUS_BACKEND_FDS + 2];
	bool full = false, empty = true;

	if (c->queue && c->fd >= 0) {
		full = !parvus_producer_room(&c->out);
		if (full && !parvus_producer_sleep(&c->out, 1))
			return 1;
		empty = !c->have;
		if (empty && !parvus_consumer_sleep(&c->in))
			return 1;
	}
	parvus_backend_fds(c->b, p);
	p[3] = (struct pollfd){ .fd = c->fd < 0 ? c->listening : -1, .events = POLLIN };
	p[4] = (struct pollfd){ .fd = c->queue ? c->fd : -1,
				.events = (short)((full ? 0 : POLLIN) | (empty ? 0 : POLLOUT)) };
	if (poll(p, PARVUS_BACKEND_FDS + 2, -1) < 0 && errno != EINTR)
		return 0;
	if (p[3].revents)
		c->fd = accept4(c->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return p[0].revents || p[1].revents || p[2].revents ? parvus_backend_run(c->b, 0) : 1;
}

int main(int argc, char **argv)
{
	static const struct parvus_link_info info = { .version = PARVUS_LINK_VERSION, .queues = 1 };
	struct channel c = { .listening = -1, .fd = -1 };
	struct parvus_error error = { 0 };
	char text[PARVUS_DEVICE_BLOB + 3] = "";
	const char *kind, *path;
	uint32_t id = argc == 3 && !strcmp(argv[1], "--device") ?
		      (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	int ret;

	if (!id)
		return fail("usage", "channel-server --device ID") != 0;
	signal(SIGPIPE, SIG_IGN);
	ret = parvus_backend_open(&c.b, &channel_ops, &c, &error);
	if (!ret)
		ret = parvus_backend_take(c.b, PARVUS_CLASS_STREAM, id, 0);
	if (ret)
		return fail("device", error.text) != 0;
	memcpy(text, parvus_backend_device(c.b)->config, PARVUS_DEVICE_BLOB);
	kind = text + strlen(text) + 1;
	path = kind + strlen(kind) + 1;
	c.pty = !strcmp(kind, "pty");
	if (strncmp(text, "channel ", 8) != 0 || *path != '/' || (!c.pty && strcmp(kind, "socket")))
		return fail("device", "it is no channel of ours") != 0;
	*(c.pty ? &c.fd : &c.listening) = c.pty ? terminal_at(path) : socket_at(path);
	if (c.fd < 0 && c.listening < 0)
		return 1;
	ret = parvus_backend_offer(c.b, &info, sizeof(info));
	for (ret = ret ? ret : 1; ret > 0 || ret == -EPROTO;) {
		if (ret > 0 && !move(&c))
			ret = -EPIPE;
		else
			ret = ret > 0 ? wait_for(&c) : parvus_backend_run(c.b, -1);
		if (ret == -EPROTO)
			fail("device", error.text);
	}
	unlink(path);
	parvus_backend_close(c.b);
	return ret ? fail("device", ret == -EPIPE ? "its front end has broken a ring" :
			  error.text) != 0 : 0;
}
