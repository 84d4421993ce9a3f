// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus: the memory balloon, and what else the control domain asks for. VIRQ_MEMORY says
 * that the target changed: frames are given back to the hypervisor or taken again until
 * the domain has as many as the control domain wants, but never so few that this kernel
 * could not go on. VIRQ_REQUEST asks to power off or reboot, which user space does, or for
 * a number of vCPUs online.
 *
 * Whole 2 MiB blocks go first, so that what stays can be mapped large. What is given
 * back is marked offline: it has no memory behind it and must not be read.
 *
 * INFO also says of which generation the domain is. A new one means that it is a copy: the other
 * one, or a later one of the same file, must not have the same random numbers.
 *
 * Before this kernel kills a program for want of memory, it takes some of the balloon again,
 * beyond the target, if the machine has it to give (PARVUS_MEMORY_NEED).
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/oom.h>
#include <linux/parvus.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>
#include <parvus/memory.h>
#include "parvus_bus.h"
#include "resume.h"

#define BLOCK_ORDER	9
#define BLOCK_FRAMES	(1ul << BLOCK_ORDER)
#define NEED_FRAMES	(8ul << 20 >> PAGE_SHIFT)	/* taken for one want of memory */
#define NEED_TIME	(60 * HZ)	/* until they are given back again, if they can be */

struct batch {
	struct parvus_memory_extent extent[PARVUS_MEMORY_BATCH];
};

static void balloon_work(struct work_struct *work);
static DEFINE_MUTEX(balloon_lock);	/* of all that follows; no memory is waited for below it */
static DECLARE_DELAYED_WORK(balloon, balloon_work);
static LIST_HEAD(balloon_blocks);	/* page->lru of the first page of each */
static LIST_HEAD(balloon_pages);
static unsigned long balloon_frames;	/* in both lists */
static u64 boot_frames, target_frames, current_frames;
static u32 vcpus_target;		/* what it was when we booted with "maxcpus", or later */
static struct batch *batch;

/* INFO; as it clears the request, whoever reads it must serve that. */
static int memory_info(struct parvus_memory_info *info)
{
	return parvus_call3(PARVUS_HC_memory_op, PARVUS_MEMORY_INFO, __pa(info), 0);
}

static void memory_request(u32 request)
{
	switch (request) {
	case PARVUS_REQUEST_NONE:
		break;
	case PARVUS_REQUEST_POWEROFF:
		pr_info("parvus: asked to power off\n");
		orderly_poweroff(false);
		break;
	case PARVUS_REQUEST_REBOOT:
		pr_info("parvus: asked to reboot\n");
		orderly_reboot();
		break;
	default:
		pr_warn("parvus: unknown request %u\n", request);
	}
}

/* The first @target vCPUs, and no others; once for each new target: who changes it here may. */
static void memory_vcpus(u32 target)
{
	unsigned int cpu;

	if (target == vcpus_target)
		return;
	vcpus_target = target;
	lock_device_hotplug();
	for_each_present_cpu(cpu) {
		struct device *dev = get_cpu_device(cpu);
		int ret = 0;

		if (dev && cpu < target && !cpu_online(cpu))
			ret = device_online(dev);
		else if (dev && cpu >= target && cpu && cpu_online(cpu))
			ret = device_offline(dev);
		if (ret < 0)
			pr_warn("parvus: CPU %u does not follow: %d\n", cpu, ret);
	}
	unlock_device_hotplug();
}

/* POPULATE, NEED or RELEASE of the first @count extents; how many were done. */
static unsigned int memory_extents(unsigned int op, unsigned int count)
{
	unsigned int done = 0;
	long ret;

	while (done < count) {
		ret = parvus_call3(PARVUS_HC_memory_op, op, __pa(&batch->extent[done]),
				   count - done);
		if (ret <= 0)
			break;
		done += ret;
		cond_resched();
	}
	return done;
}

static void balloon_keep(struct page *page, unsigned int order)
{
	unsigned long i;

	for (i = 0; i < 1ul << order; i++)
		__SetPageOffline(page + i);
	list_add(&page->lru, order ? &balloon_blocks : &balloon_pages);
	adjust_managed_page_count(page, -(1l << order));
	balloon_frames += 1ul << order;
}

