// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypercalls. Numbers, names and privilege come from pv-abi/hypercalls.tbl; the
 * arguments of each are described there and in the ABI headers. Every argument is a
 * register value, every structure is copied in once and then checked.
 */
#include <boot/boot.h>
#include <x86/cpu.h>
#include <x86/desc.h>
#include <x86/pv.h>
#include <core/device.h>
#include <core/event.h>
#include <core/control.h>
#include <core/frame.h>
#include <core/grant.h>
#include <core/lib.h>
#include <core/log.h>
#include <core/nospec.h>
#include <core/platform.h>
#include <core/sched.h>
#include <core/timer.h>
#include <core/trace.h>
#include <parvus/hypercalls.h>
#include <parvus/start.h>

#define A0 (regs->rdi)
#define A1 (regs->rsi)
#define A2 (regs->rdx)
#define A3 (regs->r10)
#define A4 (regs->r8)
#define A5 (regs->r9)
#define HC(name)	static s64 hc_##name(UNUSED struct vcpu *v, UNUSED struct regs *regs)

bool debug_enabled;	/* debug=1 on the command line */

/* The virtual IF was set by the guest, and something may be waiting for it. */
HC(nop)
{
	if (vcpu_has_pending(v))
		pcpu_add_work(this_pcpu(), WORK_VECTORS);
	return 0;
}
HC(iret) { return pv_iret(v, regs); }
HC(sysret) { return pv_sysret(v, regs); }

HC(callbacks_set)
{
	struct parvus_callbacks c;
	struct domain *d = v->domain;

	if (guest_read(d, A0, &c, sizeof(c)))
		return -PARVUS_EFAULT;
	if (c.size != sizeof(c) || c.version != 1 || c.crit_start || c.crit_end || c.crit_resume ||
	    c.reserved[0] || c.reserved[1] || !canonical(c.syscall_entry) || !canonical(c.df_stack))
		return -PARVUS_EINVAL;
	WRITE_ONCE(d->df_stack, c.df_stack);
	WRITE_ONCE(d->syscall_entry, c.syscall_entry);
	this_pcpu()->syscall_entry = c.syscall_entry;
	return 0;
}

HC(traps_set)
{
	struct parvus_trap t;
	struct domain *d = v->domain;
	u64 i, gpa = A0, count = A1;

	if (count > PARVUS_TRAPS)
		return -PARVUS_E2BIG;
	for (i = 0; i < count; i++, gpa += sizeof(t)) {
		if (guest_read(d, gpa, &t, sizeof(t)))
			return -PARVUS_EFAULT;
		if ((t.dpl != 0 && t.dpl != 3) || (t.flags & ~PARVUS_TRAP_KEEP_IF) ||
		    t.reserved0[0] | t.reserved0[1] | t.reserved0[2] | t.reserved0[3] |
		    t.reserved0[4] || !canonical(t.address))
			return -PARVUS_EINVAL;
		d->traps[t.vector].dpl = t.dpl;
		d->traps[t.vector].flags = t.flags;
		WRITE_ONCE(d->traps[t.vector].address, t.address);
	}
	return 0;
}

/* A vCPU argument: the caller, or another of its domain. */
static struct vcpu *vcpu_arg(struct vcpu *v, u64 n)
{
	if (n == PARVUS_VCPU_SELF)
		return v;
	return n < v->domain->vcpu_count ? v->domain->vcpus[n] : NULL;
}

static int area_set(struct vcpu *v, u64 gpa)
{
	void *area = guest_map(v->domain, gpa, PARVUS_VCPU_AREA_SIZE, 64);

	if (!area)
		return -PARVUS_EFAULT;
	v->area = area;
	return 0;
}

HC(area_register)
{
	struct vcpu *o = vcpu_arg(v, A0);
	int ret;

	if (!o || A2 != PARVUS_VCPU_AREA_SIZE || A3 != PARVUS_VCPU_AREA_VERSION)
		return -PARVUS_EINVAL;
	if (o != v && READ_ONCE(o->state) != VCPU_STOPPED)
		return -PARVUS_EBUSY;
	ret = area_set(o, A1);
	if (!ret && o == v) {
		this_pcpu()->area = v->area;
		v->area->pending = vcpu_has_pending(v);
	}
	return ret;
}

