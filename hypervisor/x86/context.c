// SPDX-License-Identifier: GPL-2.0-only
/* The registers of a vCPU: reset, saved, loaded, and as its guest knows them. */
#include <core/context.h>
#include <core/hypercall.h>
#include <x86/pv.h>

static void fpu_reset(struct vcpu *v)
{
	memset(v->xsave, 0, arch_image_bytes());
	*(u16 *)v->xsave = 0x37f;			/* FCW */
	*(u32 *)((char *)v->xsave + 24) = 0x1f80;	/* MXCSR */
}

/* FPU, debug registers and the like as after a reset (Intel SDM vol. 3, 9.1.1). */
static void context_reset(struct vcpu *v)
{
	fpu_reset(v);
	v->fpu_cpu = MAX_CPUS;		/* no pCPU's registers hold it */
	v->own->xcr0 = guest_xcr0(v->domain) | 3;	/* x87 and SSE are never off */
	v->own->tsc_aux = v->own->guest_cr4 = v->own->cpuid_faults = 0;
	memset(v->own->dr, 0, sizeof(v->own->dr));
	v->own->dr[6] = 0xffff0ff0;
	v->own->dr[7] = 0x400;
}

int arch_vcpu_init(struct vcpu *v)
{
	v->xsave = hv_alloc_own(v->domain->id, arch_image_bytes());
	if (!v->xsave)
		return hv_error(PARVUS_ENOMEM);
	context_reset(v);
	return 0;
}

void arch_vcpu_free(struct vcpu *v)
{
	for (unsigned int i = 0; i < cpus_online; i++)
		if (pcpus[i]->fpu_owner == v)
			pcpus[i]->fpu_owner = NULL;
	hv_free(v->xsave, arch_image_bytes());
}

void arch_vcpu_reset(struct vcpu *v, u64 rip, u64 rsp)
{
	v->own->regs = (struct regs){ .rip = rip, .rsp = rsp, .rflags = RFLAGS_RUN,
				      .cs = SEL_USER_CS, .ss = SEL_USER_SS };
	v->own->kernel_mode = true;
	v->own->ds = v->own->es = v->own->fs = v->own->gs = 0;
	v->own->live_fs_base = v->own->live_gs_base = v->own->kernel_gs_base = 0;
	memset(v->own->tls, 0, sizeof(v->own->tls));
	context_reset(v);
}

static void fpu_save(struct vcpu *v)
{
	if (cpu_features.xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)" : : "r"(v->xsave), "a"(-1), "d"(-1) : "memory");
	else if (cpu_features.xsave)
		__asm__ volatile("xsave64 (%0)" : : "r"(v->xsave), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(v->xsave) : "memory");
}

static void fpu_load(struct vcpu *v)
{
	static const u32 anything;

	/* the last domain's FOP, FIP and FDP would stay: put our own there */
	if (cpu_features.fpu_leak)
		__asm__ volatile("fnclex; emms; fildl %0" : : "m"(anything));
	if (cpu_features.xsave)
		__asm__ volatile("xrstor64 (%0)" : : "r"(v->xsave), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(v->xsave) : "memory");
}

static void xcr0_want(struct pcpu *p, u64 value)
{
	if (cpu_features.xsave && p->xcr0 != value) {
		xcr0_set(value);
		p->xcr0 = value;
	}
}

u64 guest_gs_base(void)
{
	u64 v;

	if (!cpu_features.fsgsbase)
		return rdmsr(MSR_KERNEL_GS_BASE);
	__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(v) : : "memory");
	return v;
}

void guest_gs_base_set(u64 v)
{
	if (!cpu_features.fsgsbase)
		wrmsr(MSR_KERNEL_GS_BASE, v);
	else
		__asm__ volatile("swapgs; wrgsbase %0; swapgs" : : "r"(v) : "memory");
}

u64 guest_fs_base(void) { return cpu_features.fsgsbase ? rdfsbase() : rdmsr(MSR_FS_BASE); }

void guest_fs_base_set(u64 v)
{
	if (cpu_features.fsgsbase)
		wrfsbase(v);
	else
		wrmsr(MSR_FS_BASE, v);
}

