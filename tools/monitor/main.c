// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus-monitor NAME DOMAIN [LINK]: one small process for each domain. It serves the console,
 * makes and keeps disks and interfaces, waits for the end of the domain, and does what
 * on_poweroff, on_reboot and on_crash say. What it has to know is in RUN/domains/ID/state, written
 * by who built the domain, and by the monitor whenever it changes; so another one can take over.
 * NAME is for ps alone.
 *
 * parvus create starts it before the domain is committed, linked by a socket pair: LINK is the
 * monitor's descriptor. The monitor opens the control device itself, so that the domain still
 * belongs to its maker alone. It says "ok" or why not, then waits for the word. If the link breaks
 * before that came, it looks whether the domain stays; a domain that was not committed goes with
 * its maker, and then the monitor too. Without LINK the domain is there to stay.
 */
#include "monitor.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define USAGE "usage: parvus-monitor NAME DOMAIN [LINK]; the parvus command starts it"

static int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int fail(const char *format, ...)
{
	char text[700];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "parvus-monitor: %s\n", text);
	return 1;
}

static void say_text(void *arg, const char *text)
{
	say(arg, "%s", text);
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
		console_drain(m);
		if (!fds[0].revents)
			continue;
		n = read(link, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 1 && c == 'C')
			return true;
		wait_until_gone(m, 1500);
		return parvus_domain_info(m->h, m->domain, &i) == 0 &&
		       i.state != PARVUS_DOMAIN_DYING && i.created_ns == m->state->created_ns;
	}
}

static void loop(struct monitor *m)
{
	struct pollfd fds[1 + CONSOLE_FDS + REQUESTS_FDS + PARVUS_KEEPER_FDS];
	struct pollfd *console = fds + 1, *requests = console + CONSOLE_FDS,
		      *keeper = requests + REQUESTS_FDS;
	bool more = true;

	while (more) {
		int timeout, again;
		size_t n;

		fds[0] = (struct pollfd){ .fd = parvus_fd(m->h), .events = POLLIN };
		console_poll(m, console);
		requests_poll(m, requests);
		timeout = parvus_keeper_poll(m->keeper, keeper, &n);
		again = requests_again(m);
		if (again >= 0 && (timeout < 0 || again < timeout))
			timeout = again;
		again = requests_held(m);
		if (again >= 0 && (timeout < 0 || again < timeout))
			timeout = again;
		if (m->restart) {
			int64_t left = m->restart_ms - now_ms();

			timeout = left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
		}
		if (parvus_poll(m->h, fds, (nfds_t)(keeper - fds) + n, timeout) < 0)
			continue;
		log_bound(m);
		console_hear(m, console);
		if (fds[0].revents)
			more = look(m);
		if (more) {
			requests_work(m, requests);
			parvus_keeper_work(m->keeper, keeper, n);
		}
		console_work(m, console);
		if (more && m->restart && now_ms() >= m->restart_ms)
			more = restart(m) && look(m);
	}
	while (console_drain(m))
		;
	console_flush(m);
}

/* Everything that is to be there before the domain may run. */
static int begin(struct monitor *m, bool linked)
{
	struct parvus_options o;
	bool fresh;
	int log;

	parvus_options_env(&o);
	if (parvus_open(&m->h, &o, &m->error) ||
	    parvus_keeper_open(m->h, m->domain, &m->ops, &m->keeper))
		return -1;
	m->state = parvus_keeper_state(m->keeper);
	/* what scripts and programs say goes there, too */
	log = linked ? log_open("monitor", m->state->config->name, m->said, sizeof(m->said)) : -1;
	if (log >= 0) {
		dup2(log, 2);
		close(log);
	} else {
		m->said[0] = 0;
	}
	fresh = !m->state->devices_made;
	if (console_start(m) || parvus_keeper_start(m->keeper))
		return -1;
	if (!requests_start(m))
		return 0;
	/* devices of a domain that runs are the next monitor's */
	if (fresh)
		parvus_keeper_end(m->keeper);
	return -1;
}

/* A domain that is gone, or goes, leaves no folder; one whose monitor gives up keeps it. */
static void clean_up(struct monitor *m)
{
	struct parvus_control_info i;

	if (!m->keeper)
		return;
	/* its folder went with the old domain; the number may be another's by now */
	if (!m->away &&
	    (parvus_domain_info(m->h, m->domain, &i) || i.state == PARVUS_DOMAIN_DYING ||
			 i.created_ns != m->state->created_ns)) {
		requests_stop(m);
		parvus_keeper_end(m->keeper);
		console_stop(m);
		parvus_state_remove(m->h, m->domain);
	}
	parvus_keeper_close(m->keeper);
}

int main(int argc, char **argv)
{
	static struct monitor m;
	uint64_t domain, link = 0;
	int type, ret;
	socklen_t bytes = sizeof(type);

	parvus_standard_files();
	if (argc == 2 && !strcmp(argv[1], "--version"))
		return printf("parvus-monitor %s\n", PARVUS_VERSION) < 0;
	if (argc < 3 || argc > 4)
		return fail(USAGE);
	if (!parvus_number_parse(argv[2], 0, PARVUS_DOMAIN_SELF - 1, &domain))
		return fail("%.40s: the number of a domain is expected (" USAGE ")", argv[2]);
	if (argc == 4 && (!parvus_number_parse(argv[3], 3, 1 << 20, &link) ||
			  getsockopt((int)link, SOL_SOCKET, SO_TYPE, &type, &bytes)))
		return fail("%.40s: a descriptor of a socket is expected (" USAGE ")", argv[3]);
	if (link)
		fcntl((int)link, F_SETFD, FD_CLOEXEC);
	m.domain = (uint32_t)domain;
	m.ops = (struct parvus_keeper_ops){ .say = say_text, .answer = request_answer, .arg = &m };
	console_init(&m);
	requests_init(&m);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	ret = begin(&m, link);
	if (link)
		dprintf((int)link, "%s\n", ret ? m.error.text : "ok");
	else if (ret)
		fail("%s", m.error.text);
	if (!ret && (!link || wait_committed(&m, (int)link))) {
		if (link)
			close((int)link);
		if (look(&m))
			loop(&m);
		else
			console_flush(&m);
	}
	clean_up(&m);
	parvus_console_close(m.console);
	parvus_close(m.h);
	return ret ? 1 : 0;
}
