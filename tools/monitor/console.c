// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus-monitor: the console of the domain. What it said of late is kept, and goes to a file and
 * to every client of RUN/domains/ID/console.sock; what clients type goes to the domain.
 */
#include "monitor.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void console_init(struct monitor *m)
{
	size_t i;

	m->listener = m->log = -1;
	for (i = 0; i < CLIENTS; i++)
		m->clients[i].fd = -1;
}

static int listen_on(struct monitor *m)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (parvus_run_path(m->h, m->domain, "console.sock", a.sun_path, sizeof(a.sun_path)))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	unlink(a.sun_path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || chmod(a.sun_path, 0600) ||
	    listen(fd, CLIENTS)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Of the monitor that a domain had before it was saved. */
static void history_load(struct monitor *m)
{
	char path[300];
	ssize_t n;
	int fd;

	if (parvus_run_path(m->h, m->domain, PARVUS_HISTORY_FILE, path, sizeof(path)))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, m->history, HISTORY);
	if (n > 0)
		m->head = (uint64_t)n;
	close(fd);
	unlink(path);
}

int console_history(struct monitor *m)
{
	uint64_t from = m->head > HISTORY ? m->head - HISTORY : 0, at;
	char path[300], new[310];
	FILE *f;

	while (console_drain(m))
		from = m->head > HISTORY ? m->head - HISTORY : 0;
	if (parvus_run_path(m->h, m->domain, PARVUS_HISTORY_FILE, path, sizeof(path)))
		return -1;
	snprintf(new, sizeof(new), "%s.new", path);
	f = fopen(new, "we");
	for (at = from; f && at < m->head; at++)
		putc(m->history[at % HISTORY], f);
	if (f && !fclose(f) && !rename(new, path))
		return 0;
	snprintf(m->error.text, sizeof(m->error.text), "cannot write %s: %s", path,
		 strerror(errno));
	unlink(new);
	return -1;
}

int console_start(struct monitor *m)
{
	if (!m->head)
		history_load(m);
	if (parvus_console_open(m->h, m->domain, m->state->console_ref, m->state->console_port,
				&m->console))
		return -1;
	m->listener = listen_on(m);
	if (m->listener >= 0)
		return 0;
	snprintf(m->error.text, sizeof(m->error.text), "cannot make console.sock of domain %u: %s",
		 m->domain, strerror(errno));
	return -1;
}

void console_stop(struct monitor *m)
{
	parvus_console_close(m->console);
	m->console = NULL;
	if (m->listener >= 0)
		close(m->listener);
	m->listener = -1;
}

/* ---- output ------------------------------------------------------------------------------- */

/* The log is full: it becomes NAME.log.1. */
static void log_turn(struct monitor *m)
{
	char path[300], old[310];

	close(m->log);
	m->log = log_open("console", m->state->config->name, path, sizeof(path));
	snprintf(old, sizeof(old), "%s.1", path);
	rename(path, old);
	if (m->log >= 0)
		close(m->log);
	m->log = log_open("console", m->state->config->name, path, sizeof(path));
	m->log_bytes = 0;
}

static void log_output(struct monitor *m, const uint8_t *data, size_t n)
{
	char path[300];
	struct stat st;

	if (m->log < 0) {
		m->log = log_open("console", m->state->config->name, path, sizeof(path));
		m->log_bytes = m->log >= 0 && !fstat(m->log, &st) ? (uint64_t)st.st_size : 0;
	}
	if (m->log >= 0 && m->log_bytes + n > LOG_MAX)
		log_turn(m);
	/* a full disk loses a log, never a console */
	if (m->log >= 0 && write(m->log, data, n) > 0)
		m->log_bytes += n;
}

bool console_drain(struct monitor *m)
{
	uint8_t data[2048];
	bool any = false;
	unsigned int round;
	ssize_t n;

	/* not for ever: a domain that never stops shall not keep clients waiting */
	for (round = 0; m->console && round < 32; round++) {
		n = parvus_console_read(m->console, data, sizeof(data));
		if (n < 0)
			say(m, "%s", m->error.text);
		if (n <= 0)
			break;
		log_output(m, data, (size_t)n);
		for (ssize_t i = 0; i < n; i++)
			m->history[(m->head + (uint64_t)i) % HISTORY] = data[i];
		m->head += (uint64_t)n;
		any = true;
	}
	return any;
}

