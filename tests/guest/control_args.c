// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bad arguments of every control call, the wrong state for each, and domain 0 itself where
 * it must not be named. Nothing changes, nothing is lost.
 * @control 1
 */
#include "lib/control.h"

#define BAD(call, err) EXPECT_EQ(call, -(s64)(err))

static const u32 sizes[PARVUS_CONTROL_OPS] = {
	sizeof(struct parvus_control_machine), sizeof(struct parvus_control_create),
	sizeof(struct parvus_control_info), sizeof(struct parvus_control_info),
	sizeof(struct parvus_control_populate), sizeof(struct parvus_control_copy),
	sizeof(struct parvus_control_offer), sizeof(struct parvus_control_port),
	sizeof(struct parvus_control_start), sizeof(struct parvus_control_domain),
	sizeof(struct parvus_control_domain), sizeof(struct parvus_control_domain),
	sizeof(struct parvus_control_domain), sizeof(struct parvus_control_name),
	sizeof(struct parvus_control_memory), sizeof(struct parvus_control_sched),
	sizeof(struct parvus_control_vcpu), sizeof(struct parvus_control_vcpu),
	sizeof(struct parvus_control_regs), sizeof(struct parvus_control_log),
	sizeof(struct parvus_control_trace), sizeof(struct parvus_control_cpu),
	sizeof(struct parvus_control_domain), sizeof(struct parvus_control_clock),
	sizeof(struct parvus_control_interrupt), sizeof(struct parvus_control_cpuid),
	sizeof(struct parvus_control_context),
};

/* Do they begin with the domain's number, and may that be domain 0's? */
static bool names_domain(u64 op)
{
	return op != PARVUS_CONTROL_MACHINE && op != PARVUS_CONTROL_CREATE &&
	       op != PARVUS_CONTROL_NEXT && op != PARVUS_CONTROL_LOG &&
	       op != PARVUS_CONTROL_TRACE && op != PARVUS_CONTROL_CPU &&
	       op != PARVUS_CONTROL_CLOCK && op != PARVUS_CONTROL_INTERRUPT;
}

static bool domain0_allowed(u64 op)
{
	return op == PARVUS_CONTROL_INFO || op == PARVUS_CONTROL_RENAME ||
	       op == PARVUS_CONTROL_SCHED || op == PARVUS_CONTROL_VCPU ||
	       op == PARVUS_CONTROL_PIN || op == PARVUS_CONTROL_VCPUS ||
	       op == PARVUS_CONTROL_CPUID;
}

static void headers(void)
{
	for (u64 op = 0; op < PARVUS_CONTROL_OPS; op++) {
		u32 *h = arg_new(sizes[op]);

		BAD(parvus_control_op(op, start_info->ram_size + (64ull << 30)), PARVUS_EFAULT);
		BAD(parvus_control_op(op, ~0ull), PARVUS_EINVAL);	/* across a page */
		BAD(parvus_control_op(op, pa(control_page) + 4096 - sizes[op] + 8), PARVUS_EINVAL);
		h[1] = 0;
		BAD(control(op), PARVUS_EINVAL);
		h[1] = 2;
		BAD(control(op), PARVUS_EINVAL);
		h[1] = 1;
		h[0] = sizes[op] - 1;
		BAD(control(op), PARVUS_EINVAL);
		h[0] = 0;
		BAD(control(op), PARVUS_EINVAL);
		arg_new(sizes[op]);
		if (!names_domain(op))
			continue;
		h[2] = 77;
		BAD(control(op), PARVUS_ENOENT);
		h[2] = 0x12345678;
		BAD(control(op), PARVUS_ENOENT);
		h[2] = start_info->domain;
		if (!domain0_allowed(op))
			BAD(control(op), PARVUS_EINVAL);
	}
	BAD(parvus_control_op(PARVUS_CONTROL_OPS, pa(control_page)), PARVUS_ENOSYS);
	BAD(parvus_control_op(~0ull, pa(control_page)), PARVUS_ENOSYS);
}

static struct parvus_control_create *good_create(void)
{
	struct parvus_control_create *c = ARG(parvus_control_create);

