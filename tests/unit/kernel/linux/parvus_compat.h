/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/blk-mq.h>

#define parvus_disk_cannot(q, op)	((void)(q), (void)(op))
