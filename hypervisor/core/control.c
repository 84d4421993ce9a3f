// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domain control (parvus/control.h): how domain 0 makes, watches and ends other domains.
 * Mechanism alone: names are labels, nothing is retried, nobody is restarted.
 *
 * Every op has one structure, copied in once, checked, and copied back whole. What builds a domain
 * or takes it apart runs under its control_lock. Nobody waits with that lock held: a DESTROY that
 * cannot finish at once returns EAGAIN and is called again.
 */
#include <core/context.h>
#include <core/event.h>
#include <core/grant.h>
#include <core/log.h>
#include <core/handlers.h>
#include <core/hypercall.h>
#include <core/memory.h>
#include <core/sched.h>
#include <core/trace.h>
#include <parvus/event.h>
#include <parvus/memory.h>

union control {
	struct { u32 size, version, domain; } head;
	struct parvus_control_machine machine;
	struct parvus_control_create create;
	struct parvus_control_domain domain;
	struct parvus_control_info info;
	struct parvus_control_populate populate;
	struct parvus_control_copy copy;
	struct parvus_control_offer offer;
	struct parvus_control_port port;
	struct parvus_control_start start;
	struct parvus_control_name name;
	struct parvus_control_memory memory;
	struct parvus_control_sched sched;
	struct parvus_control_vcpu vcpu;
	struct parvus_control_regs regs;
	struct parvus_control_log log;
	struct parvus_control_trace trace;
	struct parvus_control_cpu cpu;
	struct parvus_control_clock clock;
	struct parvus_control_interrupt interrupt;
	struct parvus_control_cpuid cpuid;
	struct parvus_control_context context;
};

/* All that is checked of a label: it ends, and fits on a line of the log as one word. */
static bool name_valid(const char *name)
{
	unsigned int i;

	for (i = 0; i < PARVUS_NAME_MAX && name[i]; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '"')
			return false;
	return i && i < PARVUS_NAME_MAX;
}

static struct domain *domain_named(u32 id)
{
	return domain_get(id == PARVUS_DOMAIN_SELF ? arch_current()->domain->id : id);
}

static u64 frames_promised(void)
{
	u64 sum = 0;

	for_each_domain(d)
		sum += READ_ONCE(d->frames) - READ_ONCE(d->touched);
	return sum;
}

static int control_machine(union control *c)
{
	struct parvus_control_machine *m = &c->machine;

	control_watch(0);	/* the toolstack is there */
	*m = (struct parvus_control_machine){
		.size = sizeof(*m), .version = 1, .cpus = arch_cpus(),
		.domains = domains_count(), .max_domains = MAX_DOMAINS,
		.frames_total = frames_total_count(), .frames_free = frames_left(),
		.frames_promised = frames_promised(), .frames_ghost = grant_ghost_frames(),
		.now_ns = arch_now_ns(), .tsc_khz = arch_clock().tsc_khz,
		.wall_sec = arch_clock().wall_ns / 1000000000,
		.features = { features_word0(NULL), arch_measures() },
		.ports = event_ports_total(), .devices = device_count(NULL),
		.grants = (u32)grant_offers_total(), .mappings = (u32)grant_mappings_total(),
		.flags = debug_enabled ? PARVUS_START_DEBUG : 0,
		.late_ticks = arch_timer_late(), .frames_claimed = frames_claimed(),
		.frames_kept = frames_kept(),
	};
	hv_snprintf(m->build, sizeof(m->build), "Parvus, ABI %u", PARVUS_ABI_VERSION);
	return 0;
}

