// SPDX-License-Identifier: GPL-2.0-only
/*
 * entropy-server [--device ID]: entropy devices, back end as a program: this device, or the first
 * one that nobody serves. Ends when the device is removed. It does what entropy_back.c does;
 * states, links and ports are the library's part.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <libparvus-backend.h>
#include "entropy_ops.h"

struct server {
	struct parvus_consumer requests;
	struct parvus_producer responses;
};

static const struct entropy_info entropy_info = {
	.link = {
		.version = PARVUS_LINK_VERSION,
		.queues = 1,
		.pool_pages = ENTROPY_POOL_PAGES,
	},
};

static int entropy_connect(struct parvus_backend *b, struct parvus_backend_queue *queues,
			   unsigned int count, uint64_t features, const void *extra)
{
	struct server *s = parvus_backend_arg(b);
	struct entropy_rings rings = entropy_rings(queues[0].rings, queues[0].ring_bytes);

	(void)count, (void)features, (void)extra;	/* one queue, no features, nothing more */
	entropy_back_rings(&rings, &s->requests, &s->responses);
	return 0;
}

static int entropy_serve(struct parvus_backend *b, struct parvus_backend_queue *queue)
{
	struct server *s = parvus_backend_arg(b);
	struct entropy_request request;
	int wake, asleep;

	while (parvus_producer_room(&s->responses) && parvus_consume(&s->requests, &request)) {
		struct entropy_response response = { .id = request.id };

		if (!entropy_request_ok(&request, queue->pool_bytes))
			return parvus_backend_lie(b, "a request of %u bytes at %u of its pool",
						  request.bytes, request.offset);
		if (getrandom(queue->pool + request.offset, request.bytes, 0) < 0)
			response.status = -errno;
		parvus_produce(&s->responses, &response);
	}
	wake = parvus_release(&s->requests);
	wake |= parvus_publish(&s->responses);
	if (wake)
		parvus_backend_notify(b, queue);
	/* asleep until there is a request, and room for its answer */
	if (parvus_producer_room(&s->responses))
		asleep = parvus_consumer_sleep(&s->requests);
	else
		asleep = parvus_producer_sleep(&s->responses, 1);
	if (parvus_consumer_broken(&s->requests) || parvus_producer_broken(&s->responses))
		return parvus_backend_lie(b, "a broken ring");
	return !asleep;
}

static const struct parvus_backend_ops entropy_ops = {
	.connect = entropy_connect,
	.serve = entropy_serve,
};

static int fail(const char *why)
{
	fprintf(stderr, "entropy-server: %s\n", why);
	return 1;
}

int main(int argc, char **argv)
{
	struct parvus_error error = { 0 };
	struct server server;
	struct parvus_backend *b;
	uint32_t id = 0;
	int ret;

	if (argc == 3 && !strcmp(argv[1], "--device"))
		id = (uint32_t)strtoul(argv[2], NULL, 10);
	if (argc != 1 && !id)
		return fail("usage: entropy-server [--device ID]");
	ret = parvus_backend_open(&b, &entropy_ops, &server, &error);
	if (!ret)
		ret = parvus_backend_take(b, PARVUS_CLASS_ENTROPY, id, -1);
	if (!ret)
		ret = parvus_backend_offer(b, &entropy_info, sizeof(entropy_info));
	if (!ret) {
		do {
			ret = parvus_backend_run(b, -1);
			if (ret == -EPROTO)	/* closed; it is removed in time */
				fail(error.text);
		} while (ret > 0 || ret == -EPROTO);
	}
	if (ret)
		fail(error.text);
	parvus_backend_close(b);
	return ret != 0;
}
