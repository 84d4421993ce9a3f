// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus: the bus of split devices. For each device in the hypervisor's registry, each
 * end that belongs to this domain is a struct device; drivers match by class and side.
 * VIRQ_DEVICE says that something changed; one work item then asks what, and hands it to the
 * work item of the device, which adds it, removes it, and tells its driver of the state of
 * the other end, or programs that have /dev/parvus/device open. So a driver that waits, for
 * a disk that hangs, keeps nobody else waiting.
 */
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "parvus_bus.h"

/*
 * A domain may change its end of a device without end. The event comes no more often than
 * this, and not while the bus looks; a driver is told LOOK_RATE times a second, and
 * LOOK_BURST at once.
 */
#define EVENT_INTERVAL	NSEC_PER_MSEC
#define LOOK_RATE	20
#define LOOK_BURST	40

/* Two slots per device, front at 2 * id; only the bus's work item changes it. */
static DEFINE_XARRAY(parvus_devs);
static DEFINE_MUTEX(parvus_devs_mutex);

static void parvus_bus_scan(struct work_struct *work);
static DECLARE_WORK(parvus_bus_work, parvus_bus_scan);
static struct workqueue_struct *parvus_bus_queue, *parvus_dev_queue;
static bool parvus_bus_scanned;
static int parvus_bus_irq;

static struct bus_type parvus_bus;
static const char *const parvus_states[] = {
	"closed", "initialising", "ready", "connected", "closing", "gone",
};

static const char *parvus_state_name(u32 state)
{
	return state < ARRAY_SIZE(parvus_states) ? parvus_states[state] : "unknown";
}

/* One device_op; @record is from kmalloc(). */
int parvus_device_call(unsigned int op, struct parvus_device *record)
{
	if (!parvus_start)
		return -ENOSYS;
	record->size = sizeof(*record);
	record->version = 1;
	return parvus_call2(PARVUS_HC_device_op, op, __pa(record));
}

static struct parvus_device *parvus_record_alloc(void)
{
	return kzalloc(sizeof(struct parvus_device), GFP_KERNEL);
}

/* SET by @record, in which our end's state and blob and the flag WRITE are given. */
int parvus_device_set(struct parvus_dev *dev, struct parvus_device *record)
{
	u32 state = dev->side == PARVUS_BACK ? record->back_state : record->front_state;
	int ret;

	record->id = dev->id;
	record->flags &= PARVUS_DEVICE_WRITE;
	if (dev->loop && dev->side == PARVUS_BACK)
		record->flags |= PARVUS_DEVICE_AS_BACK;
	ret = parvus_device_call(PARVUS_DEVICE_SET, record);
	if (!ret)
		WRITE_ONCE(dev->state, state);
	return ret;
}

/**
 * parvus_device_set_state - set our end's state, and its blob if @blob is not NULL
 * @len: at most PARVUS_DEVICE_BLOB; the rest of the blob becomes zero
 */
int parvus_device_set_state(struct parvus_dev *dev, u32 state, const void *blob, size_t len)
{
	struct parvus_device *record;
	int ret;

	if (len > PARVUS_DEVICE_BLOB)
		return -EINVAL;
	record = parvus_record_alloc();
	if (!record)
		return -ENOMEM;
	if (blob) {
		record->flags = PARVUS_DEVICE_WRITE;
		memcpy(dev->side == PARVUS_BACK ? record->back_blob : record->front_blob, blob,
		       len);
	}
	if (dev->side == PARVUS_BACK)
		record->back_state = state;
	else
		record->front_state = state;
	ret = parvus_device_set(dev, record);
	kfree(record);
	return ret;
}
EXPORT_SYMBOL_GPL(parvus_device_set_state);

/* parvus_device_read - the whole record, both blobs and the configuration, as it is now */
int parvus_device_read(struct parvus_dev *dev, struct parvus_device *out)
{
	struct parvus_device *record = parvus_record_alloc();
	int ret;

	if (!record)
		return -ENOMEM;
	record->id = dev->id;
	ret = parvus_device_call(PARVUS_DEVICE_READ, record);
	if (!ret)
		*out = *record;
	kfree(record);
	return ret;
}
EXPORT_SYMBOL_GPL(parvus_device_read);

static const char *parvus_reason(struct parvus_dev *dev, char text[PARVUS_REASON])
{
	spin_lock(&dev->news_lock);
	strscpy(text, dev->reason, PARVUS_REASON);
	spin_unlock(&dev->news_lock);
	return text;
}