static int control_create(union control *c)
{
	struct parvus_control_create *a = &c->create;
	struct domain *d;

	u32 number = a->flags & PARVUS_CREATE_NUMBER ? a->domain : 0;

	if (a->flags & ~(PARVUS_CREATE_CLAIM | PARVUS_CREATE_NUMBER | PARVUS_CREATE_TSC) ||
	    (a->flags & PARVUS_CREATE_NUMBER && !number) || number >= DOMAIN_IDS ||
	    !name_valid(a->name) ||
	    !all_zero(a->reserved, ARRAY_SIZE(a->reserved)) || !a->vcpus || a->vcpus > MAX_VCPUS ||
	    a->weight > 65535 || a->cap > 100 * MAX_VCPUS || !a->max_frames ||
	    a->extra_gfns > MAX_DOMAIN_MEM >> PAGE_SHIFT ||
	    a->max_frames > (MAX_DOMAIN_MEM >> PAGE_SHIFT) - a->extra_gfns)
		return hv_error(PARVUS_EINVAL);
	d = domain_create(a->name, a->max_frames + a->extra_gfns, a->max_frames, a->vcpus,
			  a->flags & PARVUS_CREATE_CLAIM, number);
	if (!d && number && !domain_number_free(number))
		return hv_error(PARVUS_EEXIST);
	if (!d)
		return hv_error(domains_count() == MAX_DOMAINS ? PARVUS_ENOSPC : PARVUS_ENOMEM);
	d->tsc_clock = a->flags & PARVUS_CREATE_TSC && arch_clock().stable;
	sched_set_weight(d, a->weight ? a->weight : 256);
	sched_set_cap(d, a->cap, arch_now_ns());
	domain_pause(d, PAUSE_CONTROL);
	a->domain = d->id;
	trace_domain(d, PARVUS_DOMAIN_BUILDING);
	domain_changed(d);
	spin_unlock(&d->control_lock);
	return 0;
}

static void control_info_vcpus(struct domain *d, struct parvus_control_info *a)
{
	unsigned int i, wants = 0;

	for (i = 0; i < d->vcpu_count; i++) {
		struct vcpu *v = d->vcpus[i];
		u32 state;

		if (!v)
			continue;
		state = READ_ONCE(v->state);
		a->run_ns += sched_run_ns(v, arch_now_ns());
		a->vcpus_online += state != VCPU_STOPPED;
		wants += state == VCPU_RUNNABLE || state == VCPU_RUNNING;
		if (READ_ONCE(v->on_cpu) && (state != VCPU_BLOCKED || READ_ONCE(d->pauses)))
			a->flags |= PARVUS_INFO_RUNNING;
	}
	if (!wants && d->state == DOMAIN_RUNNING)
		a->flags |= PARVUS_INFO_BLOCKED;
}

/* With a reference to @d, or NULL, which goes. */
static int control_info_fill(struct domain *d, struct parvus_control_info *a)
{
	u32 changes;

	if (!d)
		return hv_error(PARVUS_ENOENT);
	spin_lock(&d->control_lock);
	changes = READ_ONCE(d->changes);	/* before what may change */
	*a = (struct parvus_control_info){
		.size = sizeof(*a), .version = 1, .domain = d->id, .changes = changes,
		.state = READ_ONCE(d->state), .vcpus = d->vcpu_count, .created_ns = d->created_ns,
		.weight = (u32)d->weight, .cap = d->sched.cap, .frames = READ_ONCE(d->frames),
		.touched = READ_ONCE(d->touched), .max_frames = d->max_frames,
		.target_frames = d->target_frames, .devices = device_count(d),
		.mappings = grant_mappings(d), .grants = grant_offers(d),
		.generation_id = { d->own->generation_id[0], d->own->generation_id[1] },
		.flags = (d->pauses & PAUSE_MEMORY ? PARVUS_INFO_NO_MEMORY : 0) |
			 (d->control ? PARVUS_INFO_CONTROL : 0),
	};
	memcpy(a->name, d->name, sizeof(a->name));
	if (a->state == DOMAIN_SHUTDOWN || a->state == DOMAIN_DYING) {
		a->reason = d->shutdown_reason;
		a->status = d->shutdown_status;
		hv_snprintf(a->why, sizeof(a->why), "%s", d->own->kill_reason);
	}
	if (a->state != DOMAIN_DYING) {
		control_info_vcpus(d, a);
		a->ports = event_ports_used(d);
		a->overhead_frames = domain_overhead(d);
	}
	if (d->pauses & PAUSE_CONTROL && a->state != DOMAIN_SHUTDOWN)
		a->flags |= PARVUS_INFO_PAUSED;
	spin_unlock(&d->control_lock);
	domain_put(d);
	return 0;
}

static int control_info(union control *c)
{
	return control_info_fill(domain_named(c->info.domain), &c->info);
}

static int control_next(union control *c)
{
	struct domain *best = NULL;

	for_each_domain(d) {
		if (d->id >= c->info.domain && (!best || d->id < best->id)) {
			domain_put(best);
			best = d;
			domain_hold(d);
		}
	}
	return control_info_fill(best, &c->info);
}

/* ---- building: the domain is found, its lock held, its state BUILDING ---- */

