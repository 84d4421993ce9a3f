// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs on pCPUs: making and unmaking them, changing from one to another, idling,
 * raising virtual vectors, and the work that is looked at on the way out. C code
 * runs on the pCPU's one stack with the guest's registers at its top; a change of
 * vCPU copies them.
 */
#include <boot/boot.h>
#include <x86/cpu.h>
#include <x86/desc.h>
#include <x86/percpu.h>
#include <x86/pv.h>
#include <core/frame.h>
#include <core/lib.h>
#include <core/log.h>
#include <core/platform.h>
#include <core/sched.h>
#include <core/timer.h>
#include <core/trace.h>

static void timer_fired(struct timer *t)
{
	vcpu_raise(container_of(t, struct vcpu, timer), PARVUS_VECTOR_TIMER);
}

/* FPU, debug registers and the like as after a reset (Intel SDM vol. 3, 9.1.1). */
static void context_reset(struct vcpu *v)
{
	memset(v->xsave, 0, max(cpu_features.xsave_size, 512u));
	*(u16 *)v->xsave = 0x37f;			/* FCW */
	*(u32 *)((char *)v->xsave + 24) = 0x1f80;	/* MXCSR */
	v->fpu_cpu = MAX_CPUS;		/* no pCPU's registers hold it */
	v->xcr0 = cpu_features.xcr0;
	v->tsc_aux = 0;
	v->guest_cr4 = 0;
	memset(v->dr, 0, sizeof(v->dr));
	v->dr[6] = 0xffff0ff0;
	v->dr[7] = 0x400;
}

struct vcpu *vcpu_create(struct domain *d, unsigned int id)
{
	struct vcpu *v = hv_alloc(sizeof(*v));

	if (!v)
		return NULL;
	v->domain = d;
	v->id = id;
	v->sched.affinity = cpus_online >= 64 ? ~0ull : (1ull << cpus_online) - 1;
	v->sched.weight = d->weight;
	v->sched.cpu = id % (cpus_online ? cpus_online : 1);
	v->timer.fire = timer_fired;
	v->area_none = hv_alloc(PAGE_SIZE);
	v->xsave = hv_alloc(max(cpu_features.xsave_size, 512u));
	if (!v->area_none || !v->xsave || shadow_vcpu_init(v)) {
		vcpu_destroy(v);
		return NULL;
	}
	v->area = v->area_none;
	context_reset(v);
	return v;
}

void vcpu_reset(struct vcpu *v, u64 rip, u64 rsp, u64 root_gpa)
{
	memset(&v->regs, 0, sizeof(v->regs));
	v->regs.rip = rip;
	v->regs.rsp = rsp;
	v->regs.rflags = RFLAGS_RUN;
	v->regs.cs = SEL_USER_CS;
	v->regs.ss = SEL_USER_SS;
	v->kernel_mode = true;
	v->ds = v->es = v->fs = v->gs = 0;
	v->live_fs_base = v->live_gs_base = v->kernel_gs_base = 0;
	memset(v->vectors, 0, sizeof(v->vectors));
	memset(v->tls, 0, sizeof(v->tls));
	context_reset(v);
	v->area->irq_enabled = 0;
	v->area->pending = 0;
	shadow_start(v, _gfn(root_gpa >> PAGE_SHIFT));
}

/* Never started, or left for good; the shadow pages of it go with the domain. */
void vcpu_destroy(struct vcpu *v)
{
	unsigned int i;

	timer_cancel(&v->timer);
	for (i = 0; i < cpus_online; i++)
		if (pcpus[i]->fpu_owner == v)
			pcpus[i]->fpu_owner = NULL;
	hv_free(v->area_none, PAGE_SIZE);
	hv_free(v->xsave, max(cpu_features.xsave_size, 512u));
	v->domain->vcpus[v->id] = NULL;
	hv_free(v, sizeof(*v));
}

/* ---- telling other pCPUs ---- */

void pcpu_work(unsigned int cpu, u32 bits)
{
	struct pcpu *p = pcpus[cpu];

	pcpu_add_work(p, bits);
	if (p != this_pcpu() && (READ_ONCE(p->exposed) || READ_ONCE(p->idle)))
		apic_send_kick(cpu);
}

void pcpu_resched(unsigned int cpu) { pcpu_work(cpu, WORK_RESCHED); }

static bool wake(struct vcpu *v)
{
	unsigned int cpu = sched_wake(v, hv_now_ns());

	if (cpu == MAX_CPUS)
		return false;
	trace(PARVUS_TRACE_WAKE, v, cpu, 0);
	pcpu_resched(cpu);
	return true;
}

void vcpu_kick(struct vcpu *v)
{
	/* first of all awake: it may be on its way to sleep and still on a pCPU */
	if (!wake(v) && READ_ONCE(v->on_cpu))
		pcpu_work(READ_ONCE(v->sched.cpu), WORK_RESCHED | WORK_VECTORS);
}

