// SPDX-License-Identifier: GPL-2.0-only
/*
 * The monitor: one small process for each domain. It serves the console (keeps what was said
 * of late and in a file, takes clients on a socket), waits for the end of the domain, and does
 * what on_poweroff, on_reboot and on_crash say.
 *
 * It is started before the domain is committed, and linked by a socket pair to the program that
 * made the domain. It has a control file of its own, so that the domain still belongs to that
 * program alone. If the link breaks before "committed" came, the monitor looks whether the
 * domain stays; a domain that was not committed goes with its maker, and then the monitor too.
 *
 * Its disks and interfaces are made by the monitor, too (devices.c), before the commit.
 *
 * RUN/domains/ID/ holds config, state (console, age), pid (locked), console.sock, control.sock,
 * devices and server-INDEX (of a program that serves a disk, locked).
 */
#include "devices.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HISTORY		65536u
#define CLIENTS		16u
#define LOG_MAX		(1u << 20)	/* then it becomes NAME.log.1 */
#define QUICK_NS	10000000000ull	/* a domain that ended sooner is restarted slowly */
#define DELAY_MAX	60000		/* ms */

struct client {
	int fd;
	uint64_t at;	/* position in all output */
	uint8_t input[512];
	size_t n;
};

struct monitor {
	struct parvus_error errors;
	struct parvus *h;
	struct parvus_config *config;
	uint32_t domain;
	uint64_t created_ns;
	struct parvus_console *console;
	int listener, pid, log;
	uint64_t log_bytes;
	uint8_t history[HISTORY];
	uint64_t head;		/* bytes of output ever */
	struct client clients[CLIENTS];
	bool ended;		/* what its end asks for is done or waits for the clock */
	bool restart;
	unsigned int quick;	/* quick ends in a row */
	int64_t restart_ms;	/* when */
	struct devices devices;
};

/* ---- the folder ------------------------------------------------------------------ */

/* A folder with those above it. */
static int make_dirs(const char *path)
{
	char part[400], *p;

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return -1;
	for (p = strchr(part + 1, '/'); ; p = strchr(p + 1, '/')) {
		if (p)
			*p = 0;
		/* those above are everybody's; the folder itself is root's */
		if (mkdir(part, p ? 0755 : 0700) && errno != EEXIST)
			return -1;
		if (!p)
			return 0;
		*p = '/';
	}
}

void state_remove(struct parvus *h, uint32_t domain)
{
	static const char *const files[] = { "config", "config.new", "state", "state.new", "pid",
					     "console.sock", "control.sock", "devices",
					     "devices.new", NULL };
	char path[300];
	size_t i;

	for (i = 0; ; i++) {
		if (parvus_run_path(h, domain, files[i], path, sizeof(path)))
			return;
		if (!files[i])
			break;
		unlink(path);
	}
	rmdir(path);
}

int put_file(struct parvus *h, uint32_t domain, const char *name, const char *text)
{
	char path[300], new[300];
	size_t n = strlen(text);
	ssize_t done;
	int fd;

	if (parvus_run_path(h, domain, name, path, sizeof(path)) ||
	    snprintf(new, sizeof(new), "%s.new", path) >= (int)sizeof(new))
		return fail("%s: too long a path", name);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail("cannot write %s: %s", new, strerror(errno));
	done = write(fd, text, n);
	close(fd);
	if (done != (ssize_t)n || rename(new, path)) {
		unlink(new);
		return fail("cannot write %s: %s", path, strerror(errno));
	}
	return 0;
}

/* Does a monitor work on it, still? */
static bool served(struct parvus *h, uint32_t domain)
{
	char path[300];
	bool locked;
	int fd;

	if (parvus_run_path(h, domain, "pid", path, sizeof(path)))
		return false;
	fd = open(path, O_RDWR | O_CLOEXEC);
	locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB);
	if (fd >= 0)
		close(fd);
	return locked;
}

