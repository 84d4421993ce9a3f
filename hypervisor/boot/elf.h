/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest kernels: ELF64 with the Parvus note (pv-abi parvus/start.h). Portable. */
#ifndef BOOT_ELF_H
#define BOOT_ELF_H

#include <core/types.h>
#include <parvus/start.h>

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

#endif
