// SPDX-License-Identifier: GPL-2.0-only
/* The offers of a domain's context (core/context.h): of one that stands still, or is built. */
#include <core/context.h>
#include <core/grant_table.h>
#include <core/memory.h>

/* The number of the domain with that serial; mostly it is domain 0. */
static u32 number_of(u32 serial)
{
	u32 number = PARVUS_CONTEXT_UNKNOWN;

	if (control_domain() && control_domain()->serial == serial)
		return control_domain()->id;
	for_each_domain(d)
		number = d->serial == serial ? d->id : number;
	return number;
}

bool grant_context_next(struct vcpu *v, u64 *from, void *to)
{
	struct table *t = &v->domain->grants->offers;
	struct parvus_context_offer *r = to;
	u64 n;

	for (n = max(*from, 1ull); n <= READ_ONCE(t->end); n++) {
		const struct offer *o = &slot_at(t, (u32)n)->o;
		u32 s = READ_ONCE(o->state);

		if (!(s & OFFER_STANDS))
			continue;
		*r = (struct parvus_context_offer){
			.gfn = frame_info(_mfn(o->mfn))->word & FRAME_GFN, .ref = (u32)n,
			.to = number_of(o->to),
			.flags = (s & OFFER_READONLY ? PARVUS_GRANT_READONLY : 0) |
				 (s & OFFER_USERS ? PARVUS_CONTEXT_USED : 0) };
		*from = n + 1;
		return true;
	}
	return false;
}

/* To domain 0, or to nobody: another domain of that number is another one. */
int grant_context_set(struct vcpu *v, const void *record)
{
	struct domain *d = v->domain;
	const struct parvus_context_offer *r = record;
	u32 flags = r->flags & ~PARVUS_CONTEXT_USED, ref = r->ref;

	if (!ref || ref > PARVUS_GRANT_MOST || flags & ~PARVUS_GRANT_READONLY || r->reserved0 ||
	    (r->to && r->to != PARVUS_CONTEXT_UNKNOWN))
		return hv_error(PARVUS_EINVAL);
	/* it was there before: none comes into being for it */
	if (!gfn_is_ram(gfn_lookup(d, _gfn(r->gfn))))
		return hv_error(PARVUS_EFAULT);
	return grant_offer(d, r->gfn, r->to, flags, &ref);
}

void grant_context_done(struct domain *d)
{
	struct table *t = &d->grants->offers;

	HOLD(&d->grants->lock);
	t->free = 0;
	for (u32 n = t->end; n; n--)
		if (!slot_at(t, n)->o.state) {
			slot_at(t, n)->next = t->free;
			t->free = n;
		}
}