/* Its memory is there again. */
static void balloon_free(struct page *page, unsigned int order)
{
	unsigned long i;

	for (i = 0; i < 1ul << order; i++)
		__ClearPageOffline(page + i);
	adjust_managed_page_count(page, 1l << order);
	__free_pages(page, order);
	balloon_frames -= 1ul << order;
}

/* Give up to @want frames back, in blocks of @order; how many were given. */
static unsigned long balloon_inflate(unsigned long want, unsigned int order)
{
	gfp_t gfp = GFP_HIGHUSER | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC;
	unsigned int n, done, i;
	unsigned long addr;
	struct page *page;
	LIST_HEAD(pages);

	for (n = 0; n < PARVUS_MEMORY_BATCH && (n + 1ul) << order <= want; n++) {
		page = alloc_pages(gfp, order);
		if (!page)
			break;
		list_add_tail(&page->lru, &pages);
		batch->extent[n].gfn = page_to_pfn(page);
		batch->extent[n].frames = 1ul << order;
		/* else the hypervisor looks for its mappings everywhere */
		addr = (unsigned long)page_address(page);
		parvus_flush_kernel_range(addr, addr + (PAGE_SIZE << order));
	}
	done = memory_extents(PARVUS_MEMORY_RELEASE, n);
	for (i = 0; i < n; i++) {
		page = list_first_entry(&pages, struct page, lru);
		list_del(&page->lru);
		if (i < done)
			balloon_keep(page, order);
		else
			__free_pages(page, order);
	}
	return (unsigned long)done << order;
}

/* A block becomes single pages, all still without memory. */
static void balloon_split(void)
{
	struct page *page = list_first_entry(&balloon_blocks, struct page, lru);
	unsigned long i;

	list_del(&page->lru);
	split_page(page, BLOCK_ORDER);
	for (i = 0; i < BLOCK_FRAMES; i++)
		list_add(&page[i].lru, &balloon_pages);
}

/* Take up to @want frames of the balloon again, by POPULATE or NEED; how many came. */
static unsigned long balloon_deflate(unsigned int op, unsigned long want)
{
	bool block = want >= BLOCK_FRAMES && !list_empty(&balloon_blocks);
	struct list_head *list = block ? &balloon_blocks : &balloon_pages;
	unsigned int order = block ? BLOCK_ORDER : 0, n = 0, done, i;
	struct page *page;

	if (!block && list_empty(&balloon_pages)) {
		if (list_empty(&balloon_blocks))
			return 0;
		balloon_split();
	}
	list_for_each_entry(page, list, lru) {
		if (n == PARVUS_MEMORY_BATCH || (n + 1ul) << order > want)
			break;
		batch->extent[n].gfn = page_to_pfn(page);
		batch->extent[n].frames = 1ul << order;
		n++;
	}
	done = memory_extents(op, n);
	for (i = 0; i < done; i++) {
		page = list_first_entry(list, struct page, lru);
		list_del(&page->lru);
		balloon_free(page, order);
	}
	return (unsigned long)done << order;
}

/* Below this a kernel that was booted with boot_frames does not live: its tables alone. */
static u64 balloon_floor(void)
{
	return min(boot_frames, (32ull << 20 >> PAGE_SHIFT) + boot_frames / 32);
}

static void memory_generation(const u64 *id)
{
	static u64 last[2];
	bool first = !last[0] && !last[1];

	if (id[0] == last[0] && id[1] == last[1])
		return;
	memcpy(last, id, sizeof(last));
#if IS_ENABLED(CONFIG_VMGENID)
	if (!first)
		add_vmfork_randomness(last, sizeof(last));
#endif
}

