// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: suspend a domain, let it go on, and write it into a stream (stream.h).
 *
 * The order is the point: the vCPUs stop; back ends let go of the devices, and finish what they
 * were given; no offer is in use any more, which the hypervisor knows; then memory, so that no
 * answer is in it whose data came later; then the pages that the hypervisor itself writes, once
 * more; then the context.
 */
#include "context.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OFF_MS		5000	/* for its vCPUs to leave their CPUs */
#define LET_GO_MS	30000	/* for back ends to let go */

/* ---- suspend, resume ------------------------------------------------------------------- */

/* What a domain that nobody can save has, while it runs still. */
static int can_be_saved(struct parvus *h, const struct parvus_control_info *i)
{
	struct parvus_device d;
	uint32_t at = 0;

	if (i->flags & PARVUS_INFO_CONTROL)
		return pv_fail(h->error, EPERM, "domain %u is the control domain, which cannot be "
			       "suspended", i->domain);
	if (i->state != PARVUS_DOMAIN_RUNNING && i->state != PARVUS_DOMAIN_SHUTDOWN)
		return pv_fail(h->error, EBUSY, "domain %u neither runs nor has ended", i->domain);
	while (!parvus_device_next(h, at, &d)) {
		at = d.id;
		if (d.back_domain == i->domain)
			return pv_fail(h->error, ENOTSUP, "domain %u serves device %u of domain "
				       "%u, and cannot be suspended", i->domain, d.id,
				       d.front_domain);
		if (d.front_domain == i->domain && d.back_domain)
			return pv_fail(h->error, ENOTSUP, "device %u of domain %u is served by "
				       "domain %u: it cannot be suspended", d.id, i->domain,
				       d.back_domain);
	}
	return 0;
}

static int wait_off(struct parvus *h, uint32_t domain)
{
	int64_t until = pv_now_ms() + OFF_MS;
	struct parvus_control_info i;
	int ret;

	for (;;) {
		ret = parvus_domain_info(h, domain, &i);
		if (ret || !(i.flags & PARVUS_INFO_RUNNING))
			return ret;
		if (pv_now_ms() >= until)
			return pv_fail(h->error, ETIMEDOUT, "domain %u still runs, %u s after it "
				       "was paused", domain, OFF_MS / 1000);
		usleep(1000);
	}
}

/* The first offer in use, but for @except; 0 = none. */
static int used_offer(struct parvus *h, uint32_t domain, uint32_t except, uint32_t *ref)
{
	struct parvus_context_offer page[PAGE / sizeof(struct parvus_context_offer) + 1];
	uint32_t bytes, i;
	uint64_t from = 0;
	int ret;

	*ref = 0;
	do {
		ret = pv_context_list(h, domain, PARVUS_CONTEXT_OFFERS, &from, page, &bytes);
		for (i = 0; !ret && i < bytes / sizeof(*page); i++)
			if (page[i].flags & PARVUS_CONTEXT_USED && page[i].ref != except) {
				*ref = page[i].ref;
				return 0;
			}
	} while (!ret && bytes);
	return ret;
}

static int wait_unused(struct parvus *h, uint32_t domain, uint32_t except)
{
	int64_t until = pv_now_ms() + LET_GO_MS;
	uint32_t ref;
	int ret;

	for (;;) {
		ret = used_offer(h, domain, except, &ref);
		if (ret || !ref)
			return ret;
		if (pv_now_ms() >= until)
			return pv_fail(h->error, ETIMEDOUT, "domain %u: grant %u is in use still, "
				       "%u s after its devices were suspended", domain, ref,
				       LET_GO_MS / 1000);
		usleep(2000);
	}
}

