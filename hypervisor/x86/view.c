// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ring 0 sees while a guest runs (rules 80 to 83). Slots 256 to 269, the direct map, are in
 * hv_root whole. In the roots of a guest they are its domain's *view*: the same addresses, and of
 * them the domain's own memory, the hypervisor's own for that domain, and what is public. So
 * neither a mistake of ours nor a speculation finds anything of another domain there.
 *
 * Nothing is opened or closed for that. The first touch of a page faults; if the page may be seen
 * it is entered, for good. If not, this CPU goes on with hv_root, which is called full, until
 * it is about to return to a guest. An entry always means the same frame: one that is stale
 * shows something for longer, and is never a wrong access. What is known to touch others' memory
 * brackets it by arch_full_begin() and arch_full_end(), which saves the fault.
 *
 * The fault may come under any lock, so filling allocates nothing: tables come from the view's
 * spares, which are made up for on the way out. If there is none, full is right, too.
 */
#include <x86/pv.h>
#include <core/memory.h>

#define VIEW_SHARED	(1ull << 9)	/* of a pointer: to a table of boot's, copied on change */
#define INDEX(va, shift) ((va) >> (shift) & 511)

static u64 *public_top;		/* what every view begins with; NULL: isolation=off */

/* ---- full, and back ---- */

void view_root_is(struct pcpu *p, u64 *root)
{
	if (p->full && root)
		root_load(&p->roots, root);
}

u64 arch_full_begin(void)
{
	u64 *root = public_top ? root_loaded(arch_roots()) : NULL;

	if (root)
		roots_full(arch_roots());
	return (u64)root;
}

void arch_full_end(u64 root)
{
	if (root)		/* early at boot there is no this_pcpu() */
		view_root_is(this_pcpu(), (u64 *)root);
}

/* ---- what may be seen ---- */

/* The entry for a frame in the view of @d, 0 = it is hidden; *large: and its whole extent. */
static u64 leaf_of(const struct domain *d, u64 n, bool *large)
{
	const struct frame_info *f = frame_info(_mfn(n));
	u64 e;

	*large = false;
	if (!f)
		return 0;
	if (f->type == FRAME_GUEST && f->owner == d->id) {
		/* not on its way out (domain_release), or a ghost of a former domain's */
		e = gfn_lookup_own(d, f->word & FRAME_GFN);
		if (!gfn_is_ram(e) || mfn_x(gfn_entry_mfn(e)) != n)
			return 0;
		*large = e & GFN_EXTENT;
	} else if (f->type == FRAME_HYPERVISOR && f->owner == OWNER_PUBLIC) {
		*large = f->flags & FRAME_WHOLE;
	} else if (f->type == FRAME_GUEST) {
		if (!(READ_ONCE(f->word) & FRAME_EVENTS))	/* of another domain */
			return 0;
	} else if ((f->type != FRAME_HYPERVISOR && f->type != FRAME_SHADOW) || f->owner != d->id) {
		return 0;
	}
	return n << PAGE_SHIFT | paging_data();
}

/* The table that an entry of the view points to, the view's own; NULL: there is no spare one. */
static u64 *table_below(struct domain_view *v, u64 *entry)
{
	u64 e = *entry, *t;

	if ((e & HV_P) && !(e & VIEW_SHARED))
		return e & HV_PS ? NULL : phys_to_virt(e & HV_ADDR);
	if (!v->count)
		return NULL;
	t = v->spare[--v->count];
	if (e & HV_P)
		memcpy(t, phys_to_virt(e & HV_ADDR), PAGE_SIZE);
	smp_store_release(entry, virt_to_phys(t) | HV_P | HV_W);
	return t;
}

/* With hv_root. False: it is hidden, or there is no table. */
static bool view_show(struct domain *d, u64 n)
{
	struct domain_view *v = &d->view;
	u64 leaf, *l2, *l1, *e;
	bool large, shown;

	HOLD(&v->lock);
	leaf = leaf_of(d, n, &large);
	l2 = leaf ? table_below(v, &v->top[n >> 27][n >> 18 & 511]) : NULL;
	e = l2 ? &l2[n >> 9 & 511] : NULL;
	if (e && large && !*e) {
		n = ROUND_DOWN(n, EXTENT_FRAMES);
		*e = n << PAGE_SHIFT | paging_data() | HV_PS;
	}
	shown = e && *e & HV_PS;	/* just now, or by another CPU */
	l1 = e && !shown ? table_below(v, e) : NULL;
	if (l1)
		l1[n & 511] = leaf;
	shown |= !!l1;
	if (shown)
		frame_info(_mfn(n))->flags |= FRAME_SHOWN;
	return shown;
}

bool view_fault(struct pcpu *p, u64 va)
{
	u64 *root = root_loaded(&p->roots), at = va - HV_BASE;

	if (!public_top || p->full || !p->current || va < HV_BASE || va >= PARVUS_HOLE_END)
		return false;
	roots_full(&p->roots);
	if (at < MAX_MACHINE_MEM && view_show(p->current->domain, at >> PAGE_SHIFT))
		view_root_is(p, root);
	else
		pcpu_add_work(p, WORK_ARCH);	/* view_settle() */
	return true;
}

