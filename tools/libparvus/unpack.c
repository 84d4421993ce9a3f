// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: unpack what a kernel image was packed with, known by its magic. The input is
 * hostile: the output grows as it comes, up to PARVUS_IMAGE_MAX, and what a header says
 * about sizes is not looked at. Linux appends the unpacked size to some formats: what
 * follows the end of the stream is ignored.
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
#define LZ4_LEGACY	0x184c2102u	/* doc/lz4_Frame_format.md, "Legacy frame" */
#define LZ4_BLOCK	(8u << 20)
#define DECODER_MAX	(256ull << 20)	/* memory of a decoder itself */

struct output {
	struct parvus *h;
	const char *name;
	uint8_t *data;
	size_t used, room;
};

/* Room for at least @bytes more. */
static int grow(struct output *o, size_t bytes)
{
	uint8_t *more;
	size_t room = o->room ? o->room : CHUNK;

	if (o->room - o->used >= bytes)
		return 0;
	while (room - o->used < bytes) {
		if (room >= PARVUS_IMAGE_MAX)
			return pv_fail(o->h, EFBIG, "%s: unpacks to more than %lu MiB", o->name,
				       PARVUS_IMAGE_MAX >> 20);
		room *= 2;
	}
	more = realloc(o->data, room);
	if (!more)
		return pv_fail(o->h, ENOMEM, "%s: no memory to unpack it", o->name);
	o->data = more;
	o->room = room;
	return 0;
}

static int corrupt(struct output *o, const char *format)
{
	return pv_fail(o->h, EINVAL, "%s: its %s data is damaged or cut short", o->name, format);
}

static int no_memory(struct output *o, const char *format)
{
	return pv_fail(o->h, ENOMEM, "%s: its %s data needs too much memory", o->name, format);
}

static int unpack_gzip(struct output *o, const uint8_t *in, size_t bytes)
{
	z_stream z = { .next_in = (uint8_t *)in, .avail_in = (uInt)bytes };
	int ret, state;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return no_memory(o, "gzip");
	for (;;) {
		size_t room;

		ret = grow(o, CHUNK);
		if (ret)
			break;
		room = o->room - o->used;
		z.next_out = o->data + o->used;
		z.avail_out = (uInt)room;
		state = inflate(&z, Z_NO_FLUSH);
		o->used += room - z.avail_out;
		if (state == Z_STREAM_END)
			break;
		/* no progress with room left: the input ends too early */
		if (state != Z_OK || (z.avail_out && !z.avail_in)) {
			ret = state == Z_MEM_ERROR ? no_memory(o, "gzip") : corrupt(o, "gzip");
			break;
		}
	}
	inflateEnd(&z);
	return ret;
}

static int unpack_xz(struct output *o, const uint8_t *in, size_t bytes, bool alone)
{
	const char *format = alone ? "lzma" : "xz";
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_ret state;
	int ret;

	z.next_in = in;
	z.avail_in = bytes;
	state = alone ? lzma_alone_decoder(&z, DECODER_MAX) : lzma_stream_decoder(&z, DECODER_MAX, 0);
	if (state != LZMA_OK)
		return no_memory(o, format);
	for (;;) {
		size_t room;

		ret = grow(o, CHUNK);
		if (ret)
			break;
		room = o->room - o->used;
		z.next_out = o->data + o->used;
		z.avail_out = room;
		state = lzma_code(&z, LZMA_RUN);
		o->used += room - z.avail_out;
		if (state == LZMA_STREAM_END)
			break;
		if (state != LZMA_OK || (z.avail_out && !z.avail_in)) {
			ret = state == LZMA_MEM_ERROR || state == LZMA_MEMLIMIT_ERROR ?
				no_memory(o, format) : corrupt(o, format);
			break;
		}
	}
	lzma_end(&z);
	return ret;
}

