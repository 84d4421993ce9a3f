// SPDX-License-Identifier: GPL-2.0-only
/*
 * exhaust [grants]: take all event ports that this domain can have, or offer as many pages to
 * domain 0 as it may, say "exhausted", and keep them, and what others give back, until the
 * program is killed.
 */
#include <fcntl.h>
#include <stdint.h>
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

static unsigned int offer(int *fd)
{
	static uint32_t refs[256];
	unsigned int count = 256, pages = 0;

	if (*fd < 0)
		*fd = open("/dev/parvus/grant", O_RDWR);
	while (count) {
		struct parvus_ioctl_grant g = { .count = count, .refs = (uintptr_t)refs };

		if (ioctl(*fd, PARVUS_IOC_GRANT_OFFER, &g))
			count /= 2;
		else
			pages += count;
	}
	return pages;
}

int main(int argc, char **argv)
{
	unsigned int (*all)(int *fd) = argc > 1 && argv[1][0] == 'g' ? offer : take;
	int fd = -1;

	printf("exhausted: %u\n", all(&fd));
	fflush(stdout);
	for (;; usleep(200))
		all(&fd);	/* also those that somebody else gives back */
}
