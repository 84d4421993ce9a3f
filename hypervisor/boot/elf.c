// SPDX-License-Identifier: GPL-2.0-only
/* The ELF64 loader (System V gABI, ch. 4 and 5). A file may be hostile: all is checked first. */
#include <boot/bundle.h>
#include <core/lib.h>

struct header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct segment {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

#define PT_LOAD	1u
#define PT_NOTE	4u

static bool inside(u64 offset, u64 bytes, u64 size)
{
	return offset <= size && bytes <= size - offset;
}

static struct segment segment(const struct elf_image *e, unsigned int i)
{
	struct segment s;

	memcpy(&s, e->file + e->segments + i * sizeof(s), sizeof(s));
	return s;
}

static bool find_note(struct elf_image *e, const struct segment *s)
{
	u64 at = s->offset, end = s->offset + s->filesz;

	while (inside(at, 12, end)) {
		u32 head[3];
		u64 name, desc;

		memcpy(head, e->file + at, sizeof(head));
		name = at + 12;
		desc = name + ROUND_UP((u64)head[0], 4ull);
		if (!inside(name, head[0], end) || !inside(desc, head[1], end))
			return false;
		if (head[0] == sizeof(PARVUS_NOTE_NAME) && head[2] == PARVUS_NOTE_ENTRY &&
		    !memcmp(e->file + name, PARVUS_NOTE_NAME, head[0]) &&
		    head[1] >= sizeof(e->note)) {
			memcpy(&e->note, e->file + desc, sizeof(e->note));
			return true;
		}
		at = desc + ROUND_UP((u64)head[1], 4ull);
	}
	return false;
}

const char *elf_parse(const void *file, u64 size, struct elf_image *e)
{
	struct header h;
	bool note = false;

	memset(e, 0, sizeof(*e));
	e->file = file;
	e->size = size;
	e->low = ~0ull;
	if (size < sizeof(h))
		return "shorter than an ELF header";
	memcpy(&h, file, sizeof(h));
	if (memcmp(h.ident, "\177ELF", 4) || h.ident[4] != 2 || h.ident[5] != 1)
		return !memcmp(file, "\037\213", 2) ?
			"compressed; the loader is to unpack it (GRUB: insmod gzio)" :
			size > 0x206 && !memcmp(e->file + 0x202, "HdrS", 4) ?
			"a bzImage; the kernel's ELF file is needed (vmlinux)" :
			"not a little-endian ELF64 file";
	if (h.machine != 62 || h.type != 2)
		return "not an x86-64 executable";
	if (h.phentsize != sizeof(struct segment) || !h.phnum || h.phnum > 64 ||
	    !inside(h.phoff, (u64)h.phnum * sizeof(struct segment), size))
		return "bad program headers";
	e->segments = h.phoff;
	e->count = h.phnum;
	for (unsigned int i = 0; i < e->count; i++) {
		struct segment s = segment(e, i);

		if (s.type == PT_NOTE && inside(s.offset, s.filesz, size))
			note |= find_note(e, &s);
		if (s.type != PT_LOAD || !s.memsz)
			continue;
		if (!inside(s.offset, s.filesz, size) || s.filesz > s.memsz ||
		    s.paddr + s.memsz < s.paddr || s.paddr + s.memsz > 1ull << 46)
			return "a segment lies outside the file or memory";
		e->low = min(e->low, s.paddr);
		e->high = max(e->high, s.paddr + s.memsz);
	}
	if (e->low > e->high)
		return "nothing to load";
	if (!note)
		return "no Parvus note: not a kernel for this hypervisor";
	if (e->note.size < sizeof(e->note) || e->note.abi_version > PARVUS_ABI_VERSION)
		return "built for a newer ABI";
	if (e->note.features_required & ~(u64)PARVUS_FEATURES_KNOWN)
		return "needs features that this hypervisor lacks";
	if (e->note.root & (PAGE_SIZE - 1) || e->note.root < e->low || e->note.root >= e->high)
		return "its first page table is outside the image";
	return NULL;
}

int elf_load(const struct elf_image *e,
	     int (*copy)(void *arg, u64 gpa, const void *from, u64 bytes), void *arg)
{
	int ret;

	for (unsigned int i = 0; i < e->count; i++) {
		struct segment s = segment(e, i);

		if (s.type != PT_LOAD || !s.memsz)
			continue;
		ret = s.filesz ? copy(arg, s.paddr, e->file + s.offset, s.filesz) : 0;
		if (!ret && s.memsz > s.filesz)
			ret = copy(arg, s.paddr + s.filesz, NULL, s.memsz - s.filesz);
		if (ret)
			return ret;
	}
	return 0;
}
