/* SPDX-License-Identifier: GPL-2.0-only */
/* Of block-server: a disk that is a file, and the requests of a front end on it. */
#ifndef BLOCK_SERVER_H
#define BLOCK_SERVER_H

#include <libparvus-backend.h>
#include <parvus/block.h>
#include <parvus/ring_ops.h>

struct disk_queue {
	struct parvus_backend_queue *queue;
	struct parvus_consumer requests;
	struct parvus_producer responses;
	bool delayed;		/* by the limits */
};

/**
 * struct disk - what is served
 * @fd: the file; -1 = no medium
 * @info: what the front end is told of it
 * @iops: at most; 0 = no limit. @bytes_per_second as well
 * @busy_until_ns: the limits are kept by not serving before then
 */
struct disk {
	int fd;
	bool device;
	struct parvus_block_info info;
	uint32_t iops;
	uint64_t bytes_per_second;
	int64_t busy_until_ns;
	unsigned int queues;
	struct disk_queue queue[PARVUS_LINK_QUEUES];
};

/* Open what @c names into @d. 0, or a negative errno. */
int disk_open(struct disk *d, const struct parvus_block_config *c);
void disk_close(struct disk *d);
/*
 * What the limits have held back goes on, if it is time. Returns how long to wait for the
 * rest, in ms; -1 = there is none.
 */
int disk_resume(struct disk *d, struct parvus_backend *b);

extern const struct parvus_backend_ops disk_ops;	/* parvus_backend_arg() is the disk */

#endif
