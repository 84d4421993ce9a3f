// SPDX-License-Identifier: GPL-2.0-only
/*
 * entropy-hostile front WHICH: be a front end that lies to the back end of an entropy device that
 * is ours, in one of the ways below; 0 if the back end has closed the device for it, and not
 * before. honest and greedy tell no lie: one asks once, the other for 12 seconds as fast as it can.
 * entropy-hostile back WHICH: the same from the other side; takes a device that nobody serves.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <libparvus-backend.h>
#include <parvus/linux.h>
#include "entropy_ops.h"

enum front_lie { HONEST, GREEDY, BYTES, PLACE, INDEX, DIRECTORY, REFERENCE, PORT };
static const char *const front_lies[] = {
	"honest", "greedy", "bytes", "place", "index", "directory", "reference", "port", NULL,
};
enum back_lie { ID, STATUS, TOO_MANY, TWICE, VERSION };
static const char *const back_lies[] = { "id", "status", "index", "twice", "version", NULL };

static int fail(const char *what)
{
	printf("entropy-hostile: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- a front end ---- */

static int device_fd, grant_fd, event_fd;

static int registry(uint32_t op, struct parvus_device *d)
{
	struct parvus_ioctl_call call = { .op = op, .bytes = sizeof(*d), .data = (uintptr_t)d };

	d->size = sizeof(*d);
	d->version = 1;
	return ioctl(device_fd, PARVUS_IOC_CALL, &call);
}

static void set(uint32_t id, uint32_t state, const struct parvus_link *link)
{
	struct parvus_device d = { .id = id, .front_state = state };

	if (link) {
		d.flags = PARVUS_DEVICE_WRITE;
		memcpy(d.front_blob, link, sizeof(*link));
	}
	if (registry(PARVUS_DEVICE_SET, &d))
		fail("set the state");
}

/* Until the back end is in @state; false: another one, after a while. */
static bool back_gets(uint32_t id, uint32_t state)
{
	struct parvus_device d;
	int i;

	for (i = 0; i < 500; i++) {
		d = (struct parvus_device){ .id = id };
		if (registry(PARVUS_DEVICE_READ, &d))
			fail("read the device");
		if (d.back_state == state)
			return true;
		usleep(10000);
	}
	return false;
}

/* @count pages of ours, offered to @domain. */
static void *offer(uint32_t domain, uint32_t count, uint32_t *refs)
{
	struct parvus_ioctl_grant g = { .domain = domain, .count = count, .refs = (uintptr_t)refs };
	void *at;

	if (ioctl(grant_fd, PARVUS_IOC_GRANT_OFFER, &g))
		fail("offer pages");
	at = mmap(NULL, count * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, grant_fd,
		  (off_t)g.offset);
	if (at == MAP_FAILED)
		fail("map them");
	return at;
}

static uint32_t unbound(uint32_t domain)
{
	struct parvus_event_bind bind = {
		.size = sizeof(bind), .version = 1, .kind = PARVUS_EVENT_UNBOUND, .domain = domain,
		.flags = PARVUS_EVENT_AUTO_MASK,
	};

	if (ioctl(event_fd, PARVUS_IOC_BIND, &bind))
		fail("make a port");
	return bind.port;
}

static struct parvus_device our_device(void)
{
	struct parvus_device d = { 0 };
	uint32_t id;

	while (!registry(PARVUS_DEVICE_NEXT, &d)) {
		if (d.device_class == PARVUS_CLASS_ENTROPY && d.back_state == PARVUS_DEVICE_READY)
			return d;
		id = d.id;
		d = (struct parvus_device){ .id = id };
	}
	errno = ENOENT;
	fail("a device whose back end is READY");
	return d;
}

static int greedy(struct parvus_producer *requests, struct parvus_consumer *responses,
		  uint32_t port)
{
	struct entropy_request request = { .bytes = ENTROPY_BYTES };
	struct entropy_response response;
	time_t end = time(NULL) + 12;
	unsigned int answers = 0;

	while (time(NULL) < end) {
		for (; parvus_producer_room(requests); request.id++)
			parvus_produce(requests, &request);
		if (parvus_publish(requests) && ioctl(event_fd, PARVUS_IOC_SEND, &port))
			fail("send an event");
		while (parvus_consume(responses, &response))
			answers++;
		if (parvus_release(responses) && ioctl(event_fd, PARVUS_IOC_SEND, &port))
			fail("send an event");
	}
	printf("entropy-hostile: %u answers\n", answers);
	return answers < 1000;
}

