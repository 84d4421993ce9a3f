// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever a call asks for may not be there (rule 96): the n-th allocation fails, alone or with all
 * behind it, or the n-th access to guest memory (a page may go at any moment), for n = 1 and on
 * until the call does not get so far. It fails by a negative answer, or succeeds all the same; in
 * the end all is as before, free frames, claims, ports, offers, mappings, devices, domains, and the
 * call, made again, works.
 */
#include "native.h"
#include <core/event.h>
#include <core/grant.h>
#include <core/sched.h>
#include <mmu/shadow.h>
#include <parvus/control.h>
#include <parvus/device.h>
#include <parvus/event.h>
#include <parvus/grant.h>
#include <parvus/memory.h>

#define FRAMES	(24 * EXTENT_FRAMES)
#define GPA	0x1000u		/* the structures of calls: two pages */
#define RAM	1100u		/* gfns of a guest: two extents, and some */
#define MAX_GFN	2048u

struct accounts {
	u64 free, claimed, offers, mappings, ports, devices, domains;
};
static struct domain *dom0, *d, *e;
static struct accounts before;

static struct accounts accounts(void)
{
	return (struct accounts){ frames_free_count(), frames_claimed(), grant_offers_total(),
				  grant_mappings_total(), event_ports_total(), device_count(NULL),
				  domains_count() };
}

static void same(const struct accounts *a, const char *what, unsigned int n)
{
	struct accounts now = accounts();

	EXPECT(!memcmp(a, &now, sizeof(now)),
	       "%s, %u: free %lu of %lu, claimed %lu of %lu, offers %lu of %lu, mappings %lu of "
	       "%lu, ports %lu of %lu, devices %lu of %lu, domains %lu of %lu", what, n, now.free,
	       a->free, now.claimed, a->claimed, now.offers, a->offers, now.mappings, a->mappings,
	       now.ports, a->ports, now.devices, a->devices, now.domains, a->domains);
}

/*
 * @begin and @end stand around; @op is done with a fault each time. @again: made once more after it
 * failed, it works; @exact: by itself it leaves nothing.
 */
struct scenario {
	const char *name;
	void (*begin)(void);
	s64 (*op)(void);
	void (*end)(void);
	bool again, exact;
};

static unsigned int run(const struct scenario *s, unsigned int *fault, bool on)
{
	unsigned int n, failed = 0;

	native_fail_on = on;
	for (n = 1; n < 3000; n++) {
		struct accounts a;
		bool reached;
		s64 ret;

		before = accounts();
		if (s->begin)
			s->begin();
		a = accounts();
		native_failed = 0;
		*fault = n;
		ret = s->op();
		reached = native_failed;
		*fault = 0;
		EXPECT(reached || ret >= 0, "%s, %u: %ld without a fault", s->name, n, ret);
		failed += ret < 0;
		if (ret < 0 && s->exact)
			same(&a, s->name, n);
		if (ret < 0 && s->again) {
			ret = s->op();
			EXPECT(ret >= 0, "%s, %u: again %ld", s->name, n, ret);
		}
		if (s->end)
			s->end();
		same(&before, s->name, n);
		if (!reached)
			break;
	}
	EXPECT(n < 3000, "%s: without end", s->name);
	return failed;
}

static void setup(void)
{
	unsigned int cpu;

	native_boot(FRAMES, 1);
	for (cpu = 0; cpu < NATIVE_CPUS; cpu++) {
		EXPECT(!timer_init_cpu(cpu), "no memory");
		sched_init_cpu(cpu);
	}
	dom0 = native_domain("0", 512, 512, 1);
	EXPECT(dom0 && !domain_populate(dom0, _gfn(0), 16), "no memory");
	dom0->control = true;
	dom0->state = DOMAIN_RUNNING;
	native_cpus[0].current = dom0->vcpus[0];
}

static void teardown(void)
{
	native_cpus[0].current = NULL;
	domain_destroy(dom0);
	ck_assert_uint_eq(native_warnings(), 0);
}

