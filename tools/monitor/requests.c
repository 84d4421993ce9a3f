// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus-monitor: what parvus block-attach and the like ask. Each sends one line to
 * RUN/domains/ID/control.sock, words separated by byte 0x1f, and gets one: "ok" or "error TEXT",
 * which may take until the domain has done its part. The keeper (libparvus) does the work.
 */
#include "monitor.h"

#include <fcntl.h>
#include <parvus/device.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WORD	'\x1f'
#define WORDS	5u

#define HELD_MS		100
#define AGAIN_MS	2000
#define AGAIN_MAX_MS	30000
#define ASK_MS		300000	/* who does not follow until then does not want to */

void requests_init(struct monitor *m)
{
	size_t i;

	m->requests = -1;
	m->held = true;		/* by who saved it when the monitor before us died */
	for (i = 0; i < REQUESTERS; i++)
		m->requesters[i].fd = -1;
}

int requests_start(struct monitor *m)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (parvus_run_path(m->h, m->domain, "control.sock", a.sun_path, sizeof(a.sun_path)))
		return -1;
	m->requests = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(a.sun_path);
	if (m->requests >= 0 && !bind(m->requests, (struct sockaddr *)&a, sizeof(a)) &&
	    !chmod(a.sun_path, 0600) && !listen(m->requests, REQUESTERS))
		return 0;
	snprintf(m->error.text, sizeof(m->error.text), "cannot make %s: %s", a.sun_path,
		 strerror(errno));
	return -1;
}

void requests_stop(struct monitor *m)
{
	size_t i;

	for (i = 0; i < REQUESTERS; i++) {
		if (m->requesters[i].fd >= 0)
			close(m->requesters[i].fd);
		m->requesters[i].fd = -1;
	}
	if (m->requests >= 0)
		close(m->requests);
	m->requests = -1;
}

void request_answer(void *m, int fd, const char *error)
{
	(void)m;
	dprintf(fd, error ? "error %s\n" : "ok\n", error);
	close(fd);
}

/* A number that is a word of a request. */
static bool number(struct monitor *m, const char *word, uint64_t max, uint64_t *n)
{
	if (parvus_number_parse(word, 0, max, n))
		return true;
	snprintf(m->error.text, sizeof(m->error.text),
		 "%.100s: a number from 0 to %llu is expected",
		 word, (unsigned long long)max);
	return false;
}

static int attach_disk(struct monitor *m, int fd, char *const words[])
{
	return parvus_keeper_attach_disk(m->keeper, words[1], fd);
}

static int attach_vif(struct monitor *m, int fd, char *const words[])
{
	return parvus_keeper_attach_vif(m->keeper, words[1], fd);
}

static int detach(struct monitor *m, int fd, char *const words[])
{
	uint32_t device_class = strcmp(words[1],
				       "disk") ? PARVUS_CLASS_NETWORK : PARVUS_CLASS_BLOCK;
	uint64_t index;

	return number(m, words[2], UINT32_MAX, &index) ?
	       parvus_keeper_detach(m->keeper, device_class, (uint32_t)index,
				    !strcmp(words[3], "force"), fd) : -EINVAL;
}

static int attach_own(struct monitor *m, int fd, char *const words[])
{
	return parvus_keeper_attach_own(m->keeper, words[1], fd);
}

static int detach_own(struct monitor *m, int fd, char *const words[])
{
	uint64_t device_class, index;

	return number(m, words[1], UINT32_MAX, &device_class) &&
	       number(m, words[2], UINT32_MAX, &index) ?
	       parvus_keeper_detach(m->keeper, (uint32_t)device_class, (uint32_t)index,
				    !strcmp(words[3], "force"), fd) : -EINVAL;
}

static int limit_disk(struct monitor *m, int fd, char *const words[])
{
	bool some_iops = strcmp(words[2], "-"), some_bps = strcmp(words[3], "-");
	uint64_t index, n = 0, bps = 0;
	uint32_t iops;

	(void)fd;
	if (!number(m, words[1], UINT32_MAX, &index) ||
	    (some_iops && !number(m, words[2], UINT32_MAX, &n)) ||
	    (some_bps && !number(m, words[3], UINT64_MAX, &bps)))
		return -EINVAL;
	iops = (uint32_t)n;
	return parvus_keeper_limit_disk(m->keeper, (uint32_t)index, some_iops ? &iops : NULL,
					some_bps ? &bps : NULL);
}

static int resize_disk(struct monitor *m, int fd, char *const words[])
{
	uint64_t index;

	(void)fd;
	return number(m, words[1], UINT32_MAX, &index) ?
	       parvus_keeper_resize_disk(m->keeper, (uint32_t)index) : -EINVAL;
}

static int change_medium(struct monitor *m, int fd, char *const words[])
{
	uint64_t index;

	(void)fd;
	return number(m, words[1], UINT32_MAX, &index) ?
	       parvus_keeper_change_medium(m->keeper, (uint32_t)index, words[2]) : -EINVAL;
}

/*
 * The domain was asked to power off or to reboot. Its kernel takes that at once, but who does it
 * may not be there yet: so it is asked again, after 2, 4, 8, up to 30 seconds, until it ends.
 */
static int ask(struct monitor *m, int fd, char *const words[])
{
	(void)fd;
	m->asked = !strcmp(words[1], "reboot") ? PARVUS_REQUEST_REBOOT : PARVUS_REQUEST_POWEROFF;
	m->asked_ms = now_ms();
	m->again_ms = m->asked_ms + AGAIN_MS;
	return 0;
}