static int front(enum front_lie lie)
{
	struct parvus_device d;
	struct parvus_link link = { .version = PARVUS_LINK_VERSION, .queues = 1 };
	struct parvus_link_queue *queue;
	struct entropy_request request = { .id = 1, .bytes = 16 };
	struct entropy_response response;
	struct entropy_rings rings;
	struct parvus_producer requests;
	struct parvus_consumer responses;
	uint32_t refs[4], port;
	uint8_t *pages;
	bool connects = lie < DIRECTORY;
	int i;

	device_fd = open("/dev/parvus/device", O_RDWR);
	grant_fd = open("/dev/parvus/grant", O_RDWR);
	event_fd = open("/dev/parvus/event", O_RDWR | O_NONBLOCK);
	if (device_fd < 0 || grant_fd < 0 || event_fd < 0)
		fail("/dev/parvus");
	d = our_device();
	pages = offer(d.back_domain, 4, refs);	/* directory, table, rings, pool */
	port = unbound(d.back_domain);
	queue = (struct parvus_link_queue *)pages;
	*queue = (struct parvus_link_queue){ .port = port, .ring_pages = 1, .pool_pages = 1 };
	queue->ring_ref[0] = refs[2];
	queue->table_ref[0] = refs[1];
	*(uint32_t *)(pages + 4096) = lie == REFERENCE ? 0 : refs[3];
	link.directory = refs[0];
	if (lie == DIRECTORY)
		queue->pool_pages = 100000;
	if (lie == PORT)
		queue->port = port + 1;
	rings = entropy_rings(pages + 2 * 4096, 4096);
	entropy_front_rings(&rings, &requests, &responses);
	set(d.id, PARVUS_DEVICE_INITIALISING, NULL);
	set(d.id, PARVUS_DEVICE_READY, &link);
	if (connects) {
		if (!back_gets(d.id, PARVUS_DEVICE_CONNECTED))
			fail("the back end does not connect");
		set(d.id, PARVUS_DEVICE_CONNECTED, NULL);
		request.bytes = lie == BYTES ? ENTROPY_BYTES + 1 : 16;
		request.offset = lie == PLACE ? 4096 - 15 : 0;
		if (lie == GREEDY)
			return greedy(&requests, &responses, port);
		parvus_produce(&requests, &request);
		parvus_publish(&requests);
		if (lie == INDEX)
			rings.requests->produced = rings.count + 1;
		if (ioctl(event_fd, PARVUS_IOC_SEND, &port))
			fail("send an event");
	}
	if (lie == HONEST) {
		for (i = 0; i < 500 && !parvus_consume(&responses, &response); i++)
			usleep(10000);
		return i == 500 || response.status || !entropy_response_ok(&response, 1);
	}
	return !back_gets(d.id, PARVUS_DEVICE_CLOSED);
}

/* ---- a back end ---- */

static enum back_lie back_lie;

static int back_connect(struct parvus_backend *b, struct parvus_backend_queue *q,
			unsigned int count, uint64_t features, const void *extra)
{
	(void)b, (void)q, (void)count, (void)features, (void)extra;
	return 0;
}

/* The first request gets the wrong answer, or none that can be. */
static int back_serve(struct parvus_backend *b, struct parvus_backend_queue *q)
{
	struct entropy_rings r = entropy_rings(q->rings, q->ring_bytes);
	struct entropy_response *response = (struct entropy_response *)r.response;
	const struct entropy_request *request = (const struct entropy_request *)r.request;

	if (!r.requests->produced)
		return 0;
	response[0] = (struct entropy_response){ .id = request->id };
	response[1] = response[0];
	if (back_lie == ID)
		response[0].id++;
	if (back_lie == STATUS)
		response[0].status = 1;
	r.responses->produced = back_lie == TOO_MANY ? r.count + 1 : back_lie == TWICE ? 2 : 1;
	parvus_backend_notify(b, q);
	return 0;
}

static int back(enum back_lie lie)
{
	const struct parvus_backend_ops ops = { .connect = back_connect, .serve = back_serve };
	struct entropy_info info = { .link = { .version = PARVUS_LINK_VERSION, .queues = 1,
					       .pool_pages = ENTROPY_POOL_PAGES } };
	struct parvus_error error = { 0 };
	struct parvus_backend *b;
	int i;

	back_lie = lie;
	if (lie == VERSION)
		info.link.version++;
	if (parvus_backend_open(&b, &ops, NULL, &error) ||
	    parvus_backend_take(b, PARVUS_CLASS_ENTROPY, 0, 5000) ||
	    parvus_backend_offer(b, &info, sizeof(info))) {
		printf("entropy-hostile: %s\n", error.text);
		return 1;
	}
	/* until the front end, which came, has closed */
	for (i = 0; i < 2000; i++) {
		const struct parvus_device *d = parvus_backend_device(b);

		if (d->front_state == PARVUS_DEVICE_CLOSED && d->front_changes > 1)
			return 0;
		if (parvus_backend_run(b, 10) < 0)
			break;
	}
	printf("entropy-hostile: the front end is in state %u\n",
	       parvus_backend_device(b)->front_state);
	return 1;
}

int main(int argc, char **argv)
{
	bool is_front = argc == 3 && !strcmp(argv[1], "front");
	const char *const *lie = is_front ? front_lies : back_lies;
	int i;

	for (i = 0; argc == 3 && lie[i]; i++)
		if (!strcmp(argv[2], lie[i]))
			return is_front ? front((enum front_lie)i) : back((enum back_lie)i);
	fprintf(stderr, "entropy-hostile: usage: entropy-hostile front|back WHICH\n");
	return 1;
}
