// SPDX-License-Identifier: GPL-2.0-only
/*
 * Building a domain, its console, names and core files, against the fake hypervisor: what is
 * in the domain's memory then, its disks and interfaces, and that every failure leaves nothing.
 */
#include "fake.h"

#include <check.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT 0x5000u

static struct parvus *h;
static struct parvus_error e;
static char dir[] = "/tmp/parvus-unit.XXXXXX";
static char kernel_path[64], ramdisk_path[64];
static uint8_t text[TEXT], ramdisk[10001];

static void write_file(const char *path, const void *a, size_t an, const void *b, size_t bn)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(a, 1, an, f), an);
	ck_assert_uint_eq(fwrite(b, 1, bn, f), bn);
	fclose(f);
}

static void make_kernel(uint64_t paddr, uint64_t features)
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph[2];
		Elf64_Nhdr head;
		char name[8];
		struct parvus_entry_note note;
	} __attribute__((packed)) k;

	memset(&k, 0, sizeof(k));
	memcpy(k.eh.e_ident, "\177ELF\2\1\1", 7);
	k.eh.e_type = ET_EXEC;
	k.eh.e_machine = EM_X86_64;
	k.eh.e_phoff = sizeof(k.eh);
	k.eh.e_phentsize = sizeof(Elf64_Phdr);
	k.eh.e_phnum = 2;
	k.ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = sizeof(k), .p_paddr = paddr,
		.p_filesz = TEXT, .p_memsz = TEXT + 0x2000 };
	k.ph[1] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = offsetof(__typeof__(k), head),
		.p_filesz = sizeof(k) - offsetof(__typeof__(k), head) };
	k.head = (Elf64_Nhdr){ .n_namesz = 7,
			       .n_descsz = sizeof(k.note),
			       .n_type = PARVUS_NOTE_ENTRY };
	memcpy(k.name, "Parvus", 7);
	k.note.size = sizeof(k.note);
	k.note.abi_version = 1;
	k.note.entry = 0xffffffff81234560;
	k.note.root = (paddr + 0xfff) & ~0xfffull;
	k.note.features_required = features;
	write_file(kernel_path, &k, sizeof(k), text, TEXT);
}

static void setup(void)
{
	size_t i;

	for (i = 0; i < TEXT; i++)
		text[i] = (uint8_t)(i ^ i >> 7) | 1;
	for (i = 0; i < sizeof(ramdisk); i++)
		ramdisk[i] = (uint8_t)(i * 3);
	make_kernel(0x200000, 0);
	write_file(ramdisk_path, ramdisk, sizeof(ramdisk), "", 0);
	ck_assert_int_eq(parvus_open(&h, &(struct parvus_options){ .run_dir = dir }, &e), 0);
	ck_assert_uint_eq(fake_count(), 0);
}

static void teardown(void)
{
	parvus_close(h);
	ck_assert_uint_eq(fake_count(), 0);
}

static struct parvus_config *config(const char *more)
{
	struct parvus_config *c;
	char all[800];

	snprintf(all, sizeof(all), "name='a'\nkernel='%s'\nramdisk='%s'\nmemory=8\n%s", kernel_path,
		 ramdisk_path, more);
	ck_assert_msg(!parvus_config_parse(&e, "f", all, strlen(all), NULL, 0, &c), "%s",
		      e.text);
	return c;
}

static struct parvus_build build(const char *more)
{
	struct parvus_config *c = config(more);
	struct parvus_build b = { 0 };
	int ret = parvus_build(h, c, &b);

	ck_assert_msg(!ret, "%s", e.text);
	parvus_config_free(c);
	return b;
}

static void bad(const char *more, int code, const char *want)
{
	struct parvus_config *c = config(more);
	struct parvus_build b = { 0 };

	ck_assert_int_eq(parvus_build(h, c, &b), -code);
	ck_assert_msg(strstr(e.text, want) != NULL, "says \"%s\", not \"%s\"",
		      e.text, want);
	parvus_config_free(c);
	ck_assert_uint_eq(fake_count(), 0);
}