int requests_again(struct monitor *m)
{
	int64_t now = now_ms(), waited = now - m->asked_ms;

	if (waited > ASK_MS)
		m->asked = PARVUS_REQUEST_NONE;
	if (!m->asked)
		return -1;
	if (now >= m->again_ms) {
		parvus_domain_request(m->h, m->domain, m->asked);
		m->again_ms = now + (waited < AGAIN_MAX_MS ? waited : AGAIN_MAX_MS);
	}
	return (int)(m->again_ms - now);
}

/*
 * parvus save suspends the domain, and keeps a lock of RUN/domains/ID/held while it does. Whatever
 * becomes of it: when the lock is free and the file still there, the domain goes on, unless the
 * file says that it was paused before.
 */
static int hold(struct monitor *m, int fd, char *const words[])
{
	(void)fd;
	(void)words;
	m->held = true;
	return 0;
}

int requests_held(struct monitor *m)
{
	char path[300], word[8] = "";
	int fd;

	if (!m->held)
		return -1;
	if (parvus_run_path(m->h, m->domain, PARVUS_HELD_FILE, path, sizeof(path)))
		return -1;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		m->held = false;	/* it is done, and has said so */
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return HELD_MS;
	}
	if (read(fd, word, sizeof(word) - 1) < 0 ||
	    parvus_domain_resume(m->h, m->domain, strcmp(word, "paused")))
		say(m, "who saved the domain has gone: %s", m->error.text);
	else
		say(m, "who saved the domain has gone: it goes on");
	unlink(path);
	close(fd);
	m->held = false;
	return -1;
}

static int history(struct monitor *m, int fd, char *const words[])
{
	(void)fd;
	(void)words;
	return console_history(m);
}

/* Of the file that parvus config-update wrote beside the state. */
static int update(struct monitor *m, int fd, char *const words[])
{
	struct parvus_config *c;
	char path[300];
	int ret;

	(void)fd;
	(void)words;
	ret = parvus_run_path(m->h, m->domain, "config-new", path, sizeof(path));
	if (!ret)
		ret = parvus_config_load(&m->error, path, NULL, 0, &c);
	return ret ? ret : parvus_keeper_configure(m->keeper, c);
}

/* @words: with the name. What returns 1 is answered later. */
static const struct {
	const char *name;
	size_t words;
	int (*call)(struct monitor *m, int fd, char *const words[]);
} known[] = {
	{ "disk-attach", 2, attach_disk },	/* SPEC */
	{ "vif-attach", 2, attach_vif },	/* SPEC */
	{ "detach", 4, detach },		/* disk|vif INDEX force|politely */
	{ "device-attach", 2, attach_own },	/* SPEC */
	{ "device-detach", 4, detach_own },	/* CLASS INDEX force|politely */
	{ "disk-set", 4, limit_disk },		/* INDEX IOPS|- BPS|- */
	{ "disk-resize", 2, resize_disk },	/* INDEX */
	{ "ask", 2, ask },			/* poweroff|reboot, which was asked once */
	{ "config-update", 1, update },
	{ "hold", 1, hold },			/* until the file "held" is let go */
	{ "history", 1, history },		/* into the file of that name */
	{ "cd", 3, change_medium },		/* INDEX TARGET, which may be empty */
};

static void request(struct monitor *m, int fd, char *line)
{
	char *words[WORDS] = { NULL };
	size_t n, i;
	int ret;

	for (n = 0; n < WORDS && line; n++) {
		words[n] = line;
		line = strchr(line, WORD);
		if (line)
			*line++ = 0;
	}
	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (n == known[i].words && !strcmp(words[0], known[i].name)) {
			ret = known[i].call(m, fd, words);
			if (ret <= 0)
				request_answer(m, fd, ret ? m->error.text : NULL);
			return;
		}
	snprintf(m->error.text, sizeof(m->error.text),
		 "%.100s with %zu words is no request that this "
		 "monitor knows (is it of another version?)", words[0], n);
	request_answer(m, fd, m->error.text);
}

static void client_new(struct monitor *m)
{
	int fd = accept4(m->requests, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i;

	if (fd < 0)
		return;
	for (i = 0; i < REQUESTERS; i++)
		if (m->requesters[i].fd < 0) {
			m->requesters[i].fd = fd;
			m->requesters[i].n = 0;
			return;
		}
	snprintf(m->error.text, sizeof(m->error.text), "the monitor of domain %u is busy with %u "
		 "requests: try again", m->domain, REQUESTERS);
	request_answer(m, fd, m->error.text);
}

static void client_input(struct monitor *m, struct requester *r)
{
	ssize_t n = recv(r->fd, r->text + r->n, sizeof(r->text) - 1 - r->n, MSG_DONTWAIT);
	int fd = r->fd;
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		r->n += (size_t)n;
	r->text[r->n] = 0;
	end = strchr(r->text, '\n');
	if (n > 0 && !end && r->n < sizeof(r->text) - 1)
		return;
	r->fd = -1;
	if (!end) {
		close(fd);
		return;
	}
	*end = 0;
	request(m, fd, r->text);
}

void requests_poll(struct monitor *m, struct pollfd *fds)
{
	size_t i;

	fds[0] = (struct pollfd){ .fd = m->requests, .events = POLLIN };
	for (i = 0; i < REQUESTERS; i++)
		fds[1 + i] = (struct pollfd){ .fd = m->requesters[i].fd, .events = POLLIN };
}

void requests_work(struct monitor *m, const struct pollfd *fds)
{
	size_t i;

	if (fds[0].revents && m->requests >= 0)
		client_new(m);
	for (i = 0; i < REQUESTERS; i++)
		if (m->requesters[i].fd >= 0)
			client_input(m, &m->requesters[i]);
}
