// SPDX-License-Identifier: GPL-2.0-only
/*
 * ops: what operations of Linux cost; the same program runs on the bare machine, in domain 0
 * and in a domain U. Each round of each operation prints one record (measure.h).
 *
 * A new operation is one function and one row in ops[] (rounds.h).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "rounds.h"

#define PAGE		4096ul
#define FILE_PAGES	1024
#define FILE_NAME	"/tmp/bench.dat"

static char *mem, *big;
static int zero, null, file;

/* System calls */
static void null_call(int n) { while (n--) syscall(SYS_getppid); }
static void read_zero(int n) { char c; while (n--) need(read(zero, &c, 1) == 1, "read"); }
static void write_null(int n) { while (n--) need(write(null, "x", 1) == 1, "write"); }
static void do_stat(int n) { struct stat s; while (n--) need(!stat(FILE_NAME, &s), "stat"); }
static void do_fstat(int n) { struct stat s; while (n--) need(!fstat(file, &s), "fstat"); }
static void yield(int n) { while (n--) sched_yield(); }
static void vdso(int n) { struct timespec t; while (n--) clock_gettime(CLOCK_MONOTONIC, &t); }

static void open_close(int n)
{
	while (n--) {
		int fd = open(FILE_NAME, O_RDONLY);

		need(fd >= 0, "open");
		close(fd);
	}
}

static void select_100(int n)
{
	int fd[100], i;

	for (i = 0; i < 100; i++)
		need((fd[i] = dup(file)) >= 0, "dup");
	begin();
	while (n--) {
		struct timeval t = { 0 };
		fd_set set;

		FD_ZERO(&set);
		for (i = 0; i < 100; i++)
			FD_SET(fd[i], &set);
		need(select(fd[99] + 1, &set, NULL, NULL, &t) >= 0, "select");
	}
	end();
	for (i = 0; i < 100; i++)
		close(fd[i]);
}

static void read_4k(int n)
{
	while (n--)
		need(pread(file, mem, PAGE, (n % FILE_PAGES) * PAGE) == (ssize_t)PAGE, "pread");
}

static void write_4k(int n)
{
	while (n--)
		need(pwrite(file, mem, PAGE, (n % FILE_PAGES) * PAGE) == (ssize_t)PAGE, "pwrite");
}

static void file_create(int n)
{
	while (n--) {
		int fd = open("/tmp/bench.new", O_CREAT | O_EXCL | O_WRONLY, 0600);

		need(fd >= 0, "open");
		close(fd);
		unlink("/tmp/bench.new");
	}
}

/* Signals and faults */
static void handler(int sig) { (void)sig; }

static void signal_install(int n)
{
	struct sigaction a = { .sa_handler = handler };

	while (n--)
		sigaction(SIGUSR1, &a, NULL);
}

static void signals(int n)
{
	signal(SIGUSR1, handler);
	begin();
	while (n--)
		raise(SIGUSR1);
	end();
}

static void segv(int sig) { (void)sig; mprotect(mem, PAGE, PROT_READ | PROT_WRITE); }

static void sigsegv(int n)
{
	signal(SIGSEGV, segv);
	begin();
	while (n--) {
		mprotect(mem, PAGE, PROT_READ);
		*(volatile char *)mem = 1;
	}
	end();
	signal(SIGSEGV, SIG_DFL);
}

/* Memory */
static void protect(int n)
{
	while (n--) {
		mprotect(mem, PAGE, PROT_READ);
		mprotect(mem, PAGE, PROT_READ | PROT_WRITE);
		*(volatile char *)mem = 1;
	}
}

static void *map(size_t bytes, int prot, int flags, int fd)
{
	void *p = mmap(NULL, bytes, prot, MAP_PRIVATE | flags, fd, 0);

	need(p != MAP_FAILED, "mmap");
	return p;
}

static void map_unmap(int n)
{
	while (n--)
		munmap(map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1), 16 * PAGE);
}

static void map_touch(int n)
{
	while (n--) {
		char *p = map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1);
		int i;

		for (i = 0; i < 16; i += 4)
			p[i * PAGE] = 1;
		munmap(p, 16 * PAGE);
	}
}

static void anon(int n, int advice)
{
	size_t bytes = n * PAGE + (4 << 20);
	char *p = map(bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1);
	char *q = (char *)(((uintptr_t)p + (2 << 20) - 1) & ~((2ul << 20) - 1));
	int i;

	madvise(p, bytes, advice);
	for (i = 0; i < n; i++)
		q[i * PAGE] = 1;
	munmap(p, bytes);
}
static void anon_small(int n) { anon(n, MADV_NOHUGEPAGE); }
static void anon_huge(int n) { anon(n, MADV_HUGEPAGE); }