static int control_populate(struct domain *d, union control *c)
{
	struct parvus_control_populate *a = &c->populate;

	if (a->reserved0 || a->flags & ~PARVUS_POPULATE_NOW || a->gfn + a->frames < a->gfn)
		return hv_error(PARVUS_EINVAL);
	if (!(a->flags & PARVUS_POPULATE_NOW))
		return domain_promise(d, _gfn(a->gfn), a->frames);
	if (a->frames > PARVUS_COPY_MAX >> PAGE_SHIFT)	/* as much as one COPY moves */
		return hv_error(PARVUS_E2BIG);
	return domain_populate(d, _gfn(a->gfn), a->frames);
}

static int control_offer(struct domain *d, union control *c)
{
	c->offer.ref = 0;
	return grant_offer(d, c->offer.gfn, c->offer.to, c->offer.flags, &c->offer.ref);
}

static int control_port(struct domain *d, union control *c)
{
	if (c->port.reserved0)
		return hv_error(PARVUS_EINVAL);
	return event_alloc_unbound(d, c->port.to, &c->port.port);
}

static int control_start(struct domain *d, union control *c)
{
	struct parvus_control_start *a = &c->start;
	int ret;

	if (a->reserved0 || !all_zero(a->reserved, ARRAY_SIZE(a->reserved)))
		return hv_error(PARVUS_EINVAL);
	ret = domain_start(d, a->entry, a->root, a->start_info);
	if (!ret)
		vcpu_wake(d->vcpus[0]);	/* it is paused: this makes it wait for the unpause */
	return ret;
}

/* ---- any state but DYING, the lock held ---- */

static int control_copy(struct domain *d, union control *c)
{
	struct parvus_control_copy *a = &c->copy;
	bool out = a->flags & PARVUS_COPY_OUT;
	struct domain *self = arch_current()->domain, *from = out ? d : self, *to = out ? self : d;
	u64 src = out ? a->gpa : a->buffer, dst = out ? a->buffer : a->gpa;
	int ret;

	if (a->flags & ~PARVUS_COPY_OUT || src + a->bytes < src || dst + a->bytes < dst)
		return hv_error(PARVUS_EINVAL);
	if (a->bytes > PARVUS_COPY_MAX)
		return hv_error(PARVUS_E2BIG);
	if (!out && d->state != DOMAIN_BUILDING)
		return hv_error(PARVUS_EBUSY);
	while (a->bytes) {
		u64 n = min(PAGE_SIZE - (src & ~PAGE_MASK), PAGE_SIZE - (dst & ~PAGE_MASK));

		n = min(n, a->bytes);
		ret = guest_copy_frame(to, dst, from, src, n);
		if (ret)
			return ret;
		src += n;
		dst += n;
		a->bytes -= n;
	}
	return 0;
}

static int control_pause(struct domain *d, UNUSED union control *c)
{
	if (d->state == DOMAIN_SHUTDOWN)
		return hv_error(PARVUS_EBUSY);
	domain_pause(d, PAUSE_CONTROL);
	return 0;
}

static int control_unpause(struct domain *d, UNUSED union control *c)
{
	if (d->state != DOMAIN_RUNNING)
		return hv_error(PARVUS_EBUSY);
	domain_unpause(d, PAUSE_CONTROL);
	return 0;
}

static int control_request(struct domain *d, union control *c)
{
	if (c->domain.value != PARVUS_REQUEST_POWEROFF && c->domain.value != PARVUS_REQUEST_REBOOT)
		return hv_error(PARVUS_EINVAL);
	if (d->state != DOMAIN_RUNNING)
		return hv_error(PARVUS_EBUSY);
	WRITE_ONCE(d->request, c->domain.value);
	event_send_virq(d, PARVUS_VIRQ_REQUEST);
	return 0;
}

static int control_vcpus(struct domain *d, union control *c)
{
	if (!c->domain.value || c->domain.value > d->vcpu_count)
		return hv_error(PARVUS_EINVAL);
	if (d->state == DOMAIN_SHUTDOWN)
		return hv_error(PARVUS_EBUSY);
	WRITE_ONCE(d->vcpus_target, c->domain.value);
	event_send_virq(d, PARVUS_VIRQ_REQUEST);
	return 0;
}

