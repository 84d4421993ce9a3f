// SPDX-License-Identifier: GPL-2.0-only
/*
 * Back ends that are programs: libparvus' part (backend.c), and block-server's requests
 * (block.c), against a registry and a front end that are in this file: its memory is a
 * memfd, its references name pages of it out of order. A front end that comes, goes, restarts and
 * lies; requests of all kinds, good and bad; a server that dies between two answers.
 */
#include "block.h"
#include "internal.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES	1024u
#define FRONT	5u
#define PORT	9u	/* of the front end */
#define OURS	77u	/* what BIND gives us */
enum { DEVICE_FD = 500, EVENT_FD, GRANT_FD };

/* ---- /dev/parvus ------------------------------------------------------------------ */

static struct {
	struct parvus_device d;
	bool there, changed, bound, pending, masked, claimed, refused;
	unsigned int sent, opened, mapped;
	int memory;
	uint32_t refs[PARVUS_GRANT_BATCH];	/* of the last MAP */
	uint32_t count, flags;
} sys;
static uint8_t *memory;		/* of the front end, as it sees it */

/* References count from 1 and are no page numbers. */
static uint32_t ref(uint32_t page)
{
	return (page * 7 + 3) % PAGES + 1;
}

static uint32_t page(uint32_t r)
{
	uint32_t i;

	for (i = 0; i < PAGES; i++)
		if (ref(i) == r)
			return i;
	return PAGES;
}

static int sys_open(const char *path)
{
	sys.opened++;
	return !strcmp(path, "/dev/parvus/device") ? DEVICE_FD :
	       !strcmp(path, "/dev/parvus/event") ? EVENT_FD :
	       !strcmp(path, "/dev/parvus/grant") ? GRANT_FD : -ENOENT;
}

static void sys_close(int fd)
{
	sys.opened--;
	if (fd == DEVICE_FD && sys.claimed) {
		sys.claimed = false;
		sys.d.back_state = PARVUS_DEVICE_CLOSED;
	}
	if (fd == EVENT_FD)
		sys.bound = false;
}

static int map_error, bind_error;	/* of our own kernel, once */
static bool leaves, revokes;	/* the front end, before we are CONNECTED, or have mapped */

static void front_state(uint32_t state)
{
	sys.d.front_state = state;
	sys.d.front_changes++;
	sys.changed = true;
}

static int registry(uint32_t op, struct parvus_device *d)
{
	uint32_t state = d->back_state;

	if (!sys.there || (op == PARVUS_DEVICE_NEXT && d->id >= sys.d.id) ||
	    (op != PARVUS_DEVICE_NEXT && d->id != sys.d.id))
		return -ENOENT;
	if (op == PARVUS_DEVICE_SET) {
		ck_assert(d->flags & PARVUS_DEVICE_AS_BACK);
		if ((state == PARVUS_DEVICE_READY &&
		     sys.d.back_state != PARVUS_DEVICE_INITIALISING) ||
		    (state == PARVUS_DEVICE_CONNECTED && sys.d.back_state != PARVUS_DEVICE_READY &&
		     sys.d.back_state != PARVUS_DEVICE_CONNECTED))
			return -EINVAL;
		if (state == PARVUS_DEVICE_CONNECTED && leaves) {
			leaves = false;
			front_state(PARVUS_DEVICE_CLOSED);
			return -EBUSY;
		}
		if (d->flags & PARVUS_DEVICE_REFUSE) {
			ck_assert_uint_eq(state, PARVUS_DEVICE_CLOSED);
			sys.refused = true;
		}
		if (!sys.claimed && sys.d.back_state != PARVUS_DEVICE_CLOSED)
			return -EBUSY;	/* another's */
		sys.claimed = state != PARVUS_DEVICE_CLOSED;
		sys.d.back_state = state;
		sys.d.back_changes++;
		if (d->flags & PARVUS_DEVICE_WRITE)
			memcpy(sys.d.back_blob, d->back_blob, sizeof(d->back_blob));
		return 0;
	}
	*d = sys.d;
	return 0;
}

static int grant_map(struct parvus_ioctl_grant *g)
{
	int err = map_error;
	uint32_t i;

	map_error = 0;
	if (err)
		return err;
	if (revokes) {
		revokes = false;
		front_state(PARVUS_DEVICE_CLOSED);
		return -ENOENT;
	}
	if (g->domain != FRONT || !g->count || g->count > PARVUS_GRANT_BATCH)
		return -EINVAL;
	memcpy(sys.refs, (void *)(uintptr_t)g->refs, g->count * sizeof(uint32_t));
	for (i = 0; i < g->count; i++)
		if (page(sys.refs[i]) == PAGES)
			return -ENOENT;
	sys.count = g->count;
	sys.flags = g->flags;
	g->offset = 0x5000;
	return 0;
}

