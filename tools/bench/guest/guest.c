// SPDX-License-Identifier: GPL-2.0-only
/*
 * A domain of Parvus as a platform of the benchmark. Words on its command line: "icount",
 * "smp" (two vCPUs), "device" (two domains: this is the front end, the other one has
 * "back"), only=NAME. With parvus-bench.elf and debug=calls, stores to page tables and a
 * device by port I/O are emulated, too.
 */
#include "calls.h"

#define WATCH_VA	0xffffffff90000000ull

const char *const raw_way = "trap";

const char *command_line(void) { return va(start_info->cmdline); }
unsigned int cpus(void) { return start_info->vcpus; }

void gate_set(u8 vector, const void *handler)
{
	static struct parvus_trap t __attribute__((aligned(16)));

	t = (struct parvus_trap){ .address = (u64)handler, .vector = vector,
				  .dpl = vector == 0x80 ? 3 : 0 };
	EXPECT_EQ(parvus_traps_set(pa(&t), 1), 0);
}

void syscall_set(const void *handler)
{
	static struct parvus_callbacks c __attribute__((aligned(64)));

	c = (struct parvus_callbacks){ .size = sizeof(c),
				       .version = 1,
				       .syscall_entry = (u64)handler };
	EXPECT_EQ(parvus_callbacks_set(pa(&c)), 0);
}

static bool smp;

/* Of the second vCPU only what is counted at once; the rest lags while it runs. */
void stats_take(struct parvus_vcpu_stats *s)
{
	static struct parvus_vcpu_stats second;

	parvus_stats_read(PARVUS_VCPU_SELF, pa(s), sizeof(*s));
	if (smp && !parvus_stats_read(1, pa(&second), sizeof(second)))
		s->ipis += second.ipis;
}
void raise_self(u8 vector) { parvus_vector_raise(PARVUS_VCPU_SELF, vector); }
void raise_other(u8 vector) { parvus_vector_raise(vector == VECTOR_A ? 0 : 1, vector); }

static s64 watch(u64 gpa, u64 at) { return hypercall(PARVUS_HC_watch_gfn, gpa, at, 0, 0, 0, 0); }

bool has(unsigned int needs)
{
	u8 status = 0xff;

	if (needs & NEED_DEVICE)
		__asm__ volatile("inb %1, %0" : "=a"(status) : "d"((u16)(DEVICE + 7)));
	return (!(needs & NEED_DEVICE) || status == 0x50) &&
	       (!(needs & NEED_WATCH) || !watch(0, 0));
}

volatile u64 *tables_view(u64 gpa)
{
	for (u64 i = 0; i < TABLE_PAGES; i++) {
		map(WATCH_VA + i * PAGE, gpa + i * PAGE, P);
		flush_page(WATCH_VA + i * PAGE);
	}
	watch(gpa, WATCH_VA);
	return (volatile u64 *)WATCH_VA;
}

void second_cpu(void)
{
	static bool started;

	if (!started)
		vcpu_begin(1, 0);
	started = true;
}
void secondary_main(u64 arg)
{
	(void)arg;
	second_main();
}

void run_tables(void)
{
	if (option("device")) {
		device_front();
	} else if (option("smp")) {
		measure(raw_smp_ops, raw_smp_count);
		measure(call_smp_ops, call_smp_count);
	} else {
		measure(raw_ops, raw_count);
		measure(call_ops, call_count);
	}
}

void test(void)
{
	tsc_khz = start_info->tsc_khz;
	clock_setup();
	irq_off();
	smp = option("smp");
	if (option("back"))
		device_back();
	else
		micro_main();
}