/* Watching and breakpoints at once may end QEMU's TCG: there it is watching alone (rule 63). */
void debug_load(struct pcpu *p, const struct vcpu *v)
{
	u64 dr7 = v->own->dr[7], on[2] = { 0 };		/* of instructions, of accesses */

	for (unsigned int i = 0; i < 4; i++)
		on[(dr7 >> (16 + 4 * i) & 3) != 0] |= dr7 & 3ull << 2 * i;
	if (cpu_features.tcg && on[1])
		dr7 &= ~on[0];
	__asm__ volatile("mov %0, %%db0; mov %1, %%db1; mov %2, %%db2; mov %3, %%db3; mov %4, %%db7"
			 : : "r"(v->own->dr[0]), "r"(v->own->dr[1]), "r"(v->own->dr[2]),
			     "r"(v->own->dr[3]), "r"(dr7));
	p->debug_live = v->own->dr[7] != 0x400;
}

/* Of its CR4 the one bit that programs can see: their RDTSC faults (prctl(PR_SET_TSC)). */
void tsd_load(struct pcpu *p, const struct vcpu *v)
{
	u64 tsd = v->own->guest_cr4 & CR4_TSD;

	if (likely(p->tsd == tsd))
		return;
	p->tsd = tsd;
	cr4_load(tsd);
}

void arch_context_save(struct vcpu *v, const struct regs *regs)
{
	struct pcpu *p = this_pcpu();
	struct vcpu_own *o = v->own;

	o->regs = *regs;
	o->kernel_mode = p->kernel_mode;
	o->live_gs_base = guest_gs_base();
	o->live_fs_base = guest_fs_base();
	__asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
			 : "=m"(o->ds), "=m"(o->es), "=m"(o->fs), "=m"(o->gs));
	xcr0_want(p, cpu_features.xcr0);	/* all, whatever the guest enabled (rule 37) */
	fpu_save(v);
	arch_stats_fold(v);
	shadow_unload(v);
}

/* The guest may have changed the TLS entry of a selector in use: it is loaded as 0 then. */
#define SELECTOR_LOAD(sreg, value) \
	__asm__ volatile("1: mov %w0, %%" sreg "\n2:\n" \
			 ".pushsection .text.fixup, \"ax\"\n" \
			 "3: xor %k0, %k0\n mov %w0, %%" sreg "\n jmp 2b\n.popsection\n" \
			 ".pushsection .ex_table, \"a\"\n.quad 1b, 3b\n.popsection" \
			 : "+r"(value))

static void selectors_load(struct pcpu *p, const struct vcpu *v)
{
	u32 ds = v->own->ds, es = v->own->es, fs = v->own->fs, gs = v->own->gs;

	SELECTOR_LOAD("ds", ds);
	SELECTOR_LOAD("es", es);
	SELECTOR_LOAD("fs", fs);
	SELECTOR_LOAD("gs", gs);
	wrmsr(MSR_GS_BASE, (u64)p);	/* the selector load changed it */
}

/*
 * The stacks of this CPU forget the last domain (rule 84). A page says by its dirty bit that it was
 * used since; with PCID all go, for each PCID may have that bit in the TLB. The one that this runs
 * on is cleared on the way out, when it holds struct regs alone (exit_with_work). With hv_root.
 */
static void stacks_clear(struct pcpu *p)
{
	u64 *entry = p->area_entry - CPU_AREA_VCPU / PAGE_SIZE, *bare = p->way_in ?: entry, at;
	u64 area = cpu_area(p->cpu), in_use = (u64)__builtin_frame_address(0) - 256 - area;

	/* C's stack is pages 1 to 4, those of the IST have guards between them */
	BUILD_ASSERT(CPU_AREA_STACK == PAGE_SIZE && CPU_AREA_STACK_TOP <= 5 * PAGE_SIZE &&
		     CPU_AREA_IST(1) == 6 * PAGE_SIZE && CPU_AREA_IST(4) == 12 * PAGE_SIZE);
	for (unsigned int i = 1; i <= 12; i += i < 4 ? 1 : 2) {
		if (!((entry[i] | bare[i]) & (cpu_features.cr3_keep ? HV_P : HV_D)))
			continue;
		at = i * PAGE_SIZE;
		if (at < CPU_AREA_STACK_TOP && at + PAGE_SIZE > in_use)
			continue;
		memset((void *)(area + at), 0, PAGE_SIZE);
		entry[i] &= ~HV_D;
		bare[i] &= ~HV_D;
		invlpg(area + at);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(p->scratch); i++)
		WRITE_ONCE(p->scratch[i], 0);
	p->stack_old = true;
}

