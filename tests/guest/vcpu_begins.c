// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU that is started again begins anew, whatever it left: registers, bases, debug
 * registers, TSC_AUX, XCR0, FPU, TLS entries, timer and vectors. Only its vCPU area stays, if
 * the context names none. An area of a vCPU that runs is its own to register.
 * @vcpus 2
 */
#include "lib/guest.h"

static char stack[8192] __attribute__((aligned(16)));
static struct parvus_vcpu_context context __attribute__((aligned(256)));
static volatile u64 round_done, hold, timers;
static u64 rdtscp, xsave;
extern char begin[];

static void handler(struct frame *f) { timers += f->vector != 0xee; }

/* rdi is the argument; all others are looked at before C may use them. */
__asm__(".globl begin\n"
	"begin:	mov %rax, %rsi\n or %rbx, %rsi\n or %rcx, %rsi\n or %rdx, %rsi\n"
	"	or %rbp, %rsi\n or %r8, %rsi\n or %r9, %rsi\n or %r10, %rsi\n"
	"	or %r11, %rsi\n or %r12, %rsi\n or %r13, %rsi\n or %r14, %rsi\n or %r15, %rsi\n"
	"	mov %ds, %eax\n or %rax, %rsi\n mov %es, %eax\n or %rax, %rsi\n"
	"	mov %fs, %eax\n or %rax, %rsi\n mov %gs, %eax\n or %rax, %rsi\n"
	"	call second\n ud2\n");

static u64 result(s64 ret)
{
	EXPECT_EQ(ret, 0);
	return areas[1].ret[0];
}

static u64 xcr0(void)
{
	u32 a = 0, d = 0;

	if (xsave)
		__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return a;
}

void second(u64 arg, u64 registers);
void second(u64 arg, u64 registers)
{
	static u64 whole;
	u64 v = 0, limit = 0;

	while (hold)
		relax();
	EXPECT_EQ(registers, 0);
	EXPECT_EQ(areas[1].irq_enabled, 0);
	EXPECT_EQ(areas[1].pending, 0);
	EXPECT_EQ(result(parvus_msr_read(0xc0000100)), 0);
	EXPECT_EQ(result(parvus_msr_read(0xc0000101)), 0x1000);
	if (rdtscp)
		EXPECT_EQ(result(parvus_msr_read(0xc0000103)), 0);
	for (u64 n = 0; n < 4; n++)
		EXPECT_EQ(result(parvus_debugreg_get(n)), 0);
	EXPECT_EQ(result(parvus_debugreg_get(6)), 0xffff0ff0);
	EXPECT_EQ(result(parvus_debugreg_get(7)), 0x400);
	__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	EXPECT_EQ(v, 0x20);
	v = 0;
	__asm__ volatile("stmxcsr %0" : "+m"(v));
	EXPECT_EQ(v, 0x1f80);
	__asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"(0x7bull));
	EXPECT_EQ(limit, 0);
	if (arg == 1)
		whole = xcr0();
	EXPECT_EQ(xcr0(), whole);
	/* and leave all of it as no new vCPU has it */
	v = 0x1f80 | 0x2000;
	__asm__ volatile("ldmxcsr %0" : : "m"(v));
	__asm__ volatile("mov %0, %%cr4" : : "r"(0x620ull));
	parvus_base_set(PARVUS_BASE_FS, 0x7777000);
	parvus_base_set(PARVUS_BASE_GS_KERNEL, 0x8888000);
	parvus_tls_set(3, 0x0040f50000002042);
	if (rdtscp)
		parvus_msr_write(0xc0000103, 77);
	if (xsave)
		__asm__ volatile("xsetbv" : : "c"(0), "a"(3), "d"(0));
	parvus_debugreg_set(0, 0x123456);
	parvus_debugreg_set(6, 0xe);
	parvus_debugreg_set(7, 0x401);
	parvus_timer_set(now_ns() + 2000000);
	parvus_vector_raise(PARVUS_VCPU_SELF, 0x44);
	round_done = arg;
	parvus_vcpu_stop();
	__builtin_unreachable();
}

void test(void)
{
	on_trap = handler;
	clock_setup();
	parvus_cpuid(1, 0);
	xsave = area.ret[2] >> 26 & 1;
	parvus_cpuid(0x80000001, 0);
	rdtscp = area.ret[3] >> 27 & 1;
	EXPECT_EQ(parvus_area_register(1, pa(&areas[1]), PARVUS_VCPU_AREA_SIZE, 1), 0);
	for (u64 n = 1; n <= 3; n++) {
		u64 until;

		memset(&context, 0, sizeof(context));
		context.size = sizeof(context);
		context.version = 1;
		context.rip = (u64)begin;
		context.rsp = (u64)stack + sizeof(stack);
		context.rdi = n;
		context.root = pa(root);
		context.gs_base = 0x1000;
		context.area_gpa = n == 3 ? pa(&areas[1]) : 0;
		areas[1].irq_enabled = areas[1].pending = 1;
		hold = 1;
		EXPECT_EQ(parvus_vcpu_start(1, pa(&context)), 0);
		EXPECT_EQ(parvus_vcpu_start(1, pa(&context)), -PARVUS_EBUSY);
		EXPECT_EQ(parvus_area_register(1, pa(&areas[1]), PARVUS_VCPU_AREA_SIZE, 1),
			  -PARVUS_EBUSY);
		hold = 0;
		while (parvus_vcpu_state(1))
			parvus_yield();
		EXPECT_EQ(round_done, n);
		until = now_ns() + 3000000;
		while (now_ns() < until)
			relax();
	}
	EXPECT_EQ(timers, 0);
}
