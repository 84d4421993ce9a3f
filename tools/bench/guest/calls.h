/* SPDX-License-Identifier: GPL-2.0-only */
/* Between guest.c, calls.c and device.c. */
#ifndef CALLS_H
#define CALLS_H

#include "micro.h"

#define DEVICE	0x700u	/* ports of the emulated device, see tools/bench/hypervisor.c */

extern const struct op call_ops[], call_smp_ops[];
extern const u64 call_count, call_smp_count;
/* One entry of the list that run_list() hands over. */
void list_set(u64 i, u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
void run_list(u64 count);
void event_light(void);
void device_front(void);
void device_back(void);

#endif
