/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: control. Domain 0 makes, watches and ends other domains by
 * control_op(op, gpa), gpa of the structure that belongs to the op. Everybody else gets
 * EPERM. All structures begin with size and version (1) and lie within one page.
 *
 * Life of a domain U: CREATE (BUILDING) - POPULATE, COPY, OFFER, PORT - START
 * (RUNNING, paused) - UNPAUSE - ... it shuts down, crashes or is killed (SHUTDOWN:
 * memory is kept, so that it can be looked at) - DESTROY (DYING while it is taken
 * apart, then gone; frames that others map live on, see frames_ghost). A domain that is
 * BUILDING may be destroyed too.
 */
#ifndef PARVUS_CONTROL_H
#define PARVUS_CONTROL_H

#include <parvus/types.h>
#include <parvus/vcpu.h>

/**
 * hypercall control_op
 * @op: PARVUS_CONTROL_MACHINE to PARVUS_CONTROL_CONTEXT
 * @gpa: the structure of the op, within one page
 *
 * -EPERM: the caller is not the control domain, whatever the arguments are
 * -ENOSYS: @op is unknown
 * -EINVAL: wrong size or version; a reserved member is not 0; a value out of range; the structure
 *          crosses a page; an op that is not for domain 0 names it
 * -EFAULT: the structure, or a buffer that it names, is not RAM of the caller
 * -ENOENT: no such domain; no such vCPU of it; CPU: no such CPU
 * -EBUSY: the domain is in a state that forbids it
 */

/*
 * Of each operation: its structure; the states in which it may be ("-": it is on no domain;
 * "any" does not include DYING, but for INFO, NEXT and DESTROY), with "domain 0" where domain 0
 * may name itself; what it does; and errors beyond those of every op.
 */

/**
 * control MACHINE
 * structure: parvus_control_machine
 * state: -
 * CPUs, memory, time, what is in use of all tables
 */
#define PARVUS_CONTROL_MACHINE	0u

/**
 * control CREATE
 * structure: parvus_control_create
 * state: -
 * makes an empty domain, BUILDING and paused; its number is in the structure
 *
 * -EEXIST: NUMBER, and that number is taken, or its place in the table is
 * -ENOMEM: no memory for its tables; with CLAIM, not as many free frames that nobody has claimed
 * -ENOSPC: 128 domains
 */
#define PARVUS_CONTROL_CREATE	1u

/**
 * control INFO
 * structure: parvus_control_info
 * state: any, domain 0
 * everything about one domain; PARVUS_DOMAIN_SELF is the caller
 */
#define PARVUS_CONTROL_INFO	2u

/**
 * control NEXT
 * structure: parvus_control_info
 * state: any, domain 0
 * INFO of the domain with the lowest number at or above @domain
 *
 * -ENOENT: there is none
 */
#define PARVUS_CONTROL_NEXT	3u

/**
 * control POPULATE
 * structure: parvus_control_populate
 * state: BUILDING
 * RAM for a range: a frame comes at the first touch; with NOW, at once
 *
 * -EINVAL: the range ends beyond the domain's gfns; an unknown flag
 * -EEXIST: there is some already; what came before it stays
 * -ENOMEM: above max_frames; no memory for tables; with NOW, for frames
 * -E2BIG: NOW, and more than 2 MiB
 */
#define PARVUS_CONTROL_POPULATE	4u

/**
 * control COPY
 * structure: parvus_control_copy
 * state: any
 * bytes between the caller's memory and the domain's; into it while it is BUILDING only. After
 * an error @bytes is what is left
 *
 * -E2BIG: more than 2 MiB
 * -EBUSY: into a domain that is not BUILDING
 * -EFAULT: a gpa of the domain is not its RAM either
 * -ENOMEM: the machine has no frame for a first touch
 */
#define PARVUS_CONTROL_COPY	5u

/**
 * control OFFER
 * structure: parvus_control_offer
 * state: BUILDING
 * a grant in the domain's name
 *
 * -EINVAL: an offer to itself; an unknown flag
 * -ENOENT: no such domain to offer to
 * -EFAULT: @gfn is not RAM of the domain
 * -ENOSPC: as many offers as it may have
 * -ENOMEM: no memory for the table
 */
