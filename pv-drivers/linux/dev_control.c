// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/parvus/control: domain control for the toolstack, in the control domain alone.
 *
 * A domain that was created belongs to the open file until it is committed: if the
 * toolstack dies half way, closing the file destroys the domain. Numbers of domains are
 * used again, so all files keep their domains in one list, under one mutex with the
 * calls that make and destroy domains.
 */
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/parvus.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <parvus/linux.h>
#include "dev.h"

#define BOUNCE_ORDER	9	/* PARVUS_COPY_MAX */
static_assert(PARVUS_COPY_MAX == PAGE_SIZE << BOUNCE_ORDER);

/* A domain may change without end: those who watch hear of it so often, at most. */
#define DOMAIN_INTERVAL	(10 * NSEC_PER_MSEC)

struct control_file {
	u64 seen;		/* changes up to the last read() */
	struct mutex lock;
};

struct owned {
	struct list_head list;
	struct control_file *owner;
	u32 domain;
};

static DEFINE_MUTEX(owned_mutex);
static LIST_HEAD(owned_domains);
static atomic64_t domain_changes;
static DECLARE_WAIT_QUEUE_HEAD(domain_wait);

static int control_call(unsigned int op, void *data)
{
	return parvus_call2(PARVUS_HC_control_op, op, __pa(data));
}

static void disown(u32 domain)
{
	struct owned *o;

	list_for_each_entry(o, &owned_domains, list) {
		if (o->domain != domain)
			continue;
		list_del(&o->list);
		kfree(o);
		return;
	}
}

static int control_destroy(struct parvus_control_domain *d)
{
	int ret;

	while ((ret = control_call(PARVUS_CONTROL_DESTROY, d)) == -EAGAIN)
		cond_resched();
	if (!ret || ret == -ENOENT)
		disown(d->domain);
	return ret;
}

static int control_create(struct control_file *f, struct parvus_control_create *c)
{
	struct owned *o = kzalloc(sizeof(*o), GFP_KERNEL);
	int ret;

	if (!o)
		return -ENOMEM;
	ret = control_call(PARVUS_CONTROL_CREATE, c);
	if (ret < 0) {
		kfree(o);
		return ret;
	}
	disown(c->domain);	/* the one that had this number is gone */
	o->owner = f;
	o->domain = c->domain;
	list_add(&o->list, &owned_domains);
	return ret;
}