void arch_context_load(struct vcpu *v, struct regs *regs)
{
	struct pcpu *p = this_pcpu();
	struct vcpu_own *o = v->own;

	/* what one domain taught the CPU about branches, and left on it, is not the next one's */
	if (p->last_serial != v->domain->serial) {
		p->last_serial = v->domain->serial;
		if (cpu_features.ibpb)
			wrmsr(MSR_PRED_CMD, 1);
		stacks_clear(p);
	}
	*regs = o->regs;
	p->syscall_entry = v->domain->own->syscall_entry;
	p->kernel_gs_base = o->kernel_gs_base;
	p->kernel_mode = o->kernel_mode;
	desc_load_tls(p, o->tls);
	selectors_load(p, v);
	guest_gs_base_set(o->live_gs_base);
	guest_fs_base_set(o->live_fs_base);
	if (cpu_features.rdtscp)
		wrmsr(MSR_TSC_AUX, o->tsc_aux);
	if (p->fpu_owner != v || v->fpu_cpu != p->cpu) {
		xcr0_want(p, cpu_features.xcr0);
		fpu_load(v);
		p->fpu_owner = v;
		v->fpu_cpu = p->cpu;
	}
	xcr0_want(p, o->xcr0);
	if (p->debug_live || o->dr[7] != 0x400)
		debug_load(p, v);
	tsd_load(p, v);
	shadow_load(v);
	if (!p->kernel_mode)
		set_mode(p, USER_MODE);
	exit_slow_update(p, v);
}

void idle_forever(void)
{
	struct pcpu *p = this_pcpu();

	p->current = NULL;
	pcpu_add_work(p, WORK_RESCHED);
	enter_first((struct regs *)p->stack_top - 1);
}

void arch_stats_fold(struct vcpu *v)
{
	struct pcpu *p = this_pcpu();

	v->stats.crossings += p->n_crossings;
	v->stats.syscalls += p->n_syscalls;
	v->stats.user_returns += p->n_user_returns;
	v->stats.kernel_returns += p->n_kernel_returns;
	v->stats.root_switches += p->n_root_switches + p->n_syscalls + p->n_user_returns;
	p->n_crossings = p->n_syscalls = p->n_user_returns = 0;
	p->n_kernel_returns = p->n_root_switches = 0;
}

#define SAME_PLACE(reg) \
	BUILD_ASSERT(offsetof(struct parvus_control_regs, reg) == \
		     offsetof(struct regs, reg) + offsetof(struct parvus_control_regs, r15))
SAME_PLACE(rbx);
SAME_PLACE(r11);
SAME_PLACE(rax);
SAME_PLACE(rdi);

void arch_vcpu_regs(const struct vcpu *v, struct parvus_control_regs *a)
{
	const struct regs *r = &v->own->regs;

	if (!r->cs)	/* never reset */
		return;
	a->started = 1;
	a->kernel_mode = v->own->kernel_mode;
	memcpy(&a->r15, r, offsetof(struct regs, vector));	/* SAME_PLACE */
	a->rip = r->rip;
	a->cs = v->own->kernel_mode ? VSEL_KERNEL_CS : r->cs;
	a->rflags = (r->rflags & ~(u64)RFLAGS_IF) |
		    (!v->own->kernel_mode || v->area->irq_enabled ? RFLAGS_IF : 0);
	a->rsp = r->rsp;
	a->ss = v->own->kernel_mode ? VSEL_KERNEL_SS : r->ss;
	a->fs_base = v->own->live_fs_base;
	a->gs_base = v->own->live_gs_base;
	a->kernel_gs_base = v->own->kernel_mode ? v->area->user_gs_base : v->own->kernel_gs_base;
	a->cr2 = v->area->cr2;
	a->cr3 = gfn_x(v->own->shadow.root) << PAGE_SHIFT;
}

