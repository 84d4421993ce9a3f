// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel images: vmlinux and bzImage, every compressor, cut short everywhere, mutated, and lying
 * about every size; and the kernel that was built, if one was.
 */
#include "fake.h"

#include <bzlib.h>
#include <check.h>
#include <elf.h>
#include <lz4.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define MAX 65536u

static struct parvus_error e;

struct blob {
	uint8_t data[MAX];
	size_t n;
};

/* One segment of 0x3000 bytes at 2 MiB (0x5000 in memory), and the note. */
struct kernel {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[3];
	struct {
		Elf64_Nhdr head;
		char name[8];
		struct parvus_entry_note note;
	} __attribute__((packed)) n;
	uint8_t text[0x3000];
} __attribute__((packed));

static struct kernel kernel(void)
{
	struct kernel k;
	size_t i;

	memset(&k, 0, sizeof(k));
	memcpy(k.eh.e_ident, "\177ELF\2\1\1", 7);
	k.eh.e_type = ET_EXEC;
	k.eh.e_machine = EM_X86_64;
	k.eh.e_version = EV_CURRENT;
	k.eh.e_ehsize = sizeof(k.eh);
	k.eh.e_phoff = offsetof(struct kernel, ph);
	k.eh.e_phentsize = sizeof(Elf64_Phdr);
	k.eh.e_phnum = 3;
	k.ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = offsetof(struct kernel, text),
		.p_vaddr = 0xffffffff80200000, .p_paddr = 0x200000, .p_filesz = sizeof(k.text),
		.p_memsz = 0x5000 };
	k.ph[1] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = offsetof(struct kernel, n),
		.p_filesz = sizeof(k.n), .p_memsz = sizeof(k.n), .p_align = 4 };
	k.ph[2] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_paddr = 0x400000, .p_memsz = 0x1000 };
	k.n.head.n_namesz = 7;
	k.n.head.n_descsz = sizeof(k.n.note);
	k.n.head.n_type = PARVUS_NOTE_ENTRY;
	memcpy(k.n.name, "Parvus", 7);
	k.n.note.size = sizeof(k.n.note);
	k.n.note.abi_version = PARVUS_ABI_VERSION;
	k.n.note.entry = 0xffffffff80200000;
	k.n.note.root = 0x203000;
	k.n.note.features_required = 1;
	for (i = 0; i < sizeof(k.text); i++)
		k.text[i] = (uint8_t)(i * 7 ^ i >> 8);
	return k;
}

static int parse(const void *data, size_t n, struct parvus_image **image)
{
	/* a buffer of its own, so that the sanitizer sees every byte beyond */
	void *copy = malloc(n ? n : 1);
	int ret;

	memcpy(copy, data, n);
	ret = parvus_image_parse(&e, "k", copy, n, image);
	free(copy);
	return ret;
}

static void good(const void *data, size_t n)
{
	struct kernel k = kernel();
	struct parvus_image *i;
	int ret = parse(data, n, &i);

	ck_assert_msg(!ret, "%s", e.text);
	ck_assert_uint_eq(i->entry, 0xffffffff80200000);
	ck_assert_uint_eq(i->root, 0x203000);
	ck_assert_uint_eq(i->features_required, 1);
	ck_assert_uint_eq(i->low, 0x200000);
	ck_assert_uint_eq(i->high, 0x401000);
	ck_assert_uint_eq(i->nsegments, 2);
	ck_assert_uint_eq(i->segments[0].gpa, 0x200000);
	ck_assert_uint_eq(i->segments[0].bytes, 0x3000);
	ck_assert_uint_eq(i->segments[0].memory, 0x5000);
	ck_assert_mem_eq(i->segments[0].data, k.text, sizeof(k.text));
	ck_assert_uint_eq(i->segments[1].bytes, 0);
	parvus_image_free(i);
}

static void bad(const void *data, size_t n, const char *want)
{
	struct parvus_image *i;

	ck_assert_int_lt(parse(data, n, &i), 0);
	ck_assert_ptr_null(i);
	ck_assert_msg(strstr(e.text, want) != NULL, "says \"%s\", not \"%s\"",
		      e.text, want);
}

enum { GZIP, XZ, LZMA, BZIP2, ZSTD, LZ4, KINDS };

