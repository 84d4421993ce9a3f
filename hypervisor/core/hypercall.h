/* SPDX-License-Identifier: GPL-2.0-only */
/* Hypercalls (hypercall.c): from a number to the handler, which stands with its noun. */
#pragma once

#include <core/vcpu.h>

/* A number that an entry of the table stands for; a power of two, above all that are in use. */
#define HYPERCALL_SLOTS	64

/* What entry.S calls by number for the running @v: all checks are made by it. */
typedef s64 (*hypercall_fn)(struct vcpu *v, struct regs *r);
extern const hypercall_fn hypercall_handlers[HYPERCALL_SLOTS];

/* From entry.S: what it does not call itself, by r->rax. The result is for rax. */
s64 hypercall_dispatch(struct regs *r);

/* More to do than may be done at once: the guest comes again, back at its SYSCALL. Its result. */
static inline s64 hypercall_restart(struct regs *r)
{
	r->rip -= 2;
	return (s64)r->rax;
}

/* PARVUS_FEATURE_*, of a domain, or of one like others. */
u64 features_word0(const struct domain *d);
extern bool debug_enabled;	/* debug=1 on the command line */
