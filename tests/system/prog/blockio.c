// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O on a block device, with O_DIRECT, for tests of disks:
 *   blockio verify DEV SECONDS THREADS [SEED]	random writes of patterns, and reads that
 *						must show what was written last
 *   blockio keep DEV SEED		writes all of it once
 *   blockio same DEV SEED		all of it is what keep has written
 *   blockio zero|discard DEV OFFSET BYTES	BLKZEROOUT, BLKDISCARD
 *   blockio zeroes DEV OFFSET BYTES	these bytes are zeroes
 *   blockio read|write DEV BYTES		one I/O at a time for a second: prints how many
 *   blockio loop read|write DEV BYTES N	N of them
 *   blockio count read|write DEV BYTES	cycles of each, by the difference of two runs
 * Each 512 bytes hold where they belong, a generation, and words made from both.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define MOST	(2u << 20)	/* bytes of one I/O */

static const char *dev;
static uint64_t size, seed;
static unsigned int block;
static double end_time;
static uint64_t done_bytes;

static void fail(const char *what, uint64_t offset)
{
	printf("blockio: %s: %s at %llu: %s\n", dev, what, (unsigned long long)offset,
	       strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static void pattern(uint64_t *p, uint64_t sector, uint64_t generation)
{
	uint64_t x = mix(sector ^ mix(generation ^ seed));
	unsigned int i;

	p[0] = sector;
	p[1] = generation;
	for (i = 2; i < 64; i++)
		p[i] = x += 0x9e3779b97f4a7c15ull;
}

/* generation 0: never written, any bytes are good */
static int right(const uint64_t *p, uint64_t sector, uint64_t generation)
{
	uint64_t want[64];

	if (!generation)
		return 1;
	pattern(want, sector, generation);
	return !memcmp(p, want, 512);
}

static void *buffer(void)
{
	void *p;

	/* a page more: I/O that does not begin at a page */
	if (posix_memalign(&p, 4096, MOST + 4096))
		exit(99);
	return p;
}

static int open_dev(int flags)
{
	int fd = open(dev, flags | O_DIRECT | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size) || ioctl(fd, BLKSSZGET, &block))
		fail("open", 0);
	return fd;
}

static void io(int fd, int write, void *p, unsigned int n, uint64_t offset)
{
	ssize_t got = write ? pwrite(fd, p, n, offset) : pread(fd, p, n, offset);

	if (got != (ssize_t)n)
		fail(write ? "write" : "read", offset);
}

struct part {
	pthread_t thread;
	uint64_t begin, end;	/* sectors */
	uint32_t *generation;	/* of each */
	uint64_t random;
};

static uint64_t pick(struct part *p, uint64_t n)
{
	p->random = mix(p->random);
	return p->random % n;
}

static void *verify(void *arg)
{
	struct part *p = arg;
	uint64_t per = block / 512, sectors = p->end - p->begin, at, n, i;
	uint32_t generation = 0;
	int fd = open_dev(O_RDWR);
	char *base = buffer(), *b;

	while (now() < end_time) {
		n = 1ull << pick(p, 13);
		n = (1 + pick(p, n)) * per;
		if (n > MOST / 512)
			n = MOST / 512;
		if (n > sectors)
			n = sectors;
		at = pick(p, (sectors - n) / per + 1) * per;
		b = base + pick(p, 8) * 512;
		if (pick(p, 2)) {
			generation++;
			for (i = 0; i < n; i++) {
				pattern((void *)(b + i * 512), p->begin + at + i, generation);
				p->generation[at + i] = generation;
			}
			io(fd, 1, b, n * 512, (p->begin + at) * 512);
			if (!pick(p, 20) && fdatasync(fd))
				fail("flush", 0);
		} else {
			io(fd, 0, b, n * 512, (p->begin + at) * 512);
			for (i = 0; i < n; i++)
				if (!right((void *)(b + i * 512), p->begin + at + i,
					   p->generation[at + i])) {
					errno = 0;
					fail("wrong data", (p->begin + at + i) * 512);
				}
		}
		__atomic_fetch_add(&done_bytes, n * 512, __ATOMIC_RELAXED);
	}
	for (at = 0; at < sectors; at += n) {
		n = MOST / 512 < sectors - at ? MOST / 512 : sectors - at;
		io(fd, 0, base, n * 512, (p->begin + at) * 512);
		for (i = 0; i < n; i++)
			if (!right((void *)(base + i * 512), p->begin + at + i,
				   p->generation[at + i])) {
				errno = 0;
				fail("wrong data in the end", (p->begin + at + i) * 512);
			}
	}
	close(fd);
	return NULL;
}

static void verify_all(double seconds, unsigned int threads)
{
	struct part part[64] = { };
	uint64_t sectors, i;

	close(open_dev(O_RDWR));
	sectors = size / 512 / threads / 8 * 8;
	end_time = now() + seconds;
	for (i = 0; i < threads; i++) {
		part[i].begin = i * sectors;
		part[i].end = part[i].begin + sectors;
		part[i].random = mix(seed + i);
		part[i].generation = calloc(sectors, sizeof(uint32_t));
		if (pthread_create(&part[i].thread, NULL, verify, &part[i]))
			exit(99);
	}
	for (i = 0; i < threads; i++)
		pthread_join(part[i].thread, NULL);
	printf("blockio ok, %llu KiB\n", (unsigned long long)done_bytes >> 10);
}

static void all(int write)
{
	int fd = open_dev(write ? O_RDWR : O_RDONLY);
	uint64_t at, n, i;
	char *b = buffer();

	for (at = 0; at < size; at += n) {
		n = size - at < MOST ? size - at : MOST;
		for (i = 0; write && i < n; i += 512)
			pattern((void *)(b + i), (at + i) / 512, 1);
		io(fd, write, b, n, at);
		for (i = 0; i < n; i += 512)
			if (!right((void *)(b + i), (at + i) / 512, 1)) {
				errno = 0;
				fail("wrong data", at + i);
			}
	}
	if (write && fsync(fd))
		fail("flush", 0);
	printf("blockio ok, %llu KiB\n", (unsigned long long)size >> 10);
}

static void zeroes(uint64_t offset, uint64_t bytes)
{
	int fd = open_dev(O_RDONLY);
	uint64_t i, n;
	char *b = buffer();

	for (; bytes; bytes -= n, offset += n) {
		n = bytes < MOST ? bytes : MOST;
		io(fd, 0, b, n, offset);
		for (i = 0; i < n; i++)
			if (b[i]) {
				errno = 0;
				fail("not a zero", offset + i);
			}
	}
}

static uint64_t loop(int fd, int write, unsigned int bytes, unsigned int n, double seconds)
{
	uint64_t x = seed, begin;
	double end = now() + seconds;
	char *b = buffer();
	unsigned int i;

	memset(b, 0x5a, bytes);
	begin = __rdtsc();
	for (i = 0; seconds ? now() < end : i < n; i++) {
		x = mix(x);
		io(fd, write, b, bytes, x % (size / bytes) * bytes);
	}
	begin = __rdtsc() - begin;
	free(b);
	return seconds ? i : begin;
}

static void speed(int write, unsigned int bytes)
{
	int fd = open_dev(write ? O_RDWR : O_RDONLY);

	printf("%llu\n", (unsigned long long)loop(fd, write, bytes, 0, 1));
}

static void count(int write, unsigned int bytes)
{
	int fd = open_dev(write ? O_RDWR : O_RDONLY);
	unsigned int n = bytes > 65536 ? 50 : 1000;
	uint64_t one, two;

	loop(fd, write, bytes, n, 0);
	one = loop(fd, write, bytes, n, 0);
	two = loop(fd, write, bytes, 2 * n, 0);
	printf("%s %u: %llu\n", write ? "write" : "read", bytes,
	       (unsigned long long)(two - one) / n);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	uint64_t range[2];

	if (!strcmp(what, "loop") && argc == 6) {
		int write = !strcmp(argv[2], "write");

		dev = argv[3];
		loop(open_dev(write ? O_RDWR : O_RDONLY), write, atoi(argv[4]), atoi(argv[5]), 0);
		return 0;
	}
	if (!strcmp(what, "count") && argc == 5) {
		dev = argv[3];
		count(!strcmp(argv[2], "write"), atoi(argv[4]));
		return 0;
	}
	dev = argv[2];
	if (!strcmp(what, "verify") && argc >= 5) {
		seed = argc > 5 ? strtoull(argv[5], NULL, 0) : 1;
		verify_all(atof(argv[3]), atoi(argv[4]));
		return 0;
	}
	if ((!strcmp(what, "keep") || !strcmp(what, "same")) && argc == 4) {
		seed = strtoull(argv[3], NULL, 0);
		all(!strcmp(what, "keep"));
		return 0;
	}
	if ((!strcmp(what, "read") || !strcmp(what, "write")) && argc == 4) {
		speed(!strcmp(what, "write"), atoi(argv[3]));
		return 0;
	}
	if (argc == 5) {
		range[0] = strtoull(argv[3], NULL, 0);
		range[1] = strtoull(argv[4], NULL, 0);
		if (!strcmp(what, "zeroes")) {
			zeroes(range[0], range[1]);
			return 0;
		}
		if (ioctl(open_dev(O_RDWR), !strcmp(what, "zero") ? BLKZEROOUT : BLKDISCARD, range))
			fail(what, range[0]);
		return 0;
	}
	printf("usage: see blockio.c\n");
	return 2;
}
