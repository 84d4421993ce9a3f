// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time: nanoseconds since boot from the TSC, its rate as it is said or measured, the time of day at
 * boot from the CMOS clock, and the record that guests read (pvclock, Linux
 * arch/x86/include/asm/pvclock-abi.h).
 */
#include <x86/cpu.h>
#include <x86/tsc.h>
#include <core/domain.h>
#include <core/log.h>

struct arch_clock found_clock = { .stable = true };
/* ns = (tsc - base) << shift (or >> -shift) * mult >> 32, as in pvclock; set once at boot */
static struct { u64 base; u32 mult; s8 shift; } rate;

struct clock {
	const char *name;
	u64 hz;			/* 0: there is none */
	u32 mask, (*read)(void);
};

static u32 tsc_read(void) { return (u32)rdtsc(); }
static u32 pm_timer_read(void) { return inl(firmware.pm_timer); }
static u32 hpet_read(void) { return firmware.hpet[0xf0 / 4]; }

static u32 pit_read(void)
{
	u8 low;

	outb(0x43, 0);		/* latch channel 0, which counts down */
	low = inb(0x40);
	return -(low | (u32)inb(0x40) << 8);
}

/* The rate in kHz, by 10 ms of a clock, or 0 if it stands still; ticks of the TSC and the APIC. */
static u64 measure_once(const struct clock *c, u64 *tsc, u32 *apic)
{
	u32 from, gone;
	u64 start;

	apic_timer_start_count();
	from = c->read();
	start = rdtsc();
	do {
		gone = (c->read() - from) & c->mask;
		*tsc = rdtsc() - start;
	} while (gone < c->hz / 100 && *tsc < 1ull << (gone ? 34 : 28));
	*apic = apic_timer_stop_count();
	return gone < c->hz / 100 ? 0 : mul_div(*tsc, c->hz, gone) / 1000;
}

/* A busy host makes a window look longer: the least of several, until two agree. */
static u64 measure(const struct clock *c, u64 *tsc, u32 *apic)
{
	u64 best = 0, old, khz, t;
	u32 a;

	for (int i = 0; i < 20; i++) {
		old = best;
		khz = measure_once(c, &t, &a);
		if (!khz)
			break;
		if (!best || khz < best) {
			best = khz;
			*tsc = t;
			*apic = a;
		}
		if (old && max(khz, old) - min(khz, old) < best / 2000)
			break;
	}
	return best;
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

static void cpuid_of(u32 leaf, u32 r[4]) { cpuid_count(leaf, 0, r, r + 1, r + 2, r + 3); }

/* Starts it, as nobody else uses it. Hz, or 0. */
static u64 hpet_start(void)
{
	if (firmware.hpet)
		firmware.hpet[4] |= 1;
	return firmware.hpet ? hpet_hz(firmware.hpet[1]) : 0;
}

void time_init(void)
{
	struct clock clocks[] = {
		{ "PM timer", firmware.pm_timer ? PM_TIMER_HZ : 0, 0xffffff, pm_timer_read },
		{ "HPET", hpet_start(), ~0u, hpet_read },
		{ "PIT", 1193182, 0xffff, pit_read },
	}, *c, itself = { NULL, 0, ~0u, tsc_read };
	u64 f, tsc = 0, khz, measured = 0, said = tsc_said(cpuid_of, rdmsr);
	u32 ticks = 0;

	outb(0x43, 0x34);	/* without end */
	outb(0x40, 0);
	outb(0x40, 0);
	for (c = clocks; c < clocks + ARRAY_SIZE(clocks) && measured < TSC_LEAST_KHZ; c++)
		measured = c->hz ? measure(c, &tsc, &ticks) : 0;
	khz = tsc_decide(said, measured, tsc_rough(cpuid_of));
	if (khz < TSC_LEAST_KHZ)
		panic("time: nothing tells the TSC's rate, or it is below %u kHz", TSC_LEAST_KHZ);
	itself.hz = khz * 1000;
	if (measured < TSC_LEAST_KHZ)
		measure(&itself, &tsc, &ticks);
	found_clock.tsc_khz = khz;
	apic_timer_set_rate(tsc, ticks);

	/* mult in [2^31, 2^32): pvclock's form */
	for (f = itself.hz; f > 2000000000ull; f >>= 1)
		rate.shift--;
	for (; f <= 1000000000ull; f <<= 1)
		rate.shift++;
	rate.mult = (u32)((1000000000ull << 32) / f);
	rate.base = rdtsc();
	found_clock.wall_ns = cmos_time() * 1000000000;
	log_info("time: TSC %lu kHz by %s%s", khz, khz == measured ? c[-1].name : "CPUID",
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
void arch_clock_fill(void *record, s64 offset)
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
	r->system_time = -(u64)offset;
	r->mult = rate.mult;
	r->shift = rate.shift;
	r->flags = found_clock.stable ? 1 : 0;
	barrier();
	WRITE_ONCE(r->version, (r->version | 1) + 1);
}
