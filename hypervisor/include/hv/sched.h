/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler: weighted-fair by virtual run time, one queue per pCPU, idle
 * pCPUs steal. Portable: time comes in as an argument, so that the unit tests
 * own the clock. All times in ns.
 */
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include <hv/vcpu.h>

void sched_init_cpu(unsigned int cpu);
/* A vCPU became runnable. Returns the pCPU to kick, or MAX_CPUS for none. */
unsigned int sched_wake(struct vcpu *v, u64 now);
/* Charge @prev (may be NULL) for its run, requeue it if still runnable, pick the next or NULL. */
struct vcpu *sched_pick(unsigned int cpu, struct vcpu *prev, u64 now);
/* What sched_pick() gave does not run after all. */
void sched_pick_none(unsigned int cpu);
/* Is somebody waiting for this pCPU whom the running vCPU should yield to now? */
bool sched_should_preempt(unsigned int cpu, struct vcpu *running, u64 now);
/* When the running vCPU's slice ends; 0 = nobody waits, no tick needed. */
u64 sched_slice_end(unsigned int cpu, struct vcpu *running, u64 now);
void sched_set_affinity(struct vcpu *v, u64 mask);
void sched_set_weight(struct vcpu *v, u64 weight);
/* Give up the slice in favour of others of equal right. */
void sched_yield_to(unsigned int cpu, struct vcpu *running, u64 now);
/*
 * The registers of a vCPU that lost its pCPU are in memory now: others may run it. True: it is
 * queued on this pCPU again.
 */
bool sched_left(struct vcpu *prev);
/* Sleep unless a vector is pending. True: the caller reschedules. */
bool sched_block(struct vcpu *v);
/*
 * The vCPU stops for good; and the way back: sched_start() gives it to the caller alone,
 * who sets it up, calls sched_started() (BLOCKED from then on) and sched_wake().
 */
void sched_stop(struct vcpu *v);
bool sched_start(struct vcpu *v);
void sched_started(struct vcpu *v);

#endif