/* Folders of domains that are gone: their maker or monitor was killed. */
static void sweep(struct parvus *h)
{
	struct parvus_control_info i;
	struct dirent *e;
	char path[300];
	uint64_t n;
	DIR *d;

	if (parvus_run_path(h, 0, NULL, path, sizeof(path)))
		return;
	*strrchr(path, '/') = 0;
	d = opendir(path);
	if (!d)
		return;
	while ((e = readdir(d)))
		if (parse_number(e->d_name, 0, UINT32_MAX - 1, &n) &&
		    parvus_domain_info(h, (uint32_t)n, &i) == -ENOENT && !served(h, (uint32_t)n)) {
			devices_sweep(h, (uint32_t)n);
			state_remove(h, (uint32_t)n);
		}
	closedir(d);
}

int state_config(struct parvus *h, uint32_t domain, const struct parvus_config *c)
{
	struct parvus_error why = { 0 };
	char *text;
	int ret;

	if (parvus_config_text(&why, c, &text))
		return fail("%s", why.text);
	ret = put_file(h, domain, "config", text);
	free(text);
	return ret;
}

int state_write(struct parvus *h, const struct parvus_config *c, const struct parvus_build *b)
{
	struct parvus_control_info i;
	char path[300], state[200];
	int ret;

	if (parvus_domain_info(h, b->domain, &i))
		return fail("cannot look at domain %u", b->domain);
	sweep(h);
	state_remove(h, b->domain);	/* of an earlier domain with this number */
	if (parvus_run_path(h, b->domain, NULL, path, sizeof(path)) || make_dirs(path))
		return fail("cannot make %s: %s", path, strerror(errno));
	ret = state_config(h, b->domain, c);
	snprintf(state, sizeof(state), "created_ns=%llu\nconsole_ref=%u\nconsole_port=%u\n",
		 (unsigned long long)i.created_ns, b->console_ref, b->console_port);
	if (!ret)
		ret = put_file(h, b->domain, "state", state);
	if (ret)
		state_remove(h, b->domain);
	return ret;
}

static bool state_read(struct parvus *h, uint32_t domain, uint64_t *created, uint32_t *ref,
		       uint32_t *port)
{
	unsigned long long ns;
	char path[300];
	bool ok;
	FILE *f;

	if (parvus_run_path(h, domain, "state", path, sizeof(path)))
		return false;
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fscanf(f, "created_ns=%llu console_ref=%u console_port=%u", &ns, ref, port) == 3;
	fclose(f);
	*created = ns;
	return ok;
}

/* ---- output ------------------------------------------------------------------------ */

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* What the monitor itself has to say goes to its own log. */
static void say(const struct monitor *m, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(const struct monitor *m, const char *format, ...)
{
	char stamp[32], text[700];
	time_t now = time(NULL);
	struct tm tm;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &tm));
	dprintf(2, "%s domain %u: %s\n", stamp, m->domain, text);
}

static void say_text(void *arg, const char *text)
{
	say(arg, "%s", text);
}

