// SPDX-License-Identifier: GPL-2.0-only
/*
 * An interrupt storm of a guest at itself and a trap loop keep nobody else from
 * running, and a guest may return from it.
 * @beside canary
 */
#include "lib/guest.h"

static volatile u64 n;

static void handler(struct frame *f)
{
	(void)f;
	if (++n < 20000) {
		parvus_vector_raise(0, 0x70 + n % 64);
		parvus_vector_raise(0, 0x70);
	}
}

void test(void)
{
	on_trap = handler;
	irq_on();
	parvus_vector_raise(0, 0x70);
	while (n < 20000)
		relax();
	irq_off();
	for (u64 i = 0; i < 100000; i++)
		parvus_vector_raise(0, 32 + i % 224);
}
