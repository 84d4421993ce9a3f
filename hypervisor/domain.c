// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains: their memory (the gfn table) and their end. A domain ends once, for the
 * first reason given; its vCPUs then leave their pCPUs one by one, and the last to
 * go frees everything and writes the end record to the debug port, where test
 * runners read it.
 */
#include <hv/domain.h>
#include <hv/frame.h>
#include <hv/lib.h>
#include <hv/log.h>
#include <hv/platform.h>
#include <hv/sched.h>
#include <hv/shadow.h>
#include <hv/timer.h>

struct domain *domains[MAX_DOMAINS];
static struct spinlock domains_lock = SPINLOCK_INIT;
static u32 domains_alive;

struct domain *domain_get(u32 id)
{
	struct domain *d = NULL;

	spin_lock(&domains_lock);
	if (id < MAX_DOMAINS)
		d = domains[id];
	if (d)
		d->refs++;
	spin_unlock(&domains_lock);
	return d;
}

void domain_put(struct domain *d)
{
	bool last;

	spin_lock(&domains_lock);
	last = !--d->refs;
	spin_unlock(&domains_lock);
	if (last)
		hv_free(d, sizeof(*d));
}

static void free_gfn_table(struct domain *d)
{
	u64 chunk, i, chunks = d->max_gfn >> EXTENT_ORDER, held = 0;

	for (chunk = 0; d->gfn_chunks && chunk < chunks; chunk++) {
		u64 e = d->gfn_chunks[chunk];

		held += d->gfn_chunk_maps[chunk];
		if (e & GFN_EXTENT) {
			for (i = 0; i < EXTENT_FRAMES; i++)
				held += frame_info(_mfn(mfn_x(gfn_entry_mfn(e)) + i))->count;
			free_frames(gfn_entry_mfn(e), EXTENT_ORDER);
		} else if (e & GFN_TABLE) {
			u64 *t = frame_map(gfn_entry_mfn(e));

			for (i = 0; i < EXTENT_FRAMES; i++) {
				if (!(t[i] & GFN_PRESENT))
					continue;
				held += frame_info(gfn_entry_mfn(t[i]))->count;
				free_frames(gfn_entry_mfn(t[i]), 0);
			}
			hv_free(t, PAGE_SIZE);
		}
	}
	if (held)
		log_warn("d%u: %lu shadow entries unaccounted for", d->id, (unsigned long)held);
	hv_free(d->gfn_chunks, d->gfn_chunks_bytes);
	hv_free(d->gfn_chunk_maps, chunks * sizeof(u32));
	d->gfn_chunks = NULL;
}

struct domain *domain_create(const char *name, u64 max_gfn, unsigned int vcpus)
{
	u64 before = frames_free_count(), chunks = ROUND_UP(max_gfn, EXTENT_FRAMES) >> EXTENT_ORDER;
	u64 pool;
	struct domain *d;
	unsigned int i;

	if (!vcpus || vcpus > MAX_VCPUS || !max_gfn || max_gfn > MAX_GUEST_MEM >> PAGE_SHIFT)
		return NULL;
	d = hv_alloc(sizeof(*d));
	if (!d)
		return NULL;
	hv_snprintf(d->name, sizeof(d->name), "%s", name);
	d->frames_free_before = before;
	d->vcpu_count = vcpus;
	d->weight = 256;
	d->max_gfn = chunks << EXTENT_ORDER;
	d->gfn_chunks_bytes = chunks * sizeof(u64);
	d->gfn_chunks = hv_alloc(d->gfn_chunks_bytes);
	d->gfn_chunk_maps = hv_alloc(chunks * sizeof(u32));
	pool = max((u64)SHADOW_POOL_FLOOR(vcpus), d->max_gfn / 100);
	if (!d->gfn_chunks || !d->gfn_chunk_maps || shadow_domain_init(d, pool))
		goto fail;
	spin_lock(&domains_lock);
	for (i = 0; i < MAX_DOMAINS && domains[i]; i++)
		;
	if (i < MAX_DOMAINS) {
		d->id = (u16)i;
		d->refs = 1;
		domains[i] = d;
		domains_alive++;
	}
	spin_unlock(&domains_lock);
	if (i == MAX_DOMAINS)
		goto fail;
	for (i = 0; i < vcpus; i++) {
		d->vcpus[i] = vcpu_create(d, i);
		if (!d->vcpus[i]) {
			d->shutdown_reason = PARVUS_SHUTDOWN_KILLED;
			d->shutdown_status = 255;
			hv_snprintf(d->kill_reason, sizeof(d->kill_reason), "no memory for vCPU %u", i);
			domain_destroy(d);
			return NULL;
		}
	}
	return d;
fail:
	shadow_domain_destroy(d);
	if (d->gfn_chunks && d->gfn_chunk_maps)
		free_gfn_table(d);
	hv_free(d, sizeof(*d));
	return NULL;
}

static void own(struct domain *d, u64 mfn, u64 gfn)
{
	struct frame_info *f = frame_info(_mfn(mfn));

	f->type = FRAME_GUEST;
	f->owner = d->id;
	f->count = 0;
	f->word = gfn;
}

