/* SPDX-License-Identifier: GPL-2.0-only */
/* Domain control: hypercall control_op (parvus/control.h, docs/control.md). */
#ifndef CORE_CONTROL_H
#define CORE_CONTROL_H

#include <core/vcpu.h>

/* The caller's privilege has been checked. 0 or a negative errno. */
s64 control_op(struct vcpu *v, u64 op, u64 gpa);

#endif