HC(clock_register)
{
	struct vcpu *o = vcpu_arg(v, A0);
	void *clock;

	if (!o)
		return -PARVUS_EINVAL;
	clock = guest_map(v->domain, A1, PARVUS_CLOCK_SIZE, 64);
	if (!clock)
		return -PARVUS_EFAULT;
	clock_fill(clock);
	return 0;
}

HC(tls_set)
{
	if (A0 >= PARVUS_TLS_ENTRIES)
		return -PARVUS_EINVAL;
	if (A0 == PARVUS_TLS_CPUNODE ? !desc_cpunode_valid(A1) : !desc_tls_valid(A1))
		return -PARVUS_EINVAL;
	v->tls[A0] = A1;
	desc_load_tls(this_pcpu(), v->tls);
	return 0;
}

static u64 descriptor_base(u64 d) { return (d >> 16 & 0xffffff) | (d >> 56) << 24; }

/* User GS by selector: what MOV to GS would do in user mode, without touching the kernel's base. */
static int user_selector_set(struct vcpu *v, u64 sel)
{
	u64 base = 0, live;
	unsigned int entry = (unsigned int)sel >> 3;

	if (sel > 0xffff)
		return -PARVUS_EINVAL;
	if (sel > 3) {
		if ((sel & 7) != 3)
			return -PARVUS_EINVAL;
		if (entry >= GDT_TLS && entry < GDT_TLS + 3) {
			u64 d = v->tls[entry - GDT_TLS];

			if (!(d >> 47 & 1) || (d >> 43 & 1 && !(d >> 41 & 1)))
				return -PARVUS_EINVAL;
			base = descriptor_base(d);
		} else if (sel != SEL_USER_SS) {
			return -PARVUS_EINVAL;
		}
	}
	live = guest_gs_base();		/* MOV to GS changes GS base, which is ours here */
	__asm__ volatile("mov %w0, %%gs" : : "r"((u32)sel));
	wrmsr(MSR_GS_BASE, (u64)pcpus[v->sched.cpu]);	/* this_pcpu() reads GS */
	guest_gs_base_set(live);
	v->area->user_gs_base = base;
	return 0;
}

HC(base_set)
{
	if (A0 == PARVUS_SEL_GS_USER)
		return user_selector_set(v, A1);
	if (!canonical(A1))
		return -PARVUS_EINVAL;
	switch (A0) {
	case PARVUS_BASE_FS:
		guest_fs_base_set(A1);
		return 0;
	case PARVUS_BASE_GS_KERNEL:
		v->kernel_gs_base = A1;
		this_pcpu()->kernel_gs_base = A1;
		guest_gs_base_set(A1);
		return 0;
	case PARVUS_BASE_GS_USER:
		v->area->user_gs_base = A1;
		return 0;
	}
	return -PARVUS_EINVAL;
}

HC(msr_read)
{
	u64 value = 0;
	int ret = A0 > 0xffffffff ? -PARVUS_EINVAL : guest_msr_read(v, (u32)A0, &value);

	if (!ret)
		v->area->ret[0] = value;
	return ret;
}

HC(msr_write)
{
	return A0 > 0xffffffff ? -PARVUS_EINVAL : guest_msr_write(v, (u32)A0, A1);
}

HC(cpuid)
{
	u32 out[4];
	unsigned int i;

	if (A0 > 0xffffffff || A1 > 0xffffffff)
		return -PARVUS_EINVAL;
	guest_cpuid(v, (u32)A0, (u32)A1, out);
	for (i = 0; i < 4; i++)
		v->area->ret[i] = out[i];
	return 0;
}

HC(debugreg_set)
{
	return A0 > 7 ? -PARVUS_EINVAL : guest_debugreg_set(v, (unsigned int)A0, A1);
}

