// SPDX-License-Identifier: GPL-2.0-only
/* vCPUs: made, unmade, woken, given vectors, and their calls; for registers see core/arch.h. */
#include <core/handlers.h>
#include <core/log.h>
#include <core/memory.h>
#include <core/sched.h>
#include <core/trace.h>

/* ---- raise a vector, wake a vCPU, kick its pCPU ---- */

static bool wake_blocked(struct vcpu *v)
{
	unsigned int cpu = sched_wake(v, arch_now_ns());

	if (cpu == MAX_CPUS)
		return false;
	trace(PARVUS_TRACE_WAKE, v, cpu, 0);
	pcpu_kick(cpu, WORK_RESCHED);
	return true;
}

void vcpu_wake(struct vcpu *v)
{
	/* first of all awake: it may be on its way to sleep and still on a pCPU */
	if (!wake_blocked(v) && READ_ONCE(v->on_cpu))
		pcpu_kick(READ_ONCE(v->sched.cpu), WORK_RESCHED | WORK_VECTORS);
}

ALWAYS_INLINE void vcpu_raise(struct vcpu *v, u8 vector)
{
	u64 bit = 1ull << (vector % 64);

	if (atomic_or_u64(&v->vectors[vector / 64], bit) & bit)
		return;
	smp_mb();	/* bit, barrier, state: against sched_block() */
	switch (READ_ONCE(v->state)) {
	case VCPU_RUNNING:
		pcpu_kick(READ_ONCE(v->sched.cpu), WORK_VECTORS);
		break;
	case VCPU_BLOCKED:
		wake_blocked(v);
		break;
	}
}

static void vcpu_timer_fired(struct timer *t)
{
	clock_timer_fired(container_of(t, struct vcpu, timer));
}

/* ---- making and unmaking ---- */

struct vcpu *vcpu_create(struct domain *d, unsigned int id)
{
	struct vcpu *v = hv_alloc_public(sizeof(*v));
	unsigned int cpus = arch_cpus();

	if (!v)
		return NULL;
	v->domain = d;
	v->id = id;
	for (unsigned int i = 0; i < cpus; i++)
		v->sched.affinity[i / 64] |= 1ull << (i & 63);
	v->sched.weight = d->weight;
	v->sched.cpu = id % (cpus ? cpus : 1);
	v->timer.fire = vcpu_timer_fired;
	v->own = hv_alloc_own(d->id, sizeof(*v->own));
	if (!v->own || arch_vcpu_init(v) || shadow_vcpu_init(v)) {
		vcpu_destroy(v);
		return NULL;
	}
	v->area = &v->own->area_none;
	return v;
}

/* Never started, or left for good; the shadow pages of it go with the domain. */
void vcpu_destroy(struct vcpu *v)
{
	timer_cancel(&v->timer);
	arch_vcpu_free(v);
	hv_free(v->own, sizeof(*v->own));
	v->domain->vcpus[v->id] = NULL;
	hv_free(v, sizeof(*v));
}

void vcpu_reset(struct vcpu *v, u64 rip, u64 rsp, u64 root_gpa)
{
	memset(v->vectors, 0, sizeof(v->vectors));
	arch_vcpu_reset(v, rip, rsp);
	v->area->irq_enabled = 0;
	v->area->pending = 0;
	shadow_start(v, _gfn(root_gpa >> PAGE_SHIFT));
}

/* ---- the hypercalls ---- */

struct vcpu *vcpu_arg(struct vcpu *v, u64 n)
{
	if (n == PARVUS_VCPU_SELF)
		return v;
	return n < v->domain->vcpu_count ? domain_vcpu(v->domain, n) : NULL;
}

ALWAYS_INLINE int vcpu_mask_read(struct vcpu *v, u64 gpa, u64 words, u64 *mask)
{
	if (words != 1)
		return words ? hv_error(PARVUS_E2BIG) : hv_error(PARVUS_EINVAL);
	if (guest_read(v->domain, gpa, mask, sizeof(*mask)))
		return hv_error(PARVUS_EFAULT);
	if (v->domain->vcpu_count < 64 && *mask >> v->domain->vcpu_count)
		return hv_error(PARVUS_EINVAL);
	return 0;
}

/* @v runs here, or is the caller's alone: the frame of the one before may go now. */
int vcpu_area_set(struct vcpu *v, u64 gpa)
{
	void *area = guest_map(v->domain, gpa, PARVUS_VCPU_AREA_SIZE, 64), *old = v->area;

	if (!area)
		return hv_error(PARVUS_EFAULT);
	v->area = area;
	if (v == arch_current())
		arch_this()->area = arch_area(v);
	if (old != &v->own->area_none)
		guest_unmap(old);
	return 0;
}

