// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual privilege: entering the guest kernel with the hardware's own frame, and the C side of
 * leaving it. See pv-abi parvus/vcpu.h for what the guest sees.
 *
 * Kernel and user of a guest are CPL 3. Which of them runs is pcpu.kernel_mode, which goes together
 * with CR3 and the GS base: enter_kernel() and leave_kernel() here, the bounce and the returns in
 * entry.S, and arch_context_load() are all that change them.
 */
#include <x86/pv.h>
#include <x86/measures.h>
#include <core/handlers.h>
#include <core/memory.h>
#include <core/trace.h>

/* May guest memory lie there? Not in the hypervisor's hole, and canonical at both ends. */
static bool guest_range(u64 va, size_t len)
{
	u64 last = va + len - 1;

	if (likely(va >= PARVUS_HOLE_END && last >= va))
		return true;
	return last >= va && canonical(va) && canonical(last) &&
	       (last < PARVUS_HOLE_START || va >= PARVUS_HOLE_END);
}

static NOINLINE KEEPS_REGISTERS void expose_late(struct pcpu *p)
{
	if (READ_ONCE(p->work) & WORK_ARCH)
		view_root_is(p, mode_root(p));
	shadow_serve();
}

/*
 * For an access by guest address, which uses the translations of this pCPU (core/arch.h). hv_root,
 * which has no guest memory, is loaded only while WORK_ARCH is due (view_fault). WORK_FORGET has
 * time until it is over: whoever asked for that waits so long (core/page_hide()).
 */
static inline void expose(struct pcpu *p)
{
	__atomic_exchange_n(&p->exposed, 1, SEQ_CST);
	if (unlikely(READ_ONCE(p->work) & (WORK_SERVE | WORK_ARCH)))
		expose_late(p);
}

/*
 * By the kernel root, whatever mode the guest is in: a fault is served as the guest kernel's, and
 * what it gets may not be seen in the user root at all (rule 64).
 */
static bool copy_exposed(void *to, const void *from, size_t len)
{
	struct pcpu *p = this_pcpu();
	bool user = !p->kernel_mode;
	size_t left;

	if (user)
		set_mode(p, KERNEL_MODE);
	expose(p);
	left = guest_copy(to, from, len);
	WRITE_ONCE(p->exposed, 0);
	if (user)
		set_mode(p, USER_MODE);
	return !left;
}

/*
 * Store a word at a guest address, or go to @failed. The caller is exposed. A fault that the
 * software TLB can serve is served, and the store done again; so @value must not change.
 */
#define GUEST_PUT(at, value, failed) \
	__asm__ goto("1: mov %1, %0\n .pushsection .ex_table, \"a\"\n .quad 1b, %l2\n .popsection" \
		     : : "m"(*(u64 *)(at)), "r"(value) : "memory" : failed)

/* Guest memory by guest address is open to ring 0, or not (SMAP). */
#define GUEST_ACCESS(insn) \
	__asm__ volatile("1: " insn "\n2:\n .pushsection .measures, \"a\"\n .quad 1b\n" \
			 " .long 2b - 1b, %c0\n .popsection" : : "i"(MEASURE_SMAP) : "memory")

bool guest_va_write(UNUSED struct vcpu *v, u64 va, const void *buf, size_t len)
{
	return guest_range(va, len) && copy_exposed((void *)va, buf, len);
}

bool guest_va_read(UNUSED struct vcpu *v, u64 va, void *buf, size_t len)
{
	return guest_range(va, len) && copy_exposed(buf, (const void *)va, len);
}

/* When a reason comes or goes, on this CPU: a vector that waits, a page fault to be prefilled. */
bool exit_slow_update(struct pcpu *p, struct vcpu *v)
{
	bool pending = vcpu_has_pending(v);

	p->exit_slow = pending || !p->fast ? EXIT_SLOW :
		       v->own->shadow.prefill_as ? EXIT_PREFILL : 0;
	return pending;
}

/* From entry.S: fill what the guest's handler has just made present. It may free shadow pages. */
void prefill_before_return(void);
void prefill_before_return(void)
{
	struct pcpu *p = this_pcpu();

	shadow_prefill(p->current);
	p->exit_slow = 0;
	domain_memory_free();
}

