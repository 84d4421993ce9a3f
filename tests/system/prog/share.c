// SPDX-License-Identifier: GPL-2.0-only
/*
 * share offer DOMAIN: offer pages to a domain; share map DOMAIN: map them there, the
 * references being 1 to PAGES. Both check what the other one wrote, and that a mapping
 * is neither split, nor inherited, nor writable against the offer. The offering side
 * ends first: what the other still maps must stay. Prints "share ok".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <parvus/linux.h>

#define PAGES	200
#define WORDS	(4096 / 4)

static int fd;

static void check(const char *what, int good)
{
	if (good)
		return;
	printf("share: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void wait_for(volatile uint32_t *word, uint32_t value)
{
	int i;

	for (i = 0; *word != value && i < 3000; i++)
		usleep(10000);
	errno = 0;
	check("the other side", *word == value);
}

static uint32_t *map_pages(uint64_t offset, unsigned int pages, int prot)
{
	return mmap(NULL, pages * 4096, prot, MAP_SHARED, fd, offset);
}

static int maps(uint32_t domain, uint32_t first, uint32_t count, uint32_t flags, uint64_t *offset)
{
	static uint32_t refs[256];
	struct parvus_ioctl_grant g = {
		.domain = domain, .count = count, .flags = flags, .refs = (uintptr_t)refs,
	};
	unsigned int i;

	for (i = 0; i < count; i++)
		refs[i] = first + i;
	if (ioctl(fd, PARVUS_IOC_GRANT_MAP, &g))
		return -1;
	*offset = g.offset;
	return 0;
}

static void offer(uint32_t domain)
{
	static uint32_t refs[PAGES];
	struct parvus_ioctl_grant g = {
		.domain = domain, .count = PAGES, .refs = (uintptr_t)refs,
	};
	volatile uint32_t *p;
	unsigned int i, j;

	if (ioctl(fd, PARVUS_IOC_GRANT_OFFER, &g)) {
		check("OFFER", errno == ENOSYS);	/* not served */
		exit(77);
	}
	for (i = 0; i < PAGES; i++)
		check("references", refs[i] == i + 1);
	p = map_pages(g.offset, PAGES, PROT_READ | PROT_WRITE);
	check("mmap", p != MAP_FAILED);
	for (i = 0; i < PAGES * WORDS; i++)
		check("zero", !p[i]);
	for (i = 0; i < PAGES; i++)
		for (j = 1; j < WORDS; j++)
			p[i * WORDS + j] = i * 12345 + j;
	p[0] = 1;
	wait_for(p, 2);
	for (i = 0; i < PAGES; i++)
		for (j = 1; j < WORDS; j++)
			check("answer", p[i * WORDS + j] == i * 54321 + j);
	p[0] = 3;
	/* the other side goes on with them for two seconds */
	check("munmap", !munmap((void *)p, PAGES * 4096));
	close(fd);
	sleep(1);
	/* memory of ours that is used meanwhile is not theirs */
	for (i = 0; i < 20; i++) {
		char *m = malloc(1 << 20);

		memset(m, 0x55, 1 << 20);
		free(m);
	}
	sleep(3);
}

static int dies(void (*f)(volatile uint32_t *), volatile uint32_t *p)
{
	int status, pid = fork();

	if (!pid) {
		f(p);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void reads(volatile uint32_t *p) { (void)*p; }

static void map(uint32_t domain)
{
	volatile uint32_t *p, *q;
	unsigned int i, j;
	uint64_t offset;

	for (i = 0; maps(domain, 1, PAGES, 0, &offset) && i < 3000; i++) {
		if (errno == ENOSYS)
			exit(77);
		usleep(10000);
	}
	check("MAP", i < 3000);
	check("short mmap",
	      map_pages(offset, PAGES - 1, PROT_READ) == MAP_FAILED && errno == EINVAL);
	p = map_pages(offset, PAGES, PROT_READ | PROT_WRITE);
	check("mmap", p != MAP_FAILED);
	check("second mmap", map_pages(offset, PAGES, PROT_READ) == MAP_FAILED && errno == EBUSY);
	wait_for(p, 1);
	for (i = 0; i < PAGES; i++)
		for (j = 1; j < WORDS; j++)
			check("content", p[i * WORDS + j] == i * 12345 + j);

	check("part of munmap", munmap((void *)p, 4096) == -1 && errno == EINVAL);
	check("growth",
	      mremap((void *)p, PAGES * 4096, PAGES * 8192, MREMAP_MAYMOVE) == MAP_FAILED);
	check("fork", dies(reads, p));
	q = mmap(NULL, PAGES * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	p = mremap((void *)p, PAGES * 4096, PAGES * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	check("mremap", p == q && p[1] == 1);
	check("exec", mprotect((void *)p, PAGES * 4096, PROT_READ | PROT_EXEC) == -1);

	/* once more, read-only */
	check("read-only MAP", !maps(domain, 2, 1, PARVUS_GRANT_READONLY, &offset));
	check("writable mmap", map_pages(offset, 1, PROT_READ | PROT_WRITE) == MAP_FAILED &&
	      errno == EACCES);
	q = map_pages(offset, 1, PROT_READ);
	check("read-only mmap", q != MAP_FAILED && q[1] == 12345 + 1);
	check("mprotect", mprotect((void *)q, 4096, PROT_READ | PROT_WRITE) == -1);
	check("munmap", !munmap((void *)q, 4096));
	check("MAP of nothing", maps(domain, PAGES + 1000, 1, 0, &offset) == -1);
	check("MAP of some", maps(domain, PAGES - 2, 10, 0, &offset) == -1);
	/* by close() alone, never mapped */
	check("MAP", !maps(domain, 3, 5, 0, &offset));

	for (i = 0; i < PAGES; i++)
		for (j = 1; j < WORDS; j++)
			p[i * WORDS + j] = i * 54321 + j;
	p[0] = 2;
	wait_for(p, 3);
	sleep(2);
	for (i = 0; i < PAGES; i++)
		for (j = 1; j < WORDS; j++)
			check("content that stays", p[i * WORDS + j] == i * 54321 + j);
	if (domain & 1)
		check("munmap", !munmap((void *)p, PAGES * 4096));
	/* else the end of the process unmaps */
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	fd = open("/dev/parvus/grant", O_RDWR);
	check("/dev/parvus/grant", fd >= 0);
	if (!strcmp(argv[1], "offer"))
		offer(atoi(argv[2]));
	else
		map(atoi(argv[2]));
	puts("share ok");
	return 0;
}
