// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of domains that domain 0 makes: built, started paused, run, ended, looked at,
 * destroyed, over and over; each way of ending leaves frames, ports, grants and devices
 * as they were. Memory that was promised costs nothing until it is touched.
 * @control 1
 * @timeout 120
 */
#include "lib/control.h"

static struct parvus_control_machine before;

static void same(void)
{
	struct parvus_control_machine *m = machine();

	EXPECT_EQ(m->frames_free, before.frames_free);
	EXPECT_EQ(m->frames_promised, before.frames_promised);
	EXPECT_EQ(m->domains, before.domains);
	EXPECT_EQ(m->ports, before.ports);
	EXPECT_EQ(m->grants, before.grants);
	EXPECT_EQ(m->mappings, before.mappings);
	EXPECT_EQ(m->devices, before.devices);
}

static void one_life(void)
{
	u32 id = (u32)child_new("first", 4096, child_poweroff, 42);
	struct parvus_control_info *i = child_info(id);
	struct parvus_control_regs *r;
	u64 frames_free;

	EXPECT_EQ(i->state, PARVUS_DOMAIN_RUNNING);
	EXPECT_EQ(i->flags & PARVUS_INFO_PAUSED, PARVUS_INFO_PAUSED);
	EXPECT_EQ(i->frames, 4096);
	EXPECT_EQ(i->max_frames, 4096);
	EXPECT(i->touched >= 4 && i->touched <= 512);
	EXPECT_EQ(i->weight, 256);
	EXPECT_EQ(i->vcpus, 1);
	EXPECT_EQ(i->vcpus_online, 1);
	EXPECT(!(i->flags & PARVUS_INFO_CONTROL));
	EXPECT(i->name[0] == 'f' && i->name[4] == 't' && !i->name[5]);
	EXPECT_EQ(i->run_ns, 0);
	/* a paused one does not run */
	for (int n = 0; n < 1000; n++)
		parvus_yield();
	EXPECT_EQ(child_info(id)->run_ns, 0);
	r = ARG(parvus_control_regs);
	r->domain = id;
	EXPECT_EQ(control(PARVUS_CONTROL_REGS), 0);
	EXPECT_EQ(r->started, 1);
	EXPECT_EQ(r->rip, BASE + 0x4000);
	EXPECT_EQ(r->rsi, 42);
	EXPECT_EQ(r->cs, PARVUS_KERNEL_CS);
	EXPECT_EQ(r->cr3, 0x1000);
	EXPECT_EQ(child_unpause(id), 0);
	child_wait(id, PARVUS_DOMAIN_SHUTDOWN);
	i = child_info(id);
	EXPECT_EQ(i->reason, PARVUS_SHUTDOWN_POWEROFF);
	EXPECT_EQ(i->status, 42);
	EXPECT(i->run_ns > 0);
	/* what has ended is there to be looked at, and neither goes on nor begins again */
	EXPECT_EQ(child_unpause(id), -(s64)PARVUS_EBUSY);
	EXPECT_EQ(child_op(PARVUS_CONTROL_PAUSE, id, 0), -(s64)PARVUS_EBUSY);
	EXPECT_EQ(child_begin(id, BASE + 0x4000, 0), -(s64)PARVUS_EBUSY);
	EXPECT_EQ(child_op(PARVUS_CONTROL_REQUEST, id, PARVUS_REQUEST_POWEROFF),
		  -(s64)PARVUS_EBUSY);
	frames_free = machine()->frames_free;
	EXPECT_EQ(child_destroy(id), 0);
	EXPECT(machine()->frames_free > frames_free);
	EXPECT_EQ(child_destroy(id), -(s64)PARVUS_ENOENT);
	EXPECT(!child_info(id));
	same();
}