START_TEST(layout)
{
	static const char extra[] = "070701 more";
	struct parvus_config *c =
		config("cmdline='console=hvc0 x'\nvcpus=2\nmaxvcpus=3\nmaxmem=16\n"
		       "cpu_weight=99\ncap=150\ncpus=['1']\n");
	struct parvus_build b = { .extra = extra, .extra_bytes = sizeof(extra) };
	uint64_t top = (8u << 20) - (10004 + sizeof(extra)), si_gpa;
	struct parvus_start_info si;
	struct parvus_control_info i;
	struct parvus_control_vcpu v;
	struct fake_domain *d;
	size_t k;

	top &= ~0xfffull;
	ck_assert_msg(!parvus_build(h, c, &b), "%s", e.text);
	parvus_config_free(c);
	d = fake_find(b.domain);
	ck_assert_ptr_nonnull(d);
	ck_assert(!d->committed);
	ck_assert_int_eq(parvus_domain_info(h, b.domain, &i), 0);
	ck_assert_uint_eq(i.state, PARVUS_DOMAIN_RUNNING);
	ck_assert(i.flags & PARVUS_INFO_PAUSED);
	ck_assert_str_eq(i.name, "a");
	ck_assert_uint_eq(i.frames, 16 << 8);
	ck_assert_uint_eq(i.max_frames, 16 << 8);
	ck_assert_uint_eq(i.target_frames, 8 << 8);
	ck_assert_uint_eq(i.vcpus, 3);
	ck_assert_uint_eq(i.weight, 99);
	ck_assert_uint_eq(i.cap, 150);
	/* on demand: kernel, ramdisk, command line, start info and console alone */
	ck_assert_uint_eq(i.touched, 5 + 3 + 3);
	ck_assert_int_eq(parvus_vcpu(h, b.domain, 0, &v), 0);
	ck_assert_uint_eq(v.affinity[0], 2);
	ck_assert_int_eq(parvus_vcpu(h, b.domain, 1, &v), 0);
	ck_assert_uint_eq(v.affinity[0], 3);

	ck_assert_uint_eq(d->start.entry, 0xffffffff81234560);
	ck_assert_uint_eq(d->start.root, 0x200000);
	si_gpa = d->start.start_info;
	ck_assert_uint_eq(si_gpa, top - 2 * PAGE);
	memcpy(&si, fake_memory(d, si_gpa), sizeof(si));
	ck_assert_uint_eq(si.magic, PARVUS_START_MAGIC);
	ck_assert_uint_eq(si.size, sizeof(si));
	ck_assert_uint_eq(si.version, PARVUS_ABI_VERSION);
	ck_assert_uint_eq(si.domain, b.domain);
	ck_assert_uint_eq(si.vcpus, 3);
	ck_assert_uint_eq(si.flags, 0);
	ck_assert_uint_eq(si.features[0], 3);
	ck_assert_uint_eq(si.cmdline, top - PAGE);
	ck_assert_str_eq((char *)fake_memory(d, si.cmdline), "console=hvc0 x maxcpus=2");
	ck_assert_uint_eq(si.initrd, top);
	ck_assert_uint_eq(si.initrd_size, 10004 + sizeof(extra));
	ck_assert_mem_eq(fake_memory(d, top), ramdisk, sizeof(ramdisk));
	ck_assert_mem_eq(fake_memory(d, top + 10001), "\0\0\0", 3);
	ck_assert_mem_eq(fake_memory(d, top + 10004), extra, sizeof(extra));
	ck_assert_mem_eq(fake_memory(d, 0x200000), text, TEXT);
	ck_assert_uint_eq(si.ram_size, 16u << 20);
	ck_assert_uint_ge(si.max_gfn, 16 << 8);
	ck_assert_uint_eq(si.tsc_khz, 1000000);
	ck_assert_uint_eq(si.memory_ranges, 3);
	ck_assert_uint_eq(si.memory[0].start, 0);
	ck_assert_uint_eq(si.memory[0].size, 0xa0000);
	ck_assert_uint_eq(si.memory[1].type, 2);
	ck_assert_uint_eq(si.memory[1].start + si.memory[1].size, 0x100000);
	ck_assert_uint_eq(si.memory[2].start, 0x100000);
	ck_assert_uint_eq(si.memory[2].size, 0xf00000);
	ck_assert(si.generation_id[0] | si.generation_id[1]);
	ck_assert_uint_eq(si.console_gpa, si_gpa - PAGE);
	ck_assert_uint_eq(si.console_port, d->port);
	ck_assert_uint_eq(d->console_gfn * PAGE, si.console_gpa);
	for (k = 0; k < PAGE; k++)	/* two fresh rings */
		ck_assert_uint_eq(fake_memory(d, si.console_gpa)[k], k == 68 || k == 128 + 68);
	ck_assert_uint_eq(b.console_ref, d->console_ref);
	ck_assert_uint_eq(b.console_port, d->port);
	ck_assert_uint_eq(si.screen.kind, 0);
	for (k = 0; k < sizeof(si.reserved) / 8; k++)
		ck_assert_uint_eq(si.reserved[k], 0);

	/* the file is the owner */
	ck_assert_uint_eq(fake_count(), 1);
	parvus_close(h);
	ck_assert_uint_eq(fake_count(), 0);
	parvus_open(&h, &(struct parvus_options){ .run_dir = dir }, &e);
}
END_TEST

