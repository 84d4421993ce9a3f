/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions and registers of ring 0, and what this CPU can do. */
#pragma once

#include <core/types.h>
#include <core/limits.h>
#include <parvus/start.h>

enum {
	MSR_APIC_BASE = 0x1b, MSR_SPEC_CTRL = 0x48, MSR_PRED_CMD = 0x49,
	MSR_ARCH_CAPABILITIES = 0x10a, MSR_PAT = 0x277, MSR_TSC_DEADLINE = 0x6e0,
	MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176,
	MSR_EFER = 0xc0000080, MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082,
	MSR_CSTAR = 0xc0000083, MSR_SFMASK = 0xc0000084,
	MSR_FS_BASE = 0xc0000100, MSR_GS_BASE = 0xc0000101, MSR_KERNEL_GS_BASE = 0xc0000102,
	MSR_TSC_AUX = 0xc0000103, MSR_PLATFORM_INFO = 0xce, MSR_MISC_FEATURES = 0x140,
	MSR_UPDATE_INTEL = 0x79, MSR_UPDATE_REVISION = 0x8b, MSR_UPDATE_AMD = 0xc0010020,
	MSR_PLATFORM_ID = 0x17,
};
enum {
	CR4_TSD = 1 << 2, CR4_DE = 1 << 3, CR4_PAE = 1 << 5, CR4_MCE = 1 << 6,
	CR4_OSFXSR = 1 << 9, CR4_OSXMMEXCPT = 1 << 10, CR4_UMIP = 1 << 11,
	CR4_FSGSBASE = 1 << 16, CR4_PCIDE = 1 << 17, CR4_OSXSAVE = 1 << 18,
	CR4_SMEP = 1 << 20, CR4_SMAP = 1 << 21,
};

extern struct cpu_features {
	bool smep, smap, umip, fsgsbase, nx, gb_pages, xsave, xsaveopt, rdtscp, x2apic, ibpb;
	bool tsc_deadline, tcg;
	bool mca;		/* machine-check banks */
	bool fpu_leak;		/* see fpu_pointers_leak() */
	bool cpuid_faults;	/* in user mode: see cpuid_may_fault() */
	bool ibrs_all, auto_ibrs;	/* indirect branches are safe in ring 0 (measures.h) */
	bool user_bare;		/* user roots have the way in alone, for Meltdown (view.c) */
	u32 threads_off;	/* bits of an APIC id: CPUs with one are not started (smt=off) */
	u64 measures;		/* what is done about CPUs that leak: PARVUS_MEASURE_STATE() */
	u32 phys_bits, max_leaf, max_ext_leaf;
	u64 cr3_keep;		/* CR3_KEEP if there is PCID, and pcid=on; else 0 (roots.c) */
	u64 xcr0;		/* what guests run with */
	u32 xsave_size;		/* bytes of an image with xcr0 */
	struct {		/* an update that each CPU loads as it starts; boot's */
		const void *data;	/* NULL: there is none */
		u32 msr, revision;
	} microcode;
} cpu_features;

u32 microcode_revision(void);	/* of this CPU */
void microcode_load(void);	/* on this CPU, if it is newer */