#define PARVUS_CONTROL_OFFER	6u

/**
 * control PORT
 * structure: parvus_control_port
 * state: BUILDING
 * an unbound event port in the domain
 *
 * -ENOENT: no such domain to bind to it
 * -ENOSPC: 4095 ports
 * -ENOMEM: no memory for more ports
 */
#define PARVUS_CONTROL_PORT	7u

/**
 * control START
 * structure: parvus_control_start
 * state: BUILDING
 * the first vCPU's entry point, page table and argument; the domain is RUNNING then, and still
 * paused
 *
 * -EINVAL: @entry is not canonical; @root is not page-aligned
 * -EFAULT: @root is not RAM of the domain
 */
#define PARVUS_CONTROL_START	8u

/**
 * control PAUSE
 * structure: parvus_control_domain
 * state: any
 * its vCPUs leave their CPUs soon (PARVUS_INFO_RUNNING goes)
 *
 * -EBUSY: SHUTDOWN
 */
#define PARVUS_CONTROL_PAUSE	9u

/**
 * control UNPAUSE
 * structure: parvus_control_domain
 * state: any
 * they may run; nothing that came meanwhile is lost
 *
 * -EBUSY: not RUNNING
 */
#define PARVUS_CONTROL_UNPAUSE	10u

/**
 * control DESTROY
 * structure: parvus_control_domain
 * state: any
 * ends it and frees what it has, in steps; 0 = it is gone
 *
 * -EAGAIN: not finished, call again
 */
#define PARVUS_CONTROL_DESTROY	11u

/**
 * control REQUEST
 * structure: parvus_control_domain
 * state: any
 * asks its kernel to power off or to reboot, by PARVUS_VIRQ_REQUEST: @value is PARVUS_REQUEST_*
 *
 * -EBUSY: not RUNNING
 */
#define PARVUS_CONTROL_REQUEST	12u

/**
 * control RENAME
 * structure: parvus_control_name
 * state: any, domain 0
 * the label: 1 to 31 printable characters, no blank, no double quote
 */
#define PARVUS_CONTROL_RENAME	13u

/**
 * control MEMORY
 * structure: parvus_control_memory
 * state: any
 * max_frames, and the target that its balloon follows
 *
 * -ENOMEM: a domain made with CLAIM, and as many frames more are not free or claimed by others
 */
#define PARVUS_CONTROL_MEMORY	14u

/**
 * control SCHED
 * structure: parvus_control_sched
 * state: any, domain 0
 * weight and cap; flags 0 reads
 */
#define PARVUS_CONTROL_SCHED	15u

/**
 * control VCPU
 * structure: parvus_control_vcpu
 * state: any, domain 0
 * state, CPU, affinity, time and event counters of a vCPU
 */
#define PARVUS_CONTROL_VCPU	16u

/**
 * control PIN
 * structure: parvus_control_vcpu
 * state: any, domain 0
 * its affinity
 *
 * -EINVAL: a mask without a CPU that is online
 */
#define PARVUS_CONTROL_PIN	17u

/**
 * control REGS
 * structure: parvus_control_regs
 * state: any
 * registers of a vCPU that does not run
 *
 * -EBUSY: RUNNING and not paused; the vCPU is still on a CPU
 */
#define PARVUS_CONTROL_REGS	18u

/**
 * control LOG
 * structure: parvus_control_log
 * state: -
 * bytes of the hypervisor's log from a position on
 */
#define PARVUS_CONTROL_LOG	19u

/**
 * control TRACE
 * structure: parvus_control_trace
 * state: -
 * sets the trace mask; reads records of one CPU from a position on
 *
 * -EINVAL: no such CPU; an unknown flag or event
 * -ENOMEM: no room for the rings
 */
#define PARVUS_CONTROL_TRACE	20u

/**
 * control CPU
 * structure: parvus_control_cpu
 * state: -
 * idle and busy time of a CPU
 */
#define PARVUS_CONTROL_CPU	21u

/**
 * control VCPUS
 * structure: parvus_control_domain
 * state: any, domain 0
 * asks its kernel to have @value vCPUs online, by PARVUS_VIRQ_REQUEST
 *
 * -EBUSY: SHUTDOWN
 */