/* From user mode: the user's GS base goes to the area, where its kernel looks for it. */
static void enter_kernel(struct pcpu *p)
{
	if (p->kernel_mode)
		return;
	p->area->user_gs_base = guest_gs_base();
	guest_gs_base_set(p->kernel_gs_base);
	set_mode(p, KERNEL_MODE);
}

/*
 * 0 or 1 word of error code, then rip cs rflags rsp ss, as the hardware pushes them, below
 * @stack; rsp is left at the last. @user: the frame is of user mode. CR3 is the kernel root.
 * The selectors of a user frame are arguments: what the guest named and the hardware refuses is
 * shown to the guest's handler, and never stands in @regs, by which this pCPU may leave (rule 62).
 * The IF of the frame is the virtual one: it is what iret gives back, while the hardware's is
 * always set. False: the stack cannot be written, and nothing has changed but its memory.
 */
static ALWAYS_INLINE bool push_frame(struct regs *regs, u64 stack, bool user, u64 cs, u64 ss,
				     bool has_error, u64 error)
{
	struct pcpu *p = this_pcpu();
	u64 vif = user || READ_ONCE(p->area->irq_enabled) ? RFLAGS_IF : 0, *end = (u64 *)stack;

	if (!guest_range((u64)(end - 5 - has_error), (5 + has_error) * sizeof(u64)))
		return false;
	expose(p);
	GUEST_ACCESS("stac");
	GUEST_PUT(end - 1, user ? ss : VSEL_KERNEL_SS, failed);
	GUEST_PUT(end - 2, regs->rsp, failed);
	GUEST_PUT(end - 3, (regs->rflags & ~(u64)RFLAGS_IF) | vif, failed);
	GUEST_PUT(end - 4, user ? cs : VSEL_KERNEL_CS, failed);
	GUEST_PUT(end - 5, regs->rip, failed);
	if (has_error)
		GUEST_PUT(end - 6, error, failed);
	GUEST_ACCESS("clac");
	WRITE_ONCE(p->exposed, 0);
	regs->rsp = (u64)(end - 5 - has_error);
	return true;
failed:
	WRITE_ONCE(p->exposed, 0);
	return false;
}

/* Where the guest goes on. For a handler only when the frame is pushed: it has what was before. */
static inline void regs_set(struct regs *regs, u64 rip, u64 rflags)
{
	regs->rip = rip;
	regs->rflags = (rflags & RFLAGS_GUEST) | RFLAGS_RUN;
	regs->cs = SEL_USER_CS;
	regs->ss = SEL_USER_SS;
}

/*
 * A frame could not be pushed. The guest's handler for 8 gets it on df_stack, if there are both,
 * else the domain ends: it can never end with us, whatever its stacks are.
 */
static NOINLINE void double_fault(struct vcpu *v, struct regs *regs, u8 vector, bool user, u64 cs,
				  u64 ss)
{
	struct domain *d = v->domain;
	u64 stack = READ_ONCE(d->own->df_stack), handler = READ_ONCE(d->own->traps[8].address);

	if (!stack || !handler || !push_frame(regs, stack & ~15ull, user, cs, ss, true, 0)) {
		stack = user ? READ_ONCE(v->area->sp0) : regs->rsp;
		domain_kill(d, "exception %u cannot be delivered: no stack at %lx (rip %lx, %s)",
			    vector, stack, regs->rip, user ? "user mode" : "kernel mode");
		return;
	}
	this_pcpu()->area->irq_enabled = 0;
	regs_set(regs, sign_extend(handler), 0);
}

/*
 * To the guest's handler, on its stack: sp0 from user mode, else where it is, aligned as the
 * hardware does. Other vCPUs may change the trap table meanwhile, so each member is read once;
 * two members of different times are the guest's own race.
 */
static ALWAYS_INLINE void deliver(struct vcpu *v, struct regs *regs, u8 vector, u32 error)
{
	struct pcpu *p = this_pcpu();
	struct domain *d = v->domain;
	u64 handler = READ_ONCE(d->own->traps[vector].address), stack;
	bool user = !p->kernel_mode, has_error = vector < 32 && (VECTORS_WITH_ERROR >> vector & 1);

	if (!handler) {
		domain_kill(d, "exception %u (error %x) in %s mode at rip %lx, no handler "
			    "registered", vector, error, user ? "user" : "kernel", regs->rip);
		return;
	}
	stack = user ? READ_ONCE(p->area->sp0) : regs->rsp & ~15ull;
	enter_kernel(p);
	if (!push_frame(regs, stack, user, regs->cs, regs->ss, has_error, error)) {
		double_fault(v, regs, vector, user, regs->cs, regs->ss);
		return;
	}
	if (!(READ_ONCE(d->own->traps[vector].flags) & PARVUS_TRAP_KEEP_IF))
		p->area->irq_enabled = 0;
	else if (user)
		p->area->irq_enabled = 1;
	regs_set(regs, sign_extend(handler), 0);
}

