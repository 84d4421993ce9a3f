// SPDX-License-Identifier: GPL-2.0-only
/*
 * ops [NAME]: what operations cost, in ticks of the TSC per operation. Under QEMU with
 * -icount shift=0 one tick is one instruction of the whole machine, exact and
 * repeatable. Every figure is the least of several rounds. With the hypervisor's
 * counters in /sys/hypervisor/parvus/stats, events per operation follow.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

#define PAGE 4096ul

static char *mem;
static int fd[2], fd2[2], zero, file;
static char *self;

static void null_call(int n) { while (n--) syscall(SYS_getppid); }
static void read_zero(int n) { char c; while (n--) if (read(zero, &c, 1) != 1) abort(); }
static void yield(int n) { while (n--) sched_yield(); }
static void vdso(int n) { struct timespec t; while (n--) clock_gettime(CLOCK_MONOTONIC, &t); }

static void handler(int sig) { (void)sig; }
static void signals(int n)
{
	signal(SIGUSR1, handler);
	while (n--)
		raise(SIGUSR1);
}

static void protect(int n)
{
	while (n--) {
		mprotect(mem, PAGE, PROT_READ);
		mprotect(mem, PAGE, PROT_READ | PROT_WRITE);
		*(volatile char *)mem = 1;
	}
}

static sigjmp_buf jump;
static void segv(int sig) { (void)sig; mprotect(mem, PAGE, PROT_READ | PROT_WRITE); }
static void sigsegv(int n)
{
	signal(SIGSEGV, segv);
	while (n--) {
		mprotect(mem, PAGE, PROT_READ);
		*(volatile char *)mem = 1;
	}
	signal(SIGSEGV, SIG_DFL);
	(void)jump;
}

static void map_touch(int n)
{
	while (n--) {
		char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		int i;

		for (i = 0; i < 16; i += 4)
			p[i * PAGE] = 1;
		munmap(p, 16 * PAGE);
	}
}

static void anon(int n, int advice)
{
	char *p = mmap(NULL, n * PAGE + (4 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *q = (char *)(((uintptr_t)p + (2 << 20) - 1) & ~((2ul << 20) - 1));
	int i;

	madvise(p, n * PAGE + (4 << 20), advice);
	for (i = 0; i < n; i++)
		q[i * PAGE] = 1;
	munmap(p, n * PAGE + (4 << 20));
}
static void anon_small(int n) { anon(n, MADV_NOHUGEPAGE); }
static void anon_huge(int n) { anon(n, MADV_HUGEPAGE); }

static void file_read(int n)
{
	char *p = mmap(NULL, n * PAGE, PROT_READ, MAP_PRIVATE, file, 0);
	int i, sum = 0;

	for (i = 0; i < n; i++)
		sum += ((volatile char *)p)[i * PAGE];
	munmap(p, n * PAGE);
}

static void file_cow(int n)
{
	char *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	int i;

	for (i = 0; i < n; i++)
		p[i * PAGE] = 1;
	munmap(p, n * PAGE);
}

static void do_fork(int n)
{
	while (n--) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

static void fork_big(int n)
{
	char *p = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(p, 8 << 20, MADV_NOHUGEPAGE);
	memset(p, 1, 8 << 20);
	do_fork(n);
	munmap(p, 8 << 20);
}

static void exec_of(int n, char *const argv[])
{
	while (n--) {
		pid_t pid = fork();

		if (!pid) {
			execv(argv[0], argv);
			_exit(127);
		}
		waitpid(pid, NULL, 0);
	}
}
static void fork_exec(int n) { exec_of(n, (char *const []){ self, "--true", NULL }); }
static void fork_sh(int n) { exec_of(n, (char *const []){ "/bin/sh", "-c", "true", NULL }); }

static void ping_pong(int n)
{
	char c = 0;
	pid_t pid = fork();

	if (!pid) {
		while (n--)
			if (read(fd[0], &c, 1) != 1 || write(fd2[1], &c, 1) != 1)
				_exit(1);
		_exit(0);
	}
	while (n--)
		if (write(fd[1], &c, 1) != 1 || read(fd2[0], &c, 1) != 1)
			abort();
	waitpid(pid, NULL, 0);
}

/* A token around processes, each touching some memory: per switch. */
static void ring(int n, int procs, int kib)
{
	int p[16][2], i, k;
	char c = 0;
	pid_t pid[16];

	for (i = 0; i < procs; i++)
		if (pipe(p[i]))
			abort();
	for (i = 1; i < procs; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			int m;

			for (m = 0; m < n / procs; m++) {
				if (read(p[i - 1][0], &c, 1) != 1)
					_exit(1);
				for (k = 0; k < kib; k += 4)
					mem[k << 10]++;
				if (write(p[i][1], &c, 1) != 1)
					_exit(1);
			}
			_exit(0);
		}
	}
	for (i = 0; i < n / procs; i++) {
		for (k = 0; k < kib; k += 4)
			mem[k << 10]++;
		if (write(p[0][1], &c, 1) != 1 || read(p[procs - 1][0], &c, 1) != 1)
			abort();
	}
	for (i = 1; i < procs; i++)
		waitpid(pid[i], NULL, 0);
	for (i = 0; i < procs; i++) {
		close(p[i][0]);
		close(p[i][1]);
	}
}
static void switch2(int n) { ring(n, 2, 0); }
static void switch16(int n) { ring(n, 16, 16); }

