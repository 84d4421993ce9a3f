// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: read the stream of a saved domain (stream.h). One buffer for a body, one for pages
 * that were packed, and the map: more memory no stream can make it take.
 */
#include "stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As many as there are up to @bytes; fewer at the end of the file. */
static ssize_t take(struct pv_stream *s, void *data, size_t bytes)
{
	size_t have = 0;

	while (have < bytes) {
		ssize_t n = read(s->fd, (uint8_t *)data + have, bytes - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pv_fail(s->error, errno, "cannot read %s: %s", s->name,
				       strerror(errno));
		if (!n)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int pv_stream_open(struct pv_stream *s, struct parvus_error *e, const char *name, int fd)
{
	struct pv_stream_head h, right;
	int ret = pv_stream_begin(s, e, name, fd);
	ssize_t n;

	if (ret)
		return ret;
	pv_stream_header(&right);
	memset(&h, 0, sizeof(h));
	n = take(s, &h, sizeof(h));
	if (n < 0)
		ret = (int)n;
	else if (memcmp(h.magic, right.magic, sizeof(h.magic)))
		ret = pv_fail(e, EINVAL, "%s holds no saved domain: its %zd bytes begin with "
			      "%02x %02x %02x %02x", name, n, (uint8_t)h.magic[0],
			      (uint8_t)h.magic[1], (uint8_t)h.magic[2], (uint8_t)h.magic[3]);
	else if (n < (ssize_t)sizeof(h))
		ret = pv_fail(e, EINVAL, "%s: %zd bytes, which are not even its header", name, n);
	else if (h.version != right.version)
		ret = pv_fail(e, EINVAL, "%s: version %u of the format, and %u is known", name,
			      h.version, right.version);
	else if (h.page_size != right.page_size)
		ret = pv_fail(e, EINVAL, "%s: pages of %u bytes, and %u are expected", name,
			      h.page_size, right.page_size);
	if (ret) {
		pv_stream_end(s);
		return ret;
	}
	sha256_update(&s->sha, sizeof(h), (const uint8_t *)&h);
	s->at = sizeof(h);
	return 0;
}

/* Pages as they were; NULL after a failure, which was told. */
static const uint8_t *unpack(struct pv_stream *s, const struct pv_pages *p, const uint8_t *data,
			     size_t bytes)
{
	size_t whole = p->count * PAGE, n;

	if (p->codec == PV_CODEC_RAW)
		return data;
	if (!s->unpacked)
		s->unpacked = malloc(PV_PAGES_MAX * PAGE);
	if (!s->unzstd)
		s->unzstd = ZSTD_createDCtx();
	if (!s->unpacked || !s->unzstd) {
		pv_fail(s->error, ENOMEM, "%s: no memory", s->name);
		return NULL;
	}
	/* one frame, and nothing behind it */
	n = ZSTD_findFrameCompressedSize(data, bytes);
	if (!ZSTD_isError(n) && n == bytes)
		n = ZSTD_decompressDCtx(s->unzstd, s->unpacked, whole, data, bytes);
	else
		n = 0;
	if (n == whole)
		return s->unpacked;
	pv_stream_wrong(s, "%zu bytes of zstd that do not give %u pages", bytes, p->count);
	return NULL;
}

/* Head and body, compared with their sum. 0, or an error. */
static int record(struct pv_stream *s, struct pv_record_head *h)
{
	ssize_t n = take(s, h, sizeof(*h));
	uint32_t crc;
	int ret;

	if (n < 0)
		return (int)n;
	if (!n)
		return pv_stream_wrong(s, "the stream ends after %llu bytes, without an END",
				       (unsigned long long)s->at);
	if (n < (ssize_t)sizeof(*h))
		return pv_stream_wrong(s, "the stream ends after %zd of the %zu bytes of a head", n,
				       sizeof(*h));
	ret = pv_record_head_check(s, h);
	if (ret)
		return ret;
	n = take(s, s->body, h->bytes);
	if (n < 0)
		return (int)n;
	if (n < (ssize_t)h->bytes)
		return pv_stream_wrong(s, "the stream ends after %zd of %u bytes", n, h->bytes);
	crc = pv_record_crc(h, s->body);
	if (crc != h->crc)
		return pv_stream_wrong(s, "the checksum is %08x, and %08x is expected", crc,
				       h->crc);
	return 0;
}

int pv_stream_read(struct pv_stream *s, struct pv_record *r)
{
	struct pv_record_head h;
	struct pv_pages p;
	int ret;

	if (s->ended)
		return 0;
	do {
		const uint8_t *pages = NULL;

		ret = record(s, &h);
		if (ret)
			return ret;
		if (h.type == PV_PAGES) {
			memcpy(&p, s->body, sizeof(p));
			/* what it says of itself comes first: unpacking is bounded by it */
			if (p.count && p.count <= PV_PAGES_MAX && p.codec <= PV_CODEC_ZSTD &&
			    !(pages = unpack(s, &p, s->body + sizeof(p), h.bytes - sizeof(p))))
				return -EINVAL;
		}
		ret = pv_record_check(s, &h, s->body);
		if (ret)
			return ret;
		*r = (struct pv_record){
			.type = h.type, .bytes = h.bytes, .body = s->body, .pages = pages,
		};
	} while (!h.type || h.type >= PV_RECORD_TYPES);
	return 1;
}

int pv_stream_over(struct pv_stream *s)
{
	uint8_t byte;
	ssize_t n = take(s, &byte, 1);

	return n <= 0 ? (int)n :
	       pv_fail(s->error, EINVAL, "%s: something follows its end at byte %llu", s->name,
		       (unsigned long long)s->at);
}
