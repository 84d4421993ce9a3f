/* SPDX-License-Identifier: GPL-2.0-only */
/* Grants: frames that a domain offers to another, for mapping and copying (parvus/grant.h). */
#pragma once

#include <core/domain.h>
#include <parvus/grant.h>

/* domain.c: a new domain's empty tables; 0 or -PARVUS_ENOMEM. */
int grant_domain_init(struct domain *d);
/* Without vCPUs and shadows: mappings and offers end. True: some are mapped, see grant_ghost(). */
bool grant_domain_destroy(struct domain *d);
/* domain.c, with the last reference: the tables go. */
void grant_domain_free(struct domain *d);
/* The owner of the frame is gone. True: it is mapped still, and is freed by the last unmap. */
bool grant_ghost(mfn_t mfn);

/*
 * Offer a frame of @d, plain RAM, writable unless @flags is PARVUS_GRANT_READONLY, to the domain
 * of number @to; the offer does not pass to a later domain of that number. *@ref is the reference
 * that is wanted, or 0 for any; with one @to may be PARVUS_CONTEXT_UNKNOWN. 0 and the reference,
 * -PARVUS_EINVAL (flags, or @to is @d), ENOENT (no such domain), EFAULT (gfn), ENOSPC
 * (the most offers), EEXIST (that reference), EBUSY (it is ending) or ENOMEM.
 */
int grant_offer(struct domain *d, u64 gfn, u32 to, u32 flags, u32 *ref);

/* Offers that stand, mappings that a domain has; of all domains; frames that outlived theirs. */
u32 grant_offers(const struct domain *d);
u64 grant_pages(const struct domain *d);	/* of the hypervisor, for its tables */
u32 grant_mappings(const struct domain *d);
u64 grant_offers_total(void);
u64 grant_mappings_total(void);
u64 grant_ghost_frames(void);