#define PARVUS_CONTROL_VCPUS	22u

/**
 * control CLOCK
 * structure: parvus_control_clock
 * state: -
 * says what the time of day was at hypervisor time 0: domain 0's kernel, when its clock is set, and
 * every 11 minutes. All domains see it by wall_read
 *
 * -EINVAL: @wall_nsec is a second or more, @wall_sec is above 32 bits
 */
#define PARVUS_CONTROL_CLOCK	23u

/**
 * control INTERRUPT
 * structure: parvus_control_interrupt
 * state: -
 * the first source of interrupts from @handle on, and what was counted of all
 */
#define PARVUS_CONTROL_INTERRUPT 24u

/**
 * control CPUID
 * structure: parvus_control_cpuid
 * state: any, domain 0
 * the features that CPUID shows it, and the most that XCR0 may be; with SET, BUILDING alone, these
 * are its from now on. Domain 0 has what the host gives at the most
 *
 * -EINVAL: an unknown flag; SET: a feature, or a part of XCR0, that the host does not give; an
 *          XCR0 that no CPU takes, or one without XSAVE
 * -EBUSY: SET, and it is not BUILDING
 */
#define PARVUS_CONTROL_CPUID	25u

/**
 * control CONTEXT
 * structure: parvus_control_context
 * state: any, domain 0
 * a record of what a domain is beside its memory (parvus/context.h): GET, of one whose vCPUs are
 * all off their CPUs and stay so; SET, while it is BUILDING. Domain 0 itself: GET of HOST alone
 *
 * -EINVAL: an unknown kind or flag; @index, @from or @bytes that the kind does not have; SET: a
 *          member out of range or not as this host has it, GFNS; COMMIT: a record is missing, or
 *          two do not go together
 * -EFAULT: SET: a gpa in the record is not RAM of the domain, or not aligned as it has to be
 * -EEXIST: SET: that record, port, reference or device is there already
 * -EBUSY: GET: not paused, or a vCPU is on a CPU still; BUILDING. SET: not BUILDING
 * -ENOENT: SET: no such domain to serve a device
 * -ENOSPC: SET: no room for the device
 * -ENOMEM: no memory
 */
#define PARVUS_CONTROL_CONTEXT	26u
#define PARVUS_CONTROL_OPS	27u

/*
 * Where the hypervisor leaves the end of its log when it or domain 0 has broken down, for the next
 * start after a reset that keeps RAM: machine addresses, which are domain 0's. A record of
 * Linux's ramoops (fs/pstore/ram_core.c): three words, 0x43474244 ("DBGC"), 0 and the number of
 * bytes that follow; of these the first line is "====SECONDS.MICROSECONDS-D", since 1970.
 */
#define PARVUS_RECORD_ADDRESS	0x90000u
#define PARVUS_RECORD_SIZE	0x8000u

#define PARVUS_NAME_MAX		32u	/* bytes with the terminating zero */

/* states of a domain, and who moves it there */
#define PARVUS_DOMAIN_BUILDING	0u	/* it is made, and nothing of it runs: by CREATE */
#define PARVUS_DOMAIN_RUNNING	1u	/* it has a vCPU: by START. Paused at first, until
					 * UNPAUSE */
#define PARVUS_DOMAIN_SHUTDOWN	2u	/* it has ended, reason and status are valid: by its own
					 * shutdown, or the hypervisor, when its last vCPU has
					 * gone */
#define PARVUS_DOMAIN_DYING	3u	/* it is taken apart: by DESTROY; or domain 0 has ended */

