// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus-agent: in a domain, the front end of its streams (stream.h): takes and gives files for
 * parvus cp (tree.h), and makes a terminal of each channel, /dev/parvus/channel/NAME. A process
 * watches the registry and starts one for each device; what that one cannot do ends it alone. It
 * needs nothing but /dev/parvus, and no library.
 *
 *   --print   say what it does on standard error
 */
#include "stream.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <parvus/event.h>
#include <parvus/grant.h>
#include <parvus/linux.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define CHANNELS "/dev/parvus/channel"
#define SILENCE	60000	/* ms that the other end may say nothing, in the middle of a copy */
#define CHILDREN PARVUS_DEVICES_DOMAIN

static bool print;

static void note(const char *what, const char *more)
{
	if (print)
		fprintf(stderr, "parvus-agent: %s%s\n", what, more);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* ---- a stream, as its front end ---------------------------------------------------------- */

struct stream {
	int device, grant, event;
	uint32_t id, port;
	struct parvus_consumer in;
	struct parvus_producer out;
	void *pages;
};

static int registry(int fd, uint32_t op, struct parvus_device *d)
{
	struct parvus_ioctl_call call = { .op = op, .bytes = sizeof(*d), .data = (uintptr_t)d };

	d->size = sizeof(*d);
	d->version = 1;
	return ioctl(fd, PARVUS_IOC_CALL, &call) ? -errno : 0;
}

static int set(struct stream *s, uint32_t state, const struct parvus_link *link)
{
	struct parvus_device d = { .id = s->id, .front_state = state };

	if (link) {
		d.flags = PARVUS_DEVICE_WRITE;
		memcpy(d.front_blob, link, sizeof(*link));
	}
	return registry(s->device, PARVUS_DEVICE_SET, &d);
}

/* The back end's state, or a negative errno: -ENOENT: there is no such device any more. */
static int back_state(struct stream *s)
{
	struct parvus_device d = { .id = s->id };
	uint32_t ids[16];
	int ret;

	while (read(s->device, ids, sizeof(ids)) > 0)
		;
	ret = registry(s->device, PARVUS_DEVICE_READ, &d);
	return ret ? ret : (int)d.back_state;
}

static void send_event(struct stream *s)
{
	ioctl(s->event, PARVUS_IOC_SEND, &s->port);
}

/* Until something happens, or @ms have gone. 0; -EPIPE: the other end has gone; -ETIMEDOUT. */
static int stream_wait(struct stream *s, int fd, short events, int ms)
{
	struct pollfd p[3] = { { .fd = s->event, .events = POLLIN },
			       { .fd = s->device, .events = POLLIN },
			       { .fd = fd, .events = events } };
	uint32_t port;
	int ret = poll(p, 3, ms);

	if (ret <= 0)
		return ret ? errno == EINTR ? 0 : -errno : -ETIMEDOUT;
	if (p[0].revents && read(s->event, &port, sizeof(port)) == sizeof(port))
		ret = write(s->event, &port, sizeof(port)) < 0 ? -errno : 0;
	if (p[1].revents && back_state(s) != PARVUS_DEVICE_CONNECTED)
		return -EPIPE;
	return 0;
}

static void stream_close(struct stream *s)
{
	if (s->device >= 0)
		close(s->device);	/* which sets CLOSED */
	if (s->event >= 0)
		close(s->event);
	if (s->pages)
		munmap(s->pages, (STREAM_PAGES + 1) * 4096);
	if (s->grant >= 0)
		close(s->grant);
	s->device = s->event = s->grant = -1;
	s->pages = NULL;
}

/* Pages of ours, a port, and the back end connected to both. 0 or a negative errno. */
static int stream_open(struct stream *s, const struct parvus_device *d)
{
	uint32_t refs[STREAM_PAGES + 1];
	struct parvus_ioctl_grant g = { .domain = d->back_domain, .count = STREAM_PAGES + 1,
					.refs = (uintptr_t)refs };
	struct parvus_event_bind bind = { .size = sizeof(bind), .version = 1,
					  .kind = PARVUS_EVENT_UNBOUND, .domain = d->back_domain,
					  .flags = PARVUS_EVENT_AUTO_MASK };
	struct parvus_link link = { .version = PARVUS_LINK_VERSION, .queues = 1 };
	struct parvus_link_queue q = { .ring_pages = STREAM_PAGES };
	struct stream_rings r;
	int64_t end = now_ms() + 10000;
	int ret, state;

	*s = (struct stream){ .id = d->id };
	s->device = open("/dev/parvus/device", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	s->grant = open("/dev/parvus/grant", O_RDWR | O_CLOEXEC);
	s->event = open("/dev/parvus/event", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (s->device < 0 || s->grant < 0 || s->event < 0)
		return -errno;
	ret = set(s, PARVUS_DEVICE_INITIALISING, NULL);
	if (ret)
		return ret;
	if (ioctl(s->grant, PARVUS_IOC_GRANT_OFFER, &g) ||
	    ioctl(s->event, PARVUS_IOC_BIND, &bind))
		return -errno;
	s->pages = mmap(NULL, (STREAM_PAGES + 1) * 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
			s->grant, (off_t)g.offset);
	if (s->pages == MAP_FAILED) {
		s->pages = NULL;
		return -errno;
	}
	q.port = s->port = bind.port;
	memcpy(q.ring_ref, refs + 1, STREAM_PAGES * sizeof(*refs));
	memcpy(s->pages, &q, sizeof(q));	/* the first is the directory */
	link.directory = refs[0];
	r = stream_rings((char *)s->pages + 4096, STREAM_PAGES * 4096);
	parvus_ring_format(r.to_front);
	parvus_ring_format(r.to_back);
	parvus_consumer_init(&s->in, r.to_front, r.front_bytes, r.count, 1, 0);
	parvus_producer_init(&s->out, r.to_back, r.back_bytes, r.count, 1, 0);
	ret = set(s, PARVUS_DEVICE_READY, &link);
	while (!ret) {
		struct pollfd p = { .fd = s->device, .events = POLLIN };

		state = back_state(s);
		if (state == PARVUS_DEVICE_CONNECTED)
			return set(s, PARVUS_DEVICE_CONNECTED, NULL);
		if (state < 0 || state == PARVUS_DEVICE_CLOSED)
			ret = state < 0 ? state : -EPIPE;
		else if (now_ms() >= end)
			ret = -ETIMEDOUT;
		else
			poll(&p, 1, 1000);
	}
	return ret;
}

/* ---- files -------------------------------------------------------------------------------- */

static int file_get(void *arg, void *to, size_t n)
{
	struct stream *s = arg;
	size_t done = 0;
	int ret;

	while (done < n) {
		uint32_t some = parvus_consume_bytes(&s->in, (char *)to + done,
						     (uint32_t)(n - done));

		done += some;
		if (parvus_release(&s->in))
			send_event(s);
		if (parvus_consumer_broken(&s->in))
			return -EPIPE;
		if (some || !parvus_consumer_sleep(&s->in))
			continue;
		ret = stream_wait(s, -1, 0, SILENCE);
		if (ret)
			return ret;
	}
	return 0;
}

static bool file_spoken(void *arg)
{
	struct stream *s = arg;

	return parvus_consumer_ready(&s->in);
}

static int file_put(void *arg, const void *from, size_t n)
{
	struct stream *s = arg;
	size_t done = 0;
	int ret;

	while (done < n) {
		done += parvus_produce_bytes(&s->out, (const char *)from + done,
					     (uint32_t)(n - done));
		if (parvus_publish(&s->out))
			send_event(s);
		if (parvus_producer_broken(&s->out))
			return -EPIPE;
		if (done == n || !parvus_producer_sleep(&s->out, 1))
			continue;
		if (!parvus_consumer_sleep(&s->in))
			return -ECANCELED;
		ret = stream_wait(s, -1, 0, SILENCE);
		if (ret)
			return ret;
	}
	return 0;
}

/* One request: to give what a path names, or to take something to one. */
static int serve_files(struct stream *s)
{
	struct tree_io io = { .get = file_get, .put = file_put, .spoken = file_spoken, .arg = s,
			      .max = ~0ull };
	char path[TREE_PATH], name[TREE_PATH] = "";
	uint32_t bytes;
	size_t n;
	int op = tree_frame(&io, &bytes), ret = -EPROTO;

	if (op < 0)
		return op;
	n = strlen(io.frame);
	if (n < sizeof(path) && (op == TREE_GET || (op == TREE_PUT && n < bytes))) {
		memcpy(path, io.frame, n + 1);
		if (op == TREE_PUT)
			snprintf(name, sizeof(name), "%s", io.frame + n + 1);
		ret = op == TREE_GET ? tree_send(&io, path) : tree_receive(&io, path, name);
		if (!ret && op == TREE_PUT)
			ret = tree_say(&io, TREE_DONE, NULL, 0);
	}
	note(ret ? io.why : "copied ", ret ? "" : path);
	/* what was said is in pages of ours: they stay until the other end has gone */
	while (!stream_wait(s, -1, 0, 5000))
		;
	return ret;
}

/* ---- channels ----------------------------------------------------------------------------- */

static bool name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789._-");

	return n && n <= 64 && !name[n] && name[0] != '.' && name[0] != '-';
}

/* A terminal by that name, raw. Our own descriptor of its far end keeps it while nobody reads. */
static int terminal(const char *name)
{
	char at[100], part[120];
	struct termios t;
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), far;
	const char *pts;

	if (fd < 0 || grantpt(fd) || unlockpt(fd))
		return -errno;
	pts = ptsname(fd);
	far = pts ? open(pts, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
	if (far < 0 || tcgetattr(far, &t))
		return -errno;
	cfmakeraw(&t);
	tcsetattr(far, TCSANOW, &t);
	mkdir(CHANNELS, 0755);
	snprintf(at, sizeof(at), CHANNELS "/%.64s", name);
	snprintf(part, sizeof(part), CHANNELS "/.%.64s", name);
	unlink(part);
	if (symlink(pts, part) || rename(part, at))
		return -errno;
	return fd;
}

/* Bytes between stream and terminal, until the other end has gone. */
static int relay(struct stream *s, int fd)
{
	char in[4096], out[4096];
	size_t have = 0, at = 0;
	ssize_t n;
	int ret = 0;

	while (!ret) {
		bool busy = false;
		size_t room;

		if (!have) {
			have = parvus_consume_bytes(&s->in, in, sizeof(in));
			at = 0;
			if (parvus_release(&s->in))
				send_event(s);
		}
		if (have) {
			n = write(fd, in + at, have);
			if (n > 0) {
				at += (size_t)n;
				have -= (size_t)n;
				busy = true;
			}
		}
		room = parvus_producer_room(&s->out);
		n = room ? read(fd, out, room < sizeof(out) ? room : sizeof(out)) : 0;
		if (n > 0) {
			parvus_produce_bytes(&s->out, out, (uint32_t)n);
			busy = true;
			if (parvus_publish(&s->out))
				send_event(s);
		}
		if (parvus_consumer_broken(&s->in) || parvus_producer_broken(&s->out))
			return -EPIPE;
		if (busy || (!have && !parvus_consumer_sleep(&s->in)) ||
		    (!room && !parvus_producer_sleep(&s->out, 1)))
			continue;
		ret = stream_wait(s, fd, (short)((have ? POLLOUT : 0) | (room ? POLLIN : 0)), -1);
	}
	return ret;
}

/* The terminal stays while other back ends come. */
static int serve_channel(struct stream *s, const struct parvus_device *d, const char *name)
{
	char at[100];
	int fd, ret = 0;

	if (!name_ok(name))
		return -EINVAL;
	fd = terminal(name);
	if (fd < 0)
		return fd;
	note("channel ", name);
	while (!ret || ret == -EPIPE || ret == -ETIMEDOUT) {
		ret = relay(s, fd);
		if (ret != -EPIPE)
			break;
		stream_close(s);
		usleep(200000);
		do {
			ret = stream_open(s, d);
			if (ret == -EPIPE || ret == -ETIMEDOUT) {
				stream_close(s);
				sleep(1);
			}
		} while (ret == -EPIPE || ret == -ETIMEDOUT);
	}
	snprintf(at, sizeof(at), CHANNELS "/%.64s", name);
	unlink(at);
	return ret;
}

/* ---- one device, one process --------------------------------------------------------------- */

static int serve(const struct parvus_device *d)
{
	char what[PARVUS_DEVICE_BLOB + 1];
	struct stream s;
	int ret;

	memcpy(what, d->config, PARVUS_DEVICE_BLOB);
	what[PARVUS_DEVICE_BLOB] = 0;
	if (chdir("/root"))
		ret = chdir("/");
	ret = stream_open(&s, d);
	if (!ret && !strcmp(what, "cp"))
		ret = serve_files(&s);
	else if (!ret && !strncmp(what, "channel ", 8))
		ret = serve_channel(&s, d, what + 8);
	if (ret)
		note(what, strerror(-ret));
	stream_close(&s);
	return ret != 0;
}

static struct child {
	pid_t pid;
	uint32_t id;
	int64_t again;		/* not before that, as it failed */
} children[CHILDREN];

static struct child *child_of(uint32_t id)
{
	struct child *free_one = NULL;
	size_t i;

	for (i = 0; i < CHILDREN; i++) {
		if (children[i].id == id)
			return &children[i];
		if (!children[i].pid && (!free_one || children[i].again < free_one->again))
			free_one = &children[i];
	}
	if (free_one)
		*free_one = (struct child){ .id = id };
	return free_one;
}

static void reap(void)
{
	int status;
	pid_t pid;
	size_t i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 0; i < CHILDREN; i++)
			if (children[i].pid == pid) {
				children[i].pid = 0;
				children[i].again = status ? now_ms() + 1000 : 0;
			}
}

/* Is the front end of it ours? The back end may be, too, in a domain that serves others. */
static bool ours(uint32_t id)
{
	char path[80];

	snprintf(path, sizeof(path), "/sys/bus/parvus/devices/%u-front", id);
	return !access(path, F_OK);
}

/* Whoever has a back end and no front end gets one. ms until it is time to look again. */
static int look(int fd)
{
	struct parvus_device d = { 0 };
	struct child *c;
	int soon = 60000;
	uint32_t id;

	for (; !registry(fd, PARVUS_DEVICE_NEXT, &d); id = d.id,
	     d = (struct parvus_device){ .id = id }) {
		if (d.device_class != PARVUS_CLASS_STREAM || !ours(d.id) ||
		    d.back_state != PARVUS_DEVICE_READY || d.front_state != PARVUS_DEVICE_CLOSED)
			continue;
		soon = 300;	/* for one that does not go on */
		c = child_of(d.id);
		if (!c || c->pid || c->again > now_ms())
			continue;
		c->pid = fork();
		if (c->pid < 0) {
			c->pid = 0;
		} else if (!c->pid) {
			close(fd);
			signal(SIGCHLD, SIG_DFL);
			_exit(serve(&d));
		}
	}
	return soon;
}

static void nothing(int sig) { (void)sig; }

int main(int argc, char **argv)
{
	struct sigaction chld = { .sa_handler = nothing };
	struct pollfd p = { .events = POLLIN };
	uint32_t ids[64];

	print = argc == 2 && !strcmp(argv[1], "--print");
	if (argc > 1 && !print) {
		fprintf(stderr, "parvus-agent: usage: parvus-agent [--print]\n");
		return 1;
	}
	p.fd = open("/dev/parvus/device", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (p.fd < 0) {
		fprintf(stderr, "parvus-agent: /dev/parvus/device: %s\n", strerror(errno));
		return 1;
	}
	sigaction(SIGCHLD, &chld, NULL);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		while (read(p.fd, ids, sizeof(ids)) == sizeof(ids))
			;
		reap();
		poll(&p, 1, look(p.fd));
	}
}