void parvus_device_say(struct parvus_dev *dev, const char *format, ...)
{
	char text[PARVUS_REASON];
	va_list args;
	bool news;

	va_start(args, format);
	vscnprintf(text, sizeof(text), format, args);
	va_end(args);
	spin_lock(&dev->news_lock);
	news = strcmp(dev->reason, text);
	strscpy(dev->reason, text, PARVUS_REASON);
	spin_unlock(&dev->news_lock);
	if (news && dev->side == PARVUS_FRONT)	/* a back end is not to be made busy */
		kobject_uevent(&dev->dev.kobj, KOBJ_CHANGE);
}
EXPORT_SYMBOL_GPL(parvus_device_say);

/* driver core */

static int parvus_bus_match(struct device *d, struct device_driver *drv)
{
	struct parvus_dev *dev = to_parvus_dev(d);
	struct parvus_driver *driver = to_parvus_driver(drv);

	return dev->device_class == driver->device_class && dev->side == driver->side;
}

static int parvus_bus_uevent(struct device *d, struct kobj_uevent_env *env)
{
	struct parvus_dev *dev = to_parvus_dev(d);
	char text[PARVUS_REASON];

	return add_uevent_var(env, "PARVUS_STATE=%s", parvus_state_name(READ_ONCE(dev->state))) ?:
	       add_uevent_var(env, "PARVUS_REASON=%s", parvus_reason(dev, text)) ?:
	       add_uevent_var(env, "MODALIAS=parvus:c%08xs%u", dev->device_class, dev->side) ?:
	       add_uevent_var(env, "PARVUS_CLASS=%u", dev->device_class) ?:
	       add_uevent_var(env, "PARVUS_INDEX=%u", dev->index);
}

static int parvus_bus_probe(struct device *d)
{
	struct parvus_dev *dev = to_parvus_dev(d);
	struct parvus_driver *driver = to_parvus_driver(d->driver);
	int ret;

	if (dev->claim)
		return -EBUSY;	/* a program serves it */
	WRITE_ONCE(dev->refused, false);
	ret = driver->probe(dev);
	if (ret) {
		if (dev->state != PARVUS_DEVICE_CLOSED)
			parvus_device_set_state(dev, PARVUS_DEVICE_CLOSED, NULL, 0);
		return ret;
	}
	if (driver->peer_changed)
		driver->peer_changed(dev, dev->peer_state);
	return 0;
}

static void parvus_bus_remove(struct device *d)
{
	struct parvus_dev *dev = to_parvus_dev(d);
	struct parvus_driver *driver = to_parvus_driver(d->driver);

	if (driver->remove)
		driver->remove(dev);
	if (!dev->gone)
		parvus_device_set_state(dev, PARVUS_DEVICE_CLOSED, NULL, 0);
}

#define PARVUS_ATTR(name, format, value...)						\
static ssize_t name##_show(struct device *d, struct device_attribute *a, char *buf)	\
{											\
	struct parvus_dev *dev = to_parvus_dev(d);					\
											\
	return sysfs_emit(buf, format "\n", value);					\
}											\
static DEVICE_ATTR_RO(name)

PARVUS_ATTR(class, "%u", dev->device_class);
PARVUS_ATTR(index, "%u", dev->index);
PARVUS_ATTR(side, "%s", dev->side == PARVUS_BACK ? "back" : "front");
PARVUS_ATTR(peer, "%u", dev->peer);
PARVUS_ATTR(state, "%s", parvus_state_name(READ_ONCE(dev->state)));
PARVUS_ATTR(peer_state, "%s", parvus_state_name(READ_ONCE(dev->peer_state)));
PARVUS_ATTR(reason, "%s", parvus_reason(dev, (char[PARVUS_REASON]){ "" }));
PARVUS_ATTR(modalias, "parvus:c%08xs%u", dev->device_class, dev->side);

static ssize_t refused_show(struct device *d, struct device_attribute *a, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_parvus_dev(d)->refused));
}

