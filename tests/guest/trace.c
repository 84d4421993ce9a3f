// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a trace shows when asked: results of hypercalls, system calls and returns that assembly
 * serves by itself otherwise, how page faults end; of an event that is not asked for, nothing.
 * A reader that comes late is told by the position how much it has missed.
 * @control 1
 */
#include "lib/control.h"

static const u8 code[] = { 0xb8, 0x39, 0x30, 0, 0,		/* mov $12345, %eax */
			   0x0f, 0x05 };			/* syscall */

static u64 seen[32];			/* by bit of the event */
static struct parvus_trace_record last[32], fault_of;
static u64 fault_at;

static struct parvus_control_trace *read_at(u32 flags, u32 mask, u32 cpu, u64 from)
{
	struct parvus_control_trace *t = ARG(parvus_control_trace);

	t->flags = flags;
	t->mask = mask;
	t->cpu = cpu;
	t->from = from;
	return control(PARVUS_CONTROL_TRACE) ? NULL : t;
}

/* Record what work() does, by the events of @mask; then look at all of it. */
static void traced(u32 mask, void (*work)(void))
{
	struct parvus_control_trace *t;
	u64 start[2];
	u32 cpu, i;

	memset(seen, 0, sizeof(seen));
	for (cpu = 0; cpu < 2; cpu++) {
		t = read_at(PARVUS_TRACE_SET, mask, cpu, ~0ull);
		EXPECT(t);
		start[cpu] = t->from;
	}
	work();
	EXPECT(read_at(PARVUS_TRACE_SET, 0, 0, 0));
	for (cpu = 0; cpu < 2; cpu++)
		while ((t = read_at(0, 0, cpu, start[cpu])) && t->records) {
			for (i = 0; i < t->records; i++) {
				struct parvus_trace_record *r = &t->record[i];
				int bit = __builtin_ctz(r->event);

				EXPECT(r->event & mask);
				seen[bit]++;
				last[bit] = *r;
				if (r->event == PARVUS_TRACE_OUTCOME && r->arg[0] == fault_at)
					fault_of = *r;
			}
			start[cpu] = t->from + t->records;
		}
}

#define SEEN(event)	seen[__builtin_ctz(event)]
#define LAST(event)	last[__builtin_ctz(event)]

static void call_nothing(void) { hypercall(999, 1, 2, 3, 4, 5, 6); }
static void run_user(void)
{
	user_run(0);
	EXPECT_EQ(user_trap.vector, 0x100);
	EXPECT_EQ(user_trap.rax, 12345);
}
static void touch(void) { *(volatile u64 *)fault_at = 1; }
static void touch_nothing(void *arg) { (void)*(volatile u64 *)arg; }
static void fault_here(void) { catch_fault(touch_nothing, (void *)fault_at); }
static void many(void)
{
	for (int i = 0; i < 5000; i++)
		parvus_nop();
}

void test(void)
{
	struct parvus_control_trace *t;
	u64 lost = 0;
	u32 cpu;

	user_setup(code, sizeof(code));
	EXPECT(!read_at(PARVUS_TRACE_SET, PARVUS_TRACE_KNOWN + 1, 0, 0));

	traced(PARVUS_TRACE_HYPERCALL | PARVUS_TRACE_RETURN, call_nothing);
	EXPECT(SEEN(PARVUS_TRACE_RETURN) >= 2 && SEEN(PARVUS_TRACE_HYPERCALL) >= 2);
	traced(PARVUS_TRACE_RETURN, call_nothing);
	EXPECT_EQ(SEEN(PARVUS_TRACE_RETURN), 2);	/* the second SET's, and ours */
	EXPECT_EQ(LAST(PARVUS_TRACE_RETURN).arg[0], 999);
	EXPECT_EQ(LAST(PARVUS_TRACE_RETURN).arg[1], -PARVUS_ENOSYS);

	traced(PARVUS_TRACE_SYSCALL, run_user);
	EXPECT_EQ(SEEN(PARVUS_TRACE_SYSCALL), 1);
	EXPECT_EQ(LAST(PARVUS_TRACE_SYSCALL).arg[0], 12345);
	EXPECT_EQ(LAST(PARVUS_TRACE_SYSCALL).arg[1], USER_CODE + sizeof(code));
	traced(PARVUS_TRACE_EXIT, run_user);
	EXPECT(SEEN(PARVUS_TRACE_EXIT) >= 1);
	EXPECT(!SEEN(PARVUS_TRACE_SYSCALL));

	fault_at = 0x40000000;
	map(fault_at, page_new(), P | W);
	traced(PARVUS_TRACE_OUTCOME, touch);
	EXPECT_EQ(fault_of.arg[0], fault_at);
	EXPECT_EQ(fault_of.arg[1], PARVUS_OUTCOME_FILLED);
	fault_at = 0x50000000;
	traced(PARVUS_TRACE_OUTCOME, fault_here);
	EXPECT_EQ(fault_of.arg[0], fault_at);
	EXPECT_EQ(fault_of.arg[1], PARVUS_OUTCOME_GUEST);

	/* more than a ring holds */
	read_at(PARVUS_TRACE_SET, PARVUS_TRACE_RETURN, 0, 0);
	many();
	read_at(PARVUS_TRACE_SET, 0, 0, 0);
	for (cpu = 0; cpu < 2; cpu++) {
		t = read_at(0, 0, cpu, 0);
		EXPECT(t && t->from <= t->end);
		lost += t->from;
	}
	EXPECT(lost >= 500 && lost < 5500);
	run_user();	/* fast again */
}