static long control_ioctl_call(struct control_file *f, void __user *arg)
{
	struct parvus_ioctl_call call;
	struct parvus_control_domain dead = { .size = sizeof(dead), .version = 1 };
	void *data;
	long ret;

	if (copy_from_user(&call, arg, sizeof(call)))
		return -EFAULT;
	if (call.bytes < 2 * sizeof(u32) || call.bytes > PAGE_SIZE)
		return -EINVAL;
	/* COPY and CONTEXT name memory of this kernel: only by their own ioctls */
	if (call.op == PARVUS_CONTROL_COPY || call.op == PARVUS_CONTROL_CONTEXT)
		return -EINVAL;
	if ((call.op == PARVUS_CONTROL_CREATE &&
	     call.bytes != sizeof(struct parvus_control_create)) ||
	    (call.op == PARVUS_CONTROL_DESTROY &&
	     call.bytes != sizeof(struct parvus_control_domain)))
		return -EINVAL;
	data = (void *)get_zeroed_page(GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	ret = -EFAULT;
	if (copy_from_user(data, u64_to_user_ptr(call.data), call.bytes))
		goto out;
	switch (call.op) {
	case PARVUS_CONTROL_CREATE:
		mutex_lock(&owned_mutex);
		ret = control_create(f, data);
		dead.domain = ((struct parvus_control_create *)data)->domain;
		mutex_unlock(&owned_mutex);
		break;
	case PARVUS_CONTROL_DESTROY:
		mutex_lock(&owned_mutex);
		ret = control_destroy(data);
		mutex_unlock(&owned_mutex);
		break;
	default:
		ret = control_call(call.op, data);
	}
	if (ret >= 0 && copy_to_user(u64_to_user_ptr(call.data), data, call.bytes)) {
		ret = -EFAULT;
		/* nobody would know its number */
		if (call.op == PARVUS_CONTROL_CREATE) {
			mutex_lock(&owned_mutex);
			*(struct parvus_control_domain *)data = dead;
			control_destroy(data);
			mutex_unlock(&owned_mutex);
		}
	}
out:
	free_page((unsigned long)data);
	return ret;
}

/* The largest contiguous buffer that is to be had for @bytes. */
static struct page *bounce_alloc(u64 bytes, unsigned int *order)
{
	struct page *page;

	*order = min_t(u64, bytes, PARVUS_COPY_MAX) > PAGE_SIZE ?
		 get_order(min_t(u64, bytes, PARVUS_COPY_MAX)) : 0;
	for (; *order; --*order) {
		page = alloc_pages(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY, *order);
		if (page)
			return page;
	}
	return alloc_page(GFP_KERNEL);
}

static long copy_chunk(const struct parvus_ioctl_copy *copy, void *buffer, u64 gpa, u64 bytes,
		       struct parvus_control_copy *record)
{
	long ret;

	*record = (struct parvus_control_copy) {
		.size = sizeof(*record), .version = 1,
		.domain = copy->domain, .flags = copy->flags,
		.gpa = gpa, .buffer = __pa(buffer), .bytes = bytes,
	};
	do {
		u64 left = record->bytes;

		ret = control_call(PARVUS_CONTROL_COPY, record);
		/* what is left may come with a success or with EAGAIN */
		if (ret < 0 && ret != -EAGAIN)
			return ret;
		if (ret < 0 && fatal_signal_pending(current))
			return -EINTR;
		if (record->bytes > left || (ret >= 0 && record->bytes == left && left))
			return -EIO;
		record->gpa += left - record->bytes;
		record->buffer += left - record->bytes;
		cond_resched();
	} while (record->bytes);
	return 0;
}

static long control_ioctl_copy(void __user *arg)
{
	struct parvus_control_copy *record;
	struct parvus_ioctl_copy copy;
	struct page *page;
	unsigned int order;
	void *buffer;
	long ret = 0;

	if (copy_from_user(&copy, arg, sizeof(copy)))
		return -EFAULT;
	if (copy.flags & ~PARVUS_COPY_OUT || copy.gpa + copy.bytes < copy.gpa ||
	    copy.data + copy.bytes < copy.data)
		return -EINVAL;
	page = bounce_alloc(copy.bytes, &order);
	record = kmalloc(sizeof(*record), GFP_KERNEL);
	if (!page || !record) {
		ret = -ENOMEM;
		goto out;
	}
	buffer = page_address(page);
	while (copy.bytes && !ret) {
		u64 n = min_t(u64, copy.bytes, PAGE_SIZE << order);
		void __user *data = u64_to_user_ptr(copy.data);

		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		if (!(copy.flags & PARVUS_COPY_OUT) && copy_from_user(buffer, data, n))
			ret = -EFAULT;
		if (!ret)
			ret = copy_chunk(&copy, buffer, copy.gpa, n, record);
		if (!ret && copy.flags & PARVUS_COPY_OUT && copy_to_user(data, buffer, n))
			ret = -EFAULT;
		if (!ret) {
			copy.gpa += n;
			copy.data += n;
			copy.bytes -= n;
		}
	}
	if (put_user(copy.bytes, &((struct parvus_ioctl_copy __user *)arg)->bytes))
		ret = -EFAULT;
out:
	kfree(record);
	if (page)
		__free_pages(page, order);
	return ret;
}

/* A record of a context goes by way of a page of ours. */
static long control_ioctl_context(void __user *arg)
{
	struct parvus_control_context *record;
	struct parvus_ioctl_context context;
	void __user *data;
	long ret = -ENOMEM;
	void *buffer;

	if (copy_from_user(&context, arg, sizeof(context)))
		return -EFAULT;
	if (context.bytes > PAGE_SIZE || context.reserved)
		return -EINVAL;
	data = u64_to_user_ptr(context.data);
	buffer = (void *)get_zeroed_page(GFP_KERNEL);
	record = kzalloc(sizeof(*record), GFP_KERNEL);
	if (!buffer || !record)
		goto out;
	ret = -EFAULT;
	if (context.flags & PARVUS_CONTEXT_SET && copy_from_user(buffer, data, context.bytes))
		goto out;
	*record = (struct parvus_control_context) {
		.size = sizeof(*record), .version = 1, .domain = context.domain,
		.kind = context.kind, .flags = context.flags, .index = context.index,
		.from = context.from, .buffer = context.bytes ? __pa(buffer) : 0,
		.bytes = context.bytes,
	};
	ret = control_call(PARVUS_CONTROL_CONTEXT, record);
	if (ret < 0)
		goto out;
	if (record->bytes > context.bytes ||
	    (!(context.flags & PARVUS_CONTEXT_SET) && copy_to_user(data, buffer, record->bytes)))
		ret = -EFAULT;
	context.from = record->from;
	context.bytes = record->bytes;
	if (copy_to_user(arg, &context, sizeof(context)))
		ret = -EFAULT;
out:
	kfree(record);
	free_page((unsigned long)buffer);
	return ret;
}

static long control_ioctl_commit(struct control_file *f, void __user *arg)
{
	struct parvus_ioctl_commit commit;
	struct parvus_control_domain *d;
	struct owned *o;
	long ret = -ENOENT;

	if (copy_from_user(&commit, arg, sizeof(commit)))
		return -EFAULT;
	if (commit.flags & ~PARVUS_COMMIT_UNPAUSE)
		return -EINVAL;
	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return -ENOMEM;
	mutex_lock(&owned_mutex);
	list_for_each_entry(o, &owned_domains, list) {
		if (o->owner != f || o->domain != commit.domain)
			continue;
		ret = 0;
		if (commit.flags & PARVUS_COMMIT_UNPAUSE) {
			d->size = sizeof(*d);
			d->version = 1;
			d->domain = commit.domain;
			ret = control_call(PARVUS_CONTROL_UNPAUSE, d);
		}
		if (ret >= 0) {
			ret = 0;
			list_del(&o->list);
			kfree(o);
		}
		break;
	}
	mutex_unlock(&owned_mutex);
	kfree(d);
	return ret;
}

static long control_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case PARVUS_IOC_CALL:
		return control_ioctl_call(file->private_data, (void __user *)arg);
	case PARVUS_IOC_COPY:
		return control_ioctl_copy((void __user *)arg);
	case PARVUS_IOC_CONTEXT:
		return control_ioctl_context((void __user *)arg);
	case PARVUS_IOC_COMMIT:
		return control_ioctl_commit(file->private_data, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static ssize_t control_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct control_file *f = file->private_data;
	u64 now, n;
	int ret = 0;

	if (count < sizeof(n))
		return -EINVAL;
	if (mutex_lock_interruptible(&f->lock))
		return -ERESTARTSYS;
	now = atomic64_read(&domain_changes);
	while (now == f->seen && !ret) {
		if (file->f_flags & O_NONBLOCK)
			ret = -EAGAIN;
		else
			ret = wait_event_interruptible(domain_wait,
					atomic64_read(&domain_changes) != f->seen);
		now = atomic64_read(&domain_changes);
	}
	n = now - f->seen;
	if (!ret && copy_to_user(buf, &n, sizeof(n)))
		ret = -EFAULT;
	if (!ret)
		WRITE_ONCE(f->seen, now);
	mutex_unlock(&f->lock);
	return ret ?: sizeof(n);
}

static __poll_t control_poll(struct file *file, poll_table *wait)
{
	struct control_file *f = file->private_data;

	poll_wait(file, &domain_wait, wait);
	return atomic64_read(&domain_changes) != READ_ONCE(f->seen) ? EPOLLIN | EPOLLRDNORM : 0;
}

static int control_open(struct inode *inode, struct file *file)
{
	struct control_file *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	mutex_init(&f->lock);
	f->seen = atomic64_read(&domain_changes);
	file->private_data = f;
	return stream_open(inode, file);
}

static int control_release(struct inode *inode, struct file *file)
{
	struct control_file *f = file->private_data;
	struct parvus_control_domain *d;
	struct owned *o, *next;

	d = kzalloc(sizeof(*d), GFP_KERNEL | __GFP_NOFAIL);
	mutex_lock(&owned_mutex);
	list_for_each_entry_safe(o, next, &owned_domains, list) {
		if (o->owner != f)
			continue;
		list_del(&o->list);
		d->size = sizeof(*d);
		d->version = 1;
		d->domain = o->domain;
		kfree(o);
		control_destroy(d);
		pr_info("parvus: domain %u was not committed, destroyed\n", d->domain);
	}
	mutex_unlock(&owned_mutex);
	kfree(d);
	kfree(f);
	return 0;
}

const struct file_operations parvus_control_fops = {
	DEV_FOPS(control),
	.read = control_read,
	.poll = control_poll,
};

static irqreturn_t control_interrupt(int irq, void *unused)
{
	atomic64_inc(&domain_changes);
	wake_up_interruptible(&domain_wait);
	return IRQ_HANDLED;
}

int parvus_control_init(void)
{
	int irq = parvus_bind_virq(PARVUS_VIRQ_DOMAIN, 0, DOMAIN_INTERVAL), ret;

	if (irq <= 0)
		return 0;	/* a hypervisor without it: who reads waits for ever */
	ret = request_irq(irq, control_interrupt, 0, "parvus-control", NULL);
	if (ret)
		parvus_unbind(irq);
	return ret;
}
