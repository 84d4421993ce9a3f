/* SPDX-License-Identifier: GPL-2.0-only */
/* One-shot timers, per pCPU. The caller arms the hardware for timer_next(). */
#pragma once

#include <core/vcpu.h>

#define TIMERS_PER_CPU	4096u

int timer_init_cpu(unsigned int cpu);
/* Arm on @cpu for @deadline (absolute ns), moving it if armed. 0 or -PARVUS_ENOMEM. */
int timer_set(struct timer *t, unsigned int cpu, u64 deadline);
/* The same, unless it is armed for that time or before; then it stays where it is. */
int timer_set_before(struct timer *t, unsigned int cpu, u64 deadline);
void timer_cancel(struct timer *t);
/* Fire all that are due, under the heap's lock. fire() may set t->deadline, to be armed again. */
void timer_run(unsigned int cpu, u64 now);
u64 timer_next(unsigned int cpu);	/* earliest deadline on @cpu, 0 = none */
