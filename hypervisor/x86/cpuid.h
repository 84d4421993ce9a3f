/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names for the bits of CPUID that are hidden from guests or shown to them, as the manuals have
 * them: Intel SDM vol. 2, CPUID; AMD APM vol. 3, appendix E. A name is register, leaf (X is
 * 0x80000001), feature.
 */
#ifndef X86_CPUID_H
#define X86_CPUID_H

enum {
	/* 1, ecx */
	C1_DTES64 = 1u << 2, C1_MONITOR = 1u << 3, C1_VMX = 1u << 5, C1_SMX = 1u << 6,
	C1_EIST = 1u << 7, C1_TM2 = 1u << 8, C1_PDCM = 1u << 15, C1_PCID = 1u << 17,
	C1_DCA = 1u << 18, C1_X2APIC = 1u << 21, C1_TSC_DEADLINE = 1u << 24, C1_XSAVE = 1u << 26,
	C1_OSXSAVE = 1u << 27, C1_AVX = 1u << 28, C1_HYPERVISOR = 1u << 31,
	/* 1, edx */
	D1_VME = 1u << 1, D1_MCE = 1u << 7, D1_APIC = 1u << 9, D1_SEP = 1u << 11,
	D1_MTRR = 1u << 12, D1_MCA = 1u << 14, D1_PSE36 = 1u << 17, D1_PSN = 1u << 18,
	D1_DS = 1u << 21, D1_ACPI = 1u << 22, D1_SS = 1u << 27, D1_HTT = 1u << 28,
	D1_TM = 1u << 29, D1_PBE = 1u << 31,
	/* 7, ebx */
	B7_FSGSBASE = 1u << 0, B7_BMI1 = 1u << 3, B7_AVX2 = 1u << 5, B7_BMI2 = 1u << 8,
	B7_ERMS = 1u << 9, B7_AVX512F = 1u << 16, B7_AVX512DQ = 1u << 17, B7_RDSEED = 1u << 18,
	B7_ADX = 1u << 19, B7_AVX512IFMA = 1u << 21, B7_CLFLUSHOPT = 1u << 23,
	B7_CLWB = 1u << 24, B7_AVX512PF = 1u << 26, B7_AVX512ER = 1u << 27,
	B7_AVX512CD = 1u << 28, B7_SHA = 1u << 29, B7_AVX512BW = 1u << 30,
	B7_AVX512VL = 1u << 31,
	/* 7, ecx */
	C7_AVX512VBMI = 1u << 1, C7_UMIP = 1u << 2, C7_AVX512VBMI2 = 1u << 6, C7_GFNI = 1u << 8,
	C7_VAES = 1u << 9, C7_VPCLMULQDQ = 1u << 10, C7_AVX512VNNI = 1u << 11,
	C7_AVX512BITALG = 1u << 12, C7_AVX512VPOPCNTDQ = 1u << 14, C7_RDPID = 1u << 22,
	/* 7, edx */
	D7_AVX512_4VNNIW = 1u << 2, D7_AVX512_4FMAPS = 1u << 3, D7_FSRM = 1u << 4,
	D7_AVX512VP2INTERSECT = 1u << 8,
	/* 0x80000001, ecx */
	CX_CMP_LEGACY = 1u << 1, CX_SVM = 1u << 2, CX_EXTAPIC = 1u << 3, CX_OSVW = 1u << 9,
	CX_IBS = 1u << 10, CX_SKINIT = 1u << 12, CX_WDT = 1u << 13, CX_LWP = 1u << 15,
	CX_NODEID_MSR = 1u << 19, CX_TOPOLOGY = 1u << 22, CX_PERFCTR_CORE = 1u << 23,
	CX_PERFCTR_NB = 1u << 24, CX_BPEXT = 1u << 26, CX_PTSC = 1u << 27,
	CX_PERFCTR_LLC = 1u << 28, CX_MONITORX = 1u << 29,
};

#endif