static struct blob packed(int kind, const void *data, size_t n)
{
	struct blob b = { .n = 0 };
	lzma_options_lzma options;
	z_stream z = { .next_in = (uint8_t *)data, .avail_in = (uInt)n, .next_out = b.data,
		       .avail_out = MAX };
	lzma_stream l = LZMA_STREAM_INIT;
	unsigned int room = MAX;
	int size;

	switch (kind) {
	case GZIP:
		ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
		ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
		b.n = MAX - z.avail_out;
		deflateEnd(&z);
		break;
	case XZ:
		ck_assert_int_eq(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, data, n, b.data,
							 &b.n, MAX), LZMA_OK);
		break;
	case LZMA:
		lzma_lzma_preset(&options, 6);
		ck_assert_int_eq(lzma_alone_encoder(&l, &options), LZMA_OK);
		l.next_in = data;
		l.avail_in = n;
		l.next_out = b.data;
		l.avail_out = MAX;
		ck_assert_int_eq(lzma_code(&l, LZMA_FINISH), LZMA_STREAM_END);
		b.n = MAX - l.avail_out;
		lzma_end(&l);
		break;
	case BZIP2:
		ck_assert_int_eq(BZ2_bzBuffToBuffCompress((char *)b.data, &room, (char *)data,
							  (unsigned int)n, 9, 0, 0), BZ_OK);
		b.n = room;
		break;
	case ZSTD:
		b.n = ZSTD_compress(b.data, MAX, data, n, 19);
		ck_assert(!ZSTD_isError(b.n));
		break;
	case LZ4:
		memcpy(b.data, "\x02\x21\x4c\x18", 4);
		size = LZ4_compress_default(data, (char *)b.data + 8, (int)n, MAX - 8);
		ck_assert_int_gt(size, 0);
		memcpy(b.data + 4, &size, 4);
		b.n = (size_t)size + 8;
		break;
	}
	ck_assert_uint_gt(b.n, 0);
	/* Linux appends the size; for gzip it is there */
	if (kind != GZIP) {
		uint32_t all = (uint32_t)n;

		memcpy(b.data + b.n, &all, 4);
		b.n += 4;
	}
	return b;
}

/* As arch/x86/boot makes it: four sectors of set-up code, then the payload. */
static struct blob bzimage(const struct blob *payload)
{
	struct blob b = { .n = 5 * 512 + 64 + payload->n };
	uint32_t offset = 64, length = (uint32_t)payload->n;

	b.data[0x1f1] = 4;
	b.data[0x1fe] = 0x55;
	b.data[0x1ff] = 0xaa;
	memcpy(b.data + 0x202, "HdrS\x0f\x02", 6);
	memcpy(b.data + 0x248, &offset, 4);
	memcpy(b.data + 0x24c, &length, 4);
	memcpy(b.data + 5 * 512 + 64, payload->data, payload->n);
	return b;
}

START_TEST(plain)
{
	struct kernel k = kernel();

	good(&k, sizeof(k));
}
END_TEST

START_TEST(compressed)
{
	struct kernel k = kernel();
	struct blob p = packed(_i, &k, sizeof(k)), b = bzimage(&p);

	good(p.data, p.n);
	good(b.data, b.n);
}
END_TEST

/* What is cut short fails; damage fails or gives a kernel, but nothing else. */
START_TEST(damaged)
{
	struct kernel k = kernel();
	struct blob p = packed(_i, &k, sizeof(k)), b = bzimage(&p);
	struct parvus_image *i;
	uint32_t random = 1;
	size_t n;

	for (n = 16; n < p.n - 5; n += n < 64 ? 1 : 37) {
		struct blob cut = p;

		cut.n = n;
		ck_assert_int_lt(parse(cut.data, cut.n, &i), 0);
		cut = bzimage(&cut);
		ck_assert_int_lt(parse(cut.data, cut.n, &i), 0);
	}
	for (n = 0; n < b.n - 5; n += 91)
		ck_assert_int_lt(parse(b.data, n, &i), 0);
	for (n = 0; n < 400; n++) {
		struct blob m = n & 1 ? p : b;

		random = random * 1103515245 + 12345;
		m.data[(random >> 8) % m.n] ^= (uint8_t)(1u << (random >> 28) % 8);
		if (!parse(m.data, m.n, &i))
			parvus_image_free(i);
	}
}
END_TEST

