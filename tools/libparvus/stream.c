// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: what the stream of a saved domain may hold (stream.h): which records, of which sizes,
 * in which order, and what their members may say. The hypervisor checks contexts itself, once they
 * come to it; here only their frame is looked at.
 */
#include "stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct pv_stream_head) == 16 && sizeof(struct pv_record_head) == 12 &&
	       sizeof(struct pv_host) == 16 && sizeof(struct pv_leaf) == 24 &&
	       sizeof(struct pv_size) == 56 && sizeof(struct pv_run) == 16 &&
	       sizeof(struct pv_pages) == 16 && sizeof(struct pv_context) == 8 &&
	       sizeof(struct pv_end) == 56, "the layout is that of the page");

/* @least, @most: bytes of a body. @again: several may follow each other. @must: one has to come. */
static const struct {
	const char *name;
	uint32_t least, most;
	bool again, must;
} types[PV_RECORD_TYPES] = {
	[PV_HOST] = { "HOST", sizeof(struct pv_host) + 8, sizeof(struct pv_host) + PV_HOST_RECORD +
		PV_HOST_LEAVES * sizeof(struct pv_leaf), false, true },
	[PV_CONFIG] = { "CONFIG", 1, PV_CONFIG_BYTES, false, true },
	[PV_SIZE] = { "SIZE", sizeof(struct pv_size), sizeof(struct pv_size), false, true },
	[PV_GFNMAP] = { "GFNMAP", sizeof(struct pv_run), PV_RECORD_MAX, true, true },
	[PV_PAGES] = { "PAGES", sizeof(struct pv_pages) + 1,
		sizeof(struct pv_pages) + PV_PAGES_MAX * PAGE, true, false },
	[PV_CONSOLE] = { "CONSOLE", 1, PV_CONSOLE_BYTES, false, false },
	[PV_CONTEXT] = { "CONTEXT", sizeof(struct pv_context) + 1, PV_RECORD_MAX, true, true },
	[PV_END] = { "END", sizeof(struct pv_end), sizeof(struct pv_end), false, true },
};

const char *pv_record_name(uint16_t type)
{
	return type && type < PV_RECORD_TYPES ? types[type].name : "unknown";
}

int pv_stream_wrong(struct pv_stream *s, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return pv_fail(s->error, EINVAL, "%s: record %llu%s%s%s at byte %llu: %s", s->name,
		       (unsigned long long)s->record, s->type ? " (" : "", s->type ? s->type : "",
		       s->type ? ")" : "", (unsigned long long)s->at, text);
}

int pv_stream_begin(struct pv_stream *s, struct parvus_error *e, const char *name, int fd)
{
	memset(s, 0, sizeof(*s));
	s->error = e;
	s->name = name;
	s->fd = fd;
	sha256_init(&s->sha);
	s->body = malloc(PV_RECORD_MAX);
	return s->body ? 0 : pv_fail(e, ENOMEM, "%s: no memory", name);
}

void pv_stream_end(struct pv_stream *s)
{
	ZSTD_freeDCtx(s->unzstd);
	ZSTD_freeCCtx(s->zstd);
	free(s->unpacked);
	free(s->body);
	free(s->runs);
	memset(s, 0, sizeof(*s));
}

void pv_stream_header(struct pv_stream_head *h)
{
	memcpy(h->magic, PV_STREAM_MAGIC, sizeof(h->magic));
	h->version = PV_STREAM_VERSION;
	h->page_size = PAGE;
}

uint32_t pv_record_crc(const struct pv_record_head *h, const void *body)
{
	return pv_crc32c(pv_crc32c(0, h, offsetof(struct pv_record_head, crc)), body, h->bytes);
}

/* Behind the last known record, what may come, and what must have come before it. */
static int order(struct pv_stream *s, uint16_t type)
{
	uint32_t t;

	if (type < s->last)
		return pv_stream_wrong(s, "it comes after %s", types[s->last].name);
	if (type == s->last && !types[type].again)
		return pv_stream_wrong(s, "there is a second one, %s", types[type].name);
	for (t = s->last + 1; t < type; t++)
		if (types[t].must)
			return pv_stream_wrong(s, "there is no %s before it", types[t].name);
	return 0;
}

int pv_record_head_check(struct pv_stream *s, const struct pv_record_head *h)
{
	bool known = h->type && h->type < PV_RECORD_TYPES;
	int ret;

	if (h->flags & ~PV_RECORD_FATAL)
		return pv_stream_wrong(s, "flags 0x%x, of which only bit 0 is known", h->flags);
	if (!known) {
		if (h->flags & PV_RECORD_FATAL)
			return pv_stream_wrong(s, "type %u is not known here, and has to be",
					       h->type);
		return h->bytes <= PV_RECORD_MAX ? 0 :
		       pv_stream_wrong(s, "%u bytes, and %u are the most", h->bytes, PV_RECORD_MAX);
	}
	s->type = types[h->type].name;
	ret = order(s, h->type);
	if (ret)
		return ret;
	if (h->bytes < types[h->type].least || h->bytes > types[h->type].most)
		return pv_stream_wrong(s, "%u bytes, and %u to %u are expected", h->bytes,
				       types[h->type].least, types[h->type].most);
	return 0;
}

