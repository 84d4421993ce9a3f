// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions and interrupts, after entry.S. Those of a guest are served by the software TLB or the
 * emulator, or reflected; those of ring 0 by the exception table, or they are our bug.
 */
#include <x86/pv.h>
#include <core/memory.h>
#include <core/trace.h>

#define RETRY_LIMIT	64u

extern const struct { u64 at, fixup; } ex_table_start[], ex_table_end[];

void trap_from_guest(struct regs *regs, u64 va);
void trap_from_hypervisor(struct regs *regs, u64 va);
void trap_from_nowhere(struct regs *regs);
void trap_ist(struct regs *regs);

/*
 * Of this CPU, whoever it interrupted, which may hold any lock (arch_breathe): none is taken. It
 * only leaves a note: the work is done on the way out to a guest (exit_work), or by the idle loop.
 */
static void interrupt(struct pcpu *p, u64 vector)
{
	if (vector < HV_VECTOR_TIMER) {
		irq_note(p, vector);
		return;
	}
	if (vector != HV_VECTOR_SPURIOUS)
		apic_eoi();
	if (vector == HV_VECTOR_TIMER) {
		pcpu_add_work(p, WORK_TIMER);
		apic_timer_fired(p);
	} else if (vector == HV_VECTOR_CONSOLE) {
		p->console_due = true;
		cpu_work_add(&p->common, WORK_ARCH);
	}
	/* a kick says nothing by itself: the work bits do */
}

#define NUMBERED_ALIKE(r, outcome) BUILD_ASSERT((u32)SHADOW_##r == PARVUS_OUTCOME_##outcome)
NUMBERED_ALIKE(DONE, FILLED); NUMBERED_ALIKE(WAIT, WAITS);
NUMBERED_ALIKE(GUEST_FAULT, GUEST); NUMBERED_ALIKE(KILLED, KILLED);

/*
 * @va is CR2 as entry.S read it: any touch of memory may be a fault of ours (view.c). The
 * work of other CPUs is served before the shadow is looked at, for it may be about this page.
 */
static void page_fault(struct pcpu *p, struct vcpu *v, struct regs *regs, u64 va)
{
	u32 error = (u32)regs->error, access = error & (PF_WRITE | PF_FETCH), guest_error;
	enum shadow_result r;

	v->stats.page_faults++;
	trace(PARVUS_TRACE_FAULT, v, va, error);
	if (unlikely(p->work & WORK_SERVE))
		shadow_serve();
	if (BENCH(store(v, regs, va, error)))
		return;
	r = shadow_fault(v, va, access, !p->kernel_mode, regs->rip, &guest_error);
	trace(PARVUS_TRACE_OUTCOME, v, va, r);	/* numbered alike */
	if (r == SHADOW_GUEST_FAULT)
		guest_page_fault(v, regs, va, guest_error);
	else if (r == SHADOW_WAIT)
		domain_wait_memory(v->domain);
	else	/* it may have taken an extent, and given it back when another was faster */
		domain_memory_free();
}

/* DR6 is sticky and ours; the guest's has what concerns it: B0..B3, BD, BS, BT. */
static void debug_exception(struct vcpu *v, struct regs *regs)
{
	u64 dr6;

	__asm__ volatile("mov %%db6, %0; mov %1, %%db6" : "=&r"(dr6) : "r"(0xffff0ff0ull));
	v->own->dr[6] |= dr6 & 0xe00f;
	guest_exception(v, regs, 1, 0);
}

/* From entry.S: all that interrupts a guest. What is not served goes to its handler as it is. */
void trap_from_guest(struct regs *regs, u64 va)
{
	struct pcpu *p = this_pcpu();
	struct vcpu *v = p->current;
	u64 vector = regs->vector;
	u32 error = (u32)regs->error;

	if (likely(vector == 14)) {
		page_fault(p, v, regs, va);
		return;
	}
	if (vector >= 32 && vector != 0x80) {
		interrupt(p, vector);
		return;
	}
	switch (vector) {
	case 1:
		debug_exception(v, regs);
		return;
	case 3:
	case 4:
	case 0x80:
		if (p->kernel_mode || v->domain->own->traps[vector].dpl == 3) {
			guest_exception(v, regs, (u8)vector, 0);
		} else {
			/* back to the instruction: CC is one byte, CD n two */
			u8 before = 0;

			guest_va_read(v, regs->rip - 1, &before, 1);
			regs->rip -= before == 0xcc ? 1 : 2;
			guest_exception(v, regs, 13, (u32)vector << 3 | 2);
		}
		return;
	case 18:
		mcheck_from_guest(v, regs);
		return;
	case 13:
		/*
		 * INT n that the hardware's table refuses: the guest's table decides (rule 33).
		 * n from the instruction: QEMU 7.2 has n * 16 + 2 in the error code, not n * 8 + 2.
		 */
		if ((error & 7) == 2) {
			u8 insn[2] = { 0 }, n = (u8)(error >> 3);

			if (guest_va_read(v, regs->rip, insn, sizeof(insn)) && insn[0] == 0xcd)
				n = insn[1];
			error = (u32)n << 3 | 2;
			if (v->domain->own->traps[n].address && n >= 32 &&
			    (p->kernel_mode || v->domain->own->traps[n].dpl == 3)) {
				regs->rip += 2;
				guest_exception(v, regs, n, 0);
				return;
			}
		} else if ((p->kernel_mode || cpu_features.cpuid_faults) && emulate(v, regs)) {
			return;
		}
		break;
	}
	guest_exception(v, regs, (u8)vector, error);
}

