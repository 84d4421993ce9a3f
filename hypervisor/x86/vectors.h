/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt vectors of the hypervisor itself; 32..0xef are free for devices. And which of the
 * CPU's own come with an error code. Shared with assembly.
 */
#ifndef X86_VECTORS_H
#define X86_VECTORS_H

#define HV_VECTOR_TIMER		0xf0	/* LAPIC one-shot timer */
#define HV_VECTOR_KICK		0xf1	/* look at your work flags (shootdown, reschedule, stop) */
#define HV_VECTOR_CONSOLE	0xf2	/* COM1 */
#define HV_VECTOR_SPURIOUS	0xff

/* Bits: DF, TS NP SS GP PF, AC, CP, VC, SX (Intel SDM vol. 3, 6.15; AMD APM vol. 2, 8.2). */
#define VECTORS_WITH_ERROR	(1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | \
				 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30)

#endif
