// SPDX-License-Identifier: GPL-2.0-only
/*
 * xcr0: what a program finds of XSAVE and AVX: "XCR0 7, AVX runs", "no XGETBV, AVX faults". CPUID
 * is not asked, for where it does not fault it is the CPU's.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

static sigjmp_buf back;

static void fault(int sig) { siglongjmp(back, sig); }

int main(void)
{
	unsigned int a = 0, d;

	signal(SIGILL, fault);
	if (!sigsetjmp(back, 1)) {
		__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
		printf("XCR0 %x, ", a);
	} else {
		printf("no XGETBV, ");
	}
	if (!sigsetjmp(back, 1)) {
		__asm__ volatile("vpxor %%ymm0, %%ymm0, %%ymm0" : : : "xmm0");
		printf("AVX runs\n");
	} else {
		printf("AVX faults\n");
	}
	return 0;
}
