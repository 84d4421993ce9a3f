// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus: the states of an end (linux/parvus_link.h), which are the same for all classes of
 * devices:
 *
 *	back end				front end
 *	describe(), READY			INITIALISING
 *						describe(), connect(), READY
 *	connect(), CONNECTED, connected()
 *						CONNECTED, connected()
 *
 * An end whose peer is CLOSED or INITIALISING lets go and begins anew. What an end knows
 * of its peer is what the bus told it last, which may be old: a call that fails because the
 * peer has gone on is followed by the news of that.
 */
#include <linux/ctype.h>
#include <linux/export.h>
#include <linux/printk.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "link.h"

#define RETRY_FIRST	HZ		/* after an error of our own */
#define RETRY_DOUBLED	5		/* times, at most */
#define LINES		10		/* of the log, of one device, */
#define LINES_TIME	(30 * HZ)	/* in this time */

static const char *end_name(const struct parvus_link_end *e)
{
	return e->name ?: dev_name(&e->dev->dev);
}

static bool end_is_back(const struct parvus_link_end *e)
{
	return e->dev->side == PARVUS_BACK;
}

static void end_set(struct parvus_link_end *e, u32 state)
{
	if (e->dev->state != state)
		parvus_device_set_state(e->dev, state, NULL, 0);
}

/* There is no link, for nobody is there to have one with. */
static void end_say_away(struct parvus_link_end *e)
{
	parvus_device_say(e->dev, "away: no %s end", end_is_back(e) ? "front" : "back");
}

/*
 * A front end says that its link goes before it takes it away: a back end that comes in between,
 * for one that was killed, would take what it does not find for a lie.
 */
static void end_drop(struct parvus_link_end *e)
{
	if (!e->link)
		return;
	if (!end_is_back(e))
		end_set(e, PARVUS_DEVICE_INITIALISING);
	parvus_link_stop(e->link);
	e->ops->disconnect(e);
	parvus_link_free(e->link);
	e->link = NULL;
	WRITE_ONCE(e->lied, false);
	WRITE_ONCE(e->hangs, false);
	end_say_away(e);
}

/* A lie: the last of this peer, until a person says otherwise. It hears why, for its people. */
static void end_refuse(struct parvus_link_end *e)
{
	char text[PARVUS_REASON] = "";

	WRITE_ONCE(e->dev->refused, true);
	cancel_delayed_work(&e->retry_work);
	end_drop(e);
	strscpy(text, e->why ?: "breaks the protocol", sizeof(text));
	if (e->dev->state != PARVUS_DEVICE_CLOSED)
		parvus_device_set_state(e->dev, PARVUS_DEVICE_CLOSED, text, sizeof(text));
	parvus_device_say(e->dev, "lied: domain %u %s", e->dev->peer, text);
}

/* Each device has so many lines of the log: none that another one's peer takes from it. */
static void end_say_closed(struct parvus_link_end *e, const char *what)
{
	if (__ratelimit(&e->lines))
		pr_warn("parvus: %s: closed: domain %u %s\n", end_name(e), e->dev->peer, what);
}

void parvus_link_end_lie(struct parvus_link_end *e, const char *what)
{
	if (xchg(&e->lied, true))
		return;
	WRITE_ONCE(e->why, what);
	end_say_closed(e, what);
	schedule_work(&e->lie_work);
}
EXPORT_SYMBOL_GPL(parvus_link_end_lie);

void parvus_link_end_hangs(struct parvus_link_end *e, bool hangs)
{
	if (xchg(&e->hangs, hangs) != hangs)
		schedule_work(&e->hang_work);
}
EXPORT_SYMBOL_GPL(parvus_link_end_hangs);

