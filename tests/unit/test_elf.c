// SPDX-License-Identifier: GPL-2.0-only
/*
 * elf.c: a good kernel file loads as it says; each field that is wrong is refused with a
 * message; and no mutation of a file makes the loader read outside it.
 */
#include "native.h"
#include <elf.h>
#include <boot/bundle.h>

#define FILE_SIZE	0x1400u
#define NOTE_AT		0x204u	/* so that its contents are aligned for us */
#define DATA_AT		0x1000u
#define LOW		0x200000u

/* A file with a note and one segment of 0x400 bytes that takes 0x3000 in memory. */
struct image {
	u8 *bytes;
	Elf64_Ehdr *h;
	Elf64_Phdr *note, *load;
	Elf64_Nhdr *n;
	struct parvus_entry_note *entry;
};

static struct image good(void)
{
	struct image m;
	unsigned int i;

	m.bytes = calloc(1, FILE_SIZE);
	m.h = (void *)m.bytes;
	memcpy(m.h->e_ident, "\177ELF\2\1\1", 7);
	m.h->e_type = ET_EXEC;
	m.h->e_machine = EM_X86_64;
	m.h->e_version = 1;
	m.h->e_phoff = sizeof(*m.h);
	m.h->e_ehsize = sizeof(*m.h);
	m.h->e_phentsize = sizeof(Elf64_Phdr);
	m.h->e_phnum = 2;
	m.note = (void *)(m.h + 1);
	m.load = m.note + 1;
	m.note->p_type = PT_NOTE;
	m.note->p_offset = NOTE_AT;
	m.note->p_filesz = m.note->p_memsz = 12 + 8 + sizeof(struct parvus_entry_note);
	m.load->p_type = PT_LOAD;
	m.load->p_offset = DATA_AT;
	m.load->p_paddr = LOW;
	m.load->p_vaddr = 0xffffffff80200000ull;
	m.load->p_filesz = FILE_SIZE - DATA_AT;
	m.load->p_memsz = 0x3000;
	m.n = (void *)(m.bytes + NOTE_AT);
	m.n->n_namesz = sizeof(PARVUS_NOTE_NAME);
	m.n->n_descsz = sizeof(struct parvus_entry_note);
	m.n->n_type = PARVUS_NOTE_ENTRY;
	memcpy(m.n + 1, PARVUS_NOTE_NAME, sizeof(PARVUS_NOTE_NAME));
	m.entry = (void *)((u8 *)(m.n + 1) + 8);
	m.entry->size = sizeof(*m.entry);
	m.entry->abi_version = PARVUS_ABI_VERSION;
	m.entry->entry = 0xffffffff80200000ull;
	m.entry->root = LOW + 0x1000;
	for (i = DATA_AT; i < FILE_SIZE; i++)
		m.bytes[i] = (u8)(i * 7 + 1);
	return m;
}

/* Guest memory that a load goes to. */
struct memory {
	u8 bytes[0x8000];
	u64 base;
	unsigned int calls, fail_at;
	u64 zeroes, copied;
};

static int copy(void *arg, u64 gpa, const void *from, u64 bytes)
{
	struct memory *m = arg;

	if (++m->calls == m->fail_at)
		return -5;
	ck_assert_uint_ge(gpa, m->base);
	ck_assert_uint_le(gpa + bytes, m->base + sizeof(m->bytes));
	if (from)
		memcpy(m->bytes + (gpa - m->base), from, bytes);
	else
		memset(m->bytes + (gpa - m->base), 0, bytes);
	return 0;
}

START_TEST(good_file)
{
	struct image m = good();
	struct elf_image e;
	struct memory to = { .base = LOW - 0x1000 };
	unsigned int i;

	ck_assert_ptr_null(elf_parse(m.bytes, FILE_SIZE, &e));
	ck_assert_uint_eq(e.low, LOW);
	ck_assert_uint_eq(e.high, LOW + 0x3000);
	ck_assert_uint_eq(e.note.entry, 0xffffffff80200000ull);
	ck_assert_uint_eq(e.note.root, LOW + 0x1000);
	memset(to.bytes, 0xee, sizeof(to.bytes));
	ck_assert_int_eq(elf_load(&e, copy, &to), 0);
	ck_assert_uint_eq(to.calls, 2);
	for (i = 0; i < sizeof(to.bytes); i++) {
		u8 want = i < 0x1000 || i >= 0x4000 ? 0xee :
			  i < 0x1400 ? (u8)((i - 0x1000 + DATA_AT) * 7 + 1) : 0;

		ck_assert_msg(to.bytes[i] == want, "byte %x is %x", i, to.bytes[i]);
	}
	free(m.bytes);
}
END_TEST