	c->vcpus = 1;
	c->max_frames = 16;
	c->name[0] = 'x';
	return c;
}

static void creates(void)
{
	struct parvus_control_create *c;

#define WITH(change) (c = good_create(), change, control(PARVUS_CONTROL_CREATE))
	BAD(WITH(c->vcpus = 0), PARVUS_EINVAL);
	BAD(WITH(c->vcpus = PARVUS_MAX_VCPUS + 1), PARVUS_EINVAL);
	BAD(WITH(c->vcpus = ~0u), PARVUS_EINVAL);
	BAD(WITH(c->max_frames = 0), PARVUS_EINVAL);
	BAD(WITH(c->max_frames = ~0ull), PARVUS_EINVAL);
	BAD(WITH(c->max_frames = (512ull << 30 >> 12) + 1), PARVUS_EINVAL);
	BAD(WITH(c->extra_gfns = ~0ull), PARVUS_EINVAL);
	BAD(WITH(c->weight = 65536), PARVUS_EINVAL);
	BAD(WITH(c->cap = ~0u), PARVUS_EINVAL);
	BAD(WITH(c->flags = PARVUS_CREATE_TSC << 1), PARVUS_EINVAL);
	BAD(WITH(c->flags = PARVUS_CREATE_NUMBER), PARVUS_EINVAL);
	BAD(WITH((c->flags = PARVUS_CREATE_NUMBER, c->domain = 0x7f80)), PARVUS_EINVAL);
	BAD(WITH((c->flags = PARVUS_CREATE_CLAIM, c->max_frames = 1ull << 24)), PARVUS_ENOMEM);
	EXPECT_EQ(machine()->frames_claimed, 0);
	BAD(WITH(c->reserved[3] = 1), PARVUS_EINVAL);
	BAD(WITH(c->name[0] = 0), PARVUS_EINVAL);
	BAD(WITH(c->name[0] = ' '), PARVUS_EINVAL);
	BAD(WITH(c->name[0] = '"'), PARVUS_EINVAL);
	BAD(WITH(c->name[0] = 0x7f), PARVUS_EINVAL);
	BAD(WITH(memset(c->name, 'n', 32)), PARVUS_EINVAL);
#undef WITH
}

/* The last one that was right holds, to the ns, and domain 0 sees it as others do. */
static void clock_set(void)
{
	struct parvus_control_clock *c = ARG(parvus_control_clock);
	u64 was = machine()->wall_sec;

	EXPECT_EQ(parvus_wall_read() / 1000000000, was);
	EXPECT_EQ(was, start_info->wall_sec);
	c = ARG(parvus_control_clock);
	c->wall_sec = 1234567890;
	c->wall_nsec = 987654321;
	EXPECT_EQ(control(PARVUS_CONTROL_CLOCK), 0);
	EXPECT_EQ(parvus_wall_read(), 1234567890987654321);
	c->wall_nsec = 1000000000;
	BAD(control(PARVUS_CONTROL_CLOCK), PARVUS_EINVAL);
	c->wall_nsec = ~0u;
	BAD(control(PARVUS_CONTROL_CLOCK), PARVUS_EINVAL);
	c->wall_nsec = 0;
	c->wall_sec = 1ull << 32;
	BAD(control(PARVUS_CONTROL_CLOCK), PARVUS_EINVAL);
	c->wall_sec = ~0ull;
	BAD(control(PARVUS_CONTROL_CLOCK), PARVUS_EINVAL);
	c->wall_sec = 1;
	c->reserved0 = 1;
	BAD(control(PARVUS_CONTROL_CLOCK), PARVUS_EINVAL);
	EXPECT_EQ(parvus_wall_read(), 1234567890987654321);
	EXPECT_EQ(machine()->wall_sec, 1234567890);
	c = ARG(parvus_control_clock);
	c->wall_sec = ~0u;	/* in 2106, and still no error of a call */
	c->wall_nsec = 999999999;
	EXPECT_EQ(control(PARVUS_CONTROL_CLOCK), 0);
	EXPECT_EQ(parvus_wall_read(), 4294967295999999999);
	c->wall_sec = was;
	c->wall_nsec = 0;
	EXPECT_EQ(control(PARVUS_CONTROL_CLOCK), 0);
}

