// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlt with interrupts off can never end: the domain does.
 * @expect killed hlt with interrupts disabled
 */
#include "lib/guest.h"

void test(void) { __asm__ volatile("cli; hlt"); }