/* Somebody has looked into it: the other end gets another chance. */
static ssize_t refused_store(struct device *d, struct device_attribute *a, const char *buf,
			     size_t n)
{
	struct parvus_dev *dev = to_parvus_dev(d);
	struct parvus_driver *driver;
	bool refused;

	if (kstrtobool(buf, &refused) || refused)
		return -EINVAL;
	device_lock(d);
	if (dev->refused) {
		WRITE_ONCE(dev->refused, false);
		driver = device_is_bound(d) ? to_parvus_driver(d->driver) : NULL;
		if (driver && driver->peer_changed) {
			driver->peer_changed(dev, PARVUS_DEVICE_CLOSED);
			driver->peer_changed(dev, dev->peer_state);
		}
	}
	device_unlock(d);
	parvus_device_tell(dev->id);
	return n;
}
static DEVICE_ATTR_RW(refused);

static struct attribute *parvus_dev_attrs[] = {
	&dev_attr_class.attr, &dev_attr_index.attr, &dev_attr_side.attr, &dev_attr_peer.attr,
	&dev_attr_state.attr, &dev_attr_peer_state.attr, &dev_attr_modalias.attr,
	&dev_attr_refused.attr, &dev_attr_reason.attr, NULL,
};
ATTRIBUTE_GROUPS(parvus_dev);

static struct bus_type parvus_bus = {
	.name = "parvus",
	.dev_groups = parvus_dev_groups,
	.match = parvus_bus_match,
	.uevent = parvus_bus_uevent,
	.probe = parvus_bus_probe,
	.remove = parvus_bus_remove,
};

int __parvus_register_driver(struct parvus_driver *driver, struct module *owner)
{
	driver->driver.bus = &parvus_bus;
	driver->driver.owner = owner;
	return driver_register(&driver->driver);
}
EXPORT_SYMBOL_GPL(__parvus_register_driver);

void parvus_unregister_driver(struct parvus_driver *driver)
{
	driver_unregister(&driver->driver);
}
EXPORT_SYMBOL_GPL(parvus_unregister_driver);

/* following the registry */

static unsigned long parvus_dev_key(u32 id, enum parvus_side side) { return 2ul * id + side; }

static struct parvus_dev *parvus_dev_find(u32 id, enum parvus_side side)
{
	struct parvus_dev *dev;

	mutex_lock(&parvus_devs_mutex);
	dev = xa_load(&parvus_devs, parvus_dev_key(id, side));
	if (dev)
		get_device(&dev->dev);
	mutex_unlock(&parvus_devs_mutex);
	return dev;
}

/* parvus_device_get - our end of a device, which drivers have seen; with a reference, or NULL */
struct parvus_dev *parvus_device_get(u32 id, enum parvus_side side)
{
	struct parvus_dev *dev = parvus_dev_find(id, side);

	if (dev && !READ_ONCE(dev->added))
		flush_delayed_work(&dev->work);
	return dev;
}

static void parvus_dev_release(struct device *d) { kfree(to_parvus_dev(d)); }

static u32 parvus_peer_state(const struct parvus_device *r, enum parvus_side side)
{
	return side == PARVUS_BACK ? r->front_state : r->back_state;
}

static u32 parvus_peer_changes(const struct parvus_device *r, enum parvus_side side)
{
	return side == PARVUS_BACK ? r->front_changes : r->back_changes;
}

static void parvus_dev_work(struct work_struct *work);

/* An end of ours that is new, with a reference, or NULL. */
static struct parvus_dev *parvus_dev_make(const struct parvus_device *r, enum parvus_side side)
{
	struct parvus_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	int ret;

	if (!dev)
		return NULL;
	dev->id = r->id;
	dev->device_class = r->device_class;
	dev->index = r->index;
	dev->side = side;
	dev->peer = side == PARVUS_BACK ? r->front_domain : r->back_domain;
	dev->loop = r->front_domain == r->back_domain;
	dev->state = side == PARVUS_BACK ? r->back_state : r->front_state;
	dev->news = *r;
	spin_lock_init(&dev->news_lock);
	INIT_DELAYED_WORK(&dev->work, parvus_dev_work);
	dev->paid = jiffies - LOOK_BURST * HZ / LOOK_RATE;
	dev->dev.bus = &parvus_bus;
	dev->dev.release = parvus_dev_release;
	device_initialize(&dev->dev);
	ret = dev_set_name(&dev->dev, "%u-%s", r->id, side == PARVUS_BACK ? "back" : "front");
	if (!ret) {
		mutex_lock(&parvus_devs_mutex);
		ret = xa_err(xa_store(&parvus_devs, parvus_dev_key(r->id, side), dev, GFP_KERNEL));
		mutex_unlock(&parvus_devs_mutex);
	}
	if (!ret)
		return to_parvus_dev(get_device(&dev->dev));
	pr_warn("parvus: device %u: %d\n", r->id, ret);
	put_device(&dev->dev);
	return NULL;
}

