// SPDX-License-Identifier: GPL-2.0-only
/*
 * A domain for tests of the scheduler. The command line says what it does, on all vCPUs that
 * it has, and until which second of the hypervisor's clock, so that domains end together:
 *   spin FROM UNTIL   does nothing but run
 *   tick FROM UNTIL   sleeps with a timer of 1 ms, again and again
 * It says what that was between FROM and UNTIL: ns run, ns stolen, and the longest delay of
 * a timer with the count of them, and how often a vCPU that spins looked at the clock.
 */
#include "guest.h"

#define SECOND	1000000000ull

static struct parvus_vcpu_stats s;
static volatile u64 fired;
static u64 from, until;
static char mode;

static void handler(struct frame *f) { fired += f->vector == PARVUS_VECTOR_TIMER; }

static u64 run_ns(void)
{
	u64 sum = 0;

	for (u64 n = 0; n < start_info->vcpus; n++) {
		EXPECT_EQ(parvus_stats_read(n, pa(&s), sizeof(s)), 0);
		sum += s.run_ns;
	}
	return sum;
}

static u64 spin_until(u64 ns)
{
	u64 turns = 0;

	for (; now_ns() < ns; turns++)
		relax();
	return turns;
}

void secondary_main(u64 arg)
{
	(void)arg;
	spin_until(until + SECOND);
	for (;;)
		parvus_vcpu_stop();
}

/* One sleep of 1 ms, and how long after its end we ran. */
static u64 tick(void)
{
	u64 before = fired, due = now_ns() + 1000000;

	irq_off();
	EXPECT_EQ(parvus_timer_set(due), 0);
	wait_change(&fired, before);
	return now_ns() - due;
}

static u64 number(const char **p)
{
	u64 n = 0;

	while (**p == ' ')
		++*p;
	while (**p >= '0' && **p <= '9')
		n = n * 10 + (u64)(*(*p)++ - '0');
	return n;
}

void test(void)
{
	const char *p = va(start_info->cmdline);
	u64 ran, stolen, longest = 0, n = 0, turns = 0;

	mode = *p;
	for (; *p && *p != ' '; p++)
		;
	from = number(&p) * SECOND;
	until = number(&p) * SECOND;
	EXPECT(mode == 's' || mode == 't');
	EXPECT(from && until > from);
	on_trap = handler;
	clock_setup();
	for (u64 c = 1; c < start_info->vcpus; c++)
		vcpu_begin((unsigned int)c, c);
	irq_on();
	while (mode == 't' && now_ns() < from)
		tick();
	spin_until(from);
	ran = run_ns();
	stolen = area.steal_ns;
	if (mode == 's')
		turns = spin_until(until);
	for (; mode == 't' && now_ns() < until; n++) {
		u64 late = tick();

		longest = late > longest ? late : longest;
	}
	print("load: ran %lu stolen %lu late %lu of %lu turns %lu\n", run_ns() - ran,
	      area.steal_ns - stolen, longest, n, turns);
}
