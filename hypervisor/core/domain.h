/* SPDX-License-Identifier: GPL-2.0-only */
/* A domain: a guest and all that it owns. Its mistake ends in domain_kill(), never in a panic. */
#pragma once

#include <core/lock.h>
#include <core/frame.h>
#include <parvus/control.h>
#include <parvus/start.h>

struct shadow_domain;

/* As PARVUS_DOMAIN_* of parvus/control.h says. */
enum domain_state { DOMAIN_BUILDING, DOMAIN_RUNNING, DOMAIN_SHUTDOWN, DOMAIN_DYING };

/* What the scheduler keeps per domain; sched.c's. */
struct sched_domain {
	bool paused;		/* see sched_pause() */
	bool out;		/* of its cap, until back */
	u32 cap;		/* percent of one CPU, 0 = none */
	u32 cpu;		/* the pCPU that lets it run again */
	u64 back;
	struct spinlock lock;	/* of what follows */
	u64 period;		/* start of the period, ns */
	s64 used;		/* by all vCPUs, ns; below 0: not used in the one before */
};

/* What no other domain may learn while it runs (rule 81). struct domain itself is public. */
struct domain_own {
	/* guest registrations; written by hc_*_set of any vCPU, read once at use */
	struct {
		u64 address;
		u8 dpl, flags;
	} traps[PARVUS_TRAPS];
	u64 syscall_entry, df_stack;
	u64 generation_id[2];
	/* what the host gives, and it has not (rule 122) */
	struct cpuid_hidden { u32 features[PARVUS_CPUID_WORDS]; u64 xcr0; } hidden;
	u32 given, virqs;	/* context.c's, while it is built */
	char kill_reason[MAX_KILL_REASON];
	char said[MAX_KILL_REASON];	/* its last line in the log: why it crashed, if it does */
};

struct domain {
	u16 id;
	u16 self;			/* by which it knows itself: of its start info */
	u32 serial;			/* numbers are used again, this never is */
	u8 state;			/* enum domain_state */
	bool control;			/* domain 0's privilege */
	char name[MAX_DOMAIN_NAME];

	/* gfn table: written under gfn_lock, read without (rule 7: see gfn_get) */
	struct spinlock gfn_lock;
	u64 max_gfn;			/* first gfn beyond the table */
	u64 *gfn_chunks;		/* max_gfn / 512 entries */
	u32 *gfn_chunk_maps;		/* per chunk: large shadow entries that map it */
	u64 gfn_chunks_bytes;
	u64 frames;			/* frames charged as RAM, touched or not */
	u64 touched;			/* of these, those that exist */
	u64 ram_frames;			/* as many may it ever have */
	u64 max_frames, target_frames;	/* memory_op and control MEMORY */
	bool claims;			/* without overcommit: its RAM to come is claimed */
	u64 claim;			/* free frames that are its alone; the allocator's */

	struct domain_view {			/* x86/view.c's: what ring 0 sees while it runs */
		struct spinlock lock;
		u64 *top[MAX_MACHINE_MEM >> 39];	/* one per 512 GiB that there are */
		u32 slots, count, pages; /* of top; spare tables; all of them */
		u64 *spare[VIEW_SPARES];
	} view;
	struct shadow_domain *shadow;	/* shadow.c's */
	struct spinlock event_lock;	/* event.c's: ports of it, and that events is there */
	struct event_domain *events;
	struct grant_domain *grants;	/* grant.c's */
	u32 refs;			/* domain_get() and 1 while it is in domains[] */

	unsigned int vcpu_count;
	struct vcpu *vcpus[MAX_VCPUS];

	struct domain_own *own;
	bool takes_events;		/* there is a handler for PARVUS_VECTOR_EVENT */

	/* end of life: the first reason wins */
	u32 ended;			/* 0 -> 1 once, by cmpxchg */
	u32 shutdown_reason, shutdown_status;
	u32 alive_vcpus;		/* vCPUs not stopped for good; the last to go destroys */
	u64 log_paid;			/* when what it wrote to the log is paid for */
	u32 log_dropped;		/* lines since then; atomic */
	u64 frames_free_before;		/* free frames before it was built */
	u64 freed_chunks, held;		/* progress of its destruction */
	struct spinlock control_lock;	/* building and destroying it by control calls */
	struct spinlock destroy_lock;	/* one at a time takes it apart */
	bool mapped;			/* it is taken apart, and others map frames of it */
	u64 created_ns;
	u32 changes;			/* of what control INFO shows */
	u32 request;			/* PARVUS_REQUEST_* not seen yet by the guest */
	u32 vcpus_target;		/* vCPUs that it is asked to have online */
	struct spinlock pause_lock;
	u32 pauses;			/* PAUSE_*: why it does not run */
	s64 clock_offset;		/* the hypervisor's time less its own (clock.c) */
	u64 clock_stopped;		/* when it began to stand still; 0 = it runs */
	bool tsc_clock;			/* its guest may count by the TSC: then it never does */
	u64 weight;			/* scheduler share, 256 = 1 */
	struct sched_domain sched;
};

