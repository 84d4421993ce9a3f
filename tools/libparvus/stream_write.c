// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: write the stream of a saved domain (stream.h). What would be refused by who reads it
 * is refused here, by the same checks, before a byte of it is written.
 */
#include "stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int put(struct pv_stream *s, const void *data, size_t bytes)
{
	const uint8_t *p = data;

	while (bytes) {
		ssize_t n = write(s->fd, p, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return pv_fail(s->error, n ? errno : EIO, "cannot write %s: %s", s->name,
				       strerror(n ? errno : EIO));
		p += n;
		bytes -= (size_t)n;
	}
	return 0;
}

int pv_stream_create(struct pv_stream *s, struct parvus_error *e, const char *name, int fd)
{
	int ret = pv_stream_begin(s, e, name, fd);
	struct pv_stream_head h;

	if (ret)
		return ret;
	pv_stream_header(&h);
	ret = put(s, &h, sizeof(h));
	if (ret) {
		pv_stream_end(s);
		return ret;
	}
	sha256_update(&s->sha, sizeof(h), (const uint8_t *)&h);
	s->at = sizeof(h);
	return 0;
}

/* @s->body holds it. */
static int finish(struct pv_stream *s, uint16_t type, size_t bytes)
{
	struct pv_record_head h = {
		.type = type, .flags = PV_RECORD_FATAL, .bytes = (uint32_t)bytes,
	};
	int ret = pv_record_head_check(s, &h);

	if (ret)
		return ret;
	h.crc = pv_record_crc(&h, s->body);
	ret = pv_record_check(s, &h, s->body);
	if (!ret)
		ret = put(s, &h, sizeof(h));
	return ret ? ret : put(s, s->body, bytes);
}

int pv_stream_write(struct pv_stream *s, uint16_t type, const void *head, size_t head_bytes,
		    const void *data, size_t data_bytes)
{
	if (head_bytes > PV_RECORD_MAX || data_bytes > PV_RECORD_MAX - head_bytes)
		return pv_stream_wrong(s, "%zu bytes, and %u are the most", head_bytes + data_bytes,
				       PV_RECORD_MAX);
	if (head_bytes)
		memcpy(s->body, head, head_bytes);
	if (data_bytes)
		memcpy(s->body + head_bytes, data, data_bytes);
	return finish(s, type, head_bytes + data_bytes);
}

int pv_stream_write_pages(struct pv_stream *s, uint64_t gfn, uint32_t count, const uint8_t *data,
			  int level)
{
	struct pv_pages p = { .gfn = gfn, .count = count, .codec = PV_CODEC_RAW };
	size_t whole = count * PAGE, n;

	if (!count || count > PV_PAGES_MAX)
		return pv_stream_wrong(s, "%u pages, and 1 to %u are expected", count,
				       PV_PAGES_MAX);
	if (level) {
		if (!s->zstd)
			s->zstd = ZSTD_createCCtx();
		if (!s->zstd)
			return pv_fail(s->error, ENOMEM, "%s: no memory", s->name);
		n = ZSTD_compressCCtx(s->zstd, s->body + sizeof(p), whole - 1, data, whole, level);
		if (!ZSTD_isError(n)) {
			p.codec = PV_CODEC_ZSTD;
			memcpy(s->body, &p, sizeof(p));
			return finish(s, PV_PAGES, sizeof(p) + n);
		}
	}
	return pv_stream_write(s, PV_PAGES, &p, sizeof(p), data, whole);
}

int pv_stream_write_end(struct pv_stream *s)
{
	struct pv_end end;

	pv_stream_totals(s, &end);
	return pv_stream_write(s, PV_END, &end, sizeof(end), NULL, 0);
}
