// SPDX-License-Identifier: GPL-2.0-only
/*
 * core/context.c, and the parts of it in event.c, grant_context.c, device.c and mmu/life.c: what is
 * read of a domain and given to another makes that the same; each member that is wrong is refused,
 * and changes nothing; what has been refused can be given right, or destroyed without a trace.
 * Registers are the machine's (guest/context).
 */
#include "native.h"
#include <core/context.h>
#include <core/event.h>
#include <core/grant.h>
#include <core/hypercall.h>
#include <core/sched.h>
#include <mmu/mmu.h>
#include <parvus/event.h>
#include <parvus/memory.h>

#define OP	0x2000u		/* gpas of domain 0 */
#define BUFFER	0x3000u
#define MS	1000000ull
#define BAD(call, err)	ck_assert_int_eq(call, -(s64)(err))
#define OK(call)	ck_assert_int_eq(call, 0)

static struct domain *zero, *a;
static u64 before;

static void *at(struct domain *d, u64 gpa)
{
	return (char *)frame_map(gfn_entry_mfn(gfn_lookup(d, _gfn(gpa >> PAGE_SHIFT)))) +
	       (gpa & ~PAGE_MASK);
}

static s64 control(u64 op, const void *record, size_t size)
{
	memcpy(at(zero, OP), record, size);
	return hc_control_op(zero->vcpus[0], op, OP);
}

static struct parvus_control_context args;	/* as the last call left them */

static s64 context(u32 domain, u32 kind, u32 flags, u32 index, u64 from, u32 bytes)
{
	s64 ret;

	args = (struct parvus_control_context){
		.size = sizeof(args), .version = 1, .domain = domain, .kind = kind, .flags = flags,
		.index = index, .from = from, .bytes = bytes,
		.buffer = kind == PARVUS_CONTEXT_COMMIT ? 0 : BUFFER };
	ret = control(PARVUS_CONTROL_CONTEXT, &args, sizeof(args));
	memcpy(&args, at(zero, OP), sizeof(args));
	return ret;
}

static s64 get(struct domain *d, u32 kind, u32 index, u64 from)
{
	memset(at(zero, BUFFER), 0xee, PAGE_SIZE);
	return context(d->id, kind, 0, index, from, PAGE_SIZE);
}

static s64 set(struct domain *d, u32 kind, u32 index, const void *record, u32 bytes)
{
	memset(at(zero, BUFFER), 0xee, PAGE_SIZE);
	memcpy(at(zero, BUFFER), record, bytes);
	return context(d->id, kind, PARVUS_CONTEXT_SET, index, 0, bytes);
}

static s64 commit(struct domain *d)
{
	return context(d->id, PARVUS_CONTEXT_COMMIT, PARVUS_CONTEXT_SET, 0, 0, 0);
}

static s64 simple(u64 op, struct domain *d)
{
	struct parvus_control_domain c = { .size = sizeof(c), .version = 1, .domain = d->id };

	return control(op, &c, sizeof(c));
}

static struct domain *create(u32 vcpus, u64 flags, u32 number)
{
	struct parvus_control_create c = {
		.size = sizeof(c), .version = 1, .vcpus = vcpus, .max_frames = 1024,
		.name = "made", .flags = flags, .domain = number };
	s64 ret = control(PARVUS_CONTROL_CREATE, &c, sizeof(c));
	struct domain *d;

	if (ret)
		return NULL;
	d = domain_get(((struct parvus_control_create *)at(zero, OP))->domain);
	domain_put(d);
	return d;
}

static s64 populate(struct domain *d, u64 gfn, u64 frames, u64 flags)
{
	struct parvus_control_populate c = { .size = sizeof(c), .version = 1, .domain = d->id,
					     .gfn = gfn, .frames = frames, .flags = flags };

	return control(PARVUS_CONTROL_POPULATE, &c, sizeof(c));
}

static s64 bind(struct domain *d, u32 kind, u32 virq, u32 vcpu, u32 flags)
{
	struct parvus_event_bind *b = at(d, 0x8000);

	*b = (struct parvus_event_bind){ .size = sizeof(*b), .version = 1, .kind = kind,
					 .virq = virq, .vcpu = vcpu, .flags = flags };
	return hc_event_op(d->vcpus[0], PARVUS_EVENT_BIND, 0x8000);
}

static s64 device(u64 op, u32 id, struct parvus_device *r)
{
	struct parvus_device none = { .front_domain = id };

	r = r ?: &none;
	r->size = sizeof(*r);
	r->version = 1;
	memcpy(at(zero, BUFFER), r, sizeof(*r));
	return hc_device_op(zero->vcpus[0], op, BUFFER);
}

/* No CPU is there to see its vCPUs off. */
static void destroy(struct domain *d)
{
	s64 ret = simple(PARVUS_CONTROL_DESTROY, d);

	for (u32 i = 0; i < 2 && ret == -PARVUS_EAGAIN && d->vcpus[0]; i++)
		if (i < d->vcpu_count && d->vcpus[i]->state != VCPU_STOPPED) {
			sched_stop(d->vcpus[i]);
			domain_vcpu_gone(d);
		}
	while (ret == -PARVUS_EAGAIN)
		ret = simple(PARVUS_CONTROL_DESTROY, d);
	OK(ret);
}

