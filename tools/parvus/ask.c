// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus: how commands start a domain's monitor (tools/monitor), and ask one. A request is one line
 * to RUN/domains/ID/control.sock, and so is the answer (monitor/requests.c).
 */
#include "ask.h"
#include "wait.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS	30000
#define ANSWER_MS	60000

/*
 * $PARVUS_MONITOR, or ../lib/parvus/parvus-monitor as seen from this program, which is where both
 * were installed.
 */
static void monitor_path(char *path, size_t bytes)
{
	const char *own = getenv("PARVUS_MONITOR");
	char self[300], *slash;
	ssize_t n;

	if (own && *own) {
		snprintf(path, bytes, "%s", own);
		return;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n < 0 ? 0 : n] = 0;
	slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	snprintf(path, bytes, "%s/../lib/parvus/parvus-monitor", slash ? self : "/usr/sbin");
}

/* Close all but the link: the parent's files are not ours to hold. Only exec follows. */
static void become_monitor(const char *path, uint32_t domain, char *name, int link)
{
	char title[] = "parvus-monitor", number[16], fd[16];
	char *const args[] = { title, name, number, fd, NULL };
	int null;

	snprintf(number, sizeof(number), "%u", domain);
	snprintf(fd, sizeof(fd), "%d", link);
	fcntl(link, F_SETFD, 0);
	null = open("/dev/null", O_RDWR);
	if (null < 0 || chdir("/"))
		_exit(1);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	parvus_close_others(link);
	execv(path, args);
	_exit(1);
}

/*
 * What comes from @fd up to the end of a line, its end, or @ms without anything. One line is all
 * that a monitor says.
 */
static void take_line(int fd, int ms, char *text, size_t bytes)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t have = 0;

	for (;;) {
		int ret = poll(&p, 1, ms);
		ssize_t n;

		if (ret < 0 && errno == EINTR && !stopped)
			continue;
		n = ret > 0 ? read(fd, text + have, bytes - 1 - have) : 0;
		if (n > 0)
			have += (size_t)n;
		text[have] = 0;
		if (n <= 0 || strchr(text, '\n'))
			break;
	}
	text[strcspn(text, "\n")] = 0;
}

int monitor_start(uint32_t domain, const char *name, int *out)
{
	char answer[600], path[400], title[PARVUS_NAME_BYTES];
	int pair[2], status;
	pid_t child;

	monitor_path(path, sizeof(path));
	if (access(path, X_OK))
		return fail("cannot start the monitor %s: %s", path, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return fail("cannot start the monitor: %s", strerror(errno));
	snprintf(title, sizeof(title), "%s", name);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		setsid();
		if (fork() == 0)
			become_monitor(path, domain, title, pair[1]);
		_exit(0);
	}
	close(pair[1]);
	if (child < 0) {
		close(pair[0]);
		return fail("cannot start the monitor: %s", strerror(errno));
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	take_line(pair[0], START_MS, answer, sizeof(answer));
	if (strcmp(answer, "ok")) {
		close(pair[0]);
		return fail("the monitor of domain %u: %s", domain, answer[0] ? answer :
			    stopped ? "stopped before it was ready" : "it could not be started");
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

static int monitor_connect(struct tool *t, uint32_t domain)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (parvus_run_path(t->h, domain, "control.sock", a.sun_path, sizeof(a.sun_path)))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* What the monitor says: 0, or 1 (said). */
static int take_answer(int fd, uint32_t domain)
{
	char text[700];

	take_line(fd, ANSWER_MS, text, sizeof(text));
	if (!strcmp(text, "ok"))
		return 0;
	if (!strncmp(text, "error ", 6))
		return fail("%s", text + 6);
	return fail("the monitor of domain %u gave no answer within %d s%s%s", domain,
		    ANSWER_MS / 1000, text[0] ? ": " : "", text);
}

/* The words as one line; 0 = they are none. */
static size_t make_line(char *text, size_t bytes, va_list words)
{
	const char *word;
	size_t n = 0;

	while ((word = va_arg(words, const char *)))
		n += (size_t)snprintf(text + n, n < bytes ? bytes - n : 0, "%s%s", n ? "\x1f" : "",
				      word);
	if (n + 1 >= bytes || strchr(text, '\n'))
		return 0;
	text[n++] = '\n';
	return n;
}

void monitor_tell(struct tool *t, const struct parvus_control_info *i, ...)
{
	char text[200];
	va_list words;
	size_t n;
	int fd;

	va_start(words, i);
	n = make_line(text, sizeof(text), words);
	va_end(words);
	fd = monitor_connect(t, i->domain);
	if (fd < 0)
		return;
	if (send(fd, text, n, MSG_NOSIGNAL) < 0)
		shutdown(fd, SHUT_RDWR);	/* it has gone: nobody is told */
	close(fd);
}

int monitor_ask(struct tool *t, const struct parvus_control_info *i, ...)
{
	char text[4000];
	va_list words;
	size_t n;
	int fd, link, ret;

	va_start(words, i);
	n = make_line(text, sizeof(text), words);
	va_end(words);
	if (!n)
		return fail("%s: too long a line, or one that is no line", t->command->name);
	if (i->flags & PARVUS_INFO_CONTROL)
		return fail("%s: domain %u is the control domain: no monitor and no devices",
			    t->command->name, i->domain);
	fd = monitor_connect(t, i->domain);
	if (fd < 0) {
		if (monitor_start(i->domain, name_of(t, i), &link))
			return 1;
		monitor_committed(link);
		fd = monitor_connect(t, i->domain);
	}
	if (fd < 0)
		return fail("domain %u has no monitor that answers", i->domain);
	if (send(fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
		ret = fail("the monitor of domain %u does not listen: %s", i->domain,
			   strerror(errno));
	else
		ret = take_answer(fd, i->domain);
	close(fd);
	return ret;
}
