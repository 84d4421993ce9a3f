/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/parvus.h>
#define max2(a, b)	((a) > (b) ? (a) : (b))
#define max3(a, b, c)	max2(max2(a, b), c)
