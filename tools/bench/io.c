// SPDX-License-Identifier: GPL-2.0-only
/*
 * io block DEVICE | read DEVICE | reads DEVICE | net ADDRESS | serve: what operations on a disk
 * and over TCP cost, as raw records (measure.h). Each is the difference between a long and a short
 * run, so that what a run costs at its begin and end cancels. The disk is read and written without
 * the page cache, one operation at a time ("read" only reads, "reads" has 32 at a time). "io serve"
 * is the other end of connections, "io answer" of one, which is its stdin and stdout; "io spin"
 * keeps a CPU busy.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>

#include "measure.h"

#define SMALL	4096u
#define MIB	(1u << 20)
#define PIECE	131072u
#define PORT	5301
#define DEPTH	32

static char *buffer;	/* 1 MiB, on pages */
static int disk;
static uint64_t disk_bytes;
static struct sockaddr_in server = { .sin_family = AF_INET };

static void die(const char *what)
{
	fprintf(stderr, "io: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The same places in each run of the same length: a generator of pseudo-random numbers. */
static uint64_t place(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (*seed >> 33) % (disk_bytes / SMALL) * SMALL;
}

static void read_small(int n)
{
	uint64_t seed = 1;

	while (n--)
		if (pread(disk, buffer, SMALL, (off_t)place(&seed)) != SMALL)
			die("read");
}

/* DEPTH at once: for each that is done the next one goes out. */
static void read_many(int n)
{
	struct iocb cb[DEPTH], *next[DEPTH];
	struct io_event done[DEPTH];
	aio_context_t context = 0;
	uint64_t seed = 1;
	int i, out = 0, ready = DEPTH;

	if (syscall(SYS_io_setup, DEPTH, &context))
		die("io_setup");
	memset(cb, 0, sizeof(cb));
	for (i = 0; i < DEPTH; i++)
		next[i] = &cb[i];
	while (n || out) {
		ready = ready < n ? ready : n;
		for (i = 0; i < ready; i++) {
			next[i]->aio_lio_opcode = IOCB_CMD_PREAD;
			next[i]->aio_fildes = (uint32_t)disk;
			next[i]->aio_buf = (uintptr_t)(buffer + (next[i] - cb) * SMALL);
			next[i]->aio_nbytes = SMALL;
			next[i]->aio_offset = (int64_t)place(&seed);
		}
		if (ready && syscall(SYS_io_submit, context, ready, next) != ready)
			die("io_submit");
		n -= ready;
		out += ready;
		ready = (int)syscall(SYS_io_getevents, context, 1, DEPTH, done, NULL);
		for (i = 0; i < ready; i++) {
			if (done[i].res != SMALL)
				die("read");
			next[i] = (struct iocb *)(uintptr_t)done[i].obj;
		}
		if (ready < 1)
			die("io_getevents");
		out -= ready;
	}
	syscall(SYS_io_destroy, context);
}

static void write_small(int n)
{
	uint64_t seed = 1;

	while (n--)
		if (pwrite(disk, buffer, SMALL, (off_t)place(&seed)) != SMALL)
			die("write");
}

static void read_large(int n)
{
	while (n--)
		if (pread(disk, buffer, MIB, (off_t)(n * (uint64_t)MIB % disk_bytes)) != MIB)
			die("read");
}

static void write_large(int n)
{
	while (n--)
		if (pwrite(disk, buffer, MIB, (off_t)(n * (uint64_t)MIB % disk_bytes)) != MIB)
			die("write");
}

/* What a client asks for, at the begin of a connection. */
struct request {
	char what;	/* 't': I transmit, 'r': I receive, both MiB; 'p': ping-pong of bytes */
	uint32_t n;
};

static void all(int s, size_t bytes, ssize_t (*move)(int, void *, size_t))
{
	while (bytes) {
		ssize_t n = move(s, buffer, bytes < PIECE ? bytes : PIECE);

		if (n <= 0)
			die("connection");
		bytes -= (size_t)n;
	}
}

static ssize_t put(int s, void *p, size_t n) { return write(s, p, n); }
static ssize_t get(int s, void *p, size_t n) { return read(s, p, n); }

static int ask(char what, int n)
{
	struct request r = { .what = what, .n = (uint32_t)n };
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (s < 0 || connect(s, (void *)&server, sizeof(server)) ||
	    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
	    write(s, &r, sizeof(r)) != sizeof(r))
		die("connect");
	return s;
}

/* An answer of one byte says that the other end has it all. */
static void transmit(int n)
{
	int s = ask('t', n);

	all(s, (size_t)n * MIB, put);
	all(s, 1, get);
	close(s);
}

static void receive(int n)
{
	int s = ask('r', n);

	all(s, (size_t)n * MIB, get);
	close(s);
}

static void ping_pong(int n)
{
	int s = ask('p', n);

	while (n--) {
		all(s, 1, put);
		all(s, 1, get);
	}
	close(s);
}

static void serve_one(int s, int to)
{
	struct request r;
	int one = 1;

	if (read(s, &r, sizeof(r)) != sizeof(r))
		return;
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	switch (r.what) {
	case 't':
		all(s, (size_t)r.n * MIB, get);
		all(to, 1, put);
		break;
	case 'r':
		all(to, (size_t)r.n * MIB, put);
		break;
	case 'p':
		for (; r.n; r.n--) {
			all(s, 1, get);
			all(to, 1, put);
		}
	}
}

static void serve(void)
{
	int l = socket(AF_INET, SOCK_STREAM, 0), s, one = 1;

	server.sin_addr.s_addr = htonl(INADDR_ANY);
	if (l < 0 || setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(l, (void *)&server, sizeof(server)) || listen(l, 4) || daemon(1, 1))
		die("serve");
	while ((s = accept(l, NULL, NULL)) >= 0) {
		serve_one(s, s);
		close(s);
	}
	die("accept");
}

static const struct op {
	const char *name, *kind;
	void (*run)(int n);
	int n;		/* of the short run; the long one is three times that */
} ops[] = {
	{ "block-read-4k", "block", read_small, 200 },
	{ "block-write-4k", "block", write_small, 200 },
	{ "block-read-1m", "block", read_large, 8 },
	{ "block-write-1m", "block", write_large, 8 },
	{ "read-4k", "read", read_small, 200 },
	{ "read-4k-32", "reads", read_many, 1600 },
	{ "tcp-transmit-1m", "net", transmit, 32 },
	{ "tcp-receive-1m", "net", receive, 32 },
	{ "tcp-rtt-1", "net", ping_pong, 200 },
};

static const char *prefix = "";	/* of the operations' names */

/* The long run less the short one: what connections and the first requests cost cancels. */
static void measure(const struct op *op, int round)
{
	static const struct sample nothing_off;
	struct sample a, b, cost[2], d;
	char name[64];
	int i, k;

	snprintf(name, sizeof(name), "%s%s", prefix, op->name);
	for (i = 0; i < 2; i++) {
		MARKER(MARKER_FORGET);
		sample_first(&a);
		op->run(i ? 3 * op->n : op->n);
		sample_second(&b);
		if (round)	/* two records of the plugin for one of ours */
			MARKER(MARKER_EMIT);
		sample_difference(&cost[i], &a, &b);
	}
	d.tsc = less(cost[1].tsc, cost[0].tsc);
	d.ns = less(cost[1].ns, cost[0].ns);
	for (k = 0; k < event_count; k++)
		d.event[k] = less(cost[1].event[k], cost[0].event[k]);
	if (round)
		measure_record(name, 2 * op->n, &d, &nothing_off, round);
}

static int usage(void)
{
	fputs("usage: io [-i] [-w WAY] [-r ROUNDS] [-p PREFIX] block DEVICE | read DEVICE | "
	      "reads DEVICE | net ADDRESS | serve | answer | spin\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	int c, r, rounds = 5;
	const char *kind;
	unsigned int i;

	while ((c = getopt(argc, argv, "+ip:r:w:")) != -1)
		switch (c) {
		case 'i': measure_counted = true; break;
		case 'p': prefix = optarg; break;
		case 'r': rounds = atoi(optarg); break;
		case 'w': measure_way = optarg; break;
		default: return usage();
		}
	argv += optind;
	argc -= optind;
	kind = argc ? argv[0] : "";
	buffer = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED)
		die("memory");
	memset(buffer, 0x5a, MIB);
	server.sin_port = htons(PORT);
	if (!strcmp(kind, "serve"))
		serve();
	if (!strcmp(kind, "answer")) {
		serve_one(0, 1);
		return 0;
	}
	while (!strcmp(kind, "spin"))
		__asm__ volatile("");
	if (argc != 2 || rounds < 1 || rounds > 1000 ||
	    (strcmp(kind, "block") && strncmp(kind, "read", 4) && strcmp(kind, "net")))
		return usage();
	if (strcmp(kind, "net")) {
		disk = open(argv[1], O_RDWR | O_DIRECT);
		if (disk < 0 || ioctl(disk, BLKGETSIZE64, &disk_bytes) || disk_bytes < MIB)
			die(argv[1]);
		disk_bytes -= disk_bytes % MIB;
		/* memory behind all of it, once */
		for (i = 0; i < disk_bytes / MIB && !strcmp(kind, "block"); i++)
			if (pwrite(disk, buffer, MIB, (off_t)i * MIB) != MIB)
				die("write");
	} else if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
		die(argv[1]);
	}
	measure_prepare();
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		for (r = 0; r <= rounds && !strcmp(ops[i].kind, kind); r++)
			measure(&ops[i], r);	/* the first one is not recorded */
	return 0;
}
