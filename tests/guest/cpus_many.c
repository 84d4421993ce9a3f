// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs beyond the first 64: a vCPU that is pinned to one runs there, is woken by events there,
 * and hears of flushes as any other does: while it reads through a mapping on CPU 64, 130 or 254,
 * another vCPU takes the frame away and uses it for something else.
 * @control 1
 * @cpus 255
 * @vcpus 2
 * @timeout 240
 */
#include "lib/guest.h"
#include "lib/control.h"

#define AT 0x40000000ull
static volatile u64 stop, seen_bad, reads, ready, round, woken;
static u64 frames[2];

static void handler(struct frame *f)
{
	if (f->vector == 64) {
		woken++;
		return;
	}
	if (f->vector != 14) {
		print("trap %lu\n", f->vector);
		end(1);
	}
	f->rip += 3;	/* mov (%rdi), %rax */
	f->rax = 1;
}

void secondary_main(u64 arg)
{
	(void)arg;
	EXPECT_EQ(parvus_mmu_switch(3, pa(root), 0, 1, 0, PARVUS_SWITCH_NONE), 0);
	for (;;) {
		u64 n = round;

		ready = n + 1;
		while (!stop) {
			u64 v;

			__asm__ volatile("mov (%%rdi), %%rax" : "=a"(v) : "D"(AT) : "memory");
			if (v != 1)
				seen_bad++;
			reads++;
		}
		ready = 0;
		for (irq_off(); round == n; irq_off())	/* until there is another round */
			parvus_block();
		irq_on();
	}
}

static void pin(u32 vcpu, u32 cpu)
{
	struct parvus_control_vcpu *v = ARG(parvus_control_vcpu);

	v->vcpu = vcpu;
	v->affinity[cpu / 64] = 1ull << cpu % 64;
	EXPECT_EQ(control(PARVUS_CONTROL_PIN), 0);
}

static u32 runs_on(u32 vcpu)
{
	struct parvus_control_vcpu *v = ARG(parvus_control_vcpu);

	v->vcpu = vcpu;
	EXPECT_EQ(control(PARVUS_CONTROL_VCPU), 0);
	return v->cpu;
}

static void flushes(void)
{
	static u64 gen = 1;
	volatile u64 *e = entry_of(root, AT, 1);

	for (u64 i = 0; i < 400; i++) {
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
}

void test(void)
{
	static const u32 cpus[] = { 64, 130, 254, 63 };
	struct parvus_control_machine *m = ARG(parvus_control_machine);
	u64 before;

	EXPECT_EQ(control(PARVUS_CONTROL_MACHINE), 0);
	EXPECT_EQ(m->cpus, 255);
	on_trap = handler;
	frames[0] = page_new();
	frames[1] = page_new();
	*(volatile u64 *)va(frames[0]) = 1;
	*(volatile u64 *)va(frames[1]) = 1;
	*entry_of(root, AT, 1) = frames[0] | P | W | U | A | D;
	EXPECT_EQ(parvus_mmu_switch(3, pa(root), 0, 1, 0, PARVUS_SWITCH_NONE), 0);
	for (u32 i = 0; i < 4; i++) {
		pin(1, cpus[i]);
		pin(0, cpus[(i + 1) % 4]);
		stop = 0;
		if (!i) {
			vcpu_begin(1, 0);
		} else {
			round = i;
			EXPECT_EQ(parvus_vector_raise(1, 64), 0);
		}
		while (ready != i + 1)
			relax();
		EXPECT_EQ(runs_on(1), cpus[i]);
		EXPECT_EQ(runs_on(0), cpus[(i + 1) % 4]);
		before = reads;
		flushes();
		stop = 1;
		while (ready)
			relax();
		EXPECT(reads - before > 20);
		EXPECT_EQ(seen_bad, 0);
	}
	EXPECT_EQ(woken, 3);
}
