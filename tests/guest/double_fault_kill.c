// SPDX-License-Identifier: GPL-2.0-only
/*
 * Without a double-fault stack, a frame that cannot be pushed ends the domain.
 * @expect killed cannot be delivered
 * @beside canary
 */
#include "lib/guest.h"

void test(void) { __asm__ volatile("mov %0, %%rsp; ud2" : : "r"(0xffffffffa0000000)); }
