/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names for the bits of CPUID that are hidden from guests or shown to them, as the manuals have
 * them: Intel SDM vol. 2, CPUID; AMD APM vol. 3, appendix E. A name is leaf, register, feature.
 */
#ifndef X86_CPUID_H
#define X86_CPUID_H

/* 1, ecx */
#define C1_DTES64		(1u << 2)
#define C1_MONITOR		(1u << 3)
#define C1_VMX			(1u << 5)
#define C1_SMX			(1u << 6)
#define C1_EIST			(1u << 7)
#define C1_TM2			(1u << 8)
#define C1_PDCM			(1u << 15)
#define C1_PCID			(1u << 17)
#define C1_DCA			(1u << 18)
#define C1_X2APIC		(1u << 21)
#define C1_TSC_DEADLINE		(1u << 24)
#define C1_XSAVE		(1u << 26)
#define C1_OSXSAVE		(1u << 27)
#define C1_AVX			(1u << 28)
#define C1_HYPERVISOR		(1u << 31)
/* 1, edx */
#define D1_VME			(1u << 1)
#define D1_MCE			(1u << 7)
#define D1_APIC			(1u << 9)
#define D1_SEP			(1u << 11)
#define D1_MTRR			(1u << 12)
#define D1_MCA			(1u << 14)
#define D1_PSE36		(1u << 17)
#define D1_PSN			(1u << 18)
#define D1_DS			(1u << 21)
#define D1_ACPI			(1u << 22)
#define D1_SS			(1u << 27)
#define D1_HTT			(1u << 28)
#define D1_TM			(1u << 29)
#define D1_PBE			(1u << 31)
/* 7, ebx */
#define B7_FSGSBASE		(1u << 0)
#define B7_BMI1			(1u << 3)
#define B7_AVX2			(1u << 5)
#define B7_BMI2			(1u << 8)
#define B7_ERMS			(1u << 9)
#define B7_AVX512F		(1u << 16)
#define B7_AVX512DQ		(1u << 17)
#define B7_RDSEED		(1u << 18)
#define B7_ADX			(1u << 19)
#define B7_AVX512IFMA		(1u << 21)
#define B7_CLFLUSHOPT		(1u << 23)
#define B7_CLWB			(1u << 24)
#define B7_AVX512PF		(1u << 26)
#define B7_AVX512ER		(1u << 27)
#define B7_AVX512CD		(1u << 28)
#define B7_SHA			(1u << 29)
#define B7_AVX512BW		(1u << 30)
#define B7_AVX512VL		(1u << 31)
/* 7, ecx */
#define C7_AVX512VBMI		(1u << 1)
#define C7_AVX512VBMI2		(1u << 6)
#define C7_GFNI			(1u << 8)
#define C7_VAES			(1u << 9)
#define C7_VPCLMULQDQ		(1u << 10)
#define C7_AVX512VNNI		(1u << 11)
#define C7_AVX512BITALG		(1u << 12)
#define C7_AVX512VPOPCNTDQ	(1u << 14)
#define C7_RDPID		(1u << 22)
/* 7, edx */
#define D7_AVX512_4VNNIW	(1u << 2)
#define D7_AVX512_4FMAPS	(1u << 3)
#define D7_FSRM			(1u << 4)
#define D7_AVX512VP2INTERSECT	(1u << 8)
/* 0x80000001, ecx */
#define CX_CMP_LEGACY		(1u << 1)
#define CX_SVM			(1u << 2)
#define CX_EXTAPIC		(1u << 3)
#define CX_OSVW			(1u << 9)
#define CX_IBS			(1u << 10)
#define CX_SKINIT		(1u << 12)
#define CX_WDT			(1u << 13)
#define CX_LWP			(1u << 15)
#define CX_NODEID_MSR		(1u << 19)
#define CX_TOPOLOGY		(1u << 22)
#define CX_PERFCTR_CORE		(1u << 23)
#define CX_PERFCTR_NB		(1u << 24)
#define CX_BPEXT		(1u << 26)
#define CX_PTSC			(1u << 27)
#define CX_PERFCTR_LLC		(1u << 28)
#define CX_MONITORX		(1u << 29)
/* 0x80000001, edx, where AMD repeats leaf 1 */
#define DX_MCE			D1_MCE
#define DX_APIC			D1_APIC
#define DX_MTRR			D1_MTRR
#define DX_MCA			D1_MCA
#define DX_PSE36		D1_PSE36

#endif