static int open_log(const char *kind, const char *name, char *path, size_t bytes)
{
	const char *dir = env_dir("PARVUS_LOG_DIR", "/var/log/parvus");

	make_dirs(dir);
	if (snprintf(path, bytes, "%s/%s-%s.log", dir, kind, name) >= (int)bytes)
		return -1;
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void log_output(struct monitor *m, const uint8_t *data, size_t n)
{
	char path[300], old[310];
	struct stat st;

	if (m->log >= 0 && m->log_bytes + n > LOG_MAX) {
		close(m->log);
		m->log = open_log("console", m->config->name, path, sizeof(path));
		snprintf(old, sizeof(old), "%s.1", path);
		rename(path, old);
		if (m->log >= 0)
			close(m->log);
		m->log = -1;
	}
	if (m->log < 0) {
		m->log = open_log("console", m->config->name, path, sizeof(path));
		m->log_bytes = m->log >= 0 && !fstat(m->log, &st) ? (uint64_t)st.st_size : 0;
		if (m->log < 0)
			return;
		if (m->log_bytes + n > LOG_MAX) {
			snprintf(old, sizeof(old), "%s.1", path);
			rename(path, old);
			close(m->log);
			m->log = open_log("console", m->config->name, path, sizeof(path));
			m->log_bytes = 0;
			if (m->log < 0)
				return;
		}
	}
	/* a full disk loses a log, never a console */
	if (write(m->log, data, n) > 0)
		m->log_bytes += n;
}

/* Everything that the domain said. False when there was nothing. */
static bool drain(struct monitor *m)
{
	uint8_t data[2048];
	bool any = false;
	unsigned int round;
	ssize_t n;

	/* not for ever: a domain that never stops shall not keep clients waiting */
	for (round = 0; m->console && round < 32; round++) {
		n = parvus_console_read(m->console, data, sizeof(data));
		if (n < 0)
			say(m, "%s", m->errors.text);
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

/* ---- serving one domain --------------------------------------------------------------- */

static int listen_on(struct parvus *h, uint32_t domain)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (parvus_run_path(h, domain, "console.sock", a.sun_path, sizeof(a.sun_path)))
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

/* One monitor at a time has this lock. */
static int lock_pid(struct parvus *h, uint32_t domain)
{
	char path[300], text[24];
	int fd;

	if (parvus_run_path(h, domain, "pid", path, sizeof(path)))
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return -1;
	}
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, text, strlen(text), 0) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The domain is gone, or goes. */
static void release(struct monitor *m)
{
	devices_release(&m->devices);
	parvus_console_close(m->console);
	m->console = NULL;
	if (m->listener >= 0)
		close(m->listener);
	m->listener = -1;
	state_remove(m->h, m->domain);
	if (m->pid >= 0)
		close(m->pid);
	m->pid = -1;
}

/* Begin to serve m->domain. NULL, or what went wrong. */
static const char *serve(struct monitor *m, uint32_t ref, uint32_t port)
{
	struct devices *d = &m->devices;
	const char *why;
	char path[300];

	m->pid = lock_pid(m->h, m->domain);
	if (m->pid < 0)
		return "another monitor serves this domain, or the run directory cannot be written";
	if (parvus_console_open(m->h, m->domain, ref, port, &m->console))
		return m->errors.text;
	m->listener = listen_on(m->h, m->domain);
	if (m->listener < 0)
		return "cannot make the console's socket";
	d->h = m->h;
	d->errors = &m->errors;
	d->config = m->config;
	d->domain = m->domain;
	if (parvus_run_path(m->h, m->domain, "devices", path, sizeof(path)))
		return m->errors.text;
	/* this file is there once all has been made */
	if (!access(path, F_OK))
		devices_adopt(d);
	else if ((why = devices_make(d)))
		return why;
	return devices_listen(d);
}

/* The last words, to clients that listen: up to a second for all. */
static void flush_clients(struct monitor *m)
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
				fds[n++] = (struct pollfd){ .fd = m->clients[i].fd, .events = POLLOUT };
		}
		if (n) {
			waits = true;
			poll(fds, n, 100);
		}
	}
}

static void wait_until_gone(struct monitor *m, int ms)
{
	struct pollfd p = { .fd = parvus_fd(m->h), .events = POLLIN };
	struct parvus_control_info i;
	int64_t until = now_ms() + ms;

	while (parvus_changed(m->h) == 0 && parvus_domain_info(m->h, m->domain, &i) == 0 &&
	       now_ms() < until)
		parvus_poll(m->h, &p, 1, 100);
}

static void dump(struct monitor *m)
{
	const char *dir = env_dir("PARVUS_DUMP_DIR", "/var/lib/parvus/dump");
	char path[400], stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	int fd;

	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
	make_dirs(dir);
	snprintf(path, sizeof(path), "%s/%s-%s.core", dir, m->config->name, stamp);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		say(m, "cannot write %s: %s", path, strerror(errno));
		return;
	}
	if (parvus_core_write(m->h, m->domain, fd, NULL, NULL)) {
		say(m, "%s", m->errors.text);
		unlink(path);
	} else {
		say(m, "core file %s", path);
	}
	close(fd);
}

/* Build it again from its configuration. False: give up. */
static bool begin_again(struct monitor *m)
{
	struct parvus_build b = { 0 };
	struct parvus_control_info i;
	const char *why;

	if (parvus_build(m->h, m->config, &b)) {
		say(m, "cannot restart: %s", m->errors.text);
		return false;
	}
	m->domain = b.domain;
	if (state_write(m->h, m->config, &b) || parvus_domain_info(m->h, b.domain, &i))
		goto fail;
	m->created_ns = i.created_ns;
	why = serve(m, b.console_ref, b.console_port);
	if (why) {
		say(m, "cannot restart: %s", why);
		goto fail;
	}
	if (parvus_domain_commit(m->h, b.domain, true)) {
		say(m, "cannot restart: %s", m->errors.text);
		goto fail;
	}
	m->ended = m->restart = false;
	say(m, "restarted");
	return true;
fail:
	release(m);
	parvus_domain_destroy(m->h, b.domain);
	return false;
}

