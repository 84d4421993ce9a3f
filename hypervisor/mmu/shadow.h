/* SPDX-License-Identifier: GPL-2.0-only */
/* The software TLB, as the rest of ring 0 sees it; core/arch.h says what touches hardware. */
#pragma once

#include <core/domain.h>
#include <parvus/mmu.h>

struct aspace;

/* Page-fault error code bits (Intel SDM vol. 3, 4.7). */
#define PF_PRESENT	1u
#define PF_WRITE	2u
#define PF_USER		4u
#define PF_RESERVED	8u
#define PF_FETCH	16u
/* Not the hardware's: a first touch may use the last frames; there is none at all. */
#define PF_RESERVE	(1u << 31)
#define PF_PREFILL	(1u << 30)

#define SHADOW_RESERVE	4u	/* one fault needs at most three tables */

enum shadow_result {
	SHADOW_DONE,		/* an entry that permits the access is in place: resume */
	SHADOW_GUEST_FAULT,	/* deliver #PF with *error (U from the virtual mode) */
	SHADOW_KILLED,		/* the domain was killed, reason kept */
	SHADOW_WAIT,		/* no frame for a first touch: the domain has to wait */
};

/* Of struct vcpu: used by the pCPU that runs it alone, but for .as, which flushers read. */
struct vcpu_shadow {
	struct aspace *as;	/* what is loaded; never NULL once started */
	struct aspace *anon;	/* this vCPU's id 0 */
	gfn_t root;		/* the guest's top-level table */
	u64 prefill_va;		/* last #PF delivered; shadow_prefill uses it once */
	struct aspace *prefill_as;	/* NULL = nothing to prefill */
	struct shadow_recent {	/* the leaf tables of the last walk, while aspace.tree stays */
		struct aspace *as;	/* NULL = none */
		u64 region, tree;	/* of 2 MiB; aspace.tree then */
		u64 gfn, above;		/* the guest's, and what the levels above it permit */
		u32 index;		/* ours, in the pool; 0 = not known */
	} recent;
	u64 last_id, last_rip, last_cr2, last_gen;	/* progress check (rule 13) */
	u32 last_count;
	u32 reserved;		/* pool pages taken ahead of a fault */
	u32 reserve[SHADOW_RESERVE];
	u32 limbo;		/* a table that left its tree, until the shootdown is done */
};

/* Create and destroy a domain's shadows. pool = shadow pages; charged up front. */
int shadow_domain_init(struct domain *d, u64 pool);
/* Up to @pages of them; true when all is gone. */
bool shadow_domain_destroy(struct domain *d, u64 pages);
int shadow_vcpu_init(struct vcpu *v);
void shadow_start(struct vcpu *v, gfn_t root);

/*
 * A translation is missing or forbids the access: PF_WRITE, PF_FETCH of the hardware's error code,
 * in the virtual mode @user; @va is canonical and outside the hypervisor's hole, @rip is for the
 * progress check. With SHADOW_GUEST_FAULT the caller delivers a #PF for @va with *error, and the
 * guest's return from it fills the address (shadow_prefill).
 */
enum shadow_result shadow_fault(struct vcpu *v, u64 va, u32 access, bool user, u64 rip, u32 *error);
/* At iret after a delivered #PF: fill the address and its valid neighbours, never fail. */
void shadow_prefill(struct vcpu *v);

/* Boot option mmu=exact: every address space is anonymous, nothing outlives a switch. */
extern bool shadow_exact;

/* Bind v's address space to this pCPU before it runs, and let go of it after: roots come and go. */
void shadow_load(struct vcpu *v);
void shadow_unload(struct vcpu *v);
/* Serve flush requests of others: on each C exit to the guest, by whoever waits (core/arch.h). */
void shadow_serve(void);

/* What was just taken out of v->domain's gfn table: own gfns, [gfn, end), foreign ones by hash. */
#define SHADOW_FOREIGN	4096u
struct shadow_loss {
	u64 gfn, end;
	bool view;		/* ring 0's own view of the frames has gone, too */
	u64 foreign[SHADOW_FOREIGN / 64];
};
static inline unsigned int shadow_foreign_hash(mfn_t mfn)
{
	return (unsigned int)mfn_x(mfn) % SHADOW_FOREIGN;
}
static inline void shadow_loss_add(struct shadow_loss *l, mfn_t mfn)
{
	l->foreign[shadow_foreign_hash(mfn) / 64] |= 1ull << shadow_foreign_hash(mfn) % 64;
}
static inline bool shadow_loss_has(const struct shadow_loss *l, mfn_t mfn)
{
	return l->foreign[shadow_foreign_hash(mfn) / 64] >> shadow_foreign_hash(mfn) % 64 & 1;
}
/* Before the first GFN_FOREIGN entry of a domain. 0 or -PARVUS_ENOMEM. */
int shadow_foreign_init(struct domain *d);
/* A shadow entry may map the foreign frame: asked after its gfn entry was changed. */
bool shadow_maps_foreign(const struct domain *d, mfn_t mfn);
/* Take [start, end) of v's current address space or of the kernel half away. */
void shadow_flush_hint(struct vcpu *v, u64 start, u64 end);
/*
 * The gfn entries were cleared or reduced before: on return no shadow entry and no TLB
 * has what went, and nobody is in the middle of a walk that saw it. No lock is held.
 */
void shadow_lose(struct vcpu *v, const struct shadow_loss *l);

/* Frames of the pool that exist, and of its own tables. */
u64 shadow_pages(const struct domain *d);