START_TEST(commit)
{
	struct parvus_build b = build("");
	struct parvus_control_info i;

	ck_assert_int_eq(parvus_domain_commit(h, b.domain, true), 0);
	ck_assert_int_lt(parvus_domain_commit(h, b.domain, true), 0);
	ck_assert_int_eq(parvus_domain_commit(h, 99, true), -ENOENT);
	parvus_close(h);
	ck_assert_int_eq(parvus_open(&h, &(struct parvus_options){ .run_dir = dir }, &e), 0);
	ck_assert_int_eq(parvus_domain_info(h, b.domain, &i), 0);
	ck_assert(!(i.flags & PARVUS_INFO_PAUSED));
	ck_assert_int_eq(parvus_domain_destroy(h, b.domain), 0);
}
END_TEST

/* Each operation fails in turn: the text is about it, and nothing is left. */
START_TEST(failures)
{
	static const uint32_t ops[] = { PARVUS_CONTROL_MACHINE,	 PARVUS_CONTROL_CREATE,
					PARVUS_CONTROL_POPULATE, PARVUS_CONTROL_COPY,
					PARVUS_CONTROL_OFFER,	 PARVUS_CONTROL_PORT,
					PARVUS_CONTROL_START,	 PARVUS_CONTROL_PIN,
					PARVUS_CONTROL_MEMORY,	 PARVUS_CONTROL_NEXT };
	size_t i, skip;

	for (i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		fake_fail(ops[i], ENOMEM, 0);
		bad("cpus='0'\nmaxmem=9", ENOMEM, "not enough memory");
	}
	for (skip = 1; skip < 4; skip++) {
		fake_fail(PARVUS_CONTROL_COPY, EFAULT, (uint32_t)skip);
		bad("", EFAULT, "memory of domain");
	}
	fake_fail(PARVUS_CONTROL_CREATE, ENOSPC, 0);
	bad("", ENOSPC, "as many as the hypervisor has room for");
}
END_TEST

START_TEST(refused)
{
	char all[2100];

	bad("kernel='/none'", ENOENT, "/none");
	bad("ramdisk='/none'", ENOENT, "/none");
	bad("memory=2", ENOMEM, "do not fit into 2 MiB");
	bad("memory=4096", ENOMEM, "overcommit=1");
	bad("maxmem=4096", ENOMEM, "overcommit=1");
	/* with it, the hypervisor has the word */
	bad("maxmem=4096\novercommit=1", ENOMEM, "cannot create");
	bad("cpus='5'", EINVAL, "none of them is there");
	memset(all, 'x', sizeof(all) - 1);
	all[2048] = 0;
	{
		struct parvus_config *c = config("");
		struct parvus_build b = { 0 };

		free(c->cmdline);
		c->cmdline = strdup(all);
		ck_assert_int_eq(parvus_build(h, c, &b), -E2BIG);
		ck_assert_uint_eq(fake_count(), 0);
		c->cmdline[2047] = 0;
		ck_assert_int_eq(parvus_build(h, c, &b), 0);
		ck_assert_int_eq(parvus_domain_destroy(h, b.domain), 0);
		parvus_config_free(c);
	}
	make_kernel(0x9f000, 0);
	bad("", EINVAL, "between 640 KiB and 1 MiB");
	make_kernel(0x7f4000, 0);
	bad("", ENOMEM, "do not fit");
	make_kernel(1ull << 45, 0);
	bad("", ENOMEM, "do not fit");
	make_kernel(0x200000, 8);
	bad("", ENOTSUP, "features");
	make_kernel(0x200000, 2);
	ck_assert_int_eq(parvus_domain_destroy(h, build("").domain), 0);
}
END_TEST

static int stop_at_once(void *arg, uint64_t done, uint64_t total)
{
	ck_assert_uint_le(done, total);
	++*(int *)arg;
	return 1;
}

START_TEST(progress)
{
	struct parvus_config *c = config("");
	int calls = 0;
	struct parvus_build b = { .progress = stop_at_once, .progress_arg = &calls };

	ck_assert_int_eq(parvus_build(h, c, &b), -ECANCELED);
	ck_assert_int_eq(calls, 1);
	ck_assert_uint_eq(fake_count(), 0);
	parvus_config_free(c);
}
END_TEST

