// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entropy devices, back end in the kernel: random bytes of ours for another domain.
 *
 * The front end is not trusted. A request is copied out of its ring, checked, and the copy is
 * used; a request that cannot be served as it stands, or a ring that cannot be, closes the
 * device. A front end that asks without end costs a thread that shares the CPU with all
 * others, no more: so it is with whatever the link layer calls serve() for.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/parvus_link.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "entropy_ops.h"

struct entropy_back {
	struct parvus_link_end end;
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

/* ---- requests ---- */

/* Random bytes to the place in the pool, piece by piece: its pages are not in a row. */
static void entropy_fill(const struct parvus_queue *queue, u32 offset, u32 bytes)
{
	while (bytes) {
		u32 n = min_t(u32, bytes, PAGE_SIZE - offset % PAGE_SIZE);

		get_random_bytes(page_address(queue->pool[offset / PAGE_SIZE]) + offset % PAGE_SIZE,
				 n);
		offset += n;
		bytes -= n;
	}
}

/* Asleep until there is a request, and room for its answer. */
static bool entropy_sleep(struct entropy_back *back)
{
	if (parvus_producer_room(&back->responses))
		return parvus_consumer_sleep(&back->requests);
	return parvus_producer_sleep(&back->responses, 1);
}

static int entropy_serve(struct parvus_queue *queue, unsigned int budget)
{
	struct entropy_back *back = queue->data;
	struct entropy_request request;
	unsigned int done = 0;
	bool wake;

	while (done < budget && parvus_producer_room(&back->responses) &&
	       parvus_consume(&back->requests, &request)) {
		struct entropy_response response = { .id = request.id };

		if (!entropy_request_ok(&request, (u64)queue->pool_pages * PAGE_SIZE))
			return -EPROTO;
		entropy_fill(queue, request.offset, request.bytes);
		parvus_produce(&back->responses, &response);
		done++;
	}
	wake = parvus_release(&back->requests);
	wake |= parvus_publish(&back->responses);
	if (wake)
		parvus_queue_notify(queue);
	if (parvus_consumer_broken(&back->requests) || parvus_producer_broken(&back->responses))
		return -EPROTO;
	return done == budget || entropy_sleep(back) ? done : budget;
}

/* ---- connecting ---- */

static int entropy_describe(struct parvus_link_end *end, void *blob)
{
	memcpy(blob, &entropy_info, sizeof(entropy_info));
	return 0;
}

static int entropy_connect(struct parvus_link_end *end)
{
	struct entropy_back *back = container_of(end, struct entropy_back, end);
	struct parvus_queue *queue = &end->link->queue[0];
	struct entropy_rings rings = entropy_rings(queue->rings, queue->ring_bytes);

	entropy_back_rings(&rings, &back->requests, &back->responses);
	queue->data = back;
	return 0;
}

static void entropy_disconnect(struct parvus_link_end *end)
{
	/* nothing is under way between two calls of serve() */
}

static const struct parvus_link_ops entropy_ops = {
	.describe = entropy_describe,
	.connect = entropy_connect,
	.disconnect = entropy_disconnect,
	.serve = entropy_serve,
};

static int entropy_probe(struct parvus_dev *dev)
{
	struct entropy_back *back = kzalloc(sizeof(*back), GFP_KERNEL);

	if (!back)
		return -ENOMEM;
	parvus_link_end_init(&back->end, dev, &entropy_ops);
	parvus_link_end_begin(&back->end);
	return 0;
}

static void entropy_remove(struct parvus_dev *dev)
{
	struct parvus_link_end *end = dev_get_drvdata(&dev->dev);

	parvus_link_end_stop(end);
	kfree(container_of(end, struct entropy_back, end));
}

static struct parvus_driver entropy_driver = {
	.driver.name = "entropy-back",
	.device_class = PARVUS_CLASS_ENTROPY,
	.side = PARVUS_BACK,
	.probe = entropy_probe,
	.remove = entropy_remove,
	.peer_changed = parvus_link_end_peer_changed,
};

static int __init entropy_init(void)
{
	return parvus_register_driver(&entropy_driver);
}
module_init(entropy_init);

static void __exit entropy_exit(void)
{
	parvus_unregister_driver(&entropy_driver);
}
module_exit(entropy_exit);

MODULE_ALIAS_PARVUS(00000100, 1);
MODULE_DESCRIPTION("Parvus entropy devices, back end");
MODULE_LICENSE("GPL");
