// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile end of a network device, over /dev/parvus:
 *	netevil front ID [CASE...]	in a domain U: lies to the back end's kernel
 *	netevil front ID greedy		tells no lie, and sends for 12 seconds as fast as it can
 *	netevil back ID [CASE...]	in domain 0: lies to the front end's kernel
 *	netevil hoard ID TIMES		in domain 0: connects, goes, and keeps what it mapped,
 *					TIMES or until the front end makes no more links
 * Each case connects anew, does what it is named for, and says how it should end: with the
 * other end CLOSED, or, for what is no lie, CONNECTED. All cases by default. Prints what
 * is not so, and then "netevil ok" if nothing was.
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
#include <parvus/linux.h>
#include <parvus/network.h>

#define SLOTS	32u
#define POOL	(2 * SLOTS)
#define PAGES	(3 + POOL)	/* directory, table, rings, pool */
#define SLOT	struct parvus_network_slot

static const char *current = "none";
static int is_front, device, event, grant, peer_domain, bad;
static uint32_t id, port, front_state, back_state;
static unsigned char *memory;	/* front: all pages, in that order */
static struct parvus_ring *rings;
static unsigned char *pool;
static uint32_t ring_slots = SLOTS;

static void die(const char *what)
{
	printf("netevil: %s: %s: %s, states %u %u\n", current, what, strerror(errno), front_state,
	       back_state);
	exit(1);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* ---- the registry ---- */

static struct parvus_device record(void)
{
	struct parvus_device d = { .size = sizeof(d), .version = 1, .id = id };
	struct parvus_ioctl_call c = {
		.op = PARVUS_DEVICE_READ, .bytes = sizeof(d), .data = (uintptr_t)&d,
	};

	if (ioctl(device, PARVUS_IOC_CALL, &c))
		die("READ");
	return d;
}

static uint32_t peer_state(void)
{
	struct parvus_device d = record();

	front_state = d.front_state;
	back_state = d.back_state;
	return is_front ? d.back_state : d.front_state;
}

static int set(uint32_t state, const void *blob, size_t bytes)
{
	struct parvus_device d = { .size = sizeof(d), .version = 1, .id = id };
	struct parvus_ioctl_call c = {
		.op = PARVUS_DEVICE_SET, .bytes = sizeof(d), .data = (uintptr_t)&d,
	};

	*(is_front ? &d.front_state : &d.back_state) = state;
	if (blob) {
		d.flags = PARVUS_DEVICE_WRITE;
		memcpy(is_front ? d.front_blob : d.back_blob, blob, bytes);
	}
	return ioctl(device, PARVUS_IOC_CALL, &c);
}

/* The other end gets there within some seconds. */
static int peer_gets(uint32_t state)
{
	double end = seconds() + 8;

	while (peer_state() != state) {
		if (seconds() > end)
			return 0;
		usleep(2000);
	}
	return 1;
}

/* ---- both ends' memory ---- */

/* Of this connection: what is mapped keeps its file open. */
static struct { void *at; size_t bytes; } maps[8];
static unsigned int mapped;

static void *map(uint32_t *refs, uint32_t count, int offer, uint32_t flags)
{
	struct parvus_ioctl_grant g = {
		.domain = peer_domain, .count = count, .flags = flags, .refs = (uintptr_t)refs,
	};
	void *p;

	if (ioctl(grant, offer ? PARVUS_IOC_GRANT_OFFER : PARVUS_IOC_GRANT_MAP, &g))
		die("grant");
	p = mmap(NULL, count * 4096ul, flags ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED,
		 grant, g.offset);
	if (p == MAP_FAILED)
		die("mmap");
	maps[mapped].at = p;
	maps[mapped++].bytes = count * 4096ul;
	return p;
}

static void begin(const char *name)
{
	current = name;
	device = open("/dev/parvus/device", O_RDWR);
	event = open("/dev/parvus/event", O_RDWR);
	grant = open("/dev/parvus/grant", O_RDWR);
	if (device < 0 || event < 0 || grant < 0)
		die("open");
	if (set(PARVUS_DEVICE_INITIALISING, NULL, 0))
		die("INITIALISING");
}

static void end(void)
{
	while (mapped) {
		mapped--;
		munmap(maps[mapped].at, maps[mapped].bytes);
	}
	close(event);
	close(grant);
	close(device);
	usleep(20000);	/* the other end sees CLOSED */
}

/* What a front end says, which a case may change before it is said. */
struct link {
	struct parvus_link blob;
	struct parvus_link_queue *queue;
	uint32_t *table;
};

static void front_link(struct link *l)
{
	struct parvus_event_bind bind = {
		.size = sizeof(bind), .version = 1, .kind = PARVUS_EVENT_UNBOUND,
		.domain = peer_domain,
	};
	static uint32_t refs[PAGES];

	memory = map(refs, PAGES, 1, 0);
	if (ioctl(event, PARVUS_IOC_BIND, &bind))
		die("BIND");
	port = bind.port;
	l->queue = (void *)memory;
	l->table = (void *)(memory + 4096);
	rings = (void *)(memory + 2 * 4096);
	pool = memory + 3 * 4096;
	rings[0].consumer_wake = rings[1].consumer_wake = 1;
	*l->queue = (struct parvus_link_queue){
		.port = port, .ring_pages = 1, .pool_pages = POOL,
		.ring_ref[0] = refs[2], .table_ref[0] = refs[1],
	};
	memcpy(l->table, refs + 3, POOL * sizeof(refs[0]));
	l->blob = (struct parvus_link){
		.version = PARVUS_LINK_VERSION, .queues = 1, .directory = refs[0],
		.features = PARVUS_NETWORK_HAS_CSUM | PARVUS_NETWORK_HAS_TSO4 |
			    PARVUS_NETWORK_HAS_TSO6,
	};
}

static const struct parvus_network_info honest = {
	.link = {
		.version = PARVUS_LINK_VERSION, .queues = 1, .pool_pages = POOL,
		.features = PARVUS_NETWORK_HAS_CSUM | PARVUS_NETWORK_HAS_TSO4 |
			    PARVUS_NETWORK_HAS_TSO6,
	},
	.mtu = 1500, .carrier = 1,
};

/* The back end's part: map what the front end offers. */
static void back_link(void)
{
	struct parvus_event_bind bind = {
		.size = sizeof(bind), .version = 1, .kind = PARVUS_EVENT_INTERDOMAIN,
		.domain = peer_domain,
	};
	struct parvus_device d = record();
	struct parvus_link *l = (void *)d.front_blob;
	struct parvus_link_queue *q;
	uint32_t *table;

	q = map(&l->directory, 1, 0, PARVUS_GRANT_READONLY);
	table = map(q->table_ref, 1, 0, PARVUS_GRANT_READONLY);
	rings = map(q->ring_ref, q->ring_pages, 0, 0);
	pool = map(table, q->pool_pages, 0, 0);
	ring_slots = q->pool_pages / 2;
	bind.remote_port = q->port;
	if (ioctl(event, PARVUS_IOC_BIND, &bind))
		die("BIND");
	port = bind.port;
}

/* ---- what is said through the rings ---- */

static struct parvus_ring *our_ring(void) { return &rings[!is_front]; }
static struct parvus_ring *their_ring(void) { return &rings[is_front]; }

static SLOT *our_slot(uint32_t i)
{
	SLOT *slots = (void *)(rings + 2);

	return &slots[(is_front ? 0 : ring_slots) + i % ring_slots];
}

static unsigned char *our_page(uint32_t i)
{
	return pool + ((is_front ? 0 : ring_slots) + i % ring_slots) * 4096ul;
}

static void notify(void)
{
	/* EAGAIN: the other end has closed by now */
	if (ioctl(event, PARVUS_IOC_SEND, &port) && errno != EAGAIN)
		die("SEND");
}

static void publish(uint32_t produced)
{
	__atomic_store_n(&our_ring()->produced, produced, __ATOMIC_RELEASE);
	notify();
}

/* A broadcast of a protocol that nobody knows. */
static void frame(unsigned char *to, uint16_t protocol)
{
	memset(to, 0x5a, 4096);
	memset(to, 0xff, 6);
	memcpy(to + 6, "\x02\x00\x00\x00\x66\x66", 6);
	to[12] = protocol >> 8;
	to[13] = protocol;
}

static void slot_case(const SLOT *slots, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		frame(our_page(i), 0x88b5);
		*our_slot(i) = slots[i];
	}
	publish(count);
}