START_TEST(names)
{
	static const char *const wrong[] = { "", "1", "007", "-a", ".a", "a b", "a/b", "a\n",
		"a~b" };
	char name[PARVUS_NAME_BYTES + 1];
	struct parvus_build a = build("name='one'"), b = build("name='two'");
	struct parvus_control_info *list, i;
	size_t n;

	for (n = 0; n < sizeof(wrong) / sizeof(*wrong); n++)
		ck_assert(!parvus_name_ok(wrong[n]));
	ck_assert(parvus_name_ok("web-1.example_com+x"));
	ck_assert(parvus_name_ok("1a"));
	memset(name, 'a', sizeof(name));
	name[PARVUS_NAME_BYTES] = 0;
	ck_assert(!parvus_name_ok(name));
	name[PARVUS_NAME_BYTES - 1] = 0;
	ck_assert(parvus_name_ok(name));
	ck_assert_int_eq(parvus_domain_rename(h, a.domain, "two"), -EEXIST);
	ck_assert_int_eq(parvus_domain_rename(h, a.domain, "one"), 0);
	ck_assert_int_eq(parvus_domain_rename(h, a.domain, "1"), -EINVAL);
	ck_assert_int_eq(parvus_domain_rename(h, a.domain, "three"), 0);
	ck_assert_int_eq(parvus_find(h, "one", &i), -ENOENT);
	ck_assert_int_eq(parvus_find(h, "three", &i), 0);
	ck_assert_uint_eq(i.domain, a.domain);
	ck_assert_int_eq(parvus_find(h, "0", &i), 0);
	ck_assert_str_eq(i.name, "Domain-0");
	ck_assert_int_eq(parvus_find(h, "4294967295", &i), -ENOENT);
	ck_assert_int_eq(parvus_find(h, "99999999999999999999", &i), -ENOENT);
	ck_assert_int_eq(parvus_find(h, "", &i), -ENOENT);
	ck_assert_int_eq(parvus_list(h, &list, &n), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(list[2].name, "two");
	free(list);
	ck_assert_int_eq(parvus_domain_destroy(h, a.domain), 0);
	ck_assert_int_eq(parvus_domain_destroy(h, b.domain), 0);
	ck_assert_int_eq(parvus_domain_destroy(h, b.domain), -ENOENT);
	ck_assert_ptr_nonnull(strstr(e.text, "there is no domain"));
}
END_TEST

/* A hostile front end: indices that lie. */
START_TEST(console)
{
	struct parvus_build b = build("");
	struct parvus_console_page *p;
	struct parvus_console *c, *second;
	struct fake_domain *d;
	uint8_t data[8192];
	bool lie = _i;
	uint32_t n;

	d = fake_find(b.domain);
	p = fake_console(d);
	ck_assert_ptr_nonnull(p);
	ck_assert_int_lt(parvus_console_open(h, b.domain, b.console_ref + 1, b.console_port, &c),
			 0);
	ck_assert_ptr_null(c);
	ck_assert_int_eq(parvus_console_open(h, b.domain, b.console_ref, b.console_port, &c), 0);
	ck_assert_int_eq(parvus_console_open(h, b.domain, b.console_ref, b.console_port, &second),
			 -EBUSY);
	ck_assert_int_eq(parvus_console_read(c, data, sizeof(data)), 0);
	/* across the end of the ring, in pieces, with indices that wrap */
	for (n = 0; n < 5000; n++)
		p->out_bytes[(p->out.produced + n) % PARVUS_CONSOLE_OUT] = (uint8_t)n;
	p->out.produced = 2000;
	ck_assert_int_eq(parvus_console_read(c, data, 1500), 1500);
	ck_assert_int_eq(parvus_console_read(c, data + 1500, 1500), 500);
	ck_assert_uint_eq(p->out.consumed, 2000);
	/* who finds nothing is to be woken by the next byte; who has to wait for room, by some */
	ck_assert_int_eq(parvus_console_read(c, data, sizeof(data)), 0);
	ck_assert_uint_eq(p->out.consumer_wake, 2001);
	for (n = 0; n < 100; n++)
		p->out_bytes[(2000 + n) % PARVUS_CONSOLE_OUT] = 'x';
	p->out.produced = 2100;
	ck_assert(parvus_console_waits(c));
	ck_assert_int_eq(parvus_console_read(c, data, sizeof(data)), 100);
	ck_assert_uint_eq(data[0], 'x');
	ck_assert_uint_eq(data[99], 'x');
	/* our own index is not the domain's to move */
	p->out.consumed = 5;
	ck_assert_int_eq(parvus_console_read(c, data, sizeof(data)), 0);
	ck_assert(!parvus_console_waits(c));
	ck_assert_uint_eq(p->out.consumer_wake, 2101);
	p->out.produced = 2100 + PARVUS_CONSOLE_OUT;
	ck_assert_int_eq(parvus_console_read(c, data, sizeof(data)), PARVUS_CONSOLE_OUT);
	ck_assert_uint_eq(p->out.consumed, 2100 + PARVUS_CONSOLE_OUT);

	memset(data, 'i', sizeof(data));
	ck_assert_int_eq(parvus_console_write(c, data, 1000), 1000);
	ck_assert_int_eq(parvus_console_write(c, data, 1000), 24);
	ck_assert_int_eq(parvus_console_write(c, data, 1000), 0);
	ck_assert_uint_eq(p->in.produced, 1024);
	ck_assert_uint_eq(p->in.producer_wake, 1);
	p->in.consumed = 10;
	ck_assert_int_eq(parvus_console_write(c, data, 1000), 10);
	ck_assert_uint_eq(p->in.producer_wake, 11);
	/* another monitor goes on where this one left off */
	parvus_console_close(c);
	ck_assert_int_eq(parvus_console_open(h, b.domain, b.console_ref, b.console_port, &c), 0);
	ck_assert_int_eq(parvus_console_write(c, data, 1000), 0);
	p->in.consumed = 15;
	ck_assert_int_eq(parvus_console_write(c, data, 1000), 5);
	p->out.produced += 3;
	ck_assert_int_eq(parvus_console_read(c, data, sizeof(data)), 3);
	/* lies: too much or backwards; said once, and that is the end of that ring */
	p->out.produced += lie ? PARVUS_CONSOLE_OUT + 1 : -1u;
	ck_assert_int_eq(parvus_console_read(c, data, sizeof(data)), -EPROTO);
	ck_assert_ptr_nonnull(strstr(e.text, "make no sense"));
	p->out.produced = p->out.consumed + 1;
	ck_assert_int_eq(parvus_console_read(c, data, sizeof(data)), 0);
	ck_assert(!parvus_console_waits(c));
	p->in.consumed = lie ? p->in.produced + 1 : p->in.produced - 2000;
	ck_assert_int_eq(parvus_console_write(c, data, 1000), 0);
	p->in.consumed = p->in.produced;
	ck_assert_int_eq(parvus_console_write(c, data, 1000), 0);

	/* an event, acknowledged, and unmasked for the next */
	for (n = 0; n < 3; n++) {
		struct pollfd f = { .fd = parvus_console_fd(c), .events = POLLIN };

		fake_signal(d);
		ck_assert_int_eq(parvus_poll(h, &f, 1, 1000), 1);
		ck_assert_int_eq(parvus_console_ack(c), 0);
		ck_assert_int_eq(parvus_poll(h, &f, 1, 0), 0);
	}
	/* while it is mapped, a destroyed domain is dying */
	ck_assert_int_eq(parvus_domain_destroy(h, b.domain), 0);
	ck_assert_uint_eq(fake_count(), 1);
	parvus_console_close(c);
	ck_assert_uint_eq(fake_count(), 0);
}
END_TEST

START_TEST(core)
{
	struct parvus_build b = build("vcpus=2\nmaxmem=16");
	struct parvus_start_info *si;
	struct fake_domain *d = fake_find(b.domain);
	char path[80];
	uint8_t data[64];
	Elf64_Ehdr eh;
	Elf64_Phdr ph[3];
	struct elf_prstatus status;
	int fd, calls = 0;

	snprintf(path, sizeof(path), "%s/core", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_ge(fd, 0);
	/* not while it runs */
	ck_assert_int_eq(parvus_domain_commit(h, b.domain, true), 0);
	ck_assert_int_eq(parvus_core_write(h, b.domain, fd, NULL, NULL), -EBUSY);
	ck_assert_int_eq(parvus_domain_pause(h, b.domain), 0);
	d->ram[0x203] = d->ram[0x300] = d->ram[16 * 256 - 1] = 0;
	ck_assert_int_eq(parvus_core_write(h, b.domain, fd, stop_at_once, &calls), -ECANCELED);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(parvus_core_write(h, b.domain, fd, NULL, NULL), 0);
	ck_assert_int_eq(pread(fd, &eh, sizeof(eh), 0), sizeof(eh));
	ck_assert_uint_eq(eh.e_type, ET_CORE);
	ck_assert_uint_eq(eh.e_phnum, 3);
	ck_assert_int_eq(pread(fd, ph, sizeof(ph), (off_t)eh.e_phoff), sizeof(ph));
	ck_assert_uint_eq(ph[0].p_type, PT_NOTE);
	/* one vCPU was started */
	ck_assert_uint_eq(ph[0].p_filesz, 20 + sizeof(status));
	ck_assert_int_eq(pread(fd, &status, sizeof(status), (off_t)ph[0].p_offset + 20),
			 sizeof(status));
	ck_assert_uint_eq(status.pr_pid, 1);
	ck_assert_uint_eq(status.pr_reg[16], d->start.entry);
	ck_assert_uint_eq(status.pr_reg[13], d->start.start_info);
	ck_assert_uint_eq(ph[1].p_vaddr, 0xffff888000000000);
	ck_assert_uint_eq(ph[1].p_filesz, 16u << 20);
	ck_assert_uint_eq(ph[2].p_vaddr, 0xffffffff80000000);
	ck_assert_uint_eq(ph[2].p_offset, ph[1].p_offset);
	ck_assert_uint_eq(lseek(fd, 0, SEEK_END), ph[1].p_offset + ph[1].p_filesz);
	ck_assert_int_eq(pread(fd, data, 64, (off_t)(ph[1].p_offset + 0x200000 + 0x1234)), 64);
	ck_assert_mem_eq(data, text + 0x1234, 64);
	/* around a frame that is not there */
	ck_assert_int_eq(pread(fd, data, 64, (off_t)(ph[1].p_offset + 0x202fc0)), 64);
	ck_assert_mem_eq(data, text + 0x2fc0, 64);
	ck_assert_int_eq(pread(fd, data, 64, (off_t)(ph[1].p_offset + 0x203000)), 64);
	ck_assert_uint_eq(data[0], 0);
	ck_assert_int_eq(pread(fd, data, 64, (off_t)(ph[1].p_offset + 0x204000)), 64);
	ck_assert_mem_eq(data, text + 0x4000, 64);
	si = (void *)fake_memory(d, d->start.start_info);
	ck_assert_int_eq(pread(fd, data, 64, (off_t)(ph[1].p_offset + si->initrd + 5000)), 64);
	ck_assert_mem_eq(data, ramdisk + 5000, 64);
	close(fd);
	ck_assert_int_eq(parvus_domain_destroy(h, b.domain), 0);
}
END_TEST

START_TEST(handle)
{
	struct parvus_control_machine m;
	struct pollfd p;
	struct parvus_build b;

	ck_assert_int_eq(parvus_machine(h, &m), 0);
	ck_assert_uint_eq(m.cpus, 2);
	/* changes make the descriptor readable, once */
	p = (struct pollfd){ .fd = parvus_fd(h), .events = POLLIN };
	ck_assert_int_eq(parvus_changed(h), 0);
	ck_assert_int_eq(parvus_poll(h, &p, 1, 0), 0);
	b = build("");
	ck_assert_int_eq(parvus_poll(h, &p, 1, 0), 1);
	ck_assert_int_eq(parvus_changed(h), 0);
	ck_assert_int_eq(parvus_poll(h, &p, 1, 0), 0);
	ck_assert_int_eq(parvus_domain_destroy(h, b.domain), 0);
	/* text from outside cannot make lines or speak to a terminal */
	ck_assert_int_lt(parvus_domain_rename(h, 0, "a\n\033[2Jb"), 0);
	ck_assert_ptr_null(strchr(e.text, '\n'));
	ck_assert_ptr_null(strchr(e.text, '\033'));
}
END_TEST

/* ---- with disks and interfaces, in one call ------------------------------------------------ */

static char said[700];
static int answered = -1;

static void on_say(void *arg, const char *what)
{
	ck_assert_ptr_eq(arg, said);
	snprintf(said, sizeof(said), "%s", what);
}

static void on_answer(void *arg, int request, const char *error)
{
	ck_assert_ptr_eq(arg, said);
	answered = request;
	snprintf(said, sizeof(said), "%s", error ? error : "ok");
}

static const struct parvus_keeper_ops ops = { .say = on_say, .answer = on_answer, .arg = said };

static void touch(const char *name, off_t bytes)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, bytes), 0);
	close(fd);
}