void vcpu_raise(struct vcpu *v, u8 vector)
{
	u64 bit = 1ull << (vector % 64);

	if (atomic_or_u64(&v->vectors[vector / 64], bit) & bit)
		return;
	smp_mb();	/* bit, barrier, state: against sched_block() */
	switch (READ_ONCE(v->state)) {
	case VCPU_RUNNING:
		pcpu_work(READ_ONCE(v->sched.cpu), WORK_VECTORS);
		break;
	case VCPU_BLOCKED:
		wake(v);
		break;
	}
}

/* ---- the context of a vCPU ---- */

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

void debug_load(struct pcpu *p, const struct vcpu *v)
{
	__asm__ volatile("mov %0, %%db0" : : "r"(v->dr[0]));
	__asm__ volatile("mov %0, %%db1" : : "r"(v->dr[1]));
	__asm__ volatile("mov %0, %%db2" : : "r"(v->dr[2]));
	__asm__ volatile("mov %0, %%db3" : : "r"(v->dr[3]));
	__asm__ volatile("mov %0, %%db7" : : "r"(v->dr[7]));
	p->debug_live = v->dr[7] != 0x400;
}

static void context_save(struct pcpu *p, struct vcpu *v, const struct regs *regs)
{
	v->regs = *regs;
	v->kernel_mode = p->kernel_mode;
	v->live_gs_base = guest_gs_base();
	v->live_fs_base = guest_fs_base();
	__asm__ volatile("mov %%ds, %0" : "=m"(v->ds));
	__asm__ volatile("mov %%es, %0" : "=m"(v->es));
	__asm__ volatile("mov %%fs, %0" : "=m"(v->fs));
	__asm__ volatile("mov %%gs, %0" : "=m"(v->gs));
	xcr0_want(p, cpu_features.xcr0);	/* all of it, whatever the guest enabled (rule 37) */
	fpu_save(v);
	vcpu_fold_stats(p, v);
	shadow_unload(v);
	p->kernel_cr3 = p->user_cr3 = hv_root;
}

/* The guest may have changed the TLS entry of a selector in use: then it does not load, and is 0. */
#define SELECTOR_LOAD(sreg, value) \
	__asm__ volatile("1: mov %w0, %%" sreg "\n2:\n" \
			 ".pushsection .text.fixup, \"ax\"\n" \
			 "3: xor %k0, %k0\n mov %w0, %%" sreg "\n jmp 2b\n.popsection\n" \
			 ".pushsection .ex_table, \"a\"\n.quad 1b, 3b\n.popsection" \
			 : "+r"(value))

static void selectors_load(struct pcpu *p, const struct vcpu *v)
{
	u32 ds = v->ds, es = v->es, fs = v->fs, gs = v->gs;

	SELECTOR_LOAD("ds", ds);
	SELECTOR_LOAD("es", es);
	SELECTOR_LOAD("fs", fs);
	SELECTOR_LOAD("gs", gs);
	wrmsr(MSR_GS_BASE, (u64)p);	/* the selector load changed it */
}

static void context_load(struct pcpu *p, struct vcpu *v, struct regs *regs)
{
	struct domain *d = v->domain;

	*regs = v->regs;
	p->current = v;
	p->area = v->area;
	p->syscall_entry = d->syscall_entry;
	p->kernel_gs_base = v->kernel_gs_base;
	p->kernel_mode = v->kernel_mode;
	p->kernel_cr3 = mfn_x(p->root.kernel) << PAGE_SHIFT;
	p->user_cr3 = mfn_x(p->root.user) << PAGE_SHIFT;
	desc_load_tls(p, v->tls);
	selectors_load(p, v);
	guest_gs_base_set(v->live_gs_base);
	guest_fs_base_set(v->live_fs_base);
	if (cpu_features.rdtscp)
		wrmsr(MSR_TSC_AUX, v->tsc_aux);
	if (p->fpu_owner != v || v->fpu_cpu != p->cpu) {
		xcr0_want(p, cpu_features.xcr0);
		fpu_load(v);
		p->fpu_owner = v;
		v->fpu_cpu = p->cpu;
	}
	xcr0_want(p, v->xcr0);
	if (p->debug_live || v->dr[7] != 0x400)
		debug_load(p, v);
	shadow_load(v);
	if (!p->kernel_mode)
		set_user_mode(p);
	v->area->steal_ns = v->sched.steal_ns;
	v->stats.switches++;	/* what is pending, exit_work() sees to */
	exit_slow_update(p, v);
}

/* ---- the scheduler's hardware side ---- */

/* The next of: a timer, the end of the slice. */
void timer_rearm(void)
{
	struct pcpu *p = this_pcpu();
	u64 next = timer_next(p->cpu), slice = sched_slice_end(p->cpu, p->current, hv_now_ns());

	if (slice && (!next || slice < next))
		next = slice;
	apic_timer_arm(next ? ns_to_tsc(next) : 0);
}