static void balloon_work(struct work_struct *work)
{
	static struct parvus_memory_info *info;
	unsigned long done = 0;
	u64 want;

	if (!info)
		info = kzalloc(sizeof(*info), GFP_KERNEL);
	if (!info || memory_info(info))
		return;
	memory_generation(info->generation_id);
	memory_request(info->request);
	memory_vcpus(info->vcpus_target);
	mutex_lock(&balloon_lock);
	WRITE_ONCE(target_frames, info->target_frames);
	want = max(info->target_frames, balloon_floor());
	while (info->frames > want) {
		done = balloon_inflate(info->frames - want, BLOCK_ORDER);
		if (!done)
			done = balloon_inflate(info->frames - want, 0);
		if (!done)
			break;
		info->frames -= done;
		cond_resched();
	}
	while (info->frames < want && balloon_frames) {
		done = balloon_deflate(PARVUS_MEMORY_POPULATE, want - info->frames);
		if (!done)
			break;
		info->frames += done;
		cond_resched();
	}
	WRITE_ONCE(current_frames, info->frames);
	mutex_unlock(&balloon_lock);
	/* Short of memory, here or in the machine: later. */
	if (info->frames > want || (info->frames < want && balloon_frames))
		schedule_delayed_work(&balloon, HZ);
}

/* Somebody is about to be killed. Nothing is said of it: the control domain sees it in list. */
static int balloon_need(struct notifier_block *nb, unsigned long unused, void *freed)
{
	unsigned long done;

	mutex_lock(&balloon_lock);
	done = balloon_deflate(PARVUS_MEMORY_NEED, NEED_FRAMES);
	if (!done)	/* no whole block is to be had */
		done = balloon_deflate(PARVUS_MEMORY_NEED, BLOCK_FRAMES - 1);
	WRITE_ONCE(current_frames, current_frames + done);
	mutex_unlock(&balloon_lock);
	*(unsigned long *)freed += done;
	if (done)
		mod_delayed_work(system_wq, &balloon, NEED_TIME);
	return NOTIFY_OK;
}

static struct notifier_block balloon_oom = { .notifier_call = balloon_need };

static irqreturn_t balloon_interrupt(int irq, void *unused)
{
	mod_delayed_work(system_wq, &balloon, 0);
	return IRQ_HANDLED;
}

void parvus_memory_resumed(void) { mod_delayed_work(system_wq, &balloon, 0); }

/* /sys/hypervisor/parvus/memory, in KiB */

static ssize_t target_show(struct kobject *k, struct kobj_attribute *a, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(target_frames) << (PAGE_SHIFT - 10));
}
static struct kobj_attribute target_attr = __ATTR_RO(target);

static ssize_t current_show(struct kobject *k, struct kobj_attribute *a, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(current_frames) << (PAGE_SHIFT - 10));
}
/* "current" is a macro */
static struct kobj_attribute current_attr = {
	.attr = { .name = "current", .mode = 0444 }, .show = current_show,
};

static struct attribute *memory_attrs[] = { &target_attr.attr, &current_attr.attr, NULL };
static const struct attribute_group memory_group = { .name = "memory", .attrs = memory_attrs };

static void __init balloon_bind(u32 virq)
{
	int irq = parvus_bind_virq(virq, 0, 0);

	if (irq > 0 && request_irq(irq, balloon_interrupt, 0, "parvus-memory", NULL))
		parvus_unbind(irq);
}

static int __init balloon_init(void)
{
	struct parvus_memory_info *info;
	int ret = 0;

	if (!parvus_start)
		return 0;
	info = kzalloc(sizeof(*info), GFP_KERNEL);
	batch = kzalloc(sizeof(*batch), GFP_KERNEL);
	if (!info || !batch) {
		ret = -ENOMEM;
		goto out;
	}
	/* A hypervisor without the call. */
	if (memory_info(info))
		goto out;
	boot_frames = current_frames = info->frames;
	target_frames = info->target_frames;
	vcpus_target = info->vcpus_target;
	memory_generation(info->generation_id);
	memory_request(info->request);
	ret = sysfs_create_group(parvus_kobj, &memory_group);
	if (ret)
		goto out;
	balloon_bind(PARVUS_VIRQ_MEMORY);
	balloon_bind(PARVUS_VIRQ_REQUEST);
	register_oom_notifier(&balloon_oom);
	schedule_delayed_work(&balloon, 0);
	kfree(info);
	return 0;
out:
	kfree(info);
	kfree(batch);
	return ret;
}
late_initcall(balloon_init);