static void builds(void)
{
	u32 id = (u32)child_create("built", 1024);
	struct parvus_control_start *s;
	struct parvus_control_copy *c;
	struct parvus_control_offer *o;
	struct parvus_control_port *p;

	EXPECT(id > 0);
	BAD(child_populate(id, 0, 1025, 0), PARVUS_EINVAL);
	BAD(child_populate(id, 0, ~0ull, 0), PARVUS_EINVAL);
	BAD(child_populate(id, ~0ull, 2, 0), PARVUS_EINVAL);
	BAD(child_populate(id, 1024, 1, 0), PARVUS_EINVAL);
	BAD(child_populate(id, 0, 1, 2), PARVUS_EINVAL);
	BAD(child_populate(id, 0, 1024, PARVUS_POPULATE_NOW), PARVUS_E2BIG);
	EXPECT_EQ(child_populate(id, 0, 512, 0), 0);
	BAD(child_populate(id, 0, 1, 0), PARVUS_EEXIST);
	BAD(child_populate(id, 511, 1, PARVUS_POPULATE_NOW), PARVUS_EEXIST);
	EXPECT_EQ(child_populate(id, 600, 10, PARVUS_POPULATE_NOW), 0);
	EXPECT_EQ(child_info(id)->frames, 522);
	/* copies: what is no RAM of either, what is too long, what wraps */
	BAD(child_copy(id, 0x200000, control_page, 16), PARVUS_EFAULT);
	BAD(child_copy(id, ~0ull, control_page, 16), PARVUS_EINVAL);
	BAD(child_copy(id, 0, control_page, PARVUS_COPY_MAX + 1), PARVUS_E2BIG);
	BAD(child_copy(id, 0, control_page, ~0ull), PARVUS_EINVAL);
	c = ARG(parvus_control_copy);
	c->domain = id;
	c->flags = 2;
	BAD(control(PARVUS_CONTROL_COPY), PARVUS_EINVAL);
	c->flags = PARVUS_COPY_OUT;
	c->bytes = 16;
	c->buffer = 0x100000;	/* the hypervisor */
	BAD(control(PARVUS_CONTROL_COPY), PARVUS_EFAULT);
	c->flags = 0;
	BAD(control(PARVUS_CONTROL_COPY), PARVUS_EFAULT);
	c->buffer = 0xfee00000;	/* the local APIC */
	BAD(control(PARVUS_CONTROL_COPY), PARVUS_EFAULT);
	o = ARG(parvus_control_offer);
	o->domain = id;
	o->gfn = 1000;
	BAD(control(PARVUS_CONTROL_OFFER), PARVUS_EFAULT);
	o->gfn = 0;
	o->flags = 2;
	BAD(control(PARVUS_CONTROL_OFFER), PARVUS_EINVAL);
	p = ARG(parvus_control_port);
	p->domain = id;
	p->reserved0 = 1;
	BAD(control(PARVUS_CONTROL_PORT), PARVUS_EINVAL);
	/* not started: nothing to unpause, to ask, to begin with a bad state */
	BAD(child_unpause(id), PARVUS_EBUSY);
	BAD(child_op(PARVUS_CONTROL_REQUEST, id, 1), PARVUS_EBUSY);
	BAD(child_op(PARVUS_CONTROL_REQUEST, id, 7), PARVUS_EINVAL);
	s = ARG(parvus_control_start);
	s->domain = id;
	s->entry = 0x800000000000;
	s->root = 0x1000;
	BAD(control(PARVUS_CONTROL_START), PARVUS_EINVAL);
	s->entry = 0;
	s->root = 0x1001;
	BAD(control(PARVUS_CONTROL_START), PARVUS_EINVAL);
	s->root = 1ull << 40;
	BAD(control(PARVUS_CONTROL_START), PARVUS_EFAULT);
	s->root = 0x1000;
	s->reserved[0] = 1;
	BAD(control(PARVUS_CONTROL_START), PARVUS_EINVAL);
	EXPECT_EQ(child_state(id), PARVUS_DOMAIN_BUILDING);
	EXPECT_EQ(child_destroy(id), 0);
}