/* A few dozen entries, and a fault that is served has more to do than this. */
static u64 fixup_of(u64 rip)
{
	for (const __typeof__(ex_table_start[0]) *e = ex_table_start; e < ex_table_end; e++)
		if (e->at == rip)
			return e->fixup;
	return 0;
}

/*
 * An access of ring 0 to guest memory is retried as often as its fault could be served, but not
 * for ever: a sibling may take away each time what was served (rule 64). Counted for one rip
 * within one entry from the guest, whatever the generation does.
 */
static bool may_retry(struct pcpu *p, u64 rip)
{
	if (p->retry_rip != rip || p->retry_crossing != p->n_crossings) {
		p->retry_rip = rip;
		p->retry_crossing = p->n_crossings;
		p->retries = 0;
	}
	return ++p->retries <= RETRY_LIMIT;
}

/*
 * Ring 0: the idle loop's interrupts, faults of listed instructions, or our own bug. A listed
 * one is done again if the software TLB had the entry, else its fix-up is the way on. While
 * this fills, the CPU is not exposed: another CPU that takes the page away does not wait.
 */
void trap_from_hypervisor(struct regs *regs, u64 va)
{
	struct pcpu *p = this_pcpu();
	u64 fixup, *root;
	u32 error;

	if (regs->vector >= 32) {
		interrupt(p, regs->vector);
		return;
	}
	if (regs->vector == 14 && !(regs->error & PF_PRESENT) && view_fault(p, va))
		return;
	root = root_loaded(&p->roots);
	fixup = fixup_of(regs->rip);
	if (!fixup)
		panic_regs(regs, "exception %lu in the hypervisor, error %lx, cr2 %lx",
			   regs->vector, regs->error, va);
	if (regs->vector == 14 && p->current && p->exposed) {
		/* a guest stack without a shadow entry: as if the guest kernel touched it */
		WRITE_ONCE(p->exposed, 0);
		p->current->stats.page_faults++;
		error = ((u32)regs->error & PF_WRITE) | PF_RESERVE;
		if (shadow_fault(p->current, va, error, false, regs->rip, &error) == SHADOW_DONE &&
		    may_retry(p, regs->rip))
			fixup = regs->rip;
		__atomic_exchange_n(&p->exposed, 1, SEQ_CST);
		if (READ_ONCE(p->work) & WORK_SERVE)
			shadow_serve();
		view_root_is(p, root);
	}
	p->refused = regs->error;
	if (fixup != regs->rip)
		regs->rflags &= ~(u64)RFLAGS_AC;	/* guest memory is closed again */
	regs->rip = fixup;
}

/*
 * From entry.S: code below the hypervisor that says it is ring 0. No hardware lets a guest do
 * that; under QEMU's TCG its programs can (vm86), and get the fault that the hardware gives.
 */
void trap_from_nowhere(struct regs *regs)
{
	struct pcpu *p = this_pcpu();
	u64 vector = regs->vector;

	if (!p->current || (u64)regs != p->frame)
		panic_regs(regs, "exception %lu at an address of nobody", vector);
	WRITE_ONCE(p->exposed, 0);
	regs->rflags = (regs->rflags & RFLAGS_GUEST) | RFLAGS_RUN;
	regs->cs = SEL_USER_CS32;
	regs->ss = SEL_USER_SS;
	regs->rip = (u32)regs->rip;
	if (vector >= 32)
		interrupt(p, vector);
	guest_exception(p->current, regs, 13, 0);
}

/* A double fault whose address is a guard page is the end of a stack: say so. */
static void stack_overflow(const struct regs *regs, u64 va)
{
	u64 at = va - CPU_AREA_BASE;

	if (at >= (u64)MAX_CPUS * CPU_AREA_SIZE || at % CPU_AREA_SIZE >= CPU_AREA_END)
		return;
	panic_regs(regs, "stack overflow of CPU %lu at %lx", at / CPU_AREA_SIZE, va);
}

/* Of the machine, or its watchdog: logged on the way out, the 1st, 2nd, 4th... */
static void nmi_note(struct pcpu *p)
{
	p->nmi_reason = inb(0x61);
	p->nmis++;
	if (p->nmis & (p->nmis - 1))
		return;
	p->nmi_due = true;
	cpu_work_add(&p->common, WORK_ARCH);
	apic_kick_self();
}

/*
 * NMI, double fault, machine check, and a debug exception of ring 0; see entry.S. It may have
 * interrupted anything, a lock that is held included: nothing here takes one, and a panic does not
 * wait.
 */
void trap_ist(struct regs *regs)
{
	switch (regs->vector) {
	case 1:
		/* MOV SS before SYSCALL or INT moved the guest's trap here: dropped (rule 32) */
		if (regs->rip != (u64)trap_stubs + 16)	/* TCG's second: the first needs DR6 */
			__asm__ volatile("mov %0, %%db6" : : "r"(0xffff0ff0ull));
		return;
	case 2:
		if (panicking())
			arch_stop();
		nmi_note(this_pcpu());
		return;
	case 8:
		stack_overflow(regs, read_cr2());
		break;
	case 18:
		mcheck_from_hypervisor(this_pcpu(), regs);
		return;
	}
	panic_regs(regs, "exception %lu, error %lx, cr2 %lx", regs->vector, regs->error,
		   read_cr2());
}
