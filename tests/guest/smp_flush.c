// SPDX-License-Identifier: GPL-2.0-only
/*
 * A flush returns when no other vCPU can use what it took away: one vCPU unmaps and
 * reuses a frame, the other reads through the mapping all the time and must never see
 * the frame's new contents.
 * @vcpus 2
 * @timeout 120
 */
#include "lib/guest.h"

#define AT 0x40000000ull
static volatile u64 stop, seen_bad, reads, faults, ready;
static u64 frames[2];

static void handler(struct frame *f)
{
	if (f->vector != 14) {
		print("trap %lu\n", f->vector);
		end(1);
	}
	faults++;
	f->rip += 3;	/* mov (%rdi), %rax */
	f->rax = 1;
}

void secondary_main(u64 arg)
{
	(void)arg;
	EXPECT_EQ(parvus_mmu_switch(3, pa(root), 0, 1, 0, PARVUS_SWITCH_NONE), 0);
	ready = 1;
	while (!stop) {
		u64 v;

		__asm__ volatile("mov (%%rdi), %%rax" : "=a"(v) : "D"(AT) : "memory");
		if (v != 1)
			seen_bad++;
		reads++;
	}
	for (;;)
		parvus_vcpu_stop();
}

void test(void)
{
	volatile u64 *e = entry_of(root, AT, 1);
	u64 gen = 1;

	on_trap = handler;
	frames[0] = page_new();
	frames[1] = page_new();
	*(volatile u64 *)va(frames[0]) = 1;
	*(volatile u64 *)va(frames[1]) = 1;
	*e = frames[0] | P | W | U | A | D;
	EXPECT_EQ(parvus_mmu_switch(3, pa(root), 0, 1, 0, PARVUS_SWITCH_NONE), 0);
	vcpu_begin(1, 0);
	while (!ready)
		relax();
	for (u64 i = 0; i < 3000; i++) {
		u64 old = frames[i % 2];

		*e = i % 3 ? frames[(i + 1) % 2] | P | W | U | A | D : 0;
		gen++;
		EXPECT_EQ(parvus_mmu_flush(3, gen, AT, AT + PAGE, PAGE,
					   i % 5 ? PARVUS_FLUSH_RANGE : PARVUS_FLUSH_AS), 0);
		*(volatile u64 *)va(old) = 0xdead;	/* reused */
		for (int j = 0; j < 50; j++)
			relax();
		*(volatile u64 *)va(old) = 1;
		*e = frames[(i + 1) % 2] | P | W | U | A | D;
	}
	stop = 1;
	while (parvus_vcpu_state(1))
		parvus_yield();
	EXPECT_EQ(seen_bad, 0);
	EXPECT(reads > 100);
}
