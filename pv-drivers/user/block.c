// SPDX-License-Identifier: GPL-2.0-only
/*
 * Of block-server: requests (parvus/block.h) on a file or a block device. The data goes between
 * the file and the pool without a stop: what the front end does to its pool meanwhile is its own
 * loss. All that decides something, request and list of segments, is copied first, once.
 *
 * One request is served at a time, and no answer is given before its system call is back: when
 * this process is killed and its file is closed, nothing of it is under way any more.
 */
#include "block.h"
#include "block_check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SECTOR		512ull
#define BATCH		32	/* requests, before other queues have their turn */
#define RANGE_SECTORS	(32u << 10)	/* 16 MiB of one DISCARD or WRITE_ZEROES */

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- the file ---------------------------------------------------------------------- */

/*
 * Nothing is tried out on the data: of a block device the kernel tells; whether a file system can
 * punch holes shows at the first real discard, whose answer is "not supported" if it cannot.
 */
static bool can_discard(const struct disk *d, dev_t device)
{
	char path[80];
	unsigned long long bytes = 0;
	FILE *f;

	if (!d->device)
		return true;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/queue/discard_max_bytes", major(device),
		 minor(device));
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%llu", &bytes) != 1)
			bytes = 0;
		fclose(f);
	}
	return bytes != 0;
}

static int disk_measure(struct disk *d, const struct parvus_block_config *c)
{
	uint64_t bytes;
	struct stat st;
	int block;

	if (fstat(d->fd, &st))
		return -errno;
	d->device = S_ISBLK(st.st_mode);
	if (d->device) {
		if (ioctl(d->fd, BLKGETSIZE64, &bytes) || ioctl(d->fd, BLKSSZGET, &block))
			return -errno;
		if (block < 512 || block > 4096)
			return -EINVAL;
		d->info.logical_block = d->info.physical_block = (uint32_t)block;
	} else if (S_ISREG(st.st_mode)) {
		bytes = (uint64_t)st.st_size;
	} else {
		return -EINVAL;
	}
	d->info.sectors = bytes / d->info.logical_block * d->info.logical_block / SECTOR;
	if (d->info.flags & PARVUS_BLOCK_READONLY)
		return 0;
	d->info.link.features |= PARVUS_BLOCK_HAS_FLUSH | PARVUS_BLOCK_HAS_FUA |
				 PARVUS_BLOCK_HAS_WRITE_ZEROES;
	if (!(c->flags & PARVUS_BLOCK_NO_DISCARD) && can_discard(d, st.st_rdev))
		d->info.link.features |= PARVUS_BLOCK_HAS_DISCARD;
	return 0;
}