/* Without end->lock: whoever has it may wait for the very answer. */
static void end_hang_work(struct work_struct *work)
{
	struct parvus_link_end *e = container_of(work, struct parvus_link_end, hang_work);
	unsigned int noio = memalloc_noio_save();
	bool hangs = READ_ONCE(e->hangs);

	if (READ_ONCE(e->dev->state) == PARVUS_DEVICE_CONNECTED)
		parvus_device_say(e->dev, hangs ? "hangs: domain %u does not answer" : "",
				  e->dev->peer);
	memalloc_noio_restore(noio);
}

static void end_lie_work(struct work_struct *work)
{
	struct parvus_link_end *e = container_of(work, struct parvus_link_end, lie_work);
	unsigned int noio = memalloc_noio_save();	/* as the bus has it: not our own I/O */

	mutex_lock(&e->lock);
	if (e->lied && e->link)
		end_refuse(e);
	mutex_unlock(&e->lock);
	memalloc_noio_restore(noio);
}

/* Has the peer gone on since the bus told us of it? */
static bool end_left(const struct parvus_link_end *e)
{
	struct parvus_device *record = kmalloc(sizeof(*record), GFP_KERNEL);
	bool left = false;

	if (record)
		left = parvus_device_read(e->dev, record) ||
		       (end_is_back(e) ? record->front_changes : record->back_changes) !=
		       e->dev->peer_changes;
	kfree(record);
	return left;
}

/* Is it what happens to ourselves? A back end meets many an error that a false link makes. */
static bool end_own_error(const struct parvus_link_end *e, int err)
{
	if (!end_is_back(e))
		return err != -EPROTO;
	return err == -ENOMEM || err == -ENOSPC || err == -EAGAIN || err == -EINTR;
}

static void end_retry(struct parvus_link_end *e, int err)
{
	unsigned long delay = RETRY_FIRST << e->tries;

	if (e->tries < RETRY_DOUBLED)
		e->tries++;
	parvus_device_say(e->dev, "fails: no link to domain %u, error %d", e->dev->peer, -err);
	if (__ratelimit(&e->lines))
		pr_warn("parvus: %s: no link to domain %u: %d; again in %lu s\n", end_name(e),
			e->dev->peer, err, delay / HZ);
	schedule_delayed_work(&e->retry_work, delay);
}

/* It will be tried again, and not sooner for what the peer does. */
static bool end_rests(struct parvus_link_end *e)
{
	return delayed_work_pending(&e->retry_work);
}

/* There was to be a link, and there is none. */
static void end_failed(struct parvus_link_end *e, int err)
{
	bool own = end_own_error(e, err), left = !own && end_left(e);

	end_drop(e);
	if (!own && !left && err != -EBUSY) {
		e->why = err == -EPROTO ? "breaks the protocol" : "offers no link";
		end_say_closed(e, e->why);
		end_refuse(e);
		return;
	}
	/* a back end that is still READY may try the same front end again */
	if (!end_is_back(e) || e->dev->state == PARVUS_DEVICE_CONNECTED)
		end_set(e, PARVUS_DEVICE_INITIALISING);
	if (!left)
		end_retry(e, err);
}

/* Both ends are CONNECTED, as far as we are concerned. */
static int end_connected(struct parvus_link_end *e)
{
	int err;

	parvus_device_say(e->dev, "");	/* connected() may wait for the other end, and it hang */
	err = e->ops->connected ? e->ops->connected(e) : 0;
	if (err)
		return err;
	e->tries = 0;
	if (e->ops->serve)	/* what came before there was an event for it */
		parvus_link_kick(e->link);
	return 0;
}

/* ---- front end ---- */

/* describe() or changed(), with what the back end says now. */
static int front_look(struct parvus_link_end *e, bool anew)
{
	struct parvus_device *record = kmalloc(sizeof(*record), GFP_KERNEL);
	int err = record ? parvus_device_read(e->dev, record) : -ENOMEM;

	if (!err)
		err = anew ? e->ops->describe(e, record->back_blob) :
			     e->ops->changed(e, record->back_blob);
	kfree(record);
	return err;
}

