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
 *
 * Operations on a domain that does not exist fail with ENOENT, on one in the wrong
 * state with EBUSY. Domain 0 may name itself only where the text says so.
 */
#ifndef PARVUS_CONTROL_H
#define PARVUS_CONTROL_H

#include <parvus/types.h>
#include <parvus/vcpu.h>

#define PARVUS_CONTROL_MACHINE	0u	/* struct parvus_control_machine */
#define PARVUS_CONTROL_CREATE	1u	/* struct parvus_control_create */
#define PARVUS_CONTROL_INFO	2u	/* struct parvus_control_info */
#define PARVUS_CONTROL_NEXT	3u	/* the same: of the first domain with a number >= domain */
#define PARVUS_CONTROL_POPULATE	4u	/* struct parvus_control_populate */
#define PARVUS_CONTROL_COPY	5u	/* struct parvus_control_copy */
#define PARVUS_CONTROL_OFFER	6u	/* struct parvus_control_offer */
#define PARVUS_CONTROL_PORT	7u	/* struct parvus_control_port */
#define PARVUS_CONTROL_START	8u	/* struct parvus_control_start */
#define PARVUS_CONTROL_PAUSE	9u	/* struct parvus_control_domain */
#define PARVUS_CONTROL_UNPAUSE	10u	/* struct parvus_control_domain */
#define PARVUS_CONTROL_DESTROY	11u	/* struct parvus_control_domain */
#define PARVUS_CONTROL_REQUEST	12u	/* struct parvus_control_domain; value = PARVUS_REQUEST_* */
#define PARVUS_CONTROL_RENAME	13u	/* struct parvus_control_name; domain 0 too */
#define PARVUS_CONTROL_MEMORY	14u	/* struct parvus_control_memory */
#define PARVUS_CONTROL_SCHED	15u	/* struct parvus_control_sched; domain 0 too */
#define PARVUS_CONTROL_VCPU	16u	/* struct parvus_control_vcpu: read; domain 0 too */
#define PARVUS_CONTROL_PIN	17u	/* struct parvus_control_vcpu: set affinity; domain 0 too */
#define PARVUS_CONTROL_REGS	18u	/* struct parvus_control_regs: registers of a vCPU that does not run */
#define PARVUS_CONTROL_LOG	19u	/* struct parvus_control_log */
#define PARVUS_CONTROL_TRACE	20u	/* struct parvus_control_trace */
#define PARVUS_CONTROL_CPU	21u	/* struct parvus_control_cpu */
#define PARVUS_CONTROL_VCPUS	22u	/* struct parvus_control_domain; value = vCPUs that shall be online */
#define PARVUS_CONTROL_OPS	23u

#define PARVUS_NAME_MAX		32u	/* bytes with the terminating zero */

/* states of a domain */
#define PARVUS_DOMAIN_BUILDING	0u
#define PARVUS_DOMAIN_RUNNING	1u
#define PARVUS_DOMAIN_SHUTDOWN	2u	/* ended; reason and status are valid */
#define PARVUS_DOMAIN_DYING	3u	/* being taken apart */

struct parvus_control_machine {
	uint32_t size, version;
	uint32_t cpus;		/* [H] online */
	uint32_t domains;	/* [H] */
	uint64_t frames_total;	/* [H] RAM of the machine that the hypervisor gives out or uses */
	uint64_t frames_free;	/* [H] */
	uint64_t frames_promised; /* [H] RAM of domains that has no frame yet */
	uint64_t now_ns;	/* [H] time since boot, of timer_set */
	uint64_t tsc_khz;	/* [H] */
	uint64_t wall_sec;	/* [H] time of day at hypervisor time 0 */
	uint64_t features[4];	/* [H] as by the features call */
	uint32_t ports;		/* [H] event ports in use, all domains */
	uint32_t grants;	/* [H] offers, all domains */
	uint32_t mappings;	/* [H] of grants */
	uint32_t devices;	/* [H] in the registry */
	uint32_t max_domains;	/* [H] */
	uint32_t flags;		/* [H] PARVUS_START_DEBUG */
	char build[64];		/* [H] version text */
	uint64_t frames_ghost;	/* [H] RAM of domains that are gone, which others still map */
	uint64_t reserved[3];
};	/* 216 bytes */

struct parvus_control_create {
	uint32_t size, version;
	uint32_t domain;	/* [H] its number; the lowest free one above the last given, round */
	uint32_t vcpus;		/* [G] at most */
	uint64_t max_frames;	/* [G] RAM it may ever have; also the size of its gfn space */
	uint64_t extra_gfns;	/* [G] gfns above that for mapping grants */
	uint32_t weight;	/* [G] scheduler share, 256 = normal; 0 = 256 */
	uint32_t cap;		/* [G] percent of one CPU, 0 = none */
	uint64_t flags;		/* [G] 0 */
	char name[PARVUS_NAME_MAX];	/* [G] a label; the hypervisor compares it with nothing */
	uint64_t reserved[4];
};	/* 112 bytes */

