/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain: a guest and all that it owns. Its gfn table says which machine
 * frame stands behind each guest-physical frame, per 2 MiB chunk where the
 * chunk is uniform. A guest's mistake ends in domain_kill(), which keeps the
 * first reason; nothing that a guest does may panic.
 */
#ifndef CORE_DOMAIN_H
#define CORE_DOMAIN_H

#include <core/limits.h>
#include <core/lock.h>
#include <core/frame.h>
#include <parvus/vcpu.h>
#include <parvus/start.h>

struct vcpu;
struct shadow_domain;

/* As PARVUS_DOMAIN_* of parvus/control.h says. */
enum domain_state { DOMAIN_BUILDING, DOMAIN_RUNNING, DOMAIN_SHUTDOWN, DOMAIN_DYING };

/*
 * One entry per 2 MiB of guest-physical space, and, where the chunk is not one
 * extent, a page of 512 entries of the same form for its frames.
 * Bits: 0 present, 1 writable, 2 extent (chunk entries: one 2 MiB extent),
 * 3 table (chunk entries: the mfn is a page of gfn entries), 4 demand (RAM without a
 * frame: one comes at the first touch; not present), 5 foreign (present: the frame of
 * another domain, by a grant), 6 mmio (present: no RAM; domain 0 alone), 7 busy (not
 * present: the frame is on its way out), 12..51 mfn.
 */
#define GFN_PRESENT	1ull
#define GFN_WRITABLE	2ull
#define GFN_EXTENT	4ull
#define GFN_TABLE	8ull
#define GFN_DEMAND	16ull
#define GFN_FOREIGN	32ull
#define GFN_MMIO	64ull
#define GFN_BUSY	128ull
#define GFN_MFN_MASK	0x000ffffffffff000ull

/* What the scheduler keeps per domain; sched.c's. */
struct sched_domain {
	bool paused;		/* see sched_pause() */
	bool out;		/* of its cap, until back */
	u32 cap;		/* percent of one CPU, 0 = none */
	u32 cpu;		/* the pCPU that lets it run again */
	u64 back;
	struct spinlock lock;	/* of what follows */
	u64 period;		/* start of the period, ns */
	s64 used;		/* run in it by all vCPUs, ns; below 0: not used in the one before */
};

struct domain {
	u16 id;
	u32 serial;			/* numbers are used again, this never is */
	u8 state;			/* enum domain_state: domain_state_change() */
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

	struct shadow_domain *shadow;	/* shadow.c's */
	struct spinlock event_lock;	/* event.c's: ports of it, and that events is there */
	struct event_domain *events;
	struct grant_domain *grants;	/* grant.c's */
	u32 refs;			/* domain_get() and 1 while it is in domains[] */

	unsigned int vcpu_count;
	struct vcpu *vcpus[MAX_VCPUS];

	/* guest registrations; written by hc_*_set of any vCPU, read once at use */
	u64 syscall_entry;
	u64 df_stack;
	struct {
		u64 address;
		u8 dpl;
		u8 flags;
	} traps[PARVUS_TRAPS];

	/* end of life: the first reason wins */
	u32 ended;			/* 0 -> 1 once, by cmpxchg */
	u32 shutdown_reason;
	u32 shutdown_status;
	u32 alive_vcpus;		/* vCPUs not stopped for good; the last to go destroys */
	char kill_reason[MAX_KILL_REASON];
	char said[MAX_KILL_REASON];	/* its last line in the log: why it crashed, if it does */
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
	u64 generation_id[2];
	u64 weight;			/* scheduler share, 256 = 1 */
	struct sched_domain sched;
};

/* By number modulo MAX_DOMAINS, NULL = free. Changes under the build/destroy path alone. */
extern struct domain *domains[MAX_DOMAINS];

/*
 * The domain of that number, or NULL. It may end meanwhile, but its structure stays
 * until domain_put(). Not with a lock of events, grants or devices held.
 */
struct domain *domain_get(u32 id);
void domain_unref(struct domain *d);
static inline void domain_put(struct domain *d)
{
	if (d)
		domain_unref(d);
}
/* Each in turn with a reference, which the next step takes back: the loop has no break. */
struct domain *domain_next(struct domain *d, unsigned int *slot);
#define for_each_domain(d, slot) \
	for ((slot) = 0, (d) = NULL; ((d) = domain_next(d, &(slot)));)