/* A disk that is a file, one a block device, one that an nbd device serves, two interfaces. */
static struct parvus_config *full(const char *more)
{
	char all[800], nbd[80];
	FILE *f;

	touch("a.img", 4096);
	touch("c.qcow2", 4096);
	touch("blk-3", 0);
	touch("bridge-br0", 0);
	snprintf(nbd, sizeof(nbd), "%s/qemu-nbd", dir);
	f = fopen(nbd, "w");
	fprintf(f, "#!/bin/sh\ncase $1 in\n--connect=/dev/nbd*) n=${1#--connect=/dev/nbd}\n"
		   "cd \"$PARVUS_FAKE\"; mkdir -p sys/block/nbd$n proc/7$n\n"
		   "printf '%%s\\0' \"$@\" >proc/7$n/cmdline\n"
		   "echo 7$n >sys/block/nbd$n/pid; touch nbd-$n ;;\n"
		   "--disconnect) cd \"$PARVUS_FAKE\"; n=${2#/dev/nbd}\n"
		   "rm -r nbd-$n sys/block/nbd$n ;;\nesac\n");
	fclose(f);
	chmod(nbd, 0700);
	snprintf(all, sizeof(all),
		 "disk=['%s/a.img,raw,xvda,w','phy:%s/blk-3,xvdb,w','%s/c.qcow2,qcow2,xvdc,w']\n"
		 "vif=['bridge=br0','bridge=br0']\n%s",
		 dir, dir, dir, more);
	return config(all);
}

