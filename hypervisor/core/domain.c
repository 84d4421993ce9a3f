// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains: made, found, paused, ended, taken apart. A domain ends once, for the first reason
 * given; its vCPUs then leave their pCPUs one by one. With the last it is kept for domain 0 to
 * look at, until that destroys it; or, if there is no domain 0, it is taken apart at once. When
 * all has gone an end record is written to the debug port, where test runners read it.
 */
#include <core/event.h>
#include <core/grant.h>
#include <core/handlers.h>
#include <core/log.h>
#include <core/memory.h>
#include <core/sched.h>
#include <core/trace.h>
#include <parvus/event.h>

struct domain *domains[MAX_DOMAINS];
u32 reboot_when;
static struct {
	struct spinlock lock;	/* of all of it, of domains[], and of references */
	u32 alive;
	u32 last_id;		/* they go up: an old one does not soon mean another domain */
	u32 last_serial;
	u64 reserved[MAX_DOMAINS / 64];	/* slots of domains that are being made */
	struct domain *control;	/* domain 0, if there is one */
	bool control_over;	/* it has ended: nothing is kept for it */
	bool control_alone;	/* all others were told, and nobody holds one of them for that */
	struct timer watch;	/* until domain 0 is up; no lock of ours */
} census = { .lock = SPINLOCK_INIT(LOCK_DOMAINS) };

#define ANY		0xffffffffu

static struct domain *domain_get_slot(unsigned int slot, u32 id)
{
	struct domain *d;

	HOLD(&census.lock);
	d = domains[slot];
	if (!d || (id != ANY && d->id != id))
		return NULL;
	d->refs++;
	return d;
}

struct domain *domain_get(u32 id)
{
	return id < DOMAIN_IDS ? domain_get_slot(id % MAX_DOMAINS, id) : NULL;
}

void domain_unref(struct domain *d)
{
	bool last;

	spin_lock(&census.lock);
	last = !--d->refs;
	spin_unlock(&census.lock);
	if (last) {
		grant_domain_free(d);
		hv_free(d->own, sizeof(*d->own));
		hv_free(d, sizeof(*d));
	}
}

struct domain *domain_next(struct domain *d)
{
	unsigned int slot = d ? d->id % MAX_DOMAINS + 1 : 0;

	domain_put(d);
	for (d = NULL; !d && slot < MAX_DOMAINS; slot++)
		d = domain_get_slot(slot, ANY);
	return d;
}

void domain_hold(struct domain *d)
{
	HOLD(&census.lock);
	d->refs++;
}

static void locks_init(struct domain *d)
{
	spin_init(&d->destroy_lock, LOCK_DESTROY);
	spin_init(&d->control_lock, LOCK_CONTROL);
	spin_init(&d->pause_lock, LOCK_PAUSE);
	spin_init(&d->event_lock, LOCK_EVENT);
	spin_init(&d->gfn_lock, LOCK_GFN);
	spin_init(&d->sched.lock, LOCK_CAP);
	spin_init(&d->view.lock, LOCK_VIEW);
}

/* The number comes first: all memory of the domain is known by it. False: there is none. */
static bool number_reserve(struct domain *d, u32 number)
{
	HOLD(&census.lock);
	for (u32 i = 0; i < (number ? 1 : MAX_DOMAINS); i++) {
		u32 id = (number ?: census.last_id + i) % DOMAIN_IDS, slot = id % MAX_DOMAINS;

		if (domains[slot] || census.reserved[slot / 64] >> slot % 64 & 1)
			continue;
		d->id = (u16)id;
		census.reserved[slot / 64] |= 1ull << slot % 64;
		return true;
	}
	return false;
}

bool domain_number_free(u32 number)
{
	HOLD(&census.lock);
	return !domains[number % MAX_DOMAINS];
}

/* The domain is there, or it is not to be (@d->refs is 0). */
static void number_use(struct domain *d, u32 number)
{
	HOLD(&census.lock);
	census.reserved[d->id % MAX_DOMAINS / 64] &= ~(1ull << (d->id % 64));
	if (!d->refs)
		return;
	d->serial = ++census.last_serial;
	if (!number)
		census.last_id = d->id + 1u;
	domains[d->id % MAX_DOMAINS] = d;
	census.alive++;
}

