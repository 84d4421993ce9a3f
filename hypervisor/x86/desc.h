/* SPDX-License-Identifier: GPL-2.0-only */
/* Selectors, the GDT (4..6, 12..15 as Linux has them), vectors, RFLAGS; also for assembly. */
#pragma once

#define GDT_USER_CS32		4
#define GDT_USER_DS		5
#define GDT_USER_CS		6
#define GDT_TLS			12	/* 12, 13, 14 */
#define GDT_CPUNODE		15
#define GDT_HV_CS		16
#define GDT_HV_SS		17
#define GDT_TSS			18	/* two entries */
#define GDT_ENTRIES		20

#define SEL_USER_CS32		0x23
#define SEL_USER_SS		0x2b
#define SEL_USER_CS		0x33
#define SEL_HV_CS		(GDT_HV_CS * 8)
#define SEL_HV_SS		(GDT_HV_SS * 8)
#define SEL_TSS			(GDT_TSS * 8)
#define VSEL_KERNEL_CS		0x10
#define VSEL_KERNEL_SS		0x18

#define RFLAGS_FIXED		0x2
#define RFLAGS_TF		0x100
#define RFLAGS_IF		0x200
#define RFLAGS_RF		0x10000
#define RFLAGS_AC		0x40000
/*
 * What a guest may choose: CF PF AF ZF SF TF DF OF NT RF AC ID (rule 29). NT that IRET or
 * SYSRET loads is harmless; IRET looks at ring 0's own, which SFMASK and the gates clear.
 */
#define RFLAGS_GUEST		0x254dd5
/* What a guest always runs with. */
#define RFLAGS_RUN		(RFLAGS_FIXED | RFLAGS_IF)
/* Cleared by SYSCALL: TF IF DF IOPL NT RF AC. */
#define SFMASK_VALUE		0x57700

#define VECTOR_SYSCALL		0x100	/* regs.vector of an entry by SYSCALL */
#define VECTOR_REFUSED		0x101	/* and of a guest-bound IRET that faulted */

/* Interrupt vectors of the hypervisor itself; 0x30 to 0xef are those of devices (ioapic.c). */
#define HV_VECTOR_TIMER		0xf0	/* LAPIC one-shot timer */
#define HV_VECTOR_KICK		0xf1	/* look at your work flags (shootdown, reschedule, stop) */
#define HV_VECTOR_CONSOLE	0xf2	/* COM1 */
#define HV_VECTOR_SPURIOUS	0xff

/* Bits: DF, TS NP SS GP PF, AC, CP, VC, SX (Intel SDM vol. 3, 6.15; AMD APM vol. 2, 8.2). */
#define VECTORS_WITH_ERROR	(1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | \
				 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30)

/* IST slots (1-based, as in gates) */
#define IST_NMI			1
#define IST_DF			2
#define IST_MC			3
#define IST_DB			4
#define IST_STACKS		4

#ifndef __ASSEMBLER__
#include <core/arch.h>

/* Build this pCPU's GDT, TSS and IDT and load them; sets up SYSCALL's MSRs. */
void desc_init_cpu(struct pcpu *p);
const volatile char *desc_idt(void);	/* a page */
extern char trap_stubs[];		/* of entry.S, 16 bytes each */
void mcheck_init(void);
/* A descriptor that a guest may have there, by its index in a vCPU's. */
bool desc_tls_valid(u64 index, u64 d);
/* Put a vCPU's TLS entries into this pCPU's GDT. */
void desc_load_tls(struct pcpu *p, const u64 *tls);
#endif