/* One more reference to a domain of which the caller has one. */
void domain_hold(struct domain *d);

/**
 * domain_create - allocate an empty domain
 * @name: shown in logs; cut at MAX_DOMAIN_NAME
 * @max_gfn: size of its guest-physical space in frames, rounded up to chunks
 * @ram: frames that it may ever have
 * @vcpus: number of vCPUs, 1..MAX_VCPUS
 * Return: the domain, with its control_lock held: what finds it by its number waits until
 * it is what its maker wants it to be. NULL when memory is short or the arguments are bad.
 */
struct domain *domain_create(const char *name, u64 max_gfn, u64 ram, unsigned int vcpus);

/*
 * Give [gfn, gfn + count) zeroed RAM, extents first. 0, -PARVUS_EINVAL (beyond the table),
 * -PARVUS_EEXIST or -PARVUS_ENOMEM; after these two what was added stays, until the domain goes.
 */
int domain_populate(struct domain *d, gfn_t gfn, u64 count);
/* The same, with frames at the first touch. Both: -PARVUS_ENOMEM beyond max_frames. */
int domain_promise(struct domain *d, gfn_t gfn, u64 count);
/* Domain 0: the free frames of [first, first + count) become its RAM, where they are. */
int domain_claim(struct domain *d, u64 first, u64 count);

/**
 * domain_release - give frames of a domain back
 * @v: the calling vCPU, one of the domain's
 * @gfn, @frames: a range of RAM, with frames or without, within one 2 MiB chunk
 * All or nothing; afterwards these gfns have no memory, and no TLB holds their frames.
 * Return: 0, -PARVUS_EINVAL (not such a range), -PARVUS_EFAULT (a gfn is not RAM),
 * -PARVUS_EBUSY (a frame is offered, or registered for good), -PARVUS_ENOMEM (an extent
 * cannot be split).
 */
int domain_release(struct domain *d, struct vcpu *v, u64 gfn, u64 frames);
/*
 * The entry of a gfn whose chunk is no extent, with a page of entries made if there is
 * none; under gfn_lock. NULL: the chunk is one extent (or RAM without frames), or, if
 * *chunk is 0, there is no memory for the page.
 */
u64 *gfn_slot(struct domain *d, u64 gfn);
/* The table of a chunk, made if there is none, its entries as the chunk was. gfn_lock is held. */
u64 *gfn_chunk_table(struct domain *d, u64 gfn);
/* memory.c: the hypercall. */
s64 memory_op(struct vcpu *v, u64 op, u64 gpa, u64 count);

/* The guest did what it must not: keep the first reason, stop all its vCPUs. Returns. */
void domain_kill(struct domain *d, const char *fmt, ...) __printf(2, 3);
/* By who is none of its vCPUs, with a reference: those are not taken apart meanwhile. */
void domain_kill_other(struct domain *d, const char *why);
/* Its vCPUs run only while no reason is given why they should not. */
#define PAUSE_CONTROL	1u	/* domain 0 wants it so */
#define PAUSE_MEMORY	2u	/* it waits for a frame */
void domain_pause(struct domain *d, u32 why);
void domain_unpause(struct domain *d, u32 why);
/*
 * Frames may have come back: whoever waits for one tries again. Asked after every hypercall
 * and page fault, and when a domain has gone: frames come back in many ways. No lock is held.
 */
