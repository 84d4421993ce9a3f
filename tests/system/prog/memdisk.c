// SPDX-License-Identifier: GPL-2.0-only
/*
 * memdisk ADDRESS BYTES FILE: copy memory of the machine, where a device of the test bed has
 * put a disk image, to a file that has holes where the memory is zero. Domain 0 has no disks
 * of its own; this one is there at no cost, and fresh at each boot.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE 65536ul

static const char zero[PIECE];

int main(int argc, char **argv)
{
	uint64_t at, bytes, done;
	int mem, file;
	char *p;

	if (argc != 4)
		return 2;
	at = strtoull(argv[1], NULL, 0);
	bytes = strtoull(argv[2], NULL, 0);
	mem = open("/dev/mem", O_RDONLY);
	file = open(argv[3], O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (mem < 0 || file < 0 || ftruncate(file, (off_t)bytes)) {
		perror("memdisk");
		return 1;
	}
	p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, mem, (off_t)at);
	if (p == MAP_FAILED) {
		perror("memdisk: mmap");
		return 1;
	}
	for (done = 0; done < bytes; done += PIECE) {
		uint64_t n = bytes - done < PIECE ? bytes - done : PIECE;

		if (memcmp(p + done, zero, n) &&
		    pwrite(file, p + done, n, (off_t)done) != (ssize_t)n) {
			perror("memdisk: write");
			return 1;
		}
	}
	return 0;
}
