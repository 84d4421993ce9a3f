// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/parvus/device: the device registry for programs: for the toolstack, which makes
 * devices, and for back ends that are programs. An end that a file has set to another
 * state than CLOSED is that file's until it sets CLOSED or is closed, which sets CLOSED;
 * a kernel driver does not bind to it meanwhile, nor the other way round. An end that was
 * set CLOSED with REFUSE, for a lie of the other one, is nobody's until somebody writes 0 to
 * its file "refused" in /sys/bus/parvus/devices.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/parvus.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>
#include <parvus/linux.h>
#include "dev.h"
#include "parvus_bus.h"

#define FILE_CHANGES	(2 * PARVUS_DEVICES)	/* ids that wait for a reader */

struct device_file {
	struct list_head list;		/* in device_files */
	struct mutex lock;		/* claims; outside of a device's lock */
	struct list_head claims;
	struct mutex changed_lock;
	struct xarray changed;		/* ids */
	unsigned int changed_count;
	wait_queue_head_t wait;
};

struct claim {
	struct list_head list;
	struct parvus_dev *dev;
};

static DEFINE_MUTEX(device_files_mutex);
static LIST_HEAD(device_files);

/* From the bus: a device changed that no driver of the kernel serves. */
void parvus_device_tell(u32 id)
{
	struct device_file *f;

	mutex_lock(&device_files_mutex);
	list_for_each_entry(f, &device_files, list) {
		unsigned long oldest = 0;
		void *old;

		mutex_lock(&f->changed_lock);
		old = xa_store(&f->changed, id, xa_mk_value(1), GFP_KERNEL);
		if (!old)
			f->changed_count++;
		/* Ids are never used again: the lowest one is of a device long gone. */
		if (f->changed_count > FILE_CHANGES &&
		    xa_find(&f->changed, &oldest, ULONG_MAX, XA_PRESENT)) {
			xa_erase(&f->changed, oldest);
			f->changed_count--;
		}
		mutex_unlock(&f->changed_lock);
		wake_up_interruptible(&f->wait);
	}
	mutex_unlock(&device_files_mutex);
}

static struct claim *claim_find(struct device_file *f, struct parvus_dev *dev)
{
	struct claim *c;

	list_for_each_entry(c, &f->claims, list)
		if (c->dev == dev)
			return c;
	return NULL;
}

static int device_set_locked(struct device_file *f, struct parvus_dev *dev,
			     struct parvus_device *record)
{
	u32 state = dev->side == PARVUS_BACK ? record->back_state : record->front_state;
	struct claim *c = claim_find(f, dev);
	int ret;

	if (device_is_bound(&dev->dev) || (dev->claim && dev->claim != f))
		return -EBUSY;
	if (dev->gone)
		return -ENOENT;
	if (dev->refused && state != PARVUS_DEVICE_CLOSED)
		return -EPERM;
	if (!c && state != PARVUS_DEVICE_CLOSED) {
		c = kzalloc(sizeof(*c), GFP_KERNEL);
		if (!c)
			return -ENOMEM;
		get_device(&dev->dev);
		c->dev = dev;
		list_add(&c->list, &f->claims);
		dev->claim = f;
	}
	if (record->flags & PARVUS_DEVICE_REFUSE)
		WRITE_ONCE(dev->refused, true);
	ret = parvus_device_set(dev, record);
	if (c && dev->state == PARVUS_DEVICE_CLOSED) {
		dev->claim = NULL;
		list_del(&c->list);
		kfree(c);
		put_device(&dev->dev);	/* the caller has one, too */
	}
	return ret;
}

/* The end of ours that a SET means, with a reference, or NULL. */
static struct parvus_dev *device_end(const struct parvus_device *record)
{
	struct parvus_dev *dev = NULL;

	if (!(record->flags & PARVUS_DEVICE_AS_BACK)) {
		dev = parvus_device_get(record->id, PARVUS_FRONT);
		if (dev)
			return dev;
	}
	dev = parvus_device_get(record->id, PARVUS_BACK);
	/* its front end is ours, too, and just comes or goes: that one was meant */
	if (dev && dev->loop && !(record->flags & PARVUS_DEVICE_AS_BACK)) {
		put_device(&dev->dev);
		return NULL;
	}
	return dev;
}

