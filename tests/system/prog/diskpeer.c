// SPDX-License-Identifier: GPL-2.0-only
/*
 * One end of a block device as a program (parvus/block.h), good or evil:
 *   diskpeer front ID KIND [SEED]	a front end that lies in that way; says what the back
 *					end did: "closed", or "answered STATUS"
 *   diskpeer front ID greedy	one that tells no lie, and asks for 12 seconds as fast as it can
 *   diskpeer back ID KIND		a back end, of a disk in memory, that answers some
 *					requests, then lies; "good" serves until it is killed
 * "diskpeer front" and "diskpeer back" list their kinds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <parvus/block.h>
#include <parvus/linux.h>
#include <parvus/ring_ops.h>

#define RING_PAGES	16	/* as many as a queue may have */
#define POOL_PAGES	64
#define DISK		(8u << 20)

static const char *const front_kinds[] = {
	"good", "version", "no-queue", "queues", "features", "directory", "no-ring", "rings",
	"pool", "no-pool", "ring-ref", "table-ref", "pool-ref", "port",
	"jump", "back-jump", "answers-jump",
	"no-segment", "segments", "outside", "overflow", "unaligned", "short", "table", "empty",
	"flush-sector", "flags", "end", "wrap", "op", "garbage", "table-race", NULL,
};
static const char *const back_kinds[] = {
	"good", "id", "twice", "never-issued", "jump", "consumed", "block-size", "no-bytes",
	"no-version", NULL,
};

static int device_fd, grant_fd, event_fd;
static uint32_t id, back_flag;
static int is_front;
static const char *kind;
static uint64_t seed = 1;

static int is(const char *k) { return !strcmp(kind, k); }