static int host_check(struct pv_stream *s, uint32_t bytes, const uint8_t *body)
{
	struct pv_host *h = &s->host;

	memcpy(h, body, sizeof(*h));
	if (h->reserved)
		return pv_stream_wrong(s, "reserved is 0x%x, not 0", h->reserved);
	if (!h->record || h->record > PV_HOST_RECORD || h->record % 8 ||
	    h->leaves > PV_HOST_LEAVES ||
	    bytes != sizeof(*h) + h->record + h->leaves * sizeof(struct pv_leaf))
		return pv_stream_wrong(s, "a record of %u bytes, and %u leaves of CPUID: %u "
				       "bytes", h->record, h->leaves, bytes);
	return 0;
}

static int config_check(struct pv_stream *s, uint32_t bytes, const uint8_t *body)
{
	const uint8_t *zero = memchr(body, 0, bytes);

	s->config_bytes = bytes;
	return zero ? pv_stream_wrong(s, "a zero at byte %zu of the text", (size_t)(zero - body)) :
	       0;
}

static int size_check(struct pv_stream *s, uint32_t bytes, const uint8_t *body)
{
	struct pv_size *z = &s->size;

	memcpy(z, body, bytes);
	if (!z->gfns || z->gfns > PV_GFNS_MAX)
		return pv_stream_wrong(s, "%llu gfns, and 1 to %llu are expected",
				       (unsigned long long)z->gfns, PV_GFNS_MAX);
	if (!z->ram_frames || z->ram_frames > z->gfns)
		return pv_stream_wrong(s, "%llu frames of RAM in %llu gfns",
				       (unsigned long long)z->ram_frames,
				       (unsigned long long)z->gfns);
	if (z->max_frames > z->ram_frames || z->target_frames > z->ram_frames)
		return pv_stream_wrong(s, "a target of %llu frames, and %llu at most, of %llu",
				       (unsigned long long)z->target_frames,
				       (unsigned long long)z->max_frames,
				       (unsigned long long)z->ram_frames);
	if (!z->vcpus || z->vcpus > PARVUS_MAX_VCPUS)
		return pv_stream_wrong(s, "%u vCPUs, and 1 to %u are expected", z->vcpus,
				       PARVUS_MAX_VCPUS);
	return z->reserved ? pv_stream_wrong(s, "reserved is 0x%x, not 0", z->reserved) : 0;
}

/* The whole map is upwards, also from record to record. */
static int run_check(struct pv_stream *s, const struct pv_run *r)
{
	const struct pv_run *last = s->nruns ? s->runs + s->nruns - 1 : NULL;

	if (r->kind != PV_RUN_DEMAND && r->kind != PV_RUN_FRAME)
		return pv_stream_wrong(s, "gfn 0x%llx is of kind %u",
				       (unsigned long long)r->gfn, r->kind);
	if (!r->frames || r->gfn >= s->size.gfns || r->frames > s->size.gfns - r->gfn)
		return pv_stream_wrong(s, "%u frames from gfn 0x%llx on, of 0x%llx gfns",
				       r->frames, (unsigned long long)r->gfn,
				       (unsigned long long)s->size.gfns);
	if (last && r->gfn < last->gfn + last->frames)
		return pv_stream_wrong(s, "gfn 0x%llx, and the map was at 0x%llx",
				       (unsigned long long)r->gfn,
				       (unsigned long long)(last->gfn + last->frames));
	if (s->frames + s->demand + r->frames > s->size.ram_frames)
		return pv_stream_wrong(s, "more frames up to gfn 0x%llx than %llu, all of its RAM",
				       (unsigned long long)r->gfn,
				       (unsigned long long)s->size.ram_frames);
	return 0;
}

static int gfnmap_check(struct pv_stream *s, uint32_t bytes, const uint8_t *body)
{
	size_t n = bytes / sizeof(struct pv_run), i;
	struct pv_run *more;
	int ret;

	if (bytes % sizeof(struct pv_run))
		return pv_stream_wrong(s, "%u bytes are no whole runs", bytes);
	if (s->nruns + n > PV_RUNS_MAX)
		return pv_stream_wrong(s, "%zu runs, and %u are the most", s->nruns + n,
				       PV_RUNS_MAX);
	if (s->nruns + n > s->runs_room) {
		s->runs_room = s->nruns + n + s->runs_room / 2;
		more = realloc(s->runs, s->runs_room * sizeof(*more));
		if (!more)
			return pv_fail(s->error, ENOMEM, "%s: no memory", s->name);
		s->runs = more;
	}
	for (i = 0; i < n; i++) {
		struct pv_run r;

		memcpy(&r, body + i * sizeof(r), sizeof(r));
		ret = run_check(s, &r);
		if (ret)
			return ret;
		s->runs[s->nruns++] = r;
		if (r.kind == PV_RUN_FRAME)
			s->frames += r.frames;
		else
			s->demand += r.frames;
	}
	return 0;
}

