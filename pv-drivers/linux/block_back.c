// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus block back end: serves a block device of this domain to another one
 * (parvus/block.h). Here is the device, what the toolstack configures of it, and what the
 * front end is told; requests are in block_serve.c.
 *
 * When the other end, the driver's binding or the device goes, the threads stop and the
 * bios under way are waited for; only then does the state change. Requests that were
 * not answered by then are the front end's to issue again. A device that is to be
 * detached is CLOSING, and served, until the front end lets it go.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include "block_back.h"

#define BACK_POOL_PAGES		1024u	/* of a queue, at most */
#define BACK_POOL_LEAST		64u
#define BACK_ZEROES_SECTORS	65536u	/* 32 MiB, which may have to be written */

static unsigned int queues;
module_param(queues, uint, 0644);
MODULE_PARM_DESC(queues, "queues of a disk, at most; 0 = one for each CPU");

/* the disk */

static void back_close(struct block_back *back)
{
	parvus_bdev_close(&back->disk);
	back->opened = false;
}

static int back_open(struct block_back *back)
{
	const struct parvus_block_config *config = &back->config;
	int err = 0;

	back->disk.writable = !(config->flags & (PARVUS_BLOCK_READONLY | PARVUS_BLOCK_CDROM));
	if (config->major || config->minor)
		err = parvus_bdev_open(&back->disk, MKDEV(config->major, config->minor),
				       back->disk.writable);
	if (err == -ENOMEDIUM)
		err = 0;
	if (!err && back->disk.bdev && bdev_logical_block_size(back->disk.bdev) > 4096)
		err = -EMEDIUMTYPE;
	if (err)
		parvus_bdev_close(&back->disk);
	back->opened = !err;
	return err;
}

static u32 back_queues(const struct block_back *back)
{
	u32 n = READ_ONCE(queues) ?: num_online_cpus();

	if (back->config.queues)
		n = min(n, back->config.queues);
	return clamp(n, 1u, PARVUS_LINK_QUEUES);
}

static u64 back_sectors(const struct block_back *back)
{
	u32 block = back->info.logical_block >> SECTOR_SHIFT;

	return back->disk.bdev ? rounddown(bdev_nr_sectors(back->disk.bdev), (u64)block) : 0;
}

/* What the blob says. @block: what a logical block has to be, at least. */
static void back_look(struct block_back *back, u32 block)
{
	struct parvus_block_info *info = &back->info;
	struct block_device *bdev = back->disk.bdev;
	u32 count = back->end.link ? info->link.queues : back_queues(back);

	*info = (struct parvus_block_info) {
		.link.version = PARVUS_LINK_VERSION,
		.link.queues = count,	/* what a link uses goes on to be good */
		.link.pool_pages = back->pool_pages,
		.link.features = PARVUS_BLOCK_HAS_WRITE_ZEROES,
		.flags = back->config.flags & (PARVUS_BLOCK_READONLY | PARVUS_BLOCK_CDROM),
		.logical_block = bdev ? max(block, bdev_logical_block_size(bdev)) : block,
		.physical_block = block,
		.bytes = PARVUS_BLOCK_BYTES,
	};
	info->sectors = back_sectors(back);
	if (!back->disk.writable || back->config.flags & PARVUS_BLOCK_CDROM)
		info->flags |= PARVUS_BLOCK_READONLY;
	if (info->flags & PARVUS_BLOCK_READONLY)
		info->link.features = 0;
	else
		info->zeroes_sectors = BACK_ZEROES_SECTORS;
	if (!bdev)
		return;
	info->physical_block = max(info->logical_block, bdev_physical_block_size(bdev));
	info->optimal_io = bdev_io_opt(bdev);
	if (info->flags & PARVUS_BLOCK_READONLY)
		return;
	if (bdev_write_cache(bdev))
		info->link.features |= PARVUS_BLOCK_HAS_FLUSH;
	if (bdev_write_cache(bdev) && bdev_fua(bdev))
		info->link.features |= PARVUS_BLOCK_HAS_FUA;
	if (bdev_max_discard_sectors(bdev) && !(back->config.flags & PARVUS_BLOCK_NO_DISCARD)) {
		info->link.features |= PARVUS_BLOCK_HAS_DISCARD;
		info->discard_sectors = bdev_max_discard_sectors(bdev);
		info->discard_granularity = max(bdev_discard_granularity(bdev),
						info->logical_block);
	}
}

/* states */

/* This domain may map no more: a smaller pool will do. */
static bool back_smaller(struct parvus_link_end *end)
{
	if (to_back(end)->pool_pages <= BACK_POOL_LEAST)
		return false;
	to_back(end)->pool_pages /= 2;
	return true;
}

static void back_cannot(const struct block_back *back, int err)
{
	dev_warn_ratelimited(&back->end.dev->dev, "device %u:%u cannot be served: %d\n",
			     back->config.major, back->config.minor, err);
}