static int front_make(struct parvus_link_end *e)
{
	struct parvus_link_shape *s = &e->shape;
	unsigned int pages;
	int err = front_look(e, true);

	if (err)
		return err;
	/*
	 * What the back end keeps of the links before is memory that nobody has. It may be
	 * as much as one of them, for a back end that died and whose I/O is under way.
	 */
	if (atomic_read(&e->dev->ghosts) > parvus_link_pages(s))
		return -EBUSY;
	/* Many devices share memory and the table of grants: rather a small pool than none. */
	pages = s->pool_pages;
	do {
		e->link = parvus_link_create(e->dev, s->queues, s->ring_pages, pages);
		pages /= 2;
	} while (IS_ERR(e->link) && pages && pages >= s->pool_least);
	if (IS_ERR(e->link)) {
		err = PTR_ERR(e->link);
		e->link = NULL;
		return err;
	}
	err = e->ops->connect(e);
	if (!err)
		err = parvus_link_start(e->link, e);
	return err ?: parvus_link_publish(e->link, s->features);
}

static void front_begin(struct parvus_link_end *e)
{
	int err;

	if (e->link || end_rests(e))
		return;
	end_set(e, PARVUS_DEVICE_INITIALISING);
	err = front_make(e);
	if (err)
		end_failed(e, err);
}

/*
 * The back end is CLOSED: nobody, or one that has refused us and says why. What it says is another
 * domain's: text or nothing.
 */
static void front_closed(struct parvus_link_end *e)
{
	struct parvus_device *record = kmalloc(sizeof(*record), GFP_KERNEL);
	char text[64];
	unsigned int n = 0;

	if (record && !parvus_device_read(e->dev, record) &&
	    record->back_state == PARVUS_DEVICE_CLOSED)
		while (n < sizeof(text) - 1 && isascii(record->back_blob[n]) &&
		       isprint(record->back_blob[n])) {
			text[n] = record->back_blob[n];
			n++;
		}
	text[n] = 0;
	if (n)
		parvus_device_say(e->dev, "refused: domain %u: %s", e->dev->peer, text);
	else
		end_say_away(e);
	kfree(record);
}

static void front_connected(struct parvus_link_end *e)
{
	int err = 0;

	if (!e->link)
		return;		/* it was with one before us, and will begin anew */
	if (e->dev->state == PARVUS_DEVICE_READY) {
		if (parvus_device_set_state(e->dev, PARVUS_DEVICE_CONNECTED, NULL, 0))
			return;
		err = end_connected(e);
	}
	if (!err && e->dev->state == PARVUS_DEVICE_CONNECTED && e->ops->changed)
		err = front_look(e, false);
	if (err)
		end_failed(e, err);
}

static void front_follow(struct parvus_link_end *e, u32 state)
{
	bool left = e->closing && state == PARVUS_DEVICE_CLOSED && e->dev->state == state;

	WRITE_ONCE(e->closing, left || state == PARVUS_DEVICE_CLOSING);
	if (e->dev->refused && state != PARVUS_DEVICE_CLOSING)
		return;
	switch (state) {
	case PARVUS_DEVICE_READY:
		front_begin(e);
		break;
	case PARVUS_DEVICE_CONNECTED:
		front_connected(e);
		break;
	case PARVUS_DEVICE_CLOSING:
		if (!e->ops->closing || e->ops->closing(e))
			parvus_link_end_leave(e);
		break;
	case PARVUS_DEVICE_CLOSED:
		if (left)	/* both ends are: the device goes */
			break;
		parvus_link_end_renew(e);
		front_closed(e);
		break;
	case PARVUS_DEVICE_INITIALISING:
		parvus_link_end_renew(e);
		end_say_away(e);
		break;
	}
}

void parvus_link_end_renew(struct parvus_link_end *e)
{
	end_drop(e);
	end_set(e, PARVUS_DEVICE_INITIALISING);
}
EXPORT_SYMBOL_GPL(parvus_link_end_renew);

