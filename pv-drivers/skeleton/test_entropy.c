// SPDX-License-Identifier: GPL-2.0-only
/* Entropy devices: what both ends check, and where they find their rings; without Parvus. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "entropy_ops.h"

#define CHECK(what) ((what) ? (void)0 : failed(__LINE__, #what))

static void failed(int line, const char *what)
{
	printf("test_entropy.c:%d: %s does not hold\n", line, what);
	exit(1);
}

static void requests(void)
{
	struct entropy_request r = { .bytes = 1 };
	const uint64_t pool = 4096;

	CHECK(entropy_request_ok(&r, pool));
	r.offset = 4095;
	CHECK(entropy_request_ok(&r, pool));
	r.offset = 4096;
	CHECK(!entropy_request_ok(&r, pool));
	r.offset = 0xffffffff;
	CHECK(!entropy_request_ok(&r, pool));
	r.offset = 4096 - ENTROPY_BYTES;
	r.bytes = ENTROPY_BYTES;
	CHECK(entropy_request_ok(&r, pool));
	CHECK(!entropy_request_ok(&r, pool - 1));
	CHECK(!entropy_request_ok(&r, 0));
	r.offset = 0;
	r.bytes++;
	CHECK(!entropy_request_ok(&r, pool));
	r.bytes = 0;
	CHECK(!entropy_request_ok(&r, pool));
	r.bytes = 1;
	r.reserved = 1;
	CHECK(!entropy_request_ok(&r, pool));
}

static void responses(void)
{
	struct entropy_response r = { .id = 7 };

	CHECK(entropy_response_ok(&r, 7));
	CHECK(!entropy_response_ok(&r, 8));
	r.status = -5;
	CHECK(entropy_response_ok(&r, 7));
	r.status = 1;
	CHECK(!entropy_response_ok(&r, 7));
	r.status = INT32_MIN;
	CHECK(!entropy_response_ok(&r, 7));
}

static void infos(void)
{
	struct entropy_info i = { .link = { .version = 1, .queues = 1, .pool_pages = 1 } };

	CHECK(entropy_info_ok(&i));
	i.link.pool_pages = ENTROPY_POOL_PAGES - 1;
	CHECK(!entropy_info_ok(&i));
	i.link.pool_pages = 100;
	i.link.queues = 0;
	CHECK(!entropy_info_ok(&i));
	i.link.queues = 32;
	i.link.version = 2;
	CHECK(!entropy_info_ok(&i));
}

/* Both ends see the same rings, within their pages, and a full load goes through them. */
static void rings(void)
{
	static _Alignas(128) unsigned char pages[2 * 4096 + 128];
	struct entropy_rings r = entropy_rings(pages, 2 * 4096);
	struct parvus_producer p, answers;
	struct parvus_consumer c, requests;
	struct entropy_request q;
	struct entropy_response a;
	uint32_t i;

	CHECK(!entropy_rings(pages, 0).count && !entropy_rings(pages, 256).count);
	CHECK(r.count == 256);
	CHECK(r.response == r.request + r.count * sizeof(q));
	CHECK(r.response + r.count * sizeof(a) <= pages + 2 * 4096);
	memset(pages + 2 * 4096, 0xa5, 128);
	entropy_front_rings(&r, &p, &c);
	entropy_back_rings(&r, &requests, &answers);
	CHECK(!parvus_consume(&requests, &q) && !parvus_consume(&c, &a));
	for (i = 0; parvus_producer_room(&p); i++) {
		q = (struct entropy_request){ .id = i, .bytes = 1 };
		parvus_produce(&p, &q);
	}
	CHECK(i == r.count && parvus_publish(&p));
	for (i = 0; parvus_consume(&requests, &q); i++) {
		CHECK(q.id == i && parvus_producer_room(&answers));
		a = (struct entropy_response){ .id = q.id };
		parvus_produce(&answers, &a);
	}
	parvus_release(&requests);
	CHECK(i == r.count && parvus_publish(&answers));
	for (i = 0; parvus_consume(&c, &a); i++)
		CHECK(entropy_response_ok(&a, i));
	CHECK(i == r.count);
	for (i = 0; i < 128; i++)
		CHECK(pages[2 * 4096 + i] == 0xa5);
}

int main(void)
{
	requests();
	responses();
	infos();
	rings();
	puts("test_entropy ok");
	return 0;
}