/* ---- clients ------------------------------------------------------------------------------ */

static void drop(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	c->n = 0;
}

static void client_send(struct monitor *m, struct client *c)
{
	while (c->fd >= 0 && c->at < m->head) {
		uint64_t from;
		size_t n;
		ssize_t done;

		/* a client that is slower than 64 KiB of output misses some */
		if (m->head - c->at > HISTORY)
			c->at = m->head - HISTORY;
		from = c->at % HISTORY;
		n = HISTORY - from < m->head - c->at ? HISTORY - from : (size_t)(m->head - c->at);
		done = send(c->fd, m->history + from, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (done < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (done <= 0) {
			drop(c);
			return;
		}
		c->at += (uint64_t)done;
	}
}

/* What is typed goes as far as the domain has room; the rest waits, and the client with it. */
static void client_input(struct monitor *m, struct client *c)
{
	ssize_t n;

	if (!c->n) {
		n = recv(c->fd, c->input, sizeof(c->input), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			drop(c);
			return;
		}
		c->n = (size_t)n;
	}
	if (!m->console) {
		c->n = 0;
		return;
	}
	n = parvus_console_write(m->console, c->input, c->n);
	if (n > 0) {
		memmove(c->input, c->input + n, c->n - (size_t)n);
		c->n -= (size_t)n;
	}
}

static void client_new(struct monitor *m)
{
	int fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i;

	if (fd < 0)
		return;
	for (i = 0; i < CLIENTS; i++)
		if (m->clients[i].fd < 0) {
			m->clients[i].fd = fd;
			m->clients[i].n = 0;
			m->clients[i].at = m->head > HISTORY ? m->head - HISTORY : 0;
			client_send(m, &m->clients[i]);
			return;
		}
	close(fd);
}

/* To all of them. */
static void clients_send(struct monitor *m)
{
	size_t i;

	for (i = 0; i < CLIENTS; i++)
		if (m->clients[i].fd >= 0)
			client_send(m, &m->clients[i]);
}

void console_poll(struct monitor *m, struct pollfd *fds)
{
	size_t i;

	while (console_drain(m) && !m->ended)
		clients_send(m);
	fds[0] = (struct pollfd){ .fd = m->console ? parvus_console_fd(m->console) : -1,
				  .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = m->listener, .events = POLLIN };
	for (i = 0; i < CLIENTS; i++) {
		struct client *c = &m->clients[i];

		/* input that waits for room is tried again when the domain made some */
		fds[2 + i] = (struct pollfd){
			.fd = c->n && c->at == m->head ? -1 : c->fd,
			.events = (short)((c->n ? 0 : POLLIN) | (c->at < m->head ? POLLOUT : 0)),
		};
	}
}

void console_hear(struct monitor *m, const struct pollfd *fds)
{
	if (fds[0].revents)
		parvus_console_ack(m->console);
	console_drain(m);
}

void console_work(struct monitor *m, const struct pollfd *fds)
{
	size_t i;

	if (fds[1].revents)
		client_new(m);
	for (i = 0; i < CLIENTS; i++) {
		struct client *c = &m->clients[i];

		if (c->fd >= 0 && (c->n || (c->fd == fds[2 + i].fd && fds[2 + i].revents &
					    (POLLIN | POLLHUP | POLLERR))))
			client_input(m, c);
		if (c->fd >= 0)
			client_send(m, c);
	}
}

void console_flush(struct monitor *m)
{
	int64_t until = now_ms() + 1000;
	bool waits = true;

	while (waits && now_ms() < until) {
		struct pollfd fds[CLIENTS];
		nfds_t n = 0;

		waits = false;
		for (size_t i = 0; i < CLIENTS; i++) {
			client_send(m, &m->clients[i]);
			if (m->clients[i].fd >= 0 && m->clients[i].at < m->head)
				fds[n++] = (struct pollfd){ .fd = m->clients[i].fd,
							    .events = POLLOUT };
		}
		if (n) {
			waits = true;
			poll(fds, n, 100);
		}
	}
}
