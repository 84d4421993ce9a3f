// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: ELF core files. One copy of the domain's memory, by guest-physical address, with
 * two PT_LOADs over it: the mapping of the kernel's text, the direct map of all memory
 * (Documentation/x86/x86_64/mm.rst of Linux, four levels, no KASLR of memory), so that gdb with
 * the guest's vmlinux finds text, data, per-CPU areas and the heap. Registers of each vCPU are
 * a "thread". Addresses of vmalloc are not in it: they are found by the tables in the core.
 */
#include "internal.h"

#include <elf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <unistd.h>

#define TEXT_MAP	0xffffffff80000000ull
#define TEXT_SIZE	(1ull << 30)
#define DIRECT_MAP	0xffff888000000000ull
#define CHUNK		(1ull << 20)
#define NOTE_NAME	"CORE"

_Static_assert(sizeof(struct elf_prstatus) == 336, "the layout of x86-64");

/* Packed: the description follows the name at a multiple of 4. */
struct note {
	Elf64_Nhdr head;
	char name[8];
	struct elf_prstatus status;
} __attribute__((packed));

static int put(struct parvus *h, int fd, uint64_t at, const void *data, size_t bytes)
{
	const char *p = data;

	while (bytes) {
		ssize_t n = pwrite(fd, p, bytes, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return pv_fail(h->error, n ? errno : EIO, "cannot write the core file: %s",
				       strerror(n ? errno : EIO));
		p += n;
		at += (uint64_t)n;
		bytes -= (size_t)n;
	}
	return 0;
}

static void registers(struct note *n, const struct parvus_control_regs *r)
{
	const uint64_t regs[] = {
		r->r15, r->r14, r->r13, r->r12, r->rbp, r->rbx, r->r11, r->r10, r->r9, r->r8,
		r->rax, r->rcx, r->rdx, r->rsi, r->rdi, ~0ull /* orig_rax: no system call */,
		r->rip, r->cs, r->rflags, r->rsp, r->ss, r->fs_base, r->gs_base, 0, 0, 0, 0,
	};

	_Static_assert(sizeof(regs) == sizeof(n->status.pr_reg), "user_regs_struct of x86-64");
	memset(n, 0, sizeof(*n));
	n->head.n_namesz = sizeof(NOTE_NAME);
	n->head.n_descsz = sizeof(n->status);
	n->head.n_type = NT_PRSTATUS;
	memcpy(n->name, NOTE_NAME, sizeof(NOTE_NAME));
	n->status.pr_pid = (pid_t)r->vcpu + 1;
	memcpy(&n->status.pr_reg, regs, sizeof(regs));
}

static bool zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, PAGE - 1);
}

/* Frames without memory read as nothing: they stay holes. */
static int memory(struct parvus *h, uint32_t domain, int fd, uint64_t at, uint64_t bytes,
		  parvus_progress *progress, void *arg)
{
	uint8_t *data = malloc(CHUNK);
	uint64_t gpa = 0, pages_until = 0;
	int ret = 0;

	if (!data)
		return pv_fail(h->error, ENOMEM, "no memory");
	while (gpa < bytes) {
		uint64_t n = gpa < pages_until ? PAGE : CHUNK, i;

		if (n > bytes - gpa)
			n = bytes - gpa;
		ret = parvus_domain_read(h, domain, gpa, data, n, NULL);
		if (ret && ret != -EFAULT && ret != -EINVAL)
			goto out;
		/* a hole somewhere in it: page by page */
		if (ret && n > PAGE) {
			pages_until = gpa + n;
			continue;
		}
		if (ret)
			memset(data, 0, n);
		for (i = 0; i < n; i += PAGE) {
			uint64_t from = i;

			if (zero(data + i))
				continue;
			while (i + PAGE < n && !zero(data + i + PAGE))
				i += PAGE;
			ret = put(h, fd, at + gpa + from, data + from, i + PAGE - from);
			if (ret)
				goto out;
		}
		gpa += n;
		ret = 0;
		if (progress && progress(arg, gpa < bytes ? gpa : bytes, bytes)) {
			ret = pv_fail(h->error, ECANCELED, "stopped");
			break;
		}
	}
out:
	free(data);
	return ret;
}

int parvus_core_write(struct parvus *h, uint32_t domain, int fd, parvus_progress *progress,
		      void *arg)
{
	struct parvus_control_info i;
	struct parvus_control_regs r;
	Elf64_Ehdr eh = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(eh),
		.e_ehsize = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
	};
	Elf64_Phdr ph[3];
	uint64_t notes, start, bytes;
	struct note n;
	uint32_t v, count = 0;
	int ret;

	ret = parvus_domain_info(h, domain, &i);
	if (ret)
		return ret;
	notes = sizeof(eh) + sizeof(ph);
	for (v = 0; v < i.vcpus && v < PARVUS_MAX_VCPUS; v++) {
		ret = parvus_vcpu_regs(h, domain, v, &r);
		if (ret)
			return ret;
		/* gdb wants one thread at least */
		if (!r.started && v)
			continue;
		registers(&n, &r);
		ret = put(h, fd, notes + count * sizeof(n), &n, sizeof(n));
		if (ret)
			return ret;
		count++;
	}
	bytes = i.max_frames * PAGE;
	start = (notes + count * sizeof(n) + PAGE - 1) & ~(PAGE - 1);
	memset(ph, 0, sizeof(ph));
	ph[0].p_type = PT_NOTE;
	ph[0].p_offset = notes;
	ph[0].p_filesz = count * sizeof(n);
	ph[0].p_align = 4;
	ph[1].p_type = ph[2].p_type = PT_LOAD;
	ph[1].p_flags = ph[2].p_flags = PF_R | PF_W | PF_X;
	ph[1].p_align = ph[2].p_align = PAGE;
	ph[1].p_offset = ph[2].p_offset = start;
	ph[1].p_vaddr = DIRECT_MAP;
	ph[1].p_filesz = ph[1].p_memsz = bytes;
	ph[2].p_vaddr = TEXT_MAP;
	ph[2].p_filesz = ph[2].p_memsz = bytes < TEXT_SIZE ? bytes : TEXT_SIZE;
	ret = put(h, fd, 0, &eh, sizeof(eh));
	if (!ret)
		ret = put(h, fd, sizeof(eh), ph, sizeof(ph));
	if (!ret)
		ret = memory(h, domain, fd, start, bytes, progress, arg);
	if (!ret && ftruncate(fd, (off_t)(start + bytes)))
		ret = pv_fail(h->error, errno, "cannot write the core file: %s", strerror(errno));
	return ret;
}
