// SPDX-License-Identifier: GPL-2.0-only
/* Power off, reboot: by ACPI (6.4, 4.8.3.2, 4.8.3.6), else as PCs and emulators had it before. */
#include <x86/pv.h>
#include <core/arch.h>

struct power power = { .sleep.space = REGISTER_NONE, .reset.space = REGISTER_NONE };

static void register_write(const struct acpi_register *r, u8 value)
{
	if (r->space == REGISTER_MEMORY) {
		*(volatile u8 *)r->at = value;
	} else if (r->space == REGISTER_PORT) {
		outb((u16)r->at, value);
	} else if (r->space == REGISTER_PCI) {	/* of bus 0 */
		outl(0xcf8, 0x80000000 | (u32)(r->at >> 32 & 31) << 11 |
			    (u32)(r->at >> 16 & 7) << 8 | (u32)(r->at & 0xfc));
		outb((u16)(0xcfc + (r->at & 3)), value);
	}
}

static noreturn void power_off(void)
{
	if (power.have_s5 && power.sleep.space != REGISTER_NONE)	/* ACPI 6.4, 4.8.3.7 */
		register_write(&power.sleep, (u8)(power.s5_a >> 10 << 2 | 1u << 5));
	else if (power.have_s5) {
		outw(power.pm1a_control, (u16)(power.s5_a | SLP_EN));
		if (power.pm1b_control)
			outw(power.pm1b_control, (u16)(power.s5_b | SLP_EN));
	}
	for (const char *s = "Shutdown"; *s; s++)	/* Bochs */
		outb(0x8900, (u8)*s);
	arch_stop();
}

void arch_power_off(bool reboot)
{
	if (!panicking())
		screen_end();
	if (!reboot)
		power_off();
	register_write(&power.reset, power.reset_value);
	outb(0xcf9, 6);		/* the chipset's reset register: full reset */
	outb(0x64, 0xfe);	/* the keyboard controller pulls the CPU's reset line */
	arch_stop();
}
