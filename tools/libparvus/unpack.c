// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: unpack what a kernel image was packed with, known by its magic. There is one loop;
 * a format is a row of the table, with its library's way to begin, to go on and to end.
 *
 * The input is hostile. The output grows as it comes, up to PARVUS_IMAGE_MAX, and nobody looks at
 * what a header says about sizes. Linux appends the unpacked size to most formats: the loop
 * ignores what follows the end of the stream. Checksums are verified where a format has one
 * (libarchive 3.6 would not: its gzip filter skips the trailer, its lz4 filter stumbles over the
 * appended size).
 */
#include "internal.h"

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define CHUNK		(1u << 20)
#define LZ4_MAGIC	"\x02\x21\x4c\x18"	/* doc/lz4_Frame_format.md, "Legacy frame" */
#define LZ4_BLOCK	(8u << 20)
#define DECODER_MAX	(256ull << 20)	/* memory of a decoder itself */

/* What is left to read, and the room to write. */
struct stream {
	const uint8_t *in;
	uint8_t *out;
	size_t in_left, out_left;
};

union decoder {
	z_stream gzip;
	lzma_stream lzma;
	bz_stream bzip2;
	ZSTD_DStream *zstd;
};

enum step { STEP_MORE, STEP_END, STEP_DAMAGED, STEP_NO_MEMORY };

/* @room: what a step needs at least to write to. Without @step it is known, but not supported. */
struct format {
	const char *name, *magic;
	size_t magic_bytes, room;
	bool (*begin)(union decoder *d);
	enum step (*step)(union decoder *d, struct stream *s);
	void (*end)(union decoder *d);
};

static bool gzip_begin(union decoder *d)
{
	d->gzip = (z_stream){ 0 };
	return inflateInit2(&d->gzip, 15 + 16) == Z_OK;
}

static enum step gzip_step(union decoder *d, struct stream *s)
{
	z_stream *z = &d->gzip;
	int ret;

	z->next_in = (uint8_t *)s->in;
	z->avail_in = (uInt)s->in_left;
	z->next_out = s->out;
	z->avail_out = (uInt)s->out_left;
	ret = inflate(z, Z_NO_FLUSH);
	s->in = z->next_in;
	s->in_left = z->avail_in;
	s->out_left = z->avail_out;
	return ret == Z_STREAM_END ? STEP_END : ret == Z_OK ? STEP_MORE :
	       ret == Z_MEM_ERROR ? STEP_NO_MEMORY : STEP_DAMAGED;
}

static void gzip_end(union decoder *d)
{
	inflateEnd(&d->gzip);
}

static bool xz_begin(union decoder *d)
{
	d->lzma = (lzma_stream)LZMA_STREAM_INIT;
	return lzma_stream_decoder(&d->lzma, DECODER_MAX, 0) == LZMA_OK;
}

static bool lzma_begin(union decoder *d)
{
	d->lzma = (lzma_stream)LZMA_STREAM_INIT;
	return lzma_alone_decoder(&d->lzma, DECODER_MAX) == LZMA_OK;
}

static enum step lzma_step(union decoder *d, struct stream *s)
{
	lzma_stream *z = &d->lzma;
	lzma_ret ret;

	z->next_in = s->in;
	z->avail_in = s->in_left;
	z->next_out = s->out;
	z->avail_out = s->out_left;
	ret = lzma_code(z, LZMA_RUN);
	s->in = z->next_in;
	s->in_left = z->avail_in;
	s->out_left = z->avail_out;
	return ret == LZMA_STREAM_END ? STEP_END : ret == LZMA_OK ? STEP_MORE :
	       ret == LZMA_MEM_ERROR || ret == LZMA_MEMLIMIT_ERROR ? STEP_NO_MEMORY : STEP_DAMAGED;
}

static void xz_end(union decoder *d)
{
	lzma_end(&d->lzma);
}

static bool bzip2_begin(union decoder *d)
{
	d->bzip2 = (bz_stream){ 0 };
	return BZ2_bzDecompressInit(&d->bzip2, 0, 0) == BZ_OK;
}

static enum step bzip2_step(union decoder *d, struct stream *s)
{
	bz_stream *z = &d->bzip2;
	int ret;

	z->next_in = (char *)s->in;
	z->avail_in = (unsigned int)s->in_left;
	z->next_out = (char *)s->out;
	z->avail_out = (unsigned int)s->out_left;
	ret = BZ2_bzDecompress(z);
	s->in = (uint8_t *)z->next_in;
	s->in_left = z->avail_in;
	s->out_left = z->avail_out;
	return ret == BZ_STREAM_END ? STEP_END : ret == BZ_OK ? STEP_MORE :
	       ret == BZ_MEM_ERROR ? STEP_NO_MEMORY : STEP_DAMAGED;
}

static void bzip2_end(union decoder *d)
{
	BZ2_bzDecompressEnd(&d->bzip2);
}

static bool zstd_begin(union decoder *d)
{
	d->zstd = ZSTD_createDStream();
	return d->zstd;
}

static enum step zstd_step(union decoder *d, struct stream *s)
{
	ZSTD_inBuffer from = { .src = s->in, .size = s->in_left };
	ZSTD_outBuffer to = { .dst = s->out, .size = s->out_left };
	size_t ret = ZSTD_decompressStream(d->zstd, &to, &from);

