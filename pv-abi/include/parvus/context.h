/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: the context of a domain, all of it that is not its memory. Domain 0 reads it of one
 * that stands still and gives it to one that is being built (control CONTEXT), a record at a time.
 *
 * Reading: PAUSE, wait until INFO_RUNNING is gone, DEVICE_SUSPEND, wait until no offer has
 * PARVUS_CONTEXT_USED but those that do not matter (the console's); copy the memory; then the
 * records, for timers and events change vCPUs and the event page until DEVICE_RESUME and UNPAUSE,
 * or DESTROY. Whoever copies memory before reads the pages that the hypervisor writes once more:
 * the vCPUs' areas and clocks, and the event page.
 *
 * Giving: CREATE with what the DOMAIN record says, HOST, POPULATE and COPY by the runs of GFNS,
 * then all other kinds in any order, COMMIT, UNPAUSE. Each record is copied, checked whole, and
 * only then used; COMMIT checks them together. What is refused changes nothing; the domain is
 * BUILDING still, and can be destroyed. Every number in it is a guest's or another machine's word.
 *
 * Numbers that the guest knows come back as they were: its own (as DOMAIN.self), ports, references,
 * and the ids by which its front ends know their devices. A port that was joined waits for its
 * peer again (UNBOUND); offers have no user; each device has a back end that is CLOSED and has
 * changed since. All ports are signalled once by COMMIT: that may be one event too many, none is
 * lost.
 *
 * All ns are of the domain's clock (parvus/start.h), all gpas the domain's; PARVUS_CONTEXT_NONE in
 * place of a gpa: it has none.
 */
#ifndef PARVUS_CONTEXT_H
#define PARVUS_CONTEXT_H

#include <parvus/types.h>
#include <parvus/vcpu.h>
#include <parvus/device.h>

#define PARVUS_CONTEXT_NONE	(~0ull)

/* Kinds of records. Lists are arrays of their structure, as many as fit into the buffer. */
#define PARVUS_CONTEXT_HOST	0u	/* struct parvus_context_host; SET compares, and refuses
					 * what differs. GET also of a domain that runs, and of
					 * domain 0 */
#define PARVUS_CONTEXT_DOMAIN	1u	/* struct parvus_context_domain */
#define PARVUS_CONTEXT_TRAPS	2u	/* struct parvus_trap, all 256, by vector */
#define PARVUS_CONTEXT_VCPU	3u	/* struct parvus_context_vcpu of vCPU @index: of each */
#define PARVUS_CONTEXT_XSAVE	4u	/* the image of vCPU @index: xsave_size bytes of HOST, in
					 * the standard form of XSAVE; of each that has
					 * PARVUS_CONTEXT_STARTED */
#define PARVUS_CONTEXT_GFNS	5u	/* list of struct parvus_context_gfns from gfn @from on; GET
					 * alone: POPULATE and COPY make them */
#define PARVUS_CONTEXT_PORTS	6u	/* list of struct parvus_context_port from port @from on */
#define PARVUS_CONTEXT_OFFERS	7u	/* list of struct parvus_context_offer from reference @from
					 * on */
#define PARVUS_CONTEXT_DEVICES	8u	/* list of struct parvus_context_device: front ends, from
					 * id @from of the front end on */
#define PARVUS_CONTEXT_COMMIT	9u	/* SET alone, no record: checks the whole; the domain is
					 * RUNNING and paused then, or SHUTDOWN if it was */
#define PARVUS_CONTEXT_KINDS	10u

/* HOST: what images and feature words depend on. */
struct parvus_context_host {
	uint32_t size, version;	/* [H,G] sizeof(struct parvus_context_host), 1 */
	uint64_t features[4];	/* [H,G] what the domain was told by the features call. SET: this
				 * host has all of them */
	uint64_t xcr0;		/* [H,G] parts of an image. SET: the same here */
	uint32_t xsave_size;	/* [H,G] bytes of an image, at most 4096. SET: the same here */
	uint32_t xsave_offset[8]; /* [H,G] where part n begins; 0: no such part, and those of 0 and
				 * 1. SET: the same here */
	uint32_t mxcsr_mask;	/* [H,G] bits of MXCSR that there are. SET: this host has them */
	uint64_t tsc_khz;	/* [H] rate of the TSC; SET does not look at it */
	uint64_t reserved[4];
};	/* 128 bytes */

/* DOMAIN. */
struct parvus_context_domain {
	uint32_t size, version;	/* [H,G] sizeof(struct parvus_context_domain), 1 */
	uint32_t self;		/* [H,G] the number by which it knows itself, that of its start
				 * info; below 0x7ff0 */
	uint32_t state;		/* [H,G] PARVUS_DOMAIN_RUNNING or SHUTDOWN, which COMMIT makes it */
	uint32_t reason;	/* [H,G] SHUTDOWN: PARVUS_SHUTDOWN_*; else 0 */
	uint32_t status;	/* [H,G] SHUTDOWN: 8 bits; else 0 */
	uint32_t vcpus;		/* [H,G] vCPUs it may start. SET: as CREATE made it */
	uint32_t flags;		/* [H,G] PARVUS_CONTEXT_TSC, as CREATE made it */
	uint64_t ram_frames;	/* [H,G] max_frames of CREATE. SET: the same */
	uint64_t max_gfn;	/* [H,G] the size of its gfn space. SET: the same */
	uint64_t max_frames;	/* [H,G] of MEMORY */
	uint64_t target_frames;	/* [H,G] of MEMORY */
	uint32_t weight, cap;	/* [H,G] of SCHED */
	uint32_t request;	/* [H,G] PARVUS_REQUEST_* that it was not told of yet */
	uint32_t vcpus_target;	/* [H,G] of VCPUS */
	uint64_t now_ns;	/* [H,G] its clock, which stands still; goes on from here at
				 * UNPAUSE. Below 2^62 */
	uint64_t generation_id[2]; /* [H,G] its generation. SET: 0 and 0: a new one, as is due for
				 * every copy but a migration's */
	uint64_t syscall_entry;	/* [H,G] of callbacks_set */
	uint64_t df_stack;	/* [H,G] of callbacks_set */
	uint64_t event_page;	/* [H,G] gpa of event_op REGISTER */
	uint32_t virqs;		/* [H,G] sources that fired and have no port: bit n is VIRQ n */
	uint32_t reserved0;
	char why[120];		/* [H,G] SHUTDOWN: the reason in words, to a zero; else empty */
	uint64_t reserved[4];
};	/* 288 bytes */
#define PARVUS_CONTEXT_TSC	1u	/* made with PARVUS_CREATE_TSC: not to be given to another
					 * start of a machine */

/* VCPU. Registers are as a frame would have them: selectors are virtual. */
struct parvus_context_vcpu {
	uint32_t size, version;	/* [H,G] sizeof(struct parvus_context_vcpu), 1 */
	uint32_t state;		/* [H,G] PARVUS_VCPU_STOPPED, RUNNABLE or BLOCKED */
	uint32_t flags;		/* [H,G] PARVUS_CONTEXT_* below. Without STARTED it is STOPPED, and
				 * of what follows area, clock, affinity and stats alone are
				 * looked at */
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi; /* [H,G]
				 * general registers */
	uint64_t rip;		/* [H,G] canonical; that of a call which goes on later is its own */
	uint64_t cs;		/* [H,G] kernel mode: PARVUS_KERNEL_CS; else PARVUS_USER_CS or
				 * USER_CS32 */
	uint64_t rflags;	/* [H,G] those that a guest may have; IF as it is */
	uint64_t rsp;		/* [H,G] any */
	uint64_t ss;		/* [H,G] kernel mode: PARVUS_KERNEL_SS; else PARVUS_USER_SS, or a
				 * selector that user mode can load there */
	uint64_t fs_base, gs_base;	/* [H,G] of the mode that it is in; canonical */
	uint64_t kernel_gs_base;	/* [H,G] GS base at every entry from user mode; canonical */
	uint64_t dr[4], dr6, dr7;	/* [H,G] as debugreg_set takes them */
	uint64_t tls[PARVUS_TLS_ENTRIES]; /* [H,G] as tls_set takes them */
	uint64_t xcr0;		/* [H,G] as XSETBV takes it */
	uint64_t tsc_aux;	/* [H,G] 32 bits */
	uint64_t cr4;		/* [H,G] as MOV to CR4 takes it, or 0 */
	uint64_t cpuid_faults;	/* [H,G] 1: CPUID faults in user mode. SET: 0 where the CPU cannot
				 * do that */
	uint16_t ds, es, fs, gs; /* [H,G] selectors: 0 to 3, or with RPL 3 those of user mode, or
				 * of an entry of tls */
	uint64_t vectors[4];	/* [H,G] virtual vectors that wait, bit n; none below 32 */
	uint64_t deadline;	/* [H,G] of timer_set, ns; 0: none. Below 2^62 */
	uint64_t area;		/* [H,G] gpa of its struct parvus_vcpu_area */
	uint64_t clock;		/* [H,G] gpa of its clock record */
	uint64_t irq_enabled, cr2, sp0, user_gs_base; /* [H,G] of the area, where there is none */
	uint64_t root;		/* [H,G] gpa of the top-level page table: RAM that was touched */
	uint64_t as_id;		/* [H,G] the address space, of mmu_switch */
	uint64_t as_gen;	/* [H,G] its tlb_gen up to which all is flushed */
	uint64_t as_gen_gpa;	/* [H,G] where the guest keeps its tlb_gen, or 0 */
	uint64_t affinity[PARVUS_CPU_WORDS]; /* [H,G] CPUs. SET: all, if none of them is here */
	struct parvus_vcpu_stats stats;	/* [H,G] as stats_read has it; it goes on from there */
	uint64_t reserved[4];
};	/* 1208 bytes */
#define PARVUS_CONTEXT_STARTED	1u	/* it has registers: it was started once */
#define PARVUS_CONTEXT_KERNEL	2u	/* it is in the guest kernel */

/* GFNS: frames [gfn, gfn + frames) of one state; what is in no run has no memory. */
struct parvus_context_gfns {
	uint64_t gfn;		/* [H] the first; runs go up */
	uint32_t frames;	/* [H] how many */
	uint32_t state;		/* [H] PARVUS_CONTEXT_GFN_* */
};	/* 16 bytes */
#define PARVUS_CONTEXT_GFN_DEMAND	1u	/* RAM that was never touched: it is zero */
#define PARVUS_CONTEXT_GFN_RAM		2u	/* RAM with a frame */
#define PARVUS_CONTEXT_GFN_FOREIGN	3u	/* another domain's frame, by a grant: a domain
						 * that has one cannot be saved */

/* PORTS. */
struct parvus_context_port {
	uint32_t port;		/* [H,G] its number */
	uint32_t kind;		/* [H,G] PARVUS_EVENT_UNBOUND, INTERDOMAIN or VIRQ. SET takes
				 * INTERDOMAIN for UNBOUND */
	uint32_t domain;	/* [H,G] the remote one. SET: 0, for another cannot know it; VIRQ:
				 * 0 */
	uint32_t source;	/* [H,G] VIRQ: PARVUS_VIRQ_*; INTERDOMAIN: the remote port, which
				 * SET does not look at; UNBOUND: 0 */
	uint32_t vcpu;		/* [H,G] that is told */
	uint32_t flags;		/* [H,G] PARVUS_EVENT_AUTO_MASK */
	uint32_t interval_ns;	/* [H,G] least time between two deliveries */
	uint32_t reserved0;
};	/* 32 bytes */

/* OFFERS. */
struct parvus_context_offer {
	uint64_t gfn;		/* [H,G] the frame: RAM with a frame */
	uint32_t ref;		/* [H,G] its reference, 1 to PARVUS_GRANT_MOST */
	uint32_t to;		/* [H,G] who may use it. SET: 0 */
	uint32_t flags;		/* [H,G] PARVUS_GRANT_READONLY; [H] PARVUS_CONTEXT_USED, which SET
				 * does not look at */
	uint32_t reserved0;
};	/* 24 bytes */
#define PARVUS_CONTEXT_USED	0x80000000u	/* somebody maps it, or copies just now */
#define PARVUS_CONTEXT_UNKNOWN	0xffffffffu	/* to, of an offer: a domain that is gone. SET
						 * keeps the reference taken, for nobody */

/* DEVICES. */
struct parvus_context_device {
	uint32_t front_id;	/* [H,G] by which the front end knows it: not 0, below 2^31 */
	uint32_t id;		/* [H] by which all others do; SET does not look at it, the new one
				 * is found by DEVICE_NEXT */
	uint32_t device_class, index;	/* [H,G] as of DEVICE_CREATE */
	uint32_t back_domain;	/* [H,G] who serves it. SET: any that there is */
	uint32_t front_state;	/* [H,G] of the front end, also if it is suspended */
	uint32_t front_changes, back_changes;	/* [H,G] how often they changed. SET adds 2 to the
				 * latter */
	uint8_t config[PARVUS_DEVICE_BLOB];	/* [H,G] of the toolstack: SET takes the new one */
	uint8_t front_blob[PARVUS_DEVICE_BLOB];	/* [H,G] of the front end */
};	/* 544 bytes */

#endif