static void running(void)
{
	u32 id = (u32)child_new("runs", 1024, child_spin, 0);
	struct parvus_control_memory *m;
	struct parvus_control_sched *s;
	struct parvus_control_vcpu *v;
	struct parvus_control_regs *r;
	struct parvus_control_name *n;
	struct parvus_control_cpu *c;

	EXPECT_EQ(child_unpause(id), 0);
	while (!child_info(id)->run_ns)
		parvus_yield();
	/* it is built: no more building */
	BAD(child_populate(id, 1000, 1, 0), PARVUS_EBUSY);
	BAD(child_copy(id, 0, control_page, 16), PARVUS_EBUSY);
	BAD(child_begin(id, 0, 0), PARVUS_EBUSY);
	ARG(parvus_control_offer)->domain = id;
	BAD(control(PARVUS_CONTROL_OFFER), PARVUS_EBUSY);
	ARG(parvus_control_port)->domain = id;
	BAD(control(PARVUS_CONTROL_PORT), PARVUS_EBUSY);
	r = ARG(parvus_control_regs);
	r->domain = id;
	BAD(control(PARVUS_CONTROL_REGS), PARVUS_EBUSY);
	r->vcpu = 1;
	BAD(control(PARVUS_CONTROL_REGS), PARVUS_ENOENT);
	m = ARG(parvus_control_memory);
	m->domain = id;
	BAD(control(PARVUS_CONTROL_MEMORY), PARVUS_EINVAL);
	m->flags = 4;
	BAD(control(PARVUS_CONTROL_MEMORY), PARVUS_EINVAL);
	m->flags = PARVUS_MEMORY_SET_MAX;
	BAD(control(PARVUS_CONTROL_MEMORY), PARVUS_EINVAL);
	m->max_frames = 1025;
	BAD(control(PARVUS_CONTROL_MEMORY), PARVUS_EINVAL);
	m->flags = PARVUS_MEMORY_SET_TARGET;
	m->target_frames = 1025;
	BAD(control(PARVUS_CONTROL_MEMORY), PARVUS_EINVAL);
	m->flags = 3;
	m->max_frames = 600;
	m->target_frames = 601;
	BAD(control(PARVUS_CONTROL_MEMORY), PARVUS_EINVAL);
	m->target_frames = 600;
	EXPECT_EQ(control(PARVUS_CONTROL_MEMORY), 0);
	EXPECT_EQ(child_info(id)->max_frames, 600);
	EXPECT_EQ(child_info(id)->target_frames, 600);
	s = ARG(parvus_control_sched);
	s->domain = id;
	s->flags = 4;
	BAD(control(PARVUS_CONTROL_SCHED), PARVUS_EINVAL);
	s->flags = PARVUS_SCHED_SET_WEIGHT;
	BAD(control(PARVUS_CONTROL_SCHED), PARVUS_EINVAL);
	s->weight = 65536;
	BAD(control(PARVUS_CONTROL_SCHED), PARVUS_EINVAL);
	s->flags = PARVUS_SCHED_SET_CAP;
	s->cap = 6401;
	BAD(control(PARVUS_CONTROL_SCHED), PARVUS_EINVAL);
	s->flags = 3;
	s->weight = 512;
	s->cap = 50;
	EXPECT_EQ(control(PARVUS_CONTROL_SCHED), 0);
	EXPECT_EQ(child_info(id)->weight, 512);
	EXPECT_EQ(child_info(id)->cap, 50);
	v = ARG(parvus_control_vcpu);
	v->domain = id;
	BAD(control(PARVUS_CONTROL_PIN), PARVUS_EINVAL);	/* no CPU */
	v->affinity[0] = 1ull << 63;
	v->affinity[3] = 1ull << 63;
	BAD(control(PARVUS_CONTROL_PIN), PARVUS_EINVAL);	/* none that is there */
	v->affinity[0] = 1;
	v->vcpu = 1;
	BAD(control(PARVUS_CONTROL_PIN), PARVUS_ENOENT);
	BAD(control(PARVUS_CONTROL_VCPU), PARVUS_ENOENT);
	v->vcpu = 0;
	EXPECT_EQ(control(PARVUS_CONTROL_PIN), 0);
	v->affinity[0] = v->affinity[3] = 0;
	EXPECT_EQ(control(PARVUS_CONTROL_VCPU), 0);
	EXPECT_EQ(v->affinity[0], 1);
	EXPECT_EQ(v->affinity[3], 1ull << 63);
	BAD(child_op(PARVUS_CONTROL_VCPUS, id, 0), PARVUS_EINVAL);
	BAD(child_op(PARVUS_CONTROL_VCPUS, id, 2), PARVUS_EINVAL);
	EXPECT_EQ(child_op(PARVUS_CONTROL_VCPUS, id, 1), 0);
	n = ARG(parvus_control_name);
	n->domain = id;
	BAD(control(PARVUS_CONTROL_RENAME), PARVUS_EINVAL);
	n->name[0] = 'n';
	n->reserved0 = 1;
	BAD(control(PARVUS_CONTROL_RENAME), PARVUS_EINVAL);
	n->reserved0 = 0;
	EXPECT_EQ(control(PARVUS_CONTROL_RENAME), 0);
	EXPECT(child_info(id)->name[0] == 'n' && !child_info(id)->name[1]);
	c = ARG(parvus_control_cpu);
	c->cpu = 63;
	BAD(control(PARVUS_CONTROL_CPU), PARVUS_ENOENT);
	c->cpu = 0;
	c->reserved[1] = 1;
	BAD(control(PARVUS_CONTROL_CPU), PARVUS_EINVAL);
	ARG(parvus_control_interrupt)->reserved[3] = 1;
	BAD(control(PARVUS_CONTROL_INTERRUPT), PARVUS_EINVAL);
	EXPECT_EQ(child_destroy(id), 0);
}

