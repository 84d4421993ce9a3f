// SPDX-License-Identifier: GPL-2.0-only
/* COM1 and COM2, 16550, 115200 8N1, polled output, interrupt-driven input. */
#include <asm/boot.h>
#include <asm/cpu.h>

static const u16 ports[] = { 0x3f8, 0x2f8 };
static bool present[2];

void serial_init(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		u16 p = ports[i];

		outb(p + 7, 0x5a);
		if (inb(p + 7) != 0x5a)
			continue;
		outb(p + 1, 0);		/* no interrupts */
		outb(p + 3, 0x80);	/* divisor 1 */
		outb(p + 0, 1);
		outb(p + 1, 0);
		outb(p + 3, 3);
		outb(p + 2, 0x07);	/* FIFOs on, cleared */
		outb(p + 4, 0x0b);
		present[i] = true;
	}
}

void serial_putc(unsigned int port, char c)
{
	unsigned int spin;

	if (!present[port])
		return;
	for (spin = 0; !(inb(ports[port] + 5) & 0x20) && spin < 100000; spin++)
		;
	outb(ports[port], (u8)c);
}

int serial_getc(void)
{
	if (!present[0] || !(inb(ports[0] + 5) & 1))
		return -1;
	return inb(ports[0]);
}

void serial_enable_rx(void)
{
	if (present[0])
		outb(ports[0] + 1, 1);
}
