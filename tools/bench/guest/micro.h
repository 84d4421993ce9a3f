/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The micro level of the benchmark: operations, each done in the ways that exist for it.
 * A way of an operation is one row of a table and one function. Tables:
 *   raw.c	raw instructions: on the bare machine the way is "native", in a guest of
 *		Parvus, where each of them traps and is emulated, it is "trap"
 *   native.c	what only the bare machine does so
 *   calls.c	shared memory, hypercalls, batches
 *   device.c	two domains: grants, and requests to a back end
 * micro.c measures a row and prints its record. docs: tools/bench/guest/README.md.
 */
#ifndef MICRO_H
#define MICRO_H

#include "guest.h"

struct op {
	const char *name, *way;
	u64 n;			/* repetitions */
	void (*run)(u64 n);	/* do it n times */
	u64 per;		/* operations in a repetition, 0 = 1 */
	void (*setup)(void);	/* before the first repetition */
	void (*reset)(void);	/* before each; then run(1) is measured, n times */
	void (*done)(void);	/* after the last */
	void (*empty)(u64 n);	/* what is subtracted; NULL = an empty loop */
	bool (*check)(u64 n);	/* after n operations: were they done? */
	unsigned int needs;	/* NEED_* */
};
#define OP(what, w, count, fn, ...) { .name = what, .way = w, .n = count, .run = fn, ##__VA_ARGS__ }

/* In a guest: what only parvus-bench.elf has. */
#define NEED_WATCH	1u
#define NEED_DEVICE	2u

/* The loop of every operation; the empty one is subtracted. */
#define LOOP(n, ...) do { \
	u64 left_ = (n); \
	do { __VA_ARGS__; __asm__ volatile("" : "+r"(left_) : : "memory"); } while (--left_); \
} while (0)

/* ---- micro.c ---- */
extern bool icount;	/* one instruction is one ns of virtual time and one tick of the TSC */
extern u64 tsc_khz;
bool option(const char *word);	/* on the command line */
void measure(const struct op *ops, u64 count);
void micro_main(void);
u64 ticks(void);
/* How far ahead timers are set; iterations of a loop of two instructions that last longer. */
extern u64 timer_ns, spin_count;
void spin(void);

/* ---- the platform: guest.c or bare.c ---- */
extern const char *const raw_way;
bool has(unsigned int needs);
/* Where raw rows write the tables at this gpa: where a store traps, if it can. */
volatile u64 *tables_view(u64 tables);
const char *command_line(void);
unsigned int cpus(void);
void run_tables(void);
void gate_set(u8 vector, const void *handler);
void syscall_set(const void *handler);
void stats_take(struct parvus_vcpu_stats *s);
void raise_self(u8 vector);
void raise_other(u8 vector);	/* on the second CPU, or by it on the first */
void second_cpu(void);		/* start it: second_main() */
void second_main(void);
/* Where pages come and go, mapped by TABLE_PAGES tables. */
#define RANGE		0x10000000ull
#define TABLE_PAGES	4u
#define VECTOR_A	0x60u
#define VECTOR_B	0x61u

/* ---- raw.c ---- */
extern const struct op raw_ops[], raw_smp_ops[];
extern const u64 raw_count, raw_smp_count;
extern volatile u64 *view;	/* where the tables of RANGE are written */
extern u64 tables;	/* their gpa */
void range_setup(void);		/* tables, all entries absent */
void range_present(void);	/* all entries present, all pages touched */
void range_absent(void);
void range_present_setup(void);
void set_1(u64 n), set_64(u64 n), set_2048(u64 n);
void exception(u64 n);
extern u64 spaces[2];
void spaces_setup(void);
void touch(u64 pages);
void fault_setup(void);
void fault_user(u64 n);
void fault_user_empty(u64 n);
void fault_kernel(u64 n);
void fault_kernel_empty(u64 n);
void user_code(const void *code, u64 len);
void syscall_loop(u64 n);
void syscall_loop_empty(u64 n);
void ping_pong(u64 n, void (*halt)(void), void (*halt_second)(void));
void page_copy(void *to, const void *from, u64 bytes);
extern u8 disk[], buffer[];
void disk_fill(void);
bool buffer_is(u64 place, u64 bytes);	/* what disk_fill() put there */
/* For op.check: as many interrupts as operations; entries of RANGE as the row leaves them. */
bool check_irqs(u64 n), check_both(u64 n), check_timer(u64 n);
bool check_set(u64 n), check_updated(u64 n), check_faulted(u64 n);
#define DISK		65536u
#define FAULT_PAGES	256u
#define RANGE_VALUE	(range_page | P | W | U | A | D)
extern u64 range_page;

/* The one form of a store that parvus-bench.elf emulates. */
static inline void pte_store(volatile u64 *at, u64 value)
{
	__asm__ volatile("mov %%rax, (%%rdi)" : : "a"(value), "D"(at) : "memory");
}
static inline void invlpg(u64 at) { __asm__ volatile("invlpg (%0)" : : "r"(at) : "memory"); }
static inline void write_cr3(u64 v) { __asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory"); }

/* ---- handlers.S ---- */
extern const char ud_raw[], fault_raw[], irq_raw[];	/* return by iretq */
extern const char ud_call[], fault_call[], fault_trap[], irq_call[];	/* by hypercall */
extern const char syscall_light[], syscall_raw[], return_stub[], return_stub_raw[], irq_apic[];
extern const char irq_b_raw[], irq_b_call[], event_call[];
extern volatile u64 irqs_a, irqs_b, fault_table, fault_base, fault_value;
void return_loop(u64 n);	/* n times to user mode and back */
void return_loop_raw(u64 n);

#endif