static int control_rename(struct domain *d, union control *c)
{
	if (c->name.reserved0 || !name_valid(c->name.name))
		return hv_error(PARVUS_EINVAL);
	memset(d->name, 0, sizeof(d->name));
	hv_snprintf(d->name, sizeof(d->name), "%s", c->name.name);
	return 0;
}

int domain_memory_limits(struct domain *d, u64 most, u64 target)
{
	bool ok = true;

	spin_lock(&d->gfn_lock);
	if (d->claims)
		ok = frames_claim(d, (s64)(max(d->frames, target) -
					   max(d->frames, d->target_frames)), false);
	if (ok) {
		d->target_frames = target;
		d->max_frames = most;
	}
	spin_unlock(&d->gfn_lock);
	return ok ? 0 : hv_error(PARVUS_ENOMEM);
}

static int control_memory(struct domain *d, union control *c)
{
	struct parvus_control_memory *a = &c->memory;
	u64 most = a->flags & PARVUS_MEMORY_SET_MAX ? a->max_frames : d->max_frames;
	int ret;

	if (!a->flags || a->flags & ~(PARVUS_MEMORY_SET_MAX | PARVUS_MEMORY_SET_TARGET) ||
	    (a->flags & PARVUS_MEMORY_SET_MAX && (!most || most > d->ram_frames)) ||
	    (a->flags & PARVUS_MEMORY_SET_TARGET &&
	     (!a->target_frames || a->target_frames > most)))
		return hv_error(PARVUS_EINVAL);
	ret = domain_memory_limits(d, most, a->flags & PARVUS_MEMORY_SET_TARGET ?
				   a->target_frames : d->target_frames);
	if (!ret && a->flags & PARVUS_MEMORY_SET_TARGET)
		event_send_virq(d, PARVUS_VIRQ_MEMORY);
	return ret;
}

static int control_sched(struct domain *d, union control *c)
{
	struct parvus_control_sched *a = &c->sched;

	if (a->flags & ~(PARVUS_SCHED_SET_WEIGHT | PARVUS_SCHED_SET_CAP) ||
	    (a->flags & PARVUS_SCHED_SET_WEIGHT && (!a->weight || a->weight > 65535)) ||
	    (a->flags & PARVUS_SCHED_SET_CAP && a->cap > 100 * MAX_VCPUS))
		return hv_error(PARVUS_EINVAL);
	if (a->flags & PARVUS_SCHED_SET_WEIGHT)
		sched_set_weight(d, a->weight);
	if (a->flags & PARVUS_SCHED_SET_CAP)
		sched_set_cap(d, a->cap, arch_now_ns());
	a->weight = (u32)d->weight;
	a->cap = d->sched.cap;
	return 0;
}

static int control_cpuid(struct domain *d, union control *c) { return arch_cpuid(d, &c->cpuid); }

static int control_vcpu(struct domain *d, union control *c)
{
	struct parvus_control_vcpu *a = &c->vcpu;
	struct vcpu *o;
	u32 state;

	if (a->vcpu >= d->vcpu_count)
		return hv_error(PARVUS_ENOENT);
	o = domain_vcpu(d, a->vcpu);
	state = READ_ONCE(o->state);
	a->state = state == VCPU_STOPPED ? PARVUS_VCPU_STOPPED :
		   state == VCPU_BLOCKED ? PARVUS_VCPU_BLOCKED :
		   state == VCPU_RUNNING ? PARVUS_VCPU_RUNNING : PARVUS_VCPU_RUNNABLE;
	if (d->pauses && a->state != PARVUS_VCPU_STOPPED)
		a->state = PARVUS_VCPU_PAUSED;
	a->cpu = READ_ONCE(o->sched.cpu);
	memcpy(a->affinity, o->sched.affinity, sizeof(a->affinity));
	a->run_ns = sched_run_ns(o, arch_now_ns());
	if (o == arch_current())
		arch_stats_fold(o);
	a->stats = o->stats;
	a->stats.size = sizeof(a->stats);
	a->stats.version = 1;
	a->stats.run_ns = a->run_ns;
	return 0;
}

static int control_pin(struct domain *d, union control *c)
{
	if (c->vcpu.vcpu >= d->vcpu_count)
		return hv_error(PARVUS_ENOENT);
	return sched_set_affinity(domain_vcpu(d, c->vcpu.vcpu), c->vcpu.affinity, arch_now_ns());
}