static void ways_to_end(void)
{
	u32 id;

	/* half built */
	EXPECT((id = (u32)child_create("half", 1024)) > 0);
	EXPECT_EQ(child_populate(id, 0, 1024, 0), 0);
	EXPECT_EQ(child_state(id), PARVUS_DOMAIN_BUILDING);
	EXPECT_EQ(child_destroy(id), 0);
	/* started, never run */
	id = (u32)child_new("paused", 1024, child_spin, 0);
	EXPECT_EQ(child_destroy(id), 0);
	/* running */
	id = (u32)child_new("spins", 1024, child_spin, 0);
	EXPECT_EQ(child_unpause(id), 0);
	while (!child_info(id)->run_ns)
		parvus_yield();
	EXPECT_EQ(child_destroy(id), 0);
	/* running, then paused */
	id = (u32)child_new("spins", 1024, child_spin, 0);
	EXPECT_EQ(child_unpause(id), 0);
	while (!child_info(id)->run_ns)
		parvus_yield();
	EXPECT_EQ(child_op(PARVUS_CONTROL_PAUSE, id, 0), 0);
	EXPECT_EQ(child_destroy(id), 0);
	/* asleep */
	id = (u32)child_new("blocks", 1024, child_block, 0);
	EXPECT_EQ(child_unpause(id), 0);
	while (!(child_info(id)->flags & PARVUS_INFO_BLOCKED))
		parvus_yield();
	EXPECT_EQ(child_destroy(id), 0);
	/* killed for its own mistake */
	id = (u32)child_new("faults", 1024, child_fault, 0);
	EXPECT_EQ(child_unpause(id), 0);
	child_wait(id, PARVUS_DOMAIN_SHUTDOWN);
	EXPECT_EQ(child_info(id)->reason, PARVUS_SHUTDOWN_KILLED);
	EXPECT(child_info(id)->why[0] == 'e');	/* exception 6 ... */
	EXPECT_EQ(child_destroy(id), 0);
	same();
}

static void first_touch(void)
{
	u32 id = (u32)child_new("touches", 8192, child_touch, 16 << 20);
	u64 free = machine()->frames_free;

	EXPECT(machine()->frames_promised >= 8192 - 512);
	EXPECT_EQ(child_unpause(id), 0);
	child_wait(id, PARVUS_DOMAIN_SHUTDOWN);
	EXPECT_EQ(child_info(id)->reason, PARVUS_SHUTDOWN_POWEROFF);
	/* half of it: 4096 of 8192 frames */
	EXPECT_EQ(child_info(id)->touched, 4096);
	EXPECT(free - machine()->frames_free >= 3584 && free - machine()->frames_free < 3700);
	EXPECT_EQ(child_destroy(id), 0);
	same();
}

static void many(void)
{
	static u32 ids[128];
	unsigned int n = 0;
	s64 id;

	while (n < 127 && (id = child_new("many", 16, child_block, 0)) > 0) {
		ids[n++] = (u32)id;
		EXPECT_EQ(child_unpause((u32)id), 0);
	}
	EXPECT(n > 10);
	while (n)
		EXPECT_EQ(child_destroy(ids[--n]), 0);
	same();
}

static void list(void)
{
	u32 a = (u32)child_create("a", 16), b = (u32)child_create("b", 16), seen = 0, at = 0;
	struct parvus_control_info *i;

	EXPECT(b > a);
	for (;;) {
		i = ARG(parvus_control_info);
		i->domain = at;
		if (control(PARVUS_CONTROL_NEXT))
			break;
		EXPECT(i->domain >= at);
		if (!i->domain)
			EXPECT(i->flags & PARVUS_INFO_CONTROL);
		at = i->domain + 1;
		seen++;
	}
	EXPECT_EQ(seen, 3);
	EXPECT_EQ(child_destroy(a), 0);
	EXPECT_EQ(child_destroy(b), 0);
	same();
}

void test(void)
{
	before = *machine();
	EXPECT_EQ(before.domains, 1);
	for (int round = 0; round < 20; round++) {
		one_life();
		ways_to_end();
	}
	first_touch();
	many();
	list();
}