/* MACHINE. Frames are of 4 KiB. */
struct parvus_control_machine {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_machine), 1 */
	uint32_t cpus;		/* [H] CPUs online */
	uint32_t domains;	/* [H] domains, domain 0 too */
	uint64_t frames_total;	/* [H] RAM of the machine that the hypervisor gives out or uses */
	uint64_t frames_free;	/* [H] of these, free ones */
	uint64_t frames_promised; /* [H] RAM of domains that has no frame yet */
	uint64_t now_ns;	/* [H] ns since boot, the time of timer_set */
	uint64_t tsc_khz;	/* [H] rate of the TSC, kHz */
	uint64_t wall_sec;	/* [H] time of day at time 0, whole seconds since 1970; wall_read
				 * has it to the ns */
	uint64_t features[4];	/* [H] what the features call tells a domain made without
				 * CREATE_TSC; [1]: PARVUS_MEASURE_STATE() of each measure */
	uint32_t ports;		/* [H] event ports in use, all domains */
	uint32_t grants;	/* [H] offers, all domains */
	uint32_t mappings;	/* [H] mappings of grants, all domains */
	uint32_t devices;	/* [H] devices in the registry */
	uint32_t max_domains;	/* [H] as many domains can be at a time */
	uint32_t flags;		/* [H] PARVUS_START_DEBUG: debug calls are served */
	char build[64];		/* [H] version text */
	uint64_t frames_ghost;	/* [H] RAM of domains that are gone, which others still map */
	uint64_t late_ticks;	/* [H] ticks of the TSC that a timer interrupt came late at the
				 * most, on any CPU: so long the hypervisor kept interrupts off */
	uint64_t frames_claimed; /* [H] of the free ones, those that are promised to domains for
				 * good: nobody else gets them */
	uint64_t frames_kept;	/* [H] free, but kept for the hypervisor's own use: no domain
				 * gets them, and they are not in frames_free */
};	/* 216 bytes */

/* Measures against CPUs that leak by speculation, and how each stands: four bits each. */
#define PARVUS_MEASURE_VERW	0u	/* buffers are cleared on the way to a guest (MDS) */
#define PARVUS_MEASURE_IBPB	1u	/* branch prediction is cleared when another domain runs */
#define PARVUS_MEASURE_BRANCHES	2u	/* indirect branches of the hypervisor by retpolines */
#define PARVUS_MEASURE_SMT	3u	/* one thread of each core runs (MDS) */
#define PARVUS_MEASURE_ROOTS	4u	/* a guest's user mode has next to nothing of ring 0 mapped
					 * (Meltdown) */
#define PARVUS_MEASURE_SMAP	5u	/* guest memory is closed to the hypervisor but where it
					 * says so */
#define PARVUS_MEASURES		6u
#define PARVUS_MEASURE_NOT_AFFECTED	0u
#define PARVUS_MEASURE_ON		1u
#define PARVUS_MEASURE_OFF		2u	/* by a boot option */
#define PARVUS_MEASURE_NO_MICROCODE	3u	/* the CPU would need it, and cannot */
#define PARVUS_MEASURE_HARDWARE		4u	/* the CPU does it by itself, as it was told */
#define PARVUS_MEASURE_ABSENT		5u	/* the CPU has nothing for it that works */
#define PARVUS_MEASURE_STATE(measure, state)	((uint64_t)(state) << 4u * (measure))

/* CREATE. */
struct parvus_control_create {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_create), 1 */
	uint32_t domain;	/* [G,H] its number; the lowest free one above the last given,
				 * round. NUMBER: the one wanted, 1 to 0x7f7f */
	uint32_t vcpus;		/* [G] vCPUs it may start, 1 to 64 */
	uint64_t max_frames;	/* [G] RAM it may ever have, in frames; at most 512 GiB */
	uint64_t extra_gfns;	/* [G] gfns above that, for mapping grants: the sum, rounded up to
				 * 2 MiB, is the size of its gfn space */
	uint32_t weight;	/* [G] scheduler share, 256 = normal; 0 = 256 */
	uint32_t cap;		/* [G] percent of one CPU, all vCPUs together; 0 = none */
	uint64_t flags;		/* [G] PARVUS_CREATE_* */
	char name[PARVUS_NAME_MAX];	/* [G] a label; the hypervisor compares it with nothing */
	uint64_t reserved[4];
};	/* 112 bytes */
#define PARVUS_CREATE_CLAIM	1u	/* frames for all of its RAM and tables are put aside now:
					 * no first touch has to wait */
