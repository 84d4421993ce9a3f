// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus block front end: the life of the disk. It is made when a back end is CONNECTED for
 * the first time, and then one of the system's until the device is removed, whatever becomes
 * of back ends; or until a back end wants it back, which is CLOSING: then it goes as soon as
 * nobody has it open, and is used until then.
 */
#include <linux/ctype.h>
#include <linux/module.h>
#include <linux/parvus_compat.h>
#include <linux/slab.h>
#include "block_front.h"
#include "parvus_bus.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX	"block_front."	/* one driver, of three files */
static unsigned int wait = 10;
module_param(wait, uint, 0444);
MODULE_PARM_DESC(wait, "seconds that the boot waits for disks to come, at most");

static atomic_t fronts_coming;		/* devices without a disk yet */
static DECLARE_WAIT_QUEUE_HEAD(fronts_wait);

static void front_has_come(struct block_front *f)
{
	if (!xchg(&f->coming, false))
		return;
	atomic_dec(&fronts_coming);
	wake_up(&fronts_wait);
}

static void front_free_disk(struct gendisk *disk)
{
	kfree(disk->private_data);
}

static int front_open(struct gendisk *disk)
{
	struct block_front *f = disk->private_data;

	return f->leaving ? -ENXIO : 0;
}

/* Under open_mutex, as front_open(). The last one has closed it, maybe: look. */
static void front_release(struct gendisk *disk)
{
	struct block_front *f = disk->private_data;

	if (READ_ONCE(f->end.closing) && !READ_ONCE(f->dead))
		schedule_work(&f->close_work);
}
PARVUS_DISK_OPEN(front_fops_open, front_open)
PARVUS_DISK_RELEASE(front_fops_release, front_release)

static const struct block_device_operations front_fops = {
	.owner = THIS_MODULE,
	.open = front_fops_open,
	.release = front_fops_release,
	.free_disk = front_free_disk,
};

/* The name that was configured, if it is one; else xvda, xvdb ... by the device's index. */
static void front_name(const struct parvus_dev *dev, char *name)
{
	const struct parvus_block_config *config = (const void *)dev->config;
	char letters[8];
	unsigned int i = 0, n = dev->index + 1;

	strscpy(name, config->name, sizeof(config->name));
	while (islower(name[i]) || (i && isdigit(name[i])))
		i++;
	if (i && !name[i])
		return;
	for (i = sizeof(letters) - 1, letters[i] = 0; n && i; n = (n - 1) / 26)
		letters[--i] = 'a' + (n - 1) % 26;
	snprintf(name, DISK_NAME_LEN, "xvd%s", letters + i);
}

static int front_tags(struct block_front *f)
{
	memset(&f->tags, 0, sizeof(f->tags));
	f->tags.ops = &front_mq_ops;
	f->tags.nr_hw_queues = f->end.link->count;
	f->tags.queue_depth = f->queue[0].count;
	f->tags.numa_node = NUMA_NO_NODE;
	f->tags.cmd_size = sizeof(struct front_request);
	f->tags.flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	return blk_mq_alloc_tag_set(&f->tags);
}

/* front_disk_apply - what the back end says and may change while the disk is there */
void front_disk_apply(struct block_front *f)
{
	const struct parvus_block_info *info = &f->info;
	u64 features = info->link.features;

	parvus_disk_features(f->disk, &(struct parvus_disk_features) {
		.write_cache = features & PARVUS_BLOCK_HAS_FLUSH,
		.fua = features & PARVUS_BLOCK_HAS_FUA,
		.discard_sectors = info->discard_sectors,
		.discard_granularity = info->discard_granularity,
		.zeroes_sectors = info->zeroes_sectors,
	});
	set_disk_ro(f->disk, info->flags & PARVUS_BLOCK_READONLY);
	set_capacity_and_notify(f->disk, info->sectors);
}

static struct gendisk *front_alloc(struct block_front *f)
{
	unsigned int i, pages = UINT_MAX;

	for (i = 0; i < f->end.link->count; i++)
		pages = min(pages, f->end.link->queue[i].pool_pages);
	f->bytes = min_t(unsigned int, f->info.bytes, pages / 2 * PAGE_SIZE);
	f->issued = kvcalloc(f->tags.nr_hw_queues * f->tags.queue_depth, sizeof(*f->issued),
			     GFP_KERNEL);
	if (!f->issued)
		return ERR_PTR(-ENOMEM);
	return parvus_disk_alloc(&f->tags, &(struct parvus_disk_limits) {
		.logical_block = f->info.logical_block,
		.physical_block = f->info.physical_block,
		.optimal_io = f->info.optimal_io,
		.max_sectors = f->bytes >> SECTOR_SHIFT,
	}, f);
}

