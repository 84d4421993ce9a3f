// SPDX-License-Identifier: GPL-2.0-only
/*
 * Can the KVM of this machine run ring 0 of Parvus? Status 0 = it can, 1 = it cannot, with a line
 * that says why. A KVM without hardware virtualization behind it may open, make virtual machines,
 * and interpret the privileged instructions in software, but not all of them: the one that every
 * change of domain needs, XRSTOR, is not in its interpreter (Linux, arch/x86/kvm/emulate.c). So
 * a virtual CPU of one page runs a few of ours here: CR4, XSETBV, XSAVE, XRSTOR, HLT.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES	3		/* code; XSAVE area, which may be longer than a page */
#define CPUIDS	256

/* Real mode at 0: the area is at 0x1000. */
static const uint8_t code[] = {
	0x0f, 0x20, 0xe0,			/* mov %cr4, %eax */
	0x66, 0x0d, 0x00, 0x02, 0x04, 0x00,	/* or $(OSXSAVE | OSFXSR), %eax */
	0x0f, 0x22, 0xe0,			/* mov %eax, %cr4 */
	0x66, 0x31, 0xc9,			/* xor %ecx, %ecx */
	0x66, 0x31, 0xd2,			/* xor %edx, %edx */
	0x66, 0xb8, 0x03, 0x00, 0x00, 0x00,	/* mov $3, %eax: x87 and SSE */
	0x0f, 0x01, 0xd1,			/* xsetbv */
	0x0f, 0xae, 0x26, 0x00, 0x10,		/* xsave 0x1000 */
	0x0f, 0xae, 0x2e, 0x00, 0x10,		/* xrstor 0x1000 */
	0xf4,					/* hlt */
};

static int no(const char *what)
{
	printf("kvm: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(void)
{
	struct kvm_userspace_memory_region ram = { .memory_size = PAGES * 4096 };
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + CPUIDS * sizeof(cpuid->entries[0]));
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_sregs sregs;
	struct kvm_run *run;
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, cpu, bytes;
	void *page = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);

	if (kvm < 0)
		return no("/dev/kvm");
	if (!cpuid || page == MAP_FAILED)
		return no("memory");
	memcpy(page, code, sizeof(code));
	ram.userspace_addr = (uintptr_t)page;
	cpuid->nent = CPUIDS;
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &ram))
		return no("no virtual machine");
	cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	run = bytes < 0 ? MAP_FAILED : mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
					    MAP_SHARED, cpu, 0);
	if (cpu < 0 || run == MAP_FAILED || ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) ||
	    ioctl(cpu, KVM_SET_CPUID2, cpuid) || ioctl(cpu, KVM_GET_SREGS, &sregs))
		return no("no virtual CPU");
	sregs.cs.base = sregs.cs.selector = 0;
	if (ioctl(cpu, KVM_SET_SREGS, &sregs) || ioctl(cpu, KVM_SET_REGS, &regs))
		return no("no registers");
	alarm(5);	/* an interpreter that goes round and round */
	if (ioctl(cpu, KVM_RUN, 0))
		return no("it does not run");
	if (run->exit_reason == KVM_EXIT_HLT)
		return 0;
	ioctl(cpu, KVM_GET_REGS, &regs);
	printf("kvm: ring 0 is interpreted in software, and not all of it: exit %u at %llx\n",
	       run->exit_reason, (unsigned long long)regs.rip);
	return 1;
}