int disk_open(struct disk *d, const struct parvus_block_config *c)
{
	bool readonly = c->flags & (PARVUS_BLOCK_READONLY | PARVUS_BLOCK_CDROM);
	int ret;

	memset(d, 0, sizeof(*d));
	d->fd = -1;
	d->iops = c->iops;
	d->bytes_per_second = c->bytes_per_second;
	d->info = (struct parvus_block_info){
		.link.version = PARVUS_LINK_VERSION,
		.link.queues = c->queues && c->queues < PARVUS_LINK_QUEUES ? c->queues : 1,
		.link.pool_pages = 2048,
		.flags = (c->flags & PARVUS_BLOCK_CDROM) | (readonly ? PARVUS_BLOCK_READONLY : 0),
		.logical_block = 512,
		.physical_block = 4096,
		.discard_granularity = 4096,
		.discard_sectors = RANGE_SECTORS,
		.zeroes_sectors = RANGE_SECTORS,
		.bytes = PARVUS_BLOCK_BYTES,
	};
	if (!c->file[0])
		return 0;
	if (!memchr(c->file, 0, sizeof(c->file)))
		return -ENAMETOOLONG;
	d->fd = open(c->file, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	ret = d->fd < 0 ? -errno : disk_measure(d, c);
	if (ret)
		disk_close(d);
	return ret;
}

void disk_close(struct disk *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

/* ---- requests ---------------------------------------------------------------------- */

static void copy(const struct block_check *c, void *to, uint32_t offset, uint32_t bytes)
{
	memcpy(to, (uint8_t *)c->pool + offset, bytes);
	__asm__ volatile("" ::: "memory");	/* the copy is what counts */
}

/* As the kernel's back end has it: 0, a status, or BLOCK_CHECK_LIE. */
static int check(const struct disk *d, const struct parvus_backend_queue *q,
		 const struct parvus_block_request *r, struct parvus_block_segment *list)
{
	bool discards = d->info.link.features & PARVUS_BLOCK_HAS_DISCARD;
	struct block_check c = {
		.sectors = d->fd >= 0 ? d->info.sectors : 0,
		.pool_bytes = q->pool_bytes,
		.logical_block = d->info.logical_block,
		.bytes = d->info.bytes,
		.discard_sectors = discards ? d->info.discard_sectors : 0,
		.zeroes_sectors = d->info.zeroes_sectors,
		.readonly = d->info.flags & PARVUS_BLOCK_READONLY,
		.copy = copy,
		.pool = q->pool,
	};

	return block_check(&c, r, list);
}

/* All of it, however the kernel divides it. */
static int transfer(const struct disk *d, const struct parvus_block_request *r, struct iovec *iov)
{
	off_t at = (off_t)(r->sector * SECTOR);
	unsigned int i = 0, n;
	ssize_t done;

	while (i < r->segments) {
		n = r->segments - i;	/* at most PARVUS_BLOCK_SEGMENTS, which is IOV_MAX */
		if (r->op == PARVUS_BLOCK_READ)
			done = preadv(d->fd, iov + i, (int)n, at);
		else
			done = pwritev2(d->fd, iov + i, (int)n, at,
					r->flags & PARVUS_BLOCK_FUA ? RWF_DSYNC : 0);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 && errno == ENOSPC ? -PARVUS_ENOSPC : -PARVUS_BLOCK_EIO;
		at += done;
		while (i < r->segments && (size_t)done >= iov[i].iov_len)
			done -= (ssize_t)iov[i++].iov_len;
		if (i < r->segments) {
			iov[i].iov_base = (uint8_t *)iov[i].iov_base + done;
			iov[i].iov_len -= (size_t)done;
		}
	}
	return 0;
}

static int discard(const struct disk *d, const struct parvus_block_request *r)
{
	uint64_t range[2] = { r->sector * SECTOR, r->sectors * SECTOR };
	int ret;

	if (d->device)
		ret = ioctl(d->fd, BLKDISCARD, range);
	else
		ret = fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)range[0],
				(off_t)range[1]);
	return !ret ? 0 : errno == EOPNOTSUPP ? -PARVUS_BLOCK_EOPNOTSUPP : -PARVUS_BLOCK_EIO;
}

static int write_zeroes(const struct disk *d, const struct parvus_block_request *r)
{
	static const uint8_t zeroes[64 << 10];
	uint64_t at = r->sector * SECTOR, left = r->sectors * SECTOR;
	int mode = FALLOC_FL_KEEP_SIZE |
		(r->flags & PARVUS_BLOCK_UNMAP ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);

	if (fallocate(d->fd, mode, (off_t)at, (off_t)left)) {
		if (errno != EOPNOTSUPP)
			return -PARVUS_BLOCK_EIO;
		while (left) {	/* by hand, then */
			size_t n = left < sizeof(zeroes) ? (size_t)left : sizeof(zeroes);
			ssize_t done = pwrite(d->fd, zeroes, n, (off_t)at);

			if (done < 0 && errno == EINTR)
				continue;
			if (done <= 0)
				return -PARVUS_BLOCK_EIO;
			at += (uint64_t)done;
			left -= (uint64_t)done;
		}
	}
	return r->flags & PARVUS_BLOCK_FUA && fdatasync(d->fd) ? -PARVUS_BLOCK_EIO : 0;
}

/* One request, checked and done: its status in @status. -EPROTO: the front end lies. */
static int request(const struct disk *d, const struct parvus_backend_queue *q,
		   const struct parvus_block_request *r, int32_t *status)
{
	static struct parvus_block_segment list[PARVUS_BLOCK_SEGMENTS];
	static struct iovec iov[PARVUS_BLOCK_SEGMENTS];
	unsigned int i;

	*status = check(d, q, r, list);
	if (*status == BLOCK_CHECK_LIE)
		return -EPROTO;
	if (*status)
		return 0;
	for (i = 0; i < r->segments; i++) {
		iov[i].iov_base = q->pool + list[i].offset;
		iov[i].iov_len = list[i].bytes;
	}
	switch (r->op) {
	case PARVUS_BLOCK_FLUSH:
		*status = fdatasync(d->fd) ? -PARVUS_BLOCK_EIO : 0;
		break;
	case PARVUS_BLOCK_DISCARD:
		*status = discard(d, r);
		break;
	case PARVUS_BLOCK_WRITE_ZEROES:
		*status = write_zeroes(d, r);
		break;
	default:
		*status = transfer(d, r, iov);
	}
	return 0;
}

