// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program must not do, it cannot, whatever its flags and its kernel's return frames say:
 * ports (IOPL 0 to 3 in the frame), CLI and STI, control, debug and system registers, MSRs, HLT,
 * INVLPG, caches, XSETBV, SWAPGS, VMX and SVM, the tables' addresses. Each is a fault at the
 * instruction. In the guest kernel INVLPG takes any operand, and no MSR shows an address of the
 * hypervisor or takes one that is not canonical.
 */
#include "lib/guest.h"

static const struct { u8 n, code[5], vector; } forbidden[] = {
	{ 1, { 0xfa }, 13 }, { 1, { 0xfb }, 13 }, { 1, { 0xf4 }, 13 },
	{ 1, { 0xec }, 13 }, { 1, { 0xed }, 13 }, { 1, { 0xee }, 13 }, { 1, { 0xef }, 13 },
	{ 2, { 0xe4, 0x80 }, 13 }, { 2, { 0xe7, 0x80 }, 13 },
	{ 1, { 0x6c }, 13 }, { 1, { 0x6f }, 13 },
	{ 3, { 0x0f, 0x20, 0xc0 }, 13 }, { 3, { 0x0f, 0x20, 0xd8 }, 13 },
	{ 3, { 0x0f, 0x22, 0xc0 }, 13 }, { 3, { 0x0f, 0x22, 0xd8 }, 13 },
	{ 3, { 0x0f, 0x22, 0xe0 }, 13 }, { 4, { 0x44, 0x0f, 0x20, 0xc0 }, 13 },
	{ 3, { 0x0f, 0x21, 0xc0 }, 13 }, { 3, { 0x0f, 0x23, 0xf8 }, 13 },
	{ 2, { 0x0f, 0x30 }, 13 }, { 2, { 0x0f, 0x32 }, 13 }, { 2, { 0x0f, 0x06 }, 13 },
	{ 2, { 0x0f, 0x08 }, 13 }, { 2, { 0x0f, 0x09 }, 13 }, { 3, { 0x0f, 0x01, 0x3f }, 13 },
	{ 3, { 0x0f, 0x01, 0x17 }, 13 }, { 3, { 0x0f, 0x01, 0x1f }, 13 },
	{ 3, { 0x0f, 0x00, 0xd0 }, 13 }, { 3, { 0x0f, 0x00, 0xd8 }, 13 },
	{ 3, { 0x0f, 0x01, 0xf0 }, 13 }, { 3, { 0x0f, 0x01, 0xd1 }, 13 },
	{ 3, { 0x0f, 0x01, 0xf8 }, 13 }, { 2, { 0x0f, 0x35 }, 0 }, { 3, { 0x48, 0x0f, 0x07 }, 13 },
	{ 3, { 0x0f, 0x01, 0xc1 }, 6 }, { 3, { 0x0f, 0x01, 0xd8 }, 0 },
	{ 3, { 0x0f, 0x01, 0xdd }, 0 }, { 2, { 0x0f, 0xaa }, 0 },
};
#define FORBIDDEN (sizeof(forbidden) / sizeof(forbidden[0]))

static volatile u8 *user_code(void)
{
	return va(*entry_of(root, USER_CODE, 1) & 0x000ffffffffff000ull);
}

/* Run user_code() with all that a frame may say about ports. Vector 0: #UD or #GP, by the CPU. */
static void faults(u64 vector, u64 rflags)
{
	struct frame f;

	memset(&f, 0, sizeof(f));
	f.rip = USER_CODE;
	f.cs = PARVUS_USER_CS;
	f.ss = PARVUS_USER_SS;
	f.rflags = rflags;
	f.rsp = USER_STACK - 64;
	f.rdi = f.rsi = USER_STACK - 128;
	f.rdx = 0x80;
	f.rcx = 0xc0000080;
	enter_user(&f);
	user_sp = 0;
	if (vector ? user_trap.vector != vector : user_trap.vector != 6 && user_trap.vector != 13) {
		print("FAILED: %x %x %x: vector %lu\n", user_code()[0], user_code()[1],
		      user_code()[2], user_trap.vector);
		failures++;
	}
	EXPECT_EQ(user_trap.rip, USER_CODE);
	EXPECT_EQ(user_trap.rflags & 0x3000, 0);
}

