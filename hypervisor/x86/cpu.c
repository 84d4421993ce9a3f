// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this CPU can do, and its control registers. Every register is written absolutely: firmware
 * leaves stray bits (UEFI in CR4), and one that the CPU does not have must not be set.
 */
#include <x86/pv.h>

struct cpu_features cpu_features;

u64 arch_measures(void) { return cpu_features.measures; }

enum { XCR0_X87 = 1, XCR0_SSE = 2, XCR0_AVX = 4, XCR0_AVX512 = 0xe0 };

/* On the boot CPU; the others are taken to be the same, as the machine's vendor promises. */
void cpu_detect(void)
{
	struct cpu_features *f = &cpu_features;
	u32 a, b, c, d;

	cpuid_count(0, 0, &f->max_leaf, &b, &c, &d);
	f->fpu_leak = fpu_pointers_leak(b, c, d, 0);
	cpuid_count(1, 0, &a, &b, &c, &d);
	f->mca = (d & 0x4080) == 0x4080;	/* MCE, MCA */
	f->xsave = c >> 26 & 1 && f->max_leaf >= 0xd;
	f->cr3_keep = c >> 17 & 1 ? CR3_KEEP : 0;
	f->x2apic = c >> 21 & 1;
	f->tsc_deadline = c >> 24 & 1;
	cpuid_count(0x40000000, 0, &a, &b, &c, &d);
	f->tcg = b == 0x54474354;	/* "TCGT": QEMU without KVM (rule 63) */
	if (f->max_leaf >= 7) {
		cpuid_count(7, 0, &a, &b, &c, &d);
		f->fsgsbase = b & 1;
		f->smep = b >> 7 & 1;
		/* TCG 7.2: with SMAP an IRET at CPL 3 reads its frame as a supervisor: a fault */
		f->smap = b >> 20 & 1 && !f->tcg;
		f->umip = c >> 2 & 1;
		f->ibpb = d >> 26 & 1;
	}
	cpuid_count(0x80000000, 0, &f->max_ext_leaf, &b, &c, &d);
	cpuid_count(0x80000001, 0, &a, &b, &c, &d);
	f->nx = d >> 20 & 1;
	f->gb_pages = d >> 26 & 1;
	f->rdtscp = d >> 27 & 1;
	f->phys_bits = 36;
	if (f->max_ext_leaf >= 0x80000008) {
		cpuid_count(0x80000008, 0, &a, &b, &c, &d);
		f->phys_bits = a & 0xff;
		f->ibpb |= b >> 12 & 1;
		f->fpu_leak &= !(b & 4);
	}
	f->xsave_size = 512;
	f->xcr0 = XCR0_X87 | XCR0_SSE;
	if (f->xsave) {
		cpuid_count(0xd, 0, &a, &b, &c, &d);
		f->xcr0 |= a & XCR0_AVX;
		if ((a & XCR0_AVX512) == XCR0_AVX512 && (a & XCR0_AVX))
			f->xcr0 |= XCR0_AVX512;
		cpuid_count(0xd, 1, &a, &b, &c, &d);
		f->xsaveopt = a & 1;
	}
}

/* Intel SDM vol. 3, 9.11.7; AMD has it in the lower half (Linux, microcode/amd.c). */
u32 microcode_revision(void)
{
	bool intel = cpu_features.microcode.msr == MSR_UPDATE_INTEL;
	u32 a, b, c, d;

	if (intel)
		wrmsr(MSR_UPDATE_REVISION, 0);
	cpuid_count(1, 0, &a, &b, &c, &d);
	return (u32)(rdmsr(MSR_UPDATE_REVISION) >> (intel ? 32 : 0));
}

void microcode_load(void)
{
	if (cpu_features.microcode.data && microcode_revision() < cpu_features.microcode.revision)
		wrmsr(cpu_features.microcode.msr, (u64)cpu_features.microcode.data);
}

/* PGE stays off: a global entry of a guest would outlive a change of CR3. */
void cr4_load(u64 tsd)
{
	const struct cpu_features *f = &cpu_features;

	write_cr4(CR4_PAE | CR4_MCE | CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT |
		  (f->smep ? CR4_SMEP : 0) | (f->smap ? CR4_SMAP : 0) | (f->umip ? CR4_UMIP : 0) |
		  (f->fsgsbase ? CR4_FSGSBASE : 0) | (f->xsave ? CR4_OSXSAVE : 0) |
		  (f->cr3_keep ? CR4_PCIDE : 0) | tsd);
}

/* With the IDT loaded: a CPU, or a host, without the register says #GP. */
void cpuid_faults_init(void)
{
	u32 a, b, c, d;

	cpuid_count(0, 0, &a, &b, &c, &d);
	cpu_features.cpuid_faults = cpuid_may_fault(b, rdmsr_or_0(MSR_PLATFORM_INFO));
	if (cpu_features.cpuid_faults)
		wrmsr(MSR_MISC_FEATURES, 1);
}

void cpu_init(void)
{
	u32 a, c, d;

	cr4_load(0);
	/* SCE always; NXE as the CPU has it; long mode stays */
	wrmsr(MSR_EFER, 0x501 | (cpu_features.nx ? 0x800 : 0) |
			(cpu_features.auto_ibrs ? 1u << 21 : 0));
	if (cpu_features.ibrs_all)
		wrmsr(MSR_SPEC_CTRL, 1);
	/* Linux's (arch/x86/mm/pat/memtype.c), which reads it: entry 1 is write-combining */
	wrmsr(MSR_PAT, 0x0407050600070106ull);
	if (cpu_features.xsave) {
		xcr0_set(cpu_features.xcr0);
		cpuid_count(0xd, 0, &a, &cpu_features.xsave_size, &c, &d);
	}
	if (cpu_features.rdtscp)
		wrmsr(MSR_TSC_AUX, 0);
}
