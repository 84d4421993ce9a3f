// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the Linux port tells the hypervisor of address spaces: mmu.c of the port as it is, against
 * hypercalls that are written down here (tests/unit/port). Memory of others that it may not look
 * at is freed before, which the sanitizer sees.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "../../guest-patches/linux/arch/x86/parvus/mmu.c"

/* Each test is a process of its own, which gives nothing back. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }

#define CALLS	8u

unsigned int port_cpu;
struct port_tlbstate port_tlbstate[PORT_CPUS];
struct port_ops pv_ops;
struct parvus_vcpu_area parvus_area;
char init_top_pgt[4096];

unsigned long parvus_read_cr2(void) { return parvus_area.cr2; }
void tlb_remove_table(struct mmu_gather *tlb, void *table) { (void)tlb; (void)table; }

static struct call {
	unsigned long nr, arg[6];
	u64 batch;		/* what the first argument pointed to then */
} calls[CALLS];
static unsigned int made;
static unsigned long refused;	/* the number of a call that fails */

long parvus_call6(unsigned long nr, unsigned long a0, unsigned long a1, unsigned long a2,
		  unsigned long a3, unsigned long a4, unsigned long a5)
{
	struct call *c = &calls[made++];

	ck_assert_uint_le(made, CALLS);
	*c = (struct call){ nr, { a0, a1, a2, a3, a4, a5 }, 0 };
	if (nr == PARVUS_HC_mmu_flush_batch)
		c->batch = *(u64 *)a0;
	return nr == refused ? -22 : 0;
}

static void is_call(unsigned int n, struct call want)
{
	ck_assert_uint_lt(n, made);
	ck_assert_int_eq(memcmp(&calls[n], &want, sizeof(want)), 0);
}
#define SWITCH(...) ((struct call){ PARVUS_HC_mmu_switch, { __VA_ARGS__ }, 0 })
#define FLUSH(...) ((struct call){ PARVUS_HC_mmu_flush, { __VA_ARGS__ }, 0 })

/* ---- address spaces ---- */

static struct mm_struct *mm_new(u64 id)
{
	struct mm_struct *mm = calloc(1, sizeof(*mm));

	mm->pgd = aligned_alloc(4096, 4096);
	mm->context.ctx_id = id;
	return mm;
}

static void setup(void)
{
	unsigned int cpu;
	struct mm_struct *mm = mm_new(7);

	for (cpu = 0; cpu < PORT_CPUS; cpu++)
		port_tlbstate[cpu].loaded_mm = mm;
	mm->cpus.bits[0] = 15;
	parvus_init_mmu();
}

/* ---- several address spaces at once (rule 19) ---- */

/* What runs on other CPUs may end at any time: it has ended. */
static void others_end(void)
{
	struct mm_struct *mm = mm_new(8);

	port_tlbstate[1].loaded_mm = port_tlbstate[2].loaded_mm = mm;
	free(mm->pgd);
	free(mm);
}

START_TEST(batch)
{
	struct cpumask cpus = { { 6 } };

	others_end();
	parvus_flush_batch(&cpus);
	ck_assert_uint_eq(made, 1);
	ck_assert_uint_eq(calls[0].nr, PARVUS_HC_mmu_flush_batch);
	ck_assert_uint_eq(calls[0].batch, 6);
	ck_assert_uint_eq(calls[0].arg[1], 1);
	ck_assert(cpumask_empty(&cpus));
}
END_TEST

/* A CPU between two may have read its generation before ours was raised. */
START_TEST(batch_while_switching)
{
	struct cpumask cpus = { { 6 } };

	others_end();
	port_tlbstate[2].loaded_mm = LOADED_MM_SWITCHING;
	parvus_flush_batch(&cpus);
	is_call(made - 1, FLUSH(0, 0, 0, 0, 0, PARVUS_FLUSH_ALL));
}
END_TEST

START_TEST(batch_refused)
{
	struct cpumask cpus = { { 6 } };

	refused = PARVUS_HC_mmu_flush_batch;
	parvus_flush_batch(&cpus);
	ck_assert_uint_eq(made, 2);
	is_call(1, FLUSH(0, 0, 0, 0, 0, PARVUS_FLUSH_ALL));
}
END_TEST

/* ---- one of them (rules 18 and 20) ---- */

START_TEST(range)
{
	struct mm_struct *mm = port_tlbstate[0].loaded_mm;

	parvus_flush_mm_range(mm, 0x1000, 0x3000, 12, false);
	ck_assert_uint_eq(made, 1);
	is_call(0, FLUSH(7, 1, 0x1000, 0x3000, 4096, PARVUS_FLUSH_RANGE));
	parvus_flush_mm_range(mm, 0, TLB_FLUSH_ALL, 12, true);
	ck_assert_uint_eq(made, 2);
	is_call(1, FLUSH(7, 2, 0, TLB_FLUSH_ALL, 4096,
			 PARVUS_FLUSH_AS | PARVUS_FLUSH_FREED_TABLES));
	/* it runs nowhere: the generation says it to the next switch */
	cpumask_clear(mm_cpumask(mm));
	parvus_flush_mm_range(mm, 0x1000, 0x3000, 12, false);
	ck_assert_uint_eq(made, 2);
	ck_assert_uint_eq(mm->context.tlb_gen, 3);
}
END_TEST

START_TEST(switches)
{
	struct mm_struct *mm = port_tlbstate[0].loaded_mm;
	unsigned long root = __pa(mm->pgd);

	port_tlbstate[0].ctxs[0].ctx_id = 7;
	port_tlbstate[0].ctxs[0].tlb_gen = 5;
	pv_ops.mmu.write_cr3(root | 0x18);
	is_call(0, SWITCH(7, root, 0, 5, 0, PARVUS_SWITCH_NONE));
	ck_assert_uint_eq(pv_ops.mmu.read_cr3(), root | 0x18);
	port_tlbstate[0].loaded_mm = LOADED_MM_SWITCHING;
	port_tlbstate[0].ctxs[0].ctx_id = 9;
	pv_ops.mmu.write_cr3(root);
	is_call(1, SWITCH(9, root, 0, 5, 0, PARVUS_SWITCH_NONE));
	/* no mm's: the vCPU's own, and nothing of it is kept */
	port_tlbstate[0].loaded_mm = mm;
	pv_ops.mmu.write_cr3(root + 4096);
	is_call(2, SWITCH(0, root + 4096, 0, 0, 0, PARVUS_SWITCH_ALL));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("port");
	TCase *t = tcase_create("mmu");
	const char *only = getenv("ONLY");
	SRunner *r;
	int failed;

#define TEST(name) (!only || !*only || !strcmp(only, #name) ? tcase_add_test(t, name) : (void)0)
	tcase_add_checked_fixture(t, setup, NULL);
	TEST(batch);
	TEST(batch_while_switching);
	TEST(batch_refused);
	TEST(range);
	TEST(switches);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
