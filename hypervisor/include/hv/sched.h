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
/* Is somebody waiting for this pCPU whom the running vCPU should yield to now? */
bool sched_should_preempt(unsigned int cpu, struct vcpu *running, u64 now);
/* When the running vCPU's slice ends; 0 = nobody waits, no tick needed. */
u64 sched_slice_end(unsigned int cpu, struct vcpu *running, u64 now);
void sched_set_affinity(struct vcpu *v, u64 mask);
void sched_set_weight(struct vcpu *v, u64 weight);
/* Give up the slice in favour of others of equal right. */
void sched_yield(unsigned int cpu, struct vcpu *running, u64 now);
/* The vCPU left for good (destroy): it must not be on any queue. */
void sched_remove(struct vcpu *v);

#endif
