// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event page is one, and for good: of two vCPUs that register at once one is told so; it is
 * not given back, alone or with all of its extent. What else its owner does with it is its own
 * loss: it offers the page to the other domain, which maps it, fills it with garbage while it
 * sends, and keeps it when the owner has ended. The frame is free afterwards (the runner looks).
 * @domains 2
 * @vcpus 2
 * @mem 15M
 * @beside canary
 */
#include "lib/grant.h"
#include "lib/event.h"

static struct parvus_event_page other_page __attribute__((aligned(4096)));
static volatile u64 ready, told = 1;

static s64 registers(struct parvus_event_page *page)
{
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (ready < 2)
		relax();
	return parvus_event_op(PARVUS_EVENT_REGISTER, pa(page));
}

void secondary_main(u64 arg)
{
	(void)arg;
	told = (u64)registers(&other_page);
	for (;;)
		parvus_vcpu_stop();
}

static void ignore(struct frame *f) { (void)f; }

static void owner(void)
{
	struct parvus_event_page *page = &event_page;
	s64 mine;
	u32 ref;

	vcpu_begin(1, 0);
	mine = registers(page);
	while (told == 1)
		relax();
	EXPECT((mine == 0 && told == (u64)-PARVUS_EBUSY) || (mine == -PARVUS_EBUSY && told == 0));
	if (mine)
		page = &other_page;
	BAD(parvus_event_op(PARVUS_EVENT_REGISTER, pa(page)), PARVUS_EBUSY);
	BAD(release(pa(page), 1), PARVUS_EBUSY);
	BAD(release(pa(page) & ~0x1fffffull, 512), PARVUS_EBUSY);
	EXPECT_EQ(event_unbound(1), 1);
	EXPECT_EQ(offer(pa(page), 1, 0, &ref), 0);
	EXPECT_EQ(ref, 2);
	BAD(release(pa(page), 1), PARVUS_EBUSY);
	irq_on();
	reached(1);
	wait_for(1);
}

void test(void)
{
	volatile u64 *p = va(HOLE + PAGE);
	u64 x = 88172645463325252ull, mine = page_new();
	u32 handle, ref;
	s64 port, ret;

	on_trap = ignore;
	share();
	if (ME == 0) {
		owner();
		return;
	}
	wait_for(1);
	EXPECT_EQ(grant_map(0, 2, 0, HOLE + PAGE, &handle), 0);
	port = event_join(0, 1);
	EXPECT_EQ(port, 1);
	for (u64 i = 0; i < 20000; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		p[x >> 55] = x & 1 << 20 ? ~0ull : x;
		EXPECT_EQ(event_send(port), 0);
	}
	reached(1);
	do {
		x++;
		p[x % 512] = x;
		ret = event_send(port);
	} while (!ret);
	EXPECT_EQ(ret, -PARVUS_EAGAIN);
	while (!offer(mine, 0, 0, &ref)) {	/* it is still being taken apart */
		EXPECT_EQ(revoke(ref), 0);
		parvus_yield();
	}
	p[7] = 0x77;
	EXPECT_EQ(p[7], 0x77);
	BAD(event_send(port), PARVUS_EAGAIN);
	EXPECT_EQ(grant_unmap(handle, (u64)p), 0);
}