/* ---- a domain's view comes, grows and goes ---- */

static bool spare_add(struct domain_view *v)
{
	u64 *t = hv_alloc(PAGE_SIZE);

	if (!t)
		return false;
	spin_lock(&v->lock);
	if (v->count < VIEW_SPARES) {
		v->spare[v->count++] = t;
		v->pages++;
		t = NULL;
	}
	spin_unlock(&v->lock);
	hv_free(t, PAGE_SIZE);		/* another CPU was faster */
	return !t;
}

/* On the way out: back to the guest's own root, and a fault finds spare tables again. */
void view_settle(struct pcpu *p)
{
	struct domain *d = p->current ? p->current->domain : NULL;

	if (!public_top || !d || (!p->full && d->view.count))
		return;
	while (!d->view.count && d->view.pages < VIEW_PAGES_MAX(d->ram_frames) &&
	       spare_add(&d->view))
		;
	view_root_is(p, mode_root(p));
}

int arch_view_init(struct domain *d)
{
	struct domain_view *v = &d->view;

	if (!public_top)
		return 0;
	for (; (u64)v->slots << 27 < frame_table_count; v->slots++) {
		v->top[v->slots] = hv_alloc(PAGE_SIZE);
		if (!v->top[v->slots])
			return hv_error(PARVUS_ENOMEM);
		v->pages++;
	}
	memcpy(v->top[0], public_top, PAGE_SIZE);
	while (v->count < VIEW_SPARES && spare_add(v))
		;
	return v->count < VIEW_SPARES ? hv_error(PARVUS_ENOMEM) : 0;
}

/* A table of the view and all below it. */
static void table_free(u64 *t, unsigned int levels)
{
	for (unsigned int i = 0; levels && i < 512; i++)
		if ((t[i] & (HV_P | HV_PS | VIEW_SHARED)) == HV_P)
			table_free(phys_to_virt(t[i] & HV_ADDR), levels - 1);
	hv_free(t, PAGE_SIZE);
}

void arch_view_free(struct domain *d)
{
	struct domain_view *v = &d->view;
	u64 root = arch_full_begin(), *top[ARRAY_SIZE(v->top)];

	while (v->count)
		hv_free(v->spare[--v->count], PAGE_SIZE);
	spin_lock(&v->lock);	/* others take their event pages out of it */
	memcpy(top, v->top, sizeof(top));
	v->top[0] = NULL;
	spin_unlock(&v->lock);
	for (unsigned int i = 0; i < ARRAY_SIZE(top); i++)
		if (top[i])
			table_free(top[i], 2);
	arch_full_end(root);
}

/*
 * A large entry goes whole: the rest of it comes back by faults. leaf_of() knows by the gfn
 * entry that the frame is not to come back; and who looked at that entry before it was cleared has
 * shown the frame by now, for both happens under the lock.
 */
bool arch_view_drop(struct domain *d, mfn_t mfn)
{
	struct frame_info *f = frame_info(mfn), *first = frame_info(_mfn(mfn_x(mfn) & ~511ull));
	u64 n = mfn_x(mfn), *l2, *e, root;

	HOLD(&d->view.lock);
	/* FRAME_SHOWN speaks for the owner's view alone */
	if (!d->view.top[0] || (f->owner == d->id && !((f->flags | first->flags) & FRAME_SHOWN)))
		return false;
	root = arch_full_begin();
	e = &d->view.top[n >> 27][n >> 18 & 511];
	if (*e & HV_P && !(*e & VIEW_SHARED)) {
		l2 = phys_to_virt(*e & HV_ADDR);
		e = &l2[n >> 9 & 511];
		if (*e & HV_PS) {
			WRITE_ONCE(*e, 0);
			first->flags &= (u8)~FRAME_SHOWN;
		} else if (*e & HV_P && !(*e & VIEW_SHARED)) {
			WRITE_ONCE(((u64 *)phys_to_virt(*e & HV_ADDR))[n & 511], 0);
			f->flags &= (u8)~FRAME_SHOWN;
		}
	}
	arch_full_end(root);
	return true;
}

/* ---- the roots of a pCPU ---- */

struct parvus_vcpu_area *arch_area(const struct vcpu *v)
{
	struct pcpu *p = this_pcpu();
	u64 va = cpu_area(p->cpu) + CPU_AREA_VCPU, pa = virt_to_phys(v->area);
	u64 *loaded = root_loaded(&p->roots);

	if (loaded)
		roots_full(&p->roots);
	*p->area_entry = (*p->area_entry & HV_NX) | HV_P | HV_W | (pa & PAGE_MASK);
	invlpg(va);
	roots_area(&p->roots, pa & PAGE_MASK);
	view_root_is(p, loaded);
	return (void *)(va + (pa & ~PAGE_MASK));
}