/* Two vCPUs, the second never started; ports, offers, a device, RAM of each kind; paused. */
static void setup(void)
{
	struct parvus_device r = { .device_class = 2, .index = 7 };
	u32 port, ref;

	native_boot(16 * EXTENT_FRAMES, 1);
	native_now = 1000 * MS;
	for (unsigned int i = 0; i < NATIVE_CPUS; i++) {
		EXPECT(!timer_init_cpu(i), "no memory");
		sched_init_cpu(i);
	}
	zero = native_domain("zero", 512, 512, 1);
	EXPECT(zero && !domain_populate(zero, _gfn(0), 16), "no memory");
	domain_set_control(zero);
	arch_this()->current = zero->vcpus[0];
	destroy(create(1, 0, 0));
	before = frames_free_count();
	a = create(2, 0, 0);
	EXPECT(a && !populate(a, 0, 16, PARVUS_POPULATE_NOW) && !populate(a, 32, 8, 0), "memory");
	EXPECT(!domain_start(a, 0x1000, 0x4000, 0x5678), "no start");
	OK(simple(PARVUS_CONTROL_UNPAUSE, a));
	OK(hc_event_op(a->vcpus[0], PARVUS_EVENT_REGISTER, 0x1000));
	OK(bind(a, PARVUS_EVENT_VIRQ, PARVUS_VIRQ_MEMORY, 1, PARVUS_EVENT_AUTO_MASK));
	OK(event_alloc_unbound(a, zero->id, &port));
	OK(bind(a, PARVUS_EVENT_VIRQ, PARVUS_VIRQ_DEVICE, 0, 0));
	OK(hc_event_op(a->vcpus[0], PARVUS_EVENT_CLOSE, 1));
	for (u32 i = 0; i < 3; i++) {
		ref = 0;
		OK(grant_offer(a, i + 5, zero->id, i == 2 ? PARVUS_GRANT_READONLY : 0, &ref));
	}
	OK(hc_area_register(a->vcpus[0], 0, 0x5200, 512, 1));
	OK(hc_clock_register(a->vcpus[0], 0, 0x6040));
	OK(hc_clock_register(a->vcpus[0], 1, 0x6080));
	OK(hc_timer_set(a->vcpus[0], 1500 * MS));
	r.front_domain = a->id;
	r.back_domain = zero->id;
	memset(r.config, 0x11, sizeof(r.config));
	OK(device(PARVUS_DEVICE_CREATE, 0, &r));
	a->own->traps[14].address = 0x7777;
	a->own->traps[14].dpl = 3;
	a->own->syscall_entry = 0x4444;
	a->vcpus[0]->own->shadow.as->guest_gen = 9;
	vcpu_raise(a->vcpus[0], 0x55);
	native_now += 10 * MS;
}

static void teardown(void)
{
	for (unsigned int i = 0; i < MAX_DOMAINS; i++)
		if (domains[i] && domains[i] != zero)
			destroy(domains[i]);
	while (!device(PARVUS_DEVICE_CHANGED, 0, NULL))	/* domain 0 has heard of the end */
		;
	ck_assert_uint_eq(frames_free_count(), before);
	ck_assert_uint_eq(native_warnings(), 0);
}

/* All records of @a, as they were read. */
static struct whole {
	struct parvus_context_host host;
	struct parvus_context_domain domain;
	struct parvus_trap traps[PARVUS_TRAPS];
	struct parvus_context_vcpu vcpu[2];
	u8 image[2][576];
	struct parvus_context_gfns gfns[8];
	struct parvus_context_port ports[8];
	struct parvus_context_offer offers[8];
	struct parvus_context_device devices[4];
	u32 n[PARVUS_CONTEXT_KINDS];
} whole;

static void read_list(struct domain *d, u32 kind, void *to, u32 size)
{
	u64 from = 0;
	char *out = to;

	whole.n[kind] = 0;
	do {	/* one at a time, so that it goes on */
		memset(at(zero, BUFFER), 0xee, PAGE_SIZE);
		OK(context(d->id, kind, 0, 0, from, size + size / 2));
		ck_assert(args.bytes == size || !args.bytes);
		ck_assert(!args.bytes || args.from > from);
		from = args.from;
		memcpy(out, at(zero, BUFFER), args.bytes);
		out += args.bytes;
		whole.n[kind] += args.bytes / size;
	} while (args.bytes);
}

static void read_all(struct domain *d)
{
	memset(&whole, 0, sizeof(whole));
	OK(get(d, PARVUS_CONTEXT_HOST, 0, 0));
	ck_assert_uint_eq(args.bytes, sizeof(whole.host));
	memcpy(&whole.host, at(zero, BUFFER), args.bytes);
	OK(get(d, PARVUS_CONTEXT_DOMAIN, 0, 0));
	memcpy(&whole.domain, at(zero, BUFFER), args.bytes);
	OK(get(d, PARVUS_CONTEXT_TRAPS, 0, 0));
	memcpy(whole.traps, at(zero, BUFFER), args.bytes);
	for (u32 i = 0; i < 2; i++) {
		OK(get(d, PARVUS_CONTEXT_VCPU, i, 0));
		memcpy(&whole.vcpu[i], at(zero, BUFFER), args.bytes);
		OK(get(d, PARVUS_CONTEXT_XSAVE, i, 0));
		ck_assert_uint_eq(args.bytes, 576);
		memcpy(whole.image[i], at(zero, BUFFER), args.bytes);
	}
	read_list(d, PARVUS_CONTEXT_GFNS, whole.gfns, sizeof(whole.gfns[0]));
	read_list(d, PARVUS_CONTEXT_PORTS, whole.ports, sizeof(whole.ports[0]));
	read_list(d, PARVUS_CONTEXT_OFFERS, whole.offers, sizeof(whole.offers[0]));
	read_list(d, PARVUS_CONTEXT_DEVICES, whole.devices, sizeof(whole.devices[0]));
}

/* A domain like @a with its memory, to be given the rest. */
static struct domain *target(void)
{
	struct domain *d = create(2, 0, 0);