static void open_handle(void)
{
	char nbd[80];

	parvus_close(h);
	snprintf(nbd, sizeof(nbd), "%s/qemu-nbd", dir);
	ck_assert_int_eq(parvus_open(&h, &(struct parvus_options){ .run_dir = dir,
								   .qemu_nbd = nbd }, &e), 0);
}

static unsigned int devices(void)
{
	struct parvus_device d;
	unsigned int n = 0;
	uint32_t at = 0;

	while (!parvus_device_next(h, at, &d)) {
		at = d.id;
		n++;
	}
	return n;
}

/* No domain, device, loop or nbd device, or folder. */
static void nothing_left(void)
{
	char path[80];

	ck_assert_uint_eq(fake_count(), 0);
	ck_assert_uint_eq(devices(), 0);
	ck_assert_uint_eq(fake_loops(), 0);
	snprintf(path, sizeof(path), "%s/nbd-0", dir);
	ck_assert_int_ne(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/domains", dir);
	ck_assert(rmdir(path) == 0 || errno == ENOENT);
}

START_TEST(create)
{
	struct parvus_config *c = full("");
	struct parvus_keeper *k, *other;
	struct parvus_build b = { 0 };
	struct parvus_state *s, file;

	open_handle();
	ck_assert_msg(!parvus_create(h, c, &b, &ops, &k), "%s", e.text);
	parvus_config_free(c);
	ck_assert_uint_eq(fake_count(), 1);
	ck_assert(!fake_find(b.domain)->committed);
	ck_assert_uint_eq(devices(), 5);
	ck_assert_uint_eq(fake_loops(), 1);
	ck_assert_str_eq(fake_device(b.domain, PARVUS_CLASS_NETWORK, 1)->bridge, "br0");
	/* the state says it all */
	s = parvus_keeper_state(k);
	ck_assert_uint_eq(s->domain, b.domain);
	ck_assert(s->devices_made && !s->ended);
	ck_assert_int_eq(parvus_state_load(h, b.domain, &file), 0);
	ck_assert_uint_eq(file.console_ref, b.console_ref);
	ck_assert_uint_eq(file.console_port, b.console_port);
	ck_assert_uint_eq(file.ndevices, 5);
	ck_assert_int_eq(file.devices[2].nbd, 0);
	ck_assert_uint_eq(file.devices[2].id, fake_device(b.domain, PARVUS_CLASS_BLOCK, 2)->d.id);
	parvus_state_free(&file);
	/* one keeper at a time; the next one finds what there is */
	ck_assert_int_eq(parvus_keeper_open(h, b.domain, &ops, &other), -EBUSY);
	ck_assert_ptr_nonnull(strstr(e.text, "another monitor serves domain"));
	ck_assert_ptr_null(other);
	ck_assert_int_eq(parvus_domain_commit(h, b.domain, true), 0);
	parvus_keeper_close(k);
	ck_assert_uint_eq(devices(), 5);
	ck_assert_int_eq(parvus_keeper_open(h, b.domain, &ops, &k), 0);
	ck_assert_int_eq(parvus_keeper_start(k), 0);
	ck_assert_uint_eq(devices(), 5);
	/* what is attached is in the state, what is refused is not */
	ck_assert_int_eq(parvus_keeper_attach_disk(k, "vdev=xvdb,target=/x", 7), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.text, " already"));
	ck_assert_int_lt(parvus_keeper_attach_vif(k, "bridge=br9", 7), 0);
	ck_assert_ptr_nonnull(strstr(e.text, "no bridge br9"));
	ck_assert_int_eq(parvus_keeper_attach_vif(k, "bridge=br0", 7), 1);
	while (answered < 0)
		parvus_keeper_work(k, NULL, 0);
	ck_assert_int_eq(answered, 7);
	ck_assert_str_eq(said, "ok");
	ck_assert_int_eq(parvus_state_load(h, b.domain, &file), 0);
	ck_assert_uint_eq(file.config->nvifs, 3);
	ck_assert_uint_eq(file.ndevices, 6);
	parvus_state_free(&file);
	/* the end of it */
	parvus_keeper_end(k);
	parvus_keeper_close(k);
	parvus_state_remove(h, b.domain);
	ck_assert_int_eq(parvus_domain_destroy(h, b.domain), 0);
	nothing_left();
}
END_TEST