void view_load(unsigned int pair)
{
	struct pcpu *p = this_pcpu();
	const struct domain_view *v = &p->current->domain->view;

	for (unsigned int i = 0; i < v->slots; i++) {
		u64 e = virt_to_phys(v->top[i]) | HV_P | HV_W;

		p->root[pair].kernel_table[256 + i] = e;
		if (!p->way_in)
			p->root[pair].user_table[256 + i] = e;
	}
}

static u64 *shared_table(u64 *entry)
{
	if (!*entry)
		*entry = virt_to_phys(paging_page()) | HV_P | HV_W | VIEW_SHARED;
	return phys_to_virt(*entry & HV_ADDR);
}

/* [start, end) is in each view, with the rights that it has in hv_root. */
static void show_all(u64 *top, const volatile void *start, const volatile void *end)
{
	u64 va = (u64)start & PAGE_MASK, step, *l2, *l1;

	for (; va < (u64)end; va += step) {
		l2 = shared_table(&top[INDEX(va, 30)]);
		step = va % MIB(2) || (u64)end - va < MIB(2) ? PAGE_SIZE : MIB(2);
		if (step == MIB(2)) {
			l2[INDEX(va, 21)] = paging_leaf(va) | HV_PS;
			continue;
		}
		l1 = shared_table(&l2[INDEX(va, 21)]);
		l1[INDEX(va, 12)] = paging_leaf(va);
	}
}

/* Slot 271 of a guest's root: this CPU's pages, and one page of each other if there is @public. */
static u64 area_table(unsigned int cpu, const u64 *own, u64 *const public[])
{
	u64 *l3 = paging_page(), *l2 = paging_page();

	for (unsigned int i = 0; i < cpus_online; i++)
		if (i == cpu || public)
			l2[INDEX(cpu_area(i), 21)] =
				virt_to_phys(i == cpu ? own : public[i]) | HV_P | HV_W;
	l3[INDEX(CPU_AREA_BASE, 30)] = virt_to_phys(l2) | HV_P | HV_W;
	return virt_to_phys(l3) | HV_P | HV_W;
}

/*
 * The user root of a CPU with Meltdown, where user mode reads all that is mapped: the code of the
 * ways in and out, the IDT, the top of its stack, those of NMIs and their like, GDT, TSS, struct
 * pcpu.
 */
static void user_root_bare(struct pcpu *p)
{
	u64 *top = paging_page(), *own = PAGE_OF(p->area_entry), at;

	show_all(top, boot_end, entry_end);
	show_all(top, desc_idt(), desc_idt() + PAGE_SIZE);
	p->way_in = paging_page();
	for (at = CPU_AREA_STACK_TOP & PAGE_MASK; at < CPU_AREA_ROOTS; at += PAGE_SIZE)
		p->way_in[INDEX(at, 12)] = own[INDEX(at, 12)];
	at = area_table(p->cpu, p->way_in, NULL);
	for (unsigned int k = 0; k < ROOT_PAIRS; k++) {
		p->root[k].user_table[256] = virt_to_phys(top) | HV_P | HV_W;
		p->root[k].user_table[INDEX(CPU_AREA_BASE, 39)] = at;
		p->root[k].user_table[INDEX((u64)frame_table, 39)] = 0;
	}
}

void view_start(bool isolate)
{
	u64 *public[MAX_CPUS], *top = isolate ? paging_page() : NULL, at;
	const u64 *all = (u64 *)phys_to_virt(hv_root) + 256;
	unsigned int i, k;

	for (i = 0; i < cpus_online; i++) {
		for (k = 0; !isolate && k < ROOT_PAIRS; k++) {
			memcpy(&pcpus[i]->root[k].kernel_table[256], all, 16 * sizeof(u64));
			memcpy(&pcpus[i]->root[k].user_table[256], all, 16 * sizeof(u64));
		}
		public[i] = isolate ? paging_page() : NULL;
		if (isolate)
			public[i][INDEX(CPU_AREA_PUBLIC, 12)] =
				*paging_entry(cpu_area(i) + CPU_AREA_PUBLIC);
	}
	if (!isolate)
		return;
	show_all(top, boot_end, secret_start);
	show_all(top, secret_end, image_end);
	if (apic_page())
		show_all(top, apic_page(), (const volatile char *)apic_page() + PAGE_SIZE);
	for (i = 0; i < cpus_online; i++) {
		at = area_table(i, PAGE_OF(pcpus[i]->area_entry), public);
		for (k = 0; k < ROOT_PAIRS; k++) {
			pcpus[i]->root[k].kernel_table[INDEX(CPU_AREA_BASE, 39)] =
				pcpus[i]->root[k].user_table[INDEX(CPU_AREA_BASE, 39)] = at;
			pcpus[i]->root[k].kernel_table[INDEX((u64)frame_table, 39)] =
				pcpus[i]->root[k].user_table[INDEX((u64)frame_table, 39)] = all[14];
		}
		if (cpu_features.user_bare)
			user_root_bare(pcpus[i]);
	}
	public_top = top;
	log_info("isolation: %s", cpu_features.user_bare ? "on" : "kernel");
}