static inline void cpuid_count(u32 leaf, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d)
{
	__asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(sub));
}
static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}
/* The lower half of one that a CPU or a host may not have: 0 then. Wants the IDT. */
static inline u32 rdmsr_or_0(u32 msr)
{
	u32 value = 0;

	__asm__ volatile("1: rdmsr\n2: .pushsection .ex_table, \"a\"\n.quad 1b, 2b\n.popsection"
			 : "+a"(value) : "c"(msr) : "edx");
	return value;
}
static inline void wrmsr(u32 msr, u64 v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}
/* a * b / c with a 128-bit product. What does not fit is ~0: DIV would fault (rule 66). */
static inline u64 mul_div(u64 a, u64 b, u64 c)
{
	u64 lo, hi;

	__asm__("mulq %3" : "=a"(lo), "=d"(hi) : "0"(a), "rm"(b));
	if (unlikely(hi >= c))
		return ~0ull;
	__asm__("divq %2" : "+a"(lo), "+d"(hi) : "rm"(c));
	return lo;
}
/* The TSC at @ns since it was @base, rounded up: a timer must not fire early. ~0 = never. */
static inline u64 tsc_at(u64 base, u64 ns, u64 khz)
{
	u64 ticks = mul_div(ns, khz, 1000000);

	return ticks < ~0ull - base ? base + ticks + 1 : ~0ull;
}
static inline u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}
static inline u64 read_cr2(void) { u64 v; __asm__ volatile("mov %%cr2, %0" : "=r"(v)); return v; }
static inline u64 read_cr3(void) { u64 v; __asm__ volatile("mov %%cr3, %0" : "=r"(v)); return v; }
static inline void write_cr3(u64 v) { __asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory"); }
static inline void write_cr4(u64 v) { __asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory"); }
static inline void invlpg(u64 va) { __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory"); }
/* outb() and inb(), outw() and inw(), outl() and inl(). */
#define PORT_ACCESS(size, type) \
	static inline void out##size(u16 port, type v) \
	{ __asm__ volatile("out" #size " %0, %1" : : "a"(v), "Nd"(port)); } \
	static inline type in##size(u16 port) \
	{ type v; __asm__ volatile("in" #size " %1, %0" : "=a"(v) : "Nd"(port)); return v; }
PORT_ACCESS(b, u8)
PORT_ACCESS(w, u16)
PORT_ACCESS(l, u32)
static inline u64 rdgsbase(void) { u64 v; __asm__ volatile("rdgsbase %0" : "=r"(v)); return v; }
static inline void wrgsbase(u64 v) { __asm__ volatile("wrgsbase %0" : : "r"(v)); }
static inline u64 rdfsbase(void) { u64 v; __asm__ volatile("rdfsbase %0" : "=r"(v)); return v; }
static inline void wrfsbase(u64 v) { __asm__ volatile("wrfsbase %0" : : "r"(v)); }
static inline void xcr0_set(u64 v)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((u32)v), "d"((u32)(v >> 32)));
}

/*
 * AMD without XSaveErPtr (CPUID 80000008 EBX bit 2): XRSTOR and FXRSTOR leave FOP, FIP and FDP as
 * they are unless an exception is pending, so that a domain would see those of the last one
 * (AMD APM vol. 2, 11.4.4; Linux calls it X86_BUG_FXSAVE_LEAK). ebx, ecx, edx of leaf 0.
 */
static inline bool fpu_pointers_leak(u32 b, u32 c, u32 d, u32 ebx80000008)
{
	bool amd = b == 0x68747541 && d == 0x69746e65 && c == 0x444d4163;	/* AuthenticAMD */
	bool hygon = b == 0x6f677948 && d == 0x6e65476e && c == 0x656e6975;	/* HygonGenuine */

	return (amd || hygon) && !(ebx80000008 & 4);
}

/* Intel's "Genu", ebx of leaf 0, and MSR_PLATFORM_INFO: SDM vol. 4, table 2-2, CEH. */
static inline bool cpuid_may_fault(u32 b, u32 info) { return b == 0x756e6547 && info >> 31; }

/* cpu.c: find out (boot CPU), and program control registers (every CPU). */
void cpu_detect(void);
void cpu_init(void);
void cpuid_faults_init(void);
void cr4_load(u64 tsd);	/* what every guest runs with, and TSD of this one */

void time_init(void);	/* time.c: the TSC's rate */
extern struct arch_clock found_clock;	/* at boot, by one CPU */

/* What the firmware's tables say, and the boot loader of the screen; boot/ writes it once. */
#define MAX_IOAPICS	8u
extern struct firmware {
	unsigned int cpus;
	u32 cpu_apic_id[MAX_CPUS];
	u64 lapic;			/* physical addresses */
	unsigned int ioapics;		/* all of them, for keeping domain 0 out */
	struct ioapic {
		u64 at;
		u32 first, pins;	/* its lines; how many */
		volatile u32 *regs;	/* ioapic.c */
	} ioapic[MAX_IOAPICS];
	u32 irq_override[16];		/* gsi | polarity and trigger flags << 16 */
	u16 pm_timer;			/* its port; 0: there is none */
	volatile u32 *hpet;		/* its registers, or NULL */
	struct parvus_screen screen;	/* as domain 0 is told */
	u32 screen_at;			/* screen.c: where the next character goes, by rows */
} firmware;

/* A register of a byte, as ACPI names it (Generic Address Structure, ACPI 6.4, 5.2.3.2). */
struct acpi_register {
	enum { REGISTER_MEMORY, REGISTER_PORT, REGISTER_PCI, REGISTER_NONE } space;
	u64 at;	/* an address here, a port, or device << 32 | function << 16 | offset */
};

/* power.c: how the machine ends; boot/acpi.c says what the firmware's tables do, once. */
extern struct power {
	bool have_s5;			/* the DSDT has a package for S5, soft off */
	u16 pm1a_control, pm1b_control;	/* ports; 0 = there is no such block */
	u16 s5_a, s5_b;			/* what to write there, SLP_TYP in its place */
	struct acpi_register sleep;	/* instead of these, where ACPI is reduced */
	struct acpi_register reset;
	u8 reset_value;
} power;
#define SLP_EN	(1u << 13)		/* of PM1 control */

void smp_init(u64 pa);	/* smp.c: start the other CPUs, from the page at @pa */

/* apic.c */
void apic_init_cpu(void);
u32 apic_id(void);
const volatile void *apic_page(void);	/* its registers; NULL: it has MSRs */
void apic_eoi(void);
void apic_send(u32 dest, u32 low);
void apic_kick_self(void);
void apic_timer_arm(u64 tsc_deadline);	/* 0 = off */
struct pcpu;
void apic_timer_fired(struct pcpu *p);
/* Ticks, or 0: the timer comes at least so often, so that arch_timer_late() misses nothing. */
extern u64 apic_timer_probe;
#define TIMER_PROBE	20000u
void apic_timer_start_count(void);
u32 apic_timer_stop_count(void);
void apic_timer_set_rate(u64 tsc, u32 ticks);

/* ioapic.c */
void ioapic_init(void);		/* all lines masked, but that of the serial line */
void irq_note(struct pcpu *p, u64 vector);	/* a device's interrupt, before EOI */
void irq_serve(struct pcpu *p);	/* what was noted */

/* screen.c; screen_put(): of the log, at the start and in a panic, one CPU at a time */
bool screen_vga_text(void);
void screen_put(char c);
void screen_last(void);
void screen_end(void);

/* serial.c */
#define COM1	0x3f8u
void serial_init(void);
void serial_enable_rx(void);