#define PARVUS_CREATE_NUMBER	2u	/* with the number that stands in domain */
#define PARVUS_CREATE_TSC	4u	/* its kernel may take the TSC for its clock (feature
					 * TSC_CLOCK): that does not stand still in a pause; its
					 * context is good for this start of the machine alone */

/* PAUSE, UNPAUSE, DESTROY, REQUEST, VCPUS. */
struct parvus_control_domain {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_domain), 1 */
	uint32_t domain;	/* [G] its number */
	uint32_t value;		/* [G] REQUEST: PARVUS_REQUEST_*; VCPUS: vCPUs; else not looked
				 * at */
};	/* 16 bytes */

/* INFO, NEXT. */
struct parvus_control_info {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_info), 1 */
	uint32_t domain;	/* [G,H] which one; its number */
	uint32_t state;		/* [H] PARVUS_DOMAIN_* */
	char name[PARVUS_NAME_MAX];	/* [H] the label */
	uint32_t flags;		/* [H] PARVUS_INFO_* */
	uint32_t vcpus;		/* [H] vCPUs it may start */
	uint32_t vcpus_online;	/* [H] of these, started */
	uint32_t reason;	/* [H] SHUTDOWN: PARVUS_SHUTDOWN_* */
	uint32_t status;	/* [H] SHUTDOWN: 8-bit status */
	uint32_t weight;	/* [H] scheduler share, 256 = normal */
	uint32_t cap;		/* [H] percent of one CPU, 0 = none */
	uint32_t ports;		/* [H] event ports in use */
	uint32_t grants;	/* [H] offers it made */
	uint32_t mappings;	/* [H] grants of others that it maps */
	uint32_t devices;	/* [H] devices that it uses */
	uint32_t changes;	/* [H] raised with every change of state, pause, name, memory limits
				 * or request; not of counters, weight and cap */
	uint64_t frames;	/* [H] RAM in frames of 4 KiB, touched or not */
	uint64_t touched;	/* [H] of these, frames that exist */
	uint64_t max_frames;	/* [H] as far as POPULATE of memory_op goes */
	uint64_t target_frames;	/* [H] what its balloon is asked to have */
	uint64_t overhead_frames; /* [H] what the hypervisor holds for it: shadows, tables of
				 * memory, events and grants, vCPUs; not its devices */
	uint64_t run_ns;	/* [H] CPU time of all its vCPUs, ns */
	uint64_t created_ns;	/* [H] ns since boot at CREATE */
	uint64_t generation_id[2]; /* [H] a number that no other domain has; start info of a domain
				 * of the toolstack's has another one */
	char why[128];		/* [H] SHUTDOWN by a kill: the reason; by a crash: what it wrote
				 * last with log_write */
	uint64_t reserved[4];
};	/* 328 bytes */
#define PARVUS_INFO_PAUSED	1u	/* by control */
#define PARVUS_INFO_RUNNING	2u	/* one of its vCPUs is on a CPU */
#define PARVUS_INFO_BLOCKED	4u	/* none wants to run */
#define PARVUS_INFO_CONTROL	8u	/* domain 0 */
#define PARVUS_INFO_NO_MEMORY	16u	/* waits for a frame to touch */

/* POPULATE. */
struct parvus_control_populate {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_populate), 1 */
	uint32_t domain;	/* [G] its number */
	uint32_t reserved0;
	uint64_t gfn, frames;	/* [G] the range [gfn, gfn + frames) */
	uint64_t flags;		/* [G] PARVUS_POPULATE_* */
};	/* 40 bytes */
#define PARVUS_POPULATE_NOW	1ull	/* frames at once, at most 2 MiB of them */

/* COPY. */
struct parvus_control_copy {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_copy), 1 */
	uint32_t domain;	/* [G] its number */
	uint32_t flags;		/* [G] PARVUS_COPY_OUT, or 0: into the domain */
	uint64_t gpa;		/* [G] in the domain */
	uint64_t buffer;	/* [G] gpa of the caller */
	uint64_t bytes;		/* [G,H] how many, at most 2 MiB; what is left, 0 after success */
};	/* 40 bytes */
#define PARVUS_COPY_OUT		1u	/* from the domain */
#define PARVUS_COPY_MAX		(2u << 20)