HC(debugreg_get)
{
	if (A0 > 7 || A0 == 4 || A0 == 5)
		return -PARVUS_EINVAL;
	v->area->ret[0] = v->dr[A0];
	return 0;
}

HC(features)
{
	if (A0 > 3)
		return -PARVUS_EINVAL;
	v->area->ret[0] = A0 ? 0 : features_word0();
	return 0;
}

HC(mmu_switch) { return shadow_switch(v, A0, A1, A2, A3, A4, A5); }
HC(mmu_flush) { return shadow_flush(v, A0, A1, A2, A3, A4, A5); }
HC(mmu_age) { return shadow_age(v, A0); }

/* A mask of vCPUs: @words words at @gpa; vCPUs that do not exist are refused. */
static int mask_read(struct vcpu *v, u64 gpa, u64 words, u64 *mask)
{
	if (words != 1)
		return words ? -PARVUS_E2BIG : -PARVUS_EINVAL;
	if (guest_read(v->domain, gpa, mask, sizeof(*mask)))
		return -PARVUS_EFAULT;
	if (v->domain->vcpu_count < 64 && *mask >> v->domain->vcpu_count)
		return -PARVUS_EINVAL;
	return 0;
}

HC(mmu_flush_batch)
{
	u64 mask;
	int ret = mask_read(v, A0, A1, &mask);

	return ret ? ret : shadow_flush_batch(v, mask);
}

HC(mmu_release)
{
	int ret = shadow_release(v, A0);

	if (ret != -PARVUS_EAGAIN)
		return ret;
	/* more to do: let pending work in, then come again (rule 49) */
	regs->rip -= 2;
	return PARVUS_HC_mmu_release;
}

HC(vcpu_start)
{
	struct parvus_vcpu_context c;
	struct vcpu *o;
	int ret;

	if (A0 >= v->domain->vcpu_count)
		return -PARVUS_EINVAL;
	o = v->domain->vcpus[A0];
	if (guest_read(v->domain, A1, &c, sizeof(c)))
		return -PARVUS_EFAULT;
	if (c.size != sizeof(c) || c.version != 1 || !all_zero(c.reserved, ARRAY_SIZE(c.reserved)) ||
	    !canonical(c.rip) || !canonical(c.gs_base) || (c.root & (PAGE_SIZE - 1)))
		return -PARVUS_EINVAL;
	if (!gfn_is_writable_ram(gfn_lookup(v->domain, _gfn(c.root >> PAGE_SHIFT))))
		return -PARVUS_EFAULT;
	/* whoever takes it from STOPPED owns it until sched_started() */
	if (o == v || !sched_start(o))
		return -PARVUS_EBUSY;
	if (c.area_gpa) {
		ret = area_set(o, c.area_gpa);
		if (ret) {
			sched_stop(o);
			return ret;
		}
	}
	atomic_inc_u32(&v->domain->alive_vcpus);
	vcpu_reset(o, c.rip, c.rsp, c.root);
	o->regs.rdi = c.rdi;
	o->regs.rsi = c.rsi;
	o->kernel_gs_base = o->live_gs_base = c.gs_base;
	sched_started(o);
	vcpu_kick(o);
	return 0;
}

HC(vcpu_stop)
{
	timer_cancel(&v->timer);
	sched_stop(v);
	pcpu_add_work(this_pcpu(), WORK_RESCHED);
	return 0;
}

HC(vcpu_state)
{
	struct vcpu *o = vcpu_arg(v, A0);

	if (!o)
		return -PARVUS_EINVAL;
	return READ_ONCE(o->state) != VCPU_STOPPED || READ_ONCE(o->on_cpu);
}

HC(yield)
{
	struct pcpu *p = this_pcpu();

	sched_yield_to(p->cpu, v, hv_now_ns());
	p->yield = true;
	pcpu_add_work(p, WORK_RESCHED);
	return 0;
}

HC(block)
{
	v->area->irq_enabled = 1;
	if (vcpu_has_pending(v))
		pcpu_add_work(this_pcpu(), WORK_VECTORS);
	else if (sched_block(v))
		pcpu_add_work(this_pcpu(), WORK_RESCHED);
	return 0;
}

