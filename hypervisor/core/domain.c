// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains: their memory (the gfn table) and their end. A domain ends once, for the
 * first reason given; its vCPUs then leave their pCPUs one by one, and the last to
 * go frees everything and writes the end record to the debug port, where test
 * runners read it.
 */
#include <core/device.h>
#include <core/domain.h>
#include <core/event.h>
#include <core/frame.h>
#include <core/grant.h>
#include <core/lib.h>
#include <core/log.h>
#include <core/platform.h>
#include <core/sched.h>
#include <mmu/shadow.h>
#include <core/trace.h>
#include <parvus/control.h>
#include <parvus/event.h>

struct domain *domains[MAX_DOMAINS];
static struct spinlock domains_lock = SPINLOCK_INIT;
static u32 domains_alive;
static u32 last_id;		/* numbers go up, so that an old one does not soon mean another domain */
static u32 last_serial;
static struct domain *control;	/* domain 0, if there is one */
static bool control_over;	/* it has ended: nothing is kept for it */
static bool control_alone;	/* all others were told, and nobody holds one of them for that */

#define ANY		0xffffffffu
/* As many as Xen has, but every slot has as many: the search for one goes on beyond the last. */
#define DOMAIN_IDS	(0x7ff0u / MAX_DOMAINS * MAX_DOMAINS)

static struct domain *get_slot(unsigned int slot, u32 id)
{
	struct domain *d;

	spin_lock(&domains_lock);
	d = domains[slot];
	if (d && (id == ANY || d->id == id))
		d->refs++;
	else
		d = NULL;
	spin_unlock(&domains_lock);
	return d;
}

struct domain *domain_get(u32 id) { return id < DOMAIN_IDS ? get_slot(id % MAX_DOMAINS, id) : NULL; }

void domain_unref(struct domain *d)
{
	bool last;

	spin_lock(&domains_lock);
	last = !--d->refs;
	spin_unlock(&domains_lock);
	if (last) {
		grant_domain_free(d);
		hv_free(d, sizeof(*d));
	}
}

struct domain *domain_next(struct domain *d, unsigned int *slot)
{
	domain_put(d);
	for (d = NULL; !d && *slot < MAX_DOMAINS; ++*slot)
		d = get_slot(*slot, ANY);
	return d;
}

void domain_hold(struct domain *d)
{
	spin_lock(&domains_lock);
	d->refs++;
	spin_unlock(&domains_lock);
}

/* The frames of a chunk, without those that others map still, and its table. */
static void free_chunk(struct domain *d, u64 chunk)
{
	u64 i, e, n = 0, gone[EXTENT_FRAMES / 64] = { 0 };

	for (i = 0; i < EXTENT_FRAMES; i++) {
		e = gfn_chunk_entry(chunk, i);
		if (!gfn_is_ram(e))
			continue;
		d->held += frame_info(gfn_entry_mfn(e))->count;
		if (d->mapped && grant_ghost(gfn_entry_mfn(e)))
			continue;
		gone[i / 64] |= 1ull << (i % 64);
		n++;
	}
	if (chunk & GFN_EXTENT && n == EXTENT_FRAMES) {
		free_frames(gfn_entry_mfn(chunk), EXTENT_ORDER);
		return;
	}
	for (i = 0; i < EXTENT_FRAMES; i++)
		if (gone[i / 64] >> (i % 64) & 1)
			free_frames(gfn_entry_mfn(gfn_chunk_entry(chunk, i)), 0);
	if (chunk & GFN_TABLE)
		hv_free(frame_map(gfn_entry_mfn(chunk)), PAGE_SIZE);
}