int parvus_domain_suspend(struct parvus *h, uint32_t domain, uint32_t console_ref)
{
	struct parvus_control_info i;
	struct parvus_error why;
	bool paused, suspended = false;
	int ret = parvus_domain_info(h, domain, &i);

	if (!ret)
		ret = can_be_saved(h, &i);
	if (ret)
		return ret;
	if (i.state == PARVUS_DOMAIN_SHUTDOWN)
		return 0;	/* its vCPUs are off, its devices gone */
	paused = i.flags & PARVUS_INFO_PAUSED;
	if (!paused)
		ret = parvus_domain_pause(h, domain);
	if (ret)
		return ret;
	ret = wait_off(h, domain);
	if (!ret) {
		ret = pv_device_suspend(h, domain, true);
		suspended = !ret;
	}
	if (!ret)
		ret = wait_unused(h, domain, console_ref);
	if (!ret)
		return 0;
	why = *h->error;
	if (suspended)
		pv_device_suspend(h, domain, false);
	if (!paused)
		parvus_domain_unpause(h, domain);
	*h->error = why;
	return ret;
}

int parvus_domain_resume(struct parvus *h, uint32_t domain, bool unpause)
{
	struct parvus_control_info i;
	int ret = parvus_domain_info(h, domain, &i);

	if (ret || i.state == PARVUS_DOMAIN_SHUTDOWN)
		return ret;
	ret = pv_device_suspend(h, domain, false);
	return ret || !unpause ? ret : parvus_domain_unpause(h, domain);
}

/* ---- writing --------------------------------------------------------------------------- */

struct saving {
	struct parvus *h;
	uint32_t domain;
	struct parvus_save *o;
	struct pv_stream s;
	struct parvus_context_domain d;
	struct parvus_context_vcpu v;
	uint64_t done;
	uint8_t *data;			/* PV_PAGES_MAX pages */
	uint8_t page[PAGE];
};

static int put_host(struct saving *g)
{
	struct pv_host host = { .abi = PARVUS_ABI_VERSION };
	struct pv_leaf leaves[PV_HOST_LEAVES];
	uint8_t body[PAGE + sizeof(leaves)];
	int ret = pv_context_get(g->h, g->domain, PARVUS_CONTEXT_HOST, 0, body, &host.record);

	if (ret)
		return ret;
	host.leaves = pv_leaves(leaves);
	memcpy(body + host.record, leaves, host.leaves * sizeof(*leaves));
	return pv_stream_write(&g->s, PV_HOST, &host, sizeof(host), body,
			       host.record + host.leaves * sizeof(*leaves));
}

static int put_config(struct saving *g, const struct parvus_state *state)
{
	char *text;
	int ret = parvus_config_text(g->h->error, state->config, &text);

	if (ret)
		return ret;
	ret = pv_stream_write(&g->s, PV_CONFIG, text, strlen(text), NULL, 0);
	free(text);
	return ret;
}

static int put_size(struct saving *g, const struct parvus_state *state)
{
	const struct pv_size z = {
		.gfns = g->d.max_gfn,
		.ram_frames = g->d.ram_frames,
		.max_frames = g->d.max_frames,
		.target_frames = g->d.target_frames,
		.vcpus = g->d.vcpus,
		.self = g->d.self,
		.console_ref = state->console_ref,
		.console_port = state->console_port,
	};

	if (g->d.flags & PARVUS_CONTEXT_TSC)
		return pv_fail(g->h->error, ENOTSUP, "domain %u was made with tsc = \"native\": it "
			       "cannot be saved", g->domain);
	return pv_stream_write(&g->s, PV_SIZE, &z, sizeof(z), NULL, 0);
}

static int put_map(struct saving *g)
{
	struct parvus_context_gfns *list = (void *)g->data;
	struct pv_run *runs = (void *)(g->data + PAGE);
	uint32_t bytes, i;
	uint64_t from = 0;
	int ret;

	for (;;) {
		ret = pv_context_list(g->h, g->domain, PARVUS_CONTEXT_GFNS, &from, list, &bytes);
		if (ret || !bytes)
			return ret;
		for (i = 0; i < bytes / sizeof(*list); i++) {
			if (list[i].state == PARVUS_CONTEXT_GFN_FOREIGN)
				return pv_fail(g->h->error, ENOTSUP, "domain %u maps a grant of "
					       "another domain at gfn 0x%llx: it cannot be saved",
					       g->domain, (unsigned long long)list[i].gfn);
			runs[i] = (struct pv_run){
				.gfn = list[i].gfn, .frames = list[i].frames,
				.kind = list[i].state == PARVUS_CONTEXT_GFN_RAM ? PV_RUN_FRAME :
					PV_RUN_DEMAND,
			};
		}
		ret = pv_stream_write(&g->s, PV_GFNMAP, runs, i * sizeof(*runs), NULL, 0);
		if (ret)
			return ret;
	}
}