s64 hc_area_register(struct vcpu *v, u64 vcpu, u64 gpa, u64 size, u64 version)
{
	struct vcpu *o = vcpu_arg(v, vcpu);
	int ret;

	if (!o || size != PARVUS_VCPU_AREA_SIZE || version != PARVUS_VCPU_AREA_VERSION)
		return hv_error(PARVUS_EINVAL);
	if (o != v && !sched_start(o))	/* nobody else starts it meanwhile, or moves its area */
		return hv_error(PARVUS_EBUSY);
	ret = vcpu_area_set(o, gpa);
	if (o != v)
		sched_stop(o);
	else if (!ret)
		v->area->pending = vcpu_has_pending(v);
	return ret;
}

s64 hc_vcpu_start(struct vcpu *v, u64 vcpu, u64 gpa)
{
	struct parvus_vcpu_context c;
	struct vcpu *o;
	int ret;

	if (vcpu >= v->domain->vcpu_count)
		return hv_error(PARVUS_EINVAL);
	o = domain_vcpu(v->domain, vcpu);
	if (guest_read(v->domain, gpa, &c, sizeof(c)))
		return hv_error(PARVUS_EFAULT);
	if (c.size != sizeof(c) || c.version != 1 ||
	    !all_zero(c.reserved, ARRAY_SIZE(c.reserved)) ||
	    !canonical(c.rip) || !canonical(c.gs_base) || (c.root & (PAGE_SIZE - 1)))
		return hv_error(PARVUS_EINVAL);
	if (!gfn_is_writable_ram(gfn_lookup(v->domain, _gfn(c.root >> PAGE_SHIFT))))
		return hv_error(PARVUS_EFAULT);
	/* whoever takes it from STOPPED owns it until sched_started() */
	if (o == v || !sched_start(o))
		return hv_error(PARVUS_EBUSY);
	ret = c.area_gpa ? vcpu_area_set(o, c.area_gpa) : 0;
	if (ret) {
		sched_stop(o);
		return ret;
	}
	atomic_inc_u32(&v->domain->alive_vcpus);
	vcpu_reset(o, c.rip, c.rsp, c.root);
	o->own->regs.rdi = c.rdi;
	o->own->regs.rsi = c.rsi;
	o->own->kernel_gs_base = o->own->live_gs_base = c.gs_base;
	sched_started(o);
	vcpu_wake(o);
	return 0;
}

s64 hc_vcpu_stop(struct vcpu *v)
{
	v->deadline = 0;
	timer_cancel(&v->timer);
	sched_stop(v);
	cpu_work_add(arch_this(), WORK_RESCHED);
	return 0;
}

s64 hc_vcpu_state(struct vcpu *v, u64 vcpu)
{
	struct vcpu *o = vcpu_arg(v, vcpu);

	if (!o)
		return hv_error(PARVUS_EINVAL);
	return READ_ONCE(o->state) != VCPU_STOPPED || READ_ONCE(o->on_cpu);
}

s64 hc_yield(struct vcpu *v)
{
	struct cpu *c = arch_this();

	sched_yield_to(c->cpu, v, arch_now_ns());
	c->yield = true;
	cpu_work_add(c, WORK_RESCHED);
	return 0;
}

s64 hc_block(struct vcpu *v)
{
	v->area->irq_enabled = 1;
	if (vcpu_has_pending(v))
		cpu_work_add(arch_this(), WORK_VECTORS);
	else if (sched_block(v))
		cpu_work_add(arch_this(), WORK_RESCHED);
	return 0;
}

s64 hc_ipi_send(struct vcpu *v, u64 vector, u64 mask_gpa, u64 words)
{
	unsigned int i;
	u64 mask;
	int ret = vector < 32 || vector > 255 ? hv_error(PARVUS_EINVAL) :
					       vcpu_mask_read(v, mask_gpa, words, &mask);

	if (ret)
		return ret;
	for_each_bit(i, mask)
		vcpu_raise(v->domain->vcpus[i], (u8)vector);
	return 0;
}

s64 hc_vector_raise(struct vcpu *v, u64 vcpu, u64 vector)
{
	struct vcpu *o = vcpu_arg(v, vcpu);

	if (!o || vector < 32 || vector > 255)
		return hv_error(PARVUS_EINVAL);
	vcpu_raise(o, (u8)vector);
	return 0;
}

s64 hc_stats_read(struct vcpu *v, u64 vcpu, u64 gpa, u64 size)
{
	struct vcpu *o = vcpu_arg(v, vcpu);
	struct parvus_vcpu_stats s;

	if (!o || size < 8 || size > PAGE_SIZE)
		return hv_error(PARVUS_EINVAL);
	arch_stats_fold(v);
	s = o->stats;
	s.run_ns = sched_run_ns(o, arch_now_ns());
	s.size = sizeof(s);
	s.version = 1;
	return guest_write(v->domain, gpa, &s, min(size, sizeof(s)));
}
