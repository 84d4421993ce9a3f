/* SPDX-License-Identifier: GPL-2.0-only */
/* The context of a domain (context.c): what each part of the hypervisor gives to it and takes. */
#pragma once

#include <core/vcpu.h>
#include <parvus/context.h>
#include <parvus/control.h>

/* control CONTEXT of @d, its control_lock held: 0 or a negative errno. */
int control_context(struct domain *d, struct parvus_control_context *a);
u64 context_gpa(const void *p);	/* of what guest_map() gave, or PARVUS_CONTEXT_NONE for NULL */

/* Of lists, of the domain of any of its vCPUs: see struct kind. */
bool event_context_next(struct vcpu *v, u64 *from, void *to);
int event_context_set(struct vcpu *v, const void *record);
bool grant_context_next(struct vcpu *v, u64 *from, void *to);
int grant_context_set(struct vcpu *v, const void *record);
bool device_context_next(struct vcpu *v, u64 *from, void *to);
int device_context_set(struct vcpu *v, const void *record);
void event_context_done(struct domain *d, u32 virqs);	/* all may have missed something */
void grant_context_done(struct domain *d);		/* free references are found again */

/* calls.c of x86/: an entry of the virtual IDT. */
bool arch_trap_valid(const struct parvus_trap *t);
void arch_trap_set(struct domain *d, const struct parvus_trap *t);

/* The address space that @v, which does not run, is in; 0 or -PARVUS_ENOMEM. */
void shadow_context_get(const struct vcpu *v, struct parvus_context_vcpu *r);
int shadow_context_set(struct vcpu *v, const struct parvus_context_vcpu *r);

/* x86/context.c: the registers. What is given to _set() was found valid before. */
void arch_context_get(const struct vcpu *v, struct parvus_context_vcpu *r);
bool arch_context_valid(const struct vcpu *v, const struct parvus_context_vcpu *r);
void arch_context_set(struct vcpu *v, const struct parvus_context_vcpu *r);
u32 arch_image_bytes(void);	/* of v->xsave */
bool arch_image_set(struct vcpu *v, const void *image);	/* false: XRSTOR would fault */
void arch_host_get(const struct domain *d, struct parvus_context_host *h);
bool arch_host_valid(const struct domain *d, const struct parvus_context_host *h);
