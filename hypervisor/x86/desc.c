// SPDX-License-Identifier: GPL-2.0-only
/*
 * GDT, TSS and IDT of each pCPU. The GDT has what a ring-3 Linux expects, our code, stack and TSS;
 * there is no LDT (rule 34). Gates are DPL 3 for 3, 4 and 0x80 alone (rule 33).
 */
#include <x86/cpu.h>
#include <x86/desc.h>
#include <core/handlers.h>
#include <core/log.h>

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, iomap;
} __attribute__((packed));

struct gate {
	u16 offset0, selector;
	u8 ist, type;
	u16 offset1;
	u32 offset2, reserved;
};
BUILD_ASSERT(sizeof(struct gate) == 16);

extern char syscall_entry[], syscall_compat_entry[];
static struct gate idt[256] __attribute__((aligned(4096)));

const volatile char *desc_idt(void) { return (const volatile char *)idt; }

/*
 * One table for all CPUs. Every gate is an interrupt gate: entry.S runs with interrupts off.
 * Stacks of their own have those that may hit ring 0 where it has no stack or no GS: under TCG #DB
 * does not, but a step over a watched access is two of them, the second at the stub of the first,
 * whose frame it must not push its own over (rule 63).
 */
static void idt_fill(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		u64 at = (u64)trap_stubs + i * 16;
		u8 dpl = i == 3 || i == 4 || i == 0x80 ? 3 : 0;

		idt[i] = (struct gate){
			.offset0 = (u16)at, .offset1 = (u16)(at >> 16), .offset2 = (u32)(at >> 32),
			.selector = SEL_HV_CS, .type = (u8)(0x8e | dpl << 5),
			.ist = i == 1 && !cpu_features.tcg ? IST_DB : i == 2 ? IST_NMI :
			       i == 8 ? IST_DF : i == 18 ? IST_MC : 0 };
	}
}

/* On the CPU itself, once. GS base is the struct pcpu from here on: this_pcpu() works. */
void desc_init_cpu(struct pcpu *p)
{
	static const u64 fixed[GDT_ENTRIES] = {
		[GDT_USER_CS32] = 0x00cffb000000ffff, [GDT_USER_DS] = 0x00cff3000000ffff,
		[GDT_USER_CS] = 0x00affb000000ffff,
		[GDT_HV_CS] = 0x00af9b000000ffff, [GDT_HV_SS] = 0x00cf93000000ffff,
	};
	struct { u16 limit; u64 base; } __attribute__((packed)) ptr;
	struct tss *tss;
	u64 base;

	if (!p->tss) {
		p->gdt = (u64 *)(cpu_area(p->cpu) + CPU_AREA_DESC);
		tss = p->tss = (char *)p->gdt + 1024;
		memcpy(p->gdt, fixed, sizeof(fixed));
		for (unsigned int i = 1; i <= IST_STACKS; i++)
			tss->ist[i - 1] = cpu_area(p->cpu) + CPU_AREA_IST(i) + PAGE_SIZE;
		tss->rsp[0] = p->stack_top;
		tss->iomap = sizeof(*tss);
		base = (u64)tss;
		p->gdt[GDT_TSS] = (sizeof(*tss) - 1) | (base & 0xffffff) << 16 |
				  0x89ull << 40 | (base >> 24 & 0xff) << 56;
		p->gdt[GDT_TSS + 1] = base >> 32;
	}
	if (!idt[0].type)
		idt_fill();

	ptr.limit = GDT_ENTRIES * 8 - 1;
	ptr.base = (u64)p->gdt;
	__asm__ volatile("lgdt %0" : : "m"(ptr));
	ptr.limit = sizeof(idt) - 1;
	ptr.base = (u64)idt;
	__asm__ volatile("lidt %0" : : "m"(ptr));
	__asm__ volatile("pushq %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:"
			 : : "i"(SEL_HV_CS) : "rax", "memory");
	__asm__ volatile("mov %0, %%ss" : : "r"(SEL_HV_SS));
	__asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs" : : "r"(0));
	p->gdt[GDT_TSS] &= ~(2ull << 40);	/* not busy */
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
	__asm__ volatile("lldt %w0" : : "r"(0));
	wrmsr(MSR_GS_BASE, (u64)p);
	wrmsr(MSR_KERNEL_GS_BASE, 0);

	/* SYSRET: CS = STAR[63:48] + 16, SS = + 8; SYSCALL: CS = STAR[47:32], SS = + 8 */
	wrmsr(MSR_STAR, (u64)(SEL_USER_CS32) << 48 | (u64)SEL_HV_CS << 32);
	wrmsr(MSR_LSTAR, (u64)syscall_entry);
	wrmsr(MSR_CSTAR, (u64)syscall_compat_entry);
	wrmsr(MSR_SFMASK, SFMASK_VALUE);
	wrmsr(MSR_SYSENTER_CS, 0);	/* SYSENTER: #GP (rule 30) */
	wrmsr(MSR_SYSENTER_ESP, 0);
	wrmsr(MSR_SYSENTER_EIP, 0);
	cpuid_faults_init();
	mcheck_init();
}

/* They were checked by tls_valid() and cpunode_valid() when the guest set them. */
void desc_load_tls(struct pcpu *p, const u64 *tls)
{
	p->gdt[GDT_TLS] = tls[0];
	p->gdt[GDT_TLS + 1] = tls[1];
	p->gdt[GDT_TLS + 2] = tls[2];
	p->gdt[GDT_CPUNODE] = tls[3];
}

/*
 * Present, DPL 3, data, 32 bit: what Linux' tls_desc_okay() (arch/x86/kernel/tls.c) lets through.
 * A code segment would bring a base and a limit to rip: IRET checks the limit, in ring 0, and what
 * reads the instruction would read at the wrong place (rule 64). A 16-bit stack leaks bits of
 * the hypervisor's RSP through IRET (rule 34).
 */
static bool tls_valid(u64 d)
{
	u8 type = d >> 40 & 0xff;

	return !d || ((type & 0xf8) == 0xf0 && !(d >> 53 & 1) && d >> 54 & 1);
}

/* Entry 15 is read by LSL alone. It can be loaded, though, so it must not do for a stack. */
static bool cpunode_valid(u64 d) { return tls_valid(d) && !(d >> 41 & 1); }

bool desc_tls_valid(u64 index, u64 d)
{
	return index == PARVUS_TLS_CPUNODE ? cpunode_valid(d) : tls_valid(d);
}

s64 hc_tls_set(struct vcpu *v, u64 index, u64 descriptor)
{
	if (index >= PARVUS_TLS_ENTRIES || !desc_tls_valid(index, descriptor))
		return hv_error(PARVUS_EINVAL);
	v->own->tls[index & index_mask(index, PARVUS_TLS_ENTRIES)] = descriptor;
	desc_load_tls(this_pcpu(), v->own->tls);
	return 0;
}