#define MORE	PARVUS_NETWORK_MORE
#define CSUM	PARVUS_NETWORK_NEEDS_CSUM
#define TSO	.flags = CSUM, .csum_start = 34, .csum_offset = 16, .gso = 1, .gso_bytes = 1000

static const struct {
	const char *name;
	int good;
	SLOT slot[2];
} one_slots[] = {
	{ "good", 1, { { .bytes = 60 } } },
	{ "good-two", 1, { { .bytes = 4096, .flags = MORE }, { .bytes = 100 } } },
	{ "no-tcp-csum", 1,
	  { { .bytes = 60, .flags = CSUM, .csum_start = 14, .csum_offset = 44 } } },
	{ "no-tcp-gso", 1, { { .bytes = 4096, TSO } } },
	{ "no-tcp-gso-tiny", 1, { { .bytes = 52, TSO } } },
	{ "gso-of-1", 1, { { .bytes = 4096, .flags = CSUM, .csum_start = 34, .csum_offset = 16,
			     .gso = 1, .gso_bytes = 1 } } },
	{ "gso-by-frags", 1, { { .bytes = 4096, .flags = CSUM, .csum_start = 34,
				 .csum_offset = 16, .gso = 4, .gso_bytes = 65535 } } },
	{ "no-bytes", 0, { { .bytes = 0 } } },
	{ "bytes", 0, { { .bytes = 4097 } } },
	{ "bytes-max", 0, { { .bytes = 65535 } } },
	{ "offset", 0, { { .offset = 4090, .bytes = 60 } } },
	{ "offset-max", 0, { { .offset = 65535, .bytes = 65535 } } },
	{ "short", 0, { { .bytes = 13 } } },
	{ "flags", 0, { { .bytes = 60, .flags = 8 } } },
	{ "reserved", 0, { { .bytes = 60, .reserved = 1 } } },
	{ "csum-end", 0, { { .bytes = 60, .flags = CSUM, .csum_start = 45, .csum_offset = 14 } } },
	{ "csum-max", 0, { { .bytes = 60, .flags = CSUM, .csum_start = 65535,
			     .csum_offset = 65535 } } },
	{ "csum-low", 0, { { .bytes = 60, .flags = CSUM, .csum_start = 13 } } },
	{ "csum-both", 0, { { .bytes = 60, .flags = CSUM | 4, .csum_start = 14 } } },
	{ "gso-unknown", 0, { { .bytes = 2000, .flags = CSUM, .csum_start = 34, .gso = 3,
				.gso_bytes = 1000 } } },
	{ "gso-no-csum", 0, { { .bytes = 2000, .gso = 1, .gso_bytes = 1000 } } },
	{ "gso-zero", 0, { { .bytes = 2000, .flags = CSUM, .csum_start = 34, .gso = 1 } } },
	{ "second", 0, { { .bytes = 60, .flags = MORE }, { .bytes = 60, .gso = 1 } } },
	{ "part", 0, { { .bytes = 60, .flags = MORE }, { .bytes = 60, .flags = MORE } } },
};