struct domain *domain_create(const char *name, u64 max_gfn, u64 ram, unsigned int vcpus,
			     bool claims, u32 number)
{
	u64 before = frames_free_count(), chunks = ROUND_UP(max_gfn, EXTENT_FRAMES) >> EXTENT_ORDER;
	u64 pool;
	struct domain *d;

	if (!vcpus || vcpus > MAX_VCPUS || !ram || max_gfn < ram ||
	    max_gfn > MAX_MACHINE_MEM >> PAGE_SHIFT)
		return NULL;
	d = hv_alloc_public(sizeof(*d));
	if (!d || !number_reserve(d, number)) {
		hv_free(d, sizeof(*d));
		return NULL;
	}
	locks_init(d);
	d->self = d->id;
	hv_snprintf(d->name, sizeof(d->name), "%s", name);
	d->frames_free_before = before;
	d->vcpu_count = d->vcpus_target = vcpus;
	d->weight = 256;
	d->max_gfn = chunks << EXTENT_ORDER;
	d->ram_frames = d->max_frames = d->target_frames = ram;
	d->created_ns = arch_now_ns();
	d->gfn_chunks_bytes = chunks * sizeof(u64);
	d->gfn_chunks = hv_alloc_own(d->id, d->gfn_chunks_bytes);
	d->gfn_chunk_maps = hv_alloc_own(d->id, chunks * sizeof(u32));
	pool = max((u64)SHADOW_POOL_FLOOR(vcpus), ram / 100);
	d->own = hv_alloc_own(d->id, sizeof(*d->own));
	if (!d->own || !d->gfn_chunks || !d->gfn_chunk_maps || arch_view_init(d) ||
	    grant_domain_init(d) || shadow_domain_init(d, pool) || event_domain_init(d))
		goto fail;
	arch_generation(d->own->generation_id);
	for (unsigned int i = 0; i < vcpus; i++) {
		d->vcpus[i] = vcpu_create(d, i);
		if (!d->vcpus[i])
			goto fail;
	}
	d->claims = claims;	/* each chunk may get a table */
	if (claims && !frames_claim(d, (s64)(ram + chunks), false))
		goto fail;
	spin_lock(&d->control_lock);	/* now there are others who know of it */
	d->refs = 1;
	number_use(d, number);
	return d;
fail:
	event_domain_destroy(d);
	for (unsigned int i = 0; i < vcpus; i++)
		if (d->vcpus[i])
			vcpu_destroy(d->vcpus[i]);
	shadow_domain_destroy(d, ~0ull);
	hv_free(d->gfn_chunks, d->gfn_chunks_bytes);
	hv_free(d->gfn_chunk_maps, chunks * sizeof(u32));
	grant_domain_free(d);
	arch_view_free(d);
	number_use(d, number);
	hv_free(d->own, sizeof(*d->own));
	hv_free(d, sizeof(*d));
	return NULL;
}

/* ---- pauses ---- */

void domain_pause(struct domain *d, u32 why)
{
	HOLD(&d->pause_lock);
	if (!d->pauses) {
		sched_pause(d);
		clock_stop(d);
	}
	d->pauses |= why;
}

void domain_unpause(struct domain *d, u32 why)
{
	HOLD(&d->pause_lock);
	if (d->pauses && !(d->pauses & ~why)) {
		clock_go(d);
		sched_unpause(d, arch_now_ns());
	}
	d->pauses &= ~why;
}

int domain_start(struct domain *d, u64 entry, u64 root, u64 info)
{
	struct vcpu *v = d->vcpus[0];

	if (!canonical(entry) || (root & (PAGE_SIZE - 1)))
		return hv_error(PARVUS_EINVAL);
	if (!gfn_is_writable_ram(gfn_touch(d, _gfn(root >> PAGE_SHIFT), true)))
		return hv_error(PARVUS_EFAULT);
	if (READ_ONCE(d->ended) || !sched_start(v))
		return hv_error(PARVUS_EBUSY);
	vcpu_reset(v, entry, 0, root);
	v->own->regs.rsi = info;
	WRITE_ONCE(d->state, DOMAIN_RUNNING);
	trace_domain(d, PARVUS_DOMAIN_RUNNING);
	d->alive_vcpus = 1;
	sched_started(v);
	return 0;
}

u64 domain_overhead(struct domain *d)
{
	u64 chunk, tables = 0;

	for (chunk = 0; chunk < d->max_gfn >> EXTENT_ORDER; chunk++)
		tables += !!(d->gfn_chunks[chunk] & GFN_TABLE);
	/* each vCPU: structure, FPU state, area until it has one */
	return tables + d->view.pages + shadow_pages(d) + event_pages(d) + grant_pages(d) +
	       3 * (u64)d->vcpu_count +
	       (d->gfn_chunks_bytes + d->gfn_chunks_bytes / 2 + sizeof(*d->own)) / PAGE_SIZE + 2;
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
	smp_store_release(&d->ended, 2);
	for (unsigned int i = 0; i < d->vcpu_count; i++)
		if (d->vcpus[i])
			vcpu_wake(d->vcpus[i]);
}

