/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: how a domain starts.
 *
 * A guest kernel is an ELF64 executable for x86-64 with a note of name
 * "Parvus" and type PARVUS_NOTE_ENTRY whose descriptor is a struct
 * parvus_entry_note. PT_LOAD segments are placed at their physical addresses
 * (p_paddr). The first vCPU starts in kernel mode with
 *   rip = note.entry, cr3 = note.root, virtual IF = 0,
 *   rsi = gpa of struct parvus_start_info, rsp = 0, all else 0, and no vCPU area.
 * The page tables at note.root are the guest's own, inside its image.
 *
 * RAM of a domain U is [0, mem) in guest-physical space; [640 KiB, 1 MiB) is reserved
 * in the map, zero at the start, so that a search for firmware tables finds nothing.
 *
 * Domain 0 (PARVUS_START_CONTROL) lives in machine address space: its guest-physical
 * addresses are the machine's, its RAM is what memory[] says, and what is neither its
 * RAM nor the hypervisor's (firmware tables, devices) is there as on the bare machine.
 */
#ifndef PARVUS_START_H
#define PARVUS_START_H

#include <parvus/types.h>

#define PARVUS_NOTE_NAME	"Parvus"
#define PARVUS_NOTE_ENTRY	1u

struct parvus_entry_note {
	uint32_t size;		/* [G] sizeof(struct parvus_entry_note) */
	uint32_t abi_version;	/* [G] PARVUS_ABI_VERSION it was built for */
	uint64_t entry;		/* [G] virtual address of the first instruction */
	uint64_t root;		/* [G] physical address of the first top-level table */
	uint64_t features_required;	/* [G] word 0; an unknown bit refuses the kernel */
	uint64_t reserved[2];
};	/* 48 bytes */

#define PARVUS_START_MAGIC	0x3173757672615031ull

/* One range of the domain's physical address map; type as in e820: 1 RAM, 2 reserved. */
struct parvus_memory_range {
	uint64_t start;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};	/* 24 bytes */
#define PARVUS_MEMORY_RANGES	64u

/* [H] writes all of it before the first instruction of the guest. */
struct parvus_start_info {
	uint64_t magic;		/* PARVUS_START_MAGIC */
	uint32_t size;		/* sizeof(struct parvus_start_info) */
	uint32_t version;	/* PARVUS_ABI_VERSION of the hypervisor */
	uint32_t domain;	/* this domain's number */
	uint32_t vcpus;		/* vCPUs it may start, the first included */
	uint64_t flags;		/* PARVUS_START_* */
	uint64_t features[4];	/* as by the features call */
	uint64_t cmdline;	/* gpa of a zero-terminated string */
	uint64_t initrd;	/* gpa, 0 = none */
	uint64_t initrd_size;
	uint64_t ram_size;	/* bytes of RAM */
	uint64_t max_gfn;	/* first frame number beyond what can ever exist */
	uint64_t tsc_khz;
	uint64_t wall_sec;	/* time of day at hypervisor time 0 */
	uint32_t wall_nsec;
	uint32_t memory_ranges;	/* entries used in memory[] */
	uint64_t generation_id[2];
	uint64_t rsdp;		/* gpa of the ACPI root pointer, 0 = no ACPI */
	uint64_t console_gpa;	/* struct parvus_console_page, 0 = console_write instead */
	uint32_t console_port;	/* event port of it */
	uint32_t reserved0;
	uint64_t reserved[6];
	struct parvus_memory_range memory[PARVUS_MEMORY_RANGES];
};
#define PARVUS_START_CONTROL	1ull	/* this is domain 0 */
#define PARVUS_START_DEBUG	2ull	/* debug hypercalls are served */

/* Feature word 0. */
#define PARVUS_FEATURE_PREFILL		1ull	/* iret fills the entry of the last page fault */
#define PARVUS_FEATURE_CLOCK_STABLE	2ull	/* pvclock has the STABLE bit */
#define PARVUS_FEATURE_VERW		4ull	/* the hypervisor clears CPU buffers on return */
#define PARVUS_FEATURE_RETPOLINE	8ull	/* guest user is not separated from guest kernel by hardware */
#define PARVUS_FEATURES_KNOWN		0xfull

/* Virtual vectors that the hypervisor itself raises. Others are the guest's, by ipi_send. */
#define PARVUS_VECTOR_TIMER	0xecu	/* timer_set expired (Linux LOCAL_TIMER_VECTOR) */
#define PARVUS_VECTOR_EVENT	0xf3u	/* events and console input (Linux HYPERVISOR_CALLBACK_VECTOR) */

/*
 * clock_register: the record is struct pvclock_vcpu_time_info of Linux
 * (arch/x86/include/asm/pvclock-abi.h), 32 bytes, 64-byte aligned.
 * timer_set and everything that says ns counts in its system_time.
 */
#define PARVUS_CLOCK_SIZE	32u

#endif
