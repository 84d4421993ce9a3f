// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations by raw privileged instructions: natively in ring 0, and in a guest of Parvus by
 * trap and emulation, the same code. Also what other tables need for the same operations.
 */
#include "micro.h"

volatile u64 *view;
u64 range_page;
u8 disk[DISK] __attribute__((aligned(4096))), buffer[8192] __attribute__((aligned(4096)));

/* ---- interrupts, control registers, tables, MSRs, ports ---- */

static void mask(u64 n) { LOOP(n, __asm__ volatile("cli; sti" : : : "memory")); }
static void raw_cr2(u64 n) { u64 v; LOOP(n, __asm__ volatile("mov %%cr2, %0" : "=r"(v))); }
static void raw_cr3(u64 n) { u64 v; LOOP(n, __asm__ volatile("mov %%cr3, %0" : "=r"(v))); }
static void raw_set_cr3(u64 n) { u64 v = pa(root); LOOP(n, write_cr3(v)); }

static struct { u16 limit; u64 base; } __attribute__((packed)) idtr, gdtr;
static void tables_setup(void) { __asm__ volatile("sidt %0; sgdt %1" : "=m"(idtr), "=m"(gdtr)); }
static void raw_lidt(u64 n) { LOOP(n, __asm__ volatile("lidt %0" : : "m"(idtr))); }
static void raw_lgdt(u64 n) { LOOP(n, __asm__ volatile("lgdt %0" : : "m"(gdtr))); }

#define USER_GS 0xc0000102u
static void raw_rdmsr(u64 n)
{
	u32 a, d;

	LOOP(n, __asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(USER_GS)));
}
static void raw_wrmsr(u64 n)
{
	u32 a, d;

	__asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(USER_GS));
	LOOP(n, __asm__ volatile("wrmsr" : : "a"(a), "d"(d), "c"(USER_GS)));
}
static void port_in(u64 n) { u8 v; LOOP(n, __asm__ volatile("inb $0x80, %0" : "=a"(v))); }
static void port_out(u64 n) { LOOP(n, __asm__ volatile("outb %0, $0x80" : : "a"((u8)0))); }

/* ---- address spaces: two roots, one page of each ---- */

u64 spaces[2];
void spaces_setup(void)
{
	for (int i = 0; i < 2 && !spaces[1]; i++) {
		spaces[i] = page_new();
		((u64 *)va(spaces[i]))[511] = root[511];
		*entry_of(va(spaces[i]), RANGE, 1) = page_new() | P | W | U;
	}
}
static void switch_spaces(u64 n)
{
	LOOP(n, write_cr3(spaces[0]); touch(1); write_cr3(spaces[1]); touch(1));
}
static void spaces_done(void) { write_cr3(pa(root)); }

/* ---- pages: RANGE, mapped by TABLE_PAGES tables ---- */

u64 tables;

void touch(u64 pages)
{
	for (u64 i = 0; i < pages; i++)
		(void)*(volatile u64 *)(RANGE + i * PAGE);
}

void range_setup(void)
{
	if (!tables) {
		tables = page_new();
		for (u64 i = 1; i < TABLE_PAGES; i++)
			page_new();
		for (u64 i = 0; i < TABLE_PAGES; i++)
			*entry_of(root, RANGE + (i << 21), 2) = (tables + i * PAGE) | P | W | U;
		range_page = page_new();
	}
	view = tables_view(tables);
	range_absent();
}

static void range_fill(u64 value)
{
	volatile u64 *t = va(tables);

	for (u64 i = 0; i < TABLE_PAGES * 512; i++)
		t[i] = value;
	write_cr3(pa(root));
}

void range_present(void)
{
	range_fill(RANGE_VALUE);
	touch(TABLE_PAGES * 512);
}
void range_absent(void) { range_fill(0); }

void range_present_setup(void)
{
	range_setup();
	range_present();
}
static void flush(u64 n) { LOOP(n, invlpg(RANGE); touch(1)); }
static void flush_64(u64 n) { LOOP(n, for (u64 i = 0; i < 64; i++) invlpg(RANGE + i * PAGE)); }

/* Entries that grant: nothing can be stale. */
static void set(u64 pages)
{
	for (u64 i = 0; i < pages; i++)
		pte_store(&view[i], RANGE_VALUE);
}
void set_1(u64 n) { LOOP(n, set(1)); }
void set_64(u64 n) { LOOP(n, set(64)); }
void set_2048(u64 n) { LOOP(n, set(2048)); }

