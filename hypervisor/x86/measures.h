/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Measures against CPUs that leak by speculation: which this machine needs, and what ring 0 does.
 * The decision is one function of a few bits of CPUID and IA32_ARCH_CAPABILITIES, so that a unit
 * test sees both sides of what no emulator shows. Sources: Intel, "Microarchitectural Data
 * Sampling" and "Branch Target Injection" (deep dives), SDM vol. 4, table 2-2; AMD, "Software
 * techniques for managing speculation", APM vol. 2, 3.1.7 (Automatic IBRS).
 */
#pragma once

/* Kinds of MEASURE sites in entry.S, which boot replaces with NOPs where the measure is off. */
#define MEASURE_VERW		0
#define MEASURE_RETPOLINE	1
#define MEASURE_ROOTS		2
#define MEASURE_SMAP		3
#define MEASURE_PCID		4	/* none against a leak, but of this kind (LOAD_ROOT) */
#define MEASURE_KINDS		5

#ifndef __ASSEMBLER__
#include <core/types.h>
#include <parvus/control.h>

struct measure_facts {
	bool intel, amd;
	bool md_clear, ibpb, auto_ibrs, arch_caps;
	bool smt;			/* a core runs two threads at a time */
	u64 caps;			/* IA32_ARCH_CAPABILITIES, if arch_caps */
};
#define CAP_RDCL_NO	(1ull << 0)
#define CAP_IBRS_ALL	(1ull << 1)
#define CAP_MDS_NO	(1ull << 5)

/* PARVUS_MEASURE_STATE() of each measure. @smt_off: the second threads are not started. */
static inline u64 measures_decide(const struct measure_facts *f, bool smt_off)
{
	bool mds = f->intel && !(f->arch_caps && f->caps & CAP_MDS_NO);
	bool ibrs = f->arch_caps && f->caps & CAP_IBRS_ALL;
	u64 m = 0;

	if (mds)
		m |= PARVUS_MEASURE_STATE(PARVUS_MEASURE_VERW, f->md_clear ?
					  PARVUS_MEASURE_ON : PARVUS_MEASURE_NO_MICROCODE);
	m |= PARVUS_MEASURE_STATE(PARVUS_MEASURE_IBPB, f->ibpb ?
				  PARVUS_MEASURE_ON : PARVUS_MEASURE_NO_MICROCODE);
	m |= PARVUS_MEASURE_STATE(PARVUS_MEASURE_BRANCHES, ibrs || f->auto_ibrs ?
				  PARVUS_MEASURE_HARDWARE : PARVUS_MEASURE_ON);
	if (mds && f->smt)
		m |= PARVUS_MEASURE_STATE(PARVUS_MEASURE_SMT, smt_off ?
					  PARVUS_MEASURE_ON : PARVUS_MEASURE_OFF);
	return m;
}

/* Meltdown: user mode reads what is mapped for ring 0 (Intel: "Rogue Data Cache Load"). */
static inline bool measures_meltdown(const struct measure_facts *f)
{
	return !f->amd && !(f->arch_caps && f->caps & CAP_RDCL_NO);
}

static inline bool measure_is(u64 measures, unsigned int measure, u64 state)
{
	return (measures >> 4 * measure & 15) == state;
}

#endif