static int sys_ioctl(int fd, unsigned long request, void *arg)
{
	struct parvus_event_bind *bind = arg;
	struct parvus_ioctl_call *c = arg;

	if (fd == DEVICE_FD && request == PARVUS_IOC_CALL)
		return registry(c->op, (void *)(uintptr_t)c->data);
	if (fd == GRANT_FD && request == PARVUS_IOC_GRANT_MAP)
		return grant_map(arg);
	ck_assert_int_eq(fd, EVENT_FD);
	switch (request) {
	case PARVUS_IOC_BIND:
		if (bind_error) {
			int err = bind_error;

			bind_error = 0;
			return err;
		}
		if (bind->domain != FRONT || bind->remote_port != PORT || sys.bound)
			return -ENOENT;
		bind->port = OURS;
		sys.bound = true;
		sys.masked = sys.pending = false;
		return 0;
	case PARVUS_IOC_CLOSE:
		sys.bound = false;
		return 0;
	case PARVUS_IOC_SEND:
		ck_assert_uint_eq(*(uint32_t *)arg, OURS);
		sys.sent++;
		return 0;
	}
	return -ENOTTY;
}

static void *sys_map(void *at, int fd, size_t bytes, uint64_t offset, bool readonly)
{
	uint32_t i;

	if (!at) {
		at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		sys.mapped++;
	}
	if (fd < 0)
		return at;
	ck_assert_uint_eq(offset, 0x5000);
	ck_assert_uint_eq(bytes, sys.count * PAGE);
	ck_assert_uint_eq(readonly, sys.flags == PARVUS_GRANT_READONLY);
	for (i = 0; i < sys.count; i++)
		ck_assert_ptr_ne(mmap((uint8_t *)at + i * PAGE, PAGE,
				      readonly ? PROT_READ : PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_FIXED, sys.memory,
				      (off_t)(page(sys.refs[i]) * PAGE)), MAP_FAILED);
	return at;
}

static void sys_unmap(void *at, size_t bytes)
{
	sys.mapped--;
	munmap(at, bytes);
}

static int sys_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	nfds_t i;
	int ready = 0;

	(void)timeout_ms;
	for (i = 0; i < n; i++) {
		fds[i].revents = (fds[i].fd == DEVICE_FD && sys.changed) ||
				 (fds[i].fd == EVENT_FD && sys.pending && !sys.masked) ? POLLIN : 0;
		ready += fds[i].revents != 0;
	}
	return ready;
}

static ssize_t sys_read(int fd, void *data, size_t bytes)
{
	uint32_t id = fd == DEVICE_FD ? sys.d.id : OURS;
	bool *what = fd == DEVICE_FD ? &sys.changed : &sys.pending;

	ck_assert_uint_ge(bytes, sizeof(id));
	if (!*what)
		return -EAGAIN;
	*what = false;
	if (fd == EVENT_FD)
		sys.masked = true;
	memcpy(data, &id, sizeof(id));
	return sizeof(id);
}

static ssize_t sys_write(int fd, const void *data, size_t bytes)
{
	uint32_t port;

	ck_assert_int_eq(fd, EVENT_FD);
	memcpy(&port, data, sizeof(port));
	ck_assert_uint_eq(port, OURS);
	sys.masked = false;
	return (ssize_t)bytes;
}

const struct parvus_sys pv_sys = {
	.open = sys_open, .close = sys_close, .ioctl = sys_ioctl, .map = sys_map,
	.unmap = sys_unmap, .poll = sys_poll, .read = sys_read, .write = sys_write,
};

/* ---- the front end ------------------------------------------------------------------ */

#define DIRECTORY	0u
#define TABLE		1u	/* and the page behind it */
#define RINGS		3u
#define RING_PAGES	2u
#define POOL		8u
#define POOL_PAGES	700u

static struct parvus_producer requests;
static struct parvus_consumer responses;

static struct parvus_link_queue *directory(void)
{
	return (struct parvus_link_queue *)(memory + DIRECTORY * PAGE);
}

static struct parvus_link *blob(void)
{
	return (struct parvus_link *)sys.d.front_blob;
}

