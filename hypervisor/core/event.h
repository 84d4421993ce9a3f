/* SPDX-License-Identifier: GPL-2.0-only */
/* Event channels (parvus/event.h), and below interrupts of devices (parvus/irq.h). */
#pragma once

#include <core/vcpu.h>

/* domain_create() and domain_destroy(); 0 or -PARVUS_ENOMEM. The end closes all ports. */
int event_domain_init(struct domain *d);
void event_domain_destroy(struct domain *d);

/*
 * Something happened to a domain, alive or ending, its structure held: PARVUS_VIRQ_*. It waits for
 * a port of its source. From any context but a timer's fire().
 */
void event_send_virq(struct domain *d, u32 virq);

/*
 * Make a port of @d, which need not have started, that waits for the domain of number @remote:
 * what is sent to it before is kept. 0 and the port, which tells vCPU 0; -PARVUS_ENOENT (no such
 * domain, or one that ends), ENOSPC or ENOMEM.
 */
int event_alloc_unbound(struct domain *d, u32 remote, u32 *port);

s64 event_register(struct domain *d, u64 gpa);	/* as event_op REGISTER */
const void *event_page(const struct domain *d);	/* what was registered, or NULL */
u32 event_virqs(const struct domain *d);	/* that fired and have no port: bit n is VIRQ n */
u32 event_ports_used(struct domain *d);
u64 event_pages(struct domain *d);	/* of the hypervisor, for its ports */
u32 event_ports_total(void);

/* An interrupt arrived, no lock is held. A level line is masked on return: then comes the EOI. */
void irq_arrived(u32 handle);
bool irq_is_level(u32 handle);		/* without a lock */
struct parvus_control_interrupt;
void irq_show(struct parvus_control_interrupt *i);	/* that of i->handle, or the next */
void irq_domain_gone(struct domain *d);	/* its sources raise nothing any more */
