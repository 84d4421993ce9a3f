// SPDX-License-Identifier: GPL-2.0-only
/*
 * Input of the console is announced by the event vector, and by an event to a port that is
 * bound to it. A buffer that is not there loses none of it; a short one leaves the rest.
 * @input what the console says
 */
#include "lib/event.h"

static const char want[] = "what the console says\n";
static char got[64];
static volatile u64 told;

static void handler(struct frame *f) { told += f->vector == PARVUS_VECTOR_EVENT; }

/* The next bytes of the input, in pieces of up to five. */
static void input(u32 bytes)
{
	u32 n = 0;
	s64 r;

	do {
		r = parvus_console_read(pa(got) + n, bytes - n < 5 ? bytes - n : 5);
		EXPECT(r >= 0 && r <= 5);
		n += r > 0 ? (u32)r : 0;
	} while (r >= 0 && n < bytes);
}

static void nowhere(void)
{
	while (!parvus_console_read(0x123456789000, 16))
		relax();
	EXPECT_EQ(parvus_console_read(0x123456789000, 16), -PARVUS_EFAULT);
	EXPECT_EQ(parvus_console_read(0x123456789000, 0), 0);
}

void test(void)
{
	s64 port;

	event_setup();
	on_trap = handler;
	port = event_bind_to(PARVUS_EVENT_VIRQ, 0, PARVUS_VIRQ_CONSOLE, 0, 0, 0);
	EXPECT(port > 0);
	irq_on();
	do {
		input(1);	/* the first line may have come while nobody listened */
	} while (got[0] != '\n');
	nowhere();
	input(sizeof(want) - 1);
	for (u32 i = 0; i < sizeof(want) - 1; i++)
		EXPECT_EQ(got[i], want[i]);
	EXPECT(told > 0);
	EXPECT(event_page.pending[port / 64] >> port % 64 & 1);
}