static int back_describe(struct parvus_link_end *end, void *blob)
{
	struct block_back *back = to_back(end);
	int err = 0;

	if (!back->opened && !end->link) {
		back_close(back);
		err = back_open(back);
	}
	if (err) {
		back_cannot(back, err);
		return err;
	}
	back_look(back, end->link ? back->info.logical_block : SECTOR_SIZE);
	memcpy(blob, &back->info, sizeof(back->info));
	return 0;
}

/* The same link goes on with what config says now: another medium, another size. */
static void back_change(struct block_back *back, bool reopen)
{
	u32 block = back->info.logical_block;
	int err = 0;

	back_pause(back);
	if (reopen) {
		back_close(back);
		err = back_open(back);
	}
	if (!err && back->disk.bdev && bdev_logical_block_size(back->disk.bdev) > block) {
		back_close(back);
		err = -EMEDIUMTYPE;
	}
	if (err)
		back_cannot(back, err);
	back_look(back, block);
	back_resume(back);
}

static bool back_config_good(const struct parvus_block_config *config)
{
	return config->version == 1 && !(config->flags & PARVUS_BLOCK_PROGRAM);
}

static int back_configured(struct parvus_link_end *end)
{
	struct block_back *back = to_back(end);
	struct parvus_block_config config;
	bool reopen;

	memcpy(&config, end->dev->config, sizeof(config));
	if (!back_config_good(&config)) {
		dev_warn(&end->dev->dev, "configuration is not for this driver\n");
		return -EINVAL;
	}
	reopen = !back->opened || config.major != back->config.major ||
		 config.minor != back->config.minor ||
		 (config.flags ^ back->config.flags) & ~PARVUS_BLOCK_DETACH;
	back->config = config;
	back_limits_set(&back->limits, &config);
	if (end->link && config.flags & PARVUS_BLOCK_DETACH)
		back->opened &= !reopen;	/* served as it is, until the front end lets go */
	else if (end->link)
		back_change(back, reopen);
	else if (reopen)
		back_close(back);
	return reopen || back->info.sectors != back_sectors(back);
}

static const struct parvus_link_ops back_ops = {
	.describe = back_describe,
	.connect = back_connect,
	.connected = back_connected,
	.disconnect = back_disconnect,
	.configured = back_configured,
	.smaller = back_smaller,
	.interrupt = back_interrupt,
	.detach = PARVUS_BLOCK_DETACH,
};

static int back_probe(struct parvus_dev *dev)
{
	struct parvus_block_config config;
	struct block_back *back;

	memcpy(&config, dev->config, sizeof(config));
	if (!back_config_good(&config))
		return -ENODEV;
	back = kzalloc(sizeof(*back), GFP_KERNEL);
	if (!back)
		return -ENOMEM;
	back->config = config;
	back->pool_pages = BACK_POOL_PAGES;
	spin_lock_init(&back->limits.lock);
	back_limits_set(&back->limits, &config);
	parvus_link_end_init(&back->end, dev, &back_ops);
	parvus_link_end_begin(&back->end);
	return 0;
}

static void back_remove(struct parvus_dev *dev)
{
	struct parvus_link_end *end = dev_get_drvdata(&dev->dev);

	parvus_link_end_stop(end);
	back_close(to_back(end));
	dev_set_drvdata(&dev->dev, NULL);
	kfree(to_back(end));
}

/* statistics, in the device's folder */

/* requests and bytes of reads, writes, flushes, discards, zeroes; then errors */
static ssize_t statistics_show(struct device *d, struct device_attribute *a, char *buf)
{
	struct block_back *back = to_back(dev_get_drvdata(d));
	static const char *const names[] = { "read", "write", "flush", "discard", "zeroes" };
	struct back_stats sum;
	unsigned int op;
	int n = 0;

	back_stats_sum(back, &sum);
	for (op = 0; op < ARRAY_SIZE(names); op++)
		n += sysfs_emit_at(buf, n, "%s %llu %llu\n", names[op], sum.requests[op],
				   sum.bytes[op]);
	return n + sysfs_emit_at(buf, n, "errors %llu\n", sum.errors);
}
static DEVICE_ATTR_RO(statistics);

static struct attribute *back_attrs[] = { &dev_attr_statistics.attr, NULL };
ATTRIBUTE_GROUPS(back);

static struct parvus_driver back_driver = {
	.driver = {
		.name = "block-back",
		.dev_groups = back_groups,
	},
	.device_class = PARVUS_CLASS_BLOCK,
	.side = PARVUS_BACK,
	.probe = back_probe,
	.remove = back_remove,
	.peer_changed = parvus_link_end_peer_changed,
	.configured = parvus_link_end_configured,
};

static int __init back_init(void)
{
	int err;

	if (!parvus_start)
		return 0;
	BUILD_BUG_ON(sizeof(struct parvus_block_config) > PARVUS_DEVICE_BLOB);
	err = back_serve_init();
	if (!err)
		err = parvus_register_driver(&back_driver);
	return err;
}
device_initcall(back_init);
