// SPDX-License-Identifier: GPL-2.0-only
/* parvus: a terminal on the socket of a domain's monitor. */
#include "terminal.h"
#include "ask.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE 0x1d	/* Ctrl-] */

static struct termios saved;
static volatile sig_atomic_t raw;

static void restore(void)
{
	if (raw)
		tcsetattr(0, TCSANOW, &saved);
	raw = 0;
}

static void on_signal(int number)
{
	restore();
	signal(number, SIG_DFL);
	raise(number);
}

static bool make_raw(void)
{
	static const int ends[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };
	struct termios t;
	size_t i;

	if (!isatty(0) || tcgetattr(0, &saved))
		return false;
	t = saved;
	cfmakeraw(&t);
	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		signal(ends[i], on_signal);
	if (tcsetattr(0, TCSANOW, &t))
		return false;
	raw = 1;
	return true;
}

static bool put(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t done = write(fd, data, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		data += done;
		n -= (size_t)done;
	}
	return true;
}

/* One that is being made, or made again, is paused until its monitor is there. */
static bool being_made(struct tool *t, uint32_t domain)
{
	struct parvus_control_info i;

	return !parvus_domain_info(t->h, domain, &i) &&
	       (i.state == PARVUS_DOMAIN_BUILDING || i.flags & PARVUS_INFO_PAUSED);
}

/* Until the domain is gone, or the user leaves. */
int console_attach(struct tool *t, uint32_t domain, const char *name, bool input)
{
	struct pollfd fds[2];
	char data[4096];
	bool tty;
	unsigned int tries;
	int fd, link, ret = 0;

	fd = parvus_console_connect(t->h, domain);
	for (tries = 0; fd == -ECONNREFUSED && tries < 40 && being_made(t, domain); tries++) {
		usleep(50000);
		fd = parvus_console_connect(t->h, domain);
	}
	if (fd == -ECONNREFUSED) {
		if (monitor_start(domain, name, &link))
			return 1;
		monitor_committed(link);
		fd = parvus_console_connect(t->h, domain);
	}
	if (fd < 0)
		return fail_lib(t);
	fflush(stdout);
	signal(SIGPIPE, SIG_IGN);
	tty = input && make_raw();
	fds[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = input ? 0 : -1, .events = POLLIN };
	for (;;) {
		ssize_t n;

		if (poll(fds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			ret = 1;
			break;
		}
		if (fds[0].revents) {
			n = read(fd, data, sizeof(data));
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				break;
			if (!put(1, data, (size_t)n)) {
				ret = 1;
				break;
			}
		}
		if (fds[1].revents) {
			char *escape = NULL;

			n = read(0, data, sizeof(data));
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0) {
				/* the end of a file: go on showing */
				fds[1].fd = -1;
				if (tty)
					break;
				continue;
			}
			if (tty)
				escape = memchr(data, ESCAPE, (size_t)n);
			if (escape)
				n = escape - data;
			if (!put(fd, data, (size_t)n))
				break;
			if (escape)
				break;
		}
	}
	if (tty) {
		restore();
		printf("\n");
	}
	close(fd);
	if (ret)
		fail("console: %s", strerror(errno));
	return ret;
}
