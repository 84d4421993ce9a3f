/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files of boot/: what the boot protocols told us, in one form, and the steps of
 * start. Gone when the first guest runs (boot_discard), so no other room includes this.
 */
#pragma once

#include <x86/paging.h>

#define BOOT_RANGES	128
#define RSDP_SIZE	36u

struct boot_range {
	u64 start, end;
	u32 type;		/* e820: 1 = RAM */
};

struct boot_piece {
	u64 start, end;		/* physical */
};

struct boot_info {
	char cmdline[MAX_CMDLINE];
	unsigned int ranges;
	struct boot_range range[BOOT_RANGES];
	unsigned int modules;
	struct boot_piece module[MAX_MODULES];
	char first_text[MAX_CMDLINE];	/* the string that came with the first module */
	u64 rsdp;		/* 0 = look for it */
	u8 rsdp_copy[RSDP_SIZE];
};

extern struct boot_info boot_info;
extern char boot_rodata_start[], boot_data_start[];	/* hypervisor.lds */
extern char trampoline_start[], trampoline_end[];	/* boot.S */

/* multiboot.c: @magic and @info as found in eax and ebx. False: unknown protocol. */
bool boot_parse(u32 magic, u64 info);
void screen_find(void);	/* believe what it said of the screen, or ask VGA */

/* options.c: is "name=value" on the command line? Its number, if it is one from @least to @most. */
bool boot_option_is(const char *name, const char *value);
u64 boot_option_number(const char *name, u64 least, u64 most, u64 otherwise);
/* What dom0_mem= makes of @mem, or of what is usual (0), where @all bytes are free. */
u64 boot_dom0_mem(u64 mem, u64 all);
const char *boot_first_args(void);	/* the first module's string, but for its file's name */
void boot_options_check(void);	/* warn of what nobody knows */

/* Find out what measures this CPU needs (x86/measures.h), and take the others from the code. */
void measures_init(void);

void paging_init(void);	/* paging.c: final page tables; afterwards all RAM is at phys_to_virt() */
/* The next piece of free RAM in [p->end, high), in whole pages. False: there is none. */
bool boot_free_next(struct boot_piece *p, u64 high);
void memory_init(void);		/* hand what is left to the frame allocator */
void free_modules(void);	/* and the modules above 1 MiB, when all is built */

void acpi_init(void);	/* acpi.c */
const void *acpi_rsdp(void);	/* as found, RSDP_SIZE bytes; NULL = none */
/* builder.c: every domain of the boot modules; returns how many run. */
unsigned int build_domains(void);
