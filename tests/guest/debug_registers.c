// SPDX-License-Identifier: GPL-2.0-only
/*
 * A data breakpoint fires in the guest kernel and in user mode, DR6 says which, and it
 * belongs to its vCPU: another one on the same pCPU is not stopped by it. With a single step of the
 * same instruction it is one exception, and one or two with a breakpoint behind it: each of these
 * ended the machine under QEMU's TCG (rule 63).
 * @vcpus 3
 */
#include "lib/guest.h"

__attribute__((used)) static volatile u64 watched __attribute__((aligned(8)));
static volatile u64 hits, done;

static void handler(struct frame *f)
{
	EXPECT_EQ(f->vector, 1);
	hits++;
	f->rflags &= ~0x100ull;
	f->rflags |= 0x10000;		/* RF: past the breakpoint */
}

void secondary_main(u64 arg)
{
	for (int i = 0; i < 2000; i++) {
		watched = arg;
		if (i % 10 == 0)
			parvus_yield();
	}
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
	for (;;)
		parvus_vcpu_stop();
}

static u64 dr(u64 n)
{
	EXPECT_EQ(parvus_debugreg_get(n), 0);
	return area.ret[0];
}

/* A jump by way of watched, with @rflags set: it goes to the label behind it. */
void jump(u64 rflags);
extern char behind[];
__asm__(".pushsection .text\n"
	"jump:\n	pushf\n	or %rdi, (%rsp)\n	popf\n	jmp *watched(%rip)\n"
	"behind:\n	nop\n	ret\n"
	".popsection\n");

static void jumps(u64 rflags, u64 most_hits, u64 expect_dr6)
{
	for (u64 i = 0; i < 20; i++) {
		hits = 0;
		EXPECT_EQ(parvus_debugreg_set(6, 0), 0);
		jump(rflags);
		EXPECT(hits && hits <= most_hits);
		EXPECT_EQ(dr(6) & 0x400f & expect_dr6, expect_dr6);
	}
}

static void meetings(void)
{
	watched = (u64)behind;
	EXPECT_EQ(parvus_debugreg_set(1, (u64)behind), 0);
	EXPECT_EQ(parvus_debugreg_set(7, 4), 0);		/* L1: before an instruction */
	jumps(0, 1, 2);
	EXPECT_EQ(parvus_debugreg_set(7, 1 | 0xfull << 16), 0);	/* L0: read or written */
	jumps(0, 1, 1);
	jumps(0x100, 1, 0x4001);				/* BS and B0 */
	EXPECT_EQ(parvus_debugreg_set(7, 5 | 0xfull << 16), 0);
	/* TCG gets none of the first kind beside the second; Bochs makes one exception of both */
	jumps(0, lenient() ? 1 : 2, lenient() ? 1 : 3);
	EXPECT_EQ(parvus_debugreg_set(7, 1 | 0xdull << 16), 0);
}

void test(void)
{
	static const u8 code[] = {
		0x48, 0x89, 0x3f, 0x90, 0x0f, 0x05
	}; /* mov %rdi, (%rdi); nop; syscall */

	on_trap = handler;
	EXPECT_EQ(parvus_debugreg_set(0, (u64)&watched), 0);
	EXPECT_EQ(parvus_debugreg_set(6, 0), 0);
	EXPECT_EQ(parvus_debugreg_set(7, 1 | 0xdull << 16), 0);	/* L0, write, 8 bytes */
	watched = 1;
	EXPECT_EQ(hits, 1);
	EXPECT_EQ(dr(6) & 0xf, 1);
	(void)watched;
	EXPECT_EQ(hits, 1);
	vcpu_begin(1, 1);
	vcpu_begin(2, 2);
	while (done < 2)
		parvus_yield();
	EXPECT_EQ(hits, 1);
	watched = 2;
	EXPECT_EQ(hits, 2);
	meetings();
	on_trap = 0;
	user_setup(code, sizeof(code));
	EXPECT_EQ(parvus_debugreg_set(0, USER_STACK - 128), 0);
	user_run(USER_STACK - 128);
	EXPECT_EQ(user_trap.vector, 1);
	EXPECT_EQ(user_trap.rip, USER_CODE + 3);
	EXPECT_EQ(parvus_debugreg_set(7, 0), 0);
	user_run(USER_STACK - 128);
	EXPECT_EQ(user_trap.vector, 0x100);
}