static bool zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, PAGE - 1);
}

/* Of @count frames that were read those that are not zero. */
static int put_frames(struct saving *g, uint64_t gfn, uint32_t count)
{
	uint32_t i = 0, n;
	int ret = 0;

	while (!ret && i < count) {
		for (; i < count && zero(g->data + i * PAGE); i++)
			;
		for (n = i; n < count && !zero(g->data + n * PAGE); n++)
			;
		if (n > i)
			ret = pv_stream_write_pages(&g->s, gfn + i, n - i, g->data + i * PAGE,
						    g->o->level);
		i = n;
	}
	return ret;
}

static int progress(struct saving *g)
{
	if (g->o->progress && g->o->progress(g->o->progress_arg, g->done, g->s.frames))
		return pv_fail(g->h->error, ECANCELED, "stopped");
	return 0;
}

static int put_memory(struct saving *g)
{
	size_t r;
	int ret;

	for (r = 0; r < g->s.nruns; r++) {
		const struct pv_run run = g->s.runs[r];
		uint32_t at, n;

		for (at = 0; run.kind == PV_RUN_FRAME && at < run.frames; at += n) {
			n = run.frames - at < PV_PAGES_MAX ? run.frames - at : PV_PAGES_MAX;
			ret = parvus_domain_read(g->h, g->domain, (run.gfn + at) * PAGE, g->data,
						 n * PAGE, NULL);
			if (!ret)
				ret = put_frames(g, run.gfn + at, n);
			g->done += n;
			if (!ret)
				ret = progress(g);
			if (ret)
				return ret;
		}
	}
	return 0;
}

/* A page that the hypervisor writes, as it is now, and zero or not. */
static int put_pinned(struct saving *g, uint64_t gpa)
{
	int ret;

	if (gpa == PARVUS_CONTEXT_NONE)
		return 0;
	ret = parvus_domain_read(g->h, g->domain, gpa & ~(PAGE - 1), g->data, PAGE, NULL);
	return ret ? ret : pv_stream_write_pages(&g->s, gpa / PAGE, 1, g->data, g->o->level);
}

static int put_all_pinned(struct saving *g)
{
	uint32_t i;
	int ret = put_pinned(g, g->d.event_page);

	for (i = 0; !ret && i < g->d.vcpus; i++) {
		ret = pv_context_vcpu(g->h, g->domain, i, &g->v);
		if (!ret)
			ret = put_pinned(g, g->v.area);
		if (!ret)
			ret = put_pinned(g, g->v.clock);
	}
	return ret;
}

static int put_record(struct saving *g, uint32_t kind, uint32_t index)
{
	const struct pv_context c = { .kind = kind, .index = index };
	uint32_t bytes;
	int ret = pv_context_get(g->h, g->domain, kind, index, g->page, &bytes);

	if (!ret && kind == PARVUS_CONTEXT_VCPU && bytes == sizeof(g->v))
		memcpy(&g->v, g->page, bytes);
	return ret ? ret : pv_stream_write(&g->s, PV_CONTEXT, &c, sizeof(c), g->page, bytes);
}