/* front_disk_make - first CONNECTED: there is a disk, and add_work brings it to the system */
int front_disk_make(struct block_front *f)
{
	struct gendisk *disk;
	int err = front_tags(f);

	if (err)
		return err;
	disk = front_alloc(f);
	if (IS_ERR(disk)) {
		kvfree(f->issued);
		f->issued = NULL;
		f->bytes = 0;
		blk_mq_free_tag_set(&f->tags);
		return PTR_ERR(disk);
	}
	disk->fops = &front_fops;
	disk->private_data = f;
	if (f->info.flags & PARVUS_BLOCK_CDROM)
		disk->flags |= GENHD_FL_REMOVABLE;
	front_name(f->end.dev, disk->disk_name);
	f->disk = disk;
	front_disk_apply(f);
	schedule_work(&f->add_work);
	return 0;
}

/*
 * The disk becomes one of the system's, which looks for partitions: I/O that a back end
 * has to answer, and that must not keep the bus from telling us that there is none.
 */
static void front_add_work(struct work_struct *work)
{
	struct block_front *f = container_of(work, struct block_front, add_work);
	struct device *dev = &f->end.dev->dev;
	int err = device_add_disk(dev, f->disk, NULL);

	if (err)
		dev_err(dev, "no disk %s: %d\n", f->disk->disk_name, err);
	else
		WRITE_ONCE(f->added, true);
	front_has_come(f);
}

/* letting go */

/* If nobody has the disk open, nobody will. */
static bool front_leave(struct block_front *f)
{
	struct gendisk *disk = f->disk;

	mutex_lock(&disk->open_mutex);
	if (READ_ONCE(f->end.closing) && !f->dead && f->added && !disk_openers(disk))
		f->leaving = true;
	mutex_unlock(&disk->open_mutex);
	return f->leaving;
}

/* Without its disk, and without the link that this one had. */
static void front_drop_disk(struct block_front *f)
{
	struct gendisk *disk = f->disk;

	f->left = true;
	if (!f->dead)
		parvus_link_end_leave(&f->end);
	f->disk = NULL;
	f->added = f->quiet = f->leaving = f->left = false;
	f->bytes = 0;
	kvfree(f->issued);
	f->issued = NULL;
	blk_mq_free_tag_set(&f->tags);
	disk->private_data = NULL;	/* its last reference must not take @f with it */
	put_disk(disk);
}

/*
 * The back end is CLOSING. It goes on to serve us until we are CLOSED; that may be never,
 * and then it begins anew, or our device goes.
 */
static void front_close_work(struct work_struct *work)
{
	struct block_front *f = container_of(work, struct block_front, close_work);

	if (!f->disk)		/* gone since, by ourselves */
		return;
	flush_work(&f->add_work);
	if (!front_leave(f)) {
		if (READ_ONCE(f->end.closing))
			dev_info(&f->end.dev->dev, "%s is in use, and stays\n",
				 f->disk->disk_name);
		return;
	}
	if (READ_ONCE(f->end.link))	/* else nobody would answer */
		blkdev_issue_flush(f->disk->part0);
	del_gendisk(f->disk);
	mutex_lock(&f->end.lock);
	front_drop_disk(f);
	mutex_unlock(&f->end.lock);
}

/* front_disk_closing - the back end wants the disk back: true if there is none */
bool front_disk_closing(struct parvus_link_end *end)
{
	struct block_front *f = to_block_front(end);

	if (f->disk)
		schedule_work(&f->close_work);
	return !f->disk;
}

void front_disk_init(struct block_front *f)
{
	INIT_WORK(&f->add_work, front_add_work);
	INIT_WORK(&f->close_work, front_close_work);
	f->coming = true;
	atomic_inc(&fronts_coming);
}

/* front_disk_end - f->dead is set: wait until no work item is left, and no release() queues one */
void front_disk_end(struct block_front *f)
{
	flush_work(&f->add_work);
	cancel_work_sync(&f->close_work);	/* now the disk is there or not, for good */
	if (f->disk) {
		mutex_lock(&f->disk->open_mutex);
		mutex_unlock(&f->disk->open_mutex);
	}
	cancel_work_sync(&f->close_work);
	front_has_come(f);
}

/* front_disk_free - give up the disk, and @f with the last who has it open */
void front_disk_free(struct block_front *f)
{
	if (!f->disk) {
		kfree(f);
		return;
	}
	if (f->added)
		del_gendisk(f->disk);
	kvfree(f->issued);
	if (f->added) {
		blk_mq_free_tag_set(&f->tags);
		put_disk(f->disk);
		return;
	}
	put_disk(f->disk);
	blk_mq_free_tag_set(&f->tags);
	kfree(f);
}

/*
 * The root file system may be on a disk of ours: the kernel looks for it when all of this
 * is done, and "rootwait" should not be needed.
 */
static int __init front_wait(void)
{
	if (!parvus_start)
		return 0;
	parvus_bus_sync();
	if (!wait_event_timeout(fronts_wait, !atomic_read(&fronts_coming), wait * HZ))
		pr_warn("parvus: not all disks have come within %u s\n", wait);
	return 0;
}
late_initcall(front_wait);
