// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmstress N: threads and processes that map, unmap, protect, move, drop and fork, each
 * checking every page against what it wrote. A translation that outlives its flush shows
 * as another's contents, or as a write that should have faulted.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 64
#define PAGE 4096ul
static __thread sigjmp_buf jump;
static __thread volatile int expecting;
static volatile int failed;
static int rounds = 150;
static pthread_barrier_t start;

static void segv(int sig)
{
	if (expecting)
		siglongjmp(jump, 1);
	write(2, "unexpected SIGSEGV\n", 19);
	_exit(3);
}

static int faults(volatile uint64_t *at, int write_it)
{
	expecting = 1;
	if (sigsetjmp(jump, 1)) {
		expecting = 0;
		return 1;
	}
	if (write_it)
		*at = 1;
	else
		(void)*at;
	expecting = 0;
	return 0;
}

#define CHECK(c) do {									\
	if (!(c)) {									\
		fprintf(stderr, "line %d: %s (round %d)\n", __LINE__, #c, r);		\
		failed = 1;								\
		return;									\
	}										\
} while (0)

/* Holes in a process are its threads' own: all mappings go to fixed places in an arena each. */
static void work(unsigned int seed)
{
	char *arena = mmap(NULL, 128 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r, i;

	if (arena == MAP_FAILED) {
		failed = 1;
		return;
	}
	pthread_barrier_wait(&start);

	for (r = 0; r < rounds && !failed; r++) {
		uint64_t tag = ((uint64_t)getpid() << 32) + seed * 100000 + r;
		char *p = mmap(arena, PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), *q;

		CHECK(p != MAP_FAILED);
#define AT(i) ((volatile uint64_t *)(p + (i) * PAGE))
		for (i = 0; i < PAGES; i++)
			*AT(i) = tag + i;
		mprotect(p, 16 * PAGE, PROT_READ);
		CHECK(faults(AT(3), 1) && *AT(3) == tag + 3);
		CHECK(faults(AT(15), 1) && !faults(AT(16), 0));
		mprotect(p, 16 * PAGE, PROT_READ | PROT_WRITE);
		*AT(3) = tag + 3;
		munmap(p + 20 * PAGE, PAGE);
		CHECK(faults(AT(20), 0));
		madvise(p + 30 * PAGE, 4 * PAGE, MADV_DONTNEED);
		CHECK(*AT(30) == 0 && *AT(33) == 0 && *AT(34) == tag + 34);
		q = mremap(p + 40 * PAGE, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			   arena + (PAGES + r % 32) * PAGE);
		CHECK(q != MAP_FAILED && *(uint64_t *)(q + 7 * PAGE) == tag + 47);
		CHECK(faults(AT(41), 0));
		munmap(q, 8 * PAGE);
		if (r % 10 == 0) {
			int status;
			pid_t pid = fork();

			if (!pid) {
				for (i = 50; i < PAGES; i++)
					if (*AT(i) != tag + i)
						_exit(4);
				for (i = 50; i < PAGES; i++)
					*AT(i) = 7;
				_exit(0);
			}
			*AT(60) = tag;
			waitpid(pid, &status, 0);
			CHECK(status == 0);
			CHECK(*AT(60) == tag && *AT(59) == tag + 59);
		}
		for (i = 50; i < 60; i++)
			CHECK(*AT(i) == tag + i);
		munmap(p, PAGES * PAGE);
	}
}

static void *thread(void *arg) { work((unsigned int)(uintptr_t)arg); return NULL; }

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = segv, .sa_flags = SA_NODEFER };
	int n = argc > 1 ? atoi(argv[1]) : 2, i, status;
	pthread_t t[16];

	if (argc > 2)
		rounds = atoi(argv[2]);
	sigaction(SIGSEGV, &sa, NULL);
	for (i = 0; i < n; i++)
		if (!fork()) {
			int k;

			pthread_barrier_init(&start, NULL, 3);
			for (k = 0; k < 3; k++)
				pthread_create(&t[k], NULL, thread,
					       (void *)(uintptr_t)(i * 10 + k));
			for (k = 0; k < 3; k++)
				pthread_join(t[k], NULL);
			_exit(failed);
		}
	for (i = 0; i < n; i++)
		if (wait(&status) < 0 || status) {
			printf("a process ended with %x\n", status);
			return 1;
		}
	puts("mmstress ok");
	return 0;
}