HC(shutdown)
{
	if (A0 > PARVUS_SHUTDOWN_CRASH || A0 == PARVUS_SHUTDOWN_SUSPEND || A1 > 255)
		return -PARVUS_EINVAL;
	domain_shutdown(v->domain, (u32)A0, (u32)A1);
	return 0;
}

HC(timer_set)
{
	int ret = 0;

	if (A0)
		ret = timer_set(&v->timer, this_pcpu()->cpu, A0);
	else
		timer_cancel(&v->timer);
	timer_rearm();
	return ret;
}

HC(ipi_send)
{
	unsigned int i;
	u64 mask;
	int ret;

	if (A0 < 32 || A0 > 255)
		return -PARVUS_EINVAL;
	ret = mask_read(v, A1, A2, &mask);
	if (ret)
		return ret;
	for_each_bit(i, mask)
		vcpu_raise(v->domain->vcpus[i], (u8)A0);
	return 0;
}

HC(vector_raise)
{
	struct vcpu *o = vcpu_arg(v, A0);

	if (!o || A1 < 32 || A1 > 255)
		return -PARVUS_EINVAL;
	vcpu_raise(o, (u8)A1);
	return 0;
}

HC(console_write) { return console_write(v->domain, A0, A1); }
HC(console_read) { return console_read(v->domain, A0, A1); }

HC(event_op) { return event_op(v, A0, A1); }
HC(device_op) { return device_op(v, A0, A1); }