/* A format that has a checksum has it verified: what is there unpacks, and is refused. */
START_TEST(checksum)
{
	struct kernel k = kernel();
	struct blob p = packed(GZIP, &k, sizeof(k));

	p.data[p.n - 8] ^= 1;	/* the CRC stands before the size, RFC 1952 */
	bad(p.data, p.n, "its gzip data is damaged");
	p = packed(BZIP2, &k, sizeof(k));
	p.data[11] ^= 1;	/* of the first block, behind its magic */
	bad(p.data, p.n, "its bzip2 data is damaged");
}
END_TEST

START_TEST(elf_bad)
{
	struct kernel k;
	size_t n;
	struct parvus_image *image;

#define BAD(change, want) do { k = kernel(); change; bad(&k, sizeof(k), want); } while (0)
	BAD(k.eh.e_ident[0] = 0, "not a vmlinux or bzImage");
	BAD(k.eh.e_ident[EI_CLASS] = ELFCLASS32, "not a vmlinux or bzImage");
	BAD(k.eh.e_ident[EI_DATA] = ELFDATA2MSB, "not ");
	BAD(k.eh.e_machine = EM_386, "not an executable for x86-64");
	BAD(k.eh.e_type = ET_REL, "not an executable for x86-64");
	BAD(k.eh.e_phnum = 0, "program headers");
	BAD(k.eh.e_phnum = 65, "program headers");
	BAD(k.eh.e_phnum = PN_XNUM, "");
	BAD(k.eh.e_phoff = sizeof(k) - 8, "program headers");
	BAD(k.eh.e_phoff = ~0ull - 8, "program headers");
	BAD(k.eh.e_phentsize = 8, "program headers");
	BAD(k.ph[0].p_offset = sizeof(k), "outside the file");
	BAD(k.ph[0].p_offset = ~0ull, "outside the file");
	BAD(k.ph[0].p_filesz = ~0ull, "outside the file");
	BAD(k.ph[0].p_filesz = k.ph[0].p_memsz = 1ull << 40, "outside the file");
	BAD(k.ph[0].p_memsz = 0x2fff, "outside the file");
	BAD(k.ph[0].p_paddr = ~0ull - 0x100, "outside the file or memory");
	BAD(k.ph[2].p_memsz = ~0ull, "outside the file or memory");
	BAD(k.ph[0].p_type = k.ph[2].p_type = PT_NULL, "nothing to load");
	BAD(k.ph[1].p_type = PT_NULL, "no Parvus note");
	BAD(k.ph[1].p_offset = ~0ull, "no Parvus note");
	BAD(k.ph[1].p_filesz = 11, "no Parvus note");
	BAD(k.ph[1].p_filesz = sizeof(k.n) - 1, "no Parvus note");
	BAD(k.n.head.n_namesz = 6, "no Parvus note");
	BAD(k.n.head.n_namesz = ~0u, "no Parvus note");
	BAD(k.n.head.n_descsz = ~0u, "no Parvus note");
	BAD(k.n.head.n_descsz = 47, "no Parvus note");
	BAD(k.n.head.n_type = 2, "no Parvus note");
	BAD(k.n.name[0] = 'X', "no Parvus note");
	BAD(k.n.note.size = 47, "newer Parvus");
	BAD(k.n.note.abi_version = PARVUS_ABI_VERSION + 1, "newer Parvus");
	BAD(k.n.note.root = 0x203001, "first page table");
	BAD(k.n.note.root = 0x1ff000, "first page table");
	BAD(k.n.note.root = 0x401000, "first page table");
	k = kernel();
	for (n = 0; n < sizeof(k) - 1; n += n < 400 ? 1 : 501)
		ck_assert_int_lt(parse(&k, n, &image), 0);
	bad("", 0, "not a vmlinux or bzImage");
	bad("#!/bin/sh\necho this is no kernel, but a program\n", 48, "not a vmlinux or bzImage");
}
END_TEST

