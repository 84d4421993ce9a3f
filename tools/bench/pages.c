// SPDX-License-Identifier: GPL-2.0-only
/*
 * pages [-i] [-w WAY] [-r ROUNDS] [OPERATION...]: what a kernel that has its page tables shadowed
 * costs: rights that change, faults, memory that goes and comes, processes (docs/benchmarks.md,
 * Pages). A second program beside ops: what is tuned with the one is judged by the other, so it
 * has other sizes, other neighbours and other turns. Its rows do not change any more; what is
 * missing is a new row.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "rounds.h"

#define PAGE		4096ul
#define RW		(PROT_READ | PROT_WRITE)
#define FILE_NAME	"/tmp/pages.dat"
#define FILE_PAGES	512

static char *mem;	/* 64 pages that are there */
static char *alone;	/* 32, each with a hole behind it: no area is cut or joined */
static int file;

static char *map(size_t pages, int prot, int fd)
{
	char *p = mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	need(p != MAP_FAILED, "mmap");
	madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
	return p;
}

static void protect(char *at, size_t pages, int prot)
{
	need(!mprotect(at, pages * PAGE, prot), "mprotect");
}

static void touch(char *at, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		((volatile char *)at)[i * PAGE] = 1;
}

/* Rights: pages in turn, so that none is the one of the last time. */
static char *nth(int n) { return alone + (size_t)(n % 32) * 2 * PAGE; }

/* They are there for these rows alone: a fork has to copy each area. */
static void with_alone(int n, void (*turn)(char *page))
{
	int i;

	alone = map(64, RW, -1);
	touch(alone, 64);
	for (i = 0; i < 32; i++)
		need(!munmap(nth(i) + PAGE, PAGE), "munmap");
	begin();
	while (n--)
		turn(nth(n));
	end();
	munmap(alone, 64 * PAGE);
}

static void pair(char *p)
{
	protect(p, 1, PROT_READ);
	protect(p, 1, RW);
	touch(p, 1);
}

/* What a compiler at run time does: write code, make it executable, call it. */
static void write_then_run(char *p)
{
	protect(p, 1, RW);
	p[0] = (char)0xc3;	/* RET */
	protect(p, 1, PROT_READ | PROT_EXEC);
	__asm__ volatile("call *%0" : : "r"(p) : "memory");
}

static void none_pages(char *p, size_t pages)
{
	protect(p, pages, PROT_NONE);
	protect(p, pages, RW);
	touch(p, pages);
}
static void none_page(char *p) { none_pages(p, 1); }

static void read_only(char *p)
{
	protect(p, 1, PROT_READ);
	touch(p, 1);
}

static void protect_pair(int n) { with_alone(n, pair); }
static void protect_wx(int n) { with_alone(n, write_then_run); }
static void protect_none(int n) { with_alone(n, none_page); }
static void protect_none_64(int n) { while (n--) none_pages(mem, 64); }

static void fix_up(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	protect((char *)((uintptr_t)info->si_addr & ~(PAGE - 1)), 1, RW);
}

static void catch(void)
{
	const struct sigaction a = { .sa_sigaction = fix_up, .sa_flags = SA_SIGINFO };

	need(!sigaction(SIGSEGV, &a, NULL), "sigaction");
}

static void segv(int n)
{
	catch();
	with_alone(n, read_only);
	signal(SIGSEGV, SIG_DFL);
}

/* A write barrier: of 8 pages that are made read-only at once each is opened by its first write. */
static void segv_barrier(int n)
{
	catch();
	begin();
	while (n--) {
		protect(mem + PAGE, 8, PROT_READ);
		touch(mem + PAGE, 8);
	}
	end();
	signal(SIGSEGV, SIG_DFL);
}

/* Memory that goes and comes. */
static void give(int n, size_t pages, int advice)
{
	while (n--) {
		need(!madvise(mem, pages * PAGE, advice), "madvise");
		touch(mem, pages);
	}
}
static void free_1(int n) { give(n, 1, MADV_FREE); }
static void free_16(int n) { give(n, 16, MADV_FREE); }
static void dontneed_16(int n) { give(n, 16, MADV_DONTNEED); }

static void brk_64(int n)
{
	while (n--) {
		char *p = sbrk(64 * PAGE);

		need(p != (char *)-1, "sbrk");
		touch(p, 64);
		need(sbrk(-64 * (intptr_t)PAGE) != (void *)-1, "sbrk");
	}
}

/* First touches, a page in three, since few programs touch one after the other; and all goes. */
static void anon(int n)
{
	char *p = map((size_t)n * 3, RW, -1);

	for (int i = 0; i < n; i++)
		p[(size_t)i * 3 * PAGE] = 1;
	munmap(p, (size_t)n * 3 * PAGE);
}