/* The domain has shut down. False: nothing is left to do for this process. */
static bool at_end(struct monitor *m, const struct parvus_control_info *i)
{
	struct parvus_control_machine now;
	enum parvus_action action;
	int ret;

	while (drain(m))
		;
	devices_release(&m->devices);
	action = i->reason == PARVUS_SHUTDOWN_POWEROFF ? m->config->on_poweroff :
		 i->reason == PARVUS_SHUTDOWN_REBOOT ? m->config->on_reboot :
		 i->reason == PARVUS_SHUTDOWN_SUSPEND ? PARVUS_ACTION_PRESERVE : m->config->on_crash;
	say(m, "ended: %s, status %u%s%s: %s", parvus_reason_text(i->reason), i->status,
	    i->why[0] ? ", " : "", i->why, parvus_action_text(action));
	m->ended = true;
	/* it may have been renamed since */
	free(m->config->name);
	m->config->name = strdup(i->name);
	if (!m->config->name || !parvus_name_ok(m->config->name))
		return false;
	if (action == PARVUS_ACTION_COREDUMP_DESTROY || action == PARVUS_ACTION_COREDUMP_RESTART)
		dump(m);
	switch (action) {
	case PARVUS_ACTION_PRESERVE:
		return true;
	case PARVUS_ACTION_DESTROY:
	case PARVUS_ACTION_COREDUMP_DESTROY:
		parvus_console_close(m->console);
		m->console = NULL;
		ret = parvus_domain_destroy(m->h, m->domain);
		if (ret && ret != -ENOENT)	/* gone: somebody else did it */
			say(m, "%s", m->errors.text);
		return false;
	case PARVUS_ACTION_RENAME_RESTART:
	case PARVUS_ACTION_RESTART:
	case PARVUS_ACTION_COREDUMP_RESTART:
		break;
	}
	m->restart = true;
	m->restart_ms = now_ms();
	if (!parvus_machine(m->h, &now) && now.now_ns - m->created_ns < QUICK_NS)
		m->quick++;
	else
		m->quick = 0;
	/* the first at once, then 1, 2, 4, ... seconds */
	if (m->quick > 1) {
		int64_t delay = m->quick > 7 ? DELAY_MAX : 1000ll << (m->quick - 2);

		m->restart_ms += delay < DELAY_MAX ? delay : DELAY_MAX;
		say(m, "it ends soon after its start: restart in %lld s",
		    (long long)(m->restart_ms - now_ms() + 999) / 1000);
	}
	return true;
}

static bool restart(struct monitor *m)
{
	struct parvus_control_info i;
	char kept[PARVUS_NAME_MAX];
	bool rename_it;

	if (parvus_domain_info(m->h, m->domain, &i) || i.state != PARVUS_DOMAIN_SHUTDOWN)
		return false;	/* destroyed while it waited */
	rename_it = (i.reason == PARVUS_SHUTDOWN_REBOOT ? m->config->on_reboot :
		     i.reason == PARVUS_SHUTDOWN_POWEROFF ? m->config->on_poweroff :
		     m->config->on_crash) == PARVUS_ACTION_RENAME_RESTART;
	release(m);
	if (rename_it) {
		snprintf(kept, sizeof(kept), "%.20s-%u", m->config->name, m->domain);
		if (parvus_domain_rename(m->h, m->domain, kept)) {
			say(m, "%s", m->errors.text);
			return false;
		}
	} else {
		if (parvus_domain_destroy(m->h, m->domain)) {
			say(m, "%s", m->errors.text);
			return false;
		}
		wait_until_gone(m, 10000);
	}
	return begin_again(m);
}

/* Look at the domain. False when it is gone or the work is done. */
static bool look(struct monitor *m)
{
	struct parvus_control_info i;
	int ret;

	if (parvus_changed(m->h)) {
		say(m, "%s", m->errors.text);
		return false;
	}
	ret = parvus_domain_info(m->h, m->domain, &i);
	if (ret && ret != -ENOENT)
		say(m, "%s", m->errors.text);
	if (ret || i.state == PARVUS_DOMAIN_DYING || i.created_ns != m->created_ns)
		return false;
	if (i.state == PARVUS_DOMAIN_SHUTDOWN && !m->ended)
		return at_end(m, &i);
	return true;
}

