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
 * A domain's maker is the hypervisor for domains of boot modules, domain 0's toolstack for
 * all others.
 *
 * RAM of a domain U is [0, ram_size) in guest-physical space; [640 KiB, 1 MiB) is reserved
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

/* What the kernel's file says of itself. */
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
	uint64_t start;		/* [maker] gpa */
	uint64_t size;		/* [maker] bytes */
	uint32_t type;		/* [maker] 1 or 2; domain 0: the machine's, and 2 for others' RAM */
	uint32_t reserved;
};	/* 24 bytes */
#define PARVUS_MEMORY_RANGES	64u

/*
 * The screen as the boot loader left it. The hypervisor has written its first words there, and
 * writes again only when it has broken down or the machine ends: else it is domain 0's.
 */
struct parvus_screen {
	uint64_t address;	/* [maker] gpa of the first row */
	uint32_t pitch;		/* [maker] bytes from a row to the next, at most 65535 */
	uint16_t width;		/* [maker] pixels of a row; text: characters */
	uint16_t height;	/* [maker] rows */
	uint8_t kind;		/* [maker] PARVUS_SCREEN_*; 0: none that is known, all else is 0 */
	uint8_t bits;		/* [maker] of a pixel: 15, 16, 24 or 32; of a character: 16 */
	uint8_t red_at;		/* [maker] pixels: the lowest bit of its red part, */
	uint8_t red_bits;	/* [maker] and how many; text: 0, as what follows */
	uint8_t green_at;	/* [maker] the same */
	uint8_t green_bits;	/* [maker] the same */
	uint8_t blue_at;	/* [maker] the same */
	uint8_t blue_bits;	/* [maker] the same */
};	/* 24 bytes */
#define PARVUS_SCREEN_PIXELS	1u	/* pixels with red, green and blue parts */
#define PARVUS_SCREEN_TEXT	2u	/* characters and attributes, as VGA has them, in [0xa0000,
					 * 0xc0000) */

/* Written before the first instruction of the guest, and never after. */
struct parvus_start_info {
	uint64_t magic;		/* [maker] PARVUS_START_MAGIC */
	uint32_t size;		/* [maker] sizeof(struct parvus_start_info) */
	uint32_t version;	/* [maker] PARVUS_ABI_VERSION of the hypervisor */
	uint32_t domain;	/* [maker] this domain's number */
	uint32_t vcpus;		/* [maker] vCPUs it may start, the first included */
	uint64_t flags;		/* [maker] PARVUS_START_* */
	uint64_t features[4];	/* [maker] as by the features call */
	uint64_t cmdline;	/* [maker] gpa of a zero-terminated string */
	uint64_t initrd;	/* [maker] gpa, 0 = none */
	uint64_t initrd_size;	/* [maker] bytes */
	uint64_t ram_size;	/* [maker] bytes of RAM, all ranges of it together */
	uint64_t max_gfn;	/* [maker] first frame number beyond what can ever exist, RAM and
				 * mapped grants. Boot bundle: RAM, rounded up to 2 MiB; toolstack:
				 * 1024 more than RAM; domain 0: the end of the machine's RAM,
				 * rounded up to 2 MiB */
	uint64_t tsc_khz;	/* [maker] rate of the TSC, kHz */
	uint64_t wall_sec;	/* [maker] time of day at time 0 of its clock, seconds since 1970 */
	uint32_t wall_nsec;	/* [maker] and ns; 0 in version 1: wall_read has it better */
	uint32_t memory_ranges;	/* [maker] entries used in memory[] */
	uint64_t generation_id[2];	/* [maker] a number that no other domain has, chosen by the
				 * maker: control INFO has the hypervisor's */
	uint64_t rsdp;		/* [maker] gpa of the ACPI root pointer; 0 = no ACPI. Domain 0 alone
				 * has one, if the machine does */
	uint64_t console_gpa;	/* [maker] a struct parvus_console_page; 0 = console_write
				 * instead */
	uint32_t console_port;	/* [maker] the event port that goes with it */
	uint32_t reserved0;
	struct parvus_screen screen;	/* [maker] domain 0 alone is told of one */
	uint64_t reserved[3];
	struct parvus_memory_range memory[PARVUS_MEMORY_RANGES];	/* [maker] the map, from
				 * low to high */
};
#define PARVUS_START_CONTROL	1ull	/* this is domain 0 */
#define PARVUS_START_DEBUG	2ull	/* debug hypercalls are served */

/* Feature word 0. */
#define PARVUS_FEATURE_PREFILL		1ull	/* iret fills the entry of the last page fault */
#define PARVUS_FEATURE_CLOCK_STABLE	2ull	/* a clock record holds on all CPUs, and has its
						 * stable bit. It is read anew each time, with its
						 * version: it changes when the domain was paused */
#define PARVUS_FEATURE_VERW		4ull	/* the hypervisor clears CPU buffers on return; none
						 * of version 1 says so */
#define PARVUS_FEATURE_RETPOLINE	8ull	/* hardware does not separate guest user from guest
						 * kernel: retpolines are needed */
#define PARVUS_FEATURE_TSC_CLOCK	16ull	/* the TSC itself may be the clock: it goes on as it
						 * is for the life of the domain. Domain 0, and
						 * domains of the boot bundle and of CREATE_TSC */
#define PARVUS_FEATURES_KNOWN		0x1full

/* Virtual vectors that the hypervisor itself raises. Others are the guest's, by ipi_send. */
#define PARVUS_VECTOR_TIMER	0xecu	/* timer_set expired, on the vCPU that set it (Linux
					 * LOCAL_TIMER_VECTOR) */
#define PARVUS_VECTOR_EVENT	0xf3u	/* an event, on the port's vCPU; console input, on vCPU 0 of
					 * the console's owner; only while there is a handler (Linux
					 * HYPERVISOR_CALLBACK_VECTOR) */

/*
 * clock_register: the record is struct pvclock_vcpu_time_info of Linux
 * (arch/x86/include/asm/pvclock-abi.h), 32 bytes, 64-byte aligned.
 * timer_set and everything that says ns counts in its system_time, the domain's clock. That stands
 * still while the domain is paused, waits for memory, or is saved, but with feature TSC_CLOCK:
 * then the record is written anew (its version goes up) before a vCPU runs, and
 * PARVUS_VIRQ_RESUME tells that the time of day has moved on against it.
 */
#define PARVUS_CLOCK_SIZE	32u

#endif
