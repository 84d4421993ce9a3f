// SPDX-License-Identifier: GPL-2.0-only
/*
 * More is promised than the machine has: a domain whose first touch finds no frame sleeps,
 * says so, and goes on when another one's memory comes back, also what a domain that is
 * gone had left to domain 0. Domain 0 is not disturbed.
 * @control 1
 * @timeout 120
 */
#include "lib/control.h"
#include "lib/grant.h"

#define LEFT	400u	/* frames that outlive their domain */

static void wait_no_memory(u32 id)
{
	for (int i = 0; i < 1000000 && !(child_info(id)->flags & PARVUS_INFO_NO_MEMORY); i++)
		parvus_yield();
	EXPECT(child_info(id)->flags & PARVUS_INFO_NO_MEMORY);
}

static void frames_left(void)
{
	static u32 handle[LEFT];
	struct parvus_control_offer *o;
	u64 frames;
	u32 a, b;

	a = (u32)child_create("a", LEFT);
	EXPECT_EQ(child_populate(a, 0, LEFT, PARVUS_POPULATE_NOW), 0);
	for (u32 i = 0; i < LEFT; i++) {
		o = ARG(parvus_control_offer);
		o->domain = a;
		o->gfn = i;
		EXPECT_EQ(control(PARVUS_CONTROL_OFFER), 0);
		EXPECT_EQ(grant_map(a, o->ref, 0, 0, &handle[i]), 0);
	}
	EXPECT_EQ(child_destroy(a), 0);
	frames = machine()->frames_free - 200;	/* less than what the domain itself takes */
	b = (u32)child_new("b", frames, child_touch, frames * 4096);
	EXPECT_EQ(child_unpause(b), 0);
	wait_no_memory(b);
	for (u32 i = 0; i < LEFT; i++)
		EXPECT_EQ(grant_unmap(handle[i], 0), 0);
	child_wait(b, PARVUS_DOMAIN_SHUTDOWN);
	EXPECT_EQ(child_info(b)->reason, PARVUS_SHUTDOWN_POWEROFF);
	EXPECT_EQ(child_destroy(b), 0);
}

void test(void)
{
	u64 before = machine()->frames_free, frames = before * 3 / 4, bytes = frames * 4096;
	u32 a, b, c;

	if (bytes > 1ull << 30)
		bytes = 1ull << 30;	/* as far as a child's tables go */
	frames = bytes / 4096;
	a = (u32)child_new("a", frames, child_touch, bytes);
	c = (u32)child_create("c", 16);
	EXPECT_EQ(child_populate(c, 0, 16, 0), 0);
	b = (u32)child_new("b", frames, child_touch, bytes);
	EXPECT(machine()->frames_promised > machine()->frames_free);
	EXPECT_EQ(child_unpause(a), 0);
	child_wait(a, PARVUS_DOMAIN_SHUTDOWN);
	EXPECT_EQ(child_unpause(b), 0);
	wait_no_memory(b);
	EXPECT_EQ(child_state(b), PARVUS_DOMAIN_RUNNING);
	EXPECT(machine()->frames_free < 1024);
	/* building finds none either, and says so; the last frames are not for that */
	EXPECT_EQ(child_copy(c, 0, control_page, 16), -(s64)PARVUS_ENOMEM);
	EXPECT(machine()->frames_free > 0);
	EXPECT_EQ(child_destroy(c), 0);
	/* paused as well: both reasons have to go */
	EXPECT_EQ(child_op(PARVUS_CONTROL_PAUSE, b, 0), 0);
	EXPECT_EQ(child_destroy(a), 0);
	for (int i = 0; i < 1000; i++)
		parvus_yield();
	EXPECT_EQ(child_state(b), PARVUS_DOMAIN_RUNNING);
	EXPECT_EQ(child_unpause(b), 0);
	child_wait(b, PARVUS_DOMAIN_SHUTDOWN);
	EXPECT_EQ(child_info(b)->reason, PARVUS_SHUTDOWN_POWEROFF);
	EXPECT_EQ(child_destroy(b), 0);
	EXPECT_EQ(machine()->frames_free, before);
	/* one that waits can be destroyed */
	a = (u32)child_new("a", frames, child_touch, bytes);
	b = (u32)child_new("b", frames, child_touch, bytes);
	EXPECT_EQ(child_unpause(a), 0);
	EXPECT_EQ(child_unpause(b), 0);
	for (int i = 0; i < 1000000 && !(child_info(a)->flags & PARVUS_INFO_NO_MEMORY) &&
	     !(child_info(b)->flags & PARVUS_INFO_NO_MEMORY); i++)
		parvus_yield();
	EXPECT_EQ(child_destroy(a), 0);
	EXPECT_EQ(child_destroy(b), 0);
	EXPECT_EQ(machine()->frames_free, before);
	frames_left();
}