/* Rings of the block class, scattered: the front end's mapping of them is the library's own. */
static void front_link(void)
{
	static uint8_t *rings;
	struct parvus_ring *ring;
	uint32_t i, n;

	memset(memory, 0, PAGES * PAGE);
	if (rings)
		munmap(rings, RING_PAGES * PAGE);
	rings = mmap(NULL, RING_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, sys.memory,
		     RINGS * PAGE);
	ck_assert_ptr_ne(rings, MAP_FAILED);
	directory()->port = PORT;
	directory()->ring_pages = RING_PAGES;
	directory()->pool_pages = POOL_PAGES;
	for (i = 0; i < RING_PAGES; i++)
		directory()->ring_ref[i] = ref(RINGS + i);
	directory()->table_ref[0] = ref(TABLE);
	for (i = 0; i < POOL_PAGES; i++)
		((uint32_t *)(memory + TABLE * PAGE))[i] = ref(POOL + i);
	*blob() = (struct parvus_link){ .version = PARVUS_LINK_VERSION, .queues = 1,
		.directory = ref(DIRECTORY) };
	ring = (struct parvus_ring *)rings;
	n = parvus_ring_count(RING_PAGES * PAGE - 2 * sizeof(*ring), 64 + 8);
	parvus_ring_format(ring);
	parvus_ring_format(ring + 1);
	parvus_producer_init(&requests, ring, ring + 2, n, 64, 0);
	parvus_consumer_init(&responses, ring + 1, (uint8_t *)(ring + 2) + n * 64, n, 8, 0);
}

static void front_connect(void)
{
	front_state(PARVUS_DEVICE_INITIALISING);
	front_link();
	front_state(PARVUS_DEVICE_READY);
}

static uint8_t *pool(uint64_t offset)
{
	return memory + POOL * PAGE + offset;
}

/* ---- with a program that serves nothing ---------------------------------------------- */

static struct parvus_backend *b;
static unsigned int connects, disconnects, configures, serves, refuses;
static int serve_result;
static const char *serve_says;
static struct parvus_backend_queue *served_queue;

static int count_connect(struct parvus_backend *back, struct parvus_backend_queue *q,
			 unsigned int count, uint64_t features, const void *extra)
{
	ck_assert_ptr_eq(back, b);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(q->ring_bytes, RING_PAGES * PAGE);
	ck_assert_uint_eq(q->pool_bytes, directory()->pool_pages * PAGE);
	ck_assert_uint_eq(features, blob()->features);
	ck_assert_mem_eq(extra, blob() + 1, 16);
	connects++;
	if (refuses == 2)
		return parvus_backend_lie(back, "a blob of %u", 7u);
	return refuses ? -EINVAL : 0;
}

static int count_serve(struct parvus_backend *back, struct parvus_backend_queue *q)
{
	ck_assert_ptr_nonnull(q->rings);
	serves++;
	served_queue = q;
	if (serve_says)
		parvus_backend_lie(back, "%s", serve_says);
	return serve_result;
}

static void count_disconnect(struct parvus_backend *back)
{
	(void)back;
	disconnects++;
}

static void count_configured(struct parvus_backend *back)
{
	ck_assert_int_eq(parvus_backend_device(back)->config[0], 'x');
	configures++;
}

static const struct parvus_backend_ops counting = {
	.connect = count_connect, .serve = count_serve, .disconnect = count_disconnect,
	.configured = count_configured,
};
static const struct parvus_link_info limits = {
	.version = 1, .queues = 2, .features = 5, .pool_pages = POOL_PAGES,
};

static void setup(void)
{
	memset(&sys, 0, sizeof(sys));
	sys.memory = memfd_create("front", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(sys.memory, PAGES * PAGE), 0);
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, sys.memory, 0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
	sys.there = true;
	sys.d = (struct parvus_device){ .id = 4, .device_class = 0x123, .front_domain = FRONT };
	connects = disconnects = configures = serves = refuses = 0;
	serve_result = 0;
	serve_says = NULL;
}

static struct parvus_error error;

static void open_with(const struct parvus_backend_ops *ops, void *arg)
{
	ck_assert_int_eq(parvus_backend_open(&b, ops, arg, &error), 0);
}

static void teardown(void)
{
	parvus_backend_close(b);
	ck_assert_uint_eq(sys.opened, 0);
	ck_assert_uint_eq(sys.mapped, 0);
	ck_assert(!sys.bound);
	munmap(memory, PAGES * PAGE);
	close(sys.memory);
}

static void offered(void)
{
	open_with(&counting, NULL);
	ck_assert_int_eq(parvus_backend_take(b, 0x123, 0, 0), 0);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_INITIALISING);
	ck_assert_int_eq(parvus_backend_offer(b, &limits, sizeof(limits)), 0);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_READY);
	ck_assert_mem_eq(sys.d.back_blob, &limits, sizeof(limits));
}

/* Is a file of parvus_backend_fds() readable that is the library's own? */
static bool wakes(void)
{
	struct pollfd fds[PARVUS_BACKEND_FDS];

	parvus_backend_fds(b, fds);
	return poll(&fds[PARVUS_BACKEND_FDS - 1], 1, 20) == 1;
}

