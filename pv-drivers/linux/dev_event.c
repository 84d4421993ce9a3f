// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/parvus/event: event ports for programs. All ports of an open file share one
 * ring, from which read() takes numbers of ports that were signalled. A port is
 * AUTO_MASKed until its number is written back, and in the ring at most once, so that a
 * ring with room for all ports of the file never overflows.
 */
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/parvus.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>
#include <parvus/linux.h>
#include "dev.h"

#define FILE_PORTS	1024u	/* of one open file, and places in its ring */

struct event_file {
	struct mutex lock;	/* ports, ports_count */
	struct xarray ports;	/* by port number */
	unsigned int ports_count;
	struct mutex read_lock;
	spinlock_t ring_lock;
	u32 prod, cons;
	wait_queue_head_t wait;
	u32 ring[FILE_PORTS];
	DECLARE_BITMAP(queued, PARVUS_EVENT_PORTS);	/* is in the ring */
};

struct user_port {
	struct event_file *file;
	u32 port;
	int irq;
};

static irqreturn_t event_interrupt(int irq, void *data)
{
	struct user_port *p = data;
	struct event_file *f = p->file;
	unsigned long flags;

	spin_lock_irqsave(&f->ring_lock, flags);
	/* a program may write a number back before it reads it */
	if (!__test_and_set_bit(p->port, f->queued))
		f->ring[f->prod++ % FILE_PORTS] = p->port;
	spin_unlock_irqrestore(&f->ring_lock, flags);
	wake_up_interruptible(&f->wait);
	return IRQ_HANDLED;
}

static long event_bind(struct event_file *f, struct parvus_event_bind __user *arg)
{
	struct parvus_event_bind bind;
	struct user_port *p;
	long ret;
	int irq;

	if (copy_from_user(&bind, arg, sizeof(bind)))
		return -EFAULT;
	if (bind.size != sizeof(bind) || bind.version != 1 || bind.reserved[0] ||
	    bind.reserved[1] || bind.flags & ~PARVUS_EVENT_AUTO_MASK)
		return -EINVAL;
	if (bind.vcpu >= nr_cpu_ids || !cpu_online(bind.vcpu))
		return -EINVAL;
	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	mutex_lock(&f->lock);
	ret = -ENOSPC;
	if (f->ports_count >= FILE_PORTS)
		goto fail;
	switch (bind.kind) {
	case PARVUS_EVENT_UNBOUND:
		irq = parvus_bind_unbound(bind.domain, PARVUS_EVENT_AUTO_MASK, bind.interval_ns);
		break;
	case PARVUS_EVENT_INTERDOMAIN:
		irq = parvus_bind_interdomain(bind.domain, bind.remote_port,
					      PARVUS_EVENT_AUTO_MASK, bind.interval_ns);
		break;
	default:	/* sources in the hypervisor are for this kernel's drivers */
		irq = -EINVAL;
	}
	ret = irq;
	if (irq < 0)
		goto fail;
	p->file = f;
	p->irq = irq;
	p->port = parvus_irq_port(irq);
	bind.port = p->port;
	bind.flags = PARVUS_EVENT_AUTO_MASK;
	ret = -EFAULT;
	if (copy_to_user(arg, &bind, sizeof(bind)))
		goto unbind;
	ret = xa_err(xa_store(&f->ports, p->port, p, GFP_KERNEL));
	if (ret)
		goto unbind;
	ret = request_irq(irq, event_interrupt, 0, "parvus-user", p);
	if (ret)
		goto erase;
	if (bind.vcpu)
		irq_set_affinity(irq, cpumask_of(bind.vcpu));
	f->ports_count++;
	mutex_unlock(&f->lock);
	return 0;

erase:
	xa_erase(&f->ports, p->port);
unbind:
	parvus_unbind(irq);
fail:
	mutex_unlock(&f->lock);
	kfree(p);
	return ret;
}

