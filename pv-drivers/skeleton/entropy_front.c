// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entropy devices, front end: a hardware random number generator whose bytes another domain
 * sends. One request is under way at a time; if the back end goes away before it has answered,
 * the next one is asked.
 *
 * The back end is not trusted: an answer that was not asked for, or a ring that cannot be,
 * closes the device. What its bytes are worth is another matter: the kernel mixes
 * them in and counts them as nothing (quality 0).
 */
#include <linux/hw_random.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/parvus_link.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include "entropy_ops.h"

#define ENTROPY_PATIENCE	(5 * HZ)	/* then people hear that no answer comes */

enum asking { IDLE, ASKED, ANSWERED };

struct entropy_front {
	struct parvus_link_end end;
	struct mutex lock;		/* all of what follows */
	struct parvus_queue *queue;	/* NULL: there is no link */
	struct parvus_producer requests;
	struct parvus_consumer responses;
	enum asking asking;
	u32 id, bytes;			/* of the request */
	int status;			/* of the answer */
	u8 data[ENTROPY_BYTES];
	bool lied;			/* the back end has: no answer will come */
	bool gone;
	wait_queue_head_t answered;	/* or no answer will come */
	struct hwrng rng;
	bool registered;
	char name[32];
};

/* No answer will come. */
static bool entropy_hopeless(const struct entropy_front *front)
{
	return READ_ONCE(front->gone) || READ_ONCE(front->lied);
}

/* ---- requests ---- */

static void entropy_send(struct entropy_front *front)
{
	struct entropy_request request = { .id = front->id, .bytes = front->bytes };

	/* one request at a time: there is room, or the ring is broken */
	if (!parvus_producer_room(&front->requests)) {
		parvus_link_end_lie(&front->end, "has a wrong index");
		return;
	}
	parvus_produce(&front->requests, &request);
	if (parvus_publish(&front->requests))
		parvus_queue_notify(front->queue);
}

/* Returns whether the back end keeps to the protocol. */
static bool entropy_take(struct entropy_front *front, const struct entropy_response *response)
{
	if (front->asking != ASKED || !entropy_response_ok(response, front->id))
		return false;
	parvus_link_end_answers(&front->end);
	front->status = response->status;
	memcpy(front->data, page_address(front->queue->pool[0]), front->bytes);
	front->asking = ANSWERED;
	wake_up_all(&front->answered);
	return true;
}

static int entropy_receive(struct entropy_front *front, unsigned int budget)
{
	struct entropy_response response;
	unsigned int done = 0;

	while (done < budget && parvus_consume(&front->responses, &response)) {
		if (!entropy_take(front, &response))
			return -EPROTO;
		done++;
	}
	if (parvus_release(&front->responses))
		parvus_queue_notify(front->queue);
	if (parvus_consumer_broken(&front->responses))
		return -EPROTO;
	return done == budget || parvus_consumer_sleep(&front->responses) ? done : budget;
}

static int entropy_serve(struct parvus_queue *queue, unsigned int budget)
{
	struct entropy_front *front = queue->data;
	int ret;

	mutex_lock(&front->lock);
	ret = entropy_receive(front, budget);
	if (ret < 0)
		WRITE_ONCE(front->lied, true);
	mutex_unlock(&front->lock);
	/* first: connected() may wait for a reader, with what closes the device locked out */
	if (ret < 0)
		wake_up_all(&front->answered);
	return ret;
}

/* ---- the generator ---- */

/* 0, or an error: a signal. */
static int entropy_wait(struct entropy_front *front)
{
	long ret;

	for (;;) {
		ret = wait_event_interruptible_timeout(front->answered,
						       READ_ONCE(front->asking) == ANSWERED ||
						       entropy_hopeless(front), ENTROPY_PATIENCE);
		if (ret)
			return ret < 0 ? ret : 0;
		if (READ_ONCE(front->queue))
			parvus_link_end_hangs(&front->end, true);
	}
}

