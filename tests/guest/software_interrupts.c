// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each INT n, INT3, INTO and ICEBP, of the kernel and of a program, with the guest's table letting
 * programs in or not: what arrives is the vector itself, behind the instruction, or a general
 * protection fault at it with n * 8 + 2. No number reaches the hypervisor's own vectors.
 * QEMU's TCG has no ICEBP.
 */
#include "lib/guest.h"

static struct frame seen;
static u64 taken;

static void handler(struct frame *f)
{
	seen = *f;
	taken++;
	if (f->vector == 13)
		f->rip += 2;	/* over the INT n */
}

static volatile u8 *user_code(void)
{
	return va(*entry_of(root, USER_CODE, 1) & 0x000ffffffffff000ull);
}

static void load(const u8 *code, u64 n)
{
	for (u64 i = 0; i < n; i++)
		user_code()[i] = code[i];
}

static void gate(u64 vector, u8 dpl, bool there)
{
	static struct parvus_trap t __attribute__((aligned(16)));

	t = (struct parvus_trap){ .address = there ? (u64)stubs + 16 * vector : 0,
				  .vector = (u8)vector, .dpl = dpl };
	barrier();
	EXPECT_EQ(parvus_traps_set(pa(&t), 1), 0);
}

/* May a program raise it where its kernel lets it? */
static bool open(u64 n) { return n == 3 || n == 4 || n >= 32; }

static void user_is(u64 n, u64 vector, u64 error, u64 rip)
{
	user_run(0);
	if (user_trap.vector != vector || user_trap.error != error || user_trap.rip != rip) {
		print("FAILED: INT %lu: vector %lu error %lx rip %lx\n", n, user_trap.vector,
		      user_trap.error, user_trap.rip);
		failures++;
	}
}

static void programs(void)
{
	u8 code[] = { 0xcd, 0, 0x0f, 0x05 };

	for (u64 n = 0; n < 256; n++) {
		code[1] = (u8)n;
		load(code, sizeof(code));
		gate(n, 0, true);
		user_is(n, 13, n << 3 | 2, USER_CODE);
		gate(n, 3, true);
		if (open(n) && (n < 32 || n == 0x80))
			user_is(n, n, 0, USER_CODE + 2);
		else if (!open(n))
			user_is(n, 13, n << 3 | 2, USER_CODE);
		if (n >= 32 && n != 0x80) {
			gate(n, 3, false);
			user_is(n, 13, n << 3 | 2, USER_CODE);
		}
		gate(n, n == 0x80 || n == 3 || n == 4 ? 3 : 0, true);
	}
	load((const u8[]){ 0xcc }, 1);
	user_is(3, 3, 0, USER_CODE + 1);
	load((const u8[]){ 0xf1 }, 1);		/* ICEBP asks no gate */
	if (lenient())
		user_is(6, 6, 0, USER_CODE);
	else
		user_is(1, 1, 0, USER_CODE + 1);
	load((const u8[]){ 0xce }, 1);		/* INTO is no instruction of 64-bit code */
	user_is(6, 6, 0, USER_CODE);
}

/* INTO of 32-bit code, with OF set and clear. */
static void into(void)
{
	struct frame f = { .rip = USER_CODE, .cs = PARVUS_USER_CS32, .ss = PARVUS_USER_SS,
			   .rflags = 0xa02, .rsp = USER_STACK - 64 };

	load((const u8[]){ 0xce, 0x0f, 0x0b }, 3);
	enter_user(&f);
	user_sp = 0;
	EXPECT_EQ(user_trap.vector, 4);
	EXPECT_EQ(user_trap.rip, USER_CODE + 1);
	f.rflags = 0x202;
	f.vector = f.error = 0;
	f.rip = USER_CODE;
	f.cs = PARVUS_USER_CS32;
	f.ss = PARVUS_USER_SS;
	f.rsp = USER_STACK - 64;
	enter_user(&f);
	user_sp = 0;
	EXPECT_EQ(user_trap.vector, 6);
	EXPECT_EQ(user_trap.rip, USER_CODE + 1);
}

static u8 kernel_code[16] __attribute__((aligned(16)));

/* Of the kernel: all of them arrive; without a handler, those from 32 on are a fault. */
static void kernels(void)
{
	on_trap = handler;
	for (u64 n = 0; n < 256; n++) {
		u8 code[] = { 0xcd, (u8)n, 0xc3 };
		bool there = n < 3 || open(n);

		memcpy(kernel_code, code, sizeof(code));
		barrier();
		taken = 0;
		((void (*)(void))kernel_code)();
		EXPECT_EQ(taken, 1);
		if (there && n != 2) {
			EXPECT_EQ(seen.vector, n == 1 || n == 0 ? 13 : n);
		}
		EXPECT_EQ(seen.cs, PARVUS_KERNEL_CS);
		EXPECT_EQ(seen.rip, (u64)kernel_code + (seen.vector == 13 ? 0 : 2));
		if (seen.vector == 13)
			EXPECT_EQ(seen.error, n << 3 | 2);
	}
	on_trap = NULL;
}

void test(void)
{
	user_setup("\x0f\x05", 2);
	programs();
	into();
	kernels();
}
