// SPDX-License-Identifier: GPL-2.0-only
/* Transparent huge pages back a large mapping, and survive splitting by mprotect and munmap. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define SIZE (32ul << 20)

int main(void)
{
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     line[256];
	unsigned long kb = 0, n, i;
	FILE *f;

	if (p == MAP_FAILED || madvise(p, SIZE, MADV_HUGEPAGE))
		return 1;
	for (i = 0; i < SIZE; i += 4096)
		*(unsigned long *)(p + i) = i;
	f = fopen("/proc/self/smaps", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonHugePages: %lu kB", &n) == 1)
			kb += n;
	printf("huge: %lu kB\n", kb);
	if (kb < 16384)
		return 1;
	for (i = 0; i < SIZE; i += 3 << 20) {
		mprotect(p + i, 4096, PROT_READ);
		munmap(p + i + 65536, 4096);
	}
	for (i = 0; i < SIZE; i += 4096) {
		if (i % (3 << 20) == 65536)
			continue;
		if (*(volatile unsigned long *)(p + i) != i) {
			printf("%lx holds %lx\n", i, *(unsigned long *)(p + i));
			return 1;
		}
	}
	return 0;
}
