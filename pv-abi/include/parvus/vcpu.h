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
 * area.irq_enabled becomes 0 for every vector but those whose trap entry has
 * PARVUS_TRAP_KEEP_IF. If the push faults, a double fault is delivered on
 * callbacks.df_stack; if that is 0 or faults too, the domain is killed.
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
#define PARVUS_TLS_CPUNODE	3u	/* tls_set index 3: GDT entry 15 (selector 0x7b), read by LSL */
#define PARVUS_TLS_ENTRIES	4u

/*
 * The vCPU area: one 64-byte aligned record inside one guest page, where the
 * guest chose it (area_register). Everything in it is the guest's to lose: the
 * hypervisor reads each member once, and checks it before use.
 */
struct parvus_vcpu_area {
	uint8_t irq_enabled;	/* [G,H] virtual IF: 1 = deliver. After setting 1 test pending */
	uint8_t pending;	/* [H] a vector waits for irq_enabled; the guest then calls nop or block */
	uint8_t nmi_blocked;	/* [G,H] a virtual NMI is being handled; cleared by the guest */
	uint8_t reserved0[5];
	uint64_t cr2;		/* [H,G] address of the last page fault delivered */
	uint64_t sp0;		/* [G] stack for entries from user mode */
	uint64_t user_gs_base;	/* [H,G] GS base of user mode while in kernel mode */
	uint64_t ret[4];	/* [H] results of calls that have more than rax */
	/* 64 */
	uint64_t steal_ns;	/* [H] time runnable but not running */
	uint64_t event_selector;	/* [H,G] bit n: look at word n of the event page (parvus/event.h) */
	uint64_t reserved1[6];
	/* 128 */
	uint64_t reserved2[48];
};	/* 512 bytes */
#define PARVUS_VCPU_AREA_VERSION	1u
#define PARVUS_VCPU_AREA_SIZE		512u

/* callbacks_set: where the hypervisor enters the guest kernel, one set per domain. */
struct parvus_callbacks {
	uint32_t size;		/* [G] sizeof(struct parvus_callbacks) */
	uint32_t version;	/* [G] 1 */
	uint64_t syscall_entry;	/* [G] 64-bit SYSCALL from user mode */
	uint64_t crit_start;	/* [G] reserved, 0: in-guest return path, first address */
	uint64_t crit_end;	/* [G] reserved, 0 */
	uint64_t crit_resume;	/* [G] reserved, 0 */
	uint64_t df_stack;	/* [G] stack for #DF, or 0: kill the domain */
	uint64_t reserved[2];
};	/* 64 bytes */

/* traps_set: the virtual IDT of the domain. A vector with address 0 is not handled. */
struct parvus_trap {
	uint64_t address;	/* [G] handler */
	uint8_t vector;		/* [G] */
	uint8_t dpl;		/* [G] 0 or 3: may user mode raise it by INT n? */
	uint8_t flags;		/* [G] PARVUS_TRAP_* */
	uint8_t reserved0[5];
};	/* 16 bytes */
#define PARVUS_TRAP_KEEP_IF	1u	/* a trap gate: leave the virtual IF alone */
#define PARVUS_TRAPS		256u

/* base_set */
#define PARVUS_BASE_FS		0u
#define PARVUS_BASE_GS_KERNEL	1u	/* the running kernel's; loaded at every entry from user mode */
#define PARVUS_BASE_GS_USER	2u	/* same as writing area.user_gs_base */
#define PARVUS_SEL_GS_USER	3u	/* value is a selector: user GS and its base from the GDT */

/* vcpu_start: the whole state of a fresh vCPU. It starts in kernel mode with IF = 0. */
struct parvus_vcpu_context {
	uint32_t size;		/* [G] sizeof(struct parvus_vcpu_context) */
	uint32_t version;	/* [G] 1 */
	uint64_t rip, rsp, rdi, rsi;	/* [G] */
	uint64_t root;		/* [G] gpa of the top-level page table; address space id 0 */
	uint64_t gs_base;	/* [G] kernel GS base */
	uint64_t area_gpa;	/* [G] vCPU area, as by area_register; 0 = as registered before */
	uint64_t reserved[8];
};	/* 128 bytes */

/* multicall */
struct parvus_multicall {
	uint64_t nr;		/* [G] */
	uint64_t args[6];	/* [G] */
	int64_t result;		/* [H] */
};	/* 64 bytes */
#define PARVUS_MULTICALL_MAX	64u

/* shutdown: reason, and an 8-bit status for whoever waits. */
#define PARVUS_SHUTDOWN_POWEROFF	0u
#define PARVUS_SHUTDOWN_REBOOT		1u
#define PARVUS_SHUTDOWN_SUSPEND		2u	/* reserved */
#define PARVUS_SHUTDOWN_CRASH		3u	/* the guest says that it crashed (panic) */
#define PARVUS_SHUTDOWN_KILLED		4u	/* never from a guest: the hypervisor ended it */

/*
 * stats_read: one counter per event that real hardware charges for. All count
 * from the vCPU's start and never fall.
 */
struct parvus_vcpu_stats {
	uint32_t size;		/* [H] sizeof(struct parvus_vcpu_stats) */
	uint32_t version;	/* [H] 1 */
	uint64_t crossings;	/* [H] ring 3 -> ring 0 -> ring 3 pairs, each counted once at entry */
	uint64_t syscalls;	/* [H] guest system calls bounced */
	uint64_t user_returns;	/* [H] iret and sysret to user mode */
	uint64_t kernel_returns;	/* [H] iret to kernel mode */
	uint64_t root_switches;	/* [H] CR3 writes: changes of mode and address space, flushes */
	uint64_t page_faults;	/* [H] #PF taken from the guest */
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
	uint64_t run_ns;	/* [H] time run */
	uint64_t ipis;		/* [H] IPIs sent to other CPUs for it, of any cause */
	uint64_t reserved[3];
	uint64_t hypercalls[64];	/* [H] by number */
};	/* 8 + 23 * 8 + 512 = 704 bytes */

/* debug_info: hypervisor-wide figures for tests; only with debug=1. */
struct parvus_debug_info {
	uint32_t size;		/* [H] */
	uint32_t version;	/* [H] 1 */
	uint64_t frames_total;	/* [H] frames the allocator manages */
	uint64_t frames_free;	/* [H] */
	uint64_t domains;	/* [H] alive */
	uint64_t warnings;	/* [H] hypervisor warnings since boot */
	uint64_t reserved[3];
};	/* 64 bytes */

#endif