/* The vCPU here may be the culprit, its domain ended by a sibling: it leaves even so (rule 65). */
static void end_here(const struct domain *d)
{
	struct cpu *c = arch_this();

	if (c->current && c->current->domain == d)
		cpu_work_add(c, WORK_RESCHED);
}

void domain_kill(struct domain *d, const char *fmt, ...)
{
	va_list ap;

	end_here(d);
	if (!end_begins(d, PARVUS_SHUTDOWN_KILLED, 255))
		return;
	va_start(ap, fmt);
	hv_vsnprintf(d->own->kill_reason, sizeof(d->own->kill_reason), fmt, ap);
	va_end(ap);
	log_info("d%u killed: %s", d->id, d->own->kill_reason);
	end_goes_on(d);
}

s64 hc_shutdown(struct vcpu *v, u64 reason, u64 status)
{
	struct domain *d = v->domain;

	if (reason > PARVUS_SHUTDOWN_CRASH || reason == PARVUS_SHUTDOWN_SUSPEND || status > 255)
		return hv_error(PARVUS_EINVAL);
	end_here(d);
	if (!end_begins(d, (u32)reason, (u32)status))
		return 0;
	if (reason == PARVUS_SHUTDOWN_CRASH)
		hv_snprintf(d->own->kill_reason, sizeof(d->own->kill_reason), "%.*s",
			    (int)sizeof(d->own->said) - 1, d->own->said);
	end_goes_on(d);
	return 0;
}

/* The record that a runner reads: one line, the reason quoted, its quotes turned to apostrophes. */
static void end_record(const char *name, u32 id, u32 reason, u32 status, const char *why,
		       u64 before)
{
	static const char *const names[] = { "poweroff", "reboot", "suspend", "crash", "killed" };
	static struct spinlock lock = SPINLOCK_INIT(LOCK_RECORD);
	char line[400], quoted[MAX_KILL_REASON];

	hv_snprintf(quoted, sizeof(quoted), "%s", why);
	for (size_t i = 0; quoted[i]; i++)
		if (quoted[i] == '"' || quoted[i] < ' ')
			quoted[i] = '\'';
	/* one at a time: the last line has the last number */
	HOLD(&lock);
	hv_snprintf(line, sizeof(line),
		    "parvus: end domain=%u name=%s reason=%s status=%u why=\"%s\" "
		    "free_frames=%lu of=%lu\n",
		    id, name, reason < ARRAY_SIZE(names) ? names[reason] : "unknown", status,
		    quoted, frames_free_count(), before);
	log_raw(line);
}

/* What a domain has besides memory and shadows goes at once, these in steps. True: it is gone. */
bool domain_destroy_some(struct domain *d, u64 chunks)
{
	char name[MAX_DOMAIN_NAME], why[MAX_KILL_REASON];
	u32 id = d->id, reason = d->shutdown_reason, status = d->shutdown_status;
	u64 before = d->frames_free_before;

	if (d->vcpus[0]) {
		trace_domain(d, PARVUS_DOMAIN_DYING);
		frames_claim(d, -(s64)d->claim, false);
		/* memory that comes back wakes it no more */
		spin_lock(&d->pause_lock);
		d->pauses = 0;
		spin_unlock(&d->pause_lock);
		if (d->control)
			trace_off();	/* its reader */
		sched_domain_gone(d);
		console_domain_gone(d);
		irq_domain_gone(d);
		device_domain_gone(d);
		event_domain_destroy(d);
		for (unsigned int i = 0; i < d->vcpu_count; i++)
			if (d->vcpus[i])
				vcpu_destroy(d->vcpus[i]);
	}
	if (d->shadow) {
		if (!shadow_domain_destroy(d, chunks))
			return false;
		d->mapped = grant_domain_destroy(d);
	}
	if (!memory_free(d, chunks))
		return false;
	arch_view_free(d);
	memcpy(name, d->name, sizeof(name));
	memcpy(why, d->own->kill_reason, sizeof(why));
	spin_lock(&census.lock);
	domains[id % MAX_DOMAINS] = NULL;
	if (census.control == d)	/* it could not be built */
		census.control = NULL;
	spin_unlock(&census.lock);
	domain_put(d);
	domain_memory_free();
	end_record(name, id, reason, status, why, before);
	HOLD(&census.lock);
	census.alive--;	/* after its record: the last one switches the machine off */
	return true;
}

/* All of it, where nobody comes again for the next step. */
static void destroy_whole(struct domain *d)
{
	while (!domain_destroy_some(d, DESTROY_CHUNKS))
		arch_breathe();
}