/* A structure of a call, where its caller has it. The faults are for the call. */
static void *arg(struct domain *who, size_t bytes)
{
	u64 e0 = gfn_lookup(who, _gfn(GPA >> PAGE_SHIFT));
	u32 *p = frame_map(gfn_entry_mfn(e0));

	memset(p, 0, bytes);
	p[0] = (u32)bytes;
	p[1] = 1;
	return p;
}
#define ARG(type) ((struct type *)arg(dom0, sizeof(struct type)))
static s64 control(u64 op) { return hc_control_op(dom0->vcpus[0], op, GPA); }

/* ---- control: the life of a domain ---- */

static u32 child;

static void nothing_left(void) { panic("it idles"); }

/* Its vCPUs are pCPU 1's to run, and to find ended; that idles then. */
static void reap(void)
{
	static struct regs regs;

	native_on_halt = nothing_left;
	native_this_cpu = 1;
	native_cpus[1].work |= WORK_RESCHED;
	native_panic_wanted = true;
	if (!setjmp(native_panic_to))
		pcpu_work(&regs);
	native_panic_wanted = false;
	native_this_cpu = 0;
}
static void pin(struct domain *g)
{
	for (unsigned int i = 0; i < g->vcpu_count; i++) {
		g->vcpus[i]->sched.cpu = 1;
		g->vcpus[i]->sched.affinity[0] = 2;
	}
}

static void destroy(void);

/* What fails does so while nobody can know of the domain, and destroy it at the same time. */
static unsigned int known;
static void unknown(void)
{
	EXPECT(domains_count() == known, "%u domains, one of them half made", domains_count());
}

static s64 create(void)
{
	struct parvus_control_create *c = ARG(parvus_control_create);
	unsigned int i;
	s64 ret;

	memcpy(c->name, "child", 6);
	c->vcpus = 2;
	c->max_frames = RAM;
	c->extra_gfns = 100;
	c->flags = PARVUS_CREATE_CLAIM;
	known = domains_count();
	native_on_alloc = unknown;
	ret = control(PARVUS_CONTROL_CREATE);
	native_on_alloc = NULL;
	child = ret ? 0 : c->domain;
	if (child)
		pin(domains[child % MAX_DOMAINS]);
	/* the answer was not written, as it always is in domain 0's fixed memory: NEXT has it */
	for (i = 1; i < MAX_DOMAINS && ret == -PARVUS_EFAULT; i++)
		if (domains[i]) {
			child = domains[i]->id;
			destroy();
		}
	return ret;
}
static void create_now(void) { EXPECT(!create(), "create"); }

static void destroy(void)
{
	bool reaped = false;
	s64 ret;

	native_alloc_fail = native_access_fail = 0;	/* it is not what fails */
	if (!child)
		return;
	do {
		ARG(parvus_control_domain)->domain = child;
		ret = control(PARVUS_CONTROL_DESTROY);
		if (ret == -PARVUS_EAGAIN) {
			reap();
			reaped = true;
		}
	} while (ret == -PARVUS_EAGAIN);
	/* its last vCPU may have taken it with it */
	EXPECT(!ret || (reaped && ret == -PARVUS_ENOENT), "destroy: %ld", ret);
	child = 0;
}

static s64 populate_at(u64 gfn, u64 frames, u64 flags)
{
	struct parvus_control_populate *p = ARG(parvus_control_populate);

	p->domain = child;
	p->gfn = gfn;
	p->frames = frames;
	p->flags = flags;
	return control(PARVUS_CONTROL_POPULATE);
}
static s64 populate_now(void) { return populate_at(100, 500, PARVUS_POPULATE_NOW); }
static s64 promise(void) { return populate_at(3, RAM - 3, 0); }
static void promised(void)
{
	create_now();
	EXPECT(!populate_at(0, RAM, 0), "promise");
}

