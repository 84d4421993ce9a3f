// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machine checks (Intel SDM vol. 3, chapter 16). The hardware names a frame whose contents are
 * lost: the domain that owns it ends, with the reason; the others go on. What hits the hypervisor
 * itself, or names nobody, or has destroyed the processor's state, is a panic with a record.
 *
 * One that arrives in ring 0 may hold any lock, so it only notes the addresses there, and the way
 * out (exit_work) ends the domains. One from a guest comes on the CPU's ordinary stack.
 */
#include <x86/pv.h>

enum { MSR_MCG_CAP = 0x179, MSR_MCG_STATUS, MSR_MCG_CTL };
#define MSR_MC_CTL(n)		(0x400u + 4 * (n))
#define MSR_MC_STATUS(n)	(0x401u + 4 * (n))
#define MSR_MC_ADDR(n)		(0x402u + 4 * (n))

#define MCG_CTL_P	(1ull << 8)
#define MCG_RIPV	1ull
#define MC_VALID	(1ull << 63)
#define MC_UNCORRECTED	(1ull << 61)
#define MC_ADDR_VALID	(1ull << 58)
#define MC_CORRUPT	(1ull << 57)

void mcheck_init(void)
{
	/* Bochs has CPUID's bit and none of the registers: then there are no banks */
	u32 cap = cpu_features.mca ? rdmsr_or_0(MSR_MCG_CAP) : 0;

	cpu_features.mca = cap;
	if (cap & MCG_CTL_P)
		wrmsr(MSR_MCG_CTL, ~0ull);
	for (u32 n = 0; n < (cap & 0xff); n++) {
		wrmsr(MSR_MC_CTL(n), ~0ull);
		wrmsr(MSR_MC_STATUS(n), 0);	/* what was before us is nobody's of ours */
	}
}

/* Note the lost frames, + 1, and clear the banks; no lock. Can what was interrupted go on? */
static bool banks_read(struct pcpu *p, const struct regs *regs)
{
	u64 status, banks = cpu_features.mca ? rdmsr(MSR_MCG_CAP) & 0xff : 0;
	bool resumable = cpu_features.mca && (rdmsr(MSR_MCG_STATUS) & MCG_RIPV);
	u32 n, i;

	for (n = 0; n < banks; n++) {
		status = rdmsr(MSR_MC_STATUS(n));
		if (!(status & MC_VALID))
			continue;
		if ((status & MC_CORRUPT) ||
		    ((status & MC_UNCORRECTED) && !(status & MC_ADDR_VALID)))
			panic_regs(regs, "machine check in bank %u, status %lx", n, status);
		if (status & MC_UNCORRECTED) {
			for (i = 0; i < ARRAY_SIZE(p->check_addr) && p->check_addr[i]; i++)
				;
			if (i == ARRAY_SIZE(p->check_addr))
				panic_regs(regs, "machine check: too many at once");
			p->check_addr[i] = rdmsr(MSR_MC_ADDR(n)) + 1;
		}
		wrmsr(MSR_MC_STATUS(n), 0);
	}
	if (cpu_features.mca)
		wrmsr(MSR_MCG_STATUS, 0);
	return resumable;
}

/* End the domain whose frame it is. */
static void frame_lost(u64 pa)
{
	const struct frame_info *f = frame_info(_mfn(pa >> PAGE_SHIFT));
	char why[MAX_KILL_REASON];
	struct domain *d;

	if (f && (f->type == FRAME_HYPERVISOR || f->type == FRAME_SHADOW))
		panic("machine check: lost the hypervisor's memory at %lx", pa);
	d = f && f->type == FRAME_GUEST ? domain_get(f->owner) : NULL;
	if (!d) {
		log_warn("machine check: lost memory at %lx, which nobody uses", pa);
		return;
	}
	hv_snprintf(why, sizeof(why), "machine check: its memory at %lx is lost", pa);
	domain_kill_other(d, why);
	domain_put(d);
}

/* One more may come meanwhile, and take any place that is free. */
static void frames_lost(struct pcpu *p)
{
	for (u32 i = 0; i < ARRAY_SIZE(p->check_addr); i++)
		if (READ_ONCE(p->check_addr[i]))
			frame_lost(atomic_xchg_u64(&p->check_addr[i], 0) - 1);
}

void mcheck_from_guest(struct vcpu *v, struct regs *regs)
{
	struct pcpu *p = this_pcpu();
	bool resumable = banks_read(p, regs);

	frames_lost(p);
	if (!resumable)
		domain_kill(v->domain, "machine check at rip %lx", regs->rip);
}

void mcheck_from_hypervisor(struct pcpu *p, struct regs *regs)
{
	if (!banks_read(p, regs))
		panic_regs(regs, "machine check in the hypervisor");
	cpu_work_add(&p->common, WORK_ARCH);
}

/* What interrupted left a note, and so did whoever took an event page out of all views. */
void arch_work(u32 work)
{
	struct pcpu *p = this_pcpu();

	if (p->check_addr[0])	/* it is taken before the others */
		frames_lost(p);
	if (p->nmi_due) {
		p->nmi_due = false;
		log_info("nmi: %u so far, port 61 says %02x%s%s", p->nmis, p->nmi_reason,
			 p->nmi_reason & 0x80 ? ", memory or SERR" : "",
			 p->nmi_reason & 0x40 ? ", I/O check" : "");
	}
	if (p->console_due) {
		p->console_due = false;
		console_input();
	}
	irq_serve(p);
	view_settle(p);
	if (work & WORK_FORGET)
		arch_tlb_forget();
}