bool pv_stream_framed(const struct pv_stream *s, uint64_t gfn, uint64_t count)
{
	size_t low = 0, high = s->nruns;

	/* the last run that begins at gfn or before it */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->runs[middle].gfn <= gfn)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	for (low--; count && low < s->nruns; low++) {
		const struct pv_run *r = s->runs + low;
		uint64_t n;

		if (r->kind != PV_RUN_FRAME || gfn < r->gfn || gfn - r->gfn >= r->frames)
			return false;
		n = r->frames - (gfn - r->gfn);
		n = n < count ? n : count;
		gfn += n;
		count -= n;
	}
	return !count;
}

static int pages_check(struct pv_stream *s, uint32_t bytes, const uint8_t *body)
{
	struct pv_pages p;
	uint32_t data = bytes - (uint32_t)sizeof(p), whole;

	memcpy(&p, body, sizeof(p));
	if (!p.count || p.count > PV_PAGES_MAX)
		return pv_stream_wrong(s, "%u pages, and 1 to %u are expected", p.count,
				       PV_PAGES_MAX);
	if (p.codec != PV_CODEC_RAW && p.codec != PV_CODEC_ZSTD)
		return pv_stream_wrong(s, "codec %u, and 0 and 1 are known", p.codec);
	if (!pv_stream_framed(s, p.gfn, p.count))
		return pv_stream_wrong(s, "%u pages at gfn 0x%llx, where the map has no frames",
				       p.count, (unsigned long long)p.gfn);
	whole = p.count * (uint32_t)PAGE;
	if (p.codec == PV_CODEC_RAW ? data != whole : data >= whole)
		return pv_stream_wrong(s, "%u bytes of %s data for %u pages", data,
				       p.codec == PV_CODEC_RAW ? "plain" : "packed", p.count);
	s->pages += p.count;
	s->packed += data;
	return 0;
}

static int context_check(struct pv_stream *s, uint32_t bytes, const uint8_t *body)
{
	struct pv_context c;

	(void)bytes;
	memcpy(&c, body, sizeof(c));
	s->contexts++;
	return c.kind ? 0 : pv_stream_wrong(s, "a context of kind %u", c.kind);
}

void pv_stream_totals(const struct pv_stream *s, struct pv_end *end)
{
	struct sha256_ctx sha = s->sha;

	end->records = s->record;
	end->bytes = s->at;
	end->pages = s->pages;
	sha256_digest(&sha, sizeof(end->sha256), end->sha256);
}

static int end_check(struct pv_stream *s, const uint8_t *body)
{
	struct pv_end said, is;

	memcpy(&said, body, sizeof(said));
	pv_stream_totals(s, &is);
	if (said.records != is.records || said.bytes != is.bytes || said.pages != is.pages)
		return pv_stream_wrong(s, "it counts %llu records, %llu bytes, %llu pages, and "
				       "there were %llu, %llu, %llu",
				       (unsigned long long)said.records,
				       (unsigned long long)said.bytes,
				       (unsigned long long)said.pages,
				       (unsigned long long)is.records,
				       (unsigned long long)is.bytes, (unsigned long long)is.pages);
	if (memcmp(said.sha256, is.sha256, sizeof(is.sha256)))
		return pv_stream_wrong(s, "the SHA-256 of all heads begins with %02x%02x, and "
				       "%02x%02x is expected", is.sha256[0], is.sha256[1],
				       said.sha256[0], said.sha256[1]);
	s->ended = true;
	return 0;
}

static int body_check(struct pv_stream *s, const struct pv_record_head *h, const uint8_t *body)
{
	switch (h->type) {
	case PV_HOST:
		return host_check(s, h->bytes, body);
	case PV_CONFIG:
		return config_check(s, h->bytes, body);
	case PV_SIZE:
		return size_check(s, h->bytes, body);
	case PV_GFNMAP:
		return gfnmap_check(s, h->bytes, body);
	case PV_PAGES:
		return pages_check(s, h->bytes, body);
	case PV_CONSOLE:
		s->console = h->bytes;
		return 0;
	case PV_CONTEXT:
		return context_check(s, h->bytes, body);
	case PV_END:
		return end_check(s, body);
	default:
		s->unknown++;
		return 0;
	}
}

int pv_record_check(struct pv_stream *s, const struct pv_record_head *h, const uint8_t *body)
{
	int ret = body_check(s, h, body);

	if (ret)
		return ret;
	if (h->type && h->type < PV_RECORD_TYPES)
		s->last = h->type;
	sha256_update(&s->sha, sizeof(*h), (const uint8_t *)h);
	s->record++;
	s->at += sizeof(*h) + h->bytes;
	s->type = NULL;
	return 0;
}