/* Free up to @budget chunks of memory; true when all is gone. */
static bool free_gfn_table(struct domain *d, u64 budget)
{
	u64 chunks = d->max_gfn >> EXTENT_ORDER;

	for (; d->freed_chunks < chunks && budget; d->freed_chunks++) {
		u64 chunk = d->gfn_chunks[d->freed_chunks];

		d->held += d->gfn_chunk_maps[d->freed_chunks];
		if (chunk & (GFN_EXTENT | GFN_TABLE)) {
			free_chunk(d, chunk);
			budget--;
		}
	}
	if (d->freed_chunks < chunks)
		return false;
	if (d->held)
		log_warn("d%u: %lu shadow entries unaccounted for", d->id, (unsigned long)d->held);
	hv_free(d->gfn_chunks, d->gfn_chunks_bytes);
	hv_free(d->gfn_chunk_maps, chunks * sizeof(u32));
	d->gfn_chunks = NULL;
	return true;
}

struct domain *domain_create(const char *name, u64 max_gfn, u64 ram, unsigned int vcpus)
{
	u64 before = frames_free_count(), chunks = ROUND_UP(max_gfn, EXTENT_FRAMES) >> EXTENT_ORDER;
	u64 pool;
	struct domain *d;
	unsigned int i;

	if (!vcpus || vcpus > MAX_VCPUS || !ram || max_gfn < ram || ram > MAX_GUEST_MEM >> PAGE_SHIFT ||
	    max_gfn > MAX_MACHINE_MEM >> PAGE_SHIFT)
		return NULL;
	d = hv_alloc(sizeof(*d));
	if (!d)
		return NULL;
	hv_snprintf(d->name, sizeof(d->name), "%s", name);
	d->frames_free_before = before;
	d->vcpu_count = d->vcpus_target = vcpus;
	d->weight = 256;
	d->max_gfn = chunks << EXTENT_ORDER;
	d->ram_frames = d->max_frames = d->target_frames = ram;
	d->created_ns = hv_now_ns();
	domain_generation(d->generation_id);
	d->gfn_chunks_bytes = chunks * sizeof(u64);
	d->gfn_chunks = hv_alloc(d->gfn_chunks_bytes);
	d->gfn_chunk_maps = hv_alloc(chunks * sizeof(u32));
	pool = max((u64)SHADOW_POOL_FLOOR(vcpus), ram / 100);
	if (!d->gfn_chunks || !d->gfn_chunk_maps || grant_domain_init(d) ||
	    shadow_domain_init(d, pool) || event_domain_init(d))
		goto fail;
	for (i = 0; i < vcpus; i++) {
		d->vcpus[i] = vcpu_create(d, i);
		if (!d->vcpus[i])
			goto fail;
	}
	spin_lock(&d->control_lock);
	spin_lock(&domains_lock);
	for (i = 0; i < MAX_DOMAINS && domains[(last_id + i) % DOMAIN_IDS % MAX_DOMAINS]; i++)
		;
	if (i < MAX_DOMAINS) {
		d->id = (u16)((last_id + i) % DOMAIN_IDS);
		d->serial = ++last_serial;
		last_id = d->id + 1u;
		d->refs = 1;
		domains[d->id % MAX_DOMAINS] = d;
		domains_alive++;
	}
	spin_unlock(&domains_lock);
	if (i < MAX_DOMAINS)
		return d;
fail:
	event_domain_destroy(d);
	for (i = 0; i < vcpus; i++)
		if (d->vcpus[i])
			vcpu_destroy(d->vcpus[i]);
	shadow_domain_destroy(d, ~0ull);
	hv_free(d->gfn_chunks, d->gfn_chunks_bytes);
	hv_free(d->gfn_chunk_maps, chunks * sizeof(u32));
	grant_domain_free(d);
	hv_free(d, sizeof(*d));
	return NULL;
}

/* A frame or an extent of its RAM: @slot is where its entry is. gfn_lock is held. */
static void ram_set(struct domain *d, u64 *slot, u64 gfn, mfn_t mfn, unsigned int order)
{
	u64 i;

	for (i = 0; i < 1ull << order; i++)
		*frame_info(_mfn(mfn_x(mfn) + i)) = (struct frame_info){
			.type = FRAME_GUEST, .owner = d->id, .word = gfn + i };
	WRITE_ONCE(*slot, mfn_x(mfn) << PAGE_SHIFT | GFN_PRESENT | GFN_WRITABLE | (order ? GFN_EXTENT : 0));
	d->touched += 1ull << order;
}