/* ---- limits ------------------------------------------------------------------------ */

/* A request costs time; who has used up his is served later. 100 ms may be saved up. */
static void charge(struct disk *d, const struct parvus_block_request *r)
{
	int64_t now = now_ns(), cost = 0, bytes_cost;

	if (d->iops)
		cost = 1000000000 / d->iops;
	if (d->bytes_per_second && r->op <= PARVUS_BLOCK_WRITE) {
		bytes_cost = (int64_t)((double)r->sectors * SECTOR * 1e9 /
				       (double)d->bytes_per_second);
		if (bytes_cost > cost)
			cost = bytes_cost;
	}
	if (d->busy_until_ns < now - 100000000)
		d->busy_until_ns = now - 100000000;
	d->busy_until_ns += cost;
}

static bool over_limits(const struct disk *d)
{
	return (d->iops || d->bytes_per_second) && d->busy_until_ns > now_ns();
}

int disk_resume(struct disk *d, struct parvus_backend *b)
{
	bool over = over_limits(d);
	int wait = -1;
	unsigned int i;

	for (i = 0; i < d->queues; i++) {
		if (!d->queue[i].delayed)
			continue;
		if (over)
			wait = (int)((d->busy_until_ns - now_ns()) / 1000000 + 1);
		else
			parvus_backend_again(b, d->queue[i].queue);
	}
	return wait;
}

/* ---- a front end -------------------------------------------------------------------- */

static int disk_connect(struct parvus_backend *b, struct parvus_backend_queue *queues,
			unsigned int count, uint64_t features, const void *extra)
{
	struct disk *d = parvus_backend_arg(b);
	unsigned int i;

	(void)features;
	(void)extra;
	d->queues = count;
	for (i = 0; i < count; i++) {
		struct parvus_ring *ring = queues[i].rings;
		uint8_t *entries = (uint8_t *)(ring + 2);
		uint32_t n = parvus_ring_count(queues[i].ring_bytes - 2 * sizeof(*ring),
					       sizeof(struct parvus_block_request) +
					       sizeof(struct parvus_block_response));
		struct disk_queue *q = &d->queue[i];

		parvus_consumer_init(&q->requests, ring, entries, n,
				     sizeof(struct parvus_block_request), 0);
		parvus_producer_init(&q->responses, ring + 1,
				     entries + (size_t)n * sizeof(struct parvus_block_request), n,
				     sizeof(struct parvus_block_response), 0);
		q->queue = &queues[i];
		q->delayed = false;
	}
	return 0;
}

static void disk_disconnect(struct parvus_backend *b)
{
	struct disk *d = parvus_backend_arg(b);

	d->queues = 0;
}

static int disk_serve(struct parvus_backend *b, struct parvus_backend_queue *queue)
{
	struct disk *d = parvus_backend_arg(b);
	struct disk_queue *q = &d->queue[queue->index];
	struct parvus_block_request r;
	struct parvus_block_response answer;
	bool full = false;
	unsigned int i;
	int ret;

	for (i = 0; i < BATCH; i++) {
		q->delayed = over_limits(d);
		if (q->delayed)
			return 0;	/* disk_resume() comes back to it */
		full = !parvus_producer_room(&q->responses);
		if (full || !parvus_consume(&q->requests, &r))
			break;
		answer = (struct parvus_block_response){ .id = r.id };
		ret = request(d, queue, &r, &answer.status);
		if (ret)
			return parvus_backend_lie(b, "request %u (operation %u, %llu sectors "
						  "from %llu, %u segments) that no front end makes",
						  r.id, r.op,
						  (unsigned long long)r.sectors,
						  (unsigned long long)r.sector, r.segments);
		charge(d, &r);
		parvus_produce(&q->responses, &answer);
		if (parvus_release(&q->requests) | parvus_publish(&q->responses))
			parvus_backend_notify(b, queue);
	}
	/* asleep until there is a request, and room for its answer */
	ret = full ? parvus_producer_sleep(&q->responses, 1) : parvus_consumer_sleep(&q->requests);
	if (parvus_consumer_broken(&q->requests) || parvus_producer_broken(&q->responses))
		return parvus_backend_lie(b, "a broken ring");
	return !ret;
}

const struct parvus_backend_ops disk_ops = {
	.connect = disk_connect,
	.serve = disk_serve,
	.disconnect = disk_disconnect,
};