static void file_touch(int n, int prot)
{
	char *p = map(n * PAGE, prot, 0, file);
	int i, sum = 0;

	for (i = 0; i < n; i++)
		if (prot & PROT_WRITE)
			p[i * PAGE] = 1;
		else
			sum += ((volatile char *)p)[i * PAGE];
	munmap(p, n * PAGE);
}
static void file_read(int n) { file_touch(n, PROT_READ); }
static void file_cow(int n) { file_touch(n, PROT_READ | PROT_WRITE); }

/* No system call, no fault: what must be equal everywhere. */
static void copy(int n) { while (n--) memcpy(big, big + (128 << 10), 64 << 10); }

/* Processes */
static void reap(pid_t pid)
{
	int status;

	need(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "child");
}

static void do_fork(int n)
{
	while (n--) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		reap(pid);
	}
}

static void fork_big(int n)
{
	char *p = map(8 << 20, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1);

	madvise(p, 8 << 20, MADV_NOHUGEPAGE);
	memset(p, 1, 8 << 20);
	begin();
	do_fork(n);
	end();
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
		reap(pid);
	}
}
static void fork_exec(int n) { exec_of(n, (char *const []){ "/proc/self/exe", "--true", NULL }); }
static void fork_sh(int n) { exec_of(n, (char *const []){ "/bin/sh", "-c", "true", NULL }); }

static void *nothing(void *p) { return p; }

static void thread(int n)
{
	while (n--) {
		pthread_t t;

		need(!pthread_create(&t, NULL, nothing, NULL), "pthread_create");
		pthread_join(t, NULL);
	}
}

/*
 * A byte goes to a child and comes back, n times; the first one, which waits for the child
 * to start, is not counted.
 */
static void ping_pong(int n, int to_child, int child_in, int child_out, int from_child)
{
	char c = 0;
	pid_t pid = fork();

	if (!pid) {
		for (n++; n--; )
			if (read(child_in, &c, 1) != 1 || write(child_out, &c, 1) != 1)
				_exit(1);
		_exit(0);
	}
	need(write(to_child, &c, 1) == 1 && read(from_child, &c, 1) == 1, "ping");
	begin();
	while (n--)
		need(write(to_child, &c, 1) == 1 && read(from_child, &c, 1) == 1, "ping");
	end();
	reap(pid);
}

static void pipe_rtt(int n)
{
	int a[2], b[2];

	need(!pipe(a) && !pipe(b), "pipe");
	ping_pong(n, a[1], a[0], b[1], b[0]);
	close(a[0]), close(a[1]), close(b[0]), close(b[1]);
}

