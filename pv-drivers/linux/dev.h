/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus: what the devices of programs, /dev/parvus, show to dev.c, which registers them.
 */
#ifndef PARVUS_DEV_H
#define PARVUS_DEV_H

#include <linux/fs.h>

/* What all of them have; files are streams, without a place. */
#define DEV_FOPS(prefix)				\
	.owner = THIS_MODULE,				\
	.open = prefix##_open,				\
	.release = prefix##_release,			\
	.unlocked_ioctl = prefix##_ioctl,		\
	.compat_ioctl = compat_ptr_ioctl

extern const struct file_operations parvus_control_fops, parvus_event_fops, parvus_grant_fops,
	parvus_device_fops;
int parvus_control_init(void);

#endif
