// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entropy devices, back end in the kernel: random bytes of ours for another domain.
 *
 * The front end is not trusted. A request is copied out of its ring, checked, and the copy is
 * used; a request that cannot be served as it stands, or a ring that cannot be, closes the
 * device for good. A front end that asks without end costs a thread that yields, no more: with
 * AUTO_MASK its events come one at a time.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/parvus_link.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "entropy_ops.h"

struct entropy_back {
	struct parvus_dev *dev;
	struct mutex lock;		/* all of what follows */
	struct parvus_queues *link;	/* NULL: there is none */
	struct parvus_consumer requests;
	struct parvus_producer responses;
	bool closed;			/* for good */
};

static const struct entropy_info entropy_info = {
	.link = {
		.version = PARVUS_LINK_VERSION,
		.queues = 1,
		.pool_pages = ENTROPY_POOL_PAGES,
	},
};

/* No more of this front end. The link goes with remove(), or when the front end goes. */
static void entropy_close(struct entropy_back *back, int err)
{
	dev_warn_ratelimited(&back->dev->dev, "domain %u: closed: %s (%d)\n", back->dev->peer,
			     err == -EPROTO ? "it breaks the protocol" : "cannot connect", err);
	back->closed = true;
	parvus_device_set_state(back->dev, PARVUS_DEVICE_CLOSED, NULL, 0);
}

/* ---- requests ---- */

/* Random bytes to the place in the pool, piece by piece: its pages are not in a row. */
static void entropy_fill(const struct parvus_queue *queue, u32 offset, u32 bytes)
{
	while (bytes) {
		u32 n = min_t(u32, bytes, PAGE_SIZE - offset % PAGE_SIZE);

		get_random_bytes(page_address(queue->pool[offset / PAGE_SIZE]) + offset % PAGE_SIZE, n);
		offset += n;
		bytes -= n;
	}
}

/* As many requests as there are, and room for their answers. False: the front end lies. */
static bool entropy_requests(struct entropy_back *back)
{
	struct parvus_queue *queue = &back->link->queue[0];
	struct entropy_request request;
	bool wake;

	while (parvus_producer_room(&back->responses) &&
	       parvus_consume(&back->requests, &request)) {
		struct entropy_response response = { .id = request.id };

		if (!entropy_request_ok(&request, (u64)queue->pool_pages * PAGE_SIZE))
			return false;
		entropy_fill(queue, request.offset, request.bytes);
		parvus_produce(&back->responses, &response);
	}
	wake = parvus_release(&back->requests);
	wake |= parvus_publish(&back->responses);
	if (wake)
		parvus_queue_notify(queue);
	return !parvus_consumer_broken(&back->requests) &&
	       !parvus_producer_broken(&back->responses);
}

/* Asleep until there is a request, and room for its answer. */
static bool entropy_sleep(struct entropy_back *back)
{
	if (parvus_producer_room(&back->responses))
		return parvus_consumer_sleep(&back->requests);
	return parvus_producer_sleep(&back->responses, 1);
}

static void entropy_serve(struct entropy_back *back)
{
	mutex_lock(&back->lock);
	while (back->link && !back->closed) {
		if (!entropy_requests(back))
			entropy_close(back, -EPROTO);
		else if (entropy_sleep(back))
			break;
		/* the device can be taken away between two rounds */
		mutex_unlock(&back->lock);
		cond_resched();
		mutex_lock(&back->lock);
	}
	mutex_unlock(&back->lock);
}

static irqreturn_t entropy_interrupt(int irq, void *data)
{
	struct parvus_queue *queue = data;

	entropy_serve(dev_get_drvdata(&queue->dev->dev));
	parvus_queue_done(queue);
	return IRQ_HANDLED;
}

/* ---- connecting ---- */

