/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus: what in the interfaces of Linux 6.1 differs from other versions, behind names that
 * the drivers (pv-drivers/linux, guest-patches/linux) use for all of them. Each version has
 * this header in its folder.
 */
#ifndef _LINUX_PARVUS_COMPAT_H
#define _LINUX_PARVUS_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/mm.h>

/* The largest order of the page allocator. */
#define PARVUS_MAX_ORDER	(MAX_ORDER - 1)

/* Before anybody else knows of the mapping, or under the mmap lock. */
static inline void parvus_vma_flags(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags & ~clear) | set;
}

/* ---- a block device that a back end serves ---- */

struct parvus_bdev {
	struct block_device *bdev;	/* NULL: it is not open */
	bool writable;
};

/* For writing, if @writable and if that can be; else for reading. */
static inline int parvus_bdev_open(struct parvus_bdev *b, dev_t number, bool writable)
{
	struct block_device *bdev;

	b->writable = writable;
	bdev = blkdev_get_by_dev(number, FMODE_READ | (writable ? FMODE_WRITE : 0), NULL);
	if (bdev == ERR_PTR(-EROFS) || bdev == ERR_PTR(-EACCES)) {
		b->writable = false;
		bdev = blkdev_get_by_dev(number, FMODE_READ, NULL);
	}
	b->bdev = IS_ERR(bdev) ? NULL : bdev;
	return PTR_ERR_OR_ZERO(bdev);
}

static inline void parvus_bdev_close(struct parvus_bdev *b)
{
	if (b->bdev)
		blkdev_put(b->bdev, FMODE_READ | (b->writable ? FMODE_WRITE : 0));
	b->bdev = NULL;
}

/* ---- a disk that a front end makes ---- */

/* What stays while the disk is there. */
struct parvus_disk_limits {
	unsigned int logical_block, physical_block, optimal_io, max_sectors;
};

/* What a back end can do, which may change. */
struct parvus_disk_features {
	bool write_cache, fua;
	unsigned int discard_sectors, discard_granularity, zeroes_sectors;
};

/* No limits on where data lies in memory: it is copied. An error pointer if it fails. */
static inline struct gendisk *parvus_disk_alloc(struct blk_mq_tag_set *tags,
						const struct parvus_disk_limits *l, void *data)
{
	struct gendisk *disk = blk_mq_alloc_disk(tags, data);
	struct request_queue *q;

	if (IS_ERR(disk))
		return disk;
	q = disk->queue;
	blk_queue_logical_block_size(q, l->logical_block);
	blk_queue_physical_block_size(q, l->physical_block);
	if (l->optimal_io)
		blk_queue_io_opt(q, l->optimal_io);
	blk_queue_max_hw_sectors(q, l->max_sectors);
	blk_queue_max_segments(q, USHRT_MAX);
	blk_queue_max_segment_size(q, UINT_MAX);
	blk_queue_dma_alignment(q, 511);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	return disk;
}

static inline void parvus_disk_features(struct gendisk *disk, const struct parvus_disk_features *f)
{
	struct request_queue *q = disk->queue;

	blk_queue_write_cache(q, f->write_cache, f->fua);
	blk_queue_max_discard_sectors(q, f->discard_sectors);
	blk_queue_max_write_zeroes_sectors(q, f->zeroes_sectors);
	q->limits.discard_granularity = f->discard_sectors ? f->discard_granularity : 0;
}

/* A request of @op was not supported after all; may be called where it ends. */
static inline void parvus_disk_cannot(struct request_queue *q, enum req_op op)
{
	if (op == REQ_OP_DISCARD)
		blk_queue_max_discard_sectors(q, 0);
	if (op == REQ_OP_WRITE_ZEROES)
		blk_queue_max_write_zeroes_sectors(q, 0);
}

/* struct block_device_operations' open and release, made of functions of the disk. */
#define PARVUS_DISK_OPEN(name, function)						\
	static int name(struct block_device *bdev, fmode_t mode)			\
	{ return function(bdev->bd_disk); }
#define PARVUS_DISK_RELEASE(name, function)						\
	static void name(struct gendisk *disk, fmode_t mode) { function(disk); }

#endif