START_TEST(variants)
{
	struct image m = good();
	struct elf_image e;
	struct memory to = { .base = LOW - 0x1000 };

	/* no zeroes at the end; nothing but zeroes; nothing at all */
	m.load->p_memsz = m.load->p_filesz;
	m.entry->root = LOW;
	ck_assert_ptr_null(elf_parse(m.bytes, FILE_SIZE, &e));
	ck_assert_int_eq(elf_load(&e, copy, &to), 0);
	ck_assert_uint_eq(to.calls, 1);
	m.load->p_filesz = 0;
	m.load->p_memsz = 0x2000;
	ck_assert_ptr_null(elf_parse(m.bytes, FILE_SIZE, &e));
	ck_assert_int_eq(elf_load(&e, copy, &to), 0);
	ck_assert_uint_eq(to.calls, 2);
	m.load->p_memsz = 0;
	ck_assert_str_eq(elf_parse(m.bytes, FILE_SIZE, &e), "nothing to load");
	free(m.bytes);
}
END_TEST

START_TEST(copy_fails)
{
	unsigned int at;

	for (at = 1; at <= 2; at++) {
		struct image m = good();
		struct elf_image e;
		struct memory to = { .base = LOW - 0x1000, .fail_at = at };

		ck_assert_ptr_null(elf_parse(m.bytes, FILE_SIZE, &e));
		ck_assert_int_eq(elf_load(&e, copy, &to), -5);
		ck_assert_uint_eq(to.calls, at);
		free(m.bytes);
	}
}
END_TEST

#define REFUSED(text, change) do { \
	struct image m = good(); \
	struct elf_image e; \
	const char *why_; \
	change; \
	why_ = elf_parse(m.bytes, FILE_SIZE, &e); \
	ck_assert_msg(why_ && strstr(why_, text), #change ": %s", why_ ? why_ : "taken"); \
	free(m.bytes); \
} while (0)

START_TEST(bad_header)
{
	REFUSED("ELF64", m.bytes[0] = 0);
	REFUSED("ELF64", m.bytes[3] = 'f');
	REFUSED("ELF64", m.h->e_ident[EI_CLASS] = ELFCLASS32);
	REFUSED("ELF64", m.h->e_ident[EI_DATA] = ELFDATA2MSB);
	REFUSED("compressed", (m.bytes[0] = 0x1f, m.bytes[1] = 0x8b));
	REFUSED("bzImage", (m.bytes[0] = 'M', memcpy(m.bytes + 0x202, "HdrS", 4)));
	REFUSED("x86-64", m.h->e_machine = EM_AARCH64);
	REFUSED("x86-64", m.h->e_type = ET_DYN);
	REFUSED("x86-64", m.h->e_type = ET_REL);
	REFUSED("program headers", m.h->e_phentsize = 32);
	REFUSED("program headers", m.h->e_phnum = 0);
	REFUSED("program headers", m.h->e_phnum = 65);
	REFUSED("program headers", m.h->e_phnum = 0xffff);
	REFUSED("program headers", m.h->e_phoff = FILE_SIZE);
	REFUSED("program headers", m.h->e_phoff = FILE_SIZE - 2 * sizeof(Elf64_Phdr) + 1);
	REFUSED("program headers", m.h->e_phoff = ~0ull);
	REFUSED("program headers", m.h->e_phoff = ~0ull - 0x20);
}
END_TEST

START_TEST(bad_segment)
{
	REFUSED("segment", m.load->p_offset = FILE_SIZE);
	REFUSED("segment", m.load->p_offset = ~0ull);
	REFUSED("segment", m.load->p_offset = ~0ull - 0x200);
	REFUSED("segment", m.load->p_filesz = 0x401);
	REFUSED("segment", m.load->p_filesz = ~0ull);
	REFUSED("segment", m.load->p_memsz = 0x3ff);
	REFUSED("segment", m.load->p_paddr = ~0ull - 0x1000);
	REFUSED("segment", m.load->p_memsz = ~0ull - LOW + 1);
	REFUSED("segment", m.load->p_paddr = 1ull << 46);
	REFUSED("segment", m.load->p_paddr = (1ull << 46) - 0x1000);
	REFUSED("nothing to load", m.load->p_type = PT_NULL);
}
END_TEST

