// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: make a domain of a stream (stream.h). What the stream says of memory and of the domain
 * itself the hypervisor checks, record by record and then whole; what its configuration says of
 * this machine is another's word, and is followed only if the caller says so.
 *
 * The domain belongs to the handle until it is committed; after a failure nothing is left of it.
 * Its devices are made by its keeper, between parvus_restore_state() and parvus_restore_commit().
 */
#include "context.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAVE_MS	20000	/* for the monitor of an earlier domain to end */

struct restoring {
	struct parvus *h;
	const char *name;
	struct parvus_restore *r;
	struct pv_stream s;
	const struct parvus_config *config;
	uint8_t host[PV_HOST_RECORD];
	uint64_t done;
	bool made;
	uint8_t *written;		/* a bit for each gfn */
};

static bool was_written(const struct restoring *g, uint64_t gfn)
{
	return g->written[gfn / 8] & 1u << gfn % 8;
}

/* ---- the machine ------------------------------------------------------------------------ */

static int take_host(struct restoring *g, const uint8_t *body)
{
	struct pv_leaf leaves[PV_HOST_LEAVES];

	memcpy(g->host, body + sizeof(struct pv_host), g->s.host.record);
	memcpy(leaves, body + sizeof(struct pv_host) + g->s.host.record,
	       g->s.host.leaves * sizeof(*leaves));
	return pv_leaves_check(g->h->error, g->name, leaves, g->s.host.leaves);
}

static int not_followed(struct restoring *g, const char *key, const char *what)
{
	return pv_fail(g->h->error, EPERM, "%s: its configuration names %s as %s of this machine: "
		       "--trust-config follows it, or give a configuration", g->name, what, key);
}

/* Paths, programs and scripts of another machine's configuration are not for us. */
static int distrust(struct restoring *g, const struct parvus_config *c)
{
	size_t i;

	if (c->kernel)
		return not_followed(g, "kernel", c->kernel);
	if (c->ramdisk)
		return not_followed(g, "ramdisk", c->ramdisk);
	for (i = 0; i < c->ndisks; i++)
		if (c->disks[i].target)
			return not_followed(g, "disk", c->disks[i].target);
	for (i = 0; i < c->nvifs; i++)
		if (c->vifs[i].script)
			return not_followed(g, "script", c->vifs[i].script);
	for (i = 0; i < c->nown; i++)
		if (c->own[i].config || c->own[i].program)
			return not_followed(g, "device", c->own[i].spec);
	return 0;
}

static int take_config(struct restoring *g, const char *text, size_t bytes)
{
	char where[200];
	int ret;

	if (g->r->given) {
		g->config = g->r->given;
		return 0;
	}
	snprintf(where, sizeof(where), "%.180s (CONFIG)", g->name);
	ret = parvus_config_parse(g->h->error, where, text, bytes, NULL, 0, &g->r->own);
	if (!ret && !g->r->trusted)
		ret = distrust(g, g->r->own);
	g->config = g->r->own;
	return ret;
}

/* ---- memory ----------------------------------------------------------------------------- */

/* With its own number, if nobody has it. */
static int create(struct restoring *g)
{
	const struct pv_size *z = &g->s.size;
	struct parvus_control_create c = {
		.domain = z->self, .vcpus = z->vcpus, .max_frames = z->ram_frames,
		.extra_gfns = z->gfns - z->ram_frames, .weight = g->config->weight,
		.cap = g->config->cap, .flags = PARVUS_CREATE_NUMBER,
	};
	struct parvus_control_machine m;
	int lock = pv_lock(g->h), ret;

	if (lock < 0)
		return lock;
	if (!g->config->overcommit)
		c.flags |= PARVUS_CREATE_CLAIM;
	parvus_label(g->config->name, c.name);
	ret = pv_name_free(g->h, g->config->name, PARVUS_DOMAIN_SELF);
	if (!ret)
		ret = parvus_machine(g->h, &m);
	if (!ret)
		ret = pv_room(g->h, g->config, &m, z->ram_frames, z->vcpus);
	if (!ret) {
		ret = pv_call(g->h, PARVUS_CONTROL_CREATE, &c, sizeof(c));
		if (ret == -PARVUS_EEXIST || ret == -PARVUS_EINVAL) {
			c.flags &= ~(uint64_t)PARVUS_CREATE_NUMBER;
			ret = parvus_domain_create(g->h, &c);
		} else if (ret < 0) {
			pv_fail(g->h->error, -ret, "%s: make domain %u: %s", g->name, z->self,
				strerror(-ret));
		}
	}
	pv_unlock(lock);
	if (ret < 0)
		return ret;
	g->made = true;
	g->r->build.domain = c.domain;
	g->r->build.console_ref = z->console_ref;
	g->r->build.console_port = z->console_port;
	return 0;
}

