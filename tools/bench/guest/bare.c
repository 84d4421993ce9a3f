// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bare machine as a platform of the benchmark: ring 0, real tables, local APIC, serial
 * line. It has the interface of a micro guest (tests/guest/lib/guest.h) as far as the
 * operations need it. xAPIC, and the LAPIC's timer; COM1 at 0x3f8.
 */
#include "bare.h"
#include "micro.h"

const char *const raw_way = "native";
struct frame user_trap;
unsigned int failures;
void (*volatile on_trap)(struct frame *f);
u64 lapic_per_us = 1000;
static const char *cmdline = "";
static struct {
	u16 low, sel;
	u8 ist, type;
	u16 mid;
	u32 high, zero;
} idt[256] __attribute__((aligned(16)));
static struct {
	u32 zero;
	u64 rsp[3], zero1, ist[7], zero2;
	u32 map;
} __attribute__((packed)) tss, tss_ap;
static u64 syscall_stack[2];	/* gs:0 stack, gs:8 scratch */

static void outb(u16 port, u8 v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static void outw(u16 port, u16 v) { __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port)); }
static u8 inb(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static void wrmsr(u32 msr, u64 v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

void console_out(const char *s, unsigned int n)
{
	for (; n; s++, n--) {
		while (!(inb(0x3fd) & 0x20))
			;
		outb(0x3f8, (u8)*s);
	}
}

/* ACPI's soft off where QEMU's machines have it; else the machine stops. */
void end(unsigned int status)
{
	print("native: end status=%u\n", status);
	outw(0x604, 0x2000);
	outw(0xb004, 0x2000);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void flush_page(u64 at) { invlpg(at); }

void trap(struct frame *f)
{
	u64 cr2;

	if (f->cs & 3 && f->vector == 0x80) {
		user_trap = *f;
		leave_user(f);
		return;
	}
	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	print("unexpected trap %lu error %lx rip %lx cr2 %lx\n", (unsigned long)f->vector,
	      (unsigned long)f->error, (unsigned long)f->rip, (unsigned long)cr2);
	end(1);
}

void user_run(u64 arg)
{
	static struct frame f;

	memset(&f, 0, sizeof(f));
	f.rip = USER_CODE;
	f.cs = PARVUS_USER_CS;
	f.ss = PARVUS_USER_SS;
	f.rflags = 2;
	f.rsp = USER_STACK - 64;
	f.rdi = arg;
	enter_user(&f);
}

void gate_set(u8 vector, const void *handler)
{
	u64 a = (u64)handler;

	idt[vector].low = (u16)a;
	idt[vector].mid = (u16)(a >> 16);
	idt[vector].high = (u32)(a >> 32);
	idt[vector].sel = PARVUS_KERNEL_CS;
	idt[vector].type = vector == 0x80 ? 0xee : 0x8e;
}

void syscall_set(const void *handler)
{
	wrmsr(0xc0000081, (u64)(PARVUS_USER_CS32) << 48 | (u64)PARVUS_KERNEL_CS << 32);	/* STAR */
	wrmsr(0xc0000082, (u64)handler);
	wrmsr(0xc0000084, 0x200);
}

static volatile u64 ipis;

void stats_take(struct parvus_vcpu_stats *s) { s->ipis = ipis; }
bool has(unsigned int needs) { (void)needs; return true; }
volatile u64 *tables_view(u64 gpa) { return va(gpa); }
const char *command_line(void) { return cmdline; }

/* ---- local APIC ---- */

void lapic(u32 reg, u32 v) { *(volatile u32 *)(LAPIC + reg) = v; }
static void lapic_start(void)
{
	wrmsr(0x1b, 0xfee00800 | (ap_taken ? 0 : 0x100));
	lapic(0xf0, 0x1ff);
	lapic(0x3e0, 0xb);			/* the timer's divisor: 1 */
	lapic(0x320, PARVUS_VECTOR_TIMER);	/* one-shot */
}
void raise_self(u8 vector) { lapic(0x300, 0x44000u | vector); }
void raise_other(u8 vector)
{
	__atomic_add_fetch(&ipis, 1, __ATOMIC_RELAXED);
	lapic(0x300, 0xc4000u | vector);	/* all but self */
}

/* ---- tables of a CPU, and the second one ---- */

static void cpu_tables(void *state, u64 stack, unsigned int entry)
{
	const struct { u16 limit; u64 base; } __attribute__((packed))
		gdtr = { 16 * 8 - 1, (u64)gdt }, idtr = { sizeof(idt) - 1, (u64)idt };
	u64 base = (u64)state;

	((__typeof__(tss) *)state)->rsp[0] = stack;
	((__typeof__(tss) *)state)->map = sizeof(tss) << 16;
	gdt[entry] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
		     (base >> 24 & 0xff) << 56;
	gdt[entry + 1] = base >> 32;
	__asm__ volatile("lgdt %0; lidt %1; ltr %w2; mov %w3, %%ds; mov %w3, %%es; mov %w3, %%ss"
			 : : "m"(gdtr), "m"(idtr), "r"(entry * 8), "r"(PARVUS_KERNEL_SS)
			 : "memory");
	wrmsr(0xc0000102, (u64)syscall_stack);
	write_cr3(pa(root));
	lapic_start();
}

void bare_secondary(void)
{
	__atomic_store_n(&ap_taken, 2, __ATOMIC_SEQ_CST);
	cpu_tables(&tss_ap, (u64)ap_stack_top - 8192, 10);
	second_main();
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void wait_us(u64 us)
{
	u64 t = ticks() + us * tsc_khz / 1000;

	while (ticks() < t)
		__builtin_ia32_pause();
}

void second_cpu(void)
{
	if (ap_taken)
		return;
	memcpy(va(0x8000), ap_start, (u64)(ap_end - ap_start));
	lapic(0x300, 0xc4500);			/* INIT */
	wait_us(10000);
	lapic(0x300, 0xc4608);			/* start at 0x8000 */
	wait_us(200);
	if (!ap_taken)
		lapic(0x300, 0xc4608);
	while (__atomic_load_n(&ap_taken, __ATOMIC_SEQ_CST) != 2)
		__builtin_ia32_pause();
	wait_us(1000);
}

/* 50 ms of the PIT's channel 2: how fast are TSC and APIC timer? */
static void calibrate(void)
{
	u64 t, count = 59659;

	outb(0x61, (inb(0x61) & ~3) | 1);
	outb(0x43, 0xb0);
	lapic(0x380, ~0u);
	t = ticks();
	outb(0x42, count & 0xff);
	outb(0x42, (u8)(count >> 8));
	while (!(inb(0x61) & 0x20))
		;
	tsc_khz = (ticks() - t) / 50;
	lapic_per_us = (~0u - *(volatile u32 *)(LAPIC + 0x390)) / 50000;
	lapic(0x380, 0);
	if (!lapic_per_us)
		lapic_per_us = 1;
}

unsigned int cpus(void) { return option("smp") ? 2 : 1; }

void run_tables(void)
{
	if (cpus() > 1) {
		measure(raw_smp_ops, raw_smp_count);
		return;
	}
	measure(raw_ops, raw_count);
	measure(native_ops, native_count);
}

/* Multiboot 1 (GNU Multiboot Specification 0.6.96, 3.3): command line, memory. */
void bare_start(void)
{
	const u32 *info = va(boot_info);

	if (info[0] & 4)
		cmdline = va(info[4]);
	ram_end = 0x4000000;
	next_page = (pa(image_end) + PAGE - 1) & ~(PAGE - 1);
	outb(0x3f9, 0);
	outb(0x3fb, 0x80);
	outb(0x3f8, 1);
	outb(0x3f9, 0);
	outb(0x3fb, 3);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	for (unsigned int i = 0; i < 256; i++)
		gate_set((u8)i, stubs + 16 * i);
	syscall_stack[0] = (u64)trap_stack_top;
	cpu_tables(&tss, (u64)trap_stack_top, 8);
	calibrate();
	micro_main();
	end(failures ? 1 : 0);
}