	ck_assert_ptr_nonnull(d);
	for (u32 i = 0; i < whole.n[PARVUS_CONTEXT_GFNS]; i++)
		OK(populate(d, whole.gfns[i].gfn, whole.gfns[i].frames,
			    whole.gfns[i].state == PARVUS_CONTEXT_GFN_RAM));	/* NOW */
	return d;
}

#define GIVE(d, KIND, index, what) set(d, PARVUS_CONTEXT_##KIND, index, &(what), sizeof(what))
#define GIVE_LIST(d, KIND, list) \
	set(d, PARVUS_CONTEXT_##KIND, 0, list, \
	    whole.n[PARVUS_CONTEXT_##KIND] * (u32)sizeof((list)[0]))

static void give_all(struct domain *d)
{
	OK(GIVE(d, HOST, 0, whole.host));
	OK(GIVE_LIST(d, OFFERS, whole.offers));
	OK(GIVE_LIST(d, PORTS, whole.ports));
	OK(GIVE(d, DOMAIN, 0, whole.domain));
	OK(GIVE(d, TRAPS, 0, whole.traps));
	for (u32 i = 0; i < 2; i++)
		OK(GIVE(d, VCPU, i, whole.vcpu[i]));
	OK(GIVE(d, XSAVE, 0, whole.image[0]));
	OK(GIVE_LIST(d, DEVICES, whole.devices));
}

START_TEST(the_same)
{
	struct whole was;
	struct domain *b;
	u64 e;
	u32 ref = 0, port;

	OK(simple(PARVUS_CONTROL_PAUSE, a));
	a->vcpus[0]->stats.page_faults = 4711;
	memset(a->vcpus[0]->xsave, 0x33, 576);
	read_all(a);
	ck_assert_uint_eq(whole.domain.now_ns, native_now - (u64)a->clock_offset);
	ck_assert_uint_eq(whole.domain.self, a->id);
	ck_assert_uint_eq(whole.domain.event_page, 0x1000);
	ck_assert_uint_eq(whole.vcpu[0].area, 0x5200);
	ck_assert_uint_eq(whole.vcpu[0].clock, 0x6040);
	ck_assert_uint_eq(whole.vcpu[1].clock, 0x6080);
	ck_assert_uint_eq(whole.vcpu[1].area, PARVUS_CONTEXT_NONE);
	ck_assert_uint_eq(whole.vcpu[0].deadline, 1500 * MS);
	ck_assert_uint_eq(whole.vcpu[0].root, 0x4000);
	ck_assert_uint_eq(whole.vcpu[0].as_gen, 9);
	ck_assert_uint_eq(whole.vcpu[0].state, PARVUS_VCPU_RUNNABLE);
	ck_assert_uint_eq(whole.vcpu[1].state, PARVUS_VCPU_STOPPED);
	ck_assert_uint_eq(whole.n[PARVUS_CONTEXT_GFNS], 2);
	ck_assert_uint_eq(whole.gfns[0].frames, 16);
	ck_assert_uint_eq(whole.gfns[1].state, PARVUS_CONTEXT_GFN_DEMAND);
	ck_assert_uint_eq(whole.n[PARVUS_CONTEXT_PORTS], 2);
	ck_assert_uint_eq(whole.n[PARVUS_CONTEXT_OFFERS], 3);
	ck_assert_uint_eq(whole.offers[2].flags, PARVUS_GRANT_READONLY);
	ck_assert_uint_eq(whole.n[PARVUS_CONTEXT_DEVICES], 1);
	was = whole;
	memcpy(&was.image[1], a->vcpus[1]->xsave, 576);

	native_now += 60000 * MS;
	b = target();
	give_all(b);
	ck_assert_int_eq(b->state, DOMAIN_BUILDING);
	OK(commit(b));
	ck_assert_int_eq(b->state, DOMAIN_RUNNING);
	ck_assert_uint_eq(b->alive_vcpus, 1);
	ck_assert_int_eq(b->vcpus[0]->state, VCPU_RUNNABLE);
	ck_assert(b->vcpus[0]->sched.held);
	ck_assert_int_eq(b->vcpus[1]->state, VCPU_STOPPED);
	read_all(b);
	/* what is new: the device's id and changes; what COMMIT raised */
	ck_assert_uint_eq(whole.devices[0].id, was.devices[0].id + 1);
	ck_assert_uint_eq(whole.devices[0].back_changes, was.devices[0].back_changes + 2);
	whole.devices[0].id--;
	whole.devices[0].back_changes -= 2;
	ck_assert_int_eq(memcmp(&whole.vcpu[0], &was.vcpu[0], sizeof(was.vcpu[0])), 0);
	ck_assert_int_eq(memcmp(&whole.domain, &was.domain, sizeof(was.domain)), 0);
	ck_assert_int_eq(memcmp(&whole, &was, sizeof(was)), 0);
	/* references and ports in between are free, those that there are are not */
	OK(grant_offer(b, 9, zero->id, 0, &ref));
	ck_assert_uint_eq(ref, 4);
	OK(event_alloc_unbound(b, zero->id, &port));
	ck_assert_uint_eq(port, 1);
	e = gfn_lookup(b, _gfn(5));
	ck_assert_uint_eq(frame_info(gfn_entry_mfn(e))->word & FRAME_OFFERS, FRAME_OFFER);
	/* and it goes on: its timer has as long to go as it had */
	native_now += 7 * MS;
	timer_cancel(&a->vcpus[0]->timer);
	OK(simple(PARVUS_CONTROL_UNPAUSE, b));
	ck_assert_uint_eq(timer_next(0), native_now + 1500 * MS - was.domain.now_ns);
}
END_TEST

/* All ports are told of once; what fired without a port is kept; a mask is the guest's. */
START_TEST(events)
{
	struct parvus_event_page *page;
	struct domain *b;

	a->own->traps[PARVUS_VECTOR_EVENT].address = 0x9999;
	OK(simple(PARVUS_CONTROL_PAUSE, a));
	read_all(a);
	whole.domain.virqs = 1u << PARVUS_VIRQ_REQUEST;
	b = target();
	give_all(b);
	page = at(b, 0x1000);
	page->mask[0] = 4;
	OK(commit(b));
	ck_assert_uint_eq(page->pending[0], 4 | 8);
	ck_assert_uint_eq(page->selector[0], 1);
	ck_assert(vcpu_has_pending(b->vcpus[0]));
	ck_assert_uint_eq(event_virqs(b), 1u << PARVUS_VIRQ_REQUEST);
}
END_TEST

/* One that has ended comes back as it ended, with its vCPUs to look at. */
START_TEST(shut_down)
{
	struct domain *b;

	a->vcpus[0]->state = VCPU_RUNNING;
	OK(hc_shutdown(a->vcpus[0], PARVUS_SHUTDOWN_CRASH, 7));
	a->vcpus[0]->state = VCPU_STOPPED;
	domain_vcpu_gone(a);
	ck_assert_int_eq(a->state, DOMAIN_SHUTDOWN);
	hv_snprintf(a->own->kill_reason, sizeof(a->own->kill_reason), "it fell");
	read_all(a);
	ck_assert_uint_eq(whole.n[PARVUS_CONTEXT_DEVICES], 0);
	b = target();
	give_all(b);
	OK(commit(b));
	ck_assert_int_eq(b->state, DOMAIN_SHUTDOWN);
	ck_assert_uint_eq(b->shutdown_reason, PARVUS_SHUTDOWN_CRASH);
	ck_assert_uint_eq(b->shutdown_status, 7);
	ck_assert_str_eq(b->own->kill_reason, "it fell");
	BAD(simple(PARVUS_CONTROL_UNPAUSE, b), PARVUS_EBUSY);
	ck_assert_uint_eq(b->vcpus[0]->own->regs.rip, 0x1000);
}
END_TEST

/* Which calls there may be, when; and nothing is told of one that is not still. */
START_TEST(arguments)
{
	struct parvus_control_context c;
	struct domain *b;

	BAD(get(a, PARVUS_CONTEXT_DOMAIN, 0, 0), PARVUS_EBUSY);	/* not paused */
	OK(get(a, PARVUS_CONTEXT_HOST, 0, 0));
	OK(get(zero, PARVUS_CONTEXT_HOST, 0, 0));
	BAD(get(zero, PARVUS_CONTEXT_DOMAIN, 0, 0), PARVUS_EINVAL);
	BAD(GIVE(zero, DOMAIN, 0, whole.domain), PARVUS_EINVAL);
	OK(simple(PARVUS_CONTROL_PAUSE, a));
	a->vcpus[1]->on_cpu = true;
	BAD(get(a, PARVUS_CONTEXT_DOMAIN, 0, 0), PARVUS_EBUSY);
	a->vcpus[1]->on_cpu = false;
	read_all(a);
	BAD(get(a, PARVUS_CONTEXT_KINDS, 0, 0), PARVUS_EINVAL);
	BAD(get(a, ~0u, 0, 0), PARVUS_EINVAL);
	BAD(get(a, PARVUS_CONTEXT_COMMIT, 0, 0), PARVUS_EINVAL);
	BAD(get(a, PARVUS_CONTEXT_VCPU, 2, 0), PARVUS_EINVAL);
	BAD(get(a, PARVUS_CONTEXT_DOMAIN, 1, 0), PARVUS_EINVAL);
	BAD(get(a, PARVUS_CONTEXT_DOMAIN, 0, 1), PARVUS_EINVAL);
	BAD(context(a->id, PARVUS_CONTEXT_DOMAIN, 2, 0, 0, PAGE_SIZE), PARVUS_EINVAL);
	BAD(context(a->id, PARVUS_CONTEXT_DOMAIN, 0, 0, 0, sizeof(whole.domain) - 1),
	    PARVUS_EINVAL);
	BAD(context(a->id, PARVUS_CONTEXT_DOMAIN, 0, 0, 0, PAGE_SIZE + 1), PARVUS_EINVAL);
	c = args;
	c.reserved0 = 1;
	c.bytes = PAGE_SIZE;
	BAD(control(PARVUS_CONTROL_CONTEXT, &c, sizeof(c)), PARVUS_EINVAL);
	c.reserved0 = 0;
	c.buffer++;
	BAD(control(PARVUS_CONTROL_CONTEXT, &c, sizeof(c)), PARVUS_EINVAL);
	c.buffer = 100 * PAGE_SIZE;
	BAD(control(PARVUS_CONTROL_CONTEXT, &c, sizeof(c)), PARVUS_EFAULT);
	c.flags = PARVUS_CONTEXT_SET;
	c.bytes = sizeof(whole.domain);
	BAD(control(PARVUS_CONTROL_CONTEXT, &c, sizeof(c)), PARVUS_EBUSY);
	/* a list that goes on anywhere, beyond its end too */
	OK(get(a, PARVUS_CONTEXT_OFFERS, 0, 1ull << 32));
	ck_assert_uint_eq(args.bytes, 0);
	OK(get(a, PARVUS_CONTEXT_PORTS, 0, ~0ull));
	ck_assert_uint_eq(args.bytes, 0);
	OK(get(a, PARVUS_CONTEXT_DEVICES, 0, 1ull << 32 | 1));
	ck_assert_uint_eq(args.bytes, 0);
	OK(get(a, PARVUS_CONTEXT_GFNS, 0, ~0ull));
	ck_assert_uint_eq(args.bytes, 0);

	b = target();
	BAD(get(b, PARVUS_CONTEXT_DOMAIN, 0, 0), PARVUS_EBUSY);	/* BUILDING */
	BAD(context(b->id, PARVUS_CONTEXT_COMMIT, PARVUS_CONTEXT_SET, 0, 0, 1), PARVUS_EINVAL);
	BAD(context(b->id, PARVUS_CONTEXT_COMMIT, PARVUS_CONTEXT_SET, 1, 0, 0), PARVUS_EINVAL);
	BAD(context(b->id, PARVUS_CONTEXT_PORTS, PARVUS_CONTEXT_SET, 0, 1, 32), PARVUS_EINVAL);
	BAD(set(b, PARVUS_CONTEXT_PORTS, 0, whole.ports, 31), PARVUS_EINVAL);
	BAD(set(b, PARVUS_CONTEXT_GFNS, 0, whole.gfns, 16), PARVUS_EINVAL);
	BAD(set(b, PARVUS_CONTEXT_TRAPS, 0, whole.traps, PAGE_SIZE - 16), PARVUS_EINVAL);
	give_all(b);
	BAD(GIVE(b, HOST, 0, whole.host), PARVUS_EEXIST);
	BAD(GIVE(b, DOMAIN, 0, whole.domain), PARVUS_EEXIST);
	BAD(GIVE(b, TRAPS, 0, whole.traps), PARVUS_EEXIST);
	BAD(GIVE(b, VCPU, 1, whole.vcpu[1]), PARVUS_EEXIST);
	BAD(GIVE(b, XSAVE, 0, whole.image[0]), PARVUS_EEXIST);
	BAD(GIVE(b, PORTS, 0, whole.ports[0]), PARVUS_EEXIST);
	BAD(GIVE(b, PORTS, 0, whole.ports[1]), PARVUS_EEXIST);
	BAD(GIVE_LIST(b, OFFERS, whole.offers), PARVUS_EEXIST);
	BAD(GIVE_LIST(b, DEVICES, whole.devices), PARVUS_EEXIST);
	OK(commit(b));
	BAD(commit(b), PARVUS_EBUSY);
}
END_TEST

/* Each of these is wrong by itself, and refused; without it the record is taken. */
#define WRONG(d, KIND, index, record, member, value, error) do { \
	__typeof__(record) bad_ = record; \
	bad_.member = value; \
	ck_assert_msg(GIVE(d, KIND, index, bad_) == -(s64)(error), #KIND " " #member " " #value); \
} while (0)
#define WRONG_DOMAIN(member, value, error) \
	WRONG(b, DOMAIN, 0, whole.domain, member, value, error)
#define WRONG_VCPU(member, value, error) WRONG(b, VCPU, 0, whole.vcpu[0], member, value, error)
#define WRONG_PORT(member, value) \
	WRONG(b, PORTS, 0, whole.ports[0], member, value, PARVUS_EINVAL)
#define WRONG_OFFER(member, value, error) \
	WRONG(b, OFFERS, 0, whole.offers[0], member, value, error)
#define WRONG_DEVICE(member, value, error) \
	WRONG(b, DEVICES, 0, whole.devices[0], member, value, error)

START_TEST(wrong_members)
{
	struct domain *b;
	u64 high = 1ull << 47;

	OK(simple(PARVUS_CONTROL_PAUSE, a));
	read_all(a);
	b = target();
	WRONG(b, HOST, 0, whole.host, xcr0, 3, PARVUS_EINVAL);
	WRONG_DOMAIN(size, 280, PARVUS_EINVAL);
	WRONG_DOMAIN(version, 2, PARVUS_EINVAL);
	WRONG_DOMAIN(self, 0, PARVUS_EINVAL);
	WRONG_DOMAIN(self, 0x7ff0, PARVUS_EINVAL);
	WRONG_DOMAIN(self, 0x10001, PARVUS_EINVAL);
	WRONG_DOMAIN(state, PARVUS_DOMAIN_BUILDING, PARVUS_EINVAL);
	WRONG_DOMAIN(state, PARVUS_DOMAIN_DYING, PARVUS_EINVAL);
	WRONG_DOMAIN(reason, 1, PARVUS_EINVAL);
	WRONG_DOMAIN(status, 1, PARVUS_EINVAL);
	WRONG_DOMAIN(why[0], 'x', PARVUS_EINVAL);
	WRONG_DOMAIN(vcpus, 1, PARVUS_EINVAL);
	WRONG_DOMAIN(flags, PARVUS_CONTEXT_TSC, PARVUS_EINVAL);
	WRONG_DOMAIN(ram_frames, 1025, PARVUS_EINVAL);
	WRONG_DOMAIN(max_gfn, 512, PARVUS_EINVAL);
	WRONG_DOMAIN(max_frames, 0, PARVUS_EINVAL);
	WRONG_DOMAIN(max_frames, 1025, PARVUS_EINVAL);
	WRONG_DOMAIN(target_frames, 0, PARVUS_EINVAL);
	WRONG_DOMAIN(target_frames, 1025, PARVUS_EINVAL);
	WRONG_DOMAIN(weight, 0, PARVUS_EINVAL);
	WRONG_DOMAIN(weight, 65536, PARVUS_EINVAL);
	WRONG_DOMAIN(cap, 6401, PARVUS_EINVAL);
	WRONG_DOMAIN(request, 3, PARVUS_EINVAL);
	WRONG_DOMAIN(vcpus_target, 0, PARVUS_EINVAL);
	WRONG_DOMAIN(vcpus_target, 3, PARVUS_EINVAL);
	WRONG_DOMAIN(now_ns, CLOCK_MAX, PARVUS_EINVAL);
	WRONG_DOMAIN(syscall_entry, high, PARVUS_EINVAL);
	WRONG_DOMAIN(df_stack, high, PARVUS_EINVAL);
	WRONG_DOMAIN(event_page, 0x1008, PARVUS_EINVAL);
	WRONG_DOMAIN(event_page, 20 * PAGE_SIZE, PARVUS_EFAULT);
	WRONG_DOMAIN(event_page, 1ull << 52, PARVUS_EFAULT);
	WRONG_DOMAIN(virqs, 1u << PARVUS_VIRQS, PARVUS_EINVAL);
	WRONG_DOMAIN(virqs, 1u << PARVUS_VIRQ_DOMAIN, PARVUS_EINVAL);
	WRONG_DOMAIN(reserved0, 1, PARVUS_EINVAL);
	WRONG_DOMAIN(reserved[3], 1, PARVUS_EINVAL);

	WRONG_VCPU(size, 8, PARVUS_EINVAL);
	WRONG_VCPU(version, 0, PARVUS_EINVAL);
	WRONG_VCPU(state, PARVUS_VCPU_RUNNING, PARVUS_EINVAL);
	WRONG_VCPU(state, PARVUS_VCPU_PAUSED, PARVUS_EINVAL);
	WRONG_VCPU(flags, 4 | PARVUS_CONTEXT_STARTED, PARVUS_EINVAL);
	WRONG_VCPU(flags, 0, PARVUS_EINVAL);	/* runnable, and never started */
	WRONG_VCPU(rip, high, PARVUS_EINVAL);	/* the machine's word is heard */
	WRONG_VCPU(vectors[0], 1u << 31, PARVUS_EINVAL);
	WRONG_VCPU(vectors[0], 2, PARVUS_EINVAL);
	WRONG_VCPU(deadline, CLOCK_MAX, PARVUS_EINVAL);
	WRONG_VCPU(area, 0x5201, PARVUS_EFAULT);
	WRONG_VCPU(area, 0x5f00, PARVUS_EFAULT);
	WRONG_VCPU(area, 20 * PAGE_SIZE, PARVUS_EFAULT);
	WRONG_VCPU(clock, 0x6044, PARVUS_EFAULT);
	WRONG_VCPU(clock, 20 * PAGE_SIZE, PARVUS_EFAULT);
	WRONG_VCPU(root, 0x4008, PARVUS_EINVAL);
	WRONG_VCPU(root, 20 * PAGE_SIZE, PARVUS_EFAULT);
	WRONG_VCPU(root, 33 * PAGE_SIZE, PARVUS_EFAULT);	/* never touched */
	WRONG_VCPU(root, 1ull << 60, PARVUS_EFAULT);
	WRONG_VCPU(as_gen_gpa, 0x4004, PARVUS_EINVAL);
	WRONG_VCPU(as_gen_gpa, 20 * PAGE_SIZE, PARVUS_EFAULT);
	WRONG_VCPU(reserved[0], 1, PARVUS_EINVAL);
	WRONG(b, VCPU, 1, whole.vcpu[1], state, PARVUS_VCPU_BLOCKED, PARVUS_EINVAL);
	WRONG(b, VCPU, 1, whole.vcpu[1], flags, PARVUS_CONTEXT_KERNEL, PARVUS_EINVAL);
	whole.image[0][0] = 0xbb;
	BAD(GIVE(b, XSAVE, 0, whole.image[0]), PARVUS_EINVAL);
	whole.image[0][0] = 0;
	whole.traps[9].vector = 8;
	BAD(GIVE(b, TRAPS, 0, whole.traps), PARVUS_EINVAL);
	whole.traps[9].vector = 9;
	whole.traps[255].address = high;
	BAD(GIVE(b, TRAPS, 0, whole.traps), PARVUS_EINVAL);
	ck_assert_uint_eq(b->own->traps[14].address, 0);
	whole.traps[255].address = 0;

	WRONG_PORT(port, 0);
	WRONG_PORT(port, PARVUS_EVENT_PORTS);
	WRONG_PORT(kind, PARVUS_EVENT_CLOSED);
	WRONG_PORT(kind, PARVUS_EVENT_VIRQ + 1);
	WRONG_PORT(domain, 1);
	WRONG_PORT(vcpu, 2);
	WRONG_PORT(flags, 2);
	WRONG_PORT(source, 3);		/* of one that is not bound */
	WRONG_PORT(reserved0, 1);
	WRONG(b, PORTS, 0, whole.ports[1], source, PARVUS_VIRQ_DOMAIN, PARVUS_EINVAL);
	WRONG(b, PORTS, 0, whole.ports[1], source, PARVUS_VIRQS, PARVUS_EINVAL);
	OK(GIVE(b, PORTS, 0, whole.ports[1]));
	WRONG(b, PORTS, 0, whole.ports[1], port, 9, PARVUS_EEXIST);	/* two of one source */
	WRONG_OFFER(ref, 0, PARVUS_EINVAL);
	WRONG_OFFER(ref, PARVUS_GRANT_MOST + 1, PARVUS_EINVAL);
	WRONG_OFFER(to, 1, PARVUS_EINVAL);
	WRONG_OFFER(flags, 2, PARVUS_EINVAL);
	WRONG_OFFER(reserved0, 1, PARVUS_EINVAL);
	WRONG_OFFER(gfn, 20, PARVUS_EFAULT);
	WRONG_OFFER(gfn, 33, PARVUS_EFAULT);
	WRONG_OFFER(gfn, ~0ull, PARVUS_EFAULT);
	WRONG_DEVICE(front_id, 0, PARVUS_EINVAL);
	WRONG_DEVICE(front_id, 1u << 31, PARVUS_EINVAL);
	WRONG_DEVICE(front_state, PARVUS_DEVICE_GONE, PARVUS_EINVAL);
	WRONG_DEVICE(back_domain, 77, PARVUS_ENOENT);

	/* nothing of all that is there: what is right is taken, and what is missing found */
	BAD(commit(b), PARVUS_EINVAL);
	OK(GIVE(b, HOST, 0, whole.host));
	OK(GIVE(b, DOMAIN, 0, whole.domain));
	OK(GIVE(b, TRAPS, 0, whole.traps));
	OK(GIVE(b, VCPU, 0, whole.vcpu[0]));
	BAD(commit(b), PARVUS_EINVAL);	/* no image, no second vCPU */
	OK(GIVE(b, VCPU, 1, whole.vcpu[1]));
	BAD(commit(b), PARVUS_EINVAL);
	OK(GIVE(b, XSAVE, 0, whole.image[0]));
	OK(GIVE(b, OFFERS, 0, whole.offers[2]));
	OK(GIVE(b, PORTS, 0, whole.ports[0]));
	OK(GIVE(b, DEVICES, 0, whole.devices[0]));
	OK(commit(b));
	read_all(b);
	ck_assert_uint_eq(whole.n[PARVUS_CONTEXT_OFFERS], 1);
	ck_assert_uint_eq(whole.offers[0].ref, 3);
}
END_TEST

/* Nothing that runs is left of a domain that is RUNNING; one that is over has none. */
START_TEST(nobody_runs)
{
	struct domain *b;

	OK(simple(PARVUS_CONTROL_PAUSE, a));
	read_all(a);
	b = target();
	whole.vcpu[0].state = PARVUS_VCPU_STOPPED;
	give_all(b);
	BAD(commit(b), PARVUS_EINVAL);
	whole.vcpu[0].state = PARVUS_VCPU_BLOCKED;
	whole.vcpu[0].vectors[1] = 0;
	whole.domain.state = PARVUS_DOMAIN_SHUTDOWN;
	destroy(b);
	b = target();
	give_all(b);
	BAD(commit(b), PARVUS_EINVAL);
	destroy(b);
	whole.domain.state = PARVUS_DOMAIN_RUNNING;
	b = target();
	give_all(b);
	OK(commit(b));
	ck_assert_int_eq(b->vcpus[0]->state, VCPU_BLOCKED);	/* it stays so */
}
END_TEST

/* An offer to somebody else, who is gone here, holds its number; others' domains do not match. */
START_TEST(others)
{
	struct domain *other = create(1, 0, 0), *b;
	u32 ref = 0;

	OK(grant_offer(a, 9, other->id, 0, &ref));
	OK(simple(PARVUS_CONTROL_PAUSE, a));
	read_all(a);
	ck_assert_uint_eq(whole.offers[3].to, other->id);
	destroy(other);
	read_all(a);
	ck_assert_uint_eq(whole.offers[3].to, PARVUS_CONTEXT_UNKNOWN);
	b = target();
	give_all(b);
	OK(commit(b));
	read_all(b);
	ck_assert_uint_eq(whole.offers[3].to, PARVUS_CONTEXT_UNKNOWN);
	ck_assert_uint_eq(whole.offers[3].ref, 4);
}
END_TEST

/* A number that is asked for, or none; each knows itself by the one that it had. */
START_TEST(numbers)
{
	struct parvus_device r = { .device_class = 9 };
	struct domain *b, *c;
	u32 wanted = a->id + 5 * MAX_DOMAINS;

	ck_assert_ptr_null(create(1, PARVUS_CREATE_NUMBER, a->id));
	ck_assert_ptr_null(create(1, PARVUS_CREATE_NUMBER, wanted));	/* its place */
	ck_assert_ptr_null(create(1, PARVUS_CREATE_NUMBER, 0));
	ck_assert_ptr_null(create(1, PARVUS_CREATE_NUMBER, DOMAIN_IDS));
	ck_assert_ptr_null(create(1, 8, 0));
	b = create(1, PARVUS_CREATE_NUMBER, wanted + 7);
	ck_assert_uint_eq(b->id, wanted + 7);
	c = create(1, 0, 0);
	ck_assert_uint_eq(c->id, a->id + 1);	/* that was no new last one */

	OK(simple(PARVUS_CONTROL_PAUSE, a));
	read_all(a);
	destroy(c);
	c = target();
	OK(populate(b, 0, 16, PARVUS_POPULATE_NOW));
	whole.domain.self = 9;
	whole.devices[0].front_id = 50;
	give_all(c);
	OK(commit(c));
	ck_assert_uint_eq(c->self, 9);
	/* its device: by its own id and number; a new one has both ids alike */
	r.front_domain = c->id;
	r.back_domain = zero->id;
	OK(device(PARVUS_DEVICE_CREATE, 0, &r));
	for (u32 id = 0, n = 0; n < 2; n++) {
		struct parvus_device *d = at(c, 0x8000);

		*d = (struct parvus_device){ .size = sizeof(*d), .version = 1, .id = id };
		OK(hc_device_op(c->vcpus[0], PARVUS_DEVICE_NEXT, 0x8000));
		ck_assert_uint_eq(d->front_domain, 9);
		ck_assert_uint_eq(d->device_class, n ? 9 : 2);
		ck_assert_uint_gt(d->id, id);
		id = d->id;
		if (!n)
			ck_assert_uint_eq(id, whole.devices[0].front_id);
		d->flags = 0;
		d->front_state = PARVUS_DEVICE_INITIALISING;
		OK(hc_device_op(c->vcpus[0], PARVUS_DEVICE_SET, 0x8000));
	}
	/* a port to itself, by the number that it knows */
	OK(bind(c, PARVUS_EVENT_UNBOUND, 0, 0, 0));
	((struct parvus_event_bind *)at(c, 0x8000))->domain = 9;
	OK(hc_event_op(c->vcpus[0], PARVUS_EVENT_BIND, 0x8000));
	OK(hc_event_op(c->vcpus[0], PARVUS_EVENT_STATUS, 0x8000));
	ck_assert_uint_eq(((struct parvus_event_bind *)at(c, 0x8000))->domain, 9);
}
END_TEST

/* Back ends see it closed and back; the front end's state is its own again, and it is told. */
START_TEST(suspend)
{
	struct parvus_device *d = at(zero, BUFFER);
	struct domain *b;

	BAD(device(PARVUS_DEVICE_SUSPEND, a->id, NULL), PARVUS_EBUSY);
	BAD(device(PARVUS_DEVICE_SUSPEND, 77, NULL), PARVUS_ENOENT);
	BAD(device(PARVUS_DEVICE_SUSPEND, zero->id, NULL), PARVUS_EBUSY);
	OK(simple(PARVUS_CONTROL_PAUSE, a));
	*(struct parvus_device *)at(a, 0x8000) = (struct parvus_device){
		.size = sizeof(*d), .version = 1, .id = 1,
		.front_state = PARVUS_DEVICE_INITIALISING };
	OK(hc_device_op(a->vcpus[0], PARVUS_DEVICE_SET, 0x8000));
	BAD(hc_device_op(a->vcpus[0], PARVUS_DEVICE_SUSPEND, 0x8000), PARVUS_EPERM);
	for (unsigned int i = 0; i < 2; i++)	/* twice is once */
		OK(device(PARVUS_DEVICE_SUSPEND, a->id, NULL));
	*d = (struct parvus_device){ .size = sizeof(*d), .version = 1, .id = 1 };
	OK(hc_device_op(zero->vcpus[0], PARVUS_DEVICE_READ, BUFFER));
	ck_assert_uint_eq(d->front_state, PARVUS_DEVICE_CLOSED);
	ck_assert_uint_eq(d->front_changes, 2);
	BAD(hc_device_op(a->vcpus[0], PARVUS_DEVICE_SET, 0x8000), PARVUS_EBUSY);
	read_all(a);
	ck_assert_uint_eq(whole.devices[0].front_state, PARVUS_DEVICE_INITIALISING);
	OK(device(PARVUS_DEVICE_RESUME, a->id, NULL));
	OK(hc_device_op(a->vcpus[0], PARVUS_DEVICE_READ, 0x8000));
	ck_assert_uint_eq(((struct parvus_device *)at(a, 0x8000))->front_state,
			  PARVUS_DEVICE_INITIALISING);
	/* and in another domain it is as it was, with a back end that began anew */
	b = target();
	OK(GIVE_LIST(b, DEVICES, whole.devices));
	*d = (struct parvus_device){ .size = sizeof(*d), .version = 1, .id = 2 };
	OK(hc_device_op(zero->vcpus[0], PARVUS_DEVICE_READ, BUFFER));
	ck_assert_uint_eq(d->front_domain, b->id);
	ck_assert_uint_eq(d->front_state, PARVUS_DEVICE_INITIALISING);
	ck_assert_uint_eq(d->back_state, PARVUS_DEVICE_CLOSED);
	ck_assert_uint_eq(d->back_changes, 2);
	ck_assert_uint_eq(d->config[255], 0x11);
}
END_TEST

/* What there is not enough memory for is given back, and a second try works. */
START_TEST(no_memory)
{
	struct domain *b;
	u32 tries = 0;
	s64 ret = 0;

	OK(simple(PARVUS_CONTROL_PAUSE, a));
	read_all(a);
	b = target();
	for (u32 kind = 0; kind < PARVUS_CONTEXT_KINDS; kind++) {
		const void *records[] = {
			&whole.host, &whole.domain, whole.traps, &whole.vcpu[0], whole.image[0],
			NULL, whole.ports, whole.offers, whole.devices, NULL };
		u32 bytes[] = { sizeof(whole.host), sizeof(whole.domain), sizeof(whole.traps),
				sizeof(whole.vcpu[0]), 576, 0, 64, 72, 544, 0 };

		for (u32 fail = 1; records[kind]; fail++, tries++) {
			native_alloc_fail = fail;
			ret = set(b, kind, 0, records[kind], bytes[kind]);
			if (native_alloc_fail)
				break;
			ck_assert_int_eq(ret, -PARVUS_ENOMEM);
		}
		native_alloc_fail = 0;
		ck_assert(!records[kind] || !ret);
	}
	ck_assert_uint_ge(tries, 9);
	OK(GIVE(b, VCPU, 1, whole.vcpu[1]));
	OK(commit(b));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("context");
	TCase *c = tcase_create("context");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, the_same);
	tcase_add_test(c, events);
	tcase_add_test(c, shut_down);
	tcase_add_test(c, arguments);
	tcase_add_test(c, wrong_members);
	tcase_add_test(c, nobody_runs);
	tcase_add_test(c, others);
	tcase_add_test(c, numbers);
	tcase_add_test(c, suspend);
	tcase_add_test(c, no_memory);
	suite_add_tcase(s, c);
	return native_main(s);
}