START_TEST(taking)
{
	open_with(&counting, NULL);
	ck_assert_int_eq(parvus_backend_take(b, 0x124, 0, 0), -ETIMEDOUT);
	ck_assert_int_eq(parvus_backend_take(b, 0x123, 3, 0), -ENOENT);
	ck_assert_int_eq(parvus_backend_take(b, 0x124, 4, 0), -EINVAL);
	sys.d.back_state = PARVUS_DEVICE_READY;
	ck_assert_int_eq(parvus_backend_take(b, 0x123, 0, 0), -ETIMEDOUT);
	ck_assert_int_eq(parvus_backend_take(b, 0x123, 4, 0), -EBUSY);
	ck_assert_ptr_nonnull(strstr(error.text, "somebody else serves it"));
	sys.d.back_state = PARVUS_DEVICE_CLOSED;
	ck_assert_int_eq(parvus_backend_offer(b, &limits, sizeof(limits)), -EINVAL);
	ck_assert_int_eq(parvus_backend_take(b, 0x123, 4, 0), 0);
	ck_assert_int_eq(parvus_backend_take(b, 0x123, 4, 0), -EBUSY);
	ck_assert_int_eq(parvus_backend_offer(b, &limits, 8), -EINVAL);
}
END_TEST

START_TEST(life)
{
	offered();
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	front_connect();
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_CONNECTED);
	ck_assert_uint_eq(connects, 1);
	ck_assert_uint_eq(serves, 1);	/* what came before the port was bound */
	front_state(PARVUS_DEVICE_CONNECTED);
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	sys.pending = true;
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(serves, 2);
	ck_assert(!sys.masked);
	ck_assert(!wakes());
	serve_result = 1;	/* there is more */
	sys.pending = true;
	ck_assert_int_eq(parvus_backend_run(b, -1), 1);
	/* who polls by himself is woken for it */
	ck_assert(wakes());
	serve_result = 0;
	ck_assert_int_eq(parvus_backend_run(b, -1), 1);
	ck_assert_uint_ge(serves, 4);
	ck_assert(!wakes());
	parvus_backend_again(b, served_queue);
	ck_assert(wakes());
	ck_assert_int_eq(parvus_backend_run(b, -1), 1);
	ck_assert(!wakes());
	sys.d.config[0] = 'x';
	sys.changed = true;
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(configures, 1);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_CONNECTED);
	/* a new blob is told, in place */
	ck_assert_int_eq(parvus_backend_offer(b, &limits, sizeof(limits)), 0);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_CONNECTED);
	/* it stops in order, and comes again */
	front_state(PARVUS_DEVICE_CLOSING);
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_CLOSED);
	ck_assert_uint_eq(disconnects, 1);
	ck_assert_uint_eq(sys.mapped, 0);
	front_state(PARVUS_DEVICE_CLOSED);
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_READY);
	front_connect();
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(connects, 2);
	/* it dies and is READY again before we look */
	front_state(PARVUS_DEVICE_CLOSED);
	front_connect();
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(disconnects, 2);
	ck_assert_uint_eq(connects, 3);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_CONNECTED);
	/* it goes while we connect */
	front_state(PARVUS_DEVICE_CLOSED);
	front_connect();
	leaves = true;
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(sys.mapped, 0);
	ck_assert_uint_eq(disconnects, 4);
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	front_connect();
	revokes = true;
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_READY);
	front_connect();
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_CONNECTED);
	sys.there = false;
	sys.changed = true;
	ck_assert_int_eq(parvus_backend_run(b, 0), 0);
	ck_assert_uint_eq(disconnects, 5);
	ck_assert_uint_eq(sys.mapped, 0);
}
END_TEST

/* An error of our own is no lie: READY, and tried again by itself, after a while. */
START_TEST(passing)
{
	static const int errors[] = { -ENOMEM, -ENOSPC, -EAGAIN, -EMFILE };
	int *where = _i % 2 ? &bind_error : &map_error;

	offered();
	front_connect();
	*where = errors[_i / 2];
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_int_eq(*where, 0);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_READY);
	ck_assert_uint_eq(sys.mapped, 0);
	ck_assert(!sys.refused);
	/* not at once, whatever the front end does */
	front_state(PARVUS_DEVICE_INITIALISING);
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	front_connect();
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_READY);
	ck_assert_uint_eq(connects, 0);
	usleep(1050 * 1000);
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_CONNECTED);
	ck_assert_uint_eq(connects, 1);
	ck_assert_uint_eq(configures, 0);
}
END_TEST

static void (*const lies[])(void);

