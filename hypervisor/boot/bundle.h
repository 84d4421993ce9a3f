/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Boot bundles: a newc cpio archive whose file "manifest" has one line per domain,
 *   domain=NAME kernel=FILE [initrd=FILE] [mem=SIZE] [vcpus=N] [weight=N] [cap=PERCENT]
 *   [control=1] [cmdline="..."]
 * "#" begins a comment. Portable.
 */
#pragma once

#include <core/types.h>
#include <core/limits.h>
#include <parvus/start.h>

struct bundle_file {
	const u8 *data;
	u64 size;
};

struct bundle_domain {
	char name[MAX_DOMAIN_NAME];
	char kernel[64], initrd[64];
	char cmdline[MAX_CMDLINE];
	u64 mem, vcpus, weight, cap, control;
};

/* Find a file in a newc archive. */
bool bundle_find(const void *archive, u64 size, const char *name, struct bundle_file *out);
/* Parse one manifest line of @len bytes. 1 = a domain, 0 = nothing in it, -1 = *error says what. */
int manifest_line(const char *line, size_t len, struct bundle_domain *out, const char **error);

/* elf.c. Guest kernels: ELF64 with the Parvus note (pv-abi parvus/start.h). */
struct elf_image {
	const u8 *file;
	u64 size;
	u64 segments;			/* offset of the program headers */
	unsigned int count;
	u64 low, high;			/* physical extent of its segments */
	struct parvus_entry_note note;
};

/* Check everything that elf_load() relies on. NULL, or what is wrong. */
const char *elf_parse(const void *file, u64 size, struct elf_image *out);

/* Call @copy for each piece: @from NULL = zeroes. Stops at a non-zero result and returns it. */
int elf_load(const struct elf_image *image,
	     int (*copy)(void *arg, u64 gpa, const void *from, u64 bytes), void *arg);

/*
 * microcode.c: of a file of updates, aligned to 4, the newest for a CPU that is above *revision,
 * which becomes its own; or NULL. @signature: CPUID(1).eax, @flags: the bit of Intel's platform.
 */
const void *microcode_intel(const void *file, u64 size, u32 signature, u32 flags, u32 *revision);
const void *microcode_amd(const void *file, u64 size, u32 signature, u32 *revision);