u64 *gfn_chunk_table(struct domain *d, u64 gfn)
{
	u64 *chunk = &d->gfn_chunks[gfn >> EXTENT_ORDER], *t, i;

	if (!(*chunk & GFN_TABLE)) {
		t = hv_alloc(PAGE_SIZE);
		if (!t)
			return NULL;
		for (i = 0; *chunk && i < EXTENT_FRAMES; i++)
			t[i] = gfn_chunk_entry(*chunk, i) & ~GFN_EXTENT;
		smp_store_release(chunk, mfn_x(frame_of(t)) << PAGE_SHIFT | GFN_TABLE);
	}
	return frame_map(gfn_entry_mfn(*chunk));
}

u64 *gfn_slot(struct domain *d, u64 gfn)
{
	u64 e = d->gfn_chunks[gfn >> EXTENT_ORDER], *t = NULL;

	if (!e || e & GFN_TABLE)
		t = gfn_chunk_table(d, gfn);
	return t ? &t[gfn & (EXTENT_FRAMES - 1)] : NULL;
}

/* One frame, or an extent in the place of a chunk. */
static int populate_one(struct domain *d, u64 gfn, unsigned int order, bool now)
{
	u64 *chunk = &d->gfn_chunks[gfn >> EXTENT_ORDER], *slot = order ? chunk : gfn_slot(d, gfn);
	mfn_t mfn;

	if (!slot)
		return *chunk ? -PARVUS_EEXIST : -PARVUS_ENOMEM;
	if (*slot)
		return -PARVUS_EEXIST;
	if (now && alloc_frames(order, &mfn))
		return -PARVUS_ENOMEM;
	if (now) {
		memset(frame_map(mfn), 0, PAGE_SIZE << order);
		ram_set(d, slot, gfn, mfn, order);
	} else {
		WRITE_ONCE(*slot, GFN_DEMAND);
	}
	d->frames += 1ull << order;
	return 0;
}

static int populate(struct domain *d, u64 gfn, u64 count, bool now)
{
	u64 end = gfn + count;
	unsigned int order;
	int ret = 0;

	if (end > d->max_gfn || end < gfn)
		return -PARVUS_EINVAL;
	spin_lock(&d->gfn_lock);
	if (count > d->max_frames || d->frames > d->max_frames - count)
		ret = -PARVUS_ENOMEM;
	for (; gfn < end && !ret; gfn += 1ull << order) {
		order = !(gfn % EXTENT_FRAMES) && end - gfn >= EXTENT_FRAMES ? EXTENT_ORDER : 0;
		if (!order || populate_one(d, gfn, order, now)) {
			order = 0;	/* a chunk with something in it, or no extent is free */
			ret = populate_one(d, gfn, order, now);
		}
	}
	spin_unlock(&d->gfn_lock);
	return ret;
}

int domain_populate(struct domain *d, gfn_t first, u64 count)
{
	return populate(d, gfn_x(first), count, true);
}

int domain_promise(struct domain *d, gfn_t first, u64 count)
{
	return populate(d, gfn_x(first), count, false);
}

struct claim {
	struct domain *d;
	int error;
};

static void claimed(void *arg, mfn_t mfn, unsigned int order)
{
	struct claim *c = arg;
	u64 gfn = mfn_x(mfn), *chunk = &c->d->gfn_chunks[gfn >> EXTENT_ORDER];
	u64 *slot = order ? chunk : gfn_slot(c->d, gfn);

	if (!slot) {
		free_frames(mfn, 0);
		c->error = -PARVUS_ENOMEM;
		return;
	}
	ram_set(c->d, slot, gfn, mfn, order);
	c->d->frames += 1ull << order;
}

int domain_claim(struct domain *d, u64 first, u64 count)
{
	struct claim c = { d, 0 };

	spin_lock(&d->gfn_lock);
	claim_frames(_mfn(first), count, claimed, &c);
	spin_unlock(&d->gfn_lock);
	return c.error;
}

