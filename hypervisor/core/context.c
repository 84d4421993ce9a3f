// SPDX-License-Identifier: GPL-2.0-only
/*
 * The context of a domain (parvus/context.h), a record per call. Reading is plain: of a domain that
 * is paused and off all CPUs nothing moves but vectors, timers and events. A record that is given
 * comes from a file or another machine and is as hostile as a guest: it is copied to a page of ours
 * once, all of it is checked, and only then is any of it used (rule 123). It goes into a domain of
 * which nothing ever ran; COMMIT looks at what concerns several records, and only when that is
 * right does it make anything run. A domain that is not committed is one that is being built.
 *
 * Under the control_lock of the domain.
 */
#include <core/context.h>
#include <core/event.h>
#include <core/grant.h>
#include <core/log.h>
#include <core/memory.h>
#include <core/sched.h>
#include <core/hypercall.h>
#include <core/trace.h>
#include <parvus/event.h>
#include <parvus/memory.h>

#define GIVEN(kind)	(1u << PARVUS_CONTEXT_##kind)
#define GIVEN_STATE	16u	/* vcpu_own.given: from this bit on, PARVUS_VCPU_* */
#define TRAPS_BYTES	(PARVUS_TRAPS * (u32)sizeof(struct parvus_trap))
BUILD_ASSERT(TRAPS_BYTES <= PAGE_SIZE && sizeof(struct parvus_context_vcpu) <= PAGE_SIZE);

u64 context_gpa(const void *p)
{
	if (!p)
		return PARVUS_CONTEXT_NONE;
	return (frame_info(frame_of(p))->word & FRAME_GFN) << PAGE_SHIFT | ((u64)p & ~PAGE_MASK);
}

/* ---- the domain ---- */

static bool host_get(struct vcpu *v, UNUSED u64 *from, void *to)
{
	arch_host_get(v->domain, to);
	return true;
}

static int host_set(struct vcpu *v, const void *record)
{
	return arch_host_valid(v->domain, record) ? 0 : hv_error(PARVUS_EINVAL);
}

static bool domain_get_record(struct vcpu *v, UNUSED u64 *from, void *to)
{
	struct parvus_context_domain *r = to;
	struct domain *d = v->domain;
	bool over = d->state == DOMAIN_SHUTDOWN;

	*r = (struct parvus_context_domain){
		.size = sizeof(*r), .version = 1, .self = d->self, .vcpus = d->vcpu_count,
		.state = over ? PARVUS_DOMAIN_SHUTDOWN : PARVUS_DOMAIN_RUNNING,
		.reason = over ? d->shutdown_reason : 0, .status = over ? d->shutdown_status : 0,
		.flags = d->tsc_clock ? PARVUS_CONTEXT_TSC : 0, .ram_frames = d->ram_frames,
		.max_gfn = d->max_gfn, .max_frames = d->max_frames,
		.target_frames = d->target_frames, .weight = (u32)d->weight, .cap = d->sched.cap,
		.request = READ_ONCE(d->request), .vcpus_target = READ_ONCE(d->vcpus_target),
		.now_ns = clock_stands(d), .syscall_entry = d->own->syscall_entry,
		.generation_id = { d->own->generation_id[0], d->own->generation_id[1] },
		.df_stack = d->own->df_stack, .event_page = context_gpa(event_page(d)),
		.virqs = event_virqs(d),
	};
	if (over)
		hv_snprintf(r->why, sizeof(r->why), "%s", d->own->kill_reason);
	return true;
}