static void of_file(int n, int prot)
{
	char *p = map(FILE_PAGES, prot, file);
	volatile char *q = p;
	int sum = 0;

	for (int i = n; i--; )
		if (prot & PROT_WRITE)
			q[(size_t)i * PAGE] = 1;
		else
			sum += q[(size_t)i * PAGE];
	(void)sum;
	munmap(p, FILE_PAGES * PAGE);
}
static void file_read(int n) { of_file(n, PROT_READ); }
static void file_cow(int n) { of_file(n, RW); }

/* Processes */
static void reap(pid_t pid)
{
	int status;

	need(pid > 0 && waitpid(pid, &status, 0) == pid && !status, "child");
}

/* A child writes to what it has of its parent; the record is the child's. */
static void child_cow(int n)
{
	char *p = map((size_t)n, RW, -1);
	int done[2];
	pid_t pid;

	touch(p, (size_t)n);
	need(!pipe(done), "pipe");
	pid = fork();
	if (!pid) {
		begin();
		touch(p, (size_t)n);
		end();
		need(write(done[1], &first, sizeof(first)) == sizeof(first) &&
		     write(done[1], &second, sizeof(second)) == sizeof(second), "write");
		_exit(0);
	}
	need(read(done[0], &first, sizeof(first)) == sizeof(first) &&
	     read(done[0], &second, sizeof(second)) == sizeof(second), "read");
	ended = true;
	reap(pid);
	close(done[0]), close(done[1]);
	munmap(p, (size_t)n * PAGE);
}

static void fork_exit(int n)
{
	while (n--) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		reap(pid);
	}
}

static void run(int n, char *const argv[])
{
	while (n--) {
		pid_t pid = fork();

		if (!pid) {
			execv(argv[0], argv);
			_exit(127);
		}
		reap(pid);
	}
}
static void fork_exec(int n) { run(n, (char *const []){ "/proc/self/exe", "--true", NULL }); }
static void sh_true(int n) { run(n, (char *const []){ "/bin/sh", "-c", "true", NULL }); }

/* Scripts: a subshell in each turn, and a pipe with two of them. */
static void sh_forks(int n)
{
	char text[80];

	sprintf(text, "i=0; while [ $i -lt %d ]; do i=$((i + 1)); (true); done", n);
	run(1, (char *const []){ "/bin/sh", "-c", text, NULL });
}

static void sh_pipes(int n)
{
	char text[120];

	sprintf(text, "i=0; while [ $i -lt %d ]; do i=$((i + 1)); x=$(echo $i | sed s/1/2/); done",
		n);
	run(1, (char *const []){ "/bin/sh", "-c", text, NULL });
}

static const struct op ops[] = {
	{ "protect-pair", protect_pair, 1000 },
	{ "protect-wx", protect_wx, 1000 },
	{ "protect-none", protect_none, 1000 },
	{ "protect-none-64", protect_none_64, 200 },
	{ "segv", segv, 500 },
	{ "segv-barrier-8", segv_barrier, 100 },
	{ "free-1", free_1, 1000 },
	{ "free-16", free_16, 500 },
	{ "dontneed-16", dontneed_16, 300 },
	{ "brk-64", brk_64, 100 },
	{ "anon", anon, 1024 },
	{ "file-read", file_read, FILE_PAGES },
	{ "file-cow", file_cow, FILE_PAGES },
	{ "child-cow", child_cow, 512 },
	{ "fork-exit", fork_exit, 40 },
	{ "fork-exec", fork_exec, 30 },
	{ "sh-true", sh_true, 20 },
	{ "sh-forks", sh_forks, 40 },
	{ "sh-pipes", sh_pipes, 20 },
};

static int usage(void)
{
	fputs("usage: pages [-i] [-w WAY] [-r ROUNDS] [OPERATION...]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	int c, i, rounds = 5;

	if (argc > 1 && !strcmp(argv[1], "--true"))
		return 0;
	while ((c = getopt(argc, argv, "+ir:w:")) != -1)
		switch (c) {
		case 'i': measure_counted = true; break;
		case 'r': rounds = atoi(optarg); break;
		case 'w': measure_way = optarg; break;
		default: return usage();
		}
	if (rounds < 1 || rounds > 1000)
		return usage();
	mem = map(64, RW, -1);
	touch(mem, 64);
	file = open(FILE_NAME, O_RDWR | O_CREAT, 0600);
	need(file >= 0, FILE_NAME);
	for (i = 0; i < FILE_PAGES; i++)
		need(write(file, mem, PAGE) == (ssize_t)PAGE, FILE_NAME);
	measure_prepare();
	return run_ops(ops, sizeof(ops) / sizeof(ops[0]), argv + optind, rounds) ? 0 : usage();
}