/* A token around processes, each touching some memory: per switch. */
static void ring(int n, int procs, int kib)
{
	int p[16][2], i, k, m;
	pid_t pid[16];
	char c = 0;

	for (i = 0; i < procs; i++)
		need(!pipe(p[i]), "pipe");
	for (i = 1; i < procs; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		for (m = 0; m < n / procs + 1; m++) {
			if (read(p[i - 1][0], &c, 1) != 1)
				_exit(1);
			for (k = 0; k < kib; k += 4)
				mem[k << 10]++;
			if (write(p[i][1], &c, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	for (m = 0; m < n / procs + 1; m++) {
		if (m == 1)
			begin();
		for (k = 0; k < kib; k += 4)
			mem[k << 10]++;
		need(write(p[0][1], &c, 1) == 1 && read(p[procs - 1][0], &c, 1) == 1, "ring");
	}
	end();
	for (i = 1; i < procs; i++)
		reap(pid[i]);
	for (i = 0; i < procs; i++) {
		close(p[i][0]);
		close(p[i][1]);
	}
}
static void switch2(int n) { ring(n, 2, 0); }
static void switch8(int n) { ring(n, 8, 16); }
static void switch16(int n) { ring(n, 16, 16); }

static void futex_wake_wait(int *word, int mine, int others)
{
	__atomic_store_n(word, others, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) != mine)
		syscall(SYS_futex, word, FUTEX_WAIT, others, NULL, NULL, 0);
}

static void futex_second(int *word, int n)
{
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) != 1)
		syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
	while (n--)
		futex_wake_wait(word, 1, 0);
	__atomic_store_n(word, 0, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
	_exit(0);
}

static void futex_rtt(int n)
{
	int *word = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	need(word != MAP_FAILED, "mmap");
	pid = fork();
	if (!pid)
		futex_second(word, n);
	futex_wake_wait(word, 0, 1);
	begin();
	while (n--)
		futex_wake_wait(word, 0, 1);
	end();
	reap(pid);
	munmap(word, PAGE);
}

/* Two CPUs: what has to tell the other one, by IPIs. */
static void on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	need(!sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

static volatile int other_runs;

static void *run_beside(void *p)
{
	on_cpu(1);
	for (other_runs = 1; other_runs == 1; )
		__builtin_ia32_pause();
	return p;
}

/* The other CPU has the address space loaded and in use, and may have the page in its TLB. */
static void protect_2(int n)
{
	pthread_t t;

	on_cpu(0);
	other_runs = 0;
	need(!pthread_create(&t, NULL, run_beside, NULL), "pthread_create");
	while (!other_runs)
		__builtin_ia32_pause();
	begin();
	protect(n);
	end();
	other_runs = 2;
	pthread_join(t, NULL);
}

static void futex_2(int n)
{
	int *word = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	need(word != MAP_FAILED, "mmap");
	on_cpu(0);
	pid = fork();
	if (!pid) {
		on_cpu(1);
		futex_second(word, n);
	}
	futex_wake_wait(word, 0, 1);
	begin();
	while (n--)
		futex_wake_wait(word, 0, 1);
	end();
	reap(pid);
	munmap(word, PAGE);
}

/* A child takes n blocks of 64 KiB. */
static void stream(int n, int to, int from)
{
	const size_t block = 64 << 10;
	size_t left = (size_t)(n + 1) * block;
	pid_t pid = fork();

	if (!pid) {
		close(to);
		while (left) {
			ssize_t got = read(from, big, block);

			if (got <= 0)
				_exit(1);
			left -= (size_t)got;
		}
		_exit(0);
	}
	need(write(to, big, block) == (ssize_t)block, "stream");
	begin();
	while (n--)
		need(write(to, big, block) == (ssize_t)block, "stream");
	reap(pid);
	end();
}

static void pipe_stream(int n)
{
	int p[2];

	need(!pipe(p), "pipe");
	stream(n, p[1], p[0]);
	close(p[0]), close(p[1]);
}

/* Sockets */
static void unix_pair(int n, void (*use)(int n, int a, int b))
{
	int s[2];

	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, s), "socketpair");
	use(n, s[0], s[1]);
	close(s[0]), close(s[1]);
}

static int listener(struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	*a = (struct sockaddr_in){ .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	need(!bind(l, (void *)a, len) && !listen(l, 8) && !getsockname(l, (void *)a, &len),
	     "listen");
	return l;
}

static void tcp_pair(int n, void (*use)(int n, int a, int b))
{
	struct sockaddr_in a;
	int l = listener(&a), c = socket(AF_INET, SOCK_STREAM, 0), s, one = 1;

	need(!connect(c, (void *)&a, sizeof(a)), "connect");
	s = accept(l, NULL, NULL);
	setsockopt(c, IPPROTO_TCP, 1, &one, sizeof(one));
	setsockopt(s, IPPROTO_TCP, 1, &one, sizeof(one));
	close(l);
	use(n, c, s);
	close(c), close(s);
}

static void rtt(int n, int a, int b) { ping_pong(n, a, b, b, a); }
static void unix_rtt(int n) { unix_pair(n, rtt); }
static void tcp_rtt(int n) { tcp_pair(n, rtt); }
static void unix_stream(int n) { unix_pair(n, stream); }
static void tcp_stream(int n) { tcp_pair(n, stream); }

static void udp_rtt(int n)
{
	struct sockaddr_in a[2];
	socklen_t len = sizeof(a[0]);
	int s[2], i;

	for (i = 0; i < 2; i++) {
		a[i] = (struct sockaddr_in){ .sin_family = AF_INET,
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		s[i] = socket(AF_INET, SOCK_DGRAM, 0);
		need(!bind(s[i], (void *)&a[i], len) && !getsockname(s[i], (void *)&a[i], &len),
		     "bind");
	}
	need(!connect(s[0], (void *)&a[1], len) && !connect(s[1], (void *)&a[0], len), "connect");
	rtt(n, s[0], s[1]);
	close(s[0]), close(s[1]);
}

/* Both ends in one process: connect, accept, close. */
static void tcp_connect(int n)
{
	const struct linger reset = { .l_onoff = 1 };
	struct sockaddr_in a;
	int l = listener(&a);

	begin();
	while (n--) {
		int c = socket(AF_INET, SOCK_STREAM, 0), s;

		need(!connect(c, (void *)&a, sizeof(a)), "connect");
		s = accept(l, NULL, NULL);
		/* no TIME_WAIT, whose number would grow from round to round */
		setsockopt(c, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(c);
		close(s);
	}
	end();
	close(l);
}

static const struct op ops[] = {
	{ "memory-copy-64k", copy, 20 },
	{ "null-syscall", null_call, 2000 },
	{ "read-zero", read_zero, 2000 },
	{ "write-null", write_null, 2000 },
	{ "stat", do_stat, 500 },
	{ "fstat", do_fstat, 1000 },
	{ "open-close", open_close, 3000 },
	{ "select-100", select_100, 200 },
	{ "file-read-4k", read_4k, 1000 },
	{ "file-write-4k", write_4k, 1000 },
	{ "file-create-delete", file_create, 500 },
	{ "sched-yield", yield, 4000 },
	{ "clock-gettime", vdso, 2000 },
	{ "signal-install", signal_install, 1000 },
	{ "signal", signals, 500 },
	{ "sigsegv-fixup", sigsegv, 1000 },
	{ "mprotect-touch", protect, 2000 },
	{ "mmap-munmap", map_unmap, 2000 },
	{ "mmap-touch-munmap", map_touch, 800 },
	{ "anon-fault-4k", anon_small, 1024 },
	{ "anon-fault-thp", anon_huge, 2048 },
	{ "file-fault-read", file_read, FILE_PAGES },
	{ "file-fault-cow", file_cow, 512 },
	{ "fork-exit", do_fork, 40 },
	{ "fork-exit-8m", fork_big, 10 },
	{ "fork-exec", fork_exec, 40 },
	{ "fork-sh", fork_sh, 20 },
	{ "thread", thread, 500 },
	{ "pipe-pingpong", pipe_rtt, 500 },
	{ "futex-pingpong", futex_rtt, 500 },
	{ "switch-2", switch2, 1000 },
	{ "switch-8x16k", switch8, 4800 },
	{ "switch-16x16k", switch16, 4800 },
	{ "pipe-64k", pipe_stream, 300 },
	{ "unix-rtt", unix_rtt, 500 },
	{ "unix-64k", unix_stream, 300 },
	{ "udp-rtt", udp_rtt, 500 },
	{ "tcp-rtt", tcp_rtt, 500 },
	{ "tcp-64k", tcp_stream, 300 },
	{ "tcp-connect", tcp_connect, 100 },
	{ "mprotect-touch-2-cpus", protect_2, 500, 2 },
	{ "futex-pingpong-2-cpus", futex_2, 500, 2 },
};

static void prepare(void)
{
	int i;

	mem = map(1 << 20, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1);
	madvise(mem, 1 << 20, MADV_NOHUGEPAGE);
	memset(mem, 1, 1 << 20);
	big = mem + (512 << 10);
	zero = open("/dev/zero", O_RDONLY);
	null = open("/dev/null", O_WRONLY);
	file = open(FILE_NAME, O_RDWR | O_CREAT, 0600);
	need(zero >= 0 && null >= 0 && file >= 0, "open");
	for (i = 0; i < FILE_PAGES; i++)
		need(write(file, mem, PAGE) == (ssize_t)PAGE, FILE_NAME);
	measure_prepare();
}

/* A record for a command that runs once: ops -c NAME COMMAND... */
static int command(const char *name, char **argv)
{
	static const struct sample nothing_off;
	struct sample s;
	int status;
	pid_t pid;

	begin();
	pid = fork();
	if (!pid) {
		execvp(argv[0], argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	end();
	sample_difference(&s, &first, &second);
	measure_record(name, 1, &s, &nothing_off, 1);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int usage(void)
{
	fputs("usage: ops [-i] [-w WAY] [-r ROUNDS] [OPERATION...]\n"
	      "       ops [-i] [-w WAY] -c NAME COMMAND...   a command, once\n"
	      "       ops [-i] [-w WAY] -b NAME              from the machine's reset until now\n"
	      "       ops -l                                 names of the operations\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const unsigned int count = sizeof(ops) / sizeof(ops[0]);
	const char *once = NULL, *boot = NULL;
	uint64_t booted = ticks();
	unsigned int i;
	int c, rounds = 5;

	if (argc > 1 && !strcmp(argv[1], "--true"))
		return 0;
	while ((c = getopt(argc, argv, "+ib:c:lr:w:")) != -1)
		switch (c) {
		case 'i': measure_counted = true; break;
		case 'b': boot = optarg; break;
		case 'c': once = optarg; break;
		case 'l':
			for (i = 0; i < count; i++)
				puts(ops[i].name);
			return 0;
		case 'r': rounds = atoi(optarg); break;
		case 'w': measure_way = optarg; break;
		default: return usage();
		}
	if (rounds < 1 || rounds > 1000 || (once && !argv[optind]))
		return usage();
	if (boot) {
		int stats = open("/sys/hypervisor/parvus/stats", O_RDONLY);

		printf("BENCH %s %s 1 %lu %lu 0 raw=%lu", boot, measure_way,
		       measure_counted ? booted : 0, booted, booted);
		/* of that, what this domain's vCPUs have run */
		if (stats >= 0)
			printf(" run_ns=%lu", field(slurp(stats), "\nrun_ns "));
		printf("\n");
		return 0;
	}
	prepare();
	if (once)
		return command(once, argv + optind);
	if (!run_ops(ops, count, argv + optind, rounds)) {
		fputs("ops: no such operation, or too few CPUs for it; -l lists them\n", stderr);
		return 1;
	}
	return 0;
}
