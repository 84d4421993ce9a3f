// SPDX-License-Identifier: GPL-2.0-only
/*
 * talk PATH BYTES: sends standard input to a socket or a terminal, and BYTES from there to standard
 * output. 20 seconds without any are the end.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct pollfd p[2] = { { .fd = 0, .events = POLLIN } };
	char data[4096], out[4096];
	long want = argc == 3 ? atol(argv[2]) : 0;
	ssize_t n, have = 0, at = 0;
	struct stat st;
	int fd;

	if (argc != 3 || stat(argv[1], &st) || strlen(argv[1]) >= sizeof(a.sun_path))
		return 1;
	strcpy(a.sun_path, argv[1]);
	fd = S_ISSOCK(st.st_mode) ? socket(AF_UNIX, SOCK_STREAM, 0) :
	     open(argv[1], O_RDWR | O_NOCTTY);
	if (fd < 0 || (S_ISSOCK(st.st_mode) && connect(fd, (struct sockaddr *)&a, sizeof(a))))
		return 2;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (want || p[0].fd >= 0 || have) {
		p[0].events = have ? 0 : POLLIN;
		p[1] = (struct pollfd){ .fd = fd, .events = (want ? POLLIN : 0) |
							    (have ? POLLOUT : 0) };
		if (poll(p, 2, 20000) <= 0)
			return 3;
		if (p[0].fd >= 0 && p[0].revents) {
			at = 0;
			have = read(0, out, sizeof(out));
			if (have <= 0)
				have = 0, p[0].fd = -1;
		}
		if (have && (n = write(fd, out + at, have)) > 0)
			at += n, have -= n;
		if (!want || !(p[1].revents & POLLIN))
			continue;
		n = read(fd, data, want < (long)sizeof(data) ? (size_t)want : sizeof(data));
		if (n <= 0 || write(1, data, n) != n)
			return 4;
		want -= n;
	}
	return 0;
}
