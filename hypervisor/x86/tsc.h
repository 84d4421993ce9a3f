/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who says at which rate the TSC counts, but for clocks that it is measured with (time.c). No
 * emulator has most of it, hence the arguments: unit/test_tsc makes them up.
 */
#pragma once

#include <core/lib.h>

#define TSC_LEAST_KHZ	100000u		/* less is a lie of whoever said it */
#define PM_TIMER_HZ	3579545u	/* ACPI 6.4, 4.8.2.1 */

typedef void cpuid_words(u32 leaf, u32 r[4]);	/* eax, ebx, ecx, edx */

/* In kHz, by CPUID or by the hypervisor below us; 0: they say nothing. */
static inline u64 tsc_said(cpuid_words *cpuid, u64 (*msr)(u32 nr))
{
	u32 r[4], vendor, max;
	u64 khz = 0;

	cpuid(0, r);
	if (r[0] >= 0x15) {		/* Intel SDM vol. 2, CPUID leaf 0x15 */
		cpuid(0x15, r);
		khz = r[0] ? (u64)r[2] * r[1] / r[0] / 1000 : 0;	/* a crystal, a ratio */
	}
	cpuid(1, r);
	if (khz >= TSC_LEAST_KHZ || !(r[2] >> 31))
		return khz;
	cpuid(0x40000000, r);
	max = r[0];
	vendor = r[1];
	/* VMware's leaf, which KVM can have as well ("VMwa", "KVMK") */
	if ((vendor == 0x61774d56 || vendor == 0x4b4d564b) && max >= 0x40000010) {
		cpuid(0x40000010, r);
		khz = r[0];
	}
	/* Hyper-V ("Micr"; TLFS, 2.4.4): the register may be read, and is there */
	if (vendor == 0x7263694d && max >= 0x40000003) {
		cpuid(0x40000003, r);
		if (r[0] >> 11 & 1 && r[3] >> 8 & 1)
			khz = msr(0x40000022) / 1000;
	}
	return khz;
}

/* What is said is exact if a clock agrees to 2 %, or there is none: emulators say anything. */
static inline u64 tsc_decide(u64 said, u64 measured, u64 rough)
{
	if (measured < TSC_LEAST_KHZ)
		return said >= TSC_LEAST_KHZ ? said : rough;
	return max(said, measured) - min(said, measured) <= measured / 50 ? said : measured;
}

/* If nothing else tells: the base frequency in MHz, off by some per mille (leaf 0x16). */
static inline u64 tsc_rough(cpuid_words *cpuid)
{
	u32 r[4] = { 0 };

	cpuid(0, r);
	if (r[0] < 0x16)
		return 0;
	cpuid(0x16, r);
	return (r[0] & 0xffff) * 1000ull;
}

static inline u64 table_word(const u8 *table, u32 length, u32 at, u32 bytes)
{
	u64 word = 0;

	if (at + bytes <= length)
		memcpy(&word, table + at, bytes);
	return word;
}

/* The port of the PM timer, by the FADT (ACPI 6.4, 5.2.9); 0: there is none. */
static inline u16 fadt_pm_timer(const u8 *t, u32 length)
{
	u64 port = table_word(t, length, 76, 4);

	if (table_word(t, length, 91, 1) != 4 || table_word(t, length, 112, 4) & 1u << 20)
		return 0;	/* no register, or ACPI is reduced */
	if (table_word(t, length, 208, 1) == 1 && table_word(t, length, 212, 8))
		port = table_word(t, length, 212, 8);
	return port <= 0xfffc ? (u16)port : 0;
}

/* By the HPET's table: where its registers are (IA-PC HPET 1.0a, 3.2.4); 0: not in our reach. */
static inline u64 hpet_address(const u8 *t, u32 length)
{
	u64 at = table_word(t, length, 44, 8);

	return table_word(t, length, 40, 1) || at % 8 || at >= MAX_MACHINE_MEM ? 0 : at;
}

/* By the period in fs, of its first register: at most 100 ns, or it is none. */
static inline u64 hpet_hz(u32 period)
{
	return period && period <= 100000000 ? 1000000000000000ull / period : 0;
}