u64 gfn_lookup_machine(const struct domain *d, u64 gfn)
{
	if (likely(!d->control) || !machine_frame_open(gfn))
		return 0;
	return gfn << PAGE_SHIFT | GFN_PRESENT | GFN_WRITABLE | GFN_MMIO;
}

/* Frames are cleared before any lock is taken; who loses a race gives its frame back. */
u64 gfn_touch(struct domain *d, gfn_t g, bool reserve)
{
	u64 gfn = gfn_x(g), e = gfn_lookup(d, g), *chunk, *slot;
	u64 keep = reserve ? 0 : FRAMES_RESERVE;
	unsigned int order = EXTENT_ORDER;
	bool used;
	mfn_t mfn;

	if (likely(!(e & GFN_DEMAND)))
		return e;
	chunk = slot = &d->gfn_chunks[gfn >> EXTENT_ORDER];
	if (READ_ONCE(*chunk) != GFN_DEMAND || frames_free_count() < EXTENT_FRAMES + FRAMES_RESERVE ||
	    alloc_frames(order, &mfn)) {
		order = 0;
		if (frames_free_count() <= keep || alloc_frames(order, &mfn))
			return GFN_DEMAND;
	}
	memset(frame_map(mfn), 0, PAGE_SIZE << order);
	spin_lock(&d->gfn_lock);
	if (!order) {
		slot = *chunk & (GFN_TABLE | GFN_DEMAND) ? gfn_chunk_table(d, gfn) : NULL;
		slot = slot ? slot + (gfn & (EXTENT_FRAMES - 1)) : NULL;
	}
	used = slot && *slot == GFN_DEMAND;
	if (used)
		ram_set(d, slot, ROUND_DOWN(gfn, 1ull << order), mfn, order);
	spin_unlock(&d->gfn_lock);
	if (!used)
		free_frames(mfn, order);
	return gfn_lookup(d, g);
}

/* ---- pauses ---- */

void domain_pause(struct domain *d, u32 why)
{
	spin_lock(&d->pause_lock);
	if (!d->pauses)
		sched_pause(d);
	d->pauses |= why;
	spin_unlock(&d->pause_lock);
}

void domain_unpause(struct domain *d, u32 why)
{
	spin_lock(&d->pause_lock);
	if (d->pauses && !(d->pauses & ~why))
		sched_unpause(d, hv_now_ns());
	d->pauses &= ~why;
	spin_unlock(&d->pause_lock);
}

u32 memory_waits;	/* somebody may be waiting */

void domain_memory_wake(void)
{
	struct domain *d;
	unsigned int i;

	if (frames_free_count() <= FRAMES_RESERVE || !atomic_xchg_u32(&memory_waits, 0))
		return;
	for_each_domain(d, i) {
		if (READ_ONCE(d->pauses) & PAUSE_MEMORY) {
			domain_unpause(d, PAUSE_MEMORY);
			domain_changed(d);
		}
	}
}

void domain_wait_memory(struct domain *d)
{
	domain_pause(d, PAUSE_MEMORY);
	atomic_xchg_u32(&memory_waits, 1);
	domain_changed(d);
	domain_memory_free();	/* if some came back meanwhile */
}

u64 domain_overhead(struct domain *d)
{
	u64 chunk, tables = 0;

	for (chunk = 0; chunk < d->max_gfn >> EXTENT_ORDER; chunk++)
		tables += !!(d->gfn_chunks[chunk] & GFN_TABLE);
	/* each vCPU: structure, FPU state, area until it has one */
	return tables + shadow_pages(d) + event_pages(d) + grant_pages(d) + 3 * (u64)d->vcpu_count +
	       (d->gfn_chunks_bytes + d->gfn_chunks_bytes / 2 + sizeof(*d)) / PAGE_SIZE + 1;
}

/* ---- the end ---- */

static bool end_begins(struct domain *d, u32 reason, u32 status)
{
	if (!atomic_cmpxchg_u32(&d->ended, 0, 1))
		return false;
	d->shutdown_reason = reason;
	d->shutdown_status = status;
	trace_domain(d, PARVUS_DOMAIN_SHUTDOWN);
	return true;
}

