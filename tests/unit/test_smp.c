// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86/smp.c: CPUs that start or do not, and whose TSCs are in step or are not. The other CPU is a
 * thread that an IPI starts, the TSC a counter that no two reads find alike, and off by what the
 * test says. A clock is told to guests as stable only if each sample of each CPU lay between two
 * reads of the CPU that asked (rule 45).
 */
#include <pthread.h>
#include <sched.h>
#include "native.h"
#include <core/lib.h>
#include <core/sched.h>
#include <x86/cpu.h>
#include <x86/cpu_area.h>
#include <x86/pv.h>

/* What smp.c touches of a pCPU; the rest is not there. */
#undef pcpu
#define pcpu	smp_pcpu
#define pcpus	smp_pcpus
struct pcpu {
	struct pcpu *self;
	unsigned int cpu;
	u32 apic_id, tsc_ask, tsc_answer;
	u64 stack_top, frame, tsc_sample;
	bool online, has_fsgsbase, fast, kernel_mode;
};
#define IST_STACKS	4u
void desc_init_cpu(struct pcpu *p);
void idle_forever(void);

static u64 counter;
static _Thread_local bool other;		/* this thread is the CPU that is asked */
static _Thread_local unsigned int sample;	/* of it, from 1 */
static struct { unsigned int cpu, from, to; s64 by; } off;
static unsigned int asked;			/* the CPU that is */
static u32 dead = ~0u;				/* an APIC id that does not start */
static unsigned int inits_to_dead;

static u64 machine_rdtsc(void)
{
	u64 now = __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);

	if (!other || asked != off.cpu || ++sample < off.from || sample > off.to)
		return now;
	return now + (u64)off.by;
}

static _Alignas(PAGE_SIZE) char area[MAX_CPUS][CPU_AREA_END];
static u64 machine_area(unsigned int cpu) { return (u64)area[cpu]; }
static u64 entry;
static u64 *machine_entry(UNUSED u64 va) { return &entry; }
static u64 machine_data(void) { return 0; }

#undef virt_to_phys
#define virt_to_phys(p)	((u64)(p))
#define rdtsc		machine_rdtsc
#define cpu_area	machine_area
#define cpu_relax()	sched_yield()	/* threads share CPUs */
#define paging_entry	machine_entry
#define paging_data	machine_data
#define mmu_init_cpu(p)	((void)(p))
#define sched_init_cpu(c) ((void)(c))
#define timer_init_cpu(c) ((c) >= MAX_CPUS)
#include "../../hypervisor/x86/smp.c"

/* ---- the machine ---- */

struct firmware firmware;
struct arch_clock found_clock;
void microcode_load(void) {}
void cpu_init(void) {}
void desc_init_cpu(UNUSED struct pcpu *p) {}
void apic_init_cpu(void) {}
void idle_forever(void) { abort(); }
void *paging_page(void) { return &entry; }
u32 apic_id(void) { return 3; }

static pthread_t thread;
static void *other_cpu(void *p)
{
	other = true;
	sample = 0;
	smp_store_release(&((struct pcpu *)p)->online, true);
	tsc_answer(p);
	return NULL;
}

void apic_send(u32 id, u32 what)
{
	inits_to_dead += id == dead && what == 0x4500;
	if (what == 0x4500 || id == dead)
		return;
	ck_assert_uint_eq(what, 0x4608);
	ck_assert_uint_eq(secondary_pcpu->apic_id, id);
	asked = secondary_pcpu->cpu;
	ck_assert_int_eq(pthread_create(&thread, NULL, other_cpu, secondary_pcpu), 0);
	pthread_detach(thread);
	while (!smp_load_acquire(&secondary_pcpu->online))	/* it has another clock than ours */
		sched_yield();
}

/* A machine starts its CPUs of these APIC ids; it has @online then, and the clock is @stable. */
static void machine(const u32 *ids, u32 count, u64 pa, u32 online, bool stable)
{
	memset(&firmware, 0, sizeof(firmware));
	memset(smp_pcpus, 0, sizeof(smp_pcpus));
	memcpy(firmware.cpu_apic_id, ids, count * sizeof(*ids));
	firmware.cpus = count;
	found_clock.tsc_khz = 1;
	found_clock.stable = true;
	inits_to_dead = 0;
	cpus_online = 0;
	pcpu_new(cpus_online++, 0);
	smp_init(pa);
	ck_assert_uint_eq(cpus_online, online);
	ck_assert_int_eq(found_clock.stable, stable);
}

static const u32 three[] = { 3, 0, 1, 2 };	/* the boot CPU's is 3 */

START_TEST(in_step)
{
	machine(three, 4, 0x8000, 4, true);
	for (u32 i = 1; i < 4; i++) {
		ck_assert_uint_eq(smp_pcpus[i]->cpu, i);
		ck_assert_uint_eq(smp_pcpus[i]->apic_id, three[i]);
	}
	machine(three, 4, 0, 1, true);	/* no page to start them from */
}
END_TEST

/* One sample of 32 is enough, the first, one between, the last; of any CPU. */
START_TEST(out_of_step)
{
	static const u32 rounds[] = { 1, 17, TSC_ROUNDS };

	for (u32 cpu = 1; cpu < 4; cpu++)
		for (u32 i = 0; i < ARRAY_SIZE(rounds); i++)
			for (int ahead = 0; ahead < 2; ahead++) {
				off.cpu = cpu;
				off.from = off.to = rounds[i];
				off.by = ahead ? 1 << 20 : -(1 << 20);
				machine(three, 4, 0x8000, 4, false);
			}
	off.from = 1;	/* and so is all the time, by a little */
	off.to = TSC_ROUNDS;
	off.by = -(s64)2;
	machine(three, 4, 0x8000, 4, false);
	off.to = 0;
	machine(three, 4, 0x8000, 4, true);
}
END_TEST

START_TEST(left_out)
{
	dead = 1;
	machine(three, 4, 0x8000, 3, true);
	ck_assert_uint_eq(smp_pcpus[1]->apic_id, 0);
	ck_assert_uint_eq(smp_pcpus[2]->apic_id, 2);
	ck_assert_ptr_null(smp_pcpus[3]);
	ck_assert_uint_eq(inits_to_dead, 2);	/* and it stays down */
	dead = ~0u;
}
END_TEST

int main(void)
{
	Suite *s = suite_create("smp");
	TCase *t = tcase_create("smp");

	tcase_set_timeout(t, 240);
	tcase_add_test(t, in_step);
	tcase_add_test(t, out_of_step);
	tcase_add_test(t, left_out);
	suite_add_tcase(s, t);
	return native_main(s);
}