/* Whatever fails, and whenever: one text, and nothing is left. */
START_TEST(create_failures)
{
	static const uint32_t ops_failing[] = { PARVUS_CONTROL_CREATE, PARVUS_CONTROL_POPULATE,
		PARVUS_CONTROL_COPY, PARVUS_CONTROL_START };
	struct parvus_config *c = full("");
	struct parvus_keeper *k;
	struct parvus_build b;
	char path[80];
	uint32_t i;

	open_handle();
	for (i = 0; i < 5 + sizeof(ops_failing) / sizeof(*ops_failing); i++) {
		/* the CREATE of each of five devices, then operations of building */
		if (i < 5)
			fake_fail(FAKE_DEVICE_OP, ENOMEM, i);
		else
			fake_fail(ops_failing[i - 5], ENOMEM, 0);
		b = (struct parvus_build){ 0 };
		e.text[0] = 0;
		ck_assert_int_lt(parvus_create(h, c, &b, &ops, &k), 0);
		ck_assert_ptr_null(k);
		ck_assert_uint_gt(strlen(e.text), 10);
		nothing_left();
	}
	snprintf(path, sizeof(path), "%s/bridge-br0", dir);
	unlink(path);
	b = (struct parvus_build){ 0 };
	ck_assert_int_lt(parvus_create(h, c, &b, &ops, &k), 0);
	ck_assert_ptr_nonnull(strstr(e.text, "no bridge br0"));
	nothing_left();
	/* the folder cannot be made: something else stands there */
	touch("domains", 0);
	ck_assert_int_lt(parvus_create(h, c, &b, &ops, &k), 0);
	ck_assert_ptr_nonnull(strstr(e.text, "cannot make"));
	snprintf(path, sizeof(path), "%s/domains", dir);
	unlink(path);
	nothing_left();
	parvus_config_free(c);
}
END_TEST

