/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: the virtual CPU.
 *
 * Guest kernel and guest user both run at CPL 3; which of the two a vCPU is in
 * (its *virtual mode*) is state of the hypervisor. In every frame that the
 * guest sees, selectors are virtual: kernel context carries PARVUS_KERNEL_CS
 * and PARVUS_KERNEL_SS (RPL 0), user context PARVUS_USER_CS (or USER_CS32) and
 * PARVUS_USER_SS; rflags.IF is the virtual interrupt flag.
 *
 * Entering the guest kernel (exception, virtual vector, INT n): the hypervisor
 * pushes the frame that the hardware would push, ss rsp rflags cs rip and the
 * error code of vectors that have one, and continues at the registered handler.
 *   From user mode   the stack is area.sp0, the user's GS base goes to
 *                    area.user_gs_base, the kernel's GS base is loaded.
 *   From kernel mode the stack is rsp rounded down to 16.
 * area.irq_enabled becomes 0. For a vector whose trap entry has PARVUS_TRAP_KEEP_IF it
 * keeps its value from kernel mode, and becomes 1 from user mode. If the push faults, a double
 * fault is delivered on callbacks.df_stack; if that is 0 or faults too, the domain is killed.
 *
 * System calls: SYSCALL in user mode pushes ss rsp rflags cs rip on area.sp0 and
 * continues at callbacks.syscall_entry with rcx = entry address and r11 =
 * rflags of the kernel: a handler that wants the user's values reads the frame.
 *
 * Hypercalls: SYSCALL in kernel mode. rax = number, rdi rsi rdx r10 r8 r9 =
 * arguments, result in rax. rcx and r11 are lost, all else is kept.
 */
#ifndef PARVUS_VCPU_H
#define PARVUS_VCPU_H

#include <parvus/types.h>

/* Selectors: the first three are fixed by SYSRET and equal Linux's. */
#define PARVUS_KERNEL_CS	0x10u	/* virtual */
#define PARVUS_KERNEL_SS	0x18u	/* virtual */
#define PARVUS_USER_CS32	0x23u
#define PARVUS_USER_SS		0x2bu
#define PARVUS_USER_CS		0x33u
#define PARVUS_TLS_FIRST	12u	/* GDT entries 12, 13, 14: tls_set index 0, 1, 2 */
#define PARVUS_TLS_CPUNODE	3u	/* tls_set index 3: GDT entry 15 (selector 0x7b), read by
					 * LSL */
#define PARVUS_TLS_ENTRIES	4u

/*
 * The vCPU area: one 64-byte aligned record inside one guest page, where the
 * guest chose it (area_register). Everything in it is the guest's to lose: the
 * hypervisor reads each member once, and checks it before use.
 */
struct parvus_vcpu_area {
	uint8_t irq_enabled;	/* [G,H] virtual interrupt flag; any value but 0 is 1. Who sets it
				 * tests pending afterwards */
	uint8_t pending;	/* [H] 1 = a vector waits for irq_enabled: call nop or block */
	uint8_t nmi_blocked;	/* [G] reserved for virtual NMIs; version 1 has none and does not
				 * look */
	uint8_t reserved0[5];
	uint64_t cr2;		/* [G,H] address of the last page fault delivered */
	uint64_t sp0;		/* [G] top of the stack for entries from user mode */
	uint64_t user_gs_base;	/* [G,H] the user's GS base while the vCPU is in kernel mode */
	uint64_t ret[4];	/* [H] results of calls that have more than rax */
	/* 64 */
	uint64_t steal_ns;	/* [H] ns that the vCPU wanted to run and did not: waiting for a CPU
				 * or for the domain's cap, not while paused. Brought up to date
				 * when the vCPU gets a CPU */
	uint64_t reserved1[7];
	/* 128 */
	uint64_t reserved2[48];
};	/* 512 bytes */
#define PARVUS_VCPU_AREA_VERSION	1u
#define PARVUS_VCPU_AREA_SIZE		512u

/**
 * hypercall nop
 */

/**
 * hypercall iret
 */

/**
 * hypercall sysret
 */

