// SPDX-License-Identifier: GPL-2.0-only
/*
 * exhaust: take all event ports that this domain can have, say "exhausted", and keep them
 * until the program is killed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <parvus/linux.h>

int main(void)
{
	unsigned int ports = 0, before;

	/* a file has a limit of its own */
	do {
		int fd = open("/dev/parvus/event", O_RDWR);

		before = ports;
		for (;;) {
			struct parvus_event_bind bind = {
				.size = sizeof(bind), .version = 1, .kind = PARVUS_EVENT_UNBOUND,
			};

			if (fd < 0 || ioctl(fd, PARVUS_IOC_BIND, &bind))
				break;
			ports++;
		}
	} while (ports != before);
	printf("exhausted: %u ports\n", ports);
	fflush(stdout);
	pause();
	return 0;
}
