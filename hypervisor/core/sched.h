/* SPDX-License-Identifier: GPL-2.0-only */
/* The scheduler. Time comes in as an argument, in ns: the unit tests own the clock. */
#pragma once

#include <core/vcpu.h>

void sched_init_cpu(unsigned int cpu);
/* A vCPU became runnable. Returns the pCPU to kick, or MAX_CPUS for none. */
unsigned int sched_wake(struct vcpu *v, u64 now);
/* Charge @prev (may be NULL) for its run, requeue it if still runnable, pick the next or NULL. */
struct vcpu *sched_pick(unsigned int cpu, struct vcpu *prev, u64 now);
/* What sched_pick() gave runs no more, or not at all: it is charged, nobody runs here. */
void sched_pick_none(unsigned int cpu, u64 now);
/* Is there somebody to whom the running vCPU should yield now, or may it not run on? */
bool sched_should_preempt(unsigned int cpu, struct vcpu *running, u64 now);
/* When to look again: end of the slice, of a cap, of its period; 0 = never. @running or NULL. */
u64 sched_slice_end(unsigned int cpu, struct vcpu *running, u64 now);
bool sched_endless(unsigned int cpu, const struct vcpu *running);	/* never */
/* With every timer interrupt: capped domains whose period begins, balance between queues. */
void sched_tick(unsigned int cpu, u64 now);
/* Give up the slice in favour of others of equal right. */
void sched_yield_to(unsigned int cpu, struct vcpu *running, u64 now);
/* A vCPU that lost @cpu is saved now: others may run it. Returns who has it queued, or MAX_CPUS. */
unsigned int sched_left(unsigned int cpu, struct vcpu *prev, u64 now);
/* It sleeps, and may do so with its registers on the pCPU, where it then counts as before. */
bool sched_stays(unsigned int cpu, struct vcpu *v);
/* Sleep unless a vector is pending. True: the caller reschedules. */
bool sched_block(struct vcpu *v);
/* It stops for good; and the way back: the caller's alone until sched_started(), sched_wake(). */
void sched_stop(struct vcpu *v);
bool sched_start(struct vcpu *v);
void sched_started(struct vcpu *v);

/*
 * From here on: by anyone, at any time, for a domain whose vCPUs stay allocated meanwhile.
 *
 * A paused domain's vCPUs run no more once each is off its pCPU (on_cpu); those that run
 * are told to leave. Wake-ups count from sched_unpause() on. d->sched.paused may be set
 * before the first start. A domain that ended is no longer held back by either.
 */
void sched_pause(struct domain *d);
void sched_unpause(struct domain *d, u64 now);
/* Share, 256 = 1, of every vCPU of the domain. */
void sched_set_weight(struct domain *d, u64 weight);
/* Percent of one CPU that all vCPUs together may use, 0 = no limit. */
void sched_set_cap(struct domain *d, u32 percent, u64 now);
/* 0, or -PARVUS_EINVAL if no pCPU of the mask is online. A vCPU on one outside leaves it. */
int sched_set_affinity(struct vcpu *v, const u64 mask[], u64 now);
void sched_domain_gone(struct domain *d);	/* the domain's structure is about to go */

u64 sched_run_ns(struct vcpu *v, u64 now);	/* time run, the current run included */
struct sched_cpu_stats {
	u64 idle_ns, busy_ns;
	u64 switches;		/* changes to another vCPU */
};
void sched_cpu_stats(unsigned int cpu, u64 now, struct sched_cpu_stats *out);
