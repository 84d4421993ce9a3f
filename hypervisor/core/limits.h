/* SPDX-License-Identifier: GPL-2.0-only */
/* Fixed limits that more than one part knows; what one counts alone stands at its head. */
#pragma once

#define MAX_CPUS		255	/* an APIC id of a device's interrupt has 8 bits */
#define MAX_DOMAINS		128
/* Numbers: as many as Xen has, but every slot has as many; a search goes on beyond the last. */
#define DOMAIN_IDS		(0x7ff0u / MAX_DOMAINS * MAX_DOMAINS)
#define MAX_VCPUS		PARVUS_MAX_VCPUS
#define MAX_MODULES		32
#define MAX_DOMAIN_NAME		32
#define MAX_CMDLINE		2048
#define MAX_KILL_REASON		120
#define MAX_MACHINE_MEM		GIB(7168)	/* slots 256 to 269; domain 0 may have it all */
#define MAX_DOMAIN_MEM		GIB(512)
/* Shadow pool: max(floor, 1 % of RAM) pages (rule 47). */
#define SHADOW_POOL_FLOOR(vcpus) (128 + 64 * (vcpus))
/* Tables of a domain's view of memory that lie ready for a fault, which cannot allocate. */
#define VIEW_SPARES		6u
#define VIEW_PAGES_MAX(frames)	(32 + (frames) / 128)
#define SLICE_NS		5000000ull	/* the scheduler's tick if vCPUs wait for a CPU */
/* A call on many records begins no other one after this: the guest comes again. */
#define LONG_CALL_NS		100000ull