/* OFFER: grant_op OFFER in the name of the domain. */
struct parvus_control_offer {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_offer), 1 */
	uint32_t domain;	/* [G] the domain that offers */
	uint32_t to;		/* [G] the domain that may use it */
	uint64_t gfn;		/* [G] the frame */
	uint32_t flags;		/* [G] PARVUS_GRANT_READONLY */
	uint32_t ref;		/* [H] the reference */
};	/* 32 bytes */

/* PORT: an unbound port. */
struct parvus_control_port {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_port), 1 */
	uint32_t domain;	/* [G] whose port */
	uint32_t to;		/* [G] who may bind to it */
	uint32_t port;		/* [H] its number */
	uint32_t reserved0;
};	/* 24 bytes */

/* START: the first vCPU's state is as parvus/start.h says. */
struct parvus_control_start {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_start), 1 */
	uint32_t domain;	/* [G] its number */
	uint32_t reserved0;
	uint64_t entry;		/* [G] virtual address of the first instruction */
	uint64_t root;		/* [G] gpa of the first top-level table */
	uint64_t start_info;	/* [G] gpa, for rsi */
	uint64_t reserved[4];
};	/* 72 bytes */

/* RENAME. */
struct parvus_control_name {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_name), 1 */
	uint32_t domain;	/* [G] its number */
	uint32_t reserved0;
	char name[PARVUS_NAME_MAX];	/* [G] the label, with its zero */
};	/* 48 bytes */

/* MEMORY: sets what flags name. target is a wish: the guest's balloon follows it. */
struct parvus_control_memory {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_memory), 1 */
	uint32_t domain;	/* [G] its number */
	uint32_t flags;		/* [G] PARVUS_MEMORY_SET_*, one at least */
	uint64_t max_frames;	/* [G] 1 to that of CREATE */
	uint64_t target_frames;	/* [G] 1 to max_frames */
};	/* 32 bytes */
#define PARVUS_MEMORY_SET_MAX		1u
#define PARVUS_MEMORY_SET_TARGET	2u

/* SCHED: sets what flags name, then says what is. */
struct parvus_control_sched {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_sched), 1 */
	uint32_t domain;	/* [G] its number */
	uint32_t flags;		/* [G] PARVUS_SCHED_SET_*; 0 = read */
	uint32_t weight;	/* [G,H] 1 to 65535, 256 = normal */
	uint32_t cap;		/* [G,H] percent of one CPU, all vCPUs together; 0 = none */
};	/* 24 bytes */
#define PARVUS_SCHED_SET_WEIGHT	1u
#define PARVUS_SCHED_SET_CAP	2u

/* VCPU, PIN. */
struct parvus_control_vcpu {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_vcpu), 1 */
	uint32_t domain;	/* [G] its number */
	uint32_t vcpu;		/* [G] which of its vCPUs */
	uint32_t state;		/* [H] PARVUS_VCPU_* */
	uint32_t cpu;		/* [H] where it runs or ran last */
	uint64_t affinity[PARVUS_CPU_WORDS]; /* [G,H] CPUs, number n is bit n mod 64 of word n / 64:
					      * PIN takes it, VCPU gives it */
	uint64_t run_ns;	/* [H] CPU time, ns */
	struct parvus_vcpu_stats stats;	/* [H] as stats_read has it; VCPU alone */
};	/* 768 bytes */
/* states of a vCPU, and who moves it there */
#define PARVUS_VCPU_STOPPED	0u	/* never started, or by its own vcpu_stop */
#define PARVUS_VCPU_RUNNABLE	1u	/* waits for a CPU: by vcpu_start, a vector that wakes it,
					 * the end of its slice */
#define PARVUS_VCPU_RUNNING	2u	/* by the scheduler */
#define PARVUS_VCPU_BLOCKED	3u	/* by its own block or HLT, until a vector comes */
#define PARVUS_VCPU_PAUSED	4u	/* its domain is paused or waits for memory; any of the
					 * three */