/* Entries that take a right away: flushed one by one, many all at once, as Linux does. */
static void update(u64 pages)
{
	for (u64 i = 0; i < pages; i++) {
		pte_store(&view[i], RANGE_VALUE & ~W);
		if (pages <= 64)
			invlpg(RANGE + i * PAGE);
	}
	if (pages > 64)
		write_cr3(pa(root));
}
static void update_1(u64 n) { LOOP(n, update(1)); }
static void update_64(u64 n) { LOOP(n, update(64)); }
static void update_2048(u64 n) { LOOP(n, update(2048)); }

static void map_unmap(u64 n)
{
	LOOP(n, pte_store(view, RANGE_VALUE); touch(1); pte_store(view, 0); invlpg(RANGE));
}

/* ---- faults ---- */

void fault_setup(void)
{
	range_setup();
	fault_table = (u64)view;
	fault_value = RANGE_VALUE;
	gate_set(14, fault_raw);
}

/* 1: mov (%rdi), %al; add $4096, %rdi; dec %rbx; jnz 1b; int $0x80 */
static const u8 code_touch[] = { 0xbb, FAULT_PAGES & 255, FAULT_PAGES >> 8, 0, 0, 0x8a, 0x07,
				 0x48, 0x81, 0xc7, 0x00, 0x10, 0x00, 0x00, 0xff, 0xcb, 0x75, 0xf3,
				 0xcd, 0x80 };
static u8 code_no_touch[sizeof(code_touch)];

void user_code(const void *code, u64 len)
{
	static bool ready;

	if (!ready)
		user_setup(code, len);
	ready = true;
	memcpy(va(*entry_of(root, USER_CODE, 1) & 0x000ffffffffff000ull), code, len);
	on_trap = NULL;
}

void fault_user(u64 n)
{
	(void)n;
	user_code(code_touch, sizeof(code_touch));
	user_run(RANGE);
}

/* The same without the access: two bytes of one instruction that does nothing. */
void fault_user_empty(u64 n)
{
	(void)n;
	memcpy(code_no_touch, code_touch, sizeof(code_touch));
	code_no_touch[5] = 0x66;
	code_no_touch[6] = 0x90;
	user_code(code_no_touch, sizeof(code_touch));
	user_run(RANGE);
}

void fault_kernel(u64 n) { (void)n; touch(FAULT_PAGES); }
void fault_kernel_empty(u64 n)
{
	u64 here = 0;

	(void)n;
	for (u64 i = 0; i < FAULT_PAGES; i++)
		(void)*(volatile u64 *)&here;
}

static void ud_setup(void) { gate_set(6, ud_raw); }
void exception(u64 n) { LOOP(n, __asm__ volatile("ud2" : : : "memory")); }

/* ---- system calls ---- */

/* mov %rdi, %rbx; 1: syscall; dec %rbx; jnz 1b; int $0x80 */
static const u8 code_syscall[] = { 0x48, 0x89, 0xfb, 0x0f, 0x05, 0x48, 0xff, 0xcb, 0x75, 0xf9,
				   0xcd, 0x80 };
static const u8 code_no_syscall[] = { 0x48, 0x89, 0xfb, 0x66, 0x90, 0x48, 0xff, 0xcb, 0x75, 0xf9,
				   0xcd, 0x80 };

void syscall_loop(u64 n)
{
	user_code(code_syscall, sizeof(code_syscall));
	user_run(n);
}
void syscall_loop_empty(u64 n)
{
	user_code(code_no_syscall, sizeof(code_no_syscall));
	user_run(n);
}

/* ---- interrupts ---- */

static void irq_setup(void) { gate_set(VECTOR_A, irq_raw); }

/* One is pending: sti; hlt takes it and goes on. */
static void halt_pending(u64 n)
{
	LOOP(n, __asm__ volatile("cli" : : : "memory"); raise_self(VECTOR_A);
	     __asm__ volatile("sti; hlt; cli" : : : "memory"));
}

static void halt_raw(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }

static void (*volatile second_halt)(void);

/* The second CPU answers each interrupt by one, and sleeps in between. */
void second_main(void)
{
	for (u64 seen = 0;; seen++) {
		while (irqs_b == seen)
			second_halt();
		raise_other(VECTOR_A);
	}
}

/* Both sleep in turn: two interrupts and two wake-ups. */
void ping_pong(u64 n, void (*halt)(void), void (*halt_second)(void))
{
	second_halt = halt_second;
	second_cpu();
	LOOP(n, u64 seen = irqs_a; raise_other(VECTOR_B); while (irqs_a == seen) halt());
}