/* Each lie closes the device for good; calls go on being harmless. */
START_TEST(lying)
{
	offered();
	front_connect();
	lies[_i]();
	ck_assert_int_eq(parvus_backend_run(b, 0), -EPROTO);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_CLOSED);
	ck_assert(sys.refused);
	ck_assert_uint_eq(sys.mapped, 0);
	ck_assert(!sys.bound);
	ck_assert_uint_eq(connects, disconnects);
	front_connect();
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_CLOSED);
	ck_assert_int_eq(parvus_backend_offer(b, &limits, sizeof(limits)), 0);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_CLOSED);
	sys.there = false;
	sys.changed = true;
	ck_assert_int_eq(parvus_backend_run(b, 0), 0);
}
END_TEST

static void lie_version(void) { blob()->version = 2; }
static void lie_reserved(void) { blob()->reserved[2] = 1; }
static void lie_no_queue(void) { blob()->queues = 0; }
static void lie_queues(void) { blob()->queues = 3; }
static void lie_features(void) { blob()->features = 2; }
static void lie_directory(void) { blob()->directory = PAGES + 1; }
static void lie_ring_pages(void)
{
	uint32_t i;

	for (i = 0; i < PARVUS_LINK_RING_PAGES; i++)	/* what follows is the table's */
		directory()->ring_ref[i] = ref(RINGS + i);
	directory()->ring_pages = PARVUS_LINK_RING_PAGES + 1;
}

static void lie_no_rings(void) { directory()->ring_pages = 0; }
static void lie_ring_ref(void) { directory()->ring_ref[1] = 0; }
static void lie_pool_pages(void)
{
	((uint32_t *)(memory + TABLE * PAGE))[POOL_PAGES] = ref(POOL + POOL_PAGES);
	directory()->pool_pages = POOL_PAGES + 1;
}

static void lie_huge(void) { directory()->pool_pages = 0xffffffff; }
static void lie_table(void) { directory()->table_ref[0] = 0; }
static void lie_pool_ref(void) { ((uint32_t *)(memory + TABLE * PAGE))[699] = 0; }
static void lie_port(void) { directory()->port = 1; }
static void lie_queue_reserved(void) { directory()->reserved = 1; }
static void lie_to_program(void) { refuses = 1; }
static void lie_in_rings(void) { serve_result = -EPROTO; }

static void (*const lies[])(void) = {
	lie_version, lie_reserved, lie_no_queue, lie_queues, lie_features, lie_directory,
	lie_ring_pages, lie_no_rings, lie_ring_ref, lie_pool_pages, lie_huge, lie_table,
	lie_pool_ref, lie_port, lie_queue_reserved, lie_to_program, lie_in_rings,
};

/* What closed a device is told in the program's words, or by its number; old words are gone. */
START_TEST(reasons)
{
	static const struct {
		const char *says;
		int result;
		unsigned int refuses;
		const char *text;
	} each[] = {
		{ "a request of 7 bytes", -EPROTO, 0, "domain 5: queue 0: a request of 7 bytes" },
		{ NULL, -EINVAL, 0, "domain 5: queue 0: Invalid argument" },
		{ NULL, 0, 2, "domain 5: cannot use its link of queues 1: a blob of 7" },
		{ NULL, 0, 1, "domain 5: cannot use its link of queues 1: Invalid argument" },
	};
	char text[120];

	offered();
	serve_says = "nothing that closes it";
	front_connect();
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	if (each[_i].refuses) {
		/* it comes again */
		sys.d.config[0] = 'x';
		sys.d.front_state = PARVUS_DEVICE_CLOSED;
		sys.changed = true;
		ck_assert_int_eq(parvus_backend_run(b, 0), 1);
		refuses = each[_i].refuses;
		front_connect();
	} else {
		sys.pending = true;
	}
	serve_says = each[_i].says;
	serve_result = each[_i].result;
	ck_assert_int_eq(parvus_backend_run(b, 0), -EPROTO);
	snprintf(text, sizeof(text), "device %u: %s", sys.d.id, each[_i].text);
	ck_assert_str_eq(error.text, text);
}
END_TEST

/* ---- block-server -------------------------------------------------------------------- */

#define SECTORS 4096u
static struct disk disk;
static struct parvus_block_config config;
static int file;

static void block_open(uint32_t flags)
{
	char path[] = "/tmp/parvus-unit.XXXXXX";

	file = mkstemp(path);
	ck_assert_int_eq(ftruncate(file, SECTORS * 512), 0);
	config = (struct parvus_block_config){ .version = 1, .flags = flags };
	strcpy(config.file, path);
	ck_assert_int_eq(disk_open(&disk, &config), 0);
	unlink(path);
	ck_assert_uint_eq(disk.info.sectors, SECTORS);
}