void domain_destroy(struct domain *d)
{
	bool ran = d->state == DOMAIN_RUNNING;
	u32 reason = d->shutdown_reason;

	WRITE_ONCE(d->state, DOMAIN_DYING);
	destroy_whole(d);
	/* one that could not be built is no end: the next of the bundle may be better */
	if (domains_count() || !ran)
		return;
	log_info("last domain ended; a timer was %lu ticks late at the most", arch_timer_late());
	log_raw("parvus: off\n");
	if (reason >= PARVUS_SHUTDOWN_CRASH)
		arch_record_keep();
	/* or again, if the command line says so for that reason */
	arch_power_off(reboot_when & (reason >= PARVUS_SHUTDOWN_CRASH ? REBOOT_BROKEN :
				      reason == PARVUS_SHUTDOWN_REBOOT ? REBOOT_ASKED : 0));
}

void domain_dying(struct domain *d)
{
	bool ok;

	spin_lock(&census.lock);
	ok = d->state == DOMAIN_BUILDING || d->state == DOMAIN_SHUTDOWN;
	if (ok)
		WRITE_ONCE(d->state, DOMAIN_DYING);
	spin_unlock(&census.lock);
	if (ok)
		domain_changed(d);
}

/* Domain 0 goes last: when nobody else is left. */
static void control_finish(void)
{
	struct domain *d = NULL;

	spin_lock(&census.lock);
	if (census.control_alone && census.control && census.alive == 1) {
		d = census.control;
		census.control = NULL;
	}
	spin_unlock(&census.lock);
	if (d)
		domain_destroy(d);
}

/* No vCPU is alive: a domain that is being built will not start. False: it has just started. */
static bool kill_unborn(struct domain *d, const char *why)
{
	HOLD(&d->control_lock);
	if (d->state == DOMAIN_BUILDING)
		domain_kill(d, "%s", why);
	return d->state != DOMAIN_RUNNING || READ_ONCE(d->ended);
}

/* It counts as a vCPU meanwhile, so that what takes the vCPUs apart comes after it. */
void domain_kill_other(struct domain *d, const char *why)
{
	u32 n;

	do {
		n = READ_ONCE(d->alive_vcpus);
		if (!n && kill_unborn(d, why))
			return;
	} while (!n || !atomic_cmpxchg_u32(&d->alive_vcpus, n, n + 1));
	domain_kill(d, "%s", why);
	domain_vcpu_gone(d);
}

/* Domain 0 is gone: so is all. Domains that run go by their last vCPU, the others here. */
static void control_ends(void)
{
	u64 ours[MAX_DOMAINS / 64] = { 0 };

	spin_lock(&census.lock);
	census.control_over = true;
	for (unsigned int i = 0; i < MAX_DOMAINS; i++)
		if (domains[i] && domains[i]->state != DOMAIN_RUNNING) {
			WRITE_ONCE(domains[i]->state, DOMAIN_DYING);
			ours[i / 64] |= 1ull << (i % 64);
		}
	spin_unlock(&census.lock);
	for_each_domain(d) {
		if (d->control)
			continue;
		if (ours[d->id % MAX_DOMAINS / 64] >> (d->id % 64) & 1) {
			domain_kill(d, "domain 0 ended");
			destroy_whole(d);
		} else {
			domain_kill_other(d, "domain 0 ended");
		}
	}
	spin_lock(&census.lock);
	census.control_alone = true;
	spin_unlock(&census.lock);
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
	spin_lock(&census.lock);
	keep = census.control && !census.control_over;
	if (keep) {
		d->refs++;	/* from now on domain 0 may destroy it */
		WRITE_ONCE(d->state, DOMAIN_SHUTDOWN);
	}
	spin_unlock(&census.lock);
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
	census.control = d;
}

static void watch_fires(UNUSED struct timer *t)
{
	reboot_when |= REBOOT_BROKEN;
	panic("bootwatch: domain 0 did not come up in time");
}

void control_watch(u64 ns)
{
	census.watch.fire = watch_fires;
	if (ns)
		timer_set(&census.watch, 0, arch_now_ns() + ns);
	else if (READ_ONCE(census.watch.heap_index))
		timer_cancel(&census.watch);
}

struct domain *control_domain(void) { return READ_ONCE(census.control); }

void domain_changed(struct domain *d)
{
	struct domain *zero;

	atomic_inc_u32(&d->changes);
	spin_lock(&census.lock);
	zero = census.control;
	if (zero)
		zero->refs++;
	spin_unlock(&census.lock);
	if (zero && zero != d)
		event_send_virq(zero, PARVUS_VIRQ_DOMAIN);
	domain_put(zero);
}

unsigned int domains_count(void) { return READ_ONCE(census.alive); }
