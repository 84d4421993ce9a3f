/* SPDX-License-Identifier: GPL-2.0-only */
/* What the boot protocols told us, in one form. */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <core/types.h>
#include <core/limits.h>

#define HV_BASE		0xffff800000000000ull
#define BOOT_RANGES	128

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
	u64 rsdp;		/* 0 = look for it */
	u64 info_start, info_end;	/* the loader's structures, to be kept until parsed */
};

extern struct boot_info boot_info;
extern char image_start[], rodata_start[], data_start[], load_end[], image_end[];

static inline void *phys_to_virt(u64 pa) { return (void *)(pa + HV_BASE); }
static inline u64 virt_to_phys(const void *p) { return (u64)p - HV_BASE; }

/* multiboot.c: @magic and @info as found in eax and ebx. False: unknown protocol. */
bool boot_parse(u32 magic, u64 info);
/* Is "name=value" on the command line? */
bool boot_option_is(const char *name, const char *value);

/* paging.c: final page tables; afterwards all RAM is at phys_to_virt(). */
void paging_init(void);
/* Fill slots 256..511 of a guest root: the hypervisor's own. */
void paging_fill_root(u64 *root);
extern u64 hv_root;		/* CR3 value with no guest in it */
/* The next piece of free RAM in [p->end, high), in whole pages. False: there is none. */
bool boot_free_next(struct boot_piece *p, u64 high);
void *mmio_map(u64 pa, u64 bytes);
void *ram_or_mmio_map(u64 pa, u64 bytes);	/* firmware tables: wherever they lie */
/* boot memory: whole zeroed pages, before the frame allocator is there */
void *boot_alloc(u64 bytes, u64 align);
void memory_init(void);		/* hand what is left to the frame allocator */
u64 free_modules(void);		/* and the modules, when all is built */

/* builder.c: every domain of the boot modules; returns how many run. */
unsigned int build_domains(void);

void acpi_init(void);
void apic_init_cpu(void);
void smp_init(void);
void time_init(void);
void serial_init(void);
noreturn void power_off(void);
noreturn void machine_reboot(void);

#endif