/* A vCPU by the number that a guest gave, which was checked: in range by speculation, too. */
static inline struct vcpu *domain_vcpu(const struct domain *d, u64 n)
{
	return d->vcpus[n & (MAX_VCPUS - 1)];
}
BUILD_ASSERT(!(MAX_VCPUS & (MAX_VCPUS - 1)) && sizeof(struct domain) <= PAGE_SIZE);

/* A number by which @d names a domain, perhaps itself; and one as it is to see it. */
static inline u32 domain_named_by(const struct domain *d, u32 n)
{
	return n == PARVUS_DOMAIN_SELF || n == d->self ? d->id : n;
}
static inline u32 domain_as_seen(const struct domain *d, u32 n) { return n == d->id ? d->self : n; }

/* By number modulo MAX_DOMAINS, NULL = free. Changes under the build/destroy path alone. */
extern struct domain *domains[MAX_DOMAINS];

/* By number, or NULL. It stays until domain_put(). With no lock of events, grants or devices. */
struct domain *domain_get(u32 id);
void domain_unref(struct domain *d);
static inline void domain_put(struct domain *d)
{
	if (d)
		domain_unref(d);
}
/* Each in turn with a reference, which the next step takes back: the loop has no break. */
struct domain *domain_next(struct domain *d);
#define for_each_domain(d) for (struct domain *d = NULL; (d = domain_next(d));)
/* One more reference to a domain of which the caller has one. */
void domain_hold(struct domain *d);

/*
 * An empty domain with 1 to MAX_VCPUS vCPUs, or NULL: memory is short, or an argument is bad. @name
 * is for logs, cut at MAX_DOMAIN_NAME; @max_gfn, in frames, is rounded up to chunks; @ram is what
 * it may ever have; @number 0 is any. Its control_lock is held, until it is as its maker wants it.
 */
struct domain *domain_create(const char *name, u64 max_gfn, u64 ram, unsigned int vcpus,
			     bool claims, u32 number);

bool domain_number_free(u32 number);	/* below DOMAIN_IDS; its place in the table, that is */

/* The guest did what it must not: keep the first reason, stop all its vCPUs. Returns. */
void domain_kill(struct domain *d, const char *fmt, ...) __printf(2, 3);
/* By who is none of its vCPUs, with a reference: those are not taken apart meanwhile. */
void domain_kill_other(struct domain *d, const char *why);
/* Its vCPUs run only while no reason is given why they should not. */
#define PAUSE_CONTROL	1u	/* domain 0 wants it so */
#define PAUSE_MEMORY	2u	/* it waits for a frame */
void domain_pause(struct domain *d, u32 why);
void domain_unpause(struct domain *d, u32 why);
/* clock.c: its clock stops and goes on, under pause_lock; what it is; give it that time. */
#define CLOCK_MAX	(1ull << 62)
void clock_stop(struct domain *d);
void clock_go(struct domain *d);
u64 clock_stands(const struct domain *d);
void clock_set(struct domain *d, u64 ns);
u64 clock_at(const struct domain *d, u64 ns);	/* of the hypervisor's time */
/* A vCPU stopped for good; the last one destroys the domain, if need be after killing it. */
void domain_vcpu_gone(struct domain *d);
unsigned int domains_count(void);
/* Frames of the hypervisor that are there for this domain: shadows, tables, vCPUs. */
u64 domain_overhead(struct domain *d);
/* Called when no pCPU runs one of its vCPUs any more: free everything, write the end record. */
void domain_destroy(struct domain *d);
/* In steps, for control DESTROY: state DYING, one caller at a time. True: it is gone. */
#define DESTROY_CHUNKS	4u	/* shadow tables, or 2 MiB chunks of memory, of a step */
bool domain_destroy_some(struct domain *d, u64 chunks);
void domain_dying(struct domain *d);	/* its state is that, if it does not run */
/* It becomes domain 0: the others' end is its business, and they end with it. */
void domain_set_control(struct domain *d);
struct domain *control_domain(void);
/* The first vCPU begins at @entry with @root and rsi = @info; it is not kicked. */
int domain_start(struct domain *d, u64 entry, u64 root, u64 info);
/* When the machine comes again instead of going off; set at boot. */
#define REBOOT_ASKED	1u	/* the last domain asks for it */
#define REBOOT_BROKEN	2u	/* a panic, or the last domain did not end by its own will */
extern u32 reboot_when;
/* From now on domain 0 has @ns to come up, or the machine comes again; 0: it is up. */
void control_watch(u64 ns);
/* What control INFO shows changed: domain 0 gets PARVUS_VIRQ_DOMAIN. */
void domain_changed(struct domain *d);

/* console.c: the first domain owns the serial line, others write to the log. */
void console_domain_new(struct domain *d);
void console_domain_gone(struct domain *d);
void console_input(void);	/* characters arrived */

/* device.c. @d ends; its devices go, and those that it served lose their back end for good. */
void device_domain_gone(struct domain *d);
u32 device_count(const struct domain *d);	/* that it uses; NULL: all that there are */