static void check(const char *what, int good)
{
	if (good)
		return;
	printf("diskpeer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t random64(void)
{
	seed += 0x9e3779b97f4a7c15ull;
	uint64_t x = seed;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static int registry(uint32_t op, struct parvus_device *d)
{
	struct parvus_ioctl_call call = { .op = op, .bytes = sizeof(*d), .data = (uintptr_t)d };

	d->size = sizeof(*d);
	d->version = 1;
	d->id = id;
	return ioctl(device_fd, PARVUS_IOC_CALL, &call);
}

static void set(uint32_t state, const void *blob, size_t len)
{
	struct parvus_device d = { .flags = back_flag };

	*(is_front ? &d.front_state : &d.back_state) = state;
	if (blob) {
		d.flags |= PARVUS_DEVICE_WRITE;
		memcpy(is_front ? d.front_blob : d.back_blob, blob, len);
	}
	check("SET", !registry(PARVUS_DEVICE_SET, &d));
}

static struct parvus_device look(void)
{
	struct parvus_device d = { };

	check("READ", !registry(PARVUS_DEVICE_READ, &d));
	return d;
}

static uint32_t other(void)
{
	struct parvus_device d = look();

	return is_front ? d.back_state : d.front_state;
}

/* The other end gets there within some seconds. */
static int reaches(uint32_t state)
{
	int i;

	for (i = 0; i < 600; i++) {
		if (other() == state)
			return 1;
		usleep(10000);
	}
	return 0;
}

static void *offer(uint32_t domain, unsigned int n, uint32_t *refs)
{
	struct parvus_ioctl_grant g = { .domain = domain, .count = n, .refs = (uintptr_t)refs };
	void *p;

	check("OFFER", !ioctl(grant_fd, PARVUS_IOC_GRANT_OFFER, &g));
	p = mmap(NULL, n * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, grant_fd, g.offset);
	check("mmap", p != MAP_FAILED);
	return p;
}

static void *maps(uint32_t domain, const uint32_t *refs, unsigned int n, uint32_t flags)
{
	struct parvus_ioctl_grant g = { .domain = domain, .count = n, .refs = (uintptr_t)refs,
					.flags = flags };
	void *p;

	check("MAP", !ioctl(grant_fd, PARVUS_IOC_GRANT_MAP, &g));
	p = mmap(NULL, n * 4096, PROT_READ | (flags ? 0 : PROT_WRITE), MAP_SHARED, grant_fd,
		 g.offset);
	check("mmap of others", p != MAP_FAILED);
	return p;
}

static uint32_t bind_port(uint32_t how, uint32_t domain, uint32_t remote)
{
	struct parvus_event_bind b = { .size = sizeof(b), .version = 1, .kind = how,
				       .domain = domain, .remote_port = remote };

	check("BIND", !ioctl(event_fd, PARVUS_IOC_BIND, &b));
	return b.port;
}

static void notify(uint32_t port)
{
	ioctl(event_fd, PARVUS_IOC_SEND, &port);
}

/* ---- front end ---- */

static uint32_t refs[2 + RING_PAGES + POOL_PAGES], port;
static struct parvus_link_queue *directory;
static uint32_t *table;
static struct parvus_ring *rings;
static char *pool;
static struct parvus_producer requests;
static struct parvus_consumer answers;

static void front_link(uint32_t domain)
{
	struct parvus_link link = { .version = PARVUS_LINK_VERSION, .queues = 1 };
	uint32_t count, i;
	char *p = offer(domain, 2 + RING_PAGES + POOL_PAGES, refs);

	directory = (void *)p;
	table = (void *)(p + 4096);
	rings = (void *)(p + 2 * 4096);
	pool = p + (2 + RING_PAGES) * 4096;
	port = bind_port(PARVUS_EVENT_UNBOUND, domain, 0);
	count = parvus_ring_count(RING_PAGES * 4096 - 2 * sizeof(*rings),
				  sizeof(struct parvus_block_request) +
				  sizeof(struct parvus_block_response));
	parvus_ring_format(&rings[0]);
	parvus_ring_format(&rings[1]);
	parvus_producer_init(&requests, &rings[0], rings + 2, count,
			     sizeof(struct parvus_block_request), 0);
	parvus_consumer_init(&answers, &rings[1], (char *)(rings + 2) +
			     count * sizeof(struct parvus_block_request), count,
			     sizeof(struct parvus_block_response), 0);
	directory->port = is("port") ? 4000 : port;
	directory->ring_pages = is("no-ring") ? 0 : is("rings") ? 17 : RING_PAGES;
	directory->pool_pages = is("no-pool") ? 0 : is("pool") ? 0x40000001 : POOL_PAGES;
	for (i = 0; i < RING_PAGES; i++)
		directory->ring_ref[i] = is("ring-ref") ? 9999 + i : refs[2 + i];
	directory->table_ref[0] = is("table-ref") ? 0xffffffff : refs[1];
	for (i = 0; i < POOL_PAGES; i++)
		table[i] = is("pool-ref") ? 777777 : refs[2 + RING_PAGES + i];
	link.directory = is("directory") ? 12345 : refs[0];
	if (is("version"))
		link.version = 7;
	if (is("no-queue") || is("queues"))
		link.queues = is("queues") ? 1000 : 0;
	if (is("features"))
		link.features = ~0ull;
	set(PARVUS_DEVICE_READY, &link, sizeof(link));
}

/* One request; its answer, or 1 if the back end closes, 2 if nothing happens. */
static int ask(const struct parvus_block_request *r)
{
	struct parvus_block_response a;
	int i;

	if (parvus_producer_room(&requests))
		parvus_produce(&requests, r);
	parvus_publish(&requests);
	notify(port);
	for (i = 0; i < 300; i++) {
		if (parvus_consume(&answers, &a)) {
			parvus_release(&answers);
			return a.status;
		}
		if (other() != PARVUS_DEVICE_CONNECTED)
			return 1;
		usleep(i < 50 ? 1000 : 10000);
	}
	return 2;
}

static struct parvus_block_request evil_request(void)
{
	struct parvus_block_request r = {
		.op = PARVUS_BLOCK_WRITE, .segments = 1, .sector = 8, .sectors = 8, .id = 77,
		.segment = { { .offset = 4096, .bytes = 4096 } },
	};

	if (is("no-segment"))
		r.segments = 0;
	if (is("segments"))
		r.segments = 5000;
	if (is("outside"))
		r.segment[0].offset = POOL_PAGES * 4096;
	if (is("overflow"))
		r.segment[0].offset = 0xfffff000;
	if (is("unaligned"))
		r.segment[0].offset = 4097;
	if (is("short"))
		r.sectors = 7;
	if (is("table")) {
		r.segments = 64;
		r.segment[0].offset = POOL_PAGES * 4096 - 8;
		r.segment[0].bytes = 512;
	}
	if (is("empty"))
		r.segment[0].bytes = 0;
	if (is("flush-sector"))
		r.op = PARVUS_BLOCK_FLUSH;
	if (is("flags"))
		r.flags = 0x80;
	if (is("end"))
		r.sector = 1ull << 40;
	if (is("wrap"))
		r.sector = ~0ull - 3;
	if (is("op"))
		r.op = 77;
	if (is("good"))
		r.op = PARVUS_BLOCK_READ;
	return r;
}

/* Requests of random bytes, some of them nearly right, until the back end has enough. */
static int garbage(void)
{
	struct parvus_block_request r;
	int i, ret = 0;

	for (i = 0; i < 2000 && ret != 1; i++) {
		uint64_t *word = (void *)&r;
		unsigned int j, w;

		r = evil_request();
		r.op = random64() % 6;
		w = random64() % (sizeof(r) / 8);
		for (j = 0; j < sizeof(r) / 8; j++)
			if (j == w || !(random64() % 8))
				word[j] = random64() >> random64() % 64;
		if (!(random64() % 4))
			memset(pool, (int)random64(), 4096);
		ret = ask(&r);
	}
	return ret;
}

static void *flicker(void *list)
{
	volatile struct parvus_block_segment *s = list;
	unsigned int i;

	for (i = 0;; i = (i + 1) % 8) {
		s[i].offset = 0x7ffff000;
		s[i].offset = 4096 + i * 4096;
	}
	return NULL;
}

/* A list of segments that changes while it is looked at: mostly good. */
static int table_race(void)
{
	struct parvus_block_segment *list = (void *)pool;
	struct parvus_block_request r = { .op = PARVUS_BLOCK_READ, .segments = 8, .sectors = 64,
					  .segment = { { .offset = 0, .bytes = 64 } } };
	pthread_t thread;
	int i, ret = 0;

	for (i = 0; i < 8; i++)
		list[i].bytes = 4096;
	pthread_create(&thread, NULL, flicker, list);
	for (i = 0; i < 20000 && ret != 1; i++)
		ret = ask(&r);
	return ret;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* As many requests as the rings have room for, all the time. */
static int greedy(void)
{
	struct parvus_block_request r = {
		.op = PARVUS_BLOCK_READ, .segments = 1, .sectors = POOL_PAGES * 8,
		.segment = { { .bytes = POOL_PAGES * 4096 } },
	};
	struct parvus_block_response a;
	uint32_t sent = 0, answered = 0, failed = 0;
	double until = now() + 12;

	while (now() < until) {
		while (sent - answered < requests.end.count && parvus_producer_room(&requests)) {
			r.id = sent % requests.end.count;
			parvus_produce(&requests, &r);
			sent++;
		}
		if (parvus_publish(&requests))
			notify(port);
		while (parvus_consume(&answers, &a)) {
			answered++;
			failed += !!a.status;
		}
		parvus_release(&answers);
	}
	printf("%u requests\n", answered);
	return failed || other() != PARVUS_DEVICE_CONNECTED;
}

static void front(void)
{
	struct parvus_block_request r = evil_request();
	int ret = 1;

	set(PARVUS_DEVICE_INITIALISING, NULL, 0);
	check("the back end goes READY", reaches(PARVUS_DEVICE_READY));
	front_link(look().back_domain);
	while (other() == PARVUS_DEVICE_READY)
		usleep(1000);
	if (other() == PARVUS_DEVICE_CONNECTED) {
		set(PARVUS_DEVICE_CONNECTED, NULL, 0);
		if (is("jump"))
			rings[0].produced = 100000;
		if (is("answers-jump"))
			rings[1].consumed = 5;
		if (is("back-jump")) {
			struct parvus_block_request good = r;

			good.op = PARVUS_BLOCK_READ;
			check("a good request", !ask(&good));
			rings[0].produced = 0;
		}
		if (is("jump") || is("back-jump"))
			notify(port);
		if (is("jump") || is("back-jump"))
			ret = reaches(PARVUS_DEVICE_CLOSED) ? 1 : 2;
		else
			ret = is("garbage") ? garbage() : is("table-race") ? table_race() :
			      is("greedy") ? greedy() : ask(&r);
	}
	if (ret == 1)
		printf("closed\n");
	else
		printf("answered %d\n", ret);
}

/* ---- back end ---- */

static char disk[DISK];

static int serve(char *data, const struct parvus_block_request *r)
{
	uint64_t at = r->sector * 512;
	unsigned int i;

	if (r->op > PARVUS_BLOCK_FLUSH)
		return -PARVUS_BLOCK_EOPNOTSUPP;
	for (i = 0; i < r->segments; i++) {
		const struct parvus_block_segment *s = &r->segment[i];

		if (r->segments > PARVUS_BLOCK_INLINE)
			s = (void *)(data + r->segment[0].offset + i * sizeof(*s));
		if (r->op == PARVUS_BLOCK_READ)
			memcpy(data + s->offset, disk + at, s->bytes);
		else
			memcpy(disk + at, data + s->offset, s->bytes);
		at += s->bytes;
	}
	return 0;
}

static void back_loop(uint32_t back_port, struct parvus_ring *ring, unsigned int pages, char *data,
		      unsigned int good)
{
	struct parvus_consumer in;
	struct parvus_producer out;
	struct parvus_block_request r;
	struct parvus_block_response a;
	uint32_t count = parvus_ring_count(pages * 4096 - 2 * sizeof(*ring), sizeof(r) + sizeof(a));
	uint32_t got, state;

	parvus_consumer_init(&in, &ring[0], ring + 2, count, sizeof(r), 0);
	parvus_producer_init(&out, &ring[1], (char *)(ring + 2) + count * sizeof(r), count,
			     sizeof(a), 0);
	for (;;) {
		while (parvus_consume(&in, &r)) {
			a.id = r.id;
			a.status = serve(data, &r);
			if (!good--) {
				good = 0;
				if (is("id"))
					a.id = 0xfffffff0;
				if (is("never-issued"))
					a.id ^= 1;
				if (is("twice"))
					parvus_produce(&out, &a);
			}
			parvus_produce(&out, &a);
			parvus_publish(&out);
			if (!good && is("jump"))
				ring[1].produced += 1000;
			if (!good && is("consumed"))
				ring[0].consumed += 1000;
			else
				parvus_release(&in);
			notify(back_port);
		}
		state = other();
		if (state != PARVUS_DEVICE_CONNECTED && state != PARVUS_DEVICE_READY)
			break;
		if (parvus_consumer_sleep(&in)) {
			struct timespec t = { .tv_nsec = 20000000 };

			write(event_fd, &back_port, sizeof(back_port));
			/* an event, or a look at the state */
			if (read(event_fd, &got, sizeof(got)) < 0)
				nanosleep(&t, NULL);
		}
	}
}

static void back(void)
{
	struct parvus_block_info info = {
		.link = { .version = PARVUS_LINK_VERSION, .queues = 1, .pool_pages = 256,
			  .features = PARVUS_BLOCK_HAS_FLUSH },
		.logical_block = 512, .physical_block = 4096, .sectors = DISK / 512,
		.bytes = 128 << 10,
	};
	struct parvus_link_queue *q;
	struct parvus_device d;
	struct parvus_link link;
	char *data;

	if (is("block-size"))
		info.logical_block = 3;
	if (is("no-bytes"))
		info.bytes = 0;
	if (is("no-version"))
		info.link.version = 0;
	set(PARVUS_DEVICE_INITIALISING, NULL, 0);
	set(PARVUS_DEVICE_READY, &info, sizeof(info));
	if (!reaches(PARVUS_DEVICE_READY)) {
		printf("refused\n");
		return;
	}
	d = look();
	memcpy(&link, d.front_blob, sizeof(link));
	q = maps(d.front_domain, &link.directory, 1, PARVUS_GRANT_READONLY);
	rings = maps(d.front_domain, q->ring_ref, q->ring_pages, 0);
	table = maps(d.front_domain, q->table_ref, 1, PARVUS_GRANT_READONLY);
	data = maps(d.front_domain, table, q->pool_pages, 0);
	port = bind_port(PARVUS_EVENT_INTERDOMAIN, d.front_domain, q->port);
	set(PARVUS_DEVICE_CONNECTED, NULL, 0);
	back_loop(port, rings, q->ring_pages, data, is("good") ? -1 : 20);
	printf("closed\n");
}

int main(int argc, char **argv)
{
	const char *const *k;

	is_front = argc > 1 && !strcmp(argv[1], "front");
	k = is_front ? front_kinds : back_kinds;
	if (argc < 4) {
		for (; *k; k++)
			printf("%s ", *k);
		printf("\n");
		return 0;
	}
	id = strtoul(argv[2], NULL, 0);
	kind = argv[3];
	if (argc > 4)
		seed = strtoull(argv[4], NULL, 0);
	device_fd = open("/dev/parvus/device", O_RDWR);
	grant_fd = open("/dev/parvus/grant", O_RDWR);
	event_fd = open("/dev/parvus/event", O_RDWR | O_NONBLOCK);
	check("open", device_fd >= 0 && grant_fd >= 0 && event_fd >= 0);
	if (!is_front && look().front_domain == look().back_domain)
		back_flag = PARVUS_DEVICE_AS_BACK;
	if (is_front)
		front();
	else
		back();
	fflush(stdout);
	return 0;
}
