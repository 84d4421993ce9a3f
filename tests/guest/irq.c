// SPDX-License-Identifier: GPL-2.0-only
/*
 * irq_op: a line of a device reaches the vector and the vCPU that TARGET names, and none after
 * MASK, UNMAP, or with no target; a message is one word of data for all targets, and another
 * address at the most. Every bad argument fails with the documented error and maps nothing.
 * @control 1
 * @vcpus 2
 */
#include "lib/irq.h"

#define VECTOR	0x41u
#define BAD(call, error)	EXPECT_EQ(call, -(s64)(error))
#define NOWHERE	0x123456789000ull	/* beyond any memory */

static volatile u64 ticks, others;

static void handler(struct frame *f)
{
	if (f->vector == VECTOR) {
		ticks++;
		cmos(12);
	} else {
		others++;
	}
}

/* Arrivals within 50 ms. */
static u64 ticks_now(void)
{
	u64 before = ticks, end = now_ns() + 50000000;

	while (now_ns() < end)
		relax();
	return ticks - before;
}

/* A busy host is slow to tick, but it does. */
static bool ticks_come(void)
{
	u64 before = ticks, end = now_ns() + 5000000000;

	while (now_ns() < end && ticks - before < 6)
		relax();
	return ticks - before >= 6;
}

static void bad_records(void)
{
	struct parvus_irq *r;

	BAD(parvus_irq_op(PARVUS_IRQ_OPS, 0), PARVUS_ENOSYS);
	BAD(parvus_irq_op(~0ull, 0), PARVUS_ENOSYS);
	for (u32 op = PARVUS_IRQ_INFO; op <= PARVUS_IRQ_TARGET; op++) {
		BAD(parvus_irq_op(op, NOWHERE), PARVUS_EFAULT);
		BAD(parvus_irq_op(op, ~0ull), PARVUS_EFAULT);
		irq_new(0, RTC_LINE)->size--;
		BAD(irq_call(op), PARVUS_EINVAL);
		irq_new(0, RTC_LINE)->version = 2;
		irq_record.size = op ? sizeof(irq_record) : sizeof(struct parvus_irq_info);
		BAD(irq_call(op), PARVUS_EINVAL);
		irq_new(0, RTC_LINE)->domain = 1;
		irq_record.size = op ? sizeof(irq_record) : sizeof(struct parvus_irq_info);
		BAD(irq_call(op), PARVUS_EINVAL);
	}
	for (u32 i = 0; i < 5; i++) {
		irq_new(0, RTC_LINE)->reserved[i] = 1;
		BAD(irq_call(PARVUS_IRQ_MAP), PARVUS_EINVAL);
	}
	irq_new(2, RTC_LINE);
	BAD(irq_call(PARVUS_IRQ_MAP), PARVUS_EINVAL);
	BAD(irq_map(PARVUS_IRQ_LINE, RTC_LINE, 4), PARVUS_EINVAL);
	BAD(irq_map(PARVUS_IRQ_MESSAGE, 8, PARVUS_IRQ_LEVEL), PARVUS_EINVAL);
	BAD(irq_map(PARVUS_IRQ_MESSAGE, 8, PARVUS_IRQ_LOW), PARVUS_EINVAL);
	r = irq_new(PARVUS_IRQ_LINE, RTC_LINE);
	r->index = 1;
	BAD(irq_call(PARVUS_IRQ_MAP), PARVUS_EINVAL);
	irq_new(PARVUS_IRQ_LINE, RTC_LINE)->vector = VECTOR;
	BAD(irq_call(PARVUS_IRQ_MAP), PARVUS_EINVAL);
	BAD(irq_map(PARVUS_IRQ_LINE, irq_info().lines, 0), PARVUS_ENOENT);
	BAD(irq_map(PARVUS_IRQ_LINE, ~0u, 0), PARVUS_ENOENT);
	BAD(irq_map(PARVUS_IRQ_LINE, 4, 0), PARVUS_EBUSY);
	EXPECT_EQ(irq_info().mapped, 0);
}

static void bad_handles(u32 line, u32 message)
{
	static const u64 none[] = { 190, 191, 192, 255, 0x100000000, ~0ull };

	for (u32 op = PARVUS_IRQ_UNMAP; op <= PARVUS_IRQ_EOI; op++) {
		for (u32 i = 0; i < sizeof(none) / 8; i++)
			BAD(parvus_irq_op(op, none[i]), PARVUS_ENOENT);
		BAD(parvus_irq_op(op, line + (1ull << 32)), PARVUS_ENOENT);
	}
	BAD(irq_target(190, 0, VECTOR), PARVUS_ENOENT);
	BAD(irq_target(~0u, 0, VECTOR), PARVUS_ENOENT);
	BAD(irq_target(line, 2, VECTOR), PARVUS_EINVAL);
	BAD(irq_target(line, ~0u, VECTOR), PARVUS_EINVAL);
	BAD(irq_target(line, 0, 31), PARVUS_EINVAL);
	BAD(irq_target(line, 0, 256), PARVUS_EINVAL);
	for (u32 op = PARVUS_IRQ_MASK; op <= PARVUS_IRQ_EOI; op++)
		BAD(parvus_irq_op(op, message), PARVUS_EINVAL);
	BAD(parvus_irq_op(PARVUS_IRQ_EOI, line), PARVUS_EINVAL);
	BAD(parvus_irq_op(PARVUS_IRQ_PENDING, 8), PARVUS_EINVAL);
	BAD(parvus_irq_op(PARVUS_IRQ_PENDING, ~0ull), PARVUS_EINVAL);
	BAD(irq_map(PARVUS_IRQ_LINE, RTC_LINE, PARVUS_IRQ_LEVEL), PARVUS_EEXIST);
	BAD(irq_map(PARVUS_IRQ_MESSAGE, 0x18, 0), PARVUS_EEXIST);
}