/* A domain with a claim: put aside when it is made, moved by the target, gone with it. */
static void claims(void)
{
	struct parvus_control_create *c = good_create();
	struct parvus_control_memory *m;
	u64 free;
	u32 id, other;

	c->max_frames = 4096;
	c->flags = PARVUS_CREATE_CLAIM;
	EXPECT_EQ(control(PARVUS_CONTROL_CREATE), 0);
	id = c->domain;
	EXPECT_EQ(machine()->frames_claimed, 4104);
	for (u64 i = 0; i < 2; i++) {
		m = ARG(parvus_control_memory);
		m->domain = id;
		m->flags = PARVUS_MEMORY_SET_TARGET;
		m->target_frames = i ? 4096 : 100;
		EXPECT_EQ(control(PARVUS_CONTROL_MEMORY), 0);
		EXPECT_EQ(machine()->frames_claimed, i ? 4104 : 108);
	}
	m = ARG(parvus_control_memory);
	m->domain = id;
	m->flags = PARVUS_MEMORY_SET_TARGET;
	m->target_frames = 1;
	EXPECT_EQ(control(PARVUS_CONTROL_MEMORY), 0);
	/* what it gave up is another one's now: it is told no, and nothing has changed */
	free = machine()->frames_free - machine()->frames_claimed;
	c = good_create();
	c->max_frames = free - 1500;	/* and what it needs besides */
	c->flags = PARVUS_CREATE_CLAIM;
	c->name[0] = 'y';
	EXPECT_EQ(control(PARVUS_CONTROL_CREATE), 0);
	other = c->domain;
	m = ARG(parvus_control_memory);
	m->domain = id;
	m->flags = PARVUS_MEMORY_SET_TARGET;
	m->target_frames = 4096;
	BAD(control(PARVUS_CONTROL_MEMORY), PARVUS_ENOMEM);
	EXPECT_EQ(child_destroy(other), 0);
	EXPECT_EQ(child_destroy(id), 0);
	EXPECT_EQ(machine()->frames_claimed, 0);
}

void test(void)
{
	u64 free = machine()->frames_free;

	headers();
	clock_set();
	creates();
	builds();
	running();
	claims();
	EXPECT_EQ(machine()->frames_free, free);
	EXPECT_EQ(machine()->domains, 1);
}