static void event_close(struct event_file *f, struct user_port *p)
{
	u32 i, kept;

	xa_erase(&f->ports, p->port);
	f->ports_count--;
	free_irq(p->irq, p);
	parvus_unbind(p->irq);
	/* its number may be given out again: nobody shall take that for the new port's */
	spin_lock_irq(&f->ring_lock);
	for (i = kept = f->cons; i != f->prod; i++)
		if (f->ring[i % FILE_PORTS] != p->port)
			f->ring[kept++ % FILE_PORTS] = f->ring[i % FILE_PORTS];
	f->prod = kept;
	__clear_bit(p->port, f->queued);
	spin_unlock_irq(&f->ring_lock);
	kfree(p);
}

static long event_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct event_file *f = file->private_data;
	struct user_port *p;
	long ret = 0;
	u32 port;

	switch (cmd) {
	case PARVUS_IOC_BIND:
		return event_bind(f, (struct parvus_event_bind __user *)arg);
	case PARVUS_IOC_CLOSE:
	case PARVUS_IOC_SEND:
		if (get_user(port, (u32 __user *)arg))
			return -EFAULT;
		mutex_lock(&f->lock);
		p = xa_load(&f->ports, port);
		if (!p)
			ret = -ENOENT;
		else if (cmd == PARVUS_IOC_SEND)
			ret = parvus_notify_port(port);
		else
			event_close(f, p);
		mutex_unlock(&f->lock);
		return ret;
	default:
		return -ENOTTY;
	}
}

static ssize_t event_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct event_file *f = file->private_data;
	size_t done = 0;
	u32 port;
	int ret = 0;

	if (count < sizeof(port))
		return -EINVAL;
	if (mutex_lock_interruptible(&f->read_lock))
		return -ERESTARTSYS;
	while (done + sizeof(port) <= count) {
		spin_lock_irq(&f->ring_lock);
		port = f->prod == f->cons ? 0 : f->ring[f->cons++ % FILE_PORTS];
		__clear_bit(port, f->queued);
		spin_unlock_irq(&f->ring_lock);
		if (port) {
			if (put_user(port, (u32 __user *)(buf + done))) {
				ret = -EFAULT;
				break;
			}
			done += sizeof(port);
			continue;
		}
		if (done)
			break;
		ret = -EAGAIN;
		if (file->f_flags & O_NONBLOCK)
			break;
		ret = wait_event_interruptible(f->wait, READ_ONCE(f->prod) != READ_ONCE(f->cons));
		if (ret)
			break;
	}
	mutex_unlock(&f->read_lock);
	return done ?: ret;
}

static ssize_t event_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct event_file *f = file->private_data;
	struct user_port *p;
	ssize_t ret = 0;
	size_t done;
	u32 port;

	count -= count % sizeof(port);
	if (!count)
		return -EINVAL;
	count = min_t(size_t, count, FILE_PORTS * sizeof(port));
	mutex_lock(&f->lock);
	for (done = 0; done < count; done += sizeof(port)) {
		ret = -EFAULT;
		if (get_user(port, (const u32 __user *)(buf + done)))
			break;
		ret = -ENOENT;
		p = xa_load(&f->ports, port);
		if (!p)
			break;
		parvus_event_done(p->irq);
	}
	mutex_unlock(&f->lock);
	return done ?: ret;
}

static __poll_t event_poll(struct file *file, poll_table *wait)
{
	struct event_file *f = file->private_data;

	poll_wait(file, &f->wait, wait);
	return EPOLLOUT | EPOLLWRNORM |
	       (READ_ONCE(f->prod) != READ_ONCE(f->cons) ? EPOLLIN | EPOLLRDNORM : 0);
}

static int event_open(struct inode *inode, struct file *file)
{
	struct event_file *f = kvzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	mutex_init(&f->lock);
	mutex_init(&f->read_lock);
	spin_lock_init(&f->ring_lock);
	init_waitqueue_head(&f->wait);
	xa_init(&f->ports);
	file->private_data = f;
	return stream_open(inode, file);
}

static int event_release(struct inode *inode, struct file *file)
{
	struct event_file *f = file->private_data;
	struct user_port *p;
	unsigned long port;

	xa_for_each(&f->ports, port, p)
		event_close(f, p);
	xa_destroy(&f->ports);
	kvfree(f);
	return 0;
}

const struct file_operations parvus_event_fops = {
	DEV_FOPS(event),
	.read = event_read,
	.write = event_write,
	.poll = event_poll,
};