static void block_serve(void)
{
	sys.d.device_class = PARVUS_CLASS_BLOCK;
	open_with(&disk_ops, &disk);
	ck_assert_int_eq(parvus_backend_take(b, PARVUS_CLASS_BLOCK, 4, 0), 0);
	ck_assert_int_eq(parvus_backend_offer(b, &disk.info, sizeof(disk.info)), 0);
	front_connect();
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_CONNECTED);
}

static void block_end(void)
{
	disk_close(&disk);
	close(file);
}

/* Ask; the result of parvus_backend_run(). */
static int ask(const struct parvus_block_request *r)
{
	ck_assert_uint_ne(parvus_producer_room(&requests), 0);
	parvus_produce(&requests, r);
	sys.pending |= parvus_publish(&requests);
	return parvus_backend_run(b, 0);
}

static int32_t answer(uint32_t id)
{
	struct parvus_block_response a;

	ck_assert(parvus_consume(&responses, &a));
	ck_assert_uint_eq(a.id, id);
	parvus_release(&responses);
	parvus_consumer_sleep(&responses);
	return a.status;
}

static int32_t done(struct parvus_block_request r)
{
	r.id = (uint32_t)rand();
	ck_assert_int_eq(ask(&r), 1);
	return answer(r.id);
}

/* @n segments of one sector, from the pool's byte @where on, every other one. */
static struct parvus_block_request data(uint8_t op, uint64_t sector, uint32_t where, uint16_t n)
{
	struct parvus_block_request r = { .op = op, .sector = sector, .sectors = n, .segments = n };
	struct parvus_block_segment *s = r.segment;
	uint32_t i;

	if (n > PARVUS_BLOCK_INLINE) {
		s = (struct parvus_block_segment *)pool(0);
		r.segment[0].bytes = n * (uint32_t)sizeof(*s);
	}
	for (i = 0; i < n; i++)
		s[i] = (struct parvus_block_segment){ .offset = where + i * 1024, .bytes = 512 };
	return r;
}

START_TEST(block_data)
{
	uint8_t text[512], got[512];
	uint16_t n = _i ? 1024 : 5, i;

	block_open(0);
	block_serve();
	for (i = 0; i < n; i++)
		memset(pool(16384 + i * 1024), i % 251 + 1, 512);
	ck_assert_int_eq(done(data(PARVUS_BLOCK_WRITE, 100, 16384, n)), 0);
	for (i = 0; i < n; i++) {
		memset(text, i % 251 + 1, 512);
		ck_assert_int_eq(pread(file, got, 512, (100 + i) * 512), 512);
		ck_assert_mem_eq(got, text, 512);
	}
	for (i = 0; i < n; i++)
		memset(pool(16384 + i * 1024), 0, 1024);
	ck_assert_int_eq(done(data(PARVUS_BLOCK_READ, 100, 16384, n)), 0);
	for (i = 0; i < n; i++) {
		memset(text, i % 251 + 1, 512);
		ck_assert_mem_eq(pool(16384 + i * 1024), text, 512);
		ck_assert_int_eq(*pool(16384 + i * 1024 + 512), 0);	/* and nothing beside */
	}
	ck_assert_int_eq(done((struct parvus_block_request){ .op = PARVUS_BLOCK_FLUSH }), 0);
	block_end();
}
END_TEST

START_TEST(block_ranges)
{
	struct parvus_block_request r = { .op = PARVUS_BLOCK_WRITE_ZEROES, .sector = 8,
					  .sectors = 16 };
	uint8_t text[4096], got[512], zero[512] = { 0 };

	block_open(0);
	block_serve();
	memset(text, 7, sizeof(text));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pwrite(file, text, sizeof(text), i * 4096), sizeof(text));
	r.flags = PARVUS_BLOCK_FUA;
	ck_assert_int_eq(done(r), 0);
	for (int i = 0; i < 32; i++) {
		ck_assert_int_eq(pread(file, got, 512, i * 512), 512);
		ck_assert_mem_eq(got, i >= 8 && i < 24 ? zero : text, 512);
	}
	ck_assert(disk.info.link.features & PARVUS_BLOCK_HAS_DISCARD);
	r = (struct parvus_block_request){ .op = PARVUS_BLOCK_DISCARD, .sector = 24, .sectors = 8 };
	ck_assert_int_eq(done(r), 0);
	r.sector = 0;
	r.sectors = SECTORS + 8;
	ck_assert_int_eq(done(r), -PARVUS_EINVAL);
	r.sectors = 8;
	r.sector = SECTORS - 7;
	ck_assert_int_eq(done(r), -PARVUS_EINVAL);
	r.sector = ~0ull - 3;
	ck_assert_int_eq(done(r), -PARVUS_EINVAL);
	ck_assert_int_eq(done(data(PARVUS_BLOCK_READ, SECTORS - 1, 0, 2)), -PARVUS_EINVAL);
	ck_assert_int_eq(done((struct parvus_block_request){ .op = 5 }), -PARVUS_BLOCK_EOPNOTSUPP);
	r = (struct parvus_block_request){ .op = PARVUS_BLOCK_WRITE_ZEROES, .sectors = 1 << 30 };
	ck_assert_int_eq(done(r), -PARVUS_E2BIG);
	block_end();
}
END_TEST

