/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Each CPU's own pages, in slot 271, 2 MiB apart: its stacks, GDT and TSS, struct pcpu, its
 * roots. A guest's root has those of this CPU, and of the others one page each, which they ring at
 * (rule 80). An unmapped page below each stack is its guard: what overflows ends in a double
 * fault with a stack of its own, and a record, not in somebody's memory. From any of these
 * stacks the CPU is found by rsp alone, for GS may be the guest's (rules 32 and 63):
 *
 *	0x0000	guard
 *	0x1000	the stack of C, struct regs at its top, 0x4800: few calls go below that page, and
 *		what of it is cleared at each change of domain is short (context.c)
 *	0x5000	guard
 *	0x6000	stack of IST slot 1, then a guard; slots 2, 3, 4 likewise
 *	0xe000	GDT, TSS
 *	0xf000	struct pcpu: a page of this CPU's alone, and at
 *	0x10000	one that the others see, too
 *	0x11000	ROOT_PAIRS times a kernel root and a user root
 *	0x31000	the page with the area of the vCPU that runs: a frame of its domain
 */
#pragma once

#define CPU_AREA_BASE		0xffff878000000000
#define CPU_AREA_SIZE		0x200000
#define CPU_AREA_BIT		39		/* of an address: set here, not in boot's stack */
#define CPU_AREA_STACK		0x1000
#define CPU_AREA_STACK_TOP	0x4800
#define CPU_AREA_IST(slot)	(0x4000 + 0x2000 * (slot))	/* slots count from 1 */
#define CPU_AREA_DESC		0xe000
#define CPU_AREA_PCPU		0xf000
#define CPU_AREA_PUBLIC		0x10000
#define CPU_AREA_ROOTS		0x11000
#define CPU_AREA_VCPU		0x31000
#define CPU_AREA_END		0x32000
