// SPDX-License-Identifier: LGPL-2.1-or-later
/* libparvus: run a program of the system, and hear what it says. */
#include "internal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void parvus_standard_files(void)
{
	int fd;

	for (fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) < 0)
			return;	/* what is opened next is said to be lost */
}

void parvus_close_others(int keep)
{
	if (keep > 3)
		close_range(3, (unsigned int)keep - 1, 0);
	close_range(keep < 3 ? 3 : (unsigned int)keep + 1, ~0u, 0);
}

static void become(char *const argv[], int in, int out)
{
	const char *path = getenv("PATH");
	char *more;

	/* programs of the system are there, whatever the user's PATH */
	if (asprintf(&more, "%s:/usr/sbin:/sbin", path && *path ? path : "/usr/bin:/bin") < 0)
		_exit(126);
	setenv("PATH", more, 1);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	parvus_close_others(-1);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	_exit(errno == ENOENT ? 127 : 126);
}

/* What it says until it ends, and a daemon of its that keeps the pipe does not count. */
static int hear(pid_t pid, int out, char *said, size_t bytes)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), status = -1;
	struct pollfd fds[2] = { { .fd = out, .events = POLLIN },
				 { .fd = pidfd, .events = POLLIN } };
	bool ended = pidfd < 0;
	size_t have = 0;

	fcntl(out, F_SETFL, O_NONBLOCK);
	for (;;) {
		char rest[512];
		bool full = have == bytes - 1;
		ssize_t n = read(out, full ? rest : said + have,
				 full ? sizeof(rest) : bytes - 1 - have);

		if (n > 0) {
			have += full ? 0 : (size_t)n;
			continue;
		}
		if (n == 0)
			fds[0].fd = -1;	/* closed; poll() waits for its end alone */
		if (ended)
			break;
		poll(fds, 2, -1);
		ended = fds[1].revents;
	}
	said[have] = 0;
	said[strcspn(said, "\n")] = 0;
	if (pidfd >= 0)
		close(pidfd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int parvus_program(char *const argv[], const char *input, char *said, size_t bytes)
{
	int in[2], out[2], status = -1;
	void (*before)(int);
	pid_t pid;

	said[0] = 0;
	if (pipe2(in, O_CLOEXEC))
		return -1;
	if (pipe2(out, O_CLOEXEC)) {
		close(in[0]);
		close(in[1]);
		return -1;
	}
	pid = fork();
	if (pid == 0)
		become(argv, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	before = signal(SIGPIPE, SIG_IGN);
	if (pid > 0 && input && write(in[1], input, strlen(input)) < 0)
		said[0] = 0;	/* one that does not read says so by its status */
	signal(SIGPIPE, before);
	close(in[1]);
	if (pid > 0)
		status = hear(pid, out[0], said, bytes);
	close(out[0]);
	return status;
}
