// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions of the x87 and of SSE arrive as #MF and #XM in the kernel and in a program, for
 * unmasked errors only, and the state stays each vCPU's own over switches: a masked neighbour on
 * the same pCPU changes nothing. CR0.TS is not the guest's: MOV to CR0 and CLTS bring no #NM.
 * QEMU's TCG knows no #XM and takes any MXCSR; Bochs does as hardware.
 * @vcpus 3
 */
#include "lib/guest.h"

static volatile u64 stop;

static void mxcsr_set(u32 v) { __asm__ volatile("ldmxcsr %0" : : "m"(v)); }
static u32 mxcsr(void)
{
	u32 v;

	__asm__ volatile("stmxcsr %0" : "=m"(v));
	return v;
}
static void control_set(u16 v) { __asm__ volatile("fninit; fldcw %0" : : "m"(v)); }

/* 1 / 0 on each unit; the x87's error shows at the next instruction that waits. */
static void divide_sse(void *arg)
{
	(void)arg;
	__asm__ volatile("pxor %%xmm1, %%xmm1\n	mov $1, %%eax\n	cvtsi2ss %%eax, %%xmm0\n"
			 "divss %%xmm1, %%xmm0" : : : "eax", "memory");
}
static void divide_x87(void *arg)
{
	(void)arg;
	__asm__ volatile("fld1\n	fldz\n	fdivrp\n	fwait" : : : "memory");
}

void secondary_main(u64 arg)
{
	mxcsr_set(0x1f80 | (u32)arg << 13);
	while (!stop) {
		parvus_yield();
		EXPECT_EQ(mxcsr(), 0x1f80 | (u32)arg << 13);
	}
	for (;;)
		parvus_vcpu_stop();
}

/* fld1; fldz; fdivrp; fwait; syscall */
static const u8 user_x87[] = { 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x9b, 0x0f, 0x05 };
/* xorps %xmm1, %xmm1; mov $1, %eax; cvtsi2ss %eax, %xmm0; divss %xmm1, %xmm0; syscall */
static const u8 user_sse[] = { 0x0f, 0x57, 0xc9, 0xb8, 1, 0, 0, 0, 0xf3, 0x0f, 0x2a, 0xc0,
			       0xf3, 0x0f, 0x5e, 0xc1, 0x0f, 0x05 };

static void load(const u8 *code, u64 n)
{
	volatile u8 *p = va(*entry_of(root, USER_CODE, 1) & 0x000ffffffffff000ull);

	for (u64 i = 0; i < n; i++)
		p[i] = code[i];
}

static void round(void)
{
	control_set(0x37f);
	mxcsr_set(0x1f80);
	EXPECT(!catch_fault(divide_x87, 0));
	EXPECT(!catch_fault(divide_sse, 0));
	control_set(0x37b);	/* zero divide is an error */
	EXPECT(catch_fault(divide_x87, 0));
	EXPECT_EQ(fault.vector, 16);
	mxcsr_set(0x1d80);
	parvus_yield();		/* it is still ours */
	EXPECT_EQ(mxcsr(), 0x1d80);
	EXPECT_EQ(catch_fault(divide_sse, 0), !lenient());
	EXPECT_EQ(fault.vector, lenient() ? 16 : 19);
	control_set(0x37b);
	load(user_x87, sizeof(user_x87));
	user_run(0);
	EXPECT_EQ(user_trap.vector, 16);
	EXPECT_EQ(user_trap.rip, USER_CODE + 6);
	control_set(0x37f);
	mxcsr_set(0x1d80);
	load(user_sse, sizeof(user_sse));
	user_run(0);
	EXPECT_EQ(user_trap.vector, lenient() ? 0x100 : 19);
	EXPECT_EQ(user_trap.rip, USER_CODE + (lenient() ? sizeof(user_sse) : 12));
	mxcsr_set(0x1f80);
	user_run(0);
	EXPECT_EQ(user_trap.vector, 0x100);
}

static void bad_mxcsr(void *arg)
{
	(void)arg;
	mxcsr_set(0xffff0000);
}

void test(void)
{
	u64 cr0;

	user_setup(user_x87, sizeof(user_x87));
	vcpu_begin(1, 1);
	vcpu_begin(2, 2);
	for (int i = 0; i < 30; i++)
		round();
	EXPECT_EQ(catch_fault(bad_mxcsr, 0), !lenient());
	EXPECT(lenient() || fault.vector == 13);
	mxcsr_set(0x1f80);
	/* TS: no effect, by both ways */
	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | 8));
	EXPECT(!catch_fault(divide_x87, 0));
	EXPECT(!catch_fault(divide_sse, 0));
	__asm__ volatile("clts");
	stop = 1;
	for (u64 c = 1; c < 3; c++)
		while (parvus_vcpu_state(c))
			parvus_yield();
}
