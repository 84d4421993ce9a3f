// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starting, stopping and restarting vCPUs, IPIs both ways, many times.
 * @vcpus 3
 */
#include "lib/guest.h"

static volatile u64 started[3], got[3], ping;

static void handler(struct frame *f) { got[0] += f->vector == 0x60; }

void secondary_main(u64 arg)
{
	started[arg]++;
	while (started[arg] % 2 == 0)
		relax();
	for (u64 last = 0, n = 0; n < 200; n++) {
		u64 now;

		while (now = __atomic_load_n(&ping, __ATOMIC_SEQ_CST),
		       (now & 3) != arg || now == last)
			parvus_yield();
		last = now;
		parvus_vector_raise(0, 0x60);
	}
	got[arg]++;
	for (;;)
		parvus_vcpu_stop();
}

void test(void)
{
	on_trap = handler;
	irq_on();
	for (u64 round = 0; round < 3; round++) {
		ping = 0;
		for (u64 c = 1; c < 3; c++) {
			EXPECT_EQ(parvus_vcpu_state(c), 0);
			started[c] = 0;
			vcpu_begin(c, c);
			EXPECT_EQ(parvus_vcpu_state(c), 1);
			EXPECT_EQ(hypercall(PARVUS_HC_vcpu_start, c, pa(root), 0, 0, 0, 0) < 0, 1);
			while (!started[c])
				relax();
		}
		for (int i = 0; i < 400; i++) {
			u64 before = got[0];

			__atomic_store_n(&ping, (u64)(i * 4 + 1 + i % 2), __ATOMIC_SEQ_CST);
			wait_change(&got[0], before);
		}
		for (u64 c = 1; c < 3; c++) {
			while (got[c] != round + 1)
				relax();
			while (parvus_vcpu_state(c))
				parvus_yield();
		}
	}
	EXPECT_EQ(got[0], 1200);
}