static s64 copy_at(u64 gpa, u64 bytes)
{
	struct parvus_control_copy *c = ARG(parvus_control_copy);

	c->domain = child;
	c->gpa = gpa;
	c->buffer = 0x4000;
	c->bytes = bytes;
	return control(PARVUS_CONTROL_COPY);
}
static s64 copy(void) { return copy_at(0x1ff800, 0x3000); }

static s64 offer_for(void)
{
	struct parvus_control_offer *o = ARG(parvus_control_offer);

	o->domain = child;
	o->to = dom0->id;
	o->gfn = 9;
	return control(PARVUS_CONTROL_OFFER);
}

static s64 port_for(void)
{
	struct parvus_control_port *p = ARG(parvus_control_port);

	p->domain = child;
	p->to = dom0->id;
	return control(PARVUS_CONTROL_PORT);
}

static s64 start(void)
{
	struct parvus_control_start *s = ARG(parvus_control_start);

	s->domain = child;
	s->entry = 0x1000;
	s->root = 0x8000;
	return control(PARVUS_CONTROL_START);
}

static s64 target_is(u64 frames)
{
	struct parvus_control_memory *m = ARG(parvus_control_memory);

	m->domain = child;
	m->flags = PARVUS_MEMORY_SET_MAX | PARVUS_MEMORY_SET_TARGET;
	m->max_frames = RAM;
	m->target_frames = frames;
	return control(PARVUS_CONTROL_MEMORY);
}
static s64 target(void) { return target_is(RAM); }
static void small(void)
{
	create_now();
	EXPECT(!target_is(100), "target");
}

/* All of it; what fails on the way is taken away. */
static s64 life(void)
{
	s64 ret = create();

	if (ret)
		return ret;
	ret = promise();
	ret = ret ? ret : copy_at(0x8000, 4096);
	ret = ret ? ret : offer_for();
	ret = ret ? ret : port_for();
	ret = ret ? ret : start();
	ret = ret ? ret : target();
	if (ret)
		destroy();
	return ret;
}

static const struct scenario control_scenarios[] = {
	{ "create", NULL, create, destroy, true, true },
	{ "populate", create_now, populate_now, destroy, false, false },
	{ "promise", create_now, promise, destroy, false, false },
	{ "copy", promised, copy, destroy, true, false },
	{ "offer", promised, offer_for, destroy, true, false },
	{ "port", promised, port_for, destroy, true, false },
	{ "start", promised, start, destroy, false, false },
	{ "target", small, target, destroy, true, true },
	{ "life", NULL, life, destroy, true, true },
};

/* ---- a guest's own calls ---- */

static struct domain *guest(void)
{
	struct domain *g = native_domain("g", MAX_GFN, MAX_GFN, 3);

	EXPECT(g && !domain_promise(g, _gfn(0), RAM), "no memory");
	for (u64 i = 0; i < 40; i++)	/* calls, tables */
		EXPECT(gfn_is_ram(gfn_touch(g, _gfn(i), false)), "no memory");
	for (u64 i = 16; i < 20; i++)
		memset(frame_map(gfn_entry_mfn(gfn_lookup(g, _gfn(i)))), 0, PAGE_SIZE);
	g->state = DOMAIN_RUNNING;
	g->alive_vcpus = 1;	/* the first; its calls are made here */
	pin(g);
	return g;
}

static void guests(void)
{
	d = guest();
	e = guest();
}

static void guests_end(void)
{
	domain_destroy(d);
	domain_destroy(e);
}

static s64 touches(void)
{
	u64 gfn;

	for (gfn = 40; gfn < RAM; gfn += 37)
		if (gfn_touch(d, _gfn(gfn), false) & GFN_DEMAND)
			return -PARVUS_ENOMEM;
	return 0;
}

#define BATCH	60u
static u32 refs[BATCH], handles[BATCH];

static s64 grant(struct domain *who, u64 op, u64 n)
{
	return hc_grant_op(who->vcpus[0], op, GPA, n);
}