static int populate_frame(struct domain *d, u64 gfn)
{
	u64 *chunk = &d->gfn_chunks[gfn >> EXTENT_ORDER], *t;
	mfn_t mfn;

	if (!*chunk) {
		t = hv_alloc(PAGE_SIZE);
		if (!t)
			return -PARVUS_ENOMEM;
		WRITE_ONCE(*chunk, mfn_x(frame_of(t)) << PAGE_SHIFT | GFN_TABLE);
	}
	if (*chunk & GFN_EXTENT)
		return -PARVUS_EEXIST;
	t = frame_map(gfn_entry_mfn(*chunk));
	if (t[gfn & (EXTENT_FRAMES - 1)])
		return -PARVUS_EEXIST;
	if (alloc_frames(0, &mfn))
		return -PARVUS_ENOMEM;
	memset(frame_map(mfn), 0, PAGE_SIZE);
	own(d, mfn_x(mfn), gfn);
	WRITE_ONCE(t[gfn & (EXTENT_FRAMES - 1)],
		   mfn_x(mfn) << PAGE_SHIFT | GFN_PRESENT | GFN_WRITABLE);
	d->frames++;
	return 0;
}

int domain_populate(struct domain *d, gfn_t first, u64 count)
{
	u64 gfn = gfn_x(first), end = gfn + count, i;
	mfn_t mfn;
	int ret;

	if (end > d->max_gfn || end < gfn)
		return -PARVUS_EINVAL;
	spin_lock(&d->gfn_lock);
	while (gfn < end) {
		u64 *chunk = &d->gfn_chunks[gfn >> EXTENT_ORDER];

		if (!(gfn % EXTENT_FRAMES) && gfn + EXTENT_FRAMES <= end && !*chunk &&
		    !alloc_frames(EXTENT_ORDER, &mfn)) {
			memset(frame_map(mfn), 0, EXTENT_SIZE);
			for (i = 0; i < EXTENT_FRAMES; i++)
				own(d, mfn_x(mfn) + i, gfn + i);
			WRITE_ONCE(*chunk, mfn_x(mfn) << PAGE_SHIFT |
				   GFN_PRESENT | GFN_WRITABLE | GFN_EXTENT);
			d->frames += EXTENT_FRAMES;
			gfn += EXTENT_FRAMES;
			continue;
		}
		ret = populate_frame(d, gfn);
		if (ret) {
			spin_unlock(&d->gfn_lock);
			return ret;
		}
		gfn++;
	}
	spin_unlock(&d->gfn_lock);
	return 0;
}

/* ---- the end ---- */

static bool end_begins(struct domain *d, u32 reason, u32 status)
{
	if (!atomic_cmpxchg_u32(&d->ended, 0, 1))
		return false;
	d->shutdown_reason = reason;
	d->shutdown_status = status;
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
	if (end_begins(d, reason, status))
		end_goes_on(d);
}

/* The record that a runner reads: one line, the reason quoted, its quotes turned to apostrophes. */
static void end_record(const char *name, u32 id, u32 reason, u32 status, const char *why, u64 before)
{
	static const char *const names[] = { "poweroff", "reboot", "suspend", "crash", "killed" };
	char line[400], quoted[MAX_KILL_REASON];
	size_t i;

	hv_snprintf(quoted, sizeof(quoted), "%s", why);
	for (i = 0; quoted[i]; i++)
		if (quoted[i] == '"' || quoted[i] < ' ')
			quoted[i] = '\'';
	hv_snprintf(line, sizeof(line),
		    "parvus: end domain=%u name=%s reason=%s status=%u why=\"%s\" free_frames=%lu of=%lu\n",
		    id, name, reason < ARRAY_SIZE(names) ? names[reason] : "unknown", status, quoted,
		    (unsigned long)frames_free_count(), (unsigned long)before);
	log_raw(line);
}

void domain_destroy(struct domain *d)
{
	char name[MAX_DOMAIN_NAME], why[MAX_KILL_REASON];
	u32 id = d->id, reason = d->shutdown_reason, status = d->shutdown_status;
	u64 before = d->frames_free_before;
	bool ran = d->state == DOMAIN_RUNNING;
	unsigned int i;

	memcpy(name, d->name, sizeof(name));
	memcpy(why, d->kill_reason, sizeof(why));
	WRITE_ONCE(d->state, DOMAIN_DYING);
	console_domain_gone(d);
	for (i = 0; i < d->vcpu_count; i++)
		if (d->vcpus[i])
			vcpu_destroy(d->vcpus[i]);
	shadow_domain_destroy(d);
	free_gfn_table(d);
	spin_lock(&domains_lock);
	domains[id] = NULL;
	domains_alive--;
	i = domains_alive;
	spin_unlock(&domains_lock);
	domain_put(d);
	end_record(name, id, reason, status, why, before);
	/* one that could not be built is no end: the next of the bundle may be better */
	if (!i && ran)
		last_domain_ended(reason);
}

/* A vCPU left for good; the last one takes the domain with it. */
void domain_vcpu_gone(struct domain *d)
{
	if (!atomic_dec_u32(&d->alive_vcpus)) {
		if (!READ_ONCE(d->ended))
			domain_kill(d, "all vCPUs stopped");
		domain_destroy(d);
	}
}

unsigned int domains_count(void) { return READ_ONCE(domains_alive); }
