/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracing (parvus/control.h). Off, a trace point is a load and a branch. */
#pragma once

#include <core/vcpu.h>
#include <parvus/control.h>

#define TRACE_RING	2048u		/* records per pCPU, 64 KiB */

extern u32 trace_mask;

void trace_write(u32 event, u32 domain, u32 vcpu, u64 a0, u64 a1);
/* PARVUS_CONTROL_TRACE, @t as the guest gave it. 0, -PARVUS_EINVAL or -PARVUS_ENOMEM. */
int trace_read(struct parvus_control_trace *t);
void trace_off(void);	/* stop, and give the memory back */

/* @v = NULL: no vCPU. */
static inline void trace(u32 event, const struct vcpu *v, u64 a0, u64 a1)
{
	if (unlikely(READ_ONCE(trace_mask) & event))
		trace_write(event, v ? v->domain->id : 0xffff, v ? v->id : 0xffff, a0, a1);
}
static inline void trace_event(u32 port)
{
	trace(PARVUS_TRACE_EVENT, READ_ONCE(trace_mask) ? arch_current() : NULL, port, 0);
}
static inline void trace_domain(const struct domain *d, u32 state)
{
	if (unlikely(READ_ONCE(trace_mask) & PARVUS_TRACE_DOMAIN))
		trace_write(PARVUS_TRACE_DOMAIN, d->id, 0xffff, state, 0);
}