/* All are offered, or none; a record that could not be written is one that is not known. */
static s64 offers(void)
{
	struct parvus_grant_offer *o = arg(d, BATCH * sizeof(*o));
	unsigned int access = native_access_fail, i;
	s64 ret, bad = 0;

	memset(o, 0, BATCH * sizeof(*o));
	for (i = 0; i < BATCH; i++)
		o[i] = (struct parvus_grant_offer){ .gfn = 40 + 9 * i, .domain = e->id,
						    .status = 99 };
	ret = grant(d, PARVUS_GRANT_OFFER, BATCH);
	for (i = 0; i < BATCH; i++) {
		refs[i] = o[i].status ? 0 : o[i].ref;
		bad = o[i].status ? -1 : bad;
	}
	EXPECT(!access || !native_failed || ret < (s64)BATCH, "an access failed, %ld", ret);
	return ret < 0 ? ret : bad;
}
static void offered(void)
{
	guests();
	EXPECT(!offers(), "offers");
}

static s64 maps(void)
{
	struct parvus_grant_map *m = arg(e, BATCH * sizeof(*m));
	unsigned int i;
	s64 ret, bad = 0;

	memset(m, 0, BATCH * sizeof(*m));
	for (i = 0; i < BATCH; i++)
		m[i] = (struct parvus_grant_map){ .gfn = RAM + 10 * i, .domain = d->id,
						  .ref = refs[i], .status = 99 };
	ret = grant(e, PARVUS_GRANT_MAP, BATCH);
	for (i = 0; i < BATCH; i++) {
		handles[i] = m[i].status ? 0 : m[i].handle;
		bad = m[i].status ? -1 : bad;
	}
	return ret < 0 ? ret : bad;
}

static s64 bind(u32 kind, u32 virq)
{
	struct parvus_event_bind *b = arg(d, sizeof(*b));

	b->kind = kind;
	b->domain = e->id;
	b->virq = virq;
	return hc_event_op(d->vcpus[0], PARVUS_EVENT_BIND, GPA);
}

static s64 ports(void)
{
	unsigned int i;
	s64 ret = 0;

	for (i = 0; i < 200 && !ret; i++)
		ret = bind(PARVUS_EVENT_UNBOUND, 0);
	return ret;
}
static s64 page(void)
{
	s64 ret = hc_event_op(d->vcpus[0], PARVUS_EVENT_REGISTER, 60 << PAGE_SHIFT);

	return ret == -PARVUS_EBUSY ? 0 : ret;
}

static s64 device(void)
{
	struct parvus_device *r = arg(dom0, sizeof(*r));
	s64 ret;

	r->device_class = 9;
	r->front_domain = d->id;
	r->back_domain = dom0->id;
	ret = hc_device_op(dom0->vcpus[0], PARVUS_DEVICE_CREATE, GPA);
	return ret == -PARVUS_EEXIST ? 0 : ret;
}

static s64 vcpu_start(void)
{
	struct parvus_vcpu_context *c = arg(d, sizeof(*c));

	c->rip = 0x1000;
	c->root = 16 << PAGE_SHIFT;
	c->area_gpa = 700 << PAGE_SHIFT;	/* a first touch */
	return hc_vcpu_start(d->vcpus[0], 1, GPA);
}
static void vcpu_end(void)
{
	domain_kill(d, "it has been started");
	reap();
	guests_end();
}

/* A frame of a 2 MiB extent is given back: the extent needs a table first. */
static void whole(void)
{
	d = native_domain("w", MAX_GFN, MAX_GFN, 1);
	EXPECT(d && !domain_populate(d, _gfn(0), 2 * EXTENT_FRAMES), "no memory");
}
static s64 release(void)
{
	struct parvus_memory_extent *x = arg(d, sizeof(*x));

	x->gfn = 600;
	x->frames = 3;
	return hc_memory_op(d->vcpus[0], PARVUS_MEMORY_RELEASE, GPA, 1);
}
static void whole_end(void) { domain_destroy(d); }

