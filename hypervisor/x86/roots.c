// SPDX-License-Identifier: GPL-2.0-only
/*
 * CR3, and what the TLB keeps of it. A pCPU has ROOT_PAIRS pairs of roots, each filled for an
 * address space (mmu/tlb.c says which, and whether what is cached of it is still good). Without
 * PCID a load of CR3 forgets all, and a pair saves filling its tables anew.
 *
 * With pcid=on (cpu_features.cr3_keep is not 0) each root has a PCID: hv_root 0, pair n 2n + 2 for
 * its kernel root and 2n + 3 for its user root (Intel SDM vol. 3, 4.10.1). INVLPG reaches the root
 * that is loaded, and no other. So each value of CR3 carries what is to be done when it is loaded:
 * without CR3_KEEP the TLB forgets what it has under that PCID. Whoever takes a translation away
 * clears CR3_KEEP in what is not loaded; a load sets it. It stays with the pair while another one
 * is in use (rule 88). hv_root never changes once boot is over, but for CPU_AREA_VCPU, whose old
 * frame each PCID may have (rule 89).
 *
 * The unit tests compile this against a CR3 and a TLB that are made up.
 */
#include <core/arch.h>
#include <x86/paging.h>

static void forget(struct root_pair *p, const u64 *but)
{
	if (but != &p->kernel_cr3)
		p->kernel_cr3 &= ~cpu_features.cr3_keep;
	if (but != &p->user_cr3)
		p->user_cr3 &= ~cpu_features.cr3_keep;
}

static void others_forget(struct roots *r)
{
	if (cpu_features.cr3_keep)
		forget(&r->now, root_loaded(r));
}

void arch_tlb_flush_all(void)
{
	others_forget(arch_roots());
	arch_roots()->n_root_switches++;
	write_cr3(read_cr3());		/* which never has CR3_KEEP */
}

/* What every view showed may be anybody's now, and pairs that were left have it in the TLB. */
void arch_tlb_forget(void)
{
	for (unsigned int i = 0; i < ROOT_PAIRS; i++)
		forget(&arch_roots()->pairs[i], NULL);
	arch_tlb_flush_all();
}

void arch_tlb_flush_range(u64 start, u64 end)
{
	for (; start != end; start += PAGE_SIZE)
		invlpg(start);
	others_forget(arch_roots());
}

void roots_area(struct roots *r, u64 frame)
{
	r->area_frame = frame;
	forget(&r->now, NULL);
}

void arch_root_load(unsigned int pair, bool good)
{
	struct roots *r = arch_roots();
	u64 frame = r->area_frame;

	if (r->kernel_cr3 != hv_root)
		r->pairs[r->pair] = r->now;
	r->pair = pair;
	r->now = r->pairs[pair];
	if (!good)
		view_load(pair);
	if (!good || r->area_frame != frame)
		roots_area(r, frame);
	root_load(r, &r->kernel_cr3);
}

void arch_roots_leave(void)
{
	struct roots *r = arch_roots();

	roots_full(r);
	r->pairs[r->pair] = r->now;
	r->kernel_cr3 = r->user_cr3 = hv_root;
}