void guest_exception(struct vcpu *v, struct regs *regs, u8 vector, u32 error)
{
	v->stats.exceptions++;
	deliver(v, regs, vector, error);
}

void guest_page_fault(struct vcpu *v, struct regs *regs, u64 va, u32 error)
{
	v->stats.exceptions++;
	v->stats.page_faults_guest++;
	this_pcpu()->area->cr2 = va;
	deliver(v, regs, 14, error);
	this_pcpu()->exit_slow |= EXIT_PREFILL;
}

/* A function of its own, for tools/bench counts its calls against the statistics. */
static NOINLINE void interrupt_guest(struct vcpu *v, struct regs *regs, u8 vector)
{
	v->stats.vectors++;
	trace(PARVUS_TRACE_VECTOR, v, vector, 0);
	deliver(v, regs, vector, 0);
}

void arch_vector_deliver(struct vcpu *v, struct regs *regs)
{
	struct pcpu *p = this_pcpu();
	unsigned int word, bit;

	if (vcpu_has_pending(v) && (!p->kernel_mode || READ_ONCE(p->area->irq_enabled))) {
		for (word = 3; !v->vectors[word]; word--)
			;
		bit = 63 - (unsigned int)__builtin_clzll(v->vectors[word]);
		atomic_and_u64(&v->vectors[word], ~(1ull << bit));
		interrupt_guest(v, regs, (u8)(word * 64 + bit));
	}
	p->area->pending = exit_slow_update(p, v);
}

/*
 * SYSCALL in user mode, when the assembly could not push: called by entry.S. rip is behind the
 * instruction. What user mode finds in rcx and r11 is what SYSCALL leaves there.
 */
void syscall_from_user(struct regs *regs);
void syscall_from_user(struct regs *regs)
{
	struct pcpu *p = this_pcpu();
	struct vcpu *v = p->current;
	u64 stack = READ_ONCE(p->area->sp0);

	if (!p->syscall_entry) {
		domain_kill(v->domain, "system call without a registered entry");
		return;
	}
	v->stats.syscalls++;
	trace(PARVUS_TRACE_SYSCALL, v, regs->rax, regs->rip);
	enter_kernel(p);
	if (!push_frame(regs, stack, true, regs->cs, regs->ss, false, 0)) {
		double_fault(v, regs, 8, true, regs->cs, regs->ss);
		return;
	}
	p->area->irq_enabled = 0;
	regs_set(regs, sign_extend(p->syscall_entry), 0);
	regs->rcx = regs->rip;
	regs->r11 = RFLAGS_RUN;
}

/* ---- leaving the guest kernel ---- */

/* area.user_gs_base is the guest's to write at any time: read once, made canonical, used. */
static void leave_kernel(struct pcpu *p)
{
	u64 base = sign_extend(READ_ONCE(p->area->user_gs_base));

	p->area->irq_enabled = 1;
	guest_gs_base_set(base);
	set_mode(p, USER_MODE);
}

/* A program's stack segment: the fixed one, or writable data in a TLS entry as tls_set took it. */
bool user_ss(const u64 *tls, u64 ss)
{
	u64 entry = (ss >> 3) - GDT_TLS;

	return ss == SEL_USER_SS ||
	       (entry < 3 && (ss & 7) == 3 &&
		(tls[entry & index_mask(entry, 3)] >> 40 & 0xa) == 2);
}

/*
 * A frame whose selectors or rip (not canonical, or beyond a 32-bit segment) the hardware would
 * refuse: a #GP with the frame as the interrupted user context (rule 28; Linux: bad_iret).
 */
