// SPDX-License-Identifier: GPL-2.0-only
/* Decisions about a CPU that no emulator shows both sides of: x86/cpu.h. */
#include "native.h"
#include <x86/cpu.h>

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

int main(void)
{
	Suite *s = suite_create("cpu");
	TCase *c = tcase_create("cpu");

	tcase_add_test(c, fpu_pointers);
	suite_add_tcase(s, c);
	return native_main(s);
}