/* REGS. Selectors are virtual, as in frames. */
struct parvus_control_regs {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_regs), 1 */
	uint32_t domain;	/* [G] its number */
	uint32_t vcpu;		/* [G] which of its vCPUs */
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi; /* [H]
				 * general registers */
	uint64_t rip, cs, rflags, rsp, ss;	/* [H] as a frame would have them */
	uint64_t fs_base, gs_base, kernel_gs_base;	/* [H] bases; the last is that of the mode
							 * which it is not in */
	uint64_t cr2, cr3;	/* [H] of the last page fault; gpa of the top-level page table */
	uint32_t kernel_mode;	/* [H] 1 = it was in the guest kernel */
	uint32_t started;	/* [H] 0 = never; the rest is zero then */
	uint64_t reserved[4];
};	/* 256 bytes */

/* LOG. A position counts all bytes ever written. */
struct parvus_control_log {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_log), 1 */
	uint64_t from;		/* [G,H] position; moved up to the oldest byte kept */
	uint64_t end;		/* [H] position after the last byte ever written */
	uint32_t bytes;		/* [H] bytes in text */
	uint32_t reserved0;
	char text[2048];	/* [H] what was written from there on */
};	/* 2080 bytes */

/* One event of a CPU. */
struct parvus_trace_record {
	uint64_t tsc;		/* [H] when */
	uint32_t event;		/* [H] one of PARVUS_TRACE_* */
	uint16_t domain, vcpu;	/* [H] to whom it happened; 0xffff = none */
	uint64_t arg[2];	/* [H] see there */
};	/* 32 bytes */
#define PARVUS_TRACE_SCHED	1u	/* a vCPU gets the CPU (0xffff: idle); arg: domain << 16 |
					 * vcpu before */
#define PARVUS_TRACE_WAKE	2u	/* a vCPU becomes runnable */
#define PARVUS_TRACE_HYPERCALL	4u	/* arg: number, first argument */
#define PARVUS_TRACE_FAULT	8u	/* page fault; arg: address, error code */
#define PARVUS_TRACE_EVENT	16u	/* a port was signalled; arg: port */
#define PARVUS_TRACE_DOMAIN	32u	/* state of a domain; arg: PARVUS_DOMAIN_* */
#define PARVUS_TRACE_VECTOR	64u	/* a virtual vector is delivered; arg: vector */
#define PARVUS_TRACE_ALL	127u
/* What costs more, and is not part of ALL. SYSCALL and EXIT make C serve what assembly would. */
#define PARVUS_TRACE_RETURN	128u	/* a hypercall returns; arg: number, result */
#define PARVUS_TRACE_SYSCALL	256u	/* system call of guest user mode; arg: rax, rip behind
					 * it */
#define PARVUS_TRACE_EXIT	512u	/* iret or sysret; arg: rip that goes on, its cs */
#define PARVUS_TRACE_OUTCOME	1024u	/* of a page fault; arg: address, PARVUS_OUTCOME_* */
#define PARVUS_TRACE_KNOWN	2047u	/* all that this version can record */
#define PARVUS_OUTCOME_FILLED	0u	/* the software TLB has the entry now */
#define PARVUS_OUTCOME_GUEST	1u	/* the guest's handler gets the fault */
#define PARVUS_OUTCOME_KILLED	2u	/* the domain ends */
#define PARVUS_OUTCOME_WAITS	3u	/* the domain waits for memory */
#define PARVUS_TRACE_BATCH	64u

/* TRACE. */
struct parvus_control_trace {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_trace), 1 */
	uint32_t flags;		/* [G] PARVUS_TRACE_SET: mask is new */
	uint32_t mask;		/* [G,H] events that are recorded; 0 = tracing is off */
	uint32_t cpu;		/* [G] its number */
	uint32_t records;	/* [H] records in record[] */
	uint64_t from;		/* [G,H] position; moved up to the oldest record kept */
	uint64_t end;		/* [H] position after the last record ever written */
	struct parvus_trace_record record[PARVUS_TRACE_BATCH];	/* [H] the records from there on */
};	/* 2088 bytes */
#define PARVUS_TRACE_SET	1u

/* CPU. */
struct parvus_control_cpu {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_cpu), 1 */
	uint32_t cpu;		/* [G] its number */
	uint32_t apic_id;	/* [H] id of its local APIC */
	uint64_t idle_ns;	/* [H] ns without a vCPU */
	uint64_t busy_ns;	/* [H] ns with one */
	uint64_t switches;	/* [H] how often it went to another vCPU */
	uint64_t reserved[4];
};	/* 72 bytes */

