// SPDX-License-Identifier: GPL-2.0-only
/*
 * pty COMMAND...: run it on a terminal of its own. Standard input is typed there, what it
 * shows goes to standard output; the end of the input is no end. The status is the command's.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	char data[4096];
	int master, status;
	ssize_t n;
	pid_t pid;

	if (argc < 2)
		return 2;
	pid = forkpty(&master, NULL, NULL, &size);
	if (pid < 0) {
		perror("pty");
		return 2;
	}
	if (!pid) {
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	fds[1].fd = master;
	while (poll(fds, 2, -1) >= 0) {
		if (fds[1].revents) {
			n = read(master, data, sizeof(data));
			if (n <= 0)
				break;
			if (write(1, data, (size_t)n) != n)
				return 2;
		}
		if (fds[0].revents) {
			n = read(0, data, sizeof(data));
			if (n <= 0)
				fds[0].fd = -1;
			else if (write(master, data, (size_t)n) != n)
				return 2;
		}
	}
	if (waitpid(pid, &status, 0) != pid)
		return 2;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