static int take_size(struct restoring *g)
{
	int ret = create(g);

	if (!ret && g->config->cpuid)	/* as when it was made, or what it has enabled is refused */
		ret = pv_cpuid_apply(g->h, g->r->build.domain, g->config->cpuid);
	if (!ret)
		ret = pv_context_set(g->h, g->r->build.domain, PARVUS_CONTEXT_HOST, 0, g->host,
				     g->s.host.record);
	if (ret)
		return ret;
	g->written = calloc(1, g->s.size.gfns / 8 + 1);
	return g->written ? 0 : pv_fail(g->h->error, ENOMEM, "%s: no memory", g->name);
}

static int take_map(struct restoring *g, const struct pv_record *r)
{
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < r->bytes / sizeof(struct pv_run); i++) {
		struct pv_run run;

		memcpy(&run, (const uint8_t *)r->body + i * sizeof(run), sizeof(run));
		ret = parvus_domain_populate(g->h, g->r->build.domain, run.gfn, run.frames, 0);
	}
	return ret;
}

static int take_pages(struct restoring *g, const struct pv_record *r)
{
	struct pv_pages p;
	uint32_t i;
	int ret;

	memcpy(&p, r->body, sizeof(p));
	ret = parvus_domain_write(g->h, g->r->build.domain, p.gfn * PAGE,
				  p.codec == PV_CODEC_RAW ? (const uint8_t *)r->body + sizeof(p) :
				  r->pages, p.count * PAGE);
	for (i = 0; i < p.count; i++)
		g->written[(p.gfn + i) / 8] |= (uint8_t)(1u << (p.gfn + i) % 8);
	g->done += p.count;
	if (!ret && g->r->progress &&
	    g->r->progress(g->r->progress_arg, g->done, g->s.frames))
		ret = pv_fail(g->h->error, ECANCELED, "stopped");
	return ret;
}

/* ---- the context -------------------------------------------------------------------------- */

/* A frame that is offered is there, though it may be zero, and so was not written. */
static int touch(struct restoring *g, const uint8_t *data, uint32_t bytes)
{
	static const uint8_t zero[PAGE];
	struct parvus_context_offer o;
	uint32_t i;
	int ret = 0;

	for (i = 0; !ret && i < bytes / sizeof(o); i++) {
		memcpy(&o, data + i * sizeof(o), sizeof(o));
		if (pv_stream_framed(&g->s, o.gfn, 1) && !was_written(g, o.gfn)) {
			ret = parvus_domain_write(g->h, g->r->build.domain, o.gfn * PAGE, zero,
						  PAGE);
			g->written[o.gfn / 8] |= (uint8_t)(1u << o.gfn % 8);
		}
	}
	return ret;
}

static int take_devices(struct restoring *g, const uint8_t *data, uint32_t bytes)
{
	size_t n = bytes / sizeof(*g->r->devices);
	void *more;

	if (bytes % sizeof(*g->r->devices) || g->r->ndevices + n > PARVUS_DEVICES_DOMAIN)
		return pv_fail(g->h->error, EINVAL, "%s: %zu devices in %u bytes, and %u are the "
			       "most", g->name, g->r->ndevices + n, bytes, PARVUS_DEVICES_DOMAIN);
	more = realloc(g->r->devices, (g->r->ndevices + n) * sizeof(*g->r->devices));
	if (!more)
		return pv_fail(g->h->error, ENOMEM, "%s: no memory", g->name);
	g->r->devices = more;
	memcpy(g->r->devices + g->r->ndevices, data, bytes);
	g->r->ndevices += n;
	return 0;
}

static int take_context(struct restoring *g, const struct pv_record *r)
{
	struct pv_context c;
	struct parvus_context_domain d;
	const uint8_t *data = (const uint8_t *)r->body + sizeof(c);
	uint32_t bytes = r->bytes - (uint32_t)sizeof(c), domain = g->r->build.domain;
	int ret = 0;

	memcpy(&c, r->body, sizeof(c));
	if (bytes > PAGE)
		return pv_fail(g->h->error, EINVAL, "%s: a context of kind %u has %u bytes",
			       g->name, c.kind, bytes);
	switch (c.kind) {
	case PARVUS_CONTEXT_DOMAIN:
		if (bytes != sizeof(d))
			break;
		memcpy(&d, data, sizeof(d));
		d.generation_id[0] = d.generation_id[1] = 0;	/* it is a copy */
		g->r->ended = d.state == PARVUS_DOMAIN_SHUTDOWN;
		return pv_context_set(g->h, domain, c.kind, c.index, &d, sizeof(d));
	case PARVUS_CONTEXT_DEVICES:
		return take_devices(g, data, bytes);
	case PARVUS_CONTEXT_OFFERS:
		ret = touch(g, data, bytes);
		break;
	case PARVUS_CONTEXT_TRAPS:
	case PARVUS_CONTEXT_VCPU:
	case PARVUS_CONTEXT_XSAVE:
	case PARVUS_CONTEXT_PORTS:
		break;
	default:
		return pv_fail(g->h->error, EINVAL, "%s: a context of kind %u, which no stream has",
			       g->name, c.kind);
	}
	return ret ? ret : pv_context_set(g->h, domain, c.kind, c.index, data, bytes);
}