static int device_set(struct device_file *f, struct parvus_device *record)
{
	struct parvus_dev *dev;
	int ret;

	if (record->flags & ~(PARVUS_DEVICE_WRITE | PARVUS_DEVICE_AS_BACK | PARVUS_DEVICE_REFUSE))
		return -EINVAL;
	dev = device_end(record);
	if (!dev) {
		parvus_bus_sync();	/* it may be younger than what the bus has seen */
		dev = device_end(record);
	}
	if (!dev)
		return -ENOENT;
	mutex_lock(&f->lock);
	device_lock(&dev->dev);
	ret = device_set_locked(f, dev, record);
	device_unlock(&dev->dev);
	mutex_unlock(&f->lock);
	put_device(&dev->dev);
	return ret;
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct device_file *f = file->private_data;
	struct parvus_ioctl_call call;
	struct parvus_device *record;
	long ret;

	if (cmd != PARVUS_IOC_CALL)
		return -ENOTTY;
	if (copy_from_user(&call, (void __user *)arg, sizeof(call)))
		return -EFAULT;
	if (call.bytes != sizeof(*record))
		return -EINVAL;
	record = kmalloc(sizeof(*record), GFP_KERNEL);
	if (!record)
		return -ENOMEM;
	ret = -EFAULT;
	if (copy_from_user(record, u64_to_user_ptr(call.data), sizeof(*record)))
		goto out;
	ret = -EINVAL;
	if (record->size != sizeof(*record) || record->version != 1 || record->reserved[0] ||
	    record->reserved[1])
		goto out;
	switch (call.op) {
	case PARVUS_DEVICE_SET:
		ret = device_set(f, record);
		break;
	case PARVUS_DEVICE_CHANGED:	/* the bus reads it, this file has read() */
		break;
	default:
		ret = parvus_device_call(call.op, record);
	}
	if (ret >= 0 && copy_to_user(u64_to_user_ptr(call.data), record, sizeof(*record)))
		ret = -EFAULT;
out:
	kfree(record);
	return ret;
}

static ssize_t device_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct device_file *f = file->private_data;
	size_t done = 0;
	int ret;

	if (count < sizeof(u32))
		return -EINVAL;
	do {
		unsigned long id = 0;

		mutex_lock(&f->changed_lock);
		while (done + sizeof(u32) <= count &&
		       xa_find(&f->changed, &id, ULONG_MAX, XA_PRESENT)) {
			if (put_user((u32)id, (u32 __user *)(buf + done))) {
				mutex_unlock(&f->changed_lock);
				return done ?: -EFAULT;
			}
			xa_erase(&f->changed, id);
			f->changed_count--;
			done += sizeof(u32);
		}
		mutex_unlock(&f->changed_lock);
		if (done)
			return done;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_event_interruptible(f->wait, !xa_empty(&f->changed));
	} while (!ret);
	return ret;
}

static __poll_t device_poll(struct file *file, poll_table *wait)
{
	struct device_file *f = file->private_data;

	poll_wait(file, &f->wait, wait);
	return xa_empty(&f->changed) ? 0 : EPOLLIN | EPOLLRDNORM;
}

static int device_open(struct inode *inode, struct file *file)
{
	struct device_file *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	mutex_init(&f->lock);
	INIT_LIST_HEAD(&f->claims);
	mutex_init(&f->changed_lock);
	xa_init(&f->changed);
	init_waitqueue_head(&f->wait);
	mutex_lock(&device_files_mutex);
	list_add(&f->list, &device_files);
	mutex_unlock(&device_files_mutex);
	file->private_data = f;
	return stream_open(inode, file);
}

static int device_release(struct inode *inode, struct file *file)
{
	struct device_file *f = file->private_data;
	struct claim *c, *next;

	mutex_lock(&device_files_mutex);
	list_del(&f->list);
	mutex_unlock(&device_files_mutex);
	list_for_each_entry_safe(c, next, &f->claims, list) {
		device_lock(&c->dev->dev);
		if (!c->dev->gone)
			parvus_device_set_state(c->dev, PARVUS_DEVICE_CLOSED, NULL, 0);
		c->dev->claim = NULL;
		device_unlock(&c->dev->dev);
		put_device(&c->dev->dev);
		kfree(c);
	}
	xa_destroy(&f->changed);
	kfree(f);
	return 0;
}

const struct file_operations parvus_device_fops = {
	DEV_FOPS(device),
	.read = device_read,
	.poll = device_poll,
};