static int entropy_connect(struct entropy_back *back)
{
	struct entropy_rings rings;
	struct parvus_queues *link;
	int err;

	link = parvus_link_accept(back->dev, &entropy_info.link, PARVUS_EVENT_AUTO_MASK, 0);
	if (IS_ERR(link))
		return PTR_ERR(link);
	rings = entropy_rings(link->queue[0].rings, link->queue[0].ring_bytes);
	mutex_lock(&back->lock);
	entropy_back_rings(&rings, &back->requests, &back->responses);
	back->link = link;
	mutex_unlock(&back->lock);
	err = parvus_link_start(link, NULL, entropy_interrupt, "entropy");
	if (err)
		return err;
	err = parvus_device_set_state(back->dev, PARVUS_DEVICE_CONNECTED, NULL, 0);
	if (!err)
		entropy_serve(back);	/* what was asked before the port was bound */
	return err;
}

/* What was offered a moment ago may not be there any more: that is no lie. */
static bool entropy_front_left(struct entropy_back *back)
{
	struct parvus_device *record = kmalloc(sizeof(*record), GFP_KERNEL);
	bool left;

	if (!record)
		return false;
	left = parvus_device_read(back->dev, record) || record->front_state != PARVUS_DEVICE_READY;
	kfree(record);
	return left;
}

static void entropy_disconnect(struct entropy_back *back)
{
	struct parvus_queues *link;

	mutex_lock(&back->lock);
	link = back->link;
	back->link = NULL;
	mutex_unlock(&back->lock);
	parvus_link_free(link);	/* waits for the interrupt, which takes the lock */
}

/* Nobody is connected: offer ourselves. READY follows INITIALISING. */
static int entropy_ready(struct entropy_back *back)
{
	int err;

	if (back->closed || back->dev->state == PARVUS_DEVICE_READY)
		return 0;
	err = parvus_device_set_state(back->dev, PARVUS_DEVICE_INITIALISING, NULL, 0);
	return err ?: parvus_device_set_state(back->dev, PARVUS_DEVICE_READY, &entropy_info,
					      sizeof(entropy_info));
}

static void entropy_peer_changed(struct parvus_dev *dev, u32 state)
{
	struct entropy_back *back = dev_get_drvdata(&dev->dev);
	int err;

	switch (state) {
	case PARVUS_DEVICE_READY:
		if (back->link || back->closed)
			break;
		err = entropy_connect(back);
		if (!err)
			break;
		entropy_disconnect(back);
		if (entropy_front_left(back))
			break;	/* that is why; we are told next */
		mutex_lock(&back->lock);
		entropy_close(back, err);
		mutex_unlock(&back->lock);
		break;
	case PARVUS_DEVICE_CONNECTED:
		break;
	case PARVUS_DEVICE_CLOSING:
		entropy_disconnect(back);
		if (!back->closed)
			parvus_device_set_state(dev, PARVUS_DEVICE_CLOSED, NULL, 0);
		break;
	default:	/* CLOSED, INITIALISING: begin anew */
		entropy_disconnect(back);
		entropy_ready(back);
	}
}

static int entropy_probe(struct parvus_dev *dev)
{
	struct entropy_back *back = kzalloc(sizeof(*back), GFP_KERNEL);
	int err;

	if (!back)
		return -ENOMEM;
	back->dev = dev;
	mutex_init(&back->lock);
	dev_set_drvdata(&dev->dev, back);
	err = entropy_ready(back);
	if (err)
		kfree(back);
	return err;
}

static void entropy_remove(struct parvus_dev *dev)
{
	struct entropy_back *back = dev_get_drvdata(&dev->dev);

	entropy_disconnect(back);
	kfree(back);
}

static struct parvus_driver entropy_driver = {
	.driver.name = "entropy-back",
	.device_class = PARVUS_CLASS_ENTROPY,
	.side = PARVUS_BACK,
	.probe = entropy_probe,
	.remove = entropy_remove,
	.peer_changed = entropy_peer_changed,
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