static int control_regs(struct domain *d, union control *c)
{
	struct parvus_control_regs *a = &c->regs;
	struct vcpu *o;

	if (!all_zero(a->reserved, ARRAY_SIZE(a->reserved)))
		return hv_error(PARVUS_EINVAL);
	if (a->vcpu >= d->vcpu_count)
		return hv_error(PARVUS_ENOENT);
	o = domain_vcpu(d, a->vcpu);
	if ((d->state == DOMAIN_RUNNING && !d->pauses) || READ_ONCE(o->on_cpu))
		return hv_error(PARVUS_EBUSY);
	*a = (struct parvus_control_regs){ .size = sizeof(*a), .version = 1, .domain = a->domain,
					   .vcpu = a->vcpu };
	arch_vcpu_regs(o, a);
	return 0;
}

/* vCPUs leave first, then memory goes in steps. EAGAIN: call again. The first makes it DYING. */
static int control_destroy(union control *c)
{
	struct domain *d = domain_get(c->domain.domain);
	int ret = -PARVUS_EAGAIN;

	if (!d)
		return hv_error(PARVUS_ENOENT);
	if (d->control) {
		domain_put(d);
		return hv_error(PARVUS_EINVAL);
	}
	if (d->state != DOMAIN_BUILDING)
		domain_kill_other(d, "destroyed");
	/* under the lock, so that no call that builds or looks is half-way */
	spin_lock(&d->control_lock);
	domain_dying(d);
	spin_unlock(&d->control_lock);
	if (d->state == DOMAIN_DYING && spin_trylock(&d->destroy_lock)) {
		/* another call may have finished it while we had only a reference */
		if (!d->gfn_chunks || domain_destroy_some(d, DESTROY_CHUNKS))
			ret = 0;
		spin_unlock(&d->destroy_lock);
	}
	domain_put(d);
	return ret;
}

static int control_log(union control *c)
{
	struct parvus_control_log *a = &c->log;

	if (a->reserved0)
		return hv_error(PARVUS_EINVAL);
	a->bytes = log_read(&a->from, a->text, sizeof(a->text), &a->end);
	return 0;
}

static int control_trace(union control *c) { return trace_read(&c->trace); }

static int control_cpu(union control *c)
{
	struct parvus_control_cpu *a = &c->cpu;
	struct sched_cpu_stats s;

	if (!all_zero(a->reserved, ARRAY_SIZE(a->reserved)))
		return hv_error(PARVUS_EINVAL);
	if (a->cpu >= arch_cpus())
		return hv_error(PARVUS_ENOENT);
	a->apic_id = arch_cpu_id(a->cpu);
	sched_cpu_stats(a->cpu, arch_now_ns(), &s);
	a->idle_ns = s.idle_ns;
	a->busy_ns = s.busy_ns;
	a->switches = s.switches;
	return 0;
}

static int control_clock(union control *c)
{
	struct parvus_control_clock *a = &c->clock;

	if (a->reserved0 || a->wall_nsec > 999999999 || a->wall_sec >> 32)
		return hv_error(PARVUS_EINVAL);
	arch_wall_set(a->wall_sec * 1000000000 + a->wall_nsec);
	return 0;
}

static int control_interrupt(union control *c)
{
	if (!all_zero(c->interrupt.reserved, ARRAY_SIZE(c->interrupt.reserved)))
		return hv_error(PARVUS_EINVAL);
	irq_show(&c->interrupt);
	return 0;
}

static int control_context_op(struct domain *d, union control *c)
{
	int ret = control_context(d, &c->context);

	if (!ret && c->context.kind == PARVUS_CONTEXT_COMMIT)
		domain_changed(d);
	return ret;
}

/* ---- the table ---- */

#define ANY_STATE	1u	/* but DYING */
#define BUILDING	2u	/* while it is built */
#define DOMAIN0		4u	/* domain 0 may name itself */
#define OUT		8u	/* the structure is written back */
#define CHANGES		16u	/* what INFO shows, if it succeeds */

