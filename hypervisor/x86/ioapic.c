// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of devices: lines of the I/O APICs (Intel 82093AA), messages (Intel SDM vol. 3,
 * 11.11), and what is left for arch_work(). A handle is a vector, the same on all pCPUs.
 */
#include <x86/desc.h>
#include <x86/paging.h>
#include <core/event.h>

#define FIRST		0x30u		/* below are strays: of 8259s and dead messages */
#define LINES_MAX	1024u		/* of all I/O APICs */
#define COM1_IRQ	4u
enum { RTE_LOW = 1 << 13, RTE_LEVEL = 1 << 15, RTE_MASKED = 1 << 16 };

static u8 vector_of(u32 handle) { return (u8)(FIRST + handle + (handle >= 0x80 - FIRST)); }

/* IRQ_HANDLES: a stray. */
static u32 handle_of(u32 vector)
{
	return vector < FIRST || vector == 0x80 ? IRQ_HANDLES : vector - FIRST - (vector > 0x80);
}

/* Physical destinations of 8 bits; what x2APIC numbers beyond gets its interrupts elsewhere. */
static u32 destination(unsigned int cpu)
{
	u32 id = pcpus[cpu]->apic_id;

	return id < 255 ? id : pcpus[0]->apic_id;
}

/* The I/O APIC that has the line, or NULL. */
static const struct ioapic *chip_of(u32 line)
{
	for (unsigned int i = 0; i < firmware.ioapics; i++)
		if (line - firmware.ioapic[i].first < firmware.ioapic[i].pins)
			return &firmware.ioapic[i];
	return NULL;
}

static void pin_write(u32 line, u32 dest, u32 low)
{
	const struct ioapic *c = chip_of(line);

	if (!c)
		return;
	/* never masked in between, for an edge would be lost: any pCPU will do */
	if (!(low & RTE_MASKED)) {
		c->regs[0] = 0x11 + 2 * (line - c->first);
		c->regs[4] = dest << 24;
	}
	c->regs[0] = 0x10 + 2 * (line - c->first);
	c->regs[4] = low;
}

u32 arch_irq_lines(void)
{
	u32 lines = 0;

	for (unsigned int i = 0; i < firmware.ioapics; i++)
		lines = max(lines, firmware.ioapic[i].first + firmware.ioapic[i].pins);
	return lines;
}

bool arch_irq_line_ours(u32 line)
{
	return line == (firmware.irq_override[COM1_IRQ] & 0xffff) || !chip_of(line);
}

void arch_irq_line_set(u32 line, u32 handle, unsigned int cpu, bool level, bool low, bool masked)
{
	pin_write(line, destination(cpu), vector_of(handle) | (low ? RTE_LOW : 0) |
		  (level ? RTE_LEVEL : 0) | (masked ? RTE_MASKED : 0));
}

void arch_irq_message(u32 handle, unsigned int cpu, u64 *address, u32 *data)
{
	*address = 0xfee00000 | destination(cpu) << 12;
	*data = handle < IRQ_HANDLES ? vector_of(handle) : FIRST - 1;
}

void ioapic_init(void)
{
	u32 gsi = firmware.irq_override[COM1_IRQ] & 0xffff;
	u32 flags = firmware.irq_override[COM1_IRQ] >> 16;

	for (struct ioapic *c = firmware.ioapic; c < firmware.ioapic + firmware.ioapics; c++) {
		c->regs = mmio_map(c->at, PAGE_SIZE);
		c->regs[0] = 1;
		c->pins = (c->regs[4] >> 16 & 0xff) + 1;
		if (c->first > LINES_MAX - c->pins)
			c->first = c->pins = 0;
		for (u32 pin = 0; pin < c->pins; pin++)
			pin_write(c->first + pin, 0, RTE_MASKED);
	}
	/* edge or level by the override's flags */
	pin_write(gsi, destination(0), HV_VECTOR_CONSOLE | ((flags & 3) == 3 ? RTE_LOW : 0) |
		  ((flags >> 2 & 3) == 3 ? RTE_LEVEL : 0));
}

/*
 * From interrupt(), which takes no lock: a note. EOI of an edge is now. That of a level line must
 * wait until its pin is masked, or it comes again at once; till then what has a lower vector waits.
 */
void irq_note(struct pcpu *p, u64 vector)
{
	u64 bit = 1ull << vector % 64;

	p->irqs_due[vector / 64] |= bit;
	if (irq_is_level(handle_of((u32)vector)))	/* a change meanwhile costs a stray */
		p->eois_due++;
	else
		apic_eoi();
	pcpu_add_work(p, WORK_ARCH);
}

void irq_serve(struct pcpu *p)
{
	unsigned int i, bit;

	for (i = 0; i < 4; i++) {
		u64 due = p->irqs_due[i];

		if (due)
			p->irqs_due[i] = 0;
		for_each_bit(bit, due)
			irq_arrived(handle_of(i * 64 + bit));
	}
	/* an EOI is for the highest in service: which are these, whatever the order */
	for (; p->eois_due; p->eois_due--)
		apic_eoi();
}
