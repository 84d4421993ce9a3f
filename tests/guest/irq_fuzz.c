// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver of domain 0 that lost its mind: handles, targets, masks and EOIs at random, from two
 * vCPUs at once, while a device interrupts. The hypervisor stays, every handle can be taken back,
 * and the device works as ever afterwards.
 * @control 1
 * @vcpus 2
 * @timeout 120
 * @hv debug=1
 */
#include "lib/irq.h"

#define VECTOR	0x41u
#define ROUNDS	5000u

static volatile u64 ticks, other_done;
static struct parvus_irq records[2] __attribute__((aligned(128)));

static void handler(struct frame *f)
{
	if (f->vector == VECTOR) {
		ticks++;
		cmos(12);
	}
}

/* xorshift64* */
static u64 random(u64 *x)
{
	*x ^= *x >> 12;
	*x ^= *x << 25;
	*x ^= *x >> 27;
	return *x * 2685821657736338717ull;
}

static u64 some(u64 *x, u64 below)
{
	u64 r = random(x) >> 20;

	/* mostly what may be right, now and then anything */
	return r % 16 ? (r >> 4) % below : random(x) >> (r >> 4) % 64;
}

static void storm(struct parvus_irq *r, u64 seed)
{
	u64 x = seed;

	for (u32 i = 0; i < ROUNDS; i++) {
		u64 op = some(&x, PARVUS_IRQ_OPS);

		*r = (struct parvus_irq){
			.size = sizeof(*r), .version = 1, .domain = PARVUS_DOMAIN_SELF,
			.handle = (u32)some(&x, 24), .kind = (u32)some(&x, 2),
			.source = (u32)some(&x, 24), .index = (u32)some(&x, 2),
			.flags = (u32)some(&x, 4), .vcpu = (u32)some(&x, 2) };
		if (op == PARVUS_IRQ_TARGET)
			r->vector = random(&x) % 2 ? VECTOR : (u32)some(&x, 256);
		if (!(random(&x) % 256))
			((u32 *)r)[random(&x) % (sizeof(*r) / 4)] ^= 1u << random(&x) % 32;
		parvus_irq_op(op, op <= PARVUS_IRQ_TARGET ? pa(r) : some(&x, 24));
		if (!(i % 64))
			cmos(12);
	}
}

void secondary_main(u64 arg)
{
	storm(&records[1], arg);
	other_done = 1;
	for (;;)
		parvus_vcpu_stop();
}

void test(void)
{
	s64 handle;
	u64 end;

	clock_setup();
	on_trap = handler;
	irq_on();
	rtc_on(true);
	vcpu_begin(1, 88172645463325252);
	storm(&records[0], 1181783497276652981);
	while (!other_done)
		relax();
	for (u32 i = 0; i < 191; i++)
		parvus_irq_op(PARVUS_IRQ_UNMAP, i);
	EXPECT_EQ(irq_info().mapped, 0);
	/* what it left in the registers of the clock does not matter */
	handle = irq_map(PARVUS_IRQ_LINE, RTC_LINE, 0);
	EXPECT(handle >= 0);
	EXPECT_EQ(irq_target((u32)handle, 0, VECTOR), 0);
	EXPECT_EQ(parvus_irq_op(PARVUS_IRQ_UNMASK, (u64)handle), 0);
	rtc_on(true);
	ticks = 0;
	for (end = now_ns() + 10000000000; now_ns() < end && ticks < 20;)
		relax();
	EXPECT(ticks >= 20);
	rtc_on(false);
}
