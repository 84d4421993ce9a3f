// SPDX-License-Identifier: GPL-2.0-only
/*
 * Vectors raised at a vCPU while another one starts it must not run it before it is set
 * up. A hypervisor that wakes it too early loses the machine here.
 * @vcpus 3
 * @beside canary
 */
#include "lib/guest.h"

static volatile u64 stop, starts;

static void handler(struct frame *f) { (void)f; }

void secondary_main(u64 arg)
{
	if (arg == 2)
		while (!stop)
			parvus_vector_raise(1, 0x60);
	else
		starts++;
	for (;;)
		parvus_vcpu_stop();
}

void test(void)
{
	on_trap = handler;
	vcpu_begin(2, 2);
	for (int i = 0; i < 2000; i++) {
		vcpu_begin(1, 1);
		while (parvus_vcpu_state(1))
			parvus_yield();
	}
	stop = 1;
	EXPECT_EQ(starts, 2000);
	while (parvus_vcpu_state(2))
		parvus_yield();
}
