/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef UNIT_LINUX_MODULE_H
#define UNIT_LINUX_MODULE_H

#include <linux/parvus.h>

#define module_param(name, type, mode)	_Static_assert(1, #name)
#define MODULE_PARM_DESC(name, text)	_Static_assert(1, text)
#define __init
/* The test calls it. */
extern int (*const unit_init)(void);
#define device_initcall(f)		int (*const unit_init)(void) = f

#endif
