// SPDX-License-Identifier: GPL-2.0-only
/*
 * macs INTERFACE FIRST COUNT [ROUNDS]: broadcasts of a protocol that nobody knows, from COUNT
 * addresses 02:5a:00:NN:NN:NN, the first of which is FIRST; ROUNDS times one of each.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	unsigned char frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x5a, 0,
				    [12] = 0x88, [13] = 0xb5 };
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = 6 };
	unsigned long i, n, first, count, rounds, sent = 0;
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (argc < 4 || fd < 0)
		return 2;
	to.sll_ifindex = (int)if_nametoindex(argv[1]);
	first = strtoul(argv[2], NULL, 0);
	count = strtoul(argv[3], NULL, 0);
	rounds = argc > 4 ? strtoul(argv[4], NULL, 0) : 1;
	for (n = 0; n < rounds; n++)
		for (i = first; i < first + count; i++) {
			frame[9] = (unsigned char)(i >> 16);
			frame[10] = (unsigned char)(i >> 8);
			frame[11] = (unsigned char)i;
			sent += sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&to,
				       sizeof(to)) == sizeof(frame);
		}
	printf("sent %lu\n", sent);
	return 0;
}