static void timers_due(struct pcpu *p)
{
	u64 now = hv_now_ns();

	timer_run(p->cpu, now);
	sched_tick(p->cpu, now);
}

static void idle(struct pcpu *p)
{
	WRITE_ONCE(p->idle, true);
	smp_mb();
	while (!(READ_ONCE(p->work) & (WORK_RESCHED | WORK_STOP))) {
		timer_rearm();
		if (READ_ONCE(p->work) & WORK_TIMER) {
			__atomic_fetch_and(&p->work, ~WORK_TIMER, __ATOMIC_SEQ_CST);
			timers_due(p);
			continue;
		}
		if (!READ_ONCE(p->work))
			halt_once();
		else
			__atomic_fetch_and(&p->work, WORK_RESCHED | WORK_STOP | WORK_TIMER,
					   __ATOMIC_SEQ_CST);
	}
	WRITE_ONCE(p->idle, false);
}

/* The running vCPU of a domain that ended, or one that a queue gave out, never runs again. */
static void reap(struct vcpu *v)
{
	struct domain *d = v->domain;

	sched_stop(v);
	smp_store_release(&v->on_cpu, false);
	domain_vcpu_gone(d);
}

static void put_away(struct pcpu *p, struct vcpu *v, const struct regs *regs)
{
	context_save(p, v, regs);
	p->current = NULL;
}

void schedule(struct pcpu *p, struct regs *regs)
{
	struct vcpu *prev = p->current, *next;
	u64 before = prev ? (u64)prev->domain->id << 16 | prev->id : 0xffffffff;
	unsigned int there;

	for (;;) {
		u64 now = hv_now_ns();	/* the clock is dear: once for all of it */

		__atomic_fetch_and(&p->work, ~WORK_RESCHED, __ATOMIC_SEQ_CST);
		if (prev && READ_ONCE(prev->domain->ended)) {
			put_away(p, prev, regs);
			sched_pick_none(p->cpu, now);
			reap(prev);
			prev = NULL;
			continue;	/* that took its time, which is nobody's */
		}
		next = sched_pick(p->cpu, prev, now);
		if (next && next == prev)
			break;
		if (prev) {
			bool stopped = prev->state == VCPU_STOPPED;

			put_away(p, prev, regs);
			if (stopped) {
				smp_store_release(&prev->on_cpu, false);
				domain_vcpu_gone(prev->domain);
			} else {
				there = sched_left(p->cpu, prev, now);
				if (there != MAX_CPUS)
					pcpu_resched(there);
			}
			prev = NULL;
		}
		if (next && READ_ONCE(next->domain->ended)) {
			sched_pick_none(p->cpu, now);
			reap(next);
			continue;
		}
		if (next) {
			context_load(p, next, regs);
			trace(PARVUS_TRACE_SCHED, next, before, 0);
			break;
		}
		trace(PARVUS_TRACE_SCHED, NULL, before, 0);
		before = 0xffffffff;
		idle(p);
	}
	timer_rearm();
}

void exit_work(struct regs *regs);

/* On the way out, not exposed: all that is due, until nothing is. Called by entry.S. */
void exit_work(struct regs *regs)
{
	struct pcpu *p = this_pcpu();
	u32 work;

	while ((work = __atomic_exchange_n(&p->work, 0, __ATOMIC_SEQ_CST))) {
		if (work & WORK_STOP)
			halt_forever();
		if (work & WORK_SERVE)
			shadow_serve();
		if (work & WORK_TIMER) {
			p->timer_deadline = 0;
			timers_due(p);
			if (!p->current || sched_should_preempt(p->cpu, p->current, hv_now_ns()))
				work |= WORK_RESCHED;
			else
				timer_rearm();
		}
		if (work & WORK_RESCHED) {
			struct vcpu *v = p->current;

			if (v && v->state == VCPU_RUNNING && !READ_ONCE(v->domain->ended) &&
			    !p->yield && !sched_should_preempt(p->cpu, v, hv_now_ns()))
				timer_rearm();
			else
				schedule(p, regs);
			p->yield = false;
			if (vcpu_has_pending(p->current))
				work |= WORK_VECTORS;
		}
		if (work & WORK_VECTORS)
			vector_deliver(p->current, regs);
	}
}

void idle_forever(void)
{
	struct pcpu *p = this_pcpu();

	p->current = NULL;
	pcpu_add_work(p, WORK_RESCHED);
	enter_first((struct regs *)p->stack_top - 1);
}

void vcpu_fold_stats(struct pcpu *p, struct vcpu *v)
{
	v->stats.crossings += p->n_crossings;
	v->stats.syscalls += p->n_syscalls;
	v->stats.user_returns += p->n_user_returns;
	v->stats.kernel_returns += p->n_kernel_returns;
	v->stats.root_switches += p->n_root_switches;
	p->n_crossings = p->n_syscalls = p->n_user_returns = 0;
	p->n_kernel_returns = p->n_root_switches = 0;
}