extern u32 memory_waits;
void domain_memory_wake(void);
static inline void domain_memory_free(void)
{
	if (unlikely(READ_ONCE(memory_waits)))
		domain_memory_wake();
}
/* A first touch found no frame in the machine: the domain sleeps until there is one. */
void domain_wait_memory(struct domain *d);
/* The guest asked to end (reason is PARVUS_SHUTDOWN_*). */
void domain_shutdown(struct domain *d, u32 reason, u32 status);
/* A vCPU stopped for good; the last one destroys the domain, if need be after killing it. */
void domain_vcpu_gone(struct domain *d);
unsigned int domains_count(void);
/* Frames of the hypervisor that are there for this domain: shadows, tables, vCPUs. */
u64 domain_overhead(struct domain *d);
/* Called when no pCPU runs one of its vCPUs any more: free everything, write the end record. */
void domain_destroy(struct domain *d);
/* In steps, for control DESTROY: state DYING, one caller at a time. True: it is gone. */
bool domain_destroy_some(struct domain *d, u64 chunks);
bool domain_state_change(struct domain *d, enum domain_state from, enum domain_state to);
/* It becomes domain 0: the others' end is its business, and they end with it. */
void domain_set_control(struct domain *d);
struct domain *control_domain(void);
/* builder.c: the first vCPU begins at @entry with @root and rsi = @info; it is not kicked. */
int domain_start(struct domain *d, u64 entry, u64 root, u64 info);
/* arch/x86/time.c: a number that no other domain has (generation_id). */
void domain_generation(u64 id[2]);
/* What control INFO shows changed: domain 0 gets PARVUS_VIRQ_DOMAIN. */
void domain_changed(struct domain *d);

/* Plain RAM of the domain itself: the only memory that the hypervisor reads and writes for it. */
static inline bool gfn_is_ram(u64 e)
{
	return (e & (GFN_PRESENT | GFN_FOREIGN | GFN_MMIO)) == GFN_PRESENT;
}
static inline bool gfn_is_writable_ram(u64 e) { return gfn_is_ram(e) && (e & GFN_WRITABLE); }

static inline mfn_t gfn_entry_mfn(u64 entry) { return _mfn((entry & GFN_MFN_MASK) >> PAGE_SHIFT); }

/* The entry that stands for frame @i of a chunk. */
static inline u64 gfn_chunk_entry(u64 chunk, u64 i)
{
	if (likely(chunk & GFN_EXTENT))
		return chunk + (i << PAGE_SHIFT);
	return chunk & GFN_TABLE ? READ_ONCE(((u64 *)frame_map(gfn_entry_mfn(chunk)))[i]) : chunk;
}

/* The entry of the table; 0: none, or beyond it. */
static inline u64 gfn_lookup_own(const struct domain *d, u64 n)
{
	if (unlikely(n >= d->max_gfn))
		return 0;
	return gfn_chunk_entry(READ_ONCE(d->gfn_chunks[n >> EXTENT_ORDER]), n & (EXTENT_FRAMES - 1));
}

/* What the table does not name is the machine's own for domain 0, and nothing for others. */
u64 gfn_lookup_machine(const struct domain *d, u64 gfn);

/**
 * gfn_lookup - the entry that stands for a gfn
 * Return: an entry of the form above for the *frame* (never GFN_TABLE;
 * GFN_EXTENT set if the whole 2 MiB chunk is one uniform extent), or 0.
 */
static inline u64 gfn_lookup(const struct domain *d, gfn_t gfn)
{
	u64 e = gfn_lookup_own(d, gfn_x(gfn));

	return likely(e) ? e : gfn_lookup_machine(d, gfn_x(gfn));
}

/*
 * The same, but RAM without a frame gets one now. 0: no RAM there. GFN_DEMAND: the machine
 * has no frame to give; @reserve lets calls of the guest use the last ones.
 */
u64 gfn_touch(struct domain *d, gfn_t gfn, bool reserve);

/* guest_access.c: the only door to guest memory by gpa. 0, -PARVUS_EFAULT. */
int guest_read(struct domain *d, u64 gpa, void *buf, size_t len);
int guest_write(struct domain *d, u64 gpa, const void *buf, size_t len);
/* @n bytes that lie within one frame on both sides. 0, -PARVUS_EFAULT, or -PARVUS_ENOMEM (no frame to touch). */
int guest_copy_frame(struct domain *to, u64 dst, struct domain *from, u64 src, size_t n);
/*
 * Between these two a pCPU may use a pointer to a frame that it found in a gfn table: a
 * frame goes back to the allocator after guest_access_wait(), which waits for the others
 * that were between them. Nobody waits for anything in between.
 */
void guest_access_begin(void);
void guest_access_end(void);
void guest_access_wait(void);
/* Map an aligned piece of one frame for good (RAM, writable), or NULL. It stays pinned. */
void *guest_map(struct domain *d, u64 gpa, size_t len, size_t align);

#endif