static void smp_setup(void)
{
	gate_set(VECTOR_A, irq_raw);
	gate_set(VECTOR_B, irq_b_raw);
}
static void halt_wake(u64 n)
{
	__asm__ volatile("cli");
	ping_pong(n, halt_raw, halt_raw);
}

#ifdef BARE
static void wait_raw(void) { __asm__ volatile("sti; pause" : : : "memory"); }
static void ipi_remote(u64 n)
{
	ping_pong(n, wait_raw, wait_raw);
	__asm__ volatile("cli");
}
#endif

/* ---- data ---- */

void page_copy(void *to, const void *from, u64 bytes)
{
	u64 words = bytes / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	bytes &= 7;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

void disk_fill(void)
{
	for (u64 i = 0; i < DISK; i++)
		disk[i] = (u8)(i * 7 + (i >> 8));
}

bool buffer_is(u64 at, u64 bytes)
{
	for (u64 i = 0; i < bytes; i++)
		if (buffer[i] != (u8)((at + i) * 7 + ((at + i) >> 8)))
			return false;
	return true;
}

/* ---- were they done? ---- */

bool check_irqs(u64 n) { return irqs_a == n; }
bool check_both(u64 n) { return irqs_a == n / 2; }	/* the other half is the second CPU's */
/* Exactly, if time is what was executed; else some may have come together. */
bool check_timer(u64 n) { return icount ? irqs_a == n : irqs_a && irqs_a <= n; }

static bool entries_are(u64 value, u64 count)
{
	volatile u64 *t = va(tables);

	for (u64 i = 0; i < count; i++)
		if ((t[i] & ~(A | D)) != (value & ~(A | D)))
			return false;
	return true;
}
bool check_set(u64 n) { (void)n; return entries_are(RANGE_VALUE, 1); }
bool check_updated(u64 n) { (void)n; return entries_are(RANGE_VALUE & ~W, 1); }
bool check_faulted(u64 n) { (void)n; return entries_are(RANGE_VALUE, FAULT_PAGES); }

#define WATCH .needs = NEED_WATCH
#define PTES(kind, fn) .setup = range_setup, .reset = range_##kind, .check = fn, WATCH
#define RAW(what, count, fn, ...) OP(what, NULL, count, fn, ##__VA_ARGS__)

const struct op raw_ops[] = {
	RAW("mask-interrupts", 1000, mask),
	RAW("read-cr2", 1000, raw_cr2),
	RAW("read-cr3", 1000, raw_cr3),
	RAW("write-cr3", 200, raw_set_cr3),
	RAW("switch-aspace", 100, switch_spaces, .per = 2, .setup = spaces_setup,
	    .done = spaces_done),
	RAW("invlpg", 500, flush, .setup = range_present_setup),
	RAW("flush-range-64", 16, flush_64, .setup = range_setup, .reset = range_present),
	RAW("pte-set-1", 64, set_1, PTES(absent, check_set)),
	RAW("pte-set-64", 16, set_64, PTES(absent, check_set)),
	RAW("pte-set-2048", 4, set_2048, PTES(absent, check_set)),
	RAW("pte-update-1", 64, update_1, PTES(present, check_updated)),
	RAW("pte-update-64", 16, update_64, PTES(present, check_updated)),
	RAW("pte-update-2048", 4, update_2048, PTES(present, check_updated)),
	RAW("map-unmap", 200, map_unmap, .setup = range_setup, WATCH),
	RAW("page-fault-kernel", 2, fault_kernel, .per = FAULT_PAGES, .setup = fault_setup,
	    .reset = range_absent, .empty = fault_kernel_empty, .check = check_faulted, WATCH),
	RAW("exception", 500, exception, .setup = ud_setup),
	RAW("load-idt", 500, raw_lidt, .setup = tables_setup),
	RAW("load-gdt", 500, raw_lgdt, .setup = tables_setup),
	RAW("rdmsr", 500, raw_rdmsr),
	RAW("wrmsr", 500, raw_wrmsr),
	RAW("port-in", 500, port_in),
	RAW("port-out", 500, port_out),
	RAW("halt-pending", 200, halt_pending, .setup = irq_setup, .check = check_irqs),
};
const u64 raw_count = sizeof(raw_ops) / sizeof(raw_ops[0]);

const struct op raw_smp_ops[] = {
	RAW("halt-wake", 200, halt_wake, .setup = smp_setup, .check = check_irqs),
#ifdef BARE
	RAW("ipi-remote", 200, ipi_remote, .per = 2, .setup = smp_setup, .check = check_both),
#endif
};
const u64 raw_smp_count = sizeof(raw_smp_ops) / sizeof(raw_smp_ops[0]);
