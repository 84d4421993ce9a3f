// SPDX-License-Identifier: GPL-2.0-only
/* A vCPU's calls about its registers. What is shown and allowed is emulate.c's, as by a trap. */
#include <x86/pv.h>
#include <core/context.h>
#include <core/memory.h>
#include <core/handlers.h>

s64 hc_callbacks_set(struct vcpu *v, u64 gpa)
{
	struct parvus_callbacks c;
	struct domain *d = v->domain;

	if (guest_read(d, gpa, &c, sizeof(c)))
		return hv_error(PARVUS_EFAULT);
	if (c.size != sizeof(c) || c.version != 1 || c.crit_start || c.crit_end || c.crit_resume ||
	    c.reserved[0] || c.reserved[1] || !canonical(c.syscall_entry) || !canonical(c.df_stack))
		return hv_error(PARVUS_EINVAL);
	WRITE_ONCE(d->own->df_stack, c.df_stack);
	WRITE_ONCE(d->own->syscall_entry, c.syscall_entry);
	this_pcpu()->syscall_entry = c.syscall_entry;
	return 0;
}

bool arch_trap_valid(const struct parvus_trap *t)
{
	return (t->dpl == 0 || t->dpl == 3) && !(t->flags & ~PARVUS_TRAP_KEEP_IF) &&
	       !(t->reserved0[0] | t->reserved0[1] | t->reserved0[2] | t->reserved0[3] |
		 t->reserved0[4]) && canonical(t->address);
}

void arch_trap_set(struct domain *d, const struct parvus_trap *t)
{
	d->own->traps[t->vector].dpl = t->dpl;
	d->own->traps[t->vector].flags = t->flags;
	WRITE_ONCE(d->own->traps[t->vector].address, t->address);
	if (t->vector == PARVUS_VECTOR_EVENT)
		WRITE_ONCE(d->takes_events, t->address);
}

s64 hc_traps_set(struct vcpu *v, u64 gpa, u64 count)
{
	struct parvus_trap some[8];	/* a copy of several costs hardly more than one of one */
	struct domain *d = v->domain;
	const struct parvus_trap *t;
	u64 i, n = ARRAY_SIZE(some);

	if (count > PARVUS_TRAPS)
		return hv_error(PARVUS_E2BIG);
	for (i = 0; i < count; i++) {
		if (!(i % n) &&
		    guest_read(d, gpa + i * sizeof(*t), some, min(n, count - i) * sizeof(*t)))
			return hv_error(PARVUS_EFAULT);
		t = &some[i % n];
		if (!arch_trap_valid(t))
			return hv_error(PARVUS_EINVAL);
		arch_trap_set(d, t);
	}
	return 0;
}

/* ---- segments ---- */

static u64 descriptor_base(u64 d) { return (d >> 16 & 0xffffff) | (d >> 56) << 24; }

/* User GS by selector: what MOV to GS would do in user mode, without touching the kernel's base. */
static int user_selector_set(struct vcpu *v, u64 sel)
{
	u64 base = 0, live, d, entry = sel >> 3;

	/* any RPL will do for a descriptor of DPL 3, and these are all that are in the table */
	if (sel > 3 && (sel & 4 || entry < GDT_USER_CS32 || entry > GDT_USER_CS)) {
		entry -= GDT_TLS;
		d = v->own->tls[entry & index_mask(entry, PARVUS_TLS_ENTRIES)];
		if (sel & 4 || entry >= PARVUS_TLS_ENTRIES || !d)
			return hv_error(PARVUS_EINVAL);
		base = descriptor_base(d);
	}
	live = guest_gs_base();		/* MOV to GS changes GS base, which is ours here */
	__asm__ volatile("mov %w0, %%gs" : : "r"((u32)sel));
	wrmsr(MSR_GS_BASE, (u64)pcpus[v->sched.cpu]);	/* this_pcpu() reads GS */
	guest_gs_base_set(live);
	v->area->user_gs_base = base;
	return 0;
}

s64 hc_base_set(struct vcpu *v, u64 which, u64 value)
{
	return which == PARVUS_SEL_GS_USER ? user_selector_set(v, value) :
					     base_set(v, which, PARVUS_BASE_FS, value);
}

/* ---- MSRs, CPUID, debug registers ---- */

s64 hc_msr_read(struct vcpu *v, u64 msr)
{
	u64 value = 0;
	int ret = msr > 0xffffffff ? -PARVUS_EINVAL : guest_msr_read(v, (u32)msr, &value);

	if (!ret)
		v->area->ret[0] = value;
	return ret;
}

s64 hc_msr_write(struct vcpu *v, u64 msr, u64 value)
{
	return msr > 0xffffffff ? hv_error(PARVUS_EINVAL) : guest_msr_write(v, (u32)msr, value);
}

s64 hc_cpuid(struct vcpu *v, u64 leaf, u64 subleaf)
{
	u32 out[4];

	if (leaf > 0xffffffff || subleaf > 0xffffffff)
		return hv_error(PARVUS_EINVAL);
	guest_cpuid(v, (u32)leaf, (u32)subleaf, out);
	for (unsigned int i = 0; i < 4; i++)
		v->area->ret[i] = out[i];
	return 0;
}

s64 hc_debugreg_get(struct vcpu *v, u64 index)
{
	if (index > 7 || index == 4 || index == 5)
		return hv_error(PARVUS_EINVAL);
	v->area->ret[0] = v->own->dr[index];
	return 0;
}

s64 hc_pred_barrier(UNUSED struct vcpu *v)
{
	if (cpu_features.ibpb)
		wrmsr(MSR_PRED_CMD, 1);
	return 0;
}
