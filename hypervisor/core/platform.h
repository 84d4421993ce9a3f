/* SPDX-License-Identifier: GPL-2.0-only */
/* What the portable code asks of the machine besides the MMU: time, the console, the end. */
#ifndef CORE_PLATFORM_H
#define CORE_PLATFORM_H

#include <core/domain.h>

/* time.c: nanoseconds since boot */
u64 hv_now_ns(void);
/* vcpu.c: a timer of this pCPU was set; let the hardware know. */
void timer_rearm(void);

/* console.c: the first domain owns the serial line; others write to the log. */
s64 console_write(struct domain *d, u64 gpa, u64 len);
s64 console_read(struct domain *d, u64 gpa, u64 len);
void console_domain_new(struct domain *d);
void console_domain_gone(struct domain *d);
/* Characters arrived. */
void console_input(void);

/* Is this machine frame a device or firmware table that domain 0 may have? (x86/mmu.c) */
bool machine_frame_open(u64 mfn);

/* start.c: power off, or reboot if that was the reason and "reboot=yes" is set. */
void last_domain_ended(u32 reason);
/* builder.c: every domain of the boot modules; returns how many run. */
unsigned int build_domains(void);

#endif