static int take_console(struct restoring *g, const struct pv_record *r)
{
	g->r->console = malloc(r->bytes);
	if (!g->r->console)
		return pv_fail(g->h->error, ENOMEM, "%s: no memory", g->name);
	memcpy(g->r->console, r->body, r->bytes);
	g->r->console_bytes = r->bytes;
	return 0;
}

static int take(struct restoring *g, const struct pv_record *r)
{
	switch (r->type) {
	case PV_HOST:
		return take_host(g, r->body);
	case PV_CONFIG:
		return take_config(g, r->body, r->bytes);
	case PV_SIZE:
		return take_size(g);
	case PV_GFNMAP:
		return take_map(g, r);
	case PV_PAGES:
		return take_pages(g, r);
	case PV_CONSOLE:
		return take_console(g, r);
	case PV_CONTEXT:
		return take_context(g, r);
	default:
		return 0;
	}
}

int parvus_restore(struct parvus *h, const char *name, int fd, struct parvus_restore *r)
{
	struct restoring *g = calloc(1, sizeof(*g));
	struct parvus_error why;
	struct pv_record record;
	int ret;

	if (!g)
		return pv_fail(h->error, ENOMEM, "%s: no memory", name);
	g->h = h;
	g->name = name;
	g->r = r;
	ret = pv_stream_open(&g->s, h->error, name, fd);
	if (!ret) {
		while ((ret = pv_stream_read(&g->s, &record)) > 0)
			if ((ret = take(g, &record)) < 0)
				break;
		if (!ret)
			ret = pv_stream_over(&g->s);
		r->frames = g->s.frames;
		r->pages = g->s.pages;
		r->bytes = g->s.at;
		pv_stream_end(&g->s);
	}
	why = *h->error;
	if (ret && g->made)
		parvus_domain_destroy(h, r->build.domain);
	if (ret)
		parvus_restore_free(r);
	*h->error = why;
	free(g->written);
	free(g);
	return ret;
}

void parvus_restore_free(struct parvus_restore *r)
{
	parvus_config_free(r->own);
	free(r->devices);
	free(r->console);
	r->own = NULL;
	r->devices = NULL;
	r->console = NULL;
	r->ndevices = r->console_bytes = 0;
}

/* ---- its folder, and the end ------------------------------------------------------------- */

static int put_file(struct parvus *h, uint32_t domain, const char *file, const void *data,
		    size_t bytes)
{
	char path[300];
	ssize_t n;
	int fd, ret = parvus_run_path(h, domain, file, path, sizeof(path));

	if (ret || !bytes)
		return ret;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	errno = fd < 0 ? errno : ENOSPC;	/* of a write that is short */
	n = fd < 0 ? -1 : write(fd, data, bytes);
	if (n != (ssize_t)bytes)
		ret = pv_fail(h->error, errno, "cannot write %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

/* What on_crash and the like say was done before it was saved. */
static int put_ended(struct parvus *h, uint32_t domain)
{
	struct parvus_state s;
	int ret = parvus_state_load(h, domain, &s);

	if (ret)
		return ret;
	s.ended = true;
	ret = parvus_state_save(h, &s);
	parvus_state_free(&s);
	return ret;
}

int parvus_restore_state(struct parvus *h, const struct parvus_restore *r)
{
	const struct parvus_config *c = r->given ? r->given : r->own;
	int64_t until = pv_now_ms() + LEAVE_MS;
	int ret;

	/* the monitor of the last domain of this number removes the folder when it ends */
	while (pv_state_served(h, r->build.domain) && pv_now_ms() < until)
		usleep(10000);
	ret = parvus_state_start(h, c, &r->build);
	if (!ret)
		ret = put_file(h, r->build.domain, PV_DEVICES_FILE, r->devices,
			       r->ndevices * sizeof(*r->devices));
	if (!ret)
		ret = put_file(h, r->build.domain, PARVUS_HISTORY_FILE, r->console,
			       r->console_bytes);
	if (!ret && r->ended)
		ret = put_ended(h, r->build.domain);
	if (ret)
		parvus_state_remove(h, r->build.domain);
	return ret;
}

int parvus_restore_commit(struct parvus *h, const struct parvus_restore *r, bool unpause)
{
	int ret = pv_context_set(h, r->build.domain, PARVUS_CONTEXT_COMMIT, 0, NULL, 0);

	return ret ? ret : parvus_domain_commit(h, r->build.domain, unpause && !r->ended);
}