/* A keeper takes a state that is this domain's and whole, or none. */
START_TEST(strange_state)
{
	struct parvus_config *c = config("");
	struct parvus_build b = { 0 };
	struct parvus_keeper *k;
	struct parvus_state s;
	char path[80];

	ck_assert_int_eq(parvus_build(h, c, &b), 0);
	ck_assert_int_eq(parvus_keeper_open(h, b.domain, &ops, &k), -ENOENT);
	ck_assert_ptr_nonnull(strstr(e.text, "there is no record of domain"));
	ck_assert_int_eq(parvus_state_start(h, c, &b), 0);
	parvus_config_free(c);
	ck_assert_int_eq(parvus_state_load(h, b.domain, &s), 0);
	s.created_ns++;
	ck_assert_int_eq(parvus_state_save(h, &s), 0);
	ck_assert_int_eq(parvus_keeper_open(h, b.domain, &ops, &k), -ESTALE);
	parvus_state_free(&s);
	ck_assert_int_eq(parvus_run_path(h, b.domain, "state", path, sizeof(path)), 0);
	write_file(path, "parvus-state 2\n", 15, "", 0);
	ck_assert_int_eq(parvus_keeper_open(h, b.domain, &ops, &k), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(e.text, "of version 2, and version 1 is known here"));
	write_file(path, "parvus-state 1\ndomain", 21, "", 0);
	ck_assert_int_eq(parvus_keeper_open(h, b.domain, &ops, &k), -EINVAL);
	ck_assert_ptr_null(k);
	parvus_state_remove(h, b.domain);
	ck_assert_int_eq(parvus_domain_destroy(h, b.domain), 0);
	nothing_left();
}
END_TEST

int main(void)
{
	char command[64];
	Suite *s = suite_create("build");
	TCase *t = tcase_create("build");
	SRunner *r;
	int failed;

	if (!mkdtemp(dir))
		return 99;
	setenv("PARVUS_FAKE", dir, 1);
	snprintf(kernel_path, sizeof(kernel_path), "%s/kernel", dir);
	snprintf(ramdisk_path, sizeof(ramdisk_path), "%s/ramdisk", dir);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, layout);
	tcase_add_test(t, commit);
	tcase_add_test(t, failures);
	tcase_add_test(t, refused);
	tcase_add_test(t, progress);
	tcase_add_test(t, names);
	tcase_add_loop_test(t, console, 0, 2);
	tcase_add_test(t, core);
	tcase_add_test(t, handle);
	tcase_add_test(t, create);
	tcase_add_test(t, create_failures);
	tcase_add_test(t, strange_state);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) || failed;
}