static int entropy_read(struct hwrng *rng, void *data, size_t max, bool wait)
{
	struct entropy_front *front = container_of(rng, struct entropy_front, rng);
	int ret;

	mutex_lock(&front->lock);
	if (front->asking == IDLE) {
		front->asking = ASKED;
		front->id++;
		front->bytes = min_t(size_t, max, ENTROPY_BYTES);
		if (front->queue)
			entropy_send(front);
	}
	mutex_unlock(&front->lock);
	if (wait) {
		ret = entropy_wait(front);
		if (ret)
			return ret;
	}
	mutex_lock(&front->lock);
	ret = entropy_hopeless(front) ? -ENODEV : 0;
	if (!ret && front->asking == ANSWERED) {
		ret = front->status ?: min_t(size_t, max, front->bytes);
		if (ret > 0)
			memcpy(data, front->data, ret);
		memzero_explicit(front->data, sizeof(front->data));
		front->asking = IDLE;
	}
	mutex_unlock(&front->lock);
	return ret;
}

/* ---- connecting ---- */

static int entropy_describe(struct parvus_link_end *end, void *blob)
{
	if (!entropy_info_ok(blob))
		return -EPROTO;
	end->shape = (struct parvus_link_shape) {
		.queues = 1,
		.ring_pages = 1,
		.pool_pages = ENTROPY_POOL_PAGES,
		.pool_least = ENTROPY_POOL_PAGES,
	};
	return 0;
}

static int entropy_connect(struct parvus_link_end *end)
{
	struct entropy_front *front = container_of(end, struct entropy_front, end);
	struct parvus_queue *queue = &end->link->queue[0];
	struct entropy_rings rings = entropy_rings(queue->rings, queue->ring_bytes);

	queue->data = front;
	mutex_lock(&front->lock);
	entropy_front_rings(&rings, &front->requests, &front->responses);
	front->lied = false;
	front->queue = queue;
	if (front->asking == ASKED)	/* of a back end that did not answer */
		entropy_send(front);
	mutex_unlock(&front->lock);
	return 0;
}

static int entropy_connected(struct parvus_link_end *end)
{
	struct entropy_front *front = container_of(end, struct entropy_front, end);
	int err = front->registered ? 0 : hwrng_register(&front->rng);

	front->registered |= !err;
	return err;
}

static void entropy_disconnect(struct parvus_link_end *end)
{
	struct entropy_front *front = container_of(end, struct entropy_front, end);

	mutex_lock(&front->lock);
	front->queue = NULL;
	mutex_unlock(&front->lock);
}

static const struct parvus_link_ops entropy_ops = {
	.describe = entropy_describe,
	.connect = entropy_connect,
	.connected = entropy_connected,
	.disconnect = entropy_disconnect,
	.serve = entropy_serve,
};

static int entropy_probe(struct parvus_dev *dev)
{
	struct entropy_front *front = kzalloc(sizeof(*front), GFP_KERNEL);

	if (!front)
		return -ENOMEM;
	mutex_init(&front->lock);
	init_waitqueue_head(&front->answered);
	snprintf(front->name, sizeof(front->name), "parvus-entropy.%u", dev->index);
	front->rng.name = front->name;
	front->rng.read = entropy_read;
	parvus_link_end_init(&front->end, dev, &entropy_ops);
	parvus_link_end_begin(&front->end);
	return 0;
}

static void entropy_remove(struct parvus_dev *dev)
{
	struct parvus_link_end *end = dev_get_drvdata(&dev->dev);
	struct entropy_front *front = container_of(end, struct entropy_front, end);

	WRITE_ONCE(front->gone, true);	/* who waits for an answer leaves */
	wake_up_all(&front->answered);
	parvus_link_end_stop(end);
	if (front->registered)
		hwrng_unregister(&front->rng);
	kfree(front);
}

static struct parvus_driver entropy_driver = {
	.driver.name = "entropy-front",
	.device_class = PARVUS_CLASS_ENTROPY,
	.side = PARVUS_FRONT,
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

MODULE_ALIAS_PARVUS(00000100, 0);
MODULE_DESCRIPTION("Parvus entropy devices, front end");
MODULE_LICENSE("GPL");