/*
 * Wait for the maker's word. True: serve on. Without a word the maker has died: a domain that
 * it had not committed is destroyed by then or very soon, one that stays is to be served.
 */
static bool wait_committed(struct monitor *m, int link)
{
	struct pollfd fds[2] = { { .fd = link, .events = POLLIN },
				 { .fd = parvus_console_fd(m->console), .events = POLLIN } };
	struct parvus_control_info i;
	char c;
	ssize_t n;

	for (;;) {
		/* no event comes while there is more to read */
		if (parvus_poll(m->h, fds, 2, parvus_console_waits(m->console) ? 0 : -1) < 0)
			continue;
		if (fds[1].revents)
			parvus_console_ack(m->console);
		drain(m);
		if (!fds[0].revents)
			continue;
		n = read(link, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 1 && c == 'C')
			return true;
		wait_until_gone(m, 1500);
		return parvus_domain_info(m->h, m->domain, &i) == 0 &&
		       i.state != PARVUS_DOMAIN_DYING && i.created_ns == m->created_ns;
	}
}

static void loop(struct monitor *m)
{
	bool more = true;

	while (more) {
		struct pollfd fds[3 + CLIENTS + DEVICES_POLL];
		size_t i, n;
		int timeout;

		while (drain(m) && !m->ended)
			for (i = 0; i < CLIENTS; i++)
				if (m->clients[i].fd >= 0)
					client_send(m, &m->clients[i]);
		fds[0] = (struct pollfd){ .fd = parvus_fd(m->h), .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = m->console ? parvus_console_fd(m->console) : -1,
					  .events = POLLIN };
		fds[2] = (struct pollfd){ .fd = m->listener, .events = POLLIN };
		for (i = 0; i < CLIENTS; i++) {
			struct client *c = &m->clients[i];

			/* input that waits for room is tried again when the domain made some */
			fds[3 + i] = (struct pollfd){
				.fd = c->n && c->at == m->head ? -1 : c->fd,
				.events = (short)((c->n ? 0 : POLLIN) | (c->at < m->head ? POLLOUT : 0)),
			};
		}
		timeout = devices_poll(&m->devices, fds + 3 + CLIENTS, &n);
		if (m->restart) {
			int64_t left = m->restart_ms - now_ms();

			timeout = left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
		}
		if (parvus_poll(m->h, fds, 3 + CLIENTS + n, timeout) < 0)
			continue;
		if (fds[1].revents)
			parvus_console_ack(m->console);
		drain(m);
		if (fds[0].revents)
			more = look(m);
		if (more)
			devices_work(&m->devices, fds + 3 + CLIENTS, n);
		if (fds[2].revents)
			client_new(m);
		for (i = 0; i < CLIENTS; i++) {
			struct client *c = &m->clients[i];

			if (c->fd >= 0 && (c->n || (c->fd == fds[3 + i].fd && fds[3 + i].revents &
						    (POLLIN | POLLHUP | POLLERR))))
				client_input(m, c);
			if (c->fd >= 0)
				client_send(m, c);
		}
		if (more && m->restart && now_ms() >= m->restart_ms)
			more = restart(m) && look(m);
	}
	while (drain(m))
		;
	flush_clients(m);
}