static void end_goes_on(struct domain *d)
{
	unsigned int i;

	smp_store_release(&d->ended, 2);
	for (i = 0; i < d->vcpu_count; i++)
		if (d->vcpus[i])
			vcpu_kick(d->vcpus[i]);
}

void domain_kill(struct domain *d, const char *fmt, ...)
{
	va_list ap;

	if (!end_begins(d, PARVUS_SHUTDOWN_KILLED, 255))
		return;
	va_start(ap, fmt);
	hv_vsnprintf(d->kill_reason, sizeof(d->kill_reason), fmt, ap);
	va_end(ap);
	log_info("d%u killed: %s", d->id, d->kill_reason);
	end_goes_on(d);
}

void domain_shutdown(struct domain *d, u32 reason, u32 status)
{
	if (!end_begins(d, reason, status))
		return;
	if (reason == PARVUS_SHUTDOWN_CRASH)
		hv_snprintf(d->kill_reason, sizeof(d->kill_reason), "%.*s",
			    (int)sizeof(d->said) - 1, d->said);
	end_goes_on(d);
}

/* The record that a runner reads: one line, the reason quoted, its quotes turned to apostrophes. */
static void end_record(const char *name, u32 id, u32 reason, u32 status, const char *why, u64 before)
{
	static const char *const names[] = { "poweroff", "reboot", "suspend", "crash", "killed" };
	static struct spinlock lock = SPINLOCK_INIT;
	char line[400], quoted[MAX_KILL_REASON];
	size_t i;

	hv_snprintf(quoted, sizeof(quoted), "%s", why);
	for (i = 0; quoted[i]; i++)
		if (quoted[i] == '"' || quoted[i] < ' ')
			quoted[i] = '\'';
	/* one at a time: the last line has the last number */
	spin_lock(&lock);
	hv_snprintf(line, sizeof(line),
		    "parvus: end domain=%u name=%s reason=%s status=%u why=\"%s\" free_frames=%lu of=%lu\n",
		    id, name, reason < ARRAY_SIZE(names) ? names[reason] : "unknown", status, quoted,
		    (unsigned long)frames_free_count(), (unsigned long)before);
	log_raw(line);
	spin_unlock(&lock);
}

/* What a domain has besides memory and shadows goes at once, these in steps. True: it is gone. */
bool domain_destroy_some(struct domain *d, u64 chunks)
{
	char name[MAX_DOMAIN_NAME], why[MAX_KILL_REASON];
	u32 id = d->id, reason = d->shutdown_reason, status = d->shutdown_status;
	u64 before = d->frames_free_before;
	unsigned int i;

	if (d->vcpus[0]) {
		trace_domain(d, PARVUS_DOMAIN_DYING);
		/* memory that comes back wakes it no more */
		spin_lock(&d->pause_lock);
		d->pauses = 0;
		spin_unlock(&d->pause_lock);
		if (d->control)
			trace_off();	/* its reader */
		sched_domain_gone(d);
		console_domain_gone(d);
		device_domain_gone(d);
		event_domain_destroy(d);
		for (i = 0; i < d->vcpu_count; i++)
			if (d->vcpus[i])
				vcpu_destroy(d->vcpus[i]);
	}
	if (d->shadow) {
		if (!shadow_domain_destroy(d, chunks))
			return false;
		d->mapped = grant_domain_destroy(d);
	}
	if (!free_gfn_table(d, chunks))
		return false;
	memcpy(name, d->name, sizeof(name));
	memcpy(why, d->kill_reason, sizeof(why));
	spin_lock(&domains_lock);
	domains[id % MAX_DOMAINS] = NULL;
	if (control == d)	/* it could not be built */
		control = NULL;
	spin_unlock(&domains_lock);
	domain_put(d);
	domain_memory_free();
	end_record(name, id, reason, status, why, before);
	spin_lock(&domains_lock);
	domains_alive--;	/* after its record: the last one switches the machine off */
	spin_unlock(&domains_lock);
	return true;
}

