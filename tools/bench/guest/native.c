// SPDX-License-Identifier: GPL-2.0-only
/*
 * The floor: what a kernel does on the bare machine for the operations that are not one
 * raw instruction. What exists only between domains has in its place what a kernel would do
 * for its own threads: a flag in memory, an entry of a page table, a copy.
 */
#include "bare.h"
#include "micro.h"

static void cpuid(u64 n)
{
	u32 a, c;

	LOOP(n, a = 1; c = 0; __asm__ volatile("cpuid" : "+a"(a), "+c"(c) : : "ebx", "edx"));
}

static void tls(u64 n)
{
	volatile u64 *t = &gdt[PARVUS_TLS_FIRST];

	LOOP(n, t[0] = 0; t[1] = 0; t[2] = 0);
}

/* A switch of processes: TLS, address space, user GS, and the first page touched. */
static void context(u64 n)
{
	volatile u64 *t = &gdt[PARVUS_TLS_FIRST];

	LOOP(n, for (u64 i = 0; i < 2; i++) {
		t[0] = 0;
		t[1] = 0;
		t[2] = 0;
		write_cr3(spaces[i]);
		__asm__ volatile("wrmsr" : : "c"(0xc0000101), "a"(0x1000), "d"(0));
		touch(1);
	});
}
static void context_done(void) { write_cr3(pa(root)); }

static u64 gate[2];
static void gate_store(u64 n)
{
	volatile u64 *g = gate;

	LOOP(n, g[0] = 0x8e0000000010; g[1] = 0xffffffff);
}

/* ---- faults and system calls ---- */

static void call_setup(void) { syscall_set(syscall_light); }
static const u8 code_return[] = { 0x0f, 0x05 };
static void return_setup(void)
{
	syscall_set(return_stub);
	user_code(code_return, sizeof(code_return));
}

/* ---- interrupts: they are on for the time of it ---- */

static void self_setup(void)
{
	gate_set(VECTOR_A, irq_raw);
	__asm__ volatile("sti");
}
static void self_done(void) { __asm__ volatile("cli"); }
static void self(u64 n)
{
	LOOP(n, u64 seen = irqs_a; raise_self(VECTOR_A); while (irqs_a == seen) ;);
}

static void timer_setup(void)
{
	gate_set(PARVUS_VECTOR_TIMER, irq_raw);
	__asm__ volatile("sti");
}
static void timer_done(void)
{
	lapic(0x380, 0);
	self_done();
}
static void timer_set_far(u64 n) { LOOP(n, lapic(0x380, 0x7fffffff)); }
static void timer(u64 n) { LOOP(n, lapic(0x380, (u32)(timer_ns * lapic_per_us / 1000)); spin()); }
static void timer_empty(u64 n) { LOOP(n, spin()); }

/* ---- between threads instead of domains ---- */

static volatile u64 word;
static void flag(u64 n) { LOOP(n, __atomic_fetch_or(&word, 1, __ATOMIC_SEQ_CST)); }
static void entry_map(u64 n) { LOOP(n, pte_store(view, RANGE_VALUE)); }
static void entry_unmap(u64 n) { LOOP(n, pte_store(view, 0); invlpg(RANGE)); }
static void copy(u64 n) { LOOP(n, page_copy(buffer, disk, PAGE)); }
static void copy_packet(u64 n) { LOOP(n, page_copy(buffer, disk, 1500)); }
static bool check_copy(u64 n) { (void)n; return buffer_is(0, PAGE); }
static bool check_packet(u64 n) { (void)n; return buffer_is(0, 1500); }

#define N(what, count, fn, ...) OP(what, "native", count, fn, ##__VA_ARGS__)

const struct op native_ops[] = {
	N("cpuid", 500, cpuid),
	N("load-tls", 500, tls),
	N("context-switch", 100, context, .per = 2, .setup = spaces_setup, .done = context_done),
	N("set-gate", 500, gate_store),
	N("page-fault", 2, fault_user, .per = FAULT_PAGES, .setup = fault_setup,
	  .reset = range_absent, .empty = fault_user_empty, .check = check_faulted),
	N("system-call", 1000, syscall_loop, .setup = call_setup, .empty = syscall_loop_empty),
	N("return-to-user", 1000, return_loop, .setup = return_setup),
	N("ipi", 500, self, .setup = self_setup, .done = self_done, .check = check_irqs),
	N("timer-set", 500, timer_set_far, .setup = timer_setup, .done = timer_done),
	N("timer", 100, timer, .setup = timer_setup, .done = timer_done, .empty = timer_empty,
	  .check = check_timer),
	N("event-send", 500, flag),
	N("event-receive", 500, self, .setup = self_setup, .done = self_done, .check = check_irqs),
	N("grant-map", 500, entry_map, .setup = range_setup),
	N("grant-unmap", 500, entry_unmap, .setup = range_setup),
	N("grant-copy", 100, copy, .setup = disk_fill, .check = check_copy),
	N("block-4k", 100, copy, .setup = disk_fill, .check = check_copy),
	N("network-1500", 100, copy_packet, .setup = disk_fill, .check = check_packet),
};
const u64 native_count = sizeof(native_ops) / sizeof(native_ops[0]);
