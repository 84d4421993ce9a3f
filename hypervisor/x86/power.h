/* SPDX-License-Identifier: GPL-2.0-only */
/* How the machine ends. boot/acpi.c fills in what the firmware's tables say. */
#ifndef X86_POWER_H
#define X86_POWER_H

#include <core/types.h>

struct power {
	bool have_s5;			/* the DSDT has a package for S5, soft off */
	u16 pm1a_control, pm1b_control;	/* ports; 0 = there is no such block */
	u16 s5_a, s5_b;			/* what to write there, SLP_TYP in its place */
	u16 reset_port;			/* 0 = none */
	u8 reset_value;
};
extern struct power power;	/* written at boot alone */

noreturn void power_off(void);

#endif