static void parvus_dev_add(struct parvus_dev *dev, const struct parvus_device *r)
{
	int ret;

	dev->peer_state = parvus_peer_state(r, dev->side);
	dev->peer_changes = parvus_peer_changes(r, dev->side);
	memcpy(dev->config, r->config, sizeof(dev->config));
	ret = device_add(&dev->dev);
	if (ret) {
		pr_warn("parvus: device %u: %d\n", dev->id, ret);
		dev->gone = true;	/* for us: it is not tried twice */
	}
	WRITE_ONCE(dev->added, !ret);
}

/* Nobody finds it any more. */
static void parvus_dev_del(struct parvus_dev *dev)
{
	if (dev->added) {
		device_lock(&dev->dev);
		dev->gone = true;
		WRITE_ONCE(dev->peer_state, PARVUS_DEVICE_GONE);
		device_unlock(&dev->dev);
		device_del(&dev->dev);
	}
	put_device(&dev->dev);
}

static void parvus_dev_update(struct parvus_dev *dev, const struct parvus_device *r,
			      bool configured)
{
	u32 state = parvus_peer_state(r, dev->side);
	u32 changes = parvus_peer_changes(r, dev->side) - dev->peer_changes;
	struct parvus_driver *driver;
	bool restarted;

	device_lock(&dev->dev);
	restarted = changes > 1 && (dev->peer_state == PARVUS_DEVICE_READY ||
				    dev->peer_state == PARVUS_DEVICE_CONNECTED ||
				    dev->peer_state == PARVUS_DEVICE_CLOSING);
	dev->peer_changes += changes;
	WRITE_ONCE(dev->peer_state, state);
	memcpy(dev->config, r->config, sizeof(dev->config));
	if (device_is_bound(&dev->dev)) {
		driver = to_parvus_driver(dev->dev.driver);
		if (configured && driver->configured)
			driver->configured(dev);
		if (restarted && driver->peer_changed && state != PARVUS_DEVICE_CLOSED)
			driver->peer_changed(dev, PARVUS_DEVICE_CLOSED);
		if (changes && driver->peer_changed)
			driver->peer_changed(dev, state);
	}
	device_unlock(&dev->dev);
}

static bool parvus_dev_bound(struct parvus_dev *dev)
{
	bool bound;

	device_lock(&dev->dev);
	bound = device_is_bound(&dev->dev);
	device_unlock(&dev->dev);
	return bound;
}

static void parvus_dev_work(struct work_struct *work)
{
	struct parvus_dev *dev = container_of(work, struct parvus_dev, work.work);
	unsigned int noio = memalloc_noio_save();	/* a disk may wait for what we do here */
	struct parvus_device r;
	bool configured, gone;

	spin_lock(&dev->news_lock);
	r = dev->news;
	configured = dev->news_configured;
	dev->news_configured = false;
	gone = dev->news_gone;
	spin_unlock(&dev->news_lock);
	if (!gone && !dev->added && !dev->gone)
		parvus_dev_add(dev, &r);
	else if (!gone && dev->added)
		parvus_dev_update(dev, &r, configured);
	if (!parvus_dev_bound(dev))
		parvus_device_tell(dev->id);
	if (gone)
		parvus_dev_del(dev);
	memalloc_noio_restore(noio);
}

/* What the registry says of a device is its work item's to act on. */
static void parvus_dev_news(struct parvus_dev *dev, const struct parvus_device *r, bool gone)
{
	spin_lock(&dev->news_lock);
	/* told without a change of the other end: somebody has configured it, maybe the same */
	if (parvus_peer_changes(r, dev->side) == parvus_peer_changes(&dev->news, dev->side) ||
	    memcmp(dev->news.config, r->config, sizeof(r->config)))
		dev->news_configured = true;
	dev->news = *r;
	dev->news_gone = gone;
	spin_unlock(&dev->news_lock);
	if (gone) {
		mutex_lock(&parvus_devs_mutex);
		xa_erase(&parvus_devs, parvus_dev_key(dev->id, dev->side));
		mutex_unlock(&parvus_devs_mutex);
	}
}

