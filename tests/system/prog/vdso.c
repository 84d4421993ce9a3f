// SPDX-License-Identifier: GPL-2.0-only
/*
 * The clock sources: Linux's "tsc" unless another was asked for, and "parvus". With either,
 * clock_gettime() does not enter the kernel: it is called under strict seccomp, which kills at any
 * system call but read, write and exit. Time goes forward across two CPUs and a change of the
 * source, and at the rate of the kernel's log, whose time is the hypervisor's record.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CURRENT	"/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define SLACK	100000		/* ns; the log counts in us, "tsc" may be 200 ns a second off */

struct stamp { int64_t before, log, after; };

static _Atomic int64_t *last;	/* of all CPUs */

static void fail(const char *what, const char *of)
{
	printf("vdso: %s: %s\n", of, what);
	exit(1);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* a line of the log between two looks at the clock */
static struct stamp log_stamp(void)
{
	int fd = open("/dev/kmsg", O_RDWR | O_NONBLOCK);
	char mark[40], line[1024] = "";
	struct stamp s;
	long long us;
	ssize_t n;

	lseek(fd, 0, SEEK_END);
	n = snprintf(mark, sizeof(mark), "vdso %lld\n", (long long)now());
	s.before = now();
	if (write(fd, mark, n) != n)
		fail("no write", "/dev/kmsg");
	s.after = now();
	mark[n - 1] = 0;
	while (!strstr(line, mark)) {
		n = read(fd, line, sizeof(line) - 1);
		if (n < 0)
			fail("no line", "/dev/kmsg");
		line[n] = 0;
	}
	close(fd);
	if (sscanf(line, "%*d,%*d,%lld", &us) != 1)
		fail(line, "/dev/kmsg");
	s.log = us * 1000;
	return s;
}

static struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static struct sock_fprog no_clock = { 4, filter };

static void read_on(int cpu)
{
	cpu_set_t set;
	int64_t seen, t;
	int i;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		_exit(3);
	now();		/* resolve it */
	/* strict mode would forbid RDTSC as well, which is what the vDSO has to use */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &no_clock))
		_exit(4);
	for (i = 0; i < 1000000; i++) {
		seen = *last;
		t = now();
		if (t < seen)
			syscall(SYS_exit, 2);
		while (seen < t && !__atomic_compare_exchange_n((int64_t *)last, &seen, t, 0,
								__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
	}
	syscall(SYS_exit, 0);
}

static void try(const char *name)
{
	FILE *f = fopen(CURRENT, "r+");
	struct stamp first, second;
	char is[32] = "";
	int i, status;

	if (!f || fputs(name, f) < 0 || fflush(f) || fseek(f, 0, SEEK_SET) ||
	    !fgets(is, sizeof(is), f) || strncmp(is, name, strlen(name)))
		fail("not chosen", name);
	fclose(f);
	if (now() < *last)
		fail("back in time by the change", name);
	first = log_stamp();
	for (i = 0; i < 2; i++)
		if (!fork())
			read_on(i % sysconf(_SC_NPROCESSORS_ONLN));
	for (i = 0; i < 2; i++)
		if (wait(&status) < 0 || status)
			fail(WIFSIGNALED(status) ? "a system call" : "back in time", name);
	sleep(1);
	second = log_stamp();
	if (second.log - first.log < second.before - first.after - SLACK ||
	    second.log - first.log > second.after - first.before + SLACK)
		fail("not the rate of the log", name);
	*last = now();
	printf("vdso: %s: %lld us of the log, %lld to %lld of the clock\n", name,
	       (long long)(second.log - first.log) / 1000,
	       (long long)(second.before - first.after) / 1000,
	       (long long)(second.after - first.before) / 1000);
}

/* vdso [NAME]: the source that is expected (tsc); it is the current one again in the end */
int main(int argc, char **argv)
{
	const char *expected = argc > 1 ? argv[1] : "tsc";
	FILE *f = fopen(CURRENT, "r");
	char name[32] = "";

	last = mmap(NULL, sizeof(*last), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!f || !fgets(name, sizeof(name), f) || last == MAP_FAILED)
		return 1;
	fclose(f);
	name[strcspn(name, "\n")] = 0;
	if (strcmp(name, expected))
		fail("unexpected", name);
	try("tsc");
	try("parvus");
	try(expected);
	puts("vdso ok");
	return 0;
}