void parvus_link_end_leave(struct parvus_link_end *e)
{
	end_drop(e);
	end_set(e, e->closing ? PARVUS_DEVICE_CLOSED : PARVUS_DEVICE_INITIALISING);
}
EXPORT_SYMBOL_GPL(parvus_link_end_leave);

/* ---- back end ---- */

static int back_say(struct parvus_link_end *e, u32 state)
{
	int err;

	memset(e->blob, 0, sizeof(e->blob));
	err = e->ops->describe(e, e->blob);
	return err ?: parvus_device_set_state(e->dev, state, e->blob, sizeof(e->blob));
}

void parvus_link_end_say(struct parvus_link_end *e)
{
	u8 old[sizeof(e->blob)];

	memcpy(old, e->blob, sizeof(old));
	memset(e->blob, 0, sizeof(e->blob));
	if (e->ops->describe(e, e->blob))
		memcpy(e->blob, old, sizeof(old));
	else if (e->dev->state == PARVUS_DEVICE_CONNECTED && memcmp(old, e->blob, sizeof(old)))
		parvus_device_set_state(e->dev, PARVUS_DEVICE_CONNECTED, e->blob, sizeof(e->blob));
}
EXPORT_SYMBOL_GPL(parvus_link_end_say);

/* Offer ourselves to whoever comes. */
static void back_offer(struct parvus_link_end *e)
{
	int err;

	end_drop(e);
	err = parvus_device_set_state(e->dev, PARVUS_DEVICE_INITIALISING, NULL, 0);
	if (!err)
		err = back_say(e, PARVUS_DEVICE_READY);
	if (err)
		end_retry(e, err);
}

static int back_connect(struct parvus_link_end *e)
{
	int err;

	e->link = parvus_link_accept(e->dev, (struct parvus_link_info *)e->blob);
	if (IS_ERR(e->link)) {
		err = PTR_ERR(e->link);
		e->link = NULL;
		return err;
	}
	err = e->ops->connect(e);
	if (!err)
		err = parvus_link_start(e->link, e);
	if (!err)
		err = back_say(e, PARVUS_DEVICE_CONNECTED);
	return err ?: end_connected(e);
}

/* The front end is READY. */
static void back_accept(struct parvus_link_end *e)
{
	int err;

	if (e->link || e->dev->state != PARVUS_DEVICE_READY || end_rests(e))
		return;
	err = back_connect(e);
	if (err == -ENOSPC && e->ops->smaller && e->ops->smaller(e))
		back_offer(e);
	else if (err)
		end_failed(e, err);
}

/* To be detached: CLOSING, until the front end, in @state, is not there any more. */
static void back_detach(struct parvus_link_end *e, u32 state)
{
	u32 ours = PARVUS_DEVICE_CLOSING;

	if (state == PARVUS_DEVICE_CLOSED || state == PARVUS_DEVICE_CLOSING)
		ours = PARVUS_DEVICE_CLOSED;
	if (ours == PARVUS_DEVICE_CLOSED || state == PARVUS_DEVICE_INITIALISING)
		end_drop(e);
	end_set(e, ours);
}

static void back_follow(struct parvus_link_end *e, u32 state)
{
	if (e->detaching) {
		back_detach(e, state);
		return;
	}
	if (e->dev->refused)
		return;
	switch (state) {
	case PARVUS_DEVICE_READY:
		back_accept(e);
		break;
	case PARVUS_DEVICE_CLOSING:
		end_drop(e);
		end_set(e, PARVUS_DEVICE_CLOSED);
		break;
	case PARVUS_DEVICE_CLOSED:
	case PARVUS_DEVICE_INITIALISING:
		end_drop(e);
		if (e->dev->state != PARVUS_DEVICE_READY && !end_rests(e))
			back_offer(e);
		break;
	}
}

static bool back_detaching(const struct parvus_link_end *e)
{
	u32 flags;

	memcpy(&flags, e->dev->config + sizeof(u32), sizeof(flags));
	return end_is_back(e) && flags & e->ops->detach;
}

