// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every selector in every segment register, by MOV, by a far jump, call and return, in the guest
 * kernel: it is loaded, or is a fault with that selector as its error code; what is the
 * hypervisor's is refused. Operands go by the bases of FS and GS: a sum that is not canonical is
 * #GP, or #SS by the stack, and the hypervisor's addresses are page faults. The same for RDFSBASE
 * and its kin, which nobody traps, and for programs. QEMU's TCG looks at addresses page by page,
 * has no #SS for them, and takes any base.
 */
#include "lib/guest.h"

#define BAD_ADDRESS	0x0000800000000000ull

static u16 ds, es, fs, gs, ss;

static void keep(void)
{
	__asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3; mov %%ss, %4"
			 : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs), "=r"(ss));
}
static void restore(void)
{
	__asm__ volatile("mov %0, %%ds; mov %1, %%es; mov %2, %%fs; mov %3, %%gs; mov %4, %%ss"
			 : : "r"(ds), "r"(es), "r"(fs), "r"(gs), "r"(ss));
}

static void to_ds(void *s) { __asm__ volatile("mov %w0, %%ds" : : "r"(s)); }
static void to_es(void *s) { __asm__ volatile("mov %w0, %%es" : : "r"(s)); }
static void to_fs(void *s) { __asm__ volatile("mov %w0, %%fs" : : "r"(s)); }
static void to_gs(void *s) { __asm__ volatile("mov %w0, %%gs" : : "r"(s)); }
static void to_ss(void *s) { __asm__ volatile("mov %w0, %%ss" : : "r"(s)); }
static void far_jump(void *s)
{
	struct { u64 rip; u16 cs; } to;

	__asm__ volatile("lea 1f(%%rip), %%rax\n	mov %%rax, %0\n	mov %w2, %1\n"
			 "rex.w ljmp *%0\n1:" : "=m"(to.rip), "=m"(to.cs) : "r"(s) : "rax");
}
static void far_return(void *s)
{
	__asm__ volatile("push %0\n	lea 1f(%%rip), %%rax\n	push %%rax\n	lretq\n1:"
			 : : "r"(s) : "rax", "memory");
}

/* Is the selector of a segment of ours that may be in a data register, or in cs? */
static bool data(u64 s)
{
	u64 entry = s >> 3;

	return s < 4 || (!(s & 4) && (entry == 4 || entry == 5 || entry == 6 || entry == 12 ||
				      entry == 15));
}

static void loads(void)
{
	static void (*const load[])(void *) = { to_ds, to_es, to_fs, to_gs, to_ss, far_jump,
						far_return };
	u64 s, k, taken, good;

	for (s = 0; s < 0x108; s++)
		for (k = 0; k < 7; k++) {
			good = k < 4 ? data(s) :
			       k == 4 ? s == 0x2b || s == 0x63 : s == 0x33;
			if (k >= 5 && s >> 3 == 4 && !(s & 4))
				continue;	/* 32-bit code: another test's */
			if (k >= 5 && s >> 3 == 6 && !(s & 4))
				good = k == 5 || (s & 3) == 3;	/* RPL: above CPL is refused */
			taken = (u64)!catch_fault(load[k], (void *)s);
			restore();
			if (taken == good && (good || fault.error == (s & 0xfffc) ||
					      (fault.vector == 13 && !fault.error)))
				continue;
			print("FAILED: way %lu selector %lx: %lu vector %lu error %lx\n", k, s,
			      taken, fault.vector, fault.error);
			failures++;
		}
}

static void read_fs(void *at)
{
	u64 v;

	__asm__ volatile("mov %%fs:(%1), %0" : "=r"(v) : "r"(at));
}
static void read_gs(void *at)
{
	u64 v;

	__asm__ volatile("mov %%gs:(%1), %0" : "=r"(v) : "r"(at));
}
static void read_ds(void *at)
{
	u64 v;

	__asm__ volatile("mov (%1), %0" : "=r"(v) : "r"(at));
}
static void read_stack(void *at)
{
	u64 v;

	__asm__ volatile("push %%rbp\n	mov %1, %%rbp\n	mov (%%rbp), %0\n	pop %%rbp"
			 : "=&r"(v) : "r"(at));
}

static void fault_is(void (*fn)(void *), u64 at, u64 vector)
{
	bool faults = catch_fault(fn, (void *)at);

	if (lenient() && vector != 14) {
		EXPECT(!faults || fault.vector == 13 || fault.vector == 14);
		return;
	}
	EXPECT(faults);
	EXPECT_EQ(fault.vector, vector);
	if (vector != 14)
		EXPECT_EQ(fault.error, 0);
}