static int unpack_bzip2(struct output *o, const uint8_t *in, size_t bytes)
{
	bz_stream z = { .next_in = (char *)in, .avail_in = (unsigned int)bytes };
	int ret, state;

	if (BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK)
		return no_memory(o, "bzip2");
	for (;;) {
		size_t room;

		ret = grow(o, CHUNK);
		if (ret)
			break;
		room = o->room - o->used;
		z.next_out = (char *)o->data + o->used;
		z.avail_out = (unsigned int)room;
		state = BZ2_bzDecompress(&z);
		o->used += room - z.avail_out;
		if (state == BZ_STREAM_END)
			break;
		if (state != BZ_OK || (z.avail_out && !z.avail_in)) {
			ret = state == BZ_MEM_ERROR ? no_memory(o, "bzip2") : corrupt(o, "bzip2");
			break;
		}
	}
	BZ2_bzDecompressEnd(&z);
	return ret;
}

static int unpack_zstd(struct output *o, const uint8_t *in, size_t bytes)
{
	ZSTD_inBuffer from = { .src = in, .size = bytes };
	ZSTD_DStream *z = ZSTD_createDStream();
	int ret;

	if (!z)
		return no_memory(o, "zstd");
	for (;;) {
		ZSTD_outBuffer to;
		size_t state;

		ret = grow(o, CHUNK);
		if (ret)
			break;
		to = (ZSTD_outBuffer){ .dst = o->data + o->used, .size = o->room - o->used };
		state = ZSTD_decompressStream(z, &to, &from);
		o->used += to.pos;
		if (ZSTD_isError(state)) {
			ret = corrupt(o, "zstd");
			break;
		}
		if (!state)
			break;
		if (to.pos < to.size && from.pos == from.size) {
			ret = corrupt(o, "zstd");
			break;
		}
	}
	ZSTD_freeDStream(z);
	return ret;
}

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Blocks with a length before each, until the input ends; Linux adds four bytes of size. */
static int unpack_lz4(struct output *o, const uint8_t *in, size_t bytes)
{
	size_t at = 4;

	while (bytes - at > 4) {
		uint32_t size = le32(in + at);
		int ret, n;

		at += 4;
		if (size == LZ4_LEGACY)
			continue;
		if (size > bytes - at)
			return corrupt(o, "lz4");
		ret = grow(o, LZ4_BLOCK);
		if (ret)
			return ret;
		n = LZ4_decompress_safe((const char *)in + at, (char *)o->data + o->used,
					(int)size, (int)LZ4_BLOCK);
		if (n < 0)
			return corrupt(o, "lz4");
		o->used += (size_t)n;
		at += size;
	}
	return at == bytes || bytes - at == 4 ? 0 : corrupt(o, "lz4");
}

int pv_unpack(struct parvus *h, const char *name, const uint8_t *in, size_t bytes, void **data,
	      size_t *size)
{
	struct output o = { .h = h, .name = name };
	int ret;

	if (bytes < 16 || bytes > PARVUS_IMAGE_MAX)
		return 0;
	if (in[0] == 0x1f && in[1] == 0x8b)
		ret = unpack_gzip(&o, in, bytes);
	else if (!memcmp(in, "\xfd" "7zXZ", 6))
		ret = unpack_xz(&o, in, bytes, false);
	else if (!memcmp(in, "\x5d\0\0", 3))
		ret = unpack_xz(&o, in, bytes, true);
	else if (!memcmp(in, "BZh", 3))
		ret = unpack_bzip2(&o, in, bytes);
	else if (!memcmp(in, "\x28\xb5\x2f\xfd", 4))
		ret = unpack_zstd(&o, in, bytes);
	else if (le32(in) == LZ4_LEGACY)
		ret = unpack_lz4(&o, in, bytes);
	else if (!memcmp(in, "\x89LZO", 4))
		ret = pv_fail(h, ENOTSUP, "%s: packed with lzo, which is not supported", name);
	else
		return 0;
	if (ret) {
		free(o.data);
		return ret;
	}
	if (!o.used) {
		free(o.data);
		return pv_fail(h, EINVAL, "%s: nothing in it", name);
	}
	*data = o.data;
	*size = o.used;
	return 1;
}
