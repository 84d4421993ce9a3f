/* SPDX-License-Identifier: GPL-2.0-only */
/* What of Linux's linux/ctype.h is needed. */
#ifndef UNIT_LINUX_CTYPE_H
#define UNIT_LINUX_CTYPE_H

#include <ctype.h>

#endif
