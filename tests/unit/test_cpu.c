// SPDX-License-Identifier: GPL-2.0-only
/* Decisions about a CPU that no emulator shows both sides of: x86/cpu.h. */
#include "native.h"
#include <x86/cpu.h>
#include <x86/measures.h>

/* ebx, ecx, edx of CPUID leaf 0 for a vendor's twelve letters, in the order b, d, c */
static bool leaks(const char *vendor, u32 ebx)
{
	u32 w[3];

	memcpy(w, vendor, sizeof(w));
	return fpu_pointers_leak(w[0], w[2], w[1], ebx);
}

/* AMD's XRSTOR keeps FIP and FDP unless the CPU says that it does not; Intel's never did. */
START_TEST(fpu_pointers)
{
	ck_assert(leaks("AuthenticAMD", 0));
	ck_assert(leaks("HygonGenuine", 0));
	ck_assert(leaks("AuthenticAMD", ~4u));
	ck_assert(!leaks("AuthenticAMD", 4));
	ck_assert(!leaks("HygonGenuine", 0xffffffff));
	ck_assert(!leaks("GenuineIntel", 0));
	ck_assert(!leaks("CentaurHauls", 0));
}
END_TEST

/* Where CPUID of programs can be made to fault; the bit is another one elsewhere. */
START_TEST(cpuid_faulting)
{
	ck_assert(cpuid_may_fault(0x756e6547, 1u << 31));
	ck_assert(cpuid_may_fault(0x756e6547, 0xdf3f1018));
	ck_assert(!cpuid_may_fault(0x756e6547, 0));	/* as where there is no such register */
	ck_assert(!cpuid_may_fault(0x756e6547, ~(1u << 31)));
	ck_assert(!cpuid_may_fault(0x68747541, ~0u));	/* "Auth" */
}
END_TEST

/* Each measure, by what a CPU says of itself (x86/measures.h). */
START_TEST(measures)
{
	struct measure_facts old = { .intel = true, .smt = true };
	struct measure_facts skylake = { .intel = true, .md_clear = true, .ibpb = true,
					 .smt = true };
	struct measure_facts ice = { .intel = true, .md_clear = true, .ibpb = true, .smt = true,
				     .arch_caps = true,
				     .caps = CAP_IBRS_ALL | CAP_MDS_NO | CAP_RDCL_NO };
	struct measure_facts zen2 = { .amd = true, .ibpb = true, .smt = true };
	struct measure_facts zen4 = { .amd = true, .ibpb = true, .auto_ibrs = true };
	u64 m;

#define IS(measure, state) \
	ck_assert(measure_is(m, PARVUS_MEASURE_##measure, PARVUS_MEASURE_##state))
	m = measures_decide(&old, false);
	IS(VERW, NO_MICROCODE);
	IS(IBPB, NO_MICROCODE);
	IS(BRANCHES, ON);
	IS(SMT, OFF);
	ck_assert(measures_meltdown(&old) && measures_meltdown(&skylake));
	ck_assert(!measures_meltdown(&ice) && !measures_meltdown(&zen2));
	m = measures_decide(&skylake, true);
	IS(VERW, ON);
	IS(IBPB, ON);
	IS(BRANCHES, ON);
	IS(SMT, ON);
	m = measures_decide(&ice, false);
	IS(VERW, NOT_AFFECTED);
	IS(BRANCHES, HARDWARE);
	IS(SMT, NOT_AFFECTED);
	/* bits of a register that is not there say nothing */
	ice.arch_caps = false;
	m = measures_decide(&ice, false);
	IS(VERW, ON);
	IS(BRANCHES, ON);
	ck_assert(measures_meltdown(&ice));
	m = measures_decide(&zen2, false);
	IS(VERW, NOT_AFFECTED);
	IS(BRANCHES, ON);
	IS(SMT, NOT_AFFECTED);
	m = measures_decide(&zen4, false);
	IS(BRANCHES, HARDWARE);
#undef IS
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cpu");
	TCase *c = tcase_create("cpu");

	tcase_add_test(c, fpu_pointers);
	tcase_add_test(c, cpuid_faulting);
	tcase_add_test(c, measures);
	suite_add_tcase(s, c);
	return native_main(s);
}