/* CONTEXT. */
struct parvus_control_context {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_context), 1 */
	uint32_t domain;	/* [G] its number */
	uint32_t kind;		/* [G] PARVUS_CONTEXT_* (parvus/context.h) */
	uint32_t flags;		/* [G] PARVUS_CONTEXT_SET, or 0: get */
	uint32_t index;		/* [G] VCPU, XSAVE: which vCPU; else 0 */
	uint64_t from;		/* [G,H] GET of a list: from which number on; then that from which
				 * to go on. Else 0 */
	uint64_t buffer;	/* [G] gpa of the caller, within one page; COMMIT: 0 */
	uint32_t bytes;		/* [G,H] GET: room there; then bytes of the record, of a list 0 if
				 * nothing is left. SET: bytes of the record, all of it; a list
				 * is given in as many calls as one likes */
	uint32_t reserved0;
};	/* 48 bytes */
#define PARVUS_CONTEXT_SET	1u

/* CLOCK. */
struct parvus_control_clock {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_clock), 1 */
	uint32_t reserved0;
	uint32_t wall_nsec;	/* [G] and ns, below 1000000000 */
	uint64_t wall_sec;	/* [G] time of day at hypervisor time 0, s since 1970: 32 bits */
};	/* 24 bytes */

/* INTERRUPT: a handle of irq_op (parvus/irq.h), and the totals, also if there is none. */
struct parvus_control_interrupt {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_interrupt), 1 */
	uint32_t handle;	/* [G,H] from which on to look; the one found, or
				 * PARVUS_INTERRUPT_NONE */
	uint32_t domain;	/* [H] whose it is */
	uint32_t kind, source, index, flags;	/* [H] what it was made of by MAP */
	uint32_t vcpu, vector;	/* [H] what it raises, by TARGET; PARVUS_IRQ_NOWHERE: nothing */
	uint32_t cpu;		/* [H] the CPU that it interrupts */
	uint32_t state;		/* [H] PARVUS_INTERRUPT_* */
	uint64_t count;		/* [H] how often it came */
	uint64_t strays, stuck, storms;	/* [H] as in struct parvus_irq_info */
	uint64_t reserved[4];
};	/* 112 bytes */
#define PARVUS_INTERRUPT_NONE	0xffffffffu
#define PARVUS_INTERRUPT_MASKED	1u	/* a line: by MASK, or not unmasked yet */
#define PARVUS_INTERRUPT_WAITS	2u	/* a level line: for EOI */
#define PARVUS_INTERRUPT_STORMS	4u	/* a line: masked for a while, as it storms */

/* CPUID. User mode's own instruction may show more: XCR0 is what those of AVX go by. */
#define PARVUS_CPUID_WORDS	9u
struct parvus_control_cpuid {
	uint32_t size, version;	/* [G] sizeof(struct parvus_control_cpuid), 1 */
	uint32_t domain;	/* [G] its number */
	uint32_t flags;		/* [G] PARVUS_CPUID_SET; 0 = read */
	uint32_t features[PARVUS_CPUID_WORDS]; /* [G,H] by PARVUS_CPUID_1_ECX and so on */
	uint32_t reserved0;
	uint64_t xcr0;		/* [G,H] the most; 0 without XSAVE */
	uint64_t reserved[4];
};	/* 96 bytes */
#define PARVUS_CPUID_SET	1u
/* words of features: leaf (X: 0x80000000 more), register */
#define PARVUS_CPUID_1_ECX	0u
#define PARVUS_CPUID_1_EDX	1u
#define PARVUS_CPUID_7_EBX	2u
#define PARVUS_CPUID_7_ECX	3u
#define PARVUS_CPUID_7_EDX	4u
#define PARVUS_CPUID_D_EAX	5u	/* subleaf 1 */
#define PARVUS_CPUID_X1_ECX	6u
#define PARVUS_CPUID_X1_EDX	7u
#define PARVUS_CPUID_X7_EDX	8u

#endif