static void all_slots(SLOT slot, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		*our_slot(i) = slot;
	publish(count);
}

static void endless(void) { all_slots((SLOT){ .bytes = 4, .flags = MORE }, ring_slots); }
static void too_long(void) { all_slots((SLOT){ .bytes = 4096, .flags = MORE }, 17); }
static void produced_far(void) { publish(ring_slots + 1); }
static void produced_max(void) { publish(0x80000000u); }

static void produced_back(void)
{
	frame(our_page(0), 0x88b5);
	*our_slot(0) = (SLOT){ .bytes = 60 };
	publish(1);
	usleep(100000);
	publish(0);
}

/* The other end finds out when it sends next, or is asked to look. */
static void consumed_ahead(void)
{
	their_ring()->consumed = their_ring()->produced + 1000;
	notify();
}

static void storm(void)
{
	int i;

	for (i = 0; i < 20000; i++)
		notify();
}

static volatile int scribbling;

static void *scribble(void *unused)
{
	unsigned int seed = 7;

	while (scribbling) {
		uint32_t i = rand_r(&seed) % ring_slots;

		our_page(i)[rand_r(&seed) % 64] = rand_r(&seed);
		if (rand_r(&seed) % 4 == 0)
			our_slot(i)->csum_start = rand_r(&seed) % 200;
		if (rand_r(&seed) % 64 == 0)
			our_slot(i)->bytes = 40 + rand_r(&seed) % 4000;
	}
	return unused;
}