/**
 * hypercall callbacks_set
 * @gpa: a struct parvus_callbacks
 *
 * -EFAULT: the structure is not in RAM
 * -EINVAL: wrong size or version; a crit_* or reserved member is not 0; an address is not
 *          canonical
 */

/* callbacks_set: where the hypervisor enters the guest kernel, one set per domain. */
struct parvus_callbacks {
	uint32_t size;		/* [G] sizeof(struct parvus_callbacks) */
	uint32_t version;	/* [G] 1 */
	uint64_t syscall_entry;	/* [G] where SYSCALL of 64-bit user mode goes; 0 = none */
	uint64_t crit_start;	/* [G] reserved, 0: in-guest return path, first address */
	uint64_t crit_end;	/* [G] reserved, 0 */
	uint64_t crit_resume;	/* [G] reserved, 0 */
	uint64_t df_stack;	/* [G] top of the stack for #DF, or 0: kill the domain */
	uint64_t reserved[2];
};	/* 64 bytes */

/**
 * hypercall traps_set
 * @gpa: an array of struct parvus_trap
 * @count: entries, at most 256
 *
 * -E2BIG: @count is above 256
 * -EFAULT: an entry is not in RAM
 * -EINVAL: dpl is neither 0 nor 3; an unknown flag; a reserved member is not 0; the address is
 *          not canonical
 */

/* traps_set: one entry of the domain's virtual IDT. */
struct parvus_trap {
	uint64_t address;	/* [G] the handler; 0 = none */
	uint8_t vector;		/* [G] the entry that is set */
	uint8_t dpl;		/* [G] 3 = user mode may raise it by INT n; else 0 */
	uint8_t flags;		/* [G] PARVUS_TRAP_* */
	uint8_t reserved0[5];
};	/* 16 bytes */
#define PARVUS_TRAP_KEEP_IF	1u	/* a trap gate: leave the virtual IF alone */
#define PARVUS_TRAPS		256u

/**
 * hypercall area_register
 * @vcpu: a vCPU of the domain, or self
 * @gpa: where its struct parvus_vcpu_area is
 * @size: bytes of it: 512
 * @version: 1
 *
 * -EINVAL: no such vCPU; @size is not 512; @version is not 1
 * -EBUSY: another vCPU, and it is not stopped
 * -EFAULT: not in RAM, not aligned to 64, or across a page boundary
 */

/**
 * hypercall clock_register
 * @vcpu: a vCPU of the domain, or self
 * @gpa: where its clock record of 32 bytes is; the one before is written no more
 *
 * -EINVAL: no such vCPU
 * -EFAULT: not in RAM, or not aligned to 64
 */

/**
 * hypercall wall_read
 *
 * It cannot fail. Domain 0 may set it anew at any time
 */

/**
 * hypercall tls_set
 * @index: 0 to 3: GDT entry 12 + index
 * @descriptor: 8 bytes as the processor has them
 *
 * -EINVAL: @index is above 3, or the descriptor is not one of those that are allowed
 */

/**
 * hypercall base_set
 * @which: one of PARVUS_BASE_*, PARVUS_SEL_GS_USER
 * @value: an address, or a selector
 *
 * -EINVAL: unknown @which; an address that is not canonical; a selector that is none of those
 *          allowed, or whose entry is empty
 */

/* base_set */
#define PARVUS_BASE_FS		0u	/* FS base, now */
#define PARVUS_BASE_GS_KERNEL	1u	/* GS base now, and at every entry from user mode */
#define PARVUS_BASE_GS_USER	2u	/* same as writing area.user_gs_base */
#define PARVUS_SEL_GS_USER	3u	/* the value is a selector: GS, and area.user_gs_base from
					 * its descriptor. 0 to 3, or with any RPL PARVUS_USER_CS,
					 * PARVUS_USER_CS32, PARVUS_USER_SS, or an entry that
					 * tls_set set */

/**
 * hypercall msr_read
 * @msr: its number
 *
 * -EINVAL: a register that is not listed; a number above 32 bits
 */

/**
 * hypercall msr_write
 * @msr: its number
 * @value: 64 bits
 *
 * -EINVAL: a register that is not listed; a number above 32 bits; an address that is not
 *          canonical; TSC_AUX above 32 bits
 */