static int put_list(struct saving *g, uint32_t kind)
{
	const struct pv_context c = { .kind = kind };
	const struct parvus_context_offer *offers = (void *)g->page;
	const struct parvus_context_port *ports = (void *)g->page;
	uint64_t from = 0;
	uint32_t bytes, i;
	int ret;

	for (;;) {
		ret = pv_context_list(g->h, g->domain, kind, &from, g->page, &bytes);
		if (ret || !bytes)
			return ret;
		for (i = 0; kind == PARVUS_CONTEXT_OFFERS && i < bytes / sizeof(*offers); i++)
			if (offers[i].to && offers[i].to != PARVUS_CONTEXT_UNKNOWN)
				return pv_fail(g->h->error, ENOTSUP, "domain %u offers grant %u to "
					       "domain %u: it cannot be saved", g->domain,
					       offers[i].ref, offers[i].to);
		for (i = 0; kind == PARVUS_CONTEXT_PORTS && i < bytes / sizeof(*ports); i++)
			if (ports[i].domain && ports[i].kind != PARVUS_EVENT_VIRQ)
				return pv_fail(g->h->error, ENOTSUP, "port %u of domain %u is for "
					       "domain %u: it cannot be saved", ports[i].port,
					       g->domain, ports[i].domain);
		ret = pv_stream_write(&g->s, PV_CONTEXT, &c, sizeof(c), g->page, bytes);
		if (ret)
			return ret;
	}
}

static int put_context(struct saving *g)
{
	uint32_t i;
	int ret = put_record(g, PARVUS_CONTEXT_DOMAIN, 0);

	if (!ret)
		ret = put_record(g, PARVUS_CONTEXT_TRAPS, 0);
	for (i = 0; !ret && i < g->d.vcpus; i++) {
		ret = put_record(g, PARVUS_CONTEXT_VCPU, i);
		if (!ret && g->v.flags & PARVUS_CONTEXT_STARTED)
			ret = put_record(g, PARVUS_CONTEXT_XSAVE, i);
	}
	if (!ret)
		ret = put_list(g, PARVUS_CONTEXT_PORTS);
	if (!ret)
		ret = put_list(g, PARVUS_CONTEXT_OFFERS);
	return ret ? ret : put_list(g, PARVUS_CONTEXT_DEVICES);
}

/* What its back ends have written is on the disk before anybody opens it again. */
static int sync_disks(struct parvus *h, const struct parvus_config *c)
{
	size_t i;

	for (i = 0; i < c->ndisks; i++) {
		const struct parvus_disk *d = &c->disks[i];
		struct stat st;
		int fd, failed;

		if (!d->target || d->readonly || d->backend || stat(d->target, &st) ||
		    !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
			continue;
		fd = open(d->target, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		failed = fd < 0 || fsync(fd) ? errno : 0;
		if (fd >= 0)
			close(fd);
		if (failed)
			return pv_fail(h->error, failed, "%s: %s: %s", d->vdev, d->target,
				       strerror(failed));
	}
	return 0;
}

static int put_all(struct saving *g, const struct parvus_state *state)
{
	int ret = put_host(g);

	if (!ret)
		ret = put_config(g, state);
	if (!ret)
		ret = put_size(g, state);
	if (!ret)
		ret = put_map(g);
	if (!ret)
		ret = put_memory(g);
	if (!ret)
		ret = put_all_pinned(g);
	if (!ret && g->o->console_bytes)
		ret = pv_stream_write(&g->s, PV_CONSOLE, g->o->console, g->o->console_bytes, NULL,
				      0);
	if (!ret)
		ret = put_context(g);
	return ret ? ret : pv_stream_write_end(&g->s);
}

int parvus_save(struct parvus *h, const struct parvus_state *state, const char *name, int fd,
		struct parvus_save *o)
{
	struct saving *g = calloc(1, sizeof(*g));
	int ret;

	if (!g || !(g->data = malloc(PV_PAGES_MAX * PAGE))) {
		free(g);
		return pv_fail(h->error, ENOMEM, "%s: no memory", name);
	}
	g->h = h;
	g->domain = state->domain;
	g->o = o;
	ret = sync_disks(h, state->config);
	if (!ret)
		ret = pv_context_domain(h, state->domain, &g->d);
	if (!ret)
		ret = pv_stream_create(&g->s, h->error, name, fd);
	if (!ret)
		ret = put_all(g, state);
	o->frames = g->s.frames;
	o->pages = g->s.pages;
	o->bytes = g->s.at;
	pv_stream_end(&g->s);
	free(g->data);
	free(g);
	return ret;
}