static void operands(void)
{
	static u64 word = 0x1122334455667788;
	u64 v;

	fault_is(read_ds, BAD_ADDRESS, 13);
	fault_is(read_stack, BAD_ADDRESS, 12);
	fault_is(read_ds, PARVUS_HOLE_START, 14);
	fault_is(read_stack, PARVUS_HOLE_END - 8, 14);
	/* the end of the address space, where a word begins in one half and ends in the other */
	fault_is(read_ds, 0x00007fffffffffffull, 13);
	EXPECT_EQ(parvus_base_set(PARVUS_BASE_FS, 0x00007ffffffff000), 0);
	fault_is(read_fs, 0x1000, 13);
	EXPECT_EQ(parvus_base_set(PARVUS_BASE_FS, PARVUS_HOLE_START), 0);
	fault_is(read_fs, 0, 14);
	EXPECT_EQ(parvus_base_set(PARVUS_BASE_GS_KERNEL, PARVUS_HOLE_START + 0x100000), 0);
	fault_is(read_gs, 0, 14);
	/* a wrap of the sum is none of a segment with a base in 64-bit mode */
	EXPECT_EQ(parvus_base_set(PARVUS_BASE_FS, (u64)&word - 8), 0);
	__asm__ volatile("mov %%fs:(%1), %0" : "=r"(v) : "r"(8ull));
	EXPECT_EQ(v, word);
	EXPECT_EQ(parvus_base_set(PARVUS_BASE_FS, (u64)&word + 16), 0);
	__asm__ volatile("mov %%fs:(%1), %0" : "=r"(v) : "r"(-16ll));
	EXPECT_EQ(v, word);
	EXPECT_EQ(parvus_base_set(PARVUS_BASE_FS, 0), 0);
	EXPECT_EQ(parvus_base_set(PARVUS_BASE_GS_KERNEL, 0), 0);
}

static void wr_fs(void *v) { __asm__ volatile("wrfsbase %0" : : "r"(v)); }
static void wr_gs(void *v) { __asm__ volatile("wrgsbase %0" : : "r"(v)); }

static void bases(void)
{
	static const u64 good[] = { 0, 0x7fffffffffff, 0xffff800000000000, 0xffff880012345678,
				    ~0ull };
	static const u64 bad[] = { 0x800000000000, 0xffff7fffffffffff, 0x100000000000000 };
	/* wrgsbase %rdi; rdgsbase %rax; syscall */
	static const u8 code[] = { 0xf3, 0x48, 0x0f, 0xae, 0xdf, 0xf3, 0x48, 0x0f, 0xae, 0xc8,
				   0x0f, 0x05 };
	u64 v;

	EXPECT_EQ(parvus_cpuid(7, 0), 0);
	if (!(area.ret[1] & 1))
		return;
	user_setup(code, sizeof(code));
	for (u64 i = 0; i < sizeof(good) / 8; i++) {
		EXPECT(!catch_fault(wr_fs, (void *)good[i]));
		EXPECT(!catch_fault(wr_gs, (void *)good[i]));
		parvus_yield();
		__asm__ volatile("rdfsbase %0" : "=r"(v));
		EXPECT_EQ(v, good[i]);
		__asm__ volatile("rdgsbase %0" : "=r"(v));
		EXPECT_EQ(v, good[i]);
		EXPECT_EQ(parvus_base_set(PARVUS_BASE_GS_KERNEL, 0), 0);
		/* the user's: its own while it runs, in the area while it does not */
		user_run(good[i]);
		EXPECT_EQ(user_trap.vector, 0x100);
		EXPECT_EQ(user_trap.rax, good[i]);
		EXPECT_EQ(area.user_gs_base, good[i]);
		__asm__ volatile("rdgsbase %0" : "=r"(v));
		EXPECT_EQ(v, 0);
	}
	for (u64 i = 0; i < sizeof(bad) / 8 && !lenient(); i++) {
		fault_is(wr_fs, bad[i], 13);
		fault_is(wr_gs, bad[i], 13);
		user_run(bad[i]);
		EXPECT_EQ(user_trap.vector, 13);
		EXPECT_EQ(user_trap.rip, USER_CODE);
	}
	EXPECT_EQ(parvus_base_set(PARVUS_BASE_FS, 0), 0);
}

void test(void)
{
	EXPECT_EQ(parvus_tls_set(0, 0x00cff3000000ffff), 0);
	EXPECT_EQ(parvus_tls_set(3, 0x0040f50000002042), 0);
	keep();
	loads();
	operands();
	bases();
}
