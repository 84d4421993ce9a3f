/* SPDX-License-Identifier: GPL-2.0-only */
/* Domain control: hypercall control_op (parvus/control.h, docs/control.md). */
#ifndef HV_CONTROL_H
#define HV_CONTROL_H

#include <hv/vcpu.h>

/* The caller's privilege has been checked. 0 or a negative errno. */
s64 control_op(struct vcpu *v, u64 op, u64 gpa);

#endif