static const struct {
	u32 size, flags;
	int (*plain)(union control *c);
	int (*on)(struct domain *d, union control *c);	/* under its lock */
} ops[PARVUS_CONTROL_OPS] = {
#define PLAIN(op, type, fn, flags) [PARVUS_CONTROL_##op] = { sizeof(struct type), flags, fn, NULL }
#define ON(op, type, fn, flags) [PARVUS_CONTROL_##op] = { sizeof(struct type), flags, NULL, fn }
	PLAIN(MACHINE, parvus_control_machine, control_machine, OUT),
	PLAIN(CREATE, parvus_control_create, control_create, OUT),
	PLAIN(INFO, parvus_control_info, control_info, OUT),
	PLAIN(NEXT, parvus_control_info, control_next, OUT),
	ON(POPULATE, parvus_control_populate, control_populate, BUILDING),
	ON(COPY, parvus_control_copy, control_copy, ANY_STATE | OUT),
	ON(OFFER, parvus_control_offer, control_offer, BUILDING | OUT),
	ON(PORT, parvus_control_port, control_port, BUILDING | OUT),
	ON(START, parvus_control_start, control_start, BUILDING | CHANGES),
	ON(PAUSE, parvus_control_domain, control_pause, ANY_STATE | CHANGES),
	ON(UNPAUSE, parvus_control_domain, control_unpause, ANY_STATE | CHANGES),
	PLAIN(DESTROY, parvus_control_domain, control_destroy, 0),
	ON(REQUEST, parvus_control_domain, control_request, ANY_STATE | CHANGES),
	ON(RENAME, parvus_control_name, control_rename, ANY_STATE | DOMAIN0 | CHANGES),
	ON(MEMORY, parvus_control_memory, control_memory, ANY_STATE | CHANGES),
	ON(SCHED, parvus_control_sched, control_sched, ANY_STATE | DOMAIN0 | OUT),
	ON(VCPU, parvus_control_vcpu, control_vcpu, ANY_STATE | DOMAIN0 | OUT),
	ON(PIN, parvus_control_vcpu, control_pin, ANY_STATE | DOMAIN0),
	ON(REGS, parvus_control_regs, control_regs, ANY_STATE | OUT),
	PLAIN(LOG, parvus_control_log, control_log, OUT),
	PLAIN(TRACE, parvus_control_trace, control_trace, OUT),
	PLAIN(CPU, parvus_control_cpu, control_cpu, OUT),
	ON(VCPUS, parvus_control_domain, control_vcpus, ANY_STATE | DOMAIN0 | CHANGES),
	PLAIN(CLOCK, parvus_control_clock, control_clock, 0),
	PLAIN(INTERRUPT, parvus_control_interrupt, control_interrupt, OUT),
	ON(CPUID, parvus_control_cpuid, control_cpuid, ANY_STATE | DOMAIN0 | OUT),
	ON(CONTEXT, parvus_control_context, control_context_op, ANY_STATE | DOMAIN0 | OUT),
};

static int control_on_domain(u64 op, union control *c)
{
	u32 flags = ops[op].flags;
	struct domain *d = domain_named(c->head.domain);
	int ret = -PARVUS_EBUSY;

	if (!d)
		return hv_error(PARVUS_ENOENT);
	if (d->control && !(flags & DOMAIN0)) {
		domain_put(d);
		return hv_error(PARVUS_EINVAL);
	}
	spin_lock(&d->control_lock);
	if (d->state != DOMAIN_DYING && (!(flags & BUILDING) || d->state == DOMAIN_BUILDING))
		ret = ops[op].on(d, c);
	if (!ret && flags & CHANGES)
		domain_changed(d);
	spin_unlock(&d->control_lock);
	domain_put(d);
	return ret;
}

/* The caller's privilege has been checked. */
s64 hc_control_op(struct vcpu *v, u64 op, u64 gpa)
{
	union control c;
	u64 root;
	u32 size;
	int ret;

	if (op >= PARVUS_CONTROL_OPS)
		return hv_error(PARVUS_ENOSYS);
	op &= index_mask(op, PARVUS_CONTROL_OPS);
	size = ops[op].size;
	if ((gpa & ~PAGE_MASK) + size > PAGE_SIZE)
		return hv_error(PARVUS_EINVAL);
	if (guest_read(v->domain, gpa, &c, size))
		return hv_error(PARVUS_EFAULT);
	if (c.head.size != size || c.head.version != 1)
		return hv_error(PARVUS_EINVAL);
	root = arch_full_begin();
	ret = ops[op].plain ? ops[op].plain(&c) : control_on_domain(op, &c);
	arch_full_end(root);
	if (ops[op].flags & OUT && (ret >= 0 || op == PARVUS_CONTROL_COPY) &&
	    guest_write(v->domain, gpa, &c, size))
		return hv_error(PARVUS_EFAULT);
	return ret;
}