START_TEST(bad_note)
{
	REFUSED("no Parvus note", m.note->p_type = PT_NULL);
	REFUSED("no Parvus note", m.note->p_offset = FILE_SIZE - 8);
	REFUSED("no Parvus note", m.note->p_offset = ~0ull);
	REFUSED("no Parvus note", m.note->p_filesz = 11);
	REFUSED("no Parvus note", m.note->p_filesz -= 1);
	REFUSED("no Parvus note", m.note->p_filesz = ~0ull);
	REFUSED("no Parvus note", m.n->n_namesz = 6);
	REFUSED("no Parvus note", m.n->n_namesz = 0xffffffff);
	REFUSED("no Parvus note", m.n->n_descsz = 0xffffffff);
	REFUSED("no Parvus note", m.n->n_descsz = sizeof(struct parvus_entry_note) - 1);
	REFUSED("no Parvus note", m.n->n_type = 2);
	REFUSED("no Parvus note", ((char *)(m.n + 1))[0] = 'p');
	REFUSED("newer ABI", m.entry->size = sizeof(struct parvus_entry_note) - 1);
	REFUSED("newer ABI", m.entry->abi_version = PARVUS_ABI_VERSION + 1);
	REFUSED("features", m.entry->features_required = PARVUS_FEATURES_KNOWN + 1);
	REFUSED("features", m.entry->features_required = 1ull << 63);
	REFUSED("first page table", m.entry->root = LOW - 0x1000);
	REFUSED("first page table", m.entry->root = LOW + 0x3000);
	REFUSED("first page table", m.entry->root = LOW + 8);
	REFUSED("first page table", m.entry->root = 0);
}
END_TEST

/* A note of somebody else before ours, with a size that is not a multiple of 4. */
START_TEST(second_note)
{
	struct image m = good();
	struct elf_image e;
	u8 ours[12 + 8 + sizeof(struct parvus_entry_note)];
	Elf64_Nhdr other = { 4, 5, 3 };

	memcpy(ours, m.n, sizeof(ours));
	memcpy(m.n, &other, sizeof(other));
	memcpy(m.n + 1, "GNU", 4);
	memcpy((u8 *)(m.n + 1) + 4 + 8, ours, sizeof(ours));
	m.note->p_filesz += 12 + 4 + 8;
	ck_assert_ptr_null(elf_parse(m.bytes, FILE_SIZE, &e));
	ck_assert_uint_eq(e.note.root, LOW + 0x1000);
	free(m.bytes);
}
END_TEST

START_TEST(short_files)
{
	struct image m = good();
	struct elf_image e;
	size_t size;

	for (size = 0; size < FILE_SIZE; size++) {
		u8 *cut = malloc(size ? size : 1);

		memcpy(cut, m.bytes, size);
		ck_assert_ptr_nonnull(elf_parse(cut, size, &e));
		free(cut);
	}
	free(m.bytes);
}
END_TEST

struct limits {
	u64 low, high;
	u64 sum;
};

static int touch(void *arg, u64 gpa, const void *from, u64 bytes)
{
	struct limits *l = arg;
	u64 i;

	EXPECT(gpa >= l->low && gpa + bytes <= l->high && gpa + bytes >= gpa, "outside");
	for (i = 0; from && i < bytes; i++)
		l->sum += ((const u8 *)from)[i];
	return 0;
}

/* Any bytes changed: refused, or loaded from inside the file to inside [low, high). */
START_TEST(mutations)
{
	unsigned int n, i, taken = 0;

	random_seed(1);
	for (n = 0; n < 20000; n++) {
		struct image m = good();
		struct elf_image e;
		struct limits l = { 0 };

		for (i = below(4) + 1; i; i--) {
			u64 at = chance(2) ? below(sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr)) :
				 chance(2) ? NOTE_AT + below(0x44) : below(FILE_SIZE);

			m.bytes[at] = chance(3) ? 0xff : chance(3) ? 0 : (u8)random_u64();
		}
		if (!elf_parse(m.bytes, FILE_SIZE, &e)) {
			taken++;
			l.low = e.low;
			l.high = e.high;
			ck_assert_int_eq(elf_load(&e, touch, &l), 0);
			ck_assert(e.note.root >= e.low && e.note.root < e.high);
		}
		free(m.bytes);
	}
	ck_assert_uint_gt(taken, 100);
	ck_assert_uint_lt(taken, n);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("elf");
	TCase *t = tcase_create("elf");

	tcase_add_test(t, good_file);
	tcase_add_test(t, variants);
	tcase_add_test(t, copy_fails);
	tcase_add_test(t, bad_header);
	tcase_add_test(t, bad_segment);
	tcase_add_test(t, bad_note);
	tcase_add_test(t, second_note);
	tcase_add_test(t, short_files);
	tcase_add_test(t, mutations);
	suite_add_tcase(s, t);
	return native_main(s);
}
