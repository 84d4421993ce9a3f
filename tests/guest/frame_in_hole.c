// SPDX-License-Identifier: GPL-2.0-only
/*
 * iret with a stack that is the hypervisor's memory: nothing there is taken for a frame (rule 39).
 * @expect killed return frame at ffff800000100000 cannot be read
 */
#include "lib/guest.h"

_Static_assert(PARVUS_HOLE_START == 0xffff800000000000, "the address below");

void test(void)
{
	__asm__ volatile("mov %0, %%rsp; syscall"
			 : : "r"(0xffff800000100000), "a"(PARVUS_HC_iret) : "rcx", "r11", "memory");
	end(1);
}