/* Packets of IPv4 and TCP that change while they are looked at. */
static void changing(void)
{
	static const unsigned char ip[] = {
		0x45, 0, 0x0f, 0x00, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 66, 10, 0, 0, 1,
		0x12, 0x34, 0x13, 0x88, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0x10, 0, 0, 0, 0, 0,
	};
	double until = seconds() + 1.5;
	uint32_t i, at = 0;
	pthread_t thread;

	scribbling = 1;
	pthread_create(&thread, NULL, scribble, NULL);
	while (seconds() < until && peer_state() == PARVUS_DEVICE_CONNECTED) {
		for (i = 0; i < 8; i++, at++) {
			frame(our_page(at), 0x0800);
			memcpy(our_page(at) + 14, ip, sizeof(ip));
			*our_slot(at) = (SLOT){ .bytes = 3900, TSO };
		}
		publish(at);
		for (i = 0; i < 100 && our_ring()->consumed != at; i++)
			usleep(100);
		if (our_ring()->consumed != at)
			break;
	}
	scribbling = 0;
	pthread_join(thread, NULL);
}

static void noise(void)
{
	uint32_t *words = (void *)rings;
	int i;

	srandom(id + is_front);
	for (i = 0; i < 300; i++) {
		uint32_t k = random() % 8;

		if (k == 0 && i > 200)
			words[random() % 64] = random();
		else
			((unsigned char *)our_slot(random()))[random() % sizeof(SLOT)] = random();
		publish(our_ring()->produced + (k == 1));
		usleep(200);
	}
}

/* The ring is always full, of what is right. */
static void greedy(void)
{
	double until = seconds() + 12;
	uint32_t i;

	for (i = 0; i < ring_slots; i++) {
		frame(our_page(i), 0x88b5);
		*our_slot(i) = (SLOT){ .bytes = 60 };
	}
	/* seldom an event: the other end is awake, and it would hold us up */
	for (publish(ring_slots), i = 0; i % 4096 || seconds() < until; i++) {
		__atomic_store_n(&our_ring()->produced, our_ring()->consumed + ring_slots,
				 __ATOMIC_RELEASE);
		if (i % 1024 == 0)
			notify();
	}
	printf("%u packets\n", our_ring()->consumed);
}

static const struct {
	const char *name;
	void (*run)(void);
	int good;	/* 2: both ends are right */
} ring_cases[] = {
	{ "endless", endless, 0 }, { "too-long", too_long, 0 },
	{ "produced-far", produced_far, 0 }, { "produced-max", produced_max, 0 },
	{ "produced-back", produced_back, 0 }, { "consumed-ahead", consumed_ahead, 2 },
	{ "storm", storm, 1 }, { "changing", changing, 2 }, { "noise", noise, 2 },
};

/* ---- lies about the link ---- */

static void link_case(struct link *l, int n)
{
	switch (n) {
	case 0: l->blob.version = 2; break;
	case 1: l->blob.queues = 0; break;
	case 2: l->blob.queues = 33; break;
	case 3: l->blob.features = ~0ull; break;
	case 4: l->blob.directory = 0; break;
	case 5: l->blob.directory = 0xffffffff; break;
	case 6: l->blob.reserved[2] = 1; break;
	case 7: l->queue->port = 0; break;
	case 8: l->queue->port = 0xffffffff; break;
	case 9: l->queue->ring_pages = 0; break;
	case 10: l->queue->ring_pages = 17; break;
	case 11: l->queue->ring_pages = 16; break;	/* of which there is one */
	case 12: l->queue->pool_pages = 0; break;
	case 13: l->queue->pool_pages = 33; break;	/* 16 slots */
	case 14: l->queue->pool_pages = 0xffffffff; break;
	case 15: l->queue->pool_pages = 1024; break;	/* of which there are 64 */
	case 16: l->queue->ring_ref[0] = 0x12345678; break;
	case 17: l->queue->table_ref[0] = 0; break;
	case 18: l->table[POOL - 1] = 0; break;
	case 19: memset(l->table, 0xff, 4096); break;
	case 20: l->queue->reserved = 1; break;
	}
}
#define LINK_CASES	21

static void info_case(struct parvus_network_info *i, int n)
{
	switch (n) {
	case 0: i->link.version = 7; break;
	case 1: i->link.queues = 0; break;
	case 2: i->mtu = 0; break;
	case 3: i->link.pool_pages = 0; break;
	case 4: i->link.pool_pages = 33; break;
	case 5: memset(i, 0xff, sizeof(*i)); break;
	}
}
#define INFO_CASES	6

/* ---- running ---- */

static void judge(const char *name, int good)
{
	uint32_t state;

	if (good) {
		usleep(200000);
		state = peer_state();
		if (state != PARVUS_DEVICE_CONNECTED && good == 1) {
			printf("%s: state %u\n", name, state);
			bad = 1;
		}
	} else if (!peer_gets(PARVUS_DEVICE_CLOSED)) {
		printf("%s: not closed but %u\n", name, peer_state());
		bad = 1;
	}
}

