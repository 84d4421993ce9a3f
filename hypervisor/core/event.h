/* SPDX-License-Identifier: GPL-2.0-only */
/* Event channels (parvus/event.h): ports, joined in pairs or fed by the hypervisor. */
#pragma once

#include <core/vcpu.h>

/* domain_create() and domain_destroy(); 0 or -PARVUS_ENOMEM. The end closes all ports. */
int event_domain_init(struct domain *d);
void event_domain_destroy(struct domain *d);

/*
 * Something happened to a domain, alive or ending, its structure held by the caller: PARVUS_VIRQ_*.
 * What comes before the source is bound to a port waits for that. From any context but a timer's
 * fire().
 */
void event_send_virq(struct domain *d, u32 virq);

/*
 * Make a port of @d, which need not have started, that waits for the domain of number @remote:
 * what is sent to it before is kept. 0 and the port, which tells vCPU 0; -PARVUS_ENOENT (no such
 * domain, or one that ends), ENOSPC or ENOMEM.
 */
int event_alloc_unbound(struct domain *d, u32 remote, u32 *port);

u32 event_ports_used(struct domain *d);
u64 event_pages(struct domain *d);	/* of the hypervisor, for its ports */
u32 event_ports_total(void);
