// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time: nanoseconds since boot from the TSC, its rate measured against the PIT, the time of day at
 * boot from the CMOS clock, and the record that guests read (pvclock, Linux
 * arch/x86/include/asm/pvclock-abi.h).
 */
#include <x86/cpu.h>
#include <core/domain.h>
#include <core/log.h>

struct arch_clock found_clock = { .stable = true };
/* ns = (tsc - base) << shift (or >> -shift) * mult >> 32, as in pvclock; set once at boot */
static struct { u64 base; u32 mult; s8 shift; } rate;

#define PIT_HZ		1193182u
#define WINDOW_TICKS	11932u		/* 10 ms */

/* Channel 2 counts down once; its output shows in bit 5 of port 0x61. */
static u64 measure_once(u32 *apic_ticks)
{
	u64 start, end;
	u32 spin = 0;

	outb(0x61, (u8)((inb(0x61) & ~2) | 1));
	outb(0x43, 0xb0);
	outb(0x42, WINDOW_TICKS & 0xff);
	apic_timer_start_count();
	outb(0x42, WINDOW_TICKS >> 8);
	start = rdtsc();
	while (!(inb(0x61) & 0x20) && ++spin < 50000000)
		;
	end = rdtsc();
	*apic_ticks = apic_timer_stop_count();
	return spin < 50000000 ? end - start : 0;
}

static u16 count_now(void)
{
	u8 low;

	outb(0x43, 0);		/* latch channel 0 */
	low = inb(0x40);
	return (u16)(low | inb(0x40) << 8);
}

/* The same where there is no port 0x61 (QEMU's microvm): channel 0 counts down without end. */
static u64 measure_latched(u32 *apic_ticks)
{
	u64 start, end;
	u32 spin = 0;
	u16 from;

	outb(0x43, 0x34);
	outb(0x40, 0);
	outb(0x40, 0);
	apic_timer_start_count();
	from = count_now();
	start = rdtsc();
	while ((u16)(from - count_now()) < WINDOW_TICKS && ++spin < 1000000)
		;
	end = rdtsc();
	*apic_ticks = apic_timer_stop_count();
	return spin < 1000000 ? end - start : 0;
}

/* The guests' formula (pvclock), so that the two clocks never differ. No lock, any CPU. */
u64 arch_now_ns(void)
{
	u64 t = rdtsc() - rate.base;

	t = rate.shift < 0 ? t >> -rate.shift : t << rate.shift;
	return (u64)(((unsigned __int128)t * rate.mult) >> 32);
}

void arch_timer_arm(u64 ns) { apic_timer_arm(ns ? tsc_at(rate.base, ns, found_clock.tsc_khz) : 0); }

struct arch_clock arch_clock(void) { return found_clock; }
void arch_wall_set(u64 ns) { WRITE_ONCE(found_clock.wall_ns, ns); }

/* Only at boot: two accesses that belong together, and there is no lock for them. */
static u8 cmos(u8 reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

/*
 * Seconds since 1970, or 0 if the clock is nonsense. It is read twice, as long as the second
 * differs, for it may tick in between; the battery may be empty, hence the bounds of tries.
 */
static u64 cmos_time(void)
{
	enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, PARTS };
	static const u8 where[PARTS] = { 0, 2, 4, 7, 8, 9 };
	static const u16 days[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	u32 t[PARTS], i, tries = 0;
	u8 status;
	bool pm;
	u64 n;

	do {
		while ((cmos(10) & 0x80) && tries++ < 1000000)
			;
		for (i = 0; i < PARTS; i++)
			t[i] = cmos(where[i]);
	} while (t[SECOND] != cmos(0) && tries++ < 1000000);
	status = cmos(11);	/* bit 1: 24 hours, bit 2: no BCD */
	pm = !(status & 2) && t[HOUR] & 0x80;
	t[HOUR] &= status & 2 ? 0xff : 0x7f;
	for (i = 0; i < PARTS && !(status & 4); i++)
		t[i] = (t[i] >> 4) * 10 + (t[i] & 15);
	if (!(status & 2))
		t[HOUR] = t[HOUR] % 12 + (pm ? 12 : 0);
	if (t[MONTH] < 1 || t[MONTH] > 12 || t[DAY] < 1)
		return 0;
	/* of a year from 2000 to 2099 */
	n = (t[YEAR] + 30) * 365ull + (t[YEAR] + 31) / 4 + days[t[MONTH] - 1] + t[DAY] - 1;
	if (t[MONTH] > 2 && !(t[YEAR] % 4))
		n++;
	return n * 86400 + t[HOUR] * 3600 + t[MINUTE] * 60 + t[SECOND];
}

void time_init(void)
{
	u64 best = 0;
	u32 ticks = 0, t;
	u64 f;

	/* a busy host makes a window look longer: the least of several, until two agree */
	for (int i = 0; i < 20; i++) {
		u64 n = inb(0x61) == 0xff ? measure_latched(&t) : measure_once(&t), old = best;

		if (n && (!best || n < best)) {
			best = n;
			ticks = t;
		}
		if (n && old && max(n, old) - min(n, old) < best / 2000)
			break;
	}
	if (!best)
		panic("time: no PIT to measure the TSC with");
	found_clock.tsc_khz = best * PIT_HZ / WINDOW_TICKS / 1000;
	if (found_clock.tsc_khz < 100000)
		panic("time: a TSC of %lu kHz: what measures it lies", found_clock.tsc_khz);
	apic_timer_set_rate(best, ticks);

	/* mult in [2^31, 2^32): pvclock's form */
	f = found_clock.tsc_khz * 1000;
	while (f > 2000000000ull) {
		f >>= 1;
		rate.shift--;
	}
	while (f <= 1000000000ull) {
		f <<= 1;
		rate.shift++;
	}
	rate.mult = (u32)((1000000000ull << 32) / f);
	rate.base = rdtsc();
	found_clock.wall_ns = cmos_time() * 1000000000;
	log_info("time: TSC %lu kHz%s", found_clock.tsc_khz,
		 cpu_features.tsc_deadline ? ", deadline timer" : "");
}

/* Different for each domain, not secret: when it was made, spread over all bits. */
void arch_generation(u64 id[2])
{
	id[0] = rdtsc() * 0x9e3779b97f4a7c15ull;
	id[1] = (rdtsc() ^ found_clock.wall_ns << 8) * 0xbf58476d1ce4e5b9ull;
}

/*
 * An odd version tells a reader on another vCPU that the record is half written. The guest may
 * write to it as well: nothing is read back but the version, of which only the parity counts.
 */
void arch_clock_fill(void *record)
{
	struct {
		u32 version, pad;
		u64 tsc_timestamp, system_time;
		u32 mult;
		s8 shift;
		u8 flags, pad2[2];
	} *r = record;

	WRITE_ONCE(r->version, r->version | 1);
	barrier();
	r->tsc_timestamp = rate.base;
	r->system_time = 0;
	r->mult = rate.mult;
	r->shift = rate.shift;
	r->flags = found_clock.stable ? 1 : 0;
	barrier();
	WRITE_ONCE(r->version, (r->version | 1) + 1);
}