/* False: the link is not to be had, as a lie about it is meant to have it. */
static int connect_front(int lie)
{
	struct link l;

	if (!peer_gets(PARVUS_DEVICE_READY))
		die("the back end is not ready for the next case");
	front_link(&l);
	link_case(&l, lie);
	if (set(PARVUS_DEVICE_READY, &l.blob, sizeof(l.blob)))
		die("READY");
	if (lie >= 0)
		return 0;
	if (!peer_gets(PARVUS_DEVICE_CONNECTED))
		die("the back end does not connect");
	return !set(PARVUS_DEVICE_CONNECTED, NULL, 0);
}

static int connect_back(int lie)
{
	struct parvus_network_info info = honest;

	if (!peer_gets(PARVUS_DEVICE_INITIALISING))
		die("no front end");
	info_case(&info, lie);
	if (set(PARVUS_DEVICE_READY, &info, sizeof(info)))
		die("READY");
	if (lie >= 0)
		return 0;
	if (!peer_gets(PARVUS_DEVICE_READY))
		die("the front end makes no link");
	back_link();
	if (set(PARVUS_DEVICE_CONNECTED, NULL, 0))
		die("CONNECTED");
	return peer_gets(PARVUS_DEVICE_CONNECTED);
}

static int wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 3; i < argc; i++)
		if (!strcmp(name, argv[i]))
			return 1;
	return argc <= 3;
}

static void states(void)
{
	struct link l;
	int i;

	begin("states");
	front_link(&l);
	for (i = 0; i < 300; i++) {
		set(PARVUS_DEVICE_READY, &l.blob, sizeof(l.blob));
		set(i % 3 ? PARVUS_DEVICE_INITIALISING : PARVUS_DEVICE_CONNECTED, NULL, 0);
		set(i % 5 ? PARVUS_DEVICE_INITIALISING : PARVUS_DEVICE_CLOSED, NULL, 0);
		set(PARVUS_DEVICE_INITIALISING, NULL, 0);
		usleep(i * 10);
	}
	end();
}

/* No mapping ends before this program does. */
static void hoard(int times)
{
	int n;

	for (n = 0; n < times; n++) {
		begin("hoard");
		if (!peer_gets(PARVUS_DEVICE_INITIALISING) ||
		    set(PARVUS_DEVICE_READY, &honest, sizeof(honest)))
			die("READY");
		if (!peer_gets(PARVUS_DEVICE_READY))
			break;
		back_link();
		mapped = 0;
		close(device);
		close(event);
	}
	printf("kept %d links\n", n);
	fflush(stdout);
	close(device);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	char name[32];
	unsigned int i;

	if (argc < 3)
		return 2;
	is_front = !strcmp(argv[1], "front");
	id = atoi(argv[2]);
	device = open("/dev/parvus/device", O_RDWR);
	peer_domain = is_front ? record().back_domain : record().front_domain;
	close(device);
	if (!strcmp(argv[1], "hoard"))
		hoard(argc > 3 ? atoi(argv[3]) : 10);
	if (is_front && argc > 3 && !strcmp(argv[3], "greedy")) {
		begin(argv[3]);
		if (connect_front(-1))
			greedy();
		judge(argv[3], 1);
		end();
		return bad;
	}
	for (i = 0; i < (is_front ? LINK_CASES : INFO_CASES); i++) {
		snprintf(name, sizeof(name), "link-%u", i);
		if (!wanted(name, argc, argv))
			continue;
		begin(name);
		is_front ? connect_front(i) : connect_back(i);
		judge(name, 0);
		end();
	}
	for (i = 0; i < sizeof(one_slots) / sizeof(one_slots[0]); i++) {
		if (!wanted(one_slots[i].name, argc, argv))
			continue;
		begin(one_slots[i].name);
		if (is_front ? connect_front(-1) : connect_back(-1))
			slot_case(one_slots[i].slot, 1 + !!one_slots[i].slot[1].bytes);
		judge(one_slots[i].name, one_slots[i].good);
		end();
	}
	for (i = 0; i < sizeof(ring_cases) / sizeof(ring_cases[0]); i++) {
		if (!wanted(ring_cases[i].name, argc, argv))
			continue;
		begin(ring_cases[i].name);
		if (is_front ? connect_front(-1) : connect_back(-1))
			ring_cases[i].run();
		judge(ring_cases[i].name, ring_cases[i].good);
		end();
	}
	if (is_front && wanted("states", argc, argv))
		states();
	if (!bad)
		puts("netevil ok");
	return bad;
}
