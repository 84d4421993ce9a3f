// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures against CPUs that leak by speculation (x86/measures.h): what this machine needs.
 * smt=on|off: the second threads of cores run, or not; without the option they do not where a
 * thread can see what its sibling works on (MDS), for the other one may be another domain's.
 */
#include <boot/boot.h>
#include <x86/measures.h>
#include <core/log.h>

/* The sites, by MEASURE of entry.S; boot's own, as nobody needs them later. */
extern const struct { u64 at; u32 bytes, kind; } measure_sites[], measure_sites_end[];

/* Returns the bits of an APIC id that number the threads of a core. */
static u32 facts(struct measure_facts *f)
{
	u32 a, b, c, d, max = cpu_features.max_leaf, threads = 0;

	cpuid_count(0, 0, &a, &b, &c, &d);
	f->intel = b == 0x756e6547;	/* "Genu" */
	f->amd = b == 0x68747541;	/* "Auth" */
	f->ibpb = cpu_features.ibpb;
	if (max >= 7) {
		cpuid_count(7, 0, &a, &b, &c, &d);
		f->md_clear = d >> 10 & 1;
		f->arch_caps = d >> 29 & 1;
	}
	if (f->arch_caps)
		f->caps = rdmsr(MSR_ARCH_CAPABILITIES);
	if (cpu_features.max_ext_leaf >= 0x80000021) {
		cpuid_count(0x80000021, 0, &a, &b, &c, &d);
		f->auto_ibrs = f->amd && a >> 8 & 1;
	}
	if (max >= 0xb) {		/* SDM vol. 2, CPUID leaf 0xB: threads come first */
		cpuid_count(0xb, 0, &a, &b, &c, &d);
		if (b & 0xffff && (c >> 8 & 0xff) == 1)
			threads = (1u << (a & 31)) - 1;
	}
	f->smt = threads;
	return threads;
}

void measures_init(void)
{
	static const u8 nop[][9] = { { 0 }, { 0x90 }, { 0x66, 0x90 }, { 0x0f, 0x1f, 0x00 }, { 0 },
		{ 0x0f, 0x1f, 0x44, 0, 0 }, { 0 }, { 0x0f, 0x1f, 0x80, 0, 0, 0, 0 }, { 0 },
		{ 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 } };
	struct measure_facts f = { 0 };
	bool on[MEASURE_KINDS], off;
	u32 threads = facts(&f);
	unsigned int i, n = (unsigned int)(measure_sites_end - measure_sites);
	u64 m;

	off = threads && !boot_option_is("smt", "on") &&
	      (boot_option_is("smt", "off") || (f.intel && !(f.caps & CAP_MDS_NO)));
	m = measures_decide(&f, off);
	on[MEASURE_VERW] = measure_is(m, PARVUS_MEASURE_VERW, PARVUS_MEASURE_ON);
	cpu_features.user_bare = boot_option_is("isolation", "on") ||
		(measures_meltdown(&f) && !boot_option_is("isolation", "kernel") &&
		 !boot_option_is("isolation", "off"));
	m |= PARVUS_MEASURE_STATE(PARVUS_MEASURE_ROOTS, cpu_features.user_bare ?
				  PARVUS_MEASURE_ON : measures_meltdown(&f) ?
				  PARVUS_MEASURE_OFF : PARVUS_MEASURE_NOT_AFFECTED) |
	     PARVUS_MEASURE_STATE(PARVUS_MEASURE_SMAP, cpu_features.smap ?
				  PARVUS_MEASURE_ON : PARVUS_MEASURE_ABSENT);
	on[MEASURE_SMAP] = cpu_features.smap;
	on[MEASURE_ROOTS] = cpu_features.user_bare;
	on[MEASURE_PCID] = cpu_features.cr3_keep;
	on[MEASURE_RETPOLINE] = measure_is(m, PARVUS_MEASURE_BRANCHES, PARVUS_MEASURE_ON);
	cpu_features.measures = m;
	cpu_features.threads_off = off ? threads : 0;
	cpu_features.ibrs_all = f.arch_caps && f.caps & CAP_IBRS_ALL;
	cpu_features.auto_ibrs = f.auto_ibrs;
	for (i = 0; i < n; i++)
		if (!on[measure_sites[i].kind])
			memcpy((void *)measure_sites[i].at, nop[measure_sites[i].bytes],
			       measure_sites[i].bytes);
	if (off)
		log_info("smp: one thread of each core runs (smt=on: all)");
}