	s->in += from.pos;
	s->in_left -= from.pos;
	s->out_left -= to.pos;
	return ZSTD_isError(ret) ? STEP_DAMAGED : ret ? STEP_MORE : STEP_END;
}

static void zstd_end(union decoder *d)
{
	ZSTD_freeDStream(d->zstd);
}

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A block with its length before it; where a length would be, the magic may begin anew. */
static enum step lz4_step(union decoder *d, struct stream *s)
{
	uint32_t bytes;
	int n;

	(void)d;
	/* four bytes alone are the size that Linux adds */
	if (s->in_left <= 4)
		return s->in_left == 4 || !s->in_left ? STEP_END : STEP_DAMAGED;
	bytes = le32(s->in);
	s->in += 4;
	s->in_left -= 4;
	if (bytes == le32((const uint8_t *)LZ4_MAGIC))
		return STEP_MORE;
	if (bytes > s->in_left)
		return STEP_DAMAGED;
	n = LZ4_decompress_safe((const char *)s->in, (char *)s->out, (int)bytes, (int)LZ4_BLOCK);
	if (n < 0)
		return STEP_DAMAGED;
	s->in += bytes;
	s->in_left -= bytes;
	s->out_left -= (size_t)n;
	return s->in_left ? STEP_MORE : STEP_END;
}

static const struct format formats[] = {
	{ "gzip", "\x1f\x8b", 2, CHUNK, gzip_begin, gzip_step, gzip_end },
	{ "xz", "\xfd" "7zXZ", 6, CHUNK, xz_begin, lzma_step, xz_end },
	{ "lzma", "\x5d\0\0", 3, CHUNK, lzma_begin, lzma_step, xz_end },
	{ "bzip2", "BZh", 3, CHUNK, bzip2_begin, bzip2_step, bzip2_end },
	{ "zstd", "\x28\xb5\x2f\xfd", 4, CHUNK, zstd_begin, zstd_step, zstd_end },
	{ "lz4", LZ4_MAGIC, 4, LZ4_BLOCK, NULL, lz4_step, NULL },
	{ "lzo", "\x89LZO", 4, 0, NULL, NULL, NULL },
};

struct output {
	uint8_t *data;
	size_t used, room;
};

/* Room for at least @bytes more. */
static int grow(struct parvus_error *e, const char *name, struct output *o, size_t bytes)
{
	uint8_t *more;
	size_t room = o->room ? o->room : CHUNK;

	if (o->room - o->used >= bytes)
		return 0;
	while (room - o->used < bytes) {
		if (room >= PARVUS_IMAGE_MAX)
			return pv_fail(e, EFBIG, "%s: unpacks to more than %lu MiB", name,
				       PARVUS_IMAGE_MAX >> 20);
		room *= 2;
	}
	more = realloc(o->data, room);
	if (!more)
		return pv_fail(e, ENOMEM, "%s: no memory to unpack it", name);
	o->data = more;
	o->room = room;
	return 0;
}

static int unpack(struct parvus_error *e, const char *name, const struct format *f,
		  const uint8_t *in, size_t bytes, struct output *o)
{
	struct stream s = { .in = in, .in_left = bytes };
	enum step step = STEP_MORE;
	union decoder d;
	int ret = 0;

	if (f->begin && !f->begin(&d))
		return pv_fail(e, ENOMEM, "%s: its %s data needs too much memory", name, f->name);
	while (step == STEP_MORE) {
		size_t room;

		ret = grow(e, name, o, f->room);
		if (ret)
			break;
		room = o->room - o->used;
		s.out = o->data + o->used;
		s.out_left = room;
		step = f->step(&d, &s);
		o->used += room - s.out_left;
		/* room is left, but nothing to read: the input ends too early */
		if (step == STEP_MORE && s.out_left && !s.in_left)
			step = STEP_DAMAGED;
	}
	if (f->end)
		f->end(&d);
	if (step == STEP_NO_MEMORY)
		return pv_fail(e, ENOMEM, "%s: its %s data needs too much memory", name, f->name);
	if (step == STEP_DAMAGED)
		return pv_fail(e, EINVAL, "%s: its %s data is damaged or cut short", name, f->name);
	return ret;
}

int pv_unpack(struct parvus_error *e, const char *name, const uint8_t *in, size_t bytes,
	      void **data, size_t *size)
{
	const struct format *f, *end = formats + sizeof(formats) / sizeof(*formats);
	struct output o = { .data = NULL };
	int ret;

	if (bytes < 16 || bytes > PARVUS_IMAGE_MAX)
		return 0;
	for (f = formats; f < end && memcmp(in, f->magic, f->magic_bytes); f++)
		;
	if (f == end)
		return 0;
	if (!f->step)
		return pv_fail(e, ENOTSUP, "%s: packed with %s, which is not supported", name,
			       f->name);
	ret = unpack(e, name, f, in, bytes, &o);
	if (!ret && !o.used)
		ret = pv_fail(e, EINVAL, "%s: nothing in it", name);
	if (ret) {
		free(o.data);
		return ret;
	}
	*data = o.data;
	*size = o.used;
	return 1;
}
