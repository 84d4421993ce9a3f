/* SPDX-License-Identifier: GPL-2.0-only */
/* Between bare.S, bare.c and native.c. */
#ifndef BARE_H
#define BARE_H

#include "micro.h"

#define LAPIC	0xffffffffbfe00000ull	/* see bare.S */

extern u64 gdt[];
extern u64 boot_info;
extern u32 ap_taken;
extern char ap_start[], ap_end[], ap_stack_top[];
extern u64 lapic_per_us;
void bare_start(void);
void bare_secondary(void);
void lapic(u32 reg, u32 v);
extern const struct op native_ops[];
extern const u64 native_count;

#endif