static void programs(void)
{
	static const u8 popf[] = { 0x68, 0x02, 0x32, 0, 0, 0x9d, 0x9c, 0x58, 0x0f, 0x05 };
	static const u8 umip[][3] = { { 0x0f, 0x01, 0x07 }, { 0x0f, 0x01, 0x0f },
				      { 0x0f, 0x00, 0x07 }, { 0x0f, 0x00, 0x0f },
				      { 0x0f, 0x01, 0xe0 } };
	u64 i, k, iopl;

	for (i = 0; i < FORBIDDEN; i++)
		for (iopl = 0; iopl < 4; iopl++) {
			for (k = 0; k < forbidden[i].n; k++)
				user_code()[k] = forbidden[i].code[k];
			user_code()[k] = 0x0f;
			user_code()[k + 1] = 0x0b;
			faults(forbidden[i].vector, 0x202 | iopl << 12);
		}
	/* push $0x3202; popf; pushf; pop %rax: neither IOPL nor IF is a program's */
	for (k = 0; k < sizeof(popf); k++)
		user_code()[k] = popf[k];
	user_run(0);
	EXPECT_EQ(user_trap.vector, 0x100);
	EXPECT_EQ(user_trap.rax & 0x3200, 0x200);
	EXPECT_EQ(parvus_cpuid(7, 0), 0);
	for (i = 0; i < 5 && area.ret[2] >> 2 & 1; i++) {
		for (k = 0; k < 3; k++)
			user_code()[k] = umip[i][k];
		faults(13, 0x202);
	}
}

static void invlpg(void *at) { __asm__ volatile("invlpg (%0)" : : "r"(at) : "memory"); }
static void invlpg_fs(void *at) { __asm__ volatile("invlpg %%fs:(%0)" : : "r"(at) : "memory"); }
static void rd(void *msr) { __asm__ volatile("rdmsr" : : "c"(msr) : "eax", "edx", "memory"); }
static void wr(void *msr)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"(0), "d"(0x8000) : "memory");
}

static void kernels(void)
{
	static const u64 at[] = { 0, 0x1000, 0x7fffffffffff, 0x800000000000, 0xffff7fffffffffff,
				  PARVUS_HOLE_START, PARVUS_HOLE_END - 1, BASE, ~0ull };
	static const u32 ranges[][2] = { { 0, 0x1100 }, { 0xc0000000, 0xc0000200 },
					 { 0xc0010000, 0xc0010200 }, { 0x40000000, 0x40000100 } };
	static const u32 addresses[] = { 0xc0000100, 0xc0000101, 0xc0000102 };
	u64 i, n, v;

	for (i = 0; i < sizeof(at) / 8; i++) {
		EXPECT(!catch_fault(invlpg, (void *)at[i]));
		EXPECT(!catch_fault(invlpg_fs, (void *)at[i]));
	}
	for (i = 0; i < 4; i++)
		for (n = ranges[i][0]; n < ranges[i][1]; n++) {
			if (parvus_msr_read(n)) {
				EXPECT(catch_fault(rd, (void *)n));
				EXPECT_EQ(fault.vector, 13);
				continue;
			}
			v = area.ret[0];
			EXPECT(v < PARVUS_HOLE_START || v >= PARVUS_HOLE_END);
			EXPECT(!catch_fault(rd, (void *)n));
		}
	for (i = 0; i < 3; i++) {
		EXPECT(catch_fault(wr, (void *)(u64)addresses[i]));
		EXPECT_EQ(fault.vector, 13);
	}
}

void test(void)
{
	user_setup("\x0f\x05", 2);
	programs();
	kernels();
}