/* ---- the context ---- */

/* Of a selector as it is loaded in ring 0, where RPL counts for nothing. */
static u16 data_selector(u16 sel) { return sel > 3 ? sel | 3 : sel; }

/* Null, or a segment of DPL 3: one of ring 0 would be loaded, and stay (rule 125). */
static bool data_selector_valid(u16 sel)
{
	u16 entry = sel >> 3;

	return sel <= 3 || ((sel & 7) == 3 && ((entry >= GDT_USER_CS32 && entry <= GDT_USER_CS) ||
					       (entry >= GDT_TLS && entry <= GDT_CPUNODE)));
}

BUILD_ASSERT(offsetof(struct parvus_context_vcpu, rip) -
	     offsetof(struct parvus_context_vcpu, r15) == offsetof(struct regs, vector));

/* What a record has as struct vcpu_own has it. */
static const struct { u16 ours, theirs, bytes; } same[] = {
#define SAME(own, record) { offsetof(struct vcpu_own, own), \
			    offsetof(struct parvus_context_vcpu, record), \
			    sizeof(((struct vcpu_own *)0)->own) }
	{ offsetof(struct vcpu_own, regs), offsetof(struct parvus_context_vcpu, r15),
	  offsetof(struct regs, vector) },
	SAME(regs.rip, rip), SAME(regs.rflags, rflags), SAME(regs.rsp, rsp),
	SAME(live_fs_base, fs_base), SAME(live_gs_base, gs_base),
	SAME(kernel_gs_base, kernel_gs_base), SAME(dr[0], dr[0]), SAME(dr[1], dr[1]),
	SAME(dr[2], dr[2]), SAME(dr[3], dr[3]), SAME(tls, tls), SAME(xcr0, xcr0),
	SAME(tsc_aux, tsc_aux), SAME(guest_cr4, cr4), SAME(cpuid_faults, cpuid_faults),
	SAME(ds, ds), SAME(es, es), SAME(fs, fs), SAME(gs, gs),
};

void arch_context_get(const struct vcpu *v, struct parvus_context_vcpu *r)
{
	const struct vcpu_own *o = v->own;

	if (!o->regs.cs)	/* never reset */
		return;
	for (u32 i = 0; i < ARRAY_SIZE(same); i++)
		memcpy((char *)r + same[i].theirs, (const char *)o + same[i].ours, same[i].bytes);
	r->flags = PARVUS_CONTEXT_STARTED | (o->kernel_mode ? PARVUS_CONTEXT_KERNEL : 0);
	r->rflags = (r->rflags & RFLAGS_GUEST) | RFLAGS_RUN;
	r->cs = o->kernel_mode ? VSEL_KERNEL_CS : o->regs.cs;
	r->ss = o->kernel_mode ? VSEL_KERNEL_SS : o->regs.ss;
	r->dr6 = o->dr[6];
	r->dr7 = o->dr[7];
	r->ds = data_selector(r->ds);
	r->es = data_selector(r->es);
	r->fs = data_selector(r->fs);
	r->gs = data_selector(r->gs);
}

/* Each of these would fault in ring 0 when it is loaded, or give the guest a right (rule 124). */
bool arch_context_valid(const struct vcpu *v, const struct parvus_context_vcpu *r)
{
	bool ok = canonical(r->rip) && canonical(r->fs_base) && canonical(r->gs_base) &&
		  canonical(r->kernel_gs_base) && (r->rflags & ~(u64)RFLAGS_GUEST) == RFLAGS_RUN &&
		  xcr0_valid(r->xcr0, guest_xcr0(v->domain) | 3) && !(r->tsc_aux >> 32) &&
		  (cpu_features.rdtscp || !r->tsc_aux) && (!r->cr4 || cr4_valid(r->cr4)) &&
		  r->cpuid_faults <= cpu_features.cpuid_faults && debug_valid(7, r->dr7) &&
		  data_selector_valid(r->ds) && data_selector_valid(r->es) &&
		  data_selector_valid(r->fs) && data_selector_valid(r->gs);

	for (u32 i = 0; i < 4; i++)
		ok = ok && debug_valid(i, r->dr[i]) && desc_tls_valid(i, r->tls[i]);
	if (r->flags & PARVUS_CONTEXT_KERNEL)
		return ok && r->cs == VSEL_KERNEL_CS && r->ss == VSEL_KERNEL_SS;
	return ok && (r->cs == SEL_USER_CS || (r->cs == SEL_USER_CS32 && !(r->rip >> 32))) &&
	       user_ss(r->tls, r->ss);
}