HC(log_write)
{
	char line[256];
	u64 i;

	if (A1 >= sizeof(line))
		return -PARVUS_E2BIG;
	if (guest_read(v->domain, A0, line, A1))
		return -PARVUS_EFAULT;
	for (i = 0; i < A1; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '.';
	line[A1] = 0;
	hv_snprintf(v->domain->said, sizeof(v->domain->said), "%s", line);
	log_guest("guest: %s", line);
	return 0;
}

HC(stats_read)
{
	struct vcpu *o = vcpu_arg(v, A0);
	struct parvus_vcpu_stats s;

	if (!o || A2 < 8 || A2 > PAGE_SIZE)
		return -PARVUS_EINVAL;
	vcpu_fold_stats(this_pcpu(), v);
	s = o->stats;
	s.run_ns = sched_run_ns(o, hv_now_ns());
	s.size = sizeof(s);
	s.version = 1;
	return guest_write(v->domain, A1, &s, min(A2, sizeof(s)));
}

HC(pred_barrier)
{
	if (cpu_features.ibpb)
		wrmsr(MSR_PRED_CMD, 1);
	return 0;
}

/* FNV-1a, 64 bit (public domain; isthe.com/chongo/tech/comp/fnv). */
HC(debug_hash)
{
	u64 h = 0xcbf29ce484222325ull, gpa = A0, len = A1;
	u8 buf[256];

	if (len > MIB(1))
		return -PARVUS_E2BIG;
	while (len) {
		u64 n = min(len, sizeof(buf)), i;

		if (guest_read(v->domain, gpa, buf, n))
			return -PARVUS_EFAULT;
		for (i = 0; i < n; i++)
			h = (h ^ buf[i]) * 0x100000001b3ull;
		gpa += n;
		len -= n;
	}
	v->area->ret[0] = h;
	return 0;
}

HC(debug_info)
{
	struct parvus_debug_info info = { .size = sizeof(info), .version = 1 };

	if (A1 < 8 || A1 > PAGE_SIZE)
		return -PARVUS_EINVAL;
	info.frames_total = frames_total_count();
	info.frames_free = frames_free_count();
	info.domains = domains_count();
	info.warnings = log_warnings();
	return guest_write(v->domain, A0, &info, min(A1, sizeof(info)));
}

HC(grant_op) { return grant_op(v, A0, A1, A2); }
HC(memory_op) { return memory_op(v, A0, A1, A2); }

HC(control_op) { return control_op(v, A0, A1); }

HC(multicall);

HC(none) { return BENCH(watch(v, regs, regs->rax)) ? 0 : -PARVUS_ENOSYS; }

/* ---- dispatch ---- */

typedef s64 (*handler_fn)(struct vcpu *v, struct regs *regs);

#define PRIV_any	0
#define PRIV_control	1
#define PRIV_debug	2
#define PATH_c(name)	hc_##name
#define PATH_asm(name)	hc_##name
#define PATH_none(name)	hc_none

static const struct {
	handler_fn handler;
	u8 privilege;
} calls[PARVUS_HC_COUNT] = {
#define HYPERCALL(nr, name, nargs, priv, path) [nr] = { PATH_##path(name), PRIV_##priv },
#include <core/hypercall_table.h>
#undef HYPERCALL
};

/* In place of each that not everybody may make. */
HC(guarded)
{
	u64 nr = regs->rax & index_mask(regs->rax, PARVUS_HC_COUNT);

	if (!(calls[nr].privilege == PRIV_control ? v->domain->control : debug_enabled))
		return -PARVUS_EPERM;
	return calls[nr].handler(v, regs);
}

/* For entry.S; regs->rax is the number. */
extern const handler_fn hypercall_handlers[];
const handler_fn hypercall_handlers[PARVUS_HC_COUNT] = {
#define HYPERCALL(nr, name, nargs, priv, path) [nr] = PRIV_##priv ? hc_guarded : PATH_##path(name),
#include <core/hypercall_table.h>
#undef HYPERCALL
};

static s64 call(struct vcpu *v, struct regs *regs)
{
	u64 nr = regs->rax;

	if (nr >= PARVUS_HC_COUNT)
		return -PARVUS_ENOSYS;
	nr &= index_mask(nr, PARVUS_HC_COUNT);
	v->stats.hypercalls[nr]++;
	return hypercall_handlers[nr](v, regs);
}

/*
 * Calls that change where the vCPU runs have no place in a list; nor those that are lists
 * themselves, or long: nothing else happens on the pCPU before the last of a list is done.
 */
static bool in_list(u64 nr)
{
	switch (nr) {
	case PARVUS_HC_iret:
	case PARVUS_HC_sysret:
	case PARVUS_HC_multicall:
	case PARVUS_HC_mmu_release:
	case PARVUS_HC_block:
	case PARVUS_HC_yield:
	case PARVUS_HC_vcpu_stop:
	case PARVUS_HC_grant_op:
	case PARVUS_HC_memory_op:
	case PARVUS_HC_device_op:
	case PARVUS_HC_control_op:
		return false;
	}
	return true;
}

HC(multicall)
{
	struct parvus_multicall m[8];	/* a copy of several costs hardly more than one of one */
	struct regs r = { 0 };
	u64 gpa = A0, count = A1, i, n;

	if (count > PARVUS_MULTICALL_MAX)
		return -PARVUS_E2BIG;
	for (; count; count -= n, gpa += n * sizeof(m[0])) {
		n = min(count, ARRAY_SIZE(m));
		if (guest_read(v->domain, gpa, m, n * sizeof(m[0])))
			return -PARVUS_EFAULT;
		for (i = 0; i < n; i++) {
			r.rax = m[i].nr;
			r.rdi = m[i].args[0];
			r.rsi = m[i].args[1];
			r.rdx = m[i].args[2];
			r.r10 = m[i].args[3];
			r.r8 = m[i].args[4];
			r.r9 = m[i].args[5];
			m[i].result = in_list(m[i].nr) ? call(v, &r) : -PARVUS_EINVAL;
		}
		if (guest_write(v->domain, gpa, m, n * sizeof(m[0])))
			return -PARVUS_EFAULT;
	}
	return 0;
}

/* From entry.S: what it does not call itself. The result is for rax. */
s64 hypercall_dispatch(struct regs *regs)
{
	struct vcpu *v = this_pcpu()->current;
	s64 ret;

	trace(PARVUS_TRACE_HYPERCALL, v, regs->rax, A0);
	ret = call(v, regs);
	domain_memory_free();
	return ret;
}