START_TEST(bzimage_bad)
{
	struct kernel k = kernel();
	struct blob p = packed(GZIP, &k, sizeof(k)), whole = { .n = sizeof(k) }, b;
	uint32_t value;

	b = bzimage(&p);
	b.data[0x207] = 1;
	bad(b.data, b.n, "older than Linux 2.6.26");
	for (value = 0xffffffff; value; value = value >> 9 << 1) {
		b = bzimage(&p);
		memcpy(b.data + 0x248, &value, 4);
		if (value > b.n)
			bad(b.data, b.n, "payload is outside the file");
		b = bzimage(&p);
		memcpy(b.data + 0x24c, &value, 4);
		if (value > b.n)
			bad(b.data, b.n, "payload is outside the file");
	}
	b = bzimage(&p);
	memset(b.data + 0x24c, 0, 4);
	bad(b.data, b.n, "payload is outside the file");
	memcpy(whole.data, &k, sizeof(k));
	b = bzimage(&whole);
	bad(b.data, b.n, "packed in an unknown way");
	memcpy(b.data + 5 * 512 + 64, "\x89LZO\0\r\n\x1a\n", 9);
	bad(b.data, b.n, "lzo, which is not supported");
}
END_TEST

/* A little that unpacks to very much is refused, in bounded memory. */
START_TEST(bomb)
{
	size_t zeros = 64u << 20, n = 0, at;
	uint8_t *from = calloc(1, zeros), *to = malloc(1u << 20), *all = malloc(32u << 20);
	struct parvus_image *i;
	z_stream z = { .next_in = from, .avail_in = (uInt)zeros };
	unsigned int round;

	/* 640 MiB of zeroes as one gzip stream */
	ck_assert_int_eq(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = all;
	z.avail_out = 32u << 20;
	for (round = 0; round < 10; round++) {
		z.next_in = from;
		z.avail_in = (uInt)zeros;
		at = round == 9 ? Z_FINISH : Z_NO_FLUSH;
		ck_assert_int_ge(deflate(&z, (int)at), Z_OK);
	}
	n = (32u << 20) - z.avail_out;
	deflateEnd(&z);
	ck_assert_int_eq(parse(all, n, &i), -EFBIG);
	free(from);
	free(to);
	free(all);
}
END_TEST

START_TEST(files)
{
	struct parvus_image *i, *k;
	char path[300];

	ck_assert_int_eq(parvus_image_load(&e, "/none", &i), -ENOENT);
	ck_assert_int_eq(parvus_image_load(&e, "/", &i), -EISDIR);
	ck_assert_int_lt(parvus_image_load(&e, "/dev/null", &i), 0);
	ck_assert_int_eq(parvus_image_load(&e, "/dev/zero", &i), -EINVAL);
	/* the kernel that was built: both files hold the same */
	snprintf(path, sizeof(path), "%s/vmlinux", getenv("O") ? getenv("O") : "build");
	if (access(path, R_OK))
		return;
	ck_assert_msg(!parvus_image_load(&e, path, &i), "%s", e.text);
	snprintf(path, sizeof(path), "%s/bzImage", getenv("O") ? getenv("O") : "build");
	if (!access(path, R_OK)) {
		size_t n;

		ck_assert_msg(!parvus_image_load(&e, path, &k), "%s", e.text);
		ck_assert_uint_eq(i->entry, k->entry);
		ck_assert_uint_eq(i->root, k->root);
		ck_assert_uint_eq(i->nsegments, k->nsegments);
		for (n = 0; n < i->nsegments; n++) {
			ck_assert_uint_eq(i->segments[n].gpa, k->segments[n].gpa);
			ck_assert_uint_eq(i->segments[n].bytes, k->segments[n].bytes);
			ck_assert(!memcmp(i->segments[n].data, k->segments[n].data,
					  i->segments[n].bytes));
		}
		parvus_image_free(k);
	}
	parvus_image_free(i);
}
END_TEST

int main(void)
{
	char dir[] = "/tmp/parvus-unit.XXXXXX", command[64];
	Suite *s = suite_create("image");
	TCase *t = tcase_create("image");
	SRunner *r;
	int failed;

	if (!mkdtemp(dir))
		return 99;
	setenv("PARVUS_FAKE", dir, 1);
	tcase_set_timeout(t, 100);
	tcase_add_test(t, plain);
	tcase_add_loop_test(t, compressed, 0, KINDS);
	tcase_add_loop_test(t, damaged, 0, KINDS);
	tcase_add_test(t, checksum);
	tcase_add_test(t, elf_bad);
	tcase_add_test(t, bzimage_bad);
	tcase_add_test(t, bomb);
	tcase_add_test(t, files);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) || failed;
}
