/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a micro guest has: hypercall stubs, traps, user mode, pages, assertions. A test
 * is a file tests/guest/NAME.c with void test(void); its head comment is the
 * specification, with lines for the runner:
 *   @expect poweroff 0            the default: every EXPECT() held
 *   @expect killed TEXT           the hypervisor ends it, the reason contains TEXT
 *   @vcpus N  @mem SIZE  @hv ARGUMENTS  @timeout SECONDS
 *   @domains N                    N copies, NAME, NAME-1...: start_info->domain tells which; all
 *                                 must end as expected
 *   @control 1                    the (first) domain is the control domain
 *   @input TEXT                   a line that is typed on the serial line each second
 *   @beside canary                a second domain runs beside it and must stay intact
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <parvus/types.h>
#include <parvus/vcpu.h>
#include <parvus/mmu.h>
#include <parvus/start.h>
#include <parvus/hypercalls.h>
#include <parvus/stubs.h>
#include "machine.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

struct frame {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

#define BASE	0xffffffff80000000ull
#define PAGE	4096ull

extern struct parvus_start_info *start_info;
extern struct parvus_vcpu_area area;	/* of vCPU 0 */
extern struct parvus_vcpu_area areas[];	/* of the others */
extern u64 root[512];
extern u64 catch_sp, user_sp;
extern char stack_top[], trap_stack_top[], image_end[], stubs[], syscall_stub[];
extern char secondary_start[];

void test(void);
void guest_start(u64 start_gpa);
void trap(struct frame *f);
void secondary_main(u64 arg);

static inline u64 pa(const volatile void *p) { return (u64)p - BASE; }
static inline void *va(u64 gpa) { return (void *)(gpa + BASE); }

void *memset(void *d, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
void console_out(const char *s, unsigned int n);
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void __attribute__((noreturn)) end(unsigned int status);
extern unsigned int failures;

#define EXPECT(c) do { \
	if (!(c)) { print("FAILED %s:%d: %s\n", __FILE__, __LINE__, #c); failures++; } \
} while (0)
#define EXPECT_EQ(a, b) do { \
	u64 a_ = (u64)(a), b_ = (u64)(b); \
	if (a_ != b_) { \
		print("FAILED %s:%d: %s is %lx, not %lx\n", __FILE__, __LINE__, #a, \
		      (unsigned long)a_, (unsigned long)b_); \
		failures++; \
	} \
} while (0)

/* 1 if fn(arg) took an exception; it is in fault. */
int catch_fault(void (*fn)(void *), void *arg);
struct fault { u64 vector, error, rip, cr2, cs, rflags; };
extern volatile struct fault fault;
extern char catch_return[];

/* Called for vectors >= 32 and for traps that no catch_fault() waits for; NULL = fail. */
extern void (*volatile on_trap)(struct frame *f);
/* Ends user mode from a trap handler: enter_user() returns. */
void leave_user(struct frame *f);
void enter_user(struct frame *f);
void enter_user_sysret(u64 *f, u64 rdi);
extern char user_return[];

u64 check_registers(u64 nr);
s64 hypercall(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);

extern u64 next_page, ram_end;	/* gpa */
/* Fresh zeroed pages below 64 MiB, seen at va(gpa). */
u64 page_new(void);
/* The entry for @va at @level (1 = 4 KiB) below a root, tables made as needed, all rights. */
volatile u64 *entry_of(u64 *top, u64 va, int level);
void map(u64 va, u64 gpa, u64 flags);
void flush_page(u64 va);
void flush_everything(void);

/* User mode: one page of code at 0x400000 copied from @code, a stack below 0x600000. */
#define USER_CODE	0x400000ull
#define USER_STACK	0x600000ull
void user_setup(const void *code, size_t len);
/* Run it from its start; returns with the trap that ended it in user_trap. */
void user_run(u64 arg);
extern struct frame user_trap;

void irq_on(void);
void irq_off(void);
u64 now_ns(void);
void clock_setup(void);
void vcpu_begin(unsigned int vcpu, u64 arg);
/* Stores to page tables are done before the access that needs them. */
static inline void barrier(void) { __asm__ volatile("" : : : "memory"); }
/* Sleep until *n is not @old; the handler of a vector changes it. */
static inline void wait_change(volatile u64 *n, u64 old)
{
	for (irq_off(); *n == old; irq_off())
		parvus_block();
	irq_on();
}
/* QEMU's TCG lets pass what hardware and Bochs refuse; a test says what. */
static inline bool lenient(void)
{
	u32 a = 0x40000000, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b == 0x54474354;		/* "TCGT" */
}
static inline void relax(void) { __builtin_ia32_pause(); }

#endif
