// SPDX-License-Identifier: GPL-2.0-only
/*
 * io block DEVICE | io serve | io net ADDRESS: what operations on a disk and over TCP cost,
 * in ticks of the TSC, as tools/bench/ops.c measures. Each figure is the difference between
 * a long and a short run, so that what a run costs at its begin and end cancels, and the
 * least of several rounds. The disk is read and written without the page cache, one
 * operation at a time. "io serve" is the other end of the connection.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <linux/fs.h>
#include <unistd.h>

#include "measure.h"

#define SMALL	4096u
#define MIB	(1u << 20)
#define PIECE	131072u
#define PORT	5301

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

static void serve_one(int s)
{
	struct request r;
	int one = 1;

	if (read(s, &r, sizeof(r)) != sizeof(r))
		return;
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	switch (r.what) {
	case 't':
		all(s, (size_t)r.n * MIB, get);
		all(s, 1, put);
		break;
	case 'r':
		all(s, (size_t)r.n * MIB, put);
		break;
	case 'p':
		for (; r.n; r.n--) {
			all(s, 1, get);
			all(s, 1, put);
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
		serve_one(s);
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
	{ "tcp-transmit-1m", "net", transmit, 32 },
	{ "tcp-receive-1m", "net", receive, 32 },
	{ "tcp-rtt-1", "net", ping_pong, 200 },
};

static uint64_t once(const struct op *op, int n)
{
	uint64_t t = ticks();

	op->run(n);
	return ticks() - t;
}

static void measure(const struct op *op)
{
	uint64_t best[2] = { ~0ull, ~0ull }, a[EVENTS], b[EVENTS], t;
	int r, events = 0;

	op->run(op->n);
	for (r = 0; r < ROUNDS; r++) {
		t = once(op, op->n);
		best[0] = t < best[0] ? t : best[0];
		stats(a);
		t = once(op, 3 * op->n);
		best[1] = t < best[1] ? t : best[1];
		events = stats(b);
	}
	/* the counters are of the long run as a whole */
	report(op->name, (best[1] - best[0]) * 3 / 2, a, b, events, 3 * op->n);
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	unsigned int i;

	buffer = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED)
		die("memory");
	memset(buffer, 0x5a, MIB);
	server.sin_port = htons(PORT);
	if (!strcmp(kind, "serve"))
		serve();
	if (argc != 3 || (strcmp(kind, "block") && strcmp(kind, "net"))) {
		fprintf(stderr, "usage: io block DEVICE | io serve | io net ADDRESS\n");
		return 2;
	}
	if (!strcmp(kind, "block")) {
		disk = open(argv[2], O_RDWR | O_DIRECT);
		if (disk < 0 || ioctl(disk, BLKGETSIZE64, &disk_bytes) || disk_bytes < MIB)
			die(argv[2]);
		disk_bytes -= disk_bytes % MIB;
		/* memory behind all of it, once */
		for (i = 0; i < disk_bytes / MIB; i++)
			if (pwrite(disk, buffer, MIB, (off_t)i * MIB) != MIB)
				die("write");
	} else if (inet_pton(AF_INET, argv[2], &server.sin_addr) != 1) {
		die(argv[2]);
	}
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (!strcmp(ops[i].kind, kind))
			measure(&ops[i]);
	return 0;
}