/**
 * hypercall cpuid
 * @leaf: eax
 * @subleaf: ecx
 *
 * -EINVAL: an argument is above 32 bits
 */

/**
 * hypercall debugreg_set
 * @index: 0 to 3: a breakpoint address; 6: the status; 7: control
 * @value: GD and reserved bits are dropped
 *
 * -EINVAL: @index is 4, 5 or above 7; an address in the hypervisor's hole or not canonical; a
 *          value for 7 above 32 bits
 */

/**
 * hypercall debugreg_get
 * @index: 0 to 3, 6, 7
 *
 * -EINVAL: @index is 4, 5 or above 7
 */

/**
 * hypercall features
 * @index: number of the feature word, 0 to 3
 *
 * -EINVAL: @index is above 3
 */

/**
 * hypercall vcpu_start
 * @vcpu: a vCPU of the domain that is stopped
 * @gpa: a struct parvus_vcpu_context
 *
 * -EINVAL: no such vCPU; wrong size or version; a reserved member is not 0; rip or gs_base is
 *          not canonical; root is not page-aligned
 * -EFAULT: the structure is not in RAM; root is not RAM, or RAM that nobody touched yet; the
 *          area is not fit for area_register
 * -EBUSY: the vCPU is not stopped, or not quite: see vcpu_state
 */

/* vcpu_start: what a fresh vCPU begins with. */
struct parvus_vcpu_context {
	uint32_t size;		/* [G] sizeof(struct parvus_vcpu_context) */
	uint32_t version;	/* [G] 1 */
	uint64_t rip, rsp, rdi, rsi;	/* [G] registers; rsp, rdi and rsi as they are */
	uint64_t root;		/* [G] gpa of the top-level page table; address space id 0 */
	uint64_t gs_base;	/* [G] the kernel's GS base */
	uint64_t area_gpa;	/* [G] vCPU area, as by area_register; 0 = as registered before */
	uint64_t reserved[8];
};	/* 128 bytes */

/**
 * hypercall multicall
 * @gpa: an array of struct parvus_multicall
 * @count: entries, at most 64
 *
 * -E2BIG: @count is above 64; nothing was run
 * -EINVAL: the upper half of rax is above @count
 * -EFAULT: an entry is not in RAM; the groups of eight before it were run
 */

/* multicall: one call of a list. */
struct parvus_multicall {
	uint64_t nr;		/* [G] number of the call */
	uint64_t args[6];	/* [G] its arguments, in order */
	int64_t result;		/* [H] what rax would have been */
};	/* 64 bytes */
#define PARVUS_MULTICALL_MAX	64u

/**
 * hypercall vcpu_stop
 */

/**
 * hypercall vcpu_state
 * @vcpu: a vCPU of the domain, or self
 *
 * -EINVAL: no such vCPU
 */

/**
 * hypercall yield
 */

/**
 * hypercall block
 */

/**
 * hypercall shutdown
 * @reason: PARVUS_SHUTDOWN_POWEROFF, REBOOT or CRASH
 * @status: 0 to 255, for whoever waits
 *
 * -EINVAL: @reason is none of these; @status is above 255
 */

/* shutdown: reason, and an 8-bit status for whoever waits. */
#define PARVUS_SHUTDOWN_POWEROFF	0u	/* the guest asks for it; the status is its own */
#define PARVUS_SHUTDOWN_REBOOT		1u	/* the same, and to be started again */
#define PARVUS_SHUTDOWN_SUSPEND		2u	/* reserved, refused */
#define PARVUS_SHUTDOWN_CRASH		3u	/* the guest says that it crashed (panic) */
#define PARVUS_SHUTDOWN_KILLED		4u	/* never from a guest: the hypervisor ended it, or
						 * domain 0 did; status 255, the text says why */

/**
 * hypercall timer_set
 * @deadline: ns of the clock, absolute; 0 disarms
 *
 * -ENOMEM: 4096 timers are armed on this CPU; the vCPU has none then
 */

