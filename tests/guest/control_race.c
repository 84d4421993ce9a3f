// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control calls of one vCPU of domain 0 race with the destruction of their domain by another:
 * each either works or fails cleanly, and in the end nothing is left.
 * @control 1
 * @vcpus 2
 * @timeout 120
 */
#include "lib/control.h"

static u8 other_page[4096] __attribute__((aligned(4096)));
static volatile u32 target;
static volatile u64 stop, stopped;
static u64 done[PARVUS_CONTROL_OPS], refused[PARVUS_CONTROL_OPS];

static s64 hammer(u64 op, u32 size)
{
	u32 *h = (void *)other_page;

	memset(other_page, 0, sizeof(other_page));
	h[0] = size;
	h[1] = 1;
	h[2] = target;
	switch (op) {
	case PARVUS_CONTROL_POPULATE:
		((struct parvus_control_populate *)(void *)h)->gfn = 900;
		((struct parvus_control_populate *)(void *)h)->frames = 4;
		break;
	case PARVUS_CONTROL_COPY:
		((struct parvus_control_copy *)(void *)h)->flags = PARVUS_COPY_OUT;
		((struct parvus_control_copy *)(void *)h)->gpa = 0x4000;
		((struct parvus_control_copy *)(void *)h)->buffer = pa(other_page) + 2048;
		((struct parvus_control_copy *)(void *)h)->bytes = 1024;
		break;
	case PARVUS_CONTROL_OFFER:
		((struct parvus_control_offer *)(void *)h)->gfn = 5;
		break;
	case PARVUS_CONTROL_REQUEST:
		h[3] = PARVUS_REQUEST_POWEROFF;
		break;
	case PARVUS_CONTROL_MEMORY:
		((struct parvus_control_memory *)(void *)h)->flags = PARVUS_MEMORY_SET_TARGET;
		((struct parvus_control_memory *)(void *)h)->target_frames = 500;
		break;
	case PARVUS_CONTROL_PIN:
		((struct parvus_control_vcpu *)(void *)h)->affinity[0] = 3;
		break;
	}
	return parvus_control_op(op, pa(other_page));
}

void secondary_main(u64 arg)
{
	static const struct { u64 op; u32 size; } ops[] = {
		{ PARVUS_CONTROL_INFO, sizeof(struct parvus_control_info) },
		{ PARVUS_CONTROL_NEXT, sizeof(struct parvus_control_info) },
		{ PARVUS_CONTROL_POPULATE, sizeof(struct parvus_control_populate) },
		{ PARVUS_CONTROL_COPY, sizeof(struct parvus_control_copy) },
		{ PARVUS_CONTROL_OFFER, sizeof(struct parvus_control_offer) },
		{ PARVUS_CONTROL_PORT, sizeof(struct parvus_control_port) },
		{ PARVUS_CONTROL_PAUSE, sizeof(struct parvus_control_domain) },
		{ PARVUS_CONTROL_UNPAUSE, sizeof(struct parvus_control_domain) },
		{ PARVUS_CONTROL_REQUEST, sizeof(struct parvus_control_domain) },
		{ PARVUS_CONTROL_MEMORY, sizeof(struct parvus_control_memory) },
		{ PARVUS_CONTROL_SCHED, sizeof(struct parvus_control_sched) },
		{ PARVUS_CONTROL_VCPU, sizeof(struct parvus_control_vcpu) },
		{ PARVUS_CONTROL_PIN, sizeof(struct parvus_control_vcpu) },
		{ PARVUS_CONTROL_REGS, sizeof(struct parvus_control_regs) },
		{ PARVUS_CONTROL_DESTROY, sizeof(struct parvus_control_domain) },
	};
	u64 n = 0;

	(void)arg;
	while (!stop) {
		u64 i = n++ % (sizeof(ops) / sizeof(ops[0]));
		s64 ret;

		/* it destroys too, but leaves most of that to the other */
		if (ops[i].op == PARVUS_CONTROL_DESTROY && n % 7)
			continue;
		ret = hammer(ops[i].op, ops[i].size);
		if (ret == -PARVUS_ENOENT || ret == -PARVUS_EBUSY || ret == -PARVUS_EAGAIN ||
		    ret == -PARVUS_EEXIST || ret == -PARVUS_ENOMEM || ret == -PARVUS_EFAULT)
			refused[ops[i].op]++;
		else if (!ret)
			done[ops[i].op]++;
		else
			EXPECT_EQ(ret, 0);
	}
	stopped = 1;
	for (;;)
		parvus_vcpu_stop();
}

/* As child_new(), but any call may find that the other vCPU was faster. */
static void round_of(const char *code, int looks)
{
	static u32 next = 1;
	struct parvus_control_start *s;
	s64 id, ret;

	target = next;	/* the number that it will have: it is met half made, too */
	id = child_create("raced", 1024);
	EXPECT(id > 0);
	target = (u32)id;
	next = (u32)id + 1;
	child_populate((u32)id, 0, 900, 0);
	child_copy((u32)id, 0x4000, child_poweroff, (u64)(child_end - child_poweroff));
	s = ARG(parvus_control_start);
	s->domain = (u32)id;
	s->entry = BASE + 0x4000 + (u64)(code - child_poweroff);
	s->root = 0x1000;
	control(PARVUS_CONTROL_START);
	child_unpause((u32)id);
	while (looks--)
		child_info((u32)id);
	ret = child_destroy((u32)id);
	EXPECT(!ret || ret == -PARVUS_ENOENT);
	EXPECT(!child_info((u32)id) || child_info((u32)id)->state == PARVUS_DOMAIN_DYING);
}

void test(void)
{
	u64 free = machine()->frames_free;
	struct parvus_control_machine *m;

	target = 1;
	vcpu_begin(1, 0);
	for (int i = 0; i < 400; i++)
		round_of(i & 1 ? child_spin : child_block, i % 60);
	stop = 1;
	while (!stopped)
		relax();
	m = machine();
	EXPECT_EQ(m->domains, 1);
	EXPECT_EQ(m->frames_free, free);
	EXPECT_EQ(m->ports + m->grants + m->mappings + m->devices, 0);
	/* the race was one: most calls met a domain that was there, and one that was not */
	EXPECT(done[PARVUS_CONTROL_INFO] && refused[PARVUS_CONTROL_INFO]);
	EXPECT(done[PARVUS_CONTROL_COPY] && refused[PARVUS_CONTROL_COPY]);
}