void arch_context_set(struct vcpu *v, const struct parvus_context_vcpu *r)
{
	struct vcpu_own *o = v->own;

	o->kernel_mode = r->flags & PARVUS_CONTEXT_KERNEL;
	for (u32 i = 0; i < ARRAY_SIZE(same); i++)
		memcpy((char *)o + same[i].ours, (const char *)r + same[i].theirs, same[i].bytes);
	o->regs.vector = o->regs.error = 0;
	o->regs.cs = o->kernel_mode ? SEL_USER_CS : r->cs;
	o->regs.ss = o->kernel_mode ? SEL_USER_SS : r->ss;
	debug_set(v, 6, r->dr6);
	debug_set(v, 7, r->dr7);
}

u32 arch_image_bytes(void) { return max(cpu_features.xsave_size, 512u); }

/* Into a page that nobody looks at before it is written: FXSAVE says which bits there are. */
static u32 mxcsr_mask(void *page)
{
	u32 *mask = (u32 *)page + 7;

	__asm__ volatile("fxsave64 (%0)" : : "r"(page) : "memory");
	return *mask ?: 0xffbf;		/* Intel SDM vol. 1, 11.6.6 */
}

/* XRSTOR's own demands of an image in the standard form (Intel SDM vol. 1, 13.8). */
bool arch_image_set(struct vcpu *v, const void *image)
{
	const u64 *header = (const u64 *)image + 64;
	u32 mask = mxcsr_mask(v->xsave);
	bool ok = !(((const u32 *)image)[6] & ~mask) &&
		  (!cpu_features.xsave || (!(header[0] & ~cpu_features.xcr0) &&
					   all_zero(header + 1, 7)));

	if (ok)
		memcpy(v->xsave, image, arch_image_bytes());
	else
		fpu_reset(v);	/* FXSAVE has left what is the caller's */
	return ok;
}

void arch_host_get(const struct domain *d, struct parvus_context_host *h)
{
	u32 a, b, c, unused;
	void *page = hv_alloc(PAGE_SIZE);

	*h = (struct parvus_context_host){
		.size = sizeof(*h), .version = 1, .features = { features_word0(d) },
		.xcr0 = cpu_features.xcr0, .xsave_size = arch_image_bytes(),
		.tsc_khz = arch_clock().tsc_khz, .mxcsr_mask = page ? mxcsr_mask(page) : 0 };
	hv_free(page, PAGE_SIZE);
	for (u32 i = 2; cpu_features.xsave && i < ARRAY_SIZE(h->xsave_offset); i++)
		if (cpu_features.xcr0 >> i & 1) {
			cpuid_count(0xd, i, &a, &b, &c, &unused);
			h->xsave_offset[i] = b;
		}
}

bool arch_host_valid(const struct domain *d, const struct parvus_context_host *h)
{
	struct parvus_context_host ours;

	arch_host_get(d, &ours);
	return h->size == sizeof(*h) && h->version == 1 && !(h->features[0] & ~ours.features[0]) &&
	       all_zero(h->features + 1, 3) && all_zero(h->reserved, ARRAY_SIZE(h->reserved)) &&
	       h->xcr0 == ours.xcr0 && h->xsave_size == ours.xsave_size &&
	       !(h->mxcsr_mask & ~ours.mxcsr_mask) &&
	       !memcmp(h->xsave_offset, ours.xsave_offset, sizeof(ours.xsave_offset));
}
