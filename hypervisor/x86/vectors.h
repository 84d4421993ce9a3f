/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupt vectors of the hypervisor itself; 32..0xef are free for devices. */
#ifndef X86_VECTORS_H
#define X86_VECTORS_H

#define HV_VECTOR_TIMER		0xf0	/* LAPIC one-shot timer */
#define HV_VECTOR_KICK		0xf1	/* look at your work flags (shootdown, reschedule, stop) */
#define HV_VECTOR_CONSOLE	0xf2	/* COM1 */
#define HV_VECTOR_SPURIOUS	0xff

#endif
