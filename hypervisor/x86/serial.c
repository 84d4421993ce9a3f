// SPDX-License-Identifier: GPL-2.0-only
/* COM1, a 16550, 115200 8N1, polled output, interrupt-driven input; and the debug port. */
#include <x86/pv.h>

static bool present;

void serial_init(void)
{
	outb(COM1 + 7, 0x5a);
	if (inb(COM1 + 7) != 0x5a)
		return;
	outb(COM1 + 1, 0);	/* no interrupts */
	outb(COM1 + 3, 0x80);	/* divisor 1 */
	outb(COM1 + 0, 1);
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3);
	outb(COM1 + 2, 0x07);	/* FIFOs on, cleared */
	outb(COM1 + 4, 0x0b);
	present = true;
}

/* Without a receiver the line may never be ready: a character is given up after a while. */
void arch_console_put(char c)
{
	if (!present)
		return;
	for (unsigned int spin = 0; !(inb(COM1 + 5) & 0x20) && spin < 100000; spin++)
		;
	outb(COM1, (u8)c);
}

int arch_console_get(void)
{
	if (!present || !(inb(COM1 + 5) & 1))
		return -1;
	return inb(COM1);
}

void arch_debug_put(char c)
{
	outb(0xe9, (u8)c);
	if (unlikely(!smp_go || panicking()))
		screen_put(c);
}

void serial_enable_rx(void)
{
	if (present)
		outb(COM1 + 1, 1);
}