static void messages(u32 handle)
{
	u64 address;
	u32 data;

	EXPECT_EQ(irq_target(handle, 0, VECTOR), 0);
	address = irq_record.address;
	data = irq_record.data;
	EXPECT_EQ(address & ~0xff000ull, 0xfee00000);
	EXPECT(data >= 0x30 && data < 0xf0 && data != 0x80);
	EXPECT_EQ(irq_target(handle, 1, VECTOR + 1), 0);
	EXPECT_EQ(irq_record.data, data);
	/* nowhere: still an interrupt message, of a vector that no handle has */
	EXPECT_EQ(irq_target(handle, 0, PARVUS_IRQ_NOWHERE), 0);
	EXPECT_EQ(irq_record.address & ~0xff000ull, 0xfee00000);
	EXPECT(irq_record.data >= 0x20 && irq_record.data < 0x30);
}

/* All handles there are, and one more. */
static void exhaustion(void)
{
	struct parvus_irq_info i = irq_info();
	u32 n;

	for (n = 0; n < i.free; n++)
		EXPECT(irq_map(PARVUS_IRQ_MESSAGE, 0x10000 + n, 0) >= 0);
	BAD(irq_map(PARVUS_IRQ_MESSAGE, 0x20000, 0), PARVUS_ENOSPC);
	EXPECT_EQ(irq_info().free, 0);
	for (n = 0; n < 191; n++)
		EXPECT_EQ(parvus_irq_op(PARVUS_IRQ_UNMAP, n), 0);
	EXPECT_EQ(irq_info().mapped, 0);
	EXPECT_EQ(irq_info().free, 191);
}

static void line(u32 handle)
{
	rtc_on(true);
	EXPECT_EQ(ticks_now(), 0);
	EXPECT_EQ(parvus_irq_op(PARVUS_IRQ_UNMASK, handle), 0);
	EXPECT_EQ(ticks_now(), 0);		/* it has no target */
	EXPECT_EQ(irq_target(handle, 0, VECTOR), 0);
	EXPECT_EQ(irq_record.address, 0);
	EXPECT_EQ(irq_record.data, 0);
	cmos(12);
	EXPECT(ticks_come());
	/* while the virtual IF is off it waits, and PENDING shows it */
	irq_off();
	EXPECT_EQ(ticks_now(), 0);
	EXPECT_EQ(parvus_irq_op(PARVUS_IRQ_PENDING, VECTOR / 32), 1u << VECTOR % 32);
	EXPECT_EQ(parvus_irq_op(PARVUS_IRQ_PENDING, 7), 0);
	irq_on();
	EXPECT_EQ(parvus_irq_op(PARVUS_IRQ_MASK, handle), 0);
	cmos(12);
	ticks_now();
	EXPECT_EQ(ticks_now(), 0);
	EXPECT_EQ(parvus_irq_op(PARVUS_IRQ_UNMASK, handle), 0);
	cmos(12);
	EXPECT(ticks_come());
	EXPECT_EQ(parvus_irq_op(PARVUS_IRQ_UNMAP, handle), 0);
	cmos(12);
	ticks_now();
	EXPECT_EQ(ticks_now(), 0);
	rtc_on(false);
	EXPECT_EQ(others, 0);
}

void test(void)
{
	s64 l, m;

	clock_setup();
	on_trap = handler;
	bad_records();
	l = irq_map(PARVUS_IRQ_LINE, RTC_LINE, 0);
	m = irq_map(PARVUS_IRQ_MESSAGE, 0x18, 0);
	EXPECT(l >= 0 && m >= 0 && l != m);
	bad_handles((u32)l, (u32)m);
	messages((u32)m);
	EXPECT_EQ(parvus_irq_op(PARVUS_IRQ_UNMAP, (u64)m), 0);
	BAD(parvus_irq_op(PARVUS_IRQ_UNMAP, (u64)m), PARVUS_ENOENT);
	irq_on();
	line((u32)l);
	EXPECT_EQ(irq_info().storms + irq_info().stuck, 0);
	exhaustion();
}
