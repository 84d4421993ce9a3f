// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entropy devices, front end: a hardware random number generator whose bytes another domain
 * sends. One request is under way at a time; if the back end goes away before it has answered,
 * the next one is asked.
 *
 * The back end is not trusted: an answer that was not asked for, or a ring that cannot be,
 * closes the device for good. What its bytes are worth is another matter: the kernel mixes
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

enum asking { IDLE, ASKED, ANSWERED };

struct entropy_front {
	struct parvus_dev *dev;
	struct mutex lock;		/* all of what follows */
	struct parvus_queues *link;	/* NULL: there is none */
	struct parvus_producer requests;
	struct parvus_consumer responses;
	enum asking asking;
	u32 id, bytes;			/* of the request */
	int status;			/* of the answer */
	u8 data[ENTROPY_BYTES];
	bool closed;			/* for good */
	wait_queue_head_t answered;	/* or closed */
	struct hwrng rng;
	bool registered;
	char name[32];
};

/* No more of this back end. The link goes with remove(), or when the back end goes. */
static void entropy_close(struct entropy_front *front, int err)
{
	if (front->closed)
		return;
	dev_warn_ratelimited(&front->dev->dev, "closed: %s (%d)\n", err == -EPROTO ?
			     "the back end breaks the protocol" : "cannot connect", err);
	front->closed = true;
	wake_up_all(&front->answered);
	parvus_device_set_state(front->dev, PARVUS_DEVICE_CLOSED, NULL, 0);
}

/* ---- requests ---- */

static void entropy_send(struct entropy_front *front)
{
	struct entropy_request request = { .id = front->id, .bytes = front->bytes };

	/* one request at a time: there is room, or the ring is broken */
	if (!parvus_producer_room(&front->requests)) {
		entropy_close(front, -EPROTO);
		return;
	}
	parvus_produce(&front->requests, &request);
	if (parvus_publish(&front->requests))
		parvus_queue_notify(&front->link->queue[0]);
}

/* Returns whether the back end keeps to the protocol. */
static bool entropy_take(struct entropy_front *front, const struct entropy_response *response)
{
	if (front->asking != ASKED || !entropy_response_ok(response, front->id))
		return false;
	front->status = response->status;
	memcpy(front->data, page_address(front->link->queue[0].pool[0]), front->bytes);
	front->asking = ANSWERED;
	wake_up_all(&front->answered);
	return true;
}

static void entropy_receive(struct entropy_front *front)
{
	struct entropy_response response;

	do {
		while (parvus_consume(&front->responses, &response)) {
			if (!entropy_take(front, &response)) {
				entropy_close(front, -EPROTO);
				return;
			}
		}
		if (parvus_release(&front->responses))
			parvus_queue_notify(&front->link->queue[0]);
	} while (!parvus_consumer_sleep(&front->responses) &&
		 !parvus_consumer_broken(&front->responses));
	if (parvus_consumer_broken(&front->responses))
		entropy_close(front, -EPROTO);
}

static irqreturn_t entropy_interrupt(int irq, void *data)
{
	struct parvus_queue *queue = data;
	struct entropy_front *front = dev_get_drvdata(&queue->dev->dev);

	mutex_lock(&front->lock);
	if (front->link && !front->closed)
		entropy_receive(front);
	mutex_unlock(&front->lock);
	parvus_queue_done(queue);
	return IRQ_HANDLED;
}

/* ---- the generator ---- */