/**
 * hypercall ipi_send
 * @vector: 32 to 255
 * @mask_gpa: a mask of vCPUs
 * @words: 64-bit words of the mask: 1
 *
 * -EINVAL: @vector is out of range; @words is 0, or the mask names a vCPU that the domain does
 *          not have
 * -E2BIG: @words is above 1
 * -EFAULT: the mask is not in RAM
 */

/**
 * hypercall vector_raise
 * @vcpu: a vCPU of the domain, or self
 * @vector: 32 to 255
 *
 * -EINVAL: no such vCPU; @vector is out of range
 */

/**
 * hypercall stats_read
 * @vcpu: a vCPU of the domain, or self
 * @gpa: for a struct parvus_vcpu_stats
 * @size: bytes of the buffer, 8 to 4096
 *
 * -EINVAL: no such vCPU; @size is below 8 or above 4096
 * -EFAULT: the buffer is not in RAM
 */

/**
 * hypercall pred_barrier
 */

/*
 * stats_read: one counter per event that real hardware charges for. They count from the
 * making of the domain, over stops and starts of the vCPU, and never fall.
 */
struct parvus_vcpu_stats {
	uint32_t size;		/* [H] sizeof(struct parvus_vcpu_stats) */
	uint32_t version;	/* [H] 1 */
	uint64_t crossings;	/* [H] ring 3 -> ring 0 -> ring 3 pairs, each counted once at
				 * entry */
	uint64_t syscalls;	/* [H] guest system calls bounced */
	uint64_t user_returns;	/* [H] iret and sysret to user mode */
	uint64_t kernel_returns;	/* [H] iret to kernel mode */
	uint64_t root_switches;	/* [H] CR3 writes: changes of mode and address space, flushes */
	uint64_t page_faults;	/* [H] page faults taken from the guest */
	uint64_t page_faults_guest;	/* [H] of these, delivered to the guest */
	uint64_t fills;		/* [H] shadow entries made by faults */
	uint64_t prefills;	/* [H] shadow entries made ahead of a fault */
	uint64_t resyncs;	/* [H] 2 MiB regions re-synced */
	uint64_t flushes;	/* [H] ranges flushed */
	uint64_t flushes_full;	/* [H] whole address spaces flushed */
	uint64_t shootdowns;	/* [H] IPIs sent to other CPUs for a flush */
	uint64_t evictions;	/* [H] shadow tables recycled */
	uint64_t emulations;	/* [H] privileged instructions emulated */
	uint64_t exceptions;	/* [H] exceptions delivered, page faults included */
	uint64_t vectors;	/* [H] virtual vectors delivered */
	uint64_t switches;	/* [H] times this vCPU was scheduled in */
	uint64_t run_ns;	/* [H] time run, ns */
	uint64_t ipis;		/* [H] IPIs that CPUs sent to others while it ran there */
	uint64_t steal_ns;	/* [H] ns that it wanted to run and did not, as its area has it */
	uint64_t reserved[2];
	uint64_t hypercalls[64];	/* [H] by number */
};	/* 8 + 23 * 8 + 512 = 704 bytes */

/**
 * hypercall debug_hash
 * @gpa: guest memory
 * @length: bytes, at most 1 MiB
 *
 * -E2BIG: @length is above 1 MiB
 * -EFAULT: a part is not in RAM
 */

/**
 * hypercall debug_info
 * @gpa: for a struct parvus_debug_info
 * @size: bytes of the buffer, 8 to 4096
 *
 * -EINVAL: @size is below 8 or above 4096
 * -EFAULT: the buffer is not in RAM
 */

/* debug_info: hypervisor-wide figures for tests; only with debug=1 or debug=calls. */
struct parvus_debug_info {
	uint32_t size;		/* [H] sizeof(struct parvus_debug_info) */
	uint32_t version;	/* [H] 1 */
	uint64_t frames_total;	/* [H] frames of 4 KiB that the allocator manages */
	uint64_t frames_free;	/* [H] of these, free ones */
	uint64_t domains;	/* [H] domains that are alive */
	uint64_t warnings;	/* [H] hypervisor warnings since boot */
	uint64_t reserved[3];
};	/* 64 bytes */

#endif
