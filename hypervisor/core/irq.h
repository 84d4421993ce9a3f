/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupts of devices (parvus/irq.h): sources, and the virtual vectors that they raise. */
#ifndef CORE_IRQ_H
#define CORE_IRQ_H

#include <core/vcpu.h>
#include <parvus/control.h>

/*
 * An interrupt arrived on this pCPU, and no lock is held. A level line is masked when this
 * returns: only now may the controller hear that it was taken.
 */
void irq_arrived(u32 handle);
bool irq_is_level(u32 handle);		/* without a lock */
void irq_show(struct parvus_control_interrupt *i);	/* that of i->handle, or the next */
void irq_domain_gone(struct domain *d);	/* its sources raise nothing any more */

#endif