static void refuse_frame(struct vcpu *v, struct regs *regs, u64 cs, u64 ss)
{
	struct pcpu *p = this_pcpu();
	u64 handler = READ_ONCE(v->domain->own->traps[13].address), stack = READ_ONCE(p->area->sp0);
	bool bad_cs = cs != SEL_USER_CS && cs != SEL_USER_CS32;
	u64 error = bad_cs ? cs : !user_ss(v->own->tls, ss) ? ss : 0;

	if (!handler || !push_frame(regs, stack, true, cs | 3, ss, true, error & 0xfffc)) {
		double_fault(v, regs, 13, true, cs | 3, ss);
		return;
	}
	p->area->irq_enabled = 0;
	regs_set(regs, sign_extend(handler), 0);
}

/* From entry.S: IRET refused a frame that was fit. A program's selector went: its own fault. */
void pv_return_refused(struct regs *regs);
void pv_return_refused(struct regs *regs)
{
	struct pcpu *p = this_pcpu();
	struct vcpu *v = p->current;
	u64 cs = regs->cs, ss = regs->ss;

	regs_set(regs, sign_extend(regs->rip), regs->rflags);
	if (p->kernel_mode) {
		domain_kill(v->domain, "return to rip %lx refused, error %lx",
			    regs->rip, p->refused);
		return;
	}
	v->stats.exceptions++;
	enter_kernel(p);
	refuse_frame(v, regs, cs, ss);
}

/* Back to the SYSCALL instruction, with the fault that a read of that stack gives. */
static s64 frame_bad_stack(struct vcpu *v, struct regs *regs)
{
	enum shadow_result r = SHADOW_KILLED;
	u64 nr = regs->rax, va = regs->rsp;
	u32 error;

	if (guest_range(va, 64))
		r = shadow_fault(v, va, 0, false, regs->rip, &error);
	regs->rip -= 2;
	if (r == SHADOW_GUEST_FAULT)
		guest_page_fault(v, regs, va, error);
	else if (r == SHADOW_KILLED)
		domain_kill(v->domain, "return frame at %lx cannot be read", va);
	return (s64)nr;
}

/*
 * @f is a copy: rip cs rflags rsp ss. The entry of the last page fault is filled first, in the
 * kernel's view, in which the guest wrote it. A vector that waits is delivered on the way out,
 * if the mode that is returned to has its interrupts on.
 */
void pv_return_to(struct vcpu *v, struct regs *regs, const u64 *f)
{
	struct pcpu *p = this_pcpu();
	u64 cs = f[1] & 0xffff, ss = f[4] & 0xffff;

	if (v->own->shadow.prefill_as)
		shadow_prefill(v);
	regs_set(regs, cs == VSEL_KERNEL_CS ? sign_extend(f[0]) : f[0], f[2]);
	regs->rsp = f[3];
	if (cs == VSEL_KERNEL_CS) {
		p->area->irq_enabled = f[2] & RFLAGS_IF ? 1 : 0;
		p->n_kernel_returns++;
	} else if ((cs == SEL_USER_CS ? canonical(f[0]) : cs == SEL_USER_CS32 && !(f[0] >> 32)) &&
		   user_ss(v->own->tls, ss)) {
		regs->cs = cs;
		regs->ss = ss;
		v->stats.user_returns++;
		leave_kernel(p);
	} else {
		refuse_frame(v, regs, cs, ss);
	}
	exit_slow_update(p, v);
	if (vcpu_has_pending(v))
		pcpu_add_work(p, WORK_VECTORS);
}

/*
 * At the guest's rsp: rax, for iret rcx and r11, then rip cs rflags rsp ss. After sysret rcx and
 * r11 are what SYSRET leaves there.
 */
static ALWAYS_INLINE s64 frame_return(struct vcpu *v, struct regs *regs, bool sysret)
{
	u64 f[8], *frame = &f[sysret ? 1 : 3];

	if (!guest_va_read(v, regs->rsp, f, sysret ? 6 * sizeof(u64) : sizeof(f)))
		return frame_bad_stack(v, regs);
	regs->rcx = f[1];
	regs->r11 = sysret ? (f[3] & RFLAGS_GUEST) | RFLAGS_RUN : f[2];
	trace(PARVUS_TRACE_EXIT, v, frame[0], frame[1]);
	pv_return_to(v, regs, frame);
	return (s64)f[0];
}

s64 hc_iret(struct vcpu *v, struct regs *regs) { return frame_return(v, regs, false); }
s64 hc_sysret(struct vcpu *v, struct regs *regs) { return frame_return(v, regs, true); }
