/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include <linux/bitmap.h>
/* for headers of the kernel's interface to programs, which are taken as they are */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