static void socket_rtt(int n, int a, int b)
{
	char c = 0;
	pid_t pid = fork();

	if (!pid) {
		while (n--)
			if (read(b, &c, 1) != 1 || write(b, &c, 1) != 1)
				_exit(1);
		_exit(0);
	}
	while (n--)
		if (write(a, &c, 1) != 1 || read(a, &c, 1) != 1)
			abort();
	waitpid(pid, NULL, 0);
	close(a);
	close(b);
}

static void unix_rtt(int n)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		abort();
	socket_rtt(n, s[0], s[1]);
}

static void tcp_rtt(int n)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s, one = 1;

	if (bind(l, (void *)&a, len) || listen(l, 1) || getsockname(l, (void *)&a, &len) ||
	    connect(c, (void *)&a, len))
		abort();
	s = accept(l, NULL, NULL);
	setsockopt(c, IPPROTO_TCP, 1, &one, sizeof(one));
	setsockopt(s, IPPROTO_TCP, 1, &one, sizeof(one));
	close(l);
	socket_rtt(n, c, s);
}

static const struct op {
	const char *name;
	void (*run)(int n);
	int n;
} ops[] = {
	{ "null-syscall", null_call, 1000 },
	{ "read-zero", read_zero, 1000 },
	{ "sched-yield", yield, 1000 },
	{ "clock-gettime", vdso, 1000 },
	{ "signal", signals, 500 },
	{ "mprotect-touch", protect, 300 },
	{ "sigsegv-fixup", sigsegv, 300 },
	{ "mmap-touch-munmap", map_touch, 200 },
	{ "anon-fault-4k", anon_small, 1024 },
	{ "anon-fault-thp", anon_huge, 2048 },
	{ "file-fault-read", file_read, 1024 },
	{ "file-fault-cow", file_cow, 512 },
	{ "fork-exit", do_fork, 40 },
	{ "fork-exit-8m", fork_big, 10 },
	{ "fork-exec", fork_exec, 20 },
	{ "fork-sh", fork_sh, 20 },
	{ "pipe-pingpong", ping_pong, 500 },
	{ "switch-2", switch2, 1000 },
	{ "switch-16x16k", switch16, 1600 },
	{ "unix-rtt", unix_rtt, 500 },
	{ "tcp-rtt", tcp_rtt, 500 },
};

int main(int argc, char **argv)
{
	unsigned int i, r;
	int k;

	if (argc > 1 && !strcmp(argv[1], "--true"))
		return 0;
	self = "/proc/self/exe";
	mem = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(mem, 1 << 20, MADV_NOHUGEPAGE);
	memset(mem, 1, 1 << 20);
	zero = open("/dev/zero", O_RDONLY);
	file = open("/tmp/bench.dat", O_RDWR | O_CREAT, 0600);
	if (pipe(fd) || pipe(fd2) || zero < 0 || file < 0)
		return 1;
	for (k = 0; k < 1024; k++)
		if (write(file, mem, PAGE) != (ssize_t)PAGE)
			return 1;
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		uint64_t best = ~0ull, a[EVENTS], b[EVENTS];
		int n = 0;

		if (argc > 1 && strcmp(argv[1], ops[i].name))
			continue;
		ops[i].run(ops[i].n / 10 + 1);
		for (r = 0; r < ROUNDS; r++) {
			uint64_t t;

			stats(a);
			t = ticks();
			ops[i].run(ops[i].n);
			t = ticks() - t;
			n = stats(b);
			if (t < best)
				best = t;
		}
		report(ops[i].name, best, a, b, n, ops[i].n);
	}
	return 0;
}