static bool text_valid(const char *s, size_t room)
{
	size_t i;

	for (i = 0; i < room && s[i]; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;
	return i < room;
}

static bool domain_record_valid(const struct domain *d, const struct parvus_context_domain *r)
{
	bool over = r->state == PARVUS_DOMAIN_SHUTDOWN;

	if (!over && (r->state != PARVUS_DOMAIN_RUNNING || r->reason || r->status || r->why[0]))
		return false;
	return r->size == sizeof(*r) && r->version == 1 && !r->reserved0 &&
	       all_zero(r->reserved, ARRAY_SIZE(r->reserved)) && r->self && r->self < 0x7ff0 &&
	       r->reason <= PARVUS_SHUTDOWN_KILLED && r->reason != PARVUS_SHUTDOWN_SUSPEND &&
	       r->status <= 255 && r->vcpus == d->vcpu_count &&
	       r->flags == (d->tsc_clock ? PARVUS_CONTEXT_TSC : 0) &&
	       r->ram_frames == d->ram_frames && r->max_gfn == d->max_gfn && r->max_frames &&
	       r->max_frames <= d->ram_frames && r->target_frames &&
	       r->target_frames <= r->max_frames && r->weight && r->weight <= 65535 &&
	       r->cap <= 100 * MAX_VCPUS && r->request <= PARVUS_REQUEST_REBOOT &&
	       r->vcpus_target && r->vcpus_target <= d->vcpu_count && r->now_ns < CLOCK_MAX &&
	       canonical(r->syscall_entry) && canonical(r->df_stack) &&
	       (r->event_page == PARVUS_CONTEXT_NONE || !(r->event_page & ~PAGE_MASK)) &&
	       !(r->virqs >> PARVUS_VIRQS) && !(r->virqs & 1u << PARVUS_VIRQ_DOMAIN) &&
	       text_valid(r->why, sizeof(r->why));
}

static int domain_set_record(struct vcpu *v, const void *record)
{
	const struct parvus_context_domain *r = record;
	struct domain *d = v->domain;
	bool page = r->event_page != PARVUS_CONTEXT_NONE;
	int ret;

	if (!domain_record_valid(d, r))
		return hv_error(PARVUS_EINVAL);
	if (page && !gfn_is_writable_ram(gfn_lookup(d, _gfn(r->event_page >> PAGE_SHIFT))))
		return hv_error(PARVUS_EFAULT);
	ret = domain_memory_limits(d, r->max_frames, r->target_frames);
	if (!ret && page)
		ret = event_register(d, r->event_page);
	if (ret)
		return ret;
	d->self = (u16)r->self;
	d->shutdown_reason = r->reason;
	d->shutdown_status = r->status;
	hv_snprintf(d->own->kill_reason, sizeof(d->own->kill_reason), "%s", r->why);
	sched_set_weight(d, r->weight);
	sched_set_cap(d, r->cap, arch_now_ns());
	d->request = r->request;
	d->vcpus_target = r->vcpus_target;
	if (!d->tsc_clock)
		clock_set(d, r->now_ns);
	if (r->generation_id[0] | r->generation_id[1])
		memcpy(d->own->generation_id, r->generation_id, sizeof(r->generation_id));
	d->own->syscall_entry = r->syscall_entry;
	d->own->df_stack = r->df_stack;
	d->own->virqs = r->virqs;
	d->own->given |= r->state << GIVEN_STATE;
	return 0;
}

static bool traps_get(struct vcpu *v, UNUSED u64 *from, void *to)
{
	const struct domain_own *own = v->domain->own;
	struct parvus_trap *t = to;

	for (u32 i = 0; i < PARVUS_TRAPS; i++)
		t[i] = (struct parvus_trap){ .address = own->traps[i].address, .vector = (u8)i,
					     .dpl = own->traps[i].dpl,
					     .flags = own->traps[i].flags };
	return true;
}

static int traps_set(struct vcpu *v, const void *record)
{
	const struct parvus_trap *t = record;

	for (u32 i = 0; i < PARVUS_TRAPS; i++)
		if (t[i].vector != i || !arch_trap_valid(&t[i]))
			return hv_error(PARVUS_EINVAL);
	for (u32 i = 0; i < PARVUS_TRAPS; i++)
		arch_trap_set(v->domain, &t[i]);
	return 0;
}

/* ---- a vCPU ---- */

static bool vcpu_get_record(struct vcpu *v, UNUSED u64 *from, void *to)
{
	struct parvus_context_vcpu *r = to;
	u32 state = READ_ONCE(v->state);

	*r = (struct parvus_context_vcpu){
		.size = sizeof(*r), .version = 1, .deadline = READ_ONCE(v->deadline),
		.state = state == VCPU_STOPPED ? PARVUS_VCPU_STOPPED :
			 state == VCPU_BLOCKED ? PARVUS_VCPU_BLOCKED : PARVUS_VCPU_RUNNABLE,
		.area = context_gpa(v->area == &v->own->area_none ? NULL : v->area),
		.clock = context_gpa(v->clock), .stats = v->stats,
	};
	memcpy(r->affinity, v->sched.affinity, sizeof(r->affinity));
	r->stats.size = sizeof(r->stats);
	r->stats.version = 1;
	for (u32 i = 0; i < ARRAY_SIZE(r->vectors); i++)
		r->vectors[i] = READ_ONCE(v->vectors[i]);
	if (r->area == PARVUS_CONTEXT_NONE) {
		r->irq_enabled = v->area->irq_enabled;
		r->cr2 = v->area->cr2;
		r->sp0 = v->area->sp0;
		r->user_gs_base = v->area->user_gs_base;
	}
	arch_context_get(v, r);
	if (r->flags & PARVUS_CONTEXT_STARTED)
		shadow_context_get(v, r);
	return true;
}

static bool vcpu_record_valid(const struct vcpu *v, const struct parvus_context_vcpu *r)
{
	if (r->size != sizeof(*r) || r->version != 1 || r->state > PARVUS_VCPU_BLOCKED ||
	    r->state == PARVUS_VCPU_RUNNING ||
	    r->flags & ~(PARVUS_CONTEXT_STARTED | PARVUS_CONTEXT_KERNEL) ||
	    !all_zero(r->reserved, ARRAY_SIZE(r->reserved)))
		return false;
	if (!(r->flags & PARVUS_CONTEXT_STARTED))
		return r->state == PARVUS_VCPU_STOPPED && !r->flags;
	return !(u32)r->vectors[0] && r->deadline < CLOCK_MAX && !(r->root & ~PAGE_MASK) &&
	       !(r->as_gen_gpa & 7) && arch_context_valid(v, r);
}

static int vcpu_set_record(struct vcpu *v, const void *record)
{
	const struct parvus_context_vcpu *r = record;
	bool started = r->flags & PARVUS_CONTEXT_STARTED;
	struct domain *d = v->domain;
	void *clock = NULL;
	int ret = 0;

	if (!vcpu_record_valid(v, r))
		return hv_error(PARVUS_EINVAL);
	/* what can fail, then what cannot */
	if (started &&
	    (!gfn_is_writable_ram(gfn_lookup(d, _gfn(r->root >> PAGE_SHIFT))) ||
	     (r->as_gen_gpa &&
	      !gfn_is_writable_ram(gfn_lookup(d, _gfn(r->as_gen_gpa >> PAGE_SHIFT))))))
		return hv_error(PARVUS_EFAULT);
	if (r->clock != PARVUS_CONTEXT_NONE) {
		clock = guest_map(d, r->clock, PARVUS_CLOCK_SIZE, 64);
		if (!clock)
			return hv_error(PARVUS_EFAULT);
	}
	if (r->area != PARVUS_CONTEXT_NONE)
		ret = vcpu_area_set(v, r->area);
	if (!ret && started)
		ret = shadow_context_set(v, r);
	if (ret) {
		guest_unmap(clock);
		return ret;
	}
	guest_unmap(v->clock);
	v->clock = clock;
	v->stats = r->stats;
	sched_set_affinity(v, r->affinity, arch_now_ns());	/* if it names a CPU that is here */
	v->own->given |= r->state << GIVEN_STATE | (started ? 0 : GIVEN(XSAVE));
	if (!started)
		return 0;
	if (r->area == PARVUS_CONTEXT_NONE) {
		v->area->irq_enabled = !!r->irq_enabled;
		v->area->cr2 = r->cr2;
		v->area->sp0 = r->sp0;
		v->area->user_gs_base = r->user_gs_base;
	}
	memcpy(v->vectors, r->vectors, sizeof(v->vectors));
	v->deadline = r->deadline;
	arch_context_set(v, r);
	return 0;
}

static bool image_get(struct vcpu *v, UNUSED u64 *from, void *to)
{
	memcpy(to, v->xsave, arch_image_bytes());
	return true;
}

static int image_set(struct vcpu *v, const void *record)
{
	return arch_image_set(v, record) ? 0 : hv_error(PARVUS_EINVAL);
}

static u32 gfn_state(const struct domain *d, u64 gfn)
{
	u64 e = gfn_lookup(d, _gfn(gfn));

	return e & GFN_DEMAND ? PARVUS_CONTEXT_GFN_DEMAND : gfn_is_ram(e) ? PARVUS_CONTEXT_GFN_RAM :
	       e & GFN_PRESENT ? PARVUS_CONTEXT_GFN_FOREIGN : 0;
}

/* The frames from @gfn on that surely are as that one is: of a chunk without a table, all. */
static u64 gfn_piece(const struct domain *d, u64 gfn)
{
	return d->gfn_chunks[gfn >> EXTENT_ORDER] & GFN_TABLE ? 1 :
	       EXTENT_FRAMES - gfn % EXTENT_FRAMES;
}

static bool gfns_next(struct vcpu *v, u64 *from, void *to)
{
	const struct domain *d = v->domain;
	struct parvus_context_gfns *r = to;
	u64 gfn = *from, tries = 0;
	u32 state = 0;

	for (; gfn < d->max_gfn && !state; gfn += state ? 0 : gfn_piece(d, gfn)) {
		state = gfn_state(d, gfn);
		if (!(++tries % EXTENT_FRAMES))
			arch_breathe();
	}
	*r = (struct parvus_context_gfns){ .gfn = gfn, .state = state };
	for (; gfn < d->max_gfn && state && gfn_state(d, gfn) == state; gfn += gfn_piece(d, gfn))
		if (!(++tries % EXTENT_FRAMES))
			arch_breathe();
	r->frames = (u32)(gfn - r->gfn);
	*from = gfn;
	return state;
}

static int commit(struct domain *d)
{
	u32 whole = GIVEN(HOST) | GIVEN(DOMAIN) | GIVEN(TRAPS), alive = 0;
	bool over = d->own->given >> GIVEN_STATE == PARVUS_DOMAIN_SHUTDOWN;

	for (u32 i = 0; i < d->vcpu_count; i++) {
		u32 given = d->vcpus[i]->own->given;

		whole = (given & GIVEN(VCPU)) && (given & GIVEN(XSAVE)) ? whole : ~0u;
		alive += given >> GIVEN_STATE != PARVUS_VCPU_STOPPED;
	}
	if (~d->own->given & whole || !alive != over)
		return hv_error(PARVUS_EINVAL);
	if (READ_ONCE(d->ended))
		return hv_error(PARVUS_EBUSY);
	grant_context_done(d);
	if (over) {
		d->ended = 2;
		WRITE_ONCE(d->state, DOMAIN_SHUTDOWN);
		trace_domain(d, PARVUS_DOMAIN_SHUTDOWN);
		return 0;
	}
	WRITE_ONCE(d->state, DOMAIN_RUNNING);
	trace_domain(d, PARVUS_DOMAIN_RUNNING);
	d->alive_vcpus = alive;
	for (u32 i = 0; i < d->vcpu_count; i++) {
		struct vcpu *v = d->vcpus[i];
		u32 state = v->own->given >> GIVEN_STATE;

		if (state == PARVUS_VCPU_STOPPED || !sched_start(v))
			continue;
		sched_started(v);
		if (state == PARVUS_VCPU_RUNNABLE || vcpu_has_pending(v))
			vcpu_wake(v);	/* it is paused: it waits for the unpause */
	}
	event_context_done(d, d->own->virqs);
	return 0;
}

/* ---- the call ---- */

#define LIST	1u	/* as many as there are */
#define OF_VCPU	2u	/* one for each */

static const struct kind {
	u32 bytes, flags;	/* of one; 0: of an image */
	/* the first from @from on, which becomes that of the one after it; false: no more */
	bool (*next)(struct vcpu *v, u64 *from, void *to);
	int (*set)(struct vcpu *v, const void *record);		/* NULL: it is made otherwise */
} kinds[] = {
#define KIND(kind, type, flags, get, set) \
	[PARVUS_CONTEXT_##kind] = { sizeof(struct parvus_##type), flags, get, set }
	KIND(HOST, context_host, 0, host_get, host_set),
	KIND(DOMAIN, context_domain, 0, domain_get_record, domain_set_record),
	[PARVUS_CONTEXT_TRAPS] = { TRAPS_BYTES, 0, traps_get, traps_set },
	KIND(VCPU, context_vcpu, OF_VCPU, vcpu_get_record, vcpu_set_record),
	[PARVUS_CONTEXT_XSAVE] = { 0, OF_VCPU, image_get, image_set },
	KIND(GFNS, context_gfns, LIST, gfns_next, NULL),
	KIND(PORTS, context_port, LIST, event_context_next, event_context_set),
	KIND(OFFERS, context_offer, LIST, grant_context_next, grant_context_set),
	KIND(DEVICES, context_device, LIST, device_context_next, device_context_set),
};

/* What an entry took stays when a later one is refused: a list is given in any number of calls. */
static int context_set(struct vcpu *v, const struct parvus_control_context *a, const char *page,
		       u32 bytes)
{
	const struct kind *k = &kinds[a->kind];
	u32 *given = k->flags & OF_VCPU ? &v->own->given : &v->domain->own->given;
	int ret = *given >> a->kind & 1 ? -PARVUS_EEXIST : 0;

	for (u32 n = 0; n < a->bytes && !ret; n += bytes)
		ret = k->set(v, page + n);
	if (!ret && !(k->flags & LIST))
		*given |= 1u << a->kind;
	return ret;
}

static void context_get(struct vcpu *v, struct parvus_control_context *a, char *page, u32 bytes)
{
	u64 until = arch_now_ns() + LONG_CALL_NS;
	u32 n = 0, room = kinds[a->kind].flags & LIST ? a->bytes : bytes;

	while (n + bytes <= room && (!n || arch_now_ns() < until) &&
	       kinds[a->kind].next(v, &a->from, page + n))
		n += bytes;
	a->bytes = n;
}

/* Does it stand still, so that it can be read? */
static bool stands(const struct domain *d)
{
	bool still = d->state == DOMAIN_SHUTDOWN || (d->state == DOMAIN_RUNNING &&
						     READ_ONCE(d->pauses) & PAUSE_CONTROL);

	for (u32 i = 0; i < d->vcpu_count; i++)
		still = still && !smp_load_acquire(&d->vcpus[i]->on_cpu);
	return still;
}

/* The arguments make sense, of an op that @d may be named in. @bytes: of one of its kind. */
static bool arguments_valid(const struct domain *d, const struct parvus_control_context *a,
			    u32 *bytes)
{
	bool set = a->flags & PARVUS_CONTEXT_SET, list;
	const struct kind *k;

	if (a->flags & ~PARVUS_CONTEXT_SET || a->reserved0 ||
	    (d->control && (set || a->kind != PARVUS_CONTEXT_HOST)))
		return false;
	if (a->kind == PARVUS_CONTEXT_COMMIT)
		return set && !a->bytes && !a->buffer && !a->index && !a->from;
	if (a->kind >= ARRAY_SIZE(kinds))
		return false;
	k = &kinds[a->kind & index_mask(a->kind, ARRAY_SIZE(kinds))];
	list = k->flags & LIST;
	*bytes = k->bytes ?: arch_image_bytes();
	return a->index < (k->flags & OF_VCPU ? d->vcpu_count : 1) &&
	       (!a->from || (list && !set)) &&
	       a->bytes <= PAGE_SIZE - (a->buffer & ~PAGE_MASK) &&
	       (set ? k->set && (list ? !(a->bytes % *bytes) : a->bytes == *bytes) :
		      list || a->bytes >= *bytes);
}

int control_context(struct domain *d, struct parvus_control_context *a)
{
	struct vcpu *v = domain_vcpu(d, a->index);
	struct domain *self = arch_current()->domain;
	bool set = a->flags & PARVUS_CONTEXT_SET;
	u32 bytes = 0;
	void *page;
	int ret = 0;

	if (!arguments_valid(d, a, &bytes))
		return hv_error(PARVUS_EINVAL);
	if (set ? d->state != DOMAIN_BUILDING : a->kind != PARVUS_CONTEXT_HOST && !stands(d))
		return hv_error(PARVUS_EBUSY);
	if (a->kind == PARVUS_CONTEXT_COMMIT)
		return commit(d);
	page = hv_alloc(PAGE_SIZE);
	if (!page)
		return hv_error(PARVUS_ENOMEM);
	if (!set)
		context_get(v, a, page, bytes);
	if (set ? guest_read(self, a->buffer, page, a->bytes) :
		  guest_write(self, a->buffer, page, a->bytes))
		ret = -PARVUS_EFAULT;
	else if (set)
		ret = context_set(v, a, page, bytes);
	hv_free(page, PAGE_SIZE);
	return ret;
}