/* ---- both ---- */

void parvus_link_end_configured(struct parvus_dev *dev)
{
	struct parvus_link_end *e = dev_get_drvdata(&dev->dev);
	bool detaching = back_detaching(e), returns;
	int ret;

	mutex_lock(&e->lock);
	returns = e->detaching && !detaching;
	e->detaching = detaching;
	if (returns)
		end_drop(e);
	ret = e->ops->configured ? e->ops->configured(e) : 0;
	if (ret >= 0 && end_is_back(e)) {
		if (detaching)
			back_detach(e, dev->peer_state);
		else if (e->link)
			parvus_link_end_say(e);
		else if (!dev->refused && (returns || (ret && dev->state != PARVUS_DEVICE_CLOSED)))
			back_offer(e);
	}
	mutex_unlock(&e->lock);
}
EXPORT_SYMBOL_GPL(parvus_link_end_configured);

static void end_follow(struct parvus_link_end *e, u32 state)
{
	if (end_is_back(e))
		back_follow(e, state);
	else
		front_follow(e, state);
}

void parvus_link_end_peer_changed(struct parvus_dev *dev, u32 state)
{
	struct parvus_link_end *e = dev_get_drvdata(&dev->dev);

	mutex_lock(&e->lock);
	if (e->lied && e->link)
		end_refuse(e);
	end_follow(e, state);
	mutex_unlock(&e->lock);
}
EXPORT_SYMBOL_GPL(parvus_link_end_peer_changed);

static void end_retry_work(struct work_struct *work)
{
	struct parvus_link_end *e = container_of(work, struct parvus_link_end, retry_work.work);
	unsigned int noio = memalloc_noio_save();

	mutex_lock(&e->lock);
	if (!e->stopped && !e->detaching && !e->dev->refused && !e->link) {
		if (end_is_back(e) && e->dev->state == PARVUS_DEVICE_INITIALISING)
			back_offer(e);
		if (READ_ONCE(e->dev->peer_state) == PARVUS_DEVICE_READY)
			end_follow(e, PARVUS_DEVICE_READY);
	}
	mutex_unlock(&e->lock);
	memalloc_noio_restore(noio);
}

void parvus_link_end_init(struct parvus_link_end *e, struct parvus_dev *dev,
			  const struct parvus_link_ops *ops)
{
	e->dev = dev;
	e->ops = ops;
	mutex_init(&e->lock);
	ratelimit_state_init(&e->lines, LINES_TIME, LINES);
	ratelimit_set_flags(&e->lines, RATELIMIT_MSG_ON_RELEASE);
	INIT_WORK(&e->lie_work, end_lie_work);
	INIT_WORK(&e->hang_work, end_hang_work);
	INIT_DELAYED_WORK(&e->retry_work, end_retry_work);
	dev_set_drvdata(&dev->dev, e);
}
EXPORT_SYMBOL_GPL(parvus_link_end_init);

/* The bus tells us of the peer after probe(). */
void parvus_link_end_begin(struct parvus_link_end *e)
{
	mutex_lock(&e->lock);
	e->detaching = back_detaching(e);
	end_say_away(e);
	if (!end_is_back(e))
		parvus_device_set_state(e->dev, PARVUS_DEVICE_INITIALISING, NULL, 0);
	else if (!e->detaching)
		back_offer(e);
	mutex_unlock(&e->lock);
}
EXPORT_SYMBOL_GPL(parvus_link_end_begin);

void parvus_link_end_stop(struct parvus_link_end *e)
{
	mutex_lock(&e->lock);
	e->stopped = true;
	end_drop(e);
	mutex_unlock(&e->lock);
	cancel_work_sync(&e->lie_work);
	cancel_work_sync(&e->hang_work);
	cancel_delayed_work_sync(&e->retry_work);
}
EXPORT_SYMBOL_GPL(parvus_link_end_stop);