/* argv: "parvus-monitor NAME", number of the domain, descriptor of the link. */
int monitor_main(int argc, char **argv)
{
	static struct monitor m = { .listener = -1, .pid = -1, .log = -1 };
	const struct parvus_options o = { .run_dir = env_dir("PARVUS_RUN_DIR", NULL) };
	struct parvus_control_info i;
	const char *why = NULL;
	uint32_t ref = 0, port = 0;
	uint64_t domain, fd, created;
	char path[300];
	size_t n;
	int link, log;

	if (argc != 3 || !parse_number(argv[1], 0, UINT32_MAX - 1, &domain) ||
	    !parse_number(argv[2], 3, 1 << 20, &fd))
		return 1;
	link = (int)fd;
	fcntl(link, F_SETFD, FD_CLOEXEC);
	m.domain = (uint32_t)domain;
	for (n = 0; n < CLIENTS; n++)
		m.clients[n].fd = -1;
	devices_init(&m.devices);
	m.devices.say = say_text;
	m.devices.arg = &m;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (parvus_open(&m.h, &o, &m.errors) || parvus_domain_info(m.h, m.domain, &i)) {
		why = m.errors.text;
	} else {
		m.created_ns = i.created_ns;
		if (!state_read(m.h, m.domain, &created, &ref, &port) || created != i.created_ns)
			why = "there is no record of this domain's console";
		else if (parvus_run_path(m.h, m.domain, "config", path, sizeof(path)) ||
			 parvus_config_load(&m.errors, path, NULL, 0, &m.config))
			why = m.errors.text;
	}
	if (!why) {
		/* what scripts and programs say goes there, too */
		log = open_log("monitor", m.config->name, path, sizeof(path));
		if (log >= 0) {
			dup2(log, 2);
			close(log);
		}
		why = serve(&m, ref, port);
	}
	dprintf(link, "%s\n", why ? why : "ok");
	if (!why) {
		if (wait_committed(&m, link)) {
			close(link);
			if (look(&m))
				loop(&m);
			else
				flush_clients(&m);
		}
	}
	/* a domain that is gone leaves no folder; one whose monitor gives up keeps it */
	if (m.pid >= 0 && (parvus_domain_info(m.h, m.domain, &i) || i.state == PARVUS_DOMAIN_DYING ||
			   i.created_ns != m.created_ns))
		release(&m);
	parvus_console_close(m.console);
	parvus_config_free(m.config);
	parvus_close(m.h);
	return why ? 1 : 0;
}

/* ---- for those who start one ------------------------------------------------------------ */

/* Close all but the link: the parent's files are not ours to hold. Only exec follows. */
static void become_monitor(uint32_t domain, const char *name, int link)
{
	char title[64], number[16], fd[16];
	char *const args[] = { title, number, fd, NULL };
	int null;

	snprintf(title, sizeof(title), "parvus-monitor %s", name);
	snprintf(number, sizeof(number), "%u", domain);
	snprintf(fd, sizeof(fd), "%d", link);
	fcntl(link, F_SETFD, 0);
	null = open("/dev/null", O_RDWR);
	if (null < 0 || chdir("/"))
		_exit(1);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	if (null > 2)
		close(null);
	execv("/proc/self/exe", args);
	_exit(1);
}

int monitor_start(struct tool *t, uint32_t domain, const char *name, int *out)
{
	char answer[600];
	size_t have = 0;
	int pair[2], status;
	pid_t child;

	(void)t;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return fail("cannot start the monitor: %s", strerror(errno));
	fflush(stdout);
	child = fork();
	if (child == 0) {
		setsid();
		if (fork() == 0)
			become_monitor(domain, name, pair[1]);
		_exit(0);
	}
	close(pair[1]);
	if (child < 0) {
		close(pair[0]);
		return fail("cannot start the monitor: %s", strerror(errno));
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	for (;;) {
		struct pollfd p = { .fd = pair[0], .events = POLLIN };
		int ret = poll(&p, 1, 30000);
		ssize_t n;

		if (ret < 0 && errno == EINTR)
			continue;
		n = ret > 0 ? read(pair[0], answer + have, sizeof(answer) - 1 - have) : 0;
		if (n > 0)
			have += (size_t)n;
		answer[have] = 0;
		if (n <= 0 || strchr(answer, '\n'))
			break;
	}
	answer[strcspn(answer, "\n")] = 0;
	if (strcmp(answer, "ok")) {
		close(pair[0]);
		return fail("the monitor of domain %u: %s", domain,
			    answer[0] ? answer : "it could not be started");
	}
	*out = pair[0];
	return 0;
}

void monitor_committed(int link)
{
	/* if the monitor has died meanwhile, the next command starts another */
	send(link, "C", 1, MSG_NOSIGNAL);
	close(link);
}

int cmd_monitor(struct tool *t)
{
	struct parvus_control_info i;
	int link;

	if (tool_arguments(t) || tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	if (i.flags & PARVUS_INFO_CONTROL)
		return fail("the control domain has no monitor");
	if (monitor_start(t, i.domain, i.name, &link))
		return 1;
	monitor_committed(link);
	return 0;
}
