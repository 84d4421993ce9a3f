// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wild roots: by hypercall they are refused, by a raw mov to cr3 they fault; an empty
 * root ends this domain alone.
 * @expect killed cannot be delivered
 * @beside canary
 */
#include "lib/guest.h"

static void cr3(void *arg) { __asm__ volatile("mov %0, %%cr3" : : "r"(arg) : "memory"); }

void test(void)
{
	static const u64 wild[] = { 0xfee00000, 0x123456789000, 0x000ffffffffff000, 0x7fff0000000 };

	for (u64 i = 0; i < sizeof(wild) / 8; i++) {
		EXPECT(parvus_mmu_switch(0, wild[i], 0, 0, 0, 0) < 0);
		EXPECT(catch_fault(cr3, (void *)wild[i]));
		EXPECT_EQ(fault.vector, 13);
	}
	cr3((void *)pa(root));
	EXPECT_EQ(*(volatile u64 *)va(pa(root)), root[0]);
	if (failures)
		end(1);
	parvus_mmu_switch(0, page_new(), 0, 0, 0, PARVUS_SWITCH_ALL);
	end(1);
}