static int entropy_read(struct hwrng *rng, void *data, size_t max, bool wait)
{
	struct entropy_front *front = container_of(rng, struct entropy_front, rng);
	int ret;

	mutex_lock(&front->lock);
	if (front->asking == IDLE && !front->closed) {
		front->asking = ASKED;
		front->id++;
		front->bytes = min_t(size_t, max, ENTROPY_BYTES);
		if (front->link)
			entropy_send(front);
	}
	mutex_unlock(&front->lock);
	if (wait) {
		ret = wait_event_interruptible(front->answered,
					       READ_ONCE(front->asking) == ANSWERED ||
					       READ_ONCE(front->closed));
		if (ret)
			return ret;
	}
	mutex_lock(&front->lock);
	ret = front->closed ? -ENODEV : 0;
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

static int entropy_connect(struct entropy_front *front)
{
	struct parvus_device *record = kmalloc(sizeof(*record), GFP_KERNEL);
	struct entropy_info info;
	struct entropy_rings rings;
	struct parvus_queues *link;
	int err;

	if (!record)
		return -ENOMEM;
	err = parvus_device_read(front->dev, record);
	memcpy(&info, record->back_blob, sizeof(info));
	kfree(record);
	if (err)
		return err;
	if (!entropy_info_ok(&info))
		return -EPROTO;
	link = parvus_link_create(front->dev, 1, 1, ENTROPY_POOL_PAGES, PARVUS_EVENT_AUTO_MASK);
	if (IS_ERR(link))
		return PTR_ERR(link);
	rings = entropy_rings(link->queue[0].rings, link->queue[0].ring_bytes);

	mutex_lock(&front->lock);
	entropy_front_rings(&rings, &front->requests, &front->responses);
	front->link = link;
	if (front->asking == ASKED)	/* of a back end that did not answer */
		entropy_send(front);
	mutex_unlock(&front->lock);

	err = parvus_link_start(link, NULL, entropy_interrupt, "entropy");
	return err ?: parvus_link_publish(link, 0, NULL, 0);
}

static void entropy_disconnect(struct entropy_front *front)
{
	struct parvus_queues *link;

	mutex_lock(&front->lock);
	link = front->link;
	front->link = NULL;
	mutex_unlock(&front->lock);
	parvus_link_free(link);	/* waits for the interrupt, which takes the lock */
}

static void entropy_set_state(struct entropy_front *front, u32 state)
{
	mutex_lock(&front->lock);
	if (!front->closed && front->dev->state != state)
		parvus_device_set_state(front->dev, state, NULL, 0);
	mutex_unlock(&front->lock);
}

static void entropy_peer_changed(struct parvus_dev *dev, u32 state)
{
	struct entropy_front *front = dev_get_drvdata(&dev->dev);
	int err;

	switch (state) {
	case PARVUS_DEVICE_READY:
		if (front->link || front->closed)
			break;
		err = entropy_connect(front);
		if (!err)
			break;
		entropy_disconnect(front);
		mutex_lock(&front->lock);
		entropy_close(front, err);
		mutex_unlock(&front->lock);
		break;
	case PARVUS_DEVICE_CONNECTED:
		if (!front->link)
			break;	/* it was with one before us: it will begin anew */
		entropy_set_state(front, PARVUS_DEVICE_CONNECTED);
		if (!front->registered)
			front->registered = !hwrng_register(&front->rng);
		break;
	case PARVUS_DEVICE_CLOSING:
		entropy_disconnect(front);
		entropy_set_state(front, PARVUS_DEVICE_CLOSED);
		break;
	default:	/* CLOSED, INITIALISING: begin anew */
		entropy_disconnect(front);
		entropy_set_state(front, PARVUS_DEVICE_INITIALISING);
	}
}

static int entropy_probe(struct parvus_dev *dev)
{
	struct entropy_front *front = kzalloc(sizeof(*front), GFP_KERNEL);
	int err;

	if (!front)
		return -ENOMEM;
	front->dev = dev;
	mutex_init(&front->lock);
	init_waitqueue_head(&front->answered);
	snprintf(front->name, sizeof(front->name), "parvus-entropy.%u", dev->index);
	front->rng.name = front->name;
	front->rng.read = entropy_read;
	dev_set_drvdata(&dev->dev, front);
	err = parvus_device_set_state(dev, PARVUS_DEVICE_INITIALISING, NULL, 0);
	if (err)
		kfree(front);
	return err;
}

static void entropy_remove(struct parvus_dev *dev)
{
	struct entropy_front *front = dev_get_drvdata(&dev->dev);

	mutex_lock(&front->lock);
	front->closed = true;	/* who waits for an answer leaves */
	mutex_unlock(&front->lock);
	wake_up_all(&front->answered);
	if (front->registered)
		hwrng_unregister(&front->rng);
	entropy_disconnect(front);
	kfree(front);
}

static struct parvus_driver entropy_driver = {
	.driver.name = "entropy-front",
	.device_class = PARVUS_CLASS_ENTROPY,
	.side = PARVUS_FRONT,
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

MODULE_ALIAS_PARVUS(00000100, 0);
MODULE_DESCRIPTION("Parvus entropy devices, front end");
MODULE_LICENSE("GPL");