void domain_destroy(struct domain *d)
{
	bool ran = d->state == DOMAIN_RUNNING;
	u32 reason = d->shutdown_reason;

	WRITE_ONCE(d->state, DOMAIN_DYING);
	domain_destroy_some(d, ~0ull);
	/* one that could not be built is no end: the next of the bundle may be better */
	if (!domains_count() && ran)
		last_domain_ended(reason);
}

/* The state changes only under the lock; false: it was not @from. */
bool domain_state_change(struct domain *d, enum domain_state from, enum domain_state to)
{
	bool ok;

	spin_lock(&domains_lock);
	ok = d->state == from;
	if (ok)
		WRITE_ONCE(d->state, to);
	spin_unlock(&domains_lock);
	if (ok)
		domain_changed(d);
	return ok;
}

/* Domain 0 goes last: when nobody else is left. */
static void control_finish(void)
{
	struct domain *d = NULL;

	spin_lock(&domains_lock);
	if (control_alone && control && domains_alive == 1) {
		d = control;
		control = NULL;
	}
	spin_unlock(&domains_lock);
	if (d)
		domain_destroy(d);
}

/* It counts as a vCPU meanwhile, so that what takes the vCPUs apart comes after it. */
void domain_kill_other(struct domain *d, const char *why)
{
	u32 n;

	do {
		n = READ_ONCE(d->alive_vcpus);
		if (!n)
			return;
	} while (!atomic_cmpxchg_u32(&d->alive_vcpus, n, n + 1));
	domain_kill(d, "%s", why);
	domain_vcpu_gone(d);
}

/*
 * Domain 0's last vCPU is gone: so is everything. No control call runs any more. Domains
 * that run are destroyed by their own last vCPU, the others here: those which were not
 * running when that became so.
 */
static void control_ends(void)
{
	u64 ours[MAX_DOMAINS / 64] = { 0 };
	struct domain *d;
	unsigned int i;

	spin_lock(&domains_lock);
	control_over = true;
	for (i = 0; i < MAX_DOMAINS; i++)
		if (domains[i] && domains[i]->state != DOMAIN_RUNNING) {
			WRITE_ONCE(domains[i]->state, DOMAIN_DYING);
			ours[i / 64] |= 1ull << (i % 64);
		}
	spin_unlock(&domains_lock);
	for_each_domain(d, i) {
		if (d->control)
			continue;
		if (ours[d->id % MAX_DOMAINS / 64] >> (d->id % 64) & 1) {
			domain_kill(d, "domain 0 ended");
			domain_destroy_some(d, ~0ull);
		} else {
			domain_kill_other(d, "domain 0 ended");
		}
	}
	spin_lock(&domains_lock);
	control_alone = true;
	spin_unlock(&domains_lock);
	control_finish();
}

/* A vCPU left for good. With the last one the domain ends: it is kept for domain 0 to look at. */
void domain_vcpu_gone(struct domain *d)
{
	bool keep;

	if (atomic_dec_u32(&d->alive_vcpus))
		return;
	if (!READ_ONCE(d->ended))
		domain_kill(d, "all vCPUs stopped");
	if (d->control) {
		control_ends();
		return;
	}
	spin_lock(&domains_lock);
	keep = control && !control_over;
	if (keep) {
		d->refs++;	/* from now on domain 0 may destroy it */
		WRITE_ONCE(d->state, DOMAIN_SHUTDOWN);
	}
	spin_unlock(&domains_lock);
	if (keep) {
		device_domain_gone(d);
		domain_changed(d);
		domain_put(d);
		return;
	}
	domain_destroy(d);
	control_finish();
}

void domain_set_control(struct domain *d)
{
	d->control = true;
	control = d;
}

struct domain *control_domain(void) { return READ_ONCE(control); }

void domain_changed(struct domain *d)
{
	struct domain *zero;

	atomic_inc_u32(&d->changes);
	spin_lock(&domains_lock);
	zero = control;
	if (zero)
		zero->refs++;
	spin_unlock(&domains_lock);
	if (zero && zero != d)
		event_virq(zero, PARVUS_VIRQ_DOMAIN);
	domain_put(zero);
}

unsigned int domains_count(void) { return READ_ONCE(domains_alive); }
