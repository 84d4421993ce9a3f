// SPDX-License-Identifier: GPL-2.0-only
/*
 * exhaust: take all event ports that this domain can have, say "exhausted", and keep them,
 * and what others give back, until the program is killed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <parvus/linux.h>

/* Until there is none any more; a file has a limit of its own. */
static unsigned int take(int *fd)
{
	struct parvus_event_bind bind;
	unsigned int ports = 0, opened = 0;

	for (;;) {
		bind = (struct parvus_event_bind) {
			.size = sizeof(bind), .version = 1, .kind = PARVUS_EVENT_UNBOUND,
		};
		if (*fd >= 0 && !ioctl(*fd, PARVUS_IOC_BIND, &bind)) {
			ports++;
			opened = 0;
		} else if (!opened++ && (*fd < 0 || ports)) {
			*fd = open("/dev/parvus/event", O_RDWR);
		} else {
			return ports;
		}
	}
}

int main(void)
{
	int fd = -1;

	printf("exhausted: %u ports\n", take(&fd));
	fflush(stdout);
	for (;; usleep(200))
		take(&fd);	/* also those that somebody else gives back */
}