START_TEST(block_readonly)
{
	struct parvus_block_request r = { .op = PARVUS_BLOCK_DISCARD, .sectors = 8 };

	block_open(PARVUS_BLOCK_CDROM);
	ck_assert_uint_eq(disk.info.flags, PARVUS_BLOCK_CDROM | PARVUS_BLOCK_READONLY);
	block_serve();
	ck_assert_int_eq(done(data(PARVUS_BLOCK_READ, 0, 0, 1)), 0);
	ck_assert_int_eq(done(data(PARVUS_BLOCK_WRITE, 0, 0, 1)), -PARVUS_EPERM);
	ck_assert_int_eq(done(r), -PARVUS_EPERM);
	block_end();	/* no medium any more */
	ck_assert_int_eq(done(data(PARVUS_BLOCK_READ, 0, 0, 1)), -PARVUS_BLOCK_EIO);
	config.file[0] = 0;
	ck_assert_int_eq(disk_open(&disk, &config), 0);
	ck_assert_uint_eq(disk.info.sectors, 0);
	strcpy(config.file, "/dev/null");
	ck_assert_int_eq(disk_open(&disk, &config), -EINVAL);
	memset(config.file, 'x', sizeof(config.file));
	ck_assert_int_eq(disk_open(&disk, &config), -ENAMETOOLONG);
}
END_TEST

START_TEST(block_lies)
{
	struct parvus_block_request r = data(PARVUS_BLOCK_WRITE, 0, 4096, _i % 2 ? 6 : 2);
	struct parvus_block_segment *s = _i % 2 ? (void *)pool(0) : r.segment;

	block_open(0);
	block_serve();
	r = data(PARVUS_BLOCK_WRITE, 0, 4096, _i % 2 ? 6 : 2);
	switch (_i / 2) {
	case 0: s[1].offset = POOL_PAGES * 4096 - 512; s[1].bytes = 1024; r.sectors++; break;
	case 1: s[1].offset = 100; break;
	case 2: s[1].bytes = 0; r.sectors--; break;
	case 3: r.sectors++; break;
	case 4: s[1].bytes = 513; break;
	case 5: s[1].offset = 0xfffffe00; break;
	case 6: r.flags = PARVUS_BLOCK_UNMAP; break;
	case 7: r.segments = 0; break;
	case 8: r.segments = 1025; break;
	case 9: r.op = PARVUS_BLOCK_FLUSH; break;
	case 10: s[0].bytes = s[1].bytes = 2 << 20; s[2].bytes = 512;
		 r.segments = _i % 2 ? 6 : 3;	/* more than we said that we take */
		 r.segment[2] = (struct parvus_block_segment){ 0, 512 };
		 r.sectors = (4 << 20) / 512 + (_i % 2 ? 4 : 1); break;
	case 11: r.op = PARVUS_BLOCK_DISCARD; r.segments = 0; r.sectors = 0; break;
	case 12: r.segments = 1000; r.sectors = 1000;
		 r.segment[0] = (struct parvus_block_segment){ POOL_PAGES * 4096 - 512, 8000 };
		 break;
	case 13: r = data(PARVUS_BLOCK_WRITE, 0, 4096, 6);
		 memmove(pool(8), pool(0), 6 * sizeof(*s));
		 r.segment[0].offset = 8; break;
	}
	ck_assert_int_eq(ask(&r), -EPROTO);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_CLOSED);
	ck_assert_ptr_nonnull(strstr(error.text, ": queue 0: request "));
	ck_assert_ptr_nonnull(strstr(error.text, "that no front end makes"));
	block_end();
}
END_TEST

START_TEST(block_broken_ring)
{
	block_open(0);
	block_serve();
	*(volatile uint32_t *)&requests.end.ring->produced = 100000;
	sys.pending = true;
	ck_assert_int_eq(parvus_backend_run(b, 0), -EPROTO);
	block_end();
}
END_TEST

