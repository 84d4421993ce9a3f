// SPDX-License-Identifier: GPL-2.0-only
/*
 * Power off and reboot: by the registers that ACPI names (ACPI 6.4, 4.8.3.2 and 4.8.3.6), then by
 * what PCs and emulators had before. None of these ways reports a failure.
 */
#include <x86/cpu.h>
#include <core/arch.h>

#define SLP_EN	(1u << 13)

struct power power;

void power_off(void)
{
	const char *s;

	if (power.have_s5) {
		outw(power.pm1a_control, (u16)(power.s5_a | SLP_EN));
		if (power.pm1b_control)
			outw(power.pm1b_control, (u16)(power.s5_b | SLP_EN));
	}
	for (s = "Shutdown"; *s; s++)	/* Bochs */
		outb(0x8900, (u8)*s);
	halt_forever();
}

void arch_power_off(bool reboot)
{
	if (!reboot)
		power_off();
	if (power.reset_port)
		outb(power.reset_port, power.reset_value);
	outb(0xcf9, 6);		/* the chipset's reset register: full reset */
	outb(0x64, 0xfe);	/* the keyboard controller pulls the CPU's reset line */
	halt_forever();
}