struct parvus_control_domain {
	uint32_t size, version;
	uint32_t domain;	/* [G] */
	uint32_t value;		/* [G] */
};	/* 16 bytes */

struct parvus_control_info {
	uint32_t size, version;
	uint32_t domain;	/* [G,H] */
	uint32_t state;		/* [H] PARVUS_DOMAIN_* */
	char name[PARVUS_NAME_MAX];	/* [H] */
	uint32_t flags;		/* [H] PARVUS_INFO_* */
	uint32_t vcpus;		/* [H] it may start */
	uint32_t vcpus_online;	/* [H] started */
	uint32_t reason;	/* [H] SHUTDOWN: PARVUS_SHUTDOWN_* */
	uint32_t status;	/* [H] SHUTDOWN: 8-bit status */
	uint32_t weight;	/* [H] */
	uint32_t cap;		/* [H] */
	uint32_t ports;		/* [H] in use */
	uint32_t grants;	/* [H] offers it made */
	uint32_t mappings;	/* [H] grants of others that it maps */
	uint32_t devices;	/* [H] front ends */
	uint32_t changes;	/* [H] raised with every change of state, flags or request */
	uint64_t frames;	/* [H] RAM, touched or not */
	uint64_t touched;	/* [H] of these, frames that exist */
	uint64_t max_frames;	/* [H] */
	uint64_t target_frames;	/* [H] */
	uint64_t overhead_frames; /* [H] shadows and tables of the hypervisor for it */
	uint64_t run_ns;	/* [H] CPU time of all its vCPUs */
	uint64_t created_ns;	/* [H] hypervisor time at CREATE */
	uint64_t generation_id[2]; /* [H] */
	char why[128];		/* [H] SHUTDOWN by a kill: the reason; by a crash: what it wrote last with log_write */
	uint64_t reserved[4];
};	/* 328 bytes */
#define PARVUS_INFO_PAUSED	1u	/* by control */
#define PARVUS_INFO_RUNNING	2u	/* one of its vCPUs is on a CPU */
#define PARVUS_INFO_BLOCKED	4u	/* none wants to run */
#define PARVUS_INFO_CONTROL	8u	/* domain 0 */
#define PARVUS_INFO_NO_MEMORY	16u	/* waits for a frame to touch */

/* RAM for [gfn, gfn + frames): a frame comes at the first touch. BUILDING only. */
struct parvus_control_populate {
	uint32_t size, version;
	uint32_t domain;	/* [G] */
	uint32_t reserved0;
	uint64_t gfn, frames;	/* [G] */
	uint64_t flags;		/* [G] PARVUS_POPULATE_* */
};	/* 40 bytes */
#define PARVUS_POPULATE_NOW	1ull	/* frames at once; fails with ENOMEM if there are not enough */

/* Bytes between the caller's memory and the domain's. At most 2 MiB by one call. */
struct parvus_control_copy {
	uint32_t size, version;
	uint32_t domain;	/* [G] */
	uint32_t flags;		/* [G] PARVUS_COPY_OUT: from the domain */
	uint64_t gpa;		/* [G] in the domain */
	uint64_t buffer;	/* [G] gpa of the caller */
	uint64_t bytes;		/* [G]; [H] what is left to do, 0 after success */
};	/* 40 bytes */
#define PARVUS_COPY_OUT		1u
#define PARVUS_COPY_MAX		(2u << 20)

/* grant_op OFFER in the name of the domain. BUILDING only. */
struct parvus_control_offer {
	uint32_t size, version;
	uint32_t domain;	/* [G] who offers */
	uint32_t to;		/* [G] to whom */
	uint64_t gfn;		/* [G] */
	uint32_t flags;		/* [G] PARVUS_GRANT_READONLY */
	uint32_t ref;		/* [H] */
};	/* 32 bytes */

/* An unbound port in the domain, for @to. BUILDING only. */
struct parvus_control_port {
	uint32_t size, version;
	uint32_t domain;	/* [G] whose port */
	uint32_t to;		/* [G] who may bind to it */
	uint32_t port;		/* [H] */
	uint32_t reserved0;
};	/* 24 bytes */

/* The first vCPU's state as parvus/start.h says. The domain is RUNNING and paused then. */
struct parvus_control_start {
	uint32_t size, version;
	uint32_t domain;	/* [G] */
	uint32_t reserved0;
	uint64_t entry;		/* [G] */
	uint64_t root;		/* [G] gpa of the first top-level table */
	uint64_t start_info;	/* [G] gpa, for rsi */
	uint64_t reserved[4];
};	/* 72 bytes */

struct parvus_control_name {
	uint32_t size, version;
	uint32_t domain;	/* [G] */
	uint32_t reserved0;
	char name[PARVUS_NAME_MAX];	/* [G] */
};	/* 48 bytes */