/* Address spaces and their shadows: the pool grows as it can, and evicts where it cannot. */
static void spaces(void)
{
	u64 *t[4], i;

	d = guest();
	for (i = 0; i < 4; i++)
		t[i] = frame_map(gfn_entry_mfn(gfn_lookup(d, _gfn(16 + i))));
	t[0][0] = 17 << PAGE_SHIFT | 7;
	t[1][0] = 18 << PAGE_SHIFT | 7;
	for (i = 0; i < 512; i++)
		t[2][i] = 19 << PAGE_SHIFT | 7;
	for (i = 0; i < 512; i++)
		t[3][i] = (i % 40) << PAGE_SHIFT | 7;
	native_this_cpu = 0;
	shadow_start(d->vcpus[0], _gfn(16));
	shadow_load(d->vcpus[0]);
	native_cpus[0].current = d->vcpus[0];
}
static s64 faults(void)
{
	u32 error;
	u64 id, i;

	for (id = 1; id < 6; id++) {
		s64 ret = hc_mmu_switch(d->vcpus[0], id, 16 << PAGE_SHIFT, 0, 1, 0, 0);

		if (ret)
			return ret;
		for (i = 0; i < 120; i++) {
			enum shadow_result r = shadow_fault(d->vcpus[0], i << 21 | i << 12, 0, true,
							    0x1000 + i, &error);

			EXPECT(r == SHADOW_DONE || r == SHADOW_WAIT, "result %d", r);
			if (r == SHADOW_WAIT)
				return -PARVUS_ENOMEM;
		}
	}
	return 0;
}
static void spaces_end(void)
{
	native_cpus[0].current = dom0->vcpus[0];
	shadow_unload(d->vcpus[0]);
	domain_destroy(d);
}

/* The other end has to see that it is gone. */
static void device_end(void)
{
	guests_end();
	do
		arg(dom0, sizeof(struct parvus_device));
	while (!hc_device_op(dom0->vcpus[0], PARVUS_DEVICE_CHANGED, GPA));
}

static const struct scenario guest_scenarios[] = {
	{ "touch", guests, touches, guests_end, true, false },
	{ "offers", guests, offers, guests_end, true, false },
	{ "maps", offered, maps, guests_end, false, false },
	{ "ports", guests, ports, guests_end, true, false },
	{ "event page", guests, page, guests_end, true, false },
	{ "device", guests, device, device_end, true, false },
	{ "vcpu", guests, vcpu_start, vcpu_end, true, false },
	{ "release", whole, release, whole_end, true, true },
	{ "spaces", spaces, faults, spaces_end, true, false },
};

static void all(const struct scenario *s, unsigned int count, unsigned int *fault,
		const char *never)
{
	unsigned int i, failed;

	for (i = 0; i < count; i++) {
		failed = run(&s[i], fault, false) + run(&s[i], fault, true);
		/* @never: of these no fault of the kind is a failure */
		EXPECT(failed || strstr(never, s[i].name), "%s never failed", s[i].name);
	}
}

START_TEST(control_allocations)
{
	all(control_scenarios, ARRAY_SIZE(control_scenarios), &native_alloc_fail, "start");
}
END_TEST
START_TEST(control_accesses)
{
	all(control_scenarios, ARRAY_SIZE(control_scenarios), &native_access_fail, "");
}
END_TEST
START_TEST(guest_allocations)
{
	all(guest_scenarios, ARRAY_SIZE(guest_scenarios), &native_alloc_fail,
	    "event page spaces vcpu");
}
END_TEST
START_TEST(guest_accesses)
{
	all(guest_scenarios, ARRAY_SIZE(guest_scenarios), &native_access_fail, "touch spaces");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("injection");
	TCase *c = tcase_create("injection");

	tcase_set_timeout(c, 30);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, control_allocations);
	tcase_add_test(c, control_accesses);
	tcase_add_test(c, guest_allocations);
	tcase_add_test(c, guest_accesses);
	suite_add_tcase(s, c);
	return native_main(s);
}