/* Serving begins without a write: every byte of a file of any size, and its times, stay. */
START_TEST(block_begins)
{
	static const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	char path[] = "/tmp/parvus-unit.XXXXXX";
	uint8_t text[1025], got[1026];
	struct stat st;

	file = mkstemp(path);
	config = (struct parvus_block_config){ .version = 1 };
	strcpy(config.file, path);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i % 251 + 1);
	for (size_t n = 1; n <= sizeof(text); n++) {
		ck_assert_int_eq(ftruncate(file, 0), 0);
		ck_assert_int_eq(pwrite(file, text, n, 0), n);
		ck_assert_int_eq(futimens(file, old), 0);
		ck_assert_int_eq(disk_open(&disk, &config), 0);
		ck_assert_uint_eq(disk.info.sectors, n / 512);
		disk_close(&disk);
		ck_assert_int_eq(pread(file, got, sizeof(got), 0), n);
		ck_assert_mem_eq(got, text, n);
		ck_assert_int_eq(fstat(file, &st), 0);
		ck_assert_int_eq(st.st_mtim.tv_sec, 1000);
	}
	unlink(path);
	close(file);
}
END_TEST

/* What was not answered is asked again, of the next server. */
START_TEST(block_killed)
{
	struct parvus_block_request r = data(PARVUS_BLOCK_WRITE, 7, 8192, 1);
	uint8_t got[512];

	block_open(0);
	block_serve();
	parvus_backend_close(b);
	ck_assert_uint_eq(sys.d.back_state, PARVUS_DEVICE_CLOSED);
	ck_assert_uint_eq(sys.mapped, 0);
	block_serve();
	memset(pool(8192), 42, 512);
	ck_assert_int_eq(done(r), 0);
	ck_assert_int_eq(pread(file, got, 512, 7 * 512), 512);
	ck_assert_int_eq(got[511], 42);
	block_end();
}
END_TEST

/* All slots full and nobody who takes the answers: the server sleeps, and goes on. */
START_TEST(block_full)
{
	struct parvus_block_request r = data(PARVUS_BLOCK_READ, 0, 8192, 1);
	struct parvus_block_response a;
	uint32_t n, i, all;

	block_open(0);
	block_serve();
	all = requests.end.count;
	for (n = 0; n < all; n++)
		ck_assert_int_eq(ask(&r), 1);
	for (i = 0; i < 10; i++)
		parvus_backend_run(b, 0);
	for (n = 0; n < 3; n++)
		ck_assert_int_eq(ask(&r), 1);
	for (i = 0; i < all + 3; i++) {
		ck_assert(parvus_consume(&responses, &a));
		ck_assert_int_eq(a.status, 0);
		sys.pending |= parvus_release(&responses);
		while (sys.pending)
			ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	}
	ck_assert(!parvus_consume(&responses, &a));
	block_end();
}
END_TEST

START_TEST(block_limits)
{
	struct parvus_block_request r = data(PARVUS_BLOCK_READ, 0, 8192, 1);
	unsigned int i, n = 0;

	block_open(0);
	disk.iops = 50;
	block_serve();
	for (i = 0; i < 20; i++)
		ck_assert_int_eq(ask(&r), 1);
	n = parvus_consumer_ready(&responses);
	ck_assert_uint_ge(n, 5);	/* 100 ms may be saved */
	ck_assert_uint_le(n, 12);	/* a slow machine gets some more of them */
	for (i = 0; i < 400 && n < 20; i++) {
		usleep(5000);
		disk_resume(&disk, b);
		ck_assert_int_eq(parvus_backend_run(b, 0), 1);
		n = responses.end.ring->produced;
	}
	ck_assert_uint_eq(n, 20);
	ck_assert_uint_ge(i, 20);
	usleep(50000);
	disk_resume(&disk, b);
	ck_assert_int_eq(parvus_backend_run(b, 0), 1);
	ck_assert_int_eq(disk_resume(&disk, b), -1);
	block_end();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("backend");
	TCase *c = tcase_create("library"), *d = tcase_create("block");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, taking);
	tcase_add_test(c, life);
	tcase_add_loop_test(c, passing, 0, 8);
	tcase_add_loop_test(c, lying, 0, sizeof(lies) / sizeof(*lies));
	tcase_add_loop_test(c, reasons, 0, 4);
	suite_add_tcase(s, c);
	tcase_add_checked_fixture(d, setup, teardown);
	tcase_set_timeout(d, 60);
	tcase_add_loop_test(d, block_data, 0, 2);
	tcase_add_test(d, block_ranges);
	tcase_add_test(d, block_readonly);
	tcase_add_loop_test(d, block_lies, 0, 28);
	tcase_add_test(d, block_broken_ring);
	tcase_add_test(d, block_begins);
	tcase_add_test(d, block_killed);
	tcase_add_test(d, block_full);
	tcase_add_test(d, block_limits);
	suite_add_tcase(s, d);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