/* Set what flags name. target is a wish: the guest's balloon follows it. */
struct parvus_control_memory {
	uint32_t size, version;
	uint32_t domain;	/* [G] */
	uint32_t flags;		/* [G] PARVUS_MEMORY_SET_* */
	uint64_t max_frames;	/* [G] not above the one of CREATE */
	uint64_t target_frames;	/* [G] not above max_frames */
};	/* 32 bytes */
#define PARVUS_MEMORY_SET_MAX		1u
#define PARVUS_MEMORY_SET_TARGET	2u

/* Set what flags name, then say what is. */
struct parvus_control_sched {
	uint32_t size, version;
	uint32_t domain;	/* [G] */
	uint32_t flags;		/* [G] PARVUS_SCHED_SET_*; 0 = read */
	uint32_t weight;	/* [G,H] 1 to 65535, 256 = normal */
	uint32_t cap;		/* [G,H] percent of one CPU, all vCPUs together; 0 = none */
};	/* 24 bytes */
#define PARVUS_SCHED_SET_WEIGHT	1u
#define PARVUS_SCHED_SET_CAP	2u

struct parvus_control_vcpu {
	uint32_t size, version;
	uint32_t domain;	/* [G] */
	uint32_t vcpu;		/* [G] */
	uint32_t state;		/* [H] PARVUS_VCPU_* */
	uint32_t cpu;		/* [H] where it runs or ran last */
	uint64_t affinity;	/* [G] PIN, [H] VCPU: mask of CPUs; must name one that is online */
	uint64_t run_ns;	/* [H] */
	struct parvus_vcpu_stats stats;	/* [H] VCPU alone */
};	/* 744 bytes */
#define PARVUS_VCPU_STOPPED	0u
#define PARVUS_VCPU_RUNNABLE	1u
#define PARVUS_VCPU_RUNNING	2u
#define PARVUS_VCPU_BLOCKED	3u
#define PARVUS_VCPU_PAUSED	4u

/* Of a paused or ended domain. Selectors are virtual, as in frames. */
struct parvus_control_regs {
	uint32_t size, version;
	uint32_t domain;	/* [G] */
	uint32_t vcpu;		/* [G] */
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi; /* [H] */
	uint64_t rip, cs, rflags, rsp, ss;	/* [H] */
	uint64_t fs_base, gs_base, kernel_gs_base;	/* [H] */
	uint64_t cr2, cr3;	/* [H] */
	uint32_t kernel_mode;	/* [H] 1 = it was in the guest kernel */
	uint32_t started;	/* [H] 0 = never; the rest is zero then */
	uint64_t reserved[4];
};	/* 256 bytes */

/* The hypervisor's log: bytes from position @from on, which counts all ever written. */
struct parvus_control_log {
	uint32_t size, version;
	uint64_t from;		/* [G,H] moved up to the oldest byte kept */
	uint64_t end;		/* [H] position after the last byte ever written */
	uint32_t bytes;		/* [H] in text */
	uint32_t reserved0;
	char text[2048];	/* [H] */
};	/* 2080 bytes */

/* Trace records of one CPU from position @from on. */
struct parvus_trace_record {
	uint64_t tsc;
	uint32_t event;		/* one of PARVUS_TRACE_* */
	uint16_t domain, vcpu;	/* 0xffff = none */
	uint64_t arg[2];
};	/* 32 bytes */
#define PARVUS_TRACE_SCHED	1u	/* a vCPU gets the CPU (0xffff: idle); arg: domain << 16 | vcpu before */
#define PARVUS_TRACE_WAKE	2u	/* a vCPU becomes runnable */
#define PARVUS_TRACE_HYPERCALL	4u	/* arg: number, first argument */
#define PARVUS_TRACE_FAULT	8u	/* page fault; arg: address, error code */
#define PARVUS_TRACE_EVENT	16u	/* a port was signalled; arg: port */
#define PARVUS_TRACE_DOMAIN	32u	/* state of a domain; arg: PARVUS_DOMAIN_* */
#define PARVUS_TRACE_VECTOR	64u	/* a virtual vector is delivered; arg: vector */
#define PARVUS_TRACE_ALL	127u
#define PARVUS_TRACE_BATCH	64u

struct parvus_control_trace {
	uint32_t size, version;
	uint32_t flags;		/* [G] PARVUS_TRACE_SET: mask is new */
	uint32_t mask;		/* [G,H] events that are recorded; 0 = tracing is off */
	uint32_t cpu;		/* [G] */
	uint32_t records;	/* [H] in record[] */
	uint64_t from;		/* [G,H] moved up to the oldest one kept */
	uint64_t end;		/* [H] */
	struct parvus_trace_record record[PARVUS_TRACE_BATCH];	/* [H] */
};	/* 2088 bytes */
#define PARVUS_TRACE_SET	1u

struct parvus_control_cpu {
	uint32_t size, version;
	uint32_t cpu;		/* [G] */
	uint32_t apic_id;	/* [H] */
	uint64_t idle_ns;	/* [H] */
	uint64_t busy_ns;	/* [H] */
	uint64_t switches;	/* [H] */
	uint64_t reserved[4];
};	/* 72 bytes */

#endif
