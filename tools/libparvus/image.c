// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: kernel images. A guest's kernel may be any file: what is in it is checked
 * against the file, and the note against the segments, before anything is believed.
 *
 * A bzImage (Documentation/x86/boot.rst of Linux) holds a packed vmlinux, the payload.
 */
#include "internal.h"

#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include <parvus/start.h>

#define MAX_SEGMENTS	64u
#define MAX_ADDRESS	(1ull << 46)

struct file {
	struct parvus_error *error;
	const char *name;
	uint8_t *data;
	size_t bytes;
};

static int bad(const struct file *f, const char *why)
{
	return pv_fail(f->error, EINVAL, "%s: %s", f->name, why);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool inside(uint64_t offset, uint64_t bytes, uint64_t size)
{
	return offset <= size && bytes <= size - offset;
}

/* Replace a bzImage by its payload. */
static int take_payload(struct file *f)
{
	uint64_t sectors, offset, length;
	void *data;
	size_t size;
	int ret;

	if (f->bytes < 0x250 || f->data[0x1fe] != 0x55 || f->data[0x1ff] != 0xaa ||
	    memcmp(f->data + 0x202, "HdrS", 4))
		return 0;
	if ((f->data[0x206] | f->data[0x207] << 8) < 0x208)
		return bad(f, "a bzImage older than Linux 2.6.26, without a payload");
	sectors = f->data[0x1f1] ? f->data[0x1f1] : 4;
	offset = (sectors + 1) * 512 + get32(f->data + 0x248);
	length = get32(f->data + 0x24c);
	if (!length || !inside(offset, length, f->bytes))
		return bad(f, "a bzImage whose payload is outside the file");
	ret = pv_unpack(f->error, f->name, f->data + offset, length, &data, &size);
	if (!ret)
		return bad(f, "a bzImage whose payload is packed in an unknown way");
	if (ret < 0)
		return ret;
	free(f->data);
	f->data = data;
	f->bytes = size;
	return 0;
}

/* 1 when a note segment has our note. */
static int find_note(Elf *elf, const GElf_Phdr *p, struct parvus_entry_note *note)
{
	Elf_Data *d = elf_getdata_rawchunk(elf, (int64_t)p->p_offset, p->p_filesz, ELF_T_NHDR);
	size_t at = 0, name, desc;
	GElf_Nhdr n;

	while (d && (at = gelf_getnote(d, at, &n, &name, &desc)) > 0) {
		if (n.n_type != PARVUS_NOTE_ENTRY || n.n_namesz != sizeof(PARVUS_NOTE_NAME) ||
		    n.n_descsz < sizeof(*note) || !inside(name, n.n_namesz, d->d_size) ||
		    !inside(desc, n.n_descsz, d->d_size) ||
		    memcmp((char *)d->d_buf + name, PARVUS_NOTE_NAME, sizeof(PARVUS_NOTE_NAME)))
			continue;
		memcpy(note, (char *)d->d_buf + desc, sizeof(*note));
		return 1;
	}
	return 0;
}

static int parse_elf(const struct file *f, Elf *elf, struct parvus_image *image)
{
	struct parvus_entry_note note;
	size_t i, n;
	int found = 0;
	GElf_Ehdr eh;

	if (elf_kind(elf) != ELF_K_ELF || gelf_getclass(elf) != ELFCLASS64 ||
	    !gelf_getehdr(elf, &eh) || eh.e_ident[EI_DATA] != ELFDATA2LSB)
		return bad(f, "not a vmlinux or bzImage (no ELF64 file)");
	if (eh.e_machine != EM_X86_64 || eh.e_type != ET_EXEC)
		return bad(f, "not an executable for x86-64");
	if (elf_getphdrnum(elf, &n) || !n || n > MAX_SEGMENTS ||
	    eh.e_phentsize != sizeof(Elf64_Phdr) ||
	    !inside(eh.e_phoff, n * sizeof(Elf64_Phdr), f->bytes))
		return bad(f, "its program headers are damaged");
	image->segments = calloc(n, sizeof(*image->segments));
	if (!image->segments)
		return bad(f, "no memory");
	image->low = ~0ull;
	for (i = 0; i < n; i++) {
		struct parvus_segment *s = &image->segments[image->nsegments];
		GElf_Phdr p;

		if (!gelf_getphdr(elf, (int)i, &p))
			return bad(f, "its program headers are damaged");
		if (p.p_type == PT_NOTE && inside(p.p_offset, p.p_filesz, f->bytes) && !found)
			found = find_note(elf, &p, &note);
		if (p.p_type != PT_LOAD || !p.p_memsz)
			continue;
		if (!inside(p.p_offset, p.p_filesz, f->bytes) || p.p_filesz > p.p_memsz ||
		    !inside(p.p_paddr, p.p_memsz, MAX_ADDRESS))
			return bad(f, "a segment lies outside the file or memory");
		s->gpa = p.p_paddr;
		s->bytes = p.p_filesz;
		s->memory = p.p_memsz;
		s->data = f->data + p.p_offset;
		image->nsegments++;
		if (s->gpa < image->low)
			image->low = s->gpa;
		if (s->gpa + s->memory > image->high)
			image->high = s->gpa + s->memory;
	}
	if (!image->nsegments)
		return bad(f, "nothing to load in it");
	if (!found)
		return bad(f, "no Parvus note: not a kernel for this hypervisor");
	if (note.size < sizeof(note) || note.abi_version > PARVUS_ABI_VERSION)
		return bad(f, "built for a newer Parvus");
	if (note.root & (PAGE - 1) || note.root < image->low || note.root >= image->high)
		return bad(f, "its first page table is outside the image");
	image->entry = note.entry;
	image->root = note.root;
	image->features_required = note.features_required;
	return 0;
}

/* Takes f->data over. */
static int load(struct file *f, struct parvus_image **out)
{
	struct parvus_image *image = NULL;
	void *data;
	size_t size;
	Elf *elf;
	int ret;

	/* a packed vmlinux, or a bzImage */
	ret = pv_unpack(f->error, f->name, f->data, f->bytes, &data, &size);
	if (ret < 0)
		goto fail;
	if (ret) {
		free(f->data);
		f->data = data;
		f->bytes = size;
	}
	ret = take_payload(f);
	if (ret)
		goto fail;
	ret = -ENOMEM;
	image = calloc(1, sizeof(*image));
	if (!image) {
		pv_fail(f->error, ENOMEM, "no memory");
		goto fail;
	}
	if (elf_version(EV_CURRENT) == EV_NONE || f->bytes < sizeof(Elf64_Ehdr)) {
		ret = bad(f, "not a vmlinux or bzImage (no ELF64 file)");
		goto fail;
	}
	elf = elf_memory((char *)f->data, f->bytes);
	ret = elf ? parse_elf(f, elf, image) : bad(f, "not a vmlinux or bzImage (no ELF64 file)");
	if (elf)
		elf_end(elf);
	if (ret)
		goto fail;
	image->file = f->data;
	*out = image;
	return 0;
fail:
	free(f->data);
	parvus_image_free(image);
	return ret;
}

int parvus_image_parse(struct parvus_error *e, const char *name, const void *data, size_t bytes,
		       struct parvus_image **image)
{
	struct file f = { .error = e, .name = name, .bytes = bytes };

	*image = NULL;
	if (bytes > PARVUS_IMAGE_MAX)
		return pv_fail(e, EFBIG, "%s is larger than %lu MiB", name, PARVUS_IMAGE_MAX >> 20);
	f.data = malloc(bytes ? bytes : 1);
	if (!f.data)
		return pv_fail(e, ENOMEM, "no memory");
	memcpy(f.data, data, bytes);
	return load(&f, image);
}

int parvus_image_load(struct parvus_error *e, const char *path, struct parvus_image **image)
{
	struct file f = { .error = e, .name = path };
	void *data;
	int ret;

	*image = NULL;
	ret = pv_read_file(e, path, PARVUS_IMAGE_MAX, &data, &f.bytes);
	if (ret)
		return ret;
	f.data = data;
	return load(&f, image);
}

void parvus_image_free(struct parvus_image *image)
{
	if (!image)
		return;
	free(image->segments);
	free(image->file);
	free(image);
}