/* Jiffies until a device may be looked at again. */
static unsigned long parvus_dev_delay(struct parvus_dev *dev)
{
	unsigned long now = jiffies, burst = LOOK_BURST * HZ / LOOK_RATE;

	if (time_before(dev->paid, now - burst))
		dev->paid = now - burst;
	dev->paid += HZ / LOOK_RATE;
	return time_after(dev->paid, now) ? dev->paid - now : 0;
}

/* If it waits for its turn already, it sees this, too. */
static void parvus_dev_queue_work(struct parvus_dev *dev, bool gone)
{
	if (gone)
		mod_delayed_work(parvus_dev_queue, &dev->work, 0);
	else if (!delayed_work_pending(&dev->work))
		queue_delayed_work(parvus_dev_queue, &dev->work, parvus_dev_delay(dev));
}

static void parvus_bus_look(const struct parvus_device *r)
{
	bool gone = r->front_state == PARVUS_DEVICE_GONE || r->back_state == PARVUS_DEVICE_GONE;
	int side;

	for (side = PARVUS_FRONT; side <= PARVUS_BACK; side++) {
		u32 owner = side == PARVUS_BACK ? r->back_domain : r->front_domain;
		struct parvus_dev *dev = parvus_dev_find(r->id, side);

		if (dev)
			parvus_dev_news(dev, r, gone);
		else if (!gone && owner == parvus_start->domain)
			dev = parvus_dev_make(r, side);
		if (!dev)
			continue;
		parvus_dev_queue_work(dev, gone);
		/* In the order of the registry, at first: so disks and interfaces get names. */
		if (!parvus_bus_scanned)
			flush_delayed_work(&dev->work);
		put_device(&dev->dev);
	}
}

static void parvus_bus_scan(struct work_struct *work)
{
	unsigned int noio = memalloc_noio_save();	/* a disk may wait for this */
	struct parvus_device *r = parvus_record_alloc();
	u32 id = 0;

	if (!r) {
		memalloc_noio_restore(noio);
		schedule_timeout_uninterruptible(HZ / 10);
		queue_work(parvus_bus_queue, work);
		return;
	}
	/* Those that were there before us; changes from now on are listed by CHANGED. */
	while (!parvus_bus_scanned) {
		memset(r, 0, sizeof(*r));
		r->id = id;
		if (parvus_device_call(PARVUS_DEVICE_NEXT, r))
			break;
		id = r->id;
		parvus_bus_look(r);
		cond_resched();
	}
	parvus_bus_scanned = true;
	for (;;) {
		memset(r, 0, sizeof(*r));
		if (parvus_device_call(PARVUS_DEVICE_CHANGED, r))
			break;
		parvus_bus_look(r);
		cond_resched();
	}
	kfree(r);
	memalloc_noio_restore(noio);
	parvus_event_done(parvus_bus_irq);
}

/* parvus_bus_sync - the bus knows all devices that the registry knew when this was called */
void parvus_bus_sync(void)
{
	if (!parvus_bus_queue)
		return;
	queue_work(parvus_bus_queue, &parvus_bus_work);
	flush_work(&parvus_bus_work);
}

static irqreturn_t parvus_bus_interrupt(int irq, void *unused)
{
	queue_work(parvus_bus_queue, &parvus_bus_work);
	return IRQ_HANDLED;
}

static int __init parvus_bus_register(void) { return bus_register(&parvus_bus); }
postcore_initcall(parvus_bus_register);

static int __init parvus_bus_start(void)
{
	int irq, ret;

	if (!parvus_start)
		return 0;
	irq = parvus_bind_virq(PARVUS_VIRQ_DEVICE, PARVUS_EVENT_AUTO_MASK, EVENT_INTERVAL);
	if (irq < 0)
		return irq == -ENOSYS ? 0 : irq;
	parvus_bus_irq = irq;
	/* drivers wait for other work in their turn: the kernel warns if these had a rescuer */
	parvus_bus_queue = alloc_ordered_workqueue("parvus", 0);
	parvus_dev_queue = alloc_workqueue("parvus-device", WQ_UNBOUND, WQ_MAX_ACTIVE);
	ret = parvus_bus_queue && parvus_dev_queue ? 0 : -ENOMEM;
	if (!ret)
		ret = request_irq(irq, parvus_bus_interrupt, 0, "parvus-bus", NULL);
	if (ret) {
		parvus_unbind(irq);
		return ret;
	}
	queue_work(parvus_bus_queue, &parvus_bus_work);
	return 0;
}
device_initcall(parvus_bus_start);
