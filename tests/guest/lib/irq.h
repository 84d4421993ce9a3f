/* SPDX-License-Identifier: GPL-2.0-only */
/* For micro guests that are domain 0: irq_op, ports, and the CMOS clock as a source. */
#ifndef GUEST_IRQ_H
#define GUEST_IRQ_H

#include "guest.h"
#include <parvus/irq.h>

#define RTC_LINE	8u

static inline u8 in8(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline u16 in16(u16 port)
{
	u16 v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline u32 in32(u16 port)
{
	u32 v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline void out8(u16 port, u8 v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void out32(u16 port, u32 v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline u8 cmos(u8 reg)
{
	out8(0x70, reg);
	return in8(0x71);
}
static inline void cmos_set(u8 reg, u8 v)
{
	out8(0x70, reg);
	out8(0x71, v);
}

static struct parvus_irq irq_record __attribute__((aligned(128)));

static inline struct parvus_irq *irq_new(u32 kind, u32 source)
{
	irq_record = (struct parvus_irq){
		.size = sizeof(irq_record), .version = 1, .domain = PARVUS_DOMAIN_SELF,
		.kind = kind, .source = source };
	return &irq_record;
}
static inline s64 irq_call(u64 op) { return parvus_irq_op(op, pa(&irq_record)); }
static inline s64 irq_map(u32 kind, u32 source, u32 flags)
{
	irq_new(kind, source)->flags = flags;
	return irq_call(PARVUS_IRQ_MAP) ?: (s64)irq_record.handle;
}
static inline s64 irq_target(u32 handle, u32 vcpu, u32 vector)
{
	struct parvus_irq *r = irq_new(0, 0);

	r->handle = handle;
	r->vcpu = vcpu;
	r->vector = vector;
	return irq_call(PARVUS_IRQ_TARGET);
}

static inline struct parvus_irq_info irq_info(void)
{
	static struct parvus_irq_info i __attribute__((aligned(128)));

	i = (struct parvus_irq_info){ .size = sizeof(i), .version = 1,
				      .domain = PARVUS_DOMAIN_SELF };
	EXPECT_EQ(parvus_irq_op(PARVUS_IRQ_INFO, pa(&i)), 0);
	return i;
}

/* The clock interrupts 1024 times a second, until told not to; each has to be taken from it. */
static inline void rtc_on(bool on)
{
	cmos_set(10, 0x26);
	cmos_set(11, (cmos(11) & ~0x70) | (on ? 0x40 : 0));
	cmos(12);
}

#endif
