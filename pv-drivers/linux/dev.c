// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/parvus: the devices of programs (dev_control.c, dev_event.c, dev_grant.c,
 * dev_device.c), which are alike in how they are registered.
 */
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/parvus.h>
#include "dev.h"

static struct {
	struct miscdevice misc;
	bool control;		/* in the control domain alone */
	int (*init)(void);
} devs[] = {
#define DEV(n, ...) {									\
	.misc = {									\
		.minor = MISC_DYNAMIC_MINOR, .name = "parvus_" #n,			\
		.nodename = "parvus/" #n, .mode = 0600, .fops = &parvus_##n##_fops,	\
	}, __VA_ARGS__ }
	DEV(control, .control = true, .init = parvus_control_init),
	DEV(event),
	DEV(grant),
	DEV(device),
};

static int __init dev_init(void)
{
	unsigned int i;
	int err, ret = 0;

	for (i = 0; parvus_start && i < ARRAY_SIZE(devs); i++) {
		if (devs[i].control && !parvus_control_domain())
			continue;
		err = devs[i].init ? devs[i].init() : 0;
		ret = (err ?: misc_register(&devs[i].misc)) ?: ret;
	}
	return ret;
}
device_initcall(dev_init);
